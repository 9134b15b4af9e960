// SPDX-License-Identifier: GPL-2.0-only
/*
 * The formats of page-table entries, and the search for one entry. Compiled into
 * KUnit and into the unit tests.
 */
#include "trees.h"

static void formats_that_there_are_not(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, !iho_format(0));
	KUNIT_EXPECT_TRUE(test, !iho_format(4));
	KUNIT_EXPECT_TRUE(test, !iho_format(~0u));
}

static void vtdss_is_as_wide_as_its_levels(struct kunit *test)
{
	const struct iho_format *f = iho_format(IHO_TABLE_VTDSS);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_EXPECT_STREQ(test, f->name, "vtdss");
	for (u32 levels = 3; levels <= 5; levels++)
		KUNIT_EXPECT_EQ(test, iho_format_width(f, levels),
				12 + 9 * levels);
}

static void x86_64_is_half_as_wide_as_its_levels(struct kunit *test)
{
	const struct iho_format *f = iho_format(IHO_TABLE_X86_64);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_EXPECT_STREQ(test, f->name, "x86_64");
	KUNIT_EXPECT_EQ(test, f->attributes,
			IHO_TABLE_SNOOP | IHO_TABLE_INCOHERENT);
	KUNIT_EXPECT_EQ(test, iho_format_width(f, 4), 47);
	KUNIT_EXPECT_EQ(test, iho_format_width(f, 5), 56);
	KUNIT_EXPECT_EQ(test, iho_format_top_lg2(f, 4), 48);
	KUNIT_EXPECT_EQ(test, iho_format_top_lg2(f, 5), 57);
	for (u32 levels = 4; levels <= 5; levels++)
		KUNIT_EXPECT_EQ(test, iho_format_max_width(f, levels),
				iho_format_width(f, levels));
}

/* A map without read is readable where no entry can say otherwise. */
static void write_is_read_as_well_in_x86_64(struct kunit *test)
{
	static const u32 all[] = {
		IHO_TABLE_VTDSS, IHO_TABLE_X86_64, IHO_TABLE_AMDV1
	};

	for (int i = 0; i < 3; i++) {
		const struct iho_format *f = iho_format(all[i]);

		KUNIT_EXPECT_EQ(test, iho_format_perm(f, R), R);
		KUNIT_EXPECT_EQ(test, iho_format_perm(f, RW), RW);
		KUNIT_EXPECT_EQ(test, iho_format_perm(f, W),
				all[i] == IHO_TABLE_X86_64 ? RW : W);
	}
}

static void amdv1_is_as_wide_as_its_levels_and_grows(struct kunit *test)
{
	const struct iho_format *f = iho_format(IHO_TABLE_AMDV1);

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_EXPECT_STREQ(test, f->name, "amdv1");
	KUNIT_EXPECT_EQ(test, f->attributes, IHO_TABLE_SNOOP);
	for (u32 levels = 3; levels <= 5; levels++)
		KUNIT_EXPECT_EQ(test, iho_format_width(f, levels),
				12 + 9 * levels);
	KUNIT_EXPECT_EQ(test, iho_format_width(f, 6), 64);
	for (u32 levels = 3; levels <= 6; levels++)
		KUNIT_EXPECT_EQ(test, iho_format_max_width(f, levels), 64);
}

struct made_case {
	u32 format;
	const char *desc;
	u32 levels;
	u32 leaves;		/* a bit for each level that has one */
	u32 perms;		/* a bit for each IHO_PT_* that a leaf has */
};

#define PERM(p)		BIT_ULL(p)
#define PERMS_RW	(PERM(R) | PERM(W) | PERM(RW))
#define PERMS_SNP	(PERM(R | SNP) | PERM(W | SNP) | PERM(RW | SNP))

static const struct made_case made_cases[] = {
	{ IHO_TABLE_VTDSS, "vtdss", 5, 0x07, PERMS_RW | PERMS_SNP },
	{ IHO_TABLE_X86_64, "x86_64", 5, 0x07, PERM(R) | PERM(RW) },
	{ IHO_TABLE_AMDV1, "amdv1", 6, 0x17, PERMS_RW | PERMS_SNP },
};

KUNIT_ARRAY_PARAM_DESC(made, made_cases, desc);

/* What a format makes of an entry, it reads again. */
static void leaves_and_links_are_read_as_they_were_made(struct kunit *test)
{
	const struct made_case *c = test->param_value;
	const u64 leaf_pa = GENMASK_ULL(51, 48), table_pa = 7 * SZ_4K;
	const struct iho_format *f = iho_format(c->format);
	struct iho_slot slot = { .levels = c->levels };
	u32 perm, got;
	u64 pa;

	KUNIT_ASSERT_NOT_NULL(test, f);
	KUNIT_EXPECT_EQ(test, f->max_levels, c->levels);
	for (slot.level = 0; slot.level < slot.levels; slot.level++) {
		for (perm = 1; perm <= (RW | SNP); perm++) {
			if (!(perm & RW))
				continue;
			slot.entry = f->leaf(leaf_pa, slot.level, perm);
			if (!(c->leaves & BIT_ULL(slot.level)) ||
			    !(c->perms & PERM(perm))) {
				KUNIT_EXPECT_EQ(test, slot.entry, 0);
			} else {
				KUNIT_EXPECT_EQ(test, f->decode(&slot, &pa, &got),
						IHO_ENTRY_LEAF);
				KUNIT_EXPECT_EQ(test, pa, leaf_pa);
				KUNIT_EXPECT_EQ(test, got, perm);
			}
			if (!slot.level)
				continue;
			slot.entry = f->link(table_pa, slot.level, perm);
			if (!(c->perms & PERM(perm & RW))) {
				KUNIT_EXPECT_EQ(test, slot.entry, 0);
				continue;
			}
			KUNIT_EXPECT_EQ(test, f->decode(&slot, &pa, &got),
					IHO_ENTRY_TABLE);
			KUNIT_EXPECT_EQ(test, pa, table_pa);
			KUNIT_EXPECT_EQ(test, got, perm & RW);
		}
	}
}

/* An entry of zero is empty, wherever it is; walks rely on it. */
static void zero_is_empty_in_each_format(struct kunit *test)
{
	const struct made_case *c = test->param_value;
	const struct iho_format *f = iho_format(c->format);
	struct iho_slot slot = { .levels = c->levels };
	u32 perm;
	u64 pa;

	KUNIT_ASSERT_NOT_NULL(test, f);
	for (slot.level = 0; slot.level < slot.levels; slot.level++)
		for (slot.index = 0; slot.index < ENTRIES; slot.index++)
			KUNIT_EXPECT_EQ(test, f->decode(&slot, &pa, &perm),
					IHO_ENTRY_EMPTY);
}

#define FOUND_4K	0x5000ull
#define FOUND_2M	((u64)SZ_2M)

struct entry_case {
	const char *desc;
	u64 iova;
	u64 of;		/* IOVA whose entry at @level it is */
	u32 level;
	bool found;
};

static const struct entry_case entry_cases[] = {
	{ "leaf of 4 KiB, its last byte", FOUND_4K + 0xfff, FOUND_4K, 0, true },
	{ "leaf of 2 MiB, its last byte", 2 * FOUND_2M - 1, FOUND_2M, 1, true },
	{ "empty entry of a table", FOUND_4K + SZ_4K, FOUND_4K + SZ_4K, 0,
	  true },
	{ "empty entry, no table below it", 2 * FOUND_2M, 2 * FOUND_2M, 1,
	  false },
	{ "beyond the address space", BIT_ULL(48) + FOUND_4K },
};

KUNIT_ARRAY_PARAM_DESC(entry, entry_cases, desc);

static struct tree *tree_of_two_leaves(struct kunit *test)
{
	struct tree *t = tree_new(test, 4, SMALL_TREE);

	tree_map(test, t, FOUND_4K, 0x9000, 0, SS_RW);
	tree_map(test, t, FOUND_2M, 3 * FOUND_2M, 1, SS_R);
	return t;
}

static void entry_of_an_iova_is_found(struct kunit *test)
{
	const struct entry_case *c = test->param_value;
	struct tree *t = tree_of_two_leaves(test);
	u32 level = 99;
	const u64 *e = iho_pt_entry(&t->pt, c->iova, &level);

	if (!c->found) {
		KUNIT_EXPECT_TRUE(test, !e);
		return;
	}
	KUNIT_EXPECT_TRUE(test, e == tree_entry(test, t, c->of, c->level));
	KUNIT_EXPECT_EQ(test, level, c->level);
}

/* It is asked for to be broken or shown, so that it need not be a good one. */
static void entry_that_is_no_good_is_found(struct kunit *test)
{
	struct tree *t = tree_of_two_leaves(test);
	u64 *e = tree_entry(test, t, FOUND_2M, 1);
	u32 level;

	*e |= SZ_4K;
	KUNIT_EXPECT_TRUE(test, iho_pt_entry(&t->pt, FOUND_2M, &level) == e);
	*e &= ~SS_RW;
	KUNIT_EXPECT_TRUE(test, iho_pt_entry(&t->pt, FOUND_2M, &level) == e);
}

static void entry_is_not_looked_for_where_nothing_may_be_read(struct kunit *test)
{
	struct tree *t = tree_of_two_leaves(test);
	u32 level;

	KUNIT_EXPECT_TRUE(test, iho_pt_entry(&t->pt, FOUND_4K, &level) != NULL);
	t->denied = 1;
	KUNIT_EXPECT_TRUE(test, !iho_pt_entry(&t->pt, FOUND_4K, &level));
	t->denied = -1;
	t->pt.levels = 9;
	KUNIT_EXPECT_TRUE(test, !iho_pt_entry(&t->pt, FOUND_4K, &level));
}

static struct kunit_case format_cases[] = {
	KUNIT_CASE(formats_that_there_are_not),
	KUNIT_CASE(vtdss_is_as_wide_as_its_levels),
	KUNIT_CASE(x86_64_is_half_as_wide_as_its_levels),
	KUNIT_CASE(write_is_read_as_well_in_x86_64),
	KUNIT_CASE(amdv1_is_as_wide_as_its_levels_and_grows),
	KUNIT_CASE_PARAM(leaves_and_links_are_read_as_they_were_made,
			 made_gen_params),
	KUNIT_CASE_PARAM(zero_is_empty_in_each_format, made_gen_params),
	KUNIT_CASE_PARAM(entry_of_an_iova_is_found, entry_gen_params),
	KUNIT_CASE(entry_that_is_no_good_is_found),
	KUNIT_CASE(entry_is_not_looked_for_where_nothing_may_be_read),
	{}
};

static struct kunit_suite format_suite = {
	.name = "iommu_handover_format",
	.test_cases = format_cases,
};

kunit_test_suite(format_suite);

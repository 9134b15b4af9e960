// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of VT-d's first stage and of AMD-Vi's guest tables. Compiled into
 * KUnit and into the unit tests.
 */
#include "trees.h"

#define X_P		BIT_ULL(0)
#define X_RW		BIT_ULL(1)
#define X_U		BIT_ULL(2)
#define X_PS		BIT_ULL(7)
#define X_READABLE	(X_P | X_U)
#define X_ALL		(X_P | X_RW | X_U)
/* PWT, PCD, A, D, then ignored, EA and global bits, protection key, XD */
#define X_LINK_OTHER	(GENMASK_ULL(6, 3) | GENMASK_ULL(11, 8) | \
			 GENMASK_ULL(63, 52))
#define X_PTE_OTHER	(X_LINK_OTHER | BIT_ULL(7))	/* PAT */
#define X_LARGE_OTHER	(X_LINK_OTHER | BIT_ULL(12))	/* PAT */

static struct tree *x86_tree(struct kunit *test, u32 levels)
{
	return tree_new_format(test, IHO_TABLE_X86_64, levels, SMALL_TREE);
}

struct x86_levels {
	u32 levels;
	const char *desc;
};

static const struct x86_levels x86_levels[] = {
	{ 4, "4 levels" },
	{ 5, "5 levels" },
};

KUNIT_ARRAY_PARAM_DESC(x86_levels, x86_levels, desc);

static void x86_64_leaves_of_each_size(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);

	for (u32 level = 0; level <= 2; level++) {
		u64 span = BIT_ULL(tree_shift(level));

		tree_clear(t);
		tree_leaf(test, t, 3 * span, 5 * span, level, RW);
		tree_expect_one_run(test, t, 3 * span, 4 * span - 1, 5 * span,
				    RW);
		*tree_entry(test, t, 3 * span, level) &= ~X_RW;
		tree_expect_one_run(test, t, 3 * span, 4 * span - 1, 5 * span,
				    R);
	}
}

/* The lower half of the address space. */
static void x86_64_both_ends(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);
	u64 end = BIT_ULL(tree_shift(c->levels) - 1);
	struct runs runs;
	u32 level;

	tree_leaf(test, t, 0, 0x1000, 0, RW);
	tree_leaf(test, t, end - SZ_4K, 0x5000, 0, R);
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 2);
	tree_expect_run(test, &runs.run[0], 0, 0xfff, 0x1000, RW);
	tree_expect_run(test, &runs.run[1], end - SZ_4K, end - 1, 0x5000, R);
	KUNIT_EXPECT_TRUE(test, iho_pt_entry(&t->pt, end - 1, &level) ==
			  tree_entry(test, t, end - 1, 0));
	KUNIT_EXPECT_TRUE(test, !iho_pt_entry(&t->pt, end, &level));
}

/* One entry of the upper half, first or last, a table or a leaf below it. */
static void x86_64_upper_half_is_refused(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);
	u64 end = BIT_ULL(tree_shift(c->levels) - 1);
	u64 *top;

	tree_leaf(test, t, end, 0x1000, 0, RW);
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);
	KUNIT_EXPECT_EQ(test, iho_walk_tables(&t->pt, tree_visit_nothing, NULL),
			-IHO_ERR_TABLE_ENTRY);
	top = tree_entry(test, t, end, c->levels - 1);
	*top = X_P;
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);

	/* Not present is good, whatever the other bits are */
	tree_leaf(test, t, 0, 0x1000, 0, RW);
	*top = ~X_P;
	tree_expect_one_run(test, t, 0, 0xfff, 0x1000, RW);

	*top = 0;
	top = tree_entry(test, t, 2 * end - 1, c->levels - 1);
	*top = tree_table_pa(t, 0) | X_ALL;
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);

	/* Only of the top: elsewhere they are entries as any */
	*top = 0;
	tree_clear(t);
	tree_leaf(test, t, 511ull << tree_shift(c->levels - 2), 0x1000, 0, RW);
	tree_expect_one_run(test, t, 511ull << tree_shift(c->levels - 2),
			    (511ull << tree_shift(c->levels - 2)) + 0xfff,
			    0x1000, RW);
}

static void x86_64_joins_leaves_of_all_sizes(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);

	tree_leaf_range(test, t, SZ_1G - SZ_8M, SZ_2G - SZ_8M, SZ_4M, 0, RW);
	tree_leaf_range(test, t, SZ_1G - SZ_4M, SZ_2G - SZ_4M, SZ_4M, 1, RW);
	tree_leaf(test, t, SZ_1G, SZ_2G, 2, RW);
	tree_expect_one_run(test, t, SZ_1G - SZ_8M, 2ull * SZ_1G - 1,
			    SZ_2G - SZ_8M, RW);
}

static void x86_64_bits_that_do_not_count(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);

	for (u32 level = 0; level <= 2; level++) {
		u64 span = BIT_ULL(tree_shift(level));

		tree_clear(t);
		tree_leaf(test, t, span, 5 * span, level, RW);
		*tree_entry(test, t, span, level) |= level ? X_LARGE_OTHER :
							     X_PTE_OTHER;
		for (u32 l = level + 1; l < c->levels; l++)
			*tree_entry(test, t, span, l) |= X_LINK_OTHER;
		tree_expect_one_run(test, t, span, 2 * span - 1, 5 * span, RW);
	}
}

static const struct tree_split x86_splits[] = {
	{ "nothing", 0, 0, 1 },
	{ "other bits", 0, X_PTE_OTHER, 1 },
	{ "not writable", X_RW, 0, 3, R, SPLIT_PA + SPLIT_IOVA },
	{ "other address", 0, BIT_ULL(51), 3, RW,
	  BIT_ULL(51) + SPLIT_PA + SPLIT_IOVA },
	{ "not of the user", X_U, 0, 2 },
	{ "not of the user and not writable", X_U | X_RW, 0, 2 },
	{ "not present", X_P, 0, 2 },
	{ "empty", ~0ull, 0, 2 },
};

KUNIT_ARRAY_PARAM_DESC(x86_split, x86_splits, desc);

static void x86_64_splits_where_the_meaning_changes(struct kunit *test)
{
	tree_expect_split(test, x86_tree(test, 4), test->param_value);
}

static void x86_64_permissions_hold_over_all_levels(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);
	struct runs runs;

	tree_leaf(test, t, 0x1000, 0x5000, 0, RW);
	tree_leaf(test, t, 0x2000, 0x6000, 0, R);
	for (u32 level = 1; level < c->levels; level++) {
		u64 *e = tree_entry(test, t, 0, level);

		*e &= ~X_RW;
		tree_expect_one_run(test, t, 0x1000, 0x2fff, 0x5000, R);
		*e &= ~X_U;
		tree_walk(test, t, &runs);
		KUNIT_EXPECT_EQ(test, runs.nr, 0);
		*e |= X_RW;
		tree_walk(test, t, &runs);
		KUNIT_EXPECT_EQ(test, runs.nr, 0);
		*e |= X_U;
		tree_walk(test, t, &runs);
		KUNIT_EXPECT_EQ(test, runs.nr, 2);
	}
}

/* An entry for IOVA 0; it is bad with the fault, and because of the fault. */
struct x86_bad {
	const char *desc;
	u32 level;
	u64 entry, fault;
};

static const struct x86_bad x86_bad[] = {
	{ "leaf of 512 GiB", 3, X_ALL, X_PS },
	{ "leaf of 256 TiB", 4, X_ALL, X_PS },
	{ "leaf of 512 GiB that nobody may use", 3, X_P, X_PS },
	{ "lowest reserved bit in a 2 MiB leaf", 1, X_ALL | X_PS, BIT_ULL(13) },
	{ "highest reserved bit in a 2 MiB leaf", 1, X_ALL | X_PS,
	  BIT_ULL(20) },
	{ "lowest reserved bit in a 1 GiB leaf", 2, X_ALL | X_PS, BIT_ULL(13) },
	{ "highest reserved bit in a 1 GiB leaf", 2, X_ALL | X_PS,
	  BIT_ULL(29) },
	{ "reserved bit in a leaf that nobody may use", 1, X_P | X_PS,
	  BIT_ULL(13) },
};

KUNIT_ARRAY_PARAM_DESC(x86_bad, x86_bad, desc);

static void x86_64_bad_entries(struct kunit *test)
{
	const struct x86_bad *c = test->param_value;
	struct tree *t = x86_tree(test, 5);
	u64 *e = tree_entry(test, t, 0, c->level);
	struct runs runs;

	*e = c->entry;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_TRUE(test, runs.nr != -IHO_ERR_TABLE_ENTRY);
	*e |= c->fault;
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);
	*e &= ~X_P;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, 0);
}

static void x86_64_tables_elsewhere(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);
	u64 *e;

	tree_leaf(test, t, 0, 0x1000, 0, RW);
	for (u32 level = 1; level < c->levels; level++) {
		u64 link;

		e = tree_entry(test, t, 0, level);
		link = *e;
		*e = X_P;
		tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
		*e = GENMASK_ULL(51, 12) | X_ALL;
		tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
		*e = tree_table_pa(t, t->pages) | X_ALL;
		tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
		*e = link;
	}
	tree_expect_one_run(test, t, 0, 0xfff, 0x1000, RW);
	t->denied = 0;
	tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
}

static void x86_64_loops_end(struct kunit *test)
{
	const struct x86_levels *c = test->param_value;
	struct tree *t = x86_tree(test, c->levels);
	struct runs runs;

	/* One entry cannot be deeper than the levels are */
	t->page[0][0] = t->pt.root_pa | X_ALL;
	t->pt.max_tables = c->levels;
	tree_expect_one_run(test, t, 0, 0xfff, t->pt.root_pa, RW);
	for (int i = 0; i < ENTRIES; i++)
		t->page[0][i] = t->pt.root_pa | X_ALL;
	t->pt.max_tables = SMALL_TREE;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -IHO_ERR_LIMIT);
	KUNIT_EXPECT_EQ(test, iho_walk_tables(&t->pt, tree_visit_nothing, NULL),
			-IHO_ERR_LIMIT);
}

static struct kunit_case x86_64_cases[] = {
	KUNIT_CASE_PARAM(x86_64_leaves_of_each_size, x86_levels_gen_params),
	KUNIT_CASE_PARAM(x86_64_both_ends, x86_levels_gen_params),
	KUNIT_CASE_PARAM(x86_64_upper_half_is_refused, x86_levels_gen_params),
	KUNIT_CASE_PARAM(x86_64_joins_leaves_of_all_sizes,
			 x86_levels_gen_params),
	KUNIT_CASE_PARAM(x86_64_bits_that_do_not_count, x86_levels_gen_params),
	KUNIT_CASE_PARAM(x86_64_splits_where_the_meaning_changes,
			 x86_split_gen_params),
	KUNIT_CASE_PARAM(x86_64_permissions_hold_over_all_levels,
			 x86_levels_gen_params),
	KUNIT_CASE_PARAM(x86_64_bad_entries, x86_bad_gen_params),
	KUNIT_CASE_PARAM(x86_64_tables_elsewhere, x86_levels_gen_params),
	KUNIT_CASE_PARAM(x86_64_loops_end, x86_levels_gen_params),
	{}
};

static struct kunit_suite x86_64_suite = {
	.name = "iommu_handover_x86_64",
	.test_cases = x86_64_cases,
};

kunit_test_suite(x86_64_suite);

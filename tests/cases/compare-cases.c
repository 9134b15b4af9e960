// SPDX-License-Identifier: GPL-2.0-only
/*
 * The comparison of two page tables. Compiled into KUnit and into the unit tests.
 */
#include "trees.h"

struct compared {
	struct tree *a, *b;
	struct iho_diff diff;
	u64 runs;
	int which;
};

static int compare(struct compared *c)
{
	return iho_tree_compare(&c->a->pt, &c->b->pt, &c->diff, &c->runs,
				&c->which);
}

struct same_case {
	const char *desc;
	u32 levels_a, levels_b;
	u32 leaf_a, leaf_b;
};

static const struct same_case same_cases[] = {
	{ "2 MiB and 4 KiB, 3 and 3 levels", 3, 3, 1, 0 },
	{ "2 MiB and 4 KiB, 3 and 4 levels", 3, 4, 1, 0 },
	{ "2 MiB and 4 KiB, 3 and 5 levels", 3, 5, 1, 0 },
	{ "4 KiB and 2 MiB, 4 and 3 levels", 4, 3, 0, 1 },
	{ "2 MiB and 4 KiB, 4 and 4 levels", 4, 4, 1, 0 },
	{ "4 KiB and 2 MiB, 4 and 5 levels", 4, 5, 0, 1 },
	{ "2 MiB and 4 KiB, 5 and 3 levels", 5, 3, 1, 0 },
	{ "2 MiB and 4 KiB, 5 and 4 levels", 5, 4, 1, 0 },
	{ "4 KiB and 2 MiB, 5 and 5 levels", 5, 5, 0, 1 },
	{ "1 GiB and 2 MiB", 4, 4, 2, 1 },
	{ "4 KiB and 1 GiB", 3, 5, 0, 2 },
	{ "4 KiB and 4 KiB", 4, 4, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(same, same_cases, desc);

/* Same addresses and permissions in leaves of two sizes. */
static void trees_of_one_meaning_are_equal(struct kunit *test)
{
	const struct same_case *s = test->param_value;
	u64 big = BIT_ULL(tree_shift(max(s->leaf_a, s->leaf_b)));
	struct compared c = {
		.a = tree_new(test, s->levels_a, 1024),
		.b = tree_new(test, s->levels_b, 1024),
	};
	u64 *e;

	tree_map_range(test, c.a, big, 4 * big, big, s->leaf_a, SS_RW);
	tree_map_range(test, c.b, big, 4 * big, big, s->leaf_b, SS_RW | SS_A | SS_D);
	tree_map(test, c.a, 8 * big, 0x5000, 0, SS_R);
	tree_map(test, c.b, 8 * big, 0x5000, 0, SS_R);
	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	KUNIT_EXPECT_EQ(test, c.runs, 2);

	/* Control: the last leaf of the second leads elsewhere */
	e = tree_entry(test, c.b, 2 * big - SZ_4K, s->leaf_b);
	*e ^= BIT_ULL(45);
	KUNIT_EXPECT_EQ(test, compare(&c), 1);
	KUNIT_EXPECT_EQ(test, c.diff.iova,
			2 * big - BIT_ULL(tree_shift(s->leaf_b)));
	KUNIT_EXPECT_EQ(test, c.runs, 0);
}

static void empty_trees_are_equal(struct kunit *test)
{
	struct compared c = {
		.a = tree_new(test, 3, 1),
		.b = tree_new(test, 5, 2),
		.runs = 1,
	};

	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	KUNIT_EXPECT_EQ(test, c.runs, 0);
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&c.a->pt, &c.b->pt, &c.diff,
					       NULL, NULL), 0);

	/* Controls: one leaf, and a description that is no good */
	tree_map(test, c.b, 0, 0x1000, 3, SS_R);
	KUNIT_EXPECT_EQ(test, compare(&c), -IHO_ERR_TABLE_ENTRY);
	KUNIT_EXPECT_EQ(test, c.which, 1);
	c.b->pt.levels = 1;
	KUNIT_EXPECT_EQ(test, compare(&c), -IHO_ERR_VALUE);
	KUNIT_EXPECT_EQ(test, c.which, 1);
}

/*
 * Both trees have 4 MiB at 2 MiB and a read-only page at 16 MiB; the first in
 * huge leaves, the second in small ones, of which one is changed.
 */
#define DIFF_IOVA	((u64)SZ_2M)
#define DIFF_PA		((u64)SZ_2G)
#define DIFF_LEN	((u64)SZ_4M)
#define PAGE_IOVA	((u64)SZ_16M)

struct diff_case {
	const char *desc;
	u64 iova;		/* of the leaf of the second that is changed */
	u64 clear, set;
	u64 where;		/* first difference */
	bool has_a, has_b;
	u64 pa_b;		/* of @where in the second */
	u32 perm_b;
};

static const struct diff_case diff_cases[] = {
	{ "one address", 0x345000, 0, SZ_64M, 0x345000, true, true,
	  DIFF_PA + SZ_64M + 0x145000, RW },
	{ "the first address", DIFF_IOVA, 0, SZ_64M, DIFF_IOVA, true, true,
	  DIFF_PA + SZ_64M, RW },
	{ "the last address", DIFF_IOVA + DIFF_LEN - SZ_4K, 0, SZ_64M,
	  DIFF_IOVA + DIFF_LEN - SZ_4K, true, true,
	  DIFF_PA + SZ_64M + DIFF_LEN - SZ_4K, RW },
	{ "one page is not writable", 0x345000, SS_W, 0, 0x345000, true, true,
	  DIFF_PA + 0x145000, R },
	{ "one page is not readable", 0x345000, SS_R, 0, 0x345000, true, true,
	  DIFF_PA + 0x145000, W },
	{ "one page is writable", PAGE_IOVA, 0, SS_W, PAGE_IOVA, true, true,
	  0x5000, RW },
	{ "one page is snooped", PAGE_IOVA, 0, SS_SNP, PAGE_IOVA, true, true,
	  0x5000, R | SNP },
	{ "one page is not there", 0x345000, ~0ull, 0, 0x345000, true, false },
	{ "the last run is not there", PAGE_IOVA, ~0ull, 0, PAGE_IOVA, true,
	  false },
	{ "one page more before all others", 0x1000, 0, 0x7000 | SS_RW, 0x1000,
	  false, true, 0x7000, RW },
	{ "one page more, which goes on", DIFF_IOVA + DIFF_LEN, 0,
	  (DIFF_PA + DIFF_LEN) | SS_RW, DIFF_IOVA + DIFF_LEN, false, true,
	  DIFF_PA + DIFF_LEN, RW },
	{ "one page more behind all others", SZ_1G, 0, 0x7000 | SS_R, SZ_1G,
	  false, true, 0x7000, R },
	{ "one page more where the first has no address", BIT_ULL(47), 0,
	  0x7000 | SS_R, BIT_ULL(47), false, true, 0x7000, R },
	{ "nothing (control)", 0x345000, 0, SS_A },
};

KUNIT_ARRAY_PARAM_DESC(diff, diff_cases, desc);

static void expect_diff(struct kunit *test, const struct compared *c,
			const struct diff_case *d, bool swapped)
{
	const struct iho_diff *diff = &c->diff;
	const struct iho_run *b = swapped ? &diff->a : &diff->b;

	KUNIT_EXPECT_EQ(test, diff->iova, d->where);
	KUNIT_EXPECT_EQ(test, swapped ? diff->has_b : diff->has_a, d->has_a);
	KUNIT_EXPECT_EQ(test, swapped ? diff->has_a : diff->has_b, d->has_b);
	if (!d->has_b)
		return;
	KUNIT_EXPECT_EQ(test, b->pa + (d->where - b->first_iova), d->pa_b);
	KUNIT_EXPECT_EQ(test, b->perm, d->perm_b);
}

static void one_difference_is_found_where_it_is(struct kunit *test)
{
	const struct diff_case *d = test->param_value;
	struct compared c = {
		.a = tree_new(test, 3, SMALL_TREE),
		.b = tree_new(test, 4, SMALL_TREE),
	};
	u64 *e;

	tree_map_range(test, c.a, DIFF_IOVA, DIFF_PA, DIFF_LEN, 1, SS_RW);
	tree_map_range(test, c.b, DIFF_IOVA, DIFF_PA, DIFF_LEN, 0, SS_RW);
	tree_map(test, c.a, PAGE_IOVA, 0x5000, 0, SS_R);
	tree_map(test, c.b, PAGE_IOVA, 0x5000, 0, SS_R);
	e = tree_entry(test, c.b, d->iova, 0);
	*e = (*e & ~d->clear) | d->set;

	KUNIT_EXPECT_EQ(test, compare(&c), d->has_a || d->has_b);
	if (d->has_a || d->has_b)
		expect_diff(test, &c, d, false);
	swap(c.a, c.b);
	KUNIT_EXPECT_EQ(test, compare(&c), d->has_a || d->has_b);
	if (d->has_a || d->has_b)
		expect_diff(test, &c, d, true);
}

/* @len bytes in 4 KiB leaves, and in leaves of any size that fits. */
static void map_both(struct kunit *test, struct compared *c, u64 iova, u64 pa,
		     u64 len, u64 bits, struct rnd_state *rnd)
{
	u64 off = 0;

	tree_map_range(test, c->a, iova, pa, len, 0, bits);
	while (off < len) {
		bool huge = IS_ALIGNED((iova + off) | (pa + off), SZ_2M) &&
			    len - off >= SZ_2M && prandom_u32_state(rnd) % 2;

		tree_map(test, c->b, iova + off, pa + off, huge, bits);
		off += huge ? SZ_2M : SZ_4K;
	}
}

static void random_trees_of_one_meaning_are_equal(struct kunit *test)
{
	struct rnd_state rnd;

	for (u32 trial = 0; trial < 9; trial++) {
		struct compared c = {
			.a = tree_new(test, 3 + trial % 3, 64),
			.b = tree_new(test, 3 + trial / 3, 64),
		};
		u64 iova = 0, last = 0;
		u64 *e;

		prandom_seed_state(&rnd, trial + 1);
		for (int i = 0; i < 8; i++) {
			u64 len = (1 + prandom_u32_state(&rnd) % 1200) * SZ_4K;
			u64 pa = prandom_u32_state(&rnd) % 4096 * (u64)SZ_2M;
			u64 bits = 1 + prandom_u32_state(&rnd) % 3;

			map_both(test, &c, iova, pa, len, bits, &rnd);
			last = iova;
			iova = ALIGN(iova + len + SZ_4K, SZ_2M);
		}
		KUNIT_EXPECT_EQ(test, compare(&c), 0);

		/* Control: one leaf differs, and that is where it is found */
		e = tree_entry(test, c.a, last, 0);
		*e ^= BIT_ULL(45);
		KUNIT_EXPECT_EQ(test, compare(&c), 1);
		KUNIT_EXPECT_EQ(test, c.diff.iova, last);
	}
}

/* Trees of different formats. */
struct formats_case {
	const char *desc;
	u32 format_a, levels_a, format_b, levels_b;
};

static const struct formats_case formats_cases[] = {
	{ "vtdss and x86_64", IHO_TABLE_VTDSS, 3, IHO_TABLE_X86_64, 4 },
	{ "vtdss and amdv1", IHO_TABLE_VTDSS, 4, IHO_TABLE_AMDV1, 6 },
	{ "x86_64 and vtdss", IHO_TABLE_X86_64, 5, IHO_TABLE_VTDSS, 5 },
	{ "x86_64 and amdv1", IHO_TABLE_X86_64, 4, IHO_TABLE_AMDV1, 3 },
	{ "x86_64 and x86_64", IHO_TABLE_X86_64, 4, IHO_TABLE_X86_64, 5 },
	{ "amdv1 and vtdss", IHO_TABLE_AMDV1, 3, IHO_TABLE_VTDSS, 4 },
	{ "amdv1 and x86_64", IHO_TABLE_AMDV1, 6, IHO_TABLE_X86_64, 5 },
	{ "amdv1 and amdv1", IHO_TABLE_AMDV1, 3, IHO_TABLE_AMDV1, 6 },
};

KUNIT_ARRAY_PARAM_DESC(formats, formats_cases, desc);

static void trees_of_two_formats_are_equal(struct kunit *test)
{
	const struct formats_case *f = test->param_value;
	struct compared c = {
		.a = tree_new_format(test, f->format_a, f->levels_a, 64),
		.b = tree_new_format(test, f->format_b, f->levels_b, 64),
	};
	u64 *e;

	tree_leaf(test, c.a, SZ_1G, 5ull * SZ_1G, 2, RW);
	tree_leaf_range(test, c.b, SZ_1G, 5ull * SZ_1G, SZ_1G, 1, RW);
	tree_leaf_range(test, c.a, SZ_2M, 7ull * SZ_1G, SZ_8M, 0, R);
	tree_leaf_range(test, c.b, SZ_2M, 7ull * SZ_1G, SZ_8M, 1, R);
	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	KUNIT_EXPECT_EQ(test, c.runs, 2);

	/* Controls: another permission, another address, none */
	tree_leaf(test, c.a, SZ_4M, 7ull * SZ_1G + SZ_2M, 0, RW);
	KUNIT_EXPECT_EQ(test, compare(&c), 1);
	KUNIT_EXPECT_EQ(test, c.diff.iova, SZ_4M);
	KUNIT_EXPECT_EQ(test, c.diff.a.perm, RW);
	KUNIT_EXPECT_EQ(test, c.diff.b.perm, R);
	tree_leaf(test, c.a, SZ_4M, 7ull * SZ_1G + SZ_2M, 0, R);
	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	e = tree_entry(test, c.b, SZ_2G - SZ_2M, 1);
	*e ^= BIT_ULL(45);
	KUNIT_EXPECT_EQ(test, compare(&c), 1);
	KUNIT_EXPECT_EQ(test, c.diff.iova, SZ_2G - SZ_2M);
	*e = 0;
	KUNIT_EXPECT_EQ(test, compare(&c), 1);
	KUNIT_EXPECT_EQ(test, c.diff.iova, SZ_2G - SZ_2M);
	KUNIT_EXPECT_TRUE(test, c.diff.has_a && !c.diff.has_b);
}

/* Not every format has a bit that enforces coherency. */
static void snoop_does_not_count_between_formats(struct kunit *test)
{
	struct compared c = {
		.a = tree_new_format(test, IHO_TABLE_AMDV1, 3, 8),
		.b = tree_new(test, 3, 8),
	};

	tree_leaf(test, c.a, SZ_2M, SZ_4M, 1, RW | SNP);
	tree_leaf(test, c.b, SZ_2M, SZ_4M, 1, RW | SNP);
	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	/* Nor does it end a run */
	tree_leaf(test, c.a, 2 * SZ_2M, SZ_4M + SZ_2M, 1, RW);
	tree_leaf(test, c.b, 2 * SZ_2M, SZ_4M + SZ_2M, 1, RW | SNP);
	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	KUNIT_EXPECT_EQ(test, c.runs, 1);
	c.b = tree_new_format(test, IHO_TABLE_X86_64, 4, 8);
	tree_leaf(test, c.b, SZ_2M, SZ_4M, 1, RW);
	tree_leaf(test, c.b, 2 * SZ_2M, SZ_4M + SZ_2M, 1, RW);
	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	/* In one format it does */
	c.b = tree_new_format(test, IHO_TABLE_AMDV1, 3, 8);
	tree_leaf(test, c.b, SZ_2M, SZ_4M, 1, RW);
	tree_leaf(test, c.b, 2 * SZ_2M, SZ_4M + SZ_2M, 1, RW);
	KUNIT_EXPECT_EQ(test, compare(&c), 1);
	KUNIT_EXPECT_EQ(test, c.diff.iova, SZ_2M);
}

static struct kunit_case compare_cases[] = {
	KUNIT_CASE_PARAM(trees_of_one_meaning_are_equal, same_gen_params),
	KUNIT_CASE(empty_trees_are_equal),
	KUNIT_CASE_PARAM(one_difference_is_found_where_it_is, diff_gen_params),
	KUNIT_CASE(random_trees_of_one_meaning_are_equal),
	KUNIT_CASE_PARAM(trees_of_two_formats_are_equal, formats_gen_params),
	KUNIT_CASE(snoop_does_not_count_between_formats),
	{}
};

static struct kunit_suite compare_suite = {
	.name = "iommu_handover_compare",
	.test_cases = compare_cases,
};

kunit_test_suite(compare_suite);

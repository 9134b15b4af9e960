// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables of AMD-Vi, host translation. Compiled into KUnit and into the
 * unit tests.
 */
#include "trees.h"

#define V_PR		BIT_ULL(0)
#define V_NEXT(n)	((u64)(n) << 9)
#define V_SIZED		V_NEXT(7)
#define V_FC		BIT_ULL(60)
#define V_IR		BIT_ULL(61)
#define V_IW		BIT_ULL(62)
#define V_ALL		(V_PR | V_IR | V_IW)
/* A, U and D, and bits that are ignored */
#define V_LINK_OTHER	(GENMASK_ULL(8, 1) | BIT_ULL(63))
#define V_LEAF_OTHER	(V_LINK_OTHER | BIT_ULL(59))

#define SIZE_LEAST	12
#define SIZE_NONE	39	/* 512 GiB */
#define SIZE_MOST	52

static struct tree *v1_tree(struct kunit *test, u32 levels)
{
	return tree_new_format(test, IHO_TABLE_AMDV1, levels, SMALL_TREE);
}

static u32 level_of(u32 size_lg2)
{
	/* 2 to the 57 and more is no leaf */
	return (size_lg2 - SIZE_LEAST) / 9;
}

/* A leaf that says its size, which is of 8 KiB or more. */
static u64 sized(u64 pa, u32 size_lg2, u64 bits)
{
	return pa | (BIT_ULL(size_lg2 - 1) - BIT_ULL(12)) | V_SIZED | bits;
}

static void map_size(struct kunit *test, struct tree *t, u64 iova, u64 pa,
		     u32 size_lg2, u64 bits)
{
	u32 level = level_of(size_lg2), span_lg2 = tree_shift(level);
	u64 *e = tree_entry(test, t, iova, level);
	u64 entry = size_lg2 == span_lg2 ? pa | bits :
					   sized(pa, size_lg2, bits);

	for (u32 i = 0; i < 1u << (size_lg2 - span_lg2); i++)
		e[i] = entry;
}

struct v1_levels {
	u32 levels;
	const char *desc;
};

static const struct v1_levels v1_levels[] = {
	{ 3, "3 levels" },
	{ 4, "4 levels" },
	{ 5, "5 levels" },
	{ 6, "6 levels" },
};

KUNIT_ARRAY_PARAM_DESC(v1_levels, v1_levels, desc);

/* The last byte that these levels can map. */
static u64 last_iova(u32 levels)
{
	return levels == 6 ? ~0ull : BIT_ULL(tree_shift(levels)) - 1;
}

static void amdv1_leaves_of_each_size(struct kunit *test)
{
	const struct v1_levels *c = test->param_value;
	struct tree *t = v1_tree(test, c->levels);
	u64 last = last_iova(c->levels);
	int sizes = 0;

	for (u32 lg2 = SIZE_LEAST; lg2 <= SIZE_MOST; lg2++) {
		u64 size = BIT_ULL(lg2);
		u64 pa = lg2 == SIZE_MOST ? 0 : size;

		if (lg2 == SIZE_NONE || level_of(lg2) >= c->levels)
			continue;
		tree_clear(t);
		map_size(test, t, size, pa, lg2, V_ALL);
		tree_expect_one_run(test, t, size, 2 * size - 1, pa, RW);

		/* The last one that there is, snooped and not writable */
		tree_clear(t);
		map_size(test, t, last - size + 1, pa, lg2,
			 V_PR | V_IR | V_FC);
		tree_expect_one_run(test, t, last - size + 1, last, pa,
				    R | SNP);
		sizes++;
	}
	KUNIT_EXPECT_EQ(test, sizes, c->levels == 3 ? 27 :
				     c->levels == 4 ? 35 : 40);
}

static void amdv1_both_ends(struct kunit *test)
{
	const struct v1_levels *c = test->param_value;
	struct tree *t = v1_tree(test, c->levels);
	u64 last = last_iova(c->levels), half = last / 2 + 1;
	struct runs runs;
	u32 level;

	/* Addresses go on from the last leaf to the first */
	tree_leaf(test, t, 0, 0x3000, 0, RW);
	tree_leaf(test, t, half, 0x5000, 0, W);
	tree_leaf(test, t, last - 0xfff, 0x2000, 0, RW);
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 3);
	tree_expect_run(test, &runs.run[0], 0, 0xfff, 0x3000, RW);
	tree_expect_run(test, &runs.run[1], half, half + 0xfff, 0x5000, W);
	tree_expect_run(test, &runs.run[2], last - 0xfff, last, 0x2000, RW);
	KUNIT_EXPECT_TRUE(test, iho_pt_entry(&t->pt, last, &level) ==
			  tree_entry(test, t, last, 0));
	if (c->levels < 6)
		KUNIT_EXPECT_TRUE(test,
				  !iho_pt_entry(&t->pt, last + 1, &level));
}

/* What is behind the 128 entries of the sixth level has no IOVA. */
static void amdv1_entries_behind_the_top_are_not_read(struct kunit *test)
{
	struct tree *t = v1_tree(test, 6);

	tree_leaf(test, t, 0, 0x1000, 0, RW);
	for (int i = 128; i < ENTRIES; i++)
		t->page[0][i] = ~0ull;
	tree_expect_one_run(test, t, 0, 0xfff, 0x1000, RW);
	t->page[0][127] = ~0ull;
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);
}

/* Both trees end at the last byte that there is, one of them later begun. */
static void amdv1_differences_at_the_top_are_found(struct kunit *test)
{
	struct tree *a = v1_tree(test, 6), *b = v1_tree(test, 6);
	u64 first = -BIT_ULL(51);
	struct iho_diff diff;

	map_size(test, a, first, 0, 51, V_ALL);
	map_size(test, b, first, 0, 50, V_ALL);
	map_size(test, b, first + BIT_ULL(50), BIT_ULL(50), 50, V_ALL);
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&a->pt, &b->pt, &diff, NULL,
					       NULL), 0);
	memset(tree_entry(test, b, -BIT_ULL(50), 4), 0, 4 * sizeof(u64));
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&a->pt, &b->pt, &diff, NULL,
					       NULL), 1);
	KUNIT_EXPECT_EQ(test, diff.iova, -BIT_ULL(50));
	KUNIT_EXPECT_TRUE(test, diff.has_a && !diff.has_b);
}

static void amdv1_joins_leaves_of_all_sizes(struct kunit *test)
{
	const struct v1_levels *c = test->param_value;
	struct tree *t = v1_tree(test, c->levels);
	const u32 most = c->levels == 3 ? 37 : 50;
	u64 at = BIT_ULL(SIZE_LEAST);

	/* 4 KiB at 4 KiB, 8 KiB at 8 KiB and so on; 512 GiB in halves */
	for (u32 lg2 = SIZE_LEAST; lg2 <= most; lg2++) {
		if (level_of(lg2) >= c->levels)
			break;
		if (lg2 == SIZE_NONE) {
			map_size(test, t, at, at, lg2 - 1, V_ALL);
			map_size(test, t, at + BIT_ULL(lg2 - 1),
				 at + BIT_ULL(lg2 - 1), lg2 - 1, V_ALL);
		} else {
			map_size(test, t, at, at, lg2, V_ALL);
		}
		at += BIT_ULL(lg2);
	}
	tree_expect_one_run(test, t, BIT_ULL(SIZE_LEAST), at - 1,
			    BIT_ULL(SIZE_LEAST), RW);
}

/* What one entry of a leaf of 64 KiB has instead of what the others have. */
struct v1_odd {
	const char *desc;
	u64 clear, set;
	bool fits;
};

static const struct v1_odd v1_odd[] = {
	{ "nothing", 0, 0, true },
	{ "other bits", 0, V_LEAF_OTHER, true },
	{ "fewer other bits", V_LEAF_OTHER, 0, true },
	{ "empty", ~0ull, 0 },
	{ "not present", V_PR, 0 },
	{ "not writable", V_IW, 0 },
	{ "not readable", V_IR, 0 },
	{ "snooped", 0, V_FC },
	{ "other address", 0, BIT_ULL(46) },
	/* Each would translate its own page as the whole leaf does */
	{ "of 32 KiB", BIT_ULL(14), 0 },
	{ "of 128 KiB", 0, BIT_ULL(15) },
};

KUNIT_ARRAY_PARAM_DESC(v1_odd, v1_odd, desc);

static void amdv1_a_large_leaf_is_whole(struct kunit *test)
{
	const struct v1_odd *c = test->param_value;
	struct tree *t = v1_tree(test, 4);
	const u64 pa = BIT_ULL(45);
	u32 level;
	u64 *e;

	for (int i = 0; i < 16; i++) {
		map_size(test, t, 0x10000, pa, 16,
			 V_ALL | (i & 1 ? V_LEAF_OTHER : 0));
		e = tree_entry(test, t, 0x10000, 0);
		e[i] = (e[i] & ~c->clear) | c->set;
		if (c->fits)
			tree_expect_one_run(test, t, 0x10000, 0x1ffff, pa, RW);
		else
			tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);
		KUNIT_EXPECT_TRUE(test, iho_pt_entry(&t->pt, 0x15fff, &level) ==
				  &e[5]);
		KUNIT_EXPECT_EQ(test, level, 0);
	}
}

/* The first or the last entries of a table belong to a leaf. */
static void amdv1_a_large_leaf_at_either_end(struct kunit *test)
{
	struct tree *t = v1_tree(test, 4);
	u64 *e;

	map_size(test, t, 0, BIT_ULL(45), 13, V_ALL);
	map_size(test, t, SZ_2M - 0x2000, BIT_ULL(45) + SZ_2M - 0x2000, 13,
		 V_ALL);
	e = tree_entry(test, t, 0, 0);
	e[1] = 0;
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);
	e[0] = 0;
	tree_expect_one_run(test, t, SZ_2M - 0x2000, SZ_2M - 1,
			    BIT_ULL(45) + SZ_2M - 0x2000, RW);
	e[510] = 0;
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);
}

static void amdv1_bits_that_do_not_count(struct kunit *test)
{
	const struct v1_levels *c = test->param_value;
	struct tree *t = v1_tree(test, c->levels);

	for (u32 lg2 = SIZE_LEAST; lg2 < SIZE_NONE; lg2++) {
		u64 size = BIT_ULL(lg2);

		tree_clear(t);
		if (level_of(lg2) >= c->levels)
			break;
		map_size(test, t, size, 2 * size, lg2, V_ALL | V_LEAF_OTHER);
		for (u32 l = level_of(lg2) + 1; l < c->levels; l++)
			*tree_entry(test, t, size, l) |= V_LINK_OTHER;
		tree_expect_one_run(test, t, size, 2 * size - 1, 2 * size, RW);
	}
}

static const struct tree_split v1_splits[] = {
	{ "nothing", 0, 0, 1 },
	{ "other bits", 0, V_LEAF_OTHER, 1 },
	{ "not writable", V_IW, 0, 3, R, SPLIT_PA + SPLIT_IOVA },
	{ "not readable", V_IR, 0, 3, W, SPLIT_PA + SPLIT_IOVA },
	{ "snooped", 0, V_FC, 3, RW | SNP, SPLIT_PA + SPLIT_IOVA },
	{ "other address", 0, BIT_ULL(51), 3, RW,
	  BIT_ULL(51) + SPLIT_PA + SPLIT_IOVA },
	{ "neither readable nor writable", V_IR | V_IW, V_FC, 2 },
	{ "not present", V_PR, 0, 2 },
	{ "empty", ~0ull, 0, 2 },
};

KUNIT_ARRAY_PARAM_DESC(v1_split, v1_splits, desc);

static void amdv1_splits_where_the_meaning_changes(struct kunit *test)
{
	tree_expect_split(test, v1_tree(test, 4), test->param_value);
}

static void amdv1_permissions_hold_over_all_levels(struct kunit *test)
{
	const struct v1_levels *c = test->param_value;
	struct tree *t = v1_tree(test, c->levels);
	struct runs runs;

	tree_leaf(test, t, 0x1000, 0x5000, 0, RW);
	tree_leaf(test, t, 0x2000, 0x6000, 0, R);
	tree_leaf(test, t, 0x4000, 0x8000, 0, W | SNP);
	for (u32 level = 1; level < c->levels; level++) {
		u64 *e = tree_entry(test, t, 0, level);

		*e &= ~V_IW;
		tree_expect_one_run(test, t, 0x1000, 0x2fff, 0x5000, R);
		*e &= ~V_IR;
		tree_walk(test, t, &runs);
		KUNIT_EXPECT_EQ(test, runs.nr, 0);
		*e |= V_IW;
		tree_walk(test, t, &runs);
		KUNIT_ASSERT_EQ(test, runs.nr, 2);
		tree_expect_run(test, &runs.run[0], 0x1000, 0x1fff, 0x5000, W);
		tree_expect_run(test, &runs.run[1], 0x4000, 0x4fff, 0x8000,
				W | SNP);
		*e |= V_IR;
		tree_walk(test, t, &runs);
		KUNIT_EXPECT_EQ(test, runs.nr, 3);
	}
}

/* An entry for IOVA 0; it is bad with the fault, and because of the fault. */
struct v1_bad {
	const char *desc;
	u32 level;
	u64 entry;
	u64 fault;		/* bits that are flipped */
};

#define ONES(h)		GENMASK_ULL(h, 12)

static const struct v1_bad v1_bad[] = {
	{ "lowest reserved bit of a leaf", 0, V_ALL, BIT_ULL(52) },
	{ "highest reserved bit of a leaf", 0, V_ALL, BIT_ULL(58) },
	{ "reserved bit of a sized leaf", 1, V_ALL | V_SIZED | ONES(20),
	  BIT_ULL(55) },
	{ "reserved bit of a leaf that nobody may use", 0, V_PR, BIT_ULL(52) },
	{ "lowest reserved bit of a link", 1, V_ALL | V_NEXT(1), BIT_ULL(52) },
	{ "U in a link", 2, V_ALL | V_NEXT(2), BIT_ULL(59) },
	{ "FC in a link", 3, V_ALL | V_NEXT(3), V_FC },
	{ "2 MiB leaf, misaligned", 1, V_ALL, BIT_ULL(12) },
	{ "2 MiB leaf, misaligned by half", 1, V_ALL, BIT_ULL(20) },
	{ "1 GiB leaf, misaligned", 2, V_ALL, BIT_ULL(29) },
	{ "256 TiB leaf, misaligned", 4, V_ALL, BIT_ULL(47) },
	{ "leaf of 512 GiB", 3, V_ALL | V_NEXT(3), V_NEXT(3) },
	{ "leaf of 512 GiB that says its size", 3,
	  V_ALL | V_SIZED | ONES(38), BIT_ULL(38) },
	{ "leaf of 512 GiB below its level", 2, V_ALL | V_SIZED | ONES(36),
	  BIT_ULL(37) },
	{ "leaf at the sixth level", 5, V_ALL | V_NEXT(5), V_NEXT(5) },
	{ "sized leaf at the sixth level", 5, V_ALL | V_NEXT(5) | ONES(50),
	  V_NEXT(2) },
	{ "next level 1 in a table of 4 KiB leaves", 0, V_ALL, V_NEXT(1) },
	{ "next level 6 in a table of 4 KiB leaves", 0, V_ALL, V_NEXT(6) },
	{ "one level skipped", 2, V_ALL | V_NEXT(2), V_NEXT(3) },
	{ "all levels skipped", 5, V_ALL | V_NEXT(5), V_NEXT(4) },
	{ "next level is its own", 3, V_ALL | V_NEXT(3), V_NEXT(7) },
	{ "next level is above", 2, V_ALL | V_NEXT(2), V_NEXT(4) },
	{ "2 MiB that says its size", 1, V_ALL | V_SIZED | ONES(20),
	  BIT_ULL(20) },
	{ "8 KiB in a table of 2 MiB leaves", 1, V_ALL | V_SIZED | ONES(20),
	  ONES(20) },
	{ "2 MiB in a table of 4 KiB leaves", 0, V_ALL | V_SIZED | ONES(18),
	  BIT_ULL(19) },
	{ "1 GiB in a table of 2 MiB leaves", 1, V_ALL | V_SIZED | ONES(27),
	  BIT_ULL(28) },
	{ "all ones", 4, V_ALL | V_SIZED | ONES(50), BIT_ULL(51) },
	{ "all ones in a table of 4 KiB leaves", 0, V_ALL | V_SIZED,
	  ONES(51) },
};

KUNIT_ARRAY_PARAM_DESC(v1_bad, v1_bad, desc);

/* How many of them a leaf fills. */
static u32 entries_of(u64 entry, u32 level)
{
	u32 lg2 = 13;

	if ((entry & V_SIZED) != V_SIZED)
		return 1;
	while (entry & BIT_ULL(lg2 - 1))
		lg2++;
	return 1u << (lg2 - tree_shift(level));
}

static void amdv1_bad_entries(struct kunit *test)
{
	const struct v1_bad *c = test->param_value;
	struct tree *t = v1_tree(test, 6);
	u64 *e = tree_entry(test, t, 0, c->level);
	const u32 nr = entries_of(c->entry, c->level);
	struct runs runs;

	for (u32 i = 0; i < nr; i++)
		e[i] = c->entry;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_TRUE(test, runs.nr != -IHO_ERR_TABLE_ENTRY);
	for (u32 i = 0; i < nr; i++)
		e[i] ^= c->fault;
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);
	for (u32 i = 0; i < nr; i++)
		e[i] &= ~V_PR;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, 0);
}

static void amdv1_tables_elsewhere(struct kunit *test)
{
	const struct v1_levels *c = test->param_value;
	struct tree *t = v1_tree(test, c->levels);

	tree_leaf(test, t, 0, 0x1000, 0, RW);
	for (u32 level = 1; level < c->levels; level++) {
		u64 *e = tree_entry(test, t, 0, level);
		u64 link = *e;

		*e = V_PR | V_NEXT(level);
		tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
		*e = GENMASK_ULL(51, 12) | V_ALL | V_NEXT(level);
		tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
		*e = tree_table_pa(t, t->pages) | V_ALL | V_NEXT(level);
		tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
		*e = link;
	}
	tree_expect_one_run(test, t, 0, 0xfff, 0x1000, RW);
	t->denied = 0;
	tree_expect_bad(test, t, IHO_ERR_TABLE_PA);
}

/* A loop skips levels or leads up; many ways to one table do not. */
static void amdv1_loops_end(struct kunit *test)
{
	const struct v1_levels *c = test->param_value;
	struct tree *t = v1_tree(test, c->levels);
	struct runs runs;

	t->page[0][0] = t->pt.root_pa | V_ALL | V_NEXT(c->levels - 1);
	tree_expect_bad(test, t, IHO_ERR_TABLE_ENTRY);

	tree_clear(t);
	tree_leaf(test, t, 0, 0x1000, 0, RW);
	for (u32 n = 0; n < t->used - 1; n++)
		for (int i = 1; i < ENTRIES; i++)
			t->page[n][i] = t->page[n][0];
	t->pt.max_tables = SMALL_TREE;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -IHO_ERR_LIMIT);
	KUNIT_EXPECT_EQ(test, iho_walk_tables(&t->pt, tree_visit_nothing, NULL),
			-IHO_ERR_LIMIT);
}

/* @len bytes in leaves of any size that fits, up to 1 MiB and of 2 MiB. */
static void map_any(struct kunit *test, struct tree *t, u64 iova, u64 pa,
		    u64 len, u64 bits, struct rnd_state *rnd)
{
	while (len) {
		u32 lg2 = SIZE_LEAST + prandom_u32_state(rnd) % 10;

		while (!IS_ALIGNED(iova | pa, BIT_ULL(lg2)) ||
		       BIT_ULL(lg2) > len)
			lg2--;
		map_size(test, t, iova, pa, lg2, bits);
		iova += BIT_ULL(lg2);
		pa += BIT_ULL(lg2);
		len -= BIT_ULL(lg2);
	}
}

/* The same in leaves of 4 KiB, of VT-d's second stage. */
static void amdv1_random_sizes_equal_small_leaves(struct kunit *test)
{
	struct rnd_state rnd;

	for (u32 trial = 0; trial < 8; trial++) {
		struct tree *a = tree_new(test, 3 + trial % 3, 64);
		struct tree *b = tree_new_format(test, IHO_TABLE_AMDV1,
						 3 + trial % 4, 64);
		u64 iova = 0, last = 0, runs;
		struct iho_diff diff;

		prandom_seed_state(&rnd, trial + 1);
		for (int i = 0; i < 8; i++) {
			u64 len = (1 + prandom_u32_state(&rnd) % 1200) *
				  (u64)SZ_4K;
			u64 pa = prandom_u32_state(&rnd) % 4096 * (u64)SZ_2M;
			u32 perm = 1 + prandom_u32_state(&rnd) % 3;

			tree_leaf_range(test, a, iova, pa, len, 0, perm);
			map_any(test, b, iova, pa, len,
				V_PR | (perm & R ? V_IR : 0) |
				(perm & W ? V_IW : 0), &rnd);
			last = iova;
			iova = ALIGN(iova + len + SZ_4K, SZ_2M);
		}
		KUNIT_EXPECT_EQ(test, iho_tree_compare(&a->pt, &b->pt, &diff,
						       &runs, NULL), 0);
		KUNIT_EXPECT_EQ(test, runs, 8);

		/* Control: one leaf differs, and that is where it is found */
		*tree_entry(test, a, last, 0) ^= BIT_ULL(45);
		KUNIT_EXPECT_EQ(test, iho_tree_compare(&a->pt, &b->pt, &diff,
						       NULL, NULL), 1);
		KUNIT_EXPECT_EQ(test, diff.iova, last);
	}
}

static struct kunit_case amdv1_cases[] = {
	KUNIT_CASE_PARAM(amdv1_leaves_of_each_size, v1_levels_gen_params),
	KUNIT_CASE_PARAM(amdv1_both_ends, v1_levels_gen_params),
	KUNIT_CASE(amdv1_entries_behind_the_top_are_not_read),
	KUNIT_CASE(amdv1_differences_at_the_top_are_found),
	KUNIT_CASE_PARAM(amdv1_joins_leaves_of_all_sizes, v1_levels_gen_params),
	KUNIT_CASE_PARAM(amdv1_a_large_leaf_is_whole, v1_odd_gen_params),
	KUNIT_CASE(amdv1_a_large_leaf_at_either_end),
	KUNIT_CASE_PARAM(amdv1_bits_that_do_not_count, v1_levels_gen_params),
	KUNIT_CASE_PARAM(amdv1_splits_where_the_meaning_changes,
			 v1_split_gen_params),
	KUNIT_CASE_PARAM(amdv1_permissions_hold_over_all_levels,
			 v1_levels_gen_params),
	KUNIT_CASE_PARAM(amdv1_bad_entries, v1_bad_gen_params),
	KUNIT_CASE_PARAM(amdv1_tables_elsewhere, v1_levels_gen_params),
	KUNIT_CASE_PARAM(amdv1_loops_end, v1_levels_gen_params),
	KUNIT_CASE(amdv1_random_sizes_equal_small_leaves),
	{}
};

static struct kunit_suite amdv1_suite = {
	.name = "iommu_handover_amdv1",
	.test_cases = amdv1_cases,
};

kunit_test_suite(amdv1_suite);

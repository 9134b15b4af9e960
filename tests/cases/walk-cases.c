// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page-table walker. Compiled into KUnit and, with a shim in the place of
 * KUnit, into the unit tests.
 */
#include "trees.h"

struct levels_case {
	u32 levels;
	const char *desc;
};

static const struct levels_case levels_cases[] = {
	{ 3, "3 levels" },
	{ 4, "4 levels" },
	{ 5, "5 levels" },
};

KUNIT_ARRAY_PARAM_DESC(levels, levels_cases, desc);

static void walk_of_empty_tree_has_no_run(struct kunit *test)
{
	const struct levels_case *c = test->param_value;
	struct runs runs;

	tree_walk(test, tree_new(test, c->levels, 1), &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, 0);
}

/* An IOVA is as wide as the table, never extended by its highest bit. */
static void walk_finds_both_ends_of_the_address_space(struct kunit *test)
{
	const struct levels_case *c = test->param_value;
	struct tree *t = tree_new(test, c->levels, SMALL_TREE);
	u64 end = BIT_ULL(tree_shift(c->levels));
	struct runs runs;

	tree_map(test, t, 0, 0x1000, 0, SS_RW);
	tree_map(test, t, end / 2, 0x5000, 0, SS_W);
	tree_map(test, t, end - SZ_4K, 0x2000, 0, SS_R);
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 3);
	tree_expect_run(test, &runs.run[0], 0, 0xfff, 0x1000, RW);
	tree_expect_run(test, &runs.run[1], end / 2, end / 2 + 0xfff, 0x5000,
			W);
	tree_expect_run(test, &runs.run[2], end - SZ_4K, end - 1, 0x2000, R);
}

static void walk_takes_huge_leaves(struct kunit *test)
{
	const struct levels_case *c = test->param_value;
	struct tree *t = tree_new(test, c->levels, SMALL_TREE);
	u64 base = c->levels == 3 ? 0 : BIT_ULL(40);
	struct runs runs;

	tree_map(test, t, base + SZ_2M, 3ull * SZ_2M, 1, SS_W);
	tree_map(test, t, base + 2ull * SZ_1G, 5ull * SZ_1G, 2, SS_RW | SS_SNP);
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 2);
	tree_expect_run(test, &runs.run[0], base + SZ_2M,
			base + 2ull * SZ_2M - 1, 3ull * SZ_2M, W);
	tree_expect_run(test, &runs.run[1], base + 2ull * SZ_1G,
			base + 3ull * SZ_1G - 1, 5ull * SZ_1G, RW | SNP);
}

static void walk_joins_leaves_of_all_sizes_into_one_run(struct kunit *test)
{
	struct tree *t = tree_new(test, 3, SMALL_TREE);
	struct runs runs;

	/* 4 KiB leaves in two tables, 2 MiB leaves, and a 1 GiB leaf */
	tree_map_range(test, t, SZ_1G - SZ_8M, SZ_2G - SZ_8M, SZ_4M, 0, SS_RW);
	tree_map_range(test, t, SZ_1G - SZ_4M, SZ_2G - SZ_4M, SZ_4M, 1, SS_RW);
	tree_map(test, t, SZ_1G, SZ_2G, 2, SS_RW);
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	tree_expect_run(test, &runs.run[0], SZ_1G - SZ_8M, 2ull * SZ_1G - 1,
			SZ_2G - SZ_8M, RW);
}

/* One by one, and each as long as it is: none of a run is left out or twice. */
static void leaves_of_a_run_are_given_each(struct kunit *test)
{
	struct tree *t = tree_new(test, 3, SMALL_TREE);
	struct iho_run leaf, last = {};
	struct iho_walk walk;
	u64 next = SZ_1G - SZ_8M;
	int nr = 0, ret;

	tree_map_range(test, t, SZ_1G - SZ_8M, SZ_2G - SZ_8M, SZ_4M, 0, SS_RW);
	tree_map_range(test, t, SZ_1G - SZ_4M, SZ_2G - SZ_4M, SZ_4M, 1, SS_RW);
	tree_map(test, t, SZ_1G, SZ_2G, 2, SS_RW);
	KUNIT_ASSERT_EQ(test, iho_walk_init(&walk, &t->pt), 0);
	while ((ret = iho_walk_leaf(&walk, &leaf)) == 1) {
		u64 len = leaf.first_iova < SZ_1G - SZ_4M ? SZ_4K :
			  leaf.first_iova < SZ_1G ? SZ_2M : SZ_1G;

		tree_expect_run(test, &leaf, next, next + len - 1,
				next + SZ_1G, RW);
		KUNIT_EXPECT_EQ(test, nr > 0, iho_run_follows(&last, &leaf));
		last = leaf;
		next += len;
		nr++;
	}
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, nr, 1024 + 2 + 1);
}

static const struct tree_split split_cases[] = {
	{ "nothing", 0, 0, 1 },
	{ "accessed and dirty", 0, SS_A | SS_D, 1 },
	{ "bits that hardware ignores", 0, SS_IGNORED, 1 },
	{ "not writable", SS_W, 0, 3, R, SPLIT_PA + SPLIT_IOVA },
	{ "not readable", SS_R, 0, 3, W, SPLIT_PA + SPLIT_IOVA },
	{ "snooped", 0, SS_SNP, 3, RW | SNP, SPLIT_PA + SPLIT_IOVA },
	{ "other address", 0, SZ_32M, 3, RW, SPLIT_PA + SZ_32M + SPLIT_IOVA },
	{ "neither readable nor writable", SS_RW, 0, 2 },
	{ "empty", ~0ull, 0, 2 },
};

KUNIT_ARRAY_PARAM_DESC(split, split_cases, desc);

static void walk_splits_a_run_where_the_meaning_changes(struct kunit *test)
{
	tree_expect_split(test, tree_new(test, 4, SMALL_TREE), test->param_value);
}

static void walk_permissions_hold_over_all_levels(struct kunit *test)
{
	struct tree *t = tree_new(test, 4, SMALL_TREE);
	struct runs runs;

	tree_map(test, t, 0x1000, 0x5000, 0, SS_RW);
	tree_map(test, t, 0x2000, 0x6000, 0, SS_R);
	tree_map(test, t, 0x3000, 0x7000, 0, SS_W | SS_SNP);

	*tree_entry(test, t, 0, 2) &= ~SS_W;
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	tree_expect_run(test, &runs.run[0], 0x1000, 0x2fff, 0x5000, R);

	*tree_entry(test, t, 0, 2) |= SS_W;
	*tree_entry(test, t, 0, 3) &= ~SS_R;
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 2);
	tree_expect_run(test, &runs.run[0], 0x1000, 0x1fff, 0x5000, W);
	tree_expect_run(test, &runs.run[1], 0x3000, 0x3fff, 0x7000, W | SNP);

	*tree_entry(test, t, 0, 3) &= ~SS_RW;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, 0);
}

/* ---- what a walk refuses ----------------------------------------------- */

static void leaf_512g(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, 0, 3, SS_RW);
}

static void leaf_256t(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, 0, 4, SS_RW);
}

static void leaf_2m_reserved(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, SZ_2M + SZ_4K, 1, SS_RW);
}

static void leaf_1g_reserved(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, SZ_1G + SZ_2M, 2, SS_RW);
}

static void leaf_2m_bit_62(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, SZ_2M, 1, SS_RW | SS_RESERVED);
}

static void link_reserved(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, 0x1000, 0, SS_RW);
	*tree_entry(test, t, 0, 1) |= SS_RESERVED;
}

static void link_snooped(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, 0x1000, 0, SS_RW);
	*tree_entry(test, t, 0, 1) |= SS_SNP;
}

static void root_outside(struct kunit *test, struct tree *t)
{
	t->denied = 0;
}

static void table_denied(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, 0x1000, 0, SS_RW);
	tree_map(test, t, SZ_1G, 0x1000, 0, SS_RW);
	t->denied = t->used - 1;
}

static void table_behind(struct kunit *test, struct tree *t)
{
	u64 *e = tree_entry(test, t, SZ_1G, 1);

	*e = tree_table_pa(t, t->used - 1) + PAGE_SIZE + SS_RW;
}

static void table_at_zero(struct kunit *test, struct tree *t)
{
	*tree_entry(test, t, 0, 1) = SS_R;
}

static void table_at_top(struct kunit *test, struct tree *t)
{
	*tree_entry(test, t, 0, 1) = GENMASK_ULL(51, 12) | SS_W;
}

static void loop_everywhere(struct kunit *test, struct tree *t)
{
	for (int i = 0; i < ENTRIES; i++)
		t->page[0][i] = t->pt.root_pa | SS_RW;
}

/* Two tables that name each other. */
static void loop_of_two(struct kunit *test, struct tree *t)
{
	u32 other = tree_new_table(test, t);

	for (int i = 0; i < ENTRIES; i++) {
		t->page[0][i] = tree_table_pa(t, other) | SS_RW;
		t->page[other][i] = tree_table_pa(t, 0) | SS_RW;
	}
}

/* All entries of each table name the one table below, which is in order. */
static void many_paths(struct kunit *test, struct tree *t)
{
	tree_map(test, t, 0, 0x1000, 0, SS_RW);
	for (u32 n = 0; n < t->used - 1; n++)
		for (int i = 1; i < ENTRIES; i++)
			t->page[n][i] = t->page[n][0];
}

struct bad_tree {
	const char *desc;
	void (*spoil)(struct kunit *test, struct tree *t);
	int err;
};

static const struct bad_tree bad_trees[] = {
	{ "leaf of 512 GiB", leaf_512g, IHO_ERR_TABLE_ENTRY },
	{ "leaf of 256 TiB", leaf_256t, IHO_ERR_TABLE_ENTRY },
	{ "reserved bit in a 2 MiB leaf", leaf_2m_reserved,
	  IHO_ERR_TABLE_ENTRY },
	{ "reserved bit in a 1 GiB leaf", leaf_1g_reserved,
	  IHO_ERR_TABLE_ENTRY },
	{ "bit 62 in a 2 MiB leaf", leaf_2m_bit_62, IHO_ERR_TABLE_ENTRY },
	{ "bit 62 in a link", link_reserved, IHO_ERR_TABLE_ENTRY },
	{ "snoop in a link", link_snooped, IHO_ERR_TABLE_ENTRY },
	{ "root outside of preserved memory", root_outside, IHO_ERR_TABLE_PA },
	{ "table that is not preserved", table_denied, IHO_ERR_TABLE_PA },
	{ "table just behind preserved memory", table_behind,
	  IHO_ERR_TABLE_PA },
	{ "table at address 0", table_at_zero, IHO_ERR_TABLE_PA },
	{ "table at the highest address", table_at_top, IHO_ERR_TABLE_PA },
	{ "root that holds only itself", loop_everywhere, IHO_ERR_LIMIT },
	{ "two tables that hold each other", loop_of_two, IHO_ERR_LIMIT },
	{ "more paths than tables are allowed", many_paths, IHO_ERR_LIMIT },
};

KUNIT_ARRAY_PARAM_DESC(bad_tree, bad_trees, desc);

/* Leaves of 4 KiB too, which a walk of the tables does not look at. */
static void bit_62_is_reserved_at_each_level(struct kunit *test)
{
	const struct iho_format *f = iho_format(IHO_TABLE_VTDSS);
	struct iho_slot slot = { .levels = 5 };
	u32 perm;
	u64 pa;

	for (slot.level = 0; slot.level < slot.levels; slot.level++) {
		slot.entry = SZ_4K | SS_RW;
		KUNIT_EXPECT_TRUE(test, f->decode(&slot, &pa, &perm) !=
					IHO_ENTRY_BAD);
		slot.entry |= SS_RESERVED;
		KUNIT_EXPECT_EQ(test, f->decode(&slot, &pa, &perm),
				IHO_ENTRY_BAD);
	}
}

static void walk_refuses_a_bad_tree(struct kunit *test)
{
	const struct bad_tree *c = test->param_value;
	struct tree *t = tree_new(test, 5, SMALL_TREE);
	struct tree *good = tree_new(test, 5, SMALL_TREE);
	struct iho_diff diff;
	struct runs runs;
	int which = -1;
	int differs;

	/* Control: the same tree, not spoilt */
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 0);

	c->spoil(test, t);
	t->pt.max_tables = SMALL_TREE;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -c->err);
	KUNIT_EXPECT_EQ(test, iho_walk_tables(&t->pt, tree_visit_nothing, NULL),
			-c->err);

	/* It equals nothing, itself included; a loop has leaves before it ends */
	differs = c->err == IHO_ERR_LIMIT ? 1 : -c->err;
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&good->pt, &t->pt, &diff, NULL,
					       &which), differs);
	KUNIT_EXPECT_EQ(test, which, differs == 1 ? -1 : 1);
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&t->pt, &good->pt, &diff, NULL,
					       NULL), differs);
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&t->pt, &t->pt, &diff, NULL,
					       &which), -c->err);
	KUNIT_EXPECT_EQ(test, which, 0);
}

/* A loop cannot be deeper than the levels, so that one entry of it ends. */
static void walk_of_a_table_in_itself_ends_at_the_lowest_level(struct kunit *test)
{
	struct tree *t = tree_new(test, 5, 1);
	struct runs runs;

	t->page[0][0] = t->pt.root_pa | SS_RW;
	t->pt.max_tables = 5;
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	tree_expect_run(test, &runs.run[0], 0, 0xfff, t->pt.root_pa, RW);
	t->pt.max_tables = 4;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -IHO_ERR_LIMIT);
}

static void walk_of_garbage_ends_with_an_error(struct kunit *test)
{
	struct tree *good = tree_new(test, 4, 1);
	struct tree *t = tree_new(test, 4, 1);
	struct iho_diff diff;
	struct rnd_state rnd;
	struct runs runs;

	for (u64 seed = 1; seed <= 64; seed++) {
		prandom_seed_state(&rnd, seed);
		prandom_bytes_state(&rnd, t->page[0], PAGE_SIZE);
		tree_walk(test, t, &runs);
		KUNIT_EXPECT_TRUE(test, runs.nr == -IHO_ERR_TABLE_PA ||
				  runs.nr == -IHO_ERR_TABLE_ENTRY);
		KUNIT_EXPECT_EQ(test, iho_walk_tables(&t->pt,
						      tree_visit_nothing, NULL),
				runs.nr);
		KUNIT_EXPECT_EQ(test, iho_tree_compare(&good->pt, &t->pt, &diff,
						       NULL, NULL), runs.nr);
	}
}

/*
 * The reader of inherited tables gives only pages that the last kernel
 * preserved; no page of this one is, however good a table it is.
 */
static void walk_reads_no_table_that_was_not_preserved(struct kunit *test)
{
	struct tree *t = tree_new(test, 4, SMALL_TREE);
	struct runs runs;

	tree_map(test, t, 0, 0x1000, 0, SS_RW);
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	t->pt.table = handover_in_table;
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -IHO_ERR_TABLE_PA);
	/* Nor what is no memory at all */
	t->pt.root_pa = GENMASK_ULL(51, 12);
	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -IHO_ERR_TABLE_PA);
}

struct pt_case {
	const char *desc;
	u32 format, levels, max_tables;
	u64 root_pa;
	bool no_reader;
	int err;
};

static const struct pt_case pt_cases[] = {
	{ "2 levels", IHO_TABLE_VTDSS, 2, 1, SZ_4K, false, IHO_ERR_VALUE },
	{ "6 levels", IHO_TABLE_VTDSS, 6, 1, SZ_4K, false, IHO_ERR_VALUE },
	{ "no level", IHO_TABLE_VTDSS, 0, 1, SZ_4K, false, IHO_ERR_VALUE },
	{ "no format", 0, 4, 1, SZ_4K, false, IHO_ERR_VALUE },
	{ "unknown format", 4, 4, 1, SZ_4K, false, IHO_ERR_VALUE },
	{ "x86_64 of 3 levels", IHO_TABLE_X86_64, 3, 1, SZ_4K, false,
	  IHO_ERR_VALUE },
	{ "x86_64 of 4 levels", IHO_TABLE_X86_64, 4, 1, SZ_4K, false, IHO_OK },
	{ "x86_64 of 5 levels", IHO_TABLE_X86_64, 5, 1, SZ_4K, false, IHO_OK },
	{ "x86_64 of 6 levels", IHO_TABLE_X86_64, 6, 1, SZ_4K, false,
	  IHO_ERR_VALUE },
	{ "amdv1 of 2 levels", IHO_TABLE_AMDV1, 2, 1, SZ_4K, false,
	  IHO_ERR_VALUE },
	{ "amdv1 of 3 levels", IHO_TABLE_AMDV1, 3, 1, SZ_4K, false, IHO_OK },
	{ "amdv1 of 6 levels", IHO_TABLE_AMDV1, 6, 1, SZ_4K, false, IHO_OK },
	{ "amdv1 of 7 levels", IHO_TABLE_AMDV1, 7, 1, SZ_4K, false,
	  IHO_ERR_VALUE },
	{ "x86_64, misaligned root", IHO_TABLE_X86_64, 4, 1, SZ_4K + 8, false,
	  IHO_ERR_ALIGN },
	{ "amdv1, misaligned root", IHO_TABLE_AMDV1, 4, 1, SZ_4K + 8, false,
	  IHO_ERR_ALIGN },
	{ "misaligned root", IHO_TABLE_VTDSS, 4, 1, SZ_4K + 8, false,
	  IHO_ERR_ALIGN },
	{ "no table allowed", IHO_TABLE_VTDSS, 4, 0, SZ_4K, false,
	  IHO_ERR_BADCALL },
	{ "too many tables allowed", IHO_TABLE_VTDSS, 4,
	  IHO_MAX_TABLE_PAGES + 1, SZ_4K, false, IHO_ERR_BADCALL },
	{ "no reader", IHO_TABLE_VTDSS, 4, 1, SZ_4K, true, IHO_ERR_BADCALL },
	{ "as many tables as can be allowed", IHO_TABLE_VTDSS, 4,
	  IHO_MAX_TABLE_PAGES, SZ_4K, false, IHO_OK },
	{ "nothing wrong", IHO_TABLE_VTDSS, 4, 1, SZ_4K, false, IHO_OK },
};

KUNIT_ARRAY_PARAM_DESC(pt, pt_cases, desc);

static void walk_does_not_begin_without_a_sound_description(struct kunit *test)
{
	const struct pt_case *c = test->param_value;
	const struct iho_pt pt = {
		.format = c->format,
		.levels = c->levels,
		.root_pa = c->root_pa,
		.table = c->no_reader ? NULL : tree_read,
		.max_tables = c->max_tables,
	};
	struct iho_walk w;

	KUNIT_EXPECT_EQ(test, iho_walk_init(&w, &pt), -c->err);
	if (c->err)
		KUNIT_EXPECT_EQ(test, iho_walk_tables(&pt, tree_visit_nothing,
						      NULL), -c->err);
}

/* ---- every table of a tree --------------------------------------------- */

struct visits {
	struct tree *tree;
	u32 nr, stop;
	int last[IHO_MAX_LEVELS];
	bool seen[SMALL_TREE];
	u64 last_pa;
};

#define STOPPED		77

/* Frees the table as the kernel would: it may not be read again. */
static int visit(void *priv, u64 pa, u32 level)
{
	struct visits *v = priv;
	u32 i = (pa - tree_table_pa(v->tree, 0)) / PAGE_SIZE;

	if (i >= v->tree->used || v->seen[i])
		return -EINVAL;
	v->seen[i] = true;
	v->last[level] = v->nr++;
	v->last_pa = pa;
	memset(v->tree->page[i], 0xff, PAGE_SIZE);
	return v->nr == v->stop ? STOPPED : 0;
}

static struct tree *tree_of_many_tables(struct kunit *test)
{
	struct tree *t = tree_new(test, 4, SMALL_TREE);

	tree_map(test, t, 0, 0x1000, 0, SS_RW);
	tree_map(test, t, SZ_2M, SZ_2M, 1, SS_RW);
	tree_map(test, t, 2ull * SZ_2M, 0x1000, 0, SS_RW);
	tree_map(test, t, BIT_ULL(39), 0x1000, 0, SS_RW);
	tree_map(test, t, BIT_ULL(40), SZ_1G, 2, SS_RW);
	return t;
}

static void tables_are_visited_once_each_children_first(struct kunit *test)
{
	struct visits v = { .tree = tree_of_many_tables(test) };

	KUNIT_EXPECT_EQ(test, iho_walk_tables(&v.tree->pt, visit, &v), 0);
	KUNIT_EXPECT_EQ(test, v.nr, v.tree->used);
	KUNIT_EXPECT_EQ(test, v.last_pa, v.tree->pt.root_pa);
	for (int level = 1; level < 4; level++)
		KUNIT_EXPECT_GT(test, v.last[level], v.last[level - 1]);
}

static void tables_are_no_longer_visited_when_the_visitor_says_so(struct kunit *test)
{
	struct visits v = { .tree = tree_of_many_tables(test), .stop = 2 };

	KUNIT_EXPECT_EQ(test, iho_walk_tables(&v.tree->pt, visit, &v), STOPPED);
	KUNIT_EXPECT_EQ(test, v.nr, 2);
}

static struct kunit_case walk_cases[] = {
	KUNIT_CASE_PARAM(walk_of_empty_tree_has_no_run, levels_gen_params),
	KUNIT_CASE_PARAM(walk_finds_both_ends_of_the_address_space,
			 levels_gen_params),
	KUNIT_CASE_PARAM(walk_takes_huge_leaves, levels_gen_params),
	KUNIT_CASE(walk_joins_leaves_of_all_sizes_into_one_run),
	KUNIT_CASE(leaves_of_a_run_are_given_each),
	KUNIT_CASE_PARAM(walk_splits_a_run_where_the_meaning_changes,
			 split_gen_params),
	KUNIT_CASE(walk_permissions_hold_over_all_levels),
	KUNIT_CASE(bit_62_is_reserved_at_each_level),
	KUNIT_CASE_PARAM(walk_refuses_a_bad_tree, bad_tree_gen_params),
	KUNIT_CASE(walk_of_a_table_in_itself_ends_at_the_lowest_level),
	KUNIT_CASE(walk_of_garbage_ends_with_an_error),
	KUNIT_CASE(walk_reads_no_table_that_was_not_preserved),
	KUNIT_CASE_PARAM(walk_does_not_begin_without_a_sound_description,
			 pt_gen_params),
	KUNIT_CASE(tables_are_visited_once_each_children_first),
	KUNIT_CASE(tables_are_no_longer_visited_when_the_visitor_says_so),
	{}
};

static struct kunit_suite walk_suite = {
	.name = "iommu_handover_walk",
	.test_cases = walk_cases,
};

kunit_test_suite(walk_suite);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page-table walker and the comparison of two trees, on VT-d second-stage
 * tables made by hand. Compiled into KUnit and, with a shim in the place of
 * KUnit, into the unit tests.
 */
#include "cases-host.h"

/* VT-d 9.8, second-stage entries */
#define SS_R		BIT_ULL(0)
#define SS_W		BIT_ULL(1)
#define SS_RW		(SS_R | SS_W)
#define SS_LARGE	BIT_ULL(7)
#define SS_A		BIT_ULL(8)
#define SS_D		BIT_ULL(9)
#define SS_SNP		BIT_ULL(11)
/* What hardware ignores in a leaf: 10 and 62 to 52 */
#define SS_IGNORED	(BIT_ULL(10) | GENMASK_ULL(62, 52))

#define R		IHO_PT_READ
#define W		IHO_PT_WRITE
#define RW		(R | W)
#define SNP		IHO_PT_SNOOP

#define ENTRIES		512
#define SMALL_TREE	32

/* ---- trees ------------------------------------------------------------- */

/**
 * struct tree - a page table under test
 * @page: its tables, contiguous
 * @pages: how many there is room for
 * @used: how many are linked or were
 * @denied: index of a table that may not be read, or -1
 * @pt: for the walker
 */
struct tree {
	u64 (*page)[ENTRIES];
	u32 pages;
	u32 used;
	int denied;
	struct iho_pt pt;
};

static u64 table_pa(const struct tree *t, u32 index)
{
	return virt_to_phys(t->page[index]);
}

/* The tables of the tree can be read, and nothing else. */
static const u64 *read_table(void *priv, u64 pa)
{
	struct tree *t = priv;
	u64 first = table_pa(t, 0);
	u64 i = (pa - first) / PAGE_SIZE;

	if (pa < first || i >= t->used || i == t->denied)
		return NULL;
	return t->page[i];
}

static void free_tables(void *priv)
{
	struct tree *t = priv;

	free_pages_exact(t->page, t->pages * PAGE_SIZE);
}

static u32 new_table(struct kunit *test, struct tree *t)
{
	KUNIT_ASSERT_LT(test, t->used, t->pages);
	return t->used++;
}

/* An empty tree with room for @pages tables. They go with the test. */
static struct tree *new_tree(struct kunit *test, u32 levels, u32 pages)
{
	struct tree *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->page = alloc_pages_exact(pages * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, t->page);
	t->pages = pages;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_tables, t));
	t->denied = -1;
	t->pt = (struct iho_pt){
		.format = IHO_TABLE_VTDSS,
		.levels = levels,
		.table = read_table,
		.priv = t,
		.max_tables = 4 * pages,
	};
	t->pt.root_pa = table_pa(t, new_table(test, t));
	return t;
}

static u32 shift_of(u32 level)
{
	return 12 + 9 * level;
}

/* The entry of @iova at @level; tables on the way down are made. */
static u64 *entry(struct kunit *test, struct tree *t, u64 iova, u32 level)
{
	u32 at = 0;

	for (u32 l = t->pt.levels - 1; ; l--) {
		u64 *e = &t->page[at][iova >> shift_of(l) & (ENTRIES - 1)];

		if (l == level)
			return e;
		if (!*e)
			*e = table_pa(t, new_table(test, t)) | SS_RW;
		at = ((*e & GENMASK_ULL(51, 12)) - table_pa(t, 0)) / PAGE_SIZE;
	}
}

static void map(struct kunit *test, struct tree *t, u64 iova, u64 pa, u32 level,
		u64 bits)
{
	*entry(test, t, iova, level) = pa | bits | (level ? SS_LARGE : 0);
}

/* @len bytes in leaves of @level. */
static void map_range(struct kunit *test, struct tree *t, u64 iova, u64 pa,
		      u64 len, u32 level, u64 bits)
{
	u64 step = BIT_ULL(shift_of(level));

	for (u64 off = 0; off < len; off += step)
		map(test, t, iova + off, pa + off, level, bits);
}

/* ---- walking ----------------------------------------------------------- */

#define MAX_RUNS	16

struct runs {
	struct iho_run run[MAX_RUNS];	/* the first of them */
	int nr;				/* or the error that ended the walk */
};

static void walk(struct kunit *test, const struct tree *t, struct runs *runs)
{
	struct iho_run run;
	struct iho_walk w;
	int ret, nr = 0;

	runs->nr = iho_walk_init(&w, &t->pt);
	if (runs->nr)
		return;
	while ((ret = iho_walk_next(&w, &run)) == 1) {
		if (nr < MAX_RUNS)
			runs->run[nr] = run;
		nr++;
	}
	/* Once over, it stays over and says the same */
	KUNIT_EXPECT_EQ(test, iho_walk_next(&w, &run), ret);
	runs->nr = ret ?: nr;
}

static void expect_run(struct kunit *test, const struct iho_run *run, u64 first,
		       u64 last, u64 pa, u32 perm)
{
	KUNIT_EXPECT_EQ(test, run->first_iova, first);
	KUNIT_EXPECT_EQ(test, run->last_iova, last);
	KUNIT_EXPECT_EQ(test, run->pa, pa);
	KUNIT_EXPECT_EQ(test, run->perm, perm);
}

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

	walk(test, new_tree(test, c->levels, 1), &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, 0);
}

/* An IOVA is as wide as the table, never extended by its highest bit. */
static void walk_finds_both_ends_of_the_address_space(struct kunit *test)
{
	const struct levels_case *c = test->param_value;
	struct tree *t = new_tree(test, c->levels, SMALL_TREE);
	u64 end = BIT_ULL(shift_of(c->levels));
	struct runs runs;

	map(test, t, 0, 0x1000, 0, SS_RW);
	map(test, t, end / 2, 0x5000, 0, SS_W);
	map(test, t, end - SZ_4K, 0x2000, 0, SS_R);
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 3);
	expect_run(test, &runs.run[0], 0, 0xfff, 0x1000, RW);
	expect_run(test, &runs.run[1], end / 2, end / 2 + 0xfff, 0x5000, W);
	expect_run(test, &runs.run[2], end - SZ_4K, end - 1, 0x2000, R);
}

static void walk_takes_huge_leaves(struct kunit *test)
{
	const struct levels_case *c = test->param_value;
	struct tree *t = new_tree(test, c->levels, SMALL_TREE);
	u64 base = c->levels == 3 ? 0 : BIT_ULL(40);
	struct runs runs;

	map(test, t, base + SZ_2M, 3ull * SZ_2M, 1, SS_W);
	map(test, t, base + 2ull * SZ_1G, 5ull * SZ_1G, 2, SS_RW | SS_SNP);
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 2);
	expect_run(test, &runs.run[0], base + SZ_2M, base + 2ull * SZ_2M - 1,
		   3ull * SZ_2M, W);
	expect_run(test, &runs.run[1], base + 2ull * SZ_1G,
		   base + 3ull * SZ_1G - 1, 5ull * SZ_1G, RW | SNP);
}

static void walk_joins_leaves_of_all_sizes_into_one_run(struct kunit *test)
{
	struct tree *t = new_tree(test, 3, SMALL_TREE);
	struct runs runs;

	/* 4 KiB leaves in two tables, 2 MiB leaves, and a 1 GiB leaf */
	map_range(test, t, SZ_1G - SZ_8M, SZ_2G - SZ_8M, SZ_4M, 0, SS_RW);
	map_range(test, t, SZ_1G - SZ_4M, SZ_2G - SZ_4M, SZ_4M, 1, SS_RW);
	map(test, t, SZ_1G, SZ_2G, 2, SS_RW);
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	expect_run(test, &runs.run[0], SZ_1G - SZ_8M, 2ull * SZ_1G - 1,
		   SZ_2G - SZ_8M, RW);
}

/* 2 MiB at 0 in 4 KiB leaves, and what one of them is changed to. */
struct split_case {
	const char *desc;
	u64 clear, set;
	int runs;
	u32 perm;		/* of the changed page, 0 for a hole */
	u64 pa;
};

#define SPLIT_PA	((u64)SZ_16M)
#define SPLIT_IOVA	0x5000ull

static const struct split_case split_cases[] = {
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
	const struct split_case *c = test->param_value;
	struct tree *t = new_tree(test, 4, SMALL_TREE);
	struct runs runs;
	u64 *e;

	map_range(test, t, 0, SPLIT_PA, SZ_2M, 0, SS_RW);
	e = entry(test, t, SPLIT_IOVA, 0);
	*e = (*e & ~c->clear) | c->set;
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, c->runs);
	if (c->runs == 1) {
		expect_run(test, &runs.run[0], 0, SZ_2M - 1, SPLIT_PA, RW);
		return;
	}
	expect_run(test, &runs.run[0], 0, SPLIT_IOVA - 1, SPLIT_PA, RW);
	expect_run(test, &runs.run[c->runs - 1], SPLIT_IOVA + SZ_4K, SZ_2M - 1,
		   SPLIT_PA + SPLIT_IOVA + SZ_4K, RW);
	if (c->perm)
		expect_run(test, &runs.run[1], SPLIT_IOVA,
			   SPLIT_IOVA + SZ_4K - 1, c->pa, c->perm);
}

static void walk_permissions_hold_over_all_levels(struct kunit *test)
{
	struct tree *t = new_tree(test, 4, SMALL_TREE);
	struct runs runs;

	map(test, t, 0x1000, 0x5000, 0, SS_RW);
	map(test, t, 0x2000, 0x6000, 0, SS_R);
	map(test, t, 0x3000, 0x7000, 0, SS_W | SS_SNP);

	*entry(test, t, 0, 2) &= ~SS_W;
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	expect_run(test, &runs.run[0], 0x1000, 0x2fff, 0x5000, R);

	*entry(test, t, 0, 2) |= SS_W;
	*entry(test, t, 0, 3) &= ~SS_R;
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 2);
	expect_run(test, &runs.run[0], 0x1000, 0x1fff, 0x5000, W);
	expect_run(test, &runs.run[1], 0x3000, 0x3fff, 0x7000, W | SNP);

	*entry(test, t, 0, 3) &= ~SS_RW;
	walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, 0);
}

/* ---- what a walk refuses ----------------------------------------------- */

static void leaf_512g(struct kunit *test, struct tree *t)
{
	map(test, t, 0, 0, 3, SS_RW);
}

static void leaf_256t(struct kunit *test, struct tree *t)
{
	map(test, t, 0, 0, 4, SS_RW);
}

static void leaf_2m_reserved(struct kunit *test, struct tree *t)
{
	map(test, t, 0, SZ_2M + SZ_4K, 1, SS_RW);
}

static void leaf_1g_reserved(struct kunit *test, struct tree *t)
{
	map(test, t, 0, SZ_1G + SZ_2M, 2, SS_RW);
}

static void root_outside(struct kunit *test, struct tree *t)
{
	t->denied = 0;
}

static void table_denied(struct kunit *test, struct tree *t)
{
	map(test, t, 0, 0x1000, 0, SS_RW);
	map(test, t, SZ_1G, 0x1000, 0, SS_RW);
	t->denied = t->used - 1;
}

static void table_behind(struct kunit *test, struct tree *t)
{
	u64 *e = entry(test, t, SZ_1G, 1);

	*e = table_pa(t, t->used - 1) + PAGE_SIZE + SS_RW;
}

static void table_at_zero(struct kunit *test, struct tree *t)
{
	*entry(test, t, 0, 1) = SS_R;
}

static void table_at_top(struct kunit *test, struct tree *t)
{
	*entry(test, t, 0, 1) = GENMASK_ULL(51, 12) | SS_W;
}

static void loop_everywhere(struct kunit *test, struct tree *t)
{
	for (int i = 0; i < ENTRIES; i++)
		t->page[0][i] = t->pt.root_pa | SS_RW;
}

/* Two tables that name each other. */
static void loop_of_two(struct kunit *test, struct tree *t)
{
	u32 other = new_table(test, t);

	for (int i = 0; i < ENTRIES; i++) {
		t->page[0][i] = table_pa(t, other) | SS_RW;
		t->page[other][i] = table_pa(t, 0) | SS_RW;
	}
}

/* All entries of each table name the one table below, which is in order. */
static void many_paths(struct kunit *test, struct tree *t)
{
	map(test, t, 0, 0x1000, 0, SS_RW);
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

static int visit_nothing(void *priv, u64 pa, u32 level)
{
	return 0;
}

static void walk_refuses_a_bad_tree(struct kunit *test)
{
	const struct bad_tree *c = test->param_value;
	struct tree *t = new_tree(test, 5, SMALL_TREE);
	struct tree *good = new_tree(test, 5, SMALL_TREE);
	struct iho_diff diff;
	struct runs runs;
	int which = -1;
	int differs;

	/* Control: the same tree, not spoilt */
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 0);

	c->spoil(test, t);
	t->pt.max_tables = SMALL_TREE;
	walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -c->err);
	KUNIT_EXPECT_EQ(test, iho_walk_tables(&t->pt, visit_nothing, NULL),
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
	struct tree *t = new_tree(test, 5, 1);
	struct runs runs;

	t->page[0][0] = t->pt.root_pa | SS_RW;
	t->pt.max_tables = 5;
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	expect_run(test, &runs.run[0], 0, 0xfff, t->pt.root_pa, RW);
	t->pt.max_tables = 4;
	walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -IHO_ERR_LIMIT);
}

static void walk_of_garbage_ends_with_an_error(struct kunit *test)
{
	struct tree *good = new_tree(test, 4, 1);
	struct tree *t = new_tree(test, 4, 1);
	struct iho_diff diff;
	struct rnd_state rnd;
	struct runs runs;

	for (u64 seed = 1; seed <= 64; seed++) {
		prandom_seed_state(&rnd, seed);
		prandom_bytes_state(&rnd, t->page[0], PAGE_SIZE);
		walk(test, t, &runs);
		KUNIT_EXPECT_TRUE(test, runs.nr == -IHO_ERR_TABLE_PA ||
				  runs.nr == -IHO_ERR_TABLE_ENTRY);
		KUNIT_EXPECT_EQ(test, iho_walk_tables(&t->pt, visit_nothing,
						      NULL), runs.nr);
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
	struct tree *t = new_tree(test, 4, SMALL_TREE);
	struct runs runs;

	map(test, t, 0, 0x1000, 0, SS_RW);
	walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	t->pt.table = handover_in_table;
	walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -IHO_ERR_TABLE_PA);
	/* Nor what is no memory at all */
	t->pt.root_pa = GENMASK_ULL(51, 12);
	walk(test, t, &runs);
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
	{ "unknown format", 2, 4, 1, SZ_4K, false, IHO_ERR_VALUE },
	{ "misaligned root", IHO_TABLE_VTDSS, 4, 1, SZ_4K + 8, false,
	  IHO_ERR_ALIGN },
	{ "no table allowed", IHO_TABLE_VTDSS, 4, 0, SZ_4K, false,
	  IHO_ERR_BADCALL },
	{ "too many tables allowed", IHO_TABLE_VTDSS, 4,
	  IHO_MAX_TABLE_PAGES + 1, SZ_4K, false, IHO_ERR_BADCALL },
	{ "no reader", IHO_TABLE_VTDSS, 4, 1, SZ_4K, true, IHO_ERR_BADCALL },
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
		.table = c->no_reader ? NULL : read_table,
		.max_tables = c->max_tables,
	};
	struct iho_walk w;

	KUNIT_EXPECT_EQ(test, iho_walk_init(&w, &pt), -c->err);
	if (c->err)
		KUNIT_EXPECT_EQ(test, iho_walk_tables(&pt, visit_nothing, NULL),
				-c->err);
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
	u32 i = (pa - table_pa(v->tree, 0)) / PAGE_SIZE;

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
	struct tree *t = new_tree(test, 4, SMALL_TREE);

	map(test, t, 0, 0x1000, 0, SS_RW);
	map(test, t, SZ_2M, SZ_2M, 1, SS_RW);
	map(test, t, 2ull * SZ_2M, 0x1000, 0, SS_RW);
	map(test, t, BIT_ULL(39), 0x1000, 0, SS_RW);
	map(test, t, BIT_ULL(40), SZ_1G, 2, SS_RW);
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
	KUNIT_CASE_PARAM(walk_splits_a_run_where_the_meaning_changes,
			 split_gen_params),
	KUNIT_CASE(walk_permissions_hold_over_all_levels),
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

/* ---- comparison -------------------------------------------------------- */

struct compared {
	struct tree *a, *b;
	struct iho_diff diff;
	u64 runs;
};

static int compare(struct compared *c)
{
	return iho_tree_compare(&c->a->pt, &c->b->pt, &c->diff, &c->runs, NULL);
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
	u64 big = BIT_ULL(shift_of(max(s->leaf_a, s->leaf_b)));
	struct compared c = {
		.a = new_tree(test, s->levels_a, 1024),
		.b = new_tree(test, s->levels_b, 1024),
	};
	u64 *e;

	map_range(test, c.a, big, 4 * big, big, s->leaf_a, SS_RW);
	map_range(test, c.b, big, 4 * big, big, s->leaf_b, SS_RW | SS_A | SS_D);
	map(test, c.a, 8 * big, 0x5000, 0, SS_R);
	map(test, c.b, 8 * big, 0x5000, 0, SS_R);
	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	KUNIT_EXPECT_EQ(test, c.runs, 2);

	/* Control: the last leaf of the second leads elsewhere */
	e = entry(test, c.b, 2 * big - SZ_4K, s->leaf_b);
	*e ^= BIT_ULL(45);
	KUNIT_EXPECT_EQ(test, compare(&c), 1);
	KUNIT_EXPECT_EQ(test, c.diff.iova,
			2 * big - BIT_ULL(shift_of(s->leaf_b)));
	KUNIT_EXPECT_EQ(test, c.runs, 0);
}

static void empty_trees_are_equal(struct kunit *test)
{
	struct compared c = {
		.a = new_tree(test, 3, 1),
		.b = new_tree(test, 5, 1),
		.runs = 1,
	};

	KUNIT_EXPECT_EQ(test, compare(&c), 0);
	KUNIT_EXPECT_EQ(test, c.runs, 0);
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
		.a = new_tree(test, 3, SMALL_TREE),
		.b = new_tree(test, 4, SMALL_TREE),
	};
	u64 *e;

	map_range(test, c.a, DIFF_IOVA, DIFF_PA, DIFF_LEN, 1, SS_RW);
	map_range(test, c.b, DIFF_IOVA, DIFF_PA, DIFF_LEN, 0, SS_RW);
	map(test, c.a, PAGE_IOVA, 0x5000, 0, SS_R);
	map(test, c.b, PAGE_IOVA, 0x5000, 0, SS_R);
	e = entry(test, c.b, d->iova, 0);
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

	map_range(test, c->a, iova, pa, len, 0, bits);
	while (off < len) {
		bool huge = IS_ALIGNED((iova + off) | (pa + off), SZ_2M) &&
			    len - off >= SZ_2M && prandom_u32_state(rnd) % 2;

		map(test, c->b, iova + off, pa + off, huge, bits);
		off += huge ? SZ_2M : SZ_4K;
	}
}

static void random_trees_of_one_meaning_are_equal(struct kunit *test)
{
	struct rnd_state rnd;

	for (u32 trial = 0; trial < 9; trial++) {
		struct compared c = {
			.a = new_tree(test, 3 + trial % 3, 64),
			.b = new_tree(test, 3 + trial / 3, 64),
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
		e = entry(test, c.a, last, 0);
		*e ^= BIT_ULL(45);
		KUNIT_EXPECT_EQ(test, compare(&c), 1);
		KUNIT_EXPECT_EQ(test, c.diff.iova, last);
	}
}

static struct kunit_case compare_cases[] = {
	KUNIT_CASE_PARAM(trees_of_one_meaning_are_equal, same_gen_params),
	KUNIT_CASE(empty_trees_are_equal),
	KUNIT_CASE_PARAM(one_difference_is_found_where_it_is, diff_gen_params),
	KUNIT_CASE(random_trees_of_one_meaning_are_equal),
	{}
};

static struct kunit_suite compare_suite = {
	.name = "iommu_handover_compare",
	.test_cases = compare_cases,
};

kunit_test_suites(&walk_suite, &compare_suite);

// SPDX-License-Identifier: GPL-2.0-only
#include "trees.h"

u64 tree_table_pa(const struct tree *t, u32 index)
{
	return virt_to_phys(t->page[index]);
}

const u64 *tree_read(void *priv, u64 pa)
{
	struct tree *t = priv;
	u64 first = tree_table_pa(t, 0);
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

u32 tree_new_table(struct kunit *test, struct tree *t)
{
	KUNIT_ASSERT_LT(test, t->used, t->pages);
	return t->used++;
}

struct tree *tree_new_format(struct kunit *test, u32 format, u32 levels,
			     u32 pages)
{
	struct tree *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->page = alloc_pages_exact(pages * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	KUNIT_ASSERT_NOT_NULL(test, t->page);
	t->pages = pages;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_tables, t));
	t->denied = -1;
	t->format = iho_format(format);
	KUNIT_ASSERT_NOT_NULL(test, t->format);
	t->pt = (struct iho_pt){
		.format = format,
		.levels = levels,
		.table = tree_read,
		.priv = t,
		.max_tables = 4 * pages,
	};
	t->pt.root_pa = tree_table_pa(t, tree_new_table(test, t));
	return t;
}

struct tree *tree_new(struct kunit *test, u32 levels, u32 pages)
{
	return tree_new_format(test, IHO_TABLE_VTDSS, levels, pages);
}

void tree_clear(struct tree *t)
{
	memset(t->page, 0, t->pages * PAGE_SIZE);
	t->used = 1;
}

u64 *tree_entry(struct kunit *test, struct tree *t, u64 iova, u32 level)
{
	u32 at = 0;

	for (u32 l = t->pt.levels - 1; ; l--) {
		u64 *e = &t->page[at][iova >> tree_shift(l) & (ENTRIES - 1)];
		u32 below;

		if (l == level)
			return e;
		if (!*e) {
			below = tree_new_table(test, t);
			*e = t->format->link(tree_table_pa(t, below), l, RW);
		}
		/* Addresses of tables are in the same bits in each format */
		at = ((*e & GENMASK_ULL(51, 12)) - tree_table_pa(t, 0)) / PAGE_SIZE;
	}
}

void tree_leaf(struct kunit *test, struct tree *t, u64 iova, u64 pa, u32 level,
	       u32 perm)
{
	u64 entry = t->format->leaf(pa, level, perm);

	KUNIT_EXPECT_TRUE(test, entry);
	*tree_entry(test, t, iova, level) = entry;
}

void tree_map(struct kunit *test, struct tree *t, u64 iova, u64 pa, u32 level,
	      u64 bits)
{
	*tree_entry(test, t, iova, level) = pa | bits | (level ? SS_LARGE : 0);
}

void tree_map_range(struct kunit *test, struct tree *t, u64 iova, u64 pa,
		    u64 len, u32 level, u64 bits)
{
	u64 step = BIT_ULL(tree_shift(level));

	for (u64 off = 0; off < len; off += step)
		tree_map(test, t, iova + off, pa + off, level, bits);
}

void tree_leaf_range(struct kunit *test, struct tree *t, u64 iova, u64 pa,
		     u64 len, u32 level, u32 perm)
{
	u64 step = BIT_ULL(tree_shift(level));

	for (u64 off = 0; off < len; off += step)
		tree_leaf(test, t, iova + off, pa + off, level, perm);
}

void tree_walk(struct kunit *test, const struct tree *t, struct runs *runs)
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

void tree_expect_run(struct kunit *test, const struct iho_run *run, u64 first,
		     u64 last, u64 pa, u32 perm)
{
	KUNIT_EXPECT_EQ(test, run->first_iova, first);
	KUNIT_EXPECT_EQ(test, run->last_iova, last);
	KUNIT_EXPECT_EQ(test, run->pa, pa);
	KUNIT_EXPECT_EQ(test, run->perm, perm);
}

void tree_expect_one_run(struct kunit *test, const struct tree *t, u64 first,
			 u64 last, u64 pa, u32 perm)
{
	struct runs runs;

	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, 1);
	tree_expect_run(test, &runs.run[0], first, last, pa, perm);
}

void tree_expect_split(struct kunit *test, struct tree *t,
		       const struct tree_split *c)
{
	struct runs runs;
	u64 *e;

	tree_leaf_range(test, t, 0, SPLIT_PA, SZ_2M, 0, RW);
	e = tree_entry(test, t, SPLIT_IOVA, 0);
	*e = (*e & ~c->clear) | c->set;
	tree_walk(test, t, &runs);
	KUNIT_ASSERT_EQ(test, runs.nr, c->runs);
	if (c->runs == 1) {
		tree_expect_run(test, &runs.run[0], 0, SZ_2M - 1, SPLIT_PA, RW);
		return;
	}
	tree_expect_run(test, &runs.run[0], 0, SPLIT_IOVA - 1, SPLIT_PA, RW);
	tree_expect_run(test, &runs.run[c->runs - 1], SPLIT_IOVA + SZ_4K,
			SZ_2M - 1, SPLIT_PA + SPLIT_IOVA + SZ_4K, RW);
	if (c->perm)
		tree_expect_run(test, &runs.run[1], SPLIT_IOVA,
				SPLIT_IOVA + SZ_4K - 1, c->pa, c->perm);
}

int tree_visit_nothing(void *priv, u64 pa, u32 level)
{
	return 0;
}

void tree_expect_bad(struct kunit *test, const struct tree *t, int err)
{
	struct tree *good = tree_new(test, 3, 1);
	struct iho_diff diff;
	struct runs runs;
	int which = -1;

	tree_walk(test, t, &runs);
	KUNIT_EXPECT_EQ(test, runs.nr, -err);
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&good->pt, &t->pt, &diff, NULL,
					       &which), -err);
	KUNIT_EXPECT_EQ(test, which, 1);
	KUNIT_EXPECT_EQ(test, iho_tree_compare(&t->pt, &t->pt, &diff, NULL,
					       &which), -err);
	KUNIT_EXPECT_EQ(test, which, 0);
}

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

struct tree *tree_new(struct kunit *test, u32 levels, u32 pages)
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
		.table = tree_read,
		.priv = t,
		.max_tables = 4 * pages,
	};
	t->pt.root_pa = tree_table_pa(t, tree_new_table(test, t));
	return t;
}

u64 *tree_entry(struct kunit *test, struct tree *t, u64 iova, u32 level)
{
	u32 at = 0;

	for (u32 l = t->pt.levels - 1; ; l--) {
		u64 *e = &t->page[at][iova >> tree_shift(l) & (ENTRIES - 1)];

		if (l == level)
			return e;
		if (!*e)
			*e = tree_table_pa(t, tree_new_table(test, t)) | SS_RW;
		at = ((*e & GENMASK_ULL(51, 12)) - tree_table_pa(t, 0)) / PAGE_SIZE;
	}
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

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: walk a page table (section 6). Levels are counted from 0 at
 * the table of 4 KiB leaves.
 *
 * VTDSS: second-stage entries of VT-d, chapters 3.7 and 9.8 of its
 * specification. There is no present bit: an entry without read and write is
 * not there. Bits that hardware ignores, memory types and accessed/dirty do
 * not count.
 */
#include "iho_internal.h"

#define ENTRIES		512u
#define ENTRIES_LG2	9u
#define PAGE_LG2	12u

#define SS_READ		0x1ull
#define SS_WRITE	0x2ull
#define SS_LARGE	0x80ull		/* leaf at level 1 or 2 */
#define SS_SNOOP	0x800ull	/* leaves only */
#define SS_ADDRESS	0x000ffffffffff000ull
#define SS_MAX_LEAF	2u		/* 1 GiB */

static u32 span_lg2(u32 level)
{
	return PAGE_LG2 + ENTRIES_LG2 * level;
}

enum entry_is {
	ENTRY_EMPTY,
	ENTRY_TABLE,
	ENTRY_LEAF,
	ENTRY_BAD,
};

static enum entry_is classify(u64 entry, u32 level, u64 *pa, u32 *perm)
{
	if (!(entry & (SS_READ | SS_WRITE)))
		return ENTRY_EMPTY;
	*pa = entry & SS_ADDRESS;
	*perm = (entry & SS_READ ? IHO_PT_READ : 0) |
		(entry & SS_WRITE ? IHO_PT_WRITE : 0);
	if (level && !(entry & SS_LARGE))
		return ENTRY_TABLE;
	if (level > SS_MAX_LEAF || *pa & ((1ull << span_lg2(level)) - 1))
		return ENTRY_BAD;
	if (entry & SS_SNOOP)
		*perm |= IHO_PT_SNOOP;
	return ENTRY_LEAF;
}

static int check_pt(const struct iho_pt *pt)
{
	if (!pt->table || !pt->max_tables ||
	    pt->max_tables > IHO_MAX_TABLE_PAGES)
		return -IHO_ERR_BADCALL;
	if (pt->format != IHO_TABLE_VTDSS || pt->levels < 3 ||
	    pt->levels > IHO_MAX_LEVELS)
		return -IHO_ERR_VALUE;
	if (pt->root_pa & ((1u << PAGE_LG2) - 1))
		return -IHO_ERR_ALIGN;
	return 0;
}

int iho_walk_init(struct iho_walk *w, const struct iho_pt *pt)
{
	memset(w, 0, sizeof(*w));
	w->pt = pt;
	w->level = -1;
	return check_pt(pt);
}

/* Go down into the table at @pa. */
static int enter(struct iho_walk *w, u32 level, u64 pa, u32 perm)
{
	if (w->tables == w->pt->max_tables)
		return -IHO_ERR_LIMIT;
	w->tables++;
	w->tbl[level] = w->pt->table(w->pt->priv, pa);
	if (!w->tbl[level])
		return -IHO_ERR_TABLE_PA;
	w->pa[level] = pa;
	w->perm[level] = (u8)perm;
	w->idx[level] = 0;
	w->level = (int)level;
	return 0;
}

/*
 * One step: look at the next entry of the current table, or leave it.
 *
 * Return: 1 with @leaf filled, 0 to go on, or an error. The walk is over when
 * the level is that of the top and its table is used up.
 */
static int step(struct iho_walk *w, struct iho_run *leaf)
{
	const u32 level = (u32)w->level;
	u64 iova = 0, pa;
	u32 perm, i;

	if (w->idx[level] == ENTRIES) {
		w->level++;
		return 0;
	}
	i = w->idx[level]++;
	switch (classify(w->tbl[level][i], level, &pa, &perm)) {
	case ENTRY_EMPTY:
		return 0;
	case ENTRY_BAD:
		return -IHO_ERR_TABLE_ENTRY;
	case ENTRY_TABLE:
		return enter(w, level - 1, pa, perm & w->perm[level]);
	case ENTRY_LEAF:
		break;
	}

	perm &= w->perm[level] | IHO_PT_SNOOP;
	if (!(perm & (IHO_PT_READ | IHO_PT_WRITE)))
		return 0;
	for (i = level; i < w->pt->levels; i++)
		iova |= (u64)(w->idx[i] - 1) << span_lg2(i);
	leaf->first_iova = iova;
	leaf->last_iova = iova + ((1ull << span_lg2(level)) - 1);
	leaf->pa = pa;
	leaf->perm = perm;
	return 1;
}

static bool follows(const struct iho_run *run, const struct iho_run *leaf)
{
	return leaf->perm == run->perm &&
	       leaf->first_iova == run->last_iova + 1 &&
	       leaf->pa == run->pa + (leaf->first_iova - run->first_iova);
}

static int fail(struct iho_walk *w, int err)
{
	w->done = true;
	w->have = false;
	w->err = err;
	return err;
}

int iho_walk_next(struct iho_walk *w, struct iho_run *run)
{
	const int top = (int)w->pt->levels - 1;
	struct iho_run leaf;
	int ret;

	if (w->level < 0 && !w->done) {
		ret = enter(w, (u32)top, w->pt->root_pa,
			    IHO_PT_READ | IHO_PT_WRITE);
		if (ret)
			return fail(w, ret);
	}
	while (!w->done) {
		if (w->level > top) {
			w->done = true;
			break;
		}
		ret = step(w, &leaf);
		if (ret < 0)
			return fail(w, ret);
		if (!ret)
			continue;
		if (w->have && follows(&w->pending, &leaf)) {
			w->pending.last_iova = leaf.last_iova;
			continue;
		}
		if (w->have) {
			*run = w->pending;
			w->pending = leaf;
			return 1;
		}
		w->pending = leaf;
		w->have = true;
	}
	if (!w->have)
		return w->err;
	*run = w->pending;
	w->have = false;
	return 1;
}

int iho_walk_tables(const struct iho_pt *pt,
		    int (*fn)(void *priv, u64 pa, u32 level), void *priv)
{
	struct iho_walk w;
	u64 pa;
	u32 level, perm;
	int ret;

	ret = iho_walk_init(&w, pt);
	if (!ret)
		ret = enter(&w, pt->levels - 1, pt->root_pa, 0);
	while (!ret && w.level < (int)pt->levels) {
		level = (u32)w.level;
		/* Tables of leaves have nothing below them. */
		if (w.idx[level] == ENTRIES || !level) {
			w.level++;
			ret = fn(priv, w.pa[level], level);
			continue;
		}
		switch (classify(w.tbl[level][w.idx[level]++], level, &pa,
				 &perm)) {
		case ENTRY_TABLE:
			ret = enter(&w, level - 1, pa, 0);
			break;
		case ENTRY_BAD:
			ret = -IHO_ERR_TABLE_ENTRY;
			break;
		default:
			break;
		}
	}
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: walk a page table of any format (section 6). Levels are
 * counted from 0 at the table of the smallest leaves.
 */
#include "iho_internal.h"

static int check_pt(const struct iho_pt *pt, const struct iho_format *f)
{
	if (!pt->table || !pt->max_tables ||
	    pt->max_tables > IHO_MAX_TABLE_PAGES)
		return -IHO_ERR_BADCALL;
	if (!f || pt->levels < f->min_levels || pt->levels > f->max_levels)
		return -IHO_ERR_VALUE;
	if (pt->root_pa & ((1ull << f->page_lg2) - 1))
		return -IHO_ERR_ALIGN;
	return 0;
}

int iho_walk_init(struct iho_walk *w, const struct iho_pt *pt)
{
	memset(w, 0, sizeof(*w));
	w->pt = pt;
	w->format = iho_format(pt->format);
	w->level = -1;
	w->counts = IHO_PT_READ | IHO_PT_WRITE | IHO_PT_SNOOP;
	return check_pt(pt, w->format);
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

/* How many entries the current table has: the top one may have fewer. */
static u32 entries(const struct iho_walk *w)
{
	const u32 level = (u32)w->level;

	return 1u << (iho_format_top_lg2(w->format, level + 1) -
		      iho_format_span_lg2(w->format, level));
}

/* Decode the next entry of the current table. */
static enum iho_entry_is next_entry(struct iho_walk *w, u64 *pa, u32 *perm)
{
	const u32 level = (u32)w->level;
	const u32 index = w->idx[level]++;
	const struct iho_slot slot = {
		.table = w->tbl[level],
		.entry = w->tbl[level][index],
		.index = index,
		.level = level,
		.levels = w->pt->levels,
	};

	/* Most entries of a sparse tree; see struct iho_format. */
	if (!slot.entry)
		return IHO_ENTRY_EMPTY;
	return w->format->decode(&slot, pa, perm);
}

/*
 * One step: look at the next entry of the current table, or leave it.
 *
 * Return: 1 with @leaf filled, 0 to go on, or an error. The walk is over when
 * the level is above that of the top.
 */
static int step(struct iho_walk *w, struct iho_run *leaf)
{
	const u32 level = (u32)w->level;
	u64 iova = 0, pa;
	u32 perm, i;

	if (w->idx[level] == entries(w)) {
		w->level++;
		return 0;
	}
	switch (next_entry(w, &pa, &perm)) {
	case IHO_ENTRY_EMPTY:
		return 0;
	case IHO_ENTRY_BAD:
		return -IHO_ERR_TABLE_ENTRY;
	case IHO_ENTRY_TABLE:
		return enter(w, level - 1, pa, perm & w->perm[level]);
	case IHO_ENTRY_LEAF:
		break;
	}

	perm &= w->perm[level] | IHO_PT_SNOOP;
	if (!(perm & (IHO_PT_READ | IHO_PT_WRITE)))
		return 0;
	for (i = level; i < w->pt->levels; i++)
		iova |= (u64)(w->idx[i] - 1) <<
			iho_format_span_lg2(w->format, i);
	leaf->first_iova = iova;
	leaf->last_iova = iova +
		((1ull << iho_format_span_lg2(w->format, level)) - 1);
	leaf->pa = pa;
	leaf->perm = perm & w->counts;
	return 1;
}

/* A leaf comes after @run, so that it is not the one of IOVA 0. */
bool iho_run_follows(const struct iho_run *run, const struct iho_run *leaf)
{
	return leaf->perm == run->perm &&
	       leaf->first_iova - 1 == run->last_iova &&
	       leaf->pa == run->pa + (leaf->first_iova - run->first_iova);
}

static int fail(struct iho_walk *w, int err)
{
	w->done = true;
	w->have = false;
	w->err = err;
	return err;
}

int iho_walk_leaf(struct iho_walk *w, struct iho_run *leaf)
{
	const int top = (int)w->pt->levels - 1;
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
		ret = step(w, leaf);
		if (ret < 0)
			return fail(w, ret);
		if (ret)
			return 1;
	}
	return w->err;
}

int iho_walk_next(struct iho_walk *w, struct iho_run *run)
{
	struct iho_run leaf;
	int ret;

	while ((ret = iho_walk_leaf(w, &leaf)) > 0) {
		if (w->have && iho_run_follows(&w->pending, &leaf)) {
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
	if (ret < 0 || !w->have)
		return ret;
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
		if (!level || w.idx[level] == entries(&w)) {
			w.level++;
			ret = fn(priv, w.pa[level], level);
			continue;
		}
		switch (next_entry(&w, &pa, &perm)) {
		case IHO_ENTRY_TABLE:
			ret = enter(&w, level - 1, pa, 0);
			break;
		case IHO_ENTRY_BAD:
			ret = -IHO_ERR_TABLE_ENTRY;
			break;
		default:
			break;
		}
	}
	return ret;
}

const u64 *iho_pt_entry(const struct iho_pt *pt, u64 iova, u32 *level)
{
	const struct iho_format *f = iho_format(pt->format);
	struct iho_slot slot = { .levels = pt->levels };
	u64 pa = pt->root_pa;
	const u64 *table;
	u32 perm;

	if (check_pt(pt, f) ||
	    (iho_format_width(f, pt->levels) < 64 &&
	     iova >> iho_format_width(f, pt->levels)))
		return NULL;
	for (slot.level = pt->levels; slot.level--;) {
		table = pt->table(pt->priv, pa);
		if (!table)
			return NULL;
		slot.index = (u32)(iova >> iho_format_span_lg2(f, slot.level)) &
			     ((1u << f->index_lg2) - 1);
		slot.table = table;
		slot.entry = table[slot.index];
		*level = slot.level;
		switch (f->decode(&slot, &pa, &perm)) {
		case IHO_ENTRY_TABLE:
			continue;
		case IHO_ENTRY_EMPTY:
			if (slot.level && !slot.entry)
				return NULL;
			return &table[slot.index];
		case IHO_ENTRY_LEAF:
		case IHO_ENTRY_BAD:
			return &table[slot.index];
		}
	}
	return NULL;
}

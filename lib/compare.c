// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: whether two page tables mean the same (section 6).
 */
#include "iho_internal.h"

struct side {
	struct iho_walk walk;
	struct iho_run run;
	bool have;
};

static int advance(struct side *s)
{
	int ret = iho_walk_next(&s->walk, &s->run);

	s->have = ret == 1;
	return ret < 0 ? ret : 0;
}

static bool holds(const struct side *s, u64 iova)
{
	return s->have && s->run.first_iova <= iova &&
	       iova <= s->run.last_iova;
}

static bool same(const struct side *a, const struct side *b)
{
	if (!a->have || !b->have)
		return a->have == b->have;
	return a->run.first_iova == b->run.first_iova &&
	       a->run.last_iova == b->run.last_iova &&
	       a->run.pa == b->run.pa && a->run.perm == b->run.perm;
}

/* Where two runs that are not the same first differ. */
static u64 first_difference(const struct side *a, const struct side *b)
{
	if (!a->have)
		return b->run.first_iova;
	if (!b->have)
		return a->run.first_iova;
	if (a->run.first_iova != b->run.first_iova)
		return a->run.first_iova < b->run.first_iova ?
		       a->run.first_iova : b->run.first_iova;
	if (a->run.pa != b->run.pa || a->run.perm != b->run.perm)
		return a->run.first_iova;
	return 1 + (a->run.last_iova < b->run.last_iova ?
		    a->run.last_iova : b->run.last_iova);
}

static int compare(struct side side[2], struct iho_diff *diff, u64 *runs,
		   int *which)
{
	int i, ret;

	for (;;) {
		for (i = 0; i < 2; i++) {
			ret = advance(&side[i]);
			if (ret) {
				*which = i;
				return ret;
			}
		}
		if (!same(&side[0], &side[1]))
			break;
		if (!side[0].have)
			return 0;
		++*runs;
	}

	diff->iova = first_difference(&side[0], &side[1]);
	for (i = 0; i < 2; i++) {
		/* The shorter run ended there; the next one may begin there. */
		if (side[i].have && side[i].run.last_iova < diff->iova) {
			ret = advance(&side[i]);
			if (ret) {
				*which = i;
				return ret;
			}
		}
	}
	diff->has_a = holds(&side[0], diff->iova);
	diff->has_b = holds(&side[1], diff->iova);
	if (diff->has_a)
		diff->a = side[0].run;
	if (diff->has_b)
		diff->b = side[1].run;
	return 1;
}

int iho_tree_compare(const struct iho_pt *a, const struct iho_pt *b,
		     struct iho_diff *diff, u64 *runs, int *which)
{
	struct side side[2];
	u64 count = 0;
	int bad = 0, i, ret;

	memset(diff, 0, sizeof(*diff));
	memset(side, 0, sizeof(side));
	ret = iho_walk_init(&side[0].walk, a);
	if (!ret) {
		ret = iho_walk_init(&side[1].walk, b);
		bad = !!ret;
	}
	/* Coherency is a bit of leaves in some formats and not in others. */
	if (!ret && a->format != b->format)
		for (i = 0; i < 2; i++)
			side[i].walk.counts &= ~IHO_PT_SNOOP;
	if (!ret)
		ret = compare(side, diff, &count, &bad);
	if (runs)
		*runs = count;
	if (ret < 0 && which)
		*which = bad;
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: arrays that grow.
 */
#include "gather.h"

int handover_refuse_memory(const char *what)
{
	return handover_refuse(-ENOMEM,
			       "out of memory for %s; free memory and load again",
			       what);
}

void *handover_vec_add(struct vec *v)
{
	void *p;
	u32 cap;

	if (v->nr == v->max) {
		handover_refuse(-EFBIG,
				"more than %u %s; preserve less", v->max, v->what);
		return ERR_PTR(-EFBIG);
	}
	if (v->nr == v->cap) {
		cap = v->cap ? 2 * v->cap : 16;
		p = kvrealloc(v->p, array_size(cap, v->size), GFP_KERNEL);
		if (!p)
			return ERR_PTR(handover_refuse_memory(v->what));
		v->p = p;
		v->cap = cap;
	}
	p = v->p + v->nr++ * v->size;
	memset(p, 0, v->size);
	return p;
}

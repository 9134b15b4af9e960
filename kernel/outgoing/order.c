// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: facts in canonical order.
 */
#include <linux/sort.h>

#include "gather.h"

static int cmp_mem(const void *a, const void *b)
{
	const struct mem_entry *x = a, *y = b;
	int c = strcmp(x->fact.session, y->fact.session);

	return c ?: cmp_int(x->fact.token, y->fact.token);
}

static int cmp_unit(const void *a, const void *b)
{
	const struct iho_unit *x = a, *y = b;

	return cmp_int(x->segment, y->segment) ?:
	       cmp_int(x->register_pa, y->register_pa);
}

static int cmp_domain(const void *a, const void *b)
{
	const struct iho_domain *x = a, *y = b;

	return cmp_int(x->unit, y->unit) ?: cmp_int(x->space, y->space) ?:
	       cmp_int(x->domain_id, y->domain_id);
}

static int cmp_device(const void *a, const void *b)
{
	const struct iho_device *x = a, *y = b;

	return cmp_int(x->segment, y->segment) ?:
	       cmp_int(x->source_id[0], y->source_id[0]);
}

u32 handover_find_table(struct gather *g, u32 ci, u32 hwpt_id)
{
	for (u32 i = 0; i < g->table.nr; i++)
		if (TABLE(g, i)->context == ci && TABLE(g, i)->hwpt_id == hwpt_id)
			return i;
	return IHO_NONE;
}

/*
 * Contexts come in order and objects by ID, hence so do tables. The others
 * are sorted; a reference is carried along by what it named.
 */
int handover_order(struct gather *g)
{
	u64 *unit_pa __free(kvfree) = NULL;
	struct iho_domain *named __free(kvfree) = NULL;
	u32 i, j;

	unit_pa = kvcalloc(g->unit.nr + 1, sizeof(*unit_pa), GFP_KERNEL);
	named = kvcalloc(g->domain.nr + 1, sizeof(*named), GFP_KERNEL);
	if (!unit_pa || !named)
		return handover_refuse(-ENOMEM,
				       "out of memory to order the facts; free memory and load again");

	sort(g->mem.p, g->mem.nr, sizeof(struct mem_entry), cmp_mem, NULL);
	for (i = 0; i < g->mem.nr; i++) {
		int rc = handover_note_inode(g, i);

		if (rc)
			return rc;
	}
	for (i = 0; i < g->unit.nr; i++)
		unit_pa[i] = UNIT(g, i)->register_pa;
	sort(g->unit.p, g->unit.nr, sizeof(struct iho_unit), cmp_unit, NULL);
	for (i = 0; i < g->unit.nr; i++) {
		for (j = 0; UNIT(g, j)->register_pa != unit_pa[i]; j++)
			;
		unit_pa[i] = j;
	}
	for (i = 0; i < g->domain.nr; i++) {
		struct domain_entry *e = &((struct domain_entry *)g->domain.p)[i];

		e->fact.table = handover_find_table(g, e->context,
						    e->fact.table);
		e->fact.unit = unit_pa[e->fact.unit];
		named[i] = e->fact;
	}
	/* By the fact, which is what an entry begins with */
	sort(g->domain.p, g->domain.nr, sizeof(struct domain_entry), cmp_domain,
	     NULL);
	for (i = 0; i < g->device.nr; i++) {
		struct iho_device *dev = DEVICE(g, i);

		dev->unit = unit_pa[dev->unit];
		if (dev->domain == IHO_NONE)
			continue;
		for (j = 0; cmp_domain(DOMAIN(g, j), &named[dev->domain]); j++)
			;
		dev->domain = j;
	}
	sort(g->device.p, g->device.nr, sizeof(struct iho_device), cmp_device,
	     NULL);
	return 0;
}

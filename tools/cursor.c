// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: cursors in the record streams of a checked image.
 *
 * The streams were accepted: records come ordered by kind, and within the
 * kinds of an IOAS by its ID. So one pass with a cursor per kind is enough to
 * put what belongs to an IOAS under it.
 */
#include "tool.h"

void cursor_next(struct cursor *c)
{
	c->have = iho_plan_next(&c->plan, &c->step) && c->step.kind == c->kind;
}

static void first(struct cursor *c, const struct iho_plan *plan, u32 kind)
{
	c->plan = *plan;
	c->kind = kind;
	iho_plan_rewind(&c->plan);
	while (iho_plan_next(&c->plan, &c->step) && c->step.kind < kind)
		;
	c->have = c->step.kind == kind;
}

void cursors_first(struct cursors *c, const struct iho_plan *plan)
{
	memset(c, 0, sizeof(*c));
	first(&c->rlimit, plan, IHO_REC_OPTION);
	first(&c->ioas, plan, IHO_REC_IOAS_ALLOC);
	first(&c->huge, plan, IHO_REC_IOAS_OPTION);
	first(&c->allow, plan, IHO_REC_ALLOW_IOVAS);
	first(&c->vfio, plan, IHO_REC_VFIO_IOAS);
	first(&c->map, plan, IHO_REC_MAP_FILE);
	first(&c->bind, plan, IHO_REC_VFIO_BIND);
	first(&c->hwpt, plan, IHO_REC_HWPT_ALLOC);
	first(&c->attach, plan, IHO_REC_ATTACH);
}

bool ioas_huge_off(const struct cursors *c, u32 ioas)
{
	return c->huge.have && c->huge.step.option.object_id == ioas;
}

bool ioas_allows(const struct cursors *c, u32 ioas)
{
	return c->allow.have && c->allow.step.allow.ioas_id == ioas;
}

bool ioas_is_vfio(const struct cursors *c, u32 ioas)
{
	return c->vfio.have && c->vfio.step.vfio_ioas.ioas_id == ioas;
}

bool ioas_maps(const struct cursors *c, u32 ioas)
{
	return c->map.have && c->map.step.map.cmd.ioas_id == ioas;
}

bool device_attached(const struct cursors *c, u32 dev_id)
{
	return c->attach.have && c->attach.step.attach.ref.dev_id == dev_id;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: records of live objects.
 *
 * A record lives as long as what it made. Objects keep the little of their ioctl
 * that their state does not tell; maps are derived from the live areas and
 * attachments from the device, so that there is no log to keep or compact.
 */
#include <linux/iommu-handover.h>
#include <uapi/linux/vfio.h>

#include "../iommufd/io_pagetable.h"
#include "drivers.h"
#include "gather.h"

static int emit(struct gather *g, u32 kind, const void *payload, u32 len,
		const void *inl, u32 inl_len)
{
	int rc;

	rc = iho_rec_append(g->buf, g->cap, &g->pos, kind, payload, len, inl,
			    inl_len);
	if (rc)
		/* Cure: report it. */
		return handover_refuse(handover_errno(rc), "record of kind %u: %s", kind,
				       iho_strerror(rc));
	if (g->records++ == IHO_MAX_RECORDS)
		return handover_refuse(-EFBIG,
				       "more than %u records in a context; map fewer, larger areas",
				       IHO_MAX_RECORDS);
	return 0;
}

static int emit_option(struct gather *g, u32 option, u32 object, u64 val)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = object,
		.val64 = val,
	};

	return emit(g, object ? IHO_REC_IOAS_OPTION : IHO_REC_OPTION, &cmd,
		    sizeof(cmd), NULL, 0);
}

static int emit_allowed(struct gather *g, struct handover_ctx *ctx,
			struct iommufd_ioas *ioas)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas->obj.id,
	};
	struct iho_range *range __free(kvfree) = NULL;
	struct iopt_allowed *it;
	u32 nr = 0;

	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return handover_refuse_busy(ctx, ioas);
	for (it = iopt_allowed_iter_first(&ioas->iopt, 0, ULONG_MAX); it;
	     it = iopt_allowed_iter_next(it, 0, ULONG_MAX))
		nr++;
	if (!nr)
		return 0;
	if (nr > IHO_MAX_ALLOWED)
		return handover_refuse_ctx(ctx, -EFBIG,
					   "IOAS %u has %u allowed ranges, more than %u; allow fewer",
					   ioas->obj.id, nr, IHO_MAX_ALLOWED);
	range = kvcalloc(nr, sizeof(*range), GFP_KERNEL);
	if (!range)
		return handover_refuse_ctx(ctx, -ENOMEM,
					   "IOAS %u: out of memory; free memory and load again",
					   ioas->obj.id);
	for (it = iopt_allowed_iter_first(&ioas->iopt, 0, ULONG_MAX); it;
	     it = iopt_allowed_iter_next(it, 0, ULONG_MAX)) {
		range[cmd.num_iovas].start = it->node.start;
		range[cmd.num_iovas++].last = it->node.last;
	}
	return emit(g, IHO_REC_ALLOW_IOVAS, &cmd, sizeof(cmd), range,
		    nr * sizeof(*range));
}

/* Find or make the group of an area. */
static int find_group(struct gather *g, struct iopt_pages *pages, u32 memory,
		      u64 shift, u32 *found)
{
	struct handover_key key = {
		.ptr = pages,
		.shift = shift,
		.memory = memory,
	};

	/* Areas hold their pages: those of one area alone are not met again */
	if (kref_read(&pages->kref) == 1) {
		*found = g->groups++;
		return 0;
	}
	*found = handover_number_of(&g->shared, &key);
	if (*found != IHO_NONE)
		return 0;
	*found = g->groups++;
	return handover_give_number(&g->shared, &key, *found);
}

static int emit_maps(struct gather *g, struct handover_ctx *ctx,
		     struct iommufd_ioas *ioas)
{
	struct iopt_area *area;
	int rc;

	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return handover_refuse_busy(ctx, ioas);
	for (area = iopt_area_iter_first(&ioas->iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		struct iopt_pages *pages = area->pages;
		struct iommu_ioas_map_file cmd = {
			.size = sizeof(cmd),
			.flags = IOMMU_IOAS_MAP_FIXED_IOVA,
			.ioas_id = ioas->obj.id,
			.fd = -1,
			.length = iopt_area_length(area),
			.iova = iopt_area_iova(area),
		};
		struct iho_map_ref ref = {
			.flags = pages->writable ? IHO_MAP_PAGES_WRITABLE : 0,
		};
		struct source src;
		u64 size;

		rc = handover_find_source(g, ctx, area, ioas->obj.id, &src);
		if (rc)
			return rc;
		ref.memory = handover_find_mem(g, ctx->session, src.inode);
		if (ref.memory == IHO_NONE)
			return handover_refuse_changing(ctx, ioas->obj.id,
							iopt_area_iova(area));
		cmd.start = src.start;
		/* Not pinned in an IOAS without HWPT: the sum may overflow */
		size = MEM(g, ref.memory)->fact.size;
		if (cmd.length > size || cmd.start > size - cmd.length)
			return handover_refuse_ctx(ctx, -EOPNOTSUPP,
						   "IOAS %u IOVA %#llx maps more than memfd token %llu holds; unmap it",
						   ioas->obj.id, cmd.iova,
						   MEM(g, ref.memory)->fact.token);
		if (area->iommu_prot & IOMMU_READ)
			cmd.flags |= IOMMU_IOAS_MAP_READABLE;
		if (area->iommu_prot & IOMMU_WRITE)
			cmd.flags |= IOMMU_IOAS_MAP_WRITEABLE;
		rc = find_group(g, pages, ref.memory,
				src.start - iopt_area_start_byte(area, cmd.iova),
				&ref.group);
		if (rc)
			return rc;
		rc = emit(g, IHO_REC_MAP_FILE, &cmd, sizeof(cmd), &ref,
			  sizeof(ref));
		if (rc)
			return rc;
	}
	return 0;
}

static int emit_bind(struct gather *g, u32 ci, struct iommufd_device *idev)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = -1,
		.out_devid = idev->obj.id,
	};
	struct iho_bind_ref ref = {};

	while (DEVICE(g, ref.device)->context != ci ||
	       DEVICE(g, ref.device)->dev_id != idev->obj.id)
		ref.device++;
	return emit(g, IHO_REC_VFIO_BIND, &cmd, sizeof(cmd), &ref, sizeof(ref));
}

/*
 * The device an HWPT can be allocated with again: the one it was allocated with
 * while that is bound, else the attached one of lowest ID. An automatic one is
 * gone when no device is attached, so its device is always the latter.
 */
static u32 hwpt_device(struct gather *g, struct iommufd_ctx *ictx, u32 ci,
		       struct iommufd_hwpt_paging *hwpt)
{
	u32 made_with = 0, attached = 0;
	struct iommufd_device *idev;

	for (u32 i = 0; i < g->device.nr; i++) {
		const struct iho_device *d = DEVICE(g, i);

		if (d->context != ci)
			continue;
		idev = container_of(xa_load(&ictx->objects, d->dev_id),
				    struct iommufd_device, obj);
		if (handover_attached(idev) == &hwpt->common &&
		    (!attached || d->dev_id < attached))
			attached = d->dev_id;
		if (idev->handover.serial == hwpt->handover.dev_serial)
			made_with = d->dev_id;
	}
	return made_with && !hwpt->auto_domain ? made_with : attached;
}

/*
 * Coherency, levels and width of an HWPT are those of the unit of the device
 * that it is allocated with. The next kernel may allocate it with any device
 * that uses it, whichever is bound first.
 */
static int check_users(struct gather *g, struct handover_ctx *ctx, u32 ci,
		       u32 table, const struct iommufd_hw_pagetable *hwpt,
		       u32 dev_id)
{
	const struct iho_device *maker = DEVICE(g, 0);
	const char *what;

	while (maker->context != ci || maker->dev_id != dev_id)
		maker++;
	for (u32 i = 0; i < g->domain.nr; i++) {
		if (DOMAIN(g, i)->table != table)
			continue;
		what = handover_differ(hwpt->domain, UNIT(g, maker->unit),
				       UNIT(g, DOMAIN(g, i)->unit));
		if (what)
			return handover_refuse_ctx(ctx, -EOPNOTSUPP,
						   "HWPT %u: device %u, which it was allocated with, and a device attached to it are behind IOMMUs that differ in %s; attach each to an HWPT of its own",
						   hwpt->obj.id, dev_id, what);
	}
	return 0;
}

static int emit_hwpt(struct gather *g, struct handover_ctx *ctx, u32 ci,
		     struct iommufd_hwpt_paging *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = hwpt->handover.flags,
		.dev_id = hwpt_device(g, ctx->ictx, ci, hwpt),
		.pt_id = hwpt->ioas->obj.id,
		.out_hwpt_id = hwpt->common.obj.id,
	};
	struct iho_hwpt_ref ref = {
		.table = handover_find_table(g, ci, hwpt->common.obj.id),
		.flags = hwpt->auto_domain ? IHO_HWPT_AUTO : 0,
	};
	int rc;

	/* There is one, or it would not have been gathered */
	if (WARN_ON_ONCE(!cmd.dev_id))
		return -EINVAL;
	rc = check_users(g, ctx, ci, ref.table, &hwpt->common, cmd.dev_id);
	if (rc)
		return rc;
	return emit(g, IHO_REC_HWPT_ALLOC, &cmd, sizeof(cmd), &ref,
		    sizeof(ref));
}

static int emit_attach(struct gather *g, struct iommufd_device *idev)
{
	struct vfio_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd) };
	struct iho_attach_ref ref = { .dev_id = idev->obj.id };
	struct iommufd_hw_pagetable *hwpt = handover_attached(idev);

	if (!hwpt)
		return 0;
	cmd.pt_id = hwpt->obj.id;
	return emit(g, IHO_REC_ATTACH, &cmd, sizeof(cmd), &ref, sizeof(ref));
}

static int emit_object(struct gather *g, struct handover_ctx *ctx, u32 ci,
		       u32 kind, struct iommufd_object *obj)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	switch (kind) {
	case IHO_REC_IOAS_ALLOC:
		alloc.out_ioas_id = obj->id;
		return emit(g, kind, &alloc, sizeof(alloc), NULL, 0);
	case IHO_REC_IOAS_OPTION:
		if (!to_ioas(obj)->iopt.disable_large_pages)
			return 0;
		return emit_option(g, IOMMU_OPTION_HUGE_PAGES, obj->id, 0);
	case IHO_REC_ALLOW_IOVAS:
		return emit_allowed(g, ctx, to_ioas(obj));
	case IHO_REC_MAP_FILE:
		return emit_maps(g, ctx, to_ioas(obj));
	case IHO_REC_VFIO_BIND:
		return emit_bind(g, ci, container_of(obj, struct iommufd_device,
						     obj));
	case IHO_REC_HWPT_ALLOC:
		return emit_hwpt(g, ctx, ci,
				 container_of(obj, struct iommufd_hwpt_paging,
					      common.obj));
	default:
		return emit_attach(g, container_of(obj, struct iommufd_device,
						   obj));
	}
}

int handover_emit_context(struct gather *g, struct handover_ctx *ctx, u32 ci)
{
	static const struct {
		u32 kind;
		enum iommufd_object_type type;
	} passes[] = {
		{ IHO_REC_IOAS_ALLOC, IOMMUFD_OBJ_IOAS },
		{ IHO_REC_IOAS_OPTION, IOMMUFD_OBJ_IOAS },
		{ IHO_REC_ALLOW_IOVAS, IOMMUFD_OBJ_IOAS },
		{ IHO_REC_VFIO_IOAS, IOMMUFD_OBJ_NONE },
		{ IHO_REC_MAP_FILE, IOMMUFD_OBJ_IOAS },
		{ IHO_REC_VFIO_BIND, IOMMUFD_OBJ_DEVICE },
		{ IHO_REC_HWPT_ALLOC, IOMMUFD_OBJ_HWPT_PAGING },
		{ IHO_REC_ATTACH, IOMMUFD_OBJ_DEVICE },
	};
	struct iho_context *c = CONTEXT(g, ci);
	struct iommufd_ctx *ictx = ctx->ictx;
	struct iommufd_object *obj;
	unsigned long index;
	int rc = 0;

	handover_numbers_init(&g->shared, IHO_MAX_RECORDS, "share groups");
	g->records = 0;
	g->groups = 0;
	c->stream_off = g->pos;
	if (ictx->account_mode == IOPT_PAGES_ACCOUNT_MM)
		rc = emit_option(g, IOMMU_OPTION_RLIMIT_MODE, 0, 1);
	for (u32 i = 0; !rc && i < ARRAY_SIZE(passes); i++) {
		if (passes[i].kind == IHO_REC_VFIO_IOAS) {
			struct iommu_vfio_ioas cmd = {
				.size = sizeof(cmd),
				.op = IOMMU_VFIO_IOAS_SET,
			};

			if (!ictx->vfio_ioas)
				continue;
			cmd.ioas_id = ictx->vfio_ioas->obj.id;
			rc = emit(g, IHO_REC_VFIO_IOAS, &cmd, sizeof(cmd), NULL,
				  0);
			continue;
		}
		for (index = 0; (obj = handover_object_from(ictx, &index)); index++) {
			if (obj->type != passes[i].type)
				continue;
			rc = emit_object(g, ctx, ci, passes[i].kind, obj);
			if (rc)
				break;
		}
	}
	handover_numbers_free(&g->shared);
	c->stream_len = g->pos - c->stream_off;
	c->records = g->records;
	return rc;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: facts of live objects, or why one cannot cross.
 */
#include <linux/iommu-handover.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>

#include "../iommufd/io_pagetable.h"
#include "drivers.h"
#include "gather.h"

static const char *object_kind(enum iommufd_object_type type)
{
	switch (type) {
	case IOMMUFD_OBJ_HWPT_NESTED:
		return "a nested HWPT";
	case IOMMUFD_OBJ_ACCESS:
		return "an access object";
	case IOMMUFD_OBJ_FAULT:
		return "a fault queue";
	case IOMMUFD_OBJ_VIOMMU:
		return "a vIOMMU";
	case IOMMUFD_OBJ_VDEVICE:
		return "a vDEVICE";
	case IOMMUFD_OBJ_VEVENTQ:
		return "a virtual event queue";
	case IOMMUFD_OBJ_HW_QUEUE:
		return "a hardware queue";
	default:
		return NULL;
	}
}

/*
 * What was refused of one object, if all refusals are to be named, and others
 * are to be looked at as well. What is gathered is worth nothing then.
 */
static int go_on(struct gather *g, int rc)
{
	if (!rc || !g->all || rc == -EAGAIN || rc == -ENOMEM || rc == -EFBIG ||
	    g->refusals == GATHER_REFUSALS)
		return rc;
	if (!g->refusals)
		g->refused = rc;
	if (++g->refusals < GATHER_REFUSALS)
		return 0;
	/* Cure (EOPNOTSUPP): check again when these are cured. */
	return handover_refuse(g->refused,
			       "more may stand in the way; cure these %u and check again",
			       GATHER_REFUSALS);
}

static int gather_memory(struct gather *g, struct handover_ctx *ctx,
			 struct iommufd_ioas *ioas, struct iopt_area *area)
{
	struct mem_entry *e;
	struct source src;
	int rc;

	rc = handover_find_source(g, ctx, area, ioas->obj.id, &src);
	if (rc)
		return rc;
	if (handover_find_mem(g, ctx->session, src.inode) != IHO_NONE)
		return 0;
	e = handover_vec_add(&g->mem);
	if (IS_ERR(e))
		return PTR_ERR(e);
	strscpy_pad(e->fact.session, liveupdate_session_name(ctx->session));
	e->fact.token = src.found.token;
	e->fact.size = i_size_read(src.inode);
	e->fact.seals = src.seals;
	e->found = src.found;
	e->session = ctx->session;
	e->inode = src.inode;
	return handover_note_inode(g, g->mem.nr - 1);
}

static int gather_ioas(struct gather *g, struct handover_ctx *ctx,
		       struct iommufd_ioas *ioas)
{
	const u32 enough = g->refusals + IOAS_REFUSALS;
	struct iopt_allowed *range;
	struct iopt_area *area;
	int rc;

	if (g->areas_known)
		return 0;
	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return handover_refuse_busy(ctx, ioas);
	for (area = iopt_area_iter_first(&ioas->iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		if (!area->pages)
			/*
			 * Cure: the loader tries again for five seconds. A map
			 * that waits for user space (userfaultfd) has to be let
			 * go.
			 */
			return handover_refuse_ctx(ctx, -EAGAIN,
						   "IOAS %u IOVA %#lx: a map is under way; try again",
						   ioas->obj.id, iopt_area_iova(area));
		g->areas++;
		g->user |= area->pages->type == IOPT_ADDRESS_USER;
		rc = go_on(g, gather_memory(g, ctx, ioas, area));
		if (rc)
			return rc;
		if (g->refusals == enough)
			/* Cure (EOPNOTSUPP): check again when these are cured. */
			return handover_refuse_ctx(ctx, g->refused,
						   "IOAS %u: more of its maps may stand in the way; cure these %u and check again",
						   ioas->obj.id, IOAS_REFUSALS);
	}
	for (range = iopt_allowed_iter_first(&ioas->iopt, 0, ULONG_MAX); range;
	     range = iopt_allowed_iter_next(range, 0, ULONG_MAX))
		g->allowed++;
	return 0;
}

static int gather_hwpt(struct gather *g, struct handover_ctx *ctx, u32 ci,
		       struct iommufd_hwpt_paging *hwpt)
{
	struct iho_table fact = {
		.context = ci,
		.hwpt_id = hwpt->common.obj.id,
	};
	struct iho_table *table;
	int rc;

	rc = handover_table(hwpt->common.domain, &fact);
	if (rc == -ENODEV)
		/*
		 * Cure: destroy it and unbind its devices. An iommufd without
		 * HWPTs and devices crosses with any IOMMU.
		 */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "HWPT %u: its IOMMU driver cannot hand over; destroy it and unbind its devices",
					   fact.hwpt_id);
	if (rc)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "HWPT %u: its page table has a format that cannot be handed over; destroy it and unbind its devices",
					   fact.hwpt_id);
	if (hwpt->enforce_cache_coherency)
		fact.attributes |= IHO_TABLE_SNOOP;
	table = handover_vec_add(&g->table);
	if (IS_ERR(table))
		return PTR_ERR(table);
	*table = fact;
	return 0;
}

static int count_device(struct device *dev, void *data)
{
	(*(unsigned int *)data)++;
	return 0;
}

static int count_alias(struct pci_dev *pdev, u16 alias, void *data)
{
	(*(unsigned int *)data)++;
	return 0;
}

static int check_device(struct handover_ctx *ctx, struct iommufd_device *idev)
{
	unsigned int devices = 0, aliases = 0;
	struct pci_dev *pdev;
	u32 id = idev->obj.id;

	if (!dev_is_pci(idev->dev) || !idev->igroup->group)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) is not a PCI device behind an IOMMU; unbind it",
					   id, dev_name(idev->dev));
	pdev = to_pci_dev(idev->dev);
	if (pdev->is_virtfn || pci_num_vf(pdev))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) uses SR-IOV, which cannot be handed over; unbind it, or disable its virtual functions",
					   id, pci_name(pdev));
	if (READ_ONCE(idev->handover.migrating))
		/*
		 * Cure: set its migration state to running; after a migration
		 * that failed, reset it first.
		 */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) is in a migration state, which cannot be handed over; set it to VFIO_DEVICE_STATE_RUNNING",
					   id, pci_name(pdev));
	if (READ_ONCE(idev->handover.logging))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) logs DMA, which cannot be handed over; stop it with VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP",
					   id, pci_name(pdev));
	if (READ_ONCE(idev->handover.token))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) was bound with a token, which cannot be handed over; bind it without one",
					   id, pci_name(pdev));
	/* ATS may be off now: a reset attaches the device again, with ATS */
	if (pci_ats_supported(pdev))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) has ATS, which cannot be handed over; boot with pci=noats",
					   id, pci_name(pdev));
	/* Aliases share the group, and another slot is what helps */
	pci_for_each_dma_alias(pdev, count_alias, &aliases);
	if (aliases != 1)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) has DMA aliases, which cannot be handed over; unbind it or use another slot",
					   id, pci_name(pdev));
	iommu_group_for_each_dev(idev->igroup->group, &devices, count_device);
	if (devices != 1)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) shares its IOMMU group with %u others; unbind it or use a slot with ACS",
					   id, pci_name(pdev), devices - 1);
	return 0;
}

/*
 * Indices are those of gathering; they are put in order, and the references
 * with them, when all is gathered.
 */
static int gather_settled(struct gather *g, struct handover_ctx *ctx, u32 ci,
			  struct iommufd_device *idev)
{
	const struct iommu_handover_objection *objection;
	struct iommufd_hw_pagetable *hwpt;
	struct iho_unit unit, *u;
	struct domain_entry *entry;
	struct iho_domain *d;
	struct iho_device *dev;
	struct pci_dev *pdev;
	u32 ui, did, ti;
	int rc;

	pdev = to_pci_dev(idev->dev);
	if (handover_unit(idev->dev, &unit))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s): its IOMMU driver cannot hand over; unbind it",
					   idev->obj.id, pci_name(pdev));
	objection = handover_objection(idev->dev, NULL);
	if (objection)
		/* Cure: what the driver says. */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) has %s, which cannot be handed over; %s",
					   idev->obj.id, pci_name(pdev),
					   objection->has, objection->cure);
	for (ui = 0; ui < g->unit.nr; ui++)
		if (UNIT(g, ui)->register_pa == unit.register_pa)
			break;
	if (ui == g->unit.nr) {
		u = handover_vec_add(&g->unit);
		if (IS_ERR(u))
			return PTR_ERR(u);
		*u = unit;
	}
	dev = handover_vec_add(&g->device);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (handover_pci_device(pdev, dev))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) is below more than %u bridges; unbind it",
					   idev->obj.id, pci_name(pdev),
					   IHO_MAX_PATH - 1);
	dev->level = IHO_LEVEL_PAUSED;
	dev->unit = ui;
	dev->domain = IHO_NONE;
	dev->context = ci;
	dev->dev_id = idev->obj.id;
	hwpt = handover_attached(idev);
	if (!hwpt)
		return 0;
	if (!hwpt_is_paging(hwpt))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) is attached to HWPT %u, which is not a paging one; attach it to a paging one",
					   idev->obj.id, pci_name(pdev), hwpt->obj.id);
	objection = handover_objection(idev->dev, hwpt->domain);
	if (objection)
		/* Cure: what the driver says. */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) on HWPT %u has %s, which cannot be handed over; %s",
					   idev->obj.id, pci_name(pdev),
					   hwpt->obj.id, objection->has,
					   objection->cure);
	if (handover_tag(idev->dev, hwpt->domain, &did))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s): HWPT %u has no domain ID on its IOMMU; attach it again",
					   idev->obj.id, pci_name(pdev), hwpt->obj.id);
	if (g->continuous) {
		rc = handover_check_stays(ctx, idev, hwpt);
		if (rc)
			return rc;
		dev->level = IHO_LEVEL_CONTINUOUS;
	}
	/* By HWPT ID for now: the table may not be gathered yet */
	ti = hwpt->obj.id;
	for (u32 i = 0; i < g->domain.nr; i++) {
		d = DOMAIN(g, i);
		/* Of one space, as there is no other yet */
		if (d->unit == ui && d->domain_id == did && !d->space) {
			dev->domain = i;
			return 0;
		}
	}
	entry = handover_vec_add(&g->domain);
	if (IS_ERR(entry))
		return PTR_ERR(entry);
	entry->context = ci;
	entry->fact.unit = ui;
	entry->fact.domain_id = did;
	entry->fact.table = ti;
	dev->domain = g->domain.nr - 1;
	return 0;
}

static int gather_device(struct gather *g, struct handover_ctx *ctx, u32 ci,
			 struct iommufd_device *idev)
{
	int rc;

	rc = check_device(ctx, idev);
	if (rc)
		return rc;
	rc = handover_lock_settled(ctx, idev, -EAGAIN);
	if (rc)
		return rc;
	/* A reset in between would give it another domain ID */
	rc = gather_settled(g, ctx, ci, idev);
	device_unlock(idev->dev);
	return rc ?: handover_check_file(ctx, idev,
					 DEVICE(g, g->device.nr - 1));
}

static int check_pasids(struct handover_ctx *ctx, struct iommufd_device *idev)
{
	unsigned long index;
	void *attach;

	xa_for_each(&idev->igroup->pasid_attach, index, attach)
		if (index != IOMMU_NO_PASID)
			return handover_refuse_ctx(ctx, -EOPNOTSUPP,
						   "device %u (%s) has PASID %lu attached, which cannot be handed over; detach it",
						   idev->obj.id, dev_name(idev->dev), index);
	return 0;
}

static int check_hwpt(struct handover_ctx *ctx, struct iommufd_hwpt_paging *hwpt)
{
	const struct iommu_handover_objection *objection;

	if (hwpt->common.fault)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "HWPT %u has a fault queue, which cannot be handed over; destroy it",
					   hwpt->common.obj.id);
	/* The flag is set after the ioctl; the driver knows the current state */
	if (hwpt->handover.dirty_tracking)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "HWPT %u has dirty tracking enabled, which cannot be handed over; disable it",
					   hwpt->common.obj.id);
	objection = handover_objection(NULL, hwpt->common.domain);
	if (objection)
		/* Cure: what the driver says. */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "HWPT %u has %s, which cannot be handed over; %s",
					   hwpt->common.obj.id, objection->has,
					   objection->cure);
	return 0;
}

/*
 * What user space asked for and can take back is named before what the
 * devices and page tables are, and objects of unknown kinds come last.
 */
static int check_asked_for(struct handover_ctx *ctx, struct iommufd_object *obj)
{
	switch (obj->type) {
	case IOMMUFD_OBJ_HWPT_PAGING:
		return check_hwpt(ctx, container_of(obj,
						    struct iommufd_hwpt_paging,
						    common.obj));
	case IOMMUFD_OBJ_DEVICE:
		return check_pasids(ctx, container_of(obj,
						      struct iommufd_device,
						      obj));
	case IOMMUFD_OBJ_IOAS:
		return 0;
	default:
		if (!object_kind(obj->type))
			return 0;
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "object %u is %s, which cannot be handed over; destroy it",
					   obj->id, object_kind(obj->type));
	}
}

static int check_known(struct handover_ctx *ctx, struct iommufd_object *obj)
{
	switch (obj->type) {
	case IOMMUFD_OBJ_IOAS:
	case IOMMUFD_OBJ_HWPT_PAGING:
	case IOMMUFD_OBJ_DEVICE:
		return 0;
	default:
		/* See check_asked_for() */
		if (object_kind(obj->type))
			return 0;
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "object %u is of an unknown kind, which cannot be handed over; destroy it",
					   obj->id);
	}
}

/* Is there a device that an HWPT can be allocated with again? See hwpt_device(). */
static int check_maker(struct handover_ctx *ctx, struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	unsigned long index;

	for (index = 0; (obj = handover_object_from(ctx->ictx, &index)); index++) {
		if (obj->type != IOMMUFD_OBJ_DEVICE)
			continue;
		idev = container_of(obj, struct iommufd_device, obj);
		if (idev->handover.serial == hwpt->handover.dev_serial ||
		    handover_attached(idev) == &hwpt->common)
			return 0;
	}
	return handover_refuse_ctx(ctx, -EOPNOTSUPP,
				   "HWPT %u: the device it was allocated with is gone and no other is attached; attach one or destroy it",
				   hwpt->common.obj.id);
}

/* Is there an object of iommufd's own selftest? Its ID is in @index then. */
static bool has_selftest(struct iommufd_ctx *ictx, unsigned long *index)
{
	struct iommufd_object *obj;

	if (!IS_ENABLED(CONFIG_IOMMUFD_TEST))
		return false;
	guard(spinlock)(&ictx->objects.xa_lock);
	xa_for_each(&ictx->objects, *index, obj)
		if (handover_is_selftest(obj))
			return true;
	return false;
}

static int check_name(struct handover_ctx *ctx, const char *name)
{
	for (; *name; name++)
		if (*name < ' ' || *name > '~')
			return handover_refuse_ctx(ctx, -EOPNOTSUPP,
						   "the name of its session is not printable ASCII; choose another");
	return 0;
}

static int check_pending(struct handover_ctx *ctx)
{
	if (!iommufd_handover_pending(&ctx->ictx->handover)) {
		if (!READ_ONCE(ctx->ictx->handover.records))
			return 0;
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "the records of the last handover could not be replayed on the iommufd; close it and build a new one");
	}
	return handover_refuse_ctx(ctx, -EBUSY,
				   "the iommufd still waits for devices of the last handover; bind them and finish its session");
}

static int check_mode(struct handover_ctx *ctx)
{
	/* Before compat, which it implies */
	if (ctx->ictx->no_iommu_mode)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "the iommufd is in no-IOMMU mode, which cannot be handed over; close its session");
	if (ctx->ictx->handover.compat)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "the iommufd was used through VFIO's type1 interface, which cannot be handed over; use the iommufd interface");
	return 0;
}

static int check_ioctls(struct handover_ctx *ctx)
{
	if (!ctx->ictx->handover.unknown)
		return 0;
	return handover_refuse_ctx(ctx, -EOPNOTSUPP,
				   "the iommufd was given ioctl %#x, which the handover of this kernel does not know; close its session",
				   ctx->ictx->handover.unknown);
}

static int check_sw_msi(struct handover_ctx *ctx)
{
	if (list_empty(&ctx->ictx->sw_msi_list))
		return 0;
	return handover_refuse_ctx(ctx, -EOPNOTSUPP,
				   "the iommufd has software MSI windows, which cannot be handed over; close its session");
}

/* What is against the whole iommufd. */
static int check_context(struct gather *g, struct handover_ctx *ctx,
			 const char *name)
{
	return go_on(g, check_name(ctx, name)) ?:
	       go_on(g, check_pending(ctx)) ?:
	       go_on(g, check_mode(ctx)) ?:
	       go_on(g, check_ioctls(ctx)) ?:
	       go_on(g, check_sw_msi(ctx));
}

int handover_gather_context(struct gather *g, struct handover_ctx *ctx, u32 ci)
{
	struct iommufd_ctx *ictx = ctx->ictx;
	struct iommufd_object *obj;
	struct iho_context *c;
	unsigned long index;
	int rc = 0;

	c = handover_vec_add(&g->context);
	if (IS_ERR(c))
		return PTR_ERR(c);
	strscpy_pad(c->session, liveupdate_session_name(ctx->session));
	c->token = ctx->token;

	rc = check_context(g, ctx, c->session);
	if (rc)
		return rc;
	for (index = 0; (obj = handover_object_from(ictx, &index)); index++) {
		rc = go_on(g, check_asked_for(ctx, obj));
		if (rc)
			return rc;
	}
	for (index = 0; (obj = handover_object_from(ictx, &index)); index++) {
		g->objects++;
		switch (obj->type) {
		case IOMMUFD_OBJ_IOAS:
			rc = gather_ioas(g, ctx,
					 container_of(obj, struct iommufd_ioas,
						      obj));
			break;
		case IOMMUFD_OBJ_HWPT_PAGING:
			rc = gather_hwpt(g, ctx, ci,
					 container_of(obj,
						      struct iommufd_hwpt_paging,
						      common.obj));
			break;
		case IOMMUFD_OBJ_DEVICE:
			rc = gather_device(g, ctx, ci,
					   container_of(obj,
							struct iommufd_device,
							obj));
			break;
		default:
			continue;
		}
		rc = go_on(g, rc);
		if (rc)
			return rc;
	}
	for (index = 0; (obj = handover_object_from(ictx, &index)); index++) {
		if (obj->type != IOMMUFD_OBJ_HWPT_PAGING)
			continue;
		rc = go_on(g, check_maker(ctx, container_of(obj,
							    struct iommufd_hwpt_paging,
							    common.obj)));
		if (rc)
			return rc;
	}
	for (index = 0; (obj = handover_object_from(ictx, &index)); index++) {
		rc = go_on(g, check_known(ctx, obj));
		if (rc)
			return rc;
	}
	if (has_selftest(ictx, &index))
		rc = handover_refuse_ctx(ctx, -EOPNOTSUPP,
					 "object %lu is of iommufd's selftest, which cannot be handed over; destroy it",
					 index);
	return go_on(g, rc);
}

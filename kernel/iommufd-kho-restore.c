// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, replay: from records to a live iommufd.
 *
 * Records that need no device are applied when LUO gives back the iommufd;
 * those that need one wait until it is bound and then run in the order: HWPTs
 * (filled, compared with the inherited page table), attach. Each half is all
 * or nothing. Every object gets the ID it had: IDs of records that wait are
 * reserved in the context.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <kunit/static_stub.h>
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/iommu-handover.h>
#include <linux/overflow.h>
#include <linux/pci.h>

#include "../iommufd/io_pagetable.h"
#include "../iommufd/iommufd_private.h"
#include "handover-private.h"

/**
 * struct replay_device - a VFIO_BIND record, and the ATTACH of that device
 * @id: its object ID
 * @pt_id: HWPT it was attached to, 0 for none
 * @done: bound and attached again
 * @fact: which device
 */
struct replay_device {
	u32 id;
	u32 pt_id;
	bool done;
	struct iho_device fact;
};

/**
 * struct replay_hwpt - an HWPT_ALLOC record
 * @id: its object ID
 * @ioas_id: IOAS that it is of
 * @dev_id: device it was allocated with, and is when no attached one comes first
 * @made_by: device whose replay made it last; it may be gone again
 * @flags: of HWPT_ALLOC
 * @is_auto: iommufd allocated it by itself
 * @done: every device that uses it is back, the inherited table given back
 * @table: the inherited table
 */
struct replay_hwpt {
	u32 id;
	u32 ioas_id;
	u32 dev_id;
	u32 made_by;
	u32 flags;
	bool is_auto;
	bool done;
	struct iho_table table;
};

/**
 * struct iommufd_replay - what of a context is still to be replayed
 * @ictx: the context
 * @index: its index in the image
 * @lock: of all below; inside of iommufd_ctx_handover::lock
 * @task: allocates an object now that gets @forced as its ID
 * @forced: 0 for the next free one
 * @pending: devices that are not done
 * @devices: length of @device
 * @hwpts: length of @hwpt
 * @device: in the order of the records
 * @hwpt: in the order of the records
 *
 * Lives as long as the context.
 */
struct iommufd_replay {
	struct iommufd_ctx *ictx;
	u32 index;
	struct mutex lock;	/* all that follows */
	struct task_struct *task;
	u32 forced;
	u32 pending;
	u32 devices, hwpts;
	struct replay_device *device;
	struct replay_hwpt *hwpt;
};

static void replay_free(struct iommufd_replay *r)
{
	if (!r)
		return;
	kvfree(r->device);
	kvfree(r->hwpt);
	mutex_destroy(&r->lock);
	kfree(r);
}

/* ---- hooks ------------------------------------------------------------- */

u32 iommufd_handover_forced_id(struct iommufd_ctx *ictx)
{
	struct iommufd_replay *r = ictx->handover.replay;

	return r && READ_ONCE(r->task) == current ? r->forced : 0;
}

bool iommufd_handover_holds_id(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_replay *r = ictx->handover.replay;
	u32 i;

	if (!r || !READ_ONCE(r->pending))
		return false;
	for (i = 0; i < r->devices; i++)
		if (r->device[i].id == id)
			return !r->device[i].done;
	for (i = 0; i < r->hwpts; i++)
		if (r->hwpt[i].id == id)
			return !r->hwpt[i].done;
	return false;
}

bool iommufd_handover_pending(struct iommufd_ctx *ictx)
{
	struct iommufd_replay *r = ictx->handover.replay;

	return r && READ_ONCE(r->pending);
}

static bool same_place(const struct iho_device *fact, struct pci_dev *pdev)
{
	return fact->segment == pci_domain_nr(pdev->bus) &&
	       fact->source_id[0] == pci_dev_id(pdev);
}

static bool same_identity(const struct iho_device *fact, struct pci_dev *pdev)
{
	return fact->vendor_device ==
		       ((u32)pdev->vendor << 16 | pdev->device) &&
	       fact->subsystem == ((u32)pdev->subsystem_vendor << 16 |
				   pdev->subsystem_device) &&
	       fact->class_revision == (pdev->class << 8 | pdev->revision);
}

int iommufd_handover_bind_begin(struct iommufd_ctx *ictx, struct device *dev)
{
	struct iommufd_replay *r;
	struct replay_device *d;
	int rc;

	rc = iommufd_handover_change_begin(&ictx->handover);
	if (rc)
		return rc;
	r = ictx->handover.replay;
	if (!r || !READ_ONCE(r->pending) || !dev_is_pci(dev))
		return 0;
	for (d = r->device; d < r->device + r->devices; d++)
		if (!d->done && same_place(&d->fact, to_pci_dev(dev)))
			break;
	if (d == r->device + r->devices)
		return 0;
	if (!same_identity(&d->fact, to_pci_dev(dev))) {
		dev_err(dev, "iommu-handover: another device than the one handed over as device %u of the iommufd sits here; not bound\n",
			d->id);
		iommufd_handover_change_end(&ictx->handover);
		return -ENODEV;
	}
	mutex_lock(&r->lock);
	/* Given up while this waited */
	if (d->done || !r->pending) {
		mutex_unlock(&r->lock);
		return 0;
	}
	if (xa_load(&ictx->objects, d->id)) {
		mutex_unlock(&r->lock);
		iommufd_handover_change_end(&ictx->handover);
		return -EBUSY;
	}
	r->forced = d->id;
	WRITE_ONCE(r->task, current);
	return 0;
}

void iommufd_handover_bind_end(struct iommufd_ctx *ictx,
			       struct iommufd_device *idev)
{
	static atomic64_t serial;
	struct iommufd_replay *r = ictx->handover.replay;

	if (idev)
		idev->handover.serial = atomic64_inc_return(&serial);
	if (r && r->task == current) {
		WRITE_ONCE(r->task, NULL);
		mutex_unlock(&r->lock);
	}
	iommufd_handover_change_end(&ictx->handover);
}

bool iommufd_handover_ctx_release(struct iommufd_ctx *ictx)
{
	/* A file whose open failed, below */
	if (!ictx)
		return true;
	if (iommufd_handover_close_begin(ictx, NULL))
		return true;
	iommufd_handover_change_end(&ictx->handover);
	if (ictx->handover.replay) {
		iho_in_clear_replay(ictx->handover.replay->index,
				    ictx->handover.replay);
		replay_free(ictx->handover.replay);
		ictx->handover.replay = NULL;
	}
	return false;
}

/* ---- records that wait for a device ------------------------------------ */

static int compare_trees(struct replay_hwpt *h, struct iommufd_hwpt_paging *hwpt,
			 char *why, size_t why_len)
{
	struct iho_table now = {};
	struct iho_pt then = {
		.format = h->table.format,
		.levels = h->table.levels,
		.root_pa = h->table.root_pa,
		.table = iho_in_table,
		.max_tables = IHO_MAX_TABLE_PAGES,
	};
	struct iho_pt rebuilt = {
		.table = iho_live_table,
		.max_tables = IHO_MAX_TABLE_PAGES,
	};
	struct iho_diff diff;
	u64 runs = 0;
	int which = 0;
	int rc;

	if (iho_vtd_table(hwpt->common.domain, &now)) {
		snprintf(why, why_len,
			 "HWPT %u: its rebuilt page table is not of a format that can be compared",
			 h->id);
		return -EOPNOTSUPP;
	}
	rebuilt.format = now.format;
	rebuilt.levels = now.levels;
	rebuilt.root_pa = now.root_pa;
	rc = iho_tree_compare(&then, &rebuilt, &diff, &runs, &which);
	iho_in_compared(!rc, runs);
	if (!rc)
		return 0;
	if (rc < 0)
		snprintf(why, why_len, "HWPT %u: %s page table: %s", h->id,
			 which ? "rebuilt" : "inherited", iho_strerror(rc));
	else if (!diff.has_a || !diff.has_b)
		snprintf(why, why_len,
			 "HWPT %u: IOVA %#llx is only in the %s page table",
			 h->id, diff.iova, diff.has_a ? "inherited" : "rebuilt");
	else
		snprintf(why, why_len,
			 "HWPT %u: IOVA %#llx is %#llx with permissions %#x in the inherited page table, %#llx with %#x in the rebuilt one",
			 h->id, diff.iova,
			 diff.a.pa + (diff.iova - diff.a.first_iova),
			 diff.a.perm,
			 diff.b.pa + (diff.iova - diff.b.first_iova),
			 diff.b.perm);
	return -EBADMSG;
}

static int make_hwpt(struct iommufd_ctx *ictx, struct replay_hwpt *h,
		     struct iommufd_device *idev, char *why, size_t why_len)
{
	struct iommufd_replay *r = ictx->handover.replay;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_get_ioas(ictx, h->ioas_id);
	if (IS_ERR(ioas)) {
		snprintf(why, why_len, "HWPT %u: its IOAS %u was destroyed",
			 h->id, h->ioas_id);
		return PTR_ERR(ioas);
	}
	mutex_lock(&ioas->mutex);
	r->forced = h->id;
	WRITE_ONCE(r->task, current);
	/* Filled first, attached later: what is compared must be complete */
	hwpt = iommufd_hwpt_paging_alloc(ictx, ioas, idev, IOMMU_NO_PASID,
					 h->flags, false, NULL);
	WRITE_ONCE(r->task, NULL);
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		snprintf(why, why_len,
			 "HWPT %u cannot be allocated for device %u: error %d",
			 h->id, idev->obj.id, rc);
		goto out;
	}
	hwpt->auto_domain = h->is_auto;
	rc = compare_trees(h, hwpt, why, why_len);
	if (rc) {
		iommufd_object_abort_and_destroy(ictx, &hwpt->common.obj);
		goto out;
	}
	iommufd_object_finalize(ictx, &hwpt->common.obj);
	h->made_by = idev->obj.id;
out:
	mutex_unlock(&ioas->mutex);
	iommufd_put_object(ictx, &ioas->obj);
	return rc;
}

/* It was allocated with this device, whichever has brought it back. */
static void note_maker(struct iommufd_ctx *ictx, const struct replay_hwpt *h,
		       struct iommufd_device *idev)
{
	struct iommufd_object *obj;

	obj = iommufd_get_object(ictx, h->id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return;
	iommufd_handover_record_hwpt(container_of(obj, struct iommufd_hwpt_paging,
						  common.obj),
				     idev, h->flags);
	iommufd_put_object(ictx, obj);
}

/* Take away again what the replay of this device made, unless it is in use. */
static void unmake_hwpts(struct iommufd_ctx *ictx, u32 dev_id)
{
	struct iommufd_replay *r = ictx->handover.replay;

	for (u32 i = r->hwpts; i-- > 0; ) {
		struct replay_hwpt *h = &r->hwpt[i];

		if (h->done || h->made_by != dev_id)
			continue;
		if (!iommufd_object_remove(ictx, NULL, h->id, 0))
			h->made_by = 0;
	}
}

static bool uses_hwpt(const struct replay_device *d,
		      const struct replay_hwpt *h)
{
	return h->dev_id == d->id || h->id == d->pt_id;
}

/*
 * An HWPT may go again with the first of its devices before the second is
 * bound: until all are back its ID stays reserved and its tree inherited.
 */
static bool still_waited_for(struct iommufd_replay *r,
			     const struct replay_hwpt *h)
{
	for (u32 i = 0; i < r->devices; i++)
		if (!r->device[i].done && uses_hwpt(&r->device[i], h))
			return true;
	return false;
}

int iommufd_handover_replay_device(struct iommufd_device *idev,
				   int (*attach)(void *data, u32 *pt_id),
				   void *data)
{
	struct iommufd_ctx *ictx = idev->ictx;
	struct iommufd_replay *r = ictx->handover.replay;
	u32 id = idev->obj.id, pt_id, i;
	struct replay_device *d;
	char why[200] = "";
	int rc;

	if (!r || !READ_ONCE(r->pending) || !dev_is_pci(idev->dev))
		return 0;
	for (d = r->device; d < r->device + r->devices; d++)
		if (d->id == id && !d->done &&
		    same_place(&d->fact, to_pci_dev(idev->dev)))
			break;
	if (d == r->device + r->devices)
		return 0;

	/* No map may change between filling a table and comparing it */
	rc = down_write_killable(&ictx->handover.lock);
	if (rc)
		return rc;
	mutex_lock(&r->lock);
	for (i = 0; !rc && r->pending && i < r->hwpts; i++)
		if (uses_hwpt(d, &r->hwpt[i]) &&
		    !xa_load(&ictx->objects, r->hwpt[i].id))
			rc = make_hwpt(ictx, &r->hwpt[i], idev, why,
				       sizeof(why));
	for (i = 0; !rc && r->pending && i < r->hwpts; i++)
		if (r->hwpt[i].dev_id == id)
			note_maker(ictx, &r->hwpt[i], idev);
	if (rc)
		unmake_hwpts(ictx, id);
	mutex_unlock(&r->lock);
	up_write(&ictx->handover.lock);

	if (!rc && d->pt_id && READ_ONCE(r->pending)) {
		pt_id = d->pt_id;
		rc = attach(data, &pt_id);
		if (rc) {
			snprintf(why, sizeof(why),
				 "device %u cannot be attached to HWPT %u: error %d",
				 id, d->pt_id, rc);
			down_read(&ictx->handover.lock);
			mutex_lock(&r->lock);
			unmake_hwpts(ictx, id);
			mutex_unlock(&r->lock);
			up_read(&ictx->handover.lock);
		}
	}
	if (rc) {
		mutex_lock(&iho_mutex);
		iho_refuse(rc, "%s is not handed over: %s", dev_name(idev->dev),
			   why);
		mutex_unlock(&iho_mutex);
		return rc;
	}

	mutex_lock(&r->lock);
	d->done = true;
	for (i = 0; i < r->hwpts; i++) {
		struct replay_hwpt *h = &r->hwpt[i];

		if (h->done || !uses_hwpt(d, h) || still_waited_for(r, h))
			continue;
		h->done = true;
		iho_in_free_tree(&h->table);
	}
	/* 0 when it was abandoned in the meantime */
	if (r->pending)
		WRITE_ONCE(r->pending, r->pending - 1);
	mutex_unlock(&r->lock);
	iho_in_device_done();
	dev_info(idev->dev, "iommu-handover: device %u is back, attached to HWPT %u\n",
		 id, d->pt_id);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_replay_device, "IOMMUFD");

void iho_replay_abandon(struct iommufd_replay *r)
{
	guard(mutex)(&r->lock);
	WRITE_ONCE(r->pending, 0);
	/* xa_release() takes back only what is reserved and not in use */
	for (u32 i = 0; i < r->hwpts; i++) {
		if (r->hwpt[i].done)
			continue;
		r->hwpt[i].done = true;
		iho_in_free_tree(&r->hwpt[i].table);
		xa_release(&r->ictx->objects, r->hwpt[i].id);
	}
	for (u32 i = 0; i < r->devices; i++) {
		if (r->device[i].done)
			continue;
		r->device[i].done = true;
		xa_release(&r->ictx->objects, r->device[i].id);
	}
}

/* ---- records that need no device --------------------------------------- */

/* Maps that share pages: one set of pages over all that is left of them. */
struct group {
	u64 start, end;		/* bytes in the file */
	bool writable;
	struct iopt_pages *pages;
};

struct apply {
	struct liveupdate_file_op_args *args;
	struct iommufd_ctx *ictx;
	struct iommufd_replay *r;
	struct group *group;
	u32 groups;
	struct file **file;	/* by index of the memory */
};

static int reserve_id(struct iommufd_ctx *ictx, u32 id)
{
	return xa_insert(&ictx->objects, id, XA_ZERO_ENTRY, GFP_KERNEL_ACCOUNT);
}

static struct iommufd_ioas *find_ioas(struct iommufd_ctx *ictx, u32 id)
{
	return container_of(xa_load(&ictx->objects, id), struct iommufd_ioas,
			    obj);
}

static int apply_ioas(struct apply *a, u32 id)
{
	struct iommufd_ioas *ioas;
	int rc;

	rc = reserve_id(a->ictx, id);
	if (rc)
		return rc;
	a->r->forced = id;
	WRITE_ONCE(a->r->task, current);
	ioas = iommufd_ioas_alloc(a->ictx);
	WRITE_ONCE(a->r->task, NULL);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	iommufd_object_finalize(a->ictx, &ioas->obj);
	return 0;
}

static int apply_allow(struct apply *a, const struct iho_step *step)
{
	struct iommufd_ioas *ioas = find_ioas(a->ictx, step->allow.ioas_id);
	struct rb_root_cached tree = RB_ROOT_CACHED;
	struct interval_tree_node *node;
	struct iopt_allowed *allowed;
	int rc = 0;

	for (u32 i = 0; i < step->allow.ranges; i++) {
		allowed = kzalloc_obj(*allowed, GFP_KERNEL_ACCOUNT);
		if (!allowed) {
			rc = -ENOMEM;
			break;
		}
		allowed->node.start = step->allow.range[i].start;
		allowed->node.last = step->allow.range[i].last;
		interval_tree_insert(&allowed->node, &tree);
	}
	if (!rc)
		rc = iopt_set_allow_iova(&ioas->iopt, &tree);
	while ((node = interval_tree_iter_first(&tree, 0, ULONG_MAX))) {
		interval_tree_remove(node, &tree);
		kfree(container_of(node, struct iopt_allowed, node));
	}
	return rc;
}

/* Of its own so that KUnit, which has no session, can stand in for LUO. */
int iho_get_incoming(struct luo_session *session, u64 token,
		     struct file **filep)
{
	KUNIT_STATIC_STUB_REDIRECT(iho_get_incoming, session, token, filep);
	return liveupdate_get_incoming(session, token, filep);
}

static int get_memory(struct apply *a, u32 index, struct file **file)
{
	struct iho_memory mem;
	int rc;

	if (!a->file[index]) {
		iho_get_memory(&iho_in.image, index, &mem);
		rc = iho_get_incoming(a->args->session, mem.token,
				      &a->file[index]);
		if (rc)
			return rc;
		rc = iho_in_pin(mem.session, mem.token, a->file[index]);
		if (rc)
			return rc;
	}
	*file = a->file[index];
	return 0;
}

static int apply_map(struct apply *a, const struct iho_step *step)
{
	struct iommufd_ioas *ioas = find_ioas(a->ictx, step->map.cmd.ioas_id);
	struct group *g = &a->group[step->map.ref.group];
	struct iopt_pages_list elm = {};
	unsigned long iova = step->map.cmd.iova;
	LIST_HEAD(list);
	struct file *file;
	int prot = IOMMU_CACHE;
	int rc;

	if (!g->pages) {
		rc = get_memory(a, step->map.ref.memory, &file);
		if (rc)
			return rc;
		g->pages = iopt_alloc_file_pages(file,
						 offset_in_page(g->start),
						 g->start, g->end - g->start,
						 g->writable);
		if (IS_ERR(g->pages)) {
			rc = PTR_ERR(g->pages);
			g->pages = NULL;
			return rc;
		}
		if (a->ictx->account_mode == IOPT_PAGES_ACCOUNT_MM &&
		    g->pages->account_mode == IOPT_PAGES_ACCOUNT_USER)
			g->pages->account_mode = IOPT_PAGES_ACCOUNT_MM;
	}
	if (step->map.cmd.flags & IOMMU_IOAS_MAP_READABLE)
		prot |= IOMMU_READ;
	if (step->map.cmd.flags & IOMMU_IOAS_MAP_WRITEABLE)
		prot |= IOMMU_WRITE;
	kref_get(&g->pages->kref);
	elm.pages = g->pages;
	elm.start_byte = step->map.cmd.start - g->pages->start;
	elm.length = step->map.cmd.length;
	list_add(&elm.next, &list);
	rc = iopt_map_pages(&ioas->iopt, &list, elm.length, &iova, prot, 0);
	if (!rc)
		return 0;
	if (elm.area) {
		if (elm.area->iopt) {
			down_write(&ioas->iopt.iova_rwsem);
			interval_tree_remove(&elm.area->node,
					     &ioas->iopt.area_itree);
			up_write(&ioas->iopt.iova_rwsem);
		}
		kfree(elm.area);
	}
	if (elm.pages)
		iopt_put_pages(elm.pages);
	return rc;
}

static int apply_wait(struct apply *a, const struct iho_step *step)
{
	struct iommufd_replay *r = a->r;
	struct replay_device *d;
	struct replay_hwpt *h;
	int rc;

	switch (step->kind) {
	case IHO_REC_VFIO_BIND:
		rc = reserve_id(a->ictx, step->bind.cmd.out_devid);
		if (rc)
			return rc;
		d = &r->device[r->devices++];
		d->id = step->bind.cmd.out_devid;
		r->pending++;
		rc = iho_get_device(&iho_in.image, step->bind.ref.device,
				    &d->fact);
		return rc ? iho_errno(rc) : 0;
	case IHO_REC_HWPT_ALLOC:
		rc = reserve_id(a->ictx, step->hwpt.cmd.out_hwpt_id);
		if (rc)
			return rc;
		h = &r->hwpt[r->hwpts++];
		h->id = step->hwpt.cmd.out_hwpt_id;
		h->ioas_id = step->hwpt.cmd.pt_id;
		h->dev_id = step->hwpt.cmd.dev_id;
		h->flags = step->hwpt.cmd.flags;
		h->is_auto = step->hwpt.ref.flags & IHO_HWPT_AUTO;
		rc = iho_get_table(&iho_in.image, step->hwpt.ref.table,
				   &h->table);
		return rc ? iho_errno(rc) : 0;
	default:
		for (d = r->device; d->id != step->attach.ref.dev_id; d++)
			;
		d->pt_id = step->attach.cmd.pt_id;
		return 0;
	}
}

int iho_apply_step(struct apply *a, const struct iho_step *step)
{
	struct iommufd_ioas *ioas;

	KUNIT_STATIC_STUB_REDIRECT(iho_apply_step, a, step);
	switch (step->kind) {
	case IHO_REC_OPTION:
		if (!capable(CAP_SYS_RESOURCE))
			return -EPERM;
		a->ictx->account_mode = IOPT_PAGES_ACCOUNT_MM;
		return 0;
	case IHO_REC_IOAS_ALLOC:
		return apply_ioas(a, step->ioas.out_ioas_id);
	case IHO_REC_IOAS_OPTION:
		ioas = find_ioas(a->ictx, step->option.object_id);
		return iopt_disable_large_pages(&ioas->iopt);
	case IHO_REC_ALLOW_IOVAS:
		return apply_allow(a, step);
	case IHO_REC_VFIO_IOAS:
		a->ictx->vfio_ioas = find_ioas(a->ictx, step->vfio_ioas.ioas_id);
		return 0;
	case IHO_REC_MAP_FILE:
		return apply_map(a, step);
	default:
		return apply_wait(a, step);
	}
}

/* What is left of each share group, before the first map of it is made. */
static void measure_groups(struct apply *a, struct iho_plan *plan)
{
	struct iho_step step;

	while (iho_plan_next(plan, &step)) {
		struct group *g;
		u64 end;

		if (step.kind != IHO_REC_MAP_FILE)
			continue;
		g = &a->group[step.map.ref.group];
		end = step.map.cmd.start + step.map.cmd.length;
		if (!g->end || step.map.cmd.start < g->start)
			g->start = step.map.cmd.start;
		g->end = max(g->end, end);
		g->writable = step.map.ref.flags & IHO_MAP_PAGES_WRITABLE;
	}
	iho_plan_rewind(plan);
}

static int apply_plan(struct liveupdate_file_op_args *args,
		      struct iommufd_ctx *ictx, struct iommufd_replay *r,
		      struct iho_plan *plan)
{
	u32 memories = iho_in.image.memories;
	struct apply a = { .args = args, .ictx = ictx, .r = r };
	struct iho_step step;
	int rc = 0;
	u32 i;

	r->device = kvcalloc(plan->devices + 1, sizeof(*r->device), GFP_KERNEL);
	r->hwpt = kvcalloc(plan->hwpts + 1, sizeof(*r->hwpt), GFP_KERNEL);
	a.group = kvcalloc(plan->groups + 1, sizeof(*a.group), GFP_KERNEL);
	a.groups = plan->groups;
	a.file = kvcalloc(memories + 1, sizeof(*a.file), GFP_KERNEL);
	if (!r->device || !r->hwpt || !a.group || !a.file) {
		rc = -ENOMEM;
		goto out;
	}
	measure_groups(&a, plan);
	while (iho_plan_next(plan, &step)) {
		rc = iho_apply_step(&a, &step);
		if (!rc)
			continue;
		mutex_lock(&iho_mutex);
		iho_refuse(rc,
			   "session \"%s\" token %llu: record %u at %#llx of kind %u cannot be replayed: error %d",
			   liveupdate_session_name(args->session), args->token,
			   step.record, step.offset, step.kind, rc);
		mutex_unlock(&iho_mutex);
		break;
	}
out:
	for (i = 0; a.group && i < a.groups; i++)
		if (a.group[i].pages)
			iopt_put_pages(a.group[i].pages);
	for (i = 0; a.file && i < memories; i++)
		if (a.file[i])
			fput(a.file[i]);
	kvfree(a.group);
	kvfree(a.file);
	return rc;
}

static struct file *new_iommufd(void)
{
	struct file *file;
	int rc;

	file = anon_inode_getfile("[iommufd]", &iommufd_fops, NULL, O_RDWR);
	if (IS_ERR(file))
		return file;
	rc = iommufd_fops.open(file_inode(file), file);
	if (rc) {
		fput(file);
		return ERR_PTR(rc);
	}
	return file;
}

/* ---- LUO ---------------------------------------------------------------- */

int iho_luo_retrieve(struct liveupdate_file_op_args *args)
{
	const char *session = liveupdate_session_name(args->session);
	struct iho_plan_source src = { .img = &iho_in.image };
	struct iommufd_replay *r;
	struct iho_context fact;
	struct iommufd_ctx *ictx;
	struct iho_where where;
	struct iho_plan plan;
	const void *map;
	struct file *file;
	u32 index;
	void *work;
	int rc;

	guard(rwsem_read)(&iho_in_rwsem);
	rc = iho_in_context(session, args->token, &index, &fact);
	if (rc)
		return rc;
	map = iho_in_map();
	work = kvzalloc(iho_plan_work(fact.records), GFP_KERNEL);
	r = kzalloc_obj(*r);
	if (!map || !work || !r) {
		kvfree(work);
		kfree(r);
		return -ENOMEM;
	}
	mutex_init(&r->lock);
	r->index = index;
	rc = iho_plan_init(&plan, &src, index, map + fact.stream_off,
			   fact.stream_len, fact.records, work,
			   iho_plan_work(fact.records), &where);
	kvfree(work);
	if (rc) {
		replay_free(r);
		guard(mutex)(&iho_mutex);
		return iho_refuse(iho_errno(rc),
				  "session \"%s\" token %llu: record %u at %#llx, %s: %s",
				  session, args->token, where.record,
				  where.offset, where.prop, iho_strerror(rc));
	}
	file = new_iommufd();
	if (IS_ERR(file)) {
		replay_free(r);
		return PTR_ERR(file);
	}
	ictx = file->private_data;
	ictx->handover.replay = r;
	r->ictx = ictx;
	rc = apply_plan(args, ictx, r, &plan);
	if (rc) {
		/* All of it goes with the file, the replay included */
		fput(file);
		return rc;
	}
	iho_in_retrieved(index);
	iho_in_set_replay(index, r);
	pr_info("session \"%s\" token %llu: replayed %u IOAS, %u maps; %u devices and %u HWPTs wait\n",
		session, args->token, plan.ioas, plan.maps, plan.devices,
		plan.hwpts);
	args->file = file;
	return 0;
}

/* Everything is unwound on failure; these may pass. */
bool iho_luo_may_retry(int err)
{
	return err == -ENOMEM || err == -ENFILE || err == -EINTR ||
	       err == -EAGAIN || err == -EPERM || err == -ERESTARTSYS;
}

/* 1 or 0, or -ENOMEM when that cannot be said. */
static int in_image(struct liveupdate_file_op_args *args, u32 *index)
{
	struct iho_context fact;
	int rc;

	rc = iho_in_context(liveupdate_session_name(args->session),
			    args->token, index, &fact);
	return rc == -ENOMEM ? rc : !rc;
}

bool iho_luo_can_finish(struct liveupdate_file_op_args *args)
{
	u32 index;

	if (args->retrieve_status > 0)
		return !iommufd_handover_pending(args->file->private_data);
	/* Failed for good, or nothing to come back: no reason to wait */
	return args->retrieve_status < 0 || in_image(args, &index) == 0;
}

void iho_luo_finish(struct liveupdate_file_op_args *args)
{
	u32 index;

	guard(rwsem_read)(&iho_in_rwsem);
	if (in_image(args, &index) != 1)
		return;
	if (args->retrieve_status <= 0)
		iho_in_drop_trees(index);
	iho_in_finished(index);
}

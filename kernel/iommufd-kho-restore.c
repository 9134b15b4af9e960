// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, replay: from records to a live iommufd.
 *
 * Records that need no device are applied when LUO gives back the iommufd, all
 * or none; those that need one are noted for rebuild.c. Every object gets the
 * ID it had.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <kunit/static_stub.h>
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/iommu-handover.h>

#include "../iommufd/io_pagetable.h"
#include "replay.h"

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

/* Of its own so that KUnit, which has no session, can take LUO's place. */
int handover_get_incoming(struct luo_session *session, u64 token,
			  struct file **filep)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_get_incoming, session, token, filep);
	return liveupdate_get_incoming(session, token, filep);
}

static int get_memory(struct apply *a, u32 index, struct file **file)
{
	struct iho_memory mem;
	int rc;

	if (!a->file[index]) {
		iho_get_memory(&handover_in.image, index, &mem);
		rc = handover_get_incoming(a->args->session, mem.token,
					   &a->file[index]);
		if (rc)
			return rc;
		/* Its pages are pinned when all are back, maybe later */
		if (i_size_read(file_inode(a->file[index])) != mem.size)
			return -EBADMSG;
	}
	*file = a->file[index];
	return 0;
}

static void measure_group(struct group *g, const struct iho_step *step)
{
	u64 end = step->map.cmd.start + step->map.cmd.length;

	if (!g->end || step->map.cmd.start < g->start)
		g->start = step->map.cmd.start;
	g->end = max(g->end, end);
	g->writable = step->map.ref.flags & IHO_MAP_PAGES_WRITABLE;
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
		if (!g->end)
			measure_group(g, step);
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
		a->ictx->handover.pending++;
		rc = iho_get_device(&handover_in.image, step->bind.ref.device,
				    &d->fact);
		return rc ? handover_errno(rc) : 0;
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
		rc = iho_get_table(&handover_in.image, step->hwpt.ref.table,
				   &h->table);
		return rc ? handover_errno(rc) : 0;
	default:
		for (d = r->device; d->id != step->attach.ref.dev_id; d++)
			;
		d->pt_id = step->attach.cmd.pt_id;
		return 0;
	}
}

int handover_apply_step(struct apply *a, const struct iho_step *step)
{
	struct iommufd_ioas *ioas;

	KUNIT_STATIC_STUB_REDIRECT(handover_apply_step, a, step);
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

	/* Each map has one of its own, which it measures itself */
	if (plan->groups == plan->maps)
		return;
	while (iho_plan_next(plan, &step))
		if (step.kind == IHO_REC_MAP_FILE)
			measure_group(&a->group[step.map.ref.group], &step);
	iho_plan_rewind(plan);
}

static int apply_plan(struct liveupdate_file_op_args *args,
		      struct iommufd_ctx *ictx, struct iommufd_replay *r,
		      struct iho_plan *plan)
{
	u32 memories = handover_in.image.memories;
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
		rc = handover_apply_step(&a, &step);
		if (!rc)
			continue;
		/*
		 * Cure (that of the record): retrieve again after ENOMEM,
		 * ENFILE, EINTR, EAGAIN or EPERM (CAP_SYS_RESOURCE is missing).
		 * Others are final: finish the session, build a new iommufd.
		 */
		handover_refuse(rc,
				"session \"%s\" token %llu: record %u at %#llx of kind %u cannot be replayed: error %d",
				liveupdate_session_name(args->session), args->token,
				step.record, step.offset, step.kind, rc);
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

static int retrieve(struct liveupdate_file_op_args *args, u32 index,
		    const struct iho_context *fact)
{
	const char *session = liveupdate_session_name(args->session);
	struct iho_plan_source src = { .img = &handover_in.image };
	struct iho_seg seg = { .len = handover_in.image.total_len };
	size_t work_len = iho_plan_work(fact->records);
	struct iommufd_replay *r;
	struct iommufd_ctx *ictx;
	char place[IHO_WHERE_LEN];
	struct iho_where where;
	struct iho_plan plan;
	struct file *file;
	void *work;
	int rc;

	seg.ptr = handover_in_map();
	work = kvzalloc(work_len, GFP_KERNEL);
	r = kzalloc_obj(*r);
	if (!seg.ptr || !work || !r) {
		kvfree(work);
		kfree(r);
		return -ENOMEM;
	}
	handover_replay_init(r, index);
	rc = iho_section_check(src.img, &seg, 1, index, &where);
	if (!rc)
		rc = iho_plan_init(&plan, &src, index,
				   seg.ptr + fact->stream_off, fact->stream_len,
				   fact->records, work, work_len, &where);
	kvfree(work);
	if (rc) {
		handover_replay_free(r);
		/* Cure: final: finish the session, build a new iommufd. */
		return handover_refuse(handover_errno(rc),
				       "session \"%s\" token %llu: %s: %s",
				       session, args->token,
				       iho_where_text(&where, place),
				       iho_strerror(rc));
	}
	file = new_iommufd();
	if (IS_ERR(file)) {
		handover_replay_free(r);
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
	handover_in_retrieved(index, r);
	pr_info("session \"%s\" token %llu: replayed %u IOAS, %u maps; %u devices and %u HWPTs wait\n",
		session, args->token, plan.ioas, plan.maps, plan.devices,
		plan.hwpts);
	args->file = file;
	return 0;
}

int handover_retrieve(struct liveupdate_file_op_args *args)
{
	struct iho_context fact;
	u32 index;
	int rc;

	rc = handover_in_take(liveupdate_session_name(args->session),
			      args->token, &index, &fact);
	if (rc)
		return rc;
	rc = retrieve(args, index, &fact);
	handover_in_put(index);
	return rc;
}

/*
 * Everything is unwound on failure; these may pass. ENOSPC is that of a memfd: there
 * was no memory for its inode.
 */
bool handover_may_retry(int err)
{
	return err == -ENOMEM || err == -ENOSPC || err == -ENFILE || err == -EINTR ||
	       err == -EAGAIN || err == -EPERM || err == -ERESTARTSYS;
}

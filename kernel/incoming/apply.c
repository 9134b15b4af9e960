// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: what a record says is made.
 */
#include <kunit/static_stub.h>
#include <linux/capability.h>
#include <linux/iommu-handover.h>
#include <linux/sched/task.h>

#include "../iommufd/io_pagetable.h"
#include "apply.h"

int handover_reserve_id(struct iommufd_ctx *ictx, u32 id)
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

	rc = handover_reserve_id(a->ictx, id);
	if (rc)
		return rc;
	/* A device may be bound meanwhile */
	scoped_guard(mutex, &a->r->lock) {
		a->r->forced = id;
		WRITE_ONCE(a->r->task, current);
		ioas = iommufd_ioas_alloc(a->ictx);
		WRITE_ONCE(a->r->task, NULL);
	}
	if (IS_ERR(ioas)) {
		/* The next attempt reserves it again */
		xa_release(&a->ictx->objects, id);
		return PTR_ERR(ioas);
	}
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

/* A worker's pages are those of who retrieved the iommufd. */
static void give_pages(struct apply *a, struct iopt_pages *pages)
{
	if (!a->task)
		return;
	put_task_struct(pages->source_task);
	pages->source_task = get_task_struct(a->task);
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
		file = a->file[step->map.ref.memory];
		if (IS_ERR(file))
			return PTR_ERR(file);
		g->pages = iopt_alloc_file_pages(file,
						 offset_in_page(g->start),
						 g->start, g->end - g->start,
						 g->writable);
		if (IS_ERR(g->pages)) {
			rc = PTR_ERR(g->pages);
			g->pages = NULL;
			return rc;
		}
		give_pages(a, g->pages);
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

static void apply_hwpt(struct apply *a, const struct iho_step *step)
{
	struct replay_hwpt *h;

	for (h = a->r->hwpt; h->id != step->hwpt.cmd.out_hwpt_id; h++)
		;
	h->ioas_id = step->hwpt.cmd.pt_id;
	h->dev_id = step->hwpt.cmd.dev_id;
	h->flags = step->hwpt.cmd.flags;
	h->is_auto = step->hwpt.ref.flags & IHO_HWPT_AUTO;
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
	case IHO_REC_HWPT_ALLOC:
		apply_hwpt(a, step);
		return 0;
	default:
		/* VFIO_BIND and ATTACH say what note_devices() has noted */
		return 0;
	}
}

void handover_measure_groups(struct apply *a)
{
	struct iho_step step;

	/* Each map has one of its own, which it measures itself */
	if (a->plan.groups == a->plan.maps)
		return;
	while (iho_plan_next(&a->plan, &step))
		if (step.kind == IHO_REC_MAP_FILE)
			measure_group(&a->group[step.map.ref.group], &step);
	iho_plan_rewind(&a->plan);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, recorder: from live iommufd contexts to records.
 *
 * A record lives and dies with what it made. Objects keep the little of their
 * ioctl that their state does not tell; maps are derived from the live areas
 * and attachments from the device, so that there is no log to keep or compact
 * and destroying an object removes its record.
 */
#include <linux/bsearch.h>
#include <linux/fcntl.h>
#include <linux/iommu-handover.h>
#include <linux/kho/abi/memfd.h>
#include <linux/mm.h>
#include <linux/memfd.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>
#include <linux/sort.h>
#include <linux/utsname.h>
#include <uapi/linux/vfio.h>

#include "../iommufd/io_pagetable.h"
#include "../iommufd/iommufd_private.h"
#include "handover-private.h"

/* The library has views of the payloads of its own; they must be the ioctls'. */
static_assert(offsetofend(struct iho_pl_option, option_id) ==
	      offsetofend(struct iommu_option, option_id));
static_assert(offsetofend(struct iho_pl_option, op) ==
	      offsetofend(struct iommu_option, op));
static_assert(offsetofend(struct iho_pl_option, object_id) ==
	      offsetofend(struct iommu_option, object_id));
static_assert(offsetofend(struct iho_pl_option, val64) ==
	      offsetofend(struct iommu_option, val64));
static_assert(offsetofend(struct iho_pl_ioas_alloc, out_ioas_id) ==
	      offsetofend(struct iommu_ioas_alloc, out_ioas_id));
static_assert(offsetofend(struct iho_pl_allow_iovas, ioas_id) ==
	      offsetofend(struct iommu_ioas_allow_iovas, ioas_id));
static_assert(offsetofend(struct iho_pl_allow_iovas, num_iovas) ==
	      offsetofend(struct iommu_ioas_allow_iovas, num_iovas));
static_assert(offsetofend(struct iho_pl_allow_iovas, allowed_iovas) ==
	      offsetofend(struct iommu_ioas_allow_iovas, allowed_iovas));
static_assert(offsetofend(struct iho_pl_vfio_ioas, ioas_id) ==
	      offsetofend(struct iommu_vfio_ioas, ioas_id));
static_assert(offsetofend(struct iho_pl_vfio_ioas, op) ==
	      offsetofend(struct iommu_vfio_ioas, op));
static_assert(offsetofend(struct iho_pl_map_file, flags) ==
	      offsetofend(struct iommu_ioas_map_file, flags));
static_assert(offsetofend(struct iho_pl_map_file, ioas_id) ==
	      offsetofend(struct iommu_ioas_map_file, ioas_id));
static_assert(offsetofend(struct iho_pl_map_file, fd) ==
	      offsetofend(struct iommu_ioas_map_file, fd));
static_assert(offsetofend(struct iho_pl_map_file, start) ==
	      offsetofend(struct iommu_ioas_map_file, start));
static_assert(offsetofend(struct iho_pl_map_file, length) ==
	      offsetofend(struct iommu_ioas_map_file, length));
static_assert(offsetofend(struct iho_pl_map_file, iova) ==
	      offsetofend(struct iommu_ioas_map_file, iova));
static_assert(offsetofend(struct iho_pl_bind, iommufd) ==
	      offsetofend(struct vfio_device_bind_iommufd, iommufd));
static_assert(offsetofend(struct iho_pl_bind, out_devid) ==
	      offsetofend(struct vfio_device_bind_iommufd, out_devid));
static_assert(offsetofend(struct iho_pl_bind, token_uuid_ptr) ==
	      offsetofend(struct vfio_device_bind_iommufd, token_uuid_ptr));
static_assert(offsetofend(struct iho_pl_hwpt_alloc, flags) ==
	      offsetofend(struct iommu_hwpt_alloc, flags));
static_assert(offsetofend(struct iho_pl_hwpt_alloc, dev_id) ==
	      offsetofend(struct iommu_hwpt_alloc, dev_id));
static_assert(offsetofend(struct iho_pl_hwpt_alloc, pt_id) ==
	      offsetofend(struct iommu_hwpt_alloc, pt_id));
static_assert(offsetofend(struct iho_pl_hwpt_alloc, out_hwpt_id) ==
	      offsetofend(struct iommu_hwpt_alloc, out_hwpt_id));
static_assert(offsetofend(struct iho_pl_hwpt_alloc, data_uptr) ==
	      offsetofend(struct iommu_hwpt_alloc, data_uptr));
static_assert(offsetofend(struct iho_pl_hwpt_alloc, fault_id) ==
	      offsetofend(struct iommu_hwpt_alloc, fault_id));
static_assert(offsetofend(struct iho_pl_attach, pt_id) ==
	      offsetofend(struct vfio_device_attach_iommufd_pt, pt_id));
static_assert(offsetofend(struct iho_pl_attach, pasid) ==
	      offsetofend(struct vfio_device_attach_iommufd_pt, pasid));
static_assert(IHO_OPTION_RLIMIT_MODE == IOMMU_OPTION_RLIMIT_MODE);
static_assert(IHO_OPTION_HUGE_PAGES == IOMMU_OPTION_HUGE_PAGES);
static_assert(IHO_OPTION_OP_SET == IOMMU_OPTION_OP_SET);
static_assert(IHO_VFIO_IOAS_SET == IOMMU_VFIO_IOAS_SET);
static_assert(IHO_MAP_FIXED_IOVA == IOMMU_IOAS_MAP_FIXED_IOVA);
static_assert(IHO_MAP_WRITEABLE == IOMMU_IOAS_MAP_WRITEABLE);
static_assert(IHO_MAP_READABLE == IOMMU_IOAS_MAP_READABLE);
static_assert(sizeof(struct iho_range) == sizeof(struct iommu_iova_range));
static_assert(IHO_SESSION_LEN == LIVEUPDATE_SESSION_NAME_LENGTH);

/* ---- hooks ----------------------------------------------------------- */

void iommufd_handover_ctx_init(struct iommufd_ctx *ictx)
{
	init_rwsem(&ictx->handover.lock);
}

int iommufd_handover_compat_begin(struct iommufd_ctx *ictx)
{
	int rc = iommufd_handover_change_begin(&ictx->handover);

	if (!rc)
		WRITE_ONCE(ictx->handover.compat, true);
	return rc;
}

void iommufd_handover_hold(struct iommufd_ctx *ictx)
{
	iommufd_ctx_get(ictx);
	down_read(&ictx->handover.lock);
}

void iommufd_handover_let_go(struct iommufd_ctx *ictx)
{
	iommufd_handover_change_end(&ictx->handover);
	iommufd_ctx_put(ictx);
}

static bool ioctl_changes(unsigned int cmd, const void *arg)
{
	switch (cmd) {
	case IOMMU_GET_HW_INFO:
	case IOMMU_HWPT_GET_DIRTY_BITMAP:
	case IOMMU_HWPT_INVALIDATE:
	case IOMMU_IOAS_CHANGE_PROCESS:
	case IOMMU_IOAS_IOVA_RANGES:
	case IOMMU_IOAS_NOIOMMU_GET_PA:
		return false;
	case IOMMU_OPTION:
		return ((const struct iommu_option *)arg)->op !=
		       IOMMU_OPTION_OP_GET;
	case IOMMU_VFIO_IOAS:
		return ((const struct iommu_vfio_ioas *)arg)->op !=
		       IOMMU_VFIO_IOAS_GET;
	default:
		return true;
	}
}

/*
 * The mock's device goes with an object of its own, and the mock takes the lock
 * of a driver for it, which is outside of ours: it calls back in under it.
 */
static bool destroys_mock(struct iommufd_ctx_handover *h, unsigned int cmd,
			  const void *arg)
{
	bool mock = false;

#ifdef CONFIG_IOMMUFD_TEST
	struct iommufd_ctx *ictx = container_of(h, struct iommufd_ctx, handover);
	struct iommufd_object *obj;

	if (cmd != IOMMU_DESTROY)
		return false;
	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, ((const struct iommu_destroy *)arg)->id);
	mock = obj && obj->type == IOMMUFD_OBJ_SELFTEST;
	xa_unlock(&ictx->objects);
#endif
	return mock;
}

int iommufd_handover_ioctl_other(struct iommufd_ctx_handover *h,
				 unsigned int cmd, const void *arg,
				 bool *locked)
{
	int rc;

	*locked = false;
	/* The mock's call comes back in through the drivers' interface */
	if (_IOC_NR(cmd) > IOMMUFD_CMD_IOAS_NOIOMMU_GET_PA ||
	    destroys_mock(h, cmd, arg))
		return READ_ONCE(h->sealed) ? -EBUSY : 0;
	if (!ioctl_changes(cmd, arg))
		return 0;
	rc = iommufd_handover_change_begin(h);
	*locked = !rc;
	return rc;
}

long iommufd_handover_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
				 unsigned long arg)
{
	long rc;

	switch (cmd) {
	case VFIO_IOMMU_MAP_DMA:
	case VFIO_IOMMU_UNMAP_DMA:
	case VFIO_SET_IOMMU:
		rc = iommufd_handover_compat_begin(ictx);
		if (rc)
			return rc;
		rc = iommufd_vfio_ioctl(ictx, cmd, arg);
		iommufd_handover_change_end(&ictx->handover);
		return rc;
	default:
		return iommufd_vfio_ioctl(ictx, cmd, arg);
	}
}

int iommufd_handover_device_sealed(struct iommufd_device *idev)
{
	return READ_ONCE(idev->ictx->handover.sealed) ? -EBUSY : 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_sealed, "IOMMUFD");

void iommufd_handover_record_hwpt(struct iommufd_hwpt_paging *hwpt,
				  struct iommufd_device *idev, u32 flags)
{
	hwpt->handover.flags = flags;
	hwpt->handover.dev_id = idev->obj.id;
	hwpt->handover.dev_serial = idev->handover.serial;
}

void iommufd_handover_dirty_tracking(struct iommufd_hwpt_paging *hwpt,
				     bool enable)
{
	WRITE_ONCE(hwpt->handover.dirty_tracking, enable);
}

/* ---- locks ----------------------------------------------------------- */

int iho_contexts_lock(struct list_head *contexts)
{
	struct iho_out_ctx *ctx;

	lockdep_assert_held(&iho_mutex);
	list_for_each_entry(ctx, contexts, list) {
		struct rw_semaphore *lock = &ctx->ictx->handover.lock;

		ctx->locked = down_write_trylock(lock);
		if (ctx->locked) {
			/* For lockdep, which counts the locks of a task */
			rwsem_release(&lock->dep_map, _RET_IP_);
			rwsem_acquire_nest(&lock->dep_map, 0, 1,
					   &iho_mutex.dep_map, _RET_IP_);
			continue;
		}
		iho_refuse(-EAGAIN,
			   "session \"%s\" token %llu: the iommufd is in the middle of a call; try again",
			   liveupdate_session_name(ctx->session), ctx->token);
		iho_contexts_unlock(contexts);
		return -EAGAIN;
	}
	return 0;
}

void iho_contexts_unlock(struct list_head *contexts)
{
	struct iho_out_ctx *ctx;

	list_for_each_entry(ctx, contexts, list) {
		if (ctx->locked)
			up_write(&ctx->ictx->handover.lock);
		ctx->locked = false;
	}
}

/* ---- gathering ------------------------------------------------------- */

/* A growing array. */
struct vec {
	void *p;
	u32 nr, cap, max;
	size_t size;
	const char *what;
};

static void *vec_add(struct vec *v)
{
	void *p;
	u32 cap;

	if (v->nr == v->max) {
		iho_refuse(-EFBIG,
			   "more than %u %s; preserve less", v->max, v->what);
		return ERR_PTR(-EFBIG);
	}
	if (v->nr == v->cap) {
		cap = v->cap ? 2 * v->cap : 16;
		p = kvrealloc(v->p, array_size(cap, v->size), GFP_KERNEL);
		if (!p) {
			iho_refuse(-ENOMEM,
				   "out of memory for %s; free memory and load again", v->what);
			return ERR_PTR(-ENOMEM);
		}
		v->p = p;
		v->cap = cap;
	}
	p = v->p + v->nr++ * v->size;
	memset(p, 0, v->size);
	return p;
}

struct mem_entry {
	struct iho_memory fact;
	struct liveupdate_found found;
	struct luo_session *session;
	struct inode *inode;
};

/**
 * struct share_group - maps that share pinned pages
 * @memory: the memfd
 * @shift: byte in the file less byte in the pages
 * @next: another group of the same pages; IHO_NONE for none
 *
 * One address range may cross mappings of several files, or of one file in
 * another order, and copies of its parts be all that is left of it.
 */
struct share_group {
	u32 memory;
	u64 shift;
	u32 next;
};

struct gather {
	struct vec mem;		/* struct mem_entry */
	struct vec unit;	/* struct iho_unit */
	struct vec table;	/* struct iho_table */
	struct vec domain;	/* struct iho_domain */
	struct vec device;	/* struct iho_device */
	struct vec context;	/* struct iho_context */
	struct vec group;	/* struct share_group, of one context */
	struct xarray inodes;	/* index in mem; a memfd is in one session only */
	u32 last_mem;		/* maps of one memfd often come in a row */
	u64 pieces;		/* looked at by pinned_elsewhere() */
	/* the streams, one behind the other */
	void *stream;
	u64 pos, cap;
	u32 records;
};

#define MEM(_g, _i)	(&((struct mem_entry *)(_g)->mem.p)[_i])
#define UNIT(_g, _i)	(&((struct iho_unit *)(_g)->unit.p)[_i])
#define TABLE(_g, _i)	(&((struct iho_table *)(_g)->table.p)[_i])
#define DOMAIN(_g, _i)	(&((struct iho_domain *)(_g)->domain.p)[_i])
#define DEVICE(_g, _i)	(&((struct iho_device *)(_g)->device.p)[_i])
#define GROUP(_g, _i)	(&((struct share_group *)(_g)->group.p)[_i])
#define CONTEXT(_g, _i)	(&((struct iho_context *)(_g)->context.p)[_i])

/* Every refusal names the context first. */
static __printf(3, 4) int refuse(struct iho_out_ctx *ctx, int err,
				 const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	iho_refuse(err, "session \"%s\" token %llu: %pV",
		   liveupdate_session_name(ctx->session), ctx->token, &vaf);
	va_end(args);
	return err;
}

/*
 * The IOVAs of an IOAS are read by calls that change nothing and may be stuck
 * in a fault, with a writer behind them: never wait for them here.
 */
static int refuse_busy(struct iho_out_ctx *ctx, struct iommufd_ioas *ioas)
{
	return refuse(ctx, -EAGAIN,
		      "IOAS %u is in the middle of a call; try again",
		      ioas->obj.id);
}

static bool is_selftest(const struct iommufd_object *obj)
{
#ifdef CONFIG_IOMMUFD_TEST
	return obj->type == IOMMUFD_OBJ_SELFTEST;
#else
	return false;
#endif
}

/*
 * The next object from @index on. The context's lock holds all of them but
 * those of iommufd's selftest, which are not looked at without the array's.
 */
static struct iommufd_object *object_from(struct iommufd_ctx *ictx,
					  unsigned long *index)
{
	struct iommufd_object *obj;

	guard(spinlock)(&ictx->objects.xa_lock);
	xa_for_each_start(&ictx->objects, *index, obj, *index)
		if (!is_selftest(obj))
			return obj;
	return NULL;
}

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

static u32 find_mem(struct gather *g, struct luo_session *session,
		    struct inode *inode)
{
	struct mem_entry *e;
	void *entry;

	if (g->last_mem < g->mem.nr) {
		e = MEM(g, g->last_mem);
		if (e->session == session && e->inode == inode)
			return g->last_mem;
	}
	entry = xa_load(&g->inodes, (unsigned long)inode);
	if (!entry || MEM(g, xa_to_value(entry))->session != session)
		return IHO_NONE;
	g->last_mem = xa_to_value(entry);
	return g->last_mem;
}

static int note_inode(struct gather *g, u32 i)
{
	int rc = xa_err(xa_store(&g->inodes, (unsigned long)MEM(g, i)->inode,
				 xa_mk_value(i), GFP_KERNEL));

	return rc ? iho_refuse(rc,
			       "out of memory for %s; free memory and load again",
			       g->mem.what) : 0;
}

/**
 * struct source - the preserved file that an area maps
 * @inode: its inode, held by LUO
 * @found: how LUO has it
 * @start: byte in the file of the area's first byte
 * @seals: F_SEAL_* that LUO noted when the file was preserved; those come back
 */
struct source {
	struct inode *inode;
	struct liveupdate_found found;
	u64 start;
	u32 seals;
};

static int source_of_file(struct gather *g, struct iho_out_ctx *ctx,
			  struct iopt_area *area, u32 ioas_id,
			  struct file *file, struct source *src)
{
	const struct memfd_luo_ser *ser;
	u32 i;

	if (!shmem_file(file))
		return refuse(ctx, -EOPNOTSUPP,
			      "IOAS %u IOVA %#lx: the mapped file is not a memfd of ordinary pages; map one that is",
			      ioas_id, iopt_area_iova(area));
	src->inode = file_inode(file);
	i = find_mem(g, ctx->session, src->inode);
	if (i != IHO_NONE) {
		src->found = MEM(g, i)->found;
		src->seals = MEM(g, i)->fact.seals;
		return 0;
	}
	if (liveupdate_find_file(ctx->session, file, &src->found))
		return refuse(ctx, -EOPNOTSUPP,
			      "IOAS %u IOVA %#lx: the mapped memfd is not preserved in this session; preserve it",
			      ioas_id, iopt_area_iova(area));
	ser = phys_to_virt(src->found.serialized_data);
	src->seals = ser->seals;
	return 0;
}

/*
 * Areas of user memory in IOASes without HWPT times areas that their pages are
 * pinned for: all other VMs wait while these are gone through.
 */
#define MAX_PIECES	IHO_MAX_RECORDS

static int refuse_pieces(struct iho_out_ctx *ctx, u32 ioas_id, u64 iova)
{
	return refuse(ctx, -EFBIG,
		      "IOAS %u IOVA %#llx: user memory is pinned in more than %u pieces; use IOMMU_IOAS_MAP_FILE",
		      ioas_id, iova, MAX_PIECES);
}

/*
 * Are all pages of an area pinned for areas of an IOAS that has an HWPT? 1, 0,
 * or -EFBIG (not noted).
 */
static int pinned_elsewhere(struct gather *g, struct iopt_area *area)
{
	unsigned long index = iopt_area_index(area);
	struct interval_tree_node *node;

	guard(mutex)(&area->pages->mutex);
	while ((node = interval_tree_iter_first(&area->pages->domains_itree,
						index, index))) {
		if (node->last >= iopt_area_last_index(area))
			return 1;
		index = node->last + 1;
		if (++g->pieces > MAX_PIECES)
			return -EFBIG;
		cond_resched();
	}
	return 0;
}

/*
 * A map by user address is as good as one of the file when the address is a
 * shared mapping of a preserved memfd, all of it and in one piece. That the
 * pinned pages are that file's is seen in the hardware tree (iho_live_verify),
 * this IOAS's or that of one it shares the pages with; without one nothing is
 * pinned and the address may mean anything by now.
 */
static int source_of_user(struct gather *g, struct iho_out_ctx *ctx,
			  struct iopt_area *area, u32 ioas_id,
			  struct source *src)
{
	unsigned long iova = iopt_area_iova(area);
	unsigned long addr = (uintptr_t)area->pages->uptr +
			     iopt_area_start_byte(area, iova);
	unsigned long end = addr + iopt_area_length(area);
	struct mm_struct *mm = area->pages->source_mm;
	struct vm_area_struct *vma;
	u64 off;
	int rc;

	rc = xa_empty(&area->iopt->domains) ? pinned_elsewhere(g, area) : 1;
	if (rc < 0)
		return refuse_pieces(ctx, ioas_id, iova);
	if (!rc)
		return refuse(ctx, -EOPNOTSUPP,
			      "IOAS %u IOVA %#lx: user memory is mapped in an IOAS without HWPT, where nothing is pinned; attach a device or use IOMMU_IOAS_MAP_FILE",
			      ioas_id, iova);
	if (!mmget_not_zero(mm))
		return refuse(ctx, -EOPNOTSUPP,
			      "IOAS %u IOVA %#lx: the process that mapped its memory is gone; use IOMMU_IOAS_MAP_FILE",
			      ioas_id, iova);
	if (!mmap_read_trylock(mm)) {
		mmput_async(mm);
		return refuse(ctx, -EAGAIN,
			      "IOAS %u IOVA %#lx: its process is changing its memory; try again",
			      ioas_id, iova);
	}
	vma = vma_lookup(mm, addr);
	if (!vma || !vma->vm_file || !(vma->vm_flags & VM_MAYSHARE) ||
	    !shmem_file(vma->vm_file)) {
		rc = refuse(ctx, -EOPNOTSUPP,
			    "IOAS %u IOVA %#lx: address %#lx is not a shared mapping of a memfd; map a preserved memfd, or use IOMMU_IOAS_MAP_FILE",
			    ioas_id, iova, addr);
		goto out;
	}
	rc = source_of_file(g, ctx, area, ioas_id, vma->vm_file, src);
	if (rc)
		goto out;
	off = ((u64)vma->vm_pgoff << PAGE_SHIFT) + (addr - vma->vm_start);
	src->start = off;
	while (vma->vm_end < end) {
		off += vma->vm_end - addr;
		addr = vma->vm_end;
		vma = vma_lookup(mm, addr);
		if (!vma || !vma->vm_file ||
		    file_inode(vma->vm_file) != src->inode ||
		    !(vma->vm_flags & VM_MAYSHARE) ||
		    (u64)vma->vm_pgoff << PAGE_SHIFT != off) {
			rc = refuse(ctx, -EOPNOTSUPP,
				    "IOAS %u IOVA %#lx: the memfd is not mapped in one piece, address %#lx differs; use IOMMU_IOAS_MAP_FILE",
				    ioas_id, iova, addr);
			goto out;
		}
	}
out:
	mmap_read_unlock(mm);
	mmput_async(mm);
	return rc;
}

static int find_source(struct gather *g, struct iho_out_ctx *ctx,
		       struct iopt_area *area, u32 ioas_id, struct source *src)
{
	unsigned long iova = iopt_area_iova(area);

	switch (area->pages->type) {
	case IOPT_ADDRESS_FILE:
		src->start = area->pages->start +
			     iopt_area_start_byte(area, iova);
		return source_of_file(g, ctx, area, ioas_id,
				      area->pages->file, src);
	case IOPT_ADDRESS_USER:
		return source_of_user(g, ctx, area, ioas_id, src);
	default:
		return refuse(ctx, -EOPNOTSUPP,
			      "IOAS %u IOVA %#lx: maps of a dma-buf cannot be handed over; unmap it",
			      ioas_id, iova);
	}
}

static int gather_memory(struct gather *g, struct iho_out_ctx *ctx,
			 struct iommufd_ioas *ioas, struct iopt_area *area)
{
	const u32 need = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	struct mem_entry *e;
	struct source src;
	int rc;

	rc = find_source(g, ctx, area, ioas->obj.id, &src);
	if (rc)
		return rc;
	if (find_mem(g, ctx->session, src.inode) != IHO_NONE)
		return 0;
	/* LUO makes the file anew, executable: there this seal implies all others */
	if (src.seals & F_SEAL_EXEC)
		return refuse(ctx, -EOPNOTSUPP,
			      "IOAS %u IOVA %#lx: memfd token %llu has the exec seal and would come back sealed against writing; make it with MFD_EXEC",
			      ioas->obj.id, iopt_area_iova(area),
			      src.found.token);
	if ((src.seals & need) != need)
		return refuse(ctx, -EOPNOTSUPP,
			      "IOAS %u IOVA %#lx: memfd token %llu lacks the grow, shrink and seal seals; add them before preserving it",
			      ioas->obj.id, iopt_area_iova(area),
			      src.found.token);
	e = vec_add(&g->mem);
	if (IS_ERR(e))
		return PTR_ERR(e);
	strscpy_pad(e->fact.session, liveupdate_session_name(ctx->session));
	e->fact.token = src.found.token;
	e->fact.size = i_size_read(src.inode);
	e->fact.seals = src.seals;
	e->found = src.found;
	e->session = ctx->session;
	e->inode = src.inode;
	return note_inode(g, g->mem.nr - 1);
}

static int gather_ioas(struct gather *g, struct iho_out_ctx *ctx,
		       struct iommufd_ioas *ioas)
{
	struct iopt_area *area;
	int rc;

	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return refuse_busy(ctx, ioas);
	for (area = iopt_area_iter_first(&ioas->iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		if (!area->pages)
			return refuse(ctx, -EAGAIN,
				      "IOAS %u IOVA %#lx: a map is under way; try again",
				      ioas->obj.id, iopt_area_iova(area));
		rc = gather_memory(g, ctx, ioas, area);
		if (rc)
			return rc;
	}
	return 0;
}

static int gather_hwpt(struct gather *g, struct iho_out_ctx *ctx, u32 ci,
		       struct iommufd_hwpt_paging *hwpt)
{
	struct iho_table fact = {
		.context = ci,
		.hwpt_id = hwpt->common.obj.id,
	};
	struct iho_table *table;
	int rc;

	rc = iho_vtd_table(hwpt->common.domain, &fact);
	if (rc == -ENODEV)
		return refuse(ctx, -EOPNOTSUPP,
			      "HWPT %u: its IOMMU driver cannot hand over; destroy it and unbind its devices",
			      fact.hwpt_id);
	if (rc)
		return refuse(ctx, -EOPNOTSUPP,
			      "HWPT %u: its page table is not VT-d second stage, the only format that can be handed over; allocate it as a nesting parent",
			      fact.hwpt_id);
	table = vec_add(&g->table);
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

static int check_device(struct iho_out_ctx *ctx, struct iommufd_device *idev)
{
	unsigned int devices = 0, aliases = 0;
	struct pci_dev *pdev;
	u32 id = idev->obj.id;

	if (!dev_is_pci(idev->dev) || !idev->igroup->group)
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s) is not a PCI device behind an IOMMU; unbind it",
			      id, dev_name(idev->dev));
	pdev = to_pci_dev(idev->dev);
	if (pdev->is_virtfn || pci_num_vf(pdev))
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s) uses SR-IOV, which cannot be handed over; unbind it, or disable its virtual functions",
			      id, pci_name(pdev));
	/* A reset may enable what is not: it attaches the device anew */
	if (pci_ats_supported(pdev))
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s) has ATS, which cannot be handed over; boot with pci=noats",
			      id, pci_name(pdev));
	/* Aliases share the group, and another slot is what helps */
	pci_for_each_dma_alias(pdev, count_alias, &aliases);
	if (aliases != 1)
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s) has DMA aliases, which cannot be handed over; unbind it or use another slot",
			      id, pci_name(pdev));
	iommu_group_for_each_dev(idev->igroup->group, &devices, count_device);
	if (devices != 1)
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s) shares its IOMMU group with %u others; unbind it or use a slot with ACS",
			      id, pci_name(pdev), devices - 1);
	return 0;
}

/*
 * Who takes a device away or resets it holds its lock meanwhile: an unbind for
 * as long as user space has the device open, and the jump, which shuts devices
 * down, would wait for it without end.
 */
static int lock_settled(struct iho_out_ctx *ctx, struct iommufd_device *idev,
			int err)
{
	if (!device_trylock(idev->dev))
		return refuse(ctx, err,
			      "device %u (%s) is being unbound or reset; close it or try again",
			      idev->obj.id, dev_name(idev->dev));
	return 0;
}

/* The HWPT that a device is attached to, or NULL. */
static struct iommufd_hw_pagetable *attached_hwpt(struct iommufd_device *idev)
{
	struct iommu_attach_handle *handle;

	handle = iommu_attach_handle_get(idev->igroup->group, IOMMU_NO_PASID, 0);
	if (IS_ERR_OR_NULL(handle))
		return NULL;
	return handle->domain->iommufd_hwpt;
}

/*
 * Indices are those of gathering; they are put in order, and the references
 * with them, when all is gathered.
 */
static int gather_settled(struct gather *g, struct iho_out_ctx *ctx, u32 ci,
			  struct iommufd_device *idev)
{
	struct iommufd_hw_pagetable *hwpt;
	struct iho_unit unit, *u;
	struct iho_domain *d;
	struct iho_device *dev;
	struct pci_dev *pdev;
	u32 ui, did, ti;

	pdev = to_pci_dev(idev->dev);
	if (iho_vtd_unit(idev->dev, &unit))
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s): its IOMMU driver cannot hand over; unbind it",
			      idev->obj.id, pci_name(pdev));
	for (ui = 0; ui < g->unit.nr; ui++)
		if (UNIT(g, ui)->register_pa == unit.register_pa)
			break;
	if (ui == g->unit.nr) {
		u = vec_add(&g->unit);
		if (IS_ERR(u))
			return PTR_ERR(u);
		*u = unit;
	}
	dev = vec_add(&g->device);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	*dev = (struct iho_device) {
		.level = IHO_LEVEL_PAUSED,
		.segment = pci_domain_nr(pdev->bus),
		.source_id = { pci_dev_id(pdev) },
		.source_ids = 1,
		.vendor_device = (u32)pdev->vendor << 16 | pdev->device,
		.subsystem = (u32)pdev->subsystem_vendor << 16 |
			     pdev->subsystem_device,
		.class_revision = pdev->class << 8 | pdev->revision,
		.unit = ui,
		.domain = IHO_NONE,
		.context = ci,
		.dev_id = idev->obj.id,
	};
	hwpt = attached_hwpt(idev);
	if (!hwpt)
		return 0;
	if (!hwpt_is_paging(hwpt))
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s) is attached to HWPT %u, which is not a paging one; attach it to a paging one",
			      idev->obj.id, pci_name(pdev), hwpt->obj.id);
	if (iho_vtd_domain_id(idev->dev, hwpt->domain, &did))
		return refuse(ctx, -EOPNOTSUPP,
			      "device %u (%s): HWPT %u has no domain ID on its IOMMU; attach it again",
			      idev->obj.id, pci_name(pdev), hwpt->obj.id);
	/* By HWPT ID for now: the table may not be gathered yet */
	ti = hwpt->obj.id;
	for (u32 i = 0; i < g->domain.nr; i++) {
		d = DOMAIN(g, i);
		if (d->unit == ui && d->domain_id == did) {
			dev->domain = i;
			return 0;
		}
	}
	d = vec_add(&g->domain);
	if (IS_ERR(d))
		return PTR_ERR(d);
	d->unit = ui;
	d->domain_id = did;
	d->table = ti;
	d->reserved = ci;
	dev->domain = g->domain.nr - 1;
	return 0;
}

static int gather_device(struct gather *g, struct iho_out_ctx *ctx, u32 ci,
			 struct iommufd_device *idev)
{
	int rc;

	rc = check_device(ctx, idev);
	if (rc)
		return rc;
	rc = lock_settled(ctx, idev, -EAGAIN);
	if (rc)
		return rc;
	/* A reset in between would give it another domain ID */
	rc = gather_settled(g, ctx, ci, idev);
	device_unlock(idev->dev);
	return rc;
}

static int check_pasids(struct iho_out_ctx *ctx, struct iommufd_device *idev)
{
	unsigned long index;
	void *attach;

	xa_for_each(&idev->igroup->pasid_attach, index, attach)
		if (index != IOMMU_NO_PASID)
			return refuse(ctx, -EOPNOTSUPP,
				      "device %u (%s) has PASID %lu attached, which cannot be handed over; detach it",
				      idev->obj.id, dev_name(idev->dev), index);
	return 0;
}

static int check_hwpt(struct iho_out_ctx *ctx, struct iommufd_hwpt_paging *hwpt)
{
	if (hwpt->common.fault)
		return refuse(ctx, -EOPNOTSUPP,
			      "HWPT %u has a fault queue, which cannot be handed over; destroy it",
			      hwpt->common.obj.id);
	/* VT-d knows better than the last call that ended */
	if (hwpt->handover.dirty_tracking ||
	    iho_vtd_dirty_tracking(hwpt->common.domain))
		return refuse(ctx, -EOPNOTSUPP,
			      "HWPT %u has dirty tracking enabled, which cannot be handed over; disable it",
			      hwpt->common.obj.id);
	return 0;
}

/*
 * What user space asked for and can take back is named before what the
 * devices and page tables are, and what has no name comes last.
 */
static int check_asked_for(struct iho_out_ctx *ctx, struct iommufd_object *obj)
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
		return refuse(ctx, -EOPNOTSUPP,
			      "object %u is %s, which cannot be handed over; destroy it",
			      obj->id, object_kind(obj->type));
	}
}

static int check_known(struct iho_out_ctx *ctx, struct iommufd_object *obj)
{
	switch (obj->type) {
	case IOMMUFD_OBJ_IOAS:
	case IOMMUFD_OBJ_HWPT_PAGING:
	case IOMMUFD_OBJ_DEVICE:
		return 0;
	default:
		return refuse(ctx, -EOPNOTSUPP,
			      "object %u is of an unknown kind, which cannot be handed over; destroy it",
			      obj->id);
	}
}

/* Is there an object of iommufd's own selftest? Its ID is in @index then. */
static bool has_selftest(struct iommufd_ctx *ictx, unsigned long *index)
{
	struct iommufd_object *obj;

	if (!IS_ENABLED(CONFIG_IOMMUFD_TEST))
		return false;
	guard(spinlock)(&ictx->objects.xa_lock);
	xa_for_each(&ictx->objects, *index, obj)
		if (is_selftest(obj))
			return true;
	return false;
}

static int gather_context(struct gather *g, struct iho_out_ctx *ctx, u32 ci)
{
	struct iommufd_ctx *ictx = ctx->ictx;
	struct iommufd_object *obj;
	struct iho_context *c;
	unsigned long index;
	const char *name;
	int rc;

	c = vec_add(&g->context);
	if (IS_ERR(c))
		return PTR_ERR(c);
	strscpy_pad(c->session, liveupdate_session_name(ctx->session));
	c->token = ctx->token;

	for (name = c->session; *name; name++)
		if (*name < ' ' || *name > '~')
			return refuse(ctx, -EOPNOTSUPP,
				      "the name of its session is not printable ASCII; choose another");
	if (iommufd_handover_pending(ictx))
		return refuse(ctx, -EBUSY,
			      "the iommufd still waits for devices of the last handover; bind them and finish its session");
	/* Set through the type1 interface, and it says more */
	if (ictx->no_iommu_mode)
		return refuse(ctx, -EOPNOTSUPP,
			      "the iommufd is in no-IOMMU mode, which cannot be handed over; close its session");
	if (ictx->handover.compat)
		return refuse(ctx, -EOPNOTSUPP,
			      "the iommufd was used through VFIO's type1 interface, which cannot be handed over; use the iommufd interface");
	if (!list_empty(&ictx->sw_msi_list))
		return refuse(ctx, -EOPNOTSUPP,
			      "the iommufd has software MSI windows, which cannot be handed over; close its session");
	for (index = 0; (obj = object_from(ictx, &index)); index++) {
		rc = check_asked_for(ctx, obj);
		if (rc)
			return rc;
	}
	for (index = 0; (obj = object_from(ictx, &index)); index++) {
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
		if (rc)
			return rc;
	}
	for (index = 0; (obj = object_from(ictx, &index)); index++) {
		rc = check_known(ctx, obj);
		if (rc)
			return rc;
	}
	if (has_selftest(ictx, &index))
		return refuse(ctx, -EOPNOTSUPP,
			      "object %lu is of iommufd's selftest, which cannot be handed over; destroy it",
			      index);
	return 0;
}

int iho_devices_settled(struct list_head *contexts, int err)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	struct iho_out_ctx *ctx;
	unsigned long index;
	int rc;

	lockdep_assert_held(&iho_mutex);
	list_for_each_entry(ctx, contexts, list) {
		for (index = 0; (obj = object_from(ctx->ictx, &index)); index++) {
			if (obj->type != IOMMUFD_OBJ_DEVICE)
				continue;
			idev = container_of(obj, struct iommufd_device, obj);
			rc = lock_settled(ctx, idev, err);
			if (rc)
				return rc;
			device_unlock(idev->dev);
		}
	}
	return 0;
}

/* ---- canonical order ------------------------------------------------- */

static int cmp_u64(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

static int cmp_mem(const void *a, const void *b)
{
	const struct mem_entry *x = a, *y = b;
	int c = strcmp(x->fact.session, y->fact.session);

	return c ?: cmp_u64(x->fact.token, y->fact.token);
}

static int cmp_unit(const void *a, const void *b)
{
	const struct iho_unit *x = a, *y = b;

	return cmp_u64(x->segment, y->segment) ?:
	       cmp_u64(x->register_pa, y->register_pa);
}

static int cmp_domain(const void *a, const void *b)
{
	const struct iho_domain *x = a, *y = b;

	return cmp_u64(x->unit, y->unit) ?:
	       cmp_u64(x->domain_id, y->domain_id);
}

static int cmp_device(const void *a, const void *b)
{
	const struct iho_device *x = a, *y = b;

	return cmp_u64(x->segment, y->segment) ?:
	       cmp_u64(x->source_id[0], y->source_id[0]);
}

static u32 find_table(struct gather *g, u32 ci, u32 hwpt_id)
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
static int put_in_order(struct gather *g)
{
	u64 *unit_pa __free(kvfree) = NULL;
	u64 *dom_key __free(kvfree) = NULL;
	u32 i, j;

	unit_pa = kvcalloc(g->unit.nr + 1, sizeof(*unit_pa), GFP_KERNEL);
	dom_key = kvcalloc(g->domain.nr + 1, sizeof(*dom_key), GFP_KERNEL);
	if (!unit_pa || !dom_key)
		return iho_refuse(-ENOMEM,
				  "out of memory to order the facts; free memory and load again");

	sort(g->mem.p, g->mem.nr, sizeof(struct mem_entry), cmp_mem, NULL);
	for (i = 0; i < g->mem.nr; i++) {
		int rc = note_inode(g, i);

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
		struct iho_domain *d = DOMAIN(g, i);

		d->table = find_table(g, d->reserved, d->table);
		d->reserved = 0;
		d->unit = unit_pa[d->unit];
		dom_key[i] = (u64)d->unit << 32 | d->domain_id;
	}
	sort(g->domain.p, g->domain.nr, sizeof(struct iho_domain), cmp_domain,
	     NULL);
	for (i = 0; i < g->device.nr; i++) {
		struct iho_device *dev = DEVICE(g, i);

		dev->unit = unit_pa[dev->unit];
		if (dev->domain == IHO_NONE)
			continue;
		for (j = 0; ; j++) {
			struct iho_domain *d = DOMAIN(g, j);

			if (((u64)d->unit << 32 | d->domain_id) ==
			    dom_key[dev->domain])
				break;
		}
		dev->domain = j;
	}
	sort(g->device.p, g->device.nr, sizeof(struct iho_device), cmp_device,
	     NULL);
	return 0;
}

/* ---- records --------------------------------------------------------- */

static int emit(struct gather *g, u32 kind, const void *payload, u32 len,
		const void *inl, u32 inl_len)
{
	int rc;

	/* Without a buffer it would only measure */
	rc = -IHO_ERR_NOSPACE;
	if (g->stream)
		rc = iho_rec_append(g->stream, g->cap, &g->pos, kind, payload,
				    len, inl, inl_len);
	if (rc == -IHO_ERR_NOSPACE) {
		u64 cap = max(2 * g->cap, g->pos + IHO_MAX_RECORD_LEN);
		void *p = kvrealloc(g->stream, cap, GFP_KERNEL);

		if (!p)
			return iho_refuse(-ENOMEM,
					  "out of memory for records; free memory and load again");
		g->stream = p;
		g->cap = cap;
		rc = iho_rec_append(g->stream, g->cap, &g->pos, kind, payload,
				    len, inl, inl_len);
	}
	if (rc)
		return iho_refuse(iho_errno(rc), "record of kind %u: %s", kind,
				  iho_strerror(rc));
	if (g->records++ == IHO_MAX_RECORDS)
		return iho_refuse(-EFBIG,
				  "more than %u records in a context; map fewer, larger areas",
				  IHO_MAX_RECORDS);
	return 0;
}

static struct iommufd_ioas *to_ioas(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_ioas, obj);
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

static int emit_allowed(struct gather *g, struct iho_out_ctx *ctx,
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
		return refuse_busy(ctx, ioas);
	for (it = iopt_allowed_iter_first(&ioas->iopt, 0, ULONG_MAX); it;
	     it = iopt_allowed_iter_next(it, 0, ULONG_MAX))
		nr++;
	if (!nr)
		return 0;
	if (nr > IHO_MAX_ALLOWED)
		return refuse(ctx, -EFBIG,
			      "IOAS %u has %u allowed ranges, more than %u; allow fewer",
			      ioas->obj.id, nr, IHO_MAX_ALLOWED);
	range = kvcalloc(nr, sizeof(*range), GFP_KERNEL);
	if (!range)
		return refuse(ctx, -ENOMEM,
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

/* Find or make the group of an area; @first is the first one of its pages. */
static int find_group(struct gather *g, struct xarray *first,
		      struct iopt_pages *pages, u32 memory, u64 shift,
		      u32 *found)
{
	void *entry = xa_load(first, (unsigned long)pages);
	u32 i = entry ? xa_to_value(entry) : IHO_NONE;
	u32 head = i;
	struct share_group *group;
	int rc;

	for (; i != IHO_NONE; i = GROUP(g, i)->next) {
		if (GROUP(g, i)->memory != memory || GROUP(g, i)->shift != shift)
			continue;
		*found = i;
		return 0;
	}
	group = vec_add(&g->group);
	if (IS_ERR(group))
		return PTR_ERR(group);
	*found = g->group.nr - 1;
	*group = (struct share_group) {
		.memory = memory,
		.shift = shift,
		.next = head,
	};
	rc = xa_err(xa_store(first, (unsigned long)pages, xa_mk_value(*found),
			     GFP_KERNEL));
	return rc ? iho_refuse(rc,
			       "out of memory for %s; free memory and load again",
			       g->group.what) : 0;
}

static int emit_maps(struct gather *g, struct iho_out_ctx *ctx,
		     struct iommufd_ioas *ioas, struct xarray *groups)
{
	struct iopt_area *area;
	int rc;

	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return refuse_busy(ctx, ioas);
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

		rc = find_source(g, ctx, area, ioas->obj.id, &src);
		if (rc)
			return rc;
		ref.memory = find_mem(g, ctx->session, src.inode);
		if (ref.memory == IHO_NONE)
			return refuse(ctx, -EAGAIN,
				      "IOAS %u IOVA %#lx: its process is changing its memory; try again",
				      ioas->obj.id, iopt_area_iova(area));
		cmd.start = src.start;
		/* Of an IOAS without HWPT: a sum may wrap */
		size = MEM(g, ref.memory)->fact.size;
		if (cmd.length > size || cmd.start > size - cmd.length)
			return refuse(ctx, -EOPNOTSUPP,
				      "IOAS %u IOVA %#llx maps more than memfd token %llu holds; unmap it",
				      ioas->obj.id, cmd.iova,
				      MEM(g, ref.memory)->fact.token);
		if (area->iommu_prot & IOMMU_READ)
			cmd.flags |= IOMMU_IOAS_MAP_READABLE;
		if (area->iommu_prot & IOMMU_WRITE)
			cmd.flags |= IOMMU_IOAS_MAP_WRITEABLE;
		rc = find_group(g, groups, pages, ref.memory,
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
static u32 hwpt_device(struct iommufd_ctx *ictx,
		       struct iommufd_hwpt_paging *hwpt)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	u32 made_with = 0, attached = 0;
	unsigned long index;

	for (index = 0; (obj = object_from(ictx, &index)); index++) {
		if (obj->type != IOMMUFD_OBJ_DEVICE)
			continue;
		idev = container_of(obj, struct iommufd_device, obj);
		if (!attached && attached_hwpt(idev) == &hwpt->common)
			attached = obj->id;
		if (idev->handover.serial == hwpt->handover.dev_serial)
			made_with = obj->id;
	}
	return made_with && !hwpt->auto_domain ? made_with : attached;
}

static int emit_hwpt(struct gather *g, struct iho_out_ctx *ctx, u32 ci,
		     struct iommufd_hwpt_paging *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = hwpt->handover.flags,
		.dev_id = hwpt_device(ctx->ictx, hwpt),
		.pt_id = hwpt->ioas->obj.id,
		.out_hwpt_id = hwpt->common.obj.id,
	};
	struct iho_hwpt_ref ref = {
		.table = find_table(g, ci, hwpt->common.obj.id),
		.flags = hwpt->auto_domain ? IHO_HWPT_AUTO : 0,
	};

	if (!cmd.dev_id)
		return refuse(ctx, -EOPNOTSUPP,
			      "HWPT %u: the device it was allocated with is gone and no other is attached; attach one or destroy it",
			      cmd.out_hwpt_id);
	return emit(g, IHO_REC_HWPT_ALLOC, &cmd, sizeof(cmd), &ref,
		    sizeof(ref));
}

static int emit_attach(struct gather *g, struct iommufd_device *idev)
{
	struct vfio_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd) };
	struct iho_attach_ref ref = { .dev_id = idev->obj.id };
	struct iommufd_hw_pagetable *hwpt = attached_hwpt(idev);

	if (!hwpt)
		return 0;
	cmd.pt_id = hwpt->obj.id;
	return emit(g, IHO_REC_ATTACH, &cmd, sizeof(cmd), &ref, sizeof(ref));
}

static int emit_object(struct gather *g, struct iho_out_ctx *ctx, u32 ci,
		       u32 kind, struct iommufd_object *obj,
		       struct xarray *groups)
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
		return emit_maps(g, ctx, to_ioas(obj), groups);
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

static int emit_context(struct gather *g, struct iho_out_ctx *ctx, u32 ci)
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
	struct xarray groups;
	int rc = 0;

	xa_init(&groups);
	g->records = 0;
	g->group.nr = 0;
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
		for (index = 0; (obj = object_from(ictx, &index)); index++) {
			if (obj->type != passes[i].type)
				continue;
			rc = emit_object(g, ctx, ci, passes[i].kind, obj,
					 &groups);
			if (rc)
				break;
		}
	}
	xa_destroy(&groups);
	c->stream_len = g->pos - c->stream_off;
	c->records = g->records;
	return rc;
}

/* ---- the snapshot ---------------------------------------------------- */

static int make_snapshot(struct gather *g, u64 generation,
			 struct iho_live *live)
{
	struct iho_snap_header hdr = {
		.magic = IHO_SNAP_MAGIC,
		.header_len = sizeof(hdr),
		.major = IHO_FORMAT_MAJOR,
		.minor = IHO_FORMAT_MINOR,
		.generation = generation,
		.memories = g->mem.nr,
		.units = g->unit.nr,
		.tables = g->table.nr,
		.domains = g->domain.nr,
		.devices = g->device.nr,
		.contexts = g->context.nr,
	};
	const struct vec *plain[] = {
		&g->unit, &g->table, &g->domain, &g->device, &g->context,
	};
	struct iho_where where;
	u64 off;
	void *p;
	u32 i;
	int rc;

	strscpy_pad(hdr.release, init_utsname()->release);
	off = sizeof(hdr) + (u64)g->mem.nr * sizeof(struct iho_memory);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		off += (u64)plain[i]->nr * plain[i]->size;
	for (i = 0; i < g->context.nr; i++)
		CONTEXT(g, i)->stream_off += off;
	hdr.total_len = off + g->pos;
	if (hdr.total_len > IHO_MAX_IMAGE)
		return iho_refuse(-EFBIG,
				  "the records take %llu bytes, more than %llu; map fewer, larger areas",
				  hdr.total_len, IHO_MAX_IMAGE);

	live->len = hdr.total_len;
	live->buf = kvzalloc(live->len, GFP_KERNEL);
	live->mem = kvcalloc(g->mem.nr + 1, sizeof(*live->mem), GFP_KERNEL);
	if (!live->buf || !live->mem)
		return iho_refuse(-ENOMEM,
				  "out of memory for a snapshot of %zu bytes; free memory and load again",
				  live->len);
	p = live->buf;
	memcpy(p, &hdr, sizeof(hdr));
	p += sizeof(hdr);
	for (i = 0; i < g->mem.nr; i++) {
		memcpy(p, &MEM(g, i)->fact, sizeof(struct iho_memory));
		p += sizeof(struct iho_memory);
		live->mem[i] = MEM(g, i)->found;
	}
	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		memcpy(p, plain[i]->p, plain[i]->nr * plain[i]->size);
		p += plain[i]->nr * plain[i]->size;
	}
	memcpy(p, g->stream, g->pos);

	/* What is handed out must be what the other end accepts */
	rc = iho_snapshot_open(live->buf, live->len, &live->facts, &where);
	if (!rc)
		rc = iho_facts_check(&live->facts, &where);
	if (rc)
		return iho_refuse(iho_errno(rc), "%s-%u %s: %s", where.node,
				  where.index, where.prop, iho_strerror(rc));
	return 0;
}

int iho_live_take(struct list_head *contexts, u64 generation,
		  struct iho_live *live)
{
	struct gather g = {
		.mem = { .size = sizeof(struct mem_entry),
			 .max = IHO_MAX_MEMORIES, .what = "mapped memfds" },
		.unit = { .size = sizeof(struct iho_unit),
			  .max = IHO_MAX_UNITS, .what = "IOMMU units" },
		.table = { .size = sizeof(struct iho_table),
			   .max = IHO_MAX_TABLES, .what = "HWPTs" },
		.domain = { .size = sizeof(struct iho_domain),
			    .max = IHO_MAX_DOMAINS, .what = "domain IDs" },
		.device = { .size = sizeof(struct iho_device),
			    .max = IHO_MAX_DEVICES, .what = "devices" },
		.context = { .size = sizeof(struct iho_context),
			     .max = IHO_MAX_CONTEXTS, .what = "iommufds" },
		.group = { .size = sizeof(struct share_group),
			   .max = IHO_MAX_RECORDS, .what = "share groups" },
	};
	struct iho_out_ctx *ctx;
	u32 ci;
	int rc = 0;

	memset(live, 0, sizeof(*live));
	xa_init(&g.inodes);
	ci = 0;
	list_for_each_entry(ctx, contexts, list) {
		rc = gather_context(&g, ctx, ci++);
		if (rc)
			goto out;
	}
	g.pieces = 0;
	rc = put_in_order(&g);
	if (rc)
		goto out;
	ci = 0;
	list_for_each_entry(ctx, contexts, list) {
		rc = emit_context(&g, ctx, ci++);
		if (rc)
			goto out;
	}
	rc = make_snapshot(&g, generation, live);
out:
	if (rc)
		iho_live_free(live);
	xa_destroy(&g.inodes);
	kvfree(g.mem.p);
	kvfree(g.unit.p);
	kvfree(g.table.p);
	kvfree(g.domain.p);
	kvfree(g.device.p);
	kvfree(g.context.p);
	kvfree(g.group.p);
	kvfree(g.stream);
	return rc;
}

void iho_live_free(struct iho_live *live)
{
	kvfree(live->buf);
	kvfree(live->mem);
	memset(live, 0, sizeof(*live));
}

/* ---- hardware trees against preserved memory ------------------------- */

const u64 *iho_live_table(void *priv, u64 pa)
{
	return pfn_valid(PHYS_PFN(pa)) ? phys_to_virt(pa) : NULL;
}

/* Where LUO keeps a byte of a memfd, and for how many bytes from there on. */
static bool memfd_pa(const struct liveupdate_found *mem, u64 off, u64 *pa,
		     u64 *len)
{
	const struct memfd_luo_ser *ser = phys_to_virt(mem->serialized_data);
	const struct memfd_luo_folio_ser *folios = mem->private_data;
	u64 index = off >> PAGE_SHIFT, lo = 0, hi, size;

	if (!folios)
		return false;
	for (hi = ser->nr_folios; lo < hi; ) {
		u64 mid = lo + (hi - lo) / 2;

		if (folios[mid].index <= index)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	size = folio_size(pfn_folio(folios[lo - 1].pfn));
	off -= folios[lo - 1].index << PAGE_SHIFT;
	if (off >= size)
		return false;
	*pa = PFN_PHYS(folios[lo - 1].pfn) + off;
	*len = size - off;
	return true;
}

struct verify {
	struct iho_out_ctx *ctx;
	u32 hwpt_id;
	struct iho_walk walk;
	struct iho_run run;
	bool have;
};

static int verify_next(struct verify *v)
{
	int rc = iho_walk_next(&v->walk, &v->run);

	v->have = rc == 1;
	if (rc < 0)
		return refuse(v->ctx, -EINVAL,
			      "HWPT %u: its page table: %s; destroy it and report it",
			      v->hwpt_id, iho_strerror(rc));
	return 0;
}

static int verify_map(struct verify *v, const struct iho_pl_map_file *map,
		      const struct liveupdate_found *mem)
{
	u64 iova = map->iova, last = iova + map->length - 1, off = map->start;
	u64 pa, len;
	u32 perm = 0;
	int rc;

	if (map->flags & IHO_MAP_READABLE)
		perm |= IHO_PT_READ;
	if (map->flags & IHO_MAP_WRITEABLE)
		perm |= IHO_PT_WRITE;
	for (;;) {
		if (!v->have || v->run.first_iova > iova)
			return refuse(v->ctx, -EINVAL,
				      "HWPT %u IOVA %#llx is mapped but not in the page table; unmap and map it again, and report it",
				      v->hwpt_id, iova);
		if (v->run.first_iova < iova)
			return refuse(v->ctx, -EINVAL,
				      "HWPT %u IOVA %#llx is in the page table but not mapped; destroy the HWPT and report it",
				      v->hwpt_id, v->run.first_iova);
		if (!memfd_pa(mem, off, &pa, &len) || pa != v->run.pa)
			return refuse(v->ctx, -EINVAL,
				      "HWPT %u IOVA %#llx is not the preserved page of memfd token %llu at %#llx; was a hole punched? Unmap and map it again",
				      v->hwpt_id, iova, mem->token, off);
		if ((v->run.perm & (IHO_PT_READ | IHO_PT_WRITE)) != perm)
			return refuse(v->ctx, -EINVAL,
				      "HWPT %u IOVA %#llx has other permissions in the page table than its map; unmap and map it again, and report it",
				      v->hwpt_id, iova);
		len = min3(len, v->run.last_iova - iova + 1, last - iova + 1);
		/* Consume from the run what this step has seen */
		if (len == v->run.last_iova - v->run.first_iova + 1) {
			rc = verify_next(v);
			if (rc)
				return rc;
		} else {
			v->run.first_iova += len;
			v->run.pa += len;
		}
		if (len == last - iova + 1)
			return 0;
		iova += len;
		off += len;
	}
}

/**
 * struct maps_at - where the maps of an IOAS begin in a stream
 * @ioas_id: the IOAS
 * @next: number of the first record
 * @pos: its byte offset
 */
struct maps_at {
	u32 ioas_id;
	u32 next;
	u64 pos;
};

/* The maps of one IOAS, in a row and in ascending IOVA. */
struct maps {
	struct iho_plan plan;
	struct iho_step step;
	u32 ioas_id;
};

static int cmp_maps_at(const void *key, const void *elt)
{
	return cmp_u64(*(const u32 *)key, ((const struct maps_at *)elt)->ioas_id);
}

static void maps_of(struct maps *m, const struct iho_plan *plan,
		    const struct maps_at *at, u32 nr, u32 ioas_id)
{
	const struct maps_at *found = bsearch(&ioas_id, at, nr, sizeof(*at),
					      cmp_maps_at);

	m->plan = *plan;
	m->ioas_id = ioas_id;
	/* Without any, the cursor stands where the stream ends */
	m->plan.pos = found ? found->pos : plan->len;
	m->plan.next = found ? found->next : plan->records;
}

static const struct iho_pl_map_file *maps_next(struct maps *m)
{
	if (iho_plan_next(&m->plan, &m->step) != 1 ||
	    m->step.kind != IHO_REC_MAP_FILE ||
	    m->step.map.cmd.ioas_id != m->ioas_id)
		return NULL;
	return &m->step.map.cmd;
}

static int verify_hwpt(struct iho_out_ctx *ctx, const struct iho_live *live,
		       const struct iho_table *table, struct maps *maps)
{
	struct iho_pt pt = {
		.format = table->format,
		.levels = table->levels,
		.root_pa = table->root_pa,
		.table = iho_live_table,
		.max_tables = IHO_MAX_TABLE_PAGES,
	};
	struct verify v = { .ctx = ctx, .hwpt_id = table->hwpt_id };
	const struct iho_pl_map_file *map;
	int rc;

	rc = iho_walk_init(&v.walk, &pt);
	if (rc)
		return refuse(ctx, -EINVAL,
			      "HWPT %u: its page table: %s; destroy it and report it",
			      v.hwpt_id, iho_strerror(rc));
	rc = verify_next(&v);
	if (rc)
		return rc;
	while ((map = maps_next(maps))) {
		rc = verify_map(&v, map,
				&live->mem[maps->step.map.ref.memory]);
		if (rc)
			return rc;
	}
	if (v.have)
		return refuse(ctx, -EINVAL,
			      "HWPT %u IOVA %#llx is in the page table but not mapped; destroy the HWPT and report it",
			      v.hwpt_id, v.run.first_iova);
	return 0;
}

/**
 * struct user_maps - comparing user memory in IOASes without HWPT
 * @ctx: the context
 * @live: its live state
 * @plan: its stream, the cursor at the start
 * @at: where the maps of each IOAS begin in it
 * @nr: how many of these
 * @group: share group of each area of user memory in an IOAS with HWPT, by the
 *	area's address
 * @known: whether @group has been filled
 * @pieces: how many areas were looked up in it
 *
 * Records of areas in IOASes with HWPT are compared with the hardware, so that
 * a record of the same pages and of the same place in the same memfd is right.
 */
struct user_maps {
	struct iho_out_ctx *ctx;
	const struct iho_live *live;
	const struct iho_plan *plan;
	const struct maps_at *at;
	u32 nr;
	struct xarray group;
	bool known;
	u64 pieces;
};

static int note_pinned(struct user_maps *u, struct iommufd_ioas *ioas)
{
	const struct iho_pl_map_file *map;
	struct iopt_area *area;
	struct maps m;
	int rc;

	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return refuse_busy(u->ctx, ioas);
	if (xa_empty(&ioas->iopt.domains))
		return 0;
	maps_of(&m, u->plan, u->at, u->nr, ioas->obj.id);
	while ((map = maps_next(&m))) {
		area = iopt_area_iter_first(&ioas->iopt, map->iova, map->iova);
		if (area->pages->type != IOPT_ADDRESS_USER)
			continue;
		rc = xa_err(xa_store(&u->group, (unsigned long)area,
				     xa_mk_value(m.step.map.ref.group),
				     GFP_KERNEL));
		if (rc)
			return iho_refuse(rc,
					  "out of memory to check the page tables; free memory and load again");
	}
	return 0;
}

static int note_all_pinned(struct user_maps *u)
{
	struct iommufd_object *obj;
	unsigned long index;
	int rc = 0;

	for (index = 0; !rc && (obj = object_from(u->ctx->ictx, &index)); index++)
		if (obj->type == IOMMUFD_OBJ_IOAS)
			rc = note_pinned(u, to_ioas(obj));
	u->known = true;
	return rc;
}

static int verify_pinned(struct user_maps *u, struct iopt_area *area,
			 const struct iho_step *step)
{
	const struct liveupdate_found *mem = &u->live->mem[step->map.ref.memory];
	const struct iho_pl_map_file *map = &step->map.cmd;
	void *group = xa_mk_value(step->map.ref.group);
	unsigned long first = iopt_area_index(area), index = first;
	struct interval_tree_node *node;
	struct iopt_area *by;
	u64 ahead;

	guard(mutex)(&area->pages->mutex);
	for (;;) {
		node = interval_tree_iter_first(&area->pages->domains_itree,
						index, index);
		by = node ? container_of(node, struct iopt_area, pages_node) :
			    NULL;
		if (!by || xa_load(&u->group, (unsigned long)by) != group) {
			ahead = (u64)(index - first) << PAGE_SHIFT;
			ahead -= ahead ? area->page_offset : 0;
			return refuse(u->ctx, -EINVAL,
				      "IOAS %u IOVA %#llx is not the preserved page of memfd token %llu at %#llx; was a hole punched? Unmap and map it again",
				      map->ioas_id, map->iova + ahead,
				      mem->token, map->start + ahead);
		}
		if (node->last >= iopt_area_last_index(area))
			return 0;
		index = node->last + 1;
		if (++u->pieces > MAX_PIECES)
			return refuse_pieces(u->ctx, map->ioas_id, map->iova);
		cond_resched();
	}
}

static int verify_user(struct user_maps *u, struct iommufd_ioas *ioas)
{
	const struct iho_pl_map_file *map;
	struct iopt_area *area;
	struct maps m;
	int rc;

	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return refuse_busy(u->ctx, ioas);
	if (!xa_empty(&ioas->iopt.domains))
		return 0;
	maps_of(&m, u->plan, u->at, u->nr, ioas->obj.id);
	while ((map = maps_next(&m))) {
		area = iopt_area_iter_first(&ioas->iopt, map->iova, map->iova);
		if (area->pages->type != IOPT_ADDRESS_USER)
			continue;
		rc = u->known ? 0 : note_all_pinned(u);
		if (!rc)
			rc = verify_pinned(u, area, &m.step);
		if (rc)
			return rc;
	}
	return 0;
}

static int verify_all_user(struct user_maps *u)
{
	struct iommufd_object *obj;
	unsigned long index;
	int rc = 0;

	xa_init(&u->group);
	for (index = 0; !rc && (obj = object_from(u->ctx->ictx, &index)); index++)
		if (obj->type == IOMMUFD_OBJ_IOAS)
			rc = verify_user(u, to_ioas(obj));
	xa_destroy(&u->group);
	return rc;
}

int iho_live_verify(struct iho_out_ctx *ctx, u32 ci,
		    const struct iho_live *live, const struct iho_plan *plan)
{
	struct maps_at *at __free(kvfree) = NULL;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_object *obj;
	struct user_maps u = { .ctx = ctx, .live = live, .plan = plan };
	struct maps m = { .plan = *plan };
	u32 nr = 0;
	int rc;

	at = kvcalloc(plan->ioas + 1, sizeof(*at), GFP_KERNEL);
	if (!at)
		return iho_refuse(-ENOMEM,
				  "out of memory to check the page tables; free memory and load again");
	for (;;) {
		struct maps_at here = {
			.pos = m.plan.pos,
			.next = m.plan.next,
		};

		if (iho_plan_next(&m.plan, &m.step) != 1)
			break;
		here.ioas_id = m.step.map.cmd.ioas_id;
		if (m.step.kind == IHO_REC_MAP_FILE &&
		    (!nr || at[nr - 1].ioas_id != here.ioas_id))
			at[nr++] = here;
	}
	for (u32 i = 0; i < live->facts.tables; i++) {
		const struct iho_table *table = &live->facts.table[i];

		if (table->context != ci)
			continue;
		obj = xa_load(&ctx->ictx->objects, table->hwpt_id);
		hwpt = container_of(obj, struct iommufd_hwpt_paging,
				    common.obj);
		maps_of(&m, plan, at, nr, hwpt->ioas->obj.id);
		rc = verify_hwpt(ctx, live, table, &m);
		if (rc)
			return rc;
	}
	u.at = at;
	u.nr = nr;
	return verify_all_user(&u);
}

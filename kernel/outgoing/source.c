// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: which preserved file an area maps.
 */
#include <kunit/static_stub.h>
#include <linux/iommu-handover.h>
#include <linux/kho/abi/memfd.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shmem_fs.h>

#include "../iommufd/io_pagetable.h"
#include "gather.h"

u32 handover_find_mem(struct gather *g, struct luo_session *session,
		      struct inode *inode)
{
	struct handover_key key = { .ptr = inode };
	struct mem_entry *e;
	u32 i;

	if (g->last_mem < g->mem.nr) {
		e = MEM(g, g->last_mem);
		if (e->session == session && e->inode == inode)
			return g->last_mem;
	}
	i = handover_number_of(&g->inodes, &key);
	if (i == IHO_NONE || MEM(g, i)->session != session)
		return IHO_NONE;
	g->last_mem = i;
	return i;
}

int handover_note_inode(struct gather *g, u32 i)
{
	struct handover_key key = { .ptr = MEM(g, i)->inode };

	return handover_give_number(&g->inodes, &key, i);
}

static int refuse_file(struct handover_ctx *ctx, struct iopt_area *area,
		       u32 ioas_id)
{
	/*
	 * Cure: use a memfd without MFD_HUGETLB; LUO takes no hugetlb memfd,
	 * guest_memfd or file on disk.
	 */
	return handover_refuse_ctx(ctx, -EOPNOTSUPP,
				   "IOAS %u IOVA %#lx: the mapped file is not a memfd of ordinary pages; map one that is",
				   ioas_id, iopt_area_iova(area));
}

/* Of its own so that KUnit, which has no session, can take LUO's place. */
int handover_find_preserved(struct luo_session *session, struct file *file,
			    struct liveupdate_found *found)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_find_preserved, session, file,
				   found);
	return liveupdate_find_file(session, file, found);
}

static int source_of_file(struct gather *g, struct handover_ctx *ctx,
			  struct iopt_area *area, u32 ioas_id,
			  struct file *file, struct source *src)
{
	const struct memfd_luo_ser *ser;
	int rc;
	u32 i;

	if (!shmem_file(file))
		return refuse_file(ctx, area, ioas_id);
	src->inode = file_inode(file);
	i = handover_find_mem(g, ctx->session, src->inode);
	if (i != IHO_NONE) {
		src->found = MEM(g, i)->found;
		src->seals = MEM(g, i)->fact.seals;
		return 0;
	}
	rc = handover_find_preserved(ctx->session, file, &src->found);
	/* What another handler has noted of it would be read as a memfd's */
	if (!rc && strcmp(src->found.handler->compatible,
			  MEMFD_LUO_FH_COMPATIBLE))
		return refuse_file(ctx, area, ioas_id);
	if (rc) {
		/* LUO takes what has no name; PRESERVE_FD would be ENOENT */
		if (src->inode->i_nlink)
			return handover_refuse_ctx(ctx, -EOPNOTSUPP,
						   "IOAS %u IOVA %#lx: the mapped file has a name in a file system, which cannot be preserved; unlink it, then preserve it in this session",
						   ioas_id, iopt_area_iova(area));
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "IOAS %u IOVA %#lx: the mapped memfd is not preserved in this session; preserve it",
					   ioas_id, iopt_area_iova(area));
	}
	ser = phys_to_virt(src->found.serialized_data);
	src->seals = ser->seals;
	return 0;
}

int handover_refuse_changing(struct handover_ctx *ctx, u32 ioas_id, u64 iova)
{
	/* Cure: the loader tries again for five seconds. */
	return handover_refuse_ctx(ctx, -EAGAIN,
				   "IOAS %u IOVA %#llx: its process is changing its memory; try again",
				   ioas_id, iova);
}

int handover_refuse_pieces(struct handover_ctx *ctx, u32 ioas_id, u64 iova)
{
	return handover_refuse_ctx(ctx, -EFBIG,
				   "IOAS %u IOVA %#llx: user memory is pinned in more than %u pieces; use IOMMU_IOAS_MAP_FILE",
				   ioas_id, iova, HANDOVER_MAX_PIECES);
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
		if (++g->pieces > HANDOVER_MAX_PIECES)
			return -EFBIG;
		cond_resched();
	}
	return 0;
}

/*
 * A map by user address is as good as one of the file when the address is a
 * shared mapping of a preserved memfd, all of it and in one piece. That the
 * pinned pages are that file's is seen in the hardware tree (handover_live_prove),
 * this IOAS's or that of one it shares the pages with; without one nothing is
 * pinned and the address may mean anything by now.
 */
static int source_of_user(struct gather *g, struct handover_ctx *ctx,
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
		return handover_refuse_pieces(ctx, ioas_id, iova);
	if (!rc)
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "IOAS %u IOVA %#lx: user memory is mapped in an IOAS without HWPT, where nothing is pinned; attach a device or use IOMMU_IOAS_MAP_FILE",
					   ioas_id, iova);
	if (!mmget_not_zero(mm))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "IOAS %u IOVA %#lx: the process that mapped its memory is gone; use IOMMU_IOAS_MAP_FILE",
					   ioas_id, iova);
	if (!mmap_read_trylock(mm)) {
		mmput_async(mm);
		return handover_refuse_changing(ctx, ioas_id, iova);
	}
	vma = vma_lookup(mm, addr);
	if (!vma || !vma->vm_file || !(vma->vm_flags & VM_MAYSHARE) ||
	    !shmem_file(vma->vm_file)) {
		rc = handover_refuse_ctx(ctx, -EOPNOTSUPP,
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
		if (++g->pieces > HANDOVER_MAX_PIECES) {
			rc = handover_refuse_pieces(ctx, ioas_id, iova);
			goto out;
		}
		off += vma->vm_end - addr;
		addr = vma->vm_end;
		vma = vma_lookup(mm, addr);
		if (!vma || !vma->vm_file ||
		    file_inode(vma->vm_file) != src->inode ||
		    !(vma->vm_flags & VM_MAYSHARE) ||
		    (u64)vma->vm_pgoff << PAGE_SHIFT != off) {
			rc = handover_refuse_ctx(ctx, -EOPNOTSUPP,
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

int handover_find_source(struct gather *g, struct handover_ctx *ctx,
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
		/*
		 * Cure: unmap it before the load and map it again after the
		 * jump.
		 */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "IOAS %u IOVA %#lx: maps of a dma-buf cannot be handed over; unmap it",
					   ioas_id, iova);
	}
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A memfd that came through a live update and gets its folios when it is in use.
 *
 * What looks for a folio of a shmem file asks memfd_luo_fill() first. What takes
 * "not there" for a hole, and does not ask, waits with memfd_luo_fill_all() or is
 * refused by memfd_luo_filling().
 */
#ifndef __MM_MEMFD_LUO_H
#define __MM_MEMFD_LUO_H

#include <linux/shmem_fs.h>

struct kho_vmalloc;
struct liveupdate_file_op_args;

#ifdef CONFIG_LIVEUPDATE_MEMFD

/**
 * memfd_luo_fill_behind() - give a new file the folios of the last kernel
 * @args: LUO's, with the file; its session is not finished before
 *	memfd_luo_finish_filling() agrees
 * @folios: where they are, an array of struct memfd_luo_folio_ser
 * @nr: how many, at least 1
 *
 * Returns before they are in the file. The folios are the file's from then on.
 *
 * Return: 0; with nothing done -ENOMEM, or -EINVAL when there is no such array.
 */
int memfd_luo_fill_behind(const struct liveupdate_file_op_args *args,
			  const struct kho_vmalloc *folios, u64 nr);

/**
 * memfd_luo_finish_filling() - is every folio in the file?
 * @inode: of a file that was retrieved
 *
 * Puts in what is missing. Not in a process that exits, or a thread of the kernel
 * that closes a file for one.
 *
 * Return: whether nothing of the session is needed for it any longer.
 */
bool memfd_luo_finish_filling(struct inode *inode);

/* The inode is evicted: nobody uses it, and all that was to be put in is. */
void memfd_luo_evict(struct inode *inode);

int __memfd_luo_fill(struct inode *inode, pgoff_t index);
int __memfd_luo_fill_all(struct inode *inode);
bool __memfd_luo_filling(struct inode *inode);

/**
 * memfd_luo_fill() - the folio that holds @index is to be in the page cache
 * @inode: of any shmem file
 * @index: may be one that the file does not have
 *
 * Context: may sleep; inode lock and mmap_lock may be held, no folio lock.
 * Return: 0, also when it is a hole; -ENOMEM, -ENOSPC: it is missing for now; -EIO:
 * it is lost.
 */
static inline int memfd_luo_fill(struct inode *inode, pgoff_t index)
{
	if (likely(!SHMEM_I(inode)->behind))
		return 0;
	return __memfd_luo_fill(inode, index);
}

/**
 * memfd_luo_fill_all() - all of them
 * @inode: of any shmem file
 *
 * When it returns 0, no reference is left that was taken to put them in.
 *
 * Context: may sleep for long, killable.
 * Return: as memfd_luo_fill(), but 0 when one is lost; -EINTR.
 */
static inline int memfd_luo_fill_all(struct inode *inode)
{
	if (likely(!SHMEM_I(inode)->behind))
		return 0;
	return __memfd_luo_fill_all(inode);
}

/* Whether what is not in the page cache may be no hole. Context: any. */
static inline bool memfd_luo_filling(struct inode *inode)
{
	return unlikely(SHMEM_I(inode)->behind) && __memfd_luo_filling(inode);
}

#else

static inline void memfd_luo_evict(struct inode *inode)
{
}

static inline int memfd_luo_fill(struct inode *inode, pgoff_t index)
{
	return 0;
}

static inline int memfd_luo_fill_all(struct inode *inode)
{
	return 0;
}

static inline bool memfd_luo_filling(struct inode *inode)
{
	return false;
}

#endif
#endif

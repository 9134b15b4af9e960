/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: whether a kernel image is whole, and what it announces to read
 * (section 10): announce.c.
 */
#ifndef IHO_KERNEL_H
#define IHO_KERNEL_H

#include "iho.h"

/**
 * struct iho_kernel - a bzImage that is whole, and what it announces
 * @need: bytes that a file of it has at least; set on IHO_ERR_TRUNCATED too
 * @cmdline_size: longest command line that it takes, bytes without the NUL
 * @flags: IHO_ANNOUNCE_WANTS_*; 0 when it announces nothing
 * @entries: what it announces, 0 to IHO_MAX_ANNOUNCED; 0: nothing
 * @entry: in the file; use iho_kernel_entry()
 * @entry_len: bytes of one
 */
struct iho_kernel {
	u64 need;
	u32 cmdline_size;
	u32 flags;
	u32 entries;
	u32 entry_len;
	const u8 *entry;
};

/**
 * iho_kernel_kind() - what a file is by its first bytes
 * @file: bytes of it, of no alignment; 1024 are enough
 * @len: how many
 *
 * Return: "a bzImage", "packed with gzip", ..., "no kernel"; it follows "is".
 */
const char *iho_kernel_kind(const void *file, size_t len);

/**
 * iho_kernel_open() - check that a bzImage is whole and find its announcement
 * @file: all of the file, of no alignment; kept by @k
 * @len: its length in bytes; more than the header says is right, since a
 *	signature may follow
 * @k: filled, as far as it goes on failure
 * @where: filled on failure
 *
 * Return: 0, also when it announces nothing. -IHO_ERR_MAGIC: no bzImage;
 * _VERSION: of a boot protocol before 2.12, or an announcement of another
 * version; _TRUNCATED: shorter than @k->need; _RANGE: its header contradicts
 * itself; _HEADER: kernel_info damaged; _RECORD, _COUNT, _LIMIT: the
 * announcement damaged.
 */
int iho_kernel_open(const void *file, size_t len, struct iho_kernel *k,
		    struct iho_where *where);

/**
 * iho_kernel_entry() - one entry of the announcement
 * @k: from iho_kernel_open()
 * @index: below @k->entries
 * @entry: filled; its name ends with a NUL
 *
 * Return: 0, -IHO_ERR_BADCALL.
 */
int iho_kernel_entry(const struct iho_kernel *k, u32 index,
		     struct iho_announce_entry *entry);

/**
 * iho_kernel_reads() - whether it announces a format
 * @k: from iho_kernel_open()
 * @name: IHO_ANNOUNCE_IMAGE, or the compatible string of KHO, LUO or memfds
 * @major: of what it is to read, 0 where the name has the version in it
 * @must_understand: feature bits that it has to know
 *
 * Return: 0, -IHO_ERR_REF: nothing of that name, _VERSION: another major,
 * _FEATURE: not all of the bits.
 */
int iho_kernel_reads(const struct iho_kernel *k, const char *name, u32 major,
		     u32 must_understand);

/**
 * iho_kernel_lacks() - what its command line would have to say and does not
 * @k: from iho_kernel_open()
 * @cmdline: what it is to be started with, NUL-terminated
 *
 * Of repeated parameters the last counts, and what follows "--" is for init.
 *
 * Return: "kho=on" or "liveupdate=on", without which it gives nothing back;
 * NULL when nothing is missing.
 */
const char *iho_kernel_lacks(const struct iho_kernel *k, const char *cmdline);

#endif /* IHO_KERNEL_H */

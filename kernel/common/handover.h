/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: what every file of drivers/iommu/handover may use.
 */
#ifndef __IOMMU_HANDOVER_H
#define __IOMMU_HANDOVER_H

#include <linux/list.h>
#include <linux/types.h>

#include "lib/iho.h"

struct task_struct;

/**
 * DOC: source files
 *
 * The files are in the order in which a record travels, and a file calls only
 * files of its own group and of those before it:
 *
 * common
 *	refuse.c keeps the reason of a refusal; brackets.c holds a context
 *	still and counts changes; tables.c preserves and frees pages of page
 *	tables.
 * drivers
 *	driver.c asks the IOMMU driver for units, domains and their tables,
 *	through struct iommu_handover_ops; pci.c knows the place of a device.
 * outgoing
 *	contexts.c has the preserved iommufds; vec.c, numbers.c, source.c, gather.c,
 *	order.c, records.c and snapshot.c make a snapshot of them, of ioctls as
 *	uapi-check.c has them; verify.c compares it with the hardware's page
 *	tables; stays.c knows what goes on through a jump; image.c compares it with
 *	the image; seal.c keeps the seal.
 * incoming
 *	early.c accepts or refuses the image at boot; pins.c, inherited.c,
 *	running.c, replay.c and state.c own what the last kernel left; switch.c,
 *	rebuild.c and behind.c bring back what needs a device,
 *	iommufd-kho-restore.c the rest.
 * interface
 *	luo.c, target.c, kexec.c, iommufd.c, devices.c, device-file.c, dev.c and
 *	sysfs.c are what the rest of the kernel and user space call.
 * IOMMU drivers, vfio
 *	handover*.c beside the drivers: they hand in ops, and call devices.c and
 *	device-file.c.
 *
 * The two sides meet in the interface only. States are in outgoing.h and
 * incoming.h, the order of locks is in iommufd.h.
 */

/* Bytes of a sentence with its NUL. */
#define HANDOVER_REFUSAL_LEN	512

/**
 * handover_refuse() - note a refusal
 * @err: negative errno
 * @fmt: the sentence: object, reason, what to do; no newline
 *
 * Kept for QUERY and sysfs until the next one. Context: may sleep; inside of
 * every other lock of the handover.
 * Return: @err.
 */
__printf(2, 3) int handover_refuse(int err, const char *fmt, ...);

/**
 * handover_last_refusal() - the last sentence that was noted
 * @text: filled, cut to @len
 * @len: its room in bytes; 0 for the errno alone
 *
 * Return: its errno, positive; 0 when there was none.
 */
int handover_last_refusal(char *text, size_t len);

/**
 * struct handover_listener - a call that wants to know why it was refused
 * @list: for refuse.c
 * @task: whose refusals
 * @all: the caller's, for all of its sentences, a line each, as far as whole ones
 *	 fit into @room; they are not logged then
 * @room: of @all, in bytes; 0 without @all
 * @len: for refuse.c: bytes of @all that are used
 * @text: its last sentence; "" for none
 */
struct handover_listener {
	struct list_head list;
	struct task_struct *task;
	char *all;
	size_t room;
	size_t len;
	char text[HANDOVER_REFUSAL_LEN];
};

/*
 * Collect the refusals of current in @l until handover_stop_listening(). @all and
 * @room are set before.
 */
void handover_listen(struct handover_listener *l);
void handover_stop_listening(struct handover_listener *l);

/* The one place where a library error becomes an errno. */
int handover_errno(int lib_err);

/* Moves with every change to a preserved iommufd; starts with 1. */
u64 handover_generation(void);

/* Reads a page table of this kernel. For struct iho_pt::table. */
const u64 *handover_live_table(void *priv, u64 pa);

/* What the library walks: @table, each page of it by @read. */
struct iho_pt handover_pt(const struct iho_table *table,
			  const u64 *(*read)(void *priv, u64 pa));

#endif

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
 * DOC: rooms
 *
 * The files are in the order in which a record travels, and a file calls only
 * files of its own room and of those before it:
 *
 * common
 *	refuse.c keeps the reason of a refusal; brackets.c holds a context
 *	still and counts changes.
 * drivers
 *	what only an IOMMU driver knows of a unit, a domain and its table.
 * outgoing
 *	uapi-check.c, source.c, gather.c, order.c and records.c make a snapshot
 *	of all preserved iommufds; verify.c compares it with the hardware's page
 *	tables; image.c with the image; seal.c keeps the seal.
 * incoming
 *	early.c accepts or refuses the image at boot; pins.c, inherited.c and
 *	state.c own what the last kernel left; rebuild.c brings back what needs
 *	a device, restore.c the rest.
 * interface
 *	luo.c, kexec.c, dev.c and sysfs.c are what the rest of the kernel and
 *	user space call.
 *
 * The two sides meet in the interface only. Documentation of states and locks:
 * docs/design.md of the project, section "Kernel".
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
 * @text: its last sentence; "" for none
 */
struct handover_listener {
	struct list_head list;
	struct task_struct *task;
	char text[HANDOVER_REFUSAL_LEN];
};

/* Collect the refusals of current in @l until handover_stop_listening(). */
void handover_listen(struct handover_listener *l);
void handover_stop_listening(struct handover_listener *l);

/* The one place where a library error becomes an errno. */
int handover_errno(int lib_err);

/* Moves with every change to a preserved iommufd; starts with 1. */
u64 handover_generation(void);

/* Reads a page table of this kernel. For struct iho_pt::table. */
const u64 *handover_live_table(void *priv, u64 pa);

#endif

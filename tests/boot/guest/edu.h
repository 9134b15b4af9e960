/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's educational PCI device from user space: it copies up to a page from
 * one IOVA to another, through a buffer of its own, and nothing else.
 *
 * It needs no wire and no host part, so a scenario may have many. Give it
 * "dma_mask=0xffffffffffffffff", or it reaches only the first 256 MiB.
 */
#ifndef EDU_H
#define EDU_H

#include "guest.h"

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

/* Most bytes of one copy. */
#define EDU_COPY_MAX	4096U

/**
 * struct edu - one device
 * @dev: its vfio device
 * @bar: its registers
 */
struct edu {
	int dev;
	struct vfio_region bar;
};

/**
 * edu_open() - map the registers, start bus mastering
 * @dev: a bound and attached vfio device, stays the caller's
 *
 * Return: 0, -ENXIO when it is no such device, or another negative errno.
 */
int edu_open(struct edu *edu, int dev);

/**
 * edu_copy() - let the device read @len bytes at one IOVA and write them to
 *	another
 * @len: at most EDU_COPY_MAX
 *
 * Takes a fifth of a second. What the device does not reach it reads as
 * anything and does not write; the IOMMU reports it.
 *
 * Return: 0, -EINVAL for a wrong @len, -ETIMEDOUT.
 */
int edu_copy(struct edu *edu, uint64_t to, uint64_t from, uint32_t len);

/**
 * edu_with_page() - the first such device, attached to an IOAS of one page
 * @mem: out, a memory file of one page
 * @iova: where the page is mapped, to be read and written
 *
 * Exits with 1 when a call fails. All that it opens stays open.
 */
void edu_with_page(struct edu *edu, struct memory *mem, uint64_t iova);

/** edu_close() - end bus mastering, unmap the registers */
void edu_close(struct edu *edu);

#endif /* EDU_H */

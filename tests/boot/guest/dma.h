/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a device sees of memory: stamped pages and receive buffers.
 *
 * A stamp is a PROBE frame (nic.h) of NIC_FRAME_MIN bytes at DMA_STAMP in a
 * page. It names the memory file, the page and a key, so that a device that
 * sends it from an IOVA tells which page that IOVA leads to.
 */
#ifndef DMA_H
#define DMA_H

#include "ctx.h"
#include "nic.h"

/* Bytes from the start of a page; receive buffers end before or begin after. */
#define DMA_STAMP	0x600U
#define DMA_SLOT_STRIDE	2048U

/** dma_stamp() - stamp the pages of @mem from @offset on, @length bytes */
void dma_stamp(const struct ctx *ctx, uint32_t mem, uint64_t offset,
	       uint64_t length, uint64_t key);

/**
 * dma_check() - let the device read every stamped page through every area
 * @dev: device that @nic drives
 * @key: key of the stamps
 * @step: look at one page in @step, and at the first and last of each area
 * @pages: out, how many pages were looked at
 *
 * Areas that are not readable and scratch are passed over. A page elsewhere
 * that has lost its stamp of @key is a difference.
 *
 * Return: the number of differences, each printed on a line.
 */
unsigned int dma_check(struct ctx *ctx, struct nic *nic, uint32_t dev,
		       uint64_t key, uint32_t step, unsigned int *pages);

/**
 * dma_control() - show that dma_check() would notice
 *
 * Exchanges two stamps behind the back of the check, for one area of the
 * device, and demands that it sees that; then puts them back.
 */
void dma_control(struct ctx *ctx, struct nic *nic, uint32_t dev, uint64_t key);

/**
 * dma_slots() - lay receive buffers over part of an area
 * @iova: first buffer, page aligned, inside one writable area of @ioas
 * @slots: out, @nr buffers, DMA_SLOT_STRIDE bytes apart
 *
 * The stamps between them stay whole. Exits with 1 when they do not fit.
 */
void dma_slots(const struct ctx *ctx, uint32_t ioas, uint64_t iova,
	       struct nic_slot *slots, uint32_t nr);

/**
 * dma_va() - where this program finds what the device finds at @iova
 *
 * Exits with 1 when @length bytes there are not in one area of @ioas.
 */
void *dma_va(const struct ctx *ctx, uint32_t ioas, uint64_t iova,
	     uint64_t length);

#endif /* DMA_H */

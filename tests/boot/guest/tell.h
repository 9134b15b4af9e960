/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a driver that receives through kexecs tells about itself: which part of its
 * work begins, and where its receive buffers are in the guest's physical memory, so
 * that the host sees frames land whatever runs here.
 */
#ifndef TELL_H
#define TELL_H

#include "nic.h"

/**
 * tell_phase() - the next part of the work begins
 * @name: one word, of those that tests/boot/harness/phases.py knows, or "usable"
 *
 * Written to the kernel's log, which has the time.
 */
void tell_phase(const char *name);

/**
 * tell_buffers() - where the receive buffers of a controller are
 * @index: its number among the host part's
 * @slots: its buffers, in the order in which they are filled
 * @nr: how many, as many as fill pages
 * @stride: bytes from each to the next
 *
 * Their memory must not move any more: it is pinned once a device is attached.
 * Returns when the host watches; exits with 1 when something does not work.
 */
void tell_buffers(uint32_t index, const struct nic_slot *slots, uint32_t nr,
		  uint32_t stride);

#endif /* TELL_H */

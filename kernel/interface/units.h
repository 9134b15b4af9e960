/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: devices.c, what an IOMMU driver asks at shutdown and at boot.
 */
#ifndef __IOMMU_HANDOVER_UNITS_H
#define __IOMMU_HANDOVER_UNITS_H

#include <linux/types.h>

struct device;
struct handover_entry;

/**
 * handover_inherited() - the next entry of a unit that is in use
 * @register_pa: of the unit
 * @from: 0 for the first, then what the last call returned
 * @entry: filled
 *
 * Context: from boot on, once memory can be allocated.
 * Return: what to ask for next with; 0 when there is none.
 */
u32 handover_inherited(u64 register_pa, u32 from, struct handover_entry *entry);

/* Are there such entries on any unit? Context: from early on. */
bool handover_expected(void);

/* Whether current attaches the device to a table that is equal. Context: any. */
bool handover_switching(u64 register_pa, u16 source_id);

/**
 * handover_stop_unit() - end the DMA of what is behind a unit
 * @register_pa: of the unit, which the last kernel left on
 *
 * Translation is about to end there. Before there is a PCI device, those of the
 * image in segment 0 are found by the numbers that their buses have.
 *
 * Context: before drivers have devices.
 * Return: whether an image came; when not, nothing is done.
 */
bool handover_stop_unit(u64 register_pa);

/* The same for one device: it is attached to something else. */
void handover_stop_device(struct device *dev);

/**
 * handover_parks() - does the next kernel take over a unit as it is?
 * @register_pa: of the unit
 *
 * Context: at shutdown, other CPUs are stopped. No lock is taken.
 * Return: whether it does.
 */
bool handover_parks(u64 register_pa);
/* Whether the entry of @source_id stays in use then. */
bool handover_keeps(u64 register_pa, u16 source_id);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover inside the AMD-Vi driver: its hooks, for units of which
 * translation stays on through a kexec.
 */
#ifndef __AMD_HANDOVER_H
#define __AMD_HANDOVER_H

#include "amd_iommu_types.h"

struct iho_unit;

/* What init_device_table_dma() gives devices without a domain: no access. */
#define AMD_HANDOVER_NO_DMA	(DTE_FLAG_V | DTE_FLAG_TV)

/* Control bits of all that a unit reads or writes besides its tables. */
#define AMD_HANDOVER_BUFFERS						\
	(BIT_ULL(CONTROL_CMDBUF_EN) |					\
	 BIT_ULL(CONTROL_EVT_LOG_EN) | BIT_ULL(CONTROL_EVT_INT_EN) |	\
	 BIT_ULL(CONTROL_PPRLOG_EN) | BIT_ULL(CONTROL_PPRINT_EN) |	\
	 BIT_ULL(CONTROL_GALOG_EN) | BIT_ULL(CONTROL_GAINT_EN))

#ifdef CONFIG_IOMMU_HANDOVER

/* Of the device table; there may be more than devices. */
static inline u32 amd_handover_entries(const struct amd_iommu_pci_seg *seg)
{
	return seg->dev_table_size / sizeof(struct dev_table_entry);
}

/* One store, so that the unit reads the old lower half of an entry or the new. */
void amd_handover_exchange(struct dev_table_entry *dte, u128 lower);

/* Of the driver's struct iommu_handover_ops. */
const struct iommu_handover_objection *
amd_handover_stays(struct device *dev, struct iommu_domain *domain);
int amd_handover_pages(struct device *dev, int (*visit)(void *priv, u64 pa),
		       void *priv);
void amd_handover_block(const struct iho_unit *unit, u16 source_id,
			struct device *dev);

/* At shutdown, for the below: leave a unit to the next kernel, or return false. */
bool amd_handover_park(struct amd_iommu *iommu);

/**
 * amd_handover_leave_on() - is a unit that is about to be switched off in use?
 * @iommu: the unit
 *
 * At shutdown it is left to the next kernel when a device behind it is handed
 * over: translation stays on for these devices and for no others; command buffer
 * and logs are off. While this kernel boots it stays on for those of the last one.
 *
 * Return: false when it is not; nothing is done then.
 */
bool amd_handover_leave_on(struct amd_iommu *iommu);

/**
 * amd_handover_inherits() - is a unit what the image says it is?
 * @iommu: the unit; its registers have not been written to
 *
 * Its entries are, too, and their domain IDs are kept from others then.
 *
 * Return: whether it stays on. When not, the devices behind it that were handed
 * over have been stopped.
 */
bool amd_handover_inherits(struct amd_iommu *iommu);

/* Take the device tables of the last kernel over where there are inherited units. */
void amd_handover_adopt(void);

/* At boot: does a device behind the unit do DMA by an entry of the last kernel? */
bool amd_handover_in_use(struct amd_iommu *iommu);
/* Does that one, at any time? */
bool amd_handover_runs(struct amd_iommu *iommu, u16 devid);

/* Of the pages of a table: are they held for this kernel? Then take them. */
bool amd_handover_preserved(u64 pa, u64 len);
void amd_handover_restore(u64 pa, u64 len);

/* The driver gives up: end all DMA that relies on it. */
void amd_handover_failed(void);

/*
 * A segment goes. Return: whether its device table is not the driver's to free, and
 * stays reserved.
 */
bool amd_handover_disown_table(struct amd_iommu_pci_seg *seg);

/* A device is about to be attached: unless it is to an equal table, end its DMA. */
void amd_handover_attach(struct iommu_dev_data *dev_data);

/* A device goes, or the driver cannot have it. */
void amd_handover_gone(struct device *dev);

/**
 * amd_handover_switch() - exchange the page table under a device's DMA
 * @iommu: its unit
 * @dev_data: the device
 * @new: the entry for it
 *
 * The caller tells the unit, and to forget what it has of the old domain ID.
 *
 * Return: false when it is not to be done; the entry is as it was then.
 */
bool amd_handover_switch(struct amd_iommu *iommu,
			 struct iommu_dev_data *dev_data,
			 struct dev_table_entry *new);

#else

static inline bool amd_handover_leave_on(struct amd_iommu *iommu)
{
	return false;
}

static inline bool amd_handover_inherits(struct amd_iommu *iommu)
{
	return false;
}

static inline void amd_handover_adopt(void)
{
}

static inline bool amd_handover_in_use(struct amd_iommu *iommu)
{
	return false;
}

static inline bool amd_handover_runs(struct amd_iommu *iommu, u16 devid)
{
	return false;
}

static inline void amd_handover_failed(void)
{
}

static inline bool amd_handover_disown_table(struct amd_iommu_pci_seg *seg)
{
	return false;
}

static inline void amd_handover_attach(struct iommu_dev_data *dev_data)
{
}

static inline void amd_handover_gone(struct device *dev)
{
}

static inline bool amd_handover_switch(struct amd_iommu *iommu,
				       struct iommu_dev_data *dev_data,
				       struct dev_table_entry *new)
{
	return false;
}

#endif
#endif

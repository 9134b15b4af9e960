/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover inside the VT-d driver: its hooks, for units of which translation
 * stays on through a kexec.
 */
#ifndef __INTEL_HANDOVER_H
#define __INTEL_HANDOVER_H

#include <linux/types.h>

struct context_entry;
struct device;
struct device_domain_info;
struct dmar_domain;
struct intel_iommu;
struct iho_unit;

#ifdef CONFIG_IOMMU_HANDOVER

/* Of the driver's struct iommu_handover_ops. */
const struct iommu_handover_objection *
intel_handover_stays(struct device *dev, struct iommu_domain *domain);
int intel_handover_pages(struct device *dev,
			 int (*visit)(void *priv, u64 pa), void *priv);
void intel_handover_block(const struct iho_unit *unit, u16 source_id,
			  struct device *dev);

/**
 * intel_handover_park() - leave a unit to the next kernel
 * @iommu: the unit; at shutdown
 *
 * Translation stays on for the devices that are handed over and for no others,
 * interrupt remapping for nobody. Queued invalidation is off.
 *
 * Return: false when nothing behind it is handed over; nothing is done then.
 */
bool intel_handover_park(struct intel_iommu *iommu);

/* Is a unit that was found with translation on what the image says it is? */
bool intel_handover_inherits(struct intel_iommu *iommu);

/**
 * intel_handover_adopt() - make the root table so that DMA goes on
 * @iommu: intel_handover_inherits() said yes; its root table is new and empty
 *
 * Entries are as the image has them, others are not taken over. The unit does
 * not know of the root table yet.
 *
 * Return: 0, -ENOMEM, -EINVAL or -ENOSPC for what this unit cannot have; the
 * caller switches translation off then.
 */
int intel_handover_adopt(struct intel_iommu *iommu);

/* Translation is about to be switched off: end the DMA of what relies on it. */
void intel_handover_stop(struct intel_iommu *iommu);

/* Is the first attach of a device deferred, on a unit that was found on? */
bool intel_handover_deferred(struct device_domain_info *info);

/* A device is about to be attached: unless it is to an equal table, end its DMA. */
void intel_handover_attach(struct device *dev);

/* Whether a device is just attached to a table that is equal to its old one. */
bool intel_handover_switching(struct intel_iommu *iommu, u8 bus, u8 devfn);

/**
 * intel_handover_switch() - in legacy mode exchange the table under a device's DMA
 * @iommu: its unit, locked
 * @context: its entry
 * @bus: its bus
 * @devfn: its device and function
 * @domain: has an equal table of the second stage
 * @did: the domain's ID on the unit
 * @ats: the device may ask for translations
 *
 * Return: false when it is not to be done; @context is as it was then.
 */
bool intel_handover_switch(struct intel_iommu *iommu,
			   struct context_entry *context, u8 bus, u8 devfn,
			   struct dmar_domain *domain, u16 did, bool ats);

/*
 * The same in scalable mode: the entry leads to the directory of this kernel, in
 * which @dev has @domain. Does nothing unless it is to be done.
 */
void intel_handover_switch_directory(struct device *dev,
				     struct dmar_domain *domain);

#else

static inline bool intel_handover_switching(struct intel_iommu *iommu, u8 bus,
					    u8 devfn)
{
	return false;
}

static inline void intel_handover_switch_directory(struct device *dev,
						   struct dmar_domain *domain)
{
}

static inline bool intel_handover_park(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_handover_inherits(struct intel_iommu *iommu)
{
	return false;
}

static inline int intel_handover_adopt(struct intel_iommu *iommu)
{
	return -EOPNOTSUPP;
}

static inline void intel_handover_stop(struct intel_iommu *iommu)
{
}

static inline bool intel_handover_deferred(struct device_domain_info *info)
{
	return true;
}

static inline void intel_handover_attach(struct device *dev)
{
}

static inline bool intel_handover_switch(struct intel_iommu *iommu,
					 struct context_entry *context, u8 bus,
					 u8 devfn, struct dmar_domain *domain,
					 u16 did, bool ats)
{
	return false;
}

#endif

#if defined(CONFIG_IOMMU_HANDOVER) && defined(CONFIG_IRQ_REMAP)

/* Of pages and park, for interrupt remapping: what is preserved, and what is left. */
int intel_handover_irq_pages(struct intel_iommu *iommu,
			     int (*visit)(void *priv, u64 pa), void *priv);
void intel_handover_irq_park(struct intel_iommu *iommu);

/*
 * Interrupt remapping was found on: is its table one that was left so? It is then
 * exchanged without being switched off. Context: early, there is an allocator.
 */
bool intel_handover_remaps(struct intel_iommu *iommu);

#else

static inline int
intel_handover_irq_pages(struct intel_iommu *iommu,
			 int (*visit)(void *priv, u64 pa), void *priv)
{
	return 0;
}

static inline void intel_handover_irq_park(struct intel_iommu *iommu)
{
}

static inline bool intel_handover_remaps(struct intel_iommu *iommu)
{
	return false;
}

#endif
#endif

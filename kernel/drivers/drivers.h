/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: what it asks an IOMMU driver.
 */
#ifndef __IOMMU_HANDOVER_DRIVERS_H
#define __IOMMU_HANDOVER_DRIVERS_H

#include "lib/iho.h"

struct device;
struct iommu_domain;
struct pci_dev;

/*
 * drivers/iommu/intel/handover.c. Each: 0, or -EOPNOTSUPP when this driver or
 * domain cannot be handed over; handover_vtd_table(): -ENODEV when the domain
 * is another driver's.
 */
int handover_vtd_unit(struct device *dev, struct iho_unit *unit);
int handover_vtd_domain_id(struct device *dev, struct iommu_domain *domain,
			   u32 *domain_id);
int handover_vtd_table(struct iommu_domain *domain, struct iho_table *table);
bool handover_vtd_dirty_tracking(struct iommu_domain *domain);

/**
 * handover_vtd_units_differ() - can two units walk the same page table
 * @a: a unit
 * @b: another
 *
 * VT-d specification 11.4.2 and 11.4.3: what decides how a domain is made.
 *
 * Return: NULL when they can, else in what they differ, for a sentence.
 */
const char *handover_vtd_units_differ(const struct iho_unit *a,
				      const struct iho_unit *b);

/* ---- pci.c -------------------------------------------------------------- */

/**
 * handover_pci_device() - the facts of a device that do not need its IOMMU
 * @pdev: the device
 * @fact: filled, all else zero
 *
 * Return: 0, or -E2BIG when it is below more than IHO_MAX_PATH - 1 bridges.
 */
int handover_pci_device(struct pci_dev *pdev, struct iho_device *fact);

/* Plugged in at the same place, whatever the numbers of buses on the way. */
bool handover_pci_same_place(const struct iho_device *a,
			     const struct iho_device *b);

/* The same model, revision and serial number. */
bool handover_pci_same_kind(const struct iho_device *a,
			    const struct iho_device *b);

#endif

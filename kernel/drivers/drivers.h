/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: what it asks an IOMMU driver.
 */
#ifndef __IOMMU_HANDOVER_DRIVERS_H
#define __IOMMU_HANDOVER_DRIVERS_H

#include "lib/iho.h"

struct device;
struct iommu_domain;

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

#endif

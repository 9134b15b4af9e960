/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: what the files of the interface share.
 */
#ifndef __IOMMU_HANDOVER_INTERFACE_H
#define __IOMMU_HANDOVER_INTERFACE_H

#include <uapi/linux/iommu_handover.h>

struct handover_seal_info;

/* Context: handover_out.lock held. */
enum iommu_handover_state handover_state(const struct handover_seal_info *info);

#endif

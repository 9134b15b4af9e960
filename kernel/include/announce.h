/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this kernel announces to read, beside the image itself: the ABIs without
 * which the image is of no use. Literals, since the assembler reads them as well;
 * drivers/iommu/handover/target.c holds them against the kernel's own.
 */
#ifndef _LINUX_IOMMU_HANDOVER_ANNOUNCE_H
#define _LINUX_IOMMU_HANDOVER_ANNOUNCE_H

#define HANDOVER_ANNOUNCE_KHO	"kho-v4"
#define HANDOVER_ANNOUNCE_LUO	"luo-v5"
#define HANDOVER_ANNOUNCE_MEMFD	"memfd-v2"

#endif

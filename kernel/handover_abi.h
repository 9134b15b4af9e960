/* SPDX-License-Identifier: GPL-2.0-only */
/* The library's name for the ABI header, which lives with the others of KHO. */
#include <linux/kho/abi/iommu_handover.h>

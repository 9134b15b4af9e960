// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: reading the page tables of this kernel.
 */
#include <linux/io.h>
#include <linux/mm.h>

#include "handover.h"

const u64 *handover_live_table(void *priv, u64 pa)
{
	return pfn_valid(PHYS_PFN(pa)) ? phys_to_virt(pa) : NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: page tables as the library reads them.
 */
#include <linux/io.h>
#include <linux/mm.h>

#include "handover.h"

const u64 *handover_live_table(void *priv, u64 pa)
{
	return pfn_valid(PHYS_PFN(pa)) ? phys_to_virt(pa) : NULL;
}

struct iho_pt handover_pt(const struct iho_table *table,
			  const u64 *(*read)(void *priv, u64 pa))
{
	return (struct iho_pt) {
		.format = table->format,
		.levels = table->levels,
		.root_pa = table->root_pa,
		.table = read,
		.max_tables = IHO_MAX_TABLE_PAGES,
	};
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: page tables that the last kernel left.
 */
#include <kunit/static_stub.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>

#include "drivers.h"
#include "incoming.h"

const u64 *handover_in_table(void *priv, u64 pa)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_in_table, priv, pa);
	return kho_page_preserved(pa) ? phys_to_virt(pa) : NULL;
}

static int free_table(void *priv, u64 pa, u32 level)
{
	struct page *page = kho_restore_pages(pa, 1);

	if (page)
		__free_page(page);
	return 0;
}

void handover_in_free_tree(const struct iho_table *table)
{
	struct iho_pt pt = {
		.format = table->format,
		.levels = table->levels,
		.root_pa = table->root_pa,
		.table = handover_in_table,
		.max_tables = IHO_MAX_TABLE_PAGES,
	};

	KUNIT_STATIC_STUB_REDIRECT(handover_in_free_tree, table);
	if (handover_disturbed(HANDOVER_DISTURB_FLUSH))
		return;
	iho_walk_tables(&pt, free_table, NULL);
}

void handover_in_drop_trees(u32 index)
{
	const struct iho_plan_source src = { .img = &handover_in.image };
	struct iho_table table;

	for (u32 i = iho_first_table(&src, index);
	     !iho_get_table(src.img, i, &table) && table.context == index; i++)
		handover_in_free_tree(&table);
}

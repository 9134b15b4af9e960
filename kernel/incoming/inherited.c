// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: page tables that the last kernel left.
 */
#include <kunit/static_stub.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>

#include "../iommu-pages.h"
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
	const struct iho_pt pt = handover_pt(table, handover_in_table);

	KUNIT_STATIC_STUB_REDIRECT(handover_in_free_tree, table);
	if (handover_disturbed(HANDOVER_DISTURB_FLUSH))
		return;
	iho_walk_tables(&pt, free_table, NULL);
}

static int take_table(void *priv, u64 pa, u32 level)
{
	struct page *page = kho_restore_pages(pa, 1);
	const struct iho_table *table = priv;
	struct ioptdesc *desc;

	if (!page)
		return 0;
	desc = folio_ioptdesc(page_folio(page));
	desc->incoherent = !!(table->attributes & IHO_TABLE_INCOHERENT);
	mod_node_page_state(page_pgdat(page), NR_IOMMU_PAGES, 1);
	lruvec_stat_mod_folio(page_folio(page), NR_SECONDARY_PAGETABLE, 1);
	return 0;
}

void handover_in_take_tree(const struct iho_table *table)
{
	const struct iho_pt pt = handover_pt(table, handover_in_table);

	KUNIT_STATIC_STUB_REDIRECT(handover_in_take_tree, table);
	iho_walk_tables(&pt, take_table, (void *)table);
}

void handover_in_drop_trees(u32 index)
{
	const struct iho_plan_source src = { .img = &handover_in.image };
	struct iho_table table;

	for (u32 i = iho_first_table(&src, index);
	     !iho_get_table(src.img, i, &table) && table.context == index; i++)
		handover_in_free_tree(&table);
}

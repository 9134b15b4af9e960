// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d interrupt remapping through a kexec, on units of which translation stays on.
 *
 * A device whose DMA goes on can write to where interrupts are requested, whoever
 * drives it. With remapping off such a write would be delivered as it is, with any
 * vector. So it stays on, with a table in which no entry is present, and the next
 * kernel exchanges the table as it sets up its own, which is as empty then (VT-d 6.7:
 * while the unit remaps, the new table has to give the same results as the old one).
 * MSI-X of handed over devices is masked meanwhile, so that none of theirs is lost.
 */
#define pr_fmt(fmt) "DMAR: handover: " fmt

#include <linux/kexec_handover.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "iommu.h"
#include "handover.h"
#include "../handover/drivers.h"
#include "../handover/units.h"

#define TABLE_LEN	(INTR_REMAP_TABLE_ENTRIES * sizeof(struct irte))

static bool remaps(struct intel_iommu *iommu)
{
	return iommu->ir_table && readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_IRES;
}

int intel_handover_irq_pages(struct intel_iommu *iommu,
			     int (*visit)(void *priv, u64 pa), void *priv)
{
	int rc = 0;

	if (!remaps(iommu))
		return 0;
	for (u64 off = 0; !rc && off < TABLE_LEN; off += VTD_PAGE_SIZE)
		rc = visit(priv, virt_to_phys(iommu->ir_table->base) + off);
	return rc;
}

void intel_handover_irq_park(struct intel_iommu *iommu)
{
	struct qi_desc desc = { .qw0 = QI_IEC_TYPE };

	if (!remaps(iommu))
		return;
	memset(iommu->ir_table->base, 0, TABLE_LEN);
	__iommu_flush_cache(iommu, iommu->ir_table->base, TABLE_LEN);
	/* VT-d 6.5.2.8: all entries leave the unit's cache */
	qi_submit_sync(iommu, &desc, 1, 0);
}

/* Tables of the last kernel, until no unit reads them any more. */
static LIST_HEAD(old_tables);

struct old_table {
	struct list_head list;
	u64 pa;
};

bool intel_handover_remaps(struct intel_iommu *iommu)
{
	u64 pa = readq(iommu->reg + DMAR_IRTA_REG) & VTD_PAGE_MASK;
	struct old_table *old;

	/* A table that nobody has preserved may be anything by now */
	if (!handover_expected() || !kho_page_preserved(pa))
		return false;
	old = kzalloc_obj(*old);
	if (!old)
		return false;
	old->pa = pa;
	list_add(&old->list, &old_tables);
	pr_info("%s: interrupt remapping stays on, with an empty table\n",
		iommu->name);
	return true;
}

static int __init free_old_tables(void)
{
	struct old_table *old, *next;
	struct page *page;

	list_for_each_entry_safe(old, next, &old_tables, list) {
		for (u64 off = 0; off < TABLE_LEN; off += VTD_PAGE_SIZE) {
			page = kho_restore_pages(old->pa + off, 1);
			if (page)
				__free_page(page);
		}
		kfree(old);
	}
	return 0;
}
late_initcall(free_old_tables);

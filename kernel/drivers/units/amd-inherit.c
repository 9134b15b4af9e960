// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-Vi units of which translation stays on through a kexec: how the next kernel
 * takes over what the old one leaves.
 *
 * All units of a segment read one device table. It stays where it is, as it does
 * for kdump in __reuse_device_table(): whether the base register may be written
 * while the unit translates is left open. But nothing in it is believed. The entry
 * of a device that is handed over has to be what the image makes of it, bit by
 * bit; all others are written again.
 */
#define pr_fmt(fmt) "AMD-Vi: handover: " fmt

#include <kunit/static_stub.h>
#include <linux/bitfield.h>
#include <linux/crash_dump.h>
#include <linux/delay.h>
#include <linux/kexec_handover.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "amd_iommu.h"
#include "handover.h"
#include "../iommu-pages.h"
#include "../handover/drivers.h"
#include "../handover/units.h"

/* ---- the new kernel, at boot ---------------------------------------------- */

/**
 * struct inherited - an entry that the last kernel made
 * @list: of them
 * @iommu: its unit
 * @devid: whose, in the unit's segment
 * @domid: domain ID in it, kept from others while an entry has it
 */
struct inherited {
	struct list_head list;
	struct amd_iommu *iommu;
	u16 devid;
	u16 domid;
};

/* Of all units. Innermost but for the IDA's. */
static LIST_HEAD(inherited);
static DEFINE_SPINLOCK(inherited_lock);

static struct inherited *find(u64 register_pa, u16 devid)
{
	struct inherited *i;

	list_for_each_entry(i, &inherited, list)
		if (i->iommu->mmio_phys == register_pa && i->devid == devid)
			return i;
	return NULL;
}

bool amd_handover_runs(struct amd_iommu *iommu, u16 devid)
{
	guard(spinlock_irqsave)(&inherited_lock);
	return find(iommu->mmio_phys, devid);
}

static bool in_use(struct amd_iommu *iommu)
{
	struct inherited *i;

	guard(spinlock_irqsave)(&inherited_lock);
	list_for_each_entry(i, &inherited, list)
		if (i->iommu == iommu)
			return true;
	return false;
}

bool amd_handover_in_use(struct amd_iommu *iommu)
{
	return system_state < SYSTEM_RUNNING && in_use(iommu);
}

/* IDs are of all units. */
static bool id_in_use(u16 domid)
{
	struct inherited *i;

	list_for_each_entry(i, &inherited, list)
		if (i->domid == domid)
			return true;
	return false;
}

static void forget(struct inherited *i)
{
	bool used;

	scoped_guard(spinlock_irqsave, &inherited_lock) {
		list_del(&i->list);
		used = id_in_use(i->domid);
	}
	if (!used)
		amd_iommu_pdom_id_free(i->domid);
	kfree(i);
}

bool amd_handover_leave_on(struct amd_iommu *iommu)
{
	if (!iommu->mmio_base)
		return false;
	if (system_state < SYSTEM_RUNNING)
		return in_use(iommu);
	return system_state == SYSTEM_RESTART && amd_handover_park(iommu);
}

/* The one that the unit reads; before it is adopted, not yet the driver's. */
static struct dev_table_entry *table_of(struct amd_iommu *iommu)
{
	return phys_to_virt(readq(iommu->mmio_base + MMIO_DEV_TABLE_OFFSET) &
			    PM_ADDR_MASK);
}

/* One of a segment that is inherited, whose table is then that of the segment. */
static struct amd_iommu *heir_of(const struct amd_iommu_pci_seg *seg)
{
	struct amd_iommu *iommu;

	for_each_iommu(iommu)
		if (iommu->pci_seg == seg && in_use(iommu))
			return iommu;
	return NULL;
}

bool amd_handover_preserved(u64 pa, u64 len)
{
	KUNIT_STATIC_STUB_REDIRECT(amd_handover_preserved, pa, len);
	for (u64 off = 0; off < len; off += PAGE_SIZE)
		if (!kho_page_preserved(pa + off))
			return false;
	return true;
}

/* In which it differs from the unit of the last kernel, or NULL. */
static const char *unit_differs(struct amd_iommu *iommu,
				const struct iho_unit *was)
{
	u64 ctrl = readq(iommu->mmio_base + MMIO_CONTROL_OFFSET);
	u64 base = readq(iommu->mmio_base + MMIO_DEV_TABLE_OFFSET);
	const struct amd_iommu_pci_seg *seg = iommu->pci_seg;
	struct amd_iommu *heir;

	if (was->type != IHO_UNIT_AMD_VI || was->segment != seg->id)
		return "segment";
	if (was->cap != iommu->features || was->ecap != iommu->features2)
		return "set of features";
	if (amd_iommu_hatdis)
		return "page table format";
	if (!(ctrl & BIT_ULL(CONTROL_IOMMU_EN)) || ctrl & AMD_HANDOVER_BUFFERS)
		return "state";
	/* As iommu_set_device_table() writes it */
	if (base != (was->root_pa | ((seg->dev_table_size >> 12) - 1)) ||
	    !amd_handover_preserved(was->root_pa, seg->dev_table_size))
		return "device table";
	heir = heir_of(seg);
	if (heir && table_of(heir) != table_of(iommu))
		return "device table";
	return NULL;
}

/* As amd_iommu_make_clear_dte() and amd_iommu_set_dte_v1() make it. */
static u128 entry_of(const struct amd_iommu *iommu, const struct handover_entry *e)
{
	struct dev_table_entry dte = {}, *acpi;

	dte.data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW |
		      FIELD_PREP(DTE_MODE_MASK, e->table->levels) |
		      FIELD_PREP(DTE_HOST_TRP, e->table->root_pa >> 12);
	dte.data[1] = FIELD_PREP(DTE_DOMID_MASK, e->domain_id);
	acpi = amd_iommu_get_ivhd_dte_flags(iommu->pci_seg->id, e->source_id);
	if (acpi)
		dte.data128[0] |= acpi->data128[0];
	return dte.data128[0];
}

/* Return: 0, -EINVAL for one that is not what the image says, -ENOMEM. */
static int inherit_entry(struct amd_iommu *iommu, const struct handover_entry *e)
{
	const struct amd_iommu_pci_seg *seg = iommu->pci_seg;
	u16 devid = e->source_id;
	struct inherited *i;
	int rc = 0;

	if (e->table->format != IHO_TABLE_AMDV1 ||
	    e->table->levels < PAGE_MODE_1_LEVEL ||
	    e->table->levels > PAGE_MODE_6_LEVEL ||
	    !e->domain_id || e->domain_id >= MAX_DOMAIN_ID ||
	    devid > seg->last_bdf || seg->rlookup_table[devid] != iommu ||
	    seg->alias_table[devid] != devid ||
	    table_of(iommu)[devid].data128[0] != entry_of(iommu, e))
		return -EINVAL;
	i = kzalloc_obj(*i);
	if (!i)
		return -ENOMEM;
	i->iommu = iommu;
	i->devid = devid;
	i->domid = e->domain_id;
	/* Others only take from the list, and not before the unit is set up */
	if (!id_in_use(i->domid))
		rc = amd_iommu_pdom_id_reserve(i->domid, GFP_KERNEL);
	if (rc < 0) {
		kfree(i);
		return rc == -ENOMEM ? rc : -EINVAL;
	}
	guard(spinlock_irqsave)(&inherited_lock);
	list_add(&i->list, &inherited);
	return 0;
}

static const char *inherit_entries(struct amd_iommu *iommu)
{
	struct handover_entry e;
	u32 next = 0;
	int rc;

	while ((next = handover_inherited(iommu->mmio_phys, next, &e))) {
		rc = inherit_entry(iommu, &e);
		if (rc == -ENOMEM)
			return "memory";
		if (rc)
			return "device table entry";
	}
	return NULL;
}

static void forget_unit(struct amd_iommu *iommu)
{
	struct inherited *i, *next;

	list_for_each_entry_safe(i, next, &inherited, list)
		if (i->iommu == iommu)
			forget(i);
}

bool amd_handover_inherits(struct amd_iommu *iommu)
{
	const char *differs = NULL;
	struct handover_entry e;

	if (is_kdump_kernel())
		return false;
	if (handover_inherited(iommu->mmio_phys, 0, &e)) {
		differs = unit_differs(iommu, e.unit) ?: inherit_entries(iommu);
		if (!differs) {
			handover_took_over(amd_iommu_ops.handover);
			return true;
		}
		/* Cure: boot with the IOMMU options of the last kernel. */
		pr_err("unit at %#llx: not taken over: its %s is not that of the last kernel\n",
		       iommu->mmio_phys, differs);
		forget_unit(iommu);
	}
	/* It is about to be switched off */
	if (differs || translation_pre_enabled(iommu))
		handover_stop_unit(iommu->mmio_phys);
	return false;
}

void amd_handover_restore(u64 pa, u64 len)
{
	KUNIT_STATIC_STUB_REDIRECT(amd_handover_restore, pa, len);
	for (u64 off = 0; off < len; off += PAGE_SIZE)
		kho_restore_pages(pa + off, 1);
}

/* Its pages are of no allocation that the driver could give back in one. */
struct adopted {
	struct list_head list;
	struct amd_iommu_pci_seg *seg;
};

static LIST_HEAD(adopted);

bool amd_handover_disown_table(struct amd_iommu_pci_seg *seg)
{
	struct adopted *a;

	list_for_each_entry(a, &adopted, list)
		if (a->seg == seg) {
			list_del(&a->list);
			kfree(a);
			return true;
		}
	return false;
}

/* @table is read by units: at no time may an entry let more through. */
static void fill_table(struct amd_iommu_pci_seg *seg,
		       struct dev_table_entry *table)
{
	for (u32 devid = 0; devid < amd_handover_entries(seg); devid++) {
		const struct dev_table_entry *fresh = &seg->dev_table[devid];
		struct dev_table_entry *dte = &table[devid];
		struct amd_iommu *iommu = devid <= seg->last_bdf ?
						  seg->rlookup_table[devid] : NULL;

		if (!iommu || !amd_handover_runs(iommu, devid))
			amd_handover_exchange(dte, fresh->data128[0] | AMD_HANDOVER_NO_DMA);
		WRITE_ONCE(dte->data[2], fresh->data[2]);
		WRITE_ONCE(dte->data[3], fresh->data[3]);
	}
}

static int adopt_table(struct amd_iommu_pci_seg *seg,
		       struct dev_table_entry *table)
{
	struct adopted *a = kzalloc_obj(*a);

	if (!a)
		return -ENOMEM;
	fill_table(seg, table);
	amd_handover_restore(virt_to_phys(table), seg->dev_table_size);
	iommu_free_pages(seg->dev_table);
	seg->dev_table = table;
	a->seg = seg;
	list_add(&a->list, &adopted);
	return 0;
}

static void give_up(struct amd_iommu *iommu)
{
	handover_stop_unit(iommu->mmio_phys);
	forget_unit(iommu);
}

void amd_handover_adopt(void)
{
	struct amd_iommu_pci_seg *seg;
	struct amd_iommu *iommu, *heir;

	for_each_pci_segment(seg) {
		heir = heir_of(seg);
		if (!heir)
			continue;
		pr_info("segment %#x: device table of the last kernel at %#llx\n",
			seg->id, (u64)virt_to_phys(table_of(heir)));
		if (!adopt_table(seg, table_of(heir)))
			continue;
		/* early_enable_iommu() switches them off */
		for_each_iommu(iommu)
			if (iommu->pci_seg == seg && in_use(iommu))
				give_up(iommu);
	}
}

void amd_handover_failed(void)
{
	struct amd_iommu *iommu;

	for_each_iommu(iommu)
		if (in_use(iommu))
			give_up(iommu);
}

/* ---- until a device is taken back ----------------------------------------- */

/* Against amd_iommu_update_dte(), which does not look at what is there. */
static void store(struct amd_iommu *iommu, u16 devid, u128 lower)
{
	struct iommu_dev_data *dev_data = search_dev_data(iommu, devid);
	struct dev_table_entry *dte = &table_of(iommu)[devid];

	if (dev_data) {
		guard(spinlock_irqsave)(&dev_data->dte_lock);
		amd_handover_exchange(dte, lower);
		return;
	}
	amd_handover_exchange(dte, lower);
}

/* What a unit has cached of its entries and tables. */
static void flush(struct amd_iommu *iommu)
{
	/* If not, it will be told when it is set up, or is about to be off */
	if (readq(iommu->mmio_base + MMIO_CONTROL_OFFSET) &
	    BIT_ULL(CONTROL_CMDBUF_EN))
		amd_iommu_flush_all_caches(iommu);
}

static void clear(struct amd_iommu *iommu, u16 devid)
{
	u64 other = table_of(iommu)[devid].data[1] & DTE_DATA1_SYSMGT_MASK;

	store(iommu, devid, (u128)other << 64 | AMD_HANDOVER_NO_DMA);
	flush(iommu);
}

void amd_handover_block(const struct iho_unit *unit, u16 source_id,
			struct device *dev)
{
	struct inherited *i;
	u64 now;

	scoped_guard(spinlock_irqsave, &inherited_lock)
		i = find(unit->register_pa, source_id);
	if (!i)
		return;
	/* Nobody else has that ID: with another the entry is of this kernel */
	now = FIELD_GET(DTE_DOMID_MASK, table_of(i->iommu)[source_id].data[1]);
	if (now == i->domid)
		clear(i->iommu, source_id);
	forget(i);
}

void amd_handover_attach(struct iommu_dev_data *dev_data)
{
	struct amd_iommu *iommu = get_amd_iommu_from_dev_data(dev_data);

	if (amd_handover_runs(iommu, dev_data->devid) &&
	    !handover_switching(iommu->mmio_phys, dev_data->devid))
		handover_stop_device(dev_data->dev);
}

void amd_handover_gone(struct device *dev)
{
	handover_stop_device(dev);
}

/*
 * AMD 2.2.2, 2.2.2.2: page table and domain ID are in the lower half of an entry, which
 * one store of 128 bits changes while the unit may read it (update_dte256()). It leads
 * to the new table under an ID of its own, under which nothing is cached yet.
 */
bool amd_handover_switch(struct amd_iommu *iommu,
			 struct iommu_dev_data *dev_data,
			 struct dev_table_entry *new)
{
	const struct dev_table_entry *dte = &table_of(iommu)[dev_data->devid];
	u16 devid = dev_data->devid;

	if (!amd_handover_runs(iommu, devid) ||
	    !handover_switching(iommu->mmio_phys, devid))
		return false;
	/* Then the other half comes first, as update_dte256() has it */
	if (new->data[0] & DTE_FLAG_GV || dte->data[3] != new->data[3] ||
	    (dte->data[2] ^ new->data[2]) & ~DTE_DATA2_INTR_MASK)
		return false;
	if (handover_disturbed(HANDOVER_DISTURB_CLEAR)) {
		clear(iommu, devid);
		mdelay(50);
	}
	store(iommu, devid, new->data128[0]);
	if (handover_disturbed(HANDOVER_DISTURB_WAIT))
		mdelay(50);
	return true;
}

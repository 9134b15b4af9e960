// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d units of which translation stays on through a kexec: what the old kernel
 * leaves, and how the next one takes it over. Legacy mode.
 */
#define pr_fmt(fmt) "DMAR: handover: " fmt

#include <linux/cpufeature.h>
#include <linux/crash_dump.h>
#include <linux/kexec_handover.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "iommu.h"
#include "handover.h"
#include "../iommu-pages.h"
#include "../handover/drivers.h"

const struct iommu_handover_objection *
intel_handover_stays(struct device *dev, struct iommu_domain *domain)
{
	static const struct iommu_handover_objection scalable = {
		"an IOMMU in scalable mode",
		"boot with intel_iommu=sm_off, or hand it over paused",
	}, no_store = {
		"an IOMMU on a machine without cmpxchg16b", "hand it over paused",
	};
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	if (sm_supported(info->iommu))
		return &scalable;
	if (!boot_cpu_has(X86_FEATURE_CX16))
		return &no_store;
	return NULL;
}

int intel_handover_pages(struct device *dev,
			 int (*visit)(void *priv, u64 pa), void *priv)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context;
	int rc;

	scoped_guard(spinlock, &iommu->lock)
		context = iommu_context_addr(iommu, info->bus, info->devfn, 0);
	if (!context)
		return -ENOENT;
	rc = visit(priv, virt_to_phys(iommu->root_entry));
	return rc ?: visit(priv, virt_to_phys(context) & VTD_PAGE_MASK);
}

/* Clear all entries of a bus but those that are kept. Return: whether one is. */
static bool park_bus(struct intel_iommu *iommu, u8 bus,
		     struct context_entry *table)
{
	bool kept = false;

	for (u32 devfn = 0; devfn < 256; devfn++) {
		if (!context_present(&table[devfn]))
			continue;
		if (handover_keeps(iommu->reg_phys, PCI_DEVID(bus, devfn))) {
			kept = true;
			continue;
		}
		context_clear_present(&table[devfn]);
		context_clear_entry(&table[devfn]);
	}
	__iommu_flush_cache(iommu, table, VTD_PAGE_SIZE);
	return kept;
}

/*
 * At shutdown, with no other CPU: no lock is waited for that one may hold.
 *
 * VT-d 6.5: while queued invalidation is on, registers do not invalidate; it is
 * switched off first, and the queue with it is no longer read. 5.1.2: without
 * interrupt remapping a request of a device is delivered as it is, and no entry
 * is read from what is free memory after the jump.
 */
bool intel_handover_park(struct intel_iommu *iommu)
{
	u64 ccmd;
	u32 sts;

	if (!iommu->root_entry || !handover_parks(iommu->reg_phys))
		return false;
	for (u32 bus = 0; bus < 256; bus++) {
		u64 *lo = &iommu->root_entry[bus].lo;

		if (*lo & 1 &&
		    !park_bus(iommu, bus, phys_to_virt(*lo & VTD_PAGE_MASK)))
			WRITE_ONCE(*lo, 0);
	}
	__iommu_flush_cache(iommu, iommu->root_entry, VTD_PAGE_SIZE);
	iommu_flush_write_buffer(iommu);

	dmar_disable_qi(iommu);
	writeq(DMA_CCMD_ICC | DMA_CCMD_GLOBAL_INVL, iommu->reg + DMAR_CCMD_REG);
	IOMMU_WAIT_OP(iommu, DMAR_CCMD_REG, readq, !(ccmd & DMA_CCMD_ICC), ccmd);
	__iommu_flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);

	iommu->gcmd &= ~DMA_GCMD_IRE;
	writel(iommu->gcmd, iommu->reg + DMAR_GCMD_REG);
	IOMMU_WAIT_OP(iommu, DMAR_GSTS_REG, readl, !(sts & DMA_GSTS_IRES), sts);
	/* A fault is noted, but nobody is told before the next kernel asks */
	writel(DMA_FECTL_IM, iommu->reg + DMAR_FECTL_REG);
	return true;
}

/**
 * struct inherited - an entry that the last kernel made
 * @list: of them
 * @iommu: its unit
 * @source_id: whose
 * @did: domain ID in it, kept from others while an entry has it
 */
struct inherited {
	struct list_head list;
	struct intel_iommu *iommu;
	u16 source_id;
	u16 did;
};

/* Of all units. Innermost but for the IDA's. */
static LIST_HEAD(inherited);
static DEFINE_SPINLOCK(inherited_lock);

static void forget(struct intel_iommu *iommu, u16 source_id)
{
	struct inherited *i, *gone = NULL;
	bool used = false;

	scoped_guard(spinlock_irqsave, &inherited_lock) {
		list_for_each_entry(i, &inherited, list)
			if (i->iommu == iommu && i->source_id == source_id)
				gone = i;
		if (!gone)
			return;
		list_del(&gone->list);
		list_for_each_entry(i, &inherited, list)
			used |= i->iommu == iommu && i->did == gone->did;
	}
	if (!used)
		ida_free(&iommu->domain_ida, gone->did);
	kfree(gone);
}

/*
 * VT-d 10.4.5, 10.4.7: what hides in the unit of an entry with @did. First the
 * entry, then what was read through it.
 */
static void flush_entry(struct intel_iommu *iommu, u16 did, u16 source_id)
{
	iommu->flush.flush_context(iommu, did, source_id, DMA_CCMD_MASK_NOBIT,
				   DMA_CCMD_DEVICE_INVL);
	iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
}

/* In which it differs from the unit of the last kernel, or NULL. */
static const char *unit_differs(struct intel_iommu *iommu,
				const struct iho_unit *was)
{
	u64 root = readq(iommu->reg + DMAR_RTADDR_REG);

	if (was->mode != IHO_UNIT_LEGACY || sm_supported(iommu))
		return "mode";
	if (was->cap != iommu->cap || was->ecap != iommu->ecap)
		return "capabilities";
	/* VT-d 11.4.6: bits 10 and 11 are the mode */
	if (root != was->root_pa)
		return "root table";
	return NULL;
}

/* What SRTP is about to lead to: an entry like the old one, copied or not. */
static int adopt_entry(struct intel_iommu *iommu, const struct handover_entry *e)
{
	u8 bus = PCI_BUS_NUM(e->source_id), devfn = e->source_id & 0xff;
	struct context_entry *context;
	struct inherited *i, *other;
	bool used = false;
	int id;

	if (e->table->format != IHO_TABLE_VTDSS ||
	    e->domain_id < IDA_START_DID || e->domain_id >= iommu->max_domain_id)
		return -EINVAL;
	i = kzalloc_obj(*i);
	if (!i)
		return -ENOMEM;
	*i = (struct inherited) {
		.iommu = iommu,
		.source_id = e->source_id,
		.did = e->domain_id,
	};
	list_for_each_entry(other, &inherited, list)
		used |= other->iommu == iommu && other->did == i->did;
	if (!used) {
		id = ida_alloc_range(&iommu->domain_ida, i->did, i->did, GFP_KERNEL);
		if (id < 0) {
			kfree(i);
			return id;
		}
	}
	scoped_guard(spinlock_irqsave, &inherited_lock)
		list_add(&i->list, &inherited);
	guard(spinlock)(&iommu->lock);
	context = iommu_context_addr(iommu, bus, devfn, 1);
	if (!context)
		return -ENOMEM;
	context_clear_entry(context);
	context_set_domain_id(context, i->did);
	context_set_address_root(context, e->table->root_pa);
	context_set_address_width(context, e->table->levels - 2);
	context_set_translation_type(context, CONTEXT_TT_MULTI_LEVEL);
	context_set_fault_enable(context);
	context_set_present(context);
	__iommu_flush_cache(iommu, context, sizeof(*context));
	set_context_copied(iommu, bus, devfn);
	return 0;
}

bool intel_handover_inherits(struct intel_iommu *iommu)
{
	struct handover_entry e;
	const char *differs;

	if (!handover_inherited(iommu->reg_phys, 0, &e))
		return false;
	differs = unit_differs(iommu, e.unit);
	if (differs)
		/* Cure: boot with the IOMMU options of the last kernel. */
		pr_err("%s: not taken over: its %s is not that of the last kernel\n",
		       iommu->name, differs);
	return !differs;
}

void intel_handover_stop(struct intel_iommu *iommu)
{
	struct handover_entry e;

	/* Afterwards translation is only switched off with no device behind it */
	if (handover_inherited(iommu->reg_phys, 0, &e) ||
	    (system_state < SYSTEM_RUNNING && !is_kdump_kernel() &&
	     readl(iommu->reg + DMAR_GSTS_REG) & DMA_GSTS_TES))
		handover_stop_unit(iommu->reg_phys);
}

static LIST_HEAD(old_roots);

/* A root table of the last kernel, until no unit reads it any more. */
struct old_root {
	struct list_head list;
	u64 pa;
};

int intel_handover_adopt(struct intel_iommu *iommu)
{
	struct old_root *old = kzalloc_obj(*old);
	struct handover_entry e;
	u32 next = 0, nr = 0;
	int rc;

	iommu->copied_tables = bitmap_zalloc(BIT_ULL(16), GFP_KERNEL);
	rc = old && iommu->copied_tables ? 0 : -ENOMEM;
	while (!rc) {
		next = handover_inherited(iommu->reg_phys, next, &e);
		if (!next)
			break;
		rc = adopt_entry(iommu, &e);
		nr++;
	}
	handover_took_over(&intel_iommu_handover_ops);
	if (rc) {
		/* The caller switches translation off, which ends their DMA */
		kfree(old);
		return rc;
	}
	old->pa = readq(iommu->reg + DMAR_RTADDR_REG) & VTD_PAGE_MASK;
	list_add(&old->list, &old_roots);
	pr_info("%s: translation stays on for %u devices\n", iommu->name, nr);
	return 0;
}

static void free_page_of(u64 pa)
{
	struct page *page = kho_restore_pages(pa, 1);

	if (page)
		__free_page(page);
}

/* All units have their own root table by now. */
static int __init free_old_roots(void)
{
	struct old_root *old, *next;
	struct root_entry *root;

	list_for_each_entry_safe(old, next, &old_roots, list) {
		root = phys_to_virt(old->pa);
		for (u32 bus = 0; bus < 256; bus++)
			if (root[bus].lo & 1)
				free_page_of(root[bus].lo & VTD_PAGE_MASK);
		free_page_of(old->pa);
		kfree(old);
	}
	return 0;
}
late_initcall(free_old_roots);

void intel_handover_block(const struct iho_unit *unit, u16 source_id)
{
	u8 bus = PCI_BUS_NUM(source_id), devfn = source_id & 0xff;
	struct context_entry *context;
	struct intel_iommu *iommu;
	struct inherited *i;
	u16 did;

	scoped_guard(spinlock_irqsave, &inherited_lock) {
		iommu = NULL;
		list_for_each_entry(i, &inherited, list)
			if (i->iommu->reg_phys == unit->register_pa &&
			    i->source_id == source_id)
				iommu = i->iommu;
	}
	if (!iommu)
		return;
	scoped_guard(spinlock, &iommu->lock) {
		if (!context_copied(iommu, bus, devfn))
			break;
		context = iommu_context_addr(iommu, bus, devfn, 1);
		did = context_domain_id(context);
		context_clear_present(context);
		__iommu_flush_cache(iommu, context, sizeof(*context));
		flush_entry(iommu, did, source_id);
		context_clear_entry(context);
		__iommu_flush_cache(iommu, context, sizeof(*context));
		clear_context_copied(iommu, bus, devfn);
	}
	forget(iommu, source_id);
}

/*
 * VT-d 9.3: an entry is read as a whole, so that one store of 128 bits leads to
 * the new table under an ID of its own, under which nothing is cached yet. What
 * is cached under the old one, of the same meaning, goes with the flush.
 */
bool intel_handover_switch(struct intel_iommu *iommu,
			   struct context_entry *context, u8 bus, u8 devfn,
			   struct dmar_domain *domain, u16 did)
{
	struct pt_iommu_vtdss_hw_info info;
	struct context_entry next = {};
	u16 source_id = PCI_DEVID(bus, devfn);
	u16 was = context_domain_id(context);
	u128 old, new;

	if (!context_copied(iommu, bus, devfn) ||
	    !handover_switching(iommu->reg_phys, source_id))
		return false;
	pt_iommu_vtdss_hw_info(&domain->sspt, &info);
	context_set_domain_id(&next, did);
	context_set_address_root(&next, info.ssptptr);
	context_set_address_width(&next, info.aw);
	context_set_translation_type(&next, CONTEXT_TT_MULTI_LEVEL);
	context_set_fault_enable(&next);
	context_set_present(&next);
	new = (u128)next.hi << 64 | next.lo;
	old = (u128)context->hi << 64 | context->lo;
	/* The table was filled by this CPU or has been flushed by generic_pt */
	while (!try_cmpxchg128((u128 *)context, &old, new))
		;
	__iommu_flush_cache(iommu, context, sizeof(*context));
	iommu_flush_write_buffer(iommu);
	flush_entry(iommu, was, source_id);
	if (cap_caching_mode(iommu->cap))
		flush_entry(iommu, did, source_id);
	clear_context_copied(iommu, bus, devfn);
	forget(iommu, source_id);
	return true;
}

bool intel_handover_deferred(struct device_domain_info *info)
{
	return is_kdump_kernel() ||
	       context_copied(info->iommu, info->bus, info->devfn);
}

void intel_handover_attach(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	u16 source_id = PCI_DEVID(info->bus, info->devfn);

	if (context_copied(info->iommu, info->bus, info->devfn) &&
	    !handover_switching(info->iommu->reg_phys, source_id))
		handover_stop_device(dev);
}

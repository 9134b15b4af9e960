// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d units of which translation stays on through a kexec: what the old kernel
 * leaves, and how the next one takes it over.
 *
 * In legacy mode the context entry of a device leads to its page table, in
 * scalable mode to a directory of PASID tables; requests without PASID use the
 * first entry of the first of these.
 */
#define pr_fmt(fmt) "DMAR: handover: " fmt

#include <linux/cpufeature.h>
#include <linux/crash_dump.h>
#include <linux/delay.h>
#include <linux/kexec_handover.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "iommu.h"
#include "handover.h"
#include "pasid.h"
#include "../iommu-pages.h"
#include "../handover/drivers.h"
#include "../handover/units.h"

const struct iommu_handover_objection *
intel_handover_stays(struct device *dev, struct iommu_domain *domain)
{
	static const struct iommu_handover_objection no_store = {
		"an IOMMU on a machine without cmpxchg16b", "hand it over paused",
	};

	return boot_cpu_has(X86_FEATURE_CX16) ? NULL : &no_store;
}

/* VT-d 9.4: bits 9 to 11 say how many entries a directory has, 2 to this plus 7. */
static u64 directory_len(u64 lo)
{
	return max(VTD_PAGE_SIZE, 8ull << (((lo >> 9) & 7) + 7));
}

/* Of a scalable-mode entry: the directory and the tables that it names. */
static int visit_pasid(u64 lo, int (*visit)(void *priv, u64 pa), void *priv)
{
	u64 dir = lo & VTD_PAGE_MASK, len = directory_len(lo);
	struct pasid_dir_entry *pde = phys_to_virt(dir);
	int rc = 0;

	for (u64 i = 0; !rc && i < len / sizeof(*pde); i++)
		if (pasid_pde_is_present(&pde[i]))
			rc = visit(priv, READ_ONCE(pde[i].val) & PDE_PFN_MASK);
	for (u64 off = 0; !rc && off < len; off += VTD_PAGE_SIZE)
		rc = visit(priv, dir + off);
	return rc;
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
	if (!rc)
		rc = visit(priv, virt_to_phys(context) & VTD_PAGE_MASK);
	if (!rc && sm_supported(iommu))
		rc = visit_pasid(context->lo, visit, priv);
	return rc ?: intel_handover_irq_pages(iommu, visit, priv);
}

/*
 * Make all entries of a context table not present but those that are kept. Return:
 * whether one is. VT-d 9.3, 9.4: an entry has 16 bytes, in scalable mode 32, so that
 * a bus has two tables there. The unit may be reading an entry, in one access of 128
 * bits (chapter 9), so that nothing but its present bit changes before the flush.
 */
static bool park_table(struct intel_iommu *iommu, u8 bus, u8 first,
		       struct context_entry *table)
{
	const u32 step = sm_supported(iommu) ? 2 : 1;
	bool kept = false;

	for (u32 i = 0; i < 256; i += step) {
		if (!context_present(&table[i]))
			continue;
		if (handover_keeps(iommu->reg_phys,
				   PCI_DEVID(bus, first + i / step))) {
			kept = true;
			continue;
		}
		context_clear_present(&table[i]);
	}
	__iommu_flush_cache(iommu, table, VTD_PAGE_SIZE);
	return kept;
}

static void park_half(struct intel_iommu *iommu, u8 bus, u8 first, u64 *half)
{
	if (*half & 1 &&
	    !park_table(iommu, bus, first, phys_to_virt(*half & VTD_PAGE_MASK)))
		WRITE_ONCE(*half, 0);
}

/*
 * At shutdown: no other CPU runs, and none was stopped with a lock of these, as
 * interrupts are off under them.
 *
 * VT-d 6.5.3.3: after a change of root entries all is invalidated, the context-cache
 * first, then the PASID-cache, then the IOTLB (6.2.2.1). That is done when the wait
 * descriptor behind it is (6.5.2.9, 6.5.2.12); then the queue, which nobody
 * preserves, is switched off.
 */
bool intel_handover_park(struct intel_iommu *iommu)
{
	if (!iommu->root_entry || !handover_parks(iommu->reg_phys))
		return false;
	for (u32 bus = 0; bus < 256; bus++) {
		park_half(iommu, bus, 0, &iommu->root_entry[bus].lo);
		if (sm_supported(iommu))
			park_half(iommu, bus, 0x80, &iommu->root_entry[bus].hi);
	}
	__iommu_flush_cache(iommu, iommu->root_entry, VTD_PAGE_SIZE);
	iommu_flush_write_buffer(iommu);

	iommu->flush.flush_context(iommu, 0, 0, 0, DMA_CCMD_GLOBAL_INVL);
	if (sm_supported(iommu))
		qi_flush_pasid_cache(iommu, 0, QI_PC_GLOBAL, 0);
	iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
	intel_handover_irq_park(iommu);
	dmar_disable_qi(iommu);
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
 * @directory: in scalable mode, made by this kernel with what the image says
 * @pasids: the only table that it names
 */
struct inherited {
	struct list_head list;
	struct intel_iommu *iommu;
	u16 source_id;
	u16 did;
	struct pasid_dir_entry *directory;
	struct pasid_entry *pasids;
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
	/* The unit has been told, see flush_entry() */
	iommu_free_pages(gone->directory);
	iommu_free_pages(gone->pasids);
	kfree(gone);
}

/*
 * VT-d 6.5.3.3, changes to a context-table entry: what hides in the unit of one with
 * @did. 6.2.2.1: first the entry, then what was read through it, since what is read
 * meanwhile has the domain ID of the cached entry.
 */
static void flush_entry(struct intel_iommu *iommu, u16 did, u16 source_id)
{
	iommu->flush.flush_context(iommu, did, source_id, DMA_CCMD_MASK_NOBIT,
				   DMA_CCMD_DEVICE_INVL);
	if (sm_supported(iommu)) {
		qi_flush_pasid_cache(iommu, did, QI_PC_ALL_PASIDS, 0);
		qi_flush_piotlb_all(iommu, did, IOMMU_NO_PASID);
	}
	iommu->flush.flush_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH);
}

/* In which it differs from the unit of the last kernel, or NULL. */
static const char *unit_differs(struct intel_iommu *iommu,
				const struct iho_unit *was)
{
	const bool scalable = was->mode == IHO_UNIT_SCALABLE;
	u64 root = readq(iommu->reg + DMAR_RTADDR_REG);

	if (scalable != sm_supported(iommu))
		return "mode";
	if (was->cap != iommu->cap || was->ecap != iommu->ecap)
		return "capabilities";
	/* VT-d 11.4.5: bits 10 and 11 are the mode, which must not change (6.6) */
	if (root != (was->root_pa | (scalable ? DMA_RTADDR_SMT : 0)))
		return "root table";
	return NULL;
}

/* VT-d 9.6: the entry for requests without PASID, as the driver makes it. */
static void fill_pasid(struct intel_iommu *iommu, struct pasid_entry *pe,
		       const struct iho_table *table, u16 did)
{
	pasid_set_domain_id(pe, did);
	pasid_set_page_snoop(pe, !(table->attributes & IHO_TABLE_INCOHERENT));
	if (table->format == IHO_TABLE_X86_64) {
		pasid_set_flptr(pe, table->root_pa);
		if (table->levels == 5)
			pasid_set_flpm(pe, 1);
		if (table->attributes & IHO_TABLE_SNOOP)
			pasid_set_pgsnp(pe);
		pasid_set_address_width(pe, iommu->agaw);
		pasid_set_translation_type(pe, PASID_ENTRY_PGTT_FL_ONLY);
	} else {
		pasid_set_slptr(pe, table->root_pa);
		pasid_set_address_width(pe, table->levels - 2);
		pasid_set_translation_type(pe, PASID_ENTRY_PGTT_SL_ONLY);
	}
	pasid_set_fault_enable(pe);
	pasid_set_present(pe);
}

static int make_pasids(struct inherited *i, const struct iho_table *table)
{
	struct intel_iommu *iommu = i->iommu;

	i->directory = iommu_alloc_pages_node_sz(iommu->node, GFP_KERNEL, SZ_4K);
	i->pasids = iommu_alloc_pages_node_sz(iommu->node, GFP_KERNEL, SZ_4K);
	if (!i->directory || !i->pasids)
		return -ENOMEM;
	fill_pasid(iommu, i->pasids, table, i->did);
	i->directory->val = virt_to_phys(i->pasids) | PASID_PTE_PRESENT;
	__iommu_flush_cache(iommu, i->pasids, VTD_PAGE_SIZE);
	__iommu_flush_cache(iommu, i->directory, VTD_PAGE_SIZE);
	return 0;
}

/*
 * What SRTP is about to lead to. VT-d 6.6: while the unit translates, the new tables
 * have to give the same results as the old ones.
 */
static int adopt_entry(struct intel_iommu *iommu, const struct handover_entry *e)
{
	u8 bus = PCI_BUS_NUM(e->source_id), devfn = e->source_id & 0xff;
	struct context_entry *context;
	struct inherited *i, *other;
	bool used = false;
	int rc;

	if ((e->table->format != IHO_TABLE_VTDSS &&
	     (e->table->format != IHO_TABLE_X86_64 || !sm_supported(iommu))) ||
	    e->domain_id < IDA_START_DID || e->domain_id >= cap_ndoms(iommu->cap))
		return -EINVAL;
	i = kzalloc_obj(*i);
	if (!i)
		return -ENOMEM;
	*i = (struct inherited) {
		.iommu = iommu,
		.source_id = e->source_id,
		.did = e->domain_id,
	};
	/* Others only take from the list, and not before the unit is set up */
	list_for_each_entry(other, &inherited, list)
		used |= other->iommu == iommu && other->did == i->did;
	if (!used) {
		rc = ida_alloc_range(&iommu->domain_ida, i->did, i->did, GFP_KERNEL);
		if (rc < 0) {
			kfree(i);
			return rc;
		}
	}
	scoped_guard(spinlock_irqsave, &inherited_lock)
		list_add(&i->list, &inherited);
	if (sm_supported(iommu)) {
		rc = make_pasids(i, e->table);
		if (rc)
			return rc;
	}
	guard(spinlock)(&iommu->lock);
	context = iommu_context_addr(iommu, bus, devfn, 1);
	if (!context)
		return -ENOMEM;
	context_clear_entry(context);
	if (sm_supported(iommu)) {
		/* The smallest directory: 128 entries */
		context->lo = virt_to_phys(i->directory) | context_pdts(0);
		context_set_sm_rid2pasid(context, IOMMU_NO_PASID);
	} else {
		context_set_domain_id(context, i->did);
		context_set_address_root(context, e->table->root_pa);
		context_set_address_width(context, e->table->levels - 2);
		context_set_translation_type(context, CONTEXT_TT_MULTI_LEVEL);
	}
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

	/* Interrupts may be off, and all that was handed over is about to end */
	if (system_state > SYSTEM_RUNNING)
		return;
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
	bool scalable;
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
	handover_took_over(intel_iommu_ops.handover);
	if (rc) {
		/* The caller switches translation off, which ends their DMA */
		kfree(old);
		return rc;
	}
	old->pa = readq(iommu->reg + DMAR_RTADDR_REG) & VTD_PAGE_MASK;
	old->scalable = sm_supported(iommu);
	list_add(&old->list, &old_roots);
	pr_info("%s: translation stays on for %u devices\n", iommu->name, nr);
	return 0;
}

static int free_old(void *priv, u64 pa)
{
	struct page *page = kho_restore_pages(pa, 1);

	if (page)
		__free_page(page);
	return 0;
}

static void free_old_half(u64 half, bool scalable)
{
	struct context_entry *table = phys_to_virt(half & VTD_PAGE_MASK);

	if (!(half & 1))
		return;
	for (u32 i = 0; scalable && i < 256; i += 2)
		if (context_present(&table[i]))
			visit_pasid(table[i].lo, free_old, NULL);
	free_old(NULL, half & VTD_PAGE_MASK);
}

/* All units have their own root table by now. */
static int __init free_old_roots(void)
{
	struct old_root *old, *next;
	struct root_entry *root;

	list_for_each_entry_safe(old, next, &old_roots, list) {
		root = phys_to_virt(old->pa);
		for (u32 bus = 0; bus < 256; bus++) {
			free_old_half(root[bus].lo, old->scalable);
			if (old->scalable)
				free_old_half(root[bus].hi, true);
		}
		free_old(NULL, old->pa);
		kfree(old);
	}
	return 0;
}
late_initcall(free_old_roots);

/* Its unit, when the last kernel's entry of a device is still known. */
static struct intel_iommu *unit_of(u64 register_pa, u16 source_id, u16 *did)
{
	struct inherited *i;

	guard(spinlock_irqsave)(&inherited_lock);
	list_for_each_entry(i, &inherited, list)
		if (i->iommu->reg_phys == register_pa &&
		    i->source_id == source_id) {
			*did = i->did;
			return i->iommu;
		}
	return NULL;
}

void intel_handover_block(const struct iho_unit *unit, u16 source_id,
			  struct device *dev)
{
	u8 bus = PCI_BUS_NUM(source_id), devfn = source_id & 0xff;
	struct context_entry *context;
	struct intel_iommu *iommu;
	u16 did;

	iommu = unit_of(unit->register_pa, source_id, &did);
	if (!iommu)
		return;
	scoped_guard(spinlock, &iommu->lock) {
		if (!context_copied(iommu, bus, devfn))
			break;
		context = iommu_context_addr(iommu, bus, devfn, 1);
		context_clear_present(context);
		__iommu_flush_cache(iommu, context, sizeof(*context));
		flush_entry(iommu, did, source_id);
		context_clear_entry(context);
		__iommu_flush_cache(iommu, context, sizeof(*context));
		clear_context_copied(iommu, bus, devfn);
	}
	forget(iommu, source_id);
	/* In scalable mode that is done once for each device, when it is found */
	if (sm_supported(iommu) && dev && dev_iommu_priv_get(dev) &&
	    intel_pasid_setup_sm_context(dev))
		dev_warn(dev, "handover: no entry for it; its DMA stays off\n");
}

bool intel_handover_switching(struct intel_iommu *iommu, u8 bus, u8 devfn)
{
	return context_copied(iommu, bus, devfn) &&
	       handover_switching(iommu->reg_phys, PCI_DEVID(bus, devfn));
}

/* For tests: as if the entry were taken away first. */
static void disturb(struct intel_iommu *iommu, struct context_entry *context,
		    u8 bus, u8 devfn)
{
	u16 did;

	if (!handover_disturbed(HANDOVER_DISTURB_CLEAR) ||
	    !unit_of(iommu->reg_phys, PCI_DEVID(bus, devfn), &did))
		return;
	context_clear_present(context);
	__iommu_flush_cache(iommu, context, sizeof(*context));
	flush_entry(iommu, did, PCI_DEVID(bus, devfn));
	mdelay(50);
}

/* @context leads to the new table: nothing of the old one may be left. */
static void switched(struct intel_iommu *iommu, struct context_entry *context,
		     u8 bus, u8 devfn, u16 did)
{
	u16 source_id = PCI_DEVID(bus, devfn), was;

	__iommu_flush_cache(iommu, context, sizeof(*context));
	iommu_flush_write_buffer(iommu);
	if (handover_disturbed(HANDOVER_DISTURB_WAIT))
		mdelay(50);
	if (!unit_of(iommu->reg_phys, source_id, &was))
		return;
	if (handover_disturbed(HANDOVER_DISTURB_FLUSH)) {
		clear_context_copied(iommu, bus, devfn);
		return;
	}
	flush_entry(iommu, was, source_id);
	if (cap_caching_mode(iommu->cap))
		flush_entry(iommu, did, source_id);
	clear_context_copied(iommu, bus, devfn);
	forget(iommu, source_id);
}

/*
 * VT-d chapter 9: the unit reads 128 bits at once, so an entry as a whole. 6.2.2.1:
 * page table and domain ID of a present entry change together, by one store of 16
 * bytes. It leads to the new table under an ID of its own, under which nothing is
 * cached yet. What is cached under the old one, of the same meaning, goes with the
 * flush.
 */
bool intel_handover_switch(struct intel_iommu *iommu,
			   struct context_entry *context, u8 bus, u8 devfn,
			   struct dmar_domain *domain, u16 did, bool ats)
{
	struct pt_iommu_vtdss_hw_info info;
	struct context_entry next = {};
	u128 old, new;

	if (!intel_handover_switching(iommu, bus, devfn))
		return false;
	pt_iommu_vtdss_hw_info(&domain->sspt, &info);
	context_set_domain_id(&next, did);
	context_set_address_root(&next, info.ssptptr);
	context_set_address_width(&next, info.aw);
	context_set_translation_type(&next, ats ? CONTEXT_TT_DEV_IOTLB :
						   CONTEXT_TT_MULTI_LEVEL);
	context_set_fault_enable(&next);
	context_set_present(&next);
	disturb(iommu, context, bus, devfn);
	new = (u128)next.hi << 64 | next.lo;
	old = (u128)context->hi << 64 | context->lo;
	while (!try_cmpxchg128((u128 *)context, &old, new))
		;
	switched(iommu, context, bus, devfn, did);
	return true;
}

/*
 * VT-d 9.4: the address of the directory and all else that differs between the two
 * entries is in one word, so in one access of the unit (chapter 9); the first PASID
 * entry of the new one is filled.
 */
void intel_handover_switch_directory(struct device *dev,
				     struct dmar_domain *domain)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	u32 max_pde = info->pasid_table ?
			      info->pasid_table->max_pasid >> PASID_PDE_SHIFT : 0;
	struct context_entry *context, next = {};

	if (!sm_supported(iommu) || !max_pde ||
	    !intel_handover_switching(iommu, info->bus, info->devfn))
		return;
	next.lo = virt_to_phys(info->pasid_table->table) |
		  context_pdts(max(ilog2(max_pde), 7) - 7);
	if (info->ats_supported)
		context_set_sm_dte(&next);
	if (info->pasid_supported)
		context_set_pasid(&next);
	if (info->pri_supported)
		context_set_sm_pre(&next);
	context_set_fault_enable(&next);
	context_set_present(&next);
	guard(spinlock)(&iommu->lock);
	context = iommu_context_addr(iommu, info->bus, info->devfn, 1);
	disturb(iommu, context, info->bus, info->devfn);
	WRITE_ONCE(context->lo, next.lo);
	switched(iommu, context, info->bus, info->devfn,
		 domain_id_iommu(domain, iommu));
}

bool intel_handover_deferred(struct device_domain_info *info)
{
	return is_kdump_kernel() ||
	       context_copied(info->iommu, info->bus, info->devfn);
}

void intel_handover_attach(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	if (context_copied(info->iommu, info->bus, info->devfn) &&
	    !intel_handover_switching(info->iommu, info->bus, info->devfn))
		handover_stop_device(dev);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD-Vi units of which translation stays on through a kexec: what the old kernel
 * leaves, and what is done with it where no driver looks at it.
 */
#define pr_fmt(fmt) "AMD-Vi: handover: " fmt

#include <linux/acpi.h>
#include <linux/crash_dump.h>
#include <linux/delay.h>
#include <linux/io.h>

#include "amd_iommu.h"
#include "handover.h"
#include "../handover/drivers.h"
#include "../handover/units.h"

/* Linux has no name for it. */
#define STATUS_CMDBUF_RUN	BIT(4)
#define BUFFERS_RUN	(MMIO_STATUS_EVT_RUN_MASK | STATUS_CMDBUF_RUN |	\
			 MMIO_STATUS_PPR_RUN_MASK |			\
			 MMIO_STATUS_GALOG_RUN_MASK)
#define DTE_IRQ_MASK	(DTE_IRQ_REMAP_ENABLE | DTE_INTTABLEN_MASK |	\
			 DTE_IRQ_PHYS_ADDR_MASK |			\
			 DTE_IRQ_REMAP_INTCTL_MASK)

const struct iommu_handover_objection *
amd_handover_stays(struct device *dev, struct iommu_domain *domain)
{
	static const struct iommu_handover_objection guest = {
		"a guest page table (v2)",
		"boot both kernels with amd_iommu=pgtbl_v1, or hand it over paused",
	}, alias = {
		"another requester ID in the IVRS table", "hand it over paused",
	}, segment = {
		"a PCI segment other than 0", "hand it over paused",
	};
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	struct amd_iommu *iommu = get_amd_iommu_from_dev(dev);

	if (to_pdomain(domain)->pd_mode != PD_MODE_V1)
		return &guest;
	/* The next kernel's driver comes before PCI, see handover_stop_unit() */
	if (iommu->pci_seg->id)
		return &segment;
	if (iommu->pci_seg->alias_table[dev_data->devid] != dev_data->devid)
		return &alias;
	return NULL;
}

int amd_handover_pages(struct device *dev, int (*visit)(void *priv, u64 pa),
		       void *priv)
{
	struct amd_iommu_pci_seg *seg = get_amd_iommu_from_dev(dev)->pci_seg;
	u64 table = virt_to_phys(seg->dev_table);
	int rc = 0;

	for (u64 off = 0; !rc && off < seg->dev_table_size; off += PAGE_SIZE)
		rc = visit(priv, table + off);
	return rc;
}

void amd_handover_exchange(struct dev_table_entry *dte, u128 lower)
{
	u128 old = dte->data128[0];

	while (!try_cmpxchg128(&dte->data128[0], &old, lower))
		;
}

static void no_dma(struct dev_table_entry *dte)
{
	u64 other = dte->data[1] & DTE_DATA1_SYSMGT_MASK;

	if (dte->data[0] != AMD_HANDOVER_NO_DMA || dte->data[1] != other)
		amd_handover_exchange(dte, (u128)other << 64 | AMD_HANDOVER_NO_DMA);
}

static bool kept(const struct amd_iommu_pci_seg *seg, u32 devid)
{
	struct amd_iommu *iommu;

	if (devid > seg->last_bdf)
		return false;
	iommu = seg->rlookup_table[devid];
	return iommu && handover_keeps(iommu->mmio_phys, devid);
}

/*
 * No interrupt remapping table is handed over. With IV set and IntCtl 0 requests of
 * a device are aborted and no table is read (AMD 2.2.2), which is what
 * init_device_table() begins with; with IV clear they are delivered as they are, which
 * the next kernel needs of an I/O APIC before it remaps. AMD 2.2.2.2: the half of an
 * entry that is for DMA changes by one store of 128 bits, what is for interrupts by
 * one of 64.
 */
static void park_table(struct amd_iommu_pci_seg *seg)
{
	for (u32 devid = 0; devid < amd_handover_entries(seg); devid++) {
		struct dev_table_entry *dte = &seg->dev_table[devid];
		u64 irq = dte->data[2] & ~DTE_IRQ_MASK;

		if (kept(seg, devid)) {
			irq |= DTE_IRQ_REMAP_ENABLE;
			if (handover_disturbed(HANDOVER_DISTURB_ENTRY))
				amd_handover_exchange(dte, dte->data128[0] ^
							   (u128)0x8000 << 64);
		} else {
			no_dma(dte);
		}
		if (dte->data[2] != irq)
			WRITE_ONCE(dte->data[2], irq);
	}
}

static void stop_buffers(struct amd_iommu *iommu)
{
	u64 ctrl = readq(iommu->mmio_base + MMIO_CONTROL_OFFSET);
	u32 status, i = 0;

	ctrl &= ~(AMD_HANDOVER_BUFFERS | BIT_ULL(CONTROL_IRTCACHEDIS));
	writeq(ctrl, iommu->mmio_base + MMIO_CONTROL_OFFSET);
	do {
		status = readl(iommu->mmio_base + MMIO_STATUS_OFFSET) & BUFFERS_RUN;
		if (!status)
			return;
		udelay(5);
	} while (++i < 20000);
	/* Cure: none; the next kernel's memory may be written to. */
	pr_alert("unit at %#llx: buffers still run: status %#x\n",
		 iommu->mmio_phys, status);
}

/*
 * No other CPU runs, and none was stopped with a lock of these, as interrupts are
 * off under them. Commands are done when the COMPLETION_WAIT behind them is (AMD
 * 2.4.1), for which amd_iommu_flush_all_caches() waits; then the buffer, which nobody
 * preserves, is switched off.
 */
bool amd_handover_park(struct amd_iommu *iommu)
{
	if (!handover_parks(iommu->mmio_phys))
		return false;
	park_table(iommu->pci_seg);
	amd_iommu_flush_all_caches(iommu);
	if ((s64)(READ_ONCE(*iommu->cmd_sem) - iommu->cmd_sem_val) < 0)
		/* Cure: none; the unit may know what was cleared. */
		pr_alert("unit at %#llx: does not answer\n", iommu->mmio_phys);
	stop_buffers(iommu);
	return true;
}

static void __init switch_off(u64 register_pa)
{
	u8 __iomem *base = ioremap(register_pa, MMIO_CNTR_CONF_OFFSET);
	u64 ctrl;

	if (!base) {
		handover_stop_unit(register_pa);
		return;
	}
	ctrl = readq(base + MMIO_CONTROL_OFFSET);
	if (ctrl & BIT_ULL(CONTROL_IOMMU_EN) && handover_stop_unit(register_pa)) {
		ctrl &= ~(AMD_HANDOVER_BUFFERS | BIT_ULL(CONTROL_IOMMU_EN));
		writeq(ctrl, base + MMIO_CONTROL_OFFSET);
	}
	iounmap(base);
}

/*
 * amd_iommu=off and iommu=off: nobody looks at the units, of which the last kernel
 * may have left some on. After pci_iommu_init(), before drivers have devices.
 */
static int __init amd_handover_without_driver(void)
{
	struct acpi_table_header *ivrs;
	struct acpi_ivrs_hardware_10 *unit;
	u32 at = sizeof(struct acpi_table_ivrs);

	if (!list_empty(&amd_iommu_list) || is_kdump_kernel() ||
	    ACPI_FAILURE(acpi_get_table(ACPI_SIG_IVRS, 0, &ivrs)))
		return 0;
	while (at + sizeof(*unit) <= ivrs->length) {
		unit = (void *)ivrs + at;
		if (unit->header.type == ACPI_IVRS_TYPE_HARDWARE1 ||
		    unit->header.type == ACPI_IVRS_TYPE_HARDWARE2 ||
		    unit->header.type == ACPI_IVRS_TYPE_HARDWARE3)
			switch_off(unit->base_address);
		if (!unit->header.length)
			break;
		at += unit->header.length;
	}
	acpi_put_table(ivrs);
	return 0;
}
rootfs_initcall(amd_handover_without_driver);

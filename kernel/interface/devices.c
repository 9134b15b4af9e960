// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: what the PCI core and IOMMU drivers ask of devices that do DMA
 * from one kernel into the next.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <kunit/static_stub.h>
#include <linux/bitfield.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/pci.h>
#include <linux/pci-handover.h>
#include <linux/pm_runtime.h>

#include "drivers.h"
#include "incoming.h"
#include "outgoing.h"
#include "units.h"

void pci_handover_found(struct pci_dev *pdev)
{
	handover_in_found(pdev);
	pdev->handed_over = handover_in_runs(pdev);
}

void pci_handover_added(struct pci_dev *pdev)
{
	/* The last one may have been taken back since it was found */
	pdev->handed_over = handover_in_runs(pdev);
	if (pdev->handed_over)
		pm_runtime_get_noresume(&pdev->dev);
}

bool pci_handover_closed(struct pci_dev *pdev)
{
	return pci_handed_over(pdev) && !handover_in_claimed(pdev);
}
EXPORT_SYMBOL_GPL(pci_handover_closed);

bool pci_handover_msix(struct pci_dev *pdev, u16 ctrl)
{
	if (!pci_handed_over(pdev))
		return false;
	pci_write_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS,
			      ctrl | PCI_MSIX_FLAGS_MASKALL);
	return true;
}

bool pci_handover_msi(struct pci_dev *pdev, u16 ctrl)
{
	if (!pci_handed_over(pdev) || pci_is_bridge(pdev) ||
	    !(ctrl & PCI_MSI_FLAGS_MASKBIT))
		return false;
	handover_pci_msi_mask(pdev, true);
	return true;
}

bool pci_handover_msi_held(struct pci_dev *pdev, int nvec)
{
	u16 ctrl;

	/* At boot MSI was disabled wherever it is not held back */
	if (!handover_expected() || pdev->msi_enabled)
		return false;
	pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS, &ctrl);
	return ctrl & PCI_MSI_FLAGS_ENABLE && ctrl & PCI_MSI_FLAGS_MASKBIT &&
	       FIELD_GET(PCI_MSI_FLAGS_QSIZE, ctrl) == order_base_2(nvec);
}

void pci_handover_set_up(struct pci_dev *pdev, int cap)
{
	if (!handover_expected())
		return;
	if (cap == PCI_CAP_ID_MSI)
		handover_pci_msix_off(pdev);
	else
		handover_pci_msi_off(pdev);
}

/*
 * The next kernel takes an entry that is not masked for one that it has unmasked,
 * and lets it go before there is a handler for it: what is pending would be lost.
 */
static void mask_vectors(struct pci_dev *pdev)
{
	int nr = pci_msix_vec_count(pdev);
	void __iomem *ctrl;
	u16 cmd;

	/* Who drives the device may have switched its memory off */
	pci_read_config_word(pdev, PCI_COMMAND, &cmd);
	pci_write_config_word(pdev, PCI_COMMAND, cmd | PCI_COMMAND_MEMORY);
	for (int i = 0; pdev->msix_base && i < nr; i++) {
		ctrl = pdev->msix_base + i * PCI_MSIX_ENTRY_SIZE +
		       PCI_MSIX_ENTRY_VECTOR_CTRL;
		writel(readl(ctrl) | PCI_MSIX_ENTRY_CTRL_MASKBIT, ctrl);
		readl(ctrl);
	}
	pci_write_config_word(pdev, PCI_COMMAND, cmd);
}

bool pci_handover_shutdown(struct pci_dev *pdev)
{
	u16 ctrl;

	if (!pci_handed_over(pdev) ||
	    READ_ONCE(handover_out.jump) != HANDOVER_JUMP_COMMITTED)
		return false;
	if (pci_is_bridge(pdev))
		return true;
	if (handover_disturbed(HANDOVER_DISTURB_MASTER))
		return false;
	if (handover_disturbed(HANDOVER_DISTURB_MSIX) &&
	    (pdev->msix_enabled || pdev->msi_enabled))
		return true;
	if (pdev->msix_enabled) {
		pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS,
				     &ctrl);
		pci_handover_msix(pdev, ctrl);
		mask_vectors(pdev);
	} else if (pdev->msi_enabled) {
		pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS,
				     &ctrl);
		pci_handover_msi(pdev, ctrl);
	} else {
		/* A line may be shared, and nobody would answer it */
		pci_intx(pdev, 0);
	}
	return true;
}

/* A driver that remaps interrupts asks before there are initcalls. */
static void __ref begin(void)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	if (handover_in_running_init()) {
		handover_in.state = HANDOVER_IN_REFUSED;
		handover_in_silence();
	}
}

u32 handover_inherited(u64 register_pa, u32 from, struct handover_entry *entry)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_inherited, register_pa, from, entry);
	begin();
	return handover_in_entries(register_pa, from, entry);
}

bool handover_expected(void)
{
	return handover_in.state == HANDOVER_IN_ACCEPTED && handover_in.running;
}

bool handover_switching(u64 register_pa, u16 source_id)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_switching, register_pa, source_id);
	return handover_in_switching(register_pa, source_id);
}

bool handover_stop_unit(u64 register_pa)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_stop_unit, register_pa);
	/* Firmware may leave translation on as well */
	if (handover_in.state == HANDOVER_IN_NONE)
		return false;
	pr_warn("unit at %#llx: not taken over; the DMA of what is behind it ends\n",
		register_pa);
	begin();
	handover_in_stop_unit(register_pa);
	return true;
}

void handover_stop_device(struct device *dev)
{
	if (dev_is_pci(dev))
		handover_in_stop(to_pci_dev(dev));
}

bool handover_parks(u64 register_pa)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_parks, register_pa);
	return handover_out_keeps(register_pa, NULL);
}

bool handover_keeps(u64 register_pa, u16 source_id)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_keeps, register_pa, source_id);
	return handover_out_keeps(register_pa, &source_id);
}

/* Before buses are scanned. */
static int __init handover_devices_init(void)
{
	begin();
	return 0;
}
core_initcall(handover_devices_init);

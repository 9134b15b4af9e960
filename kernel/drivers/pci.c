// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: which PCI device this is, and the mask bits of its MSI.
 *
 * A device is named by where it is plugged in (segment, root bus, and slot and
 * function of each bridge on the way), by what it is, and by its serial number
 * where it has one. Bus numbers below a root bus do not name it: another kernel
 * may hand them out in another way.
 */
#include <linux/bitfield.h>
#include <linux/pci.h>
#include <linux/string.h>

#include "drivers.h"

int handover_pci_device(struct pci_dev *pdev, struct iho_device *fact)
{
	struct pci_bus *bus;
	u32 len = 1;

	for (bus = pdev->bus; !pci_is_root_bus(bus); bus = bus->parent) {
		/* Of virtual functions, which are below no bridge of their own */
		if (!bus->self)
			return -ENODEV;
		len++;
	}
	if (len > IHO_MAX_PATH)
		return -E2BIG;
	*fact = (struct iho_device) {
		.segment = pci_domain_nr(pdev->bus),
		.source_id = { pci_dev_id(pdev) },
		.source_ids = 1,
		.vendor_device = (u32)pdev->vendor << 16 | pdev->device,
		.subsystem = (u32)pdev->subsystem_vendor << 16 |
			     pdev->subsystem_device,
		.class_revision = pdev->class << 8 | pdev->revision,
		.serial = pci_get_dsn(pdev),
		.root_bus = bus->number,
		.path_len = len,
	};
	fact->path[--len] = pdev->devfn;
	for (bus = pdev->bus; len; bus = bus->parent)
		fact->path[--len] = bus->self->devfn;
	return 0;
}

bool handover_pci_same_place(const struct iho_device *a,
			     const struct iho_device *b)
{
	return a->segment == b->segment && a->root_bus == b->root_bus &&
	       a->path_len == b->path_len &&
	       !memcmp(a->path, b->path, a->path_len);
}

bool handover_pci_same_kind(const struct iho_device *a,
			    const struct iho_device *b)
{
	return a->vendor_device == b->vendor_device &&
	       a->subsystem == b->subsystem &&
	       a->class_revision == b->class_revision &&
	       a->serial == b->serial;
}

static u16 msi_flags(struct pci_dev *pdev)
{
	u16 flags = 0;

	if (pdev->msi_cap)
		pci_read_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS, &flags);
	return flags;
}

bool handover_pci_msi_masks(struct pci_dev *pdev)
{
	return msi_flags(pdev) & PCI_MSI_FLAGS_MASKBIT;
}

void handover_pci_msi_mask(struct pci_dev *pdev, bool masked)
{
	u16 flags = msi_flags(pdev);
	u32 vectors = 1U << FIELD_GET(PCI_MSI_FLAGS_QMASK, flags);

	pci_write_config_dword(pdev, pdev->msi_cap + (flags & PCI_MSI_FLAGS_64BIT ?
						      PCI_MSI_MASK_64 :
						      PCI_MSI_MASK_32),
			       masked ? GENMASK(min(vectors, 32U) - 1, 0) : 0);
}

void handover_pci_msix_off(struct pci_dev *pdev)
{
	u16 ctrl;

	if (!pdev->msix_cap || pdev->msix_enabled)
		return;
	pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, &ctrl);
	if (!(ctrl & PCI_MSIX_FLAGS_ENABLE))
		return;
	ctrl &= ~(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_write_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, ctrl);
}

void handover_pci_msi_off(struct pci_dev *pdev)
{
	u16 flags = msi_flags(pdev);

	if (!(flags & PCI_MSI_FLAGS_ENABLE) || !(flags & PCI_MSI_FLAGS_MASKBIT) ||
	    pdev->msi_enabled)
		return;
	pci_write_config_word(pdev, pdev->msi_cap + PCI_MSI_FLAGS,
			      flags & ~PCI_MSI_FLAGS_ENABLE);
	handover_pci_msi_mask(pdev, false);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks of the IOMMU handover into the PCI core and vfio-pci: a device that goes
 * on with its DMA through a kexec is left alone.
 */
#ifndef _LINUX_PCI_HANDOVER_H
#define _LINUX_PCI_HANDOVER_H

#include <linux/pci.h>

#ifdef CONFIG_IOMMU_HANDOVER

/**
 * pci_handed_over() - does the device do DMA from one kernel into the next?
 * @pdev: an endpoint, or a bridge above one
 *
 * In the old kernel from the point of no return on, in the new one until the
 * device is attached to what its iommufd became, or is stopped. Nobody resets
 * or configures it meanwhile, clears bus mastering or touches its power.
 *
 * Return: whether it does.
 */
static inline bool pci_handed_over(const struct pci_dev *pdev)
{
	return pdev->handed_over;
}

/**
 * pci_handover_closed() - is it to be kept from whoever has opened it?
 * @pdev: the device
 *
 * Its DMA is that of the one who had it in the last kernel. It is closed to
 * others until it is attached to what they have.
 *
 * Return: whether it is.
 */
bool pci_handover_closed(struct pci_dev *pdev);

/**
 * pci_handover_found() - a function was found on its bus
 * @pdev: bus, devfn, vendor and device are known, nothing else was touched
 *
 * From here on pci_handed_over() tells.
 */
void pci_handover_found(struct pci_dev *pdev);

/* It is in the lists: its power is held until it is taken back or stopped. */
void pci_handover_added(struct pci_dev *pdev);

/**
 * pci_handover_shutdown() - the machine is about to kexec
 * @pdev: its driver is shut down
 *
 * Holds the interrupts of a device that is handed over back: MSI-X is masked
 * as a whole and each vector by itself, MSI each vector by itself, so that what
 * it raises stays pending in it, or INTx is disabled.
 *
 * Return: true when bus mastering has to stay on.
 */
bool pci_handover_shutdown(struct pci_dev *pdev);

/**
 * pci_handover_msix() - hold interrupts back instead of disabling MSI-X
 * @pdev: its MSI-X capability is known
 * @ctrl: of that capability, with MSI-X enabled
 *
 * Return: false when the device is not handed over.
 */
bool pci_handover_msix(struct pci_dev *pdev, u16 ctrl);

/**
 * pci_handover_msi() - hold interrupts back instead of disabling MSI
 * @pdev: its MSI capability is known
 * @ctrl: of that capability, with MSI enabled
 *
 * Return: false when the device is not handed over, has no mask bits, or is a
 * bridge.
 */
bool pci_handover_msi(struct pci_dev *pdev, u16 ctrl);

/**
 * pci_handover_msi_held() - is MSI still enabled, and masked, since the last kernel?
 * @pdev: it is about to be given MSI
 * @nvec: so many vectors
 *
 * Then it stays enabled while it is set up: disabled for a moment, the device
 * would raise INTx instead, which nobody hears.
 *
 * Return: whether it is.
 */
bool pci_handover_msi_held(struct pci_dev *pdev, int nvec);

/**
 * pci_handover_set_up() - MSI or MSI-X is about to be set up
 * @pdev: the device
 * @cap: PCI_CAP_ID_MSI or PCI_CAP_ID_MSIX
 *
 * Disables the other one, if it is held back since the last kernel: a device must
 * not have both.
 */
void pci_handover_set_up(struct pci_dev *pdev, int cap);

#else

static inline bool pci_handed_over(const struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_handover_closed(struct pci_dev *pdev)
{
	return false;
}

static inline void pci_handover_found(struct pci_dev *pdev)
{
}

static inline void pci_handover_added(struct pci_dev *pdev)
{
}

static inline bool pci_handover_shutdown(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_handover_msix(struct pci_dev *pdev, u16 ctrl)
{
	return false;
}

static inline bool pci_handover_msi(struct pci_dev *pdev, u16 ctrl)
{
	return false;
}

static inline bool pci_handover_msi_held(struct pci_dev *pdev, int nvec)
{
	return false;
}

static inline void pci_handover_set_up(struct pci_dev *pdev, int cap)
{
}

#endif
#endif

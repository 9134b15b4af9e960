/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices and domains that only KUnit tests know.
 *
 * What a device leads to is real iommufd and a real VT-d second-stage table;
 * only the device is a structure that nobody else knows.
 */
#ifndef __IOMMU_HANDOVER_KUNIT_FAKE_DEVICE_H
#define __IOMMU_HANDOVER_KUNIT_FAKE_DEVICE_H

#include <linux/iommu.h>
#include <linux/pci.h>

struct iho_table;
struct iommufd_device;
struct kunit;
struct replay;

/**
 * struct fake_device - a PCI device that is on no bus
 * @pdev: the device
 * @bus: that it says it is on; a root bus until a test puts it below a bridge
 * @sysdata: of @bus: its segment
 * @dev_iommu: leads to @unit
 * @unit: IOMMU whose domains are fake_domain_new() of three levels
 * @can: flags of HWPT_ALLOC that @unit takes
 * @flags: those of the last domain that was allocated
 */
struct fake_device {
	struct pci_dev pdev;
	struct pci_bus bus;
	struct pci_sysdata sysdata;
	struct dev_iommu dev_iommu;
	struct iommu_device unit;
	u32 can;
	u32 flags;
};

/**
 * fake_domain_new() - a domain with a VT-d second-stage table
 * @dev: for which its tables are allocated
 * @levels: of the table, 3 to 5
 *
 * Return: the domain, for fake_domain_free(), or an ERR_PTR.
 */
struct iommu_domain *fake_domain_new(struct device *dev, u32 levels);

/* Free a domain of fake_domain_new() and its table. */
void fake_domain_free(struct iommu_domain *domain);

/* Free a domain of fake_domain_new(), but not its table, which another one has. */
void fake_domain_forget(struct iommu_domain *domain);

/**
 * fake_domain_exchange() - stub for handover_top_exchange()
 * @domain: of fake_domain_new()
 * @top: its page table from now on, as of handover_top()
 * @old: what it was
 *
 * Return: true.
 */
bool fake_domain_exchange(struct iommu_domain *domain, uintptr_t top,
			  uintptr_t *old);

/**
 * fake_domain_table() - stub for handover_table()
 * @domain: any domain
 * @table: format, levels, root and width are written
 *
 * Return: 0, or -EOPNOTSUPP when @domain is not of fake_domain_new().
 */
int fake_domain_table(struct iommu_domain *domain, struct iho_table *table);

/**
 * fake_device_new() - a device that is what the image says of one
 * @test: owns it; its priv is a struct replay
 * @index: of the device in the world: 0 or 1
 *
 * Return: the device; a failure ends the test.
 */
struct fake_device *fake_device_new(struct kunit *test, u32 index);

/**
 * fake_device_begin() - begin to bind, as vfio does for the device's own file
 * @r: its iommufd is retrieved
 * @d: the device
 *
 * Return: 0, and iommufd_handover_bind_end() is to be called, or the errno of
 * iommufd_handover_bind_begin().
 */
int fake_device_begin(struct replay *r, struct fake_device *d);

/**
 * fake_device_bind() - bind as iommufd does
 * @r: its iommufd is retrieved
 * @d: the device
 *
 * The object is never published: nothing of iommufd then looks for an IOMMU
 * group after it.
 *
 * Return: the bound device, for fake_device_unbind(), or an ERR_PTR.
 */
struct iommufd_device *fake_device_bind(struct replay *r,
					struct fake_device *d);

/* The same for the struct replay of @test; a failure ends the test. */
struct iommufd_device *fake_device_must_bind(struct kunit *test,
					     struct fake_device *d);

/* Undo fake_device_bind(). */
void fake_device_unbind(struct iommufd_device *idev);

#endif

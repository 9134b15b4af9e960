/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: what it asks an IOMMU driver.
 */
#ifndef __IOMMU_HANDOVER_DRIVERS_H
#define __IOMMU_HANDOVER_DRIVERS_H

#include "lib/iho.h"

struct device;
struct iommu_domain;
struct pci_dev;

/**
 * struct iommu_handover_objection - why something cannot be handed over
 * @has: what the object has, as in "HWPT 3 has ..., which cannot be handed over"
 * @cure: what to do about it, as in "disable it"
 */
struct iommu_handover_objection {
	const char *has;
	const char *cure;
};

/**
 * struct iommu_handover_ops - what only an IOMMU driver knows
 * @unit: Fill in the facts of the unit that translates for @dev. Return: 0, or
 *	-EOPNOTSUPP when there is none or it does not translate.
 * @table: Fill in format, levels and root of the page table of @domain, and the
 *	attributes that the table itself has (IHO_TABLE_INCOHERENT). Return: 0, or
 *	-EOPNOTSUPP when the table has a format that the library cannot walk.
 * @tag: Fill in the domain ID that the entries of @dev carry while it is
 *	attached to @domain. Return: 0, or -EOPNOTSUPP when it has none.
 * @objection: Why neither domain nor device can be handed over as they are now:
 *	encrypted memory, dirty tracking. Asked for each device (@domain is
 *	NULL), each domain (@dev is NULL) and each device with the domain that
 *	it is attached to. Return: NULL when nothing is against it.
 * @differ: In what two units of this driver differ that decides how a domain is
 *	made, as the end of the sentence "they differ in ...". Return: NULL when
 *	an HWPT of the one can be allocated with a device of the other.
 *
 * A driver that can hand over has a pointer to it in its struct iommu_ops.
 * @domain is a paging domain of the driver, @dev a device that it has probed.
 * Context: all may be called with mutexes held, and none may sleep for long.
 */
struct iommu_handover_ops {
	int (*unit)(struct device *dev, struct iho_unit *unit);
	int (*table)(struct iommu_domain *domain, struct iho_table *table);
	int (*tag)(struct device *dev, struct iommu_domain *domain, u32 *id);
	const struct iommu_handover_objection *
		(*objection)(struct device *dev, struct iommu_domain *domain);
	const char *(*differ)(const struct iho_unit *a,
			      const struct iho_unit *b);
};

/* For KUnit; each driver has it in a header of its own as well. */
extern const struct iommu_handover_ops intel_iommu_handover_ops;

/* ---- driver.c: the ops, for any device and domain ------------------------ */

/**
 * handover_unit() - the unit that translates for a device
 * @dev: any device
 * @unit: filled
 *
 * Return: 0, or -EOPNOTSUPP when it has no IOMMU or its driver cannot hand over.
 */
int handover_unit(struct device *dev, struct iho_unit *unit);

/**
 * handover_table() - the page table of a domain
 * @domain: any paging domain
 * @table: format, levels, root, attributes and width are written; of the
 *	attributes not IHO_TABLE_SNOOP, which iommufd knows
 *
 * Return: 0, -ENODEV when its driver cannot hand over, -EOPNOTSUPP when the
 * table has a format that cannot be walked.
 */
int handover_table(struct iommu_domain *domain, struct iho_table *table);

/* See &iommu_handover_ops.tag; -EOPNOTSUPP too when the driver cannot hand over. */
int handover_tag(struct device *dev, struct iommu_domain *domain, u32 *id);

/* See &iommu_handover_ops.objection; one of @dev and @domain may be NULL. */
const struct iommu_handover_objection *
handover_objection(struct device *dev, struct iommu_domain *domain);

/**
 * handover_differ() - in what two units differ that makes other domains
 * @domain: of an HWPT that both are used with; its driver is asked
 * @a: a unit
 * @b: another
 *
 * Return: NULL when an HWPT can be allocated with either, else the difference,
 * for a sentence.
 */
const char *handover_differ(struct iommu_domain *domain,
			    const struct iho_unit *a, const struct iho_unit *b);

/* ---- pci.c -------------------------------------------------------------- */

/**
 * handover_pci_device() - the facts of a device that do not need its IOMMU
 * @pdev: the device
 * @fact: filled, all else zero
 *
 * Return: 0, or -E2BIG when it is below more than IHO_MAX_PATH - 1 bridges.
 */
int handover_pci_device(struct pci_dev *pdev, struct iho_device *fact);

/* Plugged in at the same place, whatever the numbers of buses on the way. */
bool handover_pci_same_place(const struct iho_device *a,
			     const struct iho_device *b);

/* The same model, revision and serial number. */
bool handover_pci_same_kind(const struct iho_device *a,
			    const struct iho_device *b);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: what it asks an IOMMU driver.
 */
/**
 * DOC: drivers
 *
 * The handover knows no IOMMU by name. A driver that can hand over has a pointer to
 * a struct iommu_handover_ops in its struct iommu_ops; what asks for a unit, a
 * table, a domain ID or an objection asks driver.c, which follows the pointer. A
 * driver without it is refused at the load. pci.c says where a device is plugged in
 * and what it is, which no driver is needed for.
 */
#ifndef __IOMMU_HANDOVER_DRIVERS_H
#define __IOMMU_HANDOVER_DRIVERS_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/kconfig.h>

#include "lib/iho.h"

struct device;
struct iommu_domain;
struct pci_dev;
struct pt_common;

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
 * @common: The page table of @domain as generic_pt has it. NULL as a whole, or
 *	returned, where it is none of generic_pt's: it cannot be exchanged.
 * @objection: Why neither domain nor device can be handed over as they are now:
 *	encrypted memory, dirty tracking. Asked for each device (@domain is
 *	NULL), each domain (@dev is NULL) and each device with the domain that
 *	it is attached to. Return: NULL when nothing is against it.
 * @differ: In what two units of this driver differ that decides how a domain is
 *	made, as the end of the sentence "they differ in ...". Return: NULL when
 *	an HWPT of the one can be allocated with a device of the other.
 *
 * @stays: Why the translation of @dev, attached to @domain, cannot stay in use
 *	through a kexec. NULL as a whole: the driver keeps none. Return: NULL
 *	when it can.
 * @pages: Call @visit for each page of the unit's own by which it finds the
 *	page table of @dev: root and entry tables. Return: 0 or what @visit
 *	returned, which ends it.
 * @block: The unit is to find no page table for @source_id any more that the
 *	last kernel left. Does nothing when it has none. @dev is the device, NULL
 *	when it is gone.
 *
 * A driver that can hand over has a pointer to it in its struct iommu_ops.
 * @domain is a paging domain of the driver, @dev a device that it has probed.
 * Context: all may be called with mutexes held, and none may sleep for long.
 */
struct iommu_handover_ops {
	int (*unit)(struct device *dev, struct iho_unit *unit);
	int (*table)(struct iommu_domain *domain, struct iho_table *table);
	int (*tag)(struct device *dev, struct iommu_domain *domain, u32 *id);
	struct pt_common *(*common)(struct iommu_domain *domain);
	const struct iommu_handover_objection *
		(*objection)(struct device *dev, struct iommu_domain *domain);
	const char *(*differ)(const struct iho_unit *a,
			      const struct iho_unit *b);
	const struct iommu_handover_objection *
		(*stays)(struct device *dev, struct iommu_domain *domain);
	int (*pages)(struct device *dev, int (*visit)(void *priv, u64 pa),
		     void *priv);
	void (*block)(const struct iho_unit *unit, u16 source_id,
		      struct device *dev);
};

/* Tests have a handover go wrong, or a switch last longer (debugfs: disturb). */
#define HANDOVER_DISTURB_CLEAR	BIT(0)	/* no entry for 50 ms: DMA is lost */
#define HANDOVER_DISTURB_WAIT	BIT(1)	/* 50 ms from the store to the flush */
#define HANDOVER_DISTURB_BEHIND	BIT(2)	/* nothing is replayed behind a file */
/* No flush: what the unit holds stays in use, and so must all it leads to */
#define HANDOVER_DISTURB_FLUSH	BIT(3)
/* At the jump: */
#define HANDOVER_DISTURB_MSIX	BIT(4)	/* interrupts are not held back */
#define HANDOVER_DISTURB_MASTER	BIT(5)	/* bus mastering ends */
#define HANDOVER_DISTURB_IMAGE	BIT(6)	/* a bit of the image's head flips */
#define HANDOVER_DISTURB_KHO	BIT(7)	/* a bit of what KHO passes on flips */
/* At the jump: entries that stay in use get another domain ID (AMD-Vi) */
#define HANDOVER_DISTURB_ENTRY	BIT(8)
/* At the jump: a bit of the records of the image's first or last iommufd flips */
#define HANDOVER_DISTURB_RECORDS BIT(9)
#define HANDOVER_DISTURB_LAST	BIT(10)
/* No inherited table becomes that of an HWPT; nor is it without flush */
#define HANDOVER_DISTURB_REBUILD BIT(11)
/* Few records are applied behind the iommufd that was given back, too */
#define HANDOVER_DISTURB_RECORDS_BEHIND BIT(12)
/* No second page of a page table can be preserved for a seal */
#define HANDOVER_DISTURB_TABLES	BIT(13)

extern u32 handover_disturb;

static inline bool handover_disturbed(u32 how)
{
	return IS_ENABLED(CONFIG_IOMMU_HANDOVER_TEST) &&
	       READ_ONCE(handover_disturb) & how;
}

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

/* Root and levels of a page table as generic_pt has them in one word. */
uintptr_t handover_top(const struct iho_table *table);

/**
 * handover_top_exchange() - have a domain go on with another page table
 * @domain: any paging domain; nobody maps or unmaps, and no device is attached to it
 * @top: of the new one, from handover_top() or @old
 * @old: set to that of the one before
 *
 * Return: false, with nothing done, where the driver's tables cannot be exchanged.
 */
bool handover_top_exchange(struct iommu_domain *domain, uintptr_t top,
			   uintptr_t *old);

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

/* See &iommu_handover_ops.stays; an objection too when there is none. */
const struct iommu_handover_objection *
handover_stays(struct device *dev, struct iommu_domain *domain);

/* See &iommu_handover_ops.pages; only of a device that stays. */
int handover_pages(struct device *dev, int (*visit)(void *priv, u64 pa),
		   void *priv);

/* Is there a driver that can take over such a unit? Asked before any runs. */
bool handover_can_take_over(const struct iho_unit *unit);

/*
 * The driver with these ops has taken over units of the last kernel; from here on
 * handover_block() asks it.
 */
void handover_took_over(const struct iommu_handover_ops *ops);
/* See &iommu_handover_ops.block. */
void handover_block(const struct iho_unit *unit, u16 source_id,
		    struct device *dev);

/* ---- pci.c -------------------------------------------------------------- */

/**
 * handover_pci_device() - the facts of a device that do not need its IOMMU
 * @pdev: the device
 * @fact: filled, all else zero
 *
 * Return: 0, -E2BIG when it is below more than IHO_MAX_PATH - 1 bridges, -ENODEV
 * for a virtual function on a bus without a bridge.
 */
int handover_pci_device(struct pci_dev *pdev, struct iho_device *fact);

/* Plugged in at the same place, whatever the numbers of buses on the way. */
bool handover_pci_same_place(const struct iho_device *a,
			     const struct iho_device *b);

/* The same model, revision and serial number. */
bool handover_pci_same_kind(const struct iho_device *a,
			    const struct iho_device *b);

/* Has it MSI with a mask bit for each vector? */
bool handover_pci_msi_masks(struct pci_dev *pdev);

/**
 * handover_pci_msi_mask() - mask all vectors that its MSI can have, or none
 * @pdev: handover_pci_msi_masks() is true of it
 * @masked: what it raises stays pending
 */
void handover_pci_msi_mask(struct pci_dev *pdev, bool masked);

/* Disable what is held back since the last kernel, and this one has not set up. */
void handover_pci_msix_off(struct pci_dev *pdev);
void handover_pci_msi_off(struct pci_dev *pdev);

/* ---- entries of the last kernel ----------------------------------------- */

/**
 * struct handover_entry - how the last kernel's unit translates for a device
 * @unit: facts of the unit
 * @table: of the page table
 * @source_id: bus << 8 | devfn
 * @domain_id: that its entry carries
 */
struct handover_entry {
	const struct iho_unit *unit;
	const struct iho_table *table;
	u16 source_id;
	u32 domain_id;
};

#endif

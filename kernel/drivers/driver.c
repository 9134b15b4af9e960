// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: ask the IOMMU driver, if it is one that can hand over.
 */
#include <kunit/static_stub.h>
#include <linux/generic_pt/common.h>
#include <linux/io.h>
#include <linux/iommu.h>

#include "../iommu-priv.h"
#include "drivers.h"

#ifdef CONFIG_IOMMU_HANDOVER_TEST
u32 handover_disturb;
#endif

static const struct iommu_handover_ops *ops_of(struct device *dev)
{
	if (!dev->iommu || !dev->iommu->iommu_dev)
		return NULL;
	return dev_iommu_ops(dev)->handover;
}

int handover_unit(struct device *dev, struct iho_unit *unit)
{
	const struct iommu_handover_ops *ops = ops_of(dev);

	return ops ? ops->unit(dev, unit) : -EOPNOTSUPP;
}

int handover_table(struct iommu_domain *domain, struct iho_table *table)
{
	int rc;

	KUNIT_STATIC_STUB_REDIRECT(handover_table, domain, table);
	if (!domain->owner || !domain->owner->handover)
		return -ENODEV;
	table->attributes = 0;
	rc = domain->owner->handover->table(domain, table);
	/* Whatever the levels span, no IOVA above the aperture is mapped */
	table->width = fls64(domain->geometry.aperture_end);
	return rc;
}

int handover_tag(struct device *dev, struct iommu_domain *domain, u32 *id)
{
	const struct iommu_handover_ops *ops = ops_of(dev);

	return ops ? ops->tag(dev, domain, id) : -EOPNOTSUPP;
}

uintptr_t handover_top(const struct iho_table *table)
{
	return (uintptr_t)phys_to_virt(table->root_pa) | (table->levels - 1);
}

bool handover_top_exchange(struct iommu_domain *domain, uintptr_t top,
			   uintptr_t *old)
{
	const struct iommu_handover_ops *ops;
	struct pt_common *common;

	KUNIT_STATIC_STUB_REDIRECT(handover_top_exchange, domain, top, old);
	ops = domain->owner->handover;
	common = ops->common ? ops->common(domain) : NULL;
	if (!common)
		return false;
	*old = READ_ONCE(common->top_of_table);
	WRITE_ONCE(common->top_of_table, top);
	return true;
}

const struct iommu_handover_objection *
handover_objection(struct device *dev, struct iommu_domain *domain)
{
	const struct iommu_handover_ops *ops = NULL;

	if (dev)
		ops = ops_of(dev);
	else if (domain->owner)
		ops = domain->owner->handover;
	return ops ? ops->objection(dev, domain) : NULL;
}

const char *handover_differ(struct iommu_domain *domain,
			    const struct iho_unit *a, const struct iho_unit *b)
{
	if (!domain->owner || !domain->owner->handover)
		return NULL;
	return domain->owner->handover->differ(a, b);
}

const struct iommu_handover_objection *
handover_stays(struct device *dev, struct iommu_domain *domain)
{
	static const struct iommu_handover_objection none = {
		"an IOMMU whose driver does not keep translation on",
		"hand it over paused",
	};
	const struct iommu_handover_ops *ops = ops_of(dev);

	return ops && ops->stays ? ops->stays(dev, domain) : &none;
}

int handover_pages(struct device *dev, int (*visit)(void *priv, u64 pa),
		   void *priv)
{
	return ops_of(dev)->pages(dev, visit, priv);
}

bool handover_can_take_over(const struct iho_unit *unit)
{
	switch (unit->type) {
	case IHO_UNIT_INTEL_VTD:
		return IS_ENABLED(CONFIG_INTEL_IOMMU);
	case IHO_UNIT_AMD_VI:
		return IS_ENABLED(CONFIG_AMD_IOMMU);
	default:
		return false;
	}
}

/* A machine has the units of one driver only. */
static const struct iommu_handover_ops *heir;

void handover_took_over(const struct iommu_handover_ops *ops)
{
	heir = ops;
}

void handover_block(const struct iho_unit *unit, u16 source_id,
		    struct device *dev)
{
	if (heir)
		heir->block(unit, source_id, dev);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOMMU handover asks the VT-d driver.
 */
#include <kunit/static_stub.h>

#include "iommu.h"
#include "../iommu-priv.h"
#include "../handover/drivers.h"

static struct intel_iommu *dev_to_unit(struct device *dev)
{
	struct device_domain_info *info;

	if (!dev->iommu || dev_iommu_ops(dev) != &intel_iommu_ops)
		return NULL;
	info = dev_iommu_priv_get(dev);
	return info ? info->iommu : NULL;
}

int handover_vtd_unit(struct device *dev, struct iho_unit *unit)
{
	struct intel_iommu *iommu = dev_to_unit(dev);

	if (!iommu || !iommu->root_entry)
		return -EOPNOTSUPP;
	*unit = (struct iho_unit) {
		.type = IHO_UNIT_INTEL_VTD,
		.mode = sm_supported(iommu) ? IHO_UNIT_SCALABLE :
					      IHO_UNIT_LEGACY,
		.segment = iommu->segment,
		.register_pa = iommu->reg_phys,
		.cap = iommu->cap,
		.ecap = iommu->ecap,
		.root_pa = virt_to_phys(iommu->root_entry),
	};
	return 0;
}

int handover_vtd_domain_id(struct device *dev, struct iommu_domain *domain,
			   u32 *domain_id)
{
	struct intel_iommu *iommu = dev_to_unit(dev);
	struct iommu_domain_info *info;

	if (!iommu)
		return -EOPNOTSUPP;
	info = xa_load(&to_dmar_domain(domain)->iommu_array, iommu->seq_id);
	if (!info)
		return -EOPNOTSUPP;
	*domain_id = info->did;
	return 0;
}

int handover_vtd_table(struct iommu_domain *domain, struct iho_table *table)
{
	const struct dmar_domain *dmar_domain;
	const struct pt_common *common;
	struct pt_iommu_vtdss_hw_info info;

	KUNIT_STATIC_STUB_REDIRECT(handover_vtd_table, domain, table);
	if (domain->owner != &intel_iommu_ops)
		return -ENODEV;
	/* First stage tables have another format, for which there is no walker */
	if (domain->ops != &intel_ss_paging_domain_ops)
		return -EOPNOTSUPP;
	dmar_domain = to_dmar_domain(domain);
	common = &dmar_domain->sspt.vtdss_pt.common;
	pt_iommu_vtdss_hw_info(&to_dmar_domain(domain)->sspt, &info);
	table->format = IHO_TABLE_VTDSS;
	/* VT-d 9.3: AW 1, 2 and 3 are 3, 4 and 5 levels */
	table->levels = info.aw + 2;
	table->root_pa = info.ssptptr;
	table->attributes = 0;
	if (dmar_domain->force_snooping)
		table->attributes |= IHO_TABLE_SNOOP;
	if (common->features & BIT(PT_FEAT_DMA_INCOHERENT))
		table->attributes |= IHO_TABLE_INCOHERENT;
	table->width = common->max_vasz_lg2;
	return 0;
}

bool handover_vtd_dirty_tracking(struct iommu_domain *domain)
{
	return domain->ops == &intel_ss_paging_domain_ops &&
	       to_dmar_domain(domain)->dirty_tracking;
}

const char *handover_vtd_units_differ(const struct iho_unit *a,
				      const struct iho_unit *b)
{
	static const struct {
		bool extended;
		u64 mask;
		const char *what;
	} bits[] = {
		{ true, BIT_ULL(0) | BIT_ULL(48), "coherent page walks" },
		{ true, BIT_ULL(7), "snoop control" },
		{ false, GENMASK_ULL(12, 8), "the number of levels" },
		{ false, GENMASK_ULL(21, 16), "the width of an IOVA" },
		{ false, GENMASK_ULL(37, 34), "large pages" },
	};
	u64 changed;

	if (a->mode != b->mode)
		return "scalable mode";
	for (u32 i = 0; i < ARRAY_SIZE(bits); i++) {
		changed = bits[i].extended ? a->ecap ^ b->ecap :
					     a->cap ^ b->cap;
		if (changed & bits[i].mask)
			return bits[i].what;
	}
	return NULL;
}

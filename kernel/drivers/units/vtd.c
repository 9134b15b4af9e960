// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOMMU handover asks the VT-d driver.
 */
#include "iommu.h"
#include "handover.h"
#include "../handover/drivers.h"

static int vtd_unit(struct device *dev, struct iho_unit *unit)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info ? info->iommu : NULL;

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

static int vtd_tag(struct device *dev, struct iommu_domain *domain, u32 *id)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct iommu_domain_info *used;

	if (!info)
		return -EOPNOTSUPP;
	used = xa_load(&to_dmar_domain(domain)->iommu_array,
		       info->iommu->seq_id);
	if (!used)
		return -EOPNOTSUPP;
	*id = used->did;
	return 0;
}

static struct pt_common *vtd_common(struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	if (intel_domain_is_fs_paging(dmar_domain))
		return &dmar_domain->fspt.x86_64_pt.common;
	if (intel_domain_is_ss_paging(dmar_domain))
		return &dmar_domain->sspt.vtdss_pt.common;
	return NULL;
}

static int vtd_table(struct iommu_domain *domain, struct iho_table *table)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct pt_iommu_x86_64_hw_info first;
	struct pt_iommu_vtdss_hw_info second;

	if (intel_domain_is_fs_paging(dmar_domain)) {
		pt_iommu_x86_64_hw_info(&dmar_domain->fspt, &first);
		table->format = IHO_TABLE_X86_64;
		table->levels = first.levels;
		table->root_pa = first.gcr3_pt;
	} else if (intel_domain_is_ss_paging(dmar_domain)) {
		pt_iommu_vtdss_hw_info(&dmar_domain->sspt, &second);
		table->format = IHO_TABLE_VTDSS;
		/* VT-d 9.3, AW: 1, 2 and 3 are 3, 4 and 5 levels */
		table->levels = second.aw + 2;
		table->root_pa = second.ssptptr;
	} else {
		return -EOPNOTSUPP;
	}
	if (vtd_common(domain)->features & BIT(PT_FEAT_DMA_INCOHERENT))
		table->attributes |= IHO_TABLE_INCOHERENT;
	return 0;
}

static const struct iommu_handover_objection *
vtd_objection(struct device *dev, struct iommu_domain *domain)
{
	static const struct iommu_handover_objection tracking = {
		"dirty tracking enabled", "disable it",
	};

	if (domain && to_dmar_domain(domain)->dirty_tracking)
		return &tracking;
	return NULL;
}

/*
 * VT-d 11.4.2, Capability Register, and 11.4.3, Extended Capability Register. Which
 * of the capabilities counts for a domain depends on the stage of its table, and an
 * HWPT may come back in the other stage.
 */
static const char *vtd_differ(const struct iho_unit *a, const struct iho_unit *b)
{
	static const struct {
		bool extended;
		u64 mask;
		const char *what;
	} bits[] = {
		{ true, BIT_ULL(0) | BIT_ULL(48), "coherent page walks" },
		{ true, BIT_ULL(7), "snoop control" },
		{ true, BIT_ULL(46) | BIT_ULL(47), "the stages of translation" },
		{ false, GENMASK_ULL(12, 8) | BIT_ULL(60), "the number of levels" },
		{ false, GENMASK_ULL(21, 16), "the width of an IOVA" },
		{ false, GENMASK_ULL(37, 34) | BIT_ULL(56), "large pages" },
		{ false, BIT_ULL(4) | BIT_ULL(7), "flushes when mapping" },
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

const struct iommu_handover_ops intel_iommu_handover_ops = {
	.unit = vtd_unit,
	.table = vtd_table,
	.tag = vtd_tag,
	.common = vtd_common,
	.objection = vtd_objection,
	.differ = vtd_differ,
	.stays = intel_handover_stays,
	.pages = intel_handover_pages,
	.block = intel_handover_block,
};

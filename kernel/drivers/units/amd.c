// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the IOMMU handover asks the AMD-Vi driver.
 */
#include <linux/mem_encrypt.h>

#include <asm/iommu.h>

#include "amd_iommu.h"
#include "handover.h"
#include "../handover/drivers.h"

static int amd_unit(struct device *dev, struct iho_unit *unit)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	struct amd_iommu *iommu;

	if (!dev_data)
		return -EOPNOTSUPP;
	iommu = get_amd_iommu_from_dev(dev);
	if (!iommu->pci_seg->dev_table)
		return -EOPNOTSUPP;
	*unit = (struct iho_unit) {
		.type = IHO_UNIT_AMD_VI,
		.mode = IHO_UNIT_DEVICE_TABLE,
		.segment = iommu->pci_seg->id,
		.register_pa = iommu->mmio_phys,
		.cap = iommu->features,
		.ecap = iommu->features2,
		.root_pa = virt_to_phys(iommu->pci_seg->dev_table),
	};
	return 0;
}

static struct pt_common *amd_common(struct iommu_domain *domain)
{
	struct protection_domain *pdomain = to_pdomain(domain);

	switch (pdomain->pd_mode) {
	case PD_MODE_V1:
		return &pdomain->amdv1.amdpt.common;
	case PD_MODE_V2:
		return &pdomain->amdv2.x86_64_pt.common;
	default:
		return NULL;
	}
}

static int amd_table(struct iommu_domain *domain, struct iho_table *table)
{
	struct protection_domain *pdomain = to_pdomain(domain);
	struct pt_iommu_x86_64_hw_info v2;
	struct pt_iommu_amdv1_hw_info v1;

	switch (pdomain->pd_mode) {
	case PD_MODE_V1:
		pt_iommu_amdv1_hw_info(&pdomain->amdv1, &v1);
		table->format = IHO_TABLE_AMDV1;
		table->levels = v1.mode;
		table->root_pa = v1.host_pt_root;
		return 0;
	case PD_MODE_V2:
		pt_iommu_x86_64_hw_info(&pdomain->amdv2, &v2);
		table->format = IHO_TABLE_X86_64;
		table->levels = v2.levels;
		table->root_pa = v2.gcr3_pt;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* With v2 tables each device has an ID of its own, whatever its domain. */
static int amd_tag(struct device *dev, struct iommu_domain *domain, u32 *id)
{
	struct iommu_dev_data *dev_data = dev_iommu_priv_get(dev);
	struct protection_domain *pdomain = to_pdomain(domain);

	if (!dev_data || dev_data->domain != pdomain)
		return -EOPNOTSUPP;
	*id = pdomain->pd_mode == PD_MODE_V2 ? dev_data->gcr3_info.domid :
					       pdomain->id;
	return 0;
}

/*
 * With an encrypted host, addresses in entries carry a bit of the key, and the
 * next kernel decides again whether it encrypts. Under SEV-SNP the device table
 * and its units are locked.
 */
static const struct iommu_handover_objection *
amd_objection(struct device *dev, struct iommu_domain *domain)
{
	static const struct iommu_handover_objection encrypted = {
		"page tables in encrypted memory",
		"boot both kernels with mem_encrypt=off",
	}, snp = {
		"an IOMMU under SEV-SNP", "boot both kernels without SEV-SNP",
	}, tracking = {
		"dirty tracking enabled", "disable it",
	};

	if (sme_me_mask)
		return &encrypted;
	if (amd_iommu_snp_en)
		return &snp;
	if (domain && to_pdomain(domain)->dirty_tracking)
		return &tracking;
	return NULL;
}

/* The driver makes domains by what all units can, but for dirty tracking. */
static const char *amd_differ(const struct iho_unit *a, const struct iho_unit *b)
{
	return (a->cap ^ b->cap) & FEATURE_HDSUP ? "dirty tracking" : NULL;
}

const struct iommu_handover_ops amd_iommu_handover_ops = {
	.unit = amd_unit,
	.table = amd_table,
	.tag = amd_tag,
	.common = amd_common,
	.objection = amd_objection,
	.differ = amd_differ,
	.stays = amd_handover_stays,
	.pages = amd_handover_pages,
	.block = amd_handover_block,
};

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the types of IOMMU that are known (section 3.1). How one reads
 * its tables is a matter of its type.
 */
#include "iho_format.h"

const char *const iho_unit_types[] = {
	"", [IHO_UNIT_INTEL_VTD] = "intel-vtd",
	[IHO_UNIT_AMD_VI] = "amd-vi", NULL
};

const char *const iho_unit_modes[] = {
	"", [IHO_UNIT_LEGACY] = "legacy", [IHO_UNIT_SCALABLE] = "scalable",
	[IHO_UNIT_DEVICE_TABLE] = "device-table", NULL
};

bool iho_unit_has_mode(u32 type, u32 mode)
{
	return (type == IHO_UNIT_AMD_VI) == (mode == IHO_UNIT_DEVICE_TABLE);
}

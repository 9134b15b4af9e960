// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the formats of page tables that are known (section 6).
 */
#include "iho_format.h"

static const struct iho_format *const formats[] = {
	[IHO_TABLE_VTDSS] = &iho_format_vtdss,
	[IHO_TABLE_X86_64] = &iho_format_x86_64,
	[IHO_TABLE_AMDV1] = &iho_format_amdv1,
};

const char *const iho_table_formats[] = {
	"", [IHO_TABLE_VTDSS] = IHO_VTDSS_WORD,
	[IHO_TABLE_X86_64] = IHO_X86_64_WORD,
	[IHO_TABLE_AMDV1] = IHO_AMDV1_WORD, NULL
};

const struct iho_format *iho_format(u32 format)
{
	return format < IHO_COUNT_OF(formats) ? formats[format] : NULL;
}

u32 iho_format_perm(const struct iho_format *f, u32 perm)
{
	return f->leaf(0, 0, perm) ? perm : perm | IHO_PT_READ;
}

u32 iho_format_top_lg2(const struct iho_format *f, u32 levels)
{
	u32 lg2 = iho_format_span_lg2(f, levels);

	return lg2 < f->space_lg2 ? lg2 : f->space_lg2;
}

u32 iho_format_width(const struct iho_format *f, u32 levels)
{
	return iho_format_top_lg2(f, levels) - f->sign_extended;
}

u32 iho_format_max_width(const struct iho_format *f, u32 levels)
{
	return iho_format_width(f, f->grows ? f->max_levels : levels);
}

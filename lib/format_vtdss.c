// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: VTDSS, second-stage entries of VT-d (3.7, Second-Stage
 * Translation, and 9.8, Second-Stage Paging Entries). There is no present bit:
 * an entry without read and write is not there. Bits that hardware ignores,
 * memory types and accessed/dirty do not count. With a reserved bit hardware
 * does not use the entry, so that it is refused.
 */
#include "iho_format.h"

#define SS_READ		0x1ull
#define SS_WRITE	0x2ull
#define SS_LARGE	0x80ull		/* leaf at level 1 or 2 */
#define SS_SNOOP	0x800ull	/* leaves only, else reserved */
#define SS_ADDRESS	0x000ffffffffff000ull
#define SS_RESERVED	0x4000000000000000ull
#define SS_MAX_LEAF	2u		/* 1 GiB */

static enum iho_entry_is decode(const struct iho_slot *slot, u64 *pa,
				u32 *perm)
{
	const u64 entry = slot->entry;
	u64 span;

	if (!(entry & (SS_READ | SS_WRITE)))
		return IHO_ENTRY_EMPTY;
	if (entry & SS_RESERVED)
		return IHO_ENTRY_BAD;
	*pa = entry & SS_ADDRESS;
	*perm = (entry & SS_READ ? IHO_PT_READ : 0) |
		(entry & SS_WRITE ? IHO_PT_WRITE : 0);
	if (slot->level && !(entry & SS_LARGE))
		return entry & SS_SNOOP ? IHO_ENTRY_BAD : IHO_ENTRY_TABLE;
	span = 1ull << iho_format_span_lg2(&iho_format_vtdss, slot->level);
	if (slot->level > SS_MAX_LEAF || *pa & (span - 1))
		return IHO_ENTRY_BAD;
	if (entry & SS_SNOOP)
		*perm |= IHO_PT_SNOOP;
	return IHO_ENTRY_LEAF;
}

static u64 link_entry(u64 pa, u32 level, u32 perm)
{
	(void)level;
	return pa | (perm & IHO_PT_READ ? SS_READ : 0) |
	       (perm & IHO_PT_WRITE ? SS_WRITE : 0);
}

static u64 leaf_entry(u64 pa, u32 level, u32 perm)
{
	if (level > SS_MAX_LEAF)
		return 0;
	return link_entry(pa, level, perm) | (level ? SS_LARGE : 0) |
	       (perm & IHO_PT_SNOOP ? SS_SNOOP : 0);
}

const struct iho_format iho_format_vtdss = {
	.name = IHO_VTDSS_WORD,
	.page_lg2 = 12,
	.index_lg2 = 9,
	.space_lg2 = 57,
	.min_levels = 3,
	.max_levels = 5,
	.attributes = IHO_TABLE_SNOOP | IHO_TABLE_INCOHERENT,
	.units = 1u << IHO_UNIT_INTEL_VTD,
	.decode = decode,
	.leaf = leaf_entry,
	.link = link_entry,
};

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: x86_64, the format of the CPU's tables. VT-d has it as first
 * stage (3.6, First-Stage Translation, and 9.7, First-Stage Paging Entries),
 * AMD-Vi as guest or v2 tables (2.2.6, I/O Page Tables for Guest Translations).
 *
 * A device accesses as a user, so that an entry without U cannot be reached.
 * Whatever can be written can be read (VT-d 3.6.1, Access Rights), and no bit
 * enforces coherency: that is a matter of the entry of the device that leads to
 * the table.
 */
#include "iho_format.h"

#define X86_PRESENT	0x1ull
#define X86_WRITE	0x2ull
#define X86_USER	0x4ull
#define X86_LARGE	0x80ull		/* leaf at level 1 or 2 */
#define X86_ADDRESS	0x000ffffffffff000ull
#define X86_LARGE_PAT	0x1000ull	/* a memory type, in such a leaf */
#define X86_MAX_LEAF	2u		/* 1 GiB */
#define X86_LOWER_HALF	256u		/* entries of the top table */

static enum iho_entry_is decode(const struct iho_slot *slot, u64 *pa,
				u32 *perm)
{
	const u64 entry = slot->entry;
	u64 span;

	if (!(entry & X86_PRESENT))
		return IHO_ENTRY_EMPTY;
	/*
	 * Its IOVAs are sign extended, or not, depending on the PASID of the
	 * request (AMD-Vi): there is no one IOVA for it.
	 */
	if (slot->level == slot->levels - 1 && slot->index >= X86_LOWER_HALF)
		return IHO_ENTRY_BAD;
	*pa = entry & X86_ADDRESS;
	*perm = 0;
	if (entry & X86_USER)
		*perm = IHO_PT_READ | (entry & X86_WRITE ? IHO_PT_WRITE : 0);
	if (slot->level) {
		if (!(entry & X86_LARGE))
			return IHO_ENTRY_TABLE;
		*pa &= ~X86_LARGE_PAT;
	}
	span = 1ull << iho_format_span_lg2(&iho_format_x86_64, slot->level);
	if (slot->level > X86_MAX_LEAF || *pa & (span - 1))
		return IHO_ENTRY_BAD;
	return IHO_ENTRY_LEAF;
}

static u64 link_entry(u64 pa, u32 level, u32 perm)
{
	(void)level;
	perm &= IHO_PT_READ | IHO_PT_WRITE;
	if (perm == IHO_PT_WRITE)
		return 0;
	return pa | X86_PRESENT | (perm & IHO_PT_READ ? X86_USER : 0) |
	       (perm & IHO_PT_WRITE ? X86_WRITE : 0);
}

static u64 leaf_entry(u64 pa, u32 level, u32 perm)
{
	u64 entry = link_entry(pa, level, perm);

	if (!entry || level > X86_MAX_LEAF || perm & IHO_PT_SNOOP)
		return 0;
	return entry | (level ? X86_LARGE : 0);
}

const struct iho_format iho_format_x86_64 = {
	.name = IHO_X86_64_WORD,
	.page_lg2 = 12,
	.index_lg2 = 9,
	.space_lg2 = 57,
	.min_levels = 4,
	.max_levels = 5,
	.sign_extended = true,
	.attributes = IHO_TABLE_SNOOP | IHO_TABLE_INCOHERENT,
	.units = 1u << IHO_UNIT_INTEL_VTD | 1u << IHO_UNIT_AMD_VI,
	.decode = decode,
	.leaf = leaf_entry,
	.link = link_entry,
};

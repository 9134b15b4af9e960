// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: AMDv1, host tables of AMD-Vi (2.2.3, I/O Page Tables for Host
 * Translations). Each entry says the level of the table that it leads to, so
 * that hardware can skip levels; Linux never does, and a skipped level is
 * refused. A leaf can be larger than the span of an entry: then each entry that
 * it fills holds the same value, with the size in the low bits of the address
 * (Example Page Size Encodings). Hardware may fetch any one of them and caches
 * the whole leaf, so that what the others say is not heard; entries that
 * disagree are refused.
 */
#include "iho_format.h"

#define V1_PRESENT	0x1ull
#define V1_NEXT_LG2	9u		/* next level, 3 bits */
#define V1_ADDRESS	0x000ffffffffff000ull
#define V1_LEAF_RSVD	0x07f0000000000000ull
#define V1_LINK_RSVD	0x1ff0000000000000ull
#define V1_COHERENT	0x1000000000000000ull	/* leaves only */
#define V1_READ		0x2000000000000000ull
#define V1_WRITE	0x4000000000000000ull

/* Values of the next level; those between lead to a table of that level. */
#define V1_NEXT_PLAIN	0u		/* leaf of the span of an entry */
#define V1_NEXT_SIZED	7u		/* leaf that says its size */

#define V1_MAX_LEAF	4u		/* Page Table Level Parameters */
#define V1_NO_SIZE	0x8000000000ull	/* 512 GiB does not work in hardware */

/* What is ignored may differ: hardware sets dirty in the entry that it used. */
#define V1_COUNTS	(V1_PRESENT | 7ull << V1_NEXT_LG2 | V1_ADDRESS | \
			 V1_LEAF_RSVD | V1_COHERENT | V1_READ | V1_WRITE)

/*
 * A run of ones in the address, from bit 12 on, that ends below bit n - 1 says
 * 2 to the n. Adding one to it carries into the zero that ends it.
 */
static u64 encoded_size(u64 entry)
{
	const u64 ones = entry & V1_ADDRESS;

	return ((ones + (1ull << 12)) & ~ones) << 1;
}

/*
 * Whether the entries before and after it, where they belong to the same leaf
 * of @size bytes, say the same. Asked of each entry it holds for all.
 */
static bool repeated(const struct iho_slot *slot, u64 span, u64 size)
{
	const u32 last = (u32)(size / span) - 1;
	const u32 place = slot->index & last;

	if (place && (slot->table[slot->index - 1] ^ slot->entry) & V1_COUNTS)
		return false;
	return place == last ||
	       !((slot->table[slot->index + 1] ^ slot->entry) & V1_COUNTS);
}

static enum iho_entry_is decode_leaf(const struct iho_slot *slot, u32 next,
				     u64 *pa, u32 *perm)
{
	const struct iho_format *f = &iho_format_amdv1;
	u64 span, size;

	if (slot->level > V1_MAX_LEAF || slot->entry & V1_LEAF_RSVD)
		return IHO_ENTRY_BAD;
	span = 1ull << iho_format_span_lg2(f, slot->level);
	size = span;
	if (next == V1_NEXT_SIZED) {
		size = encoded_size(slot->entry);
		if (size <= span || size >= span << f->index_lg2 ||
		    size > 1ull << IHO_MAX_PA_LG2 || !repeated(slot, span, size))
			return IHO_ENTRY_BAD;
		/* Where the leaf begins, then what is this entry's of it. */
		*pa &= ~(size - 1);
		*pa += slot->index * span & (size - 1);
	}
	if (size == V1_NO_SIZE || *pa & (span - 1))
		return IHO_ENTRY_BAD;
	if (slot->entry & V1_COHERENT)
		*perm |= IHO_PT_SNOOP;
	return IHO_ENTRY_LEAF;
}

static enum iho_entry_is decode(const struct iho_slot *slot, u64 *pa,
				u32 *perm)
{
	const u64 entry = slot->entry;
	const u32 next = (u32)(entry >> V1_NEXT_LG2) & 7;

	if (!(entry & V1_PRESENT))
		return IHO_ENTRY_EMPTY;
	*pa = entry & V1_ADDRESS;
	*perm = (entry & V1_READ ? IHO_PT_READ : 0) |
		(entry & V1_WRITE ? IHO_PT_WRITE : 0);
	if (next == V1_NEXT_PLAIN || next == V1_NEXT_SIZED)
		return decode_leaf(slot, next, pa, perm);
	/* A table below is of level - 1, which the entry counts from 1. */
	if (next != slot->level || entry & V1_LINK_RSVD)
		return IHO_ENTRY_BAD;
	return IHO_ENTRY_TABLE;
}

static u64 common_bits(u64 pa, u32 perm)
{
	return pa | V1_PRESENT | (perm & IHO_PT_READ ? V1_READ : 0) |
	       (perm & IHO_PT_WRITE ? V1_WRITE : 0);
}

static u64 link_entry(u64 pa, u32 level, u32 perm)
{
	return common_bits(pa, perm) | (u64)level << V1_NEXT_LG2;
}

static u64 leaf_entry(u64 pa, u32 level, u32 perm)
{
	if (level > V1_MAX_LEAF ||
	    1ull << iho_format_span_lg2(&iho_format_amdv1, level) == V1_NO_SIZE)
		return 0;
	return common_bits(pa, perm) | (perm & IHO_PT_SNOOP ? V1_COHERENT : 0);
}

const struct iho_format iho_format_amdv1 = {
	.name = IHO_AMDV1_WORD,
	.page_lg2 = 12,
	.index_lg2 = 9,
	.space_lg2 = 64,
	.min_levels = 3,
	.max_levels = 6,
	.sized = true,
	.grows = true,
	.attributes = IHO_TABLE_SNOOP,
	.units = 1u << IHO_UNIT_AMD_VI,
	.decode = decode,
	.leaf = leaf_entry,
	.link = link_entry,
};

/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: formats of page tables, the walker and the comparison of two
 * trees (section 6): formats.c, format_*.c, walk.c, compare.c.
 */
#ifndef IHO_WALK_H
#define IHO_WALK_H

#include "handover_glue.h"
#include "handover_abi.h"

#define IHO_PT_READ	1u
#define IHO_PT_WRITE	2u
#define IHO_PT_SNOOP	4u

/**
 * struct iho_slot - one entry and its place
 * @table: the entries of the table that it is in, in the byte order of the
 *	   machine
 * @entry: what @table has at @index, read once
 * @index: which entry of its table
 * @level: of its table, 0 for tables of the smallest leaves
 * @levels: of the whole page table
 */
struct iho_slot {
	const u64 *table;
	u64 entry;
	u32 index;
	u32 level;
	u32 levels;
};

/* What an entry is. */
enum iho_entry_is {
	IHO_ENTRY_EMPTY,	/* nothing is mapped by it */
	IHO_ENTRY_TABLE,	/* leads to a table of the next lower level */
	IHO_ENTRY_LEAF,
	IHO_ENTRY_BAD,		/* -IHO_ERR_TABLE_ENTRY */
};

/**
 * struct iho_format - what there is to know of a format of page tables
 * @name: the word for it in the FDT
 * @page_lg2: log2 of the bytes that a leaf of level 0 maps
 * @index_lg2: log2 of the entries of a table
 * @space_lg2: bits of the widest IOVA space; the top table of the most levels
 *	       has fewer entries where the levels span more
 * @min_levels: of a page table
 * @max_levels: at most IHO_MAX_LEVELS
 * @sign_extended: the highest bit of an IOVA is copied to those above it, so
 *		   that only the lower half of the top table can be used
 * @sized: a leaf may fill several entries, each of which holds all of it
 * @grows: a table gets a level more at its top while it is used, so that the
 *	   IOVA space can be wider than what its levels span
 * @attributes: IHO_TABLE_* that a page table of this format can have
 * @units: which types of IOMMU read it: bits, by enum iho_unit_type
 * @decode: what @slot is; for a table sets @pa to its address, for a leaf to
 *	    the first byte that this one entry maps, also where one leaf fills
 *	    several entries; @perm to the IHO_PT_* that the entry gives. Those
 *	    of tables and leaf are ANDed, IHO_PT_SNOOP counts in leaves only.
 * @leaf: an entry that maps @pa by a leaf of @level, of the span of one entry;
 *	  0 where there is none of that size or with that permission
 * @link: an entry, in a table of @level, that leads to the table at @pa; 0
 *	  where there is none with that permission, of which snoop is ignored
 *
 * A format is one file of its own and a line in formats.c. Functions keep no
 * state, and look at no more of a table than the entry and those beside it. An
 * entry of zero is empty in each format.
 */
struct iho_format {
	const char *name;
	u8 page_lg2;
	u8 index_lg2;
	u8 space_lg2;
	u8 min_levels;
	u8 max_levels;
	bool sign_extended;
	bool sized;
	bool grows;
	u32 attributes;
	u32 units;
	enum iho_entry_is (*decode)(const struct iho_slot *slot, u64 *pa,
				    u32 *perm);
	u64 (*leaf)(u64 pa, u32 level, u32 perm);
	u64 (*link)(u64 pa, u32 level, u32 perm);
};

/** iho_format() - by enum iho_table_format; NULL when it is not known. */
const struct iho_format *iho_format(u32 format);

/** iho_format_span_lg2() - log2 of the bytes that one entry of @level spans. */
static inline u32 iho_format_span_lg2(const struct iho_format *f, u32 level)
{
	return f->page_lg2 + f->index_lg2 * level;
}

/**
 * iho_format_perm() - the permission of what is mapped with @perm
 * @f: a format
 * @perm: IHO_PT_READ, IHO_PT_WRITE or both
 *
 * Return: @perm, or both where the format has no write without read.
 */
u32 iho_format_perm(const struct iho_format *f, u32 perm);

/** iho_format_top_lg2() - log2 of the bytes that @levels span together. */
u32 iho_format_top_lg2(const struct iho_format *f, u32 levels);

/**
 * iho_format_width() - how wide the IOVA space is that a page table can map
 * @f: a format
 * @levels: of the page table
 *
 * Return: in bits: what the levels span, or half of that where the other half
 * must not be used.
 */
u32 iho_format_width(const struct iho_format *f, u32 levels);

/**
 * iho_format_max_width() - how wide the IOVA space of a page table may be
 * @f: a format
 * @levels: that the page table has now
 *
 * Return: in bits, at most.
 */
u32 iho_format_max_width(const struct iho_format *f, u32 levels);

/**
 * struct iho_pt - a page table to walk
 * @format: enum iho_table_format
 * @levels: as the format has them
 * @root_pa: physical address of the top table
 * @table: gives the entries of the table page at @pa, or NULL when that page
 *	   may not be read (walk ends with -IHO_ERR_TABLE_PA)
 * @priv: passed to @table
 * @max_tables: table pages one walk may visit, 1 to IHO_MAX_TABLE_PAGES;
 *		more is -IHO_ERR_LIMIT, which is what ends a loop
 */
struct iho_pt {
	u32 format;
	u32 levels;
	u64 root_pa;
	const u64 *(*table)(void *priv, u64 pa);
	void *priv;
	u32 max_tables;
};

/** struct iho_run - a maximal run of equal permission and linear address */
struct iho_run {
	u64 first_iova, last_iova;	/* bytes, inclusive */
	u64 pa;				/* of first_iova */
	u32 perm;			/* IHO_PT_* */
};

/** struct iho_walk - cursor of a walk; about 230 bytes, opaque */
struct iho_walk {
	const struct iho_pt *pt;
	const struct iho_format *format;
	const u64 *tbl[IHO_MAX_LEVELS];
	u64 pa[IHO_MAX_LEVELS];	/* of those tables */
	u32 idx[IHO_MAX_LEVELS];
	u8 perm[IHO_MAX_LEVELS]; /* of the levels above, ANDed */
	int level;		/* where the cursor is; negative: not begun */
	int err;		/* what ended it, 0 for the end of the table */
	u32 tables;		/* visited so far */
	u32 counts;		/* IHO_PT_* that runs differ in */
	bool have;		/* pending leaf below is set */
	struct iho_run pending;
	bool done;
};

/** iho_walk_init() - 0, -IHO_ERR_VALUE (format, levels), _ALIGN, _BADCALL. */
int iho_walk_init(struct iho_walk *w, const struct iho_pt *pt);

/**
 * iho_walk_next() - next maximal run in ascending IOVA
 * @w: from iho_walk_init()
 * @run: filled
 *
 * Ignored bits and accessed/dirty bits do not count; read, write and snoop
 * do. Huge leaves and 4 KiB leaves of the same meaning give the same run.
 * Permissions are the AND over the levels, as hardware has it.
 *
 * Return: 1 with @run filled, 0 at the end, -IHO_ERR_TABLE_PA,
 * -IHO_ERR_TABLE_ENTRY, -IHO_ERR_LIMIT.
 */
int iho_walk_next(struct iho_walk *w, struct iho_run *run);

/**
 * iho_walk_leaf() - next entry that maps something, in ascending IOVA
 * @w: from iho_walk_init(), and not used with iho_walk_next()
 * @leaf: filled with what the entry maps: where one leaf fills several entries, with
 *	  what this one of them does
 *
 * As iho_walk_next(), which puts together what this gives.
 *
 * Return: 1 with @leaf filled, 0 at the end, -IHO_ERR_TABLE_PA,
 * -IHO_ERR_TABLE_ENTRY, -IHO_ERR_LIMIT.
 */
int iho_walk_leaf(struct iho_walk *w, struct iho_run *leaf);

/** iho_run_follows() - does @leaf go on where @run ends, to the same memory? */
bool iho_run_follows(const struct iho_run *run, const struct iho_run *leaf);

/**
 * iho_walk_tables() - call @fn once for each table page, children first
 * @pt: page table to walk
 * @fn: gets the address and the level, 0 for tables of 4 KiB leaves; returns
 *	0 to go on, anything else ends the walk and is returned. It may free
 *	the page: the walk does not read it again.
 * @priv: passed to @fn
 *
 * Return: 0, what @fn gave, or an error of iho_walk_next().
 */
int iho_walk_tables(const struct iho_pt *pt,
		    int (*fn)(void *priv, u64 pa, u32 level), void *priv);

/**
 * iho_pt_entry() - the entry that translates an IOVA
 * @pt: page table to look into
 * @iova: byte address
 * @level: set to the level of its table
 *
 * Return: where the entry is, in what @pt->table gave: one that leads to no
 * table, whether it is a leaf, not sound or empty; NULL when it would be in a
 * table that is not there, or that cannot be read.
 */
const u64 *iho_pt_entry(const struct iho_pt *pt, u64 iova, u32 *level);

/**
 * struct iho_diff - the first difference of two trees
 * @iova: byte address, where they first differ
 * @has_a: whether the first tree maps it
 * @has_b: whether the second does
 * @a: the first tree's run that holds @iova
 * @b: the second tree's run that holds @iova
 */
struct iho_diff {
	u64 iova;
	bool has_a, has_b;
	struct iho_run a, b;
};

/**
 * iho_tree_compare() - whether two trees mean the same
 * @a: first tree
 * @b: second tree
 * @diff: filled when they differ
 * @runs: number of runs compared, may be NULL
 * @which: set on error to 0 or 1, for the tree that has it; may be NULL
 *
 * Trees of different formats are compared without IHO_PT_SNOOP: whether
 * coherency is enforced is an attribute of the table as well, and one of the
 * formats may have no bit for it.
 *
 * Return: 0 equal, 1 differ, or an error of iho_walk_next().
 */
int iho_tree_compare(const struct iho_pt *a, const struct iho_pt *b,
		     struct iho_diff *diff, u64 *runs, int *which);

#endif /* IHO_WALK_H */

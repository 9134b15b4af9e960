/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables made by hand, of VT-d's second stage or of any other format, for
 * the cases of the walker, of the comparison and of the formats.
 */
#ifndef TREES_H
#define TREES_H

#include "cases-host.h"

/* VT-d 9.8, Second-Stage Paging Entries */
#define SS_R		BIT_ULL(0)
#define SS_W		BIT_ULL(1)
#define SS_RW		(SS_R | SS_W)
#define SS_LARGE	BIT_ULL(7)
#define SS_A		BIT_ULL(8)
#define SS_D		BIT_ULL(9)
#define SS_SNP		BIT_ULL(11)
/* What hardware ignores in a leaf: 2, 10, 60 to 52 and 63; 61 with IR/IW off */
#define SS_IGNORED	(BIT_ULL(2) | BIT_ULL(10) | GENMASK_ULL(61, 52) | \
			 BIT_ULL(63))
#define SS_RESERVED	BIT_ULL(62)

#define R		IHO_PT_READ
#define W		IHO_PT_WRITE
#define RW		(R | W)
#define SNP		IHO_PT_SNOOP

#define ENTRIES		512
#define SMALL_TREE	32

/**
 * struct tree - a page table under test
 * @page: its tables, contiguous
 * @pages: how many there is room for
 * @used: how many are linked or were
 * @denied: index of a table that may not be read, or -1
 * @format: what it is made of
 * @pt: for the walker
 */
struct tree {
	u64 (*page)[ENTRIES];
	u32 pages;
	u32 used;
	int denied;
	const struct iho_format *format;
	struct iho_pt pt;
};

/* Where the table of this index lies. */
u64 tree_table_pa(const struct tree *t, u32 index);

/* For struct iho_pt: the tables of the tree can be read, and nothing else. */
const u64 *tree_read(void *priv, u64 pa);

/* Index of one table more; no room for it ends the test. */
u32 tree_new_table(struct kunit *test, struct tree *t);

/* An empty tree with room for @pages tables. They go with the test. */
struct tree *tree_new_format(struct kunit *test, u32 format, u32 levels,
			     u32 pages);

/* The same of VT-d's second stage. */
struct tree *tree_new(struct kunit *test, u32 levels, u32 pages);

/* Empty it again. */
void tree_clear(struct tree *t);

static inline u32 tree_shift(u32 level)
{
	return 12 + 9 * level;
}

/* The entry of @iova at @level; tables on the way down are made. */
u64 *tree_entry(struct kunit *test, struct tree *t, u64 iova, u32 level);

/* A leaf of @level as the format has it, with IHO_PT_*. */
void tree_leaf(struct kunit *test, struct tree *t, u64 iova, u64 pa, u32 level,
	       u32 perm);

/* A leaf of @level with these bits, of VT-d's second stage. */
void tree_map(struct kunit *test, struct tree *t, u64 iova, u64 pa, u32 level,
	      u64 bits);

/* @len bytes in leaves of @level. */
void tree_map_range(struct kunit *test, struct tree *t, u64 iova, u64 pa,
		    u64 len, u32 level, u64 bits);
void tree_leaf_range(struct kunit *test, struct tree *t, u64 iova, u64 pa,
		     u64 len, u32 level, u32 perm);

#define MAX_RUNS	16

struct runs {
	struct iho_run run[MAX_RUNS];	/* the first of them */
	int nr;				/* or the error that ended the walk */
};

/* All runs of a tree. */
void tree_walk(struct kunit *test, const struct tree *t, struct runs *runs);

void tree_expect_run(struct kunit *test, const struct iho_run *run, u64 first,
		     u64 last, u64 pa, u32 perm);

/* That a tree has this one run. */
void tree_expect_one_run(struct kunit *test, const struct tree *t, u64 first,
			 u64 last, u64 pa, u32 perm);

/* That a walk of the tree ends with this error, and that it equals nothing. */
void tree_expect_bad(struct kunit *test, const struct tree *t, int err);

#define SPLIT_PA	((u64)SZ_16M)
#define SPLIT_IOVA	0x5000ull

/**
 * struct tree_split - 2 MiB at 0 in 4 KiB leaves, and what one of them becomes
 * @desc: of the case
 * @clear: bits that are taken from the entry of SPLIT_IOVA
 * @set: bits that it gets then
 * @runs: 1, 2 or 3, what the tree has then
 * @perm: of the changed page; 0 for a hole
 * @pa: of the changed page
 *
 * The leaves map SPLIT_PA and can be read and written.
 */
struct tree_split {
	const char *desc;
	u64 clear, set;
	int runs;
	u32 perm;
	u64 pa;
};

/* Make that of an empty tree, and expect its runs. */
void tree_expect_split(struct kunit *test, struct tree *t,
		       const struct tree_split *c);

/* For iho_walk_tables(): goes on. */
int tree_visit_nothing(void *priv, u64 pa, u32 level);

#endif

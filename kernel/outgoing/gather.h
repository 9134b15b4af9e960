/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover, outgoing side: a snapshot in the making.
 *
 * gather.c collects facts of all contexts with the help of source.c, order.c
 * puts them in canonical order, records.c appends the records to the snapshot
 * that snapshot.c has made room for. numbers.c finds what was seen before.
 */
#ifndef __IOMMU_HANDOVER_GATHER_H
#define __IOMMU_HANDOVER_GATHER_H

#include <linux/siphash.h>

#include "outgoing.h"

struct iopt_area;

/**
 * struct vec - a growing array
 * @p: its elements
 * @nr: how many
 * @cap: for how many there is room
 * @max: how many there may be
 * @size: of one, bytes
 * @what: they are, for a refusal
 */
struct vec {
	void *p;
	u32 nr, cap, max;
	size_t size;
	const char *what;
};

/* ---- vec.c ------------------------------------------------------------ */

/* -ENOMEM, noted: no memory for @what. */
int handover_refuse_memory(const char *what);

/* A new zeroed element, or ERR_PTR of -EFBIG or -ENOMEM (noted). */
void *handover_vec_add(struct vec *v);

/* ---- a snapshot in the making ------------------------------------------ */

/**
 * struct mem_entry - a memory
 * @fact: goes into the snapshot; the first member, as in the other arrays
 * @found: how LUO has it
 * @session: its session
 * @inode: of its file, held by LUO
 */
struct mem_entry {
	struct iho_memory fact;
	struct liveupdate_found found;
	struct luo_session *session;
	struct inode *inode;
};

/**
 * struct handover_key - what a number is of
 * @ptr: an inode, or pinned pages
 * @shift: of pages: byte in the file less byte in the pages
 * @memory: of pages: the memfd
 * @number: it was given; no part of what is compared
 *
 * Maps share a group that have these three in common. One address range may
 * cross mappings of several files, or of one file in another order, and copies
 * of its parts be all that is left of it.
 */
struct handover_key {
	const void *ptr;
	u64 shift;
	u32 memory;
	u32 number;
};

/**
 * struct numbers - the numbers of keys
 * @keys: struct handover_key
 * @slot: hash table of 1 + index in @keys, 0 where there is none; or NULL
 * @bits: log2 of the length of @slot
 * @secret: of the hash
 */
struct numbers {
	struct vec keys;
	u32 *slot;
	u32 bits;
	siphash_key_t secret;
};

/**
 * struct domain_entry - a domain ID
 * @fact: what the snapshot says of it; until all is in order, its table is an
 *	  HWPT ID
 * @context: that this HWPT is of
 */
struct domain_entry {
	struct iho_domain fact;
	u32 context;
};

struct gather {
	union {
		struct vec node[IHO_NODES];	/* by enum iho_node */
		struct {
			struct vec mem;		/* struct mem_entry */
			struct vec unit;	/* struct iho_unit */
			struct vec table;	/* struct iho_table */
			struct vec domain;	/* struct domain_entry */
			struct vec device;	/* struct iho_device */
			struct vec context;	/* struct iho_context */
		};
	};
	struct numbers inodes;	/* index in mem; a memfd is in one session only */
	struct numbers shared;	/* share groups of one context with more areas */
	u32 groups;		/* all share groups of that context */
	u32 last_mem;		/* maps of one memfd often come in a row */
	u64 pieces;		/* of user memory that were looked at */
	u64 objects, areas, allowed;	/* how many of all contexts */
	bool all;		/* go on after a refusal, to name them all */
	bool continuous;	/* attached devices are not to stop */
	bool areas_known;	/* do not look at the areas of IOASes */
	bool user;		/* an area is of a user address */
	u32 refusals;		/* how often that was done */
	int refused;		/* the errno of the first of them */
	/* the snapshot: room for the facts, then one stream after the other */
	void *buf;
	u64 pos, cap;
	u32 records;
};

/* More are not named at once: in all, and of the maps of one IOAS. */
#define GATHER_REFUSALS	256u
#define IOAS_REFUSALS	8u

#define MEM(_g, _i)	(&((struct mem_entry *)(_g)->mem.p)[_i])
#define UNIT(_g, _i)	(&((struct iho_unit *)(_g)->unit.p)[_i])
#define TABLE(_g, _i)	(&((struct iho_table *)(_g)->table.p)[_i])
#define DOMAIN(_g, _i)	(&((struct domain_entry *)(_g)->domain.p)[_i].fact)
#define DEVICE(_g, _i)	(&((struct iho_device *)(_g)->device.p)[_i])
#define CONTEXT(_g, _i)	(&((struct iho_context *)(_g)->context.p)[_i])

static inline struct iommufd_ioas *to_ioas(struct iommufd_object *obj)
{
	return container_of(obj, struct iommufd_ioas, obj);
}

/* ---- numbers.c -------------------------------------------------------- */

/* @max: as many keys there may be. @what: they are, for a refusal. */
void handover_numbers_init(struct numbers *n, u32 max, const char *what);
void handover_numbers_free(struct numbers *n);

/* The number of @key, IHO_NONE when it has none. */
u32 handover_number_of(const struct numbers *n, const struct handover_key *key);

/* Give @key a number, or another one. 0, -EFBIG or -ENOMEM (noted). */
int handover_give_number(struct numbers *n, const struct handover_key *key,
			 u32 number);

/* ---- source.c --------------------------------------------------------- */

/**
 * struct source - the preserved file that an area maps
 * @inode: its inode, held by LUO
 * @found: how LUO has it
 * @start: byte in the file of the area's first byte
 * @seals: F_SEAL_* that LUO noted when the file was preserved; those come back
 */
struct source {
	struct inode *inode;
	struct liveupdate_found found;
	u64 start;
	u32 seals;
};

/* The index of a gathered memory, IHO_NONE when it is not gathered. */
u32 handover_find_mem(struct gather *g, struct luo_session *session,
		      struct inode *inode);

/* Make memory @i the one that handover_find_mem() finds. 0 or -ENOMEM (noted). */
int handover_note_inode(struct gather *g, u32 i);

/* How LUO has a file of a session: 0 or -ENOENT. */
int handover_find_preserved(struct luo_session *session, struct file *file,
			    struct liveupdate_found *found);

/**
 * handover_find_source() - which preserved file an area maps
 * @g: the snapshot in the making
 * @ctx: the context
 * @area: an area of it
 * @ioas_id: of this IOAS
 * @src: filled
 *
 * Return: 0; -EOPNOTSUPP when the area cannot be handed over, -EAGAIN when its
 * process is changing its memory, -EFBIG; each noted.
 */
int handover_find_source(struct gather *g, struct handover_ctx *ctx,
			 struct iopt_area *area, u32 ioas_id,
			 struct source *src);

/*
 * How many pieces of user memory are looked at, a piece being an area that pages
 * of another one are pinned for, or a VMA: all other VMs wait meanwhile.
 */
#define HANDOVER_MAX_PIECES	IHO_MAX_RECORDS

/* -EAGAIN, noted: the process that mapped an area is changing its memory. */
int handover_refuse_changing(struct handover_ctx *ctx, u32 ioas_id, u64 iova);

/* -EFBIG, noted. */
int handover_refuse_pieces(struct handover_ctx *ctx, u32 ioas_id, u64 iova);

/* ---- gather.c, order.c, records.c -------------------------------------- */

/* Collect the facts of context @ci; its errors are handover_live_take()'s. */
int handover_gather_context(struct gather *g, struct handover_ctx *ctx, u32 ci);

/* Index of the table of an HWPT, IHO_NONE when there is none. */
u32 handover_find_table(struct gather *g, u32 ci, u32 hwpt_id);

/* Put the facts of all contexts in canonical order. 0 or -ENOMEM (noted). */
int handover_order(struct gather *g);

/* Append the records of context @ci; errors as above. */
int handover_emit_context(struct gather *g, struct handover_ctx *ctx, u32 ci);

#endif

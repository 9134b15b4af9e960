/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: what the files of the library share.
 */
#ifndef IHO_INTERNAL_H
#define IHO_INTERNAL_H

#include "iho.h"

#define IHO_COUNT_OF(a)		(sizeof(a) / sizeof((a)[0]))

/* ---- error.c --------------------------------------------------------- */

/* Fill @where, if any, and return -@err. */
int iho_fail(struct iho_where *where, int err, u64 offset, const char *node,
	     u32 index, const char *prop, u32 record);

/* ---- bytes ----------------------------------------------------------- */

/* @n up to a multiple of @to, a power of two. */
static inline u64 iho_pad(u64 n, u64 to)
{
	return (n + (to - 1)) & ~(to - 1);
}

static inline u32 iho_be16(const u8 *p)
{
	return (u32)p[0] << 8 | p[1];
}

static inline u32 iho_be32(const u8 *p)
{
	return iho_be16(p) << 16 | iho_be16(p + 2);
}

static inline u64 iho_be64(const u8 *p)
{
	return (u64)iho_be32(p) << 32 | iho_be32(p + 4);
}

static inline void iho_put16(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static inline void iho_put32(u8 *p, u32 v)
{
	iho_put16(p, v >> 16);
	iho_put16(p + 2, v & 0xffff);
}

static inline void iho_put64(u8 *p, u64 v)
{
	iho_put32(p, (u32)(v >> 32));
	iho_put32(p + 4, (u32)v);
}

/* Offset of the first byte that is not zero, or @len. */
static inline u64 iho_zeroes(const void *ptr, u64 len)
{
	const u8 *p = ptr;
	u64 i;

	for (i = 0; i < len; i++)
		if (p[i])
			break;
	return i;
}

/* IHO_ORDER_* of this machine. */
static inline u32 iho_native_order(void)
{
	const u16 probe = 1;

	return *(const u8 *)&probe ? IHO_ORDER_LITTLE : IHO_ORDER_BIG;
}

/* ---- facts.c: nodes and their fields (section 3) --------------------- */

/* In the order in which nodes follow each other. */
enum iho_node {
	IHO_NODE_MEMORY,
	IHO_NODE_UNIT,
	IHO_NODE_TABLE,
	IHO_NODE_DOMAIN,
	IHO_NODE_DEVICE,
	IHO_NODE_CONTEXT,
	IHO_NODES,
	IHO_NODE_ROOT = IHO_NODES
};

struct iho_root {
	u32 major, minor;
	u64 generation;
	char release[IHO_RELEASE_LEN];
	u32 page_bytes;
};

union iho_fact {
	struct iho_memory memory;
	struct iho_unit unit;
	struct iho_table table;
	struct iho_domain domain;
	struct iho_device device;
	struct iho_context context;
	struct iho_root root;
};

enum iho_field_type {
	IHO_FIELD_U32,
	IHO_FIELD_U64,
	IHO_FIELD_STRING,	/* char [64] */
	IHO_FIELD_WORD,		/* enumeration, a word in the FDT */
	IHO_FIELD_IDS,		/* source_id[] and source_ids of a device */
	IHO_FIELD_PATH,		/* path[] and path_len of a device */
	IHO_FIELD_VERSION,	/* major and minor of the root */
};

/* Property names; each stands once in the strings block. */
enum iho_name {
	IHO_NAME_VERSION,
	IHO_NAME_GENERATION,
	IHO_NAME_RELEASE,
	IHO_NAME_PAGE_BYTES,
	IHO_NAME_SESSION,
	IHO_NAME_TOKEN,
	IHO_NAME_SIZE,
	IHO_NAME_SEALS,
	IHO_NAME_TYPE,
	IHO_NAME_MODE,
	IHO_NAME_SEGMENT,
	IHO_NAME_REGISTER_PA,
	IHO_NAME_CAP,
	IHO_NAME_ECAP,
	IHO_NAME_ROOT_PA,
	IHO_NAME_FORMAT,
	IHO_NAME_LEVELS,
	IHO_NAME_CONTEXT,
	IHO_NAME_HWPT_ID,
	IHO_NAME_ATTRIBUTES,
	IHO_NAME_WIDTH,
	IHO_NAME_UNIT,
	IHO_NAME_DOMAIN_ID,
	IHO_NAME_TABLE,
	IHO_NAME_LEVEL,
	IHO_NAME_SOURCE_IDS,
	IHO_NAME_ROOT_BUS,
	IHO_NAME_PATH,
	IHO_NAME_VENDOR_DEVICE,
	IHO_NAME_SUBSYSTEM,
	IHO_NAME_CLASS_REVISION,
	IHO_NAME_SERIAL,
	IHO_NAME_DOMAIN,
	IHO_NAME_DEV_ID,
	IHO_NAME_STREAM_OFF,
	IHO_NAME_STREAM_LEN,
	IHO_NAME_RECORDS,
	IHO_NAME_STREAM_CRC,
	IHO_NAMES
};

struct iho_field {
	u8 name;		/* enum iho_name */
	u8 type;		/* enum iho_field_type */
	u16 off;		/* in the structure of the node */
	const char *const *words; /* from 1 on, NULL at the end */
};

struct iho_node_desc {
	const char *name;	/* without "-N" */
	const struct iho_field *field;
	u32 fields;
	u32 max;		/* nodes of this kind */
	u32 size;		/* of the structure */
};

extern const char *const iho_names[IHO_NAMES];
extern const struct iho_node_desc iho_node_desc[IHO_NODES + 1];

/* Write "memory-7" and zeroes up to 16 bytes; returns its strlen(). */
u32 iho_node_name(enum iho_node kind, u32 index, char name[16]);

/* Counts of both kinds of source. */
u32 iho_facts_count(const struct iho_facts *facts, enum iho_node kind);
u32 iho_image_count(const struct iho_image *img, enum iho_node kind);
u32 iho_source_count(const struct iho_plan_source *src, enum iho_node kind);

/* Entry @index of an array of @facts. */
const void *iho_facts_at(const struct iho_facts *facts, enum iho_node kind,
			 u32 index);

/* iho_facts_check() on either source. */
int iho_source_check(const struct iho_plan_source *src,
		     struct iho_where *where);

/* ---- canon.c --------------------------------------------------------- */

#define IHO_FDT_STRUCT	64u	/* header 40, padding 8, empty reserve map 16 */

/* Whole-tree check of form; fills counts and node offsets of @img. */
int iho_canon_check(const void *fdt, u32 fdt_len, struct iho_image *img,
		    struct iho_where *where);

/* Read the node at @off of a tree that passed; returns the next node's. */
int iho_node_read(const void *fdt, int off, enum iho_node kind,
		  union iho_fact *fact);

/* Offset of the node behind the one at @off. */
int iho_node_skip(const void *fdt, int off);

/* ---- read.c ---------------------------------------------------------- */

/* FDT offset of node @index, below the count of its kind. */
int iho_node_find(const struct iho_image *img, enum iho_node kind, u32 index);

/* Fact @index of either source, below the count of its kind. */
void iho_source_get(const struct iho_plan_source *src, enum iho_node kind,
		    u32 index, union iho_fact *fact);

/* All facts of a kind one after the other. */
struct iho_cursor {
	const struct iho_plan_source *src;
	enum iho_node kind;
	u32 next, count;
	int off;		/* of the node that comes next, in an image */
	u64 at;			/* byte offset of the last one, in an image */
};

void iho_cursor_init(struct iho_cursor *cur,
		     const struct iho_plan_source *src, enum iho_node kind);
bool iho_cursor_next(struct iho_cursor *cur, union iho_fact *fact);

/* ---- check.c --------------------------------------------------------- */

/* SHA-256 of the image with the digest field taken as zero. */
void iho_image_digest(const struct iho_seg *seg, u32 segs, u64 len,
		      u8 digest[32]);

/* CRC-32 of the header with header_crc and digest taken as zero. */
u32 iho_header_crc(const u8 *header);

/* ---- stream.c -------------------------------------------------------- */

/* One record, framed and with its padding checked. */
struct iho_framed {
	u32 kind;
	u32 payload_len, inline_len;
	const u8 *payload, *inl;
	u64 next;		/* offset of the record behind it */
};

int iho_rec_frame(const u8 *stream, u64 len, u64 pos, struct iho_framed *rec,
		  const char **what);

/* Fixed sizes of a kind: what this version knows. */
u32 iho_rec_payload_size(u32 kind);
u32 iho_rec_inline_size(u32 kind);	/* 0 for ALLOW_IOVAS: it varies */

/* Copy payload and inline data of a framed record of sufficient size. */
void iho_rec_decode(const struct iho_framed *rec, struct iho_step *step);

#endif /* IHO_INTERNAL_H */

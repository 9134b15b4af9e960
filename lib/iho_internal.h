/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: what the files of the library share.
 */
#ifndef IHO_INTERNAL_H
#define IHO_INTERNAL_H

#include "iho.h"

#define IHO_COUNT_OF(a)		(sizeof(a) / sizeof((a)[0]))
#define IHO_DIGEST_LEN		32u	/* of SHA-256 */

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

/* ---- describe.c: nodes and their fields (section 3) ------------------ */

/* Write "memory-7" and zeroes up to 16 bytes; returns its strlen(). */
u32 iho_node_name(enum iho_node kind, u32 index, char name[16]);

/* ---- facts.c, refs.c: what must hold (section 3) --------------------- */

/* Values and order of all nodes of a kind. */
int iho_kind_check(const struct iho_plan_source *src, enum iho_node kind,
		   struct iho_where *where);

/* A string of a fact, padded to @size: 0 or an error, not negated. */
int iho_string_error(const char *s, u32 size);

/* iho_facts_check() on either source. */
int iho_source_check(const struct iho_plan_source *src,
		     struct iho_where *where);

/* ---- canon.c: form of the FDT (section 3.2) -------------------------- */

#define IHO_FDT_STRUCT	64u	/* header 40, padding 8, empty reserve map 16 */

/* Whole-tree check of form; fills counts and node offsets of @img. */
int iho_canon_check(const void *fdt, u32 fdt_len, struct iho_image *img,
		    struct iho_where *where);

/* ---- node.c: nodes of an FDT ----------------------------------------- */

/*
 * Read the value of a property into its place in @fact.
 * Return: 0 or an error, not negated.
 */
int iho_value_read(const struct iho_field *f, const u8 *value, u32 len,
		   union iho_fact *fact);

/* Does the begin tag at @off, which ends at @end, carry this name? */
bool iho_node_begins(const void *fdt, int off, int end, enum iho_node kind,
		     u32 index);

/* Read the node at @off of a tree that passed; returns the next node's. */
int iho_node_read(const void *fdt, int off, enum iho_node kind,
		  union iho_fact *fact);

/* Offset of the node after the one at @off. */
int iho_node_skip(const void *fdt, int off);

/* ---- read.c: facts of an image or of arrays -------------------------- */

/* How many nodes of a kind. */
u32 iho_source_count(const struct iho_plan_source *src, enum iho_node kind);

/* FDT offset of node @index, below the count of its kind. */
int iho_node_find(const struct iho_image *img, enum iho_node kind, u32 index);

/* What other nodes say of the contexts, or NULL when that was not counted. */
const struct iho_owned *iho_source_owned(const struct iho_plan_source *src);

/* Fact @index of either source, below the count of its kind. */
void iho_source_get(const struct iho_plan_source *src, enum iho_node kind,
		    u32 index, union iho_fact *fact);

/* ---- check.c --------------------------------------------------------- */

/* SHA-256 of header and FDT with the digest field taken as zero. */
void iho_head_digest(const u8 *head, u32 fdt_len, u8 digest[IHO_DIGEST_LEN]);

/* SHA-256 of @len bytes. */
void iho_digest(const void *ptr, size_t len, u8 digest[IHO_DIGEST_LEN]);

/* CRC-32 of the header with header_crc and digest taken as zero. */
u32 iho_header_crc(const u8 *header);

/* ---- formats.c, format_units.c --------------------------------------- */

/*
 * Words of enum iho_table_format, enum iho_unit_type and enum iho_unit_mode,
 * each list ended by NULL.
 */
extern const char *const iho_table_formats[];
extern const char *const iho_unit_types[];
extern const char *const iho_unit_modes[];

/* Whether a unit of this type can read its tables in this mode. */
bool iho_unit_has_mode(u32 type, u32 mode);

/* ---- stream.c -------------------------------------------------------- */

/* One record, framed and with its padding checked. */
struct iho_framed {
	u32 kind;
	u32 payload_len, inline_len;
	const u8 *payload, *inl;
	u64 next;		/* offset of the record after it */
};

int iho_rec_frame(const u8 *stream, u64 len, u64 pos, struct iho_framed *rec,
		  const char **what);

/* Fixed sizes of a kind: what this version knows. */
u32 iho_rec_payload_size(u32 kind);
u32 iho_rec_inline_size(u32 kind);	/* 0 for ALLOW_IOVAS: it varies */

/* Copy payload and inline data of a framed record of sufficient size. */
void iho_rec_decode(const struct iho_framed *rec, struct iho_step *step);

/* ---- model.c: the model of iommufd (section 4) ----------------------- */

/*
 * What the model keeps of a record. Streams are ordered by kind and ID, so
 * the entries of one kind lie together, ascending: a binary search finds one.
 *
 *   IOAS    id, IOAS_* flags
 *   group   memory, IHO_MAP_* flags; only these two, found by number
 *   device  id, index of the device | DEVICE_ATTACHED
 *   HWPT    id, index of the table | position of the device that it names, in
 *	     the entries of devices, << HWPT_DEVICE_SHIFT | HWPT_* flags
 */
struct iho_entry {
	u32 id;
	u32 info;
};

struct iho_entries {
	struct iho_entry *at;
	u32 count;
};

#define IOAS_UNALIGNED	1u	/* a map not aligned to pages */
#define IOAS_ALIGNED	2u	/* huge pages are off: no such map may be */
#define DEVICE_ATTACHED	0x80000000u
#define HWPT_AUTO	0x80000000u
#define HWPT_ATTACHED	0x40000000u
#define HWPT_DEVICE_SHIFT	12u
#define HWPT_DEVICE_MASK	0x3ffu
#define INDEX_MASK	0xfffu	/* of a table or a device */

#if IHO_MAX_TABLES > INDEX_MASK + 1 || IHO_MAX_DEVICES > HWPT_DEVICE_MASK + 1
#error "an index does not fit the entries of the model"
#endif

struct iho_model {
	const struct iho_plan_source *src;
	const char *session;	/* of the context; 64 bytes */
	u32 context;
	u32 memory_at;		/* index of @memory, or IHO_NONE */
	struct iho_memory memory;	/* that the map before named */
	struct iho_entry *next;
	struct iho_entries ioas, groups, devices, hwpts;
	u32 kind;		/* of the record before, 0 at the start */
	u32 last_id;		/* what orders it within its kind */
	u64 last_iova;		/* of the map before, inclusive */
	u64 first_iova;
	u32 maps, attaches;
	const char *what;	/* field that a failing test looked at */
};

/* Begin with @work, of iho_plan_work() bytes for all records. */
void iho_model_init(struct iho_model *m, const struct iho_plan_source *src,
		    u32 context, const char *session, void *work);

/*
 * Take one record in; m->what says which field was wrong.
 * Return: 0 or an error, not negated.
 */
int iho_model_apply(struct iho_model *m, const struct iho_framed *rec);

/* The entry of an object ID, or NULL. */
struct iho_entry *iho_model_find(const struct iho_entries *list, u32 id);

#endif /* IHO_INTERNAL_H */

/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/**
 * DOC: library
 *
 * iommu-handover: build, check and read handover images.
 *
 * Freestanding: no allocation, no globals, no recursion, no host #ifdef. The
 * outside is seen through handover_glue.h only, which supplies u8 to u64, s32,
 * size_t, bool, the mem*() and str*() functions that libfdt needs,
 * <libfdt.h>, iho_crc32() and struct iho_sha256 with its three functions.
 *
 * Section numbers are those of formats/handover.rst.
 */
#ifndef IHO_H
#define IHO_H

#include "handover_glue.h"
#include "handover_abi.h"
#include "iho_describe.h"

/*
 * enum iho_error - what is wrong; functions return 0 or one of these negated
 *
 * Numbers are never reused. Three families: 1 to 99 corrupt, 100 to 199
 * unsupported, 200 to 299 limit; 300 and up are the caller's and never come
 * out of a check of an image. Checks run in the order of section 5 and the
 * first failure wins.
 */
enum iho_error {
	IHO_OK = 0,
	/* corrupt */
	IHO_ERR_TRUNCATED = 1,	/* shorter than it says */
	IHO_ERR_MAGIC = 2,	/* not an image, snapshot or envelope */
	IHO_ERR_HEADER = 3,	/* header field wrong or reserved not zero */
	IHO_ERR_HEADER_CRC = 4,
	IHO_ERR_FDT_CRC = 5,
	/* 6 is retired: sections had a CRC */
	IHO_ERR_DIGEST = 7,	/* of header and FDT */
	IHO_ERR_FDT = 8,	/* libfdt cannot read it */
	IHO_ERR_CANON = 9,	/* readable, not in canonical form */
	IHO_ERR_LAYOUT = 10,	/* property missing, extra or of wrong size */
	IHO_ERR_RANGE = 11,	/* value out of range */
	IHO_ERR_ALIGN = 12,	/* address or length misaligned */
	IHO_ERR_ORDER = 13,	/* not ascending, or twice */
	IHO_ERR_REF = 14,	/* names what is not there or does not fit */
	IHO_ERR_ORPHAN = 15,	/* nothing names it */
	IHO_ERR_GAP = 16,	/* sections overlap, gap, or padding not zero */
	IHO_ERR_RECORD = 17,	/* record header or payload malformed */
	IHO_ERR_COUNT = 18,	/* fewer or more records than declared */
	IHO_ERR_OVERLAP = 19,	/* maps of an IOAS, ranges or extents overlap */
	/* 20 is retired: iommufd lets a map lie outside the allowed ranges */
	IHO_ERR_ID_TAKEN = 21,	/* one object ID used twice in a context */
	IHO_ERR_GROUP = 22,	/* share group numbering or membership */
	IHO_ERR_STRING = 23,	/* not terminated, empty, or bad character */
	IHO_ERR_SECTION = 24,	/* digest of a record section */
	/* page tables (walk) */
	IHO_ERR_TABLE_PA = 30,	/* table outside the memory allowed for it */
	IHO_ERR_TABLE_ENTRY = 31, /* reserved bits, a leaf misaligned or incomplete */
	/* unsupported */
	IHO_ERR_VERSION = 100,	/* major version */
	IHO_ERR_FEATURE = 101,	/* must-understand bit */
	IHO_ERR_BYTE_ORDER = 102,
	IHO_ERR_KIND = 103,	/* record kind */
	IHO_ERR_PAYLOAD = 104,	/* payload longer than known, tail not zero */
	IHO_ERR_VALUE = 105,	/* enumerated value or flag unknown here */
	/* limit */
	IHO_ERR_LIMIT = 200,	/* a count or length over an IHO_MAX_* */
	IHO_ERR_DEPTH = 201,	/* nesting */
	/* the caller's */
	IHO_ERR_NOSPACE = 300,	/* buffer or workspace too small */
	IHO_ERR_BADCALL = 301,	/* argument out of its range */
};

/** iho_strerror() - sentence for an enum iho_error, negated or not. */
const char *iho_strerror(int err);

/** iho_error_name() - its name, "IHO_ERR_DIGEST"; "IHO_OK" for 0. */
const char *iho_error_name(int err);

/*
 * enum iho_family - families of errors; the kernel has an errno for each
 *
 * The exit codes of the tool are its own: it has one for the unsupported and
 * for what is over a limit.
 */
enum iho_family {
	IHO_FAMILY_OK = 0,
	IHO_FAMILY_CORRUPT = 1,
	IHO_FAMILY_UNSUPPORTED = 2,
	IHO_FAMILY_LIMIT = 3,
	IHO_FAMILY_CALL = 4,
};

enum iho_family iho_error_family(int err);

/**
 * struct iho_where - where the first failure was
 * @offset: byte offset in what was checked
 * @node: name of the FDT node, "" when none; "header", "fdt", "stream"
 * @index: index of that node, or of the context for a stream; IHO_NONE
 * @prop: property name, or a static word such as "ioas_id"; never NULL
 * @record: record number in the stream, from 0; IHO_NONE
 *
 * Every function that takes one sets all of it on failure and nothing on
 * success. May be NULL.
 */
struct iho_where {
	u64 offset;
	const char *node;
	u32 index;
	const char *prop;
	u32 record;
};

/* Bytes that iho_where_text() needs at most, its NUL included. */
#define IHO_WHERE_LEN	96u

/**
 * iho_where_text() - put a place into words
 * @where: a place
 * @text: gets "device-1 path at 0x4a8", "context-0 record 7 at 0x1140, iova",
 *	  "release at 0xc0" (of the root node), "header magic at 0x0"
 *
 * Return: @text.
 */
const char *iho_where_text(const struct iho_where *where,
			   char text[IHO_WHERE_LEN]);

/**
 * struct iho_owned - what other nodes say of a context
 * @devices: devices of it
 * @attached: of these, how many have a domain
 */
struct iho_owned {
	u32 devices;
	u32 attached;
};

/* ---- snapshot (section 7): snapshot.c -------------------------------- */

/*
 * struct iho_facts - the arrays of a snapshot, or of what an image was made of
 *
 * All pointers are owned by the caller and stay valid as long as it. A snapshot
 * of a later kernel can have longer entries than the structures known here: only
 * iho_facts_at() finds them.
 */
struct iho_facts {
	u64 generation;
	const char *release;		/* NUL-terminated */
	union {
		const void *at[IHO_NODES];	/* by enum iho_node */
		struct {
			const struct iho_memory *memory;
			const struct iho_unit *unit;
			const struct iho_table *table;
			const struct iho_domain *domain;
			const struct iho_device *device;
			const struct iho_context *context;
		};
	};
	union {
		u32 count[IHO_NODES];
		struct {
			u32 memories, units, tables, domains, devices, contexts;
		};
	};
	/* Bytes of an entry, by enum iho_node; 0: of its structure */
	u32 element_len[IHO_NODES];
	/* By context, or NULL: see iho_facts_index() */
	const struct iho_owned *owned;
};

/**
 * iho_facts_at() - one entry of an array
 * @facts: the arrays
 * @kind: which of them
 * @index: below its count
 *
 * Return: the entry, a structure of that kind.
 */
const void *iho_facts_at(const struct iho_facts *facts, enum iho_node kind,
			 u32 index);

/**
 * iho_facts_index_size() - room that iho_facts_index() needs
 * @facts: the arrays
 *
 * Return: bytes.
 */
size_t iho_facts_index_size(const struct iho_facts *facts);

/**
 * iho_facts_index() - count what each context has
 * @facts: gets the index; it passed iho_facts_check(), or is the kernel's own
 * @work: iho_facts_index_size() bytes, 8-byte aligned; the index is there as long as
 *	  @facts is used
 *
 * With it iho_plan_init() of one context does not look at the devices of all
 * others. It changes no verdict. O(devices).
 */
void iho_facts_index(struct iho_facts *facts, void *work);

/**
 * iho_snapshot_open() - check the framing of a snapshot
 * @buf: snapshot, 8-byte aligned
 * @len: its length in bytes
 * @facts: filled with pointers into @buf
 * @where: filled on failure
 *
 * Checks magic, version, counts against their limits, that entries are as long
 * as their structures or longer, that the arrays and streams fill @len exactly
 * and that what is not known of an entry is zero. Values inside are checked by
 * iho_build() (through iho_facts_check()) and the streams by iho_plan_init().
 *
 * Return: 0, -IHO_ERR_TRUNCATED, _MAGIC, _HEADER, _VERSION, _LIMIT, _RANGE,
 * _ALIGN, _GAP, _VALUE.
 */
int iho_snapshot_open(const void *buf, size_t len, struct iho_facts *facts,
		      struct iho_where *where);

/**
 * iho_facts_check() - ranges, order and cross-references of all facts
 * @facts: what to check
 * @where: filled on failure
 *
 * The same checks, in the same order, that iho_image_open() makes on what it
 * reads: section 3. stream_off and stream_len are not looked at.
 *
 * Return: 0, or -IHO_ERR_LIMIT, _STRING, _VALUE, _RANGE, _ALIGN, _ORDER, _REF,
 * _ORPHAN (a unit or domain that no device names; whether memories and tables are
 * named is checked with the streams).
 */
int iho_facts_check(const struct iho_facts *facts, struct iho_where *where);

/* ---- build: build.c -------------------------------------------------- */

/**
 * iho_build_size() - upper bound of the image's length in bytes
 * @facts: what it is to be built of
 *
 * Return: bytes, a multiple of 4096; 0 when a count is over its limit.
 */
size_t iho_build_size(const struct iho_facts *facts);

/**
 * iho_build() - build the image of a snapshot
 * @facts: from iho_snapshot_open()
 * @snapshot: the snapshot itself, for the streams
 * @out: buffer, 8-byte aligned
 * @cap: its size in bytes, iho_build_size() is enough
 * @out_len: the image's length
 * @where: filled on failure
 *
 * Equal input gives equal bytes.
 *
 * Return: 0, -IHO_ERR_NOSPACE, _COUNT, or an error of iho_facts_check().
 */
int iho_build(const struct iho_facts *facts, const void *snapshot, void *out,
	      size_t cap, size_t *out_len, struct iho_where *where);

/* ---- check and read: check.c, canon.c, read.c ------------------------ */

/** struct iho_seg - one contiguous piece of an image in memory */
struct iho_seg {
	const void *ptr;	/* 8-byte aligned */
	size_t len;		/* bytes */
};

/**
 * struct iho_image - an accepted image, to be read only
 * @fdt: its FDT; the library's own
 * @fdt_len: of @fdt, bytes; the library's own
 * @total_len: of the image, bytes
 * @major: of its format
 * @minor: of its format
 * @generation: of the snapshot that it was made of
 * @release: of the kernel that made it; in the FDT
 * @count: nodes of each kind, by enum iho_node
 * @memories: count[IHO_NODE_MEMORY]
 * @units: count[IHO_NODE_UNIT]
 * @tables: count[IHO_NODE_TABLE]
 * @domains: count[IHO_NODE_DOMAIN]
 * @devices: count[IHO_NODE_DEVICE]
 * @contexts: count[IHO_NODE_CONTEXT]
 * @digest: SHA-256 of header and FDT, as the header has it
 * @first: FDT node offsets, negative when there is none; the library's own
 * @node: offsets of all nodes, kind by kind, or NULL: see iho_image_index()
 * @owned: by context, or NULL: the same
 */
struct iho_image {
	const void *fdt;
	u32 fdt_len;
	u64 total_len;
	u16 major, minor;
	u64 generation;
	const char *release;
	union {
		u32 count[IHO_NODES];
		struct {
			u32 memories, units, tables, domains, devices, contexts;
		};
	};
	u8 digest[32];
	int first[IHO_NODES];
	const u32 *node;
	const struct iho_owned *owned;
};

/**
 * iho_image_peek() - what the header alone tells, before the rest is read
 * @header: the first IHO_HEADER_LEN bytes
 * @total_len: set to the length of the image in bytes, at most IHO_MAX_IMAGE
 * @where: filled on failure
 *
 * The checks that iho_image_open() begins with, up to the comparison of
 * lengths with what is there: it would give the same error.
 *
 * Return: 0, -IHO_ERR_MAGIC, _VERSION, _FEATURE, _HEADER, _BYTE_ORDER, _LIMIT,
 * _ALIGN.
 */
int iho_image_peek(const void *header, u64 *total_len,
		   struct iho_where *where);

/**
 * iho_head_open() - check the head of an image: header and FDT
 * @head: its first bytes, 8-byte aligned
 * @head_len: how many; whole pages with header and FDT, or -IHO_ERR_TRUNCATED
 * @len: bytes of the image that are there, @head_len included
 * @img: filled; points into @head, which must outlive it
 * @where: filled on failure
 *
 * All that section 5 has up to the record sections, of which no byte is read: an
 * image that passes says where they are, how long, and what their digests must
 * be. iho_section_check() comes before one of them is used.
 *
 * Order of checks (section 5): size, magic, version, features, byte order,
 * lengths against limits, header CRC, reserved fields, digest, FDT CRC,
 * canonical form, values and order, cross-references, places of the sections
 * (page aligned, in context order, no gap, nothing after). The digest decides;
 * where it fails, @where says if it is in the FDT. Uses about a KiB of stack; no
 * allocation. O(nodes), whatever the records are.
 *
 * Return: 0 or any corrupt, unsupported or limit error.
 */
int iho_head_open(const void *head, size_t head_len, u64 len,
		  struct iho_image *img, struct iho_where *where);

/**
 * iho_section_check() - check the bytes of a record section
 * @img: from iho_head_open()
 * @seg: where the image is, from its first byte on
 * @segs: how many, at least 1
 * @context: whose section
 * @where: filled on failure
 *
 * Its digest, then that what fills its last page is zero. Each byte is hashed
 * once. Whether the records add up is asked of iho_plan_init().
 *
 * Return: 0, -IHO_ERR_SECTION, _GAP, _BADCALL.
 */
int iho_section_check(const struct iho_image *img, const struct iho_seg *seg,
		      u32 segs, u32 context, struct iho_where *where);

/**
 * iho_image_open() - check a whole image but its record streams
 * @seg: where it is; the pages of header and FDT lie in seg[0], or
 *	 -IHO_ERR_TRUNCATED
 * @segs: how many, at least 1
 * @img: filled; points into seg[0], which must outlive it
 * @where: filled on failure
 *
 * iho_head_open(), then the section of each context.
 *
 * Return: 0 or any corrupt, unsupported or limit error.
 */
int iho_image_open(const struct iho_seg *seg, u32 segs, struct iho_image *img,
		   struct iho_where *where);

/**
 * iho_image_index_size() - room that iho_image_index() needs
 * @img: from iho_head_open() or iho_image_open()
 *
 * Return: bytes, 4 for each node and 8 more for each context: at most 64 KiB.
 */
size_t iho_image_index_size(const struct iho_image *img);

/**
 * iho_image_index() - note where each node is and what each context has
 * @img: gets the index
 * @work: iho_image_index_size() bytes, 8-byte aligned; the index is there as long as
 *	  @img is used
 *
 * With it iho_get() is O(1) and iho_plan_init() of one context looks at no other,
 * so that all contexts together are linear. It changes no verdict. O(nodes).
 */
void iho_image_index(struct iho_image *img, void *work);

/**
 * iho_get() - read one fact of an accepted image
 * @img: from iho_image_open()
 * @kind: which kind of node
 * @index: 0 to its count - 1, or -IHO_ERR_BADCALL
 * @out: filled, padding zeroed, so that equal facts are equal to memcmp()
 *
 * Of a context, stream_off is that in the image, and stream_digest is set. Without
 * an index nodes are found by stepping from the first: O(index).
 *
 * Return: 0, -IHO_ERR_BADCALL.
 */
int iho_get(const struct iho_image *img, enum iho_node kind, u32 index,
	    union iho_fact *out);

/* iho_get() of one kind, into the structure of that kind. */
int iho_get_memory(const struct iho_image *img, u32 index,
		   struct iho_memory *out);
int iho_get_unit(const struct iho_image *img, u32 index, struct iho_unit *out);
int iho_get_table(const struct iho_image *img, u32 index,
		  struct iho_table *out);
int iho_get_domain(const struct iho_image *img, u32 index,
		   struct iho_domain *out);
int iho_get_device(const struct iho_image *img, u32 index,
		   struct iho_device *out);
int iho_get_context(const struct iho_image *img, u32 index,
		    struct iho_context *out);

/**
 * iho_image_differs() - compare an image's facts with live ones, all values
 * @img: accepted image
 * @facts: what the kernel found; stream_off and stream_digest of its contexts are
 *	   not compared (the streams are compared by the caller), stream_len
 *	   and records are
 * @where: names the first node and property that differ
 *
 * Return: true when any value differs. O(nodes).
 */
bool iho_image_differs(const struct iho_image *img,
		       const struct iho_facts *facts, struct iho_where *where);

/* ---- envelope (section 8): envelope.c -------------------------------- */

/**
 * iho_envelope_build() - fill one page
 * @page: 4096 bytes, 8-byte aligned
 * @pa: physical addresses of the extents
 * @len: their lengths in bytes
 * @extents: how many
 * @digest: the image's digest field
 *
 * Return: 0, -IHO_ERR_LIMIT, _ALIGN, _RANGE, _OVERLAP.
 */
int iho_envelope_build(void *page, const u64 *pa, const u64 *len, u32 extents,
		       const u8 digest[32]);

/**
 * iho_envelope_open() - check the page and give its extents
 * @page: 4096 bytes, 8-byte aligned
 * @pa: IHO_MAX_EXTENTS places, filled
 * @len: IHO_MAX_EXTENTS places, filled
 * @extents: how many
 * @digest: filled; the image's digest field must equal it
 * @where: filled on failure
 *
 * Extents are 4 KiB aligned, not empty, below 2^52, disjoint, and their sum
 * is within IHO_MAX_IMAGE.
 *
 * Return: 0, -IHO_ERR_MAGIC, _VERSION, _HEADER, _HEADER_CRC, _LIMIT, _ALIGN,
 * _RANGE, _OVERLAP.
 */
int iho_envelope_open(const void *page, u64 *pa, u64 *len, u32 *extents,
		      u8 digest[32], struct iho_where *where);

#include "iho_plan.h"
#include "iho_walk.h"

#endif /* IHO_H */

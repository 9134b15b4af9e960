/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handover to test with: facts and records that a test may alter, and from
 * them a snapshot, and an image that is put together without the library's
 * builder, so that it can be wrong on purpose and so that the builder has
 * something to be compared with.
 */
#ifndef SCENE_H
#define SCENE_H

#include "iho.h"

#define SCENE_MAX	64u
#define SCENE_CONTEXTS	8u
#define SCENE_RECORDS	512u
#define SCENE_INLINE	256u

struct scene_rec {
	u32 kind, payload_len, inline_len;
	union {
		u8 payload[64];
		u32 size;		/* what every payload begins with */
		struct iho_pl_option option;
		struct iho_pl_ioas_alloc ioas;
		struct iho_pl_allow_iovas allow;
		struct iho_pl_vfio_ioas vfio;
		struct iho_pl_map_file map;
		struct iho_pl_bind bind;
		struct iho_pl_hwpt_alloc hwpt;
		struct iho_pl_attach attach;
	};
	union {
		u8 inl[SCENE_INLINE];
		struct iho_range range[SCENE_INLINE / 16];
		struct iho_map_ref map_ref;
		struct iho_bind_ref bind_ref;
		struct iho_hwpt_ref hwpt_ref;
		struct iho_attach_ref attach_ref;
	};
};

struct scene {
	u64 generation;
	char release[IHO_RELEASE_LEN];
	struct iho_memory memory[SCENE_MAX];
	struct iho_unit unit[SCENE_MAX];
	struct iho_table table[SCENE_MAX];
	struct iho_domain domain[SCENE_MAX];
	struct iho_device device[SCENE_MAX];
	struct iho_context context[SCENE_CONTEXTS];
	u32 memories, units, tables, domains, devices, contexts;
	struct scene_rec rec[SCENE_CONTEXTS][SCENE_RECORDS];
	u32 recs[SCENE_CONTEXTS];

	/* Called while the FDT of an image is put together; may be NULL. */
	void (*in_root)(void *fdt);
	void (*behind_nodes)(void *fdt);
	void (*in_memory)(void *fdt);	/* behind its last property */
};

/* The worked example of formats/handover.fdt.dts: every kind of everything. */
void scene_example(struct scene *w);

/* That of formats/handover-amd.fdt.dts: one unit, two tables, one device. */
void scene_amd(struct scene *w);

/* One memory, one context, two records: for tests of every byte. */
void scene_small(struct scene *w);

/* Valid, of any shape; equal seeds give equal worlds. */
void scene_random(struct scene *w, u64 seed);

/* Add a record that is filled in as the kernel does, but for the IDs. */
struct scene_rec *scene_add(struct scene *w, u32 context, u32 kind);

/* The first record of a kind. */
struct scene_rec *scene_find(struct scene *w, u32 context, u32 kind);

/* Remove one. */
void scene_drop(struct scene *w, u32 context, struct scene_rec *rec);

/* Snapshot; the caller frees it. Sets stream lengths in @w as well. */
u8 *scene_snapshot(struct scene *w, size_t *len);

/* Image, never checked; the caller frees it. */
u8 *scene_image(struct scene *w, size_t *len);

/* Point @facts to @w itself; no streams. */
void scene_facts(const struct scene *w, struct iho_facts *facts);

/* SHA-256 of @len bytes. */
void sha256_of(const void *ptr, size_t len, u8 digest[32]);

/*
 * Set the CRCs that can be had from the image as it is, and the digest of header and
 * FDT. Those of the streams stay as they are.
 */
void image_seal(u8 *image, size_t len);

/* Only the header's CRC and the digest. */
void image_seal_header(u8 *image, size_t len);

/* Set the CRC of the FDT to what it is. */
void image_seal_fdt(u8 *image);

/* Put another FDT into an image, growing it by whole pages if need be. */
u8 *image_with_fdt(const u8 *image, size_t len, const void *fdt,
		   size_t *new_len);

/*
 * Write a tree again with the sequential writer, in the order it has. NULL
 * when it cannot be read. The caller frees it.
 */
void *fdt_rewrite(const void *fdt);

/* iho_image_open(), then every stream; all in one piece of memory. */
int image_check(const u8 *image, size_t len, struct iho_where *where);

/*
 * Read every fact of an accepted image and build it again from them; NULL
 * when the builder refuses. The caller frees it.
 */
u8 *image_rebuild(const u8 *image, size_t len, size_t *new_len);

/* @p, which malloc() gave; there is no test without it. */
void *got(void *p);

/* Memory that begins on 8 bytes and ends where @len says, for sanitizers. */
void *exact(const void *data, size_t len);

u64 random_next(u64 *state);

#endif

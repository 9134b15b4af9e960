/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handover to test with: facts and records that a test may alter, and from
 * them a snapshot, and an image that is put together without the library's
 * builder, so that it can be wrong on purpose and so that the builder has
 * something to be compared with.
 */
#ifndef WORLD_H
#define WORLD_H

#include "iho.h"

#define WORLD_MAX	64u
#define WORLD_CONTEXTS	8u
#define WORLD_RECORDS	512u
#define WORLD_INLINE	256u

struct world_rec {
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
		u8 inl[WORLD_INLINE];
		struct iho_range range[WORLD_INLINE / 16];
		struct iho_map_ref map_ref;
		struct iho_bind_ref bind_ref;
		struct iho_hwpt_ref hwpt_ref;
		struct iho_attach_ref attach_ref;
	};
};

struct world {
	u64 generation;
	char release[IHO_RELEASE_LEN];
	struct iho_memory memory[WORLD_MAX];
	struct iho_unit unit[WORLD_MAX];
	struct iho_table table[WORLD_MAX];
	struct iho_domain domain[WORLD_MAX];
	struct iho_device device[WORLD_MAX];
	struct iho_context context[WORLD_CONTEXTS];
	u32 memories, units, tables, domains, devices, contexts;
	struct world_rec rec[WORLD_CONTEXTS][WORLD_RECORDS];
	u32 recs[WORLD_CONTEXTS];

	/* Called while the FDT of an image is put together; may be NULL. */
	void (*in_root)(void *fdt);
	void (*behind_nodes)(void *fdt);
	void (*in_memory)(void *fdt);	/* behind its last property */
};

/* The worked example of formats/handover.fdt.dts: every kind of everything. */
void world_example(struct world *w);

/* One memory, one context, two records: for tests of every byte. */
void world_small(struct world *w);

/* Valid, of any shape; equal seeds give equal worlds. */
void world_random(struct world *w, u64 seed);

/* Add a record that is filled in as the kernel does, but for the IDs. */
struct world_rec *world_add(struct world *w, u32 context, u32 kind);

/* The first record of a kind. */
struct world_rec *world_find(struct world *w, u32 context, u32 kind);

/* Remove one. */
void world_drop(struct world *w, u32 context, struct world_rec *rec);

/* Snapshot; the caller frees it. Sets stream lengths in @w as well. */
u8 *world_snapshot(struct world *w, size_t *len);

/* Image, never checked; the caller frees it. */
u8 *world_image(struct world *w, size_t *len);

/* Point @facts to @w itself; no streams. */
void world_facts(const struct world *w, struct iho_facts *facts);

/* Set the CRCs that can be had from the image as it is, and the digest. */
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

/* Memory that begins on 8 bytes and ends where @len says, for sanitizers. */
void *exact(const void *data, size_t len);

u64 random_next(u64 *state);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handover that test cases begin with and may alter: facts and records, in
 * arrays. Compiled into the unit tests and into KUnit; needs the library only.
 */
#ifndef HANDOVER_WORLD_H
#define HANDOVER_WORLD_H

#include "iho.h"

#define WORLD_COUNT_OF(a)	(sizeof(a) / sizeof((a)[0]))

#define WORLD_RECORDS		20
#define WORLD_SESSION		"kunit"
#define WORLD_OTHER_SESSION	"kunit-other"
#define WORLD_TOKEN		9	/* of the iommufd of either session */

/* A record that can still be altered. Payloads begin with their size. */
struct world_rec {
	u32 kind, payload_len, inline_len;
	union {
		u8 payload[64];
		u32 size;
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
		u8 inl[32];
		struct iho_range range[2];
		struct iho_map_ref map_ref;
		struct iho_bind_ref bind_ref;
		struct iho_hwpt_ref hwpt_ref;
		struct iho_attach_ref attach_ref;
	};
};

/* Indices of the records of world_init(). */
enum world_index {
	WORLD_OPTION,
	WORLD_IOAS1,
	WORLD_IOAS2,
	WORLD_HUGE,		/* of IOAS 2 */
	WORLD_ALLOW,		/* of IOAS 1 */
	WORLD_VFIO,		/* IOAS 1 */
	WORLD_MAP1,		/* IOAS 1, memory 0, group 0 */
	WORLD_MAP2,		/* IOAS 1, memory 1, group 1, read-only */
	WORLD_MAP3,		/* IOAS 2, memory 0, group 0, overlaps MAP1 */
	WORLD_MAP4,		/* IOAS 2, memory 0, group 2 */
	WORLD_BIND1,
	WORLD_BIND2,
	WORLD_HWPT1,		/* IOAS 1, automatic */
	WORLD_HWPT2,		/* IOAS 2 */
	WORLD_ATTACH1,
	WORLD_ATTACH2,
	WORLD_ALL
};

/**
 * struct world - what is handed over
 * @memory: two of the first session, one of the second
 * @unit: one
 * @table: one for each HWPT of the first context
 * @domain: likewise
 * @device: two of the first context, one of the second, room for one more
 * @context: context 0 has @rec; context 1 an IOAS and its device
 * @domains: how many
 * @devices: how many
 * @rec: records of context 0
 * @recs: how many
 * @stream: set by world_build(): all streams, 8-byte aligned
 * @stream_len: bytes
 * @image: set by world_build(), page aligned
 * @image_len: bytes
 */
struct world {
	struct iho_memory memory[3];
	struct iho_unit unit[1];
	struct iho_table table[2];
	struct iho_domain domain[2];
	struct iho_device device[4];
	struct iho_context context[2];
	u32 domains, devices;
	struct world_rec rec[WORLD_RECORDS];
	u32 recs;
	u8 *stream;
	u64 stream_len;
	void *image;
	size_t image_len;
};

/* IDs of world_init(), far apart so that each needs memory of its own. */
#define WORLD_IOAS1_ID		1
#define WORLD_IOAS2_ID		70
#define WORLD_DEV1_ID		4500
#define WORLD_HWPT1_ID		5000
#define WORLD_DEV2_ID		300000
#define WORLD_HWPT2_ID		400000

#define WORLD_DEVICES		3

#define WORLD_MEMORY0_LEN	0x20000
#define WORLD_MEMORY1_LEN	0x10000

/* A valid world with every kind of record. */
void world_init(struct world *w);

/* Remove a record, or repeat it. */
void world_drop(struct world *w, u32 index);
void world_twice(struct world *w, u32 index);

/* Point @facts to the world. */
void world_facts(struct world *w, struct iho_facts *facts);

#endif

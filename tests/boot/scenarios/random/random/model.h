/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the program has said to every iommufd and what came of it, as plain
 * numbers that lie in preserved memory. It is kept by the rules of the public
 * uAPI alone and never read from a handover image.
 */
#ifndef MODEL_H
#define MODEL_H

#include "guest.h"

#define BOOK_MAGIC	0x72616e646f6d3031ULL
#define BOOK_LEN	0x800000ULL

#define SES_MAX		4
#define MEM_MAX		8
#define CTX_MAX		6
#define DEV_MAX		5
#define IOAS_MAX	10
#define HWPT_MAX	12
#define AREA_MAX	6000
#define ALLOW_MAX	4
#define RESV_MAX	4
#define NONE		0xffffffffU

/**
 * struct m_ses - a live update session
 * @name: its name; empty when this slot is not used
 */
struct m_ses {
	char name[64];
};

/**
 * struct m_mem - a memory file
 * @len: bytes, not always whole pages
 * @ses: its session
 */
struct m_mem {
	uint64_t len;
	uint64_t token;
	uint32_t ses;
	uint32_t used;
};

/**
 * struct m_area - one area of an IOAS
 * @off: first byte in the file
 * @group: maps that came out of one map call share it
 * @prot: IOVA_RW or part of it
 * @writable: whether the map call at the root of the group had write
 * @user: mapped by address, and not handed over since
 */
struct m_area {
	uint64_t iova;
	uint64_t len;
	uint64_t off;
	uint32_t ioas;
	uint32_t group;
	uint16_t mem;
	uint8_t prot;
	uint8_t writable;
	uint8_t user;
	uint8_t pad[7];
};

/**
 * struct m_ioas - one IOAS
 * @id: 0 for a free slot
 * @pick: where one page would have gone at the handover, 0 when nowhere
 */
struct m_ioas {
	uint32_t id;
	uint32_t huge;
	uint32_t allow_nr;
	uint32_t pad;
	struct iommu_iova_range allow[ALLOW_MAX];
	uint64_t pick;
};

/**
 * struct m_hwpt - one HWPT
 * @id: 0 for a free slot
 * @ioas: ID of its IOAS
 * @maker: serial of the device it was made with
 * @wait: after a handover: bit of each device that brings it back
 * @live: it is there; false only after a handover
 */
struct m_hwpt {
	uint32_t id;
	uint32_t ioas;
	uint32_t flags;
	uint32_t automatic;
	uint32_t maker;
	uint32_t wait;
	uint32_t live;
	uint32_t pad;
};

/**
 * struct m_dev - one device
 * @bdf: its address
 * @id: object ID, 0 when it is in no context
 * @ctx: its context
 * @hwpt: ID of the HWPT it is attached to, or 0
 * @serial: number of its bind
 * @live: bound in this kernel
 */
struct m_dev {
	char bdf[PCI_BDF_LEN];
	uint32_t id;
	uint32_t ctx;
	uint32_t hwpt;
	uint32_t serial;
	uint32_t live;
	uint32_t igb;
};

struct m_ctx {
	uint64_t token;
	uint32_t used;
	uint32_t ses;
	uint32_t rlimit;
	uint32_t vfio;
	uint32_t groups;
	uint32_t area_nr;
	struct m_ioas ioas[IOAS_MAX];
	struct m_hwpt hwpt[HWPT_MAX];
	struct m_area area[AREA_MAX];
};

/**
 * struct book - all of it
 * @aperture: last IOVA that an HWPT can map
 * @resv: IOVAs that an attached device reserves, ascending
 * @flags_ok: bit N set: HWPT_ALLOC takes flag N
 * @pinned, @locked: VmPin and VmLck in KiB when it was handed over
 * @charged: pages of the user's charge
 */
struct book {
	uint64_t magic;
	uint64_t size;
	uint64_t seed;
	uint64_t key;
	struct rng rng;
	uint64_t aperture;
	struct iommu_iova_range resv[RESV_MAX];
	uint32_t resv_nr;
	uint32_t flags_ok;
	uint32_t kexecs;
	uint32_t serial;
	uint32_t charge;
	uint64_t pinned;
	uint64_t locked;
	uint64_t calls;
	uint64_t refused;
	uint64_t compared;
	uint64_t controls;
	uint64_t dma;
	struct m_ses ses[SES_MAX];
	struct m_mem mem[MEM_MAX];
	struct m_dev dev[DEV_MAX];
	struct m_ctx ctx[CTX_MAX];
};

_Static_assert(sizeof(struct book) <= BOOK_LEN, "the book has grown");

#endif /* MODEL_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An iommufd together with a record of what it should hold.
 *
 * The ctx_ functions make the calls that change a context and note their
 * effect in a struct want, which has no pointers and lies in memory that
 * crosses the kexec. In the next kernel ctx_verify() asks the kernel about
 * everything noted there. The record is the test's own: it is made from what
 * each call was given and returned, never from the handover image.
 *
 * All of them exit with 1 when a call fails that has to succeed. IOAS and HWPT
 * are named by their IDs, devices and memory files by their index in the
 * context.
 */
#ifndef CTX_H
#define CTX_H

#include "guest.h"

#define WANT_IOAS_MAX	8
#define WANT_MAP_MAX	48
#define WANT_HWPT_MAX	8
#define WANT_DEV_MAX	4
#define WANT_RANGE_MAX	16
#define WANT_ALLOW_MAX	4
#define CTX_MEM_MAX	4
#define CTX_SCRATCH_MAX	4

/**
 * struct want_map - one area of an IOAS
 * @iova: first IOVA
 * @length: bytes
 * @offset: first byte of the file
 * @mem: index of the memory file
 * @flags: IOVA_RW or IOVA_RO
 */
struct want_map {
	uint64_t iova;
	uint64_t length;
	uint64_t offset;
	uint32_t mem;
	uint32_t flags;
};

/**
 * struct want_ranges - answer of IOAS_IOVA_RANGES
 * @align: smallest alignment, bytes
 * @nr: entries of @range
 * @range: usable ranges
 */
struct want_ranges {
	uint64_t align;
	uint32_t nr;
	uint32_t __pad;
	struct iommu_iova_range range[WANT_RANGE_MAX];
};

/**
 * struct want_ioas - one IOAS
 * @id: object ID
 * @map_nr: entries of @map
 * @allow_nr: entries of @allow, 0 when any IOVA is allowed
 * @huge_pages: the option's value
 * @allow: allowed ranges
 * @bare: usable ranges while no device is attached
 * @bound: usable ranges at the handover
 * @pick: where the kernel would have put one page at the handover
 * @map: areas, ascending and disjoint
 */
struct want_ioas {
	uint32_t id;
	uint32_t map_nr;
	uint32_t allow_nr;
	uint32_t huge_pages;
	struct iommu_iova_range allow[WANT_ALLOW_MAX];
	struct want_ranges bare;
	struct want_ranges bound;
	uint64_t pick;
	struct want_map map[WANT_MAP_MAX];
};

/**
 * struct want_hwpt - one hardware page table
 * @id: object ID
 * @ioas: ID of its IOAS
 * @automatic: made by an attach to the IOAS
 */
struct want_hwpt {
	uint32_t id;
	uint32_t ioas;
	uint32_t automatic;
};

/**
 * struct want_dev - one bound device
 * @bdf: its PCI address
 * @id: object ID
 * @hwpt: ID of the HWPT it is attached to, 0 when it is not attached
 */
struct want_dev {
	char bdf[PCI_BDF_LEN];
	uint32_t id;
	uint32_t hwpt;
};

struct want {
	uint32_t ioas_nr;
	uint32_t hwpt_nr;
	uint32_t dev_nr;
	uint32_t rlimit_mode;
	struct want_ioas ioas[WANT_IOAS_MAX];
	struct want_hwpt hwpt[WANT_HWPT_MAX];
	struct want_dev dev[WANT_DEV_MAX];
};

/**
 * struct ctx_scratch - part of a memory file that devices and their user write
 * @mem: index of the memory file
 * @offset: first byte
 * @length: bytes
 */
struct ctx_scratch {
	uint32_t mem;
	uint64_t offset;
	uint64_t length;
};

/**
 * struct ctx - an open iommufd
 * @name: for messages
 * @fd: the iommufd
 * @want: what it should hold, the caller's
 * @mem: its memory files
 * @mem_nr: how many
 * @scratch: where stamps (dma.h) do not last
 * @scratch_nr: how many
 * @dev: vfio device of each of @want's devices, -1 when not open
 * @differs: differences found by the last ctx_verify()
 * @map_differs: those of them in an IOAS: maps, ranges and options
 * @quiet: do not print them
 */
struct ctx {
	const char *name;
	int fd;
	struct want *want;
	const struct memory *mem[CTX_MEM_MAX];
	uint32_t mem_nr;
	struct ctx_scratch scratch[CTX_SCRATCH_MAX];
	uint32_t scratch_nr;
	int dev[WANT_DEV_MAX];
	unsigned int differs;
	unsigned int map_differs;
	bool quiet;
};

/** ctx_open() - a new iommufd; clears @want */
void ctx_open(struct ctx *ctx, const char *name, struct want *want);

/** ctx_adopt() - the iommufd @fd that came out of a session */
void ctx_adopt(struct ctx *ctx, const char *name, struct want *want, int fd);

/** ctx_memory() - make a memory file known, in the same order every time */
uint32_t ctx_memory(struct ctx *ctx, const struct memory *mem);

/** ctx_scratch() - except part of a memory file from dma_check() */
void ctx_scratch(struct ctx *ctx, uint32_t mem, uint64_t offset,
		 uint64_t length);

void ctx_rlimit_mode(struct ctx *ctx, uint32_t mode);
uint32_t ctx_ioas(struct ctx *ctx);
void ctx_huge_pages(struct ctx *ctx, uint32_t ioas, uint32_t on);
void ctx_allow(struct ctx *ctx, uint32_t ioas,
	       const struct iommu_iova_range *ranges, uint32_t nr);
void ctx_map(struct ctx *ctx, uint32_t ioas, uint32_t mem, uint64_t offset,
	     uint64_t length, uint64_t iova, uint32_t flags);
/** ctx_map_any() - let the kernel choose. Return: the IOVA */
uint64_t ctx_map_any(struct ctx *ctx, uint32_t ioas, uint32_t mem,
		     uint64_t offset, uint64_t length, uint32_t flags);
/** ctx_copy() - copy exactly one area */
void ctx_copy(struct ctx *ctx, uint32_t dst, uint64_t dst_iova, uint32_t src,
	      uint64_t src_iova, uint32_t flags);
/** ctx_unmap() - unmap exactly one area */
void ctx_unmap(struct ctx *ctx, uint32_t ioas, uint64_t iova);
void ctx_destroy(struct ctx *ctx, uint32_t id);

/** ctx_bind() - claim, open and bind a new device. Return: its index */
uint32_t ctx_bind(struct ctx *ctx, const char *bdf);
uint32_t ctx_hwpt(struct ctx *ctx, uint32_t dev, uint32_t ioas);
/** ctx_attach() - attach or move a device. Return: the HWPT */
uint32_t ctx_attach(struct ctx *ctx, uint32_t dev, uint32_t pt_id);
void ctx_detach(struct ctx *ctx, uint32_t dev);

/** ctx_settle() - note what only the finished state tells; call it last */
void ctx_settle(struct ctx *ctx);

/**
 * ctx_rebind() - bind device @dev again in the next kernel
 *
 * Return: whether it got its old ID; a line says so when it did not.
 */
bool ctx_rebind(struct ctx *ctx, uint32_t dev);

/**
 * ctx_rebind_refused() - try to bind device @dev again, which must not succeed
 *
 * Return: the errno, positive. Exits with 1 when the device was bound.
 */
int ctx_rebind_refused(struct ctx *ctx, uint32_t dev);

/**
 * ctx_verify() - ask the kernel about everything noted
 * @bound: all devices are bound; otherwise none is
 *
 * Asks only questions whose expected answer leaves everything as it is: a map
 * over an area (EEXIST), an unmap of less than an area (ENOENT), the
 * destruction of something in use (EBUSY) or only reserved (ENOENT), an attach
 * to where the device is. Free IDs are found by allocating them. An explicit
 * HWPT without a device is tried on for a moment, so no device may be doing
 * DMA when @bound is set.
 *
 * Return: the number of differences, each printed on a line. After the first
 * difference in an IOAS the rest of it is not asked.
 */
unsigned int ctx_verify(struct ctx *ctx, bool bound);

/**
 * ctx_control() - show that ctx_verify() would notice
 * @rng: chooses what is altered
 *
 * Alters the record or the context in one way after another, demands that
 * ctx_verify() sees each, and puts it back. Exits with 1 if one goes unseen.
 *
 * Return: how many alterations were tried.
 */
unsigned int ctx_control(struct ctx *ctx, bool bound, struct rng *rng);

/** ctx_areas() - number of areas in all IOASes */
unsigned int ctx_areas(const struct ctx *ctx);

struct want_ioas *ctx_find_ioas(const struct ctx *ctx, uint32_t id);
struct want_hwpt *ctx_find_hwpt(const struct ctx *ctx, uint32_t id);

#endif /* CTX_H */

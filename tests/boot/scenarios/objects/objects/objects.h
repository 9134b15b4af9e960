/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two sessions with what is in them, and what is done to it. See objects.c.
 *
 * The functions exit with 1 when a call fails that has to succeed.
 */
#ifndef OBJECTS_H
#define OBJECTS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dma.h"

#define LL(x)		((unsigned long long)(x))

#define BUNDLES		2
#define MEMS		2
#define CTXS		2
#define TOKEN_MEMORY	0x100
#define TOKEN_IOMMUFD	0x200

#define STATE_MAGIC	0x6f626a656374736fULL
#define STATE_LEN	0x40000ULL

/* Rings and buffers lie after the state, a set for each controller. */
#define NICS		4
#define RING_LEN	0x2000ULL
#define RING_OFF(nic)	(STATE_LEN + (nic) * RING_LEN)
#define RING_IOVA(nic)	(0x200001000ULL + (nic) * 0x100000ULL)
#define SLOTS_NR	64
#define SLOTS_LEN	(SLOTS_NR * (uint64_t)DMA_SLOT_STRIDE)
#define SLOTS_OFF(nic)	(STATE_LEN + NICS * RING_LEN + (nic) * SLOTS_LEN)
#define SLOTS_IOVA(nic)	(0x20007f000ULL + (nic) * 0x100000ULL)
#define DATA_OFF	(STATE_LEN + NICS * (RING_LEN + SLOTS_LEN))

/* A map and two copies of it, all after what else is mapped. */
#define GROUP_NR	3
#define GROUP_PAGES	7
#define GROUP_LEN	(GROUP_PAGES * GUEST_PAGE)
#define GROUP_OFF	0x3000ULL
#define GROUP_IOVA(i)	(0x700000000ULL + (i) * 0x10000000ULL)

/* Maps by user address, in context a. */
#define USER_IOVA(i)	(0x800000000ULL + (i) * 0x10000000ULL)

/**
 * struct state - what a session's memory remembers
 * @magic: STATE_MAGIC
 * @size: sizeof(struct state)
 * @kexecs: how many it has been through
 * @key: of the stamps
 * @rng: the generator
 * @digest: of each memory file but for the state
 * @vfio_ioas: of each context, ID or 0
 * @pinned, @locked: VmPin and VmLck in KiB, in the first session's
 * @want: what each context should hold
 */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint64_t key;
	struct rng rng;
	uint64_t digest[MEMS];
	uint32_t vfio_ioas[CTXS];
	uint64_t pinned;
	uint64_t locked;
	struct want want[CTXS];
};

_Static_assert(sizeof(struct state) <= STATE_LEN, "the state has grown");
_Static_assert(NIC_RING_LEN(SLOTS_NR) <= RING_LEN, "the ring has grown");

/**
 * struct bundle - one session and what is in it
 * @name: the session's name
 * @ctx_name: names of its contexts, for messages
 * @session: its descriptor
 * @state: at the start of @mem[0]
 */
struct bundle {
	const char *name;
	const char *ctx_name[CTXS];
	int session;
	struct state *state;
	struct memory mem[MEMS];
	struct ctx ctx[CTXS];
};

extern struct bundle bundles[BUNDLES];

/*
 * Maps and options (maps.c)
 */

/** pages() - a random number of pages, in bytes; @from and @to are pages */
uint64_t pages(struct rng *rng, unsigned int from, unsigned int to);

/** add_map() - map some pages of either file. Return: the IOVA after it */
uint64_t add_map(struct bundle *b, struct ctx *ctx, uint32_t ioas,
		 uint64_t iova);

/** add_maps() - the same @nr times, a third touch the one before them */
uint64_t add_maps(struct bundle *b, struct ctx *ctx, uint32_t ioas,
		  uint64_t iova, unsigned int nr);

/**
 * add_user_map() - map by the address at which we have the file
 *
 * It comes back as a map of the file, and so our record has it. Its IOAS has
 * an HWPT, as it must.
 */
void add_user_map(struct bundle *b, struct ctx *ctx, uint32_t ioas,
		  uint64_t iova);

/** any_map() - the IOVA of an area that is not a controller's and in no group */
uint64_t any_map(struct bundle *b, struct ctx *ctx, uint32_t ioas);

/** map_nic() - map ring and buffers of one controller */
void map_nic(struct ctx *ctx, uint32_t ioas, unsigned int nic);

/** map_top() - map the last usable page; a device is attached to @ioas */
void map_top(struct ctx *ctx, uint32_t ioas);

/** set_vfio_ioas() - set it, or clear it when @id is 0 */
void set_vfio_ioas(struct bundle *b, struct ctx *ctx, uint32_t id);

/** destroy_ioas() - destroy an IOAS; it may be the VFIO_IOAS, which goes too */
void destroy_ioas(struct bundle *b, struct ctx *ctx, uint32_t id);

/**
 * check_vfio_ioas() - is VFIO_IOAS what it was?
 *
 * Another than it is, and none or one, have to be seen. Return: how many such
 * controls were tried.
 */
unsigned int check_vfio_ioas(const struct bundle *b, const struct ctx *ctx);

/*
 * What is charged (charge.c)
 */

/** pinned_kib() - all that we have pinned */
uint64_t pinned_kib(void);

/** locked_kib() - what of it is charged to the process */
uint64_t locked_kib(void);

/** be_charged() - who has CAP_IPC_LOCK is charged nothing, so drop it */
void be_charged(void);

/** make_group() - a map and two copies of it in context @at of @b */
void make_group(struct bundle *b, unsigned int at);

/** try_charges() - Return: how many maps were charged that are no copies */
unsigned int try_charges(void);

/*
 * The contexts (build.c)
 */

/** nic_address() - of nic0 to nic3 */
void nic_address(unsigned int nic, char bdf[PCI_BDF_LEN]);

/** know_memory() - tell a context of the memory files of @b */
void know_memory(struct bundle *b, struct ctx *ctx);

/** build() - both sessions' memory and contexts, from a seed */
void build(void);

/** change() - change all contexts; @step is the kexec's number */
void change(unsigned int step);

/*
 * The controllers (run.c)
 */

/**
 * run_devices() - run every attached controller
 * @differs: out, pages that one reads otherwise than they were stamped
 *
 * Return: the number of frames.
 */
uint64_t run_devices(unsigned int *differs);

#endif /* OBJECTS_H */

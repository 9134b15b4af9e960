/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM of the demo: one memory file, one iommufd, one 82576. What it has to
 * remember lies at the start of the memory file itself.
 *
 * The functions exit with 1 when a call fails.
 */
#ifndef DEMO_H
#define DEMO_H

#include "dma.h"

#define DEMO_SESSION		"demo"
#define DEMO_MEMORY_LEN		(8ULL << 20)
#define DEMO_STATE_MAGIC	0x6f6d65642d6f6869ULL
#define DEMO_STATE_LEN		0x20000ULL

/* Areas of the memory file and where the device finds them. */
#define RING_OFF	0x23000ULL
#define RING_LEN	0x2000ULL
#define RING_IOVA	0x10003000ULL
#define SLOTS_OFF	0x27000ULL
#define SLOTS_IOVA	0x7ffd3000ULL	/* crosses a 2 MiB line */
#define SLOTS_NR	256
#define SLOTS_LEN	(SLOTS_NR * (uint64_t)DMA_SLOT_STRIDE)
#define DATA_OFF	0x100000ULL
#define DATA_LEN	0x200000ULL
#define DATA_IOVA	0x40000000ULL	/* 2 MiB aligned, as its offset is not */
#define ODD_OFF		0x301000ULL
#define ODD_LEN		0x155000ULL
#define ODD_IOVA	0x100007000ULL
#define RO_OFF		0x500000ULL
#define RO_LEN		0x2f000ULL
#define RO_IOVA		0x2fff11000ULL
#define ALIAS_OFF	(DATA_OFF + 0x3000ULL)
#define ALIAS_LEN	0x11000ULL
#define ALIAS_IOVA	0x5000000ULL
#define COPY_IOVA	0x180009000ULL

/**
 * struct demo_state - what the VMM remembers
 * @magic: DEMO_STATE_MAGIC
 * @size: sizeof(struct demo_state)
 * @kexecs: how many it has been through
 * @key: of the stamped pages
 * @frames: received in all
 * @digest: of the memory file behind the state
 * @want: what the iommufd should hold
 */
struct demo_state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint64_t key;
	uint64_t frames;
	uint64_t digest;
	struct want want;
};

/**
 * struct demo - the whole program
 * @mem: the memory file
 * @state: its start
 * @ctx: the iommufd
 * @session: the session it came back in
 * @rng: for the controls
 */
struct demo {
	struct memory mem;
	struct demo_state *state;
	struct ctx ctx;
	int session;
	struct rng rng;
};

/**
 * demo_take_back() - get memory and iommufd out of the session
 * @nr: number of the kexec; the memory has to be of the one before, unchanged
 *
 * The device is still to be bound and the session to be finished.
 */
void demo_take_back(struct demo *demo, unsigned int nr);

/**
 * demo_run_device() - run the device, always on the same IOVAs
 * @differs: out, pages that the device reads otherwise than they were stamped
 *
 * Takes frames, polled and by interrupt, then reads every page through the
 * device, and stops it. Return: the number of frames.
 */
uint64_t demo_run_device(struct demo *demo, unsigned int *differs);

/**
 * demo_hand_over() - give memory and iommufd to a new session
 *
 * Then holds everything until the end.
 */
void demo_hand_over(struct demo *demo) __attribute__((noreturn));

/**
 * demo_alter_leaf() - make a leaf of the inherited page table point elsewhere
 * @iova: in a map of the demo
 *
 * Doing it twice puts the leaf back.
 */
void demo_alter_leaf(uint64_t iova);

#endif /* DEMO_H */

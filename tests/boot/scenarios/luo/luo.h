/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One session for each case, made before a kexec and spoilt after it. A part
 * is a session with one memory file, one iommufd and its devices. What the
 * iommufds should hold lies in a memory file of its own, in the session
 * "luo-state", which is taken back first.
 */
#ifndef LUO_H
#define LUO_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"
#include "edu.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define MEMORY_LEN	0x40000ULL
#define MEMORY_IOVA	0x40000000ULL	/* all of it, read-write */
#define COPY_IOVA	0x100001000ULL	/* all of it, read-only */
#define RO_IOVA		0x7000000ULL
#define RO_OFF		0x3000ULL
#define RO_LEN		0x5000ULL

#define FAULTS		14
#define IMPLIEDS	40
#define BINDS		13

enum part_index {
	PART_ORDER,				/* and three more */
	PART_ONLY = PART_ORDER + 4,
	PART_CAPS,
	PART_PENDING,
	PART_DIED,
	PART_SHARED,
	PART_EFAULT,
	PART_LIMIT,
	PART_NEVER,
	PART_WAITS,
	PART_LEFT,
	PART_CLOSED,
	PART_KILLED,
	PART_FAULT,
	PART_IMPLIED = PART_FAULT + FAULTS,
	PART_BIND = PART_IMPLIED + IMPLIEDS,
	PARTS = PART_BIND + BINDS,
};

/* Devices by number; the spare one is in no part. */
enum {
	EDU_ORDER,				/* for two of the four */
	EDU_ONLY = EDU_ORDER + 2,
	EDU_PENDING,
	EDU_DIED = EDU_PENDING + 2,
	EDU_SHARED = EDU_DIED + 2,
	EDU_EFAULT = EDU_SHARED + 2,
	EDU_LIMIT,
	EDU_NEVER,
	EDU_WAITS,
	EDU_CLOSED,
	EDU_KILLED,
	EDU_SPARE,
	/* Without an interrupt, whose lookup in ACPI is full of allocations. */
	FIRST_PLAIN,
};

#define PLAIN_VENDOR	0x1b36
#define PLAIN_DEVICE	0x0005

/**
 * struct sweep - the allocations of a call, failed one after the other
 * @nth: the one to fail next, from 1
 * @failed: calls that failed for it, since the first
 * @rounds: how often all have been failed, to begin with the first again
 *
 * A sweep goes on from kexec to kexec.
 */
struct sweep {
	uint32_t nth;
	uint32_t failed;
	uint32_t rounds;
};

enum {
	SWEEP_FAULT,
	SWEEP_IMPLIED,
	SWEEP_BIND,
	SWEEPS,
};

/**
 * struct state - what crosses the kexec
 * @magic: STATE_MAGIC
 * @size: sizeof(struct state)
 * @kexec: the one it is for
 * @sweep: allocations that fail
 * @want: of each part
 */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexec;
	struct sweep sweep[SWEEPS];
	struct want want[PARTS];
};

#define STATE_MAGIC	0x6f756c2d6f6869ULL
#define STATE_SESSION	"luo-state"
#define STATE_LEN	(PARTS * 0x8000ULL)

_Static_assert(sizeof(struct state) <= STATE_LEN, "the state has grown");

/**
 * struct part - one session and what is in it
 * @name: the session's
 * @context_first: preserve the iommufd before the memory file
 * @mem: the memory file
 * @ctx: the iommufd
 * @session: the session's descriptor, -1 when closed
 */
struct part {
	char name[32];
	bool context_first;
	struct memory mem;
	struct ctx ctx;
	int session;
};

static struct part parts[PARTS];
static struct memory state_mem;
static struct state *state;

static inline void name_parts(void)
{
	static const char *const names[PARTS] = {
		[PART_ONLY] = "luo-only",
		[PART_CAPS] = "luo-caps",
		[PART_PENDING] = "luo-pending",
		[PART_DIED] = "luo-died",
		[PART_SHARED] = "luo-shared",
		[PART_EFAULT] = "luo-efault",
		[PART_LIMIT] = "luo-limit",
		[PART_NEVER] = "luo-never",
		[PART_WAITS] = "luo-waits",
		[PART_LEFT] = "luo-left",
		[PART_CLOSED] = "luo-closed",
		[PART_KILLED] = "luo-killed",
	};
	unsigned int i;

	for (i = 0; i < PARTS; i++) {
		struct part *p = &parts[i];

		p->session = -1;
		if (i < PART_ORDER + 4)
			snprintf(p->name, sizeof(p->name), "luo-order-%u", i);
		else if (i < PART_FAULT)
			snprintf(p->name, sizeof(p->name), "%s", names[i]);
		else if (i < PART_IMPLIED)
			snprintf(p->name, sizeof(p->name), "luo-fault-%u",
				 i - PART_FAULT);
		else if (i < PART_BIND)
			snprintf(p->name, sizeof(p->name), "luo-implied-%u",
				 i - PART_IMPLIED);
		else
			snprintf(p->name, sizeof(p->name), "luo-bind-%u",
				 i - PART_BIND);
		p->context_first = i & 1;
	}
}

/* Every word of a part's memory tells the part, the kexec and its place. */
static inline uint64_t word_at(unsigned int part, size_t i)
{
	return (uint64_t)state->kexec << 48 | (uint64_t)part << 32 | i;
}

static inline void fill(unsigned int part, const struct memory *mem)
{
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = word_at(part, i);
}

static inline void check_filled(unsigned int part, const void *va,
				uint64_t offset, uint64_t len)
{
	size_t first = offset / sizeof(uint64_t), i;
	const uint64_t *word = va;

	for (i = 0; i < len / sizeof(*word); i++)
		check(word[i] == word_at(part, first + i),
		      "%s: word %zu is 0x%llx", parts[part].name, first + i,
		      (unsigned long long)word[i]);
}

static inline void find_device(unsigned int nr, char bdf[PCI_BDF_LEN])
{
	if (nr < FIRST_PLAIN)
		must(pci_find(EDU_VENDOR, EDU_DEVICE, nr, bdf));
	else
		must(pci_find(PLAIN_VENDOR, PLAIN_DEVICE, nr - FIRST_PLAIN,
			      bdf));
}

/*
 * A part with @devs devices from number @first on, of which the first two are
 * attached to its second IOAS: both automatically, or with @explicit each to
 * an HWPT of its own.
 */
static inline void build(unsigned int index, unsigned int first,
			 unsigned int devs, bool explicit)
{
	struct part *p = &parts[index];
	struct ctx *ctx = &p->ctx;
	uint32_t one, two, spare, dev;
	char bdf[PCI_BDF_LEN];
	unsigned int i;

	must(memory_create(&p->mem, p->name, MEMORY_LEN));
	fill(index, &p->mem);
	ctx_open(ctx, p->name, &state->want[index]);
	ctx_memory(ctx, &p->mem);
	if (index == PART_CAPS)
		ctx_rlimit_mode(ctx, 1);
	spare = ctx_ioas(ctx);
	one = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_map(ctx, one, 0, RO_OFF, RO_LEN, RO_IOVA, IOVA_RO);
	ctx_map(ctx, two, 0, 0, MEMORY_LEN, MEMORY_IOVA, IOVA_RW);
	ctx_copy(ctx, two, COPY_IOVA, two, MEMORY_IOVA, IOVA_RO);
	for (i = 0; i < devs; i++) {
		find_device(first + i, bdf);
		dev = ctx_bind(ctx, bdf);
		ctx_attach(ctx, dev, explicit ? ctx_hwpt(ctx, dev, two) : two);
	}
	ctx_destroy(ctx, spare);
	ctx_settle(ctx);
	check(!ctx_verify(ctx, true), "%s is wrong from the start", p->name);
}

static inline void preserve(struct part *p)
{
	p->session = must(luo_create(p->name));
	if (p->context_first)
		must(luo_preserve(p->session, p->ctx.fd, TOKEN_IOMMUFD));
	must(luo_preserve(p->session, p->mem.fd, TOKEN_MEMORY));
	if (!p->context_first)
		must(luo_preserve(p->session, p->ctx.fd, TOKEN_IOMMUFD));
}

/* Make the parts anew for kexec @nr, all but one, hand them over and stay. */
static inline void hand_over(unsigned int nr) __attribute__((noreturn));

static inline void hand_over(unsigned int nr)
{
	unsigned int i;
	int session;

	state->kexec = nr;
	name_parts();
	for (i = 0; i < 4; i++)
		build(PART_ORDER + i, EDU_ORDER + i / 2, i % 2, i / 2);
	build(PART_ONLY, EDU_ONLY, 1, false);
	build(PART_CAPS, 0, 0, false);
	build(PART_PENDING, EDU_PENDING, 2, true);
	build(PART_DIED, EDU_DIED, 2, true);
	build(PART_SHARED, EDU_SHARED, 2, false);
	build(PART_EFAULT, EDU_EFAULT, 1, false);
	build(PART_LIMIT, EDU_LIMIT, 1, false);
	build(PART_NEVER, EDU_NEVER, 1, true);
	build(PART_WAITS, EDU_WAITS, 1, true);
	build(PART_LEFT, 0, 0, false);
	/* Once finished by a close, an iommufd goes on and on. */
	if (parts[PART_CLOSED].ctx.want)
		fill(PART_CLOSED, &parts[PART_CLOSED].mem);
	else
		build(PART_CLOSED, EDU_CLOSED, 1, true);
	build(PART_KILLED, EDU_KILLED, 1, false);
	for (i = 0; i < FAULTS; i++)
		build(PART_FAULT + i, 0, 0, false);
	for (i = 0; i < IMPLIEDS; i++)
		build(PART_IMPLIED + i, 0, 0, false);
	for (i = 0; i < BINDS; i++)
		build(PART_BIND + i, FIRST_PLAIN + i, 1, i & 1);
	for (i = 0; i < PARTS; i++)
		preserve(&parts[i]);
	session = must(luo_create(STATE_SESSION));
	must(luo_preserve(session, state_mem.fd, TOKEN_MEMORY));
	background_ready();
}

#endif /* LUO_H */

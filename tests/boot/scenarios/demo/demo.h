/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM of the demo: one memory file, one iommufd, one 82576. What it has to
 * remember lies at the start of the memory file itself.
 */
#ifndef DEMO_H
#define DEMO_H

#include "dma.h"

#define SESSION		"demo"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define MEMORY_LEN	(8ULL << 20)
#define STATE_MAGIC	0x6f6d65642d6f6869ULL
#define STATE_LEN	0x20000ULL

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

#define FRAMES_WANTED	150
#define FRAMES_WAIT_MS	60000

/**
 * struct state - what the VMM remembers
 * @magic: STATE_MAGIC
 * @size: sizeof(struct state)
 * @kexecs: how many it has been through
 * @key: of the stamped pages
 * @frames: received in all
 * @digest: of the memory file behind the state
 * @want: what the iommufd should hold
 */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint64_t key;
	uint64_t frames;
	uint64_t digest;
	struct want want;
};

_Static_assert(sizeof(struct state) <= STATE_LEN, "the state has grown");
_Static_assert(NIC_RING_LEN(SLOTS_NR) <= RING_LEN, "the ring has grown");

/**
 * struct vmm - the whole program
 * @mem: the memory file
 * @state: its start
 * @ctx: the iommufd
 * @session: the session it came back in
 * @rng: for the controls
 */
struct vmm {
	struct memory mem;
	struct state *state;
	struct ctx ctx;
	int session;
	struct rng rng;
};

static inline uint64_t digest_memory(const struct memory *mem)
{
	return digest64((char *)mem->va + STATE_LEN, mem->len - STATE_LEN);
}

/*
 * Get memory and iommufd out of the session after kexec @nr. The device is
 * still to be bound.
 */
static inline void take_back(struct vmm *vmm, unsigned int nr)
{
	struct state *state;

	vmm->session = must(luo_retrieve(SESSION));
	must(memory_adopt(&vmm->mem,
			  must(luo_restore(vmm->session, TOKEN_MEMORY))));
	state = vmm->state = vmm->mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state),
	      "this is not the demo's memory");
	check(state->kexecs == nr - 1, "the memory is of kexec %u",
	      state->kexecs);
	check(digest_memory(&vmm->mem) == state->digest,
	      "the memory has changed since the old kernel");
	state->kexecs = nr;
	vmm->rng.state = state->key ^ nr;

	ctx_adopt(&vmm->ctx, SESSION, &state->want,
		  must(luo_restore(vmm->session, TOKEN_IOMMUFD)));
	ctx_memory(&vmm->ctx, &vmm->mem);
	ctx_scratch(&vmm->ctx, 0, RING_OFF, RING_LEN);
}

/*
 * Run the device, always on the same IOVAs: take frames, polled and by
 * interrupt, then read every page through it. Returns the number of frames.
 */
static inline uint64_t run_device(struct vmm *vmm, unsigned int *differs)
{
	static struct nic_slot slots[SLOTS_NR];
	struct state *state = vmm->state;
	struct ctx *ctx = &vmm->ctx;
	uint32_t ioas = ctx_find_hwpt(ctx, state->want.dev[0].hwpt)->ioas;
	unsigned int pages;
	struct nic nic;

	dma_slots(ctx, ioas, SLOTS_IOVA, slots, SLOTS_NR);
	must(nic_start(&nic, ctx->dev[0],
		       dma_va(ctx, ioas, RING_IOVA, RING_LEN), RING_IOVA,
		       slots, SLOTS_NR));
	if (state->kexecs)
		report("back", "1");
	must(nic_receive(&nic, FRAMES_WANTED, FRAMES_WAIT_MS));
	must(nic_interrupts(&nic, 10, FRAMES_WAIT_MS));

	*differs = dma_check(ctx, &nic, 0, state->key, 1, &pages);
	/* Some of the pages are in two areas. */
	check(pages == (SLOTS_LEN + DATA_LEN + 2 * ODD_LEN + RO_LEN +
			ALIAS_LEN) / GUEST_PAGE,
	      "only %u pages were read through the device", pages);
	dma_control(ctx, &nic, 0, state->key);
	must(nic_silence(&nic, 100));
	must(nic_stop(&nic));

	state->frames += nic.frames;
	say("%llu frames, numbers %llu to %llu, %llu missing, %llu late",
	    (unsigned long long)nic.frames, (unsigned long long)nic.first,
	    (unsigned long long)nic.last, (unsigned long long)nic.gaps,
	    (unsigned long long)nic.stale);
	say("%u pages read through the device, %u differ", pages, *differs);
	report("pages_read", "%u", pages);
	return nic.frames;
}

/* Give memory and iommufd to a new session and hold everything until the end. */
static inline void hand_over(struct vmm *vmm) __attribute__((noreturn));

static inline void hand_over(struct vmm *vmm)
{
	int session = must(luo_create(SESSION));

	vmm->state->digest = digest_memory(&vmm->mem);
	must(luo_preserve(session, vmm->mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, vmm->ctx.fd, TOKEN_IOMMUFD));
	background_ready();
}

#endif /* DEMO_H */

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define ALTER_LEAF	"/sys/kernel/debug/iommu_handover/alter_leaf"

#define FRAMES_WANTED	150
#define FRAMES_WAIT_MS	60000

_Static_assert(sizeof(struct demo_state) <= DEMO_STATE_LEN,
	       "the state has grown");
_Static_assert(NIC_RING_LEN(SLOTS_NR) <= RING_LEN, "the ring has grown");

static uint64_t digest_memory(const struct memory *mem)
{
	return digest64((char *)mem->va + DEMO_STATE_LEN,
			mem->len - DEMO_STATE_LEN);
}

void demo_take_back(struct demo *demo, unsigned int nr)
{
	struct demo_state *state;

	demo->session = must(luo_retrieve(DEMO_SESSION));
	must(memory_adopt(&demo->mem,
			  must(luo_restore(demo->session, TOKEN_MEMORY))));
	state = demo->state = demo->mem.va;
	check(state->magic == DEMO_STATE_MAGIC && state->size == sizeof(*state),
	      "this is not the demo's memory");
	check(state->kexecs == nr - 1, "the memory is of kexec %u",
	      state->kexecs);
	check(digest_memory(&demo->mem) == state->digest,
	      "the memory has changed since the old kernel");
	state->kexecs = nr;
	demo->rng.state = state->key ^ nr;

	ctx_adopt(&demo->ctx, DEMO_SESSION, &state->want,
		  must(luo_restore(demo->session, TOKEN_IOMMUFD)));
	ctx_memory(&demo->ctx, &demo->mem);
	ctx_scratch(&demo->ctx, 0, RING_OFF, RING_LEN);
}

uint64_t demo_run_device(struct demo *demo, unsigned int *differs)
{
	static struct nic_slot slots[SLOTS_NR];
	struct demo_state *state = demo->state;
	struct ctx *ctx = &demo->ctx;
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

void demo_hand_over(struct demo *demo)
{
	int session = must(luo_create(DEMO_SESSION));

	demo->state->digest = digest_memory(&demo->mem);
	must(luo_preserve(session, demo->mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, demo->ctx.fd, TOKEN_IOMMUFD));
	background_ready();
}

void demo_alter_leaf(uint64_t iova)
{
	char text[64];
	int fd, n;

	n = snprintf(text, sizeof(text), "0 0x%llx", (unsigned long long)iova);
	fd = must(open(ALTER_LEAF, O_WRONLY | O_CLOEXEC));
	check(write(fd, text, n) == n, "%s: %s: %s", ALTER_LEAF, text,
	      strerror(errno));
	close(fd);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Before the first kexec: build everything from nothing. */
#include <sys/random.h>

#include "demo.h"

static void build(struct demo *demo)
{
	struct ctx *ctx = &demo->ctx;
	uint32_t spare, ioas, dev;
	struct demo_state *state;
	char bdf[PCI_BDF_LEN];

	must(memory_create(&demo->mem, DEMO_SESSION, DEMO_MEMORY_LEN));
	state = demo->state = demo->mem.va;
	state->magic = DEMO_STATE_MAGIC;
	state->size = sizeof(*state);
	check(getrandom(&state->key, sizeof(state->key), 0) ==
	      sizeof(state->key), "no random numbers");
	demo->rng.state = state->key;

	ctx_open(ctx, DEMO_SESSION, &state->want);
	ctx_memory(ctx, &demo->mem);
	ctx_scratch(ctx, 0, RING_OFF, RING_LEN);
	dma_stamp(ctx, 0, SLOTS_OFF, DEMO_MEMORY_LEN - SLOTS_OFF, state->key);

	/* A gap in the IDs, so that "same ID" is not "first free ID". */
	spare = ctx_ioas(ctx);
	ioas = ctx_ioas(ctx);
	ctx_map(ctx, ioas, 0, RING_OFF, RING_LEN, RING_IOVA, IOVA_RW);
	ctx_map(ctx, ioas, 0, SLOTS_OFF, SLOTS_LEN, SLOTS_IOVA, IOVA_RW);
	ctx_map(ctx, ioas, 0, DATA_OFF, DATA_LEN, DATA_IOVA, IOVA_RW);

	must(nic_find(0, bdf));
	dev = ctx_bind(ctx, bdf);
	ctx_attach(ctx, dev, ioas);
	ctx_destroy(ctx, spare);

	/* Mapping goes on while the device is attached. */
	ctx_map(ctx, ioas, 0, ODD_OFF, ODD_LEN, ODD_IOVA, IOVA_RW);
	ctx_map(ctx, ioas, 0, RO_OFF, RO_LEN, RO_IOVA, IOVA_RO);
	ctx_map(ctx, ioas, 0, ALIAS_OFF, ALIAS_LEN, ALIAS_IOVA, IOVA_RO);
	ctx_copy(ctx, ioas, COPY_IOVA, ioas, ODD_IOVA, IOVA_RO);
	ctx_settle(ctx);

	say("%s: IOAS %u, device %u, HWPT %u, %u areas", bdf, ioas,
	    state->want.dev[0].id, state->want.dev[0].hwpt, ctx_areas(ctx));
}

int main(void)
{
	unsigned int differs, controls;
	struct demo demo;
	uint64_t frames;

	background();
	build(&demo);
	check(!ctx_verify(&demo.ctx, true),
	      "the record is wrong from the start");
	controls = ctx_control(&demo.ctx, true, &demo.rng);

	frames = demo_run_device(&demo, &differs);
	check(!differs, "the device reads wrong pages from the start");
	report("frames_before", "%llu", (unsigned long long)frames);
	report("controls", "%u", controls);
	demo_hand_over(&demo);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many contexts at once, handed over unchanged, so that every image is like
 * the one before it:
 *
 *	ctx-many	100 contexts
 *	ctx-0 to 9	10 contexts each
 *	ctx-kinds	HWPTs of every kind on two controllers; and, charged by
 *			process, a context without a device
 *	ctx-big		20,000 maps of a page each, with a device
 *	ctx-state	what they should hold
 *
 * Others are open at the same time and in no session.
 */
#include <sys/random.h>

#include "contexts.h"

#define STATE_LEN \
	((sizeof(struct state) + GUEST_PAGE - 1) & ~(GUEST_PAGE - 1))

struct memory state_mem, group_mem[GROUPS], kinds_mem, big_mem;
struct state *state;
struct ctx small[SMALL], kind[KINDS];
int big = -1, big_dev = -1;

static void check_contexts(bool bound)
{
	unsigned int differs = 0, i;
	uint32_t id = 0;

	for (i = 0; i < SMALL; i++)
		differs += ctx_verify(&small[i], bound);
	for (i = 0; i < KINDS; i++)
		differs += ctx_verify(&kind[i], bound);
	check(!differs, "%u differences", differs);
	must(vfio_ioas(kind[KIND_DEVICES].fd, IOMMU_VFIO_IOAS_GET, &id));
	check(id == state->vfio_ioas, "another IOAS for vfio");
	check_big();
}

static void setup(void)
{
	unsigned int group, i, end;

	must(memory_create(&state_mem, "state", STATE_LEN));
	state = state_mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	check(getrandom(&state->seed, sizeof(state->seed), 0) ==
	      sizeof(state->seed), "no random numbers");
	state->rng.state = state->seed;
	say("seed 0x%llx", LL(state->seed));

	for (group = 0; group < GROUPS; group++) {
		must(memory_create(&group_mem[group], "small", SMALL_MEMORY));
		fill(&group_mem[group]);
		end = group_range(group, &i);
		for (; i < end; i++)
			build_small(&small[i], &state->small[i],
				    &group_mem[group]);
	}
	must(memory_create(&kinds_mem, "kinds", SMALL_MEMORY));
	fill(&kinds_mem);
	build_kinds();
	must(memory_create(&big_mem, "big", BIG_MEMORY));
	fill(&big_mem);
	build_big();
	check_big_dma(2);
	check_contexts(true);
	check_big_bound();
}

static void verify(unsigned int nr)
{
	unsigned int group, controls = 0;
	uint64_t start;

	take_back();
	check(state->kexecs == nr - 1, "the memory is of kexec %u",
	      state->kexecs);
	check_contexts(false);
	/* Nothing would have been found if nothing could be. */
	for (group = 0; group < GROUPS; group++) {
		struct ctx *ctx = &small[rng_below(&state->rng, SMALL)];

		controls += ctx_control(ctx, true, &state->rng);
	}
	bind_back();
	check_contexts(true);
	controls += ctx_control(&kind[KIND_DEVICES], true, &state->rng);
	check_big_bound();
	check_big_dma(5);
	state->kexecs = nr;

	start = now_ms();
	finish_all();
	report("finish_ms", "%llu", LL(now_ms() - start));
	check_contexts(true);
	report("controls", "%u", controls);
	report("ids_identical", "true");
	report("maps_identical", "true");
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: contexts NUMBER");
	nr = atoi(argv[1]);
	background();
	if (nr)
		verify(nr);
	else
		setup();
	hand_over();
}

// SPDX-License-Identifier: GPL-2.0-only
/* After a kexec: take everything back, check it, use it, hand it on. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "demo.h"

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	unsigned int read_differs, controls;
	bool ids_same, maps_same;
	struct state *state;
	struct memory mem;
	struct ctx ctx;
	struct rng rng;
	uint64_t frames;
	int session;

	check(nr, "usage: verify NUMBER");
	background();

	session = must(luo_retrieve(SESSION));
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	state = mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state),
	      "this is not the demo's memory");
	check(state->kexecs == nr - 1, "the memory is of kexec %u",
	      state->kexecs);
	check(digest_memory(&mem) == state->digest,
	      "the memory has changed since the old kernel");
	state->kexecs = nr;
	rng.state = state->key ^ nr;

	ctx_adopt(&ctx, SESSION, &state->want,
		  must(luo_restore(session, TOKEN_IOMMUFD)));
	ctx_memory(&ctx, &mem);
	ctx_scratch(&ctx, 0, RING_OFF, RING_LEN);

	/* Without the device: the IOAS is there, the other IDs are taken. */
	must_fail(EBUSY, luo_finish(session));
	ctx_verify(&ctx, false);
	ids_same = ctx.differs == ctx.map_differs;
	maps_same = !ctx.map_differs;
	controls = ctx_control(&ctx, false, &rng);

	/* Binding brings back ID, HWPT and attachment. */
	ids_same &= ctx_rebind(&ctx, 0);
	ctx_verify(&ctx, true);
	ids_same &= ctx.differs == ctx.map_differs;
	maps_same &= !ctx.map_differs;
	check(ids_same && maps_same, "the context is not what it was");
	controls += ctx_control(&ctx, true, &rng);

	frames = run_device(&ctx, state, &read_differs);
	maps_same &= !read_differs;

	report("frames_after", "%llu", (unsigned long long)frames);
	report("frames_before", "%llu", (unsigned long long)frames);
	report("ids_identical", "%s", ids_same ? "true" : "false");
	report("maps_identical", "%s", maps_same ? "true" : "false");
	report("controls", "%u", controls);
	check(maps_same, "the device reads other pages than before");

	must(luo_finish(session));
	close(session);
	check(!ctx_verify(&ctx, true), "finishing changed the context");
	hand_over(&ctx, state, &mem);
}

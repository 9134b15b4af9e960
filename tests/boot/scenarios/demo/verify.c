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
	struct ctx *ctx;
	struct demo demo;
	uint64_t frames;

	check(nr, "usage: verify NUMBER");
	background();
	demo_take_back(&demo, nr);
	ctx = &demo.ctx;

	/* Without the device: the IOAS is there, the other IDs are taken. */
	must_fail(EBUSY, luo_finish(demo.session));
	ctx_verify(ctx, false);
	ids_same = ctx->differs == ctx->map_differs;
	maps_same = !ctx->map_differs;
	controls = ctx_control(ctx, false, &demo.rng);

	/* Binding brings back ID, HWPT and attachment. */
	ids_same &= ctx_rebind(ctx, 0);
	ctx_verify(ctx, true);
	ids_same &= ctx->differs == ctx->map_differs;
	maps_same &= !ctx->map_differs;
	if (ids_same && maps_same) {
		controls += ctx_control(ctx, true, &demo.rng);
		frames = demo_run_device(&demo, &read_differs);
		maps_same &= !read_differs;
		report("frames_after", "%llu", (unsigned long long)frames);
		report("controls", "%u", controls);
	}
	report("ids_identical", "%s", ids_same ? "true" : "false");
	report("maps_identical", "%s", maps_same ? "true" : "false");
	check(ids_same && maps_same, "the context is not what it was");

	must(luo_finish(demo.session));
	close(demo.session);
	check(!ctx_verify(ctx, true), "finishing changed the context");

	/* Counted anew: what was inherited is gone, the next kexec comes. */
	frames = demo_run_device(&demo, &read_differs);
	check(!read_differs, "finishing changed what the device reads");
	report("frames_before", "%llu", (unsigned long long)frames);
	demo_hand_over(&demo);
}

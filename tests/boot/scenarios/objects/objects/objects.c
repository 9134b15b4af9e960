// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two sessions with two memory files and two contexts each:
 *
 *	objects-a	context a	nic0 and nic1, shared and explicit HWPTs
 *			context b	nic3, bound and mostly not attached;
 *					maps of odd bytes
 *	objects-b	context c	nic2, automatic HWPTs, moved about;
 *					charged by process
 *			context d	no device, charged by process
 *
 * Contexts a and c have one map with two copies of it, whose charge is looked
 * at; a and d have a VFIO_IOAS now and then.
 *
 * With 0 as its argument the program builds them, with N it checks and changes
 * them after kexec N, both led by one seed, which objects.seed= on the kernel's
 * command line may name. "rehearse N" builds and changes them N times without
 * any kexec, which needs no kernel of ours: it tests the test.
 * The record of a session lies at the start of its first memory file.
 */
#include "objects.h"

struct bundle bundles[BUNDLES] = {
	{ .name = "objects-a", .ctx_name = { "a", "b" } },
	{ .name = "objects-b", .ctx_name = { "c", "d" } },
};

static uint64_t digest_memory(const struct bundle *b, unsigned int i)
{
	uint64_t skip = i ? 0 : STATE_LEN;

	return digest64((char *)b->mem[i].va + skip, b->mem[i].len - skip);
}

/* Record what only the finished contexts tell, and see that it is right. */
static void settle(void)
{
	unsigned int i, j;

	for (i = 0; i < BUNDLES; i++) {
		for (j = 0; j < CTXS; j++) {
			struct ctx *ctx = &bundles[i].ctx[j];

			ctx_settle(ctx);
			check(!ctx_verify(ctx, true),
			      "context %s is not what its record says",
			      ctx->name);
			check_vfio_ioas(&bundles[i], ctx);
		}
	}
}

static void hand_over(void) __attribute__((noreturn));

static void hand_over(void)
{
	unsigned int i, j;

	settle();
	bundles[0].state->pinned = pinned_kib();
	bundles[0].state->locked = locked_kib();
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];
		/* The order of preservation must not matter. */
		bool contexts_first = rng_below(&b->state->rng, 2);

		b->session = must(luo_create(b->name));
		for (j = 0; contexts_first && j < CTXS; j++)
			must(luo_preserve(b->session, b->ctx[j].fd,
					  TOKEN_IOMMUFD + j));
		for (j = 0; j < MEMS; j++)
			must(luo_preserve(b->session, b->mem[j].fd,
					  TOKEN_MEMORY + j));
		for (j = 0; !contexts_first && j < CTXS; j++)
			must(luo_preserve(b->session, b->ctx[j].fd,
					  TOKEN_IOMMUFD + j));
	}
	/* The state of the generators moved, the rest has come to rest. */
	for (i = 0; i < BUNDLES; i++) {
		for (j = 0; j < MEMS; j++)
			bundles[i].state->digest[j] =
				digest_memory(&bundles[i], j);
	}
	background_ready();
}

static int setup(void)
{
	unsigned int differs;
	uint64_t frames;

	build();
	try_charges();
	frames = run_devices(&differs);
	check(!differs, "the devices read wrong pages from the start");
	report("frames_before", "%llu", LL(frames));
	hand_over();
}

static int rehearse(unsigned int steps)
{
	unsigned int differs, controls = 0, step, i, j;

	build();
	for (step = 0; step <= steps; step++) {
		if (step)
			change(step);
		controls += try_charges();
		run_devices(&differs);
		check(!differs, "the devices read wrong pages at step %u",
		      step);
		settle();
		for (i = 0; i < BUNDLES; i++) {
			for (j = 0; j < CTXS; j++)
				controls += ctx_control(&bundles[i].ctx[j],
						true, &bundles[i].state->rng);
		}
	}
	say("%u steps, %u controls", steps, controls);
	return 0;
}

static void take_back(struct bundle *b, unsigned int nr)
{
	int j;

	b->session = must(luo_retrieve(b->name));
	for (j = 0; j < MEMS; j++)
		must(memory_adopt(&b->mem[j], must(luo_restore(b->session,
						TOKEN_MEMORY + j))));
	b->state = b->mem[0].va;
	check(b->state->magic == STATE_MAGIC &&
	      b->state->size == sizeof(*b->state), "%s: other memory", b->name);
	check(b->state->kexecs == nr - 1, "%s: the memory is of kexec %u",
	      b->name, b->state->kexecs);
	b->state->kexecs = nr;
	for (j = 0; j < MEMS; j++)
		check(digest_memory(b, j) == b->state->digest[j],
		      "%s: memory file %d has changed", b->name, j);
	for (j = 0; j < CTXS; j++) {
		ctx_adopt(&b->ctx[j], b->ctx_name[j], &b->state->want[j],
			  must(luo_restore(b->session, TOKEN_IOMMUFD + j)));
		know_memory(b, &b->ctx[j]);
	}
}

/* Checks one context without devices, or all of its devices. */
static void look(struct bundle *b, struct ctx *ctx, bool bound, bool *ids_same,
		 bool *maps_same, unsigned int *controls)
{
	ctx_verify(ctx, bound);
	*ids_same &= ctx->differs == ctx->map_differs;
	*maps_same &= !ctx->map_differs;
	*controls += check_vfio_ioas(b, ctx);
	if (!ctx->differs)
		*controls += ctx_control(ctx, bound, &b->state->rng);
}

static int verify(unsigned int nr)
{
	bool ids_same = true, maps_same = true;
	unsigned int controls = 0, differs, areas = 0, i, j;
	uint64_t frames, pinned, locked;

	for (i = 0; i < BUNDLES; i++)
		take_back(&bundles[i], nr);
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];

		for (j = 0; j < CTXS; j++)
			look(b, &b->ctx[j], false, &ids_same, &maps_same,
			     &controls);
	}

	/* The order in which devices come back must not matter. */
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];

		for (j = 0; j < CTXS; j++) {
			uint32_t n = b->ctx[j].want->dev_nr, k;
			uint32_t first = n ? rng_below(&b->state->rng, n) : 0;

			for (k = 0; k < n; k++) {
				must_fail(EBUSY, luo_finish(b->session));
				ids_same &= ctx_rebind(&b->ctx[j],
						       (first + k) % n);
			}
		}
		for (j = 0; j < CTXS; j++) {
			look(b, &b->ctx[j], true, &ids_same, &maps_same,
			     &controls);
			areas += ctx_areas(&b->ctx[j]);
		}
	}
	check(ids_same && maps_same, "a context is not what it was");

	pinned = pinned_kib();
	locked = locked_kib();
	say("%llu KiB pinned, %llu of them charged to the process", LL(pinned),
	    LL(locked));
	check(pinned == bundles[0].state->pinned &&
	      locked == bundles[0].state->locked,
	      "%llu KiB were pinned before and %llu of them charged to the process",
	      LL(bundles[0].state->pinned), LL(bundles[0].state->locked));
	controls += try_charges();

	frames = run_devices(&differs);
	maps_same &= !differs;
	report("frames_after", "%llu", LL(frames));
	report("ids_identical", "%s", ids_same ? "true" : "false");
	report("maps_identical", "%s", maps_same ? "true" : "false");
	report("areas", "%u", areas);
	report("controls", "%u", controls);
	check(maps_same, "a device reads other pages than before");

	for (i = 0; i < BUNDLES; i++) {
		must(luo_finish(bundles[i].session));
		close(bundles[i].session);
	}
	change(nr);
	frames = run_devices(&differs);
	check(!differs, "a device reads wrong pages after the change");
	report("frames_before", "%llu", LL(frames));
	hand_over();
}

int main(int argc, char **argv)
{
	unsigned int nr;

	if (argc == 3 && !strcmp(argv[1], "rehearse")) {
		be_charged();
		return rehearse(atoi(argv[2]));
	}
	check(argc == 2, "usage: objects NUMBER | rehearse STEPS");
	nr = atoi(argv[1]);
	background();
	be_charged();
	return nr ? verify(nr) : setup();
}

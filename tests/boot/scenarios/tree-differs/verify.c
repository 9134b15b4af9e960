// SPDX-License-Identifier: GPL-2.0-only
/*
 * After each kexec one leaf of the inherited tree is made to point elsewhere:
 * of each map the first, a middle and the last page. Until it is put back the
 * device cannot be bound, the session cannot be finished and the machine does
 * not jump on; then everything is as in the demo.
 */
#include "demo.h"
#include "handover.h"
#include "tally.h"

_Static_assert(sizeof(struct demo_state) + sizeof(struct tally) <=
	       DEMO_STATE_LEN, "no room for the sum");

static bool said(const char *words)
{
	char sentence[SENTENCE_LEN];

	handover_attr("last_refusal", sentence);
	return strstr(sentence, words);
}

static void want_refused(struct demo *demo, uint64_t iova)
{
	uint64_t compared = handover_number("incoming/trees_compared");
	uint64_t equal = handover_number("incoming/trees_equal");
	char sentence[SENTENCE_LEN], name[48];
	int err;

	demo_alter_leaf(iova);
	snprintf(name, sizeof(name), "IOVA 0x%llx ", (unsigned long long)iova);
	err = ctx_rebind_refused(&demo->ctx, 0);
	handover_attr("last_refusal", sentence);
	tally_one(err == EBADMSG && strstr(sentence, name), false,
		  "bind with another leaf at 0x%llx: %s: %s",
		  (unsigned long long)iova, strerror(err), sentence);
	tally_one(handover_number("incoming/trees_compared") == compared + 1 &&
		  handover_number("incoming/trees_equal") == equal, true,
		  "the trees count as equal");

	check(!ctx_verify(&demo->ctx, false),
	      "the refusal has changed the context");
	err = luo_finish(demo->session);
	tally_one(err == -EBUSY, true, "FINISH gives %d", err);
	err = jump();
	tally_one(err == -EBUSY && said("not finished"), true,
		  "the jump gives %d", err);
	demo_alter_leaf(iova);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	char output[OUTPUT_LEN];
	struct want_ioas *ioas;
	unsigned int differs;
	struct demo demo;
	struct tally *sum;
	uint64_t frames;
	uint32_t i;

	check(nr, "usage: verify NUMBER");
	background();
	demo_take_back(&demo, nr);
	ioas = &demo.state->want.ioas[0];
	/* The end of the demo's state is free, and zero at first. */
	sum = (void *)((char *)demo.mem.va + DEMO_STATE_LEN - sizeof(*sum));
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);

	for (i = 0; i < ioas->map_nr; i++) {
		const struct want_map *map = &ioas->map[i];
		uint64_t pages = map->length / GUEST_PAGE;

		want_refused(&demo, map->iova);
		if (pages > 2)
			want_refused(&demo, map->iova + GUEST_PAGE *
				     (1 + rng_below(&demo.rng, pages - 2)));
		want_refused(&demo, map->iova + (pages - 1) * GUEST_PAGE);
	}

	check(ctx_rebind(&demo.ctx, 0) && !ctx_verify(&demo.ctx, true),
	      "the context is not what it was");
	check(handover_number("incoming/trees_compared") ==
	      tally.tried / 4 + 1 &&
	      handover_number("incoming/trees_equal") == 1,
	      "the trees are counted wrongly");
	frames = demo_run_device(&demo, &differs);
	check(!differs, "the device reads other pages than before");
	report("frames_after", "%llu", (unsigned long long)frames);
	report("frames_before", "%llu", (unsigned long long)frames);
	/* Every device is back, the session is still not finished. */
	tally_one(jump() == -EBUSY && said("not finished"), false,
		  "the jump before FINISH");
	must(luo_finish(demo.session));
	close(demo.session);
	unload_kernel();
	tally_end(sum);
	demo_hand_over(&demo);
}

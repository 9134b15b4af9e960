// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control of the comparison "rebuilt equals inherited": after each kexec
 * one leaf of the inherited tree after another is made to point elsewhere. The
 * device must be refused, the IOVA named, nothing of the device be left, and
 * once the leaf is as it was the device must come back as if nothing had been.
 */
#include "demo.h"
#include "handover.h"

static void want_refusal(struct demo *demo, uint64_t iova)
{
	uint64_t equal = handover_number("incoming/trees_equal");
	char sentence[SENTENCE_LEN], name[32];
	int err;

	demo_alter_leaf(iova);
	err = ctx_rebind_refused(&demo->ctx, 0);
	handover_attr("last_refusal", sentence);
	say("0x%llx: %s: %s", (unsigned long long)iova, strerror(err),
	    sentence);
	check(err == EBADMSG, "the errno is %d", err);
	snprintf(name, sizeof(name), "IOVA 0x%llx ", (unsigned long long)iova);
	check(strstr(sentence, name), "the sentence does not say \"%s\"", name);
	check(handover_number("incoming/trees_equal") == equal,
	      "the trees count as equal");

	check(!ctx_verify(&demo->ctx, false),
	      "the refusal has changed the context");
	must_fail(EBUSY, luo_finish(demo->session));
	demo_alter_leaf(iova);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0, refusals = 0;
	struct want_ioas *ioas;
	unsigned int differs;
	struct demo demo;
	uint64_t frames;
	uint32_t i;

	check(nr, "usage: verify NUMBER");
	background();
	demo_take_back(&demo, nr);
	ioas = &demo.state->want.ioas[0];

	for (i = 0; i < ioas->map_nr; i++) {
		uint64_t nr_pages = ioas->map[i].length / GUEST_PAGE;

		want_refusal(&demo, ioas->map[i].iova);
		want_refusal(&demo, ioas->map[i].iova +
			     rng_below(&demo.rng, nr_pages) * GUEST_PAGE);
		refusals += 2;
	}
	report("refusals", "%u", refusals);

	check(ctx_rebind(&demo.ctx, 0) && !ctx_verify(&demo.ctx, true),
	      "the context is not what it was");
	frames = demo_run_device(&demo, &differs);
	check(!differs, "the device reads other pages than before");
	report("frames_after", "%llu", (unsigned long long)frames);
	report("frames_before", "%llu", (unsigned long long)frames);
	must(luo_finish(demo.session));
	close(demo.session);
	demo_hand_over(&demo);
}

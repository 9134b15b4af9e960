// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control of the comparison "rebuilt equals inherited": after each kexec
 * one leaf of the inherited tree after another is made to point elsewhere. The
 * device must be refused, the IOVA named, nothing of the device be left, and
 * once the leaf is as it was the device must come back as if nothing had been.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "demo.h"

#define ALTER_LEAF	"/sys/kernel/debug/iommu_handover/alter_leaf"
#define INCOMING	"/sys/kernel/iommu_handover/incoming/"
#define LAST_REFUSAL	"/sys/kernel/iommu_handover/last_refusal"

/* Doing it twice puts the leaf back. */
static void alter_leaf(uint64_t iova)
{
	char text[64];
	int fd, n;

	n = snprintf(text, sizeof(text), "0 0x%llx", (unsigned long long)iova);
	fd = must(open(ALTER_LEAF, O_WRONLY | O_CLOEXEC));
	check(write(fd, text, n) == n, "%s: %s: %s", ALTER_LEAF, text,
	      strerror(errno));
	close(fd);
}

static const char *read_line(const char *path)
{
	static char text[512];
	ssize_t n;
	int fd = must(open(path, O_RDONLY | O_CLOEXEC));

	n = read(fd, text, sizeof(text) - 1);
	check(n >= 0, "%s: %s", path, strerror(errno));
	close(fd);
	text[n] = '\0';
	return text;
}

static void want_refusal(struct vmm *vmm, uint64_t iova)
{
	unsigned int equal = atoi(read_line(INCOMING "trees_equal"));
	const char *sentence;
	char name[32];
	int err;

	alter_leaf(iova);
	err = ctx_rebind_refused(&vmm->ctx, 0);
	sentence = read_line(LAST_REFUSAL);
	say("0x%llx: %s: %s", (unsigned long long)iova, strerror(err),
	    sentence);
	check(err == EBADMSG, "the errno is %d", err);
	snprintf(name, sizeof(name), "IOVA 0x%llx ", (unsigned long long)iova);
	check(strstr(sentence, name), "the sentence does not say \"%s\"", name);
	check((unsigned int)atoi(read_line(INCOMING "trees_equal")) == equal,
	      "the trees count as equal");

	check(!ctx_verify(&vmm->ctx, false),
	      "the refusal has changed the context");
	must_fail(EBUSY, luo_finish(vmm->session));
	alter_leaf(iova);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0, refusals = 0;
	struct want_ioas *ioas;
	unsigned int differs;
	struct vmm vmm;
	uint64_t frames;
	uint32_t i;

	check(nr, "usage: verify NUMBER");
	background();
	take_back(&vmm, nr);
	ioas = &vmm.state->want.ioas[0];

	for (i = 0; i < ioas->map_nr; i++) {
		uint64_t nr_pages = ioas->map[i].length / GUEST_PAGE;

		want_refusal(&vmm, ioas->map[i].iova);
		want_refusal(&vmm, ioas->map[i].iova +
			     rng_below(&vmm.rng, nr_pages) * GUEST_PAGE);
		refusals += 2;
	}
	report("refusals", "%u", refusals);

	check(ctx_rebind(&vmm.ctx, 0) && !ctx_verify(&vmm.ctx, true),
	      "the context is not what it was");
	frames = run_device(&vmm, &differs);
	check(!differs, "the device reads other pages than before");
	report("frames_after", "%llu", (unsigned long long)frames);
	report("frames_before", "%llu", (unsigned long long)frames);
	must(luo_finish(vmm.session));
	close(vmm.session);
	hand_over(&vmm);
}

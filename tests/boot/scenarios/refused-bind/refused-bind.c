// SPDX-License-Identifier: GPL-2.0-only
/*
 * bind NUMBER - NUMBER is 0 before the kexec
 *
 * Two contexts with a device each go through the kexec. Before the device of
 * the first is bound its maps are changed in one way after another, each of
 * which the bind has to notice, and put back. The second loses the IOAS that
 * its device was attached to, and is given up.
 */
#include "side.h"

#define SECOND_IOVA	0x50000000ULL
#define FAR_IOVA	(1ULL << 60)	/* more than any IOMMU translates */

static struct carry carry;
static struct ctx *const ctx = carry.ctx;

static void build(unsigned int i)
{
	uint32_t ioas;

	carry_open(&carry, i, i ? "second" : "first");
	ioas = carry_ioas(&ctx[i]);
	ctx_map(&ctx[i], ioas, 0, 0x80000, GUEST_PAGE, SECOND_IOVA, IOVA_RO);
	carry_nic(&ctx[i], i, ioas);
	ctx_settle(&ctx[i]);
}

/* Bind of the device of context @i fails with @err and says these words. */
static void want_no_bind(unsigned int i, const char *what, int err, ...)
{
	int got = ctx_rebind_refused(&ctx[i], 0);
	char sentence[SENTENCE_LEN];
	const char *word;
	va_list words;

	handover_attr("last_refusal", sentence);
	va_start(words, err);
	word = missing(sentence, words);
	va_end(words);
	if (word)
		say("  \"%s\" is not said", word);
	tally_one(got == err && !word &&
		  strstr(sentence, ctx[i].want->dev[0].bdf) &&
		  strstr(sentence, "is not handed over: HWPT") ==
		  strstr(sentence, "is not handed over"), false,
		  "bind with %s: %s: %s", what, strerror(got), sentence);
}

static void changed_maps(void)
{
	uint32_t ioas = ctx[0].want->ioas[0].id;
	uint32_t hwpt = ctx[0].want->dev[0].hwpt;
	int fd = ctx[0].fd, mem = carry.mem.fd;

	must(map_fixed(fd, ioas, mem, 0x90000, GUEST_PAGE, CASE_IOVA));
	want_no_bind(0, "a map more", EBADMSG, HWPT(hwpt), IOVA(CASE_IOVA),
		     "only in the rebuilt page table", NULL);
	must(ioas_unmap(fd, ioas, CASE_IOVA, GUEST_PAGE, NULL));

	must(ioas_unmap(fd, ioas, SECOND_IOVA, GUEST_PAGE, NULL));
	want_no_bind(0, "a map less", EBADMSG, HWPT(hwpt), IOVA(SECOND_IOVA),
		     "only in the inherited page table", NULL);

	must(map_fixed(fd, ioas, mem, 0x80000, GUEST_PAGE, SECOND_IOVA));
	want_no_bind(0, "a map that may be written", EBADMSG, HWPT(hwpt),
		     IOVA(SECOND_IOVA), "with permissions", NULL);
	must(ioas_unmap(fd, ioas, SECOND_IOVA, GUEST_PAGE, NULL));
	must(ioas_map_file(fd, ioas, mem, 0x80000, GUEST_PAGE,
			   &(uint64_t) { SECOND_IOVA },
			   IOVA_RO | IOMMU_IOAS_MAP_FIXED_IOVA));

	must(map_fixed(fd, ioas, mem, 0x90000, GUEST_PAGE, FAR_IOVA));
	want_no_bind(0, "a map too far away", EADDRINUSE, HWPT(hwpt),
		     text_of("cannot be allocated for device %llu: error",
			     ctx[0].want->dev[0].id), NULL);
	must(ioas_unmap(fd, ioas, FAR_IOVA, GUEST_PAGE, NULL));

	want_errno("FINISH before the devices are back", EBUSY,
		   luo_finish(carry.session));
	check(ctx_rebind(&ctx[0], 0) && !ctx_verify(&ctx[0], true),
	      "the first context is not what it was");
}

static void lost_ioas(void)
{
	uint32_t ioas = ctx[1].want->ioas[0].id;
	uint32_t hwpt = ctx[1].want->dev[0].hwpt;
	char output[OUTPUT_LEN];
	int fd;

	must(ioas_unmap(ctx[1].fd, ioas, 0, UINT64_MAX, NULL));
	must(iommufd_destroy(ctx[1].fd, ioas));
	want_no_bind(1, "its IOAS destroyed", ENOENT, HWPT(hwpt),
		     text_of("its IOAS %llu was destroyed", ioas), NULL);
	want_errno("FINISH with a device missing", EBUSY,
		   luo_finish(carry.session));
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("with a device missing", EBUSY,
		     "iommufd of the last handover not finished");
	unload_kernel();
	fd = must(open(HANDOVER_SYSFS "incoming/abandon", O_WRONLY | O_CLOEXEC));
	check(write(fd, "1", 1) == 1, "abandon: %s", strerror(errno));
	close(fd);
	check(!handover_number("incoming/unfinished"), "still unfinished");
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);

	handover = must(handover_open());
	if (nr) {
		carry_retrieve(&carry, "bind", nr);
		changed_maps();
		lost_ioas();
		carry_finish(&carry);
		close(ctx[1].fd);
		check(!ctx_verify(&ctx[0], true), "the context has changed");
		tally_end(&carry.state->sum);
	} else {
		carry_create(&carry, "bind");
		build(0);
	}
	build(1);
	carry_hand_over(&carry);
	if (nr) {
		seal();
		unload_kernel();
	}
	close(handover);
	background_ready();
}

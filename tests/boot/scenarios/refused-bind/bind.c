// SPDX-License-Identifier: GPL-2.0-only
/*
 * bind NUMBER - NUMBER is 0 before the kexec
 *
 * Two contexts with a device each go through the kexec. Before the device of
 * the first is bound its maps are changed in one way after another, each of
 * which the bind has to notice, and put back. The second loses the IOAS that
 * its device was attached to, and is given up.
 */
#include "ctx.h"
#include "side.h"

#define SESSION		"bind"
#define TOKEN_SECOND	4

#define MEMORY_LEN	(1ULL << 20)
#define STATE_LEN	0x20000ULL
#define STATE_MAGIC	0x646e6962ULL
#define STATE_IOVA	0x40000000ULL
#define SECOND_IOVA	0x50000000ULL
#define FAR_IOVA	(1ULL << 60)	/* more than any IOMMU translates */

struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	struct want want[2];
};

_Static_assert(sizeof(struct state) + sizeof(struct tally) <= STATE_LEN,
	       "the state has grown");

static struct memory mem;
static struct state *state;
static struct ctx ctx[2];

static void build(unsigned int i)
{
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, dev;

	ctx_open(&ctx[i], i ? "second" : "first", &state->want[i]);
	ctx_memory(&ctx[i], &mem);
	ioas = ctx_ioas(&ctx[i]);
	ctx_map(&ctx[i], ioas, 0, STATE_LEN, 0x30000, STATE_IOVA, IOVA_RW);
	ctx_map(&ctx[i], ioas, 0, 0x80000, GUEST_PAGE, SECOND_IOVA, IOVA_RO);
	nic_bdf(i, bdf);
	dev = ctx_bind(&ctx[i], bdf);
	ctx_attach(&ctx[i], dev, ioas);
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
		  strstr(sentence, state->want[i].dev[0].bdf) &&
		  strstr(sentence, "is not handed over: HWPT") ==
		  strstr(sentence, "is not handed over"), false,
		  "bind with %s: %s: %s", what, strerror(got), sentence);
}

static void changed_maps(int session)
{
	uint32_t ioas = state->want[0].ioas[0].id;
	uint32_t hwpt = state->want[0].dev[0].hwpt;
	int fd = ctx[0].fd;

	must(map_fixed(fd, ioas, mem.fd, 0x90000, GUEST_PAGE, CASE_IOVA));
	want_no_bind(0, "a map more", EBADMSG, HWPT(hwpt), IOVA(CASE_IOVA),
		     "only in the rebuilt page table", NULL);
	must(ioas_unmap(fd, ioas, CASE_IOVA, GUEST_PAGE, NULL));

	must(ioas_unmap(fd, ioas, SECOND_IOVA, GUEST_PAGE, NULL));
	want_no_bind(0, "a map less", EBADMSG, HWPT(hwpt), IOVA(SECOND_IOVA),
		     "only in the inherited page table", NULL);

	must(map_fixed(fd, ioas, mem.fd, 0x80000, GUEST_PAGE, SECOND_IOVA));
	want_no_bind(0, "a map that may be written", EBADMSG, HWPT(hwpt),
		     IOVA(SECOND_IOVA), "with permissions", NULL);
	must(ioas_unmap(fd, ioas, SECOND_IOVA, GUEST_PAGE, NULL));
	must(ioas_map_file(fd, ioas, mem.fd, 0x80000, GUEST_PAGE,
			   &(uint64_t) { SECOND_IOVA },
			   IOVA_RO | IOMMU_IOAS_MAP_FIXED_IOVA));

	must(map_fixed(fd, ioas, mem.fd, 0x90000, GUEST_PAGE, FAR_IOVA));
	want_no_bind(0, "a map too far away", EADDRINUSE, HWPT(hwpt),
		     text_of("cannot be allocated for device %llu: error",
			     state->want[0].dev[0].id), NULL);
	must(ioas_unmap(fd, ioas, FAR_IOVA, GUEST_PAGE, NULL));

	want_errno("FINISH before the devices are back", EBUSY,
		   luo_finish(session));
	check(ctx_rebind(&ctx[0], 0) && !ctx_verify(&ctx[0], true),
	      "the first context is not what it was");
}

static void lost_ioas(int session)
{
	uint32_t ioas = state->want[1].ioas[0].id;
	uint32_t hwpt = state->want[1].dev[0].hwpt;
	char output[OUTPUT_LEN];
	int fd;

	must(ioas_unmap(ctx[1].fd, ioas, 0, UINT64_MAX, NULL));
	must(iommufd_destroy(ctx[1].fd, ioas));
	want_no_bind(1, "its IOAS destroyed", ENOENT, HWPT(hwpt),
		     text_of("its IOAS %llu was destroyed", ioas), NULL);
	want_errno("FINISH with a device missing", EBUSY, luo_finish(session));
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("with a device missing", EBUSY,
		     "iommufd of the last handover not finished");
	unload_kernel();
	fd = must(open(HANDOVER_SYSFS "incoming/abandon", O_WRONLY | O_CLOEXEC));
	check(write(fd, "1", 1) == 1, "abandon: %s", strerror(errno));
	close(fd);
	check(!handover_number("incoming/unfinished"), "still unfinished");
}

static void take_back(unsigned int nr)
{
	int session = must(luo_retrieve(SESSION));
	unsigned int i;

	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	state = mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state) &&
	      state->kexecs == nr - 1, "this is not the memory of kexec %u",
	      nr - 1);
	state->kexecs = nr;
	for (i = 0; i < 2; i++) {
		ctx_adopt(&ctx[i], i ? "second" : "first", &state->want[i],
			  must(luo_restore(session, i ? TOKEN_SECOND :
							TOKEN_IOMMUFD)));
		ctx_memory(&ctx[i], &mem);
	}
	changed_maps(session);
	lost_ioas(session);
	must(luo_finish(session));
	close(session);
	close(ctx[1].fd);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	int session;

	check(argc == 2, "usage: bind NUMBER");
	background();
	handover = must(handover_open());
	if (nr) {
		take_back(nr);
		check(!ctx_verify(&ctx[0], true), "the context has changed");
		tally_end((void *)((char *)mem.va + STATE_LEN -
				   sizeof(struct tally)));
	} else {
		must(memory_create(&mem, SESSION, MEMORY_LEN));
		state = mem.va;
		state->magic = STATE_MAGIC;
		state->size = sizeof(*state);
		build(0);
	}
	build(1);
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, ctx[0].fd, TOKEN_IOMMUFD));
	must(luo_preserve(session, ctx[1].fd, TOKEN_SECOND));
	if (nr) {
		seal();
		unload_kernel();
	}
	close(handover);
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * tampered NUMBER - NUMBER is 0 before the first kexec
 *
 * kexec(8) makes an image of two contexts that have every kind of record. From
 * then on it is altered in one place at a time: each byte of each fact and of
 * each record with all checksums made right, each byte of the image with none,
 * and its length. SEAL has to refuse every one and to accept the image when
 * nothing is altered. The whole of it before the first kexec; later every
 * seventh byte, from another one on each time. On the debug kernel every
 * sixty-first: one try takes twenty times as long there.
 *
 * Then memory runs out at each allocation of SNAPSHOT and of SEAL: that one
 * alone, and that one and all after it. Each step has to say so in its own
 * sentence, and nothing may be left behind.
 */
#include <sched.h>

#include "tampered.h"

#define TOKEN_PLAIN	CARRY_TOKEN_FREE
#define IMAGE		"/run/tampered.iho"

struct carry carry;
struct ctx *const ctx = carry.ctx;
static struct memory plain;

static void get_image(void)
{
	char output[OUTPUT_LEN];
	uint8_t signed_by_loader[IHO_HEADER_LEN];
	ssize_t n;
	int fd;

	check(!load_kernel(output, true, IMAGE), "kexec -l: %s", output);
	unload_kernel();
	fd = must(open(IMAGE, O_RDONLY | O_CLOEXEC));
	n = read(fd, good.b, IMAGE_CAP - 4096);
	close(fd);
	check(n > 0 && n < (ssize_t)IMAGE_CAP - 4096, "an image of %zd bytes",
	      n);
	good.len = n;
	/* Our checksums must be the right ones, or the tries mean nothing. */
	memcpy(signed_by_loader, good.b, IHO_HEADER_LEN);
	image_sign(&good);
	check(!memcmp(signed_by_loader, good.b, IHO_HEADER_LEN),
	      "our checksums are not the loader's");
}

/* The control: unaltered it is taken. */
static void want_sealed(void)
{
	char sentence[SENTENCE_LEN];
	int err;

	stamp_generation();
	err = handover_seal(handover, generation, good.b, good.len, sentence);
	check(!err, "the unaltered image: %s: %s", strerror(-err), sentence);
	check(handover_state_is("sealed"), "SEAL went well, nothing is sealed");
	must(handover_unseal(handover));
	stamp_generation();
}

static void tries(void)
{
	uint64_t start = now_ms();
	cpu_set_t before, one;

	get_image();
	want_sealed();
	make_bad();
	console_level("6");
	try_facts();
	say("facts: %u tried, %u behaved", tally.tried, tally.behaved);
	try_stream("context-0");
	try_stream("context-1");
	say("and records: %u, %u", tally.tried, tally.behaved);
	try_header();
	try_lenient();
	try_lengths();
	say("and header, lengths: %u, %u", tally.tried, tally.behaved);
	try_unsigned();
	try_sentences();
	check(generation == handover_number("generation") &&
	      handover_state_is("open"), "a refusal has changed something");
	want_sealed();
	/* What a CPU has at hand decides what has to be allocated. */
	must(sched_getaffinity(0, sizeof(before), &before) ? -errno : 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	must(sched_setaffinity(0, sizeof(one), &one) ? -errno : 0);
	try_memory();
	if (step == 1)
		try_leaks();
	must(sched_setaffinity(0, sizeof(before), &before) ? -errno : 0);
	console_level("7");
	want_sealed();
	say("%u tried, %u behaved, %u by comparison with live state, %llu ms",
	    tally.tried, tally.behaved, by_live,
	    (unsigned long long)(now_ms() - start));
	report("refused_by_live_state[]", "%u", by_live);
}

static void build(void)
{
	static const struct iommu_iova_range allow[] = {
		{ 0x40000000, 0x7fffffff }, { 0x100000000, 0x3ffffffff },
	};
	uint32_t ioas, other, dev;

	carry_create(&carry, SESSION);
	must(memory_create(&plain, "plain", 64 * GUEST_PAGE));

	/* Every kind of record. */
	carry_open(&carry, 0, "first");
	ctx_memory(&ctx[0], &plain);
	ctx_rlimit_mode(&ctx[0], 1);
	ioas = ctx_ioas(&ctx[0]);
	other = ctx_ioas(&ctx[0]);
	ctx_huge_pages(&ctx[0], other, 0);
	ctx_allow(&ctx[0], ioas, allow, 2);
	must(vfio_ioas(ctx[0].fd, IOMMU_VFIO_IOAS_SET, &ioas));
	ctx_map(&ctx[0], ioas, 0, CARRY_STATE_LEN, CARRY_MAP_LEN, CARRY_IOVA,
		IOVA_RW);
	ctx_map(&ctx[0], ioas, 1, 0x3000, 0x8000, 0x100007000, IOVA_RO);
	ctx_copy(&ctx[0], other, 0x5000, ioas, CARRY_IOVA, IOVA_RO);
	dev = carry_nic(&ctx[0], 0, ioas);
	ctx_hwpt(&ctx[0], dev, other);
	ctx_settle(&ctx[0]);

	carry_open(&carry, 1, "second");
	ctx_memory(&ctx[1], &plain);
	ioas = ctx_ioas(&ctx[1]);
	ctx_map(&ctx[1], ioas, 1, 0, 0x2000, 0x1000, IOVA_RW);
	ctx_settle(&ctx[1]);
}

static void take_back(unsigned int nr)
{
	int i;

	carry_retrieve(&carry, SESSION, nr);
	must(memory_adopt(&plain, must(luo_restore(carry.session,
						   TOKEN_PLAIN))));
	for (i = 0; i < 2; i++)
		ctx_memory(&ctx[i], &plain);
	carry_rebind(&carry);
	carry_finish(&carry);
}

static int hand_over(void)
{
	int session = carry_hand_over(&carry);

	must(luo_preserve(session, plain.fd, TOKEN_PLAIN));
	return session;
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);
	int session;

	handover = must(handover_open());
	if (nr)
		take_back(nr);
	else
		build();
	carry_verify(&carry);
	session = hand_over();
	if (nr) {
		step = 7;
		phase = nr;
	}
	if (debug_kernel()) {
		step = 61;
		phase = (boot_seed("handover.seed=") + nr) % step;
	}
	tries();
	/* Changing something and back again would move the generation. */
	close(session);
	carry_verify(&carry);
	tally_end(&carry.state->sum);
	hand_over();
	close(handover);
	background_ready();
}

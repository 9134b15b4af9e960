// SPDX-License-Identifier: GPL-2.0-only
/* Memory that a SEAL does not give back, when it fails and when it does not. */
#include "starve.h"
#include "tampered.h"

/* Enough of them that a page lost in each is more than what comes and goes. */
#define ROUNDS		1500
#define ROUNDS_KIB	(ROUNDS * (int64_t)(GUEST_PAGE >> 10))

static struct starve starve;

/* A SEAL that fails at the @nth allocation, 0 for one that succeeds. */
static int seal_starved(unsigned int nth)
{
	char sentence[SENTENCE_LEN];
	int err;

	if (nth)
		starve_begin(&starve, nth, true);
	err = handover_seal(handover, generation, good.b, good.len, sentence);
	if (nth)
		starve_end(&starve);
	if (!err) {
		must(handover_unseal(handover));
		stamp_generation();
	}
	return err;
}

static void want_kept(const char *what, int64_t lost)
{
	say("%s: %lld KiB fewer are free", what, (long long)lost);
	check(lost < ROUNDS_KIB / 2, "%s: %lld KiB are lost", what,
	      (long long)lost);
}

static void want_seals_kept(void)
{
	unsigned int i;
	int64_t lost;

	for (i = 0; i < ROUNDS / 10; i++)
		must(seal_starved(0));
	lost = free_kib();
	for (i = 0; i < ROUNDS; i++)
		must(seal_starved(0));
	want_kept("SEAL and UNSEAL", lost - free_kib());
}

/*
 * Nothing is lost in as many SEALs that fail, at the @nth allocation or as near
 * before it as one does: what is at hand decides which it is, and some can be
 * done without.
 */
static void want_failed_kept(const char *what, unsigned int nth)
{
	unsigned int i, in_row = 0, failed = 0, at = nth;
	int64_t lost;

	for (i = 0; i < ROUNDS / 10; i++)
		seal_starved(nth);
	lost = free_kib();
	for (i = 0; i < 2 * ROUNDS && failed < ROUNDS; i++) {
		if (seal_starved(at) == -ENOMEM) {
			failed++;
			if (++in_row < 10)
				continue;
			at += at < nth;
		} else {
			at -= at > 1;
		}
		in_row = 0;
	}
	lost -= free_kib();
	say("%s: %u of %u failed, allocation %u of %u", what, failed, i, at,
	    nth);
	check(failed == ROUNDS, "%s: only %u have failed", what, failed);
	want_kept(what, lost);
}

static unsigned int last_to_fail(void)
{
	unsigned int nth, last = 0;

	for (nth = 1; nth < last + 20; nth++)
		if (seal_starved(nth) == -ENOMEM)
			last = nth;
	check(last, "no SEAL fails");
	return last;
}

void try_leaks(void)
{
	unsigned int last;
	int64_t lost;
	char *kept;

	console_level("4");
	want_seals_kept();

	starve_open(&starve);
	/* The latest step that can fail has most to undo. */
	last = last_to_fail();
	want_failed_kept("the last step of SEAL", last);
	want_failed_kept("one half way", last / 2 + 1);
	starve_close(&starve);

	lost = free_kib();
	kept = mmap(NULL, ROUNDS * GUEST_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	check(kept != MAP_FAILED, "mmap: %s", strerror(errno));
	lost -= free_kib();
	munmap(kept, ROUNDS * GUEST_PAGE);
	check(lost >= ROUNDS_KIB / 2, "the control: %lld KiB are lost",
	      (long long)lost);
}

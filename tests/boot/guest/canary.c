// SPDX-License-Identifier: GPL-2.0-only
#include <sys/mman.h>

#include "canary.h"

/* For programs, and for what the lists of other CPUs keep: up to 80 MiB. */
#define LEFT_KIB	(96LL << 10)

/*
 * How much is left. The kernel's own allocations, page tables for these words
 * among them, stop at the minimum watermark and have nothing of the scratch
 * area, which may be half of what is free.
 */
static int64_t left_kib(void)
{
	return LEFT_KIB +
	       2 * file_sum("/proc/sys/vm/min_free_kbytes", "%lld");
}

static uint64_t word_at(uint64_t i)
{
	return i * 0x9e3779b97f4a7c15ULL;
}

void canary_begin(struct canary *c, uint64_t most)
{
	int64_t len = (free_kib() - left_kib()) << 10 & ~(GUEST_PAGE - 1LL);
	uint64_t i;

	check(len > 0, "there is no free memory");
	if ((uint64_t)len > most)
		len = most;
	c->nr = len / sizeof(*c->word);
	c->word = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(c->word != MAP_FAILED, "out of memory");
	for (i = 0; i < c->nr; i++)
		c->word[i] = word_at(i);
	say("canary: %llu MiB", (unsigned long long)len >> 20);
}

static uint64_t changed(const struct canary *c)
{
	uint64_t i, nr = 0;

	for (i = 0; i < c->nr; i++)
		nr += c->word[i] != word_at(i);
	return nr;
}

uint64_t canary_end(struct canary *c)
{
	uint64_t nr = changed(c);

	c->word[c->nr / 2] ^= 1;
	check(changed(c) != nr, "a word that has changed goes unnoticed");
	munmap(c->word, c->nr * sizeof(*c->word));
	return nr;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the frequency of this machine's TSC, which is the emulated machine's as well,
 * in kHz: what it counts in a fifth of a second by a clock that nobody adjusts.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define LONG_NS	200000000ull

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The TSC at a moment: between two looks at the clock that are close together. */
static uint64_t moment(uint64_t *tsc)
{
	uint64_t before, after;

	do {
		before = now_ns();
		*tsc = __rdtsc();
		after = now_ns();
	} while (after - before > 1000);
	return before + (after - before) / 2;
}

int main(void)
{
	uint64_t first, last, from = moment(&first), to;

	do {
		to = moment(&last);
	} while (to - from < LONG_NS);
	printf("%llu\n", (unsigned long long)((last - first) * 1000000 /
					      (to - from)));
	return 0;
}

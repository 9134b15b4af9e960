// SPDX-License-Identifier: GPL-2.0-only
/* What all processes and threads share. */
#include <fnmatch.h>
#include <stdarg.h>

#include "edu.h"
#include "stress.h"

bool slow;
pid_t child[PROCS + 2];
struct state *state;
struct live *live;
struct slot slots[PROCS][CTXS];
int dev_fd[PROCS][THREADS][DEVS];

bool can_copy(unsigned int t, unsigned int d)
{
	return !t && !d;
}

void dev_bdf(unsigned int nr, char bdf[PCI_BDF_LEN])
{
	if (nr < PROCS)
		must(pci_find(EDU_VENDOR, EDU_DEVICE, nr, bdf));
	else
		must(pci_find(TEST_VENDOR, TEST_DEVICE, nr - PROCS, bdf));
}

void count(unsigned int which)
{
	atomic_fetch_add(&live->count[which], 1);
}

void wrong(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "wrong (seed %llu, kexec %u): %s\n", LL(state->seed),
		state->kexecs, text);
	fflush(stderr);
	if (live)
		atomic_store(&live->failed, true);
	_exit(1);
}

bool matches(const char *text, const char *const *patterns)
{
	for (; *patterns; patterns++) {
		if (!fnmatch(*patterns, text, 0))
			return true;
	}
	return false;
}

struct rng rng_for(unsigned int who)
{
	struct rng rng = { state->seed + (uint64_t)state->kexecs * 1000 + who };

	rng.state = rng_u64(&rng);
	return rng;
}

bool pause_now(struct rng *rng, unsigned int *burst)
{
	if (atomic_load(&live->lull) && !atomic_load(&live->sealed) &&
	    rng_below(rng, live->rarely)) {
		sleep_ms(1);
		return true;
	}
	if (*burst) {
		--*burst;
		return false;
	}
	*burst = 1 + rng_below(rng, 100);
	sleep_ms(rng_below(rng, 8));
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the stress scenario share: the model of what the random
 * calls have made, and the words they say to each other while they run.
 *
 * Every object has one owner, the thread that made it; only that thread
 * changes it and only that thread changes its entry in the model, behind the
 * call. So the model is exact without a lock round any call.
 */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "edu.h"

#define LL(x)		((unsigned long long)(x))

#define PROCS		3	/* worker processes */
#define CTXS		2	/* iommufds of each */
#define THREADS		2	/* threads of each that change them */
#define MEMS		2	/* memory files of each iommufd */
#define MEM_LEN		(512ULL << 10)

/* Most objects of one thread in one iommufd; struct want holds all of them. */
#define IOASES		3
#define MAPS		10
#define HWPTS		4
#define EXPLICIT	2	/* of these, not automatic */
#define DEVS		2	/* of the first thread, the others have one */

/* QEMU's device for testing PCI, which does nothing. */
#define TEST_VENDOR	0x1b36
#define TEST_DEVICE	0x0005

#define DEVS_OF(t)	((t) ? 1U : DEVS)
#define PROC_DEVS	(DEVS + THREADS - 1)
#define STUCK_DEV	(PROCS * PROC_DEVS)
#define ALL_DEVS	(STUCK_DEV + 1)

_Static_assert(THREADS * IOASES <= WANT_IOAS_MAX, "IOASes");
_Static_assert(THREADS * HWPTS <= WANT_HWPT_MAX, "HWPTs");
_Static_assert(PROC_DEVS <= WANT_DEV_MAX, "devices");
_Static_assert(MEMS <= CTX_MEM_MAX, "memory files");

#define TOKEN_MEMORY	0x10
#define TOKEN_IOMMUFD	0x1
#define STATE_SESSION	"stress-state"
#define STATE_MAGIC	0x737365727473ULL
#define NAME_LEN	32

/**
 * struct a_map - one map
 * @want: IOVA, length and where in which memory file
 * @user: made by user address, or a copy of one that was
 * @writable: whether a copy may be written
 */
struct a_map {
	struct want_map want;
	bool user;
	bool writable;
};

struct an_ioas {
	uint32_t id;
	uint32_t map_nr;
	uint32_t huge_pages;
	uint32_t allow_nr;
	struct iommu_iova_range allow[WANT_ALLOW_MAX];
	struct want_ranges bare;
	struct a_map map[MAPS];
};

/* @maker: serial of the device it was allocated with */
struct a_hwpt {
	uint32_t id;
	uint32_t ioas;
	bool automatic;
	uint64_t maker;
};

/* @ctx: iommufd it is bound to, -1 for none; @serial: new with each bind */
struct a_dev {
	char bdf[PCI_BDF_LEN];
	int ctx;
	uint32_t id;
	uint32_t hwpt;
	uint64_t serial;
};

struct a_thread {
	uint32_t ioas_nr[CTXS];
	uint32_t hwpt_nr[CTXS];
	struct an_ioas ioas[CTXS][IOASES];
	struct a_hwpt hwpt[CTXS][HWPTS];
	struct a_dev dev[DEVS];
	uint64_t serial;
};

/**
 * struct a_ctx - one iommufd
 * @open: there is one
 * @crosses: it is in a session when the jump comes
 * @mems: bit by bit, which memory files are in the session
 * @sessions: sessions made for it, part of their names
 * @name: its session
 * @want: what it should hold after the jump
 */
struct a_ctx {
	bool open;
	bool crosses;
	uint32_t mems;
	uint32_t sessions;
	char name[NAME_LEN];
	struct want want;
};

struct a_proc {
	struct a_ctx ctx[CTXS];
	struct a_thread thread[THREADS];
};

/* What crosses the kexecs. */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint64_t seed;
	struct a_proc proc[PROCS];
};

#define STATE_LEN \
	((sizeof(struct state) + GUEST_PAGE - 1) & ~(GUEST_PAGE - 1))

/* What is counted. Those of the first line prove that there was a race. */
#define COUNTS(X)							\
	X(seals) X(busy) X(stale) X(again) X(gate) X(killed)		\
	X(calls) X(maps) X(user_maps) X(copies) X(unmaps) X(attaches)	\
	X(binds) X(opens) X(sessions) X(stuck) X(churned) X(loads)	\
	X(loaded) X(plain_loads) X(snapshots) X(unseals) X(locked_out)

enum {
#define X(name) N_##name,
	COUNTS(X)
#undef X
	COUNTS_NR
};

#define TEETH	(N_killed + 1)

/**
 * struct live - what the processes share while they run
 * @stop: come to an end after the call that you are in
 * @lull: change little, so that a seal has a chance
 * @sealed: there was a seal a moment ago: run against it, lull or not
 * @pace: bursts, lulls and rests are so many times as long as elsewhere
 * @rarely: in a lull, do one thing in so many
 * @failed: one of us has seen something wrong
 * @sealable: the iommufd may be in a session, so a call on it may give EBUSY
 * @epoch: moves with @sealable
 * @beat: calls of each thread; one that stands still hangs
 * @ready: posted by each when it is set up and does nothing more by itself
 * @go: every process may begin
 * @ended: posted by each when its threads have stopped
 * @record: nothing is sealed any more: see that all can cross, note it
 * @recorded: posted by each; what crosses is as it will be
 * @count: COUNTS
 */
struct live {
	atomic_bool stop;
	atomic_bool lull;
	atomic_bool sealed;
	atomic_bool failed;
	unsigned int pace;
	unsigned int rarely;
	atomic_uint sealable[PROCS][CTXS];
	atomic_uint epoch[PROCS][CTXS];
	atomic_ulong beat[PROCS][THREADS];
	sem_t ready, go, ended, record, recorded;
	atomic_ulong count[COUNTS_NR];
};

/**
 * struct slot - an iommufd of a worker process, as that process has it
 * @fd: -1 when it is closed
 * @session: -1 when it is in none
 */
struct slot {
	int fd;
	int session;
	struct memory mem[MEMS];
};

static struct state *state;
static struct live *live;
static struct slot slots[PROCS][CTXS];
static int dev_fd[PROCS][THREADS][DEVS];

/* The first device of the first thread copies memory (edu.h). */
static inline bool can_copy(unsigned int t, unsigned int d)
{
	return !t && !d;
}

static inline void count(unsigned int which)
{
	atomic_fetch_add(&live->count[which], 1);
}

/* Something the documents do not allow: name it and fail the run. */
static void wrong(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

static void wrong(const char *fmt, ...)
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

/* Text against patterns of fnmatch(3), the last of them NULL. */
static bool matches(const char *text, const char *const *patterns)
{
	for (; *patterns; patterns++) {
		if (!fnmatch(*patterns, text, 0))
			return true;
	}
	return false;
}

/* The generator of one thread in this stage. */
static struct rng rng_for(unsigned int who)
{
	struct rng rng = { state->seed + (uint64_t)state->kexecs * 1000 + who };

	rng.state = rng_u64(&rng);
	return rng;
}

/* A burst is over now and then; in a lull hardly anything is done. */
static bool pause_now(struct rng *rng, unsigned int *burst)
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

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the stress scenario share: the model of what the random
 * calls have made, and the words they say to each other while they run.
 *
 * Every object has one owner, the thread that made it; only that thread
 * changes it and only that thread changes its entry in the model, after the
 * call. So the model is exact without a lock round any call.
 */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"

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
 * @beat: calls of each thread; one that does not move hangs
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

extern struct state *state;
extern struct live *live;
extern struct slot slots[PROCS][CTXS];
extern int dev_fd[PROCS][THREADS][DEVS];

/* The kernel is the debug kernel: whatever is waited for takes longer. */
extern bool slow;

/* The workers, then the processes beside them; 0 for one that has ended. */
extern pid_t child[PROCS + 2];

/*
 * Common to all (common.c)
 */

/** can_copy() - the first device of the first thread copies memory (edu.h) */
bool can_copy(unsigned int t, unsigned int d);

/**
 * dev_bdf() - address of a device by its number
 *
 * One device of each process can copy memory. The others have no interrupt
 * line: enabling one takes ACPI's interpreter, which is slower than all else.
 */
void dev_bdf(unsigned int nr, char bdf[PCI_BDF_LEN]);

/** count() - @which is N_seals or another */
void count(unsigned int which);

/** wrong() - something the documents do not allow: name it and fail the run */
void wrong(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/** matches() - text against patterns of fnmatch(3), the last of them NULL */
bool matches(const char *text, const char *const *patterns);

/** rng_for() - the generator of one thread in this stage */
struct rng rng_for(unsigned int who);

/** pause_now() - a burst is over now and then; in a lull hardly anything is done */
bool pause_now(struct rng *rng, unsigned int *burst);

/*
 * Looking after the processes (watch.c)
 */

/** hang_time() - when something that is to happen now hangs, for not_yet() */
uint64_t hang_time(void);

/** look_after() - end the run when a child has; they stay until the jump */
void look_after(void);

/** not_yet() - look_after(), and fail after @end, showing where all are */
void not_yet(uint64_t end, const char *what);

/** wait_for() - wait for a semaphore, or fail for @what */
void wait_for(sem_t *sem, const char *what);

/** who_hangs() - print where every thread of every process is */
void who_hangs(const char *what);

/** must_snapshot() - SNAPSHOT succeeds, and soon */
void must_snapshot(int dev, const char *when);

/*
 * The stages
 */

/**
 * test_stuck() - one map is stuck, and nobody else does anything (stuck.c)
 *
 * But the first iommufd is preserved. Each outcome is certain.
 */
void test_stuck(const char *bdf);

/* All at once (fire.c) */

/** new_live() - make @live */
void new_live(void);

/** start_workers() - from here on they have the files, and nobody else */
void start_workers(const char *stuck_bdf);

/** rage() - bursts and lulls; the end is at a random point */
void rage(struct rng *rng, uint64_t ms);
void report_counts(void);

#endif /* STRESS_H */

// SPDX-License-Identifier: GPL-2.0-only
/* Everything at once, until all that has to happen has. */
#include "beside.h"
#include "operator.h"
#include "worker.h"

/* It goes on until everything that has to happen has, but not for ever. */
#define FIRE_MOST	20
/* The debug kernel's loaders need so much longer to come to their seals. */
#define PACE_SLOW	10
#define RARELY_SLOW	10000
/* A thread that has made no call for so long hangs. */
#define STILL_MS	30000

static const char *const count_names[] = {
#define X(name) #name,
	COUNTS(X)
#undef X
};

static bool teeth_shown(void)
{
	unsigned int i;

	for (i = 0; i < TEETH; i++) {
		if (!atomic_load(&live->count[i]))
			return false;
	}
	return true;
}

static void see_that_all_move(unsigned long last[PROCS][THREADS])
{
	unsigned int p, t;

	for (p = 0; p < PROCS; p++) {
		for (t = 0; t < THREADS; t++) {
			unsigned long now = atomic_load(&live->beat[p][t]);

			if (now == last[p][t]) {
				who_hangs("a thread of a worker");
				check(false, "thread %u of process %u hangs",
				      t, p);
			}
			last[p][t] = now;
		}
	}
}

/* Until a load has begun and ended, or it is in vain. */
static void await_load(void)
{
	unsigned long loads = atomic_load(&live->count[N_loads]) + 2;
	uint64_t end = now_ms() + 1000 * live->pace;

	while (atomic_load(&live->count[N_loads]) < loads && now_ms() < end) {
		look_after();
		sleep_ms(5);
	}
}

void rage(struct rng *rng, uint64_t ms)
{
	static void *(*const operators[])(void *) = {
		seal_thread, load_thread, gate_thread, probe_thread,
	};
	unsigned long beats[PROCS][THREADS] = {};
	pthread_t thread[ARRAY_SIZE(operators)];
	uint64_t start = now_ms(), end, moved = start;
	unsigned int i;

	end = start + ms - rng_below(rng, ms / 4);
	for (i = 0; i < ARRAY_SIZE(operators); i++)
		must(-pthread_create(&thread[i], NULL, operators[i], NULL));
	while (now_ms() < end ||
	       (!teeth_shown() && now_ms() < start + FIRE_MOST * ms)) {
		sleep_ms((20 + rng_below(rng, 200)) * live->pace);
		atomic_store(&live->lull, true);
		sleep_ms(20 + rng_below(rng, 100));
		if (slow || !rng_below(rng, 3))
			await_load();
		atomic_store(&live->lull, false);
		look_after();
		if (now_ms() < moved + STILL_MS * (slow ? 2 : 1))
			continue;
		see_that_all_move(beats);
		moved = now_ms();
	}
	atomic_store(&live->stop, true);
	end = hang_time();
	for (i = 0; i < ARRAY_SIZE(operators); i++)
		while (pthread_tryjoin_np(thread[i], NULL))
			not_yet(end, "an operator");
	for (i = 0; i < PROCS; i++)
		wait_for(&live->ended, "a worker that should stop");
	while (child[PROCS] || child[PROCS + 1])
		not_yet(end, "a process beside the workers");
	report("fire_ms[]", "%llu", LL(now_ms() - start));
}

void new_live(void)
{
	live = mmap(NULL, sizeof(*live), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(live != MAP_FAILED, "mmap: errno %d", errno);
	live->pace = slow ? PACE_SLOW : 1;
	live->rarely = slow ? RARELY_SLOW : 32;
	must(sem_init(&live->ready, 1, 0) ? -errno : 0);
	must(sem_init(&live->go, 1, 0) ? -errno : 0);
	must(sem_init(&live->ended, 1, 0) ? -errno : 0);
	must(sem_init(&live->record, 1, 0) ? -errno : 0);
	must(sem_init(&live->recorded, 1, 0) ? -errno : 0);
}

void start_workers(const char *stuck_bdf)
{
	unsigned int p, q, c, m, t, d;

	fflush(NULL);
	for (p = 0; p < PROCS + 2; p++) {
		child[p] = must(fork());
		if (child[p])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (q = 0; q < PROCS; q++) {
			if (q == p)
				continue;
			for (c = 0; c < CTXS; c++)
				close(slots[q][c].fd);
			for (t = 0; t < THREADS; t++)
				for (d = 0; d < DEVS_OF(t); d++)
					close(dev_fd[q][t][d]);
		}
		if (p < PROCS)
			worker_main(p);
		while (sem_wait(&live->go))
			;
		if (p == PROCS)
			stuck_loop(stuck_bdf);
		churn_loop();
	}
	for (p = 0; p < PROCS; p++) {
		for (c = 0; c < CTXS; c++) {
			if (slots[p][c].fd < 0)
				continue;
			close(slots[p][c].fd);
			for (m = 0; m < MEMS; m++) {
				munmap(slots[p][c].mem[m].va, MEM_LEN);
				close(slots[p][c].mem[m].fd);
			}
		}
		for (t = 0; t < THREADS; t++)
			for (d = 0; d < DEVS_OF(t); d++)
				close(dev_fd[p][t][d]);
	}
}

void report_counts(void)
{
	unsigned int i;
	char key[32];

	for (i = 0; i < COUNTS_NR; i++) {
		snprintf(key, sizeof(key), "%s[]", count_names[i]);
		report(key, "%lu", atomic_load(&live->count[i]));
	}
	for (i = 0; i < TEETH; i++)
		check(atomic_load(&live->count[i]), "not one of %s",
		      count_names[i]);
}

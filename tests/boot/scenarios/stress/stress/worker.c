// SPDX-License-Identifier: GPL-2.0-only
/* A process, its threads, its sessions. */
#include "worker.h"

/* Objects may be made and unmade; the iommufd itself stays. */
static pthread_rwlock_t open_lock[CTXS] = {
	PTHREAD_RWLOCK_INITIALIZER, PTHREAD_RWLOCK_INITIALIZER,
};

static uint64_t mem_seed(unsigned int p, unsigned int c, unsigned int m)
{
	return state->seed ^ ((p * CTXS + c) * MEMS + m + 1);
}

static void fill_memory(const struct memory *mem, unsigned int p,
			unsigned int c, unsigned int m)
{
	struct rng rng = { mem_seed(p, c, m) };
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = rng_u64(&rng);
}

bool is_filled(const struct memory *mem, unsigned int p, unsigned int c,
	       unsigned int m)
{
	struct rng rng = { mem_seed(p, c, m) };
	const uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++) {
		if (word[i] != rng_u64(&rng))
			return false;
	}
	return true;
}

static void tidy_all(struct worker *w)
{
	for (w->c = 0; w->c < CTXS; w->c++) {
		pthread_rwlock_rdlock(&open_lock[w->c]);
		while (slots[w->p][w->c].fd >= 0 && tidy_one(w) &&
		       !atomic_load(&live->stop))
			;
		pthread_rwlock_unlock(&open_lock[w->c]);
	}
}

static void *change_thread(void *arg)
{
	struct worker *w = arg;
	bool tidied = false;
	unsigned int burst = 0;

	while (!atomic_load(&live->stop)) {
		atomic_fetch_add(&live->beat[w->p][w->t], 1);
		/* What cannot cross would be in the way for all of a lull. */
		if (!atomic_load(&live->lull)) {
			tidied = false;
		} else if (!tidied) {
			tidy_all(w);
			tidied = true;
		}
		if (pause_now(&w->rng, &burst))
			continue;
		w->c = rng_below(&w->rng, CTXS);
		pthread_rwlock_rdlock(&open_lock[w->c]);
		if (slots[w->p][w->c].fd >= 0)
			one_call(w);
		pthread_rwlock_unlock(&open_lock[w->c]);
	}
	return NULL;
}

/*
 * Pages of the KHO scratch areas move when they are pinned for long, and a
 * move that another pin is in the way of is ENOMEM on every kernel. So all of
 * them move here, once, with nobody in the way.
 */
static void settle_memory(const struct memory *mem, unsigned int nr)
{
	char name[NAME_LEN];
	int session;

	snprintf(name, sizeof(name), "stress-memory-%u", nr);
	session = must(luo_create(name));
	must(luo_preserve(session, mem->fd, TOKEN_MEMORY));
	close(session);
}

static void set_sealable(unsigned int p, unsigned int c, bool yes)
{
	atomic_store(&live->sealable[p][c], yes);
	atomic_fetch_add(&live->epoch[p][c], 1);
}

void preserve(unsigned int p, unsigned int c, struct rng *rng)
{
	struct a_ctx *model = &state->proc[p].ctx[c];
	struct slot *slot = &slots[p][c];
	unsigned int at = rng_below(rng, MEMS + 1), i;

	snprintf(model->name, sizeof(model->name), "stress-%u-%u-%u", p, c,
		 model->sessions++);
	slot->session = must(luo_create(model->name));
	for (i = 0; i <= MEMS; i++, at = (at + 1) % (MEMS + 1)) {
		if (at < MEMS) {
			must(luo_preserve(slot->session, slot->mem[at].fd,
					  TOKEN_MEMORY + at));
			continue;
		}
		set_sealable(p, c, true);
		must(luo_preserve(slot->session, slot->fd, TOKEN_IOMMUFD));
	}
	count(N_sessions);
}

static void unpreserve(unsigned int p, unsigned int c)
{
	close(slots[p][c].session);
	slots[p][c].session = -1;
	set_sealable(p, c, false);
}

/* Everything of an iommufd, session and devices included, in any order. */
static void close_all(unsigned int p, unsigned int c, struct rng *rng)
{
	unsigned int first = rng_below(rng, 3), i, t, d;
	struct a_proc *proc = &state->proc[p];

	pthread_rwlock_wrlock(&open_lock[c]);
	for (i = 0; i < 3; i++) {
		switch ((first + i) % 3) {
		case 0:
			if (slots[p][c].session >= 0)
				unpreserve(p, c);
			break;
		case 1:
			close(slots[p][c].fd);
			slots[p][c].fd = -1;
			proc->ctx[c].open = false;
			break;
		default:
			for (t = 0; t < THREADS; t++) {
				for (d = 0; d < DEVS_OF(t); d++) {
					if (proc->thread[t].dev[d].ctx != (int)c)
						continue;
					close(dev_fd[p][t][d]);
					dev_fd[p][t][d] = -1;
					proc->thread[t].dev[d].ctx = -1;
					proc->thread[t].dev[d].hwpt = 0;
				}
			}
		}
	}
	for (t = 0; t < THREADS; t++) {
		proc->thread[t].ioas_nr[c] = 0;
		proc->thread[t].hwpt_nr[c] = 0;
	}
	pthread_rwlock_unlock(&open_lock[c]);
}

static void open_ctx(unsigned int p, unsigned int c)
{
	pthread_rwlock_wrlock(&open_lock[c]);
	slots[p][c].fd = must(iommufd_open());
	state->proc[p].ctx[c].open = true;
	pthread_rwlock_unlock(&open_lock[c]);
	count(N_opens);
}

/* The first iommufd of the first process stays, so that the gate stays shut. */
static bool stays(unsigned int p, unsigned int c)
{
	return !p && !c;
}

static void *keeper_thread(void *arg)
{
	unsigned int p = *(unsigned int *)arg, c;
	struct rng rng = rng_for(100 + p);

	while (!atomic_load(&live->stop)) {
		sleep_ms(3 + rng_below(&rng, 60));
		if (atomic_load(&live->lull) &&
		    rng_below(&rng, live->rarely / 4))
			continue;
		c = rng_below(&rng, CTXS);
		if (slots[p][c].fd < 0)
			open_ctx(p, c);
		else if (slots[p][c].session < 0)
			preserve(p, c, &rng);
		else if (stays(p, c))
			continue;
		else if (rng_below(&rng, 12))
			unpreserve(p, c);
		else
			close_all(p, c, &rng);
	}
	return NULL;
}

void worker_main(unsigned int p)
{
	struct rng rng = rng_for(200 + p);
	struct worker workers[THREADS];
	pthread_t thread[THREADS + 1];
	unsigned int t, c, m;
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (c = 0; c < CTXS; c++) {
		for (m = 0; m < MEMS; m++) {
			if (slots[p][c].fd >= 0)
				continue;
			must(memory_create(&slots[p][c].mem[m], "stress",
					   MEM_LEN));
			fill_memory(&slots[p][c].mem[m], p, c, m);
			settle_memory(&slots[p][c].mem[m],
				      (p * CTXS + c) * MEMS + m);
		}
		if (slots[p][c].fd < 0)
			open_ctx(p, c);
	}
	if (stays(p, 0))
		preserve(p, 0, &rng);
	must(sem_post(&live->ready) ? -errno : 0);
	while (sem_wait(&live->go))
		;
	for (t = 0; t < THREADS; t++) {
		workers[t] = (struct worker) {
			.p = p,
			.t = t,
			.rng = rng_for(p * THREADS + t),
			.model = &state->proc[p].thread[t],
		};
		must(-pthread_create(&thread[t], NULL, change_thread,
				     &workers[t]));
	}
	must(-pthread_create(&thread[THREADS], NULL, keeper_thread, &p));
	for (t = 0; t <= THREADS; t++)
		must(-pthread_join(thread[t], NULL));
	sem_post(&live->ended);

	while (sem_wait(&live->record))
		;
	for (c = 0; c < CTXS; c++)
		settle(p, c, &rng);
	null = must(open("/dev/null", O_RDWR | O_CLOEXEC));
	fflush(NULL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	sem_post(&live->recorded);
	for (;;)
		pause();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress NUMBER - NUMBER is 0 before the first kexec
 *
 * Three processes change iommufds, open and close them, preserve them and take
 * them out of their sessions, as fast as they can and led by one seed; others
 * get stuck in a page fault or are killed; and an operator seals, unseals and
 * loads. They are stopped somewhere, what they left is noted by their own
 * model and handed over, compared in the next kernel, and they go on there.
 *
 *	stress.seed=N	on the kernel's command line: the seed
 *	stress.ms=N	how long they run, milliseconds
 */
#include <sys/random.h>

#include "operator.h"
#include "worker.h"

#define FIRE_MS		5000

static struct memory state_mem;

static void run_stage(void)
{
	struct rng rng = rng_for(600);
	char stuck_bdf[PCI_BDF_LEN];
	unsigned int p, crosses = 0, c, i;
	int session, dev;

	dev_bdf(STUCK_DEV, stuck_bdf);
	new_live();
	start_workers(stuck_bdf);
	for (p = 0; p < PROCS; p++)
		wait_for(&live->ready, "a worker that should start");
	test_stuck(stuck_bdf);
	/* What counts is what happens in the race. */
	for (i = 0; i < COUNTS_NR; i++)
		atomic_store(&live->count[i], 0);
	for (p = 0; p < PROCS + 2; p++)
		sem_post(&live->go);
	rage(&rng, boot_option("stress.ms=", FIRE_MS));

	dev = must(handover_open());
	unseal(dev);
	must(load_plain(false));
	for (p = 0; p < PROCS; p++)
		sem_post(&live->record);
	for (p = 0; p < PROCS; p++)
		wait_for(&live->recorded, "a worker that takes stock");
	report_counts();
	session = must(luo_create(STATE_SESSION));
	must(luo_preserve(session, state_mem.fd, TOKEN_MEMORY));
	must_snapshot(dev, "at the end");
	for (p = 0; p < PROCS; p++)
		for (c = 0; c < CTXS; c++)
			crosses += state->proc[p].ctx[c].crosses;
	report("crossing[]", "%u", crosses);
	close(dev);
	background_ready();
}

static void setup(void)
{
	unsigned int p, c, t, d, nr = PROCS, i;
	char bdf[PCI_BDF_LEN];

	must(memory_create(&state_mem, "state", STATE_LEN));
	state = state_mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	check(getrandom(&state->seed, sizeof(state->seed), 0) ==
	      sizeof(state->seed), "no random numbers");
	state->seed = boot_option("stress.seed=", state->seed >> 16);
	report("seed", "%llu", LL(state->seed));
	for (i = 0; i < ALL_DEVS; i++) {
		dev_bdf(i, bdf);
		must(vfio_claim(bdf));
	}
	for (p = 0; p < PROCS; p++) {
		for (t = 0; t < THREADS; t++) {
			for (d = 0; d < DEVS_OF(t); d++) {
				struct a_dev *dev =
					&state->proc[p].thread[t].dev[d];

				dev_bdf(can_copy(t, d) ? p : nr++, dev->bdf);
				dev->ctx = -1;
				dev_fd[p][t][d] = -1;
			}
		}
		for (c = 0; c < CTXS; c++)
			slots[p][c].fd = slots[p][c].session = -1;
	}
}

/* Takes back, compares, and compares with a model that is not true. */
struct back {
	unsigned int p;
	struct ctx ctx[CTXS];
	int session[CTXS];
	unsigned int differs, controls, devices, maps;
};

static void *back_thread(void *arg)
{
	struct back *b = arg;
	struct rng rng = rng_for(700 + b->p);
	unsigned int c, first;
	uint32_t d, n;

	for (c = 0; c < CTXS; c++) {
		slots[b->p][c].fd = slots[b->p][c].session = -1;
		if (!state->proc[b->p].ctx[c].crosses)
			continue;
		b->session[c] = take_ctx(b->p, c, &b->ctx[c], &rng);
		b->differs += ctx_verify(&b->ctx[c], false);
		if (!b->differs && !c)
			b->controls += ctx_control(&b->ctx[c], false, &rng);
	}
	for (c = 0; !b->differs && c < CTXS; c++) {
		if (!state->proc[b->p].ctx[c].crosses)
			continue;
		n = b->ctx[c].want->dev_nr;
		first = n ? rng_below(&rng, n) : 0;
		for (d = 0; d < n; d++) {
			must_fail(EBUSY, luo_finish(b->session[c]));
			b->differs += !ctx_rebind(&b->ctx[c], (first + d) % n);
		}
		b->differs += ctx_verify(&b->ctx[c], true);
		b->devices += n;
		b->maps += ctx_areas(&b->ctx[c]);
		if (!b->differs)
			b->controls += ctx_control(&b->ctx[c], true, &rng);
	}
	return NULL;
}

static void verify(unsigned int nr)
{
	int session = must(luo_retrieve(STATE_SESSION)), p;
	unsigned int c, d, t, controls = 0, devices = 0, maps = 0, looks = 0;
	struct back back[PROCS] = {};
	pthread_t thread[PROCS];
	char bdf[PCI_BDF_LEN];
	unsigned int differs = 0;
	struct rng rng;

	must(memory_adopt(&state_mem, must(luo_restore(session, TOKEN_MEMORY))));
	must(luo_finish(session));
	close(session);
	state = state_mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state) &&
	      state->kexecs == nr - 1, "this is not the memory of kexec %u",
	      nr - 1);
	state->kexecs = nr;
	rng = rng_for(601);
	for (d = 0; d < ALL_DEVS; d++) {
		dev_bdf(d, bdf);
		must(vfio_claim(bdf));
	}
	/* All at once: sessions, iommufds and devices of one do not wait. */
	for (p = 0; p < PROCS; p++) {
		back[p].p = p;
		must(-pthread_create(&thread[p], NULL, back_thread, &back[p]));
	}
	for (p = 0; p < PROCS; p++) {
		must(-pthread_join(thread[p], NULL));
		differs += back[p].differs;
		controls += back[p].controls;
		devices += back[p].devices;
		maps += back[p].maps;
	}
	report("ids_identical", "%s", differs ? "false" : "true");
	report("maps_identical", "%s", differs ? "false" : "true");
	check(!differs, "%u differences", differs);
	check(controls, "no difference was made to be seen");

	/* Nothing was finished: the gate stays shut for that alone. */
	must(load_plain(true));
	must_fail(EBUSY, jump());
	must(load_plain(false));
	for (p = 0; p < PROCS; p++) {
		for (c = 0; c < CTXS; c++) {
			struct ctx *ctx = &back[p].ctx[c];

			if (!state->proc[p].ctx[c].crosses)
				continue;
			for (d = 0; d < ctx->want->dev_nr; d++)
				looks += look_through(ctx, d,
					state->proc[p].thread[0].dev[0].bdf,
					&rng);
			must(luo_finish(back[p].session[c]));
			close(back[p].session[c]);
		}
		for (t = 0; t < THREADS; t++)
			take_thread(p, t, back[p].ctx);
	}
	report("controls[]", "%u", controls);
	report("devices[]", "%u", devices);
	report("maps_back[]", "%u", maps);
	report("looks[]", "%u", looks);
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: stress NUMBER");
	nr = atoi(argv[1]);
	background();
	slow = debug_kernel();
	if (nr)
		verify(nr);
	else
		setup();
	run_stage();
}

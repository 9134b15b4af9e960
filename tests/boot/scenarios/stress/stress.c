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
#include <glob.h>
#include <sys/random.h>

#include "operator.h"
#include "record.h"
#include "beside.h"

#define FIRE_MS		5000
/* It goes on until everything that has to happen has, but not for ever. */
#define FIRE_MOST	20
/* The debug kernel's loaders need so much longer to come to their seals. */
#define PACE_SLOW	10
#define RARELY_SLOW	10000
/* Nothing here takes long but for one that hangs. */
#define HANG_MS		30000

static struct memory state_mem;
static pid_t child[PROCS + 2];
static bool slow;

/* ---- small parts -------------------------------------------------------- */

/*
 * One device of each process can copy memory. The others have no interrupt
 * line: enabling one takes ACPI's interpreter, which is slower than all else.
 */
static void dev_bdf(unsigned int nr, char bdf[PCI_BDF_LEN])
{
	if (nr < PROCS)
		must(pci_find(EDU_VENDOR, EDU_DEVICE, nr, bdf));
	else
		must(pci_find(TEST_VENDOR, TEST_DEVICE, nr - PROCS, bdf));
}

/* Ends the run when a child has; they all stay until the jump. */
static void look_after(void)
{
	unsigned int i;
	int status;

	check(!atomic_load(&live->failed), "see above");
	for (i = 0; i < ARRAY_SIZE(child); i++) {
		if (!child[i] || !waitpid(child[i], &status, WNOHANG))
			continue;
		check(i >= PROCS && atomic_load(&live->stop) && !status,
		      "process %u ended with 0x%x", i, status);
		child[i] = 0;
	}
}

static void print_file(const char *path)
{
	char text[2048];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (n > 0)
		say("%s: %s", path, text);
}

/* Where every thread of every process is. */
static void who_hangs(const char *what)
{
	static const char *const names[] = { "comm", "wchan", "syscall", "stack" };
	char path[300], exe;
	unsigned int i;
	glob_t tasks;
	size_t t;

	say("%s hangs", what);
	if (glob("/proc/[0-9]*/task/[0-9]*", 0, NULL, &tasks))
		return;
	for (t = 0; t < tasks.gl_pathc; t++) {
		/* Kernel threads have nothing to read there. */
		snprintf(path, sizeof(path), "%s/exe", tasks.gl_pathv[t]);
		if (readlink(path, &exe, 1) < 0)
			continue;
		for (i = 0; i < ARRAY_SIZE(names); i++) {
			snprintf(path, sizeof(path), "%s/%s",
				 tasks.gl_pathv[t], names[i]);
			print_file(path);
		}
	}
	globfree(&tasks);
}

static uint64_t hang_time(void)
{
	return now_ms() + HANG_MS * (slow ? 5 : 1);
}

static void not_yet(uint64_t end, const char *what)
{
	look_after();
	if (now_ms() > end) {
		who_hangs(what);
		check(false, "%s hangs", what);
	}
	sleep_ms(5);
}

static void wait_for(sem_t *sem, const char *what)
{
	uint64_t end = hang_time();

	while (sem_trywait(sem))
		not_yet(end, what);
}

/* ---- a map that is stuck ------------------------------------------------ */

static int to_stuck, from_stuck;

/* In its own process: does what it is told by one letter, and answers. */
static void stuck_process(const char *bdf)
{
	struct stuck s;
	char letter;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stuck_open(&s, bdf);
	while (read(to_stuck, &letter, 1) == 1) {
		switch (letter) {
		case 'b':
			stuck_begin(&s);
			break;
		case 'i':
			if (s.session < 0)
				s.session = must(luo_create(STUCK_SESSION));
			must(luo_preserve(s.session, s.iommufd, TOKEN_IOMMUFD));
			break;
		case 'm':
			must(luo_preserve(s.session, s.memfd, TOKEN_MEMORY));
			break;
		case 's':
			stuck_serve(&s);
			break;
		case 'e':
			stuck_close(&s);
			break;
		}
		check(write(from_stuck, &letter, 1) == 1, "nobody listens");
	}
	exit(0);
}

static void tell_stuck(char letter)
{
	struct pollfd poller = { .fd = from_stuck, .events = POLLIN };
	char answer;

	check(write(to_stuck, &letter, 1) == 1, "the stuck process is gone");
	check(poll(&poller, 1, HANG_MS * (slow ? 5 : 1)) == 1 &&
	      read(from_stuck, &answer, 1) == 1 && answer == letter,
	      "the stuck process does not answer to '%c'", letter);
}

static pid_t start_stuck(const char *bdf)
{
	int down[2], up[2];
	pid_t pid;

	must(pipe2(down, O_CLOEXEC) ? -errno : 0);
	must(pipe2(up, O_CLOEXEC) ? -errno : 0);
	pid = must(fork());
	to_stuck = pid ? down[1] : down[0];
	from_stuck = pid ? up[0] : up[1];
	close(pid ? down[0] : down[1]);
	close(pid ? up[1] : up[0]);
	if (!pid)
		stuck_process(bdf);
	return pid;
}

static void must_snapshot(int dev, const char *when)
{
	char sentence[SENTENCE_LEN];
	uint64_t start = now_ms();
	int err = handover_snapshot(dev, sentence, NULL);

	check(!err, "SNAPSHOT %s: %s, \"%s\"", when, strerror(-err), sentence);
	check(now_ms() - start < (slow ? 30000 : 10000), "SNAPSHOT %s took %llu ms",
	      when, LL(now_ms() - start));
}

/* Both calls name the iommufd that is in the middle of one. */
static void must_wait(int dev)
{
	static const char *const expected[] = {
		"session \"" STUCK_SESSION "\" token 1: the iommufd is in the middle of a call; try again",
		NULL
	};
	static char page[GUEST_PAGE];
	struct iommu_handover_query query;
	char sentence[SENTENCE_LEN];

	must_fail(EAGAIN, handover_snapshot(dev, sentence, NULL));
	check(matches(sentence, expected), "SNAPSHOT says: %s", sentence);
	must(handover_query(dev, &query, sentence));
	must_fail(EAGAIN, handover_seal(dev, query.generation, page,
					sizeof(page), sentence));
	check(matches(sentence, expected), "SEAL says: %s", sentence);
}

/* What a stuck map must not stop: other iommufds, sessions, kexec -u. */
static void others_go_on(void)
{
	char output[OUTPUT_LEN];
	char *argv[] = { "kexec", "-u", NULL };
	int iommufd = must(iommufd_open()), session;
	uint64_t start = now_ms(), iova = 0;
	struct memory mem;
	uint32_t ioas;

	must(memory_create(&mem, "other", GUEST_PAGE));
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem.fd, 0, mem.len, &iova, IOVA_RW));
	session = must(luo_create("stress-other"));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	close(session);
	close(iommufd);
	munmap(mem.va, mem.len);
	close(mem.fd);
	check(!run_program(output, argv), "kexec -u: %s", output);
	check(now_ms() - start < (slow ? 50000 : 10000),
	      "others took %llu ms beside a stuck map", LL(now_ms() - start));
}

/*
 * Nobody else does anything yet, but the first iommufd is preserved. Each
 * outcome is certain.
 */
static void test_stuck(const char *bdf)
{
	int dev = must(handover_open()), status;
	char output[OUTPUT_LEN];
	uint64_t start;
	pid_t pid;

	must_snapshot(dev, "at first");
	pid = start_stuck(bdf);
	tell_stuck('b');
	must_snapshot(dev, "beside a stuck map");
	check(load_handover(false, KILL_NEVER), "no seal beside a stuck map");
	others_go_on();
	/* Preserved in the middle of its call. */
	tell_stuck('i');
	must_wait(dev);
	others_go_on();
	if (!state->kexecs) {
		must_wait(dev);
		check(load_kernel(output, true, NULL),
		      "loaded with a map stuck: %s", output);
		check(strstr(output, "the iommufd is in the middle of a call"),
		      "kexec says: %s", output);
	}
	tell_stuck('s');
	tell_stuck('m');
	must_snapshot(dev, "behind a stuck map");
	check(load_handover(false, KILL_NEVER), "no seal behind a stuck map");
	tell_stuck('e');
	must_snapshot(dev, "without it");
	close(to_stuck);
	close(from_stuck);
	must(waitpid(pid, &status, 0));
	check(!status, "the stuck process ended with 0x%x", status);

	/* Killed in the middle of its call, preserved. */
	pid = start_stuck(bdf);
	tell_stuck('i');
	tell_stuck('b');
	must_wait(dev);
	start = now_ms();
	kill(pid, SIGKILL);
	must(waitpid(pid, &status, 0));
	check(WIFSIGNALED(status) && now_ms() - start < (slow ? 50000 : 10000),
	      "a process with a stuck map ended with 0x%x after %llu ms",
	      status, LL(now_ms() - start));
	close(to_stuck);
	close(from_stuck);
	must_snapshot(dev, "behind a killed one");
	check(load_handover(false, KILL_NEVER), "no seal behind a killed stuck map");
	close(dev);
}

/* ---- fire --------------------------------------------------------------- */

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

/* Bursts and lulls; the end is at a random point. */
static void rage(struct rng *rng, uint64_t ms)
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
		if (now_ms() < moved + HANG_MS * (slow ? 2 : 1))
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

static void new_live(void)
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

/* From here on the worker processes have the files, and nobody else. */
static void start_workers(const char *stuck_bdf)
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

static void report_counts(void)
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

static void run_stage(void) __attribute__((noreturn));

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

/* ---- before the first kexec and after each ------------------------------ */

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

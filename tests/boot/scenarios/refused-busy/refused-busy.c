// SPDX-License-Identifier: GPL-2.0-only
/*
 * busy NUMBER - NUMBER is 0 before the first kexec
 *
 * A context with one device, "main", goes through the kexec. Before that calls
 * on another are held half way, in page faults that wait for us: SNAPSHOT and
 * SEAL give EAGAIN and say what is busy, kexec(8) goes on trying, gives up
 * after five seconds, and gets through when the call ends in time.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/reboot.h>

#include <linux/liveupdate.h>

#include "side.h"
#include "trap.h"

#define LOADER_TRIES_MS	5000	/* docs/messages.md */
#define CHANGING_LEN	(32ULL << 20)
#define PATIENCE_MS	60000

/* ---- what is busy -------------------------------------------------------- */

static void want_seal_busy(const char *what, const char *words)
{
	static uint64_t image[512];
	char sentence[SENTENCE_LEN];
	int err = handover_seal(handover, handover_number("generation"), image,
				sizeof(image), sentence);

	tally_one(err == -EAGAIN && strstr(sentence, words), false,
		  "SEAL and %s: %s: %s", what, strerror(-err), sentence);
}

/* The loader gives up, but not before its time. */
static void want_loader_tries(const char *what, const char *words)
{
	uint64_t start = now_ms();
	char output[OUTPUT_LEN];
	int status = load_kernel(output, true, NULL);

	tally_one(status && strstr(output, words) &&
		  now_ms() - start >= LOADER_TRIES_MS &&
		  handover_state_is("open"), false,
		  "kexec -l and %s for %llu ms: %d: %s", what,
		  LL(now_ms() - start), status, output);
}

struct stuck {
	pthread_t thread, behind;
	pid_t behind_tid;
	struct trap trap;
	struct side *side;
	const char *words;
	int err, behind_err;
};

static void *map_thread(void *arg)
{
	struct stuck *st = arg;

	st->err = map_user(st->side->fd, st->side->ioas, st->trap.page,
			   GUEST_PAGE, CASE_IOVA);
	return NULL;
}

static void *name_thread(void *arg)
{
	struct stuck *st = arg;
	struct liveupdate_session_get_name *cmd = (void *)st->trap.page;

	st->err = call(st->side->session, LIVEUPDATE_SESSION_GET_NAME, cmd);
	return NULL;
}

/* Holds the IOVAs of its IOAS for reading while it waits. */
static void *ranges_thread(void *arg)
{
	struct stuck *st = arg;
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = st->side->ioas,
		.num_iovas = GUEST_PAGE / sizeof(struct iommu_iova_range),
		.allowed_iovas = (uintptr_t)st->trap.page,
	};

	st->err = call(st->side->fd, IOMMU_IOAS_IOVA_RANGES, &cmd);
	return NULL;
}

/* Wants them for writing; whoever reads after that would wait for both. */
static void *process_thread(void *arg)
{
	struct stuck *st = arg;
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	__atomic_store_n(&st->behind_tid, gettid(), __ATOMIC_RELEASE);
	st->behind_err = call(st->side->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
	return NULL;
}

/* Until a thread of ours sleeps in the kernel and cannot be disturbed. */
static void wait_asleep(pid_t *tid)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	char path[64], state = 0;

	while (state != 'D') {
		FILE *f;

		check(now_ms() < end, "the thread behind does not wait");
		sleep_ms(20);
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat",
			 __atomic_load_n(tid, __ATOMIC_ACQUIRE));
		f = fopen(path, "re");
		if (!f)
			continue;
		check(fscanf(f, "%*d (%*[^)]) %c", &state) == 1, "%s", path);
		fclose(f);
	}
}

/* Once kexec(8) has been told that it is busy. */
static void *open_later(void *arg)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	struct stuck *st = arg;
	char sentence[SENTENCE_LEN];

	do {
		check(now_ms() < end, "kexec is not told: %s", sentence);
		sleep_ms(20);
		handover_attr("last_refusal", sentence);
	} while (!strstr(sentence, st->words));
	trap_open(&st->trap);
	return NULL;
}

static void held(const char *what, struct side *s, uint64_t mode,
		 void *(*thread)(void *), void *(*behind)(void *),
		 const char *words)
{
	struct stuck st = { .side = s };
	struct liveupdate_session_get_name *cmd;
	char output[OUTPUT_LEN], sentence[SENTENCE_LEN];
	pthread_t later;
	int err;

	/* Else what the last snapshot has found would do */
	must_fail(ENOENT, ioas_unmap(s->fd, s->ioas, CASE_IOVA, GUEST_PAGE, NULL));
	trap_set(&st.trap, mode);
	if (mode == UFFDIO_REGISTER_MODE_WP) {
		trap_write_protect(&st.trap, false);
		cmd = (void *)st.trap.page;
		cmd->size = sizeof(*cmd);
		trap_write_protect(&st.trap, true);
	}
	check(!pthread_create(&st.thread, NULL, thread, &st), "no thread");
	trap_wait(&st.trap);
	if (behind) {
		check(!pthread_create(&st.behind, NULL, behind, &st),
		      "no thread");
		wait_asleep(&st.behind_tid);
	}
	err = handover_snapshot(handover, sentence, NULL);
	tally_one(err == -EAGAIN && strstr(sentence, words) &&
		  noted(EAGAIN, sentence), false, "SNAPSHOT and %s: %s: %s",
		  what, strerror(-err), sentence);
	want_seal_busy(what, words);
	want_loader_tries(what, words);
	/* And once it ends in time. */
	st.words = words;
	forget_refusal();
	check(!pthread_create(&later, NULL, open_later, &st), "no thread");
	check(!load_kernel(output, true, NULL), "kexec -l: %s", output);
	check(handover_state_is("sealed"), "nothing is sealed");
	pthread_join(later, NULL);
	pthread_join(st.thread, NULL);
	check(st.err == (mode == UFFDIO_REGISTER_MODE_WP ? 0 : -EFAULT),
	      "the call that was held: %s", strerror(-st.err));
	if (behind) {
		pthread_join(st.behind, NULL);
		check(!st.behind_err, "the call behind: %s",
		      strerror(-st.behind_err));
	}
	if (mode == UFFDIO_REGISTER_MODE_WP)
		trap_end(&st.trap);
	unload_kernel();
	want_fine(what);
}

static void *jump_thread(void *arg)
{
	struct stuck *st = arg;

	__atomic_store_n(&st->behind_tid, gettid(), __ATOMIC_RELEASE);
	st->behind_err = reboot(RB_KEXEC) < 0 ? -errno : 0;
	return NULL;
}

/*
 * The gate has let the jump through, which now waits for a session's call, and
 * the seal is undone: what the gate let through is no longer there.
 */
static void undone_behind_the_gate(struct side *s)
{
	struct stuck st = { .side = s };
	struct liveupdate_session_get_name *cmd;
	char output[OUTPUT_LEN], sentence[SENTENCE_LEN], words[SENTENCE_LEN];

	trap_set(&st.trap, UFFDIO_REGISTER_MODE_WP);
	trap_write_protect(&st.trap, false);
	cmd = (void *)st.trap.page;
	cmd->size = sizeof(*cmd);
	check(!load_kernel(output, true, NULL), "kexec -l: %s", output);
	trap_write_protect(&st.trap, true);
	check(!pthread_create(&st.thread, NULL, name_thread, &st), "no thread");
	trap_wait(&st.trap);
	check(!pthread_create(&st.behind, NULL, jump_thread, &st), "no thread");
	wait_asleep(&st.behind_tid);
	close(s->dev);
	s->dev = -1;
	check(handover_state_is("open"), "the seal stands");
	trap_open(&st.trap);
	pthread_join(st.thread, NULL);
	pthread_join(st.behind, NULL);
	trap_end(&st.trap);
	check(!st.err, "the call that was held: %s", strerror(-st.err));
	handover_attr("last_refusal", sentence);
	snprintf(words, sizeof(words),
		 "the seal was undone while the kexec began (session \"side\" token 2: device %u (%s) was detached or closed); load again",
		 s->dev_id, s->bdf);
	tally_one(st.behind_err == -EBUSY && !strcmp(sentence, words) &&
		  noted(EBUSY, sentence), false,
		  "a device closed between gate and freeze: %s: %s",
		  strerror(-st.behind_err), sentence);
	unload_kernel();
	want_fine("a jump that had begun");
	side_bind(s);
	side_attach(s);
	check(!load_kernel(output, true, NULL), "kexec -l: %s", output);
	unload_kernel();
}

#define HOLD_CLOSE	"/sys/kernel/debug/iommu_handover/hold_close"

static void *close_thread(void *arg)
{
	struct stuck *st = arg;

	close(st->side->dev);
	return NULL;
}

/* As a driver that resets its device at the close, and takes long for it. */
static void slow_close(struct side *s)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	struct stuck st = { .side = s };
	char sentence[SENTENCE_LEN], held[16] = "", words[128];
	char undone[128];
	uint32_t pt = s->ioas;
	int err;

	close(s->dev);
	must(vfio_claim_by(s->bdf, "vfio-handover-test"));
	s->dev = must(vfio_open(s->bdf));
	must(vfio_bind(s->dev, s->fd, &s->dev_id));
	must(vfio_attach(s->dev, &pt));
	snprintf(words, sizeof(words),
		 "device %u (%s) is being unbound or reset; close it or try again",
		 s->dev_id, s->bdf);
	snprintf(undone, sizeof(undone),
		 "nothing is sealed; the last seal was undone (session \"side\" token 2: device %u (%s) was detached or closed)",
		 s->dev_id, s->bdf);
	seal();
	must(write_text(HOLD_CLOSE, "1"));
	check(!pthread_create(&st.thread, NULL, close_thread, &st),
	      "no thread");
	while (strcmp(held, "1")) {
		check(now_ms() < end, "the device is not closed");
		sleep_ms(20);
		read_line(HOLD_CLOSE, held, sizeof(held));
	}
	/* First of all, or the machine would jump */
	check(handover_state_is("open"),
	      "sealed while a device of it is closed");
	want_no_jump("a device that is being closed", EBUSY, undone);
	unload_kernel();
	err = handover_snapshot(handover, sentence, NULL);
	tally_one(err == -EAGAIN && strstr(sentence, words) &&
		  noted(EAGAIN, sentence), false,
		  "SNAPSHOT and a device that is being closed: %s: %s",
		  strerror(-err), sentence);
	want_loader_tries("a device that is being closed", words);
	read_line(HOLD_CLOSE, held, sizeof(held));
	check(!strcmp(held, "1"), "the device was closed meanwhile");
	must(write_text(HOLD_CLOSE, "0"));
	pthread_join(st.thread, NULL);
	s->dev = -1;
	want_fine("a device that was being closed");
	side_bind(s);
	side_attach(s);
}

static void *seal_thread(void *arg)
{
	struct stuck *st = arg;
	char sentence[SENTENCE_LEN];

	st->err = handover_seal(handover, handover_number("generation"),
				st->trap.page, GUEST_PAGE, sentence);
	return NULL;
}

/*
 * SEAL waits for a page of its image. What it has copied so far is preserved:
 * a jump would leave it to the next kernel.
 */
static void copying(void)
{
	struct stuck st = { };
	char output[OUTPUT_LEN];

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("without a seal", EBUSY, "nothing is sealed");
	trap_set(&st.trap, UFFDIO_REGISTER_MODE_MISSING);
	check(!pthread_create(&st.thread, NULL, seal_thread, &st),
	      "no thread");
	trap_wait(&st.trap);
	want_no_jump("while SEAL copies", EBUSY,
		     "an image is being copied for SEAL; wait for that, then jump");
	trap_open(&st.trap);
	pthread_join(st.thread, NULL);
	tally_one(st.err == -EFAULT, false, "SEAL of an image that went away: %s",
		  strerror(-st.err));
	want_no_jump("after SEAL has failed", EBUSY, "nothing is sealed");
	unload_kernel();
	want_fine("a SEAL that waited");
}

/*
 * A process that mapped its memory by address has its address space locked
 * nearly all of the time.
 */
static void changing(struct side *s)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	char sentence[SENTENCE_LEN];
	int pipefd[2], err, tries;
	char byte;
	pid_t pid;

	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		char *va = map_shared(s->mem.fd, 4 * GUEST_PAGE, GUEST_PAGE);
		char *much = mmap(NULL, CHANGING_LEN, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		madvise(much, CHANGING_LEN, MADV_NOHUGEPAGE);
		memset(much, 1, CHANGING_LEN);
		must(map_user(s->fd, s->ioas, va, GUEST_PAGE, CASE_IOVA));
		must(write(pipefd[1], "r", 1));
		for (;;) {
			mprotect(much, CHANGING_LEN, PROT_READ);
			mprotect(much, CHANGING_LEN, PROT_READ | PROT_WRITE);
		}
	}
	close(pipefd[1]);
	check(read(pipefd[0], &byte, 1) == 1, "the child has failed");
	close(pipefd[0]);
	for (tries = 1;; tries++) {
		err = handover_snapshot(handover, sentence, NULL);
		if (err || now_ms() > end)
			break;
	}
	tally_one(err == -EAGAIN && strstr(sentence, IOVA(CASE_IOVA)) &&
		  strstr(sentence, "its process is changing its memory") &&
		  noted(EAGAIN, sentence), false,
		  "SNAPSHOT and mprotect, try %d: %s: %s", tries,
		  strerror(-err), sentence);
	kill(pid, SIGSTOP);
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0));
	must(ioas_unmap(s->fd, s->ioas, CASE_IOVA, GUEST_PAGE, NULL));
	want_fine("a process that changes its memory");
}

static void cases(void)
{
	struct side s;

	side_open(&s);
	side_bind(&s);
	side_attach(&s);
	held("a map in a page fault", &s, UFFDIO_REGISTER_MODE_MISSING,
	     map_thread, NULL, "session \"side\" token 2: the iommufd is in the middle of a call; try again");
	held("a look at IOVA ranges in a page fault and a writer behind it",
	     &s, UFFDIO_REGISTER_MODE_WP, ranges_thread, process_thread,
	     text_of("IOAS %llu is in the middle of a call; try again",
		     LL(s.ioas)));
	held("a session's call", &s, UFFDIO_REGISTER_MODE_WP, name_thread,
	     NULL, "a live update session is in the middle of a call; try again");
	copying();
	changing(&s);
	slow_close(&s);
	undone_behind_the_gate(&s);
	side_close(&s);
}

int main(int argc, char **argv)
{
	side_main(argc, argv, 1, cases);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Processes beside the one that decides. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "hostage.h"

#define PATIENCE_MS	30000

/* Return: the status of @pid, which has to end now. */
static int end_of(pid_t pid, const char *what)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	int status;
	pid_t got;

	while (!(got = waitpid(pid, &status, WNOHANG))) {
		check(now_ms() < end, "%s: waits for more than %u ms", what,
		      PATIENCE_MS);
		sleep_ms(5);
	}
	must(got < 0 ? -errno : 0);
	return status;
}

long in_time(const char *what, long (*fn)(void *arg), void *arg)
{
	long *result = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start = now_ms();
	int status;
	long value;
	pid_t pid;

	check(result != MAP_FAILED, "mmap: %s", strerror(errno));
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		*result = fn(arg);
		fflush(NULL);
		_exit(0);
	}
	status = end_of(pid, what);
	check(!status, "%s: the process ended with 0x%x", what, status);
	value = *result;
	munmap(result, GUEST_PAGE);
	say("%s: %ld after %llu ms", what, value,
	    (unsigned long long)(now_ms() - start));
	return value;
}

static void *held_thread(void *arg)
{
	struct held *h = arg;

	return (void *)(intptr_t)h->call(h);
}

static void held_process(struct held *h)
{
	pthread_t thread;
	void *result;
	char letter;
	int value;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	trap_set(&h->trap, UFFDIO_REGISTER_MODE_WP);
	if (h->begin)
		h->begin(h);
	check(!pthread_create(&thread, NULL, held_thread, h), "no thread");
	trap_wait(&h->trap);
	must(write(h->from, "r", 1));
	must(read(h->to, &letter, 1));
	trap_open(&h->trap);
	pthread_join(thread, &result);
	value = (intptr_t)result;
	must(write(h->from, &value, sizeof(value)));
	/* The call's work is undone by the caller, not by the exit */
	must(read(h->to, &letter, 1));
	_exit(0);
}

static void wait_for(struct held *h, void *data, size_t len)
{
	struct pollfd poller = { .fd = h->from, .events = POLLIN };

	check(poll(&poller, 1, PATIENCE_MS) == 1 &&
	      read(h->from, data, len) == (ssize_t)len,
	      "%s: no answer from the process with the trap", h->part->name);
}

void held_start(struct held *h)
{
	int down[2], up[2];
	char letter;

	must(pipe2(down, O_CLOEXEC) ? -errno : 0);
	must(pipe2(up, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	h->pid = must(fork());
	h->to = h->pid ? down[1] : down[0];
	h->from = h->pid ? up[0] : up[1];
	close(h->pid ? down[0] : down[1]);
	close(h->pid ? up[1] : up[0]);
	if (!h->pid)
		held_process(h);
	wait_for(h, &letter, 1);
}

static void held_end(struct held *h)
{
	end_of(h->pid, h->part->name);
	close(h->to);
	close(h->from);
}

int held_answer(struct held *h)
{
	int value;

	must(write(h->to, "a", 1));
	wait_for(h, &value, sizeof(value));
	must(write(h->to, "e", 1));
	held_end(h);
	return value;
}

void held_kill(struct held *h)
{
	kill(h->pid, SIGKILL);
	held_end(h);
}

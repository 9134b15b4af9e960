// SPDX-License-Identifier: GPL-2.0-only
/* What a map that is stuck in a page fault holds up, and what it does not. */
#include <poll.h>

#include "beside.h"
#include "operator.h"

#define ANSWER_MS	30000

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
	check(poll(&poller, 1, ANSWER_MS * (slow ? 5 : 1)) == 1 &&
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

void test_stuck(const char *bdf)
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

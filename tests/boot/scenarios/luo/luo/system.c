// SPDX-License-Identifier: GPL-2.0-only
/* What is asked of the system, and how a case interferes with it. */
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "luo.h"

#define PINNED_MS	60000

unsigned int fact(const char *name)
{
	return handover_number(name);
}

/* Nobody waits for it but FINISH. */
void want_pinned(unsigned int pages)
{
	uint64_t end = now_ms() + PINNED_MS;

	while (fact("incoming/pages_pinned") != pages) {
		check(now_ms() < end, "%u pages are pinned, not %u",
		      fact("incoming/pages_pinned"), pages);
		sleep_ms(5);
	}
}

void refusal_says(uint64_t token, const char *words)
{
	char have[SENTENCE_LEN], begin[64];

	handover_attr("last_refusal", have);
	snprintf(begin, sizeof(begin), " token %llu: ",
		 (unsigned long long)token);
	check(strstr(have, begin) && strstr(have, words),
	      "not \"%s\": the sentence is \"%s\"", words, have);
}

void capability(unsigned int cap, bool on)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	check(!syscall(SYS_capget, &head, data), "capget: errno %d", errno);
	if (on)
		data[cap / 32].effective |= 1U << cap % 32;
	else
		data[cap / 32].effective &= ~(1U << cap % 32);
	check(!syscall(SYS_capset, &head, data), "capset: errno %d", errno);
}

void memlock_limit(uint64_t bytes)
{
	struct rlimit limit;

	check(!getrlimit(RLIMIT_MEMLOCK, &limit), "getrlimit: errno %d", errno);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	check(!setrlimit(RLIMIT_MEMLOCK, &limit), "setrlimit: errno %d", errno);
}

bool same_file(int a, int b)
{
	int flags = must(fcntl(a, F_GETFL));
	bool same;

	must(fcntl(a, F_SETFL, flags ^ O_NONBLOCK));
	same = (must(fcntl(b, F_GETFL)) ^ flags) & O_NONBLOCK;
	must(fcntl(a, F_SETFL, flags));
	return same;
}

void in_killed_process(void (*fn)(void), void (*beside)(void))
{
	int pipefd[2], status;
	pid_t pid;
	char byte;

	fflush(NULL);
	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	pid = must(fork());
	if (!pid) {
		close(pipefd[0]);
		fn();
		fflush(NULL);
		must(write(pipefd[1], "r", 1));
		for (;;)
			pause();
	}
	close(pipefd[1]);
	if (read(pipefd[0], &byte, 1) == 1) {
		if (beside)
			beside();
		kill(pid, SIGKILL);
	}
	close(pipefd[0]);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL, "the child ended with 0x%x",
	      status);
}

int bind_to(int iommufd, const char *bdf, uint32_t *id)
{
	int dev;

	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, id));
	return dev;
}

/*
 * kmemleak notes each allocation in an object of its own, and has a pool for
 * when it gets none. To fail that tells nothing of the call and costs a part.
 */
static void spare_kmemleak(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	unsigned int filtered = 0;
	struct dirent *entry;
	char path[512];

	if (access("/sys/kernel/slab/kmemleak_object", F_OK))
		return;
	check(dir, "/sys/kernel/slab: errno %d", errno);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    !strncmp(entry->d_name, "kmemleak_", 9))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab",
			 entry->d_name);
		filtered += !write_text(path, "1");
	}
	closedir(dir);
	check(filtered, "no cache can be named to failslab");
	must(write_text("/sys/kernel/debug/failslab/cache-filter", "Y"));
}

void faults_on(void)
{
	static const char *const quiet[] = {
		"failslab", "fail_page_alloc", "fail_iommufd",
	};
	char path[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(quiet); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 quiet[i]);
		must(write_text(path, "0"));
	}
	must(write_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "N"));
	must(write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N"));
	must(write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N"));
	must(write_text("/sys/kernel/debug/fail_page_alloc/min-order", "0"));
	spare_kmemleak();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * memcg NUMBER - NUMBER is 0 before the first kexec
 *
 * One case for each kexec.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/memfd.h>

#include "guest.h"

#define SESSION		"memcg"
#define TOKEN		3
#define MIB		(1ULL << 20)
#define LEN		(32 * MIB)
#define LIMIT		"16777216"
#define MORE		"20971520"
#define PAGES		((unsigned int)(LEN / GUEST_PAGE))
/* The worker tries again once a second. */
#define WAIT_MS		20000

/* The worker does nothing while it is 1, see kernel/interface/memfd.c */
#define HOLD		"/sys/kernel/debug/memfd_luo/hold"

#define ROOT		"/sys/fs/cgroup"
#define GROUP		ROOT "/vmm"

static int session, fd;
static uint64_t *va;
static unsigned int number;	/* of the kexec */

static uint64_t word(unsigned int page)
{
	return (uint64_t)page << 32 | SESSION[page % 5];
}

/* MiB that are in the file. */
static unsigned int present(void)
{
	struct stat st;

	must(fstat(fd, &st) ? -errno : 0);
	return st.st_blocks * 512 / MIB;
}

static void new_memfd(void)
{
	fd = memfd_create(SESSION, MFD_CLOEXEC);
	check(fd >= 0 && !ftruncate(fd, LEN), "memfd: %s", strerror(errno));
	va = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(va != MAP_FAILED, "mmap: %s", strerror(errno));
	for (unsigned int page = 0; page < PAGES; page++)
		va[page * GUEST_PAGE / 8] = word(page);
}

static void compare(void)
{
	for (unsigned int page = 0; page < PAGES; page++)
		check(va[page * GUEST_PAGE / 8] == word(page), "page %u: %#llx",
		      page, (unsigned long long)va[page * GUEST_PAGE / 8]);
	check(present() == LEN / MIB, "%u MiB are in the file", present());
}

static long long group_number(const char *file, const char *format)
{
	char path[100];

	snprintf(path, sizeof(path), GROUP "/%s", file);
	return file_sum(path, format);
}

static unsigned int charged(void)
{
	return group_number("memory.current", "%lld") / MIB;
}

static unsigned int killed(void)
{
	return group_number("memory.events", "oom_kill %lld");
}

static void enter(const char *group)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	must(write_text(path, "0"));
}

static void limit(const char *to)
{
	must(write_text(GROUP "/memory.max", to));
}

/* The group, and the memfd that somebody in it has retrieved. */
static void take(void)
{
	check(!mount("none", ROOT, "cgroup2", 0, NULL) || errno == EBUSY,
	      "cgroup2: %s", strerror(errno));
	must(write_text(ROOT "/cgroup.subtree_control", "+memory"));
	check(!mkdir(GROUP, 0755), "%s: %s", GROUP, strerror(errno));
	limit(LIMIT);
	enter(GROUP);
	session = must(luo_retrieve(SESSION));
	fd = must(luo_restore(session, TOKEN));
	enter(ROOT);
	va = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(va != MAP_FAILED, "mmap: %s", strerror(errno));
}

/* The group has at most a MiB left. */
static void wait_full(void)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (charged() < 15 && now_ms() < end)
		sleep_ms(50);
	check(charged() >= 15, "%u MiB are charged", charged());
	/* Several tries of the worker */
	sleep_ms(4000);
	check(present() < LEN / MIB / 2 + 1, "%u MiB are in the file", present());
	check(!killed(), "%u processes were killed", killed());
	report("charged_mib[]", "%u", charged());
	report("present_mib[]", "%u", present());
}

static void wait_filled(void)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (present() < LEN / MIB && now_ms() < end)
		sleep_ms(50);
	check(present() == LEN / MIB, "%u MiB are in the file", present());
}

static void leave(void)
{
	munmap(va, LEN);
	close(fd);
	close(session);
}

static void raised(void)
{
	take();
	wait_full();
	limit("max");
	wait_filled();
	check(charged() >= LEN / MIB, "%u MiB are charged", charged());
	compare();
	must(luo_finish(session));
	compare();
	check(!killed(), "%u processes were killed", killed());
}

/* What is in the group reads all of it, and has enough for all else. */
static void accessed(void)
{
	char buffer[GUEST_PAGE];
	unsigned int before;
	int status;
	pid_t pid;

	take();
	wait_full();
	must(write_text(HOLD, "1"));
	sleep_ms(1500);
	before = present();
	limit(MORE);
	pid = fork();
	if (!pid) {
		enter(GROUP);
		for (unsigned int page = 0; page < PAGES; page++)
			if (pread(fd, buffer, GUEST_PAGE, page * GUEST_PAGE) < 0)
				_exit(errno);
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL, "who reads all ends with %#x", status);
	check(killed() == 1, "%u processes were killed", killed());
	check(present() > before, "%u MiB are in the file, as before", before);
	must(write_text(HOLD, "0"));
	limit("max");
	wait_filled();
	must(luo_finish(session));
	compare();
	report("oom_killed[]", "%u", killed());
}

static void removed(void)
{
	take();
	wait_full();
	check(!rmdir(GROUP), "%s: %s", GROUP, strerror(errno));
	must(luo_finish(session));
	compare();
}

int main(int argc, char **argv)
{
	static void (*const cases[])(void) = { raised, accessed, removed };

	check(argc == 2, "usage: memcg NUMBER");
	number = atoi(argv[1]);
	if (number) {
		cases[number - 1]();
		leave();
	}
	if (number == ARRAY_SIZE(cases))
		return 0;
	background();
	new_memfd();
	session = must(luo_create(SESSION));
	must(luo_preserve(session, fd, TOKEN));
	background_ready();
}

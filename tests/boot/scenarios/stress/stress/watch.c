// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for processes without waiting for ever. */
#include <glob.h>

#include "handover.h"
#include "stress.h"

/* Nothing here takes long but for one that hangs. */
#define HANG_MS		30000

void look_after(void)
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

void who_hangs(const char *what)
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

uint64_t hang_time(void)
{
	return now_ms() + HANG_MS * (slow ? 5 : 1);
}

void not_yet(uint64_t end, const char *what)
{
	look_after();
	if (now_ms() > end) {
		who_hangs(what);
		check(false, "%s hangs", what);
	}
	sleep_ms(5);
}

void wait_for(sem_t *sem, const char *what)
{
	uint64_t end = hang_time();

	while (sem_trywait(sem))
		not_yet(end, what);
}

void must_snapshot(int dev, const char *when)
{
	char sentence[SENTENCE_LEN];
	uint64_t start = now_ms();
	int err = handover_snapshot(dev, sentence, NULL);

	check(!err, "SNAPSHOT %s: %s, \"%s\"", when, strerror(-err), sentence);
	check(now_ms() - start < (slow ? 30000 : 10000), "SNAPSHOT %s took %llu ms",
	      when, LL(now_ms() - start));
}

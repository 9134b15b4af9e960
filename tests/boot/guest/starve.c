// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "starve.h"

/* More than any call allocates. */
#define STARVE_NEVER	1000000

/* Write to a setting of the fault injection, in debugfs. */
static void starve_set(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", path,
	      strerror(errno));
	close(fd);
}

void starve_open(struct starve *s)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	static const char *const settings[][2] = {
		/* first: or all tasks would fail */
		{ "task-filter", "Y" },
		{ "probability", "100" }, { "interval", "1" },
		{ "times", "-1" }, { "space", "0" }, { "verbose", "0" },
		{ "ignore-gfp-wait", "N" },	/* those that may wait, too */
	};
	char file[64];
	size_t i, k;

	for (i = 0; i < 2; i++) {
		for (k = 0; k < sizeof(settings) / sizeof(*settings); k++) {
			snprintf(file, sizeof(file), "%s/%s", kinds[i],
				 settings[k][0]);
			starve_set(file, settings[k][1]);
		}
	}
	starve_set("fail_page_alloc/ignore-gfp-highmem", "N");
	starve_set("fail_page_alloc/min-order", "0");
	s->nth = must(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC));
	s->all = must(open("/proc/thread-self/make-it-fail",
			   O_RDWR | O_CLOEXEC));
}

void starve_close(struct starve *s)
{
	close(s->nth);
	close(s->all);
	starve_set("failslab/probability", "0");
	starve_set("fail_page_alloc/probability", "0");
}

static void starve_write(int fd, unsigned int value)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", value);

	check(pwrite(fd, text, len, 0) == len, "fault injection: %s",
	      strerror(errno));
}

void starve_begin(struct starve *s, unsigned int nth, bool on)
{
	starve_write(s->nth, STARVE_NEVER);
	starve_write(s->all, on);
	starve_write(s->nth, nth);
}

unsigned int starve_end(struct starve *s)
{
	char text[16];
	ssize_t n = pread(s->nth, text, sizeof(text) - 1, 0);

	starve_write(s->all, 0);
	starve_write(s->nth, 0);
	check(n > 0, "fail-nth: %s", strerror(errno));
	text[n] = '\0';
	return atoi(text);
}

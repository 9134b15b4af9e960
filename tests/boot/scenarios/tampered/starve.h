/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations of one thread that fail, from the nth on. Only those of its own
 * system calls; the functions here make none between begin and end that
 * allocates.
 */
#ifndef STARVE_H
#define STARVE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

/* More than any call allocates. */
#define STARVE_NEVER	1000000

/**
 * struct starve - a thread that can be starved
 * @nth: its fail-nth: that allocation fails, whatever else is set
 * @all: its make-it-fail: all fail that are not counted by fail-nth
 */
struct starve {
	int nth;
	int all;
};

static inline void starve_set(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", path,
	      strerror(errno));
	close(fd);
}

/* The calling thread is the one. */
static inline void starve_open(struct starve *s)
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

static inline void starve_close(struct starve *s)
{
	close(s->nth);
	close(s->all);
	starve_set("failslab/probability", "0");
	starve_set("fail_page_alloc/probability", "0");
}

static inline void starve_write(int fd, unsigned int value)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", value);

	check(pwrite(fd, text, len, 0) == len, "fault injection: %s",
	      strerror(errno));
}

/**
 * starve_begin() - let the @nth allocation from now on fail
 * @on: and all that follow it
 */
static inline void starve_begin(struct starve *s, unsigned int nth, bool on)
{
	starve_write(s->nth, STARVE_NEVER);
	starve_write(s->all, on);
	starve_write(s->nth, nth);
}

/**
 * starve_end() - let no allocation fail any more
 *
 * Return: how many were left until one would have failed, 0 when one did.
 */
static inline unsigned int starve_end(struct starve *s)
{
	char text[16];
	ssize_t n = pread(s->nth, text, sizeof(text) - 1, 0);

	starve_write(s->all, 0);
	starve_write(s->nth, 0);
	check(n > 0, "fail-nth: %s", strerror(errno));
	text[n] = '\0';
	return atoi(text);
}

#endif /* STARVE_H */

// SPDX-License-Identifier: GPL-2.0-only
/* Take everything back step by step, timed, and add maps for the next. */
#include <errno.h>
#include <stdlib.h>
#include <sys/klog.h>

#include "scale.h"

#define LOG_READ_ALL	3	/* SYSLOG_ACTION_READ_ALL of syslog(2) */

/* Microseconds of the time stamp of a line of the kernel log. */
static int64_t stamp(const char *line)
{
	unsigned int seconds, micros;

	check(sscanf(line, "<%*u>[%u.%u]", &seconds, &micros) == 2,
	      "no time stamp: %.40s", line);
	return seconds * 1000000LL + micros;
}

/*
 * Instructions of the early parse, from the time stamps of its line and of
 * the one before: there is no other clock that early.
 */
static int64_t early_parse(void)
{
	static char log[1 << 20];
	int len = klogctl(LOG_READ_ALL, log, sizeof(log) - 1);
	char *line, *before = NULL;

	check(len > 0, "klogctl: %s", strerror(errno));
	for (line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		if (before && strstr(line, "iommu-handover: image accepted"))
			return (stamp(line) - stamp(before)) * 1000;
		before = line;
	}
	check(false, "the kernel log does not tell of the image");
}

static void check_maps(int iommufd, const struct state *state, int memfd)
{
	uint32_t map;

	for (map = 0; map < state->maps; map += 1 + state->maps / 100)
		must_fail(EEXIST, map_one(iommufd, state, memfd, map));
	must_fail(EEXIST, map_one(iommufd, state, memfd, state->maps - 1));
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	int64_t kib;
	uint64_t start;
	struct state *state;
	struct memory mem;
	int session, fd, dev;
	uint32_t dev_id;

	check(nr && nr <= ARRAY_SIZE(counts), "usage: verify NUMBER");
	background();
	session = must(luo_retrieve(SESSION));
	fd = must(luo_restore(session, TOKEN_MEMORY));
	must(memory_adopt(&mem, fd));
	state = mem.va;
	check(state->magic == MAGIC && state->maps == counts[nr - 1],
	      "this is not the memory that was handed over");
	report_number("maps[]", state->maps);
	report_number("early_parse[]", early_parse());

	kib = free_kib();
	start = now();
	fd = must(luo_restore(session, TOKEN_IOMMUFD));
	report_number("retrieve[]", now() - start);

	must(vfio_claim(state->bdf));
	dev = must(vfio_open(state->bdf));
	start = now();
	must(vfio_bind(dev, fd, &dev_id));
	report_number("bind[]", now() - start);
	check(dev_id == state->dev, "the device has ID %u and had %u", dev_id,
	      state->dev);

	start = now();
	must(luo_finish(session));
	report_number("finish[]", now() - start);
	report_number("replay_kib[]", kib - free_kib());
	close(session);
	check_maps(fd, state, mem.fd);

	hand_over(fd, &mem, counts[nr < ARRAY_SIZE(counts) ? nr : nr - 1]);
}

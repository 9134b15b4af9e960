// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "canary.h"
#include "stops.h"

void tell_host(const char *what)
{
	char line[32], answer[3];
	unsigned int n = 0;
	static int host;

	/* One opener at a time, and a close forgets what has come */
	if (!host)
		host = must(open("/dev/virtio-ports/handover.host",
				 O_RDWR | O_CLOEXEC));
	snprintf(line, sizeof(line), "%s\n", what);
	check(write(host, line, strlen(line)) == (ssize_t)strlen(line),
	      "host: %s", strerror(errno));
	while (n < sizeof(answer)) {
		struct pollfd pfd = { .fd = host, .events = POLLIN };
		ssize_t got;

		check(poll(&pfd, 1, STREAM_WAIT_MS) == 1, "the host is silent");
		got = read(host, answer + n, sizeof(answer) - n);
		check(got > 0, "host: %s", strerror(errno));
		n += got;
	}
	check(!memcmp(answer, "ok\n", 3), "the host does not say ok");
}

uint16_t pci_config_word(const char *bdf, unsigned int at)
{
	char path[128];
	uint16_t word;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	check(pread(fd, &word, sizeof(word), at) == sizeof(word), "%s: %s",
	      path, strerror(errno));
	close(fd);
	return word;
}

bool pci_masters(const char *bdf)
{
	return pci_config_word(bdf, 4) & 4;
}

static bool masters(const struct stream *s)
{
	return pci_masters(s->state->want.dev[0].bdf);
}

void want_running(const struct stream *s, const char *when)
{
	check(masters(s), "%s: the device is no bus master", when);
	check(stream_arriving(s, STOPS_LOOK_MS), "%s: nothing arrives", when);
	say("%s: frames arrive", when);
}

void want_silence(const struct stream *s, const char *when)
{
	check(!masters(s), "%s: the device is bus master", when);
	check(!stream_arriving(s, STOPS_LOOK_MS),
	      "%s: the device writes to memory", when);
	say("%s: silence", when);
}

void give_up(struct stream *s)
{
	must_fail(EBUSY, luo_finish(s->session));
	must(write_text(STOPS_ABANDON, "1"));
}

void want_memory_back(struct stream *s)
{
	struct canary canary;
	uint32_t i;

	for (i = 0; i < s->state->nics; i++)
		free(s->slots[i]);
	munmap(s->mem.va, s->mem.len);
	close(s->mem.fd);
	canary_begin(&canary, CANARY_MOST);
	sleep_ms(STOPS_LOOK_MS);
	check(!canary_end(&canary), "memory that is free has changed");
}

void start_over(struct stream *s, unsigned int nr)
{
	const char *name = s->name;

	want_memory_back(s);
	stream_build(s, name, 1);
	s->state->kexecs = nr;
	stream_start(s);
}

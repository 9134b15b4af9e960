// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tell.h"

#define HOST_PORT	"/dev/virtio-ports/handover.host"
#define HOST_WAIT_MS	60000

/* An entry of /proc/PID/pagemap. */
#define PAGEMAP_PRESENT	(1ULL << 63)
#define PAGEMAP_FRAME	((1ULL << 55) - 1)

void tell_phase(const char *name)
{
	char text[80];

	snprintf(text, sizeof(text), "<6>handover: phase %s\n", name);
	must(write_text("/dev/kmsg", text));
}

/* Physical addresses of @nr pages from @va on. */
static uint64_t *look_up(const uint8_t *va, uint32_t nr)
{
	int fd = must(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	uint64_t *page = calloc(nr, sizeof(*page));
	ssize_t len = nr * sizeof(*page);
	uint32_t i;

	check(page, "out of memory");
	for (i = 0; i < nr; i++)
		*(const volatile uint8_t *)(va + i * GUEST_PAGE);
	check(pread(fd, page, len, (uintptr_t)va / GUEST_PAGE * sizeof(*page)) ==
	      len, "pagemap: %s", strerror(errno));
	close(fd);
	for (i = 0; i < nr; i++) {
		check(page[i] & PAGEMAP_PRESENT && page[i] & PAGEMAP_FRAME,
		      "page %u of the buffers has no address", i);
		page[i] = (page[i] & PAGEMAP_FRAME) * GUEST_PAGE;
	}
	return page;
}

static void send_line(int fd, const char *line)
{
	size_t len = strlen(line), done = 0;

	while (done < len) {
		ssize_t n = write(fd, line + done, len - done);

		check(n > 0, "host port: %s", strerror(errno));
		done += n;
	}
}

static void await_host(int fd, const char *want)
{
	struct pollfd port = { .fd = fd, .events = POLLIN };
	char text[64];
	size_t len = 0;

	while (!len || text[len - 1] != '\n') {
		check(poll(&port, 1, HOST_WAIT_MS) == 1, "the host does not answer");
		check(len < sizeof(text) - 1 && read(fd, text + len, 1) == 1,
		      "host port: %s", strerror(errno));
		len++;
	}
	text[len] = '\0';
	check(!strcmp(text, want), "the host says %s", text);
}

void tell_buffers(uint32_t index, const struct nic_slot *slots, uint32_t nr,
		  uint32_t stride)
{
	uint32_t pages = nr * (uint64_t)stride / GUEST_PAGE, i, run;
	uint64_t *page = look_up(slots[0].va, pages);
	int fd = must(open(HOST_PORT, O_RDWR | O_CLOEXEC));
	char line[80];

	snprintf(line, sizeof(line), "buffers %u %u %u\n", index, nr, stride);
	send_line(fd, line);
	for (i = 0; i < pages; i += run) {
		for (run = 1; i + run < pages; run++)
			if (page[i + run] != page[i] + run * GUEST_PAGE)
				break;
		snprintf(line, sizeof(line), "pages %u 0x%llx %u\n", index,
			 (unsigned long long)page[i], run);
		send_line(fd, line);
	}
	snprintf(line, sizeof(line), "watch %u\n", index);
	send_line(fd, line);
	snprintf(line, sizeof(line), "watching %u\n", index);
	await_host(fd, line);
	close(fd);
	free(page);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-entry NUMBER - NUMBER is 0 before the only kexec
 *
 * At the jump another domain ID comes into the entry by which the unit goes on to
 * translate. The next kernel does not believe in such an entry.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#define SESSION		"dma-entry"
#define LOOK_MS		2000
#define DISTURB		"/sys/kernel/debug/iommu_handover/disturb"
#define DISTURB_ENTRY	"0x100"
#define ABANDON		"/sys/kernel/iommu_handover/incoming/abandon"

static struct stream stream;

static void want_silence(const char *when)
{
	const char *bdf = stream.state->want.dev[0].bdf;
	char path[128];
	uint16_t word;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	check(pread(fd, &word, sizeof(word), 4) == sizeof(word), "%s", path);
	close(fd);
	check(!(word & 4), "%s: the device is bus master", when);
	check(!stream_arriving(&stream, LOOK_MS), "%s: the device writes to memory",
	      when);
	say("%s: silence", when);
}

int main(int argc, char **argv)
{
	check(argc == 2, "usage: %s NUMBER", argv[0]);
	background();
	if (!atoi(argv[1])) {
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
		must(write_text(DISTURB, DISTURB_ENTRY));
		stream_hand_over(&stream, 0);
	}
	stream_take_memory(&stream, SESSION, 1);
	want_silence("booted");
	stream_take_iommufd(&stream);
	must(write_text(ABANDON, "1"));
	close(stream.ctx.fd);
	stream_finish(&stream);
	want_silence("finished");
	stream_again(&stream);
	stream_receive(&stream, 100);
	background_ready();
}

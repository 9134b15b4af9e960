// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-port NUMBER - NUMBER is 0 before the first kexec
 *
 * kernel-args-next belongs to the cases.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stops.h"

#define SESSION		"dma-port"

static struct stream stream;

static void taken_back(void)
{
	want_running(&stream, "not taken yet");
	stream_take_iommufd(&stream);
	stream_resume(&stream);
	stream_receive(&stream, 100);
	stream_finish(&stream);
	stream_receive(&stream, 100);
}

static void unplugged(void)
{
	want_running(&stream, "not taken yet");
	tell_host("unplug");
	check(!stream_arriving(&stream, STOPS_LOOK_MS), "it writes to memory");
	stream_take_iommufd(&stream);
	give_up(&stream);
	close(stream.ctx.fd);
	stream_finish(&stream);
	want_memory_back(&stream);
	background_ready();
}

static void renumbered(void)
{
	const char *was = stream.state->want.dev[0].bdf;
	char bdf[PCI_BDF_LEN];

	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	say("it was %s and is %s", was, bdf);
	check(strcmp(was, bdf), "it has the same number");
	check(!pci_masters(bdf), "it is bus master");
	check(!stream_arriving(&stream, STOPS_LOOK_MS), "it writes to memory");
	stream_take_iommufd(&stream);
	give_up(&stream);
	close(stream.ctx.fd);
	stream_finish(&stream);
	start_over(&stream, 2);
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	tell_host("loud");
	if (!nr) {
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
	} else {
		stream_take_memory(&stream, SESSION, nr);
	}
	if (nr == 1)
		taken_back();
	if (nr == 2)
		renumbered();
	if (nr == 3)
		unplugged();
	stream_hand_over(&stream, nr);
}

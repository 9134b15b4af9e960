// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-control NUMBER - NUMBER is 0 before the only kexec
 *
 * A switch that has a gap. Frames are lost in it, and so is what the device
 * fetches and writes back meanwhile, so that it may never be as before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define SESSION		"dma-control"
#define GAP_WAIT_MS	20000

static struct stream stream;

int main(int argc, char **argv)
{
	struct nic *nic = &stream.nic[0];
	int err;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	background();
	if (!atoi(argv[1])) {
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
		stream_hand_over(&stream, 0);
	}
	stream_take_memory(&stream, SESSION, 1);
	check(stream_arriving(&stream, 1000), "the device has stopped");
	must(write_text("/sys/kernel/debug/iommu_handover/disturb", "1"));
	stream_take_iommufd(&stream);
	check(ctx_rebind(&stream.ctx, 0), "the device has another ID");
	must(nic_resume(nic, stream.ctx.dev[0]));
	err = nic_receive(nic, nic_landed(nic) + 100, GAP_WAIT_MS);
	say("%llu frames are lost, then: %s", (unsigned long long)nic->gaps,
	    err ? strerror(-err) : "more arrive");
	check(err || nic->gaps, "a gap of 50 ms went unnoticed");
	stream_finish(&stream);
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-apart NUMBER - NUMBER is 0 before the only kexec
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "stops.h"

#define FIRST		"apart-1"
#define SECOND		"apart-2"

static struct stream first, second;

/* Both go on in one process, which holds all that is not in the sessions. */
static void hand_over(void)
{
	stream_build(&first, FIRST, 1);
	stream_start(&first);
	stream_build(&second, SECOND, 1);
	second.state->first = 1;
	stream_start(&second);
	stream_receive(&first, 100);
	stream_receive(&second, 100);
	stream_preserve(&first, 0);
	stream_hand_over(&second, 0);
}

static void alter(uint64_t iova)
{
	char text[64];

	/* Sessions are in the order of their names, and so are page tables */
	snprintf(text, sizeof(text), "0 0x%llx", (unsigned long long)iova);
	must(write_text("/sys/kernel/debug/iommu_handover/alter_leaf", text));
}

static void take_back(void)
{
	stream_take_memory(&first, FIRST, 1);
	stream_take_memory(&second, SECOND, 1);
	want_running(&first, "first, retrieved");
	want_running(&second, "second, retrieved");

	stream_take_iommufd(&second);
	stream_resume(&second);
	stream_receive(&second, 100);
	stream_finish(&second);
	stream_receive(&second, 100);
	want_running(&first, "first, the second is finished");

	stream_take_iommufd(&first);
	alter(STREAM_MORE_IOVA(0));
	check(ctx_rebind_refused(&first.ctx, 0) == EBADMSG, "another error");
	want_silence(&first, "first, refused");
	stream_receive(&second, 100);
	alter(STREAM_MORE_IOVA(0));
	give_up(&first);
	close(first.ctx.fd);
	stream_finish(&first);
	want_memory_back(&first);
	stream_receive(&second, 100);
	say("the second has received %llu frames, %llu are lost",
	    (unsigned long long)second.nic[0].frames,
	    (unsigned long long)second.nic[0].gaps);
}

int main(int argc, char **argv)
{
	check(argc == 2, "usage: %s NUMBER", argv[0]);
	background();
	if (!atoi(argv[1]))
		hand_over();
	take_back();
	background_ready();
}

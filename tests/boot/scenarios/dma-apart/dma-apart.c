// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-apart NUMBER - NUMBER is how many kexecs there were
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handover.h"
#include "stops.h"

/* Iommufds are in the image in the order of their sessions' names. */
#define FIRST		"apart-1"
#define SECOND		"apart-2"

#define DISTURB		"/sys/kernel/debug/iommu_handover/disturb"
#define RECORDS_FIRST	"0x200"
#define RECORDS_LAST	"0x400"

static struct stream first, second;

/* Both go on in one process, which holds all that is not in the sessions. */
static void hand_over(unsigned int nr)
{
	stream_receive(&first, 100);
	stream_receive(&second, 100);
	stream_preserve(&first, nr);
	stream_hand_over(&second, nr);
}

static void build(void)
{
	stream_build(&first, FIRST, 1);
	stream_start(&first);
	stream_build(&second, SECOND, 1);
	second.state->first = 1;
	stream_start(&second);
}

static void alter(uint64_t iova)
{
	char text[64];

	/* Sessions are in the order of their names, and so are page tables */
	snprintf(text, sizeof(text), "0 0x%llx", (unsigned long long)iova);
	must(write_text("/sys/kernel/debug/iommu_handover/alter_leaf", text));
}

static void take_memory(unsigned int nr)
{
	stream_take_memory(&first, FIRST, nr);
	stream_take_memory(&second, SECOND, nr);
	want_running(&first, "first, retrieved");
	want_running(&second, "second, retrieved");
}

static void say_received(const char *name, const struct stream *s)
{
	say("the %s has received %llu frames, %llu are lost", name,
	    (unsigned long long)s->nic[0].frames,
	    (unsigned long long)s->nic[0].gaps);
}

static void table_altered(void)
{
	take_memory(1);
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
	start_over(&first, 1);
	stream_receive(&second, 100);
	say_received("second", &second);
}

/*
 * A bit of the records of @lost is wrong, which is found when they are asked for: by
 * then the image is accepted, and @other has no part in it.
 */
static void records_altered(struct stream *lost, struct stream *other)
{
	char text[SENTENCE_LEN], name[SENTENCE_LEN];

	handover_attr("incoming/state", text);
	check(!strcmp(text, "accepted"), "the image is %s", text);
	/* The file of a device needs the iommufd */
	if (lost->state->files)
		must_fail(EIO, luo_restore(lost->session, STREAM_TOKEN_DEVICE));
	must_fail(EBADMSG, luo_restore(lost->session, STREAM_TOKEN_IOMMUFD));
	handover_attr("last_refusal", text);
	snprintf(name, sizeof(name), "session \"%s\" token %u: ", lost->name,
		 STREAM_TOKEN_IOMMUFD);
	check(!strncmp(text, name, strlen(name)) &&
	      strstr(text, "digest of a record section"), "refused because: %s",
	      text);
	say("%s", text);
	want_running(lost, "refused");

	stream_take_iommufd(other);
	stream_resume(other);
	stream_receive(other, 100);
	stream_finish(other);
	stream_receive(other, 100);
	want_running(lost, "refused, the other is finished");

	stream_finish(lost);
	want_silence(lost, "finished");
	stream_receive(other, 100);
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	switch (nr) {
	case 0:
		build();
		break;
	case 1:
		table_altered();
		must(write_text(DISTURB, RECORDS_FIRST));
		break;
	case 2:
		take_memory(nr);
		records_altered(&first, &second);
		start_over(&first, nr);
		stream_receive(&second, 100);
		say_received("second", &second);
		/* Nobody but its session has anything of it when its turn comes */
		second.by_file = true;
		must(write_text(DISTURB, RECORDS_LAST));
		break;
	case 3:
		take_memory(nr);
		records_altered(&second, &first);
		want_memory_back(&second);
		stream_receive(&first, 100);
		say_received("first", &first);
		background_ready();
	default:
		check(false, "there are 3 cases");
	}
	hand_over(nr);
}

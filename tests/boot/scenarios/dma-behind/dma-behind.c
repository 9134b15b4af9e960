// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-behind NUMBER - NUMBER is 0 before the first kexec
 *
 * One case for each kexec. The worker that rebuilds page tables begins when it is
 * let go, and so does the one that puts the memory into its file, so that nothing
 * here depends on how long that takes.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "handover.h"
#include "stream.h"

#define SESSION		"dma-behind"
#define LOOK_MS		1000
#define FREE_IOVA	0x800000000ULL

#define ABANDON		"/sys/kernel/iommu_handover/incoming/abandon"
#define DIFFERING	"/sys/kernel/iommu_handover/incoming/differing"
#define ALTER_LEAF	"/sys/kernel/debug/iommu_handover/alter_leaf"
#define DISTURB		"/sys/kernel/debug/iommu_handover/disturb"
/* "2": see kernel/interface/memfd.c */
#define MEMORY		"/sys/kernel/debug/memfd_luo/hold"

static struct stream stream;

static void hold(void)
{
	must(write_text(DISTURB, "4"));
}

static void let_memory_go(void)
{
	must(write_text(MEMORY, "0"));
}

static void let_go(void)
{
	let_memory_go();
	must(write_text(DISTURB, "0"));
}

/* What was not looked at is not in the file. */
static void want_memory_missing(void)
{
	struct stat st;

	check(!fstat(stream.mem.fd, &st), "fstat: %s", strerror(errno));
	check((uint64_t)st.st_blocks * 512 < stream.mem.len,
	      "all of the memory is in the file");
}

static bool pending(void)
{
	return handover_number("incoming/devices_pending");
}

static int take_device(void)
{
	return must(luo_restore(stream.session, STREAM_TOKEN_DEVICE));
}

/* What only the worker's end brings, or the other way round. */
static void wait_until_back(void)
{
	uint64_t end = now_ms() + STREAM_WAIT_MS;

	while (pending()) {
		check(now_ms() < end, "the device does not come back");
		sleep_ms(10);
	}
}

static void use_device(void)
{
	stream_go_on(&stream);
	stream_receive(&stream, 100);
}

static int do_map(void)
{
	uint64_t iova = FREE_IOVA;

	return ioas_map_file(stream.ctx.fd, stream.state->want.ioas[0].id,
			     stream.mem.fd, 0, GUEST_PAGE, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

/* Of less than an area, so that it fails whenever it is done */
static int do_unmap(void)
{
	const struct want_map *map = &stream.state->want.ioas[0].map[0];
	uint64_t unmapped;

	return ioas_unmap(stream.ctx.fd, stream.state->want.ioas[0].id,
			  map->iova + GUEST_PAGE, GUEST_PAGE, &unmapped);
}

/* To where the worker attaches it: before that the ID is only reserved */
static int do_attach(void)
{
	uint32_t id = stream.state->want.dev[0].hwpt;

	return vfio_attach(stream.ctx.dev[0], &id);
}

static int do_finish(void)
{
	return luo_finish(stream.session);
}

static void in_use(void)
{
	uint64_t unmapped;
	pid_t map, unmap;

	hold();
	stream_take_iommufd(&stream);
	stream.ctx.dev[0] = take_device();
	use_device();
	map = call_begin(do_map);
	unmap = call_begin(do_unmap);
	use_device();
	check(pending(), "the device did not wait");
	want_memory_missing();
	check(!call_has_ended(map) && !call_has_ended(unmap), "a call did not wait");
	let_go();
	call_end(map, "the map", 0);
	call_end(unmap, "the unmap", ENOENT);
	check(!pending(), "the calls came before the device");
	must(ioas_unmap(stream.ctx.fd, stream.state->want.ioas[0].id, FREE_IOVA,
			GUEST_PAGE, &unmapped));
	check(!ctx_verify(&stream.ctx, true), "the iommufd is not what it was");
	stream_finish(&stream);
}

static void attach_waits(void)
{
	pid_t attach;

	hold();
	stream_take_iommufd(&stream);
	stream.ctx.dev[0] = take_device();
	attach = call_begin(do_attach);
	use_device();
	check(pending() && !call_has_ended(attach), "the attach did not wait");
	let_go();
	call_end(attach, "the attach", 0);
	check(!pending(), "the attach came before the device");
	stream_finish(&stream);
}

static void finish_waits(void)
{
	pid_t finish;

	hold();
	stream_take_iommufd(&stream);
	stream.ctx.dev[0] = take_device();
	finish = call_begin(do_finish);
	use_device();
	check(pending() && !call_has_ended(finish), "it was finished too soon");
	let_go();
	call_end(finish, "FINISH", 0);
	check(!pending(), "it was finished without the device");
	close(stream.session);
	stream.session = -1;
}

static void differs(unsigned int nr)
{
	char text[64], sentence[SENTENCE_LEN];

	snprintf(text, sizeof(text), "0 0x%llx",
		 (unsigned long long)STREAM_MORE_IOVA(nr - 1));
	let_memory_go();
	stream_take_iommufd(&stream);
	must(write_text(ALTER_LEAF, text));
	stream.ctx.dev[0] = take_device();
	use_device();
	must_fail(EBUSY, do_finish());
	handover_attr("last_refusal", sentence);
	say("refused: %s", sentence);
	check(strstr(sentence, "page table"), "for another reason");
	check(pending(), "it counts as back");
	use_device();
	must(write_text(ALTER_LEAF, text));
	stream_finish(&stream);
	check(!pending(), "it is not back");
}

static void killed(unsigned int nr)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	hold();
	must(pipe(ready));
	/* Or the close would wait for it, as it may be as good as FINISH */
	let_memory_go();
	close(stream.session);
	munmap(stream.mem.va, stream.mem.len);
	close(stream.mem.fd);
	pid = fork();
	check(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		stream.session = must(luo_retrieve(SESSION));
		take_device();
		check(write(ready[1], "", 1) == 1, "the pipe is closed");
		pause();
		_exit(1);
	}
	close(ready[1]);
	check(read(ready[0], &byte, 1) == 1, "the other process has failed");
	kill(pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	stream_take_memory(&stream, SESSION, nr + 1);
	stream.state->kexecs = nr;
	check(stream_arriving(&stream, LOOK_MS), "the device has stopped");
	stream_take_iommufd(&stream);
	stream.ctx.dev[0] = take_device();
	use_device();
	check(pending(), "the device did not wait");
	let_go();
	stream_finish(&stream);
}

/* User space makes the address space itself, and another one than it was. */
static void taken_over(void)
{
	uint32_t dev, hwpt, other;
	char bdf[PCI_BDF_LEN];

	let_memory_go();
	stream_maps(&stream);
	must(nic_find(0, bdf));
	dev = ctx_bind(&stream.ctx, bdf);
	hwpt = other = ctx_hwpt(&stream.ctx, dev, stream.state->want.ioas[0].id);
	must_fail(EINVAL, write_text(DIFFERING, "perhaps"));
	must_fail(EBADMSG, vfio_attach(stream.ctx.dev[dev], &other));
	check(stream_arriving(&stream, LOOK_MS), "the device has stopped");
	must(write_text(DIFFERING, "take"));
	ctx_attach(&stream.ctx, dev, hwpt);
	check(handover_number("incoming/devices_switched") == 1 &&
	      !handover_number("incoming/devices_stopped"),
	      "it was not taken over");
	use_device();
	must(write_text(ABANDON, "1"));
	stream_finish(&stream);
}

static void given_up(void)
{
	hold();
	stream_take_iommufd(&stream);
	stream.ctx.dev[0] = take_device();
	use_device();
	must(write_text(ABANDON, "1"));
	check(!stream_arriving(&stream, LOOK_MS), "it writes to memory");
	let_go();
	wait_until_back();
	stream_finish(&stream);
	vfio_unmap(&stream.nic[0].hw.bar);
	close(stream.ctx.dev[0]);
	close(stream.ctx.fd);
	background_ready();
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	stream.by_file = true;
	if (!nr) {
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
		stream_hand_over(&stream, nr);
	}
	must(write_text(MEMORY, "2"));
	stream_take_memory(&stream, SESSION, nr);
	switch (nr) {
	case 1:
		in_use();
		break;
	case 2:
		attach_waits();
		break;
	case 3:
		finish_waits();
		break;
	case 4:
		differs(nr);
		break;
	case 5:
		killed(nr);
		break;
	case 6:
		taken_over();
		break;
	case 7:
		given_up();
		break;
	default:
		check(false, "there are 7 cases");
	}
	use_device();
	stream_hand_over(&stream, nr);
}

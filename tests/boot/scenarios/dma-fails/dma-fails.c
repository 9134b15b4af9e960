// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-fails NUMBER - NUMBER is 0 before the first kexec
 *
 * One case for each kexec.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "canary.h"
#include "handover.h"
#include "starve.h"
#include "stops.h"

#define SESSION		"dma-fails"
#define MOST_FAULTS	20000
/* In the middle of the memory: the page cache has a node for each 64 pages */
#define FAR		(1ULL << 20)

/* See kernel/interface/memfd.c */
#define HOLD		"/sys/kernel/debug/memfd_luo/hold"
#define HOLD_WORKER	"1"
#define NOBODY		"0"
#define LOSE		"/sys/kernel/debug/memfd_luo/lose"
#define LOST		"256"	/* a page: FAR */

/* HANDOVER_DISTURB_* of kernel/drivers/drivers.h */
#define DISTURB		"/sys/kernel/debug/iommu_handover/disturb"
#define IMAGE		"0x40"
#define KHO		"0x80"
#define RECORDS		"0x200"
#define BEHIND		"0x1000"

static struct stream stream;

static void want_state(const char *state, const char *reason)
{
	char text[SENTENCE_LEN];

	handover_attr("incoming/state", text);
	check(!strcmp(text, state), "the image is %s", text);
	handover_attr("incoming/reason", text);
	check(strstr(text, reason), "refused because: %s", text);
	say("%s: %s", state, text);
}

static void want_free_memory_kept(void)
{
	struct canary canary;

	canary_begin(&canary, CANARY_MOST);
	sleep_ms(STOPS_LOOK_MS);
	check(!canary_end(&canary), "memory that is free has changed");
}

/* What there was is free memory. */
static void build_anew(unsigned int nr)
{
	want_free_memory_kept();
	stream_build(&stream, SESSION, 1);
	stream.state->kexecs = nr;
	stream_start(&stream);
}

/* ---- the image ------------------------------------------------------------ */

static void refused(void)
{
	want_state("refused", "image:");
	want_silence(&stream, "refused");
	must_fail(EBADMSG, luo_restore(stream.session, STREAM_TOKEN_IOMMUFD));
	stream_finish(&stream);
	want_silence(&stream, "finished");
}

static void want_why_records(void)
{
	char text[SENTENCE_LEN];

	handover_attr("last_refusal", text);
	check(strstr(text, "session \"" SESSION "\" token ") &&
	      strstr(text, "digest of a record section"), "refused because: %s",
	      text);
	say("%s", text);
}

/*
 * The head says what the device uses, and that is as it was: until its iommufd is
 * given up the device does not stop.
 */
static void records_refused(void)
{
	want_state("accepted", "");
	want_running(&stream, "not taken yet");
	must_fail(EBADMSG, luo_restore(stream.session, STREAM_TOKEN_IOMMUFD));
	want_why_records();
	want_running(&stream, "records refused");
	must_fail(EBADMSG, luo_restore(stream.session, STREAM_TOKEN_IOMMUFD));
	stream_finish(&stream);
	want_silence(&stream, "finished");
}

/* The same where the iommufd is given back before its records are looked at. */
static void records_lost(void)
{
	uint32_t ioas;
	int fd;

	must(write_text(DISTURB, BEHIND));
	want_running(&stream, "not taken yet");
	fd = must(luo_restore(stream.session, STREAM_TOKEN_IOMMUFD));
	must_fail(EBADMSG, ioas_alloc(fd, &ioas));
	want_why_records();
	want_running(&stream, "records lost");
	must_fail(EBADMSG, ioas_alloc(fd, &ioas));
	stream_finish(&stream);
	want_silence(&stream, "finished");
	must_fail(EBADMSG, ioas_alloc(fd, &ioas));
	close(fd);
}

/* ---- the VMM is killed ---------------------------------------------------- */

enum step { MEMORY, IOMMUFD, DEVICE };

/* A VMM that comes so far, and is killed. */
static void killed_after(enum step step, const char *what)
{
	int ready[2], status;
	pid_t pid;
	char c;

	must(pipe2(ready, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	pid = fork();
	must(pid < 0 ? -errno : 0);
	if (!pid) {
		stream_take_memory(&stream, SESSION, stream.state->kexecs + 1);
		if (step >= IOMMUFD)
			stream_take_iommufd(&stream);
		if (step >= DEVICE)
			stream_resume(&stream);
		check(write(ready[1], "r", 1) == 1, "pipe: %s", strerror(errno));
		for (;;)
			pause();
	}
	close(ready[1]);
	check(read(ready[0], &c, 1) == 1, "the VMM to be killed has failed");
	close(ready[0]);
	kill(pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
	      "the VMM was not killed");
	say("VMM killed after the %s", what);
}

/* The session is closed, as the death of a VMM does, and taken again. */
static void close_all(void)
{
	munmap(stream.mem.va, stream.mem.len);
	close(stream.mem.fd);
	close(stream.session);
}

static void look_again(void)
{
	uint64_t kexecs = stream.state->kexecs;

	close_all();
	stream_take_memory(&stream, SESSION, kexecs + 1);
}

static void killed(unsigned int nr)
{
	static struct stream_state copy;

	want_running(&stream, "not taken yet");
	copy = *stream.state;
	close_all();
	stream.state = &copy;
	killed_after(MEMORY, "memory");
	copy.kexecs++;
	killed_after(IOMMUFD, "iommufd");
	copy.kexecs++;
	stream_take_memory(&stream, SESSION, copy.kexecs + 1);
	want_running(&stream, "VMM killed twice");
	copy = *stream.state;
	close_all();
	stream.state = &copy;
	/* It had everything: the end of its session is as good as FINISH */
	killed_after(DEVICE, "device");
	must_fail(ENOENT, luo_retrieve(SESSION));
	check(!pci_masters(copy.want.dev[0].bdf), "the device is bus master");
	build_anew(nr);
	say("silence");
}

/* ---- patience, with the device's file in the session ----------------------- */

static void want_no_jump(const char *when)
{
	char output[OUTPUT_LEN];

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	must_fail(EBUSY, jump());
	unload_kernel();
	say("%s: no jump", when);
}

static void patient(unsigned int nr)
{
	want_running(&stream, "not taken yet");
	want_no_jump("memory taken");
	must_fail(EBUSY, luo_finish(stream.session));
	want_running(&stream, "FINISH");
	look_again();
	want_running(&stream, "session closed");
	stream_take_iommufd(&stream);
	want_no_jump("iommufd taken");
	must_fail(EBUSY, luo_finish(stream.session));
	want_running(&stream, "FINISH without the device");
	close(stream.ctx.fd);
	look_again();
	want_running(&stream, "session closed once more");
	stream_take_iommufd(&stream);
	stream_resume(&stream);
	stream_receive(&stream, 100);
	want_no_jump("device taken");
	stream_finish(&stream);
	stream_receive(&stream, 100);
	stream.state->kexecs = nr;
}

/* ---- no memory ------------------------------------------------------------ */

static void starved(void)
{
	const char *bdf = stream.state->want.dev[0].bdf;
	unsigned int nth, taken = 0, left = 0;
	struct starve starve;
	int fd = -1, dev, err;
	uint32_t id;

	starve_open(&starve);
	for (nth = 1; fd < 0; nth++) {
		check(nth < MOST_FAULTS, "it never succeeds");
		starve_begin(&starve, nth, true);
		fd = luo_restore(stream.session, STREAM_TOKEN_IOMMUFD);
		starve_end(&starve);
		check(fd >= 0 || fd == -ENOMEM, "retrieve: %s", strerror(-fd));
		check(pci_masters(bdf), "allocation %u: the DMA has ended", nth);
		taken += fd < 0;
	}
	check(taken, "no allocation has failed");
	say("%u allocations of the retrieve have failed", taken);
	want_running(&stream, "retrieved without memory");
	ctx_adopt(&stream.ctx, SESSION, &stream.state->want, fd);
	ctx_memory(&stream.ctx, &stream.mem);

	must(vfio_claim(bdf));
	for (nth = 1, err = -ENOMEM; err && pci_masters(bdf); nth++) {
		check(nth < MOST_FAULTS, "it never ends");
		dev = must(vfio_open(bdf));
		/* One: Linux warns if what undoes a bind has no memory */
		starve_begin(&starve, nth, false);
		err = vfio_bind(dev, fd, &id);
		starve_end(&starve);
		check(!err || err == -ENOMEM, "bind: %s", strerror(-err));
		/* If it was bound, that ends its DMA as well */
		close(dev);
		left += pci_masters(bdf);
	}
	starve_close(&starve);
	report("faults_of_retrieve", "%u", taken);
	report("faults_of_bind", "%u", left);
	say("%u times the bind has failed and the DMA gone on, then it has %s",
	    left, err ? "ended" : "been bound");
	check(left, "the first allocation has ended it");
	want_silence(&stream, "bound without memory");
	if (err)
		give_up(&stream);
	close(fd);
	stream_finish(&stream);
	want_silence(&stream, "finished");
}

/* ---- gone ----------------------------------------------------------------- */

static void gone(void)
{
	const char *bdf = stream.state->want.dev[0].bdf;
	char path[128];

	want_running(&stream, "not taken yet");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", bdf);
	must(write_text(path, "1"));
	check(access(path, F_OK), "it is still there");
	check(!stream_arriving(&stream, STOPS_LOOK_MS), "it writes to memory");
	say("removed: silence");
	stream_take_iommufd(&stream);
	give_up(&stream);
	close(stream.ctx.fd);
	stream_finish(&stream);
	must(write_text("/sys/bus/pci/rescan", "1"));
	want_silence(&stream, "found again");
}

/* ---- no memory for the memfd ------------------------------------------------ */

static void starved_read(struct starve *starve, int fd)
{
	char page[GUEST_PAGE];
	ssize_t got;
	int err;

	starve_begin(starve, 1, true);
	got = pread(fd, page, sizeof(page), FAR);
	err = errno;
	starve_end(starve);
	check(got < 0 && err == ENOMEM, "read: %zd, %s", got, strerror(err));
}

/* Neither of it nor of what was in it anything is given back. */
static void memory_starved(unsigned int nr)
{
	int session = must(luo_retrieve(SESSION));
	unsigned int nth, taken = 0;
	struct starve starve;
	char bdf[PCI_BDF_LEN];
	int fd = -1;

	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	must(write_text(HOLD, HOLD_WORKER));
	starve_open(&starve);
	for (nth = 1; fd < 0; nth++) {
		check(nth < MOST_FAULTS, "it never succeeds");
		starve_begin(&starve, nth, true);
		fd = luo_restore(session, STREAM_TOKEN_MEMORY);
		starve_end(&starve);
		check(fd >= 0 || fd == -ENOMEM || fd == -ENOSPC, "retrieve: %s",
		      strerror(-fd));
		check(pci_masters(bdf), "allocation %u: the DMA has ended", nth);
		taken += fd < 0;
	}
	check(taken, "no allocation has failed");
	starved_read(&starve, fd);
	starve_close(&starve);
	check(pci_masters(bdf), "a page is missing: the DMA has ended");
	want_free_memory_kept();
	close(fd);
	stream_take_memory_of(&stream, session, SESSION, nr);
	want_running(&stream, "the memory is there");
	stream_take_iommufd(&stream);
	must(write_text(HOLD, NOBODY));
	stream_resume(&stream);
	stream_receive(&stream, 100);
	stream_finish(&stream);
	stream_receive(&stream, 100);
	report("faults_of_memory", "%u", taken);
	say("%u allocations for the memory have failed, and nothing is lost", taken);
}

/* ---- a page of the memory is lost --------------------------------------------- */

/* Whose it is by now is not known. */
static void memory_lost(unsigned int nr)
{
	int session = must(luo_retrieve(SESSION)), memory, iommufd, dev;
	uint64_t end = now_ms() + STREAM_WAIT_MS;
	char bdf[PCI_BDF_LEN], page[GUEST_PAGE];
	uint32_t id;

	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	check(pci_masters(bdf), "not taken yet: the DMA has ended");
	must(write_text(LOSE, LOST));
	memory = must(luo_restore(session, STREAM_TOKEN_MEMORY));
	while (pci_masters(bdf)) {
		check(now_ms() < end, "the device is bus master");
		sleep_ms(10);
	}
	must(write_text(LOSE, "0"));
	want_free_memory_kept();
	check(pread(memory, page, sizeof(page), FAR) < 0 && errno == EIO,
	      "the page can be read");
	iommufd = must(luo_restore(session, STREAM_TOKEN_IOMMUFD));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must_fail(EIO, vfio_bind(dev, iommufd, &id));
	close(dev);
	must_fail(EBUSY, luo_finish(session));
	must(write_text(STOPS_ABANDON, "1"));
	must(luo_finish(session));
	close(session);
	close(iommufd);
	close(memory);
	build_anew(nr);
	say("a page is lost: silence");
}

/* ---- KHO ------------------------------------------------------------------ */

/* No session has come through, so that the memory is not known. */
static void kho_refused(void)
{
	char bdf[PCI_BDF_LEN];

	want_state("refused", "KHO refused what the last kernel left");
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	check(!pci_masters(bdf), "the device is bus master");
	want_free_memory_kept();
	say("KHO refused: silence");
	background_ready();
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	if (nr == 10)
		kho_refused();
	if (nr == 5) {
		memory_starved(nr);
	} else if (nr == 6) {
		memory_lost(nr);
	} else if (nr) {
		stream_take_memory(&stream, SESSION, nr);
	} else {
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
		must(write_text(DISTURB, IMAGE));
	}
	switch (nr) {
	case 0:
		break;
	case 1:
		refused();
		break;
	case 2:
		killed(nr);
		break;
	case 3:
		patient(nr);
		break;
	case 4:
		starved();
		break;
	case 5:
	case 6:
		break;
	case 7:
		gone();
		break;
	case 8:
		records_refused();
		break;
	case 9:
		records_lost();
		break;
	default:
		check(false, "there are 10 cases");
	}
	if (nr == 1 || nr == 4 || nr >= 7)
		start_over(&stream, nr);
	stream.by_file = nr == 2;
	if (nr == 7 || nr == 8)
		must(write_text(DISTURB, RECORDS));
	if (nr == 9)
		must(write_text(DISTURB, KHO));
	stream_hand_over(&stream, nr);
}

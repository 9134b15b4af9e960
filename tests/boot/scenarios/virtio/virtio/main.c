// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * A driver for virtio-net, taken through kexecs while the device goes on.
 *
 * Written from the VMM author's guide (docs/vmm-guide.md, with the program that
 * it quotes) and docs/scenarios.md alone, to see whether they are enough for
 * who knows nothing else of this repository. It uses none of its library.
 *
 * The host sends numbered frames at a steady rate. Each is logged and sent back
 * once. What is counted here and by the host part has nothing in common.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "virtio.h"

#define HOST		"/dev/virtio-ports/handover.host"
#define INCOMING	"/sys/kernel/iommu_handover/incoming/"
#define FRAMES		40	/* taken by interrupt between two kexecs */
#define SIGNAL_MS	3000	/* longest wait for an interrupt */

/* What is broken for which kexec, with virtio.control */
enum { MUTE = 1, STALE = 1, RESET = 2 };

static unsigned int stage, kexecs;
static bool control;
static int parent = -1;

void fail(const char *what, int err)
{
	fprintf(stderr, "virtio: %s: %s\n", what, strerror(err));
	exit(1);
}

void report(const char *fmt, ...)
{
	const char *path = getenv("REPORT");
	char line[256];
	va_list ap;
	int fd, n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	printf("virtio: %s\n", line);
	line[n++] = '\n';
	fd = open(path ? path : "/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, line, n) != n)
		fail("report", errno);
	close(fd);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static unsigned long read_number(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail(path, errno);
	close(fd);
	return strtoul(text, NULL, 0);
}

static bool kernel_option(const char *word)
{
	char text[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail("/proc/cmdline", errno);
	close(fd);
	return strstr(text, word);
}

/* One word to the host part, one number back */
static unsigned long ask_host(const char *word)
{
	int fd = open(HOST, O_RDWR | O_CLOEXEC);
	char text[32] = "";

	if (fd < 0 || write(fd, word, strlen(word)) < 0 ||
	    read(fd, text, sizeof(text) - 1) <= 0)
		fail("the host part", errno);
	close(fd);
	return strtoul(text, NULL, 10);
}

/* The harness goes on when the parent ends; who holds the device stays. */
static void background(void)
{
	int fds[2];
	char c;

	if (pipe(fds))
		fail("pipe", errno);
	switch (fork()) {
	case -1:
		fail("fork", errno);
		break;
	case 0:
		close(fds[0]);
		parent = fds[1];
		return;
	}
	close(fds[1]);
	_exit(read(fds[0], &c, 1) == 1 ? 0 : 1);
}

static void release_parent(void)
{
	fflush(stdout);
	if (write(parent, "", 1) != 1)
		fail("parent", errno);
}

/* ---- running ------------------------------------------------------------ */

/* Each wait ends by an interrupt, as in a driver that does nothing else. */
static void run(unsigned int frames)
{
	uint64_t until = net_position() + frames;

	while (net_position() < until) {
		net_arm(0);
		if (!net_landed() && !device_wait(RX_VECTOR, SIGNAL_MS))
			fail("no interrupt for a frame", ETIMEDOUT);
		net_service();
	}
}

/*
 * From here to the jump. The memory alone is enough, also for a device whose
 * file nobody but the session has. The interrupt is put off for a second again
 * and again: the next one is raised a second after this loop has ended, when no
 * kernel takes it, and then no other until somebody asks for it.
 */
static void run_until_jump(void)
{
	for (;;) {
		net_service();
		net_arm(state->rate);
		usleep(10000);
	}
}

/* Nobody asks for another one meanwhile, so that it cannot be mistaken. */
static void look_at_interrupts(bool due)
{
	bool pending = device_pending(RX_VECTOR);
	unsigned int count, strange;

	strange = device_pending(CONFIG_VECTOR);
	device_connect();
	count = device_wait(RX_VECTOR, due ? SIGNAL_MS : 0);
	usleep(100000);
	count += device_wait(RX_VECTOR, 0);
	strange += device_wait(CONFIG_VECTOR, 0);
	report("interrupts_in_blackout[] %u", due && pending);
	report("interrupts_lost[] %u", due && !count);
	report("interrupts_spurious[] %u",
	       strange + (count > due ? count - due : 0));
}

static void look_at_kernel(void)
{
	unsigned long compared = read_number(INCOMING "trees_compared");

	if (!compared || read_number(INCOMING "trees_equal") != compared)
		fail("page tables differ", EPROTO);
	if (read_number(INCOMING "unfinished") ||
	    read_number(INCOMING "devices_pending") ||
	    read_number(INCOMING "devices_stopped"))
		fail("not all is back", EPROTO);
	report("switches[] %lu", read_number(INCOMING "devices_switched"));
}

static void resume(void)
{
	bool due;

	carry_memory();
	net_resume();
	due = net_due();
	/* The host knows which of these it sent in the blackout */
	report("newest[] %u", net_newest());
	report("landed[] %u", net_landed());
	carry_device();
	device_open();
	look_at_interrupts(due);
	report("back");
	if (control && stage == STALE)
		net_forget(3);
	if (control && stage == RESET)
		net_setup(net_position());
	if (control && stage == MUTE)
		net_mute(false);
	net_service();
	net_kick();
	carry_finish();
	look_at_kernel();
	carry_try_map();
	report("frames_after %llu", (unsigned long long)net_position());
}

static void give(void)
{
	if (control && stage + 1 == MUTE)
		net_mute(true);
	state->mode = stage % MODES;
	report("frames_before %llu", (unsigned long long)net_position());
	carry_give();
	release_parent();
	run_until_jump();
}

/* ---- the end ------------------------------------------------------------ */

static void drain(void)
{
	uint64_t last = now_ms();

	while (now_ms() - last < 2000) {
		if (net_landed() || net_unsent())
			last = now_ms();
		net_service();
		usleep(10000);
	}
}

static void tally(unsigned long sent)
{
	static uint8_t seen[LOG_ENTRIES];
	unsigned long lost = 0, twice = 0, i;
	uint32_t *log = at(LOG_OFF);

	for (i = 0; i < net_position(); i++) {
		if (log[i] >= sent)
			fail("a number that was not sent", EPROTO);
		if (seen[log[i]]++)
			twice++;
	}
	for (i = 0; i < sent; i++)
		lost += !seen[i];
	report("guest_sent %lu", sent);
	report("guest_lost %lu", lost);
	report("guest_duplicated %lu", twice);
	report("control %s", control ? "true" : "false");
}

int main(int argc, char **argv)
{
	const char *number = getenv("HANDOVER_KEXECS");
	unsigned long sent;

	stage = argc > 1 ? atoi(argv[1]) : 0;
	kexecs = number ? atoi(number) : 0;
	control = kernel_option("virtio.control");
	setvbuf(stdout, NULL, _IOLBF, 0);
	background();
	if (!stage) {
		carry_build();
		device_open();
		device_enable();
		device_connect();
		net_setup(0);
		ask_host("go\n");
	} else {
		resume();
	}
	run(FRAMES);
	if (stage < kexecs)
		give();
	sent = ask_host("stop\n");
	drain();
	ask_host("end\n");
	tally(sent);
	release_parent();
	return 0;
}

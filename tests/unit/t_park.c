// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommu-handover-park: QEMU's state, the record of a process, its descriptors.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/park/park.h"
#include "tap.h"

static unsigned char state[4096];
static size_t len;
static struct why why;

static void put(uint32_t value, int bytes)
{
	while (bytes--)
		state[len++] = (unsigned char)(value >> 8 * bytes);
}

static void put_name(const char *name)
{
	put((uint32_t)strlen(name) + 1, 4);
	memcpy(state + len, name, strlen(name) + 1);
	len += strlen(name) + 1;
}

static void put_fd(const char *name, uint32_t id, uint32_t fd)
{
	put(1, 1);
	put_name(name);
	put(id, 4);
	put(fd, 4);
}

#define NR_FDS		3
#define DEVICE		"0000:00:04.0"
#define SUBSECTION	"CprState/vfio devices"

/* Returns where the list of descriptors ends. */
static size_t build(void)
{
	size_t fds_end;

	len = 0;
	put(0x51435052, 4);
	put(1, 4);
	put_fd("ram0", 0, 11);
	put_fd(DEVICE, 0, 12);
	put_fd(DEVICE "_interrupt", 2, 13);
	put(0, 1);
	fds_end = len;
	put(5, 1);
	put(strlen(SUBSECTION), 1);
	memcpy(state + len, SUBSECTION, strlen(SUBSECTION));
	len += strlen(SUBSECTION);
	put(1, 4);
	put(1, 1);
	put_name(DEVICE);
	put(7, 4);
	put(3, 4);
	put(4, 4);
	put(0, 1);
	return fds_end;
}

/* A copy of just that length, so that the sanitizer sees a byte too many. */
static int parse(size_t bytes, struct cpr_state *cpr)
{
	static unsigned char *copy;

	free(copy);
	copy = malloc(bytes ? bytes : 1);
	memcpy(copy, state, bytes);
	why.text[0] = 0;
	return cpr_parse(copy, bytes, cpr, &why);
}

static void whole(void)
{
	struct cpr_state cpr;

	build();
	ok(!parse(len, &cpr), "a whole state");
	ok(cpr.nr_fds == NR_FDS && !strcmp(cpr.fds[0].name, "ram0") &&
	   cpr.fds[0].fd == 11 && cpr.fds[2].id == 2 && cpr.fds[2].fd == 13,
	   "its descriptors");
	ok(cpr.nr_devices == 1 && !strcmp(cpr.devices[0].name, DEVICE) &&
	   cpr.devices[0].ioas == 3 && cpr.devices[0].hwpt == 4,
	   "its device");
	cpr_free(&cpr);
}

static void cut(void)
{
	size_t fds_end = build(), at, wrong = 0;
	/* Its name is what makes a subsection one; before it nothing is missing. */
	size_t named = fds_end + 2 + strlen(SUBSECTION);
	struct cpr_state cpr;

	for (at = 0; at < len; at++) {
		bool good = !parse(at, &cpr);
		bool may = at >= fds_end && at < named;

		if (good != may || (!good && !why.text[0])) {
			diag("cut at %zu of %zu: %s", at, len,
			     good ? "accepted" : "refused");
			wrong++;
		}
		cpr_free(&cpr);
	}
	ok(!wrong, "cut at each byte: refused, but where a list ends");
}

static void damaged(void)
{
	struct cpr_state cpr;

	build();
	state[0] ^= 1;
	ok(parse(len, &cpr) && strstr(why.text, "cpr-exec"), "another magic");
	cpr_free(&cpr);
	build();
	state[7] = 2;
	ok(parse(len, &cpr) && strstr(why.text, "version 2"), "another version");
	cpr_free(&cpr);
	build();
	state[9] = 0xff;
	ok(parse(len, &cpr), "a name longer than the state");
	cpr_free(&cpr);
	build();
	state[12] = 0;
	state[13] = 0;
	ok(parse(len, &cpr), "a name that ends before its length");
	cpr_free(&cpr);
	build();
	memset(state + 13, 'x', 5);
	ok(parse(len, &cpr), "a name without an end");
	cpr_free(&cpr);
}

static void command_line(void)
{
	char *file[] = { "qemu", "-m", "1G", "-incoming", "file:/run/x", NULL };
	char *offset[] = { "qemu", "-incoming", "file:/run/x,offset=4", NULL };
	char *tcp[] = { "qemu", "-incoming", "tcp:0:4444", NULL };
	char *last[] = { "qemu", "-incoming", NULL };
	char path[16];

	ok(incoming_file(file, path, sizeof(path)) &&
	   !strcmp(path, "/run/x"), "-incoming file:PATH");
	ok(!incoming_file(file, path, 4), "a path that is too long");
	ok(!incoming_file(offset, path, sizeof(path)), "with an offset");
	ok(!incoming_file(tcp, path, sizeof(path)), "not a file");
	ok(!incoming_file(last, path, sizeof(path)), "without its value");
}

static void descriptors(void)
{
	static struct held_fds fds, one = { .nr = 1 };
	int pipes[2];
	size_t i, found = 0;

	if (pipe(pipes) || fds_look(&fds, 0, NULL, NULL, &why)) {
		ok(false, "looking at the own descriptors: %s", why.text);
		return;
	}
	for (i = 0; i < fds.nr; i++) {
		if (fds.all[i].fd != pipes[0] || fds.all[i].kind != FD_UNKNOWN)
			continue;
		one.all[0] = fds.all[i];
		found++;
	}
	ok(found == 1, "a pipe is nothing that can be carried");
	ok(fds_refuse(&one, &why) && strstr(why.text, "pipe:"),
	   "and refused by name");
	close(pipes[0]);
	close(pipes[1]);
}

static void record(void)
{
	char *argv[] = { "qemu", "with space", "", NULL };
	static struct held_fds fds = {
		.nr = 1,
		.all = { { .fd = 17, .flags = 02, .irqs = 2,
			   .msi_mask = 5, .kind = FD_MEMORY,
			   .name = "/memfd:a b (deleted)" } },
	};
	struct record record = { 0 };
	size_t size, at, wrong = 0;
	int fd = record_write(argv, &fds, &why), part;
	char *bytes;

	ok(fd >= 0 && !record_read(fd, &record, &why), "a record is read again");
	ok(!strcmp(record.argv[1], "with space") && !record.argv[2][0] &&
	   !record.argv[3], "its command line");
	ok(record.fds->nr == 1 && record.fds->all[0].fd == 17 &&
	   record.fds->all[0].kind == FD_MEMORY &&
	   record.fds->all[0].irqs == fds.all[0].irqs &&
	   record.fds->all[0].msi_mask == fds.all[0].msi_mask &&
	   !strcmp(record.fds->all[0].name, fds.all[0].name), "its descriptor");
	bytes = read_all(fd, &size);
	for (at = 0; at < size - 2; at += 7) {
		struct record cut_record = { 0 };

		part = copy_to_memfd("part", fd);
		if (part < 0 || ftruncate(part, (off_t)at) ||
		    !record_read(part, &cut_record, &why))
			wrong++;
		free(cut_record.bytes);
		free(cut_record.argv);
		free(cut_record.envp);
		free(cut_record.fds);
		close(part);
	}
	ok(!wrong, "cut at each seventh byte: refused");
	free(bytes);
	free(record.bytes);
	free(record.argv);
	free(record.envp);
	free(record.fds);
	close(fd);
}

int main(void)
{
	whole();
	cut();
	damaged();
	command_line();
	descriptors();
	record();
	return tap_end();
}

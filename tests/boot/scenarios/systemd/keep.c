// SPDX-License-Identifier: GPL-2.0-only
/*
 * keep NAME - a service that stores a session with a number, and no device
 *
 * /run/NAME.found says whether it came out of the store after a kexec: "store", or
 * "nowhere" when the kernel has no session of that name either. That file also tells
 * a session that is to be preserved from one that was.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "store.h"
#include "guest.h"

#define STORED	"session"
#define TOKEN	1

static void found(const char *path, const char *where)
{
	FILE *file = fopen(path, "w");

	check(file && fprintf(file, "%s\n", where) > 0 && !fclose(file),
	      "%s: errno %d", path, errno);
}

int main(int argc, char **argv)
{
	unsigned int nr = boot_option("handover.stage=", 0);
	int session = store_get(STORED);
	struct memory mem;
	char path[64];

	check(argc == 2, "usage: %s NAME", argv[0]);
	snprintf(path, sizeof(path), "/run/%s.found", argv[1]);
	if (!access(path, F_OK) && session >= 0) {
		/* Started again by the same kernel: it is still to be preserved */
		store_notify("READY=1", -1);
		for (;;)
			pause();
	}
	if (session >= 0) {
		must(memory_adopt(&mem, must(luo_restore(session, TOKEN))));
		check(*(unsigned int *)mem.va == nr - 1, "found %u",
		      *(unsigned int *)mem.va);
		must(luo_finish(session));
		close(session);
		found(path, "store");
	} else {
		must_fail(ENOENT, luo_retrieve(argv[1]));
		found(path, "nowhere");
	}
	must(memory_create(&mem, argv[1], GUEST_PAGE));
	*(unsigned int *)mem.va = nr;
	session = must(luo_create(argv[1]));
	must(luo_preserve(session, mem.fd, TOKEN));
	store_drop(STORED);
	store_put(STORED, session);
	store_notify("READY=1", -1);
	for (;;)
		pause();
}

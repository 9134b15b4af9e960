// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trap.h"

static void uffd_call(const struct trap *t, unsigned long request, void *cmd)
{
	must(ioctl(t->uffd, request, cmd) < 0 ? -errno : 0);
}

void trap_write_protect(struct trap *t, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { (uintptr_t)t->page, GUEST_PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	uffd_call(t, UFFDIO_WRITEPROTECT, &wp);
}

void trap_set(struct trap *t, uint64_t mode)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = mode };

	t->mode = mode;
	t->page = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(t->page != MAP_FAILED, "mmap: %s", strerror(errno));
	t->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	must(t->uffd < 0 ? -errno : 0);
	uffd_call(t, UFFDIO_API, &api);
	area.range.start = (uintptr_t)t->page;
	area.range.len = GUEST_PAGE;
	uffd_call(t, UFFDIO_REGISTER, &area);
	if (mode == UFFDIO_REGISTER_MODE_WP) {
		t->page[0] = 0;
		trap_write_protect(t, true);
	}
}

void trap_wait(struct trap *t)
{
	struct uffd_msg msg;

	must(read(t->uffd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno);
	check(msg.event == UFFD_EVENT_PAGEFAULT, "event %u", msg.event);
}

void trap_end(struct trap *t)
{
	munmap(t->page, GUEST_PAGE);
	close(t->uffd);
}

void trap_open(struct trap *t)
{
	if (t->mode == UFFDIO_REGISTER_MODE_WP)
		trap_write_protect(t, false);
	else
		trap_end(t);
}

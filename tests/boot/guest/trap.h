/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A page whose use waits for user space: a call that pins it, or copies to it,
 * stays in the kernel until the trap is opened.
 *
 * All of them exit with 1 when a call fails.
 */
#ifndef TRAP_H
#define TRAP_H

#include <linux/userfaultfd.h>

#include "guest.h"

/**
 * struct trap - a page, access to which waits until it is opened
 * @uffd: its userfaultfd
 * @page: the page, of the process that has set it
 * @mode: UFFDIO_REGISTER_MODE_MISSING for any access to a page that is not
 *	there, UFFDIO_REGISTER_MODE_WP for writing to one that is
 */
struct trap {
	int uffd;
	char *page;
	uint64_t mode;
};

/** trap_set() - make a page of @mode and arm it */
void trap_set(struct trap *t, uint64_t mode);

/** trap_write_protect() - arm or disarm one of UFFDIO_REGISTER_MODE_WP */
void trap_write_protect(struct trap *t, bool on);

/** trap_wait() - until somebody has gone into it */
void trap_wait(struct trap *t);

/**
 * trap_open() - who waits goes on
 *
 * A page that was not there is taken away, so that a map of it fails and leaves
 * nothing that would be refused for itself; trap_end() is done then.
 */
void trap_open(struct trap *t);

/** trap_end() - unmap the page and close its userfaultfd */
void trap_end(struct trap *t);

#endif /* TRAP_H */

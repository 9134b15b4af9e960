// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * In the place of QEMU: give what it has to a session and wait for the kexec.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"
#include "park.h"

static int preserve(int session, int fd, uint64_t token, const char *what,
		    struct why *why)
{
	char said[WHY_LEN];
	int ret = session_preserve(session, fd, token);

	if (!ret)
		return 0;
	last_refusal(said, sizeof(said));
	return refuse(why, "%s cannot be preserved: %s%s%s", what,
		      strerror(-ret), said[0] ? ": " : "", said);
}

static int preserve_kind(int session, const struct held_fds *fds,
			 const int *copies, enum fd_kind kind, struct why *why)
{
	const struct held_fd *held;
	size_t i;

	for (i = 0; i < fds->nr; i++) {
		held = &fds->all[i];
		if (held->kind == kind &&
		    preserve(session, copies ? copies[i] : held->fd,
			     TOKEN_FD + (uint64_t)held->fd, held->name, why))
			return -1;
	}
	return 0;
}

/* A device knows its iommufd, and that its memory: what is named comes first. */
int preserve_fds(int session, const struct held_fds *fds, const int *copies,
		 struct why *why)
{
	if (preserve_kind(session, fds, copies, FD_MEMORY, why) ||
	    preserve_kind(session, fds, copies, FD_IOMMUFD, why))
		return -1;
	return preserve_kind(session, fds, copies, FD_DEVICE, why);
}

/*
 * QEMU has the kernel log which pages are written when it migrates, by cpr-exec as
 * well, and leaves that on. Units that cannot were never told to.
 */
static void stop_dirty_tracking(const struct held_fds *fds,
				const struct cpr_state *state)
{
	size_t i, k;

	for (i = 0; i < fds->nr; i++)
		for (k = 0; k < state->nr_devices; k++) {
			struct iommufd_dirty_tracking arg = {
				.size = sizeof(arg),
				.hwpt_id = state->devices[k].hwpt,
			};

			if (fds->all[i].kind == FD_IOMMUFD)
				ioctl(fds->all[i].fd, IOMMUFD_SET_DIRTY_TRACKING,
				      &arg);
		}
}

static int check_interrupts(const struct cpr_state *state, struct why *why)
{
	static const char intx[] = "_intx-interrupt";
	size_t i, len;

	for (i = 0; i < state->nr_fds; i++) {
		len = strlen(state->fds[i].name);
		if (len >= sizeof(intx) &&
		    !strcmp(state->fds[i].name + len - sizeof(intx) + 1, intx))
			return refuse(why,
				      "%.*s uses INTx, which cannot be held back while its DMA goes on; have its driver use MSI-X",
				      (int)(len - sizeof(intx) + 1),
				      state->fds[i].name);
	}
	return 0;
}

/* Returns a memfd with the migration stream, or -1 with @why. */
static int preserve_stream(int session, char **argv, struct why *why)
{
	char path[4096];
	int fd, copy;

	if (!incoming_file(argv, path, sizeof(path)))
		return refuse(why,
			      "QEMU's command has no -incoming file:PATH; have it migrate to a file");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	copy = fd < 0 ? -errno : copy_to_memfd("park-stream", fd);
	if (fd >= 0)
		close(fd);
	if (copy < 0)
		return refuse(why, "%s: %s", path, strerror(-copy));
	return preserve(session, copy, TOKEN_STREAM, path, why) ? -1 : copy;
}

/* What was given: all of it is needed again when nothing comes of it. */
struct given {
	int session, record, stream;
};

/* Returns 0, or -1 with @why and nothing of the session left. */
static int give(char **argv, const struct held_fds *fds, struct given *given,
		struct why *why)
{
	struct cpr_state state = { 0 };

	if (read_state(&state, why) || check_interrupts(&state, why) ||
	    fds_refuse(fds, why))
		return -1;
	stop_dirty_tracking(fds, &state);
	given->session = session_create(options.session);
	if (given->session < 0)
		return refuse(why, "live update session %s: %s",
			      options.session, strerror(-given->session));
	given->record = record_write(argv, fds, why);
	given->stream = -1;
	if (given->record >= 0 &&
	    !preserve_fds(given->session, fds, NULL, why) &&
	    !preserve(given->session, given->record, TOKEN_RECORD,
		      "record of the process", why))
		given->stream = preserve_stream(given->session, argv, why);
	if (given->stream < 0) {
		close(given->session);
		return -1;
	}
	return 0;
}

/*
 * All goes to the service manager: the session for the next kernel, and what is in it
 * for this one, in which nothing comes out of a session, should the kexec be refused.
 */
static int store(const struct held_fds *fds, const struct given *given)
{
	const struct held_fd *held;
	char what[32];
	size_t i;
	int err = store_put(options.session, "", given->session);

	if (!err)
		err = store_put(options.session, STORED_RECORD, given->record);
	if (!err)
		err = store_put(options.session, STORED_STREAM, given->stream);
	for (i = 0; !err && i < fds->nr; i++) {
		held = &fds->all[i];
		if (held->kind == FD_STANDARD || held->kind == FD_PATH)
			continue;
		snprintf(what, sizeof(what), STORED_FD "%d", held->fd);
		err = store_put(options.session, what, held->fd);
	}
	return err;
}

/* The exec that QEMU wanted, as if this program had not been there. */
int go_on_here(char **argv)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	tell("refused: %s: %s", argv[0], strerror(errno));
	return 1;
}

int park(char **argv)
{
	struct held_fds *fds = calloc(1, sizeof(*fds));
	struct timespec limit = { .tv_sec = options.timeout };
	struct given given = { .session = -1, .record = -1, .stream = -1 };
	int got, err;
	struct why why;
	sigset_t wait;

	sigemptyset(&wait);
	sigaddset(&wait, SIGHUP);
	sigprocmask(SIG_SETMASK, &wait, NULL);
	if (!fds)
		refuse(&why, "out of memory");
	if (!fds || fds_look(fds, 0, NULL, options.reopen, &why) ||
	    give(argv, fds, &given, &why)) {
		tell("refused: %s", why.text);
		return go_on_here(argv);
	}
	if (options.store) {
		err = store(fds, &given);
		if (err) {
			/* Else a copy of the session would go on in the store. */
			store_empty();
			close(given.session);
			tell("refused: the service manager's descriptor store: %s",
			     strerror(-err));
			return go_on_here(argv);
		}
		tell("parked %s in the store", options.session);
		return 0;
	}
	tell("parked %s", options.session);
	notify("READY=1");
	do {
		got = options.timeout ? sigtimedwait(&wait, NULL, &limit) :
					sigwaitinfo(&wait, NULL);
	} while (got < 0 && errno == EINTR);
	/* The kernel refuses a jump from here on. */
	close(given.session);
	tell("resumed here: %s", got < 0 ? "the time is over" : "SIGHUP");
	return go_on_here(argv);
}

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * In the next kernel: take what a session has and become QEMU again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "park.h"

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Of the same kernel, after a kexec that was refused: the store has the thing itself. */
static int stored_fd(const struct held_fd *held)
{
	char what[32];
	int fd;

	snprintf(what, sizeof(what), STORED_FD "%d", held->fd);
	fd = store_find(options.session, what);
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
}

/* What becomes descriptor @held of QEMU, or -1 with @why. */
static int make_fd(int session, const struct held_fd *held, bool here,
		   struct why *why)
{
	char said[WHY_LEN];
	int fd;

	if (here && held->kind != FD_PATH) {
		fd = stored_fd(held);
		return fd < 0 ? refuse(why,
				       "descriptor %d, %s, is not in the store; raise FileDescriptorStoreMax=",
				       held->fd, held->name) : fd;
	}
	switch (held->kind) {
	case FD_EVENT:
		fd = eventfd(0, EFD_CLOEXEC | (held->flags & O_NONBLOCK));
		break;
	case FD_PATH:
		fd = open(held->name, O_CLOEXEC | (held->flags &
			  (O_ACCMODE | O_APPEND | O_NONBLOCK)));
		break;
	default:
		fd = session_take(session, TOKEN_FD + (uint64_t)held->fd);
		if (fd >= 0)
			return fd;
		last_refusal(said, sizeof(said));
		return refuse(why, "descriptor %d, %s, is not given back: %s%s%s",
			      held->fd, held->name, strerror(-fd),
			      said[0] ? ": " : "", said);
	}
	if (fd < 0)
		return refuse(why, "descriptor %d, %s: %s", held->fd,
			      held->name, strerror(errno));
	return fd;
}

static int out_of_the_way(int fd, struct why *why)
{
	int ret = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);

	if (ret < 0)
		return refuse(why, "descriptor above %d: %s", FIRST_FREE,
			      strerror(errno));
	close(fd);
	return ret;
}

static int place_fds(int session, const struct held_fds *fds, bool here,
		     struct why *why)
{
	int made[MAX_FDS];
	size_t i;

	for (i = 0; i < fds->nr; i++) {
		if (fds->all[i].kind == FD_STANDARD)
			continue;
		made[i] = make_fd(session, &fds->all[i], here, why);
		if (made[i] >= 0)
			made[i] = out_of_the_way(made[i], why);
		if (made[i] < 0)
			return -1;
	}
	for (i = 0; i < fds->nr; i++) {
		if (fds->all[i].kind == FD_STANDARD)
			continue;
		/* dup2() clears FD_CLOEXEC: this one is for QEMU. */
		if (dup2(made[i], fds->all[i].fd) < 0)
			return refuse(why, "descriptor %d: %s", fds->all[i].fd,
				      strerror(errno));
		close(made[i]);
		if (fds->all[i].kind == FD_MEMORY)
			lseek(fds->all[i].fd, 0, SEEK_SET);
	}
	return 0;
}

static int write_stream(int session, const struct record *record, bool here,
			struct why *why)
{
	char path[4096];
	int from, to, ret;
	size_t len;
	void *data;

	if (!incoming_file(record->argv, path, sizeof(path)))
		return refuse(why, "the record has no -incoming file:PATH");
	from = here ? store_find(options.session, STORED_STREAM) :
		      session_take(session, TOKEN_STREAM);
	if (from < 0)
		return refuse(why, "the migration stream is not given back: %s",
			      strerror(-from));
	data = read_all(from, &len);
	if (!data)
		return refuse(why, "the migration stream: %s", strerror(errno));
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ret = to < 0 ? -errno : write_all(to, data, len);
	if (to >= 0)
		close(to);
	close(from);
	free(data);
	return ret ? refuse(why, "%s: %s", path, strerror(-ret)) : 0;
}

static int arm(const struct held_fds *fds, struct why *why)
{
	const struct held_fd *held;
	struct cpr_state state;
	size_t i, k;
	int vectors = 0, ret;

	if (read_state(&state, why))
		return -1;
	/* A device's own descriptor has the name that its interrupts begin with. */
	for (i = 0; i < fds->nr; i++) {
		held = &fds->all[i];
		for (k = 0; held->kind == FD_DEVICE && k < state.nr_fds; k++) {
			if (state.fds[k].fd != held->fd)
				continue;
			ret = device_arm(held, state.fds[k].name, &state, why);
			if (ret < 0)
				return -1;
			vectors += ret;
		}
	}
	return vectors;
}

static const char *variable_of(const struct record *record, const char *name)
{
	size_t len = strlen(name);
	char **p;

	for (p = record->envp; *p; p++)
		if (!strncmp(*p, name, len) && (*p)[len] == '=')
			return *p + len + 1;
	return "";
}

/*
 * Returns the record's descriptor, or -1 with @why. @here is whether it is that of a
 * kexec that did not come: then the session of this kernel is there to be closed.
 */
static int find_record(int session, bool *here, struct why *why)
{
	int fd = session_take(session, TOKEN_RECORD);
	int stored = store_find(options.session, STORED_RECORD);

	*here = fd < 0 && stored >= 0;
	if (*here)
		return stored;
	if (fd < 0)
		return refuse(why, "session %s has no record of a QEMU: %s",
			      options.session, strerror(-fd));
	return fd;
}

static int finish(int session, struct why *why)
{
	char said[WHY_LEN];
	int ret = session_finish(session);

	if (!ret)
		return 0;
	last_refusal(said, sizeof(said));
	return refuse(why, "FINISH of session %s: %s%s%s", options.session,
		      strerror(-ret), said[0] ? ": " : "", said);
}

/* With the session at a number of its own: all but QEMU itself. */
static int take_over(int session, const struct record *record, bool here,
		     struct why *why)
{
	uint64_t start = now_ms(), taken, armed;
	int vectors = 0;

	if (place_fds(session, record->fds, here, why) ||
	    write_stream(session, record, here, why))
		return -1;
	taken = now_ms();
	setenv(STATE_VARIABLE, variable_of(record, STATE_VARIABLE), 1);
	/* Here the device has had QEMU's eventfds all the time. */
	if (!here && !options.no_interrupts)
		vectors = arm(record->fds, why);
	if (vectors < 0)
		return -1;
	armed = now_ms();
	if (!here && finish(session, why))
		return -1;
	close(session);
	store_empty();
	if (here)
		tell("resumed here: from the store");
	else
		tell("resumed %s: descriptors %llu ms, %d vectors %llu ms, page tables %llu ms",
		     options.session, (unsigned long long)(taken - start), vectors,
		     (unsigned long long)(armed - taken),
		     (unsigned long long)(now_ms() - armed));
	return 0;
}

int resume(void)
{
	struct rlimit files = { .rlim_cur = 2 * FIRST_FREE + MAX_FDS,
				.rlim_max = 2 * FIRST_FREE + MAX_FDS };
	struct record record;
	struct why why;
	int session, fd;
	bool here;

	setrlimit(RLIMIT_NOFILE, &files);
	store_open();
	session = store_find(options.session, "");
	if (session < 0)
		session = session_retrieve(options.session);
	if (session < 0) {
		tell("refused: live update session %s: %s", options.session,
		     strerror(-session));
		return 1;
	}
	session = out_of_the_way(session, &why);
	fd = session < 0 ? -1 : find_record(session, &here, &why);
	if (fd >= 0 && !record_read(fd, &record, &why)) {
		close(fd);
		if (!take_over(session, &record, here, &why))
			record_become(&record, &why);
	}
	tell("refused: %s", why.text);
	return 1;
}

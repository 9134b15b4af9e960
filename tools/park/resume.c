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

/* What becomes descriptor @held of QEMU, or -1 with @why. */
static int make_fd(int session, const struct held_fd *held, struct why *why)
{
	char said[WHY_LEN];
	int fd;

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

/* Above all numbers that QEMU had. */
static int out_of_the_way(int fd, const struct held_fds *fds, struct why *why)
{
	int i, top = STDERR_FILENO, ret;

	for (i = 0; i < (int)fds->nr; i++)
		if (fds->all[i].fd > top)
			top = fds->all[i].fd;
	ret = fcntl(fd, F_DUPFD_CLOEXEC, top + 1);
	if (ret < 0)
		return refuse(why, "descriptor above %d: %s", top,
			      strerror(errno));
	close(fd);
	return ret;
}

static int place_fds(int session, const struct held_fds *fds, struct why *why)
{
	int made[MAX_FDS];
	size_t i;

	for (i = 0; i < fds->nr; i++) {
		if (fds->all[i].kind == FD_STANDARD)
			continue;
		made[i] = make_fd(session, &fds->all[i], why);
		if (made[i] >= 0)
			made[i] = out_of_the_way(made[i], fds, why);
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

static int write_stream(int session, const struct record *record,
			struct why *why)
{
	char path[4096];
	int from, to, ret;
	size_t len;
	void *data;

	if (!incoming_file(record->argv, path, sizeof(path)))
		return refuse(why, "the record has no -incoming file:PATH");
	from = session_take(session, TOKEN_STREAM);
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
			ret = device_arm(held->fd, state.fds[k].name, &state,
					 why);
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

int resume(void)
{
	struct rlimit files = { .rlim_cur = 2 * MAX_FDS + 64,
				.rlim_max = 2 * MAX_FDS + 64 };
	uint64_t start = now_ms(), taken, armed, done;
	int session, fd, vectors, ret;
	struct record record;
	struct why why;

	setrlimit(RLIMIT_NOFILE, &files);
	session = session_from_store(options.session);
	if (session < 0)
		session = session_retrieve(options.session);
	if (session < 0) {
		tell("refused: live update session %s: %s", options.session,
		     strerror(-session));
		return 1;
	}
	fd = session_take(session, TOKEN_RECORD);
	if (fd < 0) {
		tell("refused: session %s has no record of a QEMU: %s",
		     options.session, strerror(-fd));
		return 1;
	}
	if (record_read(fd, &record, &why))
		goto refused;
	close(fd);
	session = out_of_the_way(session, record.fds, &why);
	if (session < 0 || place_fds(session, record.fds, &why) ||
	    write_stream(session, &record, &why))
		goto refused;
	taken = now_ms();
	setenv(STATE_VARIABLE, variable_of(&record, STATE_VARIABLE), 1);
	vectors = options.no_interrupts ? 0 : arm(record.fds, &why);
	if (vectors < 0)
		goto refused;
	armed = now_ms();
	ret = session_finish(session);
	if (ret) {
		char said[WHY_LEN];

		last_refusal(said, sizeof(said));
		refuse(&why, "FINISH of session %s: %s%s%s", options.session,
		       strerror(-ret), said[0] ? ": " : "", said);
		goto refused;
	}
	close(session);
	done = now_ms();
	tell("resumed %s: descriptors %llu ms, %d vectors %llu ms, page tables %llu ms",
	     options.session, (unsigned long long)(taken - start), vectors,
	     (unsigned long long)(armed - taken),
	     (unsigned long long)(done - armed));
	record_become(&record, &why);
refused:
	tell("refused: %s", why.text);
	return 1;
}

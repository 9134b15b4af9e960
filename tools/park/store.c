// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The service manager's descriptor store, as sd_notify(3) and sd_listen_fds(3) describe
 * it: descriptors go there over a socket, and come back as those from 3 on, with their
 * names in the environment.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "park.h"

#define FIRST_STORED	3
#define NAME_LEN	128

static struct {
	int fd;
	char name[NAME_LEN];
} stored[MAX_FDS];
static int nr_stored;

void store_open(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const char *at = getenv("LISTEN_FDNAMES");
	int fd, nr = count ? atoi(count) : 0;
	size_t len;

	if (!pid || atoi(pid) != getpid() || !at)
		return;
	for (fd = FIRST_STORED; fd < FIRST_STORED + nr && nr_stored < MAX_FDS;
	     fd++, nr_stored++) {
		len = strcspn(at, ":");
		snprintf(stored[nr_stored].name, NAME_LEN, "%.*s", (int)len, at);
		stored[nr_stored].fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE);
		close(fd);
		at += len + (at[len] == ':');
	}
}

int store_find(const char *session, const char *what)
{
	char name[NAME_LEN];
	int i;

	snprintf(name, sizeof(name), "%s%s", session, what);
	for (i = 0; i < nr_stored; i++)
		if (!strcmp(stored[i].name, name))
			return stored[i].fd;
	return -1;
}

/* A datagram to the service manager, with a descriptor when there is one. */
static int tell_manager(const char *text, int fd)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	struct msghdr msg = { .msg_name = &to, .msg_iov = &iov,
			      .msg_iovlen = 1 };
	int sock, ret = 0;

	if (!path || strlen(path) >= sizeof(to.sun_path))
		return -ENOENT;
	memcpy(to.sun_path, path, strlen(path) + 1);
	if (path[0] == '@')
		to.sun_path[0] = 0;
	msg.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				      strlen(path));
	if (fd >= 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	if (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		ret = -errno;
	close(sock);
	return ret;
}

void notify(const char *state)
{
	tell_manager(state, -1);
}

int store_put(const char *session, const char *what, int fd)
{
	char text[NAME_LEN + 64];
	int err;

	if (nr_stored == MAX_FDS)
		return -ENFILE;
	snprintf(stored[nr_stored].name, NAME_LEN, "%s%s", session, what);
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0",
		 stored[nr_stored].name);
	err = tell_manager(text, fd);
	if (!err)
		stored[nr_stored++].fd = -1;
	return err;
}

void store_empty(void)
{
	char text[NAME_LEN + 64];
	int i;

	for (i = 0; i < nr_stored; i++) {
		snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s",
			 stored[i].name);
		notify(text);
	}
}

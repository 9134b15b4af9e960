// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"
#include "store.h"
#include "wire.h"

void store_notify(const char *text, int fd)
{
	int sock = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr;
	socklen_t len;

	check(path, "there is no NOTIFY_SOCKET");
	len = wire_address(&addr, path);
	check(!connect(sock, (struct sockaddr *)&addr, len), "%s: errno %d",
	      path, errno);
	wire_send(sock, text, fd);
	close(sock);
}

void store_put(const char *name, int fd)
{
	char text[WIRE_LEN];

	if (!getenv("FDSTORE"))
		return;
	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	store_notify(text, fd);
}

void store_drop(const char *name)
{
	char text[WIRE_LEN];

	if (!getenv("FDSTORE"))
		return;
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	store_notify(text, -1);
}

int store_get(const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES"), *pid;
	size_t len = strlen(name);
	int fd = STORE_FIRST_FD;

	pid = getenv("LISTEN_PID");
	if (!pid || atoi(pid) != getpid() || !names)
		return -1;
	for (; *names; fd++) {
		size_t n = strcspn(names, ":");

		if (n == len && !strncmp(names, name, n)) {
			must(fcntl(fd, F_SETFD, FD_CLOEXEC) ? -errno : 0);
			return fd;
		}
		names += n + !!names[n];
	}
	return -1;
}

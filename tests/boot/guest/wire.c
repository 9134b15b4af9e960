// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "wire.h"

socklen_t wire_address(struct sockaddr_un *addr, const char *path)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	check(strlen(path) < sizeof(addr->sun_path), "%s is too long", path);
	strcpy(addr->sun_path, path);
	if (path[0] == '@')
		addr->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) +
	       (path[0] != '@');
}

void wire_send(int sock, const char *text, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = {
		.iov_base = (void *)text,
		.iov_len = strlen(text),
	};
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
	}
	check(sendmsg(sock, &msg, MSG_NOSIGNAL) >= 0, "\"%s\": errno %d", text,
	      errno);
}

void wire_receive(int sock, struct wire *wire)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(WIRE_FDS * sizeof(int)) +
			   CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = {
		.iov_base = wire->text,
		.iov_len = sizeof(wire->text) - 1,
	};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *head;
	ssize_t n;

	memset(wire, 0, sizeof(*wire));
	n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	check(n >= 0, "recvmsg: errno %d", errno);
	check(!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)),
	      "a message is too long");
	for (head = CMSG_FIRSTHDR(&msg); head; head = CMSG_NXTHDR(&msg, head)) {
		if (head->cmsg_level != SOL_SOCKET)
			continue;
		if (head->cmsg_type == SCM_RIGHTS) {
			wire->fds = (head->cmsg_len - CMSG_LEN(0)) /
				    sizeof(int);
			memcpy(wire->fd, CMSG_DATA(head),
			       wire->fds * sizeof(int));
		} else if (head->cmsg_type == SCM_CREDENTIALS) {
			struct ucred who;

			memcpy(&who, CMSG_DATA(head), sizeof(who));
			wire->pid = who.pid;
		}
	}
}

const char *wire_value(const struct wire *wire, const char *name,
		       char value[WIRE_LEN])
{
	const char *line = wire->text;
	size_t len = strlen(name);

	for (; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (strncmp(line, name, len) || line[len] != '=')
			continue;
		strcpy(value, line + len + 1);
		value[strcspn(value, "\n")] = '\0';
		return value;
	}
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages with descriptors over local sockets, in lines NAME=VALUE or as the
 * two ends please. The functions exit with 1 when a call fails.
 */
#ifndef WIRE_H
#define WIRE_H

#include <sys/socket.h>
#include <sys/un.h>

#include "guest.h"

#define WIRE_FDS	4
#define WIRE_LEN	512

/**
 * wire_address() - the address of a local socket
 * @path: may be abstract, with "@" for the first byte, as systemd's may be
 *
 * Return: the length of @addr.
 */
socklen_t wire_address(struct sockaddr_un *addr, const char *path);

/** wire_send() - send @text with descriptor @fd, or with none when negative */
void wire_send(int sock, const char *text, int fd);

/**
 * struct wire - a message that has come
 * @text: its lines
 * @pid: the sender, when the socket has SO_PASSCRED, else 0
 * @fds: length of @fd
 * @fd: descriptors, the receiver's to close
 */
struct wire {
	char text[WIRE_LEN];
	pid_t pid;
	unsigned int fds;
	int fd[WIRE_FDS];
};

void wire_receive(int sock, struct wire *wire);

/**
 * wire_value() - the value of line "@name=value"
 * @value: out, to the end of the line
 *
 * Return: @value, or NULL when there is no such line.
 */
const char *wire_value(const struct wire *wire, const char *name,
		       char value[WIRE_LEN]);

#endif /* WIRE_H */

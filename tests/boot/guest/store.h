/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * systemd's protocol for a service: what it says of itself, and the store in which
 * descriptors outlive it. The store may be an agent's that speaks the same.
 *
 * The functions exit with 1 when a call fails.
 */
#ifndef STORE_H
#define STORE_H

/* Of what a service is started with. */
#define STORE_FIRST_FD	3

/**
 * store_notify() - tell the service manager
 * @text: assignments, one in a line: "READY=1"
 * @fd: goes with them, -1 for none
 */
void store_notify(const char *text, int fd);

/**
 * store_put() - have the manager keep a duplicate of @fd, beyond our end
 *
 * Nothing happens when it has no store for us.
 */
void store_put(const char *name, int fd);

/** store_drop() - have it close all that it keeps under this name */
void store_drop(const char *name);

/** store_get() - what we were started with of that name, or -1 */
int store_get(const char *name);

#endif /* STORE_H */

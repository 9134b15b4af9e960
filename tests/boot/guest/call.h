/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call that may wait, made by a process of its own.
 */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * call_begin() - make a call
 * @call: returns 0 or a negative errno
 *
 * Return: the process, for call_end().
 */
pid_t call_begin(int (*call)(void));

/** call_has_ended() - whether it has returned, or died */
bool call_has_ended(pid_t pid);

/**
 * call_end() - wait for it
 * @pid: of call_begin()
 * @what: for the sentence of a failure
 * @err: what it is to have returned: 0, or an errno
 */
void call_end(pid_t pid, const char *what, int err);

#endif /* CALL_H */

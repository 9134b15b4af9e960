/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations of one thread that fail, from the nth on. Only those of its own
 * system calls; the functions here make none between begin and end that
 * allocates.
 */
#ifndef STARVE_H
#define STARVE_H

#include "guest.h"

/**
 * struct starve - a thread that can be starved
 * @nth: its fail-nth: that allocation fails, whatever else is set
 * @all: its make-it-fail: all fail that are not counted by fail-nth
 */
struct starve {
	int nth;
	int all;
};

/** starve_open() - the calling thread is the one */
void starve_open(struct starve *s);
void starve_close(struct starve *s);

/**
 * starve_begin() - let the @nth allocation from now on fail
 * @on: and all that follow it
 */
void starve_begin(struct starve *s, unsigned int nth, bool on);

/**
 * starve_end() - let no allocation fail any more
 *
 * Return: how many were left until one would have failed, 0 when one did.
 */
unsigned int starve_end(struct starve *s);

#endif /* STARVE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test Anything Protocol, as little of it as the suites need.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>

/* Print one result line; returns @good. */
bool ok(bool good, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* ok() when @got is the negated @want; says both names when not. */
bool ok_err(int got, int want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A line of explanation. */
void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Print the plan; returns the exit status of the suite. */
int tap_end(void);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many refusals a scenario demanded, and how many were as they should be.
 *
 * A refusal that does not behave is printed and counted, and the scenario goes
 * on to the next; tally_end() fails the run when there was one.
 */
#ifndef TALLY_H
#define TALLY_H

#include "guest.h"

/**
 * struct tally - refusals counted
 * @tried: demanded
 * @behaved: those that were given as they should be
 */
struct tally {
	unsigned int tried;
	unsigned int behaved;
};

/* Of this process, so of this stage. */
extern struct tally tally;

/**
 * tally_one() - count one refusal
 * @good: it behaved
 * @quiet: print it only when it did not
 * @fmt: printf-style, what was tried and what came of it
 *
 * Return: @good.
 */
bool tally_one(bool good, bool quiet, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * tally_end() - report this stage's refusals and those of the stages before
 * @sum: those before, in memory that crosses the kexec; this stage's are added
 *
 * Exits with 1 when nothing was tried in this stage, or did not behave; the
 * first of those that did not are printed once more.
 */
void tally_end(struct tally *sum);

#endif /* TALLY_H */

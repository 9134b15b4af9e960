/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that the kernel believes is free is given out, much of it, and looked at
 * later: what a device wrote to there is seen.
 *
 * The functions exit with 1 when there is no memory.
 */
#ifndef CANARY_H
#define CANARY_H

#include "guest.h"

/**
 * struct canary - memory that nobody has a reason to change
 * @word: its words
 * @nr: how many
 */
struct canary {
	uint64_t *word;
	uint64_t nr;
};

/* The debug kernel has more, and is slow. */
#define CANARY_MOST	(1ULL << 30)

/** canary_begin() - @most bytes, or nearly all that is free if that is less */
void canary_begin(struct canary *c, uint64_t most);

/**
 * canary_end() - give it back
 *
 * Sees to it first that it would notice one bit.
 *
 * Return: how many words have changed.
 */
uint64_t canary_end(struct canary *c);

#endif /* CANARY_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* What setup and verify of the memfd scenario share. */
#ifndef MEMFD_H
#define MEMFD_H

#include <stdint.h>
#include <stdlib.h>

#include "guest.h"

#define SESSION	"memfd"
#define TOKEN	0x6d656d6664ull
#define PAGES	1031u		/* not a multiple of anything */
#define WORDS	((unsigned int)GUEST_PAGE / 8)

/* Stage N writes every (N + 1)th page. The last writer of @page, so far. */
static inline unsigned int writer(unsigned int page, unsigned int stage)
{
	while (page % (stage + 1))
		stage--;
	return stage;
}

/* Each 8 bytes of the memfd differ from each other, and from stage to stage. */
static inline uint64_t word(unsigned int page, unsigned int i,
			    unsigned int stage)
{
	return (uint64_t)page << 32 | i << 16 | (writer(page, stage) + 1);
}

static inline void fill(uint64_t *va, unsigned int stage)
{
	for (unsigned int page = 0; page < PAGES; page += stage + 1)
		for (unsigned int i = 0; i < WORDS; i++)
			va[page * WORDS + i] = word(page, i, stage);
}

#endif

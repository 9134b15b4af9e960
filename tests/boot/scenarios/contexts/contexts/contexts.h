/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contexts and what they should hold. See contexts.c.
 *
 * The functions exit with 1 when a call fails that has to succeed.
 */
#ifndef CONTEXTS_H
#define CONTEXTS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctx.h"
#include "edu.h"
#include "igb.h"

#define LL(x)		((unsigned long long)(x))

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	0x1000		/* and on */

#define GROUPS		11
#define MANY		100
#define FEW		10
#define SMALL		(MANY + (GROUPS - 1) * FEW)
#define SMALL_MEMORY	(1ULL << 20)

#define BIG_MEMORY	(16ULL << 20)

enum { KIND_DEVICES, KIND_CHARGED, KINDS };

/**
 * struct state - what crosses the kexecs
 * @magic: STATE_MAGIC
 * @size: sizeof(struct state)
 * @kexecs: how many it has been through
 * @seed: of the big context's maps and the memories' contents
 * @rng: for everything else
 * @big_ioas, @big_dev, @big_hwpt: IDs in the big context
 * @vfio_ioas: the IOAS for vfio's old interface in the first kind
 * @kind: the contexts of ctx-kinds
 * @small: the small contexts, group by group
 */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint64_t seed;
	struct rng rng;
	uint32_t big_ioas, big_dev, big_hwpt;
	uint32_t vfio_ioas;
	struct want kind[KINDS];
	struct want small[SMALL];
};

#define STATE_MAGIC	0x7478746e6f63ULL

extern struct memory state_mem, group_mem[GROUPS], kinds_mem, big_mem;
extern struct state *state;
extern struct ctx small[SMALL], kind[KINDS];
extern int big, big_dev;

/*
 * Small contexts and kinds (small.c)
 */

/** group_name() - name of the session, in a buffer that is reused */
const char *group_name(unsigned int group);

/**
 * group_range() - the small contexts of @group
 * @first: out, index of the first one
 *
 * Return: one more than the index of the last.
 */
unsigned int group_range(unsigned int group, unsigned int *first);

/** fill() - write a memory file, as the seed says */
void fill(struct memory *mem);

/** check_filled() - demand that it is as it was written */
void check_filled(const struct memory *mem, const char *name);

void build_small(struct ctx *ctx, struct want *want, const struct memory *mem);

/**
 * build_kinds() - the contexts of ctx-kinds
 *
 * HWPTs of the first IOAS: one that both controllers share and that was
 * allocated with a device that is gone, and two that nobody is attached to. On
 * the second, with small pages only, one that a controller has left. The
 * automatic ones went when the controllers moved.
 */
void build_kinds(void);

/*
 * The big one (big.c)
 */

void build_big(void);

/** check_big() - every map is there, none is between them */
void check_big(void);

/** check_big_dma() - the device finds the right pages: a few, chosen at random */
void check_big_dma(unsigned int samples);

/** check_big_bound() - IDs and attachment, once the device is bound */
void check_big_bound(void);

/*
 * Before and after a kexec (leave.c, back.c)
 */

/** hand_over() - preserve all, make the outsiders, and stay */
void hand_over(void) __attribute__((noreturn));

/** take_back() - retrieve all; no device is bound */
void take_back(void);
void bind_back(void);

/** finish_all() - finish and close every session */
void finish_all(void);

#endif /* CONTEXTS_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a scenario takes through its kexecs when the kexec is not the point:
 * one memory file, one or two contexts (ctx.h) that map it, and a session.
 * What has to be remembered lies at the start of the memory file itself.
 *
 * Before the first kexec carry_build(), or carry_create() and carry_open() for
 * what is not so plain; after each carry_take_back(), or its parts; before each
 * carry_hand_over(). All of them exit with 1 when a call fails.
 */
#ifndef CARRY_H
#define CARRY_H

#include "ctx.h"
#include "handover.h"
#include "tally.h"

#define CARRY_MAX		2		/* contexts */
#define CARRY_NAME_LEN		16
#define CARRY_MEMORY_LEN	(1ULL << 20)
#define CARRY_STATE_LEN		0x20000ULL	/* the rest is free for maps */

/* Where carry_ioas() maps. */
#define CARRY_MAP_LEN		0x30000ULL
#define CARRY_IOVA		0x40000000ULL

/* Tokens: the memory file, the contexts, and what the scenario adds itself. */
#define CARRY_TOKEN_MEMORY	1
#define CARRY_TOKEN_IOMMUFD	2
#define CARRY_TOKEN_FREE	(CARRY_TOKEN_IOMMUFD + CARRY_MAX)

/**
 * struct carry_state - what is remembered
 * @magic: CARRY_MAGIC
 * @size: sizeof(struct carry_state)
 * @kexecs: how many it has been through
 * @nr: contexts
 * @name: theirs
 * @want: what they should hold
 * @sum: refusals of the stages that are over
 */
struct carry_state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint32_t nr;
	char name[CARRY_MAX][CARRY_NAME_LEN];
	struct want want[CARRY_MAX];
	struct tally sum;
};

/**
 * struct carry - all of it
 * @name: of the session
 * @mem: the memory file, number 0 in every context
 * @state: its start
 * @ctx: the contexts, as many as @state says
 * @session: the one it came back in, from carry_retrieve() to carry_finish()
 */
struct carry {
	const char *name;
	struct memory mem;
	struct carry_state *state;
	struct ctx ctx[CARRY_MAX];
	int session;
};

/**
 * carry_stage() - what main() begins with: go to the background()
 *
 * The program's only argument is the number of the stage. Return: that number,
 * 0 before the first kexec.
 */
unsigned int carry_stage(int argc, char **argv);

/**
 * carry_create() - a memory file, and no context yet
 * @name: of the session to be, stays the caller's
 */
void carry_create(struct carry *c, const char *name);

/**
 * carry_open() - a new iommufd that knows the memory file
 * @i: index of the context: the next one, or one that was closed
 * @name: for messages, shorter than CARRY_NAME_LEN
 *
 * The caller fills it and calls ctx_settle(). Return: the context.
 */
struct ctx *carry_open(struct carry *c, unsigned int i, const char *name);

/**
 * carry_ioas() - a new IOAS
 *
 * It has CARRY_MAP_LEN bytes behind the state mapped at CARRY_IOVA, to be read
 * and written. Return: its ID.
 */
uint32_t carry_ioas(struct ctx *ctx);

/** carry_nic() - bind the @nth 82576, attach it to @ioas. Return: its index */
uint32_t carry_nic(struct ctx *ctx, unsigned int nth, uint32_t ioas);

/**
 * carry_build() - a memory file and one settled context, also named @name
 * @nics: how many 82576s are attached to its only IOAS, from the first on
 */
void carry_build(struct carry *c, const char *name, unsigned int nics);

/**
 * carry_retrieve() - get memory file and contexts out of session @name
 * @nr: number of the kexec; the memory has to be of the one before
 *
 * Binds no device. More that is in @session is the caller's to restore.
 */
void carry_retrieve(struct carry *c, const char *name, unsigned int nr);

/** carry_rebind() - bind each device; all has to be what it was */
void carry_rebind(struct carry *c);

/** carry_finish() - finish and close the session it came back in */
void carry_finish(struct carry *c);

/** carry_take_back() - carry_retrieve(), carry_rebind() and carry_finish() */
void carry_take_back(struct carry *c, const char *name, unsigned int nr);

/** carry_verify() - demand that all is what it was, every device bound */
void carry_verify(struct carry *c);

/**
 * carry_hand_over() - preserve memory file and contexts in a new session
 *
 * Return: the session, to close or to preserve more in, under
 * CARRY_TOKEN_FREE and above.
 */
int carry_hand_over(struct carry *c);

#endif /* CARRY_H */

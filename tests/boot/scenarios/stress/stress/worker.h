/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker process: two threads change two iommufds as fast as they can, a
 * third opens and closes them and puts them into sessions and takes them out.
 */
#ifndef WORKER_H
#define WORKER_H

#include "stress.h"

/**
 * struct worker - a thread that changes iommufds
 * @p, @t: its process and its number in that
 * @c: the iommufd of the call under way
 * @rng: decides what it does
 * @model: what it has made
 * @sealable, @epoch: of that iommufd, as they were when the call began
 */
struct worker {
	unsigned int p, t;
	unsigned int c;
	struct rng rng;
	struct a_thread *model;
	unsigned int sealable, epoch;
};

/*
 * Calls, each one noted in the model (calls.c)
 */

/** one_call() - make a call that @w's generator chooses */
void one_call(struct worker *w);

/**
 * tidy_one() - take one thing away that would refuse the load
 *
 * Return: there was one.
 */
bool tidy_one(struct worker *w);

bool add_map(struct worker *w, struct an_ioas *ioas, bool user, bool writable);
bool unmap_one(struct worker *w, struct an_ioas *ioas, uint32_t i);
struct a_hwpt *find_hwpt(struct worker *w, uint32_t id);

/*
 * The process (worker.c)
 */

/** is_filled() - is a memory file as its process filled it? */
bool is_filled(const struct memory *mem, unsigned int p, unsigned int c,
	       unsigned int m);

/** preserve() - memory files and iommufd into a new session, in any order */
void preserve(unsigned int p, unsigned int c, struct rng *rng);

/** worker_main() - the process; it stays until the jump */
void worker_main(unsigned int p) __attribute__((noreturn));

/*
 * From what the threads left to what should come back (record.c)
 */

/**
 * settle() - an iommufd as the threads left it
 *
 * Takes out what cannot cross, notes the rest, and sees that the kernel has it
 * so.
 */
void settle(unsigned int p, unsigned int c, struct rng *rng);

/*
 * In the next kernel (back.c)
 */

/**
 * take_ctx() - memory and iommufd of one session, in any order
 *
 * Return: the session.
 */
int take_ctx(unsigned int p, unsigned int c, struct ctx *ctx, struct rng *rng);

/** take_thread() - the model of a thread, which goes on with what came back */
void take_thread(unsigned int p, unsigned int t, struct ctx ctx[CTXS]);

/**
 * look_through() - what the device finds at the maps of its IOAS
 *
 * It copies a page of one to one that it may write, which is put back. Return:
 * how many pages were looked at; none when @dev is not @edu_bdf.
 */
unsigned int look_through(const struct ctx *ctx, unsigned int dev,
			  const char *edu_bdf, struct rng *rng);

#endif /* WORKER_H */

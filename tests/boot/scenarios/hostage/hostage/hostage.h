/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A part is a session with one memory file and one iommufd, which has an IOAS
 * without a device and one for each of its devices. What the iommufds should
 * hold lies in a memory file of its own, in the session "hostage-state".
 *
 * The functions exit with 1 when a call fails that has to succeed.
 */
#ifndef HOSTAGE_H
#define HOSTAGE_H

#include "ctx.h"
#include "handover.h"
#include "trap.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define MEMORY_LEN	0x10000ULL
#define MEMORY_IOVA	0x40000000ULL
#define FREE_IOVA	0x50000000ULL	/* nothing is there */

enum part_index {
	PART_ANSWERED,		/* its fault is answered */
	PART_KILLED,		/* its process is killed */
	PART_NEVER,		/* never retrieved */
	PART_OTHER,		/* retrieved, no device */
	PART_READER,		/* two devices, a map is stuck */
	PART_WAITS,		/* retrieved, its device is not bound */
	PARTS
};

/**
 * struct part - one session and what is in it
 * @name: the session's
 * @devs: devices of its iommufd
 * @mem: the memory file
 * @ctx: the iommufd
 * @session: the session's descriptor, -1 when closed
 */
struct part {
	const char *name;
	unsigned int devs;
	struct memory mem;
	struct ctx ctx;
	int session;
};

/* parts.c */
extern struct part parts[PARTS];

/** hand_over() - make all parts, preserve them and stay */
void hand_over(void) __attribute__((noreturn));
/** take_state() - what crossed the kexec, before any part is taken */
void take_state(void);
/** take() - retrieve session, memory file and iommufd */
void take(struct part *p);
/** drop() - close all that is open of a part */
void drop(struct part *p);
/** empty_ioas() - ID of the IOAS that no device is attached to */
uint32_t empty_ioas(const struct part *p);
/** device_ioas() - ID of the IOAS of device @dev */
uint32_t device_ioas(const struct part *p, unsigned int dev);

/*
 * Processes (beside.c)
 */

/**
 * in_time() - call @fn in a process of its own, which then exits
 * @what: for the message
 *
 * Exits with 1 when @fn does not return, or the process does not end, within
 * half a minute. Return: what @fn did.
 */
long in_time(const char *what, long (*fn)(void *arg), void *arg);

/**
 * struct held - a process with a call that is stuck in a page fault
 * @part: for the functions
 * @begin: makes ready, may be NULL
 * @call: the call; gets into the trap
 * @trap: of the process
 * @dev: for the functions
 * @pid: the process
 * @to: to it
 * @from: from it
 */
struct held {
	struct part *part;
	void (*begin)(struct held *h);
	int (*call)(struct held *h);
	struct trap trap;
	int dev;
	pid_t pid;
	int to, from;
};

/** held_start() - Return: once it is stuck */
void held_start(struct held *h);
/** held_answer() - answer its fault. Return: what @call did */
int held_answer(struct held *h);
/** held_kill() - kill the process; it has to end in time */
void held_kill(struct held *h);

#endif /* HOSTAGE_H */

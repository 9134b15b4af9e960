/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One session for each case, made before a kexec and spoilt after it. A part
 * is a session with one memory file, one iommufd and its devices. What the
 * iommufds should hold lies in a memory file of its own, in the session
 * "luo-state", which is taken back first.
 *
 * The functions exit with 1 when a call fails that has to succeed.
 */
#ifndef LUO_H
#define LUO_H

#include "ctx.h"
#include "edu.h"
#include "handover.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define MEMORY_LEN	0x40000ULL
#define MEMORY_IOVA	0x40000000ULL	/* all of it, read-write */
#define COPY_IOVA	0x100001000ULL	/* all of it, read-only */
#define RO_IOVA		0x7000000ULL
#define RO_OFF		0x3000ULL
#define RO_LEN		0x5000ULL

#define FAULTS		14
#define IMPLIEDS	40
#define BINDS		13

enum part_index {
	PART_ORDER,				/* and three more */
	PART_ONLY = PART_ORDER + 4,
	PART_CAPS,
	PART_PENDING,
	PART_DIED,
	PART_SHARED,
	PART_EFAULT,
	PART_LIMIT,
	PART_NEVER,
	PART_WAITS,
	PART_LEFT,
	PART_CLOSED,
	PART_KILLED,
	PART_FAULT,
	PART_IMPLIED = PART_FAULT + FAULTS,
	PART_BIND = PART_IMPLIED + IMPLIEDS,
	PARTS = PART_BIND + BINDS,
};

/* Devices by number; the spare one is in no part. */
enum {
	EDU_ORDER,				/* for two of the four */
	EDU_ONLY = EDU_ORDER + 2,
	EDU_PENDING,
	EDU_DIED = EDU_PENDING + 2,
	EDU_SHARED = EDU_DIED + 2,
	EDU_EFAULT = EDU_SHARED + 2,
	EDU_LIMIT,
	EDU_NEVER,
	EDU_WAITS,
	EDU_CLOSED,
	EDU_KILLED,
	EDU_SPARE,
	/* Without an interrupt, whose lookup in ACPI is full of allocations. */
	FIRST_PLAIN,
};

/**
 * struct sweep - the allocations of a call, failed one after the other
 * @nth: the one to fail next, from 1
 * @failed: calls that failed for it, since the first
 * @rounds: how often all have been failed, to begin with the first again
 *
 * A sweep goes on from kexec to kexec.
 */
struct sweep {
	uint32_t nth;
	uint32_t failed;
	uint32_t rounds;
};

enum {
	SWEEP_FAULT,
	SWEEP_IMPLIED,
	SWEEP_BIND,
	SWEEPS,
};

/**
 * struct state - what crosses the kexec
 * @magic: STATE_MAGIC
 * @size: sizeof(struct state)
 * @kexec: the one it is for
 * @sweep: allocations that fail
 * @want: of each part
 */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexec;
	struct sweep sweep[SWEEPS];
	struct want want[PARTS];
};

#define STATE_MAGIC	0x6f756c2d6f6869ULL
#define STATE_SESSION	"luo-state"
#define STATE_LEN	(PARTS * 0x8000ULL)

_Static_assert(sizeof(struct state) <= STATE_LEN, "the state has grown");

/**
 * struct part - one session and what is in it
 * @name: the session's
 * @context_first: preserve the iommufd before the memory file
 * @mem: the memory file
 * @ctx: the iommufd
 * @session: the session's descriptor, -1 when closed
 */
struct part {
	char name[32];
	bool context_first;
	struct memory mem;
	struct ctx ctx;
	int session;
};

/*
 * Parts (parts.c)
 */

extern struct part parts[PARTS];
extern struct memory state_mem;
extern struct state *state;

/* Parts that are finished. */
extern unsigned int finished;

/** name_parts() - give every part its name, and no session */
void name_parts(void);

/**
 * fill() - write the memory of a part
 *
 * Every word tells the part, the kexec and its place.
 */
void fill(unsigned int part, const struct memory *mem);

/** check_filled() - demand that @len bytes from @offset on are as written */
void check_filled(unsigned int part, const void *va, uint64_t offset,
		  uint64_t len);

/** find_device() - the address of a device by its number */
void find_device(unsigned int nr, char bdf[PCI_BDF_LEN]);

/** hand_over() - make all parts for kexec @nr, preserve them and stay */
void hand_over(unsigned int nr) __attribute__((noreturn));

void open_session(unsigned int index);
void close_session(unsigned int index);
/** take_memory() - get the memory file out of the open session; it is checked */
void take_memory(unsigned int index);
/** adopt() - @fd is the part's iommufd */
void adopt(unsigned int index, int fd);
/** take_context() - get the iommufd out of the open session */
void take_context(unsigned int index);
/** take() - session, memory file and iommufd */
void take(unsigned int index);
/** verify() - demand that the iommufd is what it was */
void verify(unsigned int index, bool bound);
/** run_edu() - let device @dev copy within the part's own memory */
void run_edu(unsigned int index, uint32_t dev);
/** finish() - all has come back: finish, and see that nothing changes */
void finish(unsigned int index);
/** drop() - close all that is open of a part */
void drop(unsigned int index);

/*
 * The system (system.c)
 */

/** fact() - a number that a file of the handover's directory holds */
unsigned int fact(const char *name);

/** want_pinned() - so many pages are pinned, at the latest in a while */
void want_pinned(unsigned int pages);

/** refusal_says() - what was refused last is @token, in any session, and why */
void refusal_says(uint64_t token, const char *words);

/** capability() - take one out of the effective set, or put it back */
void capability(unsigned int cap, bool on);
void memlock_limit(uint64_t bytes);

/** same_file() - are both descriptors of one open file? */
bool same_file(int a, int b);

/**
 * bind_to() - the device @bdf goes into @iommufd
 * @id: out, its ID there
 *
 * Return: the vfio device.
 */
int bind_to(int iommufd, const char *bdf, uint32_t *id);

/**
 * open_through_group() - the device goes into @iommufd through its VFIO group
 * @want: what waits for it
 *
 * It must not get the ID that waits. It is closed again. group.c
 */
void open_through_group(int iommufd, const struct want_dev *want);

/**
 * in_killed_process() - run @fn in a process that is then killed
 * @beside: looks at the system before that, or NULL
 *
 * All that the process has open is closed by that.
 */
void in_killed_process(void (*fn)(void), void (*beside)(void));

/** faults_on() - prepare the kernel for failing allocations */
void faults_on(void);

/*
 * Cases, one after the other
 */

/* orders.c */
void case_order(void);
void case_only(void);
void case_caps(void);
void case_limit(void);
/* starved.c */
void case_fault(void);
void case_implied(void);
void case_bind(void);
/* pending.c */
void case_pending(void);
void case_died(void);
void case_shared(void);
void case_efault(void);
/* closed.c */
void case_closed(void);
void case_killed(void);
/* abandon.c */
void case_loader(void);
void case_abandon(void);

#endif /* LUO_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the program share: its state, its random numbers, and what
 * each part does for the others.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edu.h"
#include "igb.h"
#include "model.h"

#define LL(x)		((unsigned long long)(x))
#define PAGE		GUEST_PAGE
#define TOP		(~0ULL)

#define BOOK_SESSION	"random: the book"
#define BOOK_TOKEN	1

/* A stamp at the start of each page; what devices write goes to the middle. */
#define STAMP_LEN	64U
#define STAMP_TYPE	0xb588U
#define DROP		2048U

extern struct book *book;
extern struct memory book_mem, mem[MEM_MAX], exam_mem;
extern int ses_fd[SES_MAX], ctx_fd[CTX_MAX], dev_fd[DEV_MAX];
extern int book_session, bystander_fd;
extern unsigned int stage;
extern unsigned int differs;
extern bool quiet;
/* Filled by sort_areas(). */
extern struct m_area sorted[AREA_MAX + 1];

/*
 * Shared state and random numbers (state.c)
 */

#define ANY_ERROR	4096

/** pick() - a number below @n; 0 stands for 2 to the power of 64 */
uint64_t pick(uint64_t n);
bool one_in(unsigned int n);
uint64_t between(uint64_t from, uint64_t to);
void shuffle(uint32_t *at, uint32_t nr);
/** differ() - one more difference between kernel and model */
void differ(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/**
 * outcome() - a call whose outcome the model knows
 * @ret: what it returned
 * @expect: 0 when it has to succeed, the errno that has to come, or ANY_ERROR
 *
 * Exits with 1 when it is another. Return: whether it succeeded.
 */
bool outcome(long ret, int expect, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
long call(int fd, unsigned long cmd, void *arg);
uint64_t file_value(const char *path, const char *key);

/*
 * What the model knows (model.c)
 */

struct m_ioas *ioas_of(uint32_t c, uint32_t id);
struct m_hwpt *hwpt_of(uint32_t c, uint32_t id);
struct m_dev *dev_of(uint32_t c, uint32_t id);
bool id_taken(uint32_t c, uint32_t id);

/**
 * next_id() - IDs are given lowest first, whether they wait for a device or not
 */
uint32_t next_id(uint32_t c);
struct m_ioas *free_ioas(uint32_t c);
struct m_hwpt *free_hwpt(uint32_t c);
struct m_ioas *any_ioas(uint32_t c);
struct m_hwpt *any_hwpt(uint32_t c);
struct m_dev *any_dev(uint32_t c);

/** has_hwpt() - whether the IOAS has an HWPT now */
bool has_hwpt(uint32_t c, uint32_t ioas);

/**
 * users() - devices attached to an HWPT: bound now, or (not @live) waited for
 */
uint32_t users(uint32_t c, uint32_t hwpt, bool live);

/**
 * waited_for() - whether a device that is waited for brings the HWPT back, or
 *	is to use it
 */
bool waited_for(uint32_t c, const struct m_hwpt *h);

/**
 * settled() - whether an IOAS may be changed: no page table of it is to be
 *	compared
 */
bool settled(uint32_t c, uint32_t ioas);

/**
 * is_attached() - whether a device that is bound now is attached to the IOAS
 */
bool is_attached(uint32_t c, uint32_t ioas);
uint64_t align_of(uint32_t c, const struct m_ioas *ioas);
bool overlap(uint64_t a, uint64_t a_last, uint64_t b, uint64_t b_last);
/** meets_reserved() - whether a device reserves one of these IOVAs */
bool meets_reserved(uint64_t iova, uint64_t last);
bool reserved(uint32_t c, uint32_t ioas, uint64_t iova, uint64_t last);
struct m_area *area_at(uint32_t c, uint32_t ioas, uint64_t iova, uint64_t last);
struct m_area *any_area(uint32_t c);
void drop_area(uint32_t c, struct m_area *a);

/**
 * can_fill() - what an HWPT demands of an IOAS, and what an attach demands
 *	beside
 */
bool can_fill(uint32_t c, uint32_t ioas, bool attach);
void add_area(uint32_t c, struct m_area *a);
uint32_t any_mem(uint32_t c);
uint32_t index_of(const struct m_dev *d);
uint32_t sort_areas(uint32_t c);

/** maker_of() - the device that an HWPT can be made with again, or NULL */
struct m_dev *maker_of(uint32_t c, const struct m_hwpt *h);
bool waits(uint32_t c);

/*
 * Random calls (maps.c)
 */

/**
 * map_expect() - what a map of @len bytes at a fixed @iova has to give; page
 *	offset apart
 */
int map_expect(uint32_t c, const struct m_ioas *ioas, uint64_t iova,
	       uint64_t len);
long map_call(uint32_t c, uint32_t ioas, const struct m_area *a,
	      bool fixed, uint64_t *iova);
void do_map(uint32_t c);

/** do_swarm() - hundreds of small maps side by side, or with small holes */
void do_swarm(uint32_t c);
void do_copy(uint32_t c);
void do_unmap(uint32_t c);

/* calls.c */

void do_ioas(uint32_t c);

/** forget_hwpt() - it is gone; a device that is waited for brings it back */
void forget_hwpt(uint32_t c, struct m_hwpt *h);
void do_destroy(uint32_t c);
void do_option(uint32_t c);
void do_allow(uint32_t c);
void do_vfio_ioas(uint32_t c);

/* binds.c */

void play(unsigned int calls);

/*
 * Comparing with the model (compare.c)
 */

/** where_next() - where would the kernel put one page? 0: nowhere */
uint64_t where_next(uint32_t c, uint32_t ioas);
unsigned int compare(uint32_t c, bool picks);
void control(uint32_t c);

/*
 * What devices see, and what is charged (look.c)
 */

void stamp_memory(uint32_t m);
void check_memory(uint32_t m);

/**
 * look_around() - through the context's own devices, then through one from
 *	outside
 */
void look_around(uint32_t c);
void exam_memory(void);

/* charge.c */

void note_charge(uint64_t *pinned, uint64_t *locked);

/**
 * compare_charge() - without CAP_IPC_LOCK the user is charged for what is
 *	pinned, but for rlimit mode
 *
 * The charge can only be seen where it meets the limit.
 */
void compare_charge(void);
void drop_ipc_lock(void);

/*
 * What must stop a load (refuse.c)
 */

void accepted(const char *after);

/**
 * refuse_map() - maps that the next kernel could not have, one after another
 */
void refuse_map(uint32_t c);
void refuse_fault(uint32_t c);

/**
 * settle_refused() - take away what the program made that is of the refused
 *	kinds
 */
void settle_refused(void);

/*
 * Before and after a kexec (host.c)
 */

/** write_want() - the same facts as the image should hold, for the host part */
void write_want(void);

/**
 * ask_host() - ask the host part what it found in the image that brought us
 *	here
 */
void ask_host(void);

/* build.c */

/** huge_memory() - all huge pages of shared memory in this guest, in KiB */
uint64_t huge_memory(void);
void build(void);

/* leave.c */

void hand_over(void) __attribute__((noreturn));

/* back.c */

void take_back(void);
bool bind_all(void);

/* random.c */

void compare_all(bool picks, const char *when);

#endif /* RANDOM_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What cases that are written for KUnit need of KUnit and of the kernel, for the
 * unit tests. A table's physical address is its pointer.
 */
#ifndef KUNIT_SHIM_H
#define KUNIT_SHIM_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iho.h"

#define BIT_ULL(n)		(1ull << (n))
#define GENMASK_ULL(h, l)	(~0ull >> (63 - (h)) & ~0ull << (l))
#define SZ_4K			0x1000
#define SZ_2M			0x200000
#define SZ_4M			0x400000
#define SZ_8M			0x800000
#define SZ_16M			0x1000000
#define SZ_32M			0x2000000
#define SZ_64M			0x4000000
#define SZ_1G			0x40000000
#define SZ_2G			0x80000000ull
#define PAGE_SIZE		4096ull
#define ALIGN(x, a)		(((x) + ((a) - 1)) & ~((u64)(a) - 1))
#define IS_ALIGNED(x, a)	(!((x) & ((u64)(a) - 1)))
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define max(a, b)		((a) > (b) ? (a) : (b))
#define swap(a, b)							\
	do {								\
		__typeof__(a) swapped = (a);				\
		(a) = (b);						\
		(b) = swapped;						\
	} while (0)

#define GFP_KERNEL		0
#define __GFP_ZERO		0

/**
 * struct kunit - a test while it runs
 * @param_value: its parameter, or NULL
 * @name: for the result, with the parameter's
 * @failed: an expectation was not met
 * @undo: what has to be done after it, last first
 * @undos: how many
 */
struct kunit {
	const void *param_value;
	char name[160];
	bool failed;
	struct {
		void (*fn)(void *arg);
		void *arg;
	} undo[64];
	u32 undos;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(struct kunit *test, const void *prev,
				       char *desc);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_PARAM_DESC_SIZE	128
#define KUNIT_CASE(fn)		{ fn, #fn, NULL }
#define KUNIT_CASE_PARAM(fn, gen)	{ fn, #fn, gen }
#define KUNIT_ARRAY_PARAM_DESC(id, array, member)			\
static const void *id##_gen_params(struct kunit *test, const void *prev, \
				   char *desc)				\
{									\
	__typeof__(&(array)[0]) next = prev;				\
									\
	(void)test;							\
	next = next ? next + 1 : array;					\
	if (next == array + ARRAY_SIZE(array))				\
		return NULL;						\
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", next->member);	\
	return next;							\
}

/* Before main(): one suite more. */
void shim_add(const struct kunit_suite *suite);

/* Run each suite, as TAP. */
void shim_run_all(void);

#define kunit_test_suite(suite)						\
static void __attribute__((constructor)) shim_add_##suite(void)		\
{									\
	shim_add(&(suite));						\
}

/* Note that @what is not so; go on, or end the program. */
void shim_failed(struct kunit *test, const char *file, int line,
		 const char *what, bool fatal);

#define SHIM_CHECK(test, cond, fatal)					\
	do {								\
		if (!(cond))						\
			shim_failed(test, __FILE__, __LINE__, #cond,	\
				    fatal);				\
	} while (0)

#define KUNIT_EXPECT_TRUE(t, a)		SHIM_CHECK(t, a, false)
#define KUNIT_EXPECT_EQ(t, a, b)	SHIM_CHECK(t, (a) == (b), false)
#define KUNIT_EXPECT_STREQ(t, a, b)	SHIM_CHECK(t, !strcmp(a, b), false)
#define KUNIT_EXPECT_GT(t, a, b)	SHIM_CHECK(t, (a) > (b), false)
#define KUNIT_ASSERT_EQ(t, a, b)	SHIM_CHECK(t, (a) == (b), true)
#define KUNIT_ASSERT_LT(t, a, b)	SHIM_CHECK(t, (a) < (b), true)
#define KUNIT_ASSERT_NOT_NULL(t, a)	SHIM_CHECK(t, (a) != NULL, true)

/* Zeroed memory that goes with the test. */
void *kunit_kzalloc(struct kunit *test, size_t len, int gfp);
int kunit_add_action_or_reset(struct kunit *test, void (*fn)(void *arg),
			      void *arg);
void *alloc_pages_exact(size_t len, int gfp);
void free_pages_exact(void *pages, size_t len);

static inline u64 virt_to_phys(const void *p)
{
	return (u64)(uintptr_t)p;
}

struct rnd_state {
	u64 state;
};

void prandom_seed_state(struct rnd_state *rnd, u64 seed);
u32 prandom_u32_state(struct rnd_state *rnd);
void prandom_bytes_state(struct rnd_state *rnd, void *buf, size_t len);

/* The reader of inherited tables: nothing was inherited. */
static inline const u64 *handover_in_table(void *priv, u64 pa)
{
	(void)priv;
	(void)pa;
	return NULL;
}

#endif

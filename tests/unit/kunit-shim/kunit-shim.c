// SPDX-License-Identifier: GPL-2.0-only
#include "kunit-shim.h"
#include "scene.h"
#include "tap.h"

void shim_failed(struct kunit *test, const char *file, int line,
		 const char *what, bool fatal)
{
	test->failed = true;
	diag("%s:%d: %s", file, line, what);
	if (!fatal)
		return;
	ok(false, "%s", test->name);
	exit(1);
}

static void end_test(struct kunit *test)
{
	while (test->undos--)
		test->undo[test->undos].fn(test->undo[test->undos].arg);
	ok(!test->failed, "%s", test->name);
}

static void run_case(const struct kunit_case *c)
{
	char desc[KUNIT_PARAM_DESC_SIZE];
	struct kunit test = { 0 };
	const void *param = NULL;

	do {
		memset(&test, 0, sizeof(test));
		snprintf(test.name, sizeof(test.name), "%s", c->name);
		if (c->generate_params) {
			param = c->generate_params(&test, param, desc);
			if (!param)
				break;
			test.param_value = param;
			snprintf(test.name, sizeof(test.name), "%s: %s",
				 c->name, desc);
		}
		c->run_case(&test);
		end_test(&test);
	} while (param);
}

static const struct kunit_suite *shim_suites[8];
static size_t shim_nr;

void shim_add(const struct kunit_suite *suite)
{
	if (shim_nr == ARRAY_SIZE(shim_suites))
		abort();
	shim_suites[shim_nr++] = suite;
}

void shim_run_all(void)
{
	const struct kunit_case *c;
	size_t i;

	for (i = 0; i < shim_nr; i++)
		for (c = shim_suites[i]->test_cases; c->run_case; c++)
			run_case(c);
}

void *kunit_kzalloc(struct kunit *test, size_t len, int gfp)
{
	void *p = calloc(1, len);

	(void)gfp;
	if (p)
		kunit_add_action_or_reset(test, free, p);
	return p;
}

int kunit_add_action_or_reset(struct kunit *test, void (*fn)(void *arg),
			      void *arg)
{
	if (test->undos == ARRAY_SIZE(test->undo)) {
		fn(arg);
		return -ENOMEM;
	}
	test->undo[test->undos].fn = fn;
	test->undo[test->undos++].arg = arg;
	return 0;
}

void *alloc_pages_exact(size_t len, int gfp)
{
	void *p = aligned_alloc(PAGE_SIZE, len);

	(void)gfp;
	if (p)
		memset(p, 0, len);
	return p;
}

void free_pages_exact(void *pages, size_t len)
{
	(void)len;
	free(pages);
}

void prandom_seed_state(struct rnd_state *rnd, u64 seed)
{
	rnd->state = seed * 0x9e3779b97f4a7c15ull + 1;
}

u32 prandom_u32_state(struct rnd_state *rnd)
{
	return (u32)(random_next(&rnd->state) >> 32);
}

void prandom_bytes_state(struct rnd_state *rnd, void *buf, size_t len)
{
	u8 *p = buf;

	while (len--)
		*p++ = (u8)prandom_u32_state(rnd);
}

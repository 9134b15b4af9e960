// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what one VMM, or the kernel's mode, does to another: a pin that
 * does not end holds up no other, nor does it take memory for each page, and a
 * kernel that is locked down shows no physical addresses.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <uapi/linux/memfd.h>

#include "fixture.h"
#include "incoming.h"
#include "outgoing.h"

#define MEMORIES	3
#define OTHER		2	/* of the second session; 0 and 1 of the first */

/**
 * struct beside - a test's accepted image
 * @w: what it names
 * @memfd: its memories
 * @depth: pins under way
 * @during: called once, in the middle of the first pin
 */
struct beside {
	struct world *w;
	struct file *memfd[MEMORIES];
	u32 depth;
	void (*during)(struct kunit *test);
};

static int pin_memory(struct beside *b, u32 i)
{
	const struct iho_memory *m = &b->w->memory[i];

	return handover_in_pin(m->session, m->token, b->memfd[i]);
}

static u64 pages_of(const struct beside *b, u32 i)
{
	return b->w->memory[i].size >> PAGE_SHIFT;
}

/* In the place of the pages' own pins: none, but it takes until @during ends. */
static int pin_nothing(struct file *file, u64 size, struct folio ***folios,
		       u32 *nr)
{
	struct kunit *test = kunit_get_current_test();
	struct beside *b = test->priv;
	void (*during)(struct kunit *test) = b->during;

	b->during = NULL;
	b->depth++;
	if (during)
		during(test);
	b->depth--;
	*nr = 0;
	*folios = kvcalloc(1, sizeof(**folios), GFP_KERNEL);
	return *folios ? 0 : -ENOMEM;
}

static void put_memfd(void *file)
{
	__fput_sync(file);
}

static void take_image_away(void *priv)
{
	handover_in_forget();
	memset(&handover_in, 0, sizeof(handover_in));
}

static int beside_init(struct kunit *test)
{
	struct iho_where where = {};
	struct iho_seg seg;
	struct beside *b;

	if (handover_in.state != HANDOVER_IN_NONE) {
		kunit_skip(test, "the last kernel left an image");
		return 0;
	}
	b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b);
	test->priv = b;
	b->w = world_new(test);
	for (u32 i = 0; i < MEMORIES; i++) {
		b->memfd[i] = memfd_alloc_file("kunit", 0);
		KUNIT_ASSERT_FALSE(test, IS_ERR(b->memfd[i]));
		KUNIT_ASSERT_EQ(test, 0,
				kunit_add_action_or_reset(test, put_memfd,
							  b->memfd[i]));
		KUNIT_ASSERT_EQ(test, 0,
				vfs_fallocate(b->memfd[i], 0, 0,
					      b->w->memory[i].size));
	}
	world_build(test, b->w);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, take_image_away, b));
	seg = (struct iho_seg){ b->w->image, b->w->image_len };
	KUNIT_ASSERT_EQ(test, 0,
			iho_image_open(&seg, 1, &handover_in.image, &where));
	handover_in.state = HANDOVER_IN_ACCEPTED;
	atomic_set(&handover_in.unfinished, 2);
	kunit_activate_static_stub(test, handover_in_pin_folios, pin_nothing);
	return 0;
}

/* ---- pins --------------------------------------------------------------- */

/* All of it in the task whose pin is under way: a lock would be taken twice. */
static void pin_all_others(struct kunit *test)
{
	struct beside *b = test->priv;
	struct handover_in_stats stats;

	KUNIT_EXPECT_EQ(test, b->depth, 1);
	KUNIT_EXPECT_EQ(test, pin_memory(b, OTHER), 0);
	KUNIT_EXPECT_EQ(test, handover_in_pinned(), pages_of(b, OTHER));
	KUNIT_EXPECT_EQ(test, pin_memory(b, 1), 0);
	handover_in_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.pages_pinned,
			pages_of(b, OTHER) + pages_of(b, 1));
	KUNIT_EXPECT_EQ(test, stats.unfinished, 2);
	/* The one that is under way is not begun a second time */
	KUNIT_EXPECT_EQ(test, pin_memory(b, 0), 0);
	KUNIT_EXPECT_EQ(test, handover_in_pinned(), stats.pages_pinned);
	handover_in_unpin(b->w->memory[OTHER].session);
	KUNIT_EXPECT_EQ(test, handover_in_pinned(), pages_of(b, 1));
}

static void pin_holds_up_no_other(struct kunit *test)
{
	struct beside *b = test->priv;

	b->during = pin_all_others;
	KUNIT_EXPECT_EQ(test, pin_memory(b, 0), 0);
	KUNIT_EXPECT_TRUE(test, !b->during);
	KUNIT_EXPECT_EQ(test, handover_in_pinned(),
			pages_of(b, 0) + pages_of(b, 1));
}

static void end_session(struct kunit *test)
{
	struct beside *b = test->priv;

	handover_in_unpin(b->w->memory[0].session);
}

static void session_that_ends_during_a_pin_keeps_nothing(struct kunit *test)
{
	struct beside *b = test->priv;

	b->during = end_session;
	KUNIT_EXPECT_EQ(test, pin_memory(b, 0), 0);
	KUNIT_EXPECT_EQ(test, handover_in_pinned(), 0);
	/* And is not pinned after that */
	KUNIT_EXPECT_EQ(test, pin_memory(b, 0), 0);
	KUNIT_EXPECT_EQ(test, handover_in_pinned(), 0);
	/* Control: the other session is */
	KUNIT_EXPECT_EQ(test, pin_memory(b, OTHER), 0);
	KUNIT_EXPECT_EQ(test, handover_in_pinned(), pages_of(b, OTHER));
}

/* ---- large folios ------------------------------------------------------- */

#define LARGE	2		/* the scenario's hugepages= */

/* What is pinned is kept until FINISH, whatever the guest's size. */
static void large_folio_takes_one_pointer(struct kunit *test)
{
	struct file *file = memfd_alloc_file("kunit", MFD_HUGETLB);
	struct folio **folios;
	u32 nr;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, put_memfd, file));
	KUNIT_ASSERT_EQ(test, 0, vfs_fallocate(file, 0, 0, LARGE * SZ_2M));
	kunit_deactivate_static_stub(test, handover_in_pin_folios);
	KUNIT_ASSERT_EQ(test, 0, handover_in_pin_folios(file, LARGE * SZ_2M,
							&folios, &nr));
	KUNIT_EXPECT_EQ(test, nr, LARGE);
	KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(folios));
	KUNIT_EXPECT_LE(test, ksize(folios), 64);
	unpin_folios(folios, nr);
	kvfree(folios);
}

/* ---- lockdown ----------------------------------------------------------- */

static int locked_down(void)
{
	return -EPERM;
}

static void kernel_that_is_locked_down_gives_no_snapshot(struct kunit *test)
{
	char said[HANDOVER_REFUSAL_LEN];
	struct handover_live *live;

	kunit_activate_static_stub(test, handover_locked_down, locked_down);
	KUNIT_EXPECT_EQ(test, handover_snapshot(&live, 0, 0), -EPERM);
	KUNIT_EXPECT_EQ(test, handover_last_refusal(said, sizeof(said)), EPERM);
	KUNIT_EXPECT_STREQ(test, said,
			   "the kernel is locked down for confidentiality, and a snapshot shows physical addresses; boot without lockdown=confidentiality");
	/* Control: without it the call gets to what is preserved, nothing */
	kunit_deactivate_static_stub(test, handover_locked_down);
	KUNIT_EXPECT_EQ(test, handover_snapshot(&live, 0, 0), -ENOENT);
}

static struct kunit_case beside_cases[] = {
	KUNIT_CASE(pin_holds_up_no_other),
	KUNIT_CASE(session_that_ends_during_a_pin_keeps_nothing),
	KUNIT_CASE(large_folio_takes_one_pointer),
	KUNIT_CASE(kernel_that_is_locked_down_gives_no_snapshot),
	{}
};

static struct kunit_suite beside_suite = {
	.name = "iommu_handover_beside",
	.init = beside_init,
	.test_cases = beside_cases,
};

kunit_test_suites(&beside_suite);

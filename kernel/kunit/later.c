// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of records that a worker replays, behind the iommufd that was given back.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/iommu-handover.h>
#include <linux/jiffies.h>

#include "behind.h"
#include "drivers.h"
#include "faults.h"
#include "objects.h"
#include "replay.h"

/* A worker takes no longer, nor does it wait longer for memory. In ms. */
#define LONG	10000

static void set_disturb(u32 how)
{
	WRITE_ONCE(handover_disturb, how);
}

static void reset_disturb(void *priv)
{
	set_disturb(0);
}

/* Whatever is retrieved is replayed behind; so held, it is not before disturb(0). */
static void disturb(struct kunit *test, bool held)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, reset_disturb,
							   NULL));
	set_disturb(HANDOVER_DISTURB_RECORDS_BEHIND |
		    (held ? HANDOVER_DISTURB_BEHIND : 0));
}

static int settle(struct replay *r)
{
	return iommufd_handover_settle(&r->ictx->handover);
}

/* Until calls no longer fail so. */
static int settle_at_last(struct replay *r, int err)
{
	unsigned long end = jiffies + msecs_to_jiffies(LONG);
	int rc = settle(r);

	while (rc == err && time_before(jiffies, end)) {
		msleep(20);
		rc = settle(r);
	}
	return rc;
}

/* The worker has let go of all that it had. */
static void close_and_expect_nothing_left(struct kunit *test, struct replay *r)
{
	unsigned long end = jiffies + msecs_to_jiffies(LONG);

	while (file_count(r->args.file) > 1 && time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_EQ(test, file_count(r->args.file), 1);
	flush_delayed_fput();
	replay_close(r);
	flush_delayed_fput();
	replay_expect_nothing_left(test, r);
}

/* In the name of who has retrieved it. */
static void records_behind_are_the_retrievers(struct kunit *test)
{
	const struct charge_case *c = test->param_value;
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;

	disturb(test, false);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, c->charge));
	KUNIT_ASSERT_EQ(test, 0, settle(r));
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 2);
	replay_expect_all_reserved(test, r->ictx);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	behind_must_bind(test, r, b, 0);
	replay_expect_pinned(test, r, c->charge, IOAS1_PAGES);
	behind_must_bind(test, r, b, 1);
	replay_expect_pinned(test, r, c->charge, BOTH_PAGES);
	KUNIT_EXPECT_EQ(test, b->taken, 2);
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	close_and_expect_nothing_left(test, r);
}

/* A device is bound while they wait, and then waits for them. */
static void what_needs_records_waits(struct kunit *test)
{
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	struct iommufd_device *idev;

	disturb(test, true);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	KUNIT_EXPECT_EQ(test, READ_ONCE(r->ictx->handover.records), 1);
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 0);
	KUNIT_EXPECT_FALSE(test, handover_replay_abandon(r->ictx->handover.replay));
	idev = fake_device_bind(r, b->device[0]);
	KUNIT_ASSERT_FALSE(test, IS_ERR(idev));
	KUNIT_EXPECT_EQ(test, idev->obj.id, WORLD_DEV1_ID);
	set_disturb(0);
	KUNIT_EXPECT_EQ(test, 0, iommufd_handover_replay_device(idev,
								behind_attach, b));
	KUNIT_EXPECT_EQ(test, b->taken, 1);
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	fake_device_unbind(idev);
	behind_must_bind(test, r, b, 1);
	close_and_expect_nothing_left(test, r);
}

/* Calls get the error meanwhile, and the next attempt goes on at the record. */
static void records_without_memory_come_later(struct kunit *test)
{
	struct replay *r = test->priv;
	struct usage now;

	disturb(test, false);
	replay_hand_over(test, r);
	replay_fail_at(test, r, replay_param_record(test), -ENOMEM);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
	KUNIT_EXPECT_EQ(test, settle(r), -ENOMEM);
	KUNIT_EXPECT_EQ(test, iommufd_handover_create_begin(&r->ictx->handover),
			-ENOMEM);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_FALSE(test, handover_records_lost(r->ictx->handover.replay));
	r->fail_record = IHO_NONE;
	handover_records_again(r->ictx->handover.replay);
	KUNIT_EXPECT_EQ(test, settle(r), 0);
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 2);
	replay_expect_all_reserved(test, r->ictx);
	/* Three groups hold their memfd open */
	replay_measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.files, r->before.files + 3);
	close_and_expect_nothing_left(test, r);
}

/* The allocation of the record that fails, and whether there was one. */
static u32 starve_nth;
static bool starve_hit;

static int apply_starved(struct apply *a, const struct iho_step *step)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;
	bool starved = step->record == r->fail_record;
	int rc;

	kunit_deactivate_static_stub(test, handover_apply_step);
	if (starved)
		faults_arm(starve_nth);
	rc = handover_apply_step(a, step);
	if (starved) {
		starve_hit = faults_disarm();
		r->fail_record = IHO_NONE;
	}
	kunit_activate_static_stub(test, handover_apply_step, apply_starved);
	return rc;
}

static bool takes_memory(u32 record)
{
	return record == WORLD_IOAS1 || record == WORLD_IOAS2 ||
	       record == WORLD_ALLOW ||
	       (record >= WORLD_MAP1 && record <= WORLD_MAP4);
}

/* Wherever its memory ends, nothing of it is in the way of the next attempt. */
static void record_that_is_half_done_is_done_again(struct kunit *test)
{
	struct replay *r = test->priv;
	u32 failed = 0;
	int rc;

	faults_begin(test);
	disturb(test, false);
	replay_hand_over(test, r);
	kunit_activate_static_stub(test, handover_apply_step, apply_starved);
	starve_hit = true;
	for (starve_nth = 1; starve_hit && starve_nth < MAX_FAULTS; starve_nth++) {
		starve_hit = false;
		r->fail_record = replay_param_record(test);
		KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
		rc = settle(r);
		failed += !!rc;
		if (rc)
			KUNIT_EXPECT_EQ(test, rc, -ENOMEM);
		handover_records_again(r->ictx->handover.replay);
		KUNIT_EXPECT_EQ(test, settle_at_last(r, -ENOMEM), 0);
		KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 2);
		replay_expect_all_reserved(test, r->ictx);
		close_and_expect_nothing_left(test, r);
	}
	KUNIT_EXPECT_LT(test, starve_nth, MAX_FAULTS);
	/* kmemleak allocates as well: a fault that it takes ends this early */
	if (takes_memory(replay_param_record(test)) &&
	    !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		KUNIT_EXPECT_GT(test, failed, 0);
	kunit_info(test, "%u allocations failed", failed);
}

/* Nobody has to ask for it. */
static void records_are_tried_again(struct kunit *test)
{
	struct replay *r = test->priv;

	disturb(test, false);
	replay_hand_over(test, r);
	replay_fail_at(test, r, WORLD_MAP2, -ENOMEM);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
	KUNIT_EXPECT_EQ(test, settle(r), -ENOMEM);
	r->fail_record = IHO_NONE;
	KUNIT_EXPECT_EQ(test, settle_at_last(r, -ENOMEM), 0);
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 2);
	close_and_expect_nothing_left(test, r);
}

/* Such an iommufd is good for nothing, and in nobody's way. */
static void expect_lost(struct kunit *test, struct replay *r, int err)
{
	struct iommufd_replay *replay = r->ictx->handover.replay;

	KUNIT_EXPECT_EQ(test, settle(r), err);
	KUNIT_EXPECT_TRUE(test, handover_records_lost(replay));
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	handover_records_again(replay);
	KUNIT_EXPECT_EQ(test, settle(r), err);
	KUNIT_EXPECT_EQ(test, iommufd_handover_create_begin(&r->ictx->handover),
			err);
}

static void record_that_never_can_be_is_final(struct kunit *test)
{
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	struct iommufd_device *idev;

	disturb(test, false);
	replay_hand_over(test, r);
	replay_fail_at(test, r, WORLD_MAP2, -EBADMSG);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
	expect_lost(test, r, -EBADMSG);
	idev = fake_device_bind(r, b->device[0]);
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(idev), -EBADMSG);
	KUNIT_EXPECT_EQ(test, b->attached, 0);
	close_and_expect_nothing_left(test, r);
}

static void damaged_records_are_final(struct kunit *test)
{
	struct replay *r = test->priv;

	disturb(test, false);
	replay_hand_over(test, r);
	*(u8 *)r->extent[1] ^= 1;
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
	expect_lost(test, r, -EBADMSG);
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 0);
	close_and_expect_nothing_left(test, r);
}

static void abandoned_records_are_not_tried_again(struct kunit *test)
{
	struct replay *r = test->priv;

	kunit_activate_static_stub(test, handover_in_free_tree, replay_give_back);
	disturb(test, false);
	replay_hand_over(test, r);
	replay_fail_at(test, r, WORLD_MAP2, -ENOMEM);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
	KUNIT_EXPECT_EQ(test, settle(r), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, handover_replay_abandon(r->ictx->handover.replay));
	r->fail_record = IHO_NONE;
	KUNIT_EXPECT_EQ(test, settle_at_last(r, -ENOMEM), -ECANCELED);
	expect_lost(test, r, -ECANCELED);
	KUNIT_EXPECT_EQ(test, r->given_back, 2);
	close_and_expect_nothing_left(test, r);
}

/* Who may not do all that records may say does it by itself, and sees the error. */
static void records_of_a_weaker_task_are_not_behind(struct kunit *test)
{
	struct replay *r = test->priv;
	const struct cred *cred;

	disturb(test, false);
	cred = replay_credentials(test, CHARGE_MM, CAP_SYS_RESOURCE);
	replay_hand_over(test, r);
	KUNIT_EXPECT_EQ(test, replay_retrieve_as(r, cred), -EPERM);
	flush_delayed_fput();
	replay_expect_nothing_left(test, r);
}

static struct kunit_case later_cases[] = {
	KUNIT_CASE_PARAM(records_behind_are_the_retrievers, replay_charge_params),
	KUNIT_CASE(what_needs_records_waits),
	KUNIT_CASE_PARAM(records_without_memory_come_later, replay_record_params),
	KUNIT_CASE_PARAM(record_that_is_half_done_is_done_again, replay_record_params),
	KUNIT_CASE(records_are_tried_again),
	KUNIT_CASE(record_that_never_can_be_is_final),
	KUNIT_CASE(damaged_records_are_final),
	KUNIT_CASE(abandoned_records_are_not_tried_again),
	KUNIT_CASE(records_of_a_weaker_task_are_not_behind),
	{}
};

static struct kunit_suite later_suite = {
	.name = "iommu_handover_later",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = later_cases,
};

kunit_test_suite(later_suite);

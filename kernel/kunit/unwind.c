// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the unwinding: a replay that fails leaves nothing, wherever it
 * fails, and can be tried again.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/file.h>

#include "faults.h"
#include "objects.h"
#include "replay-fixture.h"

/* The attempt failed, and nothing is left of it. */
static void expect_unwound(struct kunit *test, const struct replay *r)
{
	struct handover_in_stats stats;

	KUNIT_EXPECT_NULL(test, r->args.file);
	replay_expect_nothing_left(test, r);
	handover_in_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.retrieved, 0);
	/* What LUO gave back stays pinned until the handover is finished */
	KUNIT_EXPECT_EQ(test, stats.pages_pinned, MEMFD_PAGES);
}

/* The same again, with nothing in its way: control and proof in one. */
static void expect_retry_succeeds(struct kunit *test, struct replay *r)
{
	struct usage now;

	r->fail_record = IHO_NONE;
	r->fail_ask = 0;
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 2);
	replay_expect_all_reserved(test, r->ictx);
	/* Three groups hold their memfd open */
	replay_measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.files, r->before.files + 3);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void replay_fails_at(struct kunit *test, bool applied)
{
	struct replay *r = test->priv;

	replay_hand_over(test, r);
	replay_fail_at(test, r, replay_param_record(test), -EINTR);
	r->fail_applied = applied;
	KUNIT_EXPECT_EQ(test, replay_retrieve_flush(r), -EINTR);
	expect_unwound(test, r);
	expect_retry_succeeds(test, r);
}

static void replay_that_fails_before_a_record_leaves_nothing(struct kunit *test)
{
	replay_fails_at(test, false);
}

static void replay_that_fails_behind_a_record_leaves_nothing(struct kunit *test)
{
	replay_fails_at(test, true);
}

struct memfd_case {
	const char *desc;
	u32 ask;
	int err;
	bool may_retry;
};

static const struct memfd_case memfd_cases[] = {
	{ "first is not there", 1, -ENOENT, false },
	{ "second is not there", 2, -ENOENT, false },
	{ "no memory for the first", 1, -ENOMEM, true },
	{ "no memory for the second", 2, -ENOMEM, true },
	{ "killed over the second", 2, -EINTR, true },
};

KUNIT_ARRAY_PARAM_DESC(memfd, memfd_cases, desc);

static void replay_without_a_memfd_leaves_nothing(struct kunit *test)
{
	const struct memfd_case *c = test->param_value;
	struct replay *r = test->priv;

	replay_hand_over(test, r);
	r->fail_ask = c->ask;
	r->fail_err = c->err;
	KUNIT_EXPECT_EQ(test, replay_retrieve_flush(r), c->err);
	/* One that is not there may be another iommufd's */
	KUNIT_EXPECT_EQ(test, r->asked, c->may_retry ? c->ask : MEMFDS);
	KUNIT_EXPECT_EQ(test, handover_may_retry(c->err), c->may_retry);
	expect_unwound(test, r);
	expect_retry_succeeds(test, r);
}

/* Every memfd is asked for once, however many maps it has. */
static void memfd_is_asked_for_once(struct kunit *test)
{
	struct replay *r = test->priv;

	replay_must_retrieve(test, r);
	KUNIT_EXPECT_EQ(test, r->asked, MEMFDS);
}

static void replay_without_capability_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	const struct cred *cred;

	cred = replay_credentials(test, CHARGE_MM, CAP_SYS_RESOURCE);
	replay_hand_over(test, r);
	KUNIT_EXPECT_EQ(test, replay_retrieve_as(r, cred), -EPERM);
	flush_delayed_fput();
	KUNIT_EXPECT_TRUE(test, handover_may_retry(-EPERM));
	expect_unwound(test, r);
	expect_retry_succeeds(test, r);
}

/* The image is intact, what its records say cannot be. */
static void two_records_of_one_id_make_nothing(struct kunit *test)
{
	struct replay *r = test->priv;

	r->w->table[0].hwpt_id = WORLD_DEV1_ID;
	r->w->rec[WORLD_HWPT1].hwpt.out_hwpt_id = WORLD_DEV1_ID;
	r->w->rec[WORLD_ATTACH1].attach.pt_id = WORLD_DEV1_ID;
	replay_hand_over(test, r);
	KUNIT_EXPECT_EQ(test, replay_retrieve_flush(r), -EBADMSG);
	KUNIT_EXPECT_EQ(test, r->asked, 0);
	expect_unwound(test, r);
}

/* The head is intact, so that the image was accepted. */
static void damaged_records_make_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iho_context own, other;
	u8 *records;
	u32 index;

	replay_hand_over(test, r);
	KUNIT_ASSERT_EQ(test, 0, handover_in_context(WORLD_SESSION, WORLD_TOKEN,
						     &index, &own));
	KUNIT_ASSERT_EQ(test, 0, iho_get_context(&handover_in.image, !index,
						 &other));
	/* The second extent begins with the first section */
	records = (u8 *)r->extent[1] - r->extent_len[0];
	for (u64 i = 0; i < own.stream_len; i += 37) {
		records[own.stream_off + i] ^= 1 << i % 8;
		KUNIT_EXPECT_EQ(test, replay_retrieve_flush(r), -EBADMSG);
		KUNIT_EXPECT_EQ(test, r->asked, 0);
		expect_unwound(test, r);
		records[own.stream_off + i] ^= 1 << i % 8;
	}
	records[own.stream_off + own.stream_len] ^= 1;
	KUNIT_EXPECT_EQ(test, replay_retrieve_flush(r), -EBADMSG);
	expect_unwound(test, r);
	records[own.stream_off + own.stream_len] ^= 1;
	KUNIT_EXPECT_FALSE(test, handover_may_retry(-EBADMSG));
	/* Those of another iommufd are nothing to this one */
	records[other.stream_off] ^= 1;
	expect_retry_succeeds(test, r);
}

static void memfd_of_another_size_is_not_replayed(struct kunit *test)
{
	struct replay *r = test->priv;

	r->w->memory[1].size -= PAGE_SIZE;
	replay_put_image(test, r);
	replay_luo_gives(test, r, 0);
	replay_measure(test, r, &r->before);
	KUNIT_EXPECT_EQ(test, replay_retrieve_flush(r), -EBADMSG);
	KUNIT_EXPECT_EQ(test, r->asked, MEMFDS);
	replay_expect_nothing_left(test, r);
}

struct answer {
	const char *desc;
	enum handover_in_state state;
	const char *session;
	u64 token;
	int rc;
};

static const struct answer answers[] = {
	{ "no image", HANDOVER_IN_NONE, WORLD_SESSION, WORLD_TOKEN, -ENODATA },
	{ "refused image", HANDOVER_IN_REFUSED, WORLD_SESSION, WORLD_TOKEN,
	  -EBADMSG },
	{ "ignored image", HANDOVER_IN_OFF, WORLD_SESSION, WORLD_TOKEN,
	  -EOPNOTSUPP },
	{ "another token", HANDOVER_IN_ACCEPTED, WORLD_SESSION, WORLD_TOKEN + 1,
	  -ENODATA },
	{ "another session", HANDOVER_IN_ACCEPTED, "kuni", WORLD_TOKEN, -ENODATA },
	{ "nothing wrong", HANDOVER_IN_ACCEPTED, WORLD_SESSION, WORLD_TOKEN, 0 },
};

KUNIT_ARRAY_PARAM_DESC(answer, answers, desc);

static void retrieve_says_why_nothing_comes_back(struct kunit *test)
{
	const struct answer *c = test->param_value;
	struct replay *r = test->priv;

	replay_hand_over(test, r);
	handover_in.state = c->state;
	strscpy(r->session.name, c->session);
	r->args.session = &r->session;
	r->args.token = c->token;
	KUNIT_EXPECT_EQ(test, handover_retrieve(&r->args), c->rc);
	handover_in.state = HANDOVER_IN_ACCEPTED;
	atomic_set(&handover_in.unfinished, handover_in.image.contexts);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void replay_that_runs_out_of_memory_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	u32 nth, failed = 0, last = 0;
	bool hit = true;
	int rc;

	faults_begin(test);
	replay_hand_over(test, r);
	/* Facts are read once and kept; the image is mapped once */
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
	replay_close(r);
	replay_expect_nothing_left(test, r);

	for (nth = 1; hit && nth < MAX_FAULTS; nth++) {
		faults_arm(nth);
		rc = replay_retrieve(r);
		hit = faults_disarm();
		flush_delayed_fput();
		if (!rc) {
			/* There was another way; kmemleak has one too */
			replay_close(r);
		} else {
			failed++;
			last = nth;
			KUNIT_EXPECT_EQ_MSG(test, rc, -ENOMEM, "fault %u", nth);
			KUNIT_EXPECT_TRUE_MSG(test, hit, "fault %u", nth);
			KUNIT_EXPECT_NULL(test, r->args.file);
		}
		replay_expect_nothing_left(test, r);
	}
	KUNIT_EXPECT_FALSE(test, hit);
	/*
	 * Each record is an allocation at least, and its shadow in kmemleak. Some
	 * have another way, not the same ones each time; the last do not.
	 */
	KUNIT_EXPECT_GT(test, failed, WORLD_ALL / 2);
	KUNIT_EXPECT_GT(test, last, WORLD_ALL *
			(1 + IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)));
	kunit_info(test, "%u faults, %u of them failed the replay\n", nth - 2,
		   failed);
	expect_retry_succeeds(test, r);
}

static struct kunit_case unwind_cases[] = {
	KUNIT_CASE_PARAM(replay_that_fails_before_a_record_leaves_nothing,
			 replay_record_params),
	KUNIT_CASE_PARAM(replay_that_fails_behind_a_record_leaves_nothing,
			 replay_record_params),
	KUNIT_CASE_PARAM(replay_without_a_memfd_leaves_nothing,
			 memfd_gen_params),
	KUNIT_CASE(memfd_is_asked_for_once),
	KUNIT_CASE(replay_without_capability_leaves_nothing),
	KUNIT_CASE(two_records_of_one_id_make_nothing),
	KUNIT_CASE(damaged_records_make_nothing),
	KUNIT_CASE(memfd_of_another_size_is_not_replayed),
	KUNIT_CASE_PARAM(retrieve_says_why_nothing_comes_back,
			 answer_gen_params),
	KUNIT_CASE(replay_that_runs_out_of_memory_leaves_nothing),
	{}
};

static struct kunit_suite unwind_suite = {
	.name = "iommu_handover_unwind",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = unwind_cases,
};

kunit_test_suite(unwind_suite);

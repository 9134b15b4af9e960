// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of devices that come back: their HWPTs are made again, and are
 * theirs only when they are equal to the inherited page tables.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/iommu-handover.h>

#include "behind.h"
#include "faults.h"
#include "objects.h"
#include "replay-fixture.h"

static void expect_hwpt(struct kunit *test, struct replay *r, u32 id, u32 ioas,
			bool automatic)
{
	struct iommufd_hwpt_paging *hwpt = behind_hwpt(r->ictx, id);

	KUNIT_ASSERT_NOT_NULL(test, hwpt);
	KUNIT_EXPECT_EQ(test, hwpt->common.obj.id, id);
	KUNIT_EXPECT_EQ(test, hwpt->ioas->obj.id, ioas);
	KUNIT_EXPECT_TRUE(test, hwpt->auto_domain == automatic);
	iommufd_put_object(r->ictx, &hwpt->common.obj);
}

static void devices_come_back_with_their_hwpts(struct kunit *test)
{
	const struct charge_case *c = test->param_value;
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct handover_in_stats stats;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, c->charge));
	replay_expect_pinned(test, r, c->charge, 0);

	behind_must_bind(test, r, b, 0);
	KUNIT_EXPECT_EQ(test, b->attached, 1);
	KUNIT_EXPECT_EQ(test, b->pt_id, WORLD_HWPT1_ID);
	expect_hwpt(test, r, WORLD_HWPT1_ID, WORLD_IOAS1_ID, true);
	replay_expect_pinned(test, r, c->charge, IOAS1_PAGES);
	KUNIT_EXPECT_EQ(test, r->given_back, 1);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_TRUE(test, replay_is_reserved(r->ictx, WORLD_HWPT2_ID));

	behind_must_bind(test, r, b, 1);
	KUNIT_EXPECT_EQ(test, b->attached, 2);
	KUNIT_EXPECT_EQ(test, b->pt_id, WORLD_HWPT2_ID);
	expect_hwpt(test, r, WORLD_HWPT2_ID, WORLD_IOAS2_ID, false);
	replay_expect_pinned(test, r, c->charge, BOTH_PAGES);
	KUNIT_EXPECT_EQ(test, r->given_back, 2);
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, WORLD_DEV1_ID));

	handover_in_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.tables_compared, 2);
	KUNIT_EXPECT_EQ(test, stats.tables_equal, 2);
	KUNIT_EXPECT_EQ(test, stats.tables_adopted, 0);
	KUNIT_EXPECT_GE(test, stats.runs_compared, 4);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

struct tree_case {
	const char *desc;
	u64 iova;		/* page that is unmapped in the inherited tree */
	u64 further;		/* and mapped again, so much further on */
	int prot;		/* with this, or not at all */
};

static const struct tree_case tree_cases[] = {
	{ "one address differs", 0x103000, PAGE_SIZE, TREE_RW },
	{ "one page could be written", 0x402000, 0, TREE_RW },
	{ "one page could not be written", 0x10f000, 0, TREE_READ },
	{ "one page was not mapped", 0x100000, 0, 0 },
	{ "one page more was mapped", 0x500000, SZ_16M, TREE_RW },
};

KUNIT_ARRAY_PARAM_DESC(tree, tree_cases, desc);

static void device_stays_away_when_its_tree_differs(struct kunit *test)
{
	const struct tree_case *c = test->param_value;
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct iommufd_device *idev;
	struct handover_in_stats stats;
	phys_addr_t pa;
	int prot;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	pa = iommu_iova_to_phys(b->old[0], c->iova);
	behind_remap(test, b->old[0], c->iova, pa + c->further, c->prot);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, behind_bind(r, b, 0, &idev),
				-EBADMSG);
		KUNIT_EXPECT_EQ(test, b->attached, 0);
		behind_expect_pending(test, r);
	}
	handover_in_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.tables_compared, 2);
	KUNIT_EXPECT_EQ(test, stats.tables_equal, 0);

	/* Control: put right, it comes back */
	prot = c->iova >= 0x400000 ? TREE_READ : TREE_RW;
	behind_remap(test, b->old[0], c->iova, pa, pa ? prot : 0);
	behind_must_bind(test, r, b, 0);
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void device_that_cannot_be_attached_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct iommufd_device *idev;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	b->attach_err = -EBUSY;
	for (u32 i = 1; i <= 2; i++) {
		KUNIT_EXPECT_EQ(test, behind_bind(r, b, 0, &idev), -EBUSY);
		KUNIT_EXPECT_EQ(test, b->attached, i);
		behind_expect_pending(test, r);
	}
	b->attach_err = 0;
	behind_must_bind(test, r, b, 0);
	behind_must_bind(test, r, b, 1);
	replay_expect_pinned(test, r, CHARGE_MM, BOTH_PAGES);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

/* The first device is back and in use; what the second takes, it gives back. */
static void second_device_that_fails_does_not_disturb_the_first(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct iommufd_device *idev;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	behind_must_bind(test, r, b, 0);
	b->attach_err = -ENOMEM;
	KUNIT_EXPECT_EQ(test, behind_bind(r, b, 1, &idev), -ENOMEM);
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	expect_hwpt(test, r, WORLD_HWPT1_ID, WORLD_IOAS1_ID, true);
	KUNIT_EXPECT_TRUE(test, replay_is_reserved(r->ictx, WORLD_HWPT2_ID));
	KUNIT_EXPECT_TRUE(test, replay_is_reserved(r->ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_EQ(test, r->given_back, 1);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void device_over_the_memlock_limit_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	const struct cred *cred, *old;
	struct iommufd_device *idev;
	int rc;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	cred = replay_credentials(test, CHARGE_MM, -1);
	behind_limit_memlock(IOAS1_PAGES - 1);
	old = override_creds(cred);
	rc = behind_bind(r, b, 0, &idev);
	revert_creds(old);
	KUNIT_EXPECT_EQ(test, rc, -ENOMEM);
	behind_expect_pending(test, r);

	behind_limit_memlock(IOAS1_PAGES);
	old = override_creds(cred);
	rc = behind_bind(r, b, 0, &idev);
	revert_creds(old);
	KUNIT_ASSERT_EQ(test, rc, 0);
	fake_device_unbind(idev);
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void device_that_runs_out_of_memory_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct iommufd_device *idev;
	const struct cred *cred;
	u32 nth, failed = 0;
	bool hit = true;
	int rc;

	faults_begin(test);
	cred = replay_credentials(test, CHARGE_MM, -1);
	replay_hand_over(test, r);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_as(r, cred));
	for (nth = 1; hit && nth < MAX_FAULTS; nth++) {
		faults_arm(nth);
		rc = behind_bind(r, b, 0, &idev);
		hit = faults_disarm();
		if (rc) {
			failed++;
			KUNIT_EXPECT_TRUE_MSG(test, hit, "fault %u: %d", nth,
					      rc);
			behind_expect_pending(test, r);
			continue;
		}
		/* It is back, maybe in spite of the fault: begin again */
		fake_device_unbind(idev);
		expect_hwpt(test, r, WORLD_HWPT1_ID, WORLD_IOAS1_ID, true);
		replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
		replay_close(r);
		replay_expect_nothing_left(test, r);
		r->given_back = 0;
		KUNIT_ASSERT_EQ(test, 0, replay_retrieve_as(r, cred));
	}
	KUNIT_EXPECT_FALSE(test, hit);
	KUNIT_EXPECT_GT(test, failed, 4);
	kunit_info(test, "%u faults, %u of them failed the device\n", nth - 2,
		   failed);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

struct snoop_case {
	const char *desc;
	bool was;		/* enforced for the recorded HWPT */
	bool can;		/* the unit of the device that is bound first */
	int err;
};

static const struct snoop_case snoops[] = {
	{ "neither", false, false, 0 },
	{ "both", true, true, 0 },
	{ "only the unit", false, true, 0 },
	{ "only the record", true, false, -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(snoop, snoops, desc);

static void coherency_is_that_of_the_record(struct kunit *test)
{
	const struct snoop_case *c = test->param_value;
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_device *idev;
	bool enforced;
	int rc;

	if (c->was)
		r->w->table[0].attributes |= IHO_TABLE_SNOOP;
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	idev = fake_device_bind(r, b->device[0]);
	KUNIT_ASSERT_FALSE(test, IS_ERR(idev));
	idev->enforce_cache_coherency = c->can;
	rc = iommufd_handover_replay_device(idev, behind_attach, b);
	KUNIT_EXPECT_EQ(test, rc, c->err);
	KUNIT_EXPECT_EQ(test, idev->enforce_cache_coherency, c->can);
	hwpt = behind_hwpt(r->ictx, WORLD_HWPT1_ID);
	enforced = hwpt && hwpt->enforce_cache_coherency;
	if (hwpt)
		iommufd_put_object(r->ictx, &hwpt->common.obj);
	KUNIT_EXPECT_EQ(test, !!hwpt, !c->err);
	KUNIT_EXPECT_EQ(test, enforced, c->was && c->can);
	fake_device_unbind(idev);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

struct flags_case {
	const char *desc;
	u32 was;		/* of the recorded HWPT */
	u32 can;		/* the unit of the device */
	int err;
};

#define NEST_PARENT	IOMMU_HWPT_ALLOC_NEST_PARENT
#define DIRTY		IOMMU_HWPT_ALLOC_DIRTY_TRACKING

static const struct flags_case flags[] = {
	{ "none", 0, NEST_PARENT | DIRTY, 0 },
	{ "NEST_PARENT", NEST_PARENT, NEST_PARENT, 0 },
	{ "DIRTY_TRACKING", DIRTY, DIRTY, 0 },
	{ "both", NEST_PARENT | DIRTY, NEST_PARENT | DIRTY, 0 },
	{ "NEST_PARENT lost", NEST_PARENT, DIRTY, -EOPNOTSUPP },
	{ "DIRTY_TRACKING lost", DIRTY, NEST_PARENT, -EOPNOTSUPP },
	{ "one of both lost", NEST_PARENT | DIRTY, DIRTY, -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(flags, flags, desc);

/* Also for the next handover, which records them again. */
static void flags_are_asked_for_again(struct kunit *test)
{
	const struct flags_case *c = test->param_value;
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_device *idev;

	r->w->rec[WORLD_HWPT2].hwpt.flags = c->was;
	b->device[1]->can = c->can;
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	KUNIT_ASSERT_EQ(test, behind_bind(r, b, 1, &idev), c->err);
	hwpt = behind_hwpt(r->ictx, WORLD_HWPT2_ID);
	KUNIT_EXPECT_EQ(test, !!hwpt, !c->err);
	if (hwpt) {
		KUNIT_EXPECT_EQ(test, b->device[1]->flags, c->was);
		KUNIT_EXPECT_EQ(test, hwpt->handover.flags, c->was);
		KUNIT_EXPECT_TRUE(test, hwpt->nest_parent ==
				  !!(c->was & NEST_PARENT));
		iommufd_put_object(r->ictx, &hwpt->common.obj);
		fake_device_unbind(idev);
	} else {
		KUNIT_EXPECT_EQ(test, b->attached, 0);
		behind_expect_pending(test, r);
	}
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

/* Another device of the HWPT may be bound first, and makes it then. */
static void hwpt_is_of_the_device_that_made_it(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = behind_new(test, 4, 5);
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_device *idev;
	int rc;

	r->w->rec[WORLD_HWPT2].hwpt.dev_id = WORLD_DEV1_ID;
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	behind_must_bind(test, r, b, 1);
	hwpt = behind_hwpt(r->ictx, WORLD_HWPT2_ID);
	KUNIT_ASSERT_NOT_NULL(test, hwpt);
	KUNIT_EXPECT_EQ(test, hwpt->handover.dev_id, WORLD_DEV2_ID);
	rc = behind_bind(r, b, 0, &idev);
	KUNIT_EXPECT_EQ(test, rc, 0);
	if (!rc) {
		KUNIT_EXPECT_EQ(test, hwpt->handover.dev_id, WORLD_DEV1_ID);
		KUNIT_EXPECT_EQ(test, hwpt->handover.dev_serial,
				idev->handover.serial);
		fake_device_unbind(idev);
	}
	iommufd_put_object(r->ictx, &hwpt->common.obj);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static struct kunit_case device_cases[] = {
	KUNIT_CASE_PARAM(devices_come_back_with_their_hwpts,
			 replay_charge_params),
	KUNIT_CASE_PARAM(device_stays_away_when_its_tree_differs,
			 tree_gen_params),
	KUNIT_CASE(device_that_cannot_be_attached_leaves_nothing),
	KUNIT_CASE_PARAM(coherency_is_that_of_the_record, snoop_gen_params),
	KUNIT_CASE_PARAM(flags_are_asked_for_again, flags_gen_params),
	KUNIT_CASE(hwpt_is_of_the_device_that_made_it),
	KUNIT_CASE(second_device_that_fails_does_not_disturb_the_first),
	KUNIT_CASE(device_over_the_memlock_limit_leaves_nothing),
	KUNIT_CASE(device_that_runs_out_of_memory_leaves_nothing),
	{}
};

static struct kunit_suite device_suite = {
	.name = "iommu_handover_device",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = device_cases,
};

kunit_test_suite(device_suite);

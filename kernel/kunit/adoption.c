// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of inherited page tables that become those of HWPTs: which do, and that
 * nothing is left of an attempt that fails.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/iommu-handover.h>

#include "behind.h"
#include "faults.h"
#include "objects.h"

static u32 adopted(void)
{
	struct handover_in_stats stats;

	handover_in_stats(&stats);
	return stats.tables_adopted;
}

/* The HWPT has the page table that the image names. */
static void expect_inherited(struct kunit *test, struct replay *r, u32 id,
			     const struct iho_table *table)
{
	struct iommufd_hwpt_paging *hwpt = behind_hwpt(r->ictx, id);
	struct iho_table now = {};

	KUNIT_ASSERT_NOT_NULL(test, hwpt);
	KUNIT_EXPECT_EQ(test, 0, fake_domain_table(hwpt->common.domain, &now));
	KUNIT_EXPECT_EQ(test, now.root_pa, table->root_pa);
	iommufd_put_object(r->ictx, &hwpt->common.obj);
}

/* The second shares eight pages with the first. */
static void tables_that_fit_are_adopted(struct kunit *test)
{
	const struct charge_case *c = test->param_value;
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	struct handover_in_stats stats;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, c->charge));
	behind_must_bind(test, r, b, 0);
	KUNIT_EXPECT_EQ(test, b->taken, 1);
	expect_inherited(test, r, WORLD_HWPT1_ID, &r->w->table[0]);
	replay_expect_pinned(test, r, c->charge, IOAS1_PAGES);

	behind_must_bind(test, r, b, 1);
	KUNIT_EXPECT_EQ(test, b->taken, 2);
	expect_inherited(test, r, WORLD_HWPT2_ID, &r->w->table[1]);
	replay_expect_pinned(test, r, c->charge, BOTH_PAGES);

	handover_in_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.tables_compared, 2);
	KUNIT_EXPECT_EQ(test, stats.tables_equal, 2);
	KUNIT_EXPECT_EQ(test, stats.tables_adopted, 2);
	KUNIT_EXPECT_EQ(test, r->given_back, 0);
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

/* As any other: part of an area cannot go, all of it can. */
static void adopted_table_can_be_changed(struct kunit *test)
{
	const struct world_rec *rec;
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	struct iommufd_hwpt_paging *hwpt;
	unsigned long unmapped = 0;
	struct iommufd_ioas *ioas;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	rec = &r->w->rec[WORLD_MAP1];
	behind_must_bind(test, r, b, 0);
	KUNIT_ASSERT_EQ(test, adopted(), 1);
	hwpt = behind_hwpt(r->ictx, WORLD_HWPT1_ID);
	KUNIT_ASSERT_NOT_NULL(test, hwpt);
	ioas = hwpt->ioas;
	KUNIT_EXPECT_NE(test, 0, iommu_iova_to_phys(hwpt->common.domain,
						    rec->map.iova));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_unmap_iova(&ioas->iopt, rec->map.iova, PAGE_SIZE,
					&unmapped));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_unmap_iova(&ioas->iopt, rec->map.iova,
					rec->map.length, &unmapped));
	KUNIT_EXPECT_EQ(test, unmapped, rec->map.length);
	KUNIT_EXPECT_EQ(test, 0, iommu_iova_to_phys(hwpt->common.domain,
						    rec->map.iova));
	iommufd_put_object(r->ictx, &hwpt->common.obj);
	replay_expect_pinned(test, r, CHARGE_MM,
			     IOAS1_PAGES - rec->map.length / PAGE_SIZE);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

struct misfit {
	const char *desc;
	u64 iova;		/* page that is unmapped in the inherited table */
	u64 further;		/* and mapped again, so much further on */
	int prot;		/* with this, or not at all */
};

static const struct misfit misfits[] = {
	{ "the first page leads elsewhere", 0x100000, PAGE_SIZE, TREE_RW },
	{ "one in the middle leads elsewhere", 0x103000, PAGE_SIZE, TREE_RW },
	{ "one in the second area could be written", 0x402000, 0, TREE_RW },
	{ "the last of an area could not be written", 0x10f000, 0, TREE_READ },
	{ "the first is not mapped", 0x100000, 0, 0 },
	{ "one in the middle is not mapped", 0x108000, 0, 0 },
	{ "one more is mapped before all", 0x1000, SZ_16M, TREE_RW },
	{ "one more is mapped after all", 0x500000, SZ_16M, TREE_RW },
	{ "one more is mapped between areas", 0x200000, SZ_16M, TREE_RW },
};

KUNIT_ARRAY_PARAM_DESC(misfit, misfits, desc);

static void table_that_does_not_fit_is_not_adopted(struct kunit *test)
{
	const struct misfit *c = test->param_value;
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	struct iommufd_device *idev;
	phys_addr_t pa;
	int prot;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	pa = iommu_iova_to_phys(b->old[0], c->iova);
	behind_remap(test, b->old[0], c->iova, pa + c->further, c->prot);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, behind_bind(r, b, 0, &idev), -EBADMSG);
		behind_expect_pending(test, r);
	}
	KUNIT_EXPECT_EQ(test, adopted(), 0);
	KUNIT_ASSERT_EQ(test, b->taken, 0);

	/* Control: put right, it is */
	prot = c->iova >= 0x400000 ? TREE_READ : TREE_RW;
	behind_remap(test, b->old[0], c->iova, pa, pa ? prot : 0);
	behind_must_bind(test, r, b, 0);
	KUNIT_EXPECT_EQ(test, adopted(), 1);
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

/* It was compared, and is gone with the HWPT: the next one is filled. */
static void device_that_cannot_be_attached_gives_it_up(struct kunit *test)
{
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	struct iommufd_device *idev;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	b->attach_err = -EBUSY;
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, behind_bind(r, b, 0, &idev), -EBUSY);
		KUNIT_EXPECT_EQ(test, adopted(), 1);
		behind_expect_pending(test, r);
	}
	b->attach_err = 0;
	behind_must_bind(test, r, b, 0);
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	KUNIT_EXPECT_EQ(test, r->given_back, 0);
	behind_must_bind(test, r, b, 1);
	KUNIT_EXPECT_EQ(test, adopted(), 2);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void memlock_limit_holds(struct kunit *test)
{
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	const struct cred *cred, *old;
	struct iommufd_device *idev;
	int rc;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	cred = replay_credentials(test, CHARGE_MM, -1);
	for (int below = 1; below >= 0; below--) {
		behind_limit_memlock(IOAS1_PAGES - below);
		old = override_creds(cred);
		rc = behind_bind(r, b, 0, &idev);
		revert_creds(old);
		KUNIT_EXPECT_EQ(test, rc, below ? -ENOMEM : 0);
		KUNIT_EXPECT_EQ(test, adopted(), !below);
		if (rc)
			behind_expect_pending(test, r);
		else
			fake_device_unbind(idev);
	}
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

/* Nothing is allocated for it: what fails, fails before it or after it. */
static void device_that_runs_out_of_memory_leaves_nothing(struct kunit *test)
{
	struct behind *b = behind_new(test, 3, 3);
	struct replay *r = test->priv;
	struct iommufd_device *idev;
	u32 nth, failed = 0;
	bool hit = true;
	int rc;

	faults_begin(test);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_MM));
	for (nth = 1; hit && nth < MAX_FAULTS; nth++) {
		faults_arm(nth);
		rc = behind_bind(r, b, 0, &idev);
		hit = faults_disarm();
		if (!rc)
			break;
		failed++;
		KUNIT_EXPECT_TRUE_MSG(test, hit, "fault %u: %d", nth, rc);
		behind_expect_pending(test, r);
	}
	KUNIT_ASSERT_EQ(test, rc, 0);
	fake_device_unbind(idev);
	/* kmemleak allocates as well: a fault that it takes ends this early */
	KUNIT_EXPECT_GT(test, failed, IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) ? 0 : 2);
	KUNIT_EXPECT_EQ(test, adopted(), 1);
	replay_expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static struct kunit_case adoption_cases[] = {
	KUNIT_CASE_PARAM(tables_that_fit_are_adopted, replay_charge_params),
	KUNIT_CASE(adopted_table_can_be_changed),
	KUNIT_CASE_PARAM(table_that_does_not_fit_is_not_adopted,
			 misfit_gen_params),
	KUNIT_CASE(device_that_cannot_be_attached_gives_it_up),
	KUNIT_CASE(memlock_limit_holds),
	KUNIT_CASE(device_that_runs_out_of_memory_leaves_nothing),
	{}
};

static struct kunit_suite adoption_suite = {
	.name = "iommu_handover_adoption",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = adoption_cases,
};

kunit_test_suite(adoption_suite);

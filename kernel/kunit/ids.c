// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the object IDs: objects get those of their records, and those
 * of what has not come back are kept for it.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/pci.h>
#include <linux/sched/task.h>

#include "../iommufd/io_pagetable.h"
#include "../iommufd/iommufd_test.h"
#include "fake-device.h"
#include "objects.h"
#include "replay-fixture.h"

static void objects_get_the_ids_of_their_records(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommufd_ioas *ioas;

	replay_must_retrieve(test, r);
	KUNIT_EXPECT_TRUE(test, replay_is_there(r->ictx, WORLD_IOAS1_ID,
						IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_TRUE(test, replay_is_there(r->ictx, WORLD_IOAS2_ID,
						IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 2);
	KUNIT_ASSERT_NOT_NULL(test, r->ictx->vfio_ioas);
	KUNIT_EXPECT_EQ(test, r->ictx->vfio_ioas->obj.id, WORLD_IOAS1_ID);
	KUNIT_EXPECT_EQ(test, r->ictx->account_mode, IOPT_PAGES_ACCOUNT_MM);
	ioas = iommufd_get_ioas(r->ictx, WORLD_IOAS1_ID);
	KUNIT_EXPECT_FALSE(test, ioas->iopt.disable_large_pages);
	iommufd_put_object(r->ictx, &ioas->obj);
	ioas = iommufd_get_ioas(r->ictx, WORLD_IOAS2_ID);
	KUNIT_EXPECT_TRUE(test, ioas->iopt.disable_large_pages);
	iommufd_put_object(r->ictx, &ioas->obj);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void ids_of_records_that_wait_are_reserved(struct kunit *test)
{
	struct replay *r = test->priv;

	replay_must_retrieve(test, r);
	replay_expect_all_reserved(test, r->ictx);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	/* To user space there is no such object, to use or to destroy */
	KUNIT_EXPECT_FALSE(test, replay_is_there(r->ictx, WORLD_DEV1_ID,
						 IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_EQ(test, iommufd_object_remove(r->ictx, NULL,
						    WORLD_HWPT1_ID, 0),
			-ENOENT);
	replay_expect_all_reserved(test, r->ictx);

	/* Control: others are free */
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, WORLD_DEV1_ID + 1));
	KUNIT_EXPECT_FALSE(test, iommufd_handover_holds_id(r->ictx,
							   WORLD_DEV1_ID + 1));
	KUNIT_EXPECT_FALSE(test, iommufd_handover_holds_id(r->ictx,
							   WORLD_IOAS1_ID));
}

/* The four that wait have the IDs that come next. */
static void new_objects_go_round_reserved_ids(struct kunit *test)
{
	struct replay *r = test->priv;
	struct world_rec *rec = r->w->rec;
	struct world *w = r->w;

	w->device[0].dev_id = 2;
	w->device[1].dev_id = 3;
	w->table[0].hwpt_id = 4;
	w->table[1].hwpt_id = 6;
	rec[WORLD_BIND1].bind.out_devid = 2;
	rec[WORLD_BIND2].bind.out_devid = 3;
	rec[WORLD_HWPT1].hwpt.out_hwpt_id = 4;
	rec[WORLD_HWPT1].hwpt.dev_id = 2;
	rec[WORLD_HWPT2].hwpt.out_hwpt_id = 6;
	rec[WORLD_HWPT2].hwpt.dev_id = 3;
	rec[WORLD_ATTACH1].attach.pt_id = 4;
	rec[WORLD_ATTACH1].attach_ref.dev_id = 2;
	rec[WORLD_ATTACH2].attach.pt_id = 6;
	rec[WORLD_ATTACH2].attach_ref.dev_id = 3;
	replay_must_retrieve(test, r);
	KUNIT_EXPECT_EQ(test, replay_new_ioas(r->ictx), 5);
	KUNIT_EXPECT_EQ(test, replay_new_ioas(r->ictx), 7);
}

static void bound_device_gets_the_id_of_its_record(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommufd_device *second, *first;

	replay_must_retrieve(test, r);
	second = fake_device_must_bind(test, fake_device_new(test, 1));
	KUNIT_EXPECT_EQ(test, second->obj.id, WORLD_DEV2_ID);
	first = fake_device_must_bind(test, fake_device_new(test, 0));
	KUNIT_EXPECT_EQ(test, first->obj.id, WORLD_DEV1_ID);
	KUNIT_EXPECT_NE(test, first->handover.serial, second->handover.serial);
	fake_device_unbind(first);
	fake_device_unbind(second);
}

static void id_stays_reserved_when_a_bind_fails(struct kunit *test)
{
	struct replay *r = test->priv;
	struct fake_device *d;

	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	for (int i = 0; i < 3; i++) {
		struct iommufd_device *idev = fake_device_must_bind(test, d);

		KUNIT_EXPECT_EQ(test, idev->obj.id, WORLD_DEV1_ID);
		fake_device_unbind(idev);
		replay_expect_all_reserved(test, r->ictx);
	}
	/* One that fails before it has an object */
	KUNIT_ASSERT_EQ(test, 0, fake_device_begin(r, d));
	iommufd_handover_bind_end(r->ictx);
	replay_expect_all_reserved(test, r->ictx);
	KUNIT_EXPECT_EQ(test, iommufd_handover_forced_id(r->ictx), 0);
}

/* Published and destroyed again, as a device whose file is closed too soon. */
static void id_stays_reserved_when_its_object_goes_too_soon(struct kunit *test)
{
	struct replay *r = test->priv;
	struct fake_device *d;
	int id;

	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	for (int i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 0, fake_device_begin(r, d));
		id = replay_new_ioas(r->ictx);
		iommufd_handover_bind_end(r->ictx);
		KUNIT_ASSERT_EQ(test, id, WORLD_DEV1_ID);
		/* While it lives nothing else can get the ID */
		KUNIT_EXPECT_EQ(test, fake_device_begin(r, d), -EBUSY);
		KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(r->ictx, NULL,
							       id, 0));
		replay_expect_all_reserved(test, r->ictx);
	}
	/* Control: an ID that no record has is free again */
	id = replay_new_ioas(r->ictx);
	KUNIT_ASSERT_GT(test, id, 0);
	KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(r->ictx, NULL, id, 0));
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, id));
}

struct stranger {
	const char *desc;
	void (*alter)(struct pci_dev *pdev);
	int err;
};

static void other_slot(struct pci_dev *pdev)
{
	pdev->devfn++;
}

static void other_bus(struct pci_dev *pdev)
{
	pdev->bus->number++;
}

static void other_vendor(struct pci_dev *pdev)
{
	pdev->vendor++;
}

static void other_revision(struct pci_dev *pdev)
{
	pdev->revision++;
}

static void other_subsystem(struct pci_dev *pdev)
{
	pdev->subsystem_device++;
}

static void not_pci(struct pci_dev *pdev)
{
	pdev->dev.bus = NULL;
}

/* In another place it is another device; in that place it is the wrong one. */
static const struct stranger strangers[] = {
	{ "another slot", other_slot, 0 },
	{ "another bus", other_bus, 0 },
	{ "not PCI", not_pci, 0 },
	{ "another vendor", other_vendor, -ENODEV },
	{ "another revision", other_revision, -ENODEV },
	{ "another subsystem", other_subsystem, -ENODEV },
};

KUNIT_ARRAY_PARAM_DESC(stranger, strangers, desc);

static void stranger_does_not_get_the_id_of_a_record(struct kunit *test)
{
	const struct stranger *s = test->param_value;
	struct replay *r = test->priv;
	struct iommufd_device *idev;
	struct fake_device *d;

	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	s->alter(&d->pdev);
	idev = fake_device_bind(r, d);
	if (s->err) {
		KUNIT_EXPECT_PTR_EQ(test, idev, ERR_PTR(s->err));
	} else {
		KUNIT_ASSERT_FALSE(test, IS_ERR(idev));
		KUNIT_EXPECT_EQ(test, idev->obj.id, 2);
		fake_device_unbind(idev);
	}
	replay_expect_all_reserved(test, r->ictx);
	/* Control: the device that is waited for gets it afterwards */
	idev = fake_device_must_bind(test, fake_device_new(test, 0));
	KUNIT_EXPECT_EQ(test, idev->obj.id, WORLD_DEV1_ID);
	fake_device_unbind(idev);
}

struct other_task {
	struct iommufd_ctx *ictx;
	int id;
	struct completion done;
};

static int allocate(void *data)
{
	struct other_task *t = data;

	t->id = replay_new_ioas(t->ictx);
	complete(&t->done);
	return 0;
}

static void forced_id_goes_to_the_task_that_binds(struct kunit *test)
{
	struct replay *r = test->priv;
	struct other_task t = {};
	struct task_struct *task;
	struct fake_device *d;
	int id;

	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	t.ictx = r->ictx;
	init_completion(&t.done);
	KUNIT_ASSERT_EQ(test, 0, fake_device_begin(r, d));
	task = kthread_run(allocate, &t, "iho-kunit");
	if (!IS_ERR(task))
		wait_for_completion(&t.done);
	id = replay_new_ioas(r->ictx);
	iommufd_handover_bind_end(r->ictx);
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	KUNIT_EXPECT_EQ(test, t.id, 2);
	KUNIT_EXPECT_EQ(test, id, WORLD_DEV1_ID);
}

static void abandoned_ids_are_free(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommufd_device *idev;
	struct fake_device *d;
	int id;

	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	/* In use when it is abandoned: it stays what it is */
	KUNIT_ASSERT_EQ(test, 0, fake_device_begin(r, d));
	id = replay_new_ioas(r->ictx);
	iommufd_handover_bind_end(r->ictx);
	KUNIT_ASSERT_EQ(test, id, WORLD_DEV1_ID);

	handover_replay_abandon(r->ictx->handover.replay);
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_EQ(test, r->given_back, 2);
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, WORLD_HWPT1_ID));
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, WORLD_HWPT2_ID));
	KUNIT_EXPECT_TRUE(test, replay_is_there(r->ictx, id, IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(r->ictx, NULL, id, 0));
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, id));

	/* The device is one like any other now */
	idev = fake_device_must_bind(test, d);
	KUNIT_EXPECT_EQ(test, idev->obj.id, 2);
	fake_device_unbind(idev);
}

/* A bind that has to wait for another one. */
struct waiter {
	struct replay *r;
	struct fake_device *d;
	u32 forced;
	int rc;
	struct completion done;
};

static int wait_for_lock(void *data)
{
	struct waiter *w = data;

	w->rc = fake_device_begin(w->r, w->d);
	w->forced = iommufd_handover_forced_id(w->r->ictx);
	if (!w->rc)
		iommufd_handover_bind_end(w->r->ictx);
	complete(&w->done);
	return 0;
}

static bool start_and_see_it_wait(struct waiter *w)
{
	struct task_struct *task;
	bool waits = false;

	init_completion(&w->done);
	task = kthread_create(wait_for_lock, w, "handover-kunit");
	if (IS_ERR(task)) {
		complete(&w->done);
		return false;
	}
	get_task_struct(task);
	wake_up_process(task);
	for (int i = 0; i < 1000 && !waits; i++) {
		msleep(20);
		waits = READ_ONCE(task->__state) == TASK_UNINTERRUPTIBLE;
	}
	put_task_struct(task);
	return waits;
}

/* What abandon does can come between the lock's two owners. */
static void bind_that_waited_forces_no_id_that_was_given_up(struct kunit *test)
{
	struct replay *r = test->priv;
	struct waiter binds = { .r = r };
	struct fake_device *first;
	bool waited;

	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	replay_must_retrieve(test, r);
	first = fake_device_new(test, 0);
	binds.d = fake_device_new(test, 1);
	KUNIT_ASSERT_EQ(test, 0, fake_device_begin(r, first));
	KUNIT_EXPECT_EQ(test, iommufd_handover_forced_id(r->ictx),
			WORLD_DEV1_ID);
	waited = start_and_see_it_wait(&binds);
	WRITE_ONCE(r->ictx->handover.pending, 0);
	iommufd_handover_bind_end(r->ictx);
	wait_for_completion(&binds.done);
	KUNIT_ASSERT_TRUE(test, waited);
	KUNIT_EXPECT_EQ(test, binds.rc, 0);
	KUNIT_EXPECT_EQ(test, binds.forced, 0);
}

/* A bind may wait for user space while it fills a page table. */
static void abandon_waits_for_no_bind(struct kunit *test)
{
	struct replay *r = test->priv;
	struct fake_device *d;

	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	KUNIT_ASSERT_EQ(test, 0, fake_device_begin(r, d));
	KUNIT_EXPECT_EQ(test, handover_in_abandon(), -EBUSY);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_TRUE(test, replay_is_taken(r->ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_EQ(test, r->given_back, 0);
	iommufd_handover_bind_end(r->ictx);
	KUNIT_EXPECT_TRUE(test,
			  handover_replay_abandon(r->ictx->handover.replay));
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_FALSE(test, replay_is_taken(r->ictx, WORLD_DEV2_ID));
}

static void device_of_a_group_takes_no_id_that_is_waited_for(struct kunit *test)
{
	struct replay *r = test->priv;
	struct fake_device *d;

	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	/* A VFIO group: nobody announced that its own file is used */
	KUNIT_ASSERT_EQ(test, 0, iommufd_handover_bind_begin(r->ictx,
							     &d->pdev.dev));
	KUNIT_EXPECT_EQ(test, iommufd_handover_forced_id(r->ictx), 0);
	iommufd_handover_bind_end(r->ictx);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
}

/* Put a device on a bus below a bridge of the root bus. */
static void below_a_bridge(struct kunit *test, struct fake_device *d, u8 bridge,
			   u8 bus)
{
	struct pci_bus *root = kunit_kzalloc(test, sizeof(*root), GFP_KERNEL);
	struct pci_dev *self = kunit_kzalloc(test, sizeof(*self), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, root);
	KUNIT_ASSERT_NOT_NULL(test, self);
	root->sysdata = d->bus.sysdata;
	self->bus = root;
	self->devfn = bridge;
	d->bus.parent = root;
	d->bus.self = self;
	d->bus.number = bus;
}

#define BRIDGE	0x28

struct place_case {
	const char *desc;
	u64 serial;		/* of the recorded device */
	u8 bridge;		/* what is bound is below this one */
	u8 bus;
	int err;
	u32 forced;
};

static const struct place_case places[] = {
	{ "as it was", 0, BRIDGE, 0, 0, WORLD_DEV1_ID },
	{ "its bus was renumbered", 0, BRIDGE, 9, 0, WORLD_DEV1_ID },
	{ "another has its address", 0, BRIDGE + 8, 0, -ENODEV, 0 },
	{ "another serial number", 7, BRIDGE, 0, -ENODEV, 0 },
	{ "elsewhere, at another address", 0, BRIDGE + 8, 9, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(place, places, desc);

static void device_is_known_by_its_place(struct kunit *test)
{
	const struct place_case *c = test->param_value;
	struct replay *r = test->priv;
	struct iho_device *fact = &r->w->device[0];
	struct fake_device *d;
	u8 devfn = fact->source_id[0] & 0xff;

	fact->path_len = 2;
	fact->path[0] = BRIDGE;
	fact->path[1] = devfn;
	fact->serial = c->serial;
	replay_must_retrieve(test, r);
	d = fake_device_new(test, 0);
	below_a_bridge(test, d, c->bridge, c->bus);
	KUNIT_EXPECT_EQ(test, fake_device_begin(r, d), c->err);
	if (c->err)
		return;
	KUNIT_EXPECT_EQ(test, iommufd_handover_forced_id(r->ictx), c->forced);
	iommufd_handover_bind_end(r->ictx);
}

#ifdef CONFIG_IOMMUFD_TEST
/* The device of a bind, when it got its serial number. */
static struct {
	struct iommufd_device *idev;
	u32 times;
	bool seen;	/* by other tasks, already then */
} numbered;

static void note_who_is_numbered(struct iommufd_device *idev)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;

	kunit_deactivate_static_stub(test, iommufd_handover_device_init);
	numbered.idev = idev;
	numbered.times++;
	numbered.seen = replay_is_there(r->ictx, idev->obj.id,
					IOMMUFD_OBJ_DEVICE);
	iommufd_handover_device_init(idev);
}

/* Who allocates an HWPT with it, beside the bind, notes the number. */
static void device_is_numbered_before_it_is_seen(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
	};
	struct iommufd_ucmd ucmd = { .cmd = &cmd, .user_size = sizeof(cmd) };
	unsigned long user;
	int id;

	replay_must_retrieve(test, r);
	user = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, user, 0);
	id = replay_new_ioas(r->ictx);
	KUNIT_ASSERT_GT(test, id, 0);
	cmd.id = id;
	ucmd.ictx = r->ictx;
	ucmd.ubuffer = (void __user *)user;
	memset(&numbered, 0, sizeof(numbered));
	kunit_activate_static_stub(test, iommufd_handover_device_init,
				   note_who_is_numbered);
	/* iommufd's own bind, of a device that its selftest makes */
	KUNIT_ASSERT_EQ(test, 0, iommufd_test(&ucmd));
	KUNIT_EXPECT_EQ(test, numbered.times, 1);
	KUNIT_EXPECT_FALSE(test, numbered.seen);
	/* Control: it is seen now */
	KUNIT_EXPECT_TRUE(test, replay_is_there(r->ictx,
						cmd.mock_domain.out_idev_id,
						IOMMUFD_OBJ_DEVICE));
	if (numbered.idev) {
		KUNIT_EXPECT_EQ(test, numbered.idev->obj.id,
				cmd.mock_domain.out_idev_id);
		KUNIT_EXPECT_NE(test, numbered.idev->handover.serial, 0);
	}
	KUNIT_EXPECT_EQ(test, 0,
			iommufd_object_remove(r->ictx, NULL,
					      cmd.mock_domain.out_stdev_id, 0));
}
#endif

static struct kunit_case ids_cases[] = {
	KUNIT_CASE(objects_get_the_ids_of_their_records),
	KUNIT_CASE(ids_of_records_that_wait_are_reserved),
	KUNIT_CASE(new_objects_go_round_reserved_ids),
	KUNIT_CASE(bound_device_gets_the_id_of_its_record),
	KUNIT_CASE(id_stays_reserved_when_a_bind_fails),
	KUNIT_CASE(id_stays_reserved_when_its_object_goes_too_soon),
	KUNIT_CASE_PARAM(stranger_does_not_get_the_id_of_a_record,
			 stranger_gen_params),
	KUNIT_CASE(forced_id_goes_to_the_task_that_binds),
	KUNIT_CASE(abandoned_ids_are_free),
	KUNIT_CASE(bind_that_waited_forces_no_id_that_was_given_up),
	KUNIT_CASE(abandon_waits_for_no_bind),
	KUNIT_CASE_PARAM(device_is_known_by_its_place, place_gen_params),
	KUNIT_CASE(device_of_a_group_takes_no_id_that_is_waited_for),
#ifdef CONFIG_IOMMUFD_TEST
	KUNIT_CASE(device_is_numbered_before_it_is_seen),
#endif
	{}
};

static struct kunit_suite ids_suite = {
	.name = "iommu_handover_ids",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = ids_cases,
};

kunit_test_suite(ids_suite);

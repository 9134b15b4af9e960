// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the replay: object IDs, share groups, and that an attempt
 * that fails leaves nothing.
 *
 * Each test puts an image of its own where the last kernel's would be and has
 * it replayed with memfds of its own. What a device leads to is real iommufd
 * and a real VT-d second-stage table; only the device is a structure that
 * nobody else knows.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/cred.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/generic_pt/iommu.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iommu-handover.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/memfd.h>
#include <linux/pagemap.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "../../../kernel/liveupdate/luo_internal.h"
#include "../iommu-pages.h"
#include "../iommufd/io_pagetable.h"
#include "../iommufd/iommufd_private.h"
#include "fixture.h"
#include "drivers.h"
#include "outgoing.h"
#include "replay.h"

#define MEMFDS		2
#define MEMFD_PAGES	((WORLD_MEMORY0_LEN + WORLD_MEMORY1_LEN) / PAGE_SIZE)

/**
 * struct usage - what replays take and must give back
 * @files: references to the memfds
 * @folios: references to their folios, pins among them
 * @user: pages charged to the user
 * @locked: pages charged to the mm
 * @pinned: pages pinned in the mm's name
 */
struct usage {
	long files, folios, user, locked, pinned;
};

/**
 * struct replay - a test's handover
 * @w: what is handed over; altered before hand_over()
 * @memfd: its memory
 * @session: has no more than a name
 * @args: of the retrieve
 * @ictx: retrieved, or NULL
 * @extent: where the image lies, in two pieces as in preserved memory
 * @extent_len: bytes
 * @before: usage when the test began
 * @asked: how often LUO was asked for a memfd
 * @fail_ask: which of these fails, from 1; 0 for none
 * @fail_record: record that fails, or IHO_NONE
 * @fail_applied: after it was replayed, not instead
 * @fail_err: with this errno
 * @given_back: inherited page tables that were given back
 */
struct replay {
	struct world *w;
	struct file *memfd[MEMFDS];
	struct luo_session session;
	struct liveupdate_file_op_args args;
	struct iommufd_ctx *ictx;
	void *extent[2];
	size_t extent_len[2];
	struct usage before;
	u32 asked, fail_ask;
	u32 fail_record;
	bool fail_applied;
	int fail_err;
	u32 given_back;
};

/* ---- in the place of LUO and of the last kernel ------------------------- */

static int get_memfd(struct luo_session *session, u64 token, struct file **file)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, session, &r->session);
	if (++r->asked == r->fail_ask)
		return r->fail_err;
	for (int i = 0; i < MEMFDS; i++) {
		if (r->w->memory[i].token != token)
			continue;
		*file = get_file(r->memfd[i]);
		return 0;
	}
	return -ENOENT;
}

static int apply_or_fail(struct apply *a, const struct iho_step *step)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;
	int rc = 0;

	if (step->record != r->fail_record || r->fail_applied) {
		kunit_deactivate_static_stub(test, handover_apply_step);
		rc = handover_apply_step(a, step);
		kunit_activate_static_stub(test, handover_apply_step, apply_or_fail);
	}
	return rc ?: step->record == r->fail_record ? r->fail_err : 0;
}

/* Tables of the last kernel are preserved; those of a test are just there. */
static const u64 *read_inherited(void *priv, u64 pa)
{
	return phys_to_virt(pa);
}

static void give_back(const struct iho_table *table)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;

	r->given_back++;
}

/* ---- a test's handover -------------------------------------------------- */

static struct folio *memfd_folio(struct kunit *test, const struct replay *r,
				 u32 memfd, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(r->memfd[memfd]->f_mapping,
						index);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_ASSERT_FALSE(test, folio_test_large(folio));
	/* Both the page cache and the test keep it */
	folio_put(folio);
	return folio;
}

static void measure(struct kunit *test, const struct replay *r,
		    struct usage *now)
{
	memset(now, 0, sizeof(*now));
	for (u32 i = 0; i < MEMFDS; i++) {
		now->files += file_count(r->memfd[i]);
		for (u64 off = 0; off < r->w->memory[i].size; off += PAGE_SIZE)
			now->folios += folio_ref_count(memfd_folio(test, r, i,
								   off >> PAGE_SHIFT));
	}
	now->user = atomic_long_read(&current_user()->locked_vm);
	now->locked = current->mm->locked_vm;
	now->pinned = atomic64_read(&current->mm->pinned_vm);
}

/* Everything that was taken since the test began has been given back. */
static void expect_nothing_left(struct kunit *test, const struct replay *r)
{
	struct usage now;

	measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.files, r->before.files);
	KUNIT_EXPECT_EQ(test, now.folios, r->before.folios);
	KUNIT_EXPECT_EQ(test, now.user, r->before.user);
	KUNIT_EXPECT_EQ(test, now.locked, r->before.locked);
	KUNIT_EXPECT_EQ(test, now.pinned, r->before.pinned);
}

static void put_memfd(void *file)
{
	__fput_sync(file);
}

static struct file *new_memfd(struct kunit *test, u64 len)
{
	struct file *file = memfd_alloc_file("kunit", 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_memfd,
							   file));
	KUNIT_ASSERT_EQ(test, 0, vfs_fallocate(file, 0, 0, len));
	return file;
}

static void take_image_away(void *priv)
{
	struct replay *r = priv;

	handover_in_forget();
	memset(&handover_in, 0, sizeof(handover_in));
	for (int i = 0; i < 2; i++)
		if (r->extent[i])
			free_pages_exact(r->extent[i], r->extent_len[i]);
}

static void put_extent(struct kunit *test, struct replay *r, int i,
		       const void *from, size_t len)
{
	r->extent_len[i] = len;
	r->extent[i] = alloc_pages_exact(len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r->extent[i]);
	memcpy(r->extent[i], from, len);
	handover_in.pa[i] = virt_to_phys(r->extent[i]);
	handover_in.len[i] = len;
}

/* Make the world, as it is now, what the last kernel left. */
static void put_image(struct kunit *test, struct replay *r)
{
	struct iho_where where = {};
	struct iho_context c;
	struct iho_image img;
	struct iho_seg seg[2];

	world_build(test, r->w);
	seg[0] = (struct iho_seg){ r->w->image, r->w->image_len };
	KUNIT_ASSERT_EQ_MSG(test, 0, iho_image_open(seg, 1, &img, &where),
			    "%s %s", where.node, where.prop);
	KUNIT_ASSERT_EQ(test, 0, iho_get_context(&img, 0, &c));

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   take_image_away, r));
	put_extent(test, r, 0, r->w->image, c.stream_off);
	put_extent(test, r, 1, r->w->image + c.stream_off,
		   r->w->image_len - c.stream_off);
	handover_in.extents = 2;
	for (int i = 0; i < 2; i++)
		seg[i] = (struct iho_seg){ r->extent[i], r->extent_len[i] };
	KUNIT_ASSERT_EQ(test, 0, iho_image_open(seg, 2, &handover_in.image, &where));
	handover_in.state = HANDOVER_IN_ACCEPTED;
	atomic_set(&handover_in.unfinished, handover_in.image.contexts);
}

/* LUO gives a memfd back; it is pinned from then on. */
static void luo_gives(struct kunit *test, struct replay *r, int i)
{
	KUNIT_ASSERT_EQ(test, 0, handover_in_pin(WORLD_SESSION,
						 r->w->memory[i].token,
						 r->memfd[i]));
}

/* All of it, up to the iommufd. */
static void hand_over(struct kunit *test, struct replay *r)
{
	put_image(test, r);
	for (int i = 0; i < MEMFDS; i++)
		luo_gives(test, r, i);
	measure(test, r, &r->before);
}

static int retrieve(struct replay *r)
{
	int rc;

	r->args = (struct liveupdate_file_op_args){
		.session = &r->session,
		.token = WORLD_TOKEN,
	};
	r->ictx = NULL;
	r->asked = 0;
	rc = handover_retrieve(&r->args);
	if (!rc)
		r->ictx = r->args.file->private_data;
	return rc;
}

/* The same, and wait for what a failure puts away in the background. */
static int retrieve_flush(struct replay *r)
{
	int rc = retrieve(r);

	flush_delayed_fput();
	return rc;
}

static void close_iommufd(struct replay *r)
{
	if (!r->args.file)
		return;
	__fput_sync(r->args.file);
	r->args.file = NULL;
	r->ictx = NULL;
}

static void must_retrieve(struct kunit *test, struct replay *r)
{
	hand_over(test, r);
	KUNIT_ASSERT_EQ(test, 0, retrieve(r));
}

static int replay_init(struct kunit *test)
{
	struct replay *r;

	if (handover_in.state != HANDOVER_IN_NONE) {
		kunit_skip(test, "the last kernel left an image");
		return 0;
	}
	r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	test->priv = r;
	/* Pages are pinned in the name of an mm */
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	strscpy(r->session.name, WORLD_SESSION);
	r->fail_record = IHO_NONE;
	r->w = world_new(test);
	for (int i = 0; i < MEMFDS; i++)
		r->memfd[i] = new_memfd(test, r->w->memory[i].size);
	kunit_activate_static_stub(test, handover_get_incoming, get_memfd);
	return 0;
}

/* An assertion that failed may have left the iommufd open. */
static void replay_exit(struct kunit *test)
{
	if (test->priv)
		close_iommufd(test->priv);
}

/* ---- objects ------------------------------------------------------------ */

static bool is_there(struct iommufd_ctx *ictx, u32 id,
		     enum iommufd_object_type type)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, type);

	if (IS_ERR(obj))
		return false;
	iommufd_put_object(ictx, obj);
	return obj->id == id;
}

static u32 count_objects(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	unsigned long id;
	u32 n = 0;

	xa_for_each(&ictx->objects, id, obj)
		n++;
	return n;
}

/* Whether somebody holds this ID, with an object or without. */
static bool is_taken(struct iommufd_ctx *ictx, u32 id)
{
	if (xa_insert(&ictx->objects, id, XA_ZERO_ENTRY, GFP_KERNEL))
		return true;
	xa_release(&ictx->objects, id);
	return false;
}

static bool is_reserved(struct iommufd_ctx *ictx, u32 id)
{
	return !xa_load(&ictx->objects, id) && is_taken(ictx, id) &&
	       iommufd_handover_holds_id(ictx, id);
}

static void expect_all_reserved(struct kunit *test, struct iommufd_ctx *ictx)
{
	KUNIT_EXPECT_TRUE(test, is_reserved(ictx, WORLD_DEV1_ID));
	KUNIT_EXPECT_TRUE(test, is_reserved(ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_TRUE(test, is_reserved(ictx, WORLD_HWPT1_ID));
	KUNIT_EXPECT_TRUE(test, is_reserved(ictx, WORLD_HWPT2_ID));
}

/* A new IOAS gets this ID, or a negative errno. */
static int new_ioas(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas = iommufd_ioas_alloc(ictx);

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	iommufd_object_finalize(ictx, &ioas->obj);
	return ioas->obj.id;
}

/* ---- devices that are no more than a structure --------------------------- */

struct fake_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu_vtdss sspt;
	};
};

PT_IOMMU_CHECK_DOMAIN(struct fake_domain, sspt.iommu, domain);

static void fake_sync(struct iommu_domain *domain,
		      struct iommu_iotlb_gather *gather)
{
	iommu_put_pages_list(&gather->freelist);
}

static void fake_free(struct iommu_domain *domain)
{
	struct fake_domain *fake = container_of(domain, struct fake_domain,
						domain);

	pt_iommu_deinit(&fake->sspt.iommu);
	kfree(fake);
}

static bool fake_enforce(struct iommu_domain *domain)
{
	return true;
}

static const struct iommu_domain_ops fake_domain_ops = {
	IOMMU_PT_DOMAIN_OPS(vtdss),
	.enforce_cache_coherency = fake_enforce,
	.iotlb_sync = fake_sync,
	.free = fake_free,
};

static struct iommu_domain *new_domain(struct device *dev, u32 levels)
{
	struct pt_iommu_vtdss_cfg cfg = {
		.common.hw_max_vasz_lg2 = 12 + 9 * levels,
		.common.hw_max_oasz_lg2 = 52,
		.top_level = levels - 1,
	};
	struct fake_domain *fake = kzalloc_obj(*fake);
	int rc;

	if (!fake)
		return ERR_PTR(-ENOMEM);
	fake->sspt.iommu.iommu_device = dev;
	fake->sspt.iommu.nid = NUMA_NO_NODE;
	fake->domain.ops = &fake_domain_ops;
	fake->domain.type = IOMMU_DOMAIN_UNMANAGED;
	rc = pt_iommu_vtdss_init(&fake->sspt, &cfg, GFP_KERNEL);
	if (rc) {
		kfree(fake);
		return ERR_PTR(rc);
	}
	return &fake->domain;
}

static struct iommu_domain *
fake_domain_alloc(struct device *dev, u32 flags,
		  const struct iommu_user_data *user_data)
{
	return new_domain(dev, 3);
}

static const struct iommu_ops fake_ops = {
	.domain_alloc_paging_flags = fake_domain_alloc,
};

/* What the VT-d driver says of a table of its own. */
static int fake_table(struct iommu_domain *domain, struct iho_table *table)
{
	struct fake_domain *fake = container_of(domain, struct fake_domain,
						domain);
	struct pt_iommu_vtdss_hw_info info;

	if (domain->ops != &fake_domain_ops)
		return -EOPNOTSUPP;
	pt_iommu_vtdss_hw_info(&fake->sspt, &info);
	table->format = IHO_TABLE_VTDSS;
	table->levels = info.aw + 2;
	table->root_pa = info.ssptptr;
	table->width = 12 + 9 * table->levels;
	return 0;
}

struct fake_device {
	struct pci_dev pdev;
	struct pci_bus bus;
	struct pci_sysdata sysdata;
	struct dev_iommu dev_iommu;
	struct iommu_device unit;
};

/* A PCI device that is what the image says of its device @index. */
static struct fake_device *new_device(struct kunit *test, u32 index)
{
	struct fake_device *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	const struct replay *r = test->priv;
	const struct iho_device *fact = &r->w->device[index];

	KUNIT_ASSERT_NOT_NULL(test, d);
	d->sysdata.domain = fact->segment;
	d->bus.number = fact->source_id[0] >> 8;
	d->bus.sysdata = &d->sysdata;
	d->pdev.bus = &d->bus;
	d->pdev.devfn = fact->source_id[0] & 0xff;
	d->pdev.vendor = fact->vendor_device >> 16;
	d->pdev.device = fact->vendor_device & 0xffff;
	d->pdev.subsystem_vendor = fact->subsystem >> 16;
	d->pdev.subsystem_device = fact->subsystem & 0xffff;
	d->pdev.class = fact->class_revision >> 8;
	d->pdev.revision = fact->class_revision & 0xff;
	d->pdev.dev.bus = &pci_bus_type;
	d->pdev.dev.init_name = index ? "kunit-1" : "kunit-0";
	d->unit.ops = &fake_ops;
	d->dev_iommu.iommu_dev = &d->unit;
	d->pdev.dev.iommu = &d->dev_iommu;
	return d;
}

static int begin(struct replay *r, struct fake_device *d)
{
	int rc;

	/* As vfio does when the device's own file is used */
	iommufd_handover_expect(r->ictx, &d->pdev.dev, true);
	rc = iommufd_handover_bind_begin(r->ictx, &d->pdev.dev);
	iommufd_handover_expect(r->ictx, &d->pdev.dev, false);
	return rc;
}

/*
 * Bind as iommufd does, but that the object is never published: nothing of
 * iommufd then looks for an IOMMU group after it.
 */
static struct iommufd_device *bind(struct replay *r, struct fake_device *d)
{
	struct iommufd_device *idev;
	int rc;

	rc = begin(r, d);
	if (rc)
		return ERR_PTR(rc);
	idev = iommufd_object_alloc(r->ictx, idev, IOMMUFD_OBJ_DEVICE);
	if (IS_ERR(idev)) {
		iommufd_handover_bind_end(r->ictx);
		return idev;
	}
	idev->ictx = r->ictx;
	idev->dev = &d->pdev.dev;
	iommufd_handover_device_init(idev);
	iommufd_handover_bind_end(r->ictx);
	return idev;
}

static struct iommufd_device *must_bind(struct kunit *test,
					struct fake_device *d)
{
	struct iommufd_device *idev = bind(test->priv, d);

	KUNIT_ASSERT_FALSE(test, IS_ERR(idev));
	return idev;
}

static void unbind(struct iommufd_device *idev)
{
	iommufd_object_abort(idev->ictx, &idev->obj);
}

/* ---- IDs ---------------------------------------------------------------- */

static void objects_get_the_ids_of_their_records(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommufd_ioas *ioas;

	must_retrieve(test, r);
	KUNIT_EXPECT_TRUE(test, is_there(r->ictx, WORLD_IOAS1_ID,
					 IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_TRUE(test, is_there(r->ictx, WORLD_IOAS2_ID,
					 IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_EQ(test, count_objects(r->ictx), 2);
	KUNIT_ASSERT_NOT_NULL(test, r->ictx->vfio_ioas);
	KUNIT_EXPECT_EQ(test, r->ictx->vfio_ioas->obj.id, WORLD_IOAS1_ID);
	KUNIT_EXPECT_EQ(test, r->ictx->account_mode, IOPT_PAGES_ACCOUNT_MM);
	ioas = iommufd_get_ioas(r->ictx, WORLD_IOAS1_ID);
	KUNIT_EXPECT_FALSE(test, ioas->iopt.disable_large_pages);
	iommufd_put_object(r->ictx, &ioas->obj);
	ioas = iommufd_get_ioas(r->ictx, WORLD_IOAS2_ID);
	KUNIT_EXPECT_TRUE(test, ioas->iopt.disable_large_pages);
	iommufd_put_object(r->ictx, &ioas->obj);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

static void ids_of_records_that_wait_are_reserved(struct kunit *test)
{
	struct replay *r = test->priv;

	must_retrieve(test, r);
	expect_all_reserved(test, r->ictx);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	/* To user space there is no such object, to use or to destroy */
	KUNIT_EXPECT_FALSE(test, is_there(r->ictx, WORLD_DEV1_ID,
					  IOMMUFD_OBJ_ANY));
	KUNIT_EXPECT_EQ(test, iommufd_object_remove(r->ictx, NULL,
						    WORLD_HWPT1_ID, 0),
			-ENOENT);
	expect_all_reserved(test, r->ictx);

	/* Control: others are free */
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, WORLD_DEV1_ID + 1));
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
	must_retrieve(test, r);
	KUNIT_EXPECT_EQ(test, new_ioas(r->ictx), 5);
	KUNIT_EXPECT_EQ(test, new_ioas(r->ictx), 7);
}

static void bound_device_gets_the_id_of_its_record(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommufd_device *second, *first;

	must_retrieve(test, r);
	second = must_bind(test, new_device(test, 1));
	KUNIT_EXPECT_EQ(test, second->obj.id, WORLD_DEV2_ID);
	first = must_bind(test, new_device(test, 0));
	KUNIT_EXPECT_EQ(test, first->obj.id, WORLD_DEV1_ID);
	KUNIT_EXPECT_NE(test, first->handover.serial, second->handover.serial);
	unbind(first);
	unbind(second);
}

static void id_stays_reserved_when_a_bind_fails(struct kunit *test)
{
	struct replay *r = test->priv;
	struct fake_device *d;

	must_retrieve(test, r);
	d = new_device(test, 0);
	for (int i = 0; i < 3; i++) {
		struct iommufd_device *idev = must_bind(test, d);

		KUNIT_EXPECT_EQ(test, idev->obj.id, WORLD_DEV1_ID);
		unbind(idev);
		expect_all_reserved(test, r->ictx);
	}
	/* One that fails before it has an object */
	KUNIT_ASSERT_EQ(test, 0, begin(r, d));
	iommufd_handover_bind_end(r->ictx);
	expect_all_reserved(test, r->ictx);
	KUNIT_EXPECT_EQ(test, iommufd_handover_forced_id(r->ictx), 0);
}

/* Published and destroyed again, as a device whose file is closed too soon. */
static void id_stays_reserved_when_its_object_goes_too_soon(struct kunit *test)
{
	struct replay *r = test->priv;
	struct fake_device *d;
	int id;

	must_retrieve(test, r);
	d = new_device(test, 0);
	for (int i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				begin(r, d));
		id = new_ioas(r->ictx);
		iommufd_handover_bind_end(r->ictx);
		KUNIT_ASSERT_EQ(test, id, WORLD_DEV1_ID);
		/* While it lives nothing else can get the ID */
		KUNIT_EXPECT_EQ(test,
				begin(r, d),
				-EBUSY);
		KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(r->ictx, NULL,
							       id, 0));
		expect_all_reserved(test, r->ictx);
	}
	/* Control: an ID that no record has is free again */
	id = new_ioas(r->ictx);
	KUNIT_ASSERT_GT(test, id, 0);
	KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(r->ictx, NULL, id, 0));
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, id));
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

	must_retrieve(test, r);
	d = new_device(test, 0);
	s->alter(&d->pdev);
	idev = bind(r, d);
	if (s->err) {
		KUNIT_EXPECT_PTR_EQ(test, idev, ERR_PTR(s->err));
	} else {
		KUNIT_ASSERT_FALSE(test, IS_ERR(idev));
		KUNIT_EXPECT_EQ(test, idev->obj.id, 2);
		unbind(idev);
	}
	expect_all_reserved(test, r->ictx);
	/* Control: the device that is waited for gets it afterwards */
	idev = must_bind(test, new_device(test, 0));
	KUNIT_EXPECT_EQ(test, idev->obj.id, WORLD_DEV1_ID);
	unbind(idev);
}

struct other_task {
	struct iommufd_ctx *ictx;
	int id;
	struct completion done;
};

static int allocate(void *data)
{
	struct other_task *t = data;

	t->id = new_ioas(t->ictx);
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

	must_retrieve(test, r);
	d = new_device(test, 0);
	t.ictx = r->ictx;
	init_completion(&t.done);
	KUNIT_ASSERT_EQ(test, 0, begin(r, d));
	task = kthread_run(allocate, &t, "iho-kunit");
	if (!IS_ERR(task))
		wait_for_completion(&t.done);
	id = new_ioas(r->ictx);
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

	kunit_activate_static_stub(test, handover_in_free_tree, give_back);
	must_retrieve(test, r);
	d = new_device(test, 0);
	/* In use when it is abandoned: it stays what it is */
	KUNIT_ASSERT_EQ(test, 0, begin(r, d));
	id = new_ioas(r->ictx);
	iommufd_handover_bind_end(r->ictx);
	KUNIT_ASSERT_EQ(test, id, WORLD_DEV1_ID);

	handover_replay_abandon(r->ictx->handover.replay);
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_EQ(test, r->given_back, 2);
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, WORLD_HWPT1_ID));
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, WORLD_HWPT2_ID));
	KUNIT_EXPECT_TRUE(test, is_there(r->ictx, id, IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_EQ(test, 0, iommufd_object_remove(r->ictx, NULL, id, 0));
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, id));

	/* The device is one like any other now */
	idev = must_bind(test, d);
	KUNIT_EXPECT_EQ(test, idev->obj.id, 2);
	unbind(idev);
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

	w->rc = begin(w->r, w->d);
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

	kunit_activate_static_stub(test, handover_in_free_tree, give_back);
	must_retrieve(test, r);
	first = new_device(test, 0);
	binds.d = new_device(test, 1);
	KUNIT_ASSERT_EQ(test, 0, begin(r, first));
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

	kunit_activate_static_stub(test, handover_in_free_tree, give_back);
	must_retrieve(test, r);
	d = new_device(test, 0);
	KUNIT_ASSERT_EQ(test, 0, begin(r, d));
	KUNIT_EXPECT_EQ(test, handover_in_abandon(), -EBUSY);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_TRUE(test, is_taken(r->ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_EQ(test, r->given_back, 0);
	iommufd_handover_bind_end(r->ictx);
	KUNIT_EXPECT_TRUE(test,
			  handover_replay_abandon(r->ictx->handover.replay));
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, WORLD_DEV2_ID));
}

static void device_of_a_group_takes_no_id_that_is_waited_for(struct kunit *test)
{
	struct replay *r = test->priv;
	struct fake_device *d;

	must_retrieve(test, r);
	d = new_device(test, 0);
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
	must_retrieve(test, r);
	d = new_device(test, 0);
	below_a_bridge(test, d, c->bridge, c->bus);
	KUNIT_EXPECT_EQ(test, begin(r, d), c->err);
	if (c->err)
		return;
	KUNIT_EXPECT_EQ(test, iommufd_handover_forced_id(r->ictx), c->forced);
	iommufd_handover_bind_end(r->ictx);
}

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
	{}
};

static struct kunit_suite ids_suite = {
	.name = "iommu_handover_ids",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = ids_cases,
};

/* ---- share groups ------------------------------------------------------- */

enum charge {
	CHARGE_NOBODY,		/* CAP_IPC_LOCK */
	CHARGE_USER,
	CHARGE_MM,		/* rlimit mode 1 */
};

struct charge_case {
	const char *desc;
	enum charge charge;
};

static const struct charge_case charge_cases[] = {
	{ "charged to nobody", CHARGE_NOBODY },
	{ "charged to the user", CHARGE_USER },
	{ "charged to the mm", CHARGE_MM },
};

KUNIT_ARRAY_PARAM_DESC(charge, charge_cases, desc);

static void put_credentials(void *cred)
{
	put_cred(cred);
}

/* Without CAP_IPC_LOCK, so that pinned pages are charged to somebody. */
static const struct cred *credentials(struct kunit *test, enum charge charge,
				      int drop)
{
	struct cred *cred = prepare_creds();

	KUNIT_ASSERT_NOT_NULL(test, cred);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   put_credentials,
							   cred));
	if (charge != CHARGE_NOBODY)
		cap_lower(cred->cap_effective, CAP_IPC_LOCK);
	if (drop >= 0)
		cap_lower(cred->cap_effective, drop);
	return cred;
}

static int retrieve_as(struct replay *r, const struct cred *cred)
{
	const struct cred *old = override_creds(cred);
	int rc = retrieve(r);

	revert_creds(old);
	return rc;
}

/* Hand over and retrieve so that pages are charged to @charge. */
static int retrieve_charged(struct kunit *test, struct replay *r,
			    enum charge charge)
{
	if (charge != CHARGE_MM)
		world_drop(r->w, WORLD_OPTION);
	hand_over(test, r);
	return retrieve_as(r, credentials(test, charge, -1));
}

/* @pages are pinned, and charged as they should be. */
static void expect_pinned(struct kunit *test, const struct replay *r,
			  enum charge charge, long pages)
{
	const struct usage *b = &r->before;
	struct usage now;

	measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.folios - b->folios,
			pages * GUP_PIN_COUNTING_BIAS);
	KUNIT_EXPECT_EQ(test, now.pinned - b->pinned, pages);
	KUNIT_EXPECT_EQ(test, now.user - b->user,
			charge == CHARGE_USER ? pages : 0);
	KUNIT_EXPECT_EQ(test, now.locked - b->locked,
			charge == CHARGE_MM ? pages : 0);
}

static void unmap_nothing(void *data, unsigned long iova, unsigned long length)
{
}

static const struct iommufd_access_ops access_ops = {
	.needs_pin_pages = 1,
	.unmap = unmap_nothing,
};

static struct iommufd_access *new_access(struct kunit *test, struct replay *r,
					 u32 ioas_id)
{
	struct iommufd_access *access;
	u32 id;

	access = iommufd_access_create(r->ictx, &access_ops, NULL, &id);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_ASSERT_EQ(test, 0, iommufd_access_attach(access, ioas_id));
	return access;
}

/* The map of a record, seen through the IOAS that it is in. */
struct view {
	struct iommufd_access *access;
	const struct iho_pl_map_file *map;
	u32 memory;
};

static void open_view(struct kunit *test, struct replay *r, u32 record,
		      struct view *v)
{
	/* Records move up when the option is dropped */
	const struct world_rec *rec = &r->w->rec[record - WORLD_ALL +
						 r->w->recs];

	v->map = &rec->map;
	v->memory = rec->map_ref.memory;
	v->access = new_access(test, r, v->map->ioas_id);
}

static void close_view(struct view *v)
{
	iommufd_access_destroy(v->access);
}

/* Pin all of it; the pages must be those of the memfd that the record names. */
static void pin_view(struct kunit *test, struct replay *r, struct view *v)
{
	u32 n = v->map->length / PAGE_SIZE;
	bool write = v->map->flags & IHO_MAP_WRITEABLE;
	struct page **pages;

	pages = kunit_kcalloc(test, n, sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, 0,
			iommufd_access_pin_pages(v->access, v->map->iova,
						 v->map->length, pages,
						 write ?
						 IOMMUFD_ACCESS_RW_WRITE :
						 IOMMUFD_ACCESS_RW_READ));
	for (u32 i = 0; i < n; i++)
		KUNIT_EXPECT_PTR_EQ(test, page_folio(pages[i]),
				    memfd_folio(test, r, v->memory,
						v->map->start / PAGE_SIZE + i));
}

static void unpin_view(struct view *v)
{
	iommufd_access_unpin_pages(v->access, v->map->iova, v->map->length);
}

#define PAGES(bytes)	((long)((bytes) / PAGE_SIZE))

static void each_map_is_of_the_pages_of_its_record(struct kunit *test)
{
	struct replay *r = test->priv;
	struct page *page;
	struct view v;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, CHARGE_USER));
	for (u32 i = WORLD_MAP1; i <= WORLD_MAP4; i++) {
		open_view(test, r, i, &v);
		pin_view(test, r, &v);
		expect_pinned(test, r, CHARGE_USER, PAGES(v.map->length));
		unpin_view(&v);
		/* It begins and ends there, and is writable only if it was */
		KUNIT_EXPECT_EQ(test, -ENOENT,
				iommufd_access_pin_pages(v.access,
							 v.map->iova -
							 PAGE_SIZE, PAGE_SIZE,
							 &page, 0));
		KUNIT_EXPECT_EQ(test, -ENOENT,
				iommufd_access_pin_pages(v.access,
							 v.map->iova +
							 v.map->length,
							 PAGE_SIZE, &page, 0));
		if (!(v.map->flags & IHO_MAP_WRITEABLE))
			KUNIT_EXPECT_EQ(test, -EPERM,
					iommufd_access_pin_pages(v.access,
								 v.map->iova,
								 PAGE_SIZE,
								 &page,
								 IOMMUFD_ACCESS_RW_WRITE));
		close_view(&v);
	}
	close_iommufd(r);
	expect_nothing_left(test, r);
}

/*
 * MAP1 is 16 pages of a memfd from 0 on and MAP3 16 pages from 8 on, in
 * another IOAS: 24 pages in all.
 */
static void shared_pages_are_pinned_and_charged_once(struct kunit *test)
{
	const struct charge_case *c = test->param_value;
	struct replay *r = test->priv;
	struct view one, three;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, c->charge));
	/* No HWPT, no access: nothing is pinned yet */
	expect_pinned(test, r, c->charge, 0);
	open_view(test, r, WORLD_MAP1, &one);
	open_view(test, r, WORLD_MAP3, &three);
	pin_view(test, r, &one);
	expect_pinned(test, r, c->charge, 16);
	pin_view(test, r, &three);
	expect_pinned(test, r, c->charge, 24);
	unpin_view(&one);
	expect_pinned(test, r, c->charge, 16);
	unpin_view(&three);
	expect_pinned(test, r, c->charge, 0);
	close_view(&three);
	close_view(&one);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

/* Control: the same maps in groups of their own, as IOAS_MAP_FILE twice. */
static void pages_of_two_groups_are_charged_twice(struct kunit *test)
{
	const struct charge_case *c = test->param_value;
	struct replay *r = test->priv;
	struct view one, three;

	r->w->rec[WORLD_MAP3].map_ref.group = 2;
	r->w->rec[WORLD_MAP4].map_ref.group = 3;
	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, c->charge));
	open_view(test, r, WORLD_MAP1, &one);
	open_view(test, r, WORLD_MAP3, &three);
	pin_view(test, r, &one);
	pin_view(test, r, &three);
	expect_pinned(test, r, c->charge, 32);
	unpin_view(&one);
	unpin_view(&three);
	close_view(&three);
	close_view(&one);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

static void shared_pages_live_as_long_as_one_map_of_them(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommufd_ioas *ioas;
	unsigned long unmapped;
	struct usage now;
	struct view three;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, CHARGE_USER));
	ioas = iommufd_get_ioas(r->ictx, WORLD_IOAS1_ID);
	KUNIT_ASSERT_FALSE(test, IS_ERR(ioas));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap_all(&ioas->iopt, &unmapped));
	iommufd_put_object(r->ictx, &ioas->obj);
	KUNIT_EXPECT_EQ(test, unmapped, 0x10000 + 0x8000);
	/* Memory 1 was only there; memory 0 is in two groups of IOAS 2 */
	measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.files, r->before.files + 2);

	open_view(test, r, WORLD_MAP3, &three);
	pin_view(test, r, &three);
	expect_pinned(test, r, CHARGE_USER, 16);
	unpin_view(&three);
	close_view(&three);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

static struct kunit_case share_cases[] = {
	KUNIT_CASE(each_map_is_of_the_pages_of_its_record),
	KUNIT_CASE_PARAM(shared_pages_are_pinned_and_charged_once,
			 charge_gen_params),
	KUNIT_CASE_PARAM(pages_of_two_groups_are_charged_twice,
			 charge_gen_params),
	KUNIT_CASE(shared_pages_live_as_long_as_one_map_of_them),
	{}
};

static struct kunit_suite share_suite = {
	.name = "iommu_handover_share",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = share_cases,
};

/* ---- unwinding ---------------------------------------------------------- */

/* The attempt failed, and nothing is left of it. */
static void expect_unwound(struct kunit *test, const struct replay *r)
{
	struct handover_in_stats stats;

	KUNIT_EXPECT_NULL(test, r->args.file);
	expect_nothing_left(test, r);
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
	KUNIT_ASSERT_EQ(test, 0, retrieve(r));
	KUNIT_EXPECT_EQ(test, count_objects(r->ictx), 2);
	expect_all_reserved(test, r->ictx);
	/* Three groups hold their memfd open */
	measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.files, r->before.files + 3);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

static const void *record_gen_params(struct kunit *test, const void *prev,
				     char *desc)
{
	uintptr_t next = (uintptr_t)prev + 1;

	if (next > WORLD_ALL)
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "record %lu", next - 1);
	return (const void *)next;
}

static void replay_fails_at(struct kunit *test, bool applied)
{
	struct replay *r = test->priv;

	kunit_activate_static_stub(test, handover_apply_step, apply_or_fail);
	hand_over(test, r);
	r->fail_record = (uintptr_t)test->param_value - 1;
	r->fail_applied = applied;
	r->fail_err = -EINTR;
	KUNIT_EXPECT_EQ(test, retrieve_flush(r), -EINTR);
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

	hand_over(test, r);
	r->fail_ask = c->ask;
	r->fail_err = c->err;
	KUNIT_EXPECT_EQ(test, retrieve_flush(r), c->err);
	KUNIT_EXPECT_EQ(test, r->asked, c->ask);
	KUNIT_EXPECT_EQ(test, handover_may_retry(c->err), c->may_retry);
	expect_unwound(test, r);
	expect_retry_succeeds(test, r);
}

/* Every memfd is asked for once, however many maps it has. */
static void memfd_is_asked_for_once(struct kunit *test)
{
	struct replay *r = test->priv;

	must_retrieve(test, r);
	KUNIT_EXPECT_EQ(test, r->asked, MEMFDS);
}

static void replay_without_capability_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	const struct cred *cred;

	cred = credentials(test, CHARGE_MM, CAP_SYS_RESOURCE);
	hand_over(test, r);
	KUNIT_EXPECT_EQ(test, retrieve_as(r, cred), -EPERM);
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
	hand_over(test, r);
	KUNIT_EXPECT_EQ(test, retrieve_flush(r), -EBADMSG);
	KUNIT_EXPECT_EQ(test, r->asked, 0);
	expect_unwound(test, r);
}

static void memfd_of_another_size_is_not_replayed(struct kunit *test)
{
	struct replay *r = test->priv;

	r->w->memory[1].size -= PAGE_SIZE;
	put_image(test, r);
	luo_gives(test, r, 0);
	measure(test, r, &r->before);
	KUNIT_EXPECT_EQ(test, retrieve_flush(r), -EBADMSG);
	KUNIT_EXPECT_EQ(test, r->asked, MEMFDS);
	expect_nothing_left(test, r);
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

	hand_over(test, r);
	handover_in.state = c->state;
	strscpy(r->session.name, c->session);
	r->args.session = &r->session;
	r->args.token = c->token;
	KUNIT_EXPECT_EQ(test, handover_retrieve(&r->args), c->rc);
	handover_in.state = HANDOVER_IN_ACCEPTED;
	atomic_set(&handover_in.unfinished, handover_in.image.contexts);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

/* ---- every allocation fails once ----------------------------------------- */

#define MAX_FAULTS	4000

/* A setting of fault injection; inside of the kernel it has no other name. */
static void *fault_setting(const char *attr, const char *name)
{
	struct dentry *dir, *file = NULL;
	void *value = NULL;

	dir = debugfs_lookup(attr, NULL);
	if (dir)
		file = debugfs_lookup(name, dir);
	if (file)
		value = d_inode(file)->i_private;
	dput(file);
	dput(dir);
	return value;
}

struct faults {
	bool *ignore_reclaim;
	unsigned long *verbose[2];
	bool old_ignore_reclaim;
	unsigned long old_verbose[2];
};

static void faults_end(void *priv)
{
	struct faults *f = priv;

	*f->ignore_reclaim = f->old_ignore_reclaim;
	for (int i = 0; i < 2; i++)
		*f->verbose[i] = f->old_verbose[i];
}

/* Let allocations fail that may wait, and without a word. */
static void faults_begin(struct kunit *test)
{
	struct faults *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->ignore_reclaim = fault_setting("failslab", "ignore-gfp-wait");
	f->verbose[0] = fault_setting("failslab", "verbose");
	f->verbose[1] = fault_setting("fail_iommufd", "verbose");
	if (!f->ignore_reclaim || !f->verbose[0] || !f->verbose[1])
		kunit_skip(test, "needs FAILSLAB, IOMMUFD_TEST and FAULT_INJECTION_DEBUG_FS");
	f->old_ignore_reclaim = *f->ignore_reclaim;
	*f->ignore_reclaim = false;
	for (int i = 0; i < 2; i++) {
		f->old_verbose[i] = *f->verbose[i];
		*f->verbose[i] = 0;
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, faults_end,
							   f));
}

/* Fail the @nth of what may fail from here on; true when it came to that. */
#ifdef CONFIG_FAULT_INJECTION
static void fault_arm(u32 nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

static bool fault_disarm(void)
{
	bool hit = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return hit;
}
#else
static void fault_arm(u32 nth) { }

static bool fault_disarm(void)
{
	return false;
}
#endif

static void replay_that_runs_out_of_memory_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	u32 nth, failed = 0, last = 0;
	bool hit = true;
	int rc;

	faults_begin(test);
	hand_over(test, r);
	/* Facts are read once and kept; the image is mapped once */
	KUNIT_ASSERT_EQ(test, 0, retrieve(r));
	close_iommufd(r);
	expect_nothing_left(test, r);

	for (nth = 1; hit && nth < MAX_FAULTS; nth++) {
		fault_arm(nth);
		rc = retrieve(r);
		hit = fault_disarm();
		flush_delayed_fput();
		if (!rc) {
			/* There was another way; kmemleak has one too */
			close_iommufd(r);
		} else {
			failed++;
			last = nth;
			KUNIT_EXPECT_EQ_MSG(test, rc, -ENOMEM, "fault %u", nth);
			KUNIT_EXPECT_TRUE_MSG(test, hit, "fault %u", nth);
			KUNIT_EXPECT_NULL(test, r->args.file);
		}
		expect_nothing_left(test, r);
	}
	KUNIT_EXPECT_FALSE(test, hit);
	/*
	 * Each record is an allocation and its shadow in kmemleak at least. Some
	 * have another way, not the same ones each time; the last do not.
	 */
	KUNIT_EXPECT_GT(test, failed, WORLD_ALL / 2);
	KUNIT_EXPECT_GT(test, last, 2 * WORLD_ALL);
	kunit_info(test, "%u faults, %u of them failed the replay\n", nth - 2,
		   failed);
	expect_retry_succeeds(test, r);
}

static struct kunit_case unwind_cases[] = {
	KUNIT_CASE_PARAM(replay_that_fails_before_a_record_leaves_nothing,
			 record_gen_params),
	KUNIT_CASE_PARAM(replay_that_fails_behind_a_record_leaves_nothing,
			 record_gen_params),
	KUNIT_CASE_PARAM(replay_without_a_memfd_leaves_nothing,
			 memfd_gen_params),
	KUNIT_CASE(memfd_is_asked_for_once),
	KUNIT_CASE(replay_without_capability_leaves_nothing),
	KUNIT_CASE(two_records_of_one_id_make_nothing),
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

/* ---- behind a device ----------------------------------------------------- */

/* IOAS 1 is 16 and 8 pages; IOAS 2 is 16, of which 8 are shared, and 4. */
#define IOAS1_PAGES	24
#define BOTH_PAGES	(IOAS1_PAGES + 8 + 4)

/**
 * struct behind - what is behind the devices of a test
 * @old: trees as the last kernel left them, by index of the table
 * @device: by index
 * @attached: how often a device was attached
 * @pt_id: to which HWPT last
 * @attach_err: attaching gives this
 */
struct behind {
	struct iommu_domain *old[2];
	struct fake_device *device[2];
	u32 attached, pt_id;
	int attach_err;
};

static void free_old(void *priv)
{
	struct behind *b = priv;

	for (int i = 0; i < 2; i++)
		if (b->old[i])
			fake_free(b->old[i]);
}

static void map_old(struct kunit *test, const struct replay *r,
		    struct iommu_domain *domain, const struct world_rec *rec)
{
	int prot = IOMMU_CACHE | IOMMU_READ;

	if (rec->map.flags & IHO_MAP_WRITEABLE)
		prot |= IOMMU_WRITE;
	for (u64 off = 0; off < rec->map.length; off += PAGE_SIZE) {
		struct folio *folio = memfd_folio(test, r,
						  rec->map_ref.memory,
						  (rec->map.start + off) /
						  PAGE_SIZE);

		KUNIT_ASSERT_EQ(test, 0, iommu_map(domain, rec->map.iova + off,
						   PFN_PHYS(folio_pfn(folio)),
						   PAGE_SIZE, prot,
						   GFP_KERNEL));
	}
}

/* Devices, and trees of more levels than the rebuilt ones will have. */
static struct behind *new_behind(struct kunit *test)
{
	struct behind *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	struct replay *r = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, b);
	kunit_activate_static_stub(test, handover_in_table, read_inherited);
	kunit_activate_static_stub(test, handover_in_free_tree, give_back);
	kunit_activate_static_stub(test, handover_vtd_table, fake_table);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_old, b));
	for (int i = 0; i < 2; i++) {
		struct iho_table *table = &r->w->table[i];
		struct iommu_domain *domain;

		b->device[i] = new_device(test, i);
		domain = new_domain(&b->device[i]->pdev.dev, 4 + i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
		b->old[i] = domain;
		for (u32 n = WORLD_MAP1; n <= WORLD_MAP4; n++)
			if (r->w->rec[n].map.ioas_id ==
			    (i ? WORLD_IOAS2_ID : WORLD_IOAS1_ID))
				map_old(test, r, domain, &r->w->rec[n]);
		KUNIT_ASSERT_EQ(test, 0, fake_table(domain, table));
		KUNIT_ASSERT_EQ(test, table->levels, 4 + i);
	}
	return b;
}

static int attach(void *data, u32 *pt_id)
{
	struct behind *b = data;

	b->attached++;
	b->pt_id = *pt_id;
	return b->attach_err;
}

/* What a vfio bind does: bind, then replay what waited for the device. */
static int bind_and_replay(struct replay *r, struct behind *b, int i,
			   struct iommufd_device **idev)
{
	int rc;

	*idev = bind(r, b->device[i]);
	if (IS_ERR(*idev))
		return PTR_ERR(*idev);
	rc = iommufd_handover_replay_device(*idev, attach, b);
	if (rc)
		unbind(*idev);
	return rc;
}

static void must_replay(struct kunit *test, struct replay *r, struct behind *b,
			int i)
{
	struct iommufd_device *idev;

	KUNIT_ASSERT_EQ(test, 0, bind_and_replay(r, b, i, &idev));
	/* The ID is its own from now on and goes with it */
	unbind(idev);
}

static struct iommufd_hwpt_paging *get_hwpt(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return NULL;
	return container_of(obj, struct iommufd_hwpt_paging, common.obj);
}

static void expect_hwpt(struct kunit *test, struct replay *r, u32 id, u32 ioas,
			bool automatic)
{
	struct iommufd_hwpt_paging *hwpt = get_hwpt(r->ictx, id);

	KUNIT_ASSERT_NOT_NULL(test, hwpt);
	KUNIT_EXPECT_EQ(test, hwpt->common.obj.id, id);
	KUNIT_EXPECT_EQ(test, hwpt->ioas->obj.id, ioas);
	KUNIT_EXPECT_TRUE(test, hwpt->auto_domain == automatic);
	iommufd_put_object(r->ictx, &hwpt->common.obj);
}

/* Nothing of this device came back, everything of it is still waited for. */
static void expect_still_pending(struct kunit *test, struct replay *r)
{
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_EQ(test, r->given_back, 0);
	KUNIT_EXPECT_EQ(test, count_objects(r->ictx), 2);
	expect_all_reserved(test, r->ictx);
	expect_pinned(test, r, CHARGE_MM, 0);
}

static void devices_come_back_with_their_hwpts(struct kunit *test)
{
	const struct charge_case *c = test->param_value;
	struct replay *r = test->priv;
	struct behind *b = new_behind(test);
	struct handover_in_stats stats;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, c->charge));
	expect_pinned(test, r, c->charge, 0);

	must_replay(test, r, b, 0);
	KUNIT_EXPECT_EQ(test, b->attached, 1);
	KUNIT_EXPECT_EQ(test, b->pt_id, WORLD_HWPT1_ID);
	expect_hwpt(test, r, WORLD_HWPT1_ID, WORLD_IOAS1_ID, true);
	expect_pinned(test, r, c->charge, IOAS1_PAGES);
	KUNIT_EXPECT_EQ(test, r->given_back, 1);
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_TRUE(test, is_reserved(r->ictx, WORLD_HWPT2_ID));

	must_replay(test, r, b, 1);
	KUNIT_EXPECT_EQ(test, b->attached, 2);
	KUNIT_EXPECT_EQ(test, b->pt_id, WORLD_HWPT2_ID);
	expect_hwpt(test, r, WORLD_HWPT2_ID, WORLD_IOAS2_ID, false);
	expect_pinned(test, r, c->charge, BOTH_PAGES);
	KUNIT_EXPECT_EQ(test, r->given_back, 2);
	KUNIT_EXPECT_FALSE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_FALSE(test, is_taken(r->ictx, WORLD_DEV1_ID));

	handover_in_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.tables_compared, 2);
	KUNIT_EXPECT_EQ(test, stats.tables_equal, 2);
	KUNIT_EXPECT_GE(test, stats.runs_compared, 4);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

struct tree_case {
	const char *desc;
	u64 iova;		/* page that is unmapped in the inherited tree */
	u64 further;		/* and mapped again, so much further on */
	int prot;		/* with this, or not at all */
};

#define TREE_READ	(IOMMU_CACHE | IOMMU_READ)
#define TREE_RW		(TREE_READ | IOMMU_WRITE)

static const struct tree_case tree_cases[] = {
	{ "one address differs", 0x103000, PAGE_SIZE, TREE_RW },
	{ "one page could be written", 0x402000, 0, TREE_RW },
	{ "one page could not be written", 0x10f000, 0, TREE_READ },
	{ "one page was not mapped", 0x100000, 0, 0 },
	{ "one page more was mapped", 0x500000, SZ_16M, TREE_RW },
};

KUNIT_ARRAY_PARAM_DESC(tree, tree_cases, desc);

static void remap(struct kunit *test, struct iommu_domain *domain, u64 iova,
		  phys_addr_t pa, int prot)
{
	if (iommu_iova_to_phys(domain, iova))
		KUNIT_ASSERT_EQ(test, iommu_unmap(domain, iova, PAGE_SIZE),
				PAGE_SIZE);
	if (prot)
		KUNIT_ASSERT_EQ(test, 0, iommu_map(domain, iova, pa, PAGE_SIZE,
						   prot, GFP_KERNEL));
}

static void device_stays_away_when_its_tree_differs(struct kunit *test)
{
	const struct tree_case *c = test->param_value;
	struct replay *r = test->priv;
	struct behind *b = new_behind(test);
	struct iommufd_device *idev;
	struct handover_in_stats stats;
	phys_addr_t pa;
	int prot;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, CHARGE_MM));
	pa = iommu_iova_to_phys(b->old[0], c->iova);
	remap(test, b->old[0], c->iova, pa + c->further, c->prot);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, bind_and_replay(r, b, 0, &idev),
				-EBADMSG);
		KUNIT_EXPECT_EQ(test, b->attached, 0);
		expect_still_pending(test, r);
	}
	handover_in_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.tables_compared, 2);
	KUNIT_EXPECT_EQ(test, stats.tables_equal, 0);

	/* Control: put right, it comes back */
	prot = c->iova >= 0x400000 ? TREE_READ : TREE_RW;
	remap(test, b->old[0], c->iova, pa, pa ? prot : 0);
	must_replay(test, r, b, 0);
	expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

static void device_that_cannot_be_attached_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = new_behind(test);
	struct iommufd_device *idev;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, CHARGE_MM));
	b->attach_err = -EBUSY;
	for (u32 i = 1; i <= 2; i++) {
		KUNIT_EXPECT_EQ(test, bind_and_replay(r, b, 0, &idev), -EBUSY);
		KUNIT_EXPECT_EQ(test, b->attached, i);
		expect_still_pending(test, r);
	}
	b->attach_err = 0;
	must_replay(test, r, b, 0);
	must_replay(test, r, b, 1);
	expect_pinned(test, r, CHARGE_MM, BOTH_PAGES);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

/* The first device is back and in use; what the second takes, it gives back. */
static void second_device_that_fails_does_not_disturb_the_first(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = new_behind(test);
	struct iommufd_device *idev;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, CHARGE_MM));
	must_replay(test, r, b, 0);
	b->attach_err = -ENOMEM;
	KUNIT_EXPECT_EQ(test, bind_and_replay(r, b, 1, &idev), -ENOMEM);
	expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	expect_hwpt(test, r, WORLD_HWPT1_ID, WORLD_IOAS1_ID, true);
	KUNIT_EXPECT_TRUE(test, is_reserved(r->ictx, WORLD_HWPT2_ID));
	KUNIT_EXPECT_TRUE(test, is_reserved(r->ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_EQ(test, r->given_back, 1);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

static void set_memlock(unsigned long pages)
{
	task_lock(current->group_leader);
	current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = pages << PAGE_SHIFT;
	task_unlock(current->group_leader);
}

static void device_over_the_memlock_limit_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = new_behind(test);
	const struct cred *cred, *old;
	struct iommufd_device *idev;
	int rc;

	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, CHARGE_MM));
	cred = credentials(test, CHARGE_MM, -1);
	set_memlock(IOAS1_PAGES - 1);
	old = override_creds(cred);
	rc = bind_and_replay(r, b, 0, &idev);
	revert_creds(old);
	KUNIT_EXPECT_EQ(test, rc, -ENOMEM);
	expect_still_pending(test, r);

	set_memlock(IOAS1_PAGES);
	old = override_creds(cred);
	rc = bind_and_replay(r, b, 0, &idev);
	revert_creds(old);
	KUNIT_ASSERT_EQ(test, rc, 0);
	unbind(idev);
	expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

static void device_that_runs_out_of_memory_leaves_nothing(struct kunit *test)
{
	struct replay *r = test->priv;
	struct behind *b = new_behind(test);
	struct iommufd_device *idev;
	const struct cred *cred;
	u32 nth, failed = 0;
	bool hit = true;
	int rc;

	faults_begin(test);
	cred = credentials(test, CHARGE_MM, -1);
	hand_over(test, r);
	KUNIT_ASSERT_EQ(test, 0, retrieve_as(r, cred));
	for (nth = 1; hit && nth < MAX_FAULTS; nth++) {
		fault_arm(nth);
		rc = bind_and_replay(r, b, 0, &idev);
		hit = fault_disarm();
		if (rc) {
			failed++;
			KUNIT_EXPECT_TRUE_MSG(test, hit, "fault %u: %d", nth,
					      rc);
			expect_still_pending(test, r);
			continue;
		}
		/* It is back, maybe in spite of the fault: begin again */
		unbind(idev);
		expect_hwpt(test, r, WORLD_HWPT1_ID, WORLD_IOAS1_ID, true);
		expect_pinned(test, r, CHARGE_MM, IOAS1_PAGES);
		close_iommufd(r);
		expect_nothing_left(test, r);
		r->given_back = 0;
		KUNIT_ASSERT_EQ(test, 0, retrieve_as(r, cred));
	}
	KUNIT_EXPECT_FALSE(test, hit);
	KUNIT_EXPECT_GT(test, failed, 4);
	kunit_info(test, "%u faults, %u of them failed the device\n", nth - 2,
		   failed);
	close_iommufd(r);
	expect_nothing_left(test, r);
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
	struct behind *b = new_behind(test);
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_device *idev;
	bool enforced;
	int rc;

	if (c->was)
		r->w->table[0].attributes |= IHO_TABLE_SNOOP;
	KUNIT_ASSERT_EQ(test, 0, retrieve_charged(test, r, CHARGE_MM));
	idev = bind(r, b->device[0]);
	KUNIT_ASSERT_FALSE(test, IS_ERR(idev));
	idev->enforce_cache_coherency = c->can;
	rc = iommufd_handover_replay_device(idev, attach, b);
	KUNIT_EXPECT_EQ(test, rc, c->err);
	KUNIT_EXPECT_EQ(test, idev->enforce_cache_coherency, c->can);
	hwpt = get_hwpt(r->ictx, WORLD_HWPT1_ID);
	enforced = hwpt && hwpt->enforce_cache_coherency;
	if (hwpt)
		iommufd_put_object(r->ictx, &hwpt->common.obj);
	KUNIT_EXPECT_EQ(test, !!hwpt, !c->err);
	KUNIT_EXPECT_EQ(test, enforced, c->was && c->can);
	unbind(idev);
	close_iommufd(r);
	expect_nothing_left(test, r);
}

struct units_case {
	const char *desc;
	struct iho_unit change;		/* bits that differ */
	const char *what;
};

static const struct units_case units[] = {
	{ "equal", {}, NULL },
	{ "another address", { .register_pa = 4096, .root_pa = 4096 }, NULL },
	{ "SC", { .ecap = BIT_ULL(7) }, "snoop control" },
	{ "C", { .ecap = BIT_ULL(0) }, "coherent page walks" },
	{ "SMPWC", { .ecap = BIT_ULL(48) }, "coherent page walks" },
	{ "SAGAW", { .cap = BIT_ULL(10) }, "the number of levels" },
	{ "MGAW", { .cap = BIT_ULL(16) }, "the width of an IOVA" },
	{ "SLLPS", { .cap = BIT_ULL(35) }, "large pages" },
	{ "mode", { .mode = 3 }, "scalable mode" },
	{ "fault recording", { .cap = BIT_ULL(40) }, NULL },
};

KUNIT_ARRAY_PARAM_DESC(units, units, desc);

static void units_that_cannot_share_a_table_differ(struct kunit *test)
{
	const struct units_case *c = test->param_value;
	struct iho_unit a = { .mode = 1, .cap = 0x5a5a5a5a5a5a5a5a,
			      .ecap = 0xa5a5a5a5a5a5a5a5 };
	struct iho_unit b = a;

	b.mode ^= c->change.mode;
	b.cap ^= c->change.cap;
	b.ecap ^= c->change.ecap;
	b.register_pa ^= c->change.register_pa;
	b.root_pa ^= c->change.root_pa;
	KUNIT_EXPECT_STREQ(test, handover_vtd_units_differ(&a, &b) ?: "",
			   c->what ?: "");
}

static struct kunit_case device_cases[] = {
	KUNIT_CASE_PARAM(devices_come_back_with_their_hwpts, charge_gen_params),
	KUNIT_CASE_PARAM(device_stays_away_when_its_tree_differs,
			 tree_gen_params),
	KUNIT_CASE(device_that_cannot_be_attached_leaves_nothing),
	KUNIT_CASE_PARAM(coherency_is_that_of_the_record, snoop_gen_params),
	KUNIT_CASE_PARAM(units_that_cannot_share_a_table_differ,
			 units_gen_params),
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

/* ---- what no machine of these tests has ---------------------------------- */

static int no_iommu_mode(struct iommufd_ctx *ictx)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_CLEAR,
	};
	struct iommufd_ucmd ucmd = { .ictx = ictx, .cmd = &cmd };
	int rc;

	rc = iommufd_vfio_ioas(&ucmd);
	return rc ?: iommufd_vfio_compat_set_no_iommu(ictx);
}

static int software_msi(struct iommufd_ctx *ictx)
{
	static struct iommufd_sw_msi_map window;

	INIT_LIST_HEAD(&window.sw_msi_item);
	list_add(&window.sw_msi_item, &ictx->sw_msi_list);
	return 0;
}

/* The next number after all that iommufd has today */
static int unknown_ioctl(struct iommufd_ctx *ictx)
{
	bool locked;
	int rc;

	rc = iommufd_handover_ioctl_begin(&ictx->handover,
					  _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_NOIOMMU_GET_PA + 1),
					  NULL, &locked);
	if (!rc && !locked)
		rc = -EINVAL;
	if (locked)
		iommufd_handover_change_end(&ictx->handover);
	return rc;
}

static int nothing_special(struct iommufd_ctx *ictx)
{
	return 0;
}

struct kind {
	const char *desc;
	int (*make)(struct iommufd_ctx *ictx);
	const char *sentence;
};

static const struct kind kinds[] = {
	{ "no-IOMMU mode", no_iommu_mode,
	  "token 7: the iommufd is in no-IOMMU mode, which cannot be handed over; close its session",
	},
	{ "software MSI", software_msi,
	  "token 7: the iommufd has software MSI windows, which cannot be handed over; close its session",
	},
	{ "unknown ioctl", unknown_ioctl,
	  "token 7: the iommufd was given ioctl 0x3b96, which the handover of this kernel does not know; close its session",
	},
	/* Control: it gets past those, to memfds that LUO does not know */
	{ "neither", nothing_special, "the mapped memfd is not preserved" },
};

KUNIT_ARRAY_PARAM_DESC(kind, kinds, desc);

static void iommufd_that_cannot_cross_is_refused(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct handover_ctx ctx = { .token = 7 };
	struct replay *r = test->priv;
	char said[512] = "";
	struct handover_live live;
	LIST_HEAD(contexts);
	int made, rc;

	kunit_activate_static_stub(test, handover_in_free_tree, give_back);
	must_retrieve(test, r);
	handover_replay_abandon(r->ictx->handover.replay);
	INIT_LIST_HEAD(&r->session.file_set.files_list);
	ctx.ictx = r->ictx;
	ctx.session = &r->session;
	list_add(&ctx.list, &contexts);

	made = k->make(r->ictx);
	while (!liveupdate_trylock())
		msleep(20);
	mutex_lock(&handover_out.lock);
	rc = handover_contexts_lock(&contexts);
	if (!rc)
		rc = handover_live_take(&contexts, 1, &live);
	handover_last_refusal(said, sizeof(said));
	handover_contexts_unlock(&contexts);
	mutex_unlock(&handover_out.lock);
	liveupdate_unlock();
	INIT_LIST_HEAD(&r->ictx->sw_msi_list);

	KUNIT_EXPECT_EQ(test, made, 0);
	KUNIT_EXPECT_EQ(test, rc, -EOPNOTSUPP);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(said, k->sentence), "%s", said);
	/* What was refused is as it was */
	KUNIT_EXPECT_TRUE(test, is_there(r->ictx, WORLD_IOAS1_ID,
					 IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_GT(test, new_ioas(r->ictx), 0);
}

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE_PARAM(iommufd_that_cannot_cross_is_refused, kind_gen_params),
	{}
};

static struct kunit_suite refuse_suite = {
	.name = "iommu_handover_refuse",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = refuse_cases,
};

kunit_test_suites(&ids_suite, &share_suite, &unwind_suite, &device_suite,
		  &refuse_suite);

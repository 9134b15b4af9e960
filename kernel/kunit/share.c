// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the share groups: pages that maps share are pinned and charged
 * once.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "../iommufd/io_pagetable.h"
#include "replay-fixture.h"

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
				    replay_memfd_folio(test, r, v->memory,
						       v->map->start /
						       PAGE_SIZE + i));
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

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_USER));
	for (u32 i = WORLD_MAP1; i <= WORLD_MAP4; i++) {
		open_view(test, r, i, &v);
		pin_view(test, r, &v);
		replay_expect_pinned(test, r, CHARGE_USER,
				     PAGES(v.map->length));
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
	replay_close(r);
	replay_expect_nothing_left(test, r);
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

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, c->charge));
	/* No HWPT, no access: nothing is pinned yet */
	replay_expect_pinned(test, r, c->charge, 0);
	open_view(test, r, WORLD_MAP1, &one);
	open_view(test, r, WORLD_MAP3, &three);
	pin_view(test, r, &one);
	replay_expect_pinned(test, r, c->charge, 16);
	pin_view(test, r, &three);
	replay_expect_pinned(test, r, c->charge, 24);
	unpin_view(&one);
	replay_expect_pinned(test, r, c->charge, 16);
	unpin_view(&three);
	replay_expect_pinned(test, r, c->charge, 0);
	close_view(&three);
	close_view(&one);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

/* Control: the same maps in groups of their own, as IOAS_MAP_FILE twice. */
static void pages_of_two_groups_are_charged_twice(struct kunit *test)
{
	const struct charge_case *c = test->param_value;
	struct replay *r = test->priv;
	struct view one, three;

	r->w->rec[WORLD_MAP3].map_ref.group = 2;
	r->w->rec[WORLD_MAP4].map_ref.group = 3;
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, c->charge));
	open_view(test, r, WORLD_MAP1, &one);
	open_view(test, r, WORLD_MAP3, &three);
	pin_view(test, r, &one);
	pin_view(test, r, &three);
	replay_expect_pinned(test, r, c->charge, 32);
	unpin_view(&one);
	unpin_view(&three);
	close_view(&three);
	close_view(&one);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static void shared_pages_live_as_long_as_one_map_of_them(struct kunit *test)
{
	struct replay *r = test->priv;
	struct iommufd_ioas *ioas;
	unsigned long unmapped;
	struct usage now;
	struct view three;

	KUNIT_ASSERT_EQ(test, 0, replay_retrieve_charged(test, r, CHARGE_USER));
	ioas = iommufd_get_ioas(r->ictx, WORLD_IOAS1_ID);
	KUNIT_ASSERT_FALSE(test, IS_ERR(ioas));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap_all(&ioas->iopt, &unmapped));
	iommufd_put_object(r->ictx, &ioas->obj);
	KUNIT_EXPECT_EQ(test, unmapped, 0x10000 + 0x8000);
	/* Memory 1 was only there; memory 0 is in two groups of IOAS 2 */
	replay_measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.files, r->before.files + 2);

	open_view(test, r, WORLD_MAP3, &three);
	pin_view(test, r, &three);
	replay_expect_pinned(test, r, CHARGE_USER, 16);
	unpin_view(&three);
	close_view(&three);
	replay_close(r);
	replay_expect_nothing_left(test, r);
}

static struct kunit_case share_cases[] = {
	KUNIT_CASE(each_map_is_of_the_pages_of_its_record),
	KUNIT_CASE_PARAM(shared_pages_are_pinned_and_charged_once,
			 replay_charge_params),
	KUNIT_CASE_PARAM(pages_of_two_groups_are_charged_twice,
			 replay_charge_params),
	KUNIT_CASE(shared_pages_live_as_long_as_one_map_of_them),
	{}
};

static struct kunit_suite share_suite = {
	.name = "iommu_handover_share",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = share_cases,
};

kunit_test_suite(share_suite);

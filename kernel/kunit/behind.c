// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is behind the devices of a KUnit test, see behind.h.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/io.h>
#include <linux/iommu-handover.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "behind.h"
#include "drivers.h"
#include "objects.h"

/* The one test that runs has one. */
static struct behind *current_behind;

/* Tables of the last kernel are preserved; those of a test are just there. */
static const u64 *read_inherited(void *priv, u64 pa)
{
	return phys_to_virt(pa);
}

/* Preserved pages become the kernel's again; those of a test are. */
static void take_tree(const struct iho_table *table)
{
	struct behind *b = current_behind;
	struct iho_table old;

	for (int i = 0; i < 2; i++) {
		if (!b->old[i] || fake_domain_table(b->old[i], &old) ||
		    old.root_pa != table->root_pa)
			continue;
		fake_domain_forget(b->old[i]);
		b->old[i] = NULL;
		b->taken++;
	}
}

static void free_old(void *priv)
{
	struct behind *b = priv;

	current_behind = NULL;
	for (int i = 0; i < 2; i++)
		if (b->old[i])
			fake_domain_free(b->old[i]);
}

static void map_old(struct kunit *test, const struct replay *r,
		    struct iommu_domain *domain, const struct world_rec *rec)
{
	int prot = rec->map.flags & IHO_MAP_WRITEABLE ? TREE_RW : TREE_READ;

	for (u64 off = 0; off < rec->map.length; off += PAGE_SIZE) {
		struct folio *folio =
			replay_memfd_folio(test, r, rec->map_ref.memory,
					   (rec->map.start + off) / PAGE_SIZE);

		behind_remap(test, domain, rec->map.iova + off,
			     PFN_PHYS(folio_pfn(folio)), prot);
	}
}

struct behind *behind_new(struct kunit *test, u32 levels0, u32 levels1)
{
	struct behind *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	struct replay *r = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, b);
	kunit_activate_static_stub(test, handover_in_table, read_inherited);
	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	kunit_activate_static_stub(test, handover_in_take_tree, take_tree);
	kunit_activate_static_stub(test, handover_table, fake_domain_table);
	kunit_activate_static_stub(test, handover_top_exchange,
				   fake_domain_exchange);
	current_behind = b;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_old, b));
	for (int i = 0; i < 2; i++) {
		struct iho_table *table = &r->w->table[i];
		u32 levels = i ? levels1 : levels0;
		struct iommu_domain *domain;

		b->device[i] = fake_device_new(test, i);
		domain = fake_domain_new(&b->device[i]->pdev.dev, levels);
		KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
		b->old[i] = domain;
		for (u32 n = WORLD_MAP1; n <= WORLD_MAP4; n++)
			if (r->w->rec[n].map.ioas_id ==
			    (i ? WORLD_IOAS2_ID : WORLD_IOAS1_ID))
				map_old(test, r, domain, &r->w->rec[n]);
		KUNIT_ASSERT_EQ(test, 0, fake_domain_table(domain, table));
		KUNIT_ASSERT_EQ(test, table->levels, levels);
	}
	return b;
}

int behind_attach(void *data, u32 *pt_id)
{
	struct behind *b = data;

	b->attached++;
	b->pt_id = *pt_id;
	return b->attach_err;
}

int behind_bind(struct replay *r, struct behind *b, int i,
		struct iommufd_device **idev)
{
	int rc;

	*idev = fake_device_bind(r, b->device[i]);
	if (IS_ERR(*idev))
		return PTR_ERR(*idev);
	rc = iommufd_handover_replay_device(*idev, behind_attach, b);
	if (rc)
		fake_device_unbind(*idev);
	return rc;
}

void behind_must_bind(struct kunit *test, struct replay *r, struct behind *b,
		      int i)
{
	struct iommufd_device *idev;

	KUNIT_ASSERT_EQ(test, 0, behind_bind(r, b, i, &idev));
	/* The ID is its own from now on and goes with it */
	fake_device_unbind(idev);
}

struct iommufd_hwpt_paging *behind_hwpt(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iommufd_get_object(ictx, id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return NULL;
	return container_of(obj, struct iommufd_hwpt_paging, common.obj);
}

void behind_limit_memlock(unsigned long pages)
{
	task_lock(current->group_leader);
	current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = pages << PAGE_SHIFT;
	task_unlock(current->group_leader);
}

void behind_expect_pending(struct kunit *test, struct replay *r)
{
	KUNIT_EXPECT_TRUE(test, iommufd_handover_pending(&r->ictx->handover));
	KUNIT_EXPECT_EQ(test, r->given_back, 0);
	KUNIT_EXPECT_EQ(test, replay_count_objects(r->ictx), 2);
	replay_expect_all_reserved(test, r->ictx);
	replay_expect_pinned(test, r, CHARGE_MM, 0);
}

void behind_remap(struct kunit *test, struct iommu_domain *domain, u64 iova,
		  phys_addr_t pa, int prot)
{
	if (iommu_iova_to_phys(domain, iova))
		KUNIT_ASSERT_EQ(test, iommu_unmap(domain, iova, PAGE_SIZE),
				PAGE_SIZE);
	if (prot)
		KUNIT_ASSERT_EQ(test, 0, iommu_map(domain, iova, pa, PAGE_SIZE,
						   prot, GFP_KERNEL));
}

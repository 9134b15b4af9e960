// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of refusals that no machine of the boot tests can cause.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kho/abi/memfd.h>
#include <linux/sizes.h>

#include "drivers.h"
#include "fake-device.h"
#include "gather.h"
#include "objects.h"
#include "replay-fixture.h"

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
#ifdef IOMMU_IOAS_NOIOMMU_GET_PA
#define UNKNOWN	"given ioctl 0x3b96"
#else
#define UNKNOWN	"given ioctl 0x3b95"
#endif

static int unknown_ioctl(struct iommufd_ctx *ictx)
{
	bool locked;
	int rc;

	rc = iommufd_handover_ioctl_begin(&ictx->handover,
					  _IO(IOMMUFD_TYPE, IOMMUFD_HANDOVER_LAST_CMD + 1),
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
	  "token 7: the iommufd was " UNKNOWN
	  ", which the handover of this kernel does not know; close its session",
	},
	/* Control: it gets past those, to memfds that LUO does not know */
	{ "neither", nothing_special, "the mapped memfd is not preserved" },
};

KUNIT_ARRAY_PARAM_DESC(kind, kinds, desc);

static int take(struct list_head *contexts, bool all)
{
	struct handover_live *live;
	int rc;

	while (!liveupdate_trylock())
		msleep(20);
	mutex_lock(&handover_out.lock);
	rc = handover_contexts_lock(contexts);
	if (!rc) {
		live = handover_live_take(contexts, 1,
					  all ? HANDOVER_TAKE_ALL : 0);
		rc = PTR_ERR_OR_ZERO(live);
		if (!rc)
			handover_live_put(live);
	}
	handover_contexts_unlock(contexts);
	mutex_unlock(&handover_out.lock);
	liveupdate_unlock();
	return rc;
}

static u32 count_of(const char *text, const char *words)
{
	u32 n = 0;

	while ((text = strstr(text, words))) {
		text++;
		n++;
	}
	return n;
}

static void iommufd_that_cannot_cross_is_refused(struct kunit *test)
{
	const struct kind *k = test->param_value;
	struct handover_ctx ctx = { .token = 7 };
	struct handover_listener *why;
	struct replay *r = test->priv;
	char said[512] = "";
	LIST_HEAD(contexts);
	int made, rc, rc_all;

	why = kunit_kzalloc(test, sizeof(*why), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, why);
	why->room = SZ_4K;
	why->all = kunit_kzalloc(test, why->room, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, why->all);

	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	replay_must_retrieve(test, r);
	handover_replay_abandon(r->ictx->handover.replay);
	INIT_LIST_HEAD(&r->session.file_set.files_list);
	ctx.ictx = r->ictx;
	ctx.session = &r->session;
	list_add(&ctx.list, &contexts);

	made = k->make(r->ictx);
	rc = take(&contexts, false);
	handover_last_refusal(said, sizeof(said));
	handover_listen(why);
	rc_all = take(&contexts, true);
	handover_stop_listening(why);
	INIT_LIST_HEAD(&r->ictx->sw_msi_list);

	KUNIT_EXPECT_EQ(test, made, 0);
	KUNIT_EXPECT_EQ(test, rc, -EOPNOTSUPP);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(said, k->sentence), "%s", said);
	/* All at once: that, and each map */
	KUNIT_EXPECT_EQ(test, rc_all, -EOPNOTSUPP);
	KUNIT_EXPECT_GE_MSG(test, count_of(why->all, k->sentence), 1, "%s",
			    why->all);
	KUNIT_EXPECT_EQ_MSG(test, count_of(why->all, "the mapped memfd is not preserved"),
			    4, "%s", why->all);
	/* What was refused is as it was */
	KUNIT_EXPECT_TRUE(test, replay_is_there(r->ictx, WORLD_IOAS1_ID,
						IOMMUFD_OBJ_IOAS));
	KUNIT_EXPECT_GT(test, replay_new_ioas(r->ictx), 0);
}

/* ---- a file that another handler preserves ------------------------------- */

#define ANOTHER_COMPATIBLE	"kunit-v1"

static const struct liveupdate_file_handler by_another = {
	.compatible = ANOTHER_COMPATIBLE,
};

static const struct liveupdate_file_handler by_memfd = {
	.compatible = MEMFD_LUO_FH_COMPATIBLE,
};

static const struct liveupdate_file_handler *preserves;
static struct memfd_luo_ser *preserved_as;

static int find_preserved(struct luo_session *session, struct file *file,
			  struct liveupdate_found *found)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;

	for (u32 i = 0; i < MEMFDS; i++) {
		if (file_inode(r->memfd[i]) != file_inode(file))
			continue;
		*found = (struct liveupdate_found){
			.handler = preserves,
			.token = r->w->memory[i].token,
			.serialized_data = virt_to_phys(preserved_as),
		};
		return 0;
	}
	return -ENOENT;
}

static void file_of_another_handler_is_refused(struct kunit *test)
{
	static const char sentence[] =
		"the mapped file is not a memfd of ordinary pages; map one that is";
	struct handover_ctx ctx = { .token = 7 };
	struct replay *r = test->priv;
	char said[512] = "";
	LIST_HEAD(contexts);

	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	kunit_activate_static_stub(test, handover_find_preserved,
				   find_preserved);
	preserved_as = kunit_kzalloc(test, sizeof(*preserved_as), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, preserved_as);
	replay_must_retrieve(test, r);
	handover_replay_abandon(r->ictx->handover.replay);
	ctx.ictx = r->ictx;
	ctx.session = &r->session;
	list_add(&ctx.list, &contexts);

	preserves = &by_another;
	KUNIT_EXPECT_EQ(test, take(&contexts, false), -EOPNOTSUPP);
	handover_last_refusal(said, sizeof(said));
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(said, sentence), "%s", said);
	/* Control: as one of LUO's memfds it is taken */
	preserves = &by_memfd;
	KUNIT_EXPECT_EQ(test, take(&contexts, false), 0);
}

/* ---- an HWPT of devices behind units that differ ------------------------- */

#define USERS	2		/* devices, each behind a unit of its own */

struct users_case {
	const char *desc;
	u64 cap;		/* of the second unit; of the first 0 */
	u32 maker;		/* of the devices: the HWPT was allocated with it */
	const char *sentence;	/* of the refusal; NULL: there is none */
};

static const struct users_case users[] = {
	{ "equal units", 0, 0, NULL },
	{ "equal units, made with the second", 0, 1, NULL },
	{ "units that differ", 1, 0,
	  "are behind IOMMUs that differ in a capability; attach each to an HWPT of its own" },
	{ "units that differ, made with the second", 1, 1,
	  "are behind IOMMUs that differ in a capability; attach each to an HWPT of its own" },
};

KUNIT_ARRAY_PARAM_DESC(users, users, desc);

static const char *differ_in_cap(const struct iho_unit *a,
				 const struct iho_unit *b)
{
	return a->cap == b->cap ? NULL : "a capability";
}

static const struct iommu_handover_ops users_handover = {
	.differ = differ_in_cap,
};

static const struct iommu_ops users_ops = {
	.handover = &users_handover,
};

/* What both devices are attached to. */
static struct iommufd_hw_pagetable *users_hwpt;

static struct iommufd_hw_pagetable *attached(struct iommufd_device *idev)
{
	return users_hwpt;
}

/* As user space does, with this device. */
static struct iommufd_hwpt_paging *new_hwpt(struct kunit *test,
					    struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->ictx;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_ioas *ioas;

	ioas = iommufd_get_ioas(ictx, WORLD_IOAS1_ID);
	KUNIT_ASSERT_FALSE(test, IS_ERR(ioas));
	scoped_guard(mutex, &ioas->mutex)
		hwpt = iommufd_hwpt_paging_alloc(ictx, ioas, idev,
						 IOMMU_NO_PASID, 0, false, NULL);
	if (!IS_ERR(hwpt)) {
		hwpt->common.domain->owner = &users_ops;
		iommufd_object_finalize(ictx, &hwpt->common.obj);
	}
	iommufd_put_object(ictx, &ioas->obj);
	KUNIT_ASSERT_FALSE(test, IS_ERR(hwpt));
	return hwpt;
}

static void no_maps(struct kunit *test, struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_ioas *ioas = iommufd_get_ioas(ictx, id);
	unsigned long unmapped;

	KUNIT_ASSERT_FALSE(test, IS_ERR(ioas));
	iopt_unmap_all(&ioas->iopt, &unmapped);
	iommufd_put_object(ictx, &ioas->obj);
}

/* The device that the record of the only HWPT in @g names. */
static u32 recorded_maker(const struct gather *g)
{
	const struct iho_rec *rec;
	u64 pos = 0;

	while (pos < g->pos) {
		rec = g->buf + pos;
		if (rec->kind == IHO_REC_HWPT_ALLOC)
			return ((const struct iommu_hwpt_alloc *)(rec + 1))->dev_id;
		pos += sizeof(*rec) + ALIGN(rec->payload_len, 8) +
		       ALIGN(rec->inline_len, 8);
	}
	return 0;
}

static void hwpt_of_units_that_differ_is_refused(struct kunit *test)
{
	const struct users_case *c = test->param_value;
	struct handover_ctx ctx = { .token = 7 };
	struct iommufd_device *idev[USERS];
	/* Too large for the stack */
	struct {
		struct domain_entry domain[USERS];
		struct iho_device device[USERS];
		struct iho_unit unit[USERS];
		struct iho_context context;
		struct iho_table table;
		char said[512];
	} *facts;
	struct replay *r = test->priv;
	struct iommufd_hwpt_paging *hwpt;
	struct gather *g;
	int rc;

	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	kunit_activate_static_stub(test, handover_attached, attached);
	g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g);
	facts = kunit_kzalloc(test, sizeof(*facts), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, facts);
	g->cap = SZ_4K;
	g->buf = kunit_kzalloc(test, g->cap, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, g->buf);
	replay_must_retrieve(test, r);
	handover_replay_abandon(r->ictx->handover.replay);
	ctx.ictx = r->ictx;
	ctx.session = &r->session;
	/* LUO does not know their memfds */
	no_maps(test, r->ictx, WORLD_IOAS1_ID);
	no_maps(test, r->ictx, WORLD_IOAS2_ID);
	for (u32 i = 0; i < USERS; i++)
		idev[i] = fake_device_must_bind(test, fake_device_new(test, i));
	hwpt = new_hwpt(test, idev[c->maker]);
	users_hwpt = &hwpt->common;

	facts->table.hwpt_id = hwpt->common.obj.id;
	facts->unit[1].cap = c->cap;
	for (u32 i = 0; i < USERS; i++) {
		facts->device[i].dev_id = idev[i]->obj.id;
		facts->device[i].unit = i;
		facts->device[i].domain = i;
		facts->domain[i].fact.unit = i;
		iommufd_object_finalize(r->ictx, &idev[i]->obj);
	}
	g->unit = (struct vec){ .p = facts->unit, .nr = USERS };
	g->device = (struct vec){ .p = facts->device, .nr = USERS };
	g->domain = (struct vec){ .p = facts->domain, .nr = USERS };
	g->table = (struct vec){ .p = &facts->table, .nr = 1 };
	g->context = (struct vec){ .p = &facts->context, .nr = 1 };
	rc = handover_emit_context(g, &ctx, 0);
	handover_last_refusal(facts->said, sizeof(facts->said));
	/* Nothing else of iommufd is to see the devices */
	for (u32 i = 0; i < USERS; i++) {
		xa_store(&r->ictx->objects, idev[i]->obj.id, XA_ZERO_ENTRY,
			 GFP_KERNEL);
		fake_device_unbind(idev[i]);
	}

	KUNIT_EXPECT_EQ(test, rc, c->sentence ? -EOPNOTSUPP : 0);
	if (c->sentence)
		KUNIT_EXPECT_NOT_NULL_MSG(test,
					  strstr(facts->said, c->sentence), "%s",
					  facts->said);
	else
		KUNIT_EXPECT_EQ(test, recorded_maker(g),
				facts->device[c->maker].dev_id);
}

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE_PARAM(iommufd_that_cannot_cross_is_refused, kind_gen_params),
	KUNIT_CASE(file_of_another_handler_is_refused),
	KUNIT_CASE_PARAM(hwpt_of_units_that_differ_is_refused, users_gen_params),
	{}
};

static struct kunit_suite refuse_suite = {
	.name = "iommu_handover_refuse",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = refuse_cases,
};

kunit_test_suite(refuse_suite);

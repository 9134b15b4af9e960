// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of refusals that no machine of the boot tests can cause.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kho/abi/memfd.h>
#include <linux/sizes.h>

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

static struct kunit_case refuse_cases[] = {
	KUNIT_CASE_PARAM(iommufd_that_cannot_cross_is_refused, kind_gen_params),
	KUNIT_CASE(file_of_another_handler_is_refused),
	{}
};

static struct kunit_suite refuse_suite = {
	.name = "iommu_handover_refuse",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = refuse_cases,
};

kunit_test_suite(refuse_suite);

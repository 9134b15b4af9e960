// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KUnit tests ask of the objects and the IDs of an iommufd.
 */
#include <kunit/test.h>
#include <linux/xarray.h>

#include "objects.h"
#include "replay-fixture.h"

bool replay_is_there(struct iommufd_ctx *ictx, u32 id,
		     enum iommufd_object_type type)
{
	struct iommufd_object *obj = iommufd_get_object(ictx, id, type);

	if (IS_ERR(obj))
		return false;
	iommufd_put_object(ictx, obj);
	return obj->id == id;
}

u32 replay_count_objects(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	unsigned long id;
	u32 n = 0;

	xa_for_each(&ictx->objects, id, obj)
		n++;
	return n;
}

bool replay_is_taken(struct iommufd_ctx *ictx, u32 id)
{
	if (xa_insert(&ictx->objects, id, XA_ZERO_ENTRY, GFP_KERNEL))
		return true;
	xa_release(&ictx->objects, id);
	return false;
}

bool replay_is_reserved(struct iommufd_ctx *ictx, u32 id)
{
	return !xa_load(&ictx->objects, id) && replay_is_taken(ictx, id) &&
	       iommufd_handover_holds_id(ictx, id);
}

void replay_expect_all_reserved(struct kunit *test, struct iommufd_ctx *ictx)
{
	KUNIT_EXPECT_TRUE(test, replay_is_reserved(ictx, WORLD_DEV1_ID));
	KUNIT_EXPECT_TRUE(test, replay_is_reserved(ictx, WORLD_DEV2_ID));
	KUNIT_EXPECT_TRUE(test, replay_is_reserved(ictx, WORLD_HWPT1_ID));
	KUNIT_EXPECT_TRUE(test, replay_is_reserved(ictx, WORLD_HWPT2_ID));
}

int replay_new_ioas(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas = iommufd_ioas_alloc(ictx);

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	iommufd_object_finalize(ictx, &ioas->obj);
	return ioas->obj.id;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: an iommufd begins and ends.
 */
#include <linux/iommu-handover.h>

#include "../iommufd/iommufd_private.h"
#include "replay.h"

void iommufd_handover_ctx_init(struct iommufd_ctx *ictx)
{
	for (u32 i = 0; i < IOMMUFD_HANDOVER_LOCKS; i++)
		init_rwsem(&ictx->handover.lock[i].rwsem);
}

bool iommufd_handover_ctx_release(struct iommufd_ctx *ictx)
{
	struct iommufd_replay *r;

	/* A file whose open() failed has no context yet */
	if (!ictx)
		return true;
	if (iommufd_handover_close_begin(ictx, NULL))
		return true;
	iommufd_handover_change_end(&ictx->handover);
	r = ictx->handover.replay;
	if (r) {
		handover_in_clear_replay(r->index, r);
		handover_replay_free(r);
		ictx->handover.replay = NULL;
	}
	return false;
}

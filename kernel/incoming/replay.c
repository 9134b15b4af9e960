// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: the end of what a context waits for.
 */
#include <linux/mutex.h>
#include <linux/slab.h>

#include "../iommufd/iommufd_private.h"
#include "incoming.h"
#include "replay.h"

void handover_replay_init(struct iommufd_replay *r, u32 index)
{
	mutex_init(&r->fill);
	mutex_init(&r->lock);
	r->index = index;
}

void handover_replay_free(struct iommufd_replay *r)
{
	if (!r)
		return;
	kvfree(r->device);
	kvfree(r->hwpt);
	mutex_destroy(&r->lock);
	mutex_destroy(&r->fill);
	kfree(r);
}

bool handover_replay_abandon(struct iommufd_replay *r)
{
	if (!mutex_trylock(&r->fill))
		return false;
	if (!mutex_trylock(&r->lock)) {
		mutex_unlock(&r->fill);
		return false;
	}
	WRITE_ONCE(r->ictx->handover.pending, 0);
	if (r->devices)
		handover_in_stop_context(r->device[0].fact.context);
	/* xa_release() takes back only what is reserved and not in use */
	for (u32 i = 0; i < r->hwpts; i++) {
		if (r->hwpt[i].done)
			continue;
		WRITE_ONCE(r->hwpt[i].done, true);
		r->hwpt[i].freed = true;
		handover_in_free_tree(&r->hwpt[i].table);
		xa_release(&r->ictx->objects, r->hwpt[i].id);
	}
	for (u32 i = 0; i < r->devices; i++) {
		if (r->device[i].done)
			continue;
		WRITE_ONCE(r->device[i].done, true);
		xa_release(&r->ictx->objects, r->device[i].id);
	}
	mutex_unlock(&r->lock);
	mutex_unlock(&r->fill);
	return true;
}

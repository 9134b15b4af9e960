// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: the end of what a context waits for.
 */
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

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

void handover_replay_busy(struct iommufd_replay *r, struct replay_device *d,
			  struct iommufd_device *idev)
{
	u32 *behind = &r->ictx->handover.behind;

	scoped_guard(mutex, &r->lock) {
		d->busy = idev;
		WRITE_ONCE(*behind, *behind + (idev ? 1 : -1));
	}
	wake_up_var(behind);
}

void handover_records_again(struct iommufd_replay *r)
{
	guard(mutex)(&r->lock);
	if (!r->records || READ_ONCE(r->ictx->handover.records) > 0)
		return;
	WRITE_ONCE(r->ictx->handover.records, 1);
	mod_delayed_work(system_dfl_long_wq, r->records, 0);
}

bool handover_records_give_up(struct iommufd_replay *r)
{
	lockdep_assert_held(&r->lock);
	if (!r->records)
		return true;
	if (READ_ONCE(r->ictx->handover.records) > 0)
		return false;
	r->given_up = true;
	mod_delayed_work(system_dfl_long_wq, r->records, 0);
	return true;
}

bool handover_replay_abandon(struct iommufd_replay *r)
{
	bool given_up = false;

	if (!mutex_trylock(&r->fill))
		return false;
	if (!mutex_trylock(&r->lock)) {
		mutex_unlock(&r->fill);
		return false;
	}
	for (u32 i = 0; i < r->hwpts; i++)
		/* Its device is just being attached. After it @freed is seen */
		if (smp_load_acquire(&r->hwpt[i].adopting))
			goto out;
	if (!handover_records_give_up(r))
		goto out;
	given_up = true;
	WRITE_ONCE(r->ictx->handover.pending, 0);
	if (r->devices)
		handover_in_stop_context(r->device[0].fact.context);
	/* xa_release() takes back only what is reserved and not in use */
	for (u32 i = 0; i < r->hwpts; i++) {
		if (r->hwpt[i].done)
			continue;
		WRITE_ONCE(r->hwpt[i].done, true);
		if (!r->hwpt[i].freed)
			handover_in_free_tree(&r->hwpt[i].table);
		r->hwpt[i].freed = true;
		xa_release(&r->ictx->objects, r->hwpt[i].id);
	}
	for (u32 i = 0; i < r->devices; i++) {
		if (r->device[i].done)
			continue;
		WRITE_ONCE(r->device[i].done, true);
		xa_release(&r->ictx->objects, r->device[i].id);
	}
out:
	mutex_unlock(&r->lock);
	mutex_unlock(&r->fill);
	return given_up;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: devices that are in use before their page tables
 * are rebuilt.
 *
 * A device that did not stop for the kexec goes on with the inherited table for as
 * long as it takes. So its file is given back first; HWPTs are made and
 * compared, and the device is attached, in a worker. What changes the iommufd
 * waits for that, as the comparison would find the change.
 */
#include <linux/delay.h>
#include <linux/iommu-handover.h>
#include <linux/memcontrol.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>

#include "drivers.h"
#include "replay.h"

/* Tests look at what goes on meanwhile. */
static void disturb(void)
{
	while (handover_disturbed(HANDOVER_DISTURB_BEHIND))
		msleep(20);
}

static void replay(struct work_struct *work)
{
	struct replay_behind *b = container_of(work, struct replay_behind, work);
	struct iommufd_ctx *ictx = b->idev->ictx;
	struct iommufd_replay *r = ictx->handover.replay;
	struct mem_cgroup *old = set_active_memcg(b->memcg);

	/* It outlives the device, which may go with its release */
	iommufd_ctx_get(ictx);
	/*
	 * Also while there is no memory for them: who else calls gets the error. It may
	 * be long, and workers have no signals.
	 */
	wait_var_event_interruptible(&ictx->handover.behind, !READ_ONCE(r->records));
	disturb();
	/* A VMM gets its devices back one after the other */
	for (int i = 0; i < 25 && !handover_all_busy(r, b->idev); i++)
		msleep(20);
	/* What it refuses is noted; handover_replay_finish() tries again */
	iommufd_handover_replay_device(b->idev, b->attach, b->data);
	set_active_memcg(old);
	mem_cgroup_put(b->memcg);
	b->memcg = NULL;
	/* First: who has waited may close the device and open it again */
	b->release(b->data);
	handover_replay_busy(r, container_of(b, struct replay_device, behind), NULL);
	iommufd_ctx_put(ictx);
}

static struct replay_device *record_of(struct iommufd_device *idev)
{
	struct iommufd_replay *r = idev->ictx->handover.replay;

	if (!r || !iommufd_handover_pending(&idev->ictx->handover))
		return NULL;
	for (u32 i = 0; i < r->devices; i++)
		if (r->device[i].id == idev->obj.id && !READ_ONCE(r->device[i].done))
			return &r->device[i];
	return NULL;
}

bool iommufd_handover_replay_behind(struct iommufd_device *idev,
				    int (*attach)(void *data, u32 *pt_id),
				    void (*release)(void *data), void *data)
{
	struct iommufd_ctx *ictx = idev->ictx;
	struct replay_device *d = record_of(idev);
	struct replay_behind *b;

	if (!d || !dev_is_pci(idev->dev) || !d->pt_id ||
	    !handover_in_claim(to_pci_dev(idev->dev)))
		return false;
	b = &d->behind;
	INIT_WORK(&b->work, replay);
	b->idev = idev;
	b->memcg = get_mem_cgroup_from_mm(current->mm);
	b->attach = attach;
	b->release = release;
	b->data = data;
	handover_replay_busy(ictx->handover.replay, d, idev);
	queue_work(system_dfl_long_wq, &b->work);
	return true;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_replay_behind, "IOMMUFD");

int iommufd_handover_settle_device(struct iommufd_device *idev)
{
	return iommufd_handover_settle(&idev->ictx->handover);
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_settle_device, "IOMMUFD");

void handover_replay_finish(struct iommufd_replay *r)
{
	handover_records_again(r);
	/* Who exits waits for nobody: the session can be retrieved again */
	if (current->flags & PF_EXITING ||
	    iommufd_handover_settle(&r->ictx->handover))
		return;
	for (u32 i = 0; i < r->devices; i++) {
		struct replay_device *d = &r->device[i];

		/* Its file is of the session, so that it is bound */
		if (d->behind.idev && !READ_ONCE(d->done))
			iommufd_handover_replay_device(d->behind.idev,
						       d->behind.attach,
						       d->behind.data);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: records that need a device.
 *
 * They wait until it is bound and then run in the order: HWPTs (filled,
 * compared with the inherited page table), attach. All or nothing. IDs of what
 * waits are reserved in the context.
 */
#include <kunit/static_stub.h>
#include <linux/iommu-handover.h>
#include <linux/pci.h>

#include "../iommufd/io_pagetable.h"
#include "drivers.h"
#include "replay.h"

u32 iommufd_handover_forced_id(struct iommufd_ctx *ictx)
{
	struct iommufd_replay *r = ictx->handover.replay;

	if (!r)
		return 0;
	if (READ_ONCE(r->task) == current) {
		/* Of a worker that makes an IOAS, and of a bind at the same time */
		lockdep_assert_held(&r->lock);
		return r->forced;
	}
	return READ_ONCE(r->filling) == current ? r->fill_id : 0;
}

bool iommufd_handover_holds_id(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_replay *r = ictx->handover.replay;
	u32 i;

	if (!r || !iommufd_handover_pending(&ictx->handover))
		return false;
	for (i = 0; i < r->devices; i++)
		if (r->device[i].id == id)
			return !READ_ONCE(r->device[i].done);
	for (i = 0; i < r->hwpts; i++)
		if (r->hwpt[i].id == id)
			return !READ_ONCE(r->hwpt[i].done);
	return false;
}

/* The record that waits for what is plugged in where @dev is, or NULL. */
static struct replay_device *waited_for(struct iommufd_ctx *ictx,
					struct device *dev,
					struct iho_device *now)
{
	struct iommufd_replay *r = ictx->handover.replay;
	struct replay_device *d;

	if (!r || !iommufd_handover_pending(&ictx->handover) ||
	    !dev_is_pci(dev) || handover_pci_device(to_pci_dev(dev), now))
		return NULL;
	for (d = r->device; d < r->device + r->devices; d++)
		if (!READ_ONCE(d->done) && handover_pci_same_place(&d->fact, now))
			return d;
	return NULL;
}

/*
 * A VMM that knows its device by address must not be given another one: it may
 * be in the place of a device that is waited for, or have its address now.
 */
static int check_stranger(struct iommufd_replay *r, struct device *dev,
			  const struct replay_device *here,
			  const struct iho_device *now)
{
	const struct replay_device *d;

	if (here && handover_pci_same_kind(&here->fact, now))
		return 0;
	if (here)
		/* Cure (ENODEV): put the old one back, or abandon. */
		return handover_refuse(-ENODEV,
				       "%s is not bound: another device than the one handed over as device %u of the iommufd is plugged in here; put that one back, or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
				       dev_name(dev), here->id);
	for (d = r->device; d < r->device + r->devices; d++)
		if (!READ_ONCE(d->done) && d->fact.segment == now->segment &&
		    d->fact.source_id[0] == now->source_id[0])
			return handover_refuse(-ENODEV,
					       "%s is not bound: it has the address that device %u of the iommufd had, and is plugged in elsewhere; bind the one that was handed over, or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
					       dev_name(dev), d->id);
	return 0;
}

void iommufd_handover_expect(struct iommufd_ctx *ictx, struct device *dev,
			     bool expected)
{
	struct iho_device now;
	struct replay_device *d = waited_for(ictx, dev, &now);

	if (d)
		WRITE_ONCE(d->expected, expected);
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_expect, "IOMMUFD");

int iommufd_handover_bind_begin(struct iommufd_ctx *ictx, struct device *dev)
{
	struct iho_device now = {};
	struct iommufd_replay *r;
	struct replay_device *d;
	int rc;

	/*
	 * Its ID is reserved, so that it need not wait for the records. When they
	 * cannot be replayed now, better no bind than one that is undone: that would
	 * end its DMA.
	 */
	d = waited_for(ictx, dev, &now);
	if (d && READ_ONCE(d->expected))
		rc = min(READ_ONCE(ictx->handover.records), 0) ?:
		     iommufd_handover_change_begin(&ictx->handover);
	else
		rc = iommufd_handover_create_begin(&ictx->handover);
	if (rc)
		return rc;
	r = ictx->handover.replay;
	if (!r || !iommufd_handover_pending(&ictx->handover))
		return 0;
	d = waited_for(ictx, dev, &now);
	rc = dev_is_pci(dev) ? check_stranger(r, dev, d, &now) : 0;
	if (rc) {
		iommufd_handover_change_end(&ictx->handover);
		return rc;
	}
	/* Opened through a VFIO group it is not replayed: a new ID */
	if (!d || !READ_ONCE(d->expected))
		return 0;
	mutex_lock(&r->lock);
	/* Abandoned while waiting for r->lock */
	if (d->done || !ictx->handover.pending) {
		mutex_unlock(&r->lock);
		return 0;
	}
	if (xa_load(&ictx->objects, d->id)) {
		mutex_unlock(&r->lock);
		iommufd_handover_change_end(&ictx->handover);
		return -EBUSY;
	}
	r->forced = d->id;
	WRITE_ONCE(r->task, current);
	return 0;
}

void iommufd_handover_bind_end(struct iommufd_ctx *ictx)
{
	struct iommufd_replay *r = ictx->handover.replay;

	if (r && READ_ONCE(r->task) == current) {
		WRITE_ONCE(r->task, NULL);
		mutex_unlock(&r->lock);
	}
	iommufd_handover_change_end(&ictx->handover);
}

/* sm_off and the like: the driver makes other page tables then. */
static bool mode_changed(const struct replay_device *d, struct device *dev)
{
	struct iho_unit then, now;

	return !iho_get_unit(&handover_in.image, d->fact.unit, &then) &&
	       !handover_unit(dev, &now) && then.mode != now.mode;
}

static int make_hwpt(struct iommufd_ctx *ictx, struct replay_hwpt *h,
		     const struct replay_device *d, struct iommufd_device *idev,
		     char *why, size_t why_len)
{
	struct iommufd_replay *r = ictx->handover.replay;
	bool must_snoop = h->table.attributes & IHO_TABLE_SNOOP;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_ioas *ioas;
	bool snoops;
	int rc;

	if (must_snoop && !idev->enforce_cache_coherency) {
		/*
		 * Cure (EOPNOTSUPP): bind it behind an IOMMU with snoop
		 * control, as it was; or abandon.
		 */
		snprintf(why, why_len,
			 "HWPT %u: its coherency was enforced, which the IOMMU of device %u cannot; bind it on the hardware it was on",
			 h->id, idev->obj.id);
		return -EOPNOTSUPP;
	}
	ioas = iommufd_get_ioas(ictx, h->ioas_id);
	if (IS_ERR(ioas)) {
		/* Cure (ENOENT): abandon, then bind and attach. */
		snprintf(why, why_len, "HWPT %u: its IOAS %u was destroyed",
			 h->id, h->ioas_id);
		return PTR_ERR(ioas);
	}
	mutex_lock(&ioas->mutex);
	r->fill_id = h->id;
	idev->handover.inherit = handover_may_adopt(r, h, d) ? &h->table : NULL;
	WRITE_ONCE(idev->handover.making, current);
	WRITE_ONCE(r->filling, current);
	/* As its first device's unit had it, whatever this one's can do */
	snoops = idev->enforce_cache_coherency;
	idev->enforce_cache_coherency = snoops && must_snoop;
	/* Filled first, attached later: what is compared must be complete */
	hwpt = iommufd_hwpt_paging_alloc(ictx, ioas, idev, IOMMU_NO_PASID,
					 h->flags, false, NULL);
	idev->enforce_cache_coherency = snoops;
	WRITE_ONCE(idev->handover.making, NULL);
	WRITE_ONCE(r->filling, NULL);
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		if ((rc == -EADDRINUSE || rc == -EOPNOTSUPP) &&
		    mode_changed(d, idev->dev))
			/*
			 * Cure (that of the allocation): boot with the IOMMU
			 * options of the last kernel; or abandon, and map again
			 * what this mode can.
			 */
			snprintf(why, why_len,
				 "HWPT %u cannot be allocated for device %u, whose IOMMU was in another mode: error %d",
				 h->id, idev->obj.id, rc);
		else
			/*
			 * Cure (that of the allocation): remove the cause
			 * (memory, memory lock limit, reserved regions, other
			 * options of the IOMMU), bind again.
			 */
			snprintf(why, why_len,
				 "HWPT %u cannot be allocated for device %u: error %d",
				 h->id, idev->obj.id, rc);
		goto out;
	}
	rc = 0;
	hwpt->auto_domain = h->is_auto;
	/*
	 * Of a device that does DMA the attach compares, see switch.c. A table that
	 * became the HWPT's was compared before it did, and may be gone with it when
	 * the HWPT is made once more.
	 */
	if (!h->freed && !h->adopting &&
	    (h->id != d->pt_id || !handover_in_runs(to_pci_dev(idev->dev)))) {
		/* No map may change while the table is compared */
		rc = down_write_killable(&ioas->iopt.domains_rwsem);
		if (!rc) {
			rc = handover_in_compare(&h->table, h->id, hwpt, why,
						 why_len);
			up_write(&ioas->iopt.domains_rwsem);
		}
	}
	if (rc) {
		iommufd_object_abort_and_destroy(ictx, &hwpt->common.obj);
		goto out;
	}
	iommufd_object_finalize(ictx, &hwpt->common.obj);
	h->made_by = idev->obj.id;
out:
	mutex_unlock(&ioas->mutex);
	iommufd_put_object(ictx, &ioas->obj);
	return rc;
}

/* The HWPT was allocated with this device, even if another bind rebuilt it. */
static void note_maker(struct iommufd_ctx *ictx, const struct replay_hwpt *h,
		       struct iommufd_device *idev)
{
	struct iommufd_object *obj;

	obj = iommufd_get_object(ictx, h->id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return;
	iommufd_handover_record_hwpt(container_of(obj, struct iommufd_hwpt_paging,
						  common.obj),
				     idev, h->flags);
	iommufd_put_object(ictx, obj);
}

/* Take away again what the replay of this device made, unless it is in use. */
static void unmake_hwpts(struct iommufd_ctx *ictx, u32 dev_id)
{
	struct iommufd_replay *r = ictx->handover.replay;

	for (u32 i = r->hwpts; i-- > 0; ) {
		struct replay_hwpt *h = &r->hwpt[i];

		if (h->done || h->made_by != dev_id)
			continue;
		if (!iommufd_object_remove(ictx, NULL, h->id, 0))
			h->made_by = 0;
	}
}

static bool uses_hwpt(const struct replay_device *d,
		      const struct replay_hwpt *h)
{
	return h->dev_id == d->id || h->id == d->pt_id;
}

/*
 * An HWPT may go again with the first of its devices before the second is
 * bound: until all are back its ID stays reserved and its tree inherited.
 */
static bool still_waited_for(struct iommufd_replay *r,
			     const struct replay_hwpt *h)
{
	for (u32 i = 0; i < r->devices; i++)
		if (!r->device[i].done && uses_hwpt(&r->device[i], h))
			return true;
	return false;
}

static void device_is_back(struct iommufd_replay *r, struct replay_device *d)
{
	mutex_lock(&r->fill);
	mutex_lock(&r->lock);
	WRITE_ONCE(d->done, true);
	for (u32 i = 0; i < r->hwpts; i++)
		if (uses_hwpt(d, &r->hwpt[i]) &&
		    !still_waited_for(r, &r->hwpt[i]))
			WRITE_ONCE(r->hwpt[i].done, true);
	/* 0 when it was abandoned in the meantime */
	if (r->ictx->handover.pending)
		WRITE_ONCE(r->ictx->handover.pending,
			   r->ictx->handover.pending - 1);
	mutex_unlock(&r->lock);
	/* It may be large, and who binds another device waits for r->lock */
	for (u32 i = 0; i < r->hwpts; i++) {
		struct replay_hwpt *h = &r->hwpt[i];

		if (!h->done || h->freed)
			continue;
		h->freed = true;
		handover_in_free_tree(&h->table);
	}
	mutex_unlock(&r->fill);
	handover_in_device_done();
}

/* Whether its HWPT goes on with a table that the device uses as well. */
static void finish_adoption(struct iommufd_replay *r,
			    const struct replay_device *d,
			    struct iommufd_device *idev, bool attached)
{
	for (u32 i = 0; i < r->hwpts; i++) {
		struct replay_hwpt *h = &r->hwpt[i];

		if (h->id != d->pt_id || !READ_ONCE(h->adopting))
			continue;
		/* From here on the table may change, which it would not notice */
		if (!attached)
			handover_in_stop(to_pci_dev(idev->dev));
		handover_adopt_finish(r->ictx, h);
	}
}

/*
 * Who was in a call already when @behind was counted is in it no more: false when
 * somebody is, who may be stuck in a fault.
 */
static bool quiesce(struct iommufd_ctx_handover *h)
{
	for (int i = 0; i < IOMMUFD_HANDOVER_LOCKS; i++) {
		if (!down_write_trylock(&h->lock[i].rwsem))
			return false;
		up_write(&h->lock[i].rwsem);
	}
	return true;
}

static int replay_record(struct iommufd_device *idev, struct replay_device *d,
			 int (*attach)(void *data, u32 *pt_id), void *data)
{
	struct iommufd_ctx *ictx = idev->ictx;
	struct iommufd_replay *r = ictx->handover.replay;
	u32 id = idev->obj.id, pt_id, i;
	char why[200] = "";
	bool said = false;
	int rc;

	/*
	 * For reading: filling a table may wait for user space, and a writer
	 * that is queued would hold up every later call, exit included.
	 */
	rc = iommufd_handover_change_begin(&ictx->handover);
	if (rc)
		return rc;
	mutex_lock(&r->fill);
	for (i = 0; !rc && i < r->hwpts; i++)
		if (iommufd_handover_pending(&ictx->handover) &&
		    uses_hwpt(d, &r->hwpt[i]) &&
		    !xa_load(&ictx->objects, r->hwpt[i].id))
			rc = make_hwpt(ictx, &r->hwpt[i], d, idev, why,
				       sizeof(why));
	for (i = 0; !rc && i < r->hwpts; i++)
		if (iommufd_handover_pending(&ictx->handover) &&
		    r->hwpt[i].dev_id == id)
			note_maker(ictx, &r->hwpt[i], idev);
	if (rc)
		unmake_hwpts(ictx, id);
	mutex_unlock(&r->fill);
	iommufd_handover_change_end(&ictx->handover);

	if (!rc && d->pt_id && iommufd_handover_pending(&ictx->handover)) {
		pt_id = d->pt_id;
		rc = attach(data, &pt_id);
		if (rc) {
			/*
			 * Cure (that of the attach): remove the cause and bind
			 * again.
			 */
			snprintf(why, sizeof(why),
				 "device %u cannot be attached to HWPT %u: error %d",
				 id, d->pt_id, rc);
			down_read(iommufd_handover_lock(&ictx->handover));
			mutex_lock(&r->fill);
			unmake_hwpts(ictx, id);
			mutex_unlock(&r->fill);
			up_read(iommufd_handover_lock(&ictx->handover));
			/* By the attach itself, see switch.c, and better */
			said = rc == -EBADMSG;
		}
	}
	finish_adoption(r, d, idev, !rc);
	if (said)
		return rc;
	if (rc)
		/* Cure (that of the reason): see the reason. */
		return handover_refuse(rc, "%s is not handed over: %s",
				       dev_name(idev->dev), why);

	device_is_back(r, d);
	dev_info(idev->dev, "iommu-handover: device %u is back, attached to HWPT %u\n",
		 id, d->pt_id);
	return 0;
}

/* A device that does DMA waits for memory as well: what fails would end that. */
static int wait_for_records(struct iommufd_replay *r, bool runs)
{
	struct iommufd_ctx_handover *h = &r->ictx->handover;
	int rc = 0;

	if (runs)
		rc = wait_var_event_killable(&h->behind, !READ_ONCE(r->records));
	return rc ?: iommufd_handover_records_wait(h);
}

int iommufd_handover_replay_device(struct iommufd_device *idev,
				   int (*attach)(void *data, u32 *pt_id),
				   void *data)
{
	struct iommufd_ctx *ictx = idev->ictx;
	struct iommufd_replay *r = ictx->handover.replay;
	struct replay_device *d;
	bool runs, first;
	int rc;

	if (!r || !iommufd_handover_pending(&ictx->handover) ||
	    !dev_is_pci(idev->dev))
		return 0;
	for (d = r->device; d < r->device + r->devices; d++)
		/* The bind before has seen that it is the device */
		if (d->id == idev->obj.id && !READ_ONCE(d->done))
			break;
	if (d == r->device + r->devices)
		return 0;
	/* HWPTs are those of the records, of what these have mapped */
	runs = handover_in_runs(to_pci_dev(idev->dev));
	rc = wait_for_records(r, runs);
	if (rc)
		/* Cure (that of the record): see the record that cannot be replayed. */
		return handover_refuse(rc,
				       "%s is not handed over: the records of its iommufd are not replayed: error %d",
				       dev_name(idev->dev), rc);

	/* A table that it uses may become that of the HWPT: nobody is to change it */
	first = runs && !d->busy;
	if (first)
		handover_replay_busy(r, d, idev);
	d->quiet = runs && quiesce(&ictx->handover);
	rc = replay_record(idev, d, attach, data);
	d->quiet = false;
	if (first)
		handover_replay_busy(r, d, NULL);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_replay_device, "IOMMUFD");

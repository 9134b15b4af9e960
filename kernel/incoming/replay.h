/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover, incoming side: what a replayed context still waits for.
 *
 * iommufd-kho-restore.c fills it from the records, rebuild.c works it off.
 */
#ifndef __IOMMU_HANDOVER_REPLAY_H
#define __IOMMU_HANDOVER_REPLAY_H

#include <linux/mutex.h>
#include <linux/workqueue.h>

#include "../iommufd/iommufd_private.h"
#include "incoming.h"

struct mem_cgroup;

/**
 * struct replay_behind - a device that is in use while its records are replayed
 * @work: replays them
 * @idev: the device, bound; NULL when nobody asked for it
 * @memcg: pays for the page tables
 * @attach: as of iommufd_handover_replay_behind()
 * @release: the same
 * @data: the same
 */
struct replay_behind {
	struct work_struct work;
	struct iommufd_device *idev;
	struct mem_cgroup *memcg;
	int (*attach)(void *data, u32 *pt_id);
	void (*release)(void *data);
	void *data;
};

/**
 * struct replay_device - a VFIO_BIND record, and the ATTACH of that device
 * @id: its object ID
 * @busy: the device while it is replayed and @behind of the context counts it, so that
 *	other calls wait; NULL otherwise
 * @quiet: @busy, and no call that has not waited for it is under way
 * @pt_id: HWPT it was attached to, 0 for none
 * @done: bound and attached again
 * @expected: a bind through its own character device is under way
 * @fact: which device
 * @behind: see there
 */
struct replay_device {
	u32 id;
	u32 pt_id;
	bool done;
	bool expected;
	struct iho_device fact;
	struct replay_behind behind;
	struct iommufd_device *busy;
	bool quiet;
};

/**
 * struct replay_hwpt - an HWPT_ALLOC record
 * @id: its object ID; this and @table are of the image's head, what follows of the record
 * @ioas_id: IOAS that it is of
 * @dev_id: device it was allocated with, and is when no attached one comes first
 * @made_by: device whose replay made it last; it may be gone again
 * @flags: of HWPT_ALLOC
 * @is_auto: iommufd allocated it by itself
 * @done: every device that uses it is back
 * @freed: the inherited table was given back, or is that of the HWPT
 * @adopting: the HWPT uses the inherited table, which is KHO's still
 * @table: the inherited table
 */
struct replay_hwpt {
	u32 id;
	u32 ioas_id;
	u32 dev_id;
	u32 made_by;
	u32 flags;
	bool is_auto;
	bool done;
	bool freed;
	bool adopting;
	struct iho_table table;
};

/**
 * struct iommufd_replay - what of a context is still to be replayed
 * @ictx: the context
 * @index: its index in the image
 * @fill: held while page tables are filled, which may wait for user space:
 *	abandon only tries it. Inside of iommufd_ctx_handover::lock
 * @filling: who holds it and allocates the HWPT @fill_id
 * @fill_id: its ID
 * @lock: of all below and of iommufd_ctx_handover::pending, behind and records; inside
 *	of @fill. What is "done" is written with both held, and may be read with either
 * @task: allocates an object now that gets @forced as its ID
 * @forced: 0 for the next free one
 * @records: applies the records behind the file, now or when it tries again; NULL when it
 *	is over
 * @given_up: it need not try again
 * @devices: length of @device
 * @hwpts: length of @hwpt
 * @device: in the order of the image
 * @hwpt: in the order of the records
 *
 * Lives as long as the context.
 */
struct iommufd_replay {
	struct iommufd_ctx *ictx;
	u32 index;
	struct mutex fill;	/* the two that follow */
	struct task_struct *filling;
	u32 fill_id;
	struct mutex lock;	/* all that follows */
	struct task_struct *task;
	u32 forced;
	struct delayed_work *records;
	bool given_up;
	u32 devices, hwpts;
	struct replay_device *device;
	struct replay_hwpt *hwpt;
};

void handover_replay_init(struct iommufd_replay *r, u32 index);
void handover_replay_free(struct iommufd_replay *r);

/**
 * handover_replay_busy() - calls that change the context wait
 * @r: of the context
 * @d: the record of the device that is replayed
 * @idev: the device; NULL at the end
 */
void handover_replay_busy(struct iommufd_replay *r, struct replay_device *d,
			  struct iommufd_device *idev);

/**
 * handover_replay_finish() - the session of a context is about to be finished
 * @r: of the context
 *
 * Waits for what is replayed behind devices in use, and tries once more what
 * failed. Afterwards iommufd_handover_pending() says whether all is back.
 */
void handover_replay_finish(struct iommufd_replay *r);

/* A worker that failed to apply the records and waits tries again now. */
void handover_records_again(struct iommufd_replay *r);

/* The records could not be replayed, and never will be. */
static inline bool handover_records_lost(const struct iommufd_replay *r)
{
	return !READ_ONCE(r->records) && READ_ONCE(r->ictx->handover.records) < 0;
}

/*
 * Nobody waits for the records any more; @r->lock is held. Return: false, with nothing
 * done, when they are just being applied.
 */
bool handover_records_give_up(struct iommufd_replay *r);

/* ---- adopt.c ------------------------------------------------------------- */

/**
 * handover_may_adopt() - may an HWPT go on with the inherited table?
 * @r: of the context; @fill is held
 * @h: the HWPT
 * @d: the device that is bound
 *
 * Return: whether no device uses the table any more by what the last kernel set up, or
 * those that do are all being replayed, while other calls wait.
 */
bool handover_may_adopt(struct iommufd_replay *r, const struct replay_hwpt *h,
			const struct replay_device *d);

/* Are all devices that use the page table of @idev being replayed? */
bool handover_all_busy(struct iommufd_replay *r, struct iommufd_device *idev);

/* Does it use this inherited table, which devices use without it as well? */
bool handover_adopts(const struct iommufd_hwpt_paging *hwpt, u64 root_pa);

/**
 * handover_adopt_finish() - a device was attached to an HWPT, or was stopped
 * @ictx: the context
 * @h: the HWPT; it need not exist
 *
 * When nobody else uses the inherited table, it is that of the HWPT alone.
 */
void handover_adopt_finish(struct iommufd_ctx *ictx, struct replay_hwpt *h);

#endif

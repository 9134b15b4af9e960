/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover inside iommufd: what a context and its objects carry, and
 * the hooks in iommufd's paths. Included by iommufd_private.h.
 *
 * Locking: one of iommufd_ctx_handover::lock is read-held over every call that
 * changes a context, and all are write-held (by trylock) while the context is
 * read for a snapshot or sealed. Which one depends on the task: iommufd lets
 * threads map and unmap in different IOASes at once, and all of them would write
 * the cache line of a single lock. Order: LUO serialize -> session -> handover
 * mutex -> iommufd_ctx_handover::lock -> iommufd's own locks. A vfio dev_set
 * lock may be held outside of all of these but the LUO ones, inside of which it is
 * taken when a device file is preserved or retrieved.
 */
#ifndef __IOMMUFD_HANDOVER_H
#define __IOMMUFD_HANDOVER_H

#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/ioctl.h>
#include <linux/mutex.h>
#include <linux/log2.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <uapi/linux/iommufd.h>

struct device;
struct file_operations;
struct iho_table;
struct io_pagetable;
struct iommu_domain;
struct iommufd_ctx;
struct iommu_attach_handle;
struct iommufd_device;
struct iommufd_hw_pagetable;
struct iommufd_hwpt_paging;
struct iommufd_replay;

int iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
		       unsigned long arg);
extern const struct file_operations iommufd_fops;

/* The last ioctl that iommufd has in this kernel. */
#ifdef IOMMU_IOAS_NOIOMMU_GET_PA
#define IOMMUFD_HANDOVER_LAST_CMD	IOMMUFD_CMD_IOAS_NOIOMMU_GET_PA
#else
#define IOMMUFD_HANDOVER_LAST_CMD	IOMMUFD_CMD_HW_QUEUE_ALLOC
#endif

/*
 * For a static_assert beside iommufd's table of ioctls, which has @_nr entries:
 * whoever adds one has to say in brackets.c whether it changes a context. The
 * selftest's entry is far after the others, so its kernels cannot tell.
 */
#define IOMMUFD_HANDOVER_KNOWS(_nr)                                            \
	(!IS_ENABLED(CONFIG_IOMMU_HANDOVER) || IS_ENABLED(CONFIG_IOMMUFD_TEST) || \
	 (_nr) == IOMMUFD_HANDOVER_LAST_CMD - IOMMUFD_CMD_BASE + 1)

#ifdef CONFIG_IOMMU_HANDOVER

/* As many locks as a context has; a power of two. */
#define IOMMUFD_HANDOVER_LOCKS	16

struct iommufd_handover_lock {
	struct rw_semaphore rwsem;
} ____cacheline_aligned_in_smp;

/**
 * struct iommufd_ctx_handover - part of struct iommufd_ctx
 * @lock: see above; 1 KiB, and no other field is on their cache lines
 * @preserved: in a LUO session; changes move the generation
 * @sealed: changes give -EBUSY
 * @compat: used through VFIO's type1 interface
 * @unknown: an ioctl that this file does not know was called; 0 for none
 * @pending: devices of the last handover that it waits for, and its records if they are
 *	applied behind its file
 * @behind: of these, how many that do DMA are just replayed, and the records: calls wait
 * @records: 1 while its records are applied, or the errno of why they were not: calls
 *	fail with that, until they are; 0 when it waits for none
 * @replay: what was retrieved with the context; NULL for one that was opened
 */
struct iommufd_ctx_handover {
	struct iommufd_handover_lock lock[IOMMUFD_HANDOVER_LOCKS];
	bool preserved;
	bool sealed;
	bool compat;
	unsigned int unknown;
	u32 pending;
	u32 behind;
	int records;
	struct iommufd_replay *replay;
};

/**
 * struct iommufd_device_handover - part of struct iommufd_device
 * @serial: IDs are reused, serials are not
 * @closing: its driver is closing and perhaps resetting it
 * @token: bound with a token
 * @file: its file is preserved in a session, under handover_out.lock
 * @making: replays an HWPT of it now
 * @inherit: page table that this HWPT may go on with, or NULL
 * @user: orders the calls that change the following
 * @migrating: its driver has it in another migration state than running
 * @logging: its driver logs DMA
 */
struct iommufd_device_handover {
	u64 serial;
	bool closing;
	bool token;
	bool file;
	struct task_struct *making;
	const struct iho_table *inherit;
	struct mutex user;	/* of all that follows */
	bool migrating;
	bool logging;
};

/**
 * struct iommufd_hwpt_handover - part of struct iommufd_hwpt_paging
 * @flags: of its HWPT_ALLOC
 * @dev_id: device that it was allocated with
 * @dev_serial: of that
 * @inherit: page table that it may go on with, or NULL
 * @own_top: it does, and that is KHO's still: its own empty one; otherwise 0
 * @dirty_tracking: as last set
 */
struct iommufd_hwpt_handover {
	u32 flags;
	u32 dev_id;
	u64 dev_serial;
	const struct iho_table *inherit;
	uintptr_t own_top;
	bool dirty_tracking;
};

/**
 * iommufd_handover_attach() - attach a device to an HWPT
 * @hwpt: the HWPT
 * @idev: the device
 * @handle: as of iommu_attach_group_handle()
 *
 * The DMA of a device that did not stop for the last kexec goes on if the page
 * table of @hwpt is equal to the one that it uses; otherwise it stays with that.
 *
 * Return: what iommu_attach_group_handle() gives; -EBADMSG when the page tables
 * differ, -EOPNOTSUPP when they cannot be compared (noted), -EINTR.
 */
int iommufd_handover_attach(struct iommufd_hw_pagetable *hwpt,
			    struct iommufd_device *idev,
			    struct iommu_attach_handle *handle);

/**
 * iommufd_handover_fill_first() - how is an automatic HWPT made for a device?
 * @idev: the device
 *
 * Return: true when it has to be filled before it is attached, since the device
 * does DMA and only an equal page table is attached.
 */
bool iommufd_handover_fill_first(struct iommufd_device *idev);

/* The device is about to be unbound: its DMA ends if it was not attached. */
void iommufd_handover_unbind(struct iommufd_device *idev);

void iommufd_handover_ctx_init(struct iommufd_ctx *ictx);

/* True: leave everything in place, the jump has been committed to. */
bool iommufd_handover_ctx_release(struct iommufd_ctx *ictx);

void handover_generation_move(void);

/* The lock of the current task: the same at the end of a call as at its begin. */
static inline struct rw_semaphore *
iommufd_handover_lock(struct iommufd_ctx_handover *h)
{
	return &h->lock[hash_ptr(current, ilog2(IOMMUFD_HANDOVER_LOCKS))].rwsem;
}

/**
 * iommufd_handover_change_begin() - a call will change the context
 * @h: of the context
 *
 * Inline, as its end, since every map and unmap pays for it.
 *
 * Return: 0 with the context's lock read-held until change_end(), or -EBUSY
 * while it is sealed.
 */
static inline int iommufd_handover_change_begin(struct iommufd_ctx_handover *h)
{
	down_read(iommufd_handover_lock(h));
	if (unlikely(READ_ONCE(h->sealed))) {
		up_read(iommufd_handover_lock(h));
		return -EBUSY;
	}
	return 0;
}

/*
 * Wait until no worker replays records of the context. Return: 0, -ERESTARTSYS, or the
 * errno of records that could not be replayed, maybe for the time being.
 */
int iommufd_handover_settle_wait(struct iommufd_ctx_handover *h);

static inline int iommufd_handover_settle(struct iommufd_ctx_handover *h)
{
	return unlikely(READ_ONCE(h->behind)) ? iommufd_handover_settle_wait(h) : 0;
}

static inline void iommufd_handover_change_end(struct iommufd_ctx_handover *h);

/* Both: no device that does DMA is replayed from then until change_end(). */
static inline int iommufd_handover_settled_begin(struct iommufd_ctx_handover *h)
{
	int rc;

	for (;;) {
		rc = iommufd_handover_settle(h) ?: iommufd_handover_change_begin(h);
		if (rc || likely(!READ_ONCE(h->behind)))
			return rc;
		iommufd_handover_change_end(h);
	}
}

/* The same for the records only: a device may be replayed meanwhile. */
int iommufd_handover_records_wait(struct iommufd_ctx_handover *h);

/* For who makes an object, whose ID must not be one that a record has. */
static inline int iommufd_handover_create_begin(struct iommufd_ctx_handover *h)
{
	int rc;

	for (;;) {
		rc = unlikely(READ_ONCE(h->records)) ?
		     iommufd_handover_records_wait(h) : 0;
		if (!rc)
			rc = iommufd_handover_change_begin(h);
		if (rc || likely(!READ_ONCE(h->records)))
			return rc;
		iommufd_handover_change_end(h);
	}
}

static inline void iommufd_handover_change_end(struct iommufd_ctx_handover *h)
{
	/* Before the lock goes: a snapshot sees the change and the move */
	if (unlikely(READ_ONCE(h->preserved)))
		handover_generation_move();
	up_read(iommufd_handover_lock(h));
}

/*
 * Bracket the end of an object that no ioctl ends, an access: a snapshot must not
 * find it half gone. The context itself stays until let_go().
 */
void iommufd_handover_hold(struct iommufd_ctx *ictx);
void iommufd_handover_let_go(struct iommufd_ctx *ictx);

/* The same for VFIO's type1 interface, whose users are noted and refused. */
int iommufd_handover_compat_begin(struct iommufd_ctx *ictx);

/* What an ioctl other than a plain change asks for. */
int iommufd_handover_ioctl_other(struct iommufd_ctx_handover *h,
				 unsigned int cmd, const void *arg,
				 bool *locked);

/* The calls that every VMM makes all the time; they are changes. */
#define IOMMUFD_HANDOVER_CHANGES                                               \
	(BIT(IOMMUFD_CMD_IOAS_MAP - IOMMUFD_CMD_BASE) |                        \
	 BIT(IOMMUFD_CMD_IOAS_MAP_FILE - IOMMUFD_CMD_BASE) |                   \
	 BIT(IOMMUFD_CMD_IOAS_UNMAP - IOMMUFD_CMD_BASE) |                      \
	 BIT(IOMMUFD_CMD_IOAS_COPY - IOMMUFD_CMD_BASE) |                       \
	 BIT(IOMMUFD_CMD_IOAS_ALLOC - IOMMUFD_CMD_BASE) |                      \
	 (IS_ENABLED(CONFIG_IOMMUFD_TEST) ? 0 :                                \
	  BIT(IOMMUFD_CMD_DESTROY - IOMMUFD_CMD_BASE)))

/* The same for an ioctl by number; one that changes nothing takes no lock. */
static inline int iommufd_handover_ioctl_begin(struct iommufd_ctx_handover *h,
					       unsigned int cmd,
					       const void *arg, bool *locked)
{
	int rc;

	if (unlikely(!(IOMMUFD_HANDOVER_CHANGES &
		       BIT(_IOC_NR(cmd) - IOMMUFD_CMD_BASE))))
		return iommufd_handover_ioctl_other(h, cmd, arg, locked);
	rc = iommufd_handover_settled_begin(h);
	*locked = !rc;
	return rc;
}

/* The vfio compatibility ioctls, wrapped in the same way. */
long iommufd_handover_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
				 unsigned long arg);

/**
 * iommufd_handover_close_begin() - for changes that cannot fail
 * @ictx: the context
 * @idev: its device that is detached or closed; NULL when the context is
 *
 * A seal on the context is broken (undone) first.
 *
 * Return: true when the jump has been committed to and the caller must leave
 * everything in place, no lock held then; else false, with the lock read-held
 * until change_end().
 */
bool iommufd_handover_close_begin(struct iommufd_ctx *ictx,
				  struct iommufd_device *idev);

/* Wrap binding: force the recorded ID of a device that is waited for. */
int iommufd_handover_bind_begin(struct iommufd_ctx *ictx, struct device *dev);
void iommufd_handover_bind_end(struct iommufd_ctx *ictx);

/* A device object was allocated; nobody else sees it yet. */
void iommufd_handover_device_init(struct iommufd_device *idev);

/* The ID that a replay forces on the object being allocated, or 0. */
u32 iommufd_handover_forced_id(struct iommufd_ctx *ictx);

/* True while @id belongs to a record that still waits: keep it reserved. */
bool iommufd_handover_holds_id(struct iommufd_ctx *ictx, u32 id);

/* True while a record still waits for its device. */
static inline bool iommufd_handover_pending(struct iommufd_ctx_handover *h)
{
	return READ_ONCE(h->pending);
}

/**
 * iommufd_handover_adopt() - fill a domain by giving it the inherited page table
 * @iopt: its IOAS; no area comes or goes
 * @domain: empty, and not attached to any device
 *
 * Return: true when every area is mapped, its pages pinned, and nothing else is
 * mapped; false when nothing was done, and it has to be filled.
 */
bool iommufd_handover_adopt(struct io_pagetable *iopt,
			    struct iommu_domain *domain);

/**
 * iommufd_handover_give_back() - empty such a domain, without unmapping anything
 * @iopt: its IOAS, which the domain was removed from
 * @domain: the domain
 *
 * Return: true when it was one whose table devices use by themselves as well.
 */
bool iommufd_handover_give_back(struct io_pagetable *iopt,
				struct iommu_domain *domain);

void iommufd_handover_record_hwpt(struct iommufd_hwpt_paging *hwpt,
				  struct iommufd_device *idev, u32 flags);
void iommufd_handover_dirty_tracking(struct iommufd_hwpt_paging *hwpt,
				     bool enable);

#else

struct iommufd_ctx_handover { };
struct iommufd_device_handover { };
struct iommufd_hwpt_handover { };

#define iommufd_handover_attach(_hwpt, _idev, _handle)			       \
	iommu_attach_group_handle((_hwpt)->domain, (_idev)->igroup->group,     \
				  _handle)
static inline bool iommufd_handover_fill_first(struct iommufd_device *idev)
{
	return false;
}

static inline void iommufd_handover_unbind(struct iommufd_device *idev) { }

static inline void iommufd_handover_ctx_init(struct iommufd_ctx *ictx) { }
static inline bool iommufd_handover_ctx_release(struct iommufd_ctx *ictx)
{
	return false;
}

static inline int iommufd_handover_change_begin(struct iommufd_ctx_handover *h)
{
	return 0;
}

static inline int iommufd_handover_create_begin(struct iommufd_ctx_handover *h)
{
	return 0;
}

static inline void iommufd_handover_change_end(struct iommufd_ctx_handover *h) { }
static inline void iommufd_handover_hold(struct iommufd_ctx *ictx) { }
static inline void iommufd_handover_let_go(struct iommufd_ctx *ictx) { }
static inline int iommufd_handover_compat_begin(struct iommufd_ctx *ictx)
{
	return 0;
}

static inline int iommufd_handover_ioctl_begin(struct iommufd_ctx_handover *h,
					       unsigned int cmd,
					       const void *arg, bool *locked)
{
	*locked = false;
	return 0;
}

static inline long iommufd_handover_vfio_ioctl(struct iommufd_ctx *ictx,
					       unsigned int cmd,
					       unsigned long arg)
{
	return iommufd_vfio_ioctl(ictx, cmd, arg);
}

static inline bool iommufd_handover_close_begin(struct iommufd_ctx *ictx,
						struct iommufd_device *idev)
{
	return false;
}

static inline int iommufd_handover_bind_begin(struct iommufd_ctx *ictx,
					      struct device *dev)
{
	return 0;
}

static inline void iommufd_handover_bind_end(struct iommufd_ctx *ictx) { }
static inline void iommufd_handover_device_init(struct iommufd_device *idev) { }
static inline u32 iommufd_handover_forced_id(struct iommufd_ctx *ictx)
{
	return 0;
}

static inline bool iommufd_handover_holds_id(struct iommufd_ctx *ictx, u32 id)
{
	return false;
}

static inline bool iommufd_handover_adopt(struct io_pagetable *iopt,
					  struct iommu_domain *domain)
{
	return false;
}

static inline bool iommufd_handover_give_back(struct io_pagetable *iopt,
					      struct iommu_domain *domain)
{
	return false;
}

static inline void iommufd_handover_record_hwpt(struct iommufd_hwpt_paging *hwpt,
						struct iommufd_device *idev,
						u32 flags) { }
static inline void iommufd_handover_dirty_tracking(struct iommufd_hwpt_paging *hwpt,
						   bool enable) { }

#endif
#endif

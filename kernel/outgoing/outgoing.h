/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover, outgoing side: what its files and the interface share.
 */
/**
 * DOC: outgoing side
 *
 * An iommufd that is preserved in a LUO session is a struct handover_ctx. SNAPSHOT
 * holds all of them still, gathers facts of objects, devices and memory, and
 * derives from them the records of which the next kernel makes the objects again;
 * it walks the hardware's page tables for what the records say, and is kept. The
 * loader builds an image of that. SEAL compares the image byte by byte with the
 * snapshot, or with a second one when anything has changed, preserves image and page
 * tables, and stops all calls that would change a context.
 * What cannot be refused undoes the seal first. struct handover_out is all the
 * state there is.
 */
#ifndef __IOMMU_HANDOVER_OUTGOING_H
#define __IOMMU_HANDOVER_OUTGOING_H

#include <linux/kref.h>
#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/wait.h>

#include "../iommufd/iommufd_private.h"
#include "handover.h"

struct kimage;

/**
 * struct handover_ctx - a preserved iommufd
 * @list: on handover_out.contexts, ordered by session, then token
 * @ictx: the context; LUO holds its file
 * @session: the session it is preserved in
 * @token: its token there
 * @locked: its lock is write-held by handover_contexts_lock()
 */
struct handover_ctx {
	struct list_head list;
	struct iommufd_ctx *ictx;
	struct luo_session *session;
	u64 token;
	bool locked;
};

/**
 * enum handover_jump - how far a jump has come
 * @HANDOVER_JUMP_NONE: a close of a sealed object undoes the seal
 * @HANDOVER_JUMP_FREEZING: it waits for the outcome
 * @HANDOVER_JUMP_COMMITTED: it leaves everything in place
 */
enum handover_jump {
	HANDOVER_JUMP_NONE,
	HANDOVER_JUMP_FREEZING,
	HANDOVER_JUMP_COMMITTED,
};

/**
 * struct handover_out - the state of the outgoing handover
 * @lock: of all below; outside of iommufd_ctx_handover::lock, inside of LUO's
 *	locks
 * @contexts: struct handover_ctx of every preserved iommufd
 * @nr: how many
 * @seal: the seal, or NULL
 * @copies: images that are being copied to preserved memory
 * @cookie: of the last seal that was made; 0 before the first
 * @passed: cookie of the seal with which the gate let the last jump pass, 0
 *	when it passed without
 * @frozen: how many contexts LUO has frozen
 * @jump: how far a jump has come
 * @jump_wait: woken when @jump changes
 * @undone: why the last seal was undone; "" after the next SEAL
 * @given: the last snapshot that user space was given; or NULL, as after its seal
 *
 * A seal is named by its cookie. A kernel that is loaded while one is in place
 * carries its cookie in struct kimage, so that a kernel whose seal was undone
 * can be told from others after both are gone.
 */
struct handover_out {
	struct mutex lock;		/* all that follows */
	struct list_head contexts;
	u32 nr;
	struct handover_seal *seal;
	u32 copies;
	u64 cookie;
	u64 passed;
	u32 frozen;
	enum handover_jump jump;
	wait_queue_head_t jump_wait;
	char undone[192];
	struct handover_live *given;
};

extern struct handover_out handover_out;

/* ---- contexts.c ------------------------------------------------------ */

/* Note a refusal that names session and token first. Return: @err. */
__printf(3, 4) int handover_refuse_ctx(struct handover_ctx *ctx, int err,
				       const char *fmt, ...);

/*
 * An IOAS's IOVAs are being changed or read by a call. Return: -EAGAIN.
 *
 * They are read by calls that change nothing and may be stuck in a fault with a
 * writer queued after them: never wait for them with a snapshot's locks held.
 */
int handover_refuse_busy(struct handover_ctx *ctx, struct iommufd_ioas *ioas);

/**
 * handover_object_from() - the next object of a context
 * @ictx: the context, its lock write-held
 * @index: where to begin; set to the object's ID
 *
 * The context's lock holds all objects but those of iommufd's selftest, which
 * are left out: they are not looked at without the array's lock.
 *
 * Return: the object, NULL after the last.
 */
struct iommufd_object *handover_object_from(struct iommufd_ctx *ictx,
					    unsigned long *index);

bool handover_is_selftest(const struct iommufd_object *obj);

/* The HWPT that a device is attached to, or NULL. */
struct iommufd_hw_pagetable *handover_attached(struct iommufd_device *idev);

/**
 * handover_lock_settled() - take the lock of a device that nobody takes away
 * @ctx: its context
 * @idev: the device
 * @err: what to refuse with
 *
 * Who takes a device away or resets it holds its lock meanwhile: an unbind for
 * as long as user space has the device open, and the jump, which shuts devices
 * down, would wait for it without end.
 *
 * Return: 0 with the device locked, to be given back with device_unlock(); or
 * @err (noted).
 */
int handover_lock_settled(struct handover_ctx *ctx,
			  struct iommufd_device *idev, int err);

/**
 * handover_contexts_lock() - hold off every change to every preserved iommufd
 * @contexts: of struct handover_ctx
 *
 * Does not sleep on any of them. To be called with liveupdate_trylock() and
 * handover_out.lock held.
 *
 * Return: 0, or -EAGAIN (noted) when one is in the middle of a call.
 */
int handover_contexts_lock(struct list_head *contexts);
void handover_contexts_unlock(struct list_head *contexts);

/**
 * handover_devices_settled() - see that nobody is taking a device away
 * @contexts: of struct handover_ctx, sealed; handover_out.lock held
 * @err: what to refuse with
 *
 * Return: 0, or @err (noted) when one is being unbound, unplugged or reset.
 */
int handover_devices_settled(struct list_head *contexts, int err);

/* ---- live state: snapshot.c, verify.c --------------------------------- */

/**
 * struct handover_live - live state, taken under the locks above
 * @ref: of handover_live_put()
 * @generation: of it
 * @continuous: taken with HANDOVER_TAKE_CONTINUOUS
 * @user: a map of it is by user address
 * @proved: by handover_live_prove()
 * @buf: a snapshot (section 7 of the format)
 * @len: its length in bytes
 * @facts: points into @buf
 * @mem: what LUO holds for each memory of @facts, same order; good as long as the
 *	generation has not moved, since a memfd is unpreserved with the iommufd of
 *	its session only
 */
struct handover_live {
	struct kref ref;
	u64 generation;
	bool continuous;
	bool user;
	bool proved;
	void *buf;
	size_t len;
	struct iho_facts facts;
	struct liveupdate_found *mem;
};

/*
 * After a refusal go on to the next object, so that what is against all of them is
 * noted.
 */
#define HANDOVER_TAKE_ALL		0x1u
/* Attached devices are to go on with their DMA; one that cannot is refused. */
#define HANDOVER_TAKE_CONTINUOUS	0x2u

/**
 * handover_live_take() - read the live state of all contexts
 * @contexts: of struct handover_ctx, locked
 * @generation: goes into the snapshot
 * @flags: HANDOVER_TAKE_*
 *
 * Return: for handover_live_put(); ERR_PTR of -EOPNOTSUPP for what cannot be
 * handed over, -EFBIG over a limit, -EAGAIN, -EBUSY, -ENOMEM; a refusal has been
 * noted for each.
 */
struct handover_live *handover_live_take(struct list_head *contexts,
					 u64 generation, u32 flags);

/* NULL is ignored. */
void handover_live_put(struct handover_live *live);

/**
 * handover_live_holds() - would handover_live_take() give the same again?
 * @contexts: of struct handover_ctx, locked
 * @live: what it gave, or NULL
 * @generation: now
 * @flags: HANDOVER_TAKE_*
 *
 * Without a look at the maps, of which there may be many: a map moves the
 * generation, but for one by user address, whose memory mmap() and mremap() move
 * without. What sysfs and drivers change of a device moves none and is looked at.
 * Context: handover_out.lock held.
 *
 * Return: 1 or 0; an error of handover_live_take(), noted.
 */
int handover_live_holds(struct list_head *contexts,
			const struct handover_live *live, u64 generation,
			u32 flags);

/* It was taken at another generation, which has moved since. */
void handover_live_date(struct handover_live *live, u64 generation);

/* Are these, of one generation, two states? */
bool handover_live_differ(const struct handover_live *a,
			  const struct handover_live *b);

/**
 * handover_live_prove() - compare each hardware tree with the recorded maps
 * @contexts: of struct handover_ctx, locked
 * @live: what handover_live_take() read of them; not again if it is proved
 *
 * Every leaf must be the page that LUO preserves for the memory and offset of
 * its map, with the map's permissions, and nothing else may be mapped. The records
 * are replayed in the library's model first.
 *
 * Return: 0; -EINVAL (names HWPT or IOAS, and IOVA), -EFBIG for user memory in
 * too many pieces, -EAGAIN, -ENOMEM; each noted.
 */
int handover_live_prove(struct list_head *contexts, struct handover_live *live);

/* ---- image.c ---------------------------------------------------------- */

/**
 * struct handover_image_copy - an image in memory that can be preserved
 * @ptr: of each extent
 * @pa: of each extent
 * @len: of each extent, bytes
 * @extents: how many
 * @total: bytes of all
 * @map: all of it, contiguous
 */
struct handover_image_copy {
	void *ptr[IHO_MAX_EXTENTS];
	u64 pa[IHO_MAX_EXTENTS];
	u64 len[IHO_MAX_EXTENTS];
	u32 extents;
	u64 total;
	const void *map;
};

/**
 * struct handover_kept - a device that does not stop for the kexec
 * @register_pa: of its unit
 * @segment: PCI segment
 * @source_id: bus << 8 | devfn
 */
struct handover_kept {
	u64 register_pa;
	u32 segment;
	u16 source_id;
};

/**
 * struct handover_seal - a seal, made or in the making
 * @cookie: its name; 0 until it is made
 * @generation: of the snapshot that the image was made from
 * @image: the sealed image
 * @opened: the same to the library, when there is no @open_err
 * @index: of @opened
 * @open_err: 0, or what the library says of it: an IHO_ERR_*, negative
 * @where: of @open_err
 * @envelope: the page that KHO's subtree names, or NULL
 * @table_pa: preserved page-table pages
 * @tables: how many
 * @kept: devices that do not stop
 * @nr_kept: how many
 * @unit_pa: preserved pages of root and entry tables, ascending
 * @unit_pages: how many
 * @loaded: the kernel that a kexec would jump to was loaded under it
 * @records: in the image
 * @devices: in the image
 * @hwpts: in the image
 */
struct handover_seal {
	u64 cookie;
	u64 generation;
	struct handover_image_copy image;
	struct iho_image opened;
	void *index;
	int open_err;
	struct iho_where where;
	void *envelope;
	u64 *table_pa;
	u64 tables;
	struct handover_kept *kept;
	u32 nr_kept;
	u64 *unit_pa;
	u32 unit_pages;
	bool loaded;
	u32 records;
	u32 devices;
	u32 hwpts;
};

/**
 * handover_seal_copy() - a seal in the making, with a copy of the image
 * @image: in user space
 * @len: its length in bytes, whole pages, at most IHO_MAX_IMAGE
 *
 * Context: no lock of the handover held: user memory may fault for as long as
 * it likes. What the library says of the image is found out here as well.
 * Return: for handover_seal_free(); ERR_PTR of -ENOMEM, -EFBIG for too many
 * pieces, -EFAULT, noted.
 */
struct handover_seal *handover_seal_copy(const void __user *image, u64 len);

/**
 * handover_seal_fill() - check the image, preserve what it names
 * @s: from handover_seal_copy()
 * @generation: of the snapshot that it must be made from
 * @live: what all contexts are at that generation, proved
 *
 * Context: contexts locked.
 * Return: 0; -EBADMSG, -EOPNOTSUPP, -EFBIG, -ESTALE, -EINVAL, -ENOMEM, or what
 * KHO gave, noted.
 */
int handover_seal_fill(struct handover_seal *s, u64 generation,
		       const struct handover_live *live);

/* Give back all that a seal preserves. */
void handover_seal_free(struct handover_seal *s);

/* ---- stays.c ---------------------------------------------------------- */

struct iommufd_hw_pagetable;

/* Can the DMA of a device go on? Return: 0; -EOPNOTSUPP (noted). */
int handover_check_stays(struct handover_ctx *ctx, struct iommufd_device *idev,
			 struct iommufd_hw_pagetable *hwpt);

/*
 * A device whose file is preserved comes back attached and as it was: can it, as
 * @dev says? Return: 0; -EOPNOTSUPP (noted) for one that is to stop.
 */
int handover_check_file(struct handover_ctx *ctx, struct iommufd_device *idev,
			const struct iho_device *dev);

/**
 * handover_stays_fill() - preserve what units need for devices that do not stop
 * @s: from handover_seal_copy()
 * @contexts: locked
 * @live: what was read of them
 *
 * Return: 0; -ENOMEM or what KHO gave, noted; for handover_stays_free() anyway.
 */
int handover_stays_fill(struct handover_seal *s, struct list_head *contexts,
			const struct handover_live *live);
void handover_stays_free(struct handover_seal *s);

/*
 * Is it still so that their interrupts can be held back? @s: NULL for no seal.
 * Return: 0; -EBUSY (noted).
 */
int handover_stays_settled(const struct handover_seal *s);

/* From here on these devices and the bridges above are left alone. */
void handover_stays_commit(const struct handover_seal *s);

/* Does this device go on with its DMA? @s: NULL for no seal */
bool handover_seal_keeps(const struct handover_seal *s, u32 segment,
			 u16 source_id);

/*
 * Whether a unit, or with @source_id the entry of one of its devices, stays in use
 * after the jump. Context: at shutdown; takes no lock.
 */
bool handover_out_keeps(u64 register_pa, const u16 *source_id);

/* ---- seal.c ----------------------------------------------------------- */

/* iommufds of the last handover are not finished. Return: -EBUSY, noted. */
int handover_refuse_unfinished(u32 unfinished);

/* -EPERM when this kernel must not show user space what it knows, else 0. */
int handover_locked_down(void);

/*
 * For SNAPSHOT and SEAL @unfinished is how many iommufds of the last handover
 * are not finished, which the refusal of a system without any other names.
 * @flags: see handover_live_take(); with HANDOVER_TAKE_ALL page tables are compared
 * as well. @live: for handover_live_put(). @adopt: NULL, or has the kernel that is
 * loaded carry the cookie; with 0 it only asks whether that could be done. Its
 * errno, which it has noted, refuses the seal. Called with handover_out.lock held.
 */
int handover_snapshot(struct handover_live **live, u32 unfinished, u32 flags);
/* The last snapshot will not be sealed. Context: handover_out.lock held. */
void handover_forget_given(void);
int handover_seal(u64 generation, const void __user *image, u64 len,
		  u32 unfinished, int (*adopt)(u64 cookie), u64 *cookie);
int handover_unseal(void);

/*
 * Undo the seal, if there is one, for a reason that the gate repeats until the
 * next SEAL. Context: handover_out.lock held.
 */
__printf(1, 2) void handover_seal_break(const char *fmt, ...);

/* For QUERY and sysfs. Context: handover_out.lock held. */
struct handover_seal_info {
	bool sealed;
	bool loaded;
	u64 cookie;
	u64 generation;
	u64 image_len;
	u32 records;
	u32 devices;
	u32 tables;
	u64 table_pages;
};

void handover_seal_info(struct handover_seal_info *info);

#endif

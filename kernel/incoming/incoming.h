/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover, incoming side: what its files and the interface share.
 */
/**
 * DOC: incoming side
 *
 * The image is accepted or refused once, by its head, before there is a page
 * allocator. Devices that do DMA meanwhile are known by it before PCI is scanned,
 * and end it where they are not taken over. LUO's retrieve gives the iommufd back; its
 * records are checked and it is made again from them, at once if they are few and by a
 * worker if not, but for what needs a device: HWPTs are made
 * when their device is bound, or behind its file when that was preserved, compared
 * with the inherited page table, and only then is the device attached. What was
 * inherited is kept until nobody can use it any more. struct handover_incoming is the
 * image, struct iommufd_replay what a context waits for.
 */
#ifndef __IOMMU_HANDOVER_INCOMING_H
#define __IOMMU_HANDOVER_INCOMING_H

#include <linux/atomic.h>
#include <linux/liveupdate.h>

#include "handover.h"

struct apply;
struct file;
struct folio;
struct handover_entry;
struct iommufd_ctx;
struct iommufd_hwpt_paging;
struct iommufd_replay;
struct pci_dev;

/**
 * enum handover_in_state - what became of the last kernel's image
 * @HANDOVER_IN_NONE: there was none
 * @HANDOVER_IN_ACCEPTED: accepted: its head is sound
 * @HANDOVER_IN_REFUSED: refused as a whole
 * @HANDOVER_IN_OFF: ignored, iommu_handover=off
 */
enum handover_in_state {
	HANDOVER_IN_NONE,
	HANDOVER_IN_ACCEPTED,
	HANDOVER_IN_REFUSED,
	HANDOVER_IN_OFF,
};

/**
 * struct handover_incoming - the image of the last kernel
 * @state: set once, early
 * @reason: why it was refused, "" otherwise
 * @image: when accepted
 * @unfinished: contexts of it that are not finished
 * @pa: physical address of each extent of it
 * @len: bytes of each
 * @extents: how many
 * @envelope_pa: its page
 * @running: devices of it that did not stop
 * @index: of @image, NULL before there is memory
 */
struct handover_incoming {
	enum handover_in_state state;
	char reason[160];
	struct iho_image image;
	atomic_t unfinished;
	u64 pa[IHO_MAX_EXTENTS];
	u64 len[IHO_MAX_EXTENTS];
	u32 extents;
	u64 envelope_pa;
	u32 running;
	void *index;
};

extern struct handover_incoming handover_in;

/* At boot, once memory can be allocated: facts are found faster. Return: 0. */
int handover_in_index(void);

/* At boot, before PCI is known: no device does DMA afterwards. */
void handover_in_silence(void);
/* The same for one, which keeps others as they are; later it does nothing. */
void handover_in_silence_one(const struct iho_device *fact);

/* How many contexts of the accepted image are not finished. Takes no lock. */
static inline u32 handover_in_unfinished(void)
{
	return atomic_read(&handover_in.unfinished);
}

/* ---- pins.c ------------------------------------------------------------ */

/**
 * handover_in_pin() - pin what an accepted image names in a file
 * @session: name of its session
 * @token: its token
 * @file: the file; not consumed
 *
 * Its folios stay where they are until the last context of the session is
 * finished. Does nothing for a file that the image does not name and for one
 * that is pinned.
 *
 * Context: may sleep for long; takes no lock that another session waits for. All
 * folios are in the file, and cannot move until it returns.
 * Return: 0; -EBADMSG when the file is not as long as the image says, -ENOMEM,
 * -EINTR, or what memfd_pin_folios() gave.
 */
int handover_in_pin(const char *session, u64 token, struct file *file);

/*
 * Pin @size bytes of @file, all its folios. They and their number are the
 * caller's. Returns what memfd_pin_folios() does, -ENOMEM or -EINTR.
 */
int handover_in_pin_folios(struct file *file, u64 size, struct folio ***folios,
			   u32 *nr);

/* The last context of a session is finished: unpin its memories. */
void handover_in_unpin(const char *session);

/* How many pages of 4 KiB are pinned. */
u64 handover_in_pinned(void);

/* ---- inherited.c -------------------------------------------------------- */

/* Reads an inherited page table. For struct iho_pt::table. */
const u64 *handover_in_table(void *priv, u64 pa);

/* Give the pages of an inherited tree back to the kernel. */
void handover_in_free_tree(const struct iho_table *table);

/* The pages of an inherited tree are the kernel's, as page tables of an IOMMU. */
void handover_in_take_tree(const struct iho_table *table);

/* Give back all inherited tables of a context that never came back. */
void handover_in_drop_trees(u32 index);

/* ---- running.c ---------------------------------------------------------- */

/**
 * enum handover_running_state - of a device that did not stop for the kexec
 * @HANDOVER_RUNNING: it uses the inherited page table
 * @HANDOVER_TAKEN: it was attached to an HWPT with an equal one
 * @HANDOVER_STOPPED: its DMA was ended
 */
enum handover_running_state {
	HANDOVER_RUNNING,
	HANDOVER_TAKEN,
	HANDOVER_STOPPED,
};

/* Know the devices of the accepted image. Return: 0, -ENOMEM or -EBADMSG. */
int handover_in_running_init(void);

/* How many of them run on inherited page tables. Takes no lock. */
u32 handover_in_running(void);

/* How many are in a state. */
u32 handover_in_running_are(enum handover_running_state state);

/*
 * Whether @pdev is one of those, or a bridge above one. For an early look: of
 * the device only place, vendor and device ID need to be known.
 */
bool handover_in_runs(struct pci_dev *pdev);

/* A function was found: if it is not what runs there, that is stopped. */
void handover_in_found(struct pci_dev *pdev);

/* The page table that a device runs on. Return: false if it does not. */
bool handover_in_running_table(struct pci_dev *pdev, struct iho_table *table);

/* How many devices run on the page table with this root. */
u32 handover_in_table_runs(u64 root_pa);

/*
 * Its own file is open again, bound to its own iommufd: it may be used. Return:
 * false if it does not run.
 */
bool handover_in_claim(struct pci_dev *pdev);
bool handover_in_claimed(struct pci_dev *pdev);

/* See handover_inherited() in drivers.h. */
u32 handover_in_entries(u64 register_pa, u32 from, struct handover_entry *entry);

/**
 * handover_in_switch_begin() - the caller attaches a device to an equal table
 * @pdev: handover_in_running_table() gave the table that was compared
 *
 * Until handover_in_switch_end() the IOMMU driver may exchange the table without
 * a gap when this task attaches the device.
 */
void handover_in_switch_begin(struct pci_dev *pdev);
/* @done: it is attached, and the inherited table no longer used for it */
void handover_in_switch_end(struct pci_dev *pdev, bool done);

/* Does current exchange the table of this source ID? Context: any. */
bool handover_in_switching(u64 register_pa, u16 source_id);

/**
 * handover_in_stop() - end the DMA of a device that was not taken back
 * @pdev: any device; nothing is done to one that does not run
 *
 * Bus mastering goes first, then its entry on the IOMMU. What it could reach
 * may be given back afterwards.
 */
void handover_in_stop(struct pci_dev *pdev);
/* The same for all devices of a context of the image */
void handover_in_stop_context(u32 index);
/* The same for all devices of the contexts of a session */
void handover_in_stop_session(const char *session);
/*
 * The same for all devices of a unit. With an image that was refused or ignored all
 * devices that are not bridges lose bus mastering: before drivers have them.
 */
void handover_in_stop_unit(u64 register_pa);

/* ---- state.c ------------------------------------------------------------ */

/**
 * handover_in_context() - find a context of the accepted image
 * @session: name of its session
 * @token: its token
 * @index: set
 * @fact: filled
 *
 * Return: 0, -ENODATA when the image names none such or there is no image,
 * -EBADMSG when the image was refused, -EOPNOTSUPP when it was ignored,
 * -ENOMEM.
 */
int handover_in_context(const char *session, u64 token, u32 *index,
			struct iho_context *fact);

/**
 * handover_in_device() - find a device of a context
 * @index: of the context
 * @dev_id: its object ID
 * @fact: filled
 *
 * Return: 0, -ENOENT when the image has none such, -ENODATA when the image is gone.
 */
int handover_in_device(u32 index, u32 dev_id, struct iho_device *fact);

/**
 * handover_in_take() - handover_in_context(), and keep abandon away from the context
 * @session: as above
 * @token: as above
 * @index: as above
 * @fact: as above
 *
 * The image and the context's inherited tables stay until handover_in_put().
 *
 * Return: as above, or -EBUSY when it is taken.
 */
int handover_in_take(const char *session, u64 token, u32 *index,
		     struct iho_context *fact);
void handover_in_put(u32 index);

/* The whole image, contiguous; mapped on first use. NULL when out of memory. */
const void *handover_in_map(void);

/* Counted for sysfs. */
void handover_in_device_done(void);
void handover_in_compared(bool equal, u64 runs);
void handover_in_adopted(void);

/* The context is replayed; @replay is what still waits, for abandon. */
void handover_in_retrieved(u32 index, struct iommufd_replay *replay);

/* The replay is about to be freed, whether it was retrieved or not. */
void handover_in_clear_replay(u32 index, struct iommufd_replay *replay);

/* The context is finished: drop pins and, after the last, the image. */
void handover_in_finished(u32 index);

/**
 * handover_in_abandon() - give up what has not come back
 *
 * Devices that are waited for are no longer, contexts that were not retrieved
 * can no longer be, and what only they need is given back. Memfds are not
 * touched. Waits for nobody: a context that is just being retrieved, finished
 * or given a device is left as it is.
 *
 * Return: 0; -EBUSY (noted) when one was left, all others are given up;
 * -ENOMEM with nothing given up.
 */
int handover_in_abandon(void);

struct handover_in_stats {
	u32 contexts;		/* in the image */
	u32 unfinished;		/* of these */
	u32 retrieved;
	u32 devices;
	u32 devices_pending;
	u32 devices_switched;	/* attached while they did DMA */
	u32 devices_stopped;
	u64 records;
	u32 tables_compared;
	u32 tables_equal;
	u32 tables_adopted;	/* of these: not rebuilt */
	u64 runs_compared;
	u64 pages_pinned;
};

void handover_in_stats(struct handover_in_stats *stats);

/*
 * KUnit only: forget all that is known of the image in handover_in, so that a
 * test can put one of its own there and take it away. Nothing of it may be in
 * use.
 */
void handover_in_forget(void);
void handover_in_forget_pins(void);

/* ---- switch.c ------------------------------------------------------------ */

/*
 * What becomes of a device that does DMA and is attached to an HWPT that maps
 * something else: false: it is refused; true: it goes from the one address space to
 * the other in one store.
 */
extern bool handover_in_take_differing;

/**
 * handover_in_compare() - is a rebuilt page table equal to an inherited one?
 * @table: the inherited one
 * @id: object ID of the HWPT, for @why
 * @hwpt: the rebuilt one; maps of its IOAS are held off
 * @why: why not, the end of a sentence
 * @why_len: its room, bytes
 *
 * Return: 0; -EBADMSG when they differ or one is not sound, -EOPNOTSUPP when the
 * new one has a format that cannot be compared.
 */
int handover_in_compare(const struct iho_table *table, u32 id,
			struct iommufd_hwpt_paging *hwpt, char *why,
			size_t why_len);

/* ---- rebuild.c ----------------------------------------------------------- */

/*
 * Wait for no more devices; give back the inherited tables of those. Return:
 * false, with nothing done, when a device is just being bound.
 */
bool handover_replay_abandon(struct iommufd_replay *replay);

/* ---- apply.c ------------------------------------------------------------- */

/* Replay one record that needs no device, or note what an HWPT's says. */
int handover_apply_step(struct apply *a, const struct iho_step *step);

/* ---- iommufd-kho-restore.c ---------------------------------------------- */

/* A memfd of the session that the iommufd belongs to. */
int handover_get_incoming(struct luo_session *session, u64 token,
			  struct file **filep);

/**
 * handover_retrieve() - a new iommufd from the records of an old one
 * @args: LUO's; its file is set
 *
 * All or nothing, under mm, limits and credentials of the process that retrieves. More
 * than 1,024 records are looked at after it has returned, by a worker in the name of
 * that process: then iommufd_ctx_handover::records is not 0 for as long as they are not
 * replayed, and has what is an error here.
 *
 * Return: 0; what handover_in_take() gives; -EBADMSG for records that were damaged
 * or do not add up; the errno of the record that cannot be replayed (noted), or of a
 * memfd that can be retrieved another time.
 */
int handover_retrieve(struct liveupdate_file_op_args *args);

/* Whether handover_retrieve(), having failed so, may be called again. */
bool handover_may_retry(int err);

#endif

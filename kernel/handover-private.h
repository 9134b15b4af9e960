/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of drivers/iommu/handover share.
 *
 * Outgoing: iommufd-kho-record.c reads live state, iommu-handover-seal.c
 * holds the seal, iommu-handover-dev.c is the device node and sysfs.
 * Incoming: iommu-handover-early.c accepts or refuses at boot,
 * iommu-handover-incoming.c owns what the last kernel left,
 * iommufd-kho-restore.c replays it.
 */
#ifndef __IOMMU_HANDOVER_PRIVATE_H
#define __IOMMU_HANDOVER_PRIVATE_H

#include <linux/liveupdate.h>
#include <linux/mutex.h>
#include <linux/list.h>

#include "iho.h"
#include "iommufd.h"

struct apply;
struct file;
struct folio;
struct iommu_domain;
struct iommufd_ctx;
struct iommufd_replay;
struct luo_session;

/* Serialises everything outgoing; outside of iommufd_ctx_handover::lock. */
extern struct mutex iho_mutex;

/* ---- errors: iommu-handover-dev.c ------------------------------------ */

/**
 * iho_refuse() - note a refusal
 * @err: negative errno
 * @fmt: the sentence: object, reason, what to do; no newline
 *
 * Kept for QUERY and sysfs until the next one. Context: iho_mutex held.
 * Return: @err.
 */
__printf(2, 3) int iho_refuse(int err, const char *fmt, ...);

/* The sentence, for KUnit. Context: iho_mutex held. */
const char *iho_last_refusal(void);

/* The one place where a library error becomes an errno. */
int iho_errno(int lib_err);

/* ---- live state: iommufd-kho-record.c -------------------------------- */

/* A preserved iommufd. On iho_contexts, ordered by session, then token. */
struct iho_out_ctx {
	struct list_head list;
	struct iommufd_ctx *ictx;
	struct luo_session *session;
	u64 token;
	bool locked;
};

/**
 * struct iho_live - live state, taken under the locks below
 * @buf: a snapshot (section 7 of the format)
 * @len: its length in bytes
 * @facts: points into @buf
 * @mem: what LUO holds for each memory of @facts, same order
 */
struct iho_live {
	void *buf;
	size_t len;
	struct iho_facts facts;
	struct liveupdate_found *mem;
};

/**
 * iho_contexts_lock() - hold off every change to every preserved iommufd
 * @contexts: of struct iho_out_ctx
 *
 * Does not sleep on any of them. To be called with liveupdate_trylock() and
 * iho_mutex held.
 *
 * Return: 0, or -EAGAIN (noted) when one is in the middle of a call.
 */
int iho_contexts_lock(struct list_head *contexts);
void iho_contexts_unlock(struct list_head *contexts);

/**
 * iho_devices_settled() - see that nobody is taking a device away
 * @contexts: of struct iho_out_ctx, sealed; iho_mutex held
 * @err: what to refuse with
 *
 * Return: 0, or @err (noted) when one is being unbound, unplugged or reset.
 */
int iho_devices_settled(struct list_head *contexts, int err);

/**
 * iho_live_take() - read the live state of all contexts
 * @contexts: of struct iho_out_ctx, locked
 * @generation: goes into the snapshot
 * @live: filled; for iho_live_free()
 *
 * Return: 0; -EOPNOTSUPP for what cannot be handed over, -EFBIG over a limit,
 * -ENOMEM; a refusal has been noted for each.
 */
int iho_live_take(struct list_head *contexts, u64 generation,
		  struct iho_live *live);
void iho_live_free(struct iho_live *live);

/**
 * iho_live_verify() - compare each hardware tree with the recorded maps
 * @ctx: a context, locked
 * @ci: its index
 * @live: what iho_live_take() read of all
 * @plan: the context's stream, the cursor at its start; @live's own or an equal
 *
 * Every leaf must be the page that LUO preserves for the memory and offset of
 * its map, with the map's permissions, and nothing else may be mapped.
 *
 * Return: 0; -EINVAL (names HWPT or IOAS, and IOVA), -EFBIG for user memory in
 * too many pieces, -EAGAIN, -ENOMEM; each noted.
 */
int iho_live_verify(struct iho_out_ctx *ctx, u32 ci,
		    const struct iho_live *live, const struct iho_plan *plan);

/* Reads a page table of this kernel. For struct iho_pt::table. */
const u64 *iho_live_table(void *priv, u64 pa);

/* ---- the seal: iommu-handover-seal.c --------------------------------- */

extern struct list_head iho_contexts;
extern u32 iho_nr_contexts;

u64 iho_generation(void);

int iho_snapshot(void **buf, size_t *len, u64 *generation);
int iho_seal(u64 generation, const void __user *image, u64 len);
int iho_unseal(void);

/*
 * Undo the seal, if there is one, for a reason that the gate repeats until the
 * next SEAL. Context: iho_mutex held.
 */
__printf(1, 2) void iho_seal_break(const char *fmt, ...);

/* For QUERY and sysfs. Context: iho_mutex held. */
struct iho_seal_info {
	bool sealed;
	bool loaded;
	u64 generation;
	u64 image_len;
	u32 records;
	u32 devices;
	u32 tables;
	u64 table_pages;
};

void iho_seal_info(struct iho_seal_info *info);

/* ---- incoming: early, incoming, restore ------------------------------ */

enum iho_in_state {
	IHO_IN_NONE,
	IHO_IN_ACCEPTED,
	IHO_IN_REFUSED,
	IHO_IN_OFF,
};

/**
 * struct iho_incoming - the image of the last kernel
 * @state: set once, early
 * @reason: why it was refused, "" otherwise
 * @image: when accepted
 * @pa: physical address of each extent of it
 * @len: bytes of each
 * @extents: how many
 * @envelope_pa: its page
 */
struct iho_incoming {
	enum iho_in_state state;
	char reason[160];
	struct iho_image image;
	u64 pa[IHO_MAX_EXTENTS];
	u64 len[IHO_MAX_EXTENTS];
	u32 extents;
	u64 envelope_pa;
};

extern struct iho_incoming iho_in;

struct iho_in_stats {
	u32 contexts;		/* in the image */
	u32 unfinished;		/* of these */
	u32 retrieved;
	u32 devices;
	u32 devices_pending;
	u64 records;
	u32 tables_compared;
	u32 tables_equal;
	u64 runs_compared;
	u64 pages_pinned;
};

void iho_in_stats(struct iho_in_stats *stats);

/**
 * iho_in_context() - find a context of the accepted image
 * @session: name of its session
 * @token: its token
 * @index: set
 * @fact: filled
 *
 * Return: 0, -ENODATA when the image names none such or there is no image,
 * -EBADMSG when the image was refused, -EOPNOTSUPP when it was ignored.
 */
int iho_in_context(const char *session, u64 token, u32 *index,
		   struct iho_context *fact);

/* Taken for reading by users of the image and of inherited page tables. */
extern struct rw_semaphore iho_in_rwsem;

/* The whole image, contiguous; mapped on first use. NULL when out of memory. */
const void *iho_in_map(void);

/* Pin what an accepted image names in this file; again is harmless. */
int iho_in_pin(const char *session, u64 token, struct file *file);

void iho_in_retrieved(u32 index);
void iho_in_device_done(void);
void iho_in_compared(bool equal, u64 runs);

/* The context is finished: drop pins and, behind the last, the image. */
void iho_in_finished(u32 index);

/* How many contexts of the accepted image are not finished. */
u32 iho_in_unfinished(void);

/**
 * iho_in_abandon() - give up what has not come back
 *
 * Devices that are waited for are no longer, contexts that were not retrieved
 * can no longer be, and what only they need is given back. Memfds are not
 * touched.
 *
 * Return: 0, or -ENOMEM with nothing given up.
 */
int iho_in_abandon(void);

/* Reads an inherited page table. For struct iho_pt::table. */
const u64 *iho_in_table(void *priv, u64 pa);

/* Give the pages of an inherited tree back to the kernel. */
void iho_in_free_tree(const struct iho_table *table);

/* A retrieved context's replay, for iho_in_abandon(). */
void iho_in_set_replay(u32 index, struct iommufd_replay *replay);

/* The replay is about to be freed, whether it was set or not. */
void iho_in_clear_replay(u32 index, struct iommufd_replay *replay);

/* Wait for no more devices; give back the inherited tables of those. */
void iho_replay_abandon(struct iommufd_replay *replay);

/* Give back all inherited tables of a context that never came back. */
void iho_in_drop_trees(u32 index);

/* Replay one record that needs no device, or note one that waits for it. */
int iho_apply_step(struct apply *a, const struct iho_step *step);

/* A memfd of the session that the iommufd belongs to. */
int iho_get_incoming(struct luo_session *session, u64 token,
		     struct file **filep);

/*
 * KUnit only: forget all that is known of the image in iho_in, so that a test
 * can put one of its own there and take it away. Nothing of it may be in use.
 */
void iho_in_forget(void);

int iho_luo_retrieve(struct liveupdate_file_op_args *args);
bool iho_luo_may_retry(int err);
bool iho_luo_can_finish(struct liveupdate_file_op_args *args);
void iho_luo_finish(struct liveupdate_file_op_args *args);

#ifdef CONFIG_IOMMU_HANDOVER_TEST
void iho_test_init(void);
#else
static inline void iho_test_init(void) { }
#endif

/* ---- VT-d: drivers/iommu/intel/handover.c ---------------------------- */

/*
 * Each: 0, or -EOPNOTSUPP when this driver or domain cannot be handed over;
 * iho_vtd_table(): -ENODEV when the domain is another driver's.
 */
int iho_vtd_unit(struct device *dev, struct iho_unit *unit);
int iho_vtd_domain_id(struct device *dev, struct iommu_domain *domain,
		      u32 *domain_id);
int iho_vtd_table(struct iommu_domain *domain, struct iho_table *table);
bool iho_vtd_dirty_tracking(struct iommu_domain *domain);

#endif

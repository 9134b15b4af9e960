/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver whose NVMe controller (nvme.h) has commands outstanding through kexecs.
 *
 * There are DISK_SLOTS slots. Each has a buffer, blocks of the disk and at most one
 * command of its own: it reads or writes some of the blocks. What a block holds is
 * known from its number and from how often it was written, so that each word that
 * is read can be told; what of a buffer a command has nothing to do with holds a
 * pattern, too. Completions that no outstanding command waits for are counted, as
 * are commands that failed or left wrong data.
 *
 * The disk is throttled (disk_pace()), so that most commands wait. There are more
 * than a submission queue has entries: the controller fetches the rest, translates
 * their buffers and executes them as others complete, whether or not there is a
 * kernel that knows it.
 *
 * All that is remembered lies in the memory that crosses. The functions exit with 1
 * when a call fails.
 */
#ifndef DISK_H
#define DISK_H

#include "ctx.h"
#include "nvme.h"

#define DISK_TOKEN_MEMORY	1
#define DISK_TOKEN_IOMMUFD	2
#define DISK_TOKEN_DEVICE	3

#define DISK_SLOTS		1024U
#define DISK_SLOT_BLOCKS	8U
/* Of a slot's buffer: a PRP list, then what blocks are read to and written from. */
#define DISK_SLOT_PAGES		8U
/* Most blocks of a command; each is of a page. */
#define DISK_MOST		4U

/* A disk that completes nothing for as long has lost what is outstanding. */
#define DISK_STALL_MS		60000

/* A map that the controller does not use, another one for each kexec. */
#define DISK_MORE_LEN		0x100000ULL
#define DISK_MORE_IOVA(nr)	(0x100000000ULL + (nr) * 0x10000000ULL)

/**
 * struct disk_slot - one slot and its newest command
 * @turns: commands so far
 * @cid: identifier of the newest: the slot, and the turns modulo 64
 * @busy: that is outstanding
 * @write: it writes
 * @first: first block of those of this slot
 * @nr: how many
 * @version: how often each block was written
 */
struct disk_slot {
	uint32_t turns;
	uint16_t cid;
	bool busy;
	bool write;
	uint32_t first;
	uint32_t nr;
	uint32_t version[DISK_SLOT_BLOCKS];
};

/**
 * struct disk_state - what the driver remembers
 * @magic: of this program
 * @kexecs: how many it has been through
 * @file: whether the device's file is preserved
 * @nvme: the controller
 * @want: what the iommufd should hold
 * @rng: chooses commands
 * @watched: completions of each queue that had landed when the kernel that knew
 *	the device let user space look for the last time
 * @submitted: commands
 * @completed: those that were completed, once
 * @twice: completions that no outstanding command waited for
 * @wrong: commands that failed, or left wrong data
 * @irq_held: interrupts that were held back
 * @irq_delivered: those that were then delivered, and can be no others
 * @irq_lost: interrupts that were not raised, held back or delivered
 * @outstanding_min: least commands outstanding at a jump and still after it
 * @slot: the slots
 */
struct disk_state {
	uint64_t magic;
	uint64_t kexecs;
	uint32_t file;
	struct nvme nvme;
	struct want want;
	struct rng rng;
	volatile uint32_t watched[NVME_PAIRS];
	uint64_t submitted;
	uint64_t completed;
	uint64_t twice;
	uint64_t wrong;
	uint64_t irq_held;
	uint64_t irq_delivered;
	uint64_t irq_lost;
	uint32_t outstanding_min;
	struct disk_slot slot[DISK_SLOTS];
};

/**
 * struct disk - the driver
 * @name: of its session
 * @mem: its memory
 * @state: the start of it
 * @nvme: the controller, in @state
 * @ctx: its iommufd
 * @session: the one it came back in, -1 when that is finished
 * @blackout: of each queue, completions that landed between the last look in the
 *	old kernel and the first in this one
 * @resumed: of each queue, completions that had landed when interrupts were routed
 */
struct disk {
	const char *name;
	struct memory mem;
	struct disk_state *state;
	struct nvme *nvme;
	struct ctx ctx;
	int session;
	uint32_t blackout[NVME_PAIRS];
	uint32_t resumed[NVME_PAIRS];
};

/**
 * struct disk_irqs - what became of interrupts that the controller held back
 * @held: vectors with one
 * @delivered: of these, signalled while no further completion landed
 * @unclear: signalled, and one had landed
 * @lost: not signalled; or not held back, and yet there were completions
 *
 * One that is lost is unclear if a completion lands within seconds.
 */
struct disk_irqs {
	uint32_t held;
	uint32_t delivered;
	uint32_t unclear;
	uint32_t lost;
};

/**
 * disk_pace() - how many commands a second the disk executes
 * @iops: 0 when as many as it can
 *
 * The scenario's host part does that.
 */
void disk_pace(unsigned int iops);

/** disk_pace_slow() - few, of which DISK_SLOTS last for long enough */
void disk_pace_slow(void);

/** disk_build() - memory, an iommufd and its maps, no device */
void disk_build(struct disk *d, const char *name);

/** disk_start() - bind, attach and start the controller, write all blocks */
void disk_start(struct disk *d);

/** disk_restart() - start a controller that is attached, and forget all commands */
void disk_restart(struct disk *d);

/** disk_take_memory() - the memory out of the session, after kexec @nr */
void disk_take_memory(struct disk *d, const char *name, unsigned int nr);

/** disk_take_iommufd() - the iommufd, whose device is not bound */
void disk_take_iommufd(struct disk *d);

/** disk_take_device() - the device's file, or bind and so attach it anew */
void disk_take_device(struct disk *d);

/**
 * disk_interrupts() - route interrupts and tell what became of those held back
 * @route: false for the control, in which none is
 *
 * For a controller that was just resumed, before a completion is taken.
 */
void disk_interrupts(struct disk *d, bool route, struct disk_irqs *irqs);

/** disk_finish() - finish and close the session */
void disk_finish(struct disk *d);

/** disk_landed() - completions that are there and were not taken, of all queues */
uint32_t disk_landed(const struct disk *d);

/** disk_busy() - commands whose completion was not taken */
uint32_t disk_busy(const struct disk *d);

/** disk_take() - take all completions that are there and check the data */
void disk_take(struct disk *d);

/** disk_work() - random commands until @nr more are completed */
void disk_work(struct disk *d, uint64_t nr);

/** disk_fill() - random commands until all slots have one that is outstanding */
void disk_fill(struct disk *d);

/**
 * disk_drain() - take completions, submit nothing
 * @stall_ms: give up when nothing was completed for as long
 *
 * Return: how many commands were never completed.
 */
uint32_t disk_drain(struct disk *d, unsigned int stall_ms);

/** disk_write_all(), disk_read_all() - all blocks; no command is outstanding */
void disk_write_all(struct disk *d);
void disk_read_all(struct disk *d);

/**
 * disk_preserve() - other maps, all slots busy, then preserve what is to cross
 * @nr: kexecs so far
 *
 * After an odd number the device's file is preserved as well, and nobody but the
 * session has that and the iommufd. From then on a thread looks at what lands, and
 * nobody takes it: background_ready() is next.
 */
void disk_preserve(struct disk *d, unsigned int nr);

#endif /* DISK_H */

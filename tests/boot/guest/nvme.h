/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An NVM Express controller from user space: an admin queue pair, I/O queue
 * pairs with a vector of MSI-X each, and commands of the NVM command set. Made
 * for QEMU's nvme; nothing in it is particular to that one.
 *
 * struct nvme may lie in memory that crosses a kexec. What of it belongs to one
 * kernel only is made again by nvme_adopt() and nvme_resume(), which do not
 * change the controller's state.
 *
 * No function allocates; none may be called from two threads at once, except
 * nvme_landed().
 */
#ifndef NVME_H
#define NVME_H

#include "guest.h"

#define NVME_VENDOR	0x1b36
#define NVME_DEVICE	0x0010

/* Queue pairs, of which the first is the admin queue pair. */
#define NVME_PAIRS	5U
#define NVME_ADMIN	0U

/* Most entries of a queue, and the memory of all queues and of one data page. */
#define NVME_SQ_MOST	256U
#define NVME_CQ_MOST	1024U
#define NVME_PAIR_LEN	0x8000ULL
#define NVME_QUEUES_LEN	(NVME_PAIRS * NVME_PAIR_LEN + GUEST_PAGE)

enum nvme_opcode {
	NVME_WRITE = 0x01,
	NVME_READ = 0x02,
};

/* A submission queue entry, little-endian; what is not named is 0. */
struct nvme_command {
	uint8_t opcode;
	uint8_t flags;
	uint16_t cid;
	uint32_t nsid;
	uint64_t reserved;
	uint64_t metadata;
	uint64_t prp1;
	uint64_t prp2;
	uint32_t cdw10;
	uint32_t cdw11;
	uint32_t cdw12;
	uint32_t cdw13;
	uint32_t cdw14;
	uint32_t cdw15;
};

/* A completion queue entry, little-endian; bit 0 of @status is the phase. */
struct nvme_completion {
	uint32_t result;
	uint32_t reserved;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t cid;
	uint16_t status;
};

/**
 * struct nvme_pair - a submission queue and the completion queue of its own
 * @sq: submission queue
 * @cq: completion queue
 * @sq_nr: entries
 * @cq_nr: entries
 * @sq_tail: the entry that the next command goes to
 * @sq_head: the first one that the controller had not fetched, as it said last
 * @cq_head: the next completion to be taken
 * @phase: of a completion that is new at @cq_head
 * @sq_told: the tail that the controller knows
 * @cq_told: the head that the controller knows
 */
struct nvme_pair {
	volatile struct nvme_command *sq;
	volatile struct nvme_completion *cq;
	uint32_t sq_nr;
	uint32_t cq_nr;
	uint32_t sq_tail;
	uint32_t sq_head;
	uint32_t cq_head;
	uint32_t phase;
	uint32_t sq_told;
	uint32_t cq_told;
};

/**
 * struct nvme - one controller that runs
 * @dev: its vfio device
 * @bar: its registers
 * @iova: of the queues
 * @irq: eventfd of each pair's vector, -1 while it is not routed
 * @pair: the queue pairs
 * @blocks: of namespace 1
 * @block_lg2: bytes of a block, as a power of two
 * @last_cid: identifier of the last admin command
 * @event: what the last event said, when @events has grown
 * @events: asynchronous events that have come
 */
struct nvme {
	int dev;
	struct vfio_region bar;
	uint64_t iova;
	int irq[NVME_PAIRS];
	struct nvme_pair pair[NVME_PAIRS];
	uint64_t blocks;
	uint32_t block_lg2;
	uint32_t last_cid;
	uint32_t event;
	uint32_t events;
	/* private */
	void *page;
};

/**
 * nvme_start() - reset the controller and bring it up
 * @dev: bound and attached vfio device, stays the caller's
 * @va: NVME_QUEUES_LEN bytes of whole pages
 * @iova: where the device finds them, to be read and written
 * @sq_nr: entries of each I/O submission queue, at most NVME_SQ_MOST
 * @cq_nr: entries of each I/O completion queue, at most NVME_CQ_MOST
 *
 * Interrupts are on, and the controller has a request for asynchronous events.
 *
 * Return: 0, -ETIMEDOUT, -EIO when a command failed, -ENXIO when the controller
 * cannot do what is asked for, or another negative errno.
 */
int nvme_start(struct nvme *nvme, int dev, void *va, uint64_t iova,
	       uint32_t sq_nr, uint32_t cq_nr);

/**
 * nvme_adopt() - know a controller again that never stopped
 * @nvme: what it was when nobody used it any more
 * @va: of nvme_start(), where that is now
 *
 * Before nvme_resume() completions may be taken, and nothing else be done.
 */
void nvme_adopt(struct nvme *nvme, void *va);

/**
 * nvme_resume() - use a controller that nvme_adopt() knows, on its new @dev
 *
 * Return: 0, or -EIO when the controller is not as it was left: it was reset,
 * or has failed.
 */
int nvme_resume(struct nvme *nvme, int dev);

/**
 * nvme_pending() - vectors whose interrupt the controller holds back
 *
 * Return: a mask of them, or a negative errno.
 */
int nvme_pending(struct nvme *nvme);

/** nvme_irq_on() - signal new eventfds, @nvme->irq; the vectors are set up */
int nvme_irq_on(struct nvme *nvme);

/** nvme_irq_taken() - how often a vector was signalled since the last call */
uint64_t nvme_irq_taken(struct nvme *nvme, uint32_t pair);

/** nvme_let_go() - unmap the registers, close the eventfds */
void nvme_let_go(struct nvme *nvme);

/** nvme_landed() - how many completions are there that nobody has taken */
uint32_t nvme_landed(const struct nvme *nvme, uint32_t pair);

/** nvme_take() - take the oldest completion. Return: whether there was one */
bool nvme_take(struct nvme *nvme, uint32_t pair, struct nvme_completion *out);

/** nvme_room() - how many commands may be submitted now */
uint32_t nvme_room(const struct nvme *nvme, uint32_t pair);

/**
 * nvme_submit() - write a command to its queue, for which there is room
 *
 * The controller is told by nvme_tell().
 */
void nvme_submit(struct nvme *nvme, uint32_t pair,
		 const struct nvme_command *command);

/** nvme_tell() - tell the controller what was submitted and taken */
void nvme_tell(struct nvme *nvme, uint32_t pair);

/**
 * nvme_provoke_event() - make the request for asynchronous events complete
 *
 * The temperature's threshold is lowered for a moment. A new request follows.
 *
 * Return: 0, -ETIMEDOUT when no event came, -EBADMSG when it was another one.
 */
int nvme_provoke_event(struct nvme *nvme);

#endif /* NVME_H */

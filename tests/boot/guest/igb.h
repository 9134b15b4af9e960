/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 82576 network controller from user space: one receive and one transmit
 * queue, polled, and an interrupt for those who want one. Registers are those of the controller's public datasheet.
 *
 * Addresses given to it are IOVAs: that the memory is mapped for the device is
 * the caller's affair. No function allocates; none may be called from two
 * threads at once.
 */
#ifndef IGB_H
#define IGB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest.h"

#define IGB_VENDOR	0x8086
#define IGB_DEVICE	0x10c9

/* Largest frame that fits a receive buffer, and the buffer's size, bytes. */
#define IGB_BUF_LEN	1024U

/*
 * One descriptor of either queue, little-endian, 16 bytes. Software writes
 * two addresses or an address and a command; hardware overwrites it.
 */
struct igb_desc {
	uint64_t lo;
	uint64_t hi;
};

/**
 * struct igb_queue - a descriptor ring
 * @ring: its memory, 128-byte aligned
 * @iova: where the device finds it
 * @nr: descriptors, a multiple of 8
 * @next: the next one to be used (transmit) or to complete (receive)
 */
struct igb_queue {
	volatile struct igb_desc *ring;
	uint64_t iova;
	uint32_t nr;
	uint32_t next;
};

/**
 * struct igb - one controller
 * @dev: its vfio device
 * @bar: its registers
 * @irq: eventfd of the receive interrupt, -1 when it is off
 * @rx: receive queue
 * @tx: transmit queue
 */
struct igb {
	int dev;
	struct vfio_region bar;
	int irq;
	struct igb_queue rx;
	struct igb_queue tx;
};

/**
 * igb_open() - map the registers, reset the controller, leave it stopped
 * @dev: a bound and attached vfio device, stays the caller's
 */
int igb_open(struct igb *igb, int dev);

/**
 * igb_resume() - map the registers of a controller that never stopped
 * @igb: queues as they were; the rest is set up
 * @dev: as of igb_open()
 */
int igb_resume(struct igb *igb, int dev);

/** igb_irq_resume() - signal a new @igb->irq; the controller is set up for it */
int igb_irq_resume(struct igb *igb);

/**
 * igb_link_up() - negotiate and force the link up
 *
 * Return: 0, or -ETIMEDOUT when there is no link after @timeout_ms.
 */
int igb_link_up(struct igb *igb, unsigned int timeout_ms);

/**
 * igb_start() - start both queues, with bus mastering
 *
 * @igb's queues must be set up but for @next. Receive descriptors are posted
 * by igb_rx_post(); frames of any address are taken.
 */
int igb_start(struct igb *igb);

/** igb_rx_enable() - begin again to receive, or hold on with all descriptors kept */
void igb_rx_enable(struct igb *igb, bool on);

/** igb_rx_post() - give descriptor @index a buffer of IGB_BUF_LEN bytes */
void igb_rx_post(struct igb *igb, uint32_t index, uint64_t iova);

/** igb_rx_submit() - let the device use all descriptors up to @index, excluded */
void igb_rx_submit(struct igb *igb, uint32_t index);

/**
 * igb_rx_done() - the oldest descriptor, if the device has filled it
 * @index: out, the descriptor
 * @len: out, bytes in its buffer
 *
 * Return: true when there was one; it is the caller's until posted again.
 */
bool igb_rx_done(struct igb *igb, uint32_t *index, uint32_t *len);

/**
 * igb_tx() - send one frame and wait until the device has read it
 * @iova: the frame
 * @len: its bytes, at most IGB_BUF_LEN
 *
 * Return: 0, or -ETIMEDOUT after a second.
 */
int igb_tx(struct igb *igb, uint64_t iova, uint32_t len);

/**
 * igb_irq_on() - signal @igb->irq (MSI-X vector 0) when a frame has arrived
 *
 * The eventfd does not block. igb_stop() switches the interrupt off.
 */
int igb_irq_on(struct igb *igb);

/**
 * igb_irq_hold() - do not raise the receive interrupt, or do so again
 *
 * One whose cause came meanwhile is raised then.
 */
void igb_irq_hold(struct igb *igb, bool hold);

/** igb_stop() - stop both queues, mask interrupts, end bus mastering */
int igb_stop(struct igb *igb);

/** igb_close() - stop and unmap the registers */
void igb_close(struct igb *igb);

#endif /* IGB_H */

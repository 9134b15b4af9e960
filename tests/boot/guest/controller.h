/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Intel's gigabit network controllers from user space: one receive and one transmit
 * queue, polled, and an interrupt for those who want one. What differs from
 * model to model is behind struct controller_ops; nic.h is for those who do not
 * care which it is. Registers are those of the public datasheets.
 *
 * Addresses given to a controller are IOVAs: that the memory is mapped for the
 * device is the caller's affair. No function allocates; none may be called from
 * two threads at once.
 */
#ifndef CONTROLLER_H
#define CONTROLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest.h"

/* Largest frame that fits a receive buffer, and the buffer's size, bytes. */
#define CONTROLLER_BUF_LEN	1024U

/*
 * One descriptor of either queue, little-endian, 16 bytes. Software writes
 * two addresses or an address and a command; hardware overwrites it.
 */
struct controller_desc {
	uint64_t lo;
	uint64_t hi;
};

/**
 * struct controller_queue - a descriptor ring
 * @ring: its memory, 128-byte aligned
 * @iova: where the device finds it
 * @nr: descriptors, a multiple of 8
 * @next: the next one to be used (transmit) or to complete (receive)
 */
struct controller_queue {
	volatile struct controller_desc *ring;
	uint64_t iova;
	uint32_t nr;
	uint32_t next;
};

/**
 * struct controller - one of them
 * @dev: its vfio device
 * @bar: its registers
 * @irq: eventfd of the receive interrupt, -1 when it is off
 * @msi: it comes by MSI, not by MSI-X; set before it is switched on
 * @rx: receive queue
 * @tx: transmit queue
 */
struct controller {
	int dev;
	struct vfio_region bar;
	int irq;
	bool msi;
	struct controller_queue rx;
	struct controller_queue tx;
};

/**
 * struct controller_ops - what a model's driver does
 * @vendor: PCI ID
 * @device: PCI ID
 * @open: map the registers of a bound and attached vfio device, which stays the
 *	caller's, reset the controller and leave it stopped
 * @start: start both queues, which are set up but for @next, with bus
 *	mastering; frames of any address are taken
 * @rx_enable: begin again to receive, or hold on with all descriptors kept
 * @rx_submit: let the device use all descriptors up to @index, excluded
 * @rx_done: the oldest descriptor, if the device has filled it, with its index
 *	and the bytes in its buffer; it is the caller's until posted again
 * @tx: send a frame of at most CONTROLLER_BUF_LEN bytes and wait until the device
 *	has read it, or -ETIMEDOUT
 * @irq_on: signal vector 0, which is connected, when a frame has arrived
 * @irq_hold: do not raise the receive interrupt, or do so again; one whose cause
 *	came meanwhile is raised then
 * @irq_next: let the next frame signal; NULL where it does so by itself
 * @stop: stop both queues, the interrupt and bus mastering
 */
struct controller_ops {
	uint16_t vendor;
	uint16_t device;
	int (*open)(struct controller *c, int dev);
	int (*start)(struct controller *c);
	void (*rx_enable)(struct controller *c, bool on);
	void (*rx_submit)(struct controller *c, uint32_t index);
	bool (*rx_done)(struct controller *c, uint32_t *index, uint32_t *len);
	int (*tx)(struct controller *c, uint64_t iova, uint32_t len);
	void (*irq_on)(struct controller *c);
	void (*irq_hold)(struct controller *c, bool hold);
	void (*irq_next)(struct controller *c);
	int (*stop)(struct controller *c);
};

/** controller_resume() - map the registers of one that never stopped */
int controller_resume(struct controller *c, int dev);

/**
 * controller_link_up() - negotiate and force the link up
 *
 * Return: 0, or -ETIMEDOUT when there is no link after @timeout_ms.
 */
int controller_link_up(struct controller *c, unsigned int timeout_ms);

/**
 * controller_rx_post() - give receive descriptor @index a buffer of
 * CONTROLLER_BUF_LEN bytes
 */
void controller_rx_post(struct controller *c, uint32_t index, uint64_t iova);

/** controller_irq_index() - of vfio, the interrupts that it uses */
uint32_t controller_irq_index(const struct controller *c);

/** controller_irq() - connect vector 0 to a new @c->irq that does not block */
int controller_irq(struct controller *c);

#endif /* CONTROLLER_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/* For the drivers of Intel's gigabit controllers: what these have in common. */
#ifndef CONTROLLER_DRIVER_H
#define CONTROLLER_DRIVER_H

#include <endian.h>

#include "controller.h"

#define BIT(n)		(1U << (n))

/* Registers that all of them have, byte offsets in BAR 0. */
#define CTRL		0x0000
#define  CTRL_MASTER_OFF BIT(2)
#define  CTRL_SLU	BIT(6)
#define  CTRL_RST	BIT(26)
#define STATUS		0x0008
#define  STATUS_LU	BIT(1)
#define  STATUS_MASTER	BIT(19)
#define RCTL		0x0100
#define  RCTL_EN	BIT(1)
#define  RCTL_UPE	BIT(3)
#define  RCTL_MPE	BIT(4)
#define  RCTL_BAM	BIT(15)
#define  RCTL_SECRC	BIT(26)
#define  RCTL_ALL	(RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_SECRC)
#define TCTL		0x0400
#define  TCTL_EN	BIT(1)
#define  TCTL_PSP	BIT(3)

/* The device answers at once; a busy host may not let it run. */
#define ANSWER_WAIT_MS	20000

static inline uint32_t rd(struct controller *c, uint32_t reg)
{
	return le32toh(*(volatile uint32_t *)((char *)c->bar.va + reg));
}

static inline void wr(struct controller *c, uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)((char *)c->bar.va + reg) = htole32(value);
}

/** controller_wait() - until the bits of @mask in @reg are @want, or -ETIMEDOUT */
int controller_wait(struct controller *c, uint32_t reg, uint32_t mask,
		    uint32_t want, unsigned int timeout_ms);

/**
 * controller_open() - map the registers and reset the controller
 * @mask: masks all its interrupts
 */
int controller_open(struct controller *c, int dev,
		    void (*mask)(struct controller *c));

/**
 * controller_filled() - whether the device has filled the oldest receive descriptor
 * @done: the bit of its second word that says so
 * @index: out, which it is
 * @hi: out, its second word
 *
 * If so the next one is the oldest.
 */
bool controller_filled(struct controller *c, uint64_t done, uint32_t *index,
		       uint64_t *hi);

/**
 * controller_send() - use one transmit descriptor
 * @tail: the queue's tail register
 * @command: second word, which asks the device to report
 *
 * Return: 0 once the device has written it back, or -ETIMEDOUT.
 */
int controller_send(struct controller *c, uint32_t tail, uint64_t iova,
		    uint64_t command);

/** controller_irq_off() - disconnect @c->irq if there is one */
void controller_irq_off(struct controller *c);

#endif /* CONTROLLER_DRIVER_H */

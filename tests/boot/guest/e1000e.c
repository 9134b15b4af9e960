// SPDX-License-Identifier: GPL-2.0-only
#include "controller_driver.h"
#include "e1000e.h"

/* Registers of this model, byte offsets in BAR 0. */
#define CTRL_EXT	0x0018
#define  CTRL_EXT_IAME	BIT(27)
#define IMS		0x00d0
#define IMC		0x00d8
#define  INT_RXQ0	BIT(20)
#define EIAC		0x00dc
#define IVAR		0x00e4
#define  IVAR_RXQ0	BIT(3)		/* to vector 0 */
#define  RCTL_BUF_1024	BIT(16)
#define RDBAL		0x2800
#define RDBAH		0x2804
#define RDLEN		0x2808
#define RDH		0x2810
#define RDT		0x2818
#define TDBAL		0x3800
#define TDBAH		0x3804
#define TDLEN		0x3808
#define TDH		0x3810
#define TDT		0x3818
#define TXDCTL		0x3828
#define  TXDCTL_COUNT	BIT(22)		/* has to be set, says the datasheet */

/* Second word of a legacy transmit descriptor. */
#define TXD_EOP		(1ULL << 24)
#define TXD_FCS		(1ULL << 25)
#define TXD_RS		(1ULL << 27)

/* Second word of a legacy receive descriptor: length, checksum, status. */
#define RXD_LEN(hi)	((uint32_t)(hi) & 0xffff)
#define RXD_DONE	(1ULL << 32)

static void mask_interrupts(struct controller *c)
{
	wr(c, IMC, ~0U);
}

static int open_e1000e(struct controller *c, int dev)
{
	return controller_open(c, dev, mask_interrupts);
}

/* Its queues have no switch of their own. */
static int start(struct controller *c)
{
	int err;

	c->rx.next = 0;
	c->tx.next = 0;

	err = vfio_bus_master(c->dev, true);
	if (err)
		return err;

	wr(c, TDBAL, (uint32_t)c->tx.iova);
	wr(c, TDBAH, c->tx.iova >> 32);
	wr(c, TDLEN, c->tx.nr * sizeof(struct controller_desc));
	wr(c, TDH, 0);
	wr(c, TDT, 0);
	wr(c, TXDCTL, rd(c, TXDCTL) | TXDCTL_COUNT);
	wr(c, TCTL, rd(c, TCTL) | TCTL_EN | TCTL_PSP);

	wr(c, RDBAL, (uint32_t)c->rx.iova);
	wr(c, RDBAH, c->rx.iova >> 32);
	wr(c, RDLEN, c->rx.nr * sizeof(struct controller_desc));
	wr(c, RDH, 0);
	wr(c, RDT, 0);
	wr(c, RCTL, RCTL_ALL | RCTL_BUF_1024);
	return 0;
}

static void rx_enable(struct controller *c, bool on)
{
	wr(c, RCTL, on ? RCTL_ALL | RCTL_BUF_1024 : 0);
	/* What was under way has landed once a register has been read */
	rd(c, RCTL);
}

static void rx_submit(struct controller *c, uint32_t index)
{
	__sync_synchronize();
	wr(c, RDT, index);
}

static bool rx_done(struct controller *c, uint32_t *index, uint32_t *len)
{
	uint64_t hi;

	if (!controller_filled(c, RXD_DONE, index, &hi))
		return false;
	*len = RXD_LEN(hi);
	return true;
}

static int tx(struct controller *c, uint64_t iova, uint32_t len)
{
	return controller_send(c, TDT, iova,
			       TXD_EOP | TXD_FCS | TXD_RS | len);
}

/* A message clears its cause, and masks it unless CTRL_EXT says otherwise. */
static void irq_next(struct controller *c)
{
	wr(c, IMS, INT_RXQ0);
}

static void irq_on(struct controller *c)
{
	/* Or none would be pending after a kexec: it is masked before the jump. */
	wr(c, CTRL_EXT, rd(c, CTRL_EXT) | CTRL_EXT_IAME);
	wr(c, IVAR, IVAR_RXQ0);
	wr(c, EIAC, INT_RXQ0);
	irq_next(c);
}

static void irq_hold(struct controller *c, bool hold)
{
	wr(c, hold ? IMC : IMS, INT_RXQ0);
	/* Posted writes have arrived when a register has been read. */
	rd(c, STATUS);
}

static int stop(struct controller *c)
{
	int err;

	wr(c, RCTL, 0);
	wr(c, TCTL, 0);
	mask_interrupts(c);
	controller_irq_off(c);
	/* What was under way has ended when it says that it is no master. */
	wr(c, CTRL, rd(c, CTRL) | CTRL_MASTER_OFF);
	err = controller_wait(c, STATUS, STATUS_MASTER, 0, ANSWER_WAIT_MS);
	return err ? err : vfio_bus_master(c->dev, false);
}

const struct controller_ops e1000e_ops = {
	.vendor = E1000E_VENDOR,
	.device = E1000E_DEVICE,
	.open = open_e1000e,
	.start = start,
	.rx_enable = rx_enable,
	.rx_submit = rx_submit,
	.rx_done = rx_done,
	.tx = tx,
	.irq_on = irq_on,
	.irq_hold = irq_hold,
	.irq_next = irq_next,
	.stop = stop,
};

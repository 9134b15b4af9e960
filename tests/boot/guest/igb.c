// SPDX-License-Identifier: GPL-2.0-only
#include "controller_driver.h"
#include "igb.h"

/* Registers of this model, byte offsets in BAR 0. */
#define ICR		0x00c0
#define IMS		0x00d0
#define IMC		0x00d8
#define  INT_RXDW	BIT(7)		/* a receive descriptor is written back */
#define GPIE		0x1514
#define  GPIE_MSIX	BIT(4)
#define  GPIE_PBA	BIT(31)
#define EIMS		0x1524
#define EIMC		0x1528
#define EIAC		0x152c
#define EICR		0x1580
#define IVAR0		0x1700
#define  IVAR_VALID	BIT(7)
#define RDBAL0		0xc000
#define RDBAH0		0xc004
#define RDLEN0		0xc008
#define SRRCTL0		0xc00c
#define  SRRCTL_ONE_BUF	(1U << 25)
#define RDH0		0xc010
#define RDT0		0xc018
#define RXDCTL0		0xc028
#define TDBAL0		0xe000
#define TDBAH0		0xe004
#define TDLEN0		0xe008
#define TDH0		0xe010
#define TDT0		0xe018
#define TXDCTL0		0xe028
#define  DCTL_ENABLE	BIT(25)

/* Second word of a transmit descriptor: command, then payload length. */
#define TXD_DATA	(3ULL << 20)
#define TXD_EOP		(1ULL << 24)
#define TXD_FCS		(1ULL << 25)
#define TXD_RS		(1ULL << 27)
#define TXD_EXT		(1ULL << 29)
#define TXD_PAYLEN(n)	((uint64_t)(n) << (32 + 14))

/* Second word of a receive descriptor that was written back. */
#define RXD_DONE	(1ULL << 0)
#define RXD_LEN(hi)	((uint32_t)((hi) >> 32) & 0xffff)

static void mask_interrupts(struct controller *c)
{
	wr(c, IMC, ~0U);
	wr(c, EIMC, ~0U);
}

static int open_igb(struct controller *c, int dev)
{
	return controller_open(c, dev, mask_interrupts);
}

static int start(struct controller *c)
{
	int err;

	c->rx.next = 0;
	c->tx.next = 0;

	err = vfio_bus_master(c->dev, true);
	if (err)
		return err;

	wr(c, TDBAL0, (uint32_t)c->tx.iova);
	wr(c, TDBAH0, c->tx.iova >> 32);
	wr(c, TDLEN0, c->tx.nr * sizeof(struct controller_desc));
	wr(c, TDH0, 0);
	wr(c, TXDCTL0, rd(c, TXDCTL0) | DCTL_ENABLE);
	err = controller_wait(c, TXDCTL0, DCTL_ENABLE, DCTL_ENABLE,
			      ANSWER_WAIT_MS);
	if (err)
		return err;
	wr(c, TDT0, 0);
	wr(c, TCTL, TCTL_EN | TCTL_PSP);

	wr(c, RDBAL0, (uint32_t)c->rx.iova);
	wr(c, RDBAH0, c->rx.iova >> 32);
	wr(c, RDLEN0, c->rx.nr * sizeof(struct controller_desc));
	wr(c, SRRCTL0, SRRCTL_ONE_BUF | CONTROLLER_BUF_LEN / 1024);
	wr(c, RDH0, 0);
	wr(c, RXDCTL0, rd(c, RXDCTL0) | DCTL_ENABLE);
	err = controller_wait(c, RXDCTL0, DCTL_ENABLE, DCTL_ENABLE,
			      ANSWER_WAIT_MS);
	if (err)
		return err;
	wr(c, RDT0, 0);
	wr(c, RCTL, RCTL_ALL);
	return 0;
}

static void rx_enable(struct controller *c, bool on)
{
	wr(c, RCTL, on ? RCTL_ALL : 0);
	/* What was under way has landed once a register has been read */
	rd(c, RCTL);
}

static void rx_submit(struct controller *c, uint32_t index)
{
	__sync_synchronize();
	wr(c, RDT0, index);
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
	return controller_send(c, TDT0, iova,
			       TXD_DATA | TXD_EOP | TXD_FCS | TXD_RS | TXD_EXT |
			       TXD_PAYLEN(len) | len);
}

/* With MSI a cause interrupts once, until it is read. */
static void irq_next(struct controller *c)
{
	if (c->msi)
		rd(c, ICR);
}

static void irq_on(struct controller *c)
{
	if (c->msi) {
		wr(c, GPIE, 0);
		irq_next(c);
		wr(c, IMS, INT_RXDW);
		return;
	}
	wr(c, GPIE, GPIE_MSIX | GPIE_PBA);
	/* Receive queue 0 to vector 0, whose cause clears itself. */
	wr(c, IVAR0, IVAR_VALID);
	wr(c, EIAC, BIT(0));
	rd(c, EICR);
	wr(c, EIMS, BIT(0));
}

static void irq_hold(struct controller *c, bool hold)
{
	if (c->msi)
		wr(c, hold ? IMC : IMS, INT_RXDW);
	else
		wr(c, hold ? EIMC : EIMS, BIT(0));
	/* Posted writes have arrived when a register has been read. */
	rd(c, STATUS);
}

static int stop(struct controller *c)
{
	int err;

	wr(c, RCTL, 0);
	wr(c, TCTL, 0);
	wr(c, RXDCTL0, rd(c, RXDCTL0) & ~DCTL_ENABLE);
	wr(c, TXDCTL0, rd(c, TXDCTL0) & ~DCTL_ENABLE);
	mask_interrupts(c);
	controller_irq_off(c);
	err = controller_wait(c, RXDCTL0, DCTL_ENABLE, 0, ANSWER_WAIT_MS);
	if (!err)
		err = controller_wait(c, TXDCTL0, DCTL_ENABLE, 0,
				      ANSWER_WAIT_MS);
	if (!err)
		err = vfio_bus_master(c->dev, false);
	return err;
}

const struct controller_ops igb_ops = {
	.vendor = IGB_VENDOR,
	.device = IGB_DEVICE,
	.open = open_igb,
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

// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "igb.h"

#define BIT(n)		(1U << (n))

/* Registers, byte offsets in BAR 0. */
#define CTRL		0x0000
#define  CTRL_SLU	BIT(6)
#define  CTRL_RST	BIT(26)
#define STATUS		0x0008
#define  STATUS_LU	BIT(1)
#define MDIC		0x0020
#define  MDIC_REG(r)	((uint32_t)(r) << 16)
#define  MDIC_PHY	(1U << 21)
#define  MDIC_WRITE	BIT(26)
#define  MDIC_READ	BIT(27)
#define  MDIC_READY	BIT(28)
#define  MDIC_ERROR	BIT(30)
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
#define IMC		0x150c
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

/* The device answers at once; a busy host may not let it run. */
#define ANSWER_WAIT_MS	20000

/* PHY registers */
#define PHY_CTRL	0
#define  PHY_RESTART	BIT(9)
#define  PHY_AUTONEG	BIT(12)
#define PHY_STATUS	1
#define  PHY_AUTO_DONE	BIT(5)

/* Second word of a transmit descriptor: command, then payload length. */
#define TXD_DATA	(3ULL << 20)
#define TXD_EOP		(1ULL << 24)
#define TXD_FCS		(1ULL << 25)
#define TXD_RS		(1ULL << 27)
#define TXD_EXT		(1ULL << 29)
#define TXD_PAYLEN(n)	((uint64_t)(n) << (32 + 14))
#define TXD_DONE	(1ULL << 32)

/* Second word of a receive descriptor that was written back. */
#define RXD_DONE	(1ULL << 0)
#define RXD_LEN(hi)	((uint32_t)((hi) >> 32) & 0xffff)

static uint32_t rd(struct igb *igb, uint32_t reg)
{
	return le32toh(*(volatile uint32_t *)((char *)igb->bar.va + reg));
}

static void wr(struct igb *igb, uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)((char *)igb->bar.va + reg) = htole32(value);
}

static int wait_bits(struct igb *igb, uint32_t reg, uint32_t mask,
		     uint32_t want, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;

	while ((rd(igb, reg) & mask) != want) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return 0;
}

static int phy_access(struct igb *igb, uint32_t cmd, uint16_t *data)
{
	int err;

	wr(igb, MDIC, cmd | MDIC_PHY | *data);
	err = wait_bits(igb, MDIC, MDIC_READY, MDIC_READY, ANSWER_WAIT_MS);
	if (err)
		return err;
	if (rd(igb, MDIC) & MDIC_ERROR)
		return -EIO;
	*data = rd(igb, MDIC) & 0xffff;
	return 0;
}

static void mask_interrupts(struct igb *igb)
{
	wr(igb, IMC, ~0U);
	wr(igb, EIMC, ~0U);
}

int igb_open(struct igb *igb, int dev)
{
	int err;

	memset(igb, 0, sizeof(*igb));
	igb->dev = dev;
	igb->irq = -1;
	/* Registers answer only when memory space is on. */
	err = vfio_bus_master(dev, false);
	if (err)
		return err;
	err = vfio_map(dev, 0, &igb->bar);
	if (err)
		return err;

	mask_interrupts(igb);
	wr(igb, CTRL, rd(igb, CTRL) | CTRL_RST);
	sleep_ms(1);
	err = wait_bits(igb, CTRL, CTRL_RST, 0, ANSWER_WAIT_MS);
	if (err) {
		vfio_unmap(&igb->bar);
		return err;
	}
	mask_interrupts(igb);
	return 0;
}

int igb_resume(struct igb *igb, int dev)
{
	igb->dev = dev;
	igb->irq = -1;
	return vfio_map(dev, 0, &igb->bar);
}

int igb_link_up(struct igb *igb, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	uint16_t data = PHY_AUTONEG | PHY_RESTART;
	int err;

	err = phy_access(igb, MDIC_WRITE | MDIC_REG(PHY_CTRL), &data);
	while (!err) {
		data = 0;
		err = phy_access(igb, MDIC_READ | MDIC_REG(PHY_STATUS), &data);
		if (err || (data & PHY_AUTO_DONE))
			break;
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(10);
	}
	if (err)
		return err;
	wr(igb, CTRL, rd(igb, CTRL) | CTRL_SLU);
	return wait_bits(igb, STATUS, STATUS_LU, STATUS_LU, timeout_ms);
}

int igb_start(struct igb *igb)
{
	int err;

	igb->rx.next = 0;
	igb->tx.next = 0;

	err = vfio_bus_master(igb->dev, true);
	if (err)
		return err;

	wr(igb, TDBAL0, (uint32_t)igb->tx.iova);
	wr(igb, TDBAH0, igb->tx.iova >> 32);
	wr(igb, TDLEN0, igb->tx.nr * sizeof(struct igb_desc));
	wr(igb, TDH0, 0);
	wr(igb, TXDCTL0, rd(igb, TXDCTL0) | DCTL_ENABLE);
	err = wait_bits(igb, TXDCTL0, DCTL_ENABLE, DCTL_ENABLE, ANSWER_WAIT_MS);
	if (err)
		return err;
	wr(igb, TDT0, 0);
	wr(igb, TCTL, TCTL_EN | TCTL_PSP);

	wr(igb, RDBAL0, (uint32_t)igb->rx.iova);
	wr(igb, RDBAH0, igb->rx.iova >> 32);
	wr(igb, RDLEN0, igb->rx.nr * sizeof(struct igb_desc));
	wr(igb, SRRCTL0, SRRCTL_ONE_BUF | IGB_BUF_LEN / 1024);
	wr(igb, RDH0, 0);
	wr(igb, RXDCTL0, rd(igb, RXDCTL0) | DCTL_ENABLE);
	err = wait_bits(igb, RXDCTL0, DCTL_ENABLE, DCTL_ENABLE, ANSWER_WAIT_MS);
	if (err)
		return err;
	wr(igb, RDT0, 0);
	wr(igb, RCTL, RCTL_ALL);
	return 0;
}

void igb_rx_enable(struct igb *igb, bool on)
{
	wr(igb, RCTL, on ? RCTL_ALL : 0);
	/* What was under way has landed once a register has been read */
	rd(igb, RCTL);
}

void igb_rx_post(struct igb *igb, uint32_t index, uint64_t iova)
{
	igb->rx.ring[index].lo = htole64(iova);
	igb->rx.ring[index].hi = 0;
}

void igb_rx_submit(struct igb *igb, uint32_t index)
{
	__sync_synchronize();
	wr(igb, RDT0, index);
}

bool igb_rx_done(struct igb *igb, uint32_t *index, uint32_t *len)
{
	uint64_t hi = le64toh(igb->rx.ring[igb->rx.next].hi);

	if (!(hi & RXD_DONE))
		return false;
	__sync_synchronize();
	*index = igb->rx.next;
	*len = RXD_LEN(hi);
	igb->rx.next = (igb->rx.next + 1) % igb->rx.nr;
	return true;
}

int igb_tx(struct igb *igb, uint64_t iova, uint32_t len)
{
	volatile struct igb_desc *desc = &igb->tx.ring[igb->tx.next];
	uint64_t end = now_ms() + ANSWER_WAIT_MS;

	desc->lo = htole64(iova);
	desc->hi = htole64(TXD_DATA | TXD_EOP | TXD_FCS | TXD_RS | TXD_EXT |
			   TXD_PAYLEN(len) | len);
	__sync_synchronize();
	igb->tx.next = (igb->tx.next + 1) % igb->tx.nr;
	wr(igb, TDT0, igb->tx.next);
	while (!(le64toh(desc->hi) & TXD_DONE)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
	}
	return 0;
}

int igb_irq_resume(struct igb *igb)
{
	int err = vfio_irq_connect(igb->dev, VFIO_PCI_MSIX_IRQ_INDEX,
				   &igb->irq, 1);

	if (err)
		igb->irq = -1;
	return err;
}

int igb_irq_on(struct igb *igb)
{
	int err = igb_irq_resume(igb);

	if (err)
		return err;
	wr(igb, GPIE, GPIE_MSIX | GPIE_PBA);
	/* Receive queue 0 to vector 0, whose cause clears itself. */
	wr(igb, IVAR0, IVAR_VALID);
	wr(igb, EIAC, BIT(0));
	rd(igb, EICR);
	wr(igb, EIMS, BIT(0));
	return 0;
}

void igb_irq_hold(struct igb *igb, bool hold)
{
	wr(igb, hold ? EIMC : EIMS, BIT(0));
	/* Posted writes have arrived when a register has been read. */
	rd(igb, STATUS);
}

static void irq_off(struct igb *igb)
{
	if (igb->irq < 0)
		return;
	vfio_irq_disable(igb->dev, VFIO_PCI_MSIX_IRQ_INDEX);
	close(igb->irq);
	igb->irq = -1;
}

int igb_stop(struct igb *igb)
{
	int err;

	wr(igb, RCTL, 0);
	wr(igb, TCTL, 0);
	wr(igb, RXDCTL0, rd(igb, RXDCTL0) & ~DCTL_ENABLE);
	wr(igb, TXDCTL0, rd(igb, TXDCTL0) & ~DCTL_ENABLE);
	mask_interrupts(igb);
	irq_off(igb);
	err = wait_bits(igb, RXDCTL0, DCTL_ENABLE, 0, ANSWER_WAIT_MS);
	if (!err)
		err = wait_bits(igb, TXDCTL0, DCTL_ENABLE, 0, ANSWER_WAIT_MS);
	if (!err)
		err = vfio_bus_master(igb->dev, false);
	return err;
}

void igb_close(struct igb *igb)
{
	igb_stop(igb);
	vfio_unmap(&igb->bar);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "controller_driver.h"

#define MDIC		0x0020
#define  MDIC_REG(r)	((uint32_t)(r) << 16)
#define  MDIC_PHY	(1U << 21)
#define  MDIC_WRITE	BIT(26)
#define  MDIC_READ	BIT(27)
#define  MDIC_READY	BIT(28)
#define  MDIC_ERROR	BIT(30)

/* In the second word of a transmit descriptor that was written back. */
#define TXD_DONE	(1ULL << 32)

/* PHY registers */
#define PHY_CTRL	0
#define  PHY_RESTART	BIT(9)
#define  PHY_AUTONEG	BIT(12)
#define PHY_STATUS	1
#define  PHY_AUTO_DONE	BIT(5)

int controller_wait(struct controller *c, uint32_t reg, uint32_t mask,
		    uint32_t want, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;

	while ((rd(c, reg) & mask) != want) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return 0;
}

static int phy_access(struct controller *c, uint32_t cmd, uint16_t *data)
{
	int err;

	wr(c, MDIC, cmd | MDIC_PHY | *data);
	err = controller_wait(c, MDIC, MDIC_READY, MDIC_READY, ANSWER_WAIT_MS);
	if (err)
		return err;
	if (rd(c, MDIC) & MDIC_ERROR)
		return -EIO;
	*data = rd(c, MDIC) & 0xffff;
	return 0;
}

int controller_open(struct controller *c, int dev,
		    void (*mask)(struct controller *c))
{
	int err;

	memset(c, 0, sizeof(*c));
	c->dev = dev;
	c->irq = -1;
	/* Registers answer only when memory space is on. */
	err = vfio_bus_master(dev, false);
	if (err)
		return err;
	err = vfio_map(dev, 0, &c->bar);
	if (err)
		return err;

	mask(c);
	wr(c, CTRL, rd(c, CTRL) | CTRL_RST);
	sleep_ms(1);
	err = controller_wait(c, CTRL, CTRL_RST, 0, ANSWER_WAIT_MS);
	if (err) {
		vfio_unmap(&c->bar);
		return err;
	}
	mask(c);
	return 0;
}

int controller_resume(struct controller *c, int dev)
{
	c->dev = dev;
	c->irq = -1;
	return vfio_map(dev, 0, &c->bar);
}

int controller_link_up(struct controller *c, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	uint16_t data = PHY_AUTONEG | PHY_RESTART;
	int err;

	err = phy_access(c, MDIC_WRITE | MDIC_REG(PHY_CTRL), &data);
	while (!err) {
		data = 0;
		err = phy_access(c, MDIC_READ | MDIC_REG(PHY_STATUS), &data);
		if (err || (data & PHY_AUTO_DONE))
			break;
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(10);
	}
	if (err)
		return err;
	wr(c, CTRL, rd(c, CTRL) | CTRL_SLU);
	return controller_wait(c, STATUS, STATUS_LU, STATUS_LU, timeout_ms);
}

void controller_rx_post(struct controller *c, uint32_t index, uint64_t iova)
{
	c->rx.ring[index].lo = htole64(iova);
	c->rx.ring[index].hi = 0;
}

bool controller_filled(struct controller *c, uint64_t done, uint32_t *index,
		       uint64_t *hi)
{
	*hi = le64toh(c->rx.ring[c->rx.next].hi);
	if (!(*hi & done))
		return false;
	__sync_synchronize();
	*index = c->rx.next;
	c->rx.next = (c->rx.next + 1) % c->rx.nr;
	return true;
}

int controller_send(struct controller *c, uint32_t tail, uint64_t iova,
		    uint64_t command)
{
	volatile struct controller_desc *desc = &c->tx.ring[c->tx.next];
	uint64_t end = now_ms() + ANSWER_WAIT_MS;

	desc->lo = htole64(iova);
	desc->hi = htole64(command);
	__sync_synchronize();
	c->tx.next = (c->tx.next + 1) % c->tx.nr;
	wr(c, tail, c->tx.next);
	while (!(le64toh(desc->hi) & TXD_DONE)) {
		if (now_ms() > end)
			return -ETIMEDOUT;
	}
	return 0;
}

uint32_t controller_irq_index(const struct controller *c)
{
	return c->msi ? VFIO_PCI_MSI_IRQ_INDEX : VFIO_PCI_MSIX_IRQ_INDEX;
}

int controller_irq(struct controller *c)
{
	int err = vfio_irq_connect(c->dev, controller_irq_index(c), &c->irq, 1);

	if (err)
		c->irq = -1;
	return err;
}

void controller_irq_off(struct controller *c)
{
	if (c->irq < 0)
		return;
	vfio_irq_disable(c->dev, controller_irq_index(c));
	close(c->irq);
	c->irq = -1;
}

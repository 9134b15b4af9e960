// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include <linux/vfio.h>

#include "edu.h"

/* Registers and their bits, and where the device's buffer lies for itself. */
#define REG_ID		0x00
#define ID_MASK		0xffffU
#define ID_VALUE	0x00edU
#define REG_DMA_SRC	0x80
#define REG_DMA_DST	0x88
#define REG_DMA_COUNT	0x90
#define REG_DMA_CMD	0x98
#define CMD_RUN		1ULL
#define CMD_TO_MEMORY	2ULL
#define BUFFER		0x40000ULL

#define DMA_WAIT_MS	60000

static volatile uint64_t *reg64(const struct edu *edu, uint32_t at)
{
	return (volatile uint64_t *)((char *)edu->bar.va + at);
}

int edu_open(struct edu *edu, int dev)
{
	int err = vfio_map(dev, VFIO_PCI_BAR0_REGION_INDEX, &edu->bar);

	if (err)
		return err;
	edu->dev = dev;
	err = vfio_bus_master(dev, true);
	if (!err && (*(volatile uint32_t *)edu->bar.va & ID_MASK) != ID_VALUE)
		err = -ENXIO;
	if (err)
		vfio_unmap(&edu->bar);
	return err;
}

static int transfer(struct edu *edu, uint64_t dst, uint64_t src, uint32_t len,
		    uint64_t cmd)
{
	uint64_t end = now_ms() + DMA_WAIT_MS;

	*reg64(edu, REG_DMA_SRC) = src;
	*reg64(edu, REG_DMA_DST) = dst;
	*reg64(edu, REG_DMA_COUNT) = len;
	*reg64(edu, REG_DMA_CMD) = cmd | CMD_RUN;
	while (*reg64(edu, REG_DMA_CMD) & CMD_RUN) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(2);
	}
	return 0;
}

int edu_copy(struct edu *edu, uint64_t to, uint64_t from, uint32_t len)
{
	int err;

	if (!len || len > EDU_COPY_MAX)
		return -EINVAL;
	err = transfer(edu, BUFFER, from, len, 0);
	return err ? err : transfer(edu, to, BUFFER, len, CMD_TO_MEMORY);
}

void edu_with_page(struct edu *edu, struct memory *mem, uint64_t iova)
{
	int fd = must(iommufd_open()), dev;
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, id;

	must(memory_create(mem, "edu", GUEST_PAGE));
	must(ioas_alloc(fd, &ioas));
	must(ioas_map_file(fd, ioas, mem->fd, 0, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, fd, &id));
	id = ioas;
	must(vfio_attach(dev, &id));
	must(edu_open(edu, dev));
}

void edu_close(struct edu *edu)
{
	vfio_bus_master(edu->dev, false);
	vfio_unmap(&edu->bar);
}

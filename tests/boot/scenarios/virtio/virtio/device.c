// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/* The PCI side of a virtio device, through vfio. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <linux/virtio_pci.h>

#include "virtio.h"

#define PCI		"/sys/bus/pci/devices/"
#define VENDOR		0x1af4		/* virtio 1.2, 4.1.2 */
#define NET		0x1041

volatile struct virtio_pci_common_cfg *common;

static struct bar {
	uint8_t *va;
	uint64_t off, size;
} bars[PCI_STD_NUM_BARS];

static volatile uint8_t *doorbells;
static uint32_t doorbell_step;
static uint64_t pending_off;		/* of MSI-X, in the device's file */
static int events[VECTORS];

/* ---- sysfs -------------------------------------------------------------- */

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static unsigned long read_number(const char *address, const char *name)
{
	char path[300], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), PCI "%s/%s", address, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail(path, errno);
	close(fd);
	return strtoul(text, NULL, 0);
}

static void find_device(char *address, size_t size)
{
	DIR *dir = opendir(PCI);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.' ||
		    read_number(d->d_name, "vendor") != VENDOR ||
		    read_number(d->d_name, "device") != NET)
			continue;
		snprintf(address, size, "%s", d->d_name);
		closedir(dir);
		return;
	}
	fail("no virtio-net device", ENODEV);
}

const char *device_node(void)
{
	static char node[300];
	char address[256], path[300], link[300];
	struct dirent *d;
	ssize_t len;
	DIR *dir;

	find_device(address, sizeof(address));
	snprintf(path, sizeof(path), PCI "%s/driver", address);
	len = readlink(path, link, sizeof(link) - 1);
	link[len < 0 ? 0 : len] = '\0';
	printf("virtio: %s has driver \"%s\"\n", address, link);
	if (len >= 0 && !strstr(link, "/vfio-pci")) {
		snprintf(path, sizeof(path), PCI "%s/driver/unbind", address);
		if (write_text(path, address))
			fail(path, EIO);
	}
	snprintf(path, sizeof(path), PCI "%s/driver_override", address);
	if (write_text(path, "vfio-pci"))
		fail(path, EIO);
	write_text("/sys/bus/pci/drivers_probe", address);

	snprintf(path, sizeof(path), PCI "%s/vfio-dev", address);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, "vfio", 4))
			continue;
		snprintf(node, sizeof(node), "/dev/vfio/devices/%.32s",
			 d->d_name);
		closedir(dir);
		return node;
	}
	fail("vfio-pci did not take the device", ENODEV);
}

/* ---- configuration space and BARs --------------------------------------- */

static struct bar region(uint32_t index)
{
	struct vfio_region_info arg = { .argsz = sizeof(arg), .index = index };

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &arg))
		fail("region", errno);
	return (struct bar){ .off = arg.offset, .size = arg.size };
}

static void config_read(uint64_t off, void *buf, size_t len)
{
	struct bar config = region(VFIO_PCI_CONFIG_REGION_INDEX);

	if (pread(device, buf, len, config.off + off) != (ssize_t)len)
		fail("PCI configuration space", EIO);
}

void device_enable(void)
{
	struct bar config = region(VFIO_PCI_CONFIG_REGION_INDEX);
	uint16_t cmd = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (pwrite(device, &cmd, sizeof(cmd), config.off + PCI_COMMAND) !=
	    sizeof(cmd))
		fail("PCI command register", EIO);
}

static void *bar_at(unsigned int index, uint64_t off, uint64_t len)
{
	struct bar *bar = &bars[index];

	if (index >= PCI_STD_NUM_BARS)
		fail("a capability names no BAR", EPROTO);
	if (!bar->va) {
		*bar = region(index);
		bar->va = mmap(NULL, bar->size, PROT_READ | PROT_WRITE,
			       MAP_SHARED, device, bar->off);
		if (bar->va == MAP_FAILED)
			fail("map a BAR", errno);
	}
	if (off > bar->size || len > bar->size - off)
		fail("a capability leads out of its BAR", EPROTO);
	return bar->va + off;
}

static void virtio_capability(uint8_t pos)
{
	struct virtio_pci_notify_cap cap;

	config_read(pos, &cap, sizeof(cap));
	switch (cap.cap.cfg_type) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		common = bar_at(cap.cap.bar, cap.cap.offset, sizeof(*common));
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		doorbells = bar_at(cap.cap.bar, cap.cap.offset, cap.cap.length);
		doorbell_step = cap.notify_off_multiplier;
		break;
	}
}

static void msix_capability(uint8_t pos)
{
	uint32_t pba;

	config_read(pos + PCI_MSIX_PBA, &pba, sizeof(pba));
	pending_off = region(pba & PCI_MSIX_PBA_BIR).off +
		      (pba & PCI_MSIX_PBA_OFFSET);
}

void device_open(void)
{
	uint8_t pos, id;

	config_read(PCI_CAPABILITY_LIST, &pos, 1);
	for (; pos; config_read(pos + PCI_CAP_LIST_NEXT, &pos, 1)) {
		config_read(pos + PCI_CAP_LIST_ID, &id, 1);
		if (id == PCI_CAP_ID_VNDR)
			virtio_capability(pos);
		else if (id == PCI_CAP_ID_MSIX)
			msix_capability(pos);
	}
	if (!common || !doorbells || !pending_off)
		fail("not a modern virtio device with MSI-X", ENODEV);
}

void device_close(void)
{
	unsigned int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++) {
		if (bars[i].va)
			munmap(bars[i].va, bars[i].size);
		bars[i].va = NULL;
	}
	for (i = 0; i < VECTORS; i++)
		close(events[i]);
	common = NULL;
	doorbells = NULL;
}

void device_notify(unsigned int queue)
{
	volatile uint16_t *door;

	common->queue_select = queue;
	door = (void *)(doorbells + common->queue_notify_off * doorbell_step);
	*door = queue;
}

/* ---- interrupts --------------------------------------------------------- */

bool device_pending(unsigned int vector)
{
	uint64_t bits;

	if (pread(device, &bits, sizeof(bits), pending_off) != sizeof(bits))
		fail("pending bits of MSI-X", EIO);
	return bits >> vector & 1;
}

void device_connect(void)
{
	struct {
		struct vfio_irq_set set;
		int32_t fds[VECTORS];
	} arg = {
		.set = {
			.argsz = sizeof(arg),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD |
				 VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_MSIX_IRQ_INDEX,
			.count = VECTORS,
		},
	};
	unsigned int i;

	for (i = 0; i < VECTORS; i++) {
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (events[i] < 0)
			fail("eventfd", errno);
		arg.fds[i] = events[i];
	}
	if (ioctl(device, VFIO_DEVICE_SET_IRQS, &arg))
		fail("interrupts", errno);
}

unsigned int device_wait(unsigned int vector, int ms)
{
	struct pollfd p = { .fd = events[vector], .events = POLLIN };
	uint64_t count;

	if (poll(&p, 1, ms) <= 0 ||
	    read(p.fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "park.h"

#define MOST_CAPS	48	/* as many as fit into 192 bytes */

/* Only interrupts that are in use take a trigger, which here is for no vector. */
static bool uses(int device, uint32_t index)
{
	union {
		struct vfio_irq_set set;
		uint8_t room[sizeof(struct vfio_irq_set) + 1];
	} arg;

	memset(&arg, 0, sizeof(arg));
	arg.set.argsz = sizeof(arg.room);
	arg.set.flags = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER;
	arg.set.index = index;
	arg.set.count = 1;
	return !ioctl(device, VFIO_DEVICE_SET_IRQS, &arg);
}

static int device_irqs(int device)
{
	int index;

	for (index = VFIO_PCI_INTX_IRQ_INDEX; index <= VFIO_PCI_MSIX_IRQ_INDEX;
	     index++)
		if (uses(device, (uint32_t)index))
			return index;
	return -1;
}

/* Read the mask bits of MSI, or write them. 0 or -errno: ENXIO without them. */
static int move_msi_mask(int device, uint32_t *mask, bool to_device)
{
	struct vfio_region_info region = {
		.argsz = sizeof(region),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint8_t config[256];
	int at, left = MOST_CAPS;

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &region))
		return -errno;
	if (pread(device, config, sizeof(config), (off_t)region.offset) !=
	    sizeof(config))
		return -EIO;
	at = config[PCI_CAPABILITY_LIST] & ~3;
	while (at >= 0x40 && left-- && config[at] != PCI_CAP_ID_MSI)
		at = config[at + 1] & ~3;
	if (at < 0x40 || config[at] != PCI_CAP_ID_MSI ||
	    !(config[at + PCI_MSI_FLAGS + 1] & (PCI_MSI_FLAGS_MASKBIT >> 8)))
		return -ENXIO;
	at += config[at + PCI_MSI_FLAGS] & PCI_MSI_FLAGS_64BIT ?
	      PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
	if (at + sizeof(*mask) > sizeof(config))
		return -EIO;
	if (!to_device)
		memcpy(mask, config + at, sizeof(*mask));
	else if (pwrite(device, mask, sizeof(*mask), (off_t)region.offset + at) !=
		 sizeof(*mask))
		return -EIO;
	return 0;
}

void device_look(struct held_fd *held, int device)
{
	held->irqs = device_irqs(device);
	held->msi_mask = 0;
	if (held->irqs == VFIO_PCI_MSI_IRQ_INDEX)
		move_msi_mask(device, &held->msi_mask, false);
}

bool device_uses_intx(int device)
{
	return uses(device, VFIO_PCI_INTX_IRQ_INDEX);
}

static bool is_name(const char *name, const char *device, const char *suffix)
{
	size_t len = strlen(device);

	return !strncmp(name, device, len) && !strcmp(name + len, suffix);
}

static int set_eventfds(int device, uint32_t index, uint32_t count,
			const int32_t *fds)
{
	size_t len = sizeof(struct vfio_irq_set) + count * sizeof(*fds);
	struct vfio_irq_set *set = calloc(1, len);
	int ret;

	if (!set)
		return -ENOMEM;
	set->argsz = (uint32_t)len;
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = index;
	set->count = count;
	memcpy(set->data, fds, count * sizeof(*fds));
	ret = ioctl(device, VFIO_DEVICE_SET_IRQS, set) ? -errno : 0;
	free(set);
	return ret;
}

/*
 * How many vectors have to be set: those that are named, or all of the device, where
 * QEMU could ask for others later. It asks for all that the guest has of MSI at once.
 */
static int vectors_of(int device, uint32_t index, int named)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, &info))
		return -errno;
	if ((int)info.count < named || info.count > MAX_VECTORS)
		return -ERANGE;
	return index == VFIO_PCI_MSIX_IRQ_INDEX &&
	       info.flags & VFIO_IRQ_INFO_NORESIZE ? (int)info.count : named;
}

static int arm_vectors(const struct held_fd *held, const char *name, int named,
		       const int32_t *fds, struct why *why)
{
	uint32_t mask = held->msi_mask;
	int count, ret;

	if (held->irqs != VFIO_PCI_MSIX_IRQ_INDEX &&
	    held->irqs != VFIO_PCI_MSI_IRQ_INDEX)
		return refuse(why,
			      "%s: QEMU has %d eventfds of it, but it used neither MSI-X nor MSI",
			      name, named);
	count = vectors_of(held->fd, (uint32_t)held->irqs, named);
	ret = count < 0 ? count : set_eventfds(held->fd, (uint32_t)held->irqs,
					       (uint32_t)count, fds);
	/* Arming has unmasked all; QEMU's guest writes these bits itself. */
	if (!ret && held->irqs == VFIO_PCI_MSI_IRQ_INDEX)
		ret = move_msi_mask(held->fd, &mask, true);
	if (ret)
		return refuse(why, "%s: interrupts of %d vectors: %s", name,
			      named, strerror(-ret));
	return 0;
}

int device_arm(const struct held_fd *held, const char *name,
	       const struct cpr_state *state, struct why *why)
{
	static const uint64_t one = 1;
	const struct cpr_fd *fd, *end = state->fds + state->nr_fds;
	int32_t vectors[MAX_VECTORS];
	int named = 0, ret;

	memset(vectors, 0xff, sizeof(vectors));
	for (fd = state->fds; fd < end; fd++) {
		bool kvm = is_name(fd->name, name, "_kvm_interrupt");
		int32_t single = fd->fd;

		if (kvm || is_name(fd->name, name, "_interrupt")) {
			if (fd->id < 0 || fd->id >= MAX_VECTORS)
				return refuse(why,
					      "%s: QEMU's state has vector %d, which no device has",
					      name, fd->id);
			if (kvm || vectors[fd->id] < 0)
				vectors[fd->id] = fd->fd;
			named = fd->id < named ? named : fd->id + 1;
			continue;
		}
		if (is_name(fd->name, name, "_err_notifier"))
			ret = set_eventfds(held->fd, VFIO_PCI_ERR_IRQ_INDEX, 1,
					   &single);
		else if (is_name(fd->name, name, "_req_notifier"))
			ret = set_eventfds(held->fd, VFIO_PCI_REQ_IRQ_INDEX, 1,
					   &single);
		else
			continue;
		if (ret)
			return refuse(why, "%s: %s: %s", name, fd->name,
				      strerror(-ret));
	}
	if (named && arm_vectors(held, name, named, vectors, why))
		return -1;
	/* By way of QEMU, which knows what the guest has masked. */
	for (fd = state->fds; fd < end; fd++)
		if (is_name(fd->name, name, "_interrupt") &&
		    write(fd->fd, &one, sizeof(one)) != sizeof(one))
			return refuse(why, "%s: vector %d: %s", name, fd->id,
				      strerror(errno));
	return named;
}

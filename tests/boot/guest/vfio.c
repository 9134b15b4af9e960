// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "guest.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define IRQ_MAX		64
#define CLAIM_WAIT_MS	60000

static int read_hex(const char *bdf, const char *file, unsigned long *value)
{
	char path[256], text[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	*value = strtoul(text, NULL, 16);
	return 0;
}

int pci_find(uint16_t vendor, uint16_t device, unsigned int nth,
	     char bdf[PCI_BDF_LEN])
{
	struct dirent **names;
	int i, n, err = -ENODEV;

	n = scandir(PCI_DEVICES, &names, NULL, alphasort);
	if (n < 0)
		return -errno;
	for (i = 0; i < n; i++) {
		unsigned long v, d;

		if (err && names[i]->d_name[0] != '.' &&
		    !read_hex(names[i]->d_name, "vendor", &v) && v == vendor &&
		    !read_hex(names[i]->d_name, "device", &d) && d == device &&
		    nth-- == 0) {
			snprintf(bdf, PCI_BDF_LEN, "%.15s", names[i]->d_name);
			err = 0;
		}
		free(names[i]);
	}
	free(names);
	return err;
}

/* Finds "vfioN" below the function's vfio-dev directory. */
static int cdev_path(const char *bdf, char *path, size_t len)
{
	char dir[256];
	struct dirent *ent;
	int err = -ENODEV;
	DIR *d;

	snprintf(dir, sizeof(dir), PCI_DEVICES "/%s/vfio-dev", bdf);
	d = opendir(dir);
	if (!d)
		return -errno;
	while (err && (ent = readdir(d))) {
		if (strncmp(ent->d_name, "vfio", 4))
			continue;
		snprintf(path, len, "/dev/vfio/devices/%.32s", ent->d_name);
		if (!access(path, F_OK))
			err = 0;
	}
	closedir(d);
	return err;
}

static bool bound_to(const char *bdf, const char *driver)
{
	char path[256], target[256];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver", bdf);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	name = strrchr(target, '/');
	return !driver || !strcmp(name ? name + 1 : target, driver);
}

int vfio_claim(const char *bdf)
{
	return vfio_claim_by(bdf, "vfio-pci");
}

int vfio_claim_by(const char *bdf, const char *driver)
{
	uint64_t end = now_ms() + CLAIM_WAIT_MS;
	char path[256];
	int err;

	if (!bound_to(bdf, driver)) {
		snprintf(path, sizeof(path),
			 PCI_DEVICES "/%s/driver_override", bdf);
		err = write_text(path, driver);
		if (err)
			return err;
		if (bound_to(bdf, NULL)) {
			snprintf(path, sizeof(path),
				 PCI_DEVICES "/%s/driver/unbind", bdf);
			err = write_text(path, bdf);
			if (err)
				return err;
		}
		err = write_text("/sys/bus/pci/drivers_probe", bdf);
		if (err)
			return err;
		if (!bound_to(bdf, driver))
			return -ENODEV;
	}
	while (cdev_path(bdf, path, sizeof(path))) {
		if (now_ms() > end)
			return -ENODEV;
		sleep_ms(10);
	}
	return 0;
}

int vfio_open(const char *bdf)
{
	char path[256];
	int fd, err = cdev_path(bdf, path, sizeof(path));

	if (err)
		return err;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int vfio_bind(int dev, int iommufd, uint32_t *dev_id)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.iommufd = iommufd,
	};

	if (ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, &cmd) < 0)
		return -errno;
	*dev_id = cmd.out_devid;
	return 0;
}

int vfio_attach(int dev, uint32_t *pt_id)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.pt_id = *pt_id,
	};

	if (ioctl(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd) < 0)
		return -errno;
	*pt_id = cmd.pt_id;
	return 0;
}

int vfio_detach(int dev)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	return ioctl(dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd) < 0 ? -errno : 0;
}

int vfio_reset(int dev)
{
	return ioctl(dev, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

static int region_info(int dev, uint32_t index, struct vfio_region_info *info)
{
	*info = (struct vfio_region_info) {
		.argsz = sizeof(*info),
		.index = index,
	};
	return ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, info) < 0 ? -errno : 0;
}

int vfio_map(int dev, uint32_t index, struct vfio_region *region)
{
	struct vfio_region_info info;
	int err = region_info(dev, index, &info);

	if (err)
		return err;
	if (!info.size || !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return -ENXIO;
	region->va = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  dev, info.offset);
	if (region->va == MAP_FAILED)
		return -errno;
	region->len = info.size;
	return 0;
}

void vfio_unmap(struct vfio_region *region)
{
	munmap(region->va, region->len);
}

int vfio_config_read(int dev, uint32_t offset, void *value, size_t len)
{
	struct vfio_region_info info;
	int err = region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);

	if (err)
		return err;
	return pread(dev, value, len, info.offset + offset) == (ssize_t)len ?
		0 : -EIO;
}

int vfio_config_write(int dev, uint32_t offset, const void *value, size_t len)
{
	struct vfio_region_info info;
	int err = region_info(dev, VFIO_PCI_CONFIG_REGION_INDEX, &info);

	if (err)
		return err;
	return pwrite(dev, value, len, info.offset + offset) == (ssize_t)len ?
		0 : -EIO;
}

int vfio_capability(int dev, uint8_t id)
{
	uint8_t at[2];
	uint8_t pos;
	int err = vfio_config_read(dev, PCI_CAPABILITY_LIST, &pos, 1);

	while (!err && pos) {
		err = vfio_config_read(dev, pos, at, sizeof(at));
		if (!err && at[0] == id)
			return pos;
		pos = at[1];
	}
	return err;
}

int vfio_msix_pending(int dev, uint32_t vector)
{
	struct vfio_region_info info;
	uint64_t bits;
	uint32_t pba;
	int pos, err;

	pos = vfio_capability(dev, PCI_CAP_ID_MSIX);
	if (pos <= 0)
		return pos ? pos : -ENXIO;
	err = vfio_config_read(dev, pos + PCI_MSIX_PBA, &pba, sizeof(pba));
	if (!err)
		err = region_info(dev, pba & PCI_MSIX_PBA_BIR, &info);
	if (err)
		return err;
	if (pread(dev, &bits, sizeof(bits), info.offset +
		  (pba & PCI_MSIX_PBA_OFFSET) + vector / 64 * 8) != sizeof(bits))
		return -EIO;
	return bits >> vector % 64 & 1;
}

/* A bit of one of the two words that MSI has for each vector. */
static int msi_bit(int dev, uint32_t vector, uint32_t at_32, uint32_t at_64)
{
	int pos = vfio_capability(dev, PCI_CAP_ID_MSI), err;
	uint16_t flags;
	uint32_t bits;

	if (pos <= 0)
		return pos ? pos : -ENXIO;
	err = vfio_config_read(dev, pos + PCI_MSI_FLAGS, &flags, sizeof(flags));
	if (!err && !(flags & PCI_MSI_FLAGS_MASKBIT))
		err = -ENXIO;
	if (!err)
		err = vfio_config_read(dev, pos + (flags & PCI_MSI_FLAGS_64BIT ?
						   at_64 : at_32),
				       &bits, sizeof(bits));
	return err ? err : (int)(bits >> vector & 1);
}

int vfio_msi_pending(int dev, uint32_t vector)
{
	return msi_bit(dev, vector, PCI_MSI_PENDING_32, PCI_MSI_PENDING_64);
}

int vfio_msi_masked(int dev, uint32_t vector)
{
	return msi_bit(dev, vector, PCI_MSI_MASK_32, PCI_MSI_MASK_64);
}

int vfio_bus_master(int dev, bool on)
{
	uint16_t cmd;
	int err = vfio_config_read(dev, PCI_COMMAND, &cmd, sizeof(cmd));

	if (err)
		return err;
	cmd &= ~PCI_COMMAND_MASTER;
	cmd |= PCI_COMMAND_MEMORY;
	if (on)
		cmd |= PCI_COMMAND_MASTER;
	return vfio_config_write(dev, PCI_COMMAND, &cmd, sizeof(cmd));
}

int vfio_irq_connect(int dev, uint32_t index, int *fds, uint32_t nr)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd[IRQ_MAX];
	} cmd;
	uint32_t i;
	int err;

	if (!nr || nr > IRQ_MAX)
		return -EINVAL;
	for (i = 0; i < nr; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fds[i] < 0) {
			err = -errno;
			goto err_close;
		}
		cmd.fd[i] = fds[i];
	}
	cmd.set = (struct vfio_irq_set) {
		.argsz = sizeof(cmd.set) + nr * sizeof(cmd.fd[0]),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD |
			 VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = nr,
	};
	if (ioctl(dev, VFIO_DEVICE_SET_IRQS, &cmd) == 0)
		return 0;
	err = -errno;
err_close:
	while (i--)
		close(fds[i]);
	return err;
}

int vfio_irq_disable(int dev, uint32_t index)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
	};

	return ioctl(dev, VFIO_DEVICE_SET_IRQS, &set) < 0 ? -errno : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* A device that is waited for, opened through its VFIO group. */
#include <linux/vfio.h>

#include "luo.h"

#define IDS_TRIED	64

static int open_group(const char *bdf)
{
	char path[128], target[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 bdf);
	n = readlink(path, target, sizeof(target) - 1);
	check(n > 0, "%s: errno %d", path, errno);
	target[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio%s", strrchr(target, '/'));
	fd = open(path, O_RDWR | O_CLOEXEC);
	return must(fd < 0 ? -errno : fd);
}

/* Is a device bound that has this ID? */
static bool is_device(int iommufd, uint32_t id)
{
	struct iommu_hw_info cmd = { .size = sizeof(cmd), .dev_id = id };

	if (!ioctl(iommufd, IOMMU_GET_HW_INFO, &cmd))
		return true;
	check(errno == ENOENT, "HW_INFO of %u: errno %d", id, errno);
	return false;
}

/*
 * It gets an ID that is free, and that of its record stays reserved. The group
 * has its device attached to an IOAS of its own.
 */
void open_through_group(int iommufd, const struct want_dev *want)
{
	int group, dev, found = 0;
	uint32_t low, id, ioas;

	must(vfio_claim(want->bdf));
	must(ioas_alloc(iommufd, &low));
	must(iommufd_destroy(iommufd, low));
	check(!is_device(iommufd, want->id), "ID %u is in use", want->id);
	group = open_group(want->bdf);
	must(ioctl(group, VFIO_GROUP_SET_CONTAINER, &iommufd) ? -errno : 0);
	dev = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, want->bdf);
	must(dev < 0 ? -errno : 0);
	check(!is_device(iommufd, want->id),
	      "a device of a group has ID %u, which is waited for", want->id);
	for (id = low; id < low + IDS_TRIED; id++)
		found += is_device(iommufd, id);
	check(found == 1, "%d devices are bound from ID %u on", found, low);
	close(dev);
	close(group);
	must(vfio_ioas(iommufd, IOMMU_VFIO_IOAS_GET, &ioas));
	must(vfio_ioas(iommufd, IOMMU_VFIO_IOAS_CLEAR, &ioas));
	must(iommufd_destroy(iommufd, ioas));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio's part of the IOMMU handover: a device whose bind was recorded is
 * attached again by vfio's own path, so that vfio knows of the attachment.
 */
#include <linux/iommu-handover.h>
#include <linux/vfio.h>

#include "vfio.h"

static int attach(void *data, u32 *pt_id)
{
	struct vfio_device *device = data;

	lockdep_assert_held(&device->dev_set->lock);
	return device->ops->attach_ioas(device, pt_id);
}

int vfio_handover_open(struct vfio_device_file *df)
{
	int rc;

	iommufd_handover_expect(df->iommufd, df->device->dev, true);
	rc = vfio_df_open(df);
	iommufd_handover_expect(df->iommufd, df->device->dev, false);
	return rc;
}

int vfio_handover_replay(struct vfio_device *device)
{
	if (!device->iommufd_device)
		return 0;
	return iommufd_handover_replay_device(device->iommufd_device, attach,
					      device);
}

int vfio_handover_sealed(struct vfio_device *device)
{
	if (!device->iommufd_device)
		return 0;
	return iommufd_handover_device_sealed(device->iommufd_device);
}

bool vfio_handover_close(struct vfio_device *device)
{
	if (!device->iommufd_device)
		return false;
	return iommufd_handover_device_close(device->iommufd_device);
}

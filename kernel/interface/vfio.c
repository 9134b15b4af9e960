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

int vfio_handover_open(struct vfio_device_file *df, bool token)
{
	int rc;

	iommufd_handover_expect(df->iommufd, df->device->dev, true);
	rc = vfio_df_open(df);
	iommufd_handover_expect(df->iommufd, df->device->dev, false);
	if (!rc && token && df->device->iommufd_device)
		iommufd_handover_device_token(df->device->iommufd_device);
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

int vfio_handover_settle(struct vfio_device *device)
{
	/* Bound for as long as its file is open */
	if (!device->iommufd_device)
		return 0;
	return iommufd_handover_settle_device(device->iommufd_device);
}

bool vfio_handover_close(struct vfio_device *device)
{
	if (!device->iommufd_device)
		return false;
	return iommufd_handover_device_close(device->iommufd_device);
}

struct file *vfio_handover_set_state(struct vfio_device *device,
				     enum vfio_device_mig_state state)
{
	struct iommufd_device *idev = device->iommufd_device;
	enum vfio_device_mig_state now;
	struct file *file;
	int rc;

	if (!idev)
		return device->mig_ops->migration_set_state(device, state);
	rc = iommufd_handover_device_begin(idev);
	if (rc)
		return ERR_PTR(rc);
	file = device->mig_ops->migration_set_state(device, state);
	/* A call that fails may have gone part of the way */
	rc = device->mig_ops->migration_get_state(device, &now);
	iommufd_handover_device_migrating(idev,
					  rc || now != VFIO_DEVICE_STATE_RUNNING);
	iommufd_handover_device_end(idev);
	return file;
}

int vfio_handover_log_start(struct vfio_device *device,
			    struct rb_root_cached *ranges, u32 nnodes,
			    u64 *page_size)
{
	struct iommufd_device *idev = device->iommufd_device;
	int rc;

	if (!idev)
		return device->log_ops->log_start(device, ranges, nnodes,
						  page_size);
	rc = iommufd_handover_device_begin(idev);
	if (rc)
		return rc;
	rc = device->log_ops->log_start(device, ranges, nnodes, page_size);
	if (!rc)
		iommufd_handover_device_logging(idev, true);
	iommufd_handover_device_end(idev);
	return rc;
}

int vfio_handover_log_stop(struct vfio_device *device)
{
	struct iommufd_device *idev = device->iommufd_device;
	int rc;

	if (!idev)
		return device->log_ops->log_stop(device);
	rc = iommufd_handover_device_begin(idev);
	if (rc)
		return rc;
	rc = device->log_ops->log_stop(device);
	if (!rc)
		iommufd_handover_device_logging(idev, false);
	iommufd_handover_device_end(idev);
	return rc;
}

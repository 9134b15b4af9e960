/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks of the IOMMU handover into vfio.
 *
 * The iommufd side has its own header, drivers/iommu/handover/iommufd.h.
 */
#ifndef _LINUX_IOMMU_HANDOVER_H
#define _LINUX_IOMMU_HANDOVER_H

#include <linux/types.h>

struct device;
struct iommufd_ctx;
struct iommufd_device;
struct vfio_device;
struct vfio_device_file;

int vfio_df_open(struct vfio_device_file *df);

#ifdef CONFIG_IOMMU_HANDOVER

/**
 * iommufd_handover_replay_device() - run the records that waited for a device
 * @idev: device just bound, its driver has opened it
 * @attach: attaches it to the HWPT @pt_id through the bus driver's own path
 * @data: for @attach
 *
 * Rebuild the HWPTs that are recorded with it, compare each with the inherited
 * page table, then attach. All or nothing. Does nothing for a device that no
 * record names.
 *
 * Return: 0; -EBADMSG when a rebuilt table differs from the inherited one;
 * the errno of the step that failed. The device then stays pending and may be
 * bound again.
 */
int iommufd_handover_replay_device(struct iommufd_device *idev,
				   int (*attach)(void *data, u32 *pt_id),
				   void *data);

/* -EBUSY while the device's context is sealed, else 0. */
int iommufd_handover_device_sealed(struct iommufd_device *idev);

/**
 * iommufd_handover_device_close() - the driver is about to close a device
 * @idev: the device
 *
 * A seal on its context is undone first. Until the device is unbound, SNAPSHOT
 * and SEAL refuse it with -EAGAIN.
 *
 * Return: true when the jump has been committed to and the caller must leave
 * everything in place.
 */
bool iommufd_handover_device_close(struct iommufd_device *idev);

/* A device that is waited for takes its recorded ID only while it is expected. */
void iommufd_handover_expect(struct iommufd_ctx *ictx, struct device *dev,
			     bool expected);

/* vfio's callers of the above, under the dev_set lock. */
int vfio_handover_open(struct vfio_device_file *df);
int vfio_handover_replay(struct vfio_device *device);
int vfio_handover_sealed(struct vfio_device *device);
bool vfio_handover_close(struct vfio_device *device);

#else

static inline int
iommufd_handover_replay_device(struct iommufd_device *idev,
			       int (*attach)(void *data, u32 *pt_id),
			       void *data)
{
	return 0;
}

static inline int iommufd_handover_device_sealed(struct iommufd_device *idev)
{
	return 0;
}

static inline int vfio_handover_open(struct vfio_device_file *df)
{
	return vfio_df_open(df);
}

static inline bool vfio_handover_close(struct vfio_device *device)
{
	return false;
}

static inline int vfio_handover_replay(struct vfio_device *device)
{
	return 0;
}

static inline int vfio_handover_sealed(struct vfio_device *device)
{
	return 0;
}

#endif
#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks of the IOMMU handover into vfio.
 *
 * The iommufd side has its own header, drivers/iommu/handover/iommufd.h.
 */
#ifndef _LINUX_IOMMU_HANDOVER_H
#define _LINUX_IOMMU_HANDOVER_H

#include <linux/types.h>
#include <linux/vfio.h>

struct device;
struct iommufd_ctx;
struct luo_session;
struct pci_dev;
struct iommufd_device;
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

/**
 * iommufd_handover_replay_behind() - the same in a worker, the device is in use
 * @idev: device just bound, its driver has opened it
 * @attach: as above, takes the locks that it needs itself
 * @release: called when it has been tried, before those that wait go on
 * @data: for both; keeps the device bound until it is released
 *
 * Only for a device that did not stop for the kexec. Its regions can be used from
 * here on. Calls on the iommufd, and attach and detach, wait. If it fails, that is
 * noted, the device goes on with the inherited table and is pending; it is tried
 * again when the session is finished.
 *
 * Return: false, with nothing done, for any other device.
 */
bool iommufd_handover_replay_behind(struct iommufd_device *idev,
				    int (*attach)(void *data, u32 *pt_id),
				    void (*release)(void *data), void *data);

/* Wait until no device of its context is replayed. Return: 0 or -ERESTARTSYS. */
int iommufd_handover_settle_device(struct iommufd_device *idev);

/* -EBUSY while the device's context is sealed, else 0. */
int iommufd_handover_device_sealed(struct iommufd_device *idev);

/* The device was bound with a token. */
void iommufd_handover_device_token(struct iommufd_device *idev);

/**
 * iommufd_handover_device_begin() - its driver will migrate it or log its DMA
 * @idev: the device
 *
 * Calls for one device come one after the other.
 *
 * Return: 0, or -EBUSY while its context is sealed.
 */
int iommufd_handover_device_begin(struct iommufd_device *idev);
/* Between the two: what it is now. SNAPSHOT and SEAL refuse it while it is. */
void iommufd_handover_device_migrating(struct iommufd_device *idev, bool is);
void iommufd_handover_device_logging(struct iommufd_device *idev, bool is);
void iommufd_handover_device_end(struct iommufd_device *idev);

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

/**
 * iommufd_handover_preserve_device() - a device file is to be preserved
 * @idev: the device
 * @session: the session that it is to be in
 * @token: set: of its iommufd there
 * @dev_id: set: its object ID
 *
 * Until the call below SNAPSHOT and SEAL refuse the device where it is to stop.
 *
 * Return: 0; -ENOENT (noted) when the iommufd is not preserved in @session.
 */
int iommufd_handover_preserve_device(struct iommufd_device *idev,
				     struct luo_session *session, u64 *token,
				     u32 *dev_id);
/* It is not any more. */
void iommufd_handover_unpreserve_device(struct iommufd_device *idev);

/* The jump has begun. Return: 0; -EBUSY (noted) for a device that is to stop. */
int iommufd_handover_freeze_device(struct iommufd_device *idev);

/**
 * iommufd_handover_retrieve_ctx() - the iommufd of the session, for a device file
 * @session: the session
 * @token: of the iommufd
 *
 * It is retrieved if it was not yet. Context: from a handler's retrieve().
 * Return: with a reference; ERR_PTR of what its retrieve gave.
 */
struct iommufd_ctx *iommufd_handover_retrieve_ctx(struct luo_session *session,
						  u64 token);

/**
 * iommufd_handover_claim_device() - find a device, and have a driver take it
 * @session: the session
 * @token: of the iommufd
 * @dev_id: object ID of the device there
 * @driver: name of the PCI driver, for a device that no driver has
 * @found: set, with a reference
 *
 * Return: 0; -ENODEV when it is gone, -EAGAIN when there is no such driver yet,
 * -EBADMSG when the image does not know it, or what the driver said; noted.
 */
int iommufd_handover_claim_device(struct luo_session *session, u64 token,
				  u32 dev_id, const char *driver,
				  struct pci_dev **found);

/* Whether a retrieve that failed so may be tried again. */
bool iommufd_handover_may_retry(int err);

/* vfio's callers of the above, under the dev_set lock. @token: it came with one */
int vfio_handover_open(struct vfio_device_file *df, bool token);
int vfio_handover_replay(struct vfio_device *device);
int vfio_handover_sealed(struct vfio_device *device);
/* Without that lock, before the device is attached or detached */
int vfio_handover_settle(struct vfio_device *device);
bool vfio_handover_close(struct vfio_device *device);

/*
 * The driver's operations of these names, for a device that may be handed over:
 * -EBUSY, and the driver is not called, while its iommufd is sealed.
 */
struct file *vfio_handover_set_state(struct vfio_device *device,
				     enum vfio_device_mig_state state);
int vfio_handover_log_start(struct vfio_device *device,
			    struct rb_root_cached *ranges, u32 nnodes,
			    u64 *page_size);
int vfio_handover_log_stop(struct vfio_device *device);

#else

static inline int vfio_handover_open(struct vfio_device_file *df, bool token)
{
	return vfio_df_open(df);
}

static inline struct file *
vfio_handover_set_state(struct vfio_device *device,
			enum vfio_device_mig_state state)
{
	return device->mig_ops->migration_set_state(device, state);
}

static inline int vfio_handover_log_start(struct vfio_device *device,
					  struct rb_root_cached *ranges,
					  u32 nnodes, u64 *page_size)
{
	return device->log_ops->log_start(device, ranges, nnodes, page_size);
}

static inline int vfio_handover_log_stop(struct vfio_device *device)
{
	return device->log_ops->log_stop(device);
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

static inline int vfio_handover_settle(struct vfio_device *device)
{
	return 0;
}

#endif
#endif

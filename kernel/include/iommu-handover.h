/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks of the IOMMU handover into kexec, mm init, LUO and vfio.
 *
 * The iommufd side has its own header, drivers/iommu/handover/iommufd.h.
 */
#ifndef _LINUX_IOMMU_HANDOVER_H
#define _LINUX_IOMMU_HANDOVER_H

#include <linux/types.h>

struct file;
struct iommufd_device;
struct kimage;
struct vfio_device;

#ifdef CONFIG_IOMMU_HANDOVER

/**
 * iommu_handover_early_parse() - accept or refuse the image of the last kernel
 *
 * Context: start of mm_core_init_early(): the direct map is up, no allocator
 * is. Reads preserved memory only. Prints one line with the outcome.
 */
void iommu_handover_early_parse(void);

/**
 * iommu_handover_reboot_gate() - may this image be jumped to
 * @image: the loaded kimage
 *
 * Context: kernel_kexec(), under the kexec lock, before anything is torn down.
 * Return: 0; -EBUSY when an iommufd is preserved and no seal stands, when the
 * image was not loaded under it, or while an iommufd of the last handover is
 * not finished. Nothing is changed by a refusal.
 */
int iommu_handover_reboot_gate(struct kimage *image);

/**
 * iommu_handover_serialize() - is what the gate let through still there
 *
 * Context: with all LUO sessions held still until the jump or its failure.
 * Return: 0; -EBUSY when the seal that the gate saw was undone meanwhile, or
 * another was made.
 */
int iommu_handover_serialize(void);

/**
 * iommu_handover_commit() - no way back from here to the old kernel
 *
 * Context: kernel_kexec(), after LUO has serialised. Closing a sealed iommufd
 * or its devices leaves everything in place from now on.
 */
void iommu_handover_commit(void);

/* A kimage of kexec_file_load() is complete; it belongs to the seal of current. */
void iommu_handover_kimage_loaded(struct kimage *image);

/* A kimage is about to be freed; a seal it was loaded under is undone. */
void iommu_handover_kimage_freed(struct kimage *image);

/**
 * iommu_handover_file_retrieved() - LUO has given back a file
 * @session: name of its session
 * @token: its token
 * @file: the file; not consumed
 *
 * When an accepted image names it as memory, its folios are pinned until the
 * HWPTs hold them. Retrieving the iommufd tries again when memory was short.
 * Context: session mutex held.
 */
void iommu_handover_file_retrieved(const char *session, u64 token,
				   struct file *file);

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

/* vfio's callers of the two above, under the dev_set lock. */
int vfio_handover_replay(struct vfio_device *device);
int vfio_handover_sealed(struct vfio_device *device);

#else

static inline void iommu_handover_early_parse(void) { }
static inline int iommu_handover_reboot_gate(struct kimage *image)
{
	return 0;
}

static inline int iommu_handover_serialize(void)
{
	return 0;
}

static inline void iommu_handover_commit(void) { }
static inline void iommu_handover_kimage_loaded(struct kimage *image) { }
static inline void iommu_handover_kimage_freed(struct kimage *image) { }
static inline void iommu_handover_file_retrieved(const char *session, u64 token,
						 struct file *file) { }
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

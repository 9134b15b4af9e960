// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio's part of the IOMMU handover: the file of a PCI device as a file of a live
 * update session. What comes back is bound to the iommufd of the same session,
 * attached and not reset.
 */
#define pr_fmt(fmt) "vfio: handover: " fmt

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/iommu-handover.h>
#include <linux/iommufd.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate.h>
#include <linux/pci.h>
#include <linux/pci-handover.h>
#include <linux/unaligned.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_core.h>

#include "vfio.h"

#define DRIVER	"vfio-pci"
/* The layout of struct device_ser belongs to it */
#define COMPATIBLE	"vfio-pci-handover-v2"

/**
 * struct device_ser - what one kernel leaves to the next of a device file
 * @token: of the iommufd in the same session
 * @dev_id: object ID of the device in it
 * @config_len: bytes of @config
 * @config: configuration space as vfio shows it, where it does not show the
 *	device's own: what the VMM wrote there, the device does not know
 *
 * Which device that is, is in the image.
 */
struct device_ser {
	u64 token;
	u32 dev_id;
	u32 config_len;
	u8 config[PCI_CFG_SPACE_EXP_SIZE];
};

static struct vfio_device_file *file_of(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	return file->f_op == &vfio_device_fops && !df->group ? df : NULL;
}

static struct vfio_pci_core_device *pci_of(struct vfio_device *device)
{
	return container_of(device, struct vfio_pci_core_device, vdev);
}

static bool can_preserve(struct liveupdate_file_handler *handler,
			 struct file *file)
{
	struct vfio_device_file *df = file_of(file);

	return df && dev_is_pci(df->device->dev) &&
	       !strcmp(df->device->ops->name, DRIVER);
}

static int preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device_file *df = file_of(args->file);
	struct vfio_device *device = df->device;
	struct device_ser *ser;
	int rc;

	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);
	mutex_lock(&device->dev_set->lock);
	rc = df->access_granted && device->iommufd_device ?
		     iommufd_handover_preserve_device(device->iommufd_device,
						      args->session, &ser->token,
						      &ser->dev_id) :
		     -EINVAL;
	mutex_unlock(&device->dev_set->lock);
	if (rc) {
		kho_unpreserve_free(ser);
		return rc;
	}
	args->private_data = ser;
	args->serialized_data = virt_to_phys(ser);
	return 0;
}

/* The session has the file, so that it is bound as long as this. */
static void unpreserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device_file *df = file_of(args->file);

	iommufd_handover_unpreserve_device(df->device->iommufd_device);
	kho_unpreserve_free(args->private_data);
}

static int freeze(struct liveupdate_file_op_args *args)
{
	struct vfio_device_file *df = file_of(args->file);
	struct vfio_pci_core_device *vdev = pci_of(df->device);
	struct device_ser *ser = args->private_data;

	ser->config_len = vdev->pdev->cfg_size;
	memcpy(ser->config, vdev->vconfig, ser->config_len);
	return iommufd_handover_freeze_device(df->device->iommufd_device);
}

/*
 * Of a device that is as it was: one that was stopped is opened as any other.
 * Decoding is on by now, and stays as vfio knows it.
 */
static void restore_config(struct vfio_pci_core_device *vdev,
			   const struct device_ser *ser)
{
	const u8 decode = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
	u8 on = vdev->vconfig[PCI_COMMAND] & decode;

	if (!pci_handed_over(vdev->pdev))
		return;
	memcpy(vdev->vconfig, ser->config,
	       min_t(u32, ser->config_len, vdev->pdev->cfg_size));
	vdev->vconfig[PCI_COMMAND] &= ~decode;
	vdev->vconfig[PCI_COMMAND] |= on;
	vdev->virq_disabled = get_unaligned_le16(&vdev->vconfig[PCI_COMMAND]) &
			      PCI_COMMAND_INTX_DISABLE;
}

/* As opening the device's file does. */
static struct file *open_file(struct vfio_device *device)
{
	struct vfio_device_file *df;
	struct file *file;

	df = vfio_allocate_device_file(device);
	if (IS_ERR(df))
		return ERR_CAST(df);
	file = anon_inode_getfile("[vfio-device]", &vfio_device_fops, df, O_RDWR);
	if (IS_ERR(file)) {
		kfree(df);
		return file;
	}
	file->f_mode |= FMODE_PREAD | FMODE_PWRITE;
	file->f_mapping = device->inode->i_mapping;
	return file;
}

static int attach_behind(void *data, u32 *pt_id)
{
	struct vfio_device_file *df = ((struct file *)data)->private_data;
	struct vfio_device *device = df->device;

	guard(mutex)(&device->dev_set->lock);
	/* User space was faster, after it had failed once */
	if (device->iommufd_attached)
		return -EBUSY;
	return device->ops->attach_ioas(device, pt_id);
}

static void release(void *data)
{
	fput(data);
}

static int replay(struct file *file, struct vfio_device *device)
{
	if (!device->iommufd_device)
		return 0;
	if (iommufd_handover_replay_behind(device->iommufd_device, attach_behind,
					   release, get_file(file)))
		return 0;
	/* It is being opened: this is not the last reference */
	fput(file);
	return vfio_handover_replay(device);
}

/* As binding it does, by VFIO_DEVICE_BIND_IOMMUFD. */
static int bind_file(struct file *file, struct iommufd_ctx *ictx,
		     const struct device_ser *ser)
{
	struct vfio_device_file *df = file->private_data;
	struct vfio_device *device = df->device;
	int rc;

	rc = vfio_device_block_group(device);
	if (rc)
		return rc;
	mutex_lock(&device->dev_set->lock);
	df->iommufd = ictx;
	rc = vfio_handover_open(df, false);
	if (!rc) {
		restore_config(pci_of(device), ser);
		rc = replay(file, device);
		if (rc)
			vfio_df_close(df);
	}
	if (rc) {
		df->iommufd = NULL;
	} else {
		device->cdev_opened = true;
		/* Pairs with what each call of the file begins with */
		smp_store_release(&df->access_granted, true);
	}
	mutex_unlock(&device->dev_set->lock);
	if (rc)
		vfio_device_unblock_group(device);
	return rc;
}

static struct vfio_device *vfio_of(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *vdev;

	guard(device)(&pdev->dev);
	if (!pdev->driver || strcmp(pdev->driver->name, DRIVER))
		return NULL;
	vdev = dev_get_drvdata(&pdev->dev);
	return vfio_device_try_get_registration(&vdev->vdev) ? &vdev->vdev : NULL;
}

static int retrieve(struct liveupdate_file_op_args *args)
{
	const struct device_ser *ser = phys_to_virt(args->serialized_data);
	struct vfio_device *device;
	struct iommufd_ctx *ictx;
	struct pci_dev *pdev;
	struct file *file;
	int rc;

	ictx = iommufd_handover_retrieve_ctx(args->session, ser->token);
	if (IS_ERR(ictx))
		return PTR_ERR(ictx);
	rc = iommufd_handover_claim_device(args->session, ser->token,
					   ser->dev_id, DRIVER, &pdev);
	if (rc)
		goto out_ctx;
	device = vfio_of(pdev);
	pci_dev_put(pdev);
	if (!device) {
		rc = -EBUSY;
		goto out_ctx;
	}
	file = open_file(device);
	if (IS_ERR(file)) {
		vfio_device_put_registration(device);
		rc = PTR_ERR(file);
		goto out_ctx;
	}
	rc = bind_file(file, ictx, ser);
	if (rc) {
		/* The registration goes with the file */
		fput(file);
		goto out_ctx;
	}
	args->file = file;
	return 0;
out_ctx:
	iommufd_ctx_put(ictx);
	return rc;
}

/* The iommufd of the session waits for the device. */
static bool can_finish(struct liveupdate_file_op_args *args)
{
	return true;
}

static void finish(struct liveupdate_file_op_args *args)
{
	kho_restore_free(phys_to_virt(args->serialized_data));
}

static const struct liveupdate_file_ops ops = {
	.can_preserve = can_preserve,
	.preserve = preserve,
	.unpreserve = unpreserve,
	.freeze = freeze,
	.retrieve = retrieve,
	.may_retry = iommufd_handover_may_retry,
	.can_finish = can_finish,
	.finish = finish,
	.owner = THIS_MODULE,
};

#ifndef MODULE
static struct liveupdate_file_handler handler = {
	.ops = &ops,
	.compatible = COMPATIBLE,
};

/* LUO wants all handlers before the first session is read: not of a module. */
static int __init vfio_handover_init(void)
{
	int rc = liveupdate_register_file_handler(&handler);

	return rc == -EOPNOTSUPP ? 0 : rc;
}
late_initcall(vfio_handover_init);
#endif

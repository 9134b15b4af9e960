// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: a vfio driver that does what devices of emulators do not.
 *
 * vfio-handover-test takes any PCI device whose driver_override names it. Such a
 * device takes every migration state and logs DMA without doing anything. While
 * debugfs iommu_handover/hold_close holds 1, the close of one waits, as it does in
 * a slow reset; reading tells how many wait. No close waits longer than two
 * minutes.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/uaccess.h>
#include <linux/vfio_pci_core.h>
#include <linux/wait.h>

#define HOLD_MAX	(120 * HZ)

/**
 * struct test_device - a device of this driver
 * @core: of vfio-pci
 * @state: migration state, as it was set
 * @logging: between start and stop
 */
struct test_device {
	struct vfio_pci_core_device core;
	enum vfio_device_mig_state state;
	bool logging;
};

static DECLARE_WAIT_QUEUE_HEAD(hold_wait);
static bool hold;
static atomic_t held;

static struct test_device *to_test(struct vfio_device *vdev)
{
	return container_of(vdev, struct test_device, core.vdev);
}

static struct file *set_state(struct vfio_device *vdev,
			      enum vfio_device_mig_state state)
{
	struct test_device *t = to_test(vdev);

	if (state >= VFIO_DEVICE_STATE_NR)
		return ERR_PTR(-EINVAL);
	/* As devices that break on the way: the call fails, the state moves */
	t->state = state;
	return state == VFIO_DEVICE_STATE_ERROR ? ERR_PTR(-EIO) : NULL;
}

static int get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	*state = to_test(vdev)->state;
	return 0;
}

static int get_data_size(struct vfio_device *vdev, unsigned long *len)
{
	*len = 0;
	return 0;
}

static const struct vfio_migration_ops migration_ops = {
	.migration_set_state = set_state,
	.migration_get_state = get_state,
	.migration_get_data_size = get_data_size,
};

static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges,
		     u32 nnodes, u64 *page_size)
{
	struct test_device *t = to_test(vdev);

	if (t->logging)
		return -EINVAL;
	t->logging = true;
	return 0;
}

static int log_stop(struct vfio_device *vdev)
{
	to_test(vdev)->logging = false;
	return 0;
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova,
			      unsigned long length, struct iova_bitmap *dirty)
{
	return to_test(vdev)->logging ? 0 : -EINVAL;
}

static const struct vfio_log_ops log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};

static int init_device(struct vfio_device *vdev)
{
	int rc = vfio_pci_core_init_dev(vdev);

	if (rc)
		return rc;
	to_test(vdev)->state = VFIO_DEVICE_STATE_RUNNING;
	vdev->migration_flags = VFIO_MIGRATION_STOP_COPY;
	vdev->mig_ops = &migration_ops;
	vdev->log_ops = &log_ops;
	return 0;
}

static int open_device(struct vfio_device *vdev)
{
	struct vfio_pci_core_device *core = &to_test(vdev)->core;
	int rc = vfio_pci_core_enable(core);

	if (!rc)
		vfio_pci_core_finish_enable(core);
	return rc;
}

static void close_device(struct vfio_device *vdev)
{
	struct test_device *t = to_test(vdev);

	atomic_inc(&held);
	wait_event_timeout(hold_wait, !READ_ONCE(hold), HOLD_MAX);
	atomic_dec(&held);
	t->state = VFIO_DEVICE_STATE_RUNNING;
	t->logging = false;
	vfio_pci_core_close_device(vdev);
}

static const struct vfio_device_ops device_ops = {
	.name = "vfio-handover-test",
	.init = init_device,
	.open_device = open_device,
	.close_device = close_device,
	.release = vfio_pci_core_release_dev,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
	.ioctl = vfio_pci_core_ioctl,
	.get_region_info_caps = vfio_pci_ioctl_get_region_info,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.match_token_uuid = vfio_pci_core_match_token_uuid,
};

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct test_device *t;
	int rc;

	t = vfio_alloc_device(test_device, core.vdev, &pdev->dev, &device_ops);
	if (IS_ERR(t))
		return PTR_ERR(t);
	dev_set_drvdata(&pdev->dev, &t->core);
	rc = vfio_pci_core_register_device(&t->core);
	if (rc)
		vfio_put_device(&t->core.vdev);
	return rc;
}

static void remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

static const struct pci_device_id ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_ANY_ID, PCI_ANY_ID) },
	{}
};

static struct pci_driver driver = {
	.name = "vfio-handover-test",
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.err_handler = &vfio_pci_core_err_handlers,
	.driver_managed_dma = true,
};

static ssize_t hold_read(struct file *file, char __user *ubuf, size_t len,
			 loff_t *pos)
{
	char buf[16];
	int n = scnprintf(buf, sizeof(buf), "%d\n", atomic_read(&held));

	return simple_read_from_buffer(ubuf, len, pos, buf, n);
}

static ssize_t hold_write(struct file *file, const char __user *ubuf,
			  size_t len, loff_t *pos)
{
	bool on;
	int rc = kstrtobool_from_user(ubuf, len, &on);

	if (rc)
		return rc;
	WRITE_ONCE(hold, on);
	wake_up_all(&hold_wait);
	return len;
}

static const struct file_operations hold_fops = {
	.owner = THIS_MODULE,
	.read = hold_read,
	.write = hold_write,
};

static int __init test_vfio_init(void)
{
	struct dentry *dir = debugfs_lookup("iommu_handover", NULL);

	debugfs_create_file("hold_close", 0600, dir, NULL, &hold_fops);
	dput(dir);
	return pci_register_driver(&driver);
}
late_initcall(test_vfio_init);

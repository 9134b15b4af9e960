// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: brackets round the calls that change a context.
 *
 * A snapshot must see no call half done, and a seal must refuse those that
 * would change what is sealed. A change to a preserved context moves the
 * generation, by which SEAL knows that a snapshot is out of date.
 */
#include <kunit/static_stub.h>
#include <linux/iommu-handover.h>
#include <linux/percpu.h>
#include <linux/vfio.h>
#include <linux/wait_bit.h>

#include "../iommufd/iommufd_private.h"
#include "../iommufd/iommufd_test.h"
#include "handover.h"

/* Each CPU has a count of its own, since every map and unmap may move it. */
static DEFINE_PER_CPU(u64, moves);

u64 handover_generation(void)
{
	u64 sum = 1;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(moves, cpu));
	return sum;
}

void handover_generation_move(void)
{
	this_cpu_inc(moves);
}

int iommufd_handover_compat_begin(struct iommufd_ctx *ictx)
{
	int rc = iommufd_handover_settled_begin(&ictx->handover);

	if (!rc)
		WRITE_ONCE(ictx->handover.compat, true);
	return rc;
}

void iommufd_handover_hold(struct iommufd_ctx *ictx)
{
	iommufd_ctx_get(ictx);
	down_read(iommufd_handover_lock(&ictx->handover));
}

void iommufd_handover_let_go(struct iommufd_ctx *ictx)
{
	iommufd_handover_change_end(&ictx->handover);
	iommufd_ctx_put(ictx);
}

/* Known ioctls only: 1 when it changes the context, 0 when not, else -ENOTTY. */
static int ioctl_changes(unsigned int cmd, const void *arg)
{
	switch (cmd) {
	case IOMMU_GET_HW_INFO:
	case IOMMU_HWPT_GET_DIRTY_BITMAP:
	case IOMMU_HWPT_INVALIDATE:
	case IOMMU_IOAS_CHANGE_PROCESS:
	case IOMMU_IOAS_IOVA_RANGES:
#ifdef IOMMU_IOAS_NOIOMMU_GET_PA
	case IOMMU_IOAS_NOIOMMU_GET_PA:
#endif
		return 0;
	case IOMMU_OPTION:
		return ((const struct iommu_option *)arg)->op !=
		       IOMMU_OPTION_OP_GET;
	case IOMMU_VFIO_IOAS:
		return ((const struct iommu_vfio_ioas *)arg)->op !=
		       IOMMU_VFIO_IOAS_GET;
	case IOMMU_DESTROY:
	case IOMMU_FAULT_QUEUE_ALLOC:
	case IOMMU_HW_QUEUE_ALLOC:
	case IOMMU_HWPT_ALLOC:
	case IOMMU_HWPT_SET_DIRTY_TRACKING:
	case IOMMU_IOAS_ALLOW_IOVAS:
	case IOMMU_VDEVICE_ALLOC:
	case IOMMU_VEVENTQ_ALLOC:
	case IOMMU_VIOMMU_ALLOC:
		return 1;
	default:
		return -ENOTTY;
	}
}

/*
 * To destroy a mock's device object is to destroy the device: the mock then
 * takes a driver's lock, which is outside of ours, since it holds that lock when
 * it calls iommufd.
 */
static bool destroys_mock(struct iommufd_ctx_handover *h, unsigned int cmd,
			  const void *arg)
{
	bool mock = false;

#ifdef CONFIG_IOMMUFD_TEST
	struct iommufd_ctx *ictx = container_of(h, struct iommufd_ctx, handover);
	struct iommufd_object *obj;

	if (cmd != IOMMU_DESTROY)
		return false;
	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, ((const struct iommu_destroy *)arg)->id);
	mock = obj && obj->type == IOMMUFD_OBJ_SELFTEST;
	xa_unlock(&ictx->objects);
#endif
	return mock;
}

static bool is_mock(unsigned int cmd)
{
#ifdef CONFIG_IOMMUFD_TEST
	return cmd == IOMMU_TEST_CMD;
#else
	return false;
#endif
}

int iommufd_handover_settle_wait(struct iommufd_ctx_handover *h)
{
	int records, rc;

	/* Looked at once: they may be tried again at any time */
	rc = wait_var_event_killable(&h->behind,
				     (records = READ_ONCE(h->records)) < 0 ||
				     !READ_ONCE(h->behind));
	return rc ?: min(records, 0);
}

int iommufd_handover_records_wait(struct iommufd_ctx_handover *h)
{
	int records, rc;

	rc = wait_var_event_killable(&h->behind,
				     (records = READ_ONCE(h->records)) <= 0);
	return rc ?: records;
}

int iommufd_handover_ioctl_other(struct iommufd_ctx_handover *h,
				 unsigned int cmd, const void *arg,
				 bool *locked)
{
	int changes, rc;

	*locked = false;
	/* The mock's call comes back in through the drivers' interface */
	if (is_mock(cmd) || destroys_mock(h, cmd, arg)) {
		rc = iommufd_handover_settle(h);
		return rc ?: READ_ONCE(h->sealed) ? -EBUSY : 0;
	}
	/* Ranges and HWPTs are those of the records only then */
	changes = ioctl_changes(cmd, arg);
	if (!changes)
		return iommufd_handover_settle(h);
	rc = iommufd_handover_settled_begin(h);
	*locked = !rc;
	/* Newer than this file: what it leaves is not recorded */
	if (!rc && changes < 0)
		WRITE_ONCE(h->unknown, cmd);
	return rc;
}

long iommufd_handover_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
				 unsigned long arg)
{
	long rc;

	switch (cmd) {
	case VFIO_IOMMU_MAP_DMA:
	case VFIO_IOMMU_UNMAP_DMA:
	case VFIO_SET_IOMMU:
		rc = iommufd_handover_compat_begin(ictx);
		if (rc)
			return rc;
		rc = iommufd_vfio_ioctl(ictx, cmd, arg);
		iommufd_handover_change_end(&ictx->handover);
		return rc;
	default:
		/* What it is asked for may be that of a record */
		rc = iommufd_handover_settle(&ictx->handover);
		return rc ?: iommufd_vfio_ioctl(ictx, cmd, arg);
	}
}

void iommufd_handover_device_init(struct iommufd_device *idev)
{
	static atomic64_t serial;

	KUNIT_STATIC_STUB_REDIRECT(iommufd_handover_device_init, idev);
	idev->handover.serial = atomic64_inc_return(&serial);
	mutex_init(&idev->handover.user);
}

int iommufd_handover_device_sealed(struct iommufd_device *idev)
{
	return READ_ONCE(idev->ictx->handover.sealed) ? -EBUSY : 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_sealed, "IOMMUFD");

int iommufd_handover_device_begin(struct iommufd_device *idev)
{
	int rc = iommufd_handover_change_begin(&idev->ictx->handover);

	if (!rc)
		mutex_lock(&idev->handover.user);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_begin, "IOMMUFD");

void iommufd_handover_device_migrating(struct iommufd_device *idev, bool is)
{
	lockdep_assert_held(&idev->handover.user);
	WRITE_ONCE(idev->handover.migrating, is);
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_migrating, "IOMMUFD");

void iommufd_handover_device_logging(struct iommufd_device *idev, bool is)
{
	lockdep_assert_held(&idev->handover.user);
	WRITE_ONCE(idev->handover.logging, is);
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_logging, "IOMMUFD");

void iommufd_handover_device_end(struct iommufd_device *idev)
{
	mutex_unlock(&idev->handover.user);
	iommufd_handover_change_end(&idev->ictx->handover);
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_end, "IOMMUFD");

void iommufd_handover_record_hwpt(struct iommufd_hwpt_paging *hwpt,
				  struct iommufd_device *idev, u32 flags)
{
	if (READ_ONCE(idev->handover.making) == current)
		hwpt->handover.inherit = idev->handover.inherit;
	hwpt->handover.flags = flags;
	hwpt->handover.dev_id = idev->obj.id;
	hwpt->handover.dev_serial = idev->handover.serial;
}

void iommufd_handover_dirty_tracking(struct iommufd_hwpt_paging *hwpt,
				     bool enable)
{
	WRITE_ONCE(hwpt->handover.dirty_tracking, enable);
}

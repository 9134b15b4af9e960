// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: the library's views of payloads are the ioctls'.
 */
#include <linux/liveupdate.h>
#include <uapi/linux/iommufd.h>
#include <uapi/linux/vfio.h>

#include "handover.h"

#define SAME(_view, _ioctl, _field)                                            \
	static_assert(offsetofend(struct _view, _field) ==                     \
		      offsetofend(struct _ioctl, _field))

SAME(iho_pl_option, iommu_option, option_id);
SAME(iho_pl_option, iommu_option, op);
SAME(iho_pl_option, iommu_option, object_id);
SAME(iho_pl_option, iommu_option, val64);
SAME(iho_pl_ioas_alloc, iommu_ioas_alloc, out_ioas_id);
SAME(iho_pl_allow_iovas, iommu_ioas_allow_iovas, ioas_id);
SAME(iho_pl_allow_iovas, iommu_ioas_allow_iovas, num_iovas);
SAME(iho_pl_allow_iovas, iommu_ioas_allow_iovas, allowed_iovas);
SAME(iho_pl_vfio_ioas, iommu_vfio_ioas, ioas_id);
SAME(iho_pl_vfio_ioas, iommu_vfio_ioas, op);
SAME(iho_pl_map_file, iommu_ioas_map_file, flags);
SAME(iho_pl_map_file, iommu_ioas_map_file, ioas_id);
SAME(iho_pl_map_file, iommu_ioas_map_file, fd);
SAME(iho_pl_map_file, iommu_ioas_map_file, start);
SAME(iho_pl_map_file, iommu_ioas_map_file, length);
SAME(iho_pl_map_file, iommu_ioas_map_file, iova);
SAME(iho_pl_bind, vfio_device_bind_iommufd, iommufd);
SAME(iho_pl_bind, vfio_device_bind_iommufd, out_devid);
SAME(iho_pl_bind, vfio_device_bind_iommufd, token_uuid_ptr);
SAME(iho_pl_hwpt_alloc, iommu_hwpt_alloc, flags);
SAME(iho_pl_hwpt_alloc, iommu_hwpt_alloc, dev_id);
SAME(iho_pl_hwpt_alloc, iommu_hwpt_alloc, pt_id);
SAME(iho_pl_hwpt_alloc, iommu_hwpt_alloc, out_hwpt_id);
SAME(iho_pl_hwpt_alloc, iommu_hwpt_alloc, data_uptr);
SAME(iho_pl_hwpt_alloc, iommu_hwpt_alloc, fault_id);
SAME(iho_pl_attach, vfio_device_attach_iommufd_pt, pt_id);
SAME(iho_pl_attach, vfio_device_attach_iommufd_pt, pasid);
static_assert(IHO_OPTION_RLIMIT_MODE == IOMMU_OPTION_RLIMIT_MODE);
static_assert(IHO_OPTION_HUGE_PAGES == IOMMU_OPTION_HUGE_PAGES);
static_assert(IHO_OPTION_OP_SET == IOMMU_OPTION_OP_SET);
static_assert(IHO_VFIO_IOAS_SET == IOMMU_VFIO_IOAS_SET);
static_assert(IHO_MAP_FIXED_IOVA == IOMMU_IOAS_MAP_FIXED_IOVA);
static_assert(IHO_MAP_WRITEABLE == IOMMU_IOAS_MAP_WRITEABLE);
static_assert(IHO_MAP_READABLE == IOMMU_IOAS_MAP_READABLE);
static_assert(sizeof(struct iho_range) == sizeof(struct iommu_iova_range));
static_assert(IHO_SESSION_LEN == LIVEUPDATE_SESSION_NAME_LENGTH);

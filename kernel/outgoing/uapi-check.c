// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: the library's views of payloads are the ioctls'.
 */
#include <linux/liveupdate.h>
#include <uapi/linux/iommufd.h>
#include <uapi/linux/vfio.h>

#include "handover.h"

#define END(_struct, _field)	offsetofend(struct _struct, _field)

static_assert(END(iho_pl_option, option_id) == END(iommu_option, option_id));
static_assert(END(iho_pl_option, op) == END(iommu_option, op));
static_assert(END(iho_pl_option, object_id) == END(iommu_option, object_id));
static_assert(END(iho_pl_option, val64) == END(iommu_option, val64));
static_assert(END(iho_pl_ioas_alloc, out_ioas_id) ==
	      END(iommu_ioas_alloc, out_ioas_id));
static_assert(END(iho_pl_allow_iovas, ioas_id) ==
	      END(iommu_ioas_allow_iovas, ioas_id));
static_assert(END(iho_pl_allow_iovas, num_iovas) ==
	      END(iommu_ioas_allow_iovas, num_iovas));
static_assert(END(iho_pl_allow_iovas, allowed_iovas) ==
	      END(iommu_ioas_allow_iovas, allowed_iovas));
static_assert(END(iho_pl_vfio_ioas, ioas_id) == END(iommu_vfio_ioas, ioas_id));
static_assert(END(iho_pl_vfio_ioas, op) == END(iommu_vfio_ioas, op));
static_assert(END(iho_pl_map_file, flags) == END(iommu_ioas_map_file, flags));
static_assert(END(iho_pl_map_file, ioas_id) ==
	      END(iommu_ioas_map_file, ioas_id));
static_assert(END(iho_pl_map_file, fd) == END(iommu_ioas_map_file, fd));
static_assert(END(iho_pl_map_file, start) == END(iommu_ioas_map_file, start));
static_assert(END(iho_pl_map_file, length) == END(iommu_ioas_map_file, length));
static_assert(END(iho_pl_map_file, iova) == END(iommu_ioas_map_file, iova));
static_assert(END(iho_pl_bind, iommufd) ==
	      END(vfio_device_bind_iommufd, iommufd));
static_assert(END(iho_pl_bind, out_devid) ==
	      END(vfio_device_bind_iommufd, out_devid));
static_assert(END(iho_pl_bind, token_uuid_ptr) ==
	      END(vfio_device_bind_iommufd, token_uuid_ptr));
static_assert(END(iho_pl_hwpt_alloc, flags) == END(iommu_hwpt_alloc, flags));
static_assert(END(iho_pl_hwpt_alloc, dev_id) == END(iommu_hwpt_alloc, dev_id));
static_assert(END(iho_pl_hwpt_alloc, pt_id) == END(iommu_hwpt_alloc, pt_id));
static_assert(END(iho_pl_hwpt_alloc, out_hwpt_id) ==
	      END(iommu_hwpt_alloc, out_hwpt_id));
static_assert(END(iho_pl_hwpt_alloc, data_uptr) ==
	      END(iommu_hwpt_alloc, data_uptr));
static_assert(END(iho_pl_hwpt_alloc, fault_id) ==
	      END(iommu_hwpt_alloc, fault_id));
static_assert(END(iho_pl_attach, pt_id) ==
	      END(vfio_device_attach_iommufd_pt, pt_id));
static_assert(END(iho_pl_attach, pasid) ==
	      END(vfio_device_attach_iommufd_pt, pasid));
static_assert(IHO_OPTION_RLIMIT_MODE == IOMMU_OPTION_RLIMIT_MODE);
static_assert(IHO_OPTION_HUGE_PAGES == IOMMU_OPTION_HUGE_PAGES);
static_assert(IHO_OPTION_OP_SET == IOMMU_OPTION_OP_SET);
static_assert(IHO_VFIO_IOAS_SET == IOMMU_VFIO_IOAS_SET);
static_assert(IHO_MAP_FIXED_IOVA == IOMMU_IOAS_MAP_FIXED_IOVA);
static_assert(IHO_MAP_WRITEABLE == IOMMU_IOAS_MAP_WRITEABLE);
static_assert(IHO_MAP_READABLE == IOMMU_IOAS_MAP_READABLE);
static_assert(sizeof(struct iho_range) == sizeof(struct iommu_iova_range));
static_assert(IHO_SESSION_LEN == LIVEUPDATE_SESSION_NAME_LENGTH);

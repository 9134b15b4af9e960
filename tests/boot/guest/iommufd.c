// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "guest.h"

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int call(int fd, unsigned long request, void *cmd)
{
	return ioctl(fd, request, cmd) < 0 ? -errno : 0;
}

int iommufd_destroy(int fd, uint32_t id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return call(fd, IOMMU_DESTROY, &cmd);
}

int ioas_alloc(int fd, uint32_t *id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int err = call(fd, IOMMU_IOAS_ALLOC, &cmd);

	if (!err)
		*id = cmd.out_ioas_id;
	return err;
}

int ioas_allow(int fd, uint32_t ioas, const struct iommu_iova_range *ranges,
	       uint32_t nr)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = nr,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return call(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

int ioas_ranges(int fd, uint32_t ioas, struct iommu_iova_range *ranges,
		uint32_t *nr, uint64_t *align)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = *nr,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int err = call(fd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	*nr = cmd.num_iovas;
	*align = cmd.out_iova_alignment;
	return err;
}

int ioas_map_file(int fd, uint32_t ioas, int memfd, uint64_t offset,
		  uint64_t length, uint64_t *iova, uint32_t flags)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.fd = memfd,
		.start = offset,
		.length = length,
		.iova = *iova,
	};
	int err = call(fd, IOMMU_IOAS_MAP_FILE, &cmd);

	if (!err)
		*iova = cmd.iova;
	return err;
}

int ioas_map(int fd, uint32_t ioas, const void *va, uint64_t length,
	     uint64_t *iova, uint32_t flags)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = *iova,
	};
	int err = call(fd, IOMMU_IOAS_MAP, &cmd);

	if (!err)
		*iova = cmd.iova;
	return err;
}

int ioas_copy(int fd, uint32_t dst, uint64_t *dst_iova, uint32_t src,
	      uint64_t src_iova, uint64_t length, uint32_t flags)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dst_ioas_id = dst,
		.src_ioas_id = src,
		.length = length,
		.dst_iova = *dst_iova,
		.src_iova = src_iova,
	};
	int err = call(fd, IOMMU_IOAS_COPY, &cmd);

	if (!err)
		*dst_iova = cmd.dst_iova;
	return err;
}

int ioas_unmap(int fd, uint32_t ioas, uint64_t iova, uint64_t length,
	       uint64_t *unmapped)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};
	int err = call(fd, IOMMU_IOAS_UNMAP, &cmd);

	if (!err && unmapped)
		*unmapped = cmd.length;
	return err;
}

int iommufd_option_set(int fd, uint32_t option, uint32_t id, uint64_t value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = id,
		.val64 = value,
	};

	return call(fd, IOMMU_OPTION, &cmd);
}

int iommufd_option_get(int fd, uint32_t option, uint32_t id, uint64_t *value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = option,
		.op = IOMMU_OPTION_OP_GET,
		.object_id = id,
	};
	int err = call(fd, IOMMU_OPTION, &cmd);

	if (!err)
		*value = cmd.val64;
	return err;
}

int vfio_ioas(int fd, uint16_t op, uint32_t *ioas)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = op,
		.ioas_id = *ioas,
	};
	int err = call(fd, IOMMU_VFIO_IOAS, &cmd);

	*ioas = cmd.ioas_id;
	return err;
}

int hwpt_alloc(int fd, uint32_t dev_id, uint32_t pt_id, uint32_t flags,
	       uint32_t *hwpt)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev_id,
		.pt_id = pt_id,
	};
	int err = call(fd, IOMMU_HWPT_ALLOC, &cmd);

	if (!err)
		*hwpt = cmd.out_hwpt_id;
	return err;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much as is needed here of the interface to iommufd's mock driver, which
 * CONFIG_IOMMUFD_TEST provides and no exported header describes.
 */
#ifndef MOCK_H
#define MOCK_H

#include <linux/iommufd.h>

#define MOCK_CMD	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)

/* Operations. */
#define MOCK_DEVICE	2	/* make a device and attach it to @id */
#define MOCK_ACCESS	5	/* make an access object of IOAS @id */
#define MOCK_MOVE	10	/* attach device @id to another HWPT */
#define MOCK_DEVICE_OF	12	/* MOCK_DEVICE of a kind */
#define MOCK_PASID	18	/* attach a PASID of device @id to an HWPT */
#define MOCK_PASID_OFF	20	/* detach a PASID of device @id */
#define MOCK_DMABUF	22	/* make a dma-buf; its descriptor is returned */

/* Kinds of device. */
#define MOCK_HAS_PASID	4

#define MOCK_TYPE_VIOMMU	0xdeadbeefU
#define MOCK_TYPE_VEVENTQ	0xbeefbeefU
#define MOCK_TYPE_HW_QUEUE	0xdeadbeefU
#define MOCK_TYPE_NESTED	0xdeadU

/**
 * struct mock_cmd - argument of MOCK_CMD
 * @size: sizeof(struct mock_cmd)
 * @op: MOCK_*
 * @id: what it is about; of a device its selftest object
 * @arg: per operation; MOCK_DEVICE gives selftest object, HWPT and device,
 *	 MOCK_DEVICE_OF takes the kind after them; MOCK_MOVE takes an HWPT,
 *	 MOCK_PASID a PASID and an HWPT, MOCK_PASID_OFF a PASID; MOCK_ACCESS
 *	 gives a descriptor, MOCK_DMABUF takes the length
 */
struct mock_cmd {
	__u32 size;
	__u32 op;
	__u32 id;
	__u32 reserved;
	union {
		__u32 word[12];
		__aligned_u64 align;
	} arg;
	__u32 last;
};

/* User data of a nested HWPT. */
struct mock_nested {
	__u32 iotlb;
	__u32 type;
};

#endif /* MOCK_H */

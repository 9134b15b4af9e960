/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * The calls of live update sessions, iommufd and vfio that this program makes, for
 * machines whose own headers are older than the kernel. Numbers and layout are
 * those of <linux/liveupdate.h>, <linux/iommufd.h> and <linux/vfio.h>.
 */
#ifndef PARK_ABI_H
#define PARK_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* /dev/liveupdate, and a session; one argument serves each pair. */
#define LUO_CREATE_SESSION	_IO(0xba, 0x00)
#define LUO_RETRIEVE_SESSION	_IO(0xba, 0x01)
#define LUO_PRESERVE_FD		_IO(0xba, 0x40)
#define LUO_RETRIEVE_FD		_IO(0xba, 0x41)
#define LUO_FINISH		_IO(0xba, 0x42)

#define LUO_NAME_LEN		64	/* with the NUL */

struct luo_session {
	__u32 size;
	__s32 fd;
	char name[LUO_NAME_LEN];
};

struct luo_file {
	__u32 size;
	__s32 fd;
	__aligned_u64 token;
};

struct luo_finish {
	__u32 size;
	__u32 reserved;
};

#define IOMMUFD_OPTION			_IO(';', 0x87)
#define IOMMUFD_SET_DIRTY_TRACKING	_IO(';', 0x8b)

/* All zero but size: reads how pages are accounted, which every iommufd can say. */
struct iommufd_option {
	__u32 size;
	__u32 option_id;
	__u16 op;		/* 1 reads */
	__u16 reserved;
	__u32 object_id;
	__aligned_u64 val64;
};

struct iommufd_dirty_tracking {
	__u32 size;
	__u32 flags;		/* 0 ends it */
	__u32 hwpt_id;
	__u32 reserved;
};

#endif

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * What is carried through the kexec: memory, iommufd and device, as the VMM
 * author's guide says it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include "virtio.h"

#define SESSION		"virtio"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define TOKEN_DEVICE	3
#define MAGIC		0x76697274696f2d31ULL
#define EXTRA_IOVA	IOVA(MEMORY_LEN)

struct state *state;
int iommufd = -1, device = -1, session = -1;

static int memfd = -1;

void *at(uint64_t off)
{
	return (char *)state + off;
}

static void call(int fd, unsigned long cmd, void *arg, const char *what)
{
	if (ioctl(fd, cmd, arg) < 0)
		fail(what, errno);
}

/* ---- live update session ------------------------------------------------ */

static int open_session(unsigned long cmd)
{
	struct liveupdate_ioctl_create_session arg = {
		.size = sizeof(arg),
		.name = SESSION,
	};
	int dev;

	while ((dev = open("/dev/liveupdate", O_RDWR | O_CLOEXEC)) < 0) {
		if (errno != EBUSY)
			fail("/dev/liveupdate", errno);
		usleep(20000);
	}
	call(dev, cmd, &arg, "live update session");
	close(dev);
	return arg.fd;
}

static void preserve(int fd, uint64_t token)
{
	struct liveupdate_session_preserve_fd arg = {
		.size = sizeof(arg),
		.fd = fd,
		.token = token,
	};

	call(session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg, "preserve");
}

/* EBUSY is for the file of a device: another driver has it for a moment. */
static int retrieve(uint64_t token)
{
	struct liveupdate_session_retrieve_fd arg = {
		.size = sizeof(arg),
		.token = token,
	};
	int tries = 50;

	while (ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg) < 0) {
		if ((errno != ENOMEM && errno != ENFILE && errno != EMFILE &&
		     errno != EAGAIN && errno != EINTR && errno != EBUSY) ||
		    !tries--)
			fail("retrieve; see last_refusal in sysfs", errno);
		usleep(100000);
	}
	return arg.fd;
}

/* ---- memory and maps ---------------------------------------------------- */

static void memory_map(void)
{
	struct stat st;

	if (fstat(memfd, &st) || st.st_size != MEMORY_LEN)
		fail("this is not the memory that was preserved", EINVAL);
	state = mmap(NULL, MEMORY_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		     memfd, 0);
	if (state == MAP_FAILED)
		fail("mmap", errno);
}

static void map(uint64_t off, uint64_t length, uint64_t iova)
{
	struct iommu_ioas_map_file arg = {
		.size = sizeof(arg),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = state->ioas,
		.fd = memfd,
		.start = off,
		.length = length,
		.iova = iova,
	};

	call(iommufd, IOMMU_IOAS_MAP_FILE, &arg, "map");
}

void carry_try_map(void)
{
	struct iommu_ioas_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = state->ioas,
		.iova = EXTRA_IOVA,
		.length = LOG_LEN,
	};

	map(LOG_OFF, LOG_LEN, EXTRA_IOVA);
	call(iommufd, IOMMU_IOAS_UNMAP, &arg, "unmap");
}

/* ---- the device --------------------------------------------------------- */

/* The kernel attaches a device that was handed over before this returns. */
static uint32_t bind_device(void)
{
	struct vfio_device_bind_iommufd arg = {
		.argsz = sizeof(arg),
		.iommufd = iommufd,
	};
	const char *node = device_node();

	device = open(node, O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail(node, errno);
	call(device, VFIO_DEVICE_BIND_IOMMUFD, &arg, "bind");
	return arg.out_devid;
}

void carry_build(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct vfio_device_attach_iommufd_pt pt = { .argsz = sizeof(pt) };

	memfd = memfd_create("virtio", MFD_CLOEXEC);
	if (memfd < 0 || ftruncate(memfd, MEMORY_LEN))
		fail("memory", errno);
	memory_map();
	memset(state, 0, MEMORY_LEN);	/* touched before it is mapped */
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0)
		fail("/dev/iommu", errno);
	call(iommufd, IOMMU_IOAS_ALLOC, &ioas, "IOAS");
	state->ioas = ioas.out_ioas_id;
	map(RINGS_OFF, RINGS_LEN, IOVA(RINGS_OFF));
	map(BUFFERS_OFF, BUFFERS_LEN, IOVA(BUFFERS_OFF));
	state->dev = bind_device();
	pt.pt_id = state->ioas;
	call(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt, "attach");
	state->magic = MAGIC;
}

void carry_memory(void)
{
	session = open_session(LIVEUPDATE_IOCTL_RETRIEVE_SESSION);
	memfd = retrieve(TOKEN_MEMORY);
	memory_map();
	if (state->magic != MAGIC)
		fail("this is not the driver's memory", EINVAL);
}

/* The order of iommufd and device is free: each mode has its own. */
void carry_device(void)
{
	switch (state->mode) {
	case BY_BIND:
		iommufd = retrieve(TOKEN_IOMMUFD);
		if (bind_device() != state->dev)
			fail("the device came back with another ID", EPROTO);
		break;
	case BY_FILE:
		device = retrieve(TOKEN_DEVICE);
		break;
	case BY_SESSION:
		iommufd = retrieve(TOKEN_IOMMUFD);
		device = retrieve(TOKEN_DEVICE);
		break;
	default:
		fail("mode", EINVAL);
	}
}

void carry_finish(void)
{
	struct liveupdate_session_finish arg = { .size = sizeof(arg) };

	if (iommufd < 0)
		iommufd = retrieve(TOKEN_IOMMUFD);
	call(session, LIVEUPDATE_SESSION_FINISH, &arg,
	     "finish; see last_refusal in sysfs");
	close(session);
	session = -1;
}

/* BAR mappings hold the device's file as well as its descriptor does. */
void carry_give(void)
{
	session = open_session(LIVEUPDATE_IOCTL_CREATE_SESSION);
	preserve(memfd, TOKEN_MEMORY);
	preserve(iommufd, TOKEN_IOMMUFD);
	if (state->mode == BY_BIND)
		return;
	preserve(device, TOKEN_DEVICE);
	if (state->mode == BY_FILE)
		return;
	device_close();
	close(device);
	close(iommufd);
	device = -1;
	iommufd = -1;
}

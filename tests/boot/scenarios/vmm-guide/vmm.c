// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * A VMM that carries its guest memory, its iommufd and its device across a
 * kexec. Complete: it needs the kernel's headers and nothing else. Copy it.
 *
 *	vmm start  /dev/vfio/devices/vfioN	build, give to a session, wait
 *	vmm resume /dev/vfio/devices/vfioN	take back, check, do it again
 *
 * The device is QEMU's "edu", which copies up to 4096 bytes between memory and
 * a buffer of its own. A VMM has its own devices in the place of device_*().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>
#include <linux/memfd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#define SESSION		"vmm-guide"
#define TOKEN_MEMORY	1		/* tokens are the VMM's own to choose */
#define TOKEN_IOMMUFD	2
#define MEMORY_LEN	(4ULL << 20)	/* bytes */
#define PAGE		4096ULL
#define GUEST_OFF	PAGE		/* in the memory file; state before it */
#define GUEST_LEN	(MEMORY_LEN - PAGE)
#define GUEST_IOVA	0x1000000ULL	/* edu reaches 28 bits */
#define EXTRA_IOVA	0x8000000ULL
#define MAGIC		0x6d6d76656d6f7321ULL

/* Nothing but preserved memory comes back, so the VMM's notes live there. */
struct state {
	uint64_t magic;
	uint32_t ioas, dev, hwpt;
	uint32_t kexecs;
};

static struct state *state;		/* first page of the memory file */
static int memfd, iommufd, device, session;

static void fail(const char *what, int err)
{
	fprintf(stderr, "vmm: %s: %s\n", what, strerror(err));
	exit(1);
}

static int call(int fd, unsigned long cmd, void *arg, const char *what)
{
	int ret = ioctl(fd, cmd, arg);

	if (ret < 0)
		fail(what, errno);
	return ret;
}

/* ---- live update session ---------------------------------------------- */

/* /dev/liveupdate takes one opener at a time; a luod may give the session. */
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

/* Without memory, with too many files or by a signal: nothing is left. Again. */
static int retrieve(uint64_t token)
{
	struct liveupdate_session_retrieve_fd arg = {
		.size = sizeof(arg),
		.token = token,
	};
	int tries = 50;

	while (ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg) < 0) {
		if ((errno != ENOMEM && errno != ENFILE && errno != EMFILE &&
		     errno != EAGAIN && errno != EINTR) || !tries--)
			fail("retrieve; see last_refusal in sysfs", errno);
		usleep(100000);
	}
	return arg.fd;
}

/* ---- guest memory ------------------------------------------------------ */

static void memory_create(void)
{
	memfd = memfd_create("guest", MFD_CLOEXEC);
	if (memfd < 0 || ftruncate(memfd, MEMORY_LEN))
		fail("guest memory", errno);
}

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

/* ---- iommufd ------------------------------------------------------------ */

static int map(uint64_t offset, uint64_t length, uint64_t iova)
{
	struct iommu_ioas_map_file arg = {
		.size = sizeof(arg),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = state->ioas,
		.fd = memfd,
		.start = offset,
		.length = length,
		.iova = iova,
	};

	return ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &arg) < 0 ? -errno : 0;
}

static void unmap(uint64_t iova, uint64_t length)
{
	struct iommu_ioas_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = state->ioas,
		.iova = iova,
		.length = length,
	};

	call(iommufd, IOMMU_IOAS_UNMAP, &arg, "unmap");
}

/* ---- vfio --------------------------------------------------------------- */

/* The kernel attaches a device that was handed over before this returns. */
static uint32_t device_bind(const char *path)
{
	struct vfio_device_bind_iommufd arg = { .argsz = sizeof(arg) };

	device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		fail(path, errno);
	arg.iommufd = iommufd;
	call(device, VFIO_DEVICE_BIND_IOMMUFD, &arg,
	     "bind; see last_refusal in sysfs and the kernel log");
	return arg.out_devid;
}

static uint32_t device_attach(uint32_t pt_id)
{
	struct vfio_device_attach_iommufd_pt arg = {
		.argsz = sizeof(arg),
		.pt_id = pt_id,
	};

	call(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &arg, "attach");
	return arg.pt_id;
}

static uint64_t region(uint32_t index, uint64_t *size)
{
	struct vfio_region_info arg = { .argsz = sizeof(arg), .index = index };

	call(device, VFIO_DEVICE_GET_REGION_INFO, &arg, "region");
	*size = arg.size;
	return arg.offset;
}

/* Off before the jump, on after it: no DMA while nobody answers for it. */
static void device_master(int on)
{
	uint64_t size, at = region(VFIO_PCI_CONFIG_REGION_INDEX, &size);
	uint16_t cmd = PCI_COMMAND_MEMORY | (on ? PCI_COMMAND_MASTER : 0);

	if (pwrite(device, &cmd, sizeof(cmd), at + PCI_COMMAND) != sizeof(cmd))
		fail("PCI command register", EIO);
}

#define EDU_DMA_FROM	(0x80 / 8)
#define EDU_DMA_TO	(0x88 / 8)
#define EDU_DMA_LEN	(0x90 / 8)
#define EDU_DMA_CMD	(0x98 / 8)
#define EDU_BUFFER	0x40000ULL

static void device_dma(volatile uint64_t *bar, uint64_t from, uint64_t to)
{
	int ms;

	bar[EDU_DMA_FROM] = from;
	bar[EDU_DMA_TO] = to;
	bar[EDU_DMA_LEN] = PAGE;
	bar[EDU_DMA_CMD] = to == EDU_BUFFER ? 1 : 3;
	for (ms = 0; bar[EDU_DMA_CMD] & 1; ms++) {
		if (ms == 10000)
			fail("DMA", ETIMEDOUT);
		usleep(1000);
	}
}

/* Have the device copy one page of the guest to another, by IOVA. */
static void device_copy(uint64_t from_iova, uint64_t to_iova)
{
	uint64_t size, at = region(VFIO_PCI_BAR0_REGION_INDEX, &size);
	void *bar = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 device, at);

	if (bar == MAP_FAILED)
		fail("BAR 0", errno);
	device_dma(bar, from_iova, EDU_BUFFER);
	device_dma(bar, EDU_BUFFER, to_iova);
	munmap(bar, size);
}

static void check_dma(uint64_t iova)
{
	char *guest = (char *)state + GUEST_OFF;

	memset(guest, 0x40 + state->kexecs, PAGE);
	memset(guest + PAGE, 0, PAGE);
	device_copy(iova, iova + PAGE);
	if (memcmp(guest, guest + PAGE, PAGE))
		fail("the device does not reach guest memory", EIO);
}

/* ---- the two halves of a live update ------------------------------------ */

static void build(const char *path)
{
	struct iommu_ioas_alloc arg = { .size = sizeof(arg) };

	memory_create();
	memory_map();
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0)
		fail("/dev/iommu", errno);
	call(iommufd, IOMMU_IOAS_ALLOC, &arg, "IOAS");
	state->ioas = arg.out_ioas_id;
	if (map(GUEST_OFF, GUEST_LEN, GUEST_IOVA))
		fail("map", errno);
	state->dev = device_bind(path);
	state->hwpt = device_attach(state->ioas);
	state->magic = MAGIC;
}

/* Everything is in place and nothing runs yet. */
static void take_back(const char *path)
{
	struct liveupdate_session_finish arg = { .size = sizeof(arg) };

	session = open_session(LIVEUPDATE_IOCTL_RETRIEVE_SESSION);
	memfd = retrieve(TOKEN_MEMORY);
	memory_map();
	if (state->magic != MAGIC)
		fail("this is not the VMM's memory", EINVAL);
	iommufd = retrieve(TOKEN_IOMMUFD);
	/* Devices are still missing: LUO must not let go of anything */
	if (!ioctl(session, LIVEUPDATE_SESSION_FINISH, &arg) || errno != EBUSY)
		fail("FINISH was to say EBUSY", EPROTO);
	if (device_bind(path) != state->dev)
		fail("the device came back with another ID", EPROTO);
	/* Attached already: this names the HWPT and changes nothing */
	if (device_attach(state->hwpt) != state->hwpt)
		fail("the HWPT came back with another ID", EPROTO);
	if (map(GUEST_OFF, PAGE, GUEST_IOVA) != -EEXIST)
		fail("the map did not come back", EPROTO);
	call(session, LIVEUPDATE_SESSION_FINISH, &arg, "finish");
	close(session);
	state->kexecs++;
}

/* Quiet the device, give all to a session, stay alive until the jump. */
static void hand_over(void)
{
	device_master(0);
	session = open_session(LIVEUPDATE_IOCTL_CREATE_SESSION);
	preserve(memfd, TOKEN_MEMORY);
	preserve(iommufd, TOKEN_IOMMUFD);
	printf("vmm: IOAS %u, device %u, HWPT %u given to session \"%s\"\n",
	       state->ioas, state->dev, state->hwpt, SESSION);
	fflush(stdout);
	close(open("/run/vmm.ready", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "start")) {
		build(argv[2]);
	} else if (argc == 3 && !strcmp(argv[1], "resume")) {
		take_back(argv[2]);
	} else {
		fprintf(stderr, "usage: vmm start|resume VFIO-DEVICE\n");
		return 2;
	}
	device_master(1);
	check_dma(GUEST_IOVA);
	/* The address space is as alive as before */
	if (map(GUEST_OFF, 2 * PAGE, EXTRA_IOVA))
		fail("a new map", errno);
	check_dma(EXTRA_IOVA);
	unmap(EXTRA_IOVA, 2 * PAGE);
	hand_over();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * goes-on NUMBER - NUMBER is 0 before the first kexec
 *
 * A context with a controller and a virtio device goes through the kexecs.
 * Before each it is sealed, and every call that does not change it has to give
 * the answer that it gave before.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "carry.h"
#include "edu.h"
#include "igb.h"

#define SESSION		"goes-on"

#define MAP_LEN		(CARRY_MEMORY_LEN - CARRY_STATE_LEN)
#define MAP_IOVA	0x40000000ULL
#define COPY_IOVA	0x100000000ULL

#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_NET	0x1041

#define NIC		0		/* indices of the devices */
#define VIRTIO		1

static struct carry carry;
static struct ctx *const ctx = carry.ctx;

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

/* Is the virtio device with the driver that took it at boot? */
static bool taken(const char *bdf)
{
	char path[128], target[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", bdf);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	return !strcmp(strrchr(target, '/') + 1, "virtio-pci");
}

/* ---- calls that change no context ----------------------------------------- */

static int invalidate(void)
{
	struct iommu_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = ctx->want->dev[NIC].hwpt,
		.data_type = IOMMU_HWPT_INVALIDATE_DATA_VTD_S1,
		.entry_len = sizeof(struct iommu_hwpt_vtd_s1_invalidate),
	};

	return call(ctx->fd, IOMMU_HWPT_INVALIDATE, &cmd);
}

static int dirty_bitmap(void)
{
	static uint64_t bits[MAP_LEN / GUEST_PAGE / 64 + 1];
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = ctx->want->dev[NIC].hwpt,
		.iova = MAP_IOVA,
		.length = MAP_LEN,
		.page_size = GUEST_PAGE,
		.data = (uintptr_t)bits,
	};

	return call(ctx->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

static int change_process(void)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	return call(ctx->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd);
}

/* By a child, which is charged from then on and ends. */
static int change_to_child(void)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = must(fork());
	if (!pid)
		_exit(-change_process());
	must(waitpid(pid, &status, 0));
	check(WIFEXITED(status), "the child did not end by itself");
	return -WEXITSTATUS(status);
}

static int ranges(void)
{
	struct iommu_iova_range range[WANT_RANGE_MAX];
	uint32_t nr = WANT_RANGE_MAX;
	uint64_t align;

	return ioas_ranges(ctx->fd, ctx->want->ioas[0].id, range, &nr, &align);
}

static int hw_info(void)
{
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = ctx->want->dev[NIC].id,
	};

	return call(ctx->fd, IOMMU_GET_HW_INFO, &cmd);
}

static int reset(void)
{
	return vfio_reset(ctx->dev[NIC]);
}

static int interrupts(void)
{
	int fds[2], err;

	err = vfio_irq_connect(ctx->dev[NIC], VFIO_PCI_MSIX_IRQ_INDEX, fds, 2);
	if (err)
		return err;
	close(fds[0]);
	close(fds[1]);
	return vfio_irq_disable(ctx->dev[NIC], VFIO_PCI_MSIX_IRQ_INDEX);
}

static int configuration(void)
{
	uint16_t vendor;
	int err = vfio_config_read(ctx->dev[NIC], 0, &vendor, sizeof(vendor));

	if (err || vendor != IGB_VENDOR)
		return err ? err : -EPROTO;
	return vfio_bus_master(ctx->dev[NIC], false);
}

static int registers(void)
{
	struct vfio_region bar;
	int err = vfio_map(ctx->dev[NIC], 0, &bar);

	if (err)
		return err;
	/* STATUS of a controller that is there is not all ones */
	err = ((volatile uint32_t *)bar.va)[2] == 0xffffffff ? -EIO : 0;
	vfio_unmap(&bar);
	return err;
}

/* What must not be let through, to see that the seal is there. */
static int new_ioas(void)
{
	uint32_t id;
	int err = ioas_alloc(ctx->fd, &id);

	if (!err)
		must(iommufd_destroy(ctx->fd, id));
	return err;
}

static const struct {
	const char *name;
	int (*call)(void);
	bool works;		/* succeeds on this hardware */
} calls[] = {
	{ "HWPT_INVALIDATE", invalidate, false },
	{ "HWPT_GET_DIRTY_BITMAP", dirty_bitmap, false },
	{ "IOAS_CHANGE_PROCESS by a child", change_to_child, true },
	{ "IOAS_CHANGE_PROCESS", change_process, true },
	{ "IOAS_IOVA_RANGES", ranges, true },
	{ "GET_HW_INFO", hw_info, true },
	{ "VFIO_DEVICE_RESET", reset, true },
	{ "VFIO_DEVICE_SET_IRQS", interrupts, true },
	{ "configuration space", configuration, true },
	{ "registers", registers, true },
};

/*
 * An iommufd in no session, with a device, its process and another one: it
 * lives and dies as if nothing were sealed.
 */
static void outsider(bool killed)
{
	struct memory mem;
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, dev_id, pt;
	uint64_t iova = MAP_IOVA;
	int fd, dev, status;
	pid_t pid;

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	fflush(NULL);
	pid = must(fork());
	if (pid) {
		must(waitpid(pid, &status, 0));
		check(killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL :
			       !status, "the outsider ended with 0x%x", status);
		return;
	}
	must(memory_create(&mem, "outsider", MAP_LEN));
	fd = must(iommufd_open());
	must(ioas_alloc(fd, &ioas));
	must(ioas_map_file(fd, ioas, mem.fd, 0, MAP_LEN, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, fd, &dev_id));
	pt = ioas;
	must(vfio_attach(dev, &pt));
	if (killed)
		raise(SIGKILL);
	must(ioas_unmap(fd, ioas, MAP_IOVA, MAP_LEN, NULL));
	close(dev);
	must(iommufd_destroy(fd, ioas));
	close(fd);
	_exit(0);
}

static void load(void)
{
	check(!system("kexec -s -l \"$HANDOVER_KERNEL\" --initrd=\"$HANDOVER_INITRD\" --command-line=\"$HANDOVER_CMDLINE\" --iommu-handover"),
	      "the load failed");
}

static void compare_calls(void)
{
	int before[ARRAY_SIZE(calls)], now;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		before[i] = calls[i].call();
		check(!before[i] == calls[i].works && before[i] != -EBUSY,
		      "%s before the seal: %s", calls[i].name,
		      strerror(-before[i]));
	}
	must(new_ioas());
	load();
	must_fail(EBUSY, new_ioas());
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		now = calls[i].call();
		check(now == before[i], "%s under the seal: %s",
		      calls[i].name, strerror(-now));
		say("%s: %s, under the seal too", calls[i].name,
		    now ? strerror(-now) : "success");
	}
	must_fail(EBUSY, new_ioas());
	outsider(false);
	outsider(true);
	must_fail(EBUSY, new_ioas());
	/* The charge is with nobody now; what is sealed is still the state */
	must(change_to_child());
}

/* ---- the context ------------------------------------------------------------ */

static void build(void)
{
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, other, dev;

	carry_create(&carry, SESSION);
	carry_open(&carry, 0, SESSION);
	ioas = ctx_ioas(ctx);
	other = ctx_ioas(ctx);
	ctx_map(ctx, ioas, 0, CARRY_STATE_LEN, MAP_LEN, MAP_IOVA, IOVA_RW);
	ctx_copy(ctx, other, COPY_IOVA, ioas, MAP_IOVA, IOVA_RO);
	dev = carry_nic(ctx, 0, ioas);
	check(dev == NIC, "the controller is device %u", dev);
	must(pci_find(VIRTIO_VENDOR, VIRTIO_NET, 0, bdf));
	check(taken(bdf), "virtio-pci has not taken %s", bdf);
	dev = ctx_bind(ctx, bdf);
	check(dev == VIRTIO, "the virtio device is device %u", dev);
	ctx_attach(ctx, dev, ioas);
	ctx_settle(ctx);
}

static void take_back(unsigned int nr)
{
	bool same;

	carry_retrieve(&carry, SESSION, nr);
	must_fail(EBUSY, luo_finish(carry.session));
	same = ctx_rebind(ctx, NIC);
	check(taken(ctx->want->dev[VIRTIO].bdf),
	      "virtio-pci has not taken its device at boot");
	same &= ctx_rebind(ctx, VIRTIO);
	report("ids_identical", "%s", same ? "true" : "false");
	report("maps_identical", "%s",
	       ctx_verify(ctx, true) ? "false" : "true");
	carry_finish(&carry);
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);

	if (nr)
		take_back(nr);
	else
		build();
	carry_hand_over(&carry);
	compare_calls();
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * no-bind NUMBER - NUMBER is 0 before the first kexec
 *
 * One iommufd with one device, whose IOMMU group has a second one: each kernel finds
 * it again. The kernel after the second kexec has no IOMMU, as kernel-args-next says.
 */
#include "edu.h"
#include "side.h"

#define SIBLING_VENDOR	0x1af4
#define SIBLING_DEVICE	0x1044		/* virtio-rng */
#define DRIVERS		"/sys/bus/pci/drivers/"

static struct carry carry;
static struct ctx *const ctx = carry.ctx;
static char bdf[PCI_BDF_LEN], sibling[PCI_BDF_LEN];

static void want_one_group(void)
{
	char path[128], one[256], two[256];
	ssize_t len[2];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	len[0] = must(readlink(path, one, sizeof(one)));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 sibling);
	len[1] = must(readlink(path, two, sizeof(two)));
	check(len[0] == len[1] && !memcmp(one, two, len[0]),
	      "%s and %s are in two groups", bdf, sibling);
}

/* A bind that fails as long as the kernel drives the sibling. */
static void want_no_bind(int iommufd, const char *when)
{
	uint32_t id;
	int dev;

	want_one_group();
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	want_errno(when, EPERM, vfio_bind(dev, iommufd, &id));
	close(dev);
}

static void take_sibling_away(void)
{
	must(write_text(DRIVERS "virtio-pci/unbind", sibling));
}

/* What shares its group is not handed over, so the sibling goes. */
static void remove_sibling(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/remove", sibling);
	must(write_text(path, "1"));
}

static void build(void)
{
	uint32_t ioas;

	carry_create(&carry, "no-bind");
	carry_open(&carry, 0, "first");
	ioas = carry_ioas(ctx);
	want_no_bind(ctx->fd, "bind while a driver has the sibling");
	take_sibling_away();
	ctx_attach(ctx, ctx_bind(ctx, bdf), ioas);
	remove_sibling();
	ctx_settle(ctx);
}

static void sibling_after_the_jump(void)
{
	carry_retrieve(&carry, "no-bind", 1);
	want_no_bind(ctx->fd, "bind after the jump while a driver has the sibling");
	want_errno("FINISH while the device is waited for", EBUSY,
		   luo_finish(carry.session));
	take_sibling_away();
	carry_rebind(&carry);
	carry_finish(&carry);
	remove_sibling();
}

static void without_iommu(void)
{
	char output[OUTPUT_LEN], path[128];

	carry_retrieve(&carry, "no-bind", 2);
	check(!ctx_verify(ctx, false), "the iommufd is not what it was");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override",
		 bdf);
	must(write_text(path, "vfio-pci"));
	want_errno("the probe without an IOMMU", EINVAL,
		   write_text(DRIVERS "vfio-pci/bind", bdf));
	want_errno("FINISH without an IOMMU", EBUSY, luo_finish(carry.session));
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("without an IOMMU", EBUSY,
		     "1 iommufd of the last handover not finished");
	must(write_text(HANDOVER_SYSFS "incoming/abandon", "1"));
	unload_kernel();
	check(!handover_number("incoming/unfinished"), "still unfinished");
	must(luo_finish(carry.session));
	must_fail(EEXIST, map_fixed(ctx->fd, ctx->want->ioas[0].id, carry.mem.fd,
				    0, GUEST_PAGE, CARRY_IOVA));
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(pci_find(SIBLING_VENDOR, SIBLING_DEVICE, 0, sibling));
	handover = must(handover_open());
	switch (nr) {
	case 0:
		build();
		break;
	case 1:
		sibling_after_the_jump();
		break;
	case 2:
		without_iommu();
		break;
	default:
		check(false, "there are 2 cases");
	}
	tally_end(&carry.state->sum);
	if (nr < 2)
		carry_hand_over(&carry);
	close(handover);
	background_ready();
}

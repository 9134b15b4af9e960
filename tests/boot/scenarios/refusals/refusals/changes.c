// SPDX-License-Identifier: GPL-2.0-only
/* Calls that change a context: refused while it is sealed, and only then. */
#include <linux/vfio.h>

#include "mock.h"
#include "refusals.h"

/**
 * struct target - a context that is not to change while it is sealed
 * @fd: the iommufd
 * @empty: another one, without any object
 * @mem: memory file
 * @ioas: IOAS with an HWPT, @iova and @len are a map of it
 * @spare: IOAS without
 * @mocks: IOAS for what the mock makes
 * @elsewhere: IOAS to move a device to
 * @dev: attached device
 * @dev_id: its ID
 * @hwpt: its HWPT
 * @other_hwpt: one that it can move to
 * @loose: device to attach to @loose_pt once @dev is detached
 */
struct target {
	int fd;
	int empty;
	const struct memory *mem;
	uint32_t ioas, spare, mocks, elsewhere;
	uint64_t iova, len;
	int dev;
	uint32_t dev_id, hwpt, other_hwpt;
	int loose;
	uint32_t loose_pt;
};

/*
 * Sealed, a call that would change a context gives EBUSY. That it is for the
 * seal shows the same call without one, which gives @unsealed.
 */
static void change(const char *what, bool sealed, int unsealed, int got)
{
	if (!sealed)
		check(got == -unsealed, "%s, not sealed: %s, not %s", what,
		      strerror(-got), strerror(unsealed));
	else
		tally_one(got == -EBUSY, false, "%s while sealed: %s", what,
			  got < 0 ? strerror(-got) : "success");
}

static int bind_third(int iommufd)
{
	char bdf[PCI_BDF_LEN];
	uint32_t id;
	int dev, err;

	nic_bdf(2, bdf);
	dev = must(vfio_open(bdf));
	err = vfio_bind(dev, iommufd, &id);
	close(dev);
	return err;
}

static int pasid_attach(int dev, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_ATTACH_PASID,
		.pt_id = pt,
		.pasid = 100,
	};

	return call(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
}

static int pasid_detach(int dev)
{
	struct vfio_device_detach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_DETACH_PASID,
		.pasid = 100,
	};

	return call(dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

static int vfio_attach_to(int dev, uint32_t pt)
{
	return vfio_attach(dev, &pt);
}

/*
 * Every call of iommufd and vfio that would change a context, in an order in
 * which each has something to change when none is refused. The type1 calls are
 * in type1_changes(), what changes nothing in questions().
 */
static void changes(const struct target *t, bool sealed)
{
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu) };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice) };
	struct iommu_veventq_alloc veventq = { .size = sizeof(veventq) };
	struct iommu_hw_queue_alloc hw_queue = { .size = sizeof(hw_queue) };
	struct iommu_hwpt_set_dirty_tracking dirty = {
		.size = sizeof(dirty),
		.hwpt_id = t->hwpt,
	};
	struct mock_cmd device = {
		.size = sizeof(device),
		.op = MOCK_DEVICE,
		.id = t->mocks,
	};
	struct mock_cmd access = {
		.size = sizeof(access),
		.op = MOCK_ACCESS,
		.id = t->mocks,
	};
	struct iommu_iova_range range = { 0, 0xffffffff };
	uint32_t id, vfio = t->spare;
	uint64_t at = 0;
	int fd = -1;

	change("OPTION set RLIMIT_MODE", sealed, 0,
	       iommufd_option_set(t->empty, IOMMU_OPTION_RLIMIT_MODE, 0, 0));
	change("IOAS_ALLOC", sealed, 0, ioas_alloc(t->fd, &id));
	change("IOAS_ALLOW_IOVAS", sealed, 0,
	       ioas_allow(t->fd, t->spare, &range, 1));
	change("OPTION set HUGE_PAGES", sealed, 0,
	       iommufd_option_set(t->fd, IOMMU_OPTION_HUGE_PAGES, t->spare, 0));
	change("IOAS_MAP", sealed, 0,
	       map_user(t->fd, t->spare, t->mem->va, GUEST_PAGE, CASE_IOVA));
	change("IOAS_MAP_FILE", sealed, 0,
	       map_fixed(t->fd, t->spare, t->mem->fd, 0, GUEST_PAGE,
			 CASE_IOVA + GUEST_PAGE));
	change("IOAS_COPY", sealed, 0,
	       ioas_copy(t->fd, t->spare, &at, t->ioas, t->iova, t->len,
			 IOVA_RO));
	change("VFIO_IOAS set", sealed, 0,
	       vfio_ioas(t->fd, IOMMU_VFIO_IOAS_SET, &vfio));
	change("VFIO_IOAS clear", sealed, 0,
	       vfio_ioas(t->fd, IOMMU_VFIO_IOAS_CLEAR, &vfio));
	change("DESTROY", sealed, 0, iommufd_destroy(t->fd, t->spare));
	change("HWPT_ALLOC", sealed, 0,
	       hwpt_alloc(t->fd, t->dev_id, t->ioas, 0, &id));
	change("HWPT_SET_DIRTY_TRACKING", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	change("FAULT_QUEUE_ALLOC", sealed, 0, fault_queue(t->fd, &id, &fd));
	if (!sealed)
		close(fd);
	change("VIOMMU_ALLOC", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_VIOMMU_ALLOC, &viommu));
	change("VDEVICE_ALLOC", sealed, ENOENT,
	       call(t->fd, IOMMU_VDEVICE_ALLOC, &vdevice));
	change("VEVENTQ_ALLOC", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_VEVENTQ_ALLOC, &veventq));
	change("HW_QUEUE_ALLOC", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_HW_QUEUE_ALLOC, &hw_queue));
	change("a device of the mock", sealed, 0,
	       call(t->fd, MOCK_CMD, &device));
	change("an access object", sealed, 0, call(t->fd, MOCK_CMD, &access));
	if (!sealed)
		close(access.arg.word[0]);

	change("a bind", sealed, 0, bind_third(t->fd));
	change("a move to an IOAS", sealed, 0,
	       vfio_attach_to(t->dev, t->elsewhere));
	change("a move to an HWPT", sealed, 0,
	       vfio_attach_to(t->dev, t->other_hwpt));
	change("an attach of a PASID", sealed, EINVAL,
	       pasid_attach(t->dev, t->ioas));
	change("a detach of a PASID", sealed, 0, pasid_detach(t->dev));
	change("a detach", sealed, 0, vfio_detach(t->dev));
	change("an attach", sealed, 0, vfio_attach_to(t->loose, t->loose_pt));
	change("IOAS_UNMAP", sealed, 0,
	       ioas_unmap(t->fd, t->ioas, t->iova, t->len, NULL));
	change("IOAS_UNMAP of all", sealed, 0,
	       ioas_unmap(t->fd, t->ioas, 0, UINT64_MAX, NULL));
}

void changes_unsealed(void)
{
	struct target t;
	struct side s;

	side_open(&s);
	side_bind(&s);
	side_attach(&s);
	t = (struct target) {
		.fd = s.fd, .mem = &s.mem, .ioas = s.ioas,
		.iova = SIDE_IOVA, .len = 4 * GUEST_PAGE,
		.dev = s.dev, .dev_id = s.dev_id,
		.loose = s.dev, .loose_pt = s.ioas,
	};
	must(map_fixed(s.fd, s.ioas, s.mem.fd, 0, GUEST_PAGE, CASE_IOVA));
	must(ioas_alloc(s.fd, &t.spare));
	must(ioas_alloc(s.fd, &t.mocks));
	must(ioas_alloc(s.fd, &t.elsewhere));
	must(hwpt_alloc(s.fd, s.dev_id, s.ioas, 0, &t.hwpt));
	t.other_hwpt = t.hwpt;
	t.empty = must(iommufd_open());
	must(luo_preserve(s.session, t.empty, TOKEN_OTHER));
	want_fine("nothing");
	changes(&t, false);
	close(t.empty);
	side_close(&s);
}

/* The third controller's group, for VFIO's own container. */
static int group_open(char bdf[PCI_BDF_LEN])
{
	char path[128], group[128];
	ssize_t len;

	nic_bdf(2, bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 bdf);
	len = readlink(path, group, sizeof(group) - 1);
	check(len > 0, "%s: %s", path, strerror(errno));
	group[len] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(group, '/') + 1);
	return must(open(path, O_RDWR | O_CLOEXEC));
}

static void type1_calls(const struct side *s, bool sealed)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = SIDE_IOVA,
		.size = 4 * GUEST_PAGE,
	};
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ,
		.vaddr = (uintptr_t)s->mem.va,
		.iova = CASE_IOVA,
		.size = GUEST_PAGE,
	};
	char bdf[PCI_BDF_LEN];
	int group = group_open(bdf), fd = s->fd;

	change("VFIO_IOMMU_MAP_DMA", sealed, 0,
	       call(s->fd, VFIO_IOMMU_MAP_DMA, &map));
	change("VFIO_IOMMU_UNMAP_DMA", sealed, 0,
	       call(s->fd, VFIO_IOMMU_UNMAP_DMA, &unmap));
	change("VFIO_SET_IOMMU", sealed, 0,
	       call(s->fd, VFIO_SET_IOMMU, (void *)VFIO_TYPE1_IOMMU));
	change("VFIO_GROUP_SET_CONTAINER", sealed, 0,
	       call(group, VFIO_GROUP_SET_CONTAINER, &fd));
	close(group);
}

void type1_changes(void)
{
	char sentence[SENTENCE_LEN];
	struct side s;

	side_open(&s);
	must(vfio_ioas(s.fd, IOMMU_VFIO_IOAS_SET, &s.ioas));
	seal();
	type1_calls(&s, true);
	unload_kernel();
	tally_one(!handover_snapshot(handover, sentence, NULL), false,
		  "SNAPSHOT after refused type1 calls: %s", sentence);
	type1_calls(&s, false);
	side_close(&s);
}

/* Calls that change nothing go on working. */
static void questions(void)
{
	uint32_t ioas = ctx->want->ioas[0].id, id = 0, nr = 16;
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = ctx->want->dev[0].id,
	};
	struct vfio_device_info device = { .argsz = sizeof(device) };
	struct iommu_ioas_change_process process = { .size = sizeof(process) };
	uint64_t bits = 0;
	struct iommu_hwpt_get_dirty_bitmap bitmap = {
		.size = sizeof(bitmap),
		.hwpt_id = ctx->want->dev[0].hwpt,
		.iova = ctx->want->ioas[0].map[0].iova,
		.length = GUEST_PAGE,
		.page_size = GUEST_PAGE,
		.data = (uintptr_t)&bits,
	};
	struct iommu_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate),
		.hwpt_id = ctx->want->dev[0].hwpt,
	};
	struct iommu_iova_range ranges[16];
	uint64_t value;
	uint16_t vendor;

	/* Whom pinned memory is charged to is not handed over. */
	must(call(ctx->fd, IOMMU_IOAS_CHANGE_PROCESS, &process));
	/* No seal keeps these from what they say at any time. */
	must_fail(EOPNOTSUPP, call(ctx->fd, IOMMU_HWPT_GET_DIRTY_BITMAP,
				   &bitmap));
	must_fail(EINVAL, call(ctx->fd, IOMMU_HWPT_INVALIDATE, &invalidate));
	must(ioas_ranges(ctx->fd, ioas, ranges, &nr, &value));
	must(call(ctx->fd, IOMMU_GET_HW_INFO, &info));
	must(iommufd_option_get(ctx->fd, IOMMU_OPTION_RLIMIT_MODE, 0, &value));
	must(iommufd_option_get(ctx->fd, IOMMU_OPTION_HUGE_PAGES, ioas,
				&value));
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_GET, &id));
	check(id == ctx->want->ioas[VFIO_IOAS].id, "the VFIO IOAS is %u", id);
	must(call(ctx->dev[0], VFIO_DEVICE_GET_INFO, &device));
	must(vfio_config_read(ctx->dev[0], 0, &vendor, sizeof(vendor)));
	check(vendor == IGB_VENDOR, "config space has %#x", vendor);
}

void while_sealed(struct side *s)
{
	static uint64_t room[512];
	char sentence[SENTENCE_LEN];
	struct target t = {
		.fd = ctx->fd, .mem = &carry.mem,
		.ioas = ctx->want->ioas[0].id,
		.iova = ctx->want->ioas[0].map[0].iova,
		.len = ctx->want->ioas[0].map[0].length,
		.spare = ctx->want->ioas[1].id,
		.mocks = ctx->want->ioas[1].id,
		.elsewhere = ctx->want->ioas[1].id,
		.dev = ctx->dev[0], .dev_id = ctx->want->dev[0].id,
		.hwpt = ctx->want->dev[0].hwpt,
		.other_hwpt = ctx->want->hwpt[1].id,
		.loose = s->dev, .loose_pt = s->ioas,
	};
	struct iommu_handover_query cmd;
	uint64_t gen;
	int empty, err;

	questions();
	/* This one because an iommufd with an object gives EBUSY by itself. */
	t.empty = must(iommufd_open());
	empty = must(luo_create("empty"));
	must(luo_preserve(empty, t.empty, TOKEN_IOMMUFD));
	gen = handover_number("generation");
	seal();
	changes(&t, true);
	questions();
	err = handover_snapshot(handover, sentence, NULL);
	tally_one(err == -EBUSY && noted(EBUSY, sentence), false,
		  "SNAPSHOT while sealed: %s", sentence);
	err = handover_seal(handover, gen, room, sizeof(room), sentence);
	tally_one(err == -EBUSY && noted(EBUSY, sentence), false,
		  "SEAL while sealed: %s", sentence);
	must(handover_query(handover, &cmd, sentence));
	check(cmd.state == IOMMU_HANDOVER_SEALED && cmd.loaded &&
	      cmd.sealed_generation == cmd.generation && cmd.generation == gen,
	      "a refused change has moved the seal");
	must(handover_unseal(handover));
	want_undone("UNSEAL", "released for another load or by kexec -u");
	check(!ctx_verify(ctx, true), "a refused change has had an effect");
	close(empty);
	close(t.empty);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Objects that only the mock driver of iommufd's selftest can make here. */
#include "mock.h"
#include "refusals.h"

/*
 * Objects are looked at by ID, and the mock's own would come first. So IDs
 * below them are taken beforehand and given free for what is tried.
 */
struct low_id {
	int fd;
	uint32_t id;
};

static void low_free(struct low_id *low)
{
	must(iommufd_destroy(low->fd, low->id));
}

static void low_take(struct low_id *low)
{
	uint32_t id;

	must(ioas_alloc(low->fd, &id));
	check(id == low->id, "ID %u was free, not %u", id, low->id);
}

static void want_kind(struct low_id *low, uint32_t id, const char *kind)
{
	check(id == low->id, "ID %u was given, not %u", id, low->id);
	want_refused(kind, EOPNOTSUPP, OBJECT(id), kind,
		     "cannot be handed over", "destroy it", NULL);
}

/**
 * struct mocks - a context with a device of the mock
 * @s: the context
 * @low: an IOAS of it, below all that the mock makes
 * @ioas: IOAS of the device; the mock's aperture begins above SIDE_IOVA
 * @idev: the device
 */
struct mocks {
	struct side s;
	struct low_id low;
	uint32_t ioas;
	uint32_t idev;
};

/* What takes no device. */
static void objects_alone(struct mocks *m)
{
	struct mock_cmd mock = { .size = sizeof(mock), .op = MOCK_ACCESS };
	struct side *s = &m->s;
	uint32_t fault;
	int fd;

	low_free(&m->low);
	must(fault_queue(s->fd, &fault, &fd));
	want_kind(&m->low, fault, "fault queue");
	close(fd);
	must(iommufd_destroy(s->fd, fault));
	want_fine("a fault queue");
	low_take(&m->low);

	mock.id = s->ioas;
	must(call(s->fd, MOCK_CMD, &mock));
	want_refused("an access object", EOPNOTSUPP, "access object",
		     "cannot be handed over", NULL);
	close(mock.arg.word[0]);
	want_fine("an access object");

	/* It does not tell its descriptor, which is the lowest that is free. */
	fd = must(fcntl(handover, F_DUPFD, 0));
	close(fd);
	must(call(s->fd, MOCK_CMD, &(struct mock_cmd) {
			.size = sizeof(mock), .op = MOCK_DMABUF,
			.arg.word = { 4096, O_RDWR } }));
	must(map_fixed(s->fd, s->ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	want_refused("a dma-buf", EOPNOTSUPP, IOAS(s->ioas), IOVA(CASE_IOVA),
		     "dma-buf", "unmap it", NULL);
	side_unmap(s, "a dma-buf");
	close(fd);
}

/* HWPTs of the device's IOAS. */
static void hwpts(struct mocks *m)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = m->idev,
		.pt_id = m->ioas,
	};
	struct iommu_hwpt_set_dirty_tracking dirty = { .size = sizeof(dirty) };
	uint32_t id = m->low.id, fault;
	int iommufd = m->s.fd, fd;

	low_free(&m->low);
	must(call(iommufd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == id, "ID %u", alloc.out_hwpt_id);
	want_refused("a page table of another driver", EOPNOTSUPP, HWPT(id),
		     "its IOMMU driver cannot hand over", "destroy it", NULL);
	must(iommufd_destroy(iommufd, id));

	alloc.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	must(call(iommufd, IOMMU_HWPT_ALLOC, &alloc));
	dirty.hwpt_id = alloc.out_hwpt_id;
	dirty.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
	must(call(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	want_refused("dirty tracking", EOPNOTSUPP, HWPT(id),
		     "has dirty tracking enabled", "disable it", NULL);
	dirty.flags = 0;
	must(call(iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	want_refused("dirty tracking that was ended", EOPNOTSUPP, HWPT(id),
		     "its IOMMU driver cannot hand over", NULL);
	must(iommufd_destroy(iommufd, id));
	low_take(&m->low);

	must(fault_queue(iommufd, &fault, &fd));
	low_free(&m->low);
	alloc.flags = IOMMU_HWPT_FAULT_ID_VALID;
	alloc.fault_id = fault;
	must(call(iommufd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == id, "ID %u", alloc.out_hwpt_id);
	want_refused("an HWPT with a fault queue", EOPNOTSUPP, HWPT(id),
		     "has a fault queue, which cannot be handed over; destroy it",
		     NULL);
	must(iommufd_destroy(iommufd, id));
	low_take(&m->low);
	close(fd);
	must(iommufd_destroy(iommufd, fault));
}

/* What is made on top of @parent. The low ID is free afterwards. */
static void nested(struct mocks *m, uint32_t parent)
{
	struct mock_nested data = { 0 };
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = m->idev,
		.pt_id = parent,
		.data_type = MOCK_TYPE_NESTED,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};
	struct iommu_viommu_alloc viommu = {
		.size = sizeof(viommu),
		.type = MOCK_TYPE_VIOMMU,
		.dev_id = m->idev,
		.hwpt_id = parent,
	};
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice) };
	struct iommu_veventq_alloc veventq = { .size = sizeof(veventq) };
	struct iommu_hw_queue_alloc queue = { .size = sizeof(queue) };
	uint32_t id = m->low.id;
	int iommufd = m->s.fd;

	low_free(&m->low);
	must(call(iommufd, IOMMU_HWPT_ALLOC, &alloc));
	want_kind(&m->low, alloc.out_hwpt_id, "nested HWPT");
	must(iommufd_destroy(iommufd, id));

	must(call(iommufd, IOMMU_VIOMMU_ALLOC, &viommu));
	want_kind(&m->low, viommu.out_viommu_id, "vIOMMU");
	must(iommufd_destroy(iommufd, id));
	low_take(&m->low);
	must(call(iommufd, IOMMU_VIOMMU_ALLOC, &viommu));

	low_free(&m->low);
	vdevice.viommu_id = viommu.out_viommu_id;
	vdevice.dev_id = m->idev;
	vdevice.virt_id = 0x99;
	must(call(iommufd, IOMMU_VDEVICE_ALLOC, &vdevice));
	want_kind(&m->low, vdevice.out_vdevice_id, "vDEVICE");
	must(iommufd_destroy(iommufd, id));

	veventq.viommu_id = viommu.out_viommu_id;
	veventq.type = MOCK_TYPE_VEVENTQ;
	veventq.veventq_depth = 8;
	must(call(iommufd, IOMMU_VEVENTQ_ALLOC, &veventq));
	want_kind(&m->low, veventq.out_veventq_id, "virtual event queue");
	close(veventq.out_veventq_fd);
	must(iommufd_destroy(iommufd, id));

	must(ioas_unmap(iommufd, m->s.ioas, 0, UINT64_MAX, NULL));
	must(map_fixed(iommufd, m->ioas, m->s.mem.fd, 0, 8 * GUEST_PAGE,
		       0x2000000));
	queue.viommu_id = viommu.out_viommu_id;
	queue.type = MOCK_TYPE_HW_QUEUE;
	queue.nesting_parent_iova = 0x2000000;
	queue.length = GUEST_PAGE;
	must(call(iommufd, IOMMU_HW_QUEUE_ALLOC, &queue));
	want_kind(&m->low, queue.out_hw_queue_id, "hardware queue");
	must(iommufd_destroy(iommufd, id));

	must(iommufd_destroy(iommufd, viommu.out_viommu_id));
}

void mock_objects(void)
{
	struct mock_cmd device = { .size = sizeof(device), .op = MOCK_DEVICE };
	uint32_t parent;
	struct mocks m;

	side_open(&m.s);
	m.low.fd = m.s.fd;
	must(ioas_alloc(m.s.fd, &m.low.id));
	objects_alone(&m);

	must(ioas_alloc(m.s.fd, &m.ioas));
	device.id = m.ioas;
	must(call(m.s.fd, MOCK_CMD, &device));
	m.idev = device.arg.word[2];
	want_refused("a device of the mock", EOPNOTSUPP, DEVICE(m.idev),
		     "(iommufd_mock",
		     "not a PCI device behind an IOMMU; unbind it", NULL);
	hwpts(&m);
	must(hwpt_alloc(m.s.fd, m.idev, m.ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
			&parent));
	nested(&m, parent);
	must(iommufd_destroy(m.s.fd, parent));
	must(iommufd_destroy(m.s.fd, device.arg.word[0]));
	want_fine("every object of the mock");
	side_close(&m.s);
}

/* What a device is comes after what its user did with it. */
void mock_pasid(void)
{
	struct mock_cmd dev = {
		.size = sizeof(dev),
		.op = MOCK_DEVICE_OF,
		.arg.word = { [3] = MOCK_HAS_PASID },
	};
	struct mock_cmd cmd = { .size = sizeof(cmd) };
	struct side s;
	uint32_t hwpt;

	side_open(&s);
	/* Its aperture begins above SIDE_IOVA. */
	must(ioas_alloc(s.fd, &dev.id));
	must(call(s.fd, MOCK_CMD, &dev));
	must(hwpt_alloc(s.fd, dev.arg.word[2], dev.id, IOMMU_HWPT_ALLOC_PASID,
			&hwpt));
	cmd.id = dev.arg.word[0];
	cmd.op = MOCK_MOVE;
	cmd.arg.word[0] = hwpt;
	must(call(s.fd, MOCK_CMD, &cmd));
	cmd.op = MOCK_PASID;
	cmd.arg.word[0] = 100;
	cmd.arg.word[1] = hwpt;
	must(call(s.fd, MOCK_CMD, &cmd));
	want_refused("a PASID", EOPNOTSUPP, DEVICE(dev.arg.word[2]),
		     "(iommufd_mock",
		     "has PASID 100 attached, which cannot be handed over; detach it",
		     NULL);
	cmd.op = MOCK_PASID_OFF;
	must(call(s.fd, MOCK_CMD, &cmd));
	want_refused("the mock without its PASID", EOPNOTSUPP,
		     DEVICE(dev.arg.word[2]), "not a PCI device", NULL);
	must(iommufd_destroy(s.fd, dev.arg.word[0]));
	must(iommufd_destroy(s.fd, hwpt));
	want_fine("the mock");
	side_close(&s);
}

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

void mock_objects(void)
{
	struct mock_nested nested = { 0 };
	struct mock_cmd mock = { .size = sizeof(mock), .op = MOCK_ACCESS };
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu) };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice) };
	struct iommu_veventq_alloc veventq = { .size = sizeof(veventq) };
	struct iommu_hw_queue_alloc queue = { .size = sizeof(queue) };
	struct iommu_hwpt_set_dirty_tracking dirty = { .size = sizeof(dirty) };
	uint32_t idev, parent, fault;
	struct low_id low;
	struct side s;
	int fd;

	side_open(&s);
	low.fd = s.fd;
	must(ioas_alloc(s.fd, &low.id));

	low_free(&low);
	must(fault_queue(s.fd, &fault, &fd));
	want_kind(&low, fault, "fault queue");
	close(fd);
	must(iommufd_destroy(s.fd, fault));
	want_fine("a fault queue");
	low_take(&low);

	mock.id = s.ioas;
	must(call(s.fd, MOCK_CMD, &mock));
	want_refused("an access object", EOPNOTSUPP, "access object",
		     "cannot be handed over", NULL);
	close(mock.arg.word[0]);
	want_fine("an access object");

	/* It does not tell its descriptor, which is the lowest that is free. */
	fd = must(fcntl(handover, F_DUPFD, 0));
	close(fd);
	must(call(s.fd, MOCK_CMD, &(struct mock_cmd) {
			.size = sizeof(mock), .op = MOCK_DMABUF,
			.arg.word = { 4096, O_RDWR } }));
	must(map_fixed(s.fd, s.ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	want_refused("a dma-buf", EOPNOTSUPP, IOAS(s.ioas), IOVA(CASE_IOVA),
		     "dma-buf", "unmap it", NULL);
	side_unmap(&s, "a dma-buf");
	close(fd);

	/* The mock's aperture begins above SIDE_IOVA. */
	mock.op = MOCK_DEVICE;
	must(ioas_alloc(s.fd, &mock.id));
	parent = mock.id;
	must(call(s.fd, MOCK_CMD, &mock));
	idev = mock.arg.word[2];
	want_refused("a device of the mock", EOPNOTSUPP, DEVICE(idev),
		     "(iommufd_mock",
		     "not a PCI device behind an IOMMU; unbind it", NULL);

	low_free(&low);
	alloc.dev_id = idev;
	alloc.pt_id = parent;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == low.id, "ID %u", alloc.out_hwpt_id);
	want_refused("a page table of another driver", EOPNOTSUPP,
		     HWPT(low.id), "its IOMMU driver cannot hand over",
		     "destroy it", NULL);
	must(iommufd_destroy(s.fd, low.id));

	alloc.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	dirty.hwpt_id = alloc.out_hwpt_id;
	dirty.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
	must(call(s.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	want_refused("dirty tracking", EOPNOTSUPP, HWPT(low.id),
		     "has dirty tracking enabled", "disable it", NULL);
	dirty.flags = 0;
	must(call(s.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	want_refused("dirty tracking that was ended", EOPNOTSUPP, HWPT(low.id),
		     "its IOMMU driver cannot hand over", NULL);
	must(iommufd_destroy(s.fd, low.id));
	low_take(&low);

	must(fault_queue(s.fd, &fault, &fd));
	low_free(&low);
	alloc.flags = IOMMU_HWPT_FAULT_ID_VALID;
	alloc.fault_id = fault;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == low.id, "ID %u", alloc.out_hwpt_id);
	want_refused("an HWPT with a fault queue", EOPNOTSUPP, HWPT(low.id),
		     "has a fault queue, which cannot be handed over; destroy it",
		     NULL);
	must(iommufd_destroy(s.fd, low.id));
	low_take(&low);
	close(fd);
	must(iommufd_destroy(s.fd, fault));

	alloc.flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	alloc.fault_id = 0;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	parent = alloc.out_hwpt_id;

	low_free(&low);
	alloc.flags = 0;
	alloc.pt_id = parent;
	alloc.data_type = MOCK_TYPE_NESTED;
	alloc.data_len = sizeof(nested);
	alloc.data_uptr = (uintptr_t)&nested;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	want_kind(&low, alloc.out_hwpt_id, "nested HWPT");
	must(iommufd_destroy(s.fd, low.id));

	viommu.type = MOCK_TYPE_VIOMMU;
	viommu.dev_id = idev;
	viommu.hwpt_id = parent;
	must(call(s.fd, IOMMU_VIOMMU_ALLOC, &viommu));
	want_kind(&low, viommu.out_viommu_id, "vIOMMU");
	must(iommufd_destroy(s.fd, low.id));
	low_take(&low);
	must(call(s.fd, IOMMU_VIOMMU_ALLOC, &viommu));

	low_free(&low);
	vdevice.viommu_id = viommu.out_viommu_id;
	vdevice.dev_id = idev;
	vdevice.virt_id = 0x99;
	must(call(s.fd, IOMMU_VDEVICE_ALLOC, &vdevice));
	want_kind(&low, vdevice.out_vdevice_id, "vDEVICE");
	must(iommufd_destroy(s.fd, low.id));

	veventq.viommu_id = viommu.out_viommu_id;
	veventq.type = MOCK_TYPE_VEVENTQ;
	veventq.veventq_depth = 8;
	must(call(s.fd, IOMMU_VEVENTQ_ALLOC, &veventq));
	want_kind(&low, veventq.out_veventq_id, "virtual event queue");
	close(veventq.out_veventq_fd);
	must(iommufd_destroy(s.fd, low.id));

	must(ioas_unmap(s.fd, s.ioas, 0, UINT64_MAX, NULL));
	must(map_fixed(s.fd, mock.id, s.mem.fd, 0, 8 * GUEST_PAGE, 0x2000000));
	queue.viommu_id = viommu.out_viommu_id;
	queue.type = MOCK_TYPE_HW_QUEUE;
	queue.nesting_parent_iova = 0x2000000;
	queue.length = GUEST_PAGE;
	must(call(s.fd, IOMMU_HW_QUEUE_ALLOC, &queue));
	want_kind(&low, queue.out_hw_queue_id, "hardware queue");
	must(iommufd_destroy(s.fd, low.id));

	must(iommufd_destroy(s.fd, viommu.out_viommu_id));
	must(iommufd_destroy(s.fd, parent));
	must(iommufd_destroy(s.fd, mock.arg.word[0]));
	want_fine("every object of the mock");
	side_close(&s);
}

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

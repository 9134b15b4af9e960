// SPDX-License-Identifier: GPL-2.0-only
/* One device of two is still waited for, or both are. */
#include <sys/mman.h>

#include <linux/vfio.h>

#include "luo.h"

static void retrieve_and_change(void)
{
	struct part *p = &parts[PART_PENDING];
	uint32_t id;

	open_session(PART_PENDING);
	take_context(PART_PENDING);
	must(ioas_alloc(p->ctx.fd, &id));
	/* The parent looks for this. */
	must(fcntl(p->ctx.fd, F_SETFL, O_RDWR | O_NONBLOCK));
}

void case_pending(void)
{
	struct part *p = &parts[PART_PENDING];
	const struct want *want = &state->want[PART_PENDING];
	uint32_t two = want->ioas[1].id, id, low, added;
	uint64_t iova = RO_IOVA;
	char bdf[PCI_BDF_LEN];
	int dev, fd, other;

	take(PART_PENDING);
	verify(PART_PENDING, false);
	must_fail(EBUSY, luo_finish(p->session));
	must_fail(EBUSY, luo_finish(p->session));
	/* A session is one process's at a time. */
	must_fail(EINVAL, luo_retrieve(p->name));

	/* Closing is not finishing: name, file and reserved IDs are kept. */
	fd = p->ctx.fd;
	close_session(PART_PENDING);
	open_session(PART_PENDING);
	take_context(PART_PENDING);
	check(same_file(fd, p->ctx.fd), "another iommufd came the second time");
	close(fd);
	verify(PART_PENDING, false);
	must_fail(EBUSY, luo_finish(p->session));

	/* Nor is dying, with every file of it closed. */
	close_session(PART_PENDING);
	close(p->ctx.fd);
	in_killed_process(retrieve_and_change, NULL);
	open_session(PART_PENDING);
	take_context(PART_PENDING);
	check(must(fcntl(p->ctx.fd, F_GETFL)) & O_NONBLOCK,
	      "this is not the iommufd that the dead process had");
	must(fcntl(p->ctx.fd, F_SETFL, O_RDWR));
	must(ioas_alloc(p->ctx.fd, &low));
	must(iommufd_destroy(p->ctx.fd, low));
	/* What the dead process made is one below. */
	for (id = low - 1; ctx_find_ioas(&p->ctx, id) ||
	     ctx_find_hwpt(&p->ctx, id) || id == want->dev[0].id ||
	     id == want->dev[1].id; id--)
		;
	must(iommufd_destroy(p->ctx.fd, id));
	verify(PART_PENDING, false);
	must_fail(EBUSY, luo_finish(p->session));

	/* Another device comes and goes under an ID that was not reserved. */
	find_device(EDU_SPARE, bdf);
	must(ioas_alloc(p->ctx.fd, &low));
	must(iommufd_destroy(p->ctx.fd, low));
	dev = bind_to(p->ctx.fd, bdf, &id);
	check(id == low, "the other device has ID %u, not %u", id, low);
	id = two;
	must(vfio_attach(dev, &id));
	must_fail(EBUSY, luo_finish(p->session));
	close(dev);
	verify(PART_PENDING, false);

	/* The device comes and goes elsewhere. */
	other = must(iommufd_open());
	dev = bind_to(other, want->dev[0].bdf, &id);
	must_fail(EBUSY, luo_finish(p->session));
	close(dev);
	close(other);
	verify(PART_PENDING, false);

	/* And through its VFIO group, into this iommufd. */
	open_through_group(p->ctx.fd, &want->dev[0]);
	must_fail(EBUSY, luo_finish(p->session));
	verify(PART_PENDING, false);

	/* An IOAS that was changed makes another table than the device had. */
	must(ioas_map_file(p->ctx.fd, two, p->mem.fd, 0, GUEST_PAGE, &iova,
			   IOVA_RO | IOMMU_IOAS_MAP_FIXED_IOVA));
	must_fail(EBADMSG, -ctx_rebind_refused(&p->ctx, 0));
	must_fail(EBUSY, luo_finish(p->session));
	must(ioas_unmap(p->ctx.fd, two, iova, GUEST_PAGE, NULL));
	verify(PART_PENDING, false);

	check(ctx_rebind(&p->ctx, 0), "another device ID");
	must_fail(EBUSY, luo_finish(p->session));
	/* Twice is once too often, through the same file or another. */
	must_fail(EINVAL, vfio_bind(p->ctx.dev[0], p->ctx.fd, &id));
	must_fail(EINVAL, -ctx_rebind_refused(&p->ctx, 0));
	must(ioas_alloc(p->ctx.fd, &added));
	must(iommufd_destroy(p->ctx.fd, added));
	check(added == low, "ID %u is the next free one, not %u", added, low);

	check(ctx_rebind(&p->ctx, 1), "another device ID");
	verify(PART_PENDING, true);
	run_edu(PART_PENDING, 0);
	run_edu(PART_PENDING, 1);
	finish(PART_PENDING);
	drop(PART_PENDING);
}

/*
 * Who has bound one of two devices dies. What was back has gone as it would
 * have without any kexec, the other can still be brought back.
 */
static unsigned int dying;

static void retrieve_and_bind(void)
{
	take(dying);
	check(ctx_rebind(&parts[dying].ctx, 0), "another device ID");
}

static void died(unsigned int index)
{
	struct part *p = &parts[index];
	struct want *want = &state->want[index];
	unsigned int pending = fact("incoming/devices_pending");

	dying = index;
	in_killed_process(retrieve_and_bind, NULL);
	check(fact("incoming/devices_pending") == pending - 1,
	      "%u devices are pending", fact("incoming/devices_pending"));
	take(index);
	must_fail(EBUSY, luo_finish(p->session));
	check(ctx_rebind(&p->ctx, 1), "another device ID");
	run_edu(index, 1);
	/* Forget the first. */
	want->dev[0] = want->dev[1];
	p->ctx.dev[0] = p->ctx.dev[1];
	p->ctx.dev[1] = -1;
	want->dev_nr = 1;
	verify(index, true);
	finish(index);
	drop(index);
}

/* Each device has an HWPT of its own. */
void case_died(void)
{
	died(PART_DIED);
}

/* Both have the same, which is automatic and went with the first. */
void case_shared(void)
{
	died(PART_SHARED);
}

/* The bind succeeds and its answer cannot be delivered. */
void case_efault(void)
{
	struct part *p = &parts[PART_EFAULT];
	const struct want_dev *want = &state->want[PART_EFAULT].dev[0];
	struct vfio_device_bind_iommufd *cmd;
	int dev, ret;

	take(PART_EFAULT);
	cmd = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(cmd != MAP_FAILED, "mmap: errno %d", errno);
	cmd->argsz = sizeof(*cmd);
	cmd->iommufd = p->ctx.fd;
	must(mprotect(cmd, GUEST_PAGE, PROT_READ));
	must(vfio_claim(want->bdf));
	dev = must(vfio_open(want->bdf));
	ret = ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, cmd);
	must_fail(EFAULT, ret ? -errno : 0);
	close(dev);
	munmap(cmd, GUEST_PAGE);
	must_fail(EBUSY, luo_finish(p->session));
	verify(PART_EFAULT, false);
	check(ctx_rebind(&p->ctx, 0), "another device ID");
	verify(PART_EFAULT, true);
	finish(PART_EFAULT);
	drop(PART_EFAULT);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Not finished, with nothing missing: closed or killed. */
#include <sys/mman.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include "luo.h"

#define PART_PAGES	(MEMORY_LEN / GUEST_PAGE)
#define FRESH_IOVA	0x300000000ULL

/* A part that was unfinished, with its memory pinned, is so no more. */
static void check_finished(unsigned int index, unsigned int unfinished,
			   unsigned int pinned)
{
	finished++;
	must_fail(ENOENT, luo_retrieve(parts[index].name));
	check(fact("incoming/unfinished") == unfinished - 1,
	      "%u of %u contexts are unfinished", fact("incoming/unfinished"),
	      unfinished);
	check(fact("incoming/pages_pinned") == pinned,
	      "%u pages are pinned, were %u", fact("incoming/pages_pinned"),
	      pinned);
}

/*
 * Closing the session is as good as FINISH. What came of it lives on, and goes
 * through the next kexec as well.
 */
void case_closed(void)
{
	unsigned int unfinished = fact("incoming/unfinished");
	unsigned int pinned = fact("incoming/pages_pinned");
	struct part *p = &parts[PART_CLOSED];
	uint32_t two = state->want[PART_CLOSED].ioas[1].id;
	uint64_t iova = FRESH_IOVA;
	struct edu edu;

	take(PART_CLOSED);
	check(ctx_rebind(&p->ctx, 0), "another device ID");
	check(fact("incoming/unfinished") == unfinished,
	      "finished before it was closed");
	want_pinned(pinned + PART_PAGES);
	close_session(PART_CLOSED);
	check_finished(PART_CLOSED, unfinished, pinned);
	verify(PART_CLOSED, true);
	run_edu(PART_CLOSED, 0);

	must(ioas_map_file(p->ctx.fd, two, p->mem.fd, 0, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	memset(p->mem.va, 0, GUEST_PAGE);
	must(edu_open(&edu, p->ctx.dev[0]));
	must(edu_copy(&edu, iova, MEMORY_IOVA + RO_OFF, GUEST_PAGE));
	edu_close(&edu);
	check(!memcmp(p->mem.va, (char *)p->mem.va + RO_OFF, GUEST_PAGE),
	      "a new map does not reach the memory");
	must(ioas_unmap(p->ctx.fd, two, iova, GUEST_PAGE, NULL));
	fill(PART_CLOSED, &p->mem);
	verify(PART_CLOSED, true);
}

/* An iommufd to see with what is charged to this user. */
static struct {
	struct memory mem;
	int fd;
	uint32_t ioas;
} probe;

/* Can one more page be pinned when the limit is @pages? */
static bool page_fits(unsigned int pages)
{
	uint64_t iova = FRESH_IOVA;
	int err;

	memlock_limit(pages * GUEST_PAGE);
	err = ioas_map_file(probe.fd, probe.ioas, probe.mem.fd, 0, GUEST_PAGE,
			    &iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
	memlock_limit(RLIM_INFINITY);
	if (err) {
		must_fail(ENOMEM, err);
		return false;
	}
	must(ioas_unmap(probe.fd, probe.ioas, iova, GUEST_PAGE, NULL));
	return true;
}

static void retrieve_and_bind_all(void)
{
	take(PART_KILLED);
	check(ctx_rebind(&parts[PART_KILLED].ctx, 0), "another device ID");
}

static unsigned int killed_pinned;

static void see_killed_alive(void)
{
	want_pinned(killed_pinned + PART_PAGES);
	check(page_fits(PART_PAGES + 1) && !page_fits(PART_PAGES),
	      "other than %llu pages are charged", PART_PAGES);
	must_fail(EINVAL, luo_retrieve(parts[PART_KILLED].name));
}

/*
 * The process that has it all is killed: the session is finished by that, and
 * nobody else holds the iommufd.
 */
void case_killed(void)
{
	const struct want_dev *want = &state->want[PART_KILLED].dev[0];
	unsigned int unfinished = fact("incoming/unfinished");
	unsigned int pending = fact("incoming/devices_pending");
	char bdf[PCI_BDF_LEN];
	uint32_t id;
	int dev, other;

	killed_pinned = fact("incoming/pages_pinned");
	capability(CAP_IPC_LOCK, false);
	must(memory_create(&probe.mem, "probe", GUEST_PAGE));
	probe.fd = must(iommufd_open());
	must(ioas_alloc(probe.fd, &probe.ioas));
	find_device(EDU_SPARE, bdf);
	dev = bind_to(probe.fd, bdf, &id);
	id = probe.ioas;
	must(vfio_attach(dev, &id));
	check(page_fits(1) && !page_fits(0), "something is charged already");

	in_killed_process(retrieve_and_bind_all, see_killed_alive);
	check_finished(PART_KILLED, unfinished, killed_pinned);
	check(fact("incoming/devices_pending") == pending - 1,
	      "%u devices are pending", fact("incoming/devices_pending"));
	check(page_fits(1), "pages of a dead process are still charged");
	capability(CAP_IPC_LOCK, true);

	/* Its device is anybody's. */
	other = bind_to(probe.fd, want->bdf, &id);
	id = probe.ioas;
	must(vfio_attach(other, &id));
	close(other);
	close(dev);
	close(probe.fd);
	munmap(probe.mem.va, probe.mem.len);
	close(probe.mem.fd);
}

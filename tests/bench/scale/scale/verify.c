// SPDX-License-Identifier: GPL-2.0-only
/* Take everything back step by step, timed. */
#include <sys/klog.h>

#include "scale.h"

#define LOG_READ_ALL	3	/* SYSLOG_ACTION_READ_ALL of syslog(2) */

/* Microseconds of the time stamp of a line of the kernel log. */
static int64_t stamp(const char *line)
{
	unsigned int seconds, micros;

	check(sscanf(line, "<%*u>[%u.%u]", &seconds, &micros) == 2,
	      "no time stamp: %.40s", line);
	return seconds * 1000000LL + micros;
}

/*
 * Instructions or nanoseconds of the early parse, from the time stamps of its
 * line and of the one before: there is no other clock that early.
 */
static int64_t early_parse(void)
{
	static char log[1 << 20];
	int len = klogctl(LOG_READ_ALL, log, sizeof(log) - 1);
	char *line, *before = NULL;

	check(len > 0, "klogctl: %s", strerror(errno));
	for (line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		if (before && strstr(line, "iommu-handover: image accepted"))
			return (stamp(line) - stamp(before)) * 1000;
		before = line;
	}
	check(false, "the kernel log does not tell of the image");
}

/*
 * The first map that is not there or is not of one page, or before which there
 * is another; as many as there should be when there is no such map.
 */
static uint32_t first_wrong(int iommufd, const struct state *state, int memfd)
{
	uint64_t end = 0;
	uint32_t map;

	for (map = 0; map < state->maps; map++) {
		uint64_t iova = iova_of(map);

		if (ioas_unmap(iommufd, state->ioas, end, iova - end, NULL) !=
		    -ENOENT || map_one(iommufd, state, memfd, map) != -EEXIST)
			break;
		end = iova + GUEST_PAGE;
	}
	return map;
}

/* All maps are there and no others. One less and one more have to be seen. */
static void check_maps(int iommufd, const struct state *state, int memfd)
{
	uint64_t end = iova_of(state->maps - 1) + GUEST_PAGE;
	uint32_t at = state->maps / 10;
	uint64_t iova = iova_of(at);
	uint64_t more = iova - GUEST_PAGE;

	check(first_wrong(iommufd, state, memfd) == state->maps,
	      "map %u is not as it was",
	      first_wrong(iommufd, state, memfd));
	must_fail(ENOENT, ioas_unmap(iommufd, state->ioas, end,
				     UINT64_MAX - end + 1, NULL));
	must(ioas_unmap(iommufd, state->ioas, iova, GUEST_PAGE, NULL));
	check(first_wrong(iommufd, state, memfd) == at,
	      "map %u is gone and that is not seen", at);
	/* Looking for it has put it back */
	must(ioas_map_file(iommufd, state->ioas, memfd, 0, GUEST_PAGE, &more,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	check(first_wrong(iommufd, state, memfd) == at,
	      "one more before map %u is not seen", at);
	report_number("maps_compared[]", state->maps);
}

/* Until its records are replayed. It has ranges, whichever. */
static void wait_for(int iommufd, const struct state *state)
{
	struct iommu_iova_range range[8];
	uint32_t nr = ARRAY_SIZE(range);
	uint64_t align;

	must(ioas_ranges(iommufd, state->ioas, range, &nr, &align));
}

/*
 * What a VMM without a handover does: a new iommufd, all maps, then the device. The
 * device goes back to @fd, and has the ID that it gets there.
 */
static void redo(int fd, int dev, struct state *state, int memfd)
{
	struct state again = *state;
	uint32_t dev_id, pt_id;
	uint64_t start;
	int new;

	close(dev);
	start = now();
	new = must(iommufd_open());
	must(ioas_alloc(new, &again.ioas));
	for (uint32_t map = 0; map < state->maps; map++)
		must(map_one(new, &again, memfd, map));
	report_number("redo_map[]", now() - start);
	dev = must(vfio_open(state->bdf));
	start = now();
	must(vfio_bind(dev, new, &dev_id));
	pt_id = again.ioas;
	must(vfio_attach(dev, &pt_id));
	report_number("redo_bind[]", now() - start);
	close(dev);
	close(new);

	dev = must(vfio_open(state->bdf));
	must(vfio_bind(dev, fd, &state->dev));
	pt_id = state->ioas;
	must(vfio_attach(dev, &pt_id));
}

int verify(unsigned int nr, struct memory *mem)
{
	int64_t kib;
	uint64_t start;
	struct state *state;
	int session, fd, dev;
	uint32_t dev_id;

	check(nr && nr <= ARRAY_SIZE(counts), "kexec %u of %d", nr, KEXECS);
	/* Before all else: what is free when user space begins */
	report_number("boot_free_kib[]", free_kib());
	background();
	session = must(luo_retrieve(SESSION));
	fd = must(luo_restore(session, TOKEN_MEMORY));
	must(memory_adopt(mem, fd));
	state = mem->va;
	check(state->magic == MAGIC && state->maps == counts[nr - 1],
	      "this is not the memory that was handed over");
	report_number("maps[]", state->maps);
	report_number("early_parse[]", early_parse());

	kib = free_kib();
	start = now();
	fd = must(luo_restore(session, TOKEN_IOMMUFD));
	report_number("given_back[]", now() - start);
	wait_for(fd, state);
	report_number("retrieve[]", now() - start);

	must(vfio_claim(state->bdf));
	dev = must(vfio_open(state->bdf));
	start = now();
	must(vfio_bind(dev, fd, &dev_id));
	report_number("bind[]", now() - start);
	check(dev_id == state->dev, "the device has ID %u and had %u", dev_id,
	      state->dev);

	report_number("replay_kib[]", kib - free_kib());
	kib = free_kib();

	start = now();
	must(luo_finish(session));
	close(session);
	report_number("finish[]", now() - start);
	report_number("finish_kib[]", kib - free_kib());
	check_maps(fd, state, mem->fd);
	redo(fd, dev, state, mem->fd);
	return fd;
}

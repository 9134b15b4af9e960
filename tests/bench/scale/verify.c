// SPDX-License-Identifier: GPL-2.0-only
/* Take everything back, step by step and timed, and add maps for the next. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "scale.h"

/* The counter when this kernel's clock was at zero. */
static uint64_t clock_began(void)
{
	struct timespec time;
	uint64_t ticks = now();

	check(!clock_gettime(CLOCK_BOOTTIME, &time), "no clock");
	return ticks - (time.tv_sec * 1000000000ULL + time.tv_nsec);
}

static void check_maps(int iommufd, const struct state *state, int memfd)
{
	uint32_t map;

	for (map = 0; map < state->maps; map += 1 + state->maps / 100)
		must_fail(EEXIST, map_one(iommufd, state, memfd, map));
	must_fail(EEXIST, map_one(iommufd, state, memfd, state->maps - 1));
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	uint64_t began = clock_began(), kib, start;
	struct state *state;
	struct memory mem;
	int session, fd, dev;
	uint32_t dev_id;

	check(nr && nr <= ARRAY_SIZE(counts), "usage: verify NUMBER");
	background();
	session = must(luo_retrieve(SESSION));
	fd = must(luo_restore(session, TOKEN_MEMORY));
	must(memory_adopt(&mem, fd));
	state = mem.va;
	check(state->magic == MAGIC && state->maps == counts[nr - 1],
	      "this is not the memory that was handed over");
	report_u64("maps[]", state->maps);
	report_u64("jump[]", began - state->jump);

	kib = free_kib();
	start = now();
	fd = must(luo_restore(session, TOKEN_IOMMUFD));
	report_u64("retrieve[]", now() - start);

	must(vfio_claim(state->bdf));
	dev = must(vfio_open(state->bdf));
	start = now();
	must(vfio_bind(dev, fd, &dev_id));
	report_u64("bind[]", now() - start);
	check(dev_id == state->dev, "the device has ID %u and had %u", dev_id,
	      state->dev);

	start = now();
	must(luo_finish(session));
	report_u64("finish[]", now() - start);
	report_u64("replay_kib[]", kib - free_kib());
	close(session);
	check_maps(fd, state, mem.fd);

	hand_over(fd, &mem, counts[nr < ARRAY_SIZE(counts) ? nr : nr - 1]);
}

// SPDX-License-Identifier: GPL-2.0-only
/* The context with 20,000 maps. */
#include "contexts.h"

#define BIG_MAPS	20000U
#define BIG_SCRATCH	0x7f0000000000ULL	/* IOVA of the last page */

struct big_map {
	uint64_t iova;
	uint64_t offset;
	uint32_t flags;
};

/* The next of the maps; @map is the one before, all zero at first. */
static void big_next(struct rng *rng, struct big_map *map)
{
	map->iova += (2 + rng_below(rng, 40)) * GUEST_PAGE;
	map->offset = rng_below(rng, BIG_MEMORY / GUEST_PAGE - 1) * GUEST_PAGE;
	map->flags = rng_below(rng, 3) ? IOVA_RW : IOVA_RO;
}

void build_big(void)
{
	struct rng rng = { state->seed };
	struct big_map map = {};
	char bdf[PCI_BDF_LEN];
	uint64_t iova = BIG_SCRATCH, start = now_ms();
	unsigned int i;
	uint32_t spare;

	big = must(iommufd_open());
	must(ioas_alloc(big, &spare));
	must(ioas_alloc(big, &state->big_ioas));
	must(iommufd_destroy(big, spare));
	for (i = 0; i < BIG_MAPS; i++) {
		big_next(&rng, &map);
		must(ioas_map_file(big, state->big_ioas, big_mem.fd,
				   map.offset, GUEST_PAGE, &map.iova,
				   map.flags | IOMMU_IOAS_MAP_FIXED_IOVA));
	}
	must(ioas_map_file(big, state->big_ioas, big_mem.fd,
			   BIG_MEMORY - GUEST_PAGE, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	big_dev = must(vfio_open(bdf));
	must(vfio_bind(big_dev, big, &state->big_dev));
	state->big_hwpt = state->big_ioas;
	must(vfio_attach(big_dev, &state->big_hwpt));
	report("big_build_ms", "%llu", LL(now_ms() - start));
}

static int map_at(uint64_t iova)
{
	return ioas_map_file(big, state->big_ioas, big_mem.fd, 0, GUEST_PAGE,
			     &iova, IOVA_RO | IOMMU_IOAS_MAP_FIXED_IOVA);
}

void check_big(void)
{
	struct rng rng = { state->seed };
	struct big_map map = {};
	uint64_t end = 0;
	unsigned int i;

	for (i = 0; i < BIG_MAPS; i++) {
		big_next(&rng, &map);
		must_fail(ENOENT, ioas_unmap(big, state->big_ioas, end,
					     map.iova - end, NULL));
		must_fail(EEXIST, map_at(map.iova));
		end = map.iova + GUEST_PAGE;
	}
	must_fail(ENOENT, ioas_unmap(big, state->big_ioas, end,
				     BIG_SCRATCH - end, NULL));
	must_fail(EEXIST, map_at(BIG_SCRATCH));
	end = BIG_SCRATCH + GUEST_PAGE;
	must_fail(ENOENT, ioas_unmap(big, state->big_ioas, end,
				     UINT64_MAX - end + 1, NULL));
}

void check_big_dma(unsigned int samples)
{
	char *scratch = (char *)big_mem.va + BIG_MEMORY - GUEST_PAGE;
	char saved[GUEST_PAGE];
	unsigned int want, i;
	struct edu edu;

	memcpy(saved, scratch, GUEST_PAGE);
	must(edu_open(&edu, big_dev));
	while (samples--) {
		struct rng rng = { state->seed };
		struct big_map map = {};

		want = rng_below(&state->rng, BIG_MAPS);
		for (i = 0; i <= want; i++)
			big_next(&rng, &map);
		memset(scratch, 0, GUEST_PAGE);
		must(edu_copy(&edu, BIG_SCRATCH, map.iova, GUEST_PAGE));
		check(!memcmp(scratch, (char *)big_mem.va + map.offset,
			      GUEST_PAGE), "map %u leads elsewhere", want);
	}
	edu_close(&edu);
	memcpy(scratch, saved, GUEST_PAGE);
}

void check_big_bound(void)
{
	uint32_t id = state->big_ioas, low = 0, next;

	must(vfio_attach(big_dev, &id));
	check(id == state->big_hwpt, "HWPT %u was %u", id, state->big_hwpt);
	must_fail(EBUSY, iommufd_destroy(big, state->big_ioas));
	must_fail(EBUSY, iommufd_destroy(big, state->big_dev));
	must_fail(EBUSY, iommufd_destroy(big, state->big_hwpt));
	/* What is free is what was free. */
	for (next = 1; low < 2; next++) {
		uint32_t got[2];

		if (next == state->big_ioas || next == state->big_dev ||
		    next == state->big_hwpt)
			continue;
		if (low) {
			must(ioas_alloc(big, &got[0]));
			must(ioas_alloc(big, &got[1]));
			check(got[1] == next, "ID %u is free, not %u", got[1],
			      next);
			must(iommufd_destroy(big, got[1]));
		} else {
			must(ioas_alloc(big, &got[0]));
			check(got[0] == next, "ID %u is free, not %u", got[0],
			      next);
		}
		must(iommufd_destroy(big, got[0]));
		low++;
	}
}

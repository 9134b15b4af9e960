// SPDX-License-Identifier: GPL-2.0-only
/* Maps of random size and place, and the IOAS for VFIO's own interface. */
#include "objects.h"

uint64_t pages(struct rng *rng, unsigned int from, unsigned int to)
{
	return (from + rng_below(rng, to - from + 1)) * GUEST_PAGE;
}

uint64_t add_map(struct bundle *b, struct ctx *ctx, uint32_t ioas,
		 uint64_t iova)
{
	struct rng *rng = &b->state->rng;
	uint32_t mem = rng_below(rng, MEMS);
	uint64_t first = mem ? 0 : DATA_OFF;
	uint64_t room = (b->mem[mem].len - first) / GUEST_PAGE;
	uint64_t len = pages(rng, 1, 90);
	uint64_t off = first + rng_below(rng, room - len / GUEST_PAGE + 1) *
		GUEST_PAGE;

	ctx_map(ctx, ioas, mem, off, len, iova,
		rng_below(rng, 3) ? IOVA_RW : IOVA_RO);
	return iova + len;
}

uint64_t add_maps(struct bundle *b, struct ctx *ctx, uint32_t ioas,
		  uint64_t iova, unsigned int nr)
{
	struct rng *rng = &b->state->rng;

	while (nr--) {
		if (rng_below(rng, 3))
			iova += pages(rng, 1, 700);
		iova = add_map(b, ctx, ioas, iova);
	}
	return iova;
}

void add_user_map(struct bundle *b, struct ctx *ctx, uint32_t ioas,
		  uint64_t iova)
{
	const struct want_ioas *want = ctx_find_ioas(ctx, ioas);
	const struct want_map *map = want->map;

	add_map(b, ctx, ioas, iova);
	while (map->iova != iova)
		map++;
	must(ioas_unmap(ctx->fd, ioas, iova, map->length, NULL));
	must(ioas_map(ctx->fd, ioas,
		      (char *)b->mem[map->mem].va + map->offset, map->length,
		      &iova, map->flags | IOMMU_IOAS_MAP_FIXED_IOVA));
}

uint64_t any_map(struct bundle *b, struct ctx *ctx, uint32_t ioas)
{
	const struct want_ioas *want = ctx_find_ioas(ctx, ioas);
	const struct want_map *map;

	do {
		map = &want->map[rng_below(&b->state->rng, want->map_nr)];
	} while ((map->iova >= RING_IOVA(0) && map->iova < SLOTS_IOVA(NICS)) ||
		 (map->iova >= GROUP_IOVA(0) &&
		  map->iova < GROUP_IOVA(GROUP_NR)));
	return map->iova;
}

void map_nic(struct ctx *ctx, uint32_t ioas, unsigned int nic)
{
	ctx_map(ctx, ioas, 0, RING_OFF(nic), RING_LEN, RING_IOVA(nic), IOVA_RW);
	ctx_map(ctx, ioas, 0, SLOTS_OFF(nic), SLOTS_LEN, SLOTS_IOVA(nic),
		IOVA_RW);
}

void map_top(struct ctx *ctx, uint32_t ioas)
{
	struct iommu_iova_range range[WANT_RANGE_MAX];
	uint32_t nr = WANT_RANGE_MAX;
	uint64_t align, last;

	must(ioas_ranges(ctx->fd, ioas, range, &nr, &align));
	last = range[nr - 1].last;
	/* Above, the IOTLB of QEMU's amd-iommu takes one device for another */
	if (last >= 1ULL << 48)
		last = (1ULL << 48) - 1;
	ctx_map(ctx, ioas, 1, 0, GUEST_PAGE, last - (GUEST_PAGE - 1), IOVA_RO);
}

/* ---- VFIO_IOAS ------------------------------------------------------------ */

void set_vfio_ioas(struct bundle *b, struct ctx *ctx, uint32_t id)
{
	b->state->vfio_ioas[ctx - b->ctx] = id;
	must(vfio_ioas(ctx->fd, id ? IOMMU_VFIO_IOAS_SET :
		       IOMMU_VFIO_IOAS_CLEAR, &id));
}

void destroy_ioas(struct bundle *b, struct ctx *ctx, uint32_t id)
{
	if (b->state->vfio_ioas[ctx - b->ctx] == id)
		b->state->vfio_ioas[ctx - b->ctx] = 0;
	ctx_destroy(ctx, id);
}

/* Is VFIO_IOAS @id, or none when that is 0? */
static bool is_vfio_ioas(const struct ctx *ctx, uint32_t id)
{
	uint32_t got = 0;
	int ret = vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_GET, &got);

	return id ? !ret && got == id : ret == -ENODEV;
}

unsigned int check_vfio_ioas(const struct bundle *b, const struct ctx *ctx)
{
	uint32_t id = b->state->vfio_ioas[ctx - b->ctx];

	check(is_vfio_ioas(ctx, id), "%s: VFIO_IOAS is not %u", ctx->name, id);
	check(!is_vfio_ioas(ctx, id + 1) && (!id || !is_vfio_ioas(ctx, 0)),
	      "%s: any VFIO_IOAS passes", ctx->name);
	return id ? 2 : 1;
}

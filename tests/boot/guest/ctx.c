// SPDX-License-Identifier: GPL-2.0-only
/* Changes to a context, and the record of them. */
#include <string.h>
#include <unistd.h>

#include "ctx.h"

#define LL(x)	((unsigned long long)(x))

void ctx_open(struct ctx *ctx, const char *name, struct want *want)
{
	memset(want, 0, sizeof(*want));
	ctx_adopt(ctx, name, want, must(iommufd_open()));
}

void ctx_adopt(struct ctx *ctx, const char *name, struct want *want, int fd)
{
	int i;

	memset(ctx, 0, sizeof(*ctx));
	ctx->name = name;
	ctx->fd = fd;
	ctx->want = want;
	for (i = 0; i < WANT_DEV_MAX; i++)
		ctx->dev[i] = -1;
}

uint32_t ctx_memory(struct ctx *ctx, const struct memory *mem)
{
	check(ctx->mem_nr < CTX_MEM_MAX, "too many memory files");
	ctx->mem[ctx->mem_nr] = mem;
	return ctx->mem_nr++;
}

void ctx_scratch(struct ctx *ctx, uint32_t mem, uint64_t offset,
		 uint64_t length)
{
	check(ctx->scratch_nr < CTX_SCRATCH_MAX, "too many scratch areas");
	ctx->scratch[ctx->scratch_nr++] = (struct ctx_scratch) {
		mem, offset, length,
	};
}

struct want_ioas *ctx_find_ioas(const struct ctx *ctx, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < ctx->want->ioas_nr; i++) {
		if (ctx->want->ioas[i].id == id)
			return &ctx->want->ioas[i];
	}
	return NULL;
}

struct want_hwpt *ctx_find_hwpt(const struct ctx *ctx, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < ctx->want->hwpt_nr; i++) {
		if (ctx->want->hwpt[i].id == id)
			return &ctx->want->hwpt[i];
	}
	return NULL;
}

static struct want_ioas *known_ioas(struct ctx *ctx, uint32_t id)
{
	struct want_ioas *ioas = ctx_find_ioas(ctx, id);

	check(ioas, "%s has no IOAS %u", ctx->name, id);
	return ioas;
}

static struct want_map *known_map(struct ctx *ctx, uint32_t id, uint64_t iova)
{
	struct want_ioas *ioas = known_ioas(ctx, id);
	uint32_t i;

	for (i = 0; i < ioas->map_nr && ioas->map[i].iova != iova; i++)
		;
	check(i < ioas->map_nr, "%s: IOAS %u has no area at 0x%llx", ctx->name,
	      id, LL(iova));
	return &ioas->map[i];
}

static void note_ranges(struct ctx *ctx, uint32_t id, struct want_ranges *want)
{
	want->nr = WANT_RANGE_MAX;
	must(ioas_ranges(ctx->fd, id, want->range, &want->nr, &want->align));
}

static void note_map(struct ctx *ctx, uint32_t id, const struct want_map *map)
{
	struct want_ioas *ioas = known_ioas(ctx, id);
	uint32_t i = ioas->map_nr;

	check(i < WANT_MAP_MAX, "too many areas");
	for (; i && ioas->map[i - 1].iova > map->iova; i--)
		ioas->map[i] = ioas->map[i - 1];
	ioas->map[i] = *map;
	ioas->map_nr++;
}

void ctx_rlimit_mode(struct ctx *ctx, uint32_t mode)
{
	must(iommufd_option_set(ctx->fd, IOMMU_OPTION_RLIMIT_MODE, 0, mode));
	ctx->want->rlimit_mode = mode;
}

uint32_t ctx_ioas(struct ctx *ctx)
{
	struct want_ioas *ioas = &ctx->want->ioas[ctx->want->ioas_nr];

	check(ctx->want->ioas_nr < WANT_IOAS_MAX, "too many IOASes");
	memset(ioas, 0, sizeof(*ioas));
	must(ioas_alloc(ctx->fd, &ioas->id));
	ioas->huge_pages = 1;
	note_ranges(ctx, ioas->id, &ioas->bare);
	ctx->want->ioas_nr++;
	return ioas->id;
}

void ctx_huge_pages(struct ctx *ctx, uint32_t id, uint32_t on)
{
	struct want_ioas *ioas = known_ioas(ctx, id);

	must(iommufd_option_set(ctx->fd, IOMMU_OPTION_HUGE_PAGES, id, on));
	ioas->huge_pages = on;
	note_ranges(ctx, id, &ioas->bare);
}

void ctx_allow(struct ctx *ctx, uint32_t id,
	       const struct iommu_iova_range *ranges, uint32_t nr)
{
	struct want_ioas *ioas = known_ioas(ctx, id);

	check(nr <= WANT_ALLOW_MAX, "too many allowed ranges");
	must(ioas_allow(ctx->fd, id, ranges, nr));
	memcpy(ioas->allow, ranges, nr * sizeof(*ranges));
	ioas->allow_nr = nr;
}

static uint64_t map_file(struct ctx *ctx, uint32_t id,
			 const struct want_map *map, uint32_t fixed)
{
	struct want_map noted = *map;

	check(map->mem < ctx->mem_nr, "no memory file %u", map->mem);
	must(ioas_map_file(ctx->fd, id, ctx->mem[map->mem]->fd, map->offset,
			   map->length, &noted.iova, map->flags | fixed));
	note_map(ctx, id, &noted);
	return noted.iova;
}

void ctx_map(struct ctx *ctx, uint32_t ioas, uint32_t mem, uint64_t offset,
	     uint64_t length, uint64_t iova, uint32_t flags)
{
	struct want_map map = { iova, length, offset, mem, flags };

	map_file(ctx, ioas, &map, IOMMU_IOAS_MAP_FIXED_IOVA);
}

uint64_t ctx_map_any(struct ctx *ctx, uint32_t ioas, uint32_t mem,
		     uint64_t offset, uint64_t length, uint32_t flags)
{
	struct want_map map = { 0, length, offset, mem, flags };

	return map_file(ctx, ioas, &map, 0);
}

void ctx_copy(struct ctx *ctx, uint32_t dst, uint64_t dst_iova, uint32_t src,
	      uint64_t src_iova, uint32_t flags)
{
	struct want_map map = *known_map(ctx, src, src_iova);

	map.iova = dst_iova;
	map.flags = flags;
	must(ioas_copy(ctx->fd, dst, &dst_iova, src, src_iova, map.length,
		       flags | IOMMU_IOAS_MAP_FIXED_IOVA));
	note_map(ctx, dst, &map);
}

void ctx_unmap(struct ctx *ctx, uint32_t id, uint64_t iova)
{
	struct want_map *map = known_map(ctx, id, iova);
	struct want_ioas *ioas = known_ioas(ctx, id);
	uint64_t unmapped;

	must(ioas_unmap(ctx->fd, id, iova, map->length, &unmapped));
	check(unmapped == map->length, "0x%llx bytes were unmapped, not 0x%llx",
	      LL(unmapped), LL(map->length));
	ioas->map_nr--;
	memmove(map, map + 1, (&ioas->map[ioas->map_nr] - map) * sizeof(*map));
}

static void forget_hwpt(struct ctx *ctx, uint32_t id)
{
	struct want_hwpt *hwpt = ctx_find_hwpt(ctx, id);
	struct want *want = ctx->want;

	want->hwpt_nr--;
	memmove(hwpt, hwpt + 1,
		(&want->hwpt[want->hwpt_nr] - hwpt) * sizeof(*hwpt));
}

void ctx_destroy(struct ctx *ctx, uint32_t id)
{
	struct want_ioas *ioas = ctx_find_ioas(ctx, id);
	struct want *want = ctx->want;

	must(iommufd_destroy(ctx->fd, id));
	if (ioas) {
		want->ioas_nr--;
		memmove(ioas, ioas + 1,
			(&want->ioas[want->ioas_nr] - ioas) * sizeof(*ioas));
	} else {
		check(ctx_find_hwpt(ctx, id), "%s has no object %u", ctx->name,
		      id);
		forget_hwpt(ctx, id);
	}
}

uint32_t ctx_bind(struct ctx *ctx, const char *bdf)
{
	uint32_t index = ctx->want->dev_nr;
	struct want_dev *dev = &ctx->want->dev[index];

	check(index < WANT_DEV_MAX, "too many devices");
	memset(dev, 0, sizeof(*dev));
	memcpy(dev->bdf, bdf, strnlen(bdf, PCI_BDF_LEN - 1));
	must(vfio_claim(bdf));
	ctx->dev[index] = must(vfio_open(bdf));
	must(vfio_bind(ctx->dev[index], ctx->fd, &dev->id));
	ctx->want->dev_nr++;
	return index;
}

static void note_hwpt(struct ctx *ctx, uint32_t id, uint32_t ioas,
		      uint32_t automatic)
{
	check(ctx->want->hwpt_nr < WANT_HWPT_MAX, "too many HWPTs");
	ctx->want->hwpt[ctx->want->hwpt_nr++] = (struct want_hwpt) {
		.id = id,
		.ioas = ioas,
		.automatic = automatic,
	};
}

uint32_t ctx_hwpt(struct ctx *ctx, uint32_t dev, uint32_t ioas)
{
	uint32_t id;

	must(hwpt_alloc(ctx->fd, ctx->want->dev[dev].id, ioas, 0, &id));
	note_hwpt(ctx, id, ioas, 0);
	return id;
}

/* An automatic HWPT goes with the last device that leaves it. */
static void left_hwpt(struct ctx *ctx, uint32_t id)
{
	struct want_hwpt *hwpt = ctx_find_hwpt(ctx, id);
	uint32_t i;

	if (!hwpt || !hwpt->automatic)
		return;
	for (i = 0; i < ctx->want->dev_nr; i++) {
		if (ctx->want->dev[i].hwpt == id)
			return;
	}
	forget_hwpt(ctx, id);
}

uint32_t ctx_attach(struct ctx *ctx, uint32_t dev, uint32_t pt_id)
{
	uint32_t old = ctx->want->dev[dev].hwpt;
	uint32_t hwpt = pt_id;

	must(vfio_attach(ctx->dev[dev], &hwpt));
	ctx->want->dev[dev].hwpt = hwpt;
	if (!ctx_find_hwpt(ctx, hwpt)) {
		known_ioas(ctx, pt_id);
		note_hwpt(ctx, hwpt, pt_id, 1);
	}
	if (old && old != hwpt)
		left_hwpt(ctx, old);
	return hwpt;
}

void ctx_detach(struct ctx *ctx, uint32_t dev)
{
	uint32_t old = ctx->want->dev[dev].hwpt;

	must(vfio_detach(ctx->dev[dev]));
	ctx->want->dev[dev].hwpt = 0;
	left_hwpt(ctx, old);
}

void ctx_settle(struct ctx *ctx)
{
	uint32_t i;

	for (i = 0; i < ctx->want->ioas_nr; i++) {
		struct want_ioas *ioas = &ctx->want->ioas[i];

		note_ranges(ctx, ioas->id, &ioas->bound);
		ioas->pick = 0;
		must(ioas_map_file(ctx->fd, ioas->id, ctx->mem[0]->fd, 0,
				   GUEST_PAGE, &ioas->pick, IOVA_RO));
		must(ioas_unmap(ctx->fd, ioas->id, ioas->pick, GUEST_PAGE,
				NULL));
	}
}

bool ctx_rebind(struct ctx *ctx, uint32_t dev)
{
	struct want_dev *want = &ctx->want->dev[dev];
	uint32_t id;

	must(vfio_claim(want->bdf));
	ctx->dev[dev] = must(vfio_open(want->bdf));
	must(vfio_bind(ctx->dev[dev], ctx->fd, &id));
	if (id == want->id)
		return true;
	say("%s: device %s has ID %u and had %u", ctx->name, want->bdf, id,
	    want->id);
	return false;
}

int ctx_rebind_refused(struct ctx *ctx, uint32_t dev)
{
	struct want_dev *want = &ctx->want->dev[dev];
	uint32_t id;
	int fd, err;

	must(vfio_claim(want->bdf));
	fd = must(vfio_open(want->bdf));
	err = vfio_bind(fd, ctx->fd, &id);
	check(err, "%s: device %s was bound", ctx->name, want->bdf);
	close(fd);
	return -err;
}

unsigned int ctx_areas(const struct ctx *ctx)
{
	unsigned int nr = 0;
	uint32_t i;

	for (i = 0; i < ctx->want->ioas_nr; i++)
		nr += ctx->want->ioas[i].map_nr;
	return nr;
}

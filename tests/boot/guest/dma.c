// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "dma.h"

#define LL(x)	((unsigned long long)(x))

static uint64_t page_number(uint32_t mem, uint64_t offset)
{
	return (uint64_t)mem << 40 | offset / GUEST_PAGE;
}

static uint8_t *stamp_at(const struct ctx *ctx, uint32_t mem, uint64_t offset)
{
	return (uint8_t *)ctx->mem[mem]->va + offset + DMA_STAMP;
}

void dma_stamp(const struct ctx *ctx, uint32_t mem, uint64_t offset,
	       uint64_t length, uint64_t key)
{
	uint64_t end = offset + length;

	for (; offset < end; offset += GUEST_PAGE)
		nic_frame_fill(stamp_at(ctx, mem, offset), NIC_FRAME_MIN,
			       NIC_PROBE, page_number(mem, offset), key);
}

static bool is_stamped(const uint8_t *stamp, uint64_t key)
{
	const struct nic_frame *frame = (const void *)stamp;

	return nic_frame_sound(stamp, NIC_FRAME_MIN) &&
	       le16toh(frame->kind) == NIC_PROBE &&
	       le64toh(frame->nonce) == key;
}

static bool is_scratch(const struct ctx *ctx, uint32_t mem, uint64_t offset)
{
	uint32_t i;

	for (i = 0; i < ctx->scratch_nr; i++) {
		const struct ctx_scratch *scratch = &ctx->scratch[i];

		if (mem == scratch->mem && offset >= scratch->offset &&
		    offset - scratch->offset < scratch->length)
			return true;
	}
	return false;
}

static struct want_ioas *ioas_of(const struct ctx *ctx, uint32_t dev)
{
	struct want_hwpt *hwpt = ctx_find_hwpt(ctx, ctx->want->dev[dev].hwpt);

	check(hwpt, "device %u is not attached", dev);
	return ctx_find_ioas(ctx, hwpt->ioas);
}

/* Compares one page; prints how it differs unless @ctx is quiet. */
static bool same_page(struct ctx *ctx, struct nic *nic, uint64_t iova,
		      const struct want_map *map, uint64_t offset, uint64_t key)
{
	const struct nic_frame *got = (const void *)nic->probe;
	uint8_t want[NIC_FRAME_MIN];
	int err;

	nic_frame_fill(want, sizeof(want), NIC_PROBE,
		       page_number(map->mem, offset), key);
	err = nic_probe(nic, iova + DMA_STAMP, want);
	if (!err)
		return true;
	if (ctx->quiet)
		return false;
	if (err == -EBADMSG)
		say("%s: the device reads page 0x%llx at IOVA 0x%llx, expected page 0x%llx",
		    ctx->name, LL(le64toh(got->number)), LL(iova),
		    LL(page_number(map->mem, offset)));
	else
		say("%s: the device reads nothing at IOVA 0x%llx: %s",
		    ctx->name, LL(iova), strerror(-err));
	return false;
}

unsigned int dma_check(struct ctx *ctx, struct nic *nic, uint32_t dev,
		       uint64_t key, uint32_t step, unsigned int *pages)
{
	const struct want_ioas *ioas = ioas_of(ctx, dev);
	unsigned int differs = 0;
	uint32_t i;

	*pages = 0;
	for (i = 0; i < ioas->map_nr; i++) {
		const struct want_map *map = &ioas->map[i];
		uint64_t nr = map->length / GUEST_PAGE, page;

		if (!(map->flags & IOMMU_IOAS_MAP_READABLE))
			continue;
		for (page = 0; page < nr; page++) {
			uint64_t at = page * GUEST_PAGE;
			uint64_t offset = map->offset + at;

			if ((page % step && page != nr - 1) ||
			    is_scratch(ctx, map->mem, offset))
				continue;
			(*pages)++;
			if (!is_stamped(stamp_at(ctx, map->mem, offset), key)) {
				say("%s: page 0x%llx has lost its stamp",
				    ctx->name,
				    LL(page_number(map->mem, offset)));
				differs++;
			} else if (!same_page(ctx, nic, map->iova + at, map,
					      offset, key)) {
				differs++;
			}
		}
	}
	return differs;
}

void dma_control(struct ctx *ctx, struct nic *nic, uint32_t dev, uint64_t key)
{
	const struct want_ioas *ioas = ioas_of(ctx, dev);
	uint32_t i;

	for (i = 0; i < ioas->map_nr; i++) {
		const struct want_map *map = &ioas->map[i];
		uint8_t saved[NIC_FRAME_MIN], *a, *b;
		bool same;

		a = stamp_at(ctx, map->mem, map->offset);
		b = stamp_at(ctx, map->mem,
			     map->offset + map->length - GUEST_PAGE);
		if (!(map->flags & IOMMU_IOAS_MAP_READABLE) || a == b ||
		    !is_stamped(a, key) || !is_stamped(b, key))
			continue;

		memcpy(saved, a, sizeof(saved));
		memcpy(a, b, sizeof(saved));
		ctx->quiet = true;
		same = same_page(ctx, nic, map->iova, map, map->offset, key);
		ctx->quiet = false;
		memcpy(a, saved, sizeof(saved));
		check(!same, "%s: a wrong page at IOVA 0x%llx went unnoticed",
		      ctx->name, LL(map->iova));
		return;
	}
	check(false, "%s: no area to show that a wrong page is noticed",
	      ctx->name);
}

void *dma_va(const struct ctx *ctx, uint32_t id, uint64_t iova,
	     uint64_t length)
{
	const struct want_ioas *ioas = ctx_find_ioas(ctx, id);
	uint32_t i;

	for (i = 0; ioas && i < ioas->map_nr; i++) {
		const struct want_map *map = &ioas->map[i];

		if (iova >= map->iova && length <= map->length &&
		    iova - map->iova <= map->length - length)
			return (uint8_t *)ctx->mem[map->mem]->va + map->offset +
				(iova - map->iova);
	}
	check(false, "%s: 0x%llx bytes at 0x%llx are not in one area of IOAS %u",
	      ctx->name, LL(length), LL(iova), id);
}

void dma_slots(const struct ctx *ctx, uint32_t ioas, uint64_t iova,
	       struct nic_slot *slots, uint32_t nr)
{
	uint8_t *va = dma_va(ctx, ioas, iova, (uint64_t)nr * DMA_SLOT_STRIDE);
	uint32_t i;

	for (i = 0; i < nr; i++) {
		slots[i].iova = iova + (uint64_t)i * DMA_SLOT_STRIDE;
		slots[i].va = va + (uint64_t)i * DMA_SLOT_STRIDE;
	}
}

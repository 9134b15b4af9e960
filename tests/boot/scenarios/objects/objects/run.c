// SPDX-License-Identifier: GPL-2.0-only
/* Frames and DMA of the controllers. */
#include "objects.h"

#define FRAMES_WANTED	60
#define FRAMES_WAIT_MS	60000

/* Which controller is device @dev of this context? */
static unsigned int nic_of(const struct ctx *ctx, uint32_t dev)
{
	char bdf[PCI_BDF_LEN];
	unsigned int nic;

	for (nic = 0; nic < NICS; nic++) {
		nic_address(nic, bdf);
		if (!strcmp(bdf, ctx->want->dev[dev].bdf))
			return nic;
	}
	check(false, "%s is none of the controllers", ctx->want->dev[dev].bdf);
}

static uint64_t run_device(struct bundle *b, struct ctx *ctx, uint32_t dev,
			   unsigned int *differs)
{
	static struct nic_slot slots[SLOTS_NR];
	unsigned int at = nic_of(ctx, dev), nr_pages;
	uint32_t ioas = ctx_find_hwpt(ctx, ctx->want->dev[dev].hwpt)->ioas;
	unsigned int step = 1 + rng_below(&b->state->rng, 7);
	struct nic nic;

	dma_slots(ctx, ioas, SLOTS_IOVA(at), slots, SLOTS_NR);
	must(nic_start(&nic, ctx->dev[dev],
		       dma_va(ctx, ioas, RING_IOVA(at), RING_LEN),
		       RING_IOVA(at), slots, SLOTS_NR));
	must(nic_receive(&nic, FRAMES_WANTED, FRAMES_WAIT_MS));
	*differs += dma_check(ctx, &nic, dev, b->state->key, step, &nr_pages);
	dma_control(ctx, &nic, dev, b->state->key);
	must(nic_silence(&nic, 100));
	must(nic_stop(&nic));
	say("%s: nic%u in IOAS %u: %llu frames, %u pages read", ctx->name, at,
	    ioas, LL(nic.frames), nr_pages);
	return nic.frames;
}

uint64_t run_devices(unsigned int *differs)
{
	uint64_t frames = 0;
	unsigned int i, j;
	uint32_t dev;

	*differs = 0;
	for (i = 0; i < BUNDLES; i++) {
		for (j = 0; j < CTXS; j++) {
			struct ctx *ctx = &bundles[i].ctx[j];

			for (dev = 0; dev < ctx->want->dev_nr; dev++) {
				if (ctx->want->dev[dev].hwpt)
					frames += run_device(&bundles[i], ctx,
							     dev, differs);
			}
		}
	}
	return frames;
}

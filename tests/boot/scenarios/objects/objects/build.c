// SPDX-License-Identifier: GPL-2.0-only
/* The four contexts, and how they change from kexec to kexec. */
#include "objects.h"

void nic_address(unsigned int nic, char bdf[PCI_BDF_LEN])
{
	/* By address: nic0, nic1, nic3 on bus 0, then nic2 behind the port. */
	static const unsigned int nth[NICS] = { 0, 1, 3, 2 };

	must(nic_find(nth[nic], bdf));
}

static uint32_t bind_nic(struct ctx *ctx, unsigned int nic)
{
	char bdf[PCI_BDF_LEN];

	nic_address(nic, bdf);
	return ctx_bind(ctx, bdf);
}

/*
 * Context a. IOAS order: 0 has allowed ranges, 1 no huge pages. HWPT order: 0
 * on the first, shared; 1 on the second, without a device.
 */
static void build_a(struct bundle *b, struct ctx *ctx)
{
	struct rng *rng = &b->state->rng;
	struct iommu_iova_range allow[2] = {
		{ 0x4000000, 0x4000000 + pages(rng, 3000, 9000) - 1 },
		{ 0x200000000, 0x2ffffffff },
	};
	uint32_t spare[3], one, two, dev0, dev1, shared, idle, gone;
	uint64_t iova;

	spare[0] = ctx_ioas(ctx);
	one = ctx_ioas(ctx);
	spare[1] = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_huge_pages(ctx, two, 0);
	ctx_allow(ctx, one, allow, 2);
	add_maps(b, ctx, spare[1], 0, 3);

	map_nic(ctx, one, 0);
	map_nic(ctx, one, 1);
	add_maps(b, ctx, one, 0x300000000, 6);
	ctx_map_any(ctx, one, 1, 0x5000, 0x3000, IOVA_RW);

	dev0 = bind_nic(ctx, 0);
	spare[2] = ctx_ioas(ctx);
	dev1 = bind_nic(ctx, 1);
	gone = ctx_hwpt(ctx, dev0, two);
	shared = ctx_hwpt(ctx, dev0, one);
	idle = ctx_hwpt(ctx, dev1, two);

	/* Automatic, then explicit, then moved to where it stays. */
	ctx_attach(ctx, dev0, one);
	ctx_attach(ctx, dev0, gone);
	ctx_attach(ctx, dev0, shared);
	ctx_attach(ctx, dev1, idle);
	ctx_attach(ctx, dev1, shared);
	ctx_destroy(ctx, gone);
	ctx_destroy(ctx, spare[0]);
	ctx_destroy(ctx, spare[1]);
	ctx_destroy(ctx, spare[2]);

	/* Copies within and between, over areas that were just taken away. */
	iova = add_maps(b, ctx, two, 0, 5);
	ctx_copy(ctx, two, iova + pages(rng, 1, 9), one,
		 any_map(b, ctx, one), IOVA_RO);
	ctx_copy(ctx, one, 0x7f0001000, one,
		 any_map(b, ctx, one), IOVA_RO);
	ctx_copy(ctx, two, RING_IOVA(1), one, RING_IOVA(1), IOVA_RW);
	ctx_copy(ctx, two, SLOTS_IOVA(1), one, SLOTS_IOVA(1), IOVA_RW);
	ctx_unmap(ctx, one, any_map(b, ctx, one));
	ctx_unmap(ctx, two, any_map(b, ctx, two));
	ctx_copy(ctx, two, 0x380003000, one,
		 any_map(b, ctx, one), IOVA_RO);
	map_top(ctx, one);
	add_user_map(b, ctx, one, USER_IOVA(0));
	ctx_copy(ctx, two, USER_IOVA(0), one, USER_IOVA(0), IOVA_RO);
	set_vfio_ioas(b, ctx, two);
}

/* Context b: an IOAS for nic3, one mapped by the byte, one that is empty. */
static void build_b(struct bundle *b, struct ctx *ctx)
{
	struct rng *rng = &b->state->rng;
	uint32_t plain, bytes, spare;
	uint64_t iova = 0x12345;
	int i;

	bind_nic(ctx, 3);
	plain = ctx_ioas(ctx);
	spare = ctx_ioas(ctx);
	bytes = ctx_ioas(ctx);
	ctx_ioas(ctx);
	ctx_destroy(ctx, spare);

	map_nic(ctx, plain, 3);
	add_maps(b, ctx, plain, 0x10000000, 4);
	for (i = 0; i < 8; i++) {
		uint64_t len = 1 + rng_below(rng, 20000);
		uint64_t off = rng_below(rng, b->mem[1].len - len);

		ctx_map(ctx, bytes, 1, off, len, iova, IOVA_RW);
		iova += len + rng_below(rng, 3) * rng_below(rng, 5000);
	}
	ctx_copy(ctx, bytes, 0x77777777, bytes, 0x12345, IOVA_RO);
}

/* Context c: nic2 has been in both IOASes and stays in the second. */
static void build_c(struct bundle *b, struct ctx *ctx)
{
	uint32_t one, two, dev;

	ctx_rlimit_mode(ctx, 1);
	one = ctx_ioas(ctx);
	map_nic(ctx, one, 2);
	add_maps(b, ctx, one, 0x1000, 5);
	dev = bind_nic(ctx, 2);
	two = ctx_ioas(ctx);
	ctx_attach(ctx, dev, one);
	ctx_attach(ctx, dev, two);
	ctx_copy(ctx, two, RING_IOVA(2), one, RING_IOVA(2), IOVA_RW);
	map_top(ctx, two);
	ctx_copy(ctx, two, SLOTS_IOVA(2), one, SLOTS_IOVA(2), IOVA_RW);
	ctx_detach(ctx, dev);
	add_maps(b, ctx, two, 0x40000000, 7);
	ctx_attach(ctx, dev, two);
	add_maps(b, ctx, two, 0x80000000, 3);
}

static void build_d(struct bundle *b, struct ctx *ctx)
{
	uint32_t one, two;

	ctx_rlimit_mode(ctx, 1);
	one = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_huge_pages(ctx, one, 0);
	add_maps(b, ctx, one, 0, 6);
	ctx_copy(ctx, two, 0x5000, one,
		 any_map(b, ctx, one), IOVA_RO);
	set_vfio_ioas(b, ctx, one);
}

static void change_a(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t one = ctx->want->ioas[0].id, two = ctx->want->ioas[1].id;
	uint32_t shared = ctx->want->hwpt[0].id, idle = ctx->want->hwpt[1].id;

	switch (step % 3) {
	case 1:
		/* Each its own, of either kind. */
		ctx_attach(ctx, 1, two);
		set_vfio_ioas(b, ctx, 0);
		break;
	case 2:
		ctx_attach(ctx, 1, idle);
		set_vfio_ioas(b, ctx, one);
		break;
	default:
		ctx_attach(ctx, 1, shared);
		set_vfio_ioas(b, ctx, two);
	}
	ctx_unmap(ctx, one, any_map(b, ctx, one));
	add_maps(b, ctx, one, 0x400000000 + step * 0x10000000ULL, 2);
	ctx_copy(ctx, two, 0x3c0000000 + step * 0x1000000ULL, one,
		 any_map(b, ctx, one), IOVA_RO);
	add_user_map(b, ctx, one, USER_IOVA(step));
}

static void change_b(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t spare = ctx_ioas(ctx);

	if (step % 2)
		ctx_attach(ctx, 0, ctx->want->ioas[0].id);
	else
		ctx_detach(ctx, 0);
	add_maps(b, ctx, ctx->want->ioas[2].id, step * 0x10000000ULL, 2);
	ctx_destroy(ctx, spare);
}

static void change_c(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t one = ctx->want->ioas[0].id, two = ctx->want->ioas[1].id;

	ctx_attach(ctx, 0, step % 2 ? one : two);
	ctx_unmap(ctx, two, any_map(b, ctx, two));
	add_maps(b, ctx, one, 0x500000000 + step * 0x10000000ULL, 2);
}

static void change_d(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t id;

	if (step == 1) {
		destroy_ioas(b, ctx, ctx->want->ioas[0].id);
		return;
	}
	id = ctx_ioas(ctx);
	add_maps(b, ctx, id, step * 0x100000ULL, 3);
	set_vfio_ioas(b, ctx, id);
	if (step > 3)
		destroy_ioas(b, ctx, ctx->want->ioas[0].id);
}

void know_memory(struct bundle *b, struct ctx *ctx)
{
	int i;

	for (i = 0; i < MEMS; i++)
		ctx_memory(ctx, &b->mem[i]);
	ctx_scratch(ctx, 0, RING_OFF(0), NICS * RING_LEN);
}

void change(unsigned int step)
{
	change_a(&bundles[0], &bundles[0].ctx[0], step);
	change_b(&bundles[0], &bundles[0].ctx[1], step);
	change_c(&bundles[1], &bundles[1].ctx[0], step);
	change_d(&bundles[1], &bundles[1].ctx[1], step);
}

void build(void)
{
	uint64_t seed = boot_seed("objects.seed=");
	unsigned int i, j;

	report("seed", "%llu", LL(seed));
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];
		struct rng rng = { seed + i };

		for (j = 0; j < MEMS; j++)
			must(memory_create(&b->mem[j], b->name, DATA_OFF +
					   pages(&rng, 500, 1100)));
		b->state = b->mem[0].va;
		b->state->magic = STATE_MAGIC;
		b->state->size = sizeof(*b->state);
		b->state->key = rng_u64(&rng);
		b->state->rng = rng;
		for (j = 0; j < CTXS; j++) {
			ctx_open(&b->ctx[j], b->ctx_name[j],
				 &b->state->want[j]);
			know_memory(b, &b->ctx[j]);
		}
		dma_stamp(&b->ctx[0], 0, SLOTS_OFF(0),
			  b->mem[0].len - SLOTS_OFF(0), b->state->key);
		dma_stamp(&b->ctx[0], 1, 0, b->mem[1].len, b->state->key);
	}
	build_a(&bundles[0], &bundles[0].ctx[0]);
	build_b(&bundles[0], &bundles[0].ctx[1]);
	build_c(&bundles[1], &bundles[1].ctx[0]);
	build_d(&bundles[1], &bundles[1].ctx[1]);
	for (i = 0; i < BUNDLES; i++)
		make_group(&bundles[i], 0);
}

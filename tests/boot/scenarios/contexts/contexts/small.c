// SPDX-License-Identifier: GPL-2.0-only
/* What is in the small contexts and in those of ctx-kinds. */
#include "contexts.h"

const char *group_name(unsigned int group)
{
	static char name[16];

	if (!group)
		return "ctx-many";
	snprintf(name, sizeof(name), "ctx-%u", group - 1);
	return name;
}

unsigned int group_range(unsigned int group, unsigned int *first)
{
	*first = group ? MANY + (group - 1) * FEW : 0;
	return *first + (group ? FEW : MANY);
}

void fill(struct memory *mem)
{
	struct rng rng = { state->seed ^ mem->len };
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = rng_u64(&rng);
}

void check_filled(const struct memory *mem, const char *name)
{
	struct rng rng = { state->seed ^ mem->len };
	const uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		check(word[i] == rng_u64(&rng), "%s: word %zu has changed",
		      name, i);
}

/* ---- small contexts ------------------------------------------------------- */

void build_small(struct ctx *ctx, struct want *want, const struct memory *mem)
{
	struct rng *rng = &state->rng;
	unsigned int ioases = 1 + rng_below(rng, 3), i;
	uint32_t spare;
	uint64_t iova;

	ctx_open(ctx, "small", want);
	ctx_memory(ctx, mem);
	spare = ctx_ioas(ctx);
	while (ioases--) {
		uint32_t ioas = ctx_ioas(ctx);
		unsigned int maps = rng_below(rng, 4);

		if (!rng_below(rng, 4))
			ctx_huge_pages(ctx, ioas, 0);
		iova = rng_below(rng, 1U << 20) * GUEST_PAGE;
		for (i = 0; i < maps; i++) {
			uint64_t len = (1 + rng_below(rng, 30)) * GUEST_PAGE;
			uint64_t off = rng_below(rng, (mem->len - len) /
						 GUEST_PAGE) * GUEST_PAGE;

			ctx_map(ctx, ioas, 0, off, len, iova,
				rng_below(rng, 2) ? IOVA_RW : IOVA_RO);
			iova += len + rng_below(rng, 50) * GUEST_PAGE;
		}
		if (maps && rng_below(rng, 2))
			ctx_copy(ctx, ioas, iova + GUEST_PAGE, ioas,
				 ctx_find_ioas(ctx, ioas)->map[0].iova,
				 IOVA_RO);
	}
	if (rng_below(rng, 2))
		ctx_destroy(ctx, spare);
	ctx_settle(ctx);
}

/* ---- kinds ---------------------------------------------------------------- */

void build_kinds(void)
{
	struct iommu_iova_range allow[2] = {
		{ 0x10000000, 0x4fffffff }, { 0x200000000, 0x2ffffffff },
	};
	struct ctx *ctx = &kind[KIND_DEVICES];
	uint32_t one, two, spare, shared, left, dev0, dev1, dev2;
	char bdf[PCI_BDF_LEN];

	ctx_open(ctx, "devices", &state->kind[KIND_DEVICES]);
	ctx_memory(ctx, &kinds_mem);
	spare = ctx_ioas(ctx);
	one = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_allow(ctx, one, allow, 2);
	ctx_huge_pages(ctx, two, 0);
	ctx_map(ctx, one, 0, 0, 0x40000, 0x20000000, IOVA_RW);
	ctx_map(ctx, two, 0, 0x1000, 0x9000, 0x7000, IOVA_RW);
	ctx_map_any(ctx, one, 0, 0x40000, 0x5000, IOVA_RO);

	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	dev0 = ctx_bind(ctx, bdf);
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 1, bdf));
	dev1 = ctx_bind(ctx, bdf);
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 1, bdf));
	dev2 = ctx_bind(ctx, bdf);
	shared = ctx_hwpt(ctx, dev2, one);
	ctx_hwpt(ctx, dev0, one);
	ctx_hwpt(ctx, dev1, one);
	left = ctx_hwpt(ctx, dev0, two);
	ctx_attach(ctx, dev0, one);
	ctx_attach(ctx, dev0, left);
	ctx_attach(ctx, dev1, two);
	ctx_attach(ctx, dev0, shared);
	ctx_attach(ctx, dev1, shared);

	/* Its HWPT stays, because others are attached. */
	close(ctx->dev[dev2]);
	ctx->dev[dev2] = -1;
	ctx->want->dev_nr--;

	ctx_copy(ctx, two, 0x100003000, one, 0x20000000, IOVA_RO);
	ctx_destroy(ctx, spare);
	state->vfio_ioas = two;
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_SET, &two));
	ctx_settle(ctx);

	ctx = &kind[KIND_CHARGED];
	ctx_open(ctx, "charged", &state->kind[KIND_CHARGED]);
	ctx_memory(ctx, &kinds_mem);
	ctx_rlimit_mode(ctx, 1);
	one = ctx_ioas(ctx);
	ctx_map(ctx, one, 0, 0x3000, 0x8000, 0x123000, IOVA_RW);
	ctx_settle(ctx);
}

// SPDX-License-Identifier: GPL-2.0-only
/* What came back, and the model that goes on with it. */
#include "edu.h"
#include "worker.h"

int take_ctx(unsigned int p, unsigned int c, struct ctx *ctx, struct rng *rng)
{
	struct a_ctx *model = &state->proc[p].ctx[c];
	unsigned int at = rng_below(rng, MEMS + 1), i, m;
	struct slot *slot = &slots[p][c];
	int session = must(luo_retrieve(model->name));

	for (i = 0; i <= MEMS; i++, at = (at + 1) % (MEMS + 1)) {
		if (at == MEMS)
			slot->fd = must(luo_restore(session, TOKEN_IOMMUFD));
		else
			must(memory_adopt(&slot->mem[at],
					  must(luo_restore(session,
							   TOKEN_MEMORY + at))));
	}
	ctx_adopt(ctx, model->name, &model->want, slot->fd);
	for (m = 0; m < MEMS; m++) {
		ctx_memory(ctx, &slot->mem[m]);
		check(is_filled(&slot->mem[m], p, c, m),
		      "%s: memory file %u has changed", model->name, m);
	}
	return session;
}

void take_thread(unsigned int p, unsigned int t, struct ctx ctx[CTXS])
{
	struct a_thread *model = &state->proc[p].thread[t];
	unsigned int c, d, i;
	uint32_t h;

	for (d = 0; d < DEVS_OF(t); d++) {
		struct a_dev *dev = &model->dev[d];

		dev_fd[p][t][d] = -1;
		if (dev->ctx < 0)
			continue;
		if (!state->proc[p].ctx[dev->ctx].crosses) {
			dev->ctx = -1;
			dev->hwpt = 0;
			continue;
		}
		for (i = 0; i < ctx[dev->ctx].want->dev_nr; i++) {
			if (!strcmp(ctx[dev->ctx].want->dev[i].bdf, dev->bdf))
				dev_fd[p][t][d] = ctx[dev->ctx].dev[i];
		}
		check(dev_fd[p][t][d] >= 0, "%s is nowhere", dev->bdf);
	}
	for (c = 0; c < CTXS; c++) {
		if (!state->proc[p].ctx[c].crosses) {
			model->ioas_nr[c] = 0;
			model->hwpt_nr[c] = 0;
			state->proc[p].ctx[c].open = false;
			continue;
		}
		/* The maker stays; when it is gone it is the first attached. */
		for (h = 0; h < model->hwpt_nr[c]; h++) {
			uint32_t lowest = UINT32_MAX;

			for (d = 0; d < DEVS_OF(t); d++)
				if (model->dev[d].ctx == (int)c &&
				    model->dev[d].serial ==
				    model->hwpt[c][h].maker)
					break;
			if (d < DEVS_OF(t) && !model->hwpt[c][h].automatic)
				continue;
			for (d = 0; d < DEVS_OF(t); d++) {
				struct a_dev *dev = &model->dev[d];

				if (dev->ctx != (int)c || dev->id > lowest ||
				    dev->hwpt != model->hwpt[c][h].id)
					continue;
				lowest = dev->id;
				model->hwpt[c][h].maker = dev->serial;
			}
		}
		for (i = 0; i < model->ioas_nr[c]; i++) {
			for (h = 0; h < model->ioas[c][i].map_nr; h++)
				model->ioas[c][i].map[h].user = false;
		}
	}
}

unsigned int look_through(const struct ctx *ctx, unsigned int dev,
			  const char *edu_bdf, struct rng *rng)
{
	const struct want_dev *want = &ctx->want->dev[dev];
	const struct want_map *from, *to = NULL;
	const struct want_ioas *ioas;
	char saved[GUEST_PAGE], *dst;
	const char *src;
	struct edu edu;
	uint64_t page;
	uint32_t i;

	if (!want->hwpt || strcmp(want->bdf, edu_bdf))
		return 0;
	ioas = ctx_find_ioas(ctx, ctx_find_hwpt(ctx, want->hwpt)->ioas);
	for (i = 0; i < ioas->map_nr; i++) {
		if (ioas->map[i].flags == IOVA_RW)
			to = &ioas->map[i];
	}
	check(to, "%s: no map that %s may write", ctx->name, want->bdf);
	from = &ioas->map[rng_below(rng, ioas->map_nr)];
	page = rng_below(rng, from->length / GUEST_PAGE) * GUEST_PAGE;
	src = (char *)ctx->mem[from->mem]->va + from->offset + page;
	dst = (char *)ctx->mem[to->mem]->va + to->offset;
	if (src == dst)
		return 0;
	memcpy(saved, dst, GUEST_PAGE);
	memset(dst, 0, GUEST_PAGE);
	must(edu_open(&edu, ctx->dev[dev]));
	must(edu_copy(&edu, to->iova, from->iova + page, GUEST_PAGE));
	edu_close(&edu);
	check(!memcmp(src, dst, GUEST_PAGE),
	      "%s: %s finds other bytes at 0x%llx or puts them elsewhere than 0x%llx",
	      ctx->name, want->bdf, LL(from->iova + page), LL(to->iova));
	memcpy(dst, saved, GUEST_PAGE);
	return 1;
}

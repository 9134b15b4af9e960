// SPDX-License-Identifier: GPL-2.0-only
/* What crosses the kexec, noted once all is quiet. */
#include "worker.h"

/* A map that a device can write and read, for the look through the device. */
static void have_window(struct worker *w)
{
	unsigned int d;

	for (d = 0; d < DEVS_OF(w->t); d++) {
		struct a_dev *dev = &w->model->dev[d];
		struct an_ioas *ioas = w->model->ioas[w->c];
		uint32_t i, id;

		if (dev->ctx != (int)w->c || !dev->hwpt)
			continue;
		id = find_hwpt(w, dev->hwpt)->ioas;
		while (ioas->id != id)
			ioas++;
		for (i = 0; i < ioas->map_nr; i++) {
			if (ioas->map[i].want.flags == IOVA_RW)
				break;
		}
		if (i < ioas->map_nr)
			continue;
		if (ioas->map_nr == MAPS)
			unmap_one(w, ioas, 0);
		check(add_map(w, ioas, false, true), "no map");
	}
}

static int compare_maps(const void *a, const void *b)
{
	const struct want_map *x = a, *y = b;

	return (x->iova > y->iova) - (x->iova < y->iova);
}

static void note_thread(const struct worker *w, struct ctx *ctx)
{
	struct want *want = ctx->want;
	unsigned int d;
	uint32_t i, j;

	for (i = 0; i < w->model->ioas_nr[w->c]; i++) {
		const struct an_ioas *from = &w->model->ioas[w->c][i];
		struct want_ioas *to = &want->ioas[want->ioas_nr++];

		to->id = from->id;
		to->huge_pages = from->huge_pages;
		to->bare = from->bare;
		to->allow_nr = from->allow_nr;
		memcpy(to->allow, from->allow, sizeof(to->allow));
		to->map_nr = from->map_nr;
		for (j = 0; j < from->map_nr; j++)
			to->map[j] = from->map[j].want;
		qsort(to->map, to->map_nr, sizeof(to->map[0]), compare_maps);
	}
	for (i = 0; i < w->model->hwpt_nr[w->c]; i++) {
		const struct a_hwpt *from = &w->model->hwpt[w->c][i];

		want->hwpt[want->hwpt_nr++] = (struct want_hwpt) {
			.id = from->id,
			.ioas = from->ioas,
			.automatic = from->automatic,
		};
	}
	for (d = 0; d < DEVS_OF(w->t); d++) {
		const struct a_dev *from = &w->model->dev[d];
		struct want_dev *to = &want->dev[want->dev_nr];

		if (from->ctx != (int)w->c)
			continue;
		memcpy(to->bdf, from->bdf, sizeof(to->bdf));
		to->id = from->id;
		to->hwpt = from->hwpt;
		ctx->dev[want->dev_nr++] = dev_fd[w->p][w->t][d];
	}
}

void settle(unsigned int p, unsigned int c, struct rng *rng)
{
	struct a_ctx *model = &state->proc[p].ctx[c];
	struct slot *slot = &slots[p][c];
	unsigned int t, m;
	struct ctx ctx;

	model->crosses = false;
	if (slot->fd < 0)
		return;
	memset(&model->want, 0, sizeof(model->want));
	ctx_adopt(&ctx, "model", &model->want, slot->fd);
	for (m = 0; m < MEMS; m++)
		ctx_memory(&ctx, &slot->mem[m]);
	for (t = 0; t < THREADS; t++) {
		struct worker w = {
			.p = p,
			.t = t,
			.c = c,
			.rng = *rng,
			.model = &state->proc[p].thread[t],
		};

		while (tidy_one(&w))
			;
		have_window(&w);
		note_thread(&w, &ctx);
		*rng = w.rng;
	}
	ctx_settle(&ctx);
	check(!ctx_verify(&ctx, true),
	      "iommufd %u of process %u is not what the model says", c, p);
	/* Some are left in no session and die with the jump. */
	if (slot->session < 0 && rng_below(rng, 4))
		preserve(p, c, rng);
	model->crosses = slot->session >= 0;
}

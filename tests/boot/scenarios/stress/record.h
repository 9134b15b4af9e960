/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From what the threads left to what should come back, and the comparison.
 */
#ifndef RECORD_H
#define RECORD_H

#include "worker.h"

/* ---- before the jump: the worker process, alone ------------------------- */

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

/*
 * An iommufd as the threads left it: take out what cannot cross, note the
 * rest, and see that the kernel has it so.
 */
static void settle(unsigned int p, unsigned int c, struct rng *rng)
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

static void worker_main(unsigned int p)
{
	struct rng rng = rng_for(200 + p);
	struct worker workers[THREADS];
	pthread_t thread[THREADS + 1];
	unsigned int t, c, m;
	int null;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (c = 0; c < CTXS; c++) {
		for (m = 0; m < MEMS; m++) {
			if (slots[p][c].fd >= 0)
				continue;
			must(memory_create(&slots[p][c].mem[m], "stress",
					   MEM_LEN));
			fill_memory(&slots[p][c].mem[m], p, c, m);
			settle_memory(&slots[p][c].mem[m],
				      (p * CTXS + c) * MEMS + m);
		}
		if (slots[p][c].fd < 0)
			open_ctx(p, c);
	}
	if (stays(p, 0))
		preserve(p, 0, &rng);
	must(sem_post(&live->ready) ? -errno : 0);
	while (sem_wait(&live->go))
		;
	for (t = 0; t < THREADS; t++) {
		workers[t] = (struct worker) {
			.p = p,
			.t = t,
			.rng = rng_for(p * THREADS + t),
			.model = &state->proc[p].thread[t],
		};
		must(-pthread_create(&thread[t], NULL, change_thread,
				     &workers[t]));
	}
	must(-pthread_create(&thread[THREADS], NULL, keeper_thread, &p));
	for (t = 0; t <= THREADS; t++)
		must(-pthread_join(thread[t], NULL));
	sem_post(&live->ended);

	while (sem_wait(&live->record))
		;
	for (c = 0; c < CTXS; c++)
		settle(p, c, &rng);
	null = must(open("/dev/null", O_RDWR | O_CLOEXEC));
	fflush(NULL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	sem_post(&live->recorded);
	for (;;)
		pause();
}

/* ---- behind the jump ---------------------------------------------------- */

/* Memory and iommufd of one session, in any order, and what does not cross. */
static int take_ctx(unsigned int p, unsigned int c, struct ctx *ctx,
		    struct rng *rng)
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

/* The model of a thread, which goes on with what came back. */
static void take_thread(unsigned int p, unsigned int t, struct ctx ctx[CTXS])
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

/*
 * What the device finds at the maps of its IOAS: it copies a page of one to
 * one that it may write, which is put back.
 */
static unsigned int look_through(const struct ctx *ctx, unsigned int dev,
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

#endif

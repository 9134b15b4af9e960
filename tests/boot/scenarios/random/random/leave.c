// SPDX-License-Identifier: GPL-2.0-only
/* Handing all over. */
#include "random.h"

static void preserve_all(void)
{
	uint32_t order[SES_MAX], s, i, j, n;

	for (s = 0; s < SES_MAX; s++)
		order[s] = s;
	shuffle(order, SES_MAX);
	for (i = 0; i < SES_MAX; i++) {
		uint32_t what[MEM_MAX + CTX_MAX];

		s = order[i];
		if (!book->ses[s].name[0])
			continue;
		ses_fd[s] = must(luo_create(book->ses[s].name));
		for (j = 0; j < ARRAY_SIZE(what); j++)
			what[j] = j;
		n = ARRAY_SIZE(what);
		shuffle(what, n);
		for (j = 0; j < n; j++) {
			uint32_t w = what[j];

			if (w < MEM_MAX && book->mem[w].used &&
			    book->mem[w].ses == s)
				must(luo_preserve(ses_fd[s], mem[w].fd,
						  book->mem[w].token));
			w -= MEM_MAX;
			if (w < CTX_MAX && book->ctx[w].used &&
			    book->ctx[w].ses == s)
				must(luo_preserve(ses_fd[s], ctx_fd[w],
						  book->ctx[w].token));
		}
	}
	book_session = must(luo_create(BOOK_SESSION));
}

/* One iommufd more, in no session: it dies with the jump. */
static void bystander(void)
{
	uint64_t iova = 0;
	uint32_t id;

	bystander_fd = must(iommufd_open());
	must(ioas_alloc(bystander_fd, &id));
	must(ioas_map_file(bystander_fd, id, mem[0].fd, 0, PAGE, &iova,
			   IOVA_RW));
}

/* A load seals: then every change is refused. Without the load none is. */
static void load_and_unload(void)
{
	uint32_t c, id;

	check(!system("kexec -s -l \"$HANDOVER_KERNEL\" --initrd=\"$HANDOVER_INITRD\" --command-line=\"$HANDOVER_CMDLINE\" --iommu-handover"),
	      "seed %llu: the load failed", LL(book->seed));
	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used)
			must_fail(EBUSY, ioas_alloc(ctx_fd[c], &id));
	check(!system("kexec -u"), "the unload failed");
	play(between(1, 60));
	settle_refused();
}

void hand_over(void)
{
	uint32_t c, i;

	if (one_in(3))
		bystander();
	preserve_all();
	if (one_in(4)) {
		/* Not yet: all sessions end, and some calls more */
		for (i = 0; i < SES_MAX; i++)
			if (book->ses[i].name[0])
				close(ses_fd[i]);
		close(book_session);
		play(between(1, 60));
		preserve_all();
	}
	settle_refused();
	if (one_in(4))
		load_and_unload();
	for (c = 0; c < CTX_MAX; c++) {
		if (!book->ctx[c].used)
			continue;
		if (one_in(2))
			refuse_map(c);
		if (one_in(3))
			refuse_fault(c);
	}
	for (c = 0; c < CTX_MAX; c++)
		for (i = 0; book->ctx[c].used && i < IOAS_MAX; i++)
			if (book->ctx[c].ioas[i].id)
				book->ctx[c].ioas[i].pick = where_next(c,
						book->ctx[c].ioas[i].id);
	compare_all(true, "before the handover");
	compare_charge();
	check(!differs, "the charge is wrong before the handover");
	note_charge(&book->pinned, &book->locked);
	accepted("all of it");
	write_want();
	for (c = 0; c < DEV_MAX; c++)
		book->dev[c].live = 0;
	for (c = 0; c < CTX_MAX; c++) {
		struct m_ctx *x = &book->ctx[c];

		for (i = 0; x->used && i < x->area_nr; i++)
			x->area[i].user = 0;
		for (i = 0; x->used && i < HWPT_MAX; i++) {
			struct m_hwpt *h = &x->hwpt[i];
			uint32_t d;

			if (!h->id)
				continue;
			h->live = 0;
			h->maker = maker_of(c, h)->serial;
			h->wait = 1U << index_of(maker_of(c, h));
			for (d = 0; d < DEV_MAX; d++)
				if (book->dev[d].id && book->dev[d].ctx == c &&
				    book->dev[d].hwpt == h->id)
					h->wait |= 1U << d;
		}
	}
	must(luo_preserve(book_session, book_mem.fd, BOOK_TOKEN));
	report("calls", "%llu", LL(book->calls));
	report("refused", "%llu", LL(book->refused));
	report("controls", "%llu", LL(book->controls));
	report("compared", "%llu", LL(book->compared));
	report("dma", "%llu", LL(book->dma));
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/* Taking all back, in random order. */
#include "random.h"

void take_back(void)
{
	uint32_t order[SES_MAX], i, j, s;
	uint64_t huge = huge_memory();

	for (i = 0; i < SES_MAX; i++)
		order[i] = i;
	shuffle(order, SES_MAX);
	for (i = 0; i < SES_MAX; i++) {
		uint32_t what[MEM_MAX + CTX_MAX];

		s = order[i];
		if (!book->ses[s].name[0])
			continue;
		ses_fd[s] = must(luo_retrieve(book->ses[s].name));
		for (j = 0; j < ARRAY_SIZE(what); j++)
			what[j] = j;
		shuffle(what, ARRAY_SIZE(what));
		for (j = 0; j < ARRAY_SIZE(what); j++) {
			uint32_t w = what[j];

			if (w < MEM_MAX && book->mem[w].used &&
			    book->mem[w].ses == s) {
				must(memory_adopt(&mem[w],
					must(luo_restore(ses_fd[s],
						book->mem[w].token))));
				if (mem[w].len != book->mem[w].len)
					differ("memory file %u has %zu bytes, not %llu",
					       w, mem[w].len,
					       LL(book->mem[w].len));
				check_memory(w);
			}
			w -= MEM_MAX;
			if (w < CTX_MAX && book->ctx[w].used &&
			    book->ctx[w].ses == s)
				ctx_fd[w] = must(luo_restore(ses_fd[s],
						book->ctx[w].token));
		}
	}
	check(!differs, "seed %llu: the memory is not what it was",
	      LL(book->seed));
	huge = huge_memory() - huge;
	check(huge, "no file came back with its huge pages");
	report("huge_kib_taken_back", "%llu", LL(huge));
}

static bool session_waits(uint32_t s)
{
	uint32_t c;

	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used && book->ctx[c].ses == s && waits(c))
			return true;
	return false;
}

static void bind_again(struct m_dev *d)
{
	uint32_t c = d->ctx, id, i, bit = 1U << index_of(d);
	uint32_t before = d->serial;
	int fd;

	must(vfio_claim(d->bdf));
	fd = must(vfio_open(d->bdf));
	outcome(vfio_bind(fd, ctx_fd[c], &id), 0, "context %u: bind %s again",
		c, d->bdf);
	if (id != d->id)
		differ("context %u: %s has ID %u, not %u", c, d->bdf, id,
		       d->id);
	dev_fd[index_of(d)] = fd;
	d->live = 1;
	d->serial = ++book->serial;
	for (i = 0; i < HWPT_MAX; i++) {
		struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (h->id && h->maker == before)
			h->maker = d->serial;
		if (h->id && h->wait & bit)
			h->live = 1;
	}
}

/* A device that is waited for may be used elsewhere for a while. */
static void stray(struct m_dev *d)
{
	int fd = must(iommufd_open()), dev;
	uint32_t id, ioas;

	must(vfio_claim(d->bdf));
	dev = must(vfio_open(d->bdf));
	must(vfio_bind(dev, fd, &id));
	must(ioas_alloc(fd, &ioas));
	check(id == 1 && ioas == 2, "a new iommufd has IDs %u and %u", id,
	      ioas);
	if (one_in(2))
		must(vfio_attach(dev, &ioas));
	close(dev);
	close(fd);
}

bool bind_all(void)
{
	uint32_t order[DEV_MAX], i, s;
	bool calls = one_in(2), closely = one_in(2);

	for (i = 0; i < DEV_MAX; i++)
		order[i] = i;
	shuffle(order, DEV_MAX);
	for (i = 0; i < DEV_MAX; i++) {
		struct m_dev *d = &book->dev[order[i]];

		/* Not of this context, or bound again by a call in between */
		if (!d->id || d->live)
			continue;
		for (s = 0; s < SES_MAX; s++)
			if (book->ses[s].name[0] && session_waits(s))
				must_fail(EBUSY, luo_finish(ses_fd[s]));
		if (calls)
			play(20);
		if (one_in(4))
			stray(d);
		bind_again(d);
		if (closely)
			check(!compare(d->ctx, false),
			      "seed %llu: not as it was after %s was bound",
			      LL(book->seed), d->bdf);
	}
	/* Calls in between may have moved where the next map goes */
	for (i = 0; calls && i < CTX_MAX * IOAS_MAX; i++)
		book->ctx[i / IOAS_MAX].ioas[i % IOAS_MAX].pick = TOP;
	return calls;
}

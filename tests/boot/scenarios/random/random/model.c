// SPDX-License-Identifier: GPL-2.0-only
/* The questions that the model answers, and small changes of it. */
#include "random.h"

struct m_ioas *ioas_of(uint32_t c, uint32_t id)
{
	uint32_t i;

	for (i = 0; id && i < IOAS_MAX; i++)
		if (book->ctx[c].ioas[i].id == id)
			return &book->ctx[c].ioas[i];
	return NULL;
}

struct m_hwpt *hwpt_of(uint32_t c, uint32_t id)
{
	uint32_t i;

	for (i = 0; id && i < HWPT_MAX; i++)
		if (book->ctx[c].hwpt[i].id == id)
			return &book->ctx[c].hwpt[i];
	return NULL;
}

struct m_dev *dev_of(uint32_t c, uint32_t id)
{
	uint32_t i;

	for (i = 0; id && i < DEV_MAX; i++)
		if (book->dev[i].ctx == c && book->dev[i].id == id)
			return &book->dev[i];
	return NULL;
}

bool id_taken(uint32_t c, uint32_t id)
{
	return ioas_of(c, id) || hwpt_of(c, id) || dev_of(c, id);
}

uint32_t next_id(uint32_t c)
{
	uint32_t id = 1;

	while (id_taken(c, id))
		id++;
	return id;
}

struct m_ioas *free_ioas(uint32_t c)
{
	uint32_t i;

	for (i = 0; i < IOAS_MAX; i++)
		if (!book->ctx[c].ioas[i].id)
			return &book->ctx[c].ioas[i];
	return NULL;
}

struct m_hwpt *free_hwpt(uint32_t c)
{
	uint32_t i;

	for (i = 0; i < HWPT_MAX; i++)
		if (!book->ctx[c].hwpt[i].id)
			return &book->ctx[c].hwpt[i];
	return NULL;
}

struct m_ioas *any_ioas(uint32_t c)
{
	struct m_ioas *have[IOAS_MAX];
	uint32_t i, n = 0;

	for (i = 0; i < IOAS_MAX; i++)
		if (book->ctx[c].ioas[i].id)
			have[n++] = &book->ctx[c].ioas[i];
	return n ? have[pick(n)] : NULL;
}

struct m_hwpt *any_hwpt(uint32_t c)
{
	struct m_hwpt *have[HWPT_MAX];
	uint32_t i, n = 0;

	for (i = 0; i < HWPT_MAX; i++)
		if (book->ctx[c].hwpt[i].id)
			have[n++] = &book->ctx[c].hwpt[i];
	return n ? have[pick(n)] : NULL;
}

struct m_dev *any_dev(uint32_t c)
{
	struct m_dev *have[DEV_MAX];
	uint32_t i, n = 0;

	for (i = 0; i < DEV_MAX; i++)
		if (book->dev[i].id && book->dev[i].ctx == c)
			have[n++] = &book->dev[i];
	return n ? have[pick(n)] : NULL;
}

bool has_hwpt(uint32_t c, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < HWPT_MAX; i++) {
		const struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (h->id && h->ioas == ioas && h->live)
			return true;
	}
	return false;
}

uint32_t users(uint32_t c, uint32_t hwpt, bool live)
{
	uint32_t i, n = 0;

	for (i = 0; i < DEV_MAX; i++)
		n += book->dev[i].id && book->dev[i].ctx == c &&
		     book->dev[i].hwpt == hwpt && !!book->dev[i].live == live;
	return n;
}

bool waited_for(uint32_t c, const struct m_hwpt *h)
{
	uint32_t i;

	for (i = 0; i < DEV_MAX; i++)
		if (h->wait & 1U << i && book->dev[i].id &&
		    book->dev[i].ctx == c && !book->dev[i].live)
			return true;
	return false;
}

bool settled(uint32_t c, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < HWPT_MAX; i++) {
		const struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (h->id && h->ioas == ioas && waited_for(c, h))
			return false;
	}
	return true;
}

bool is_attached(uint32_t c, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < DEV_MAX; i++) {
		const struct m_dev *d = &book->dev[i];
		const struct m_hwpt *h;

		if (!d->id || d->ctx != c || !d->live)
			continue;
		h = hwpt_of(c, d->hwpt);
		if (h && h->ioas == ioas)
			return true;
	}
	return false;
}

uint64_t align_of(uint32_t c, const struct m_ioas *ioas)
{
	return has_hwpt(c, ioas->id) || !ioas->huge ? PAGE : 1;
}

bool overlap(uint64_t a, uint64_t a_last, uint64_t b, uint64_t b_last)
{
	return a <= b_last && b <= a_last;
}

bool meets_reserved(uint64_t iova, uint64_t last)
{
	uint32_t i;

	for (i = 0; i < book->resv_nr; i++)
		if (overlap(iova, last, book->resv[i].start,
			    book->resv[i].last))
			return true;
	return false;
}

bool reserved(uint32_t c, uint32_t ioas, uint64_t iova, uint64_t last)
{
	if (has_hwpt(c, ioas) && last > book->aperture)
		return true;
	return is_attached(c, ioas) && meets_reserved(iova, last);
}

struct m_area *area_at(uint32_t c, uint32_t ioas, uint64_t iova, uint64_t last)
{
	struct m_ctx *x = &book->ctx[c];
	struct m_area *found = NULL;
	uint32_t i;

	for (i = 0; i < x->area_nr; i++) {
		struct m_area *a = &x->area[i];

		if (a->ioas == ioas && overlap(a->iova, a->iova + a->len - 1,
					       iova, last) &&
		    (!found || a->iova < found->iova))
			found = a;
	}
	return found;
}

struct m_area *any_area(uint32_t c)
{
	struct m_ctx *x = &book->ctx[c];

	return x->area_nr ? &x->area[pick(x->area_nr)] : NULL;
}

void drop_area(uint32_t c, struct m_area *a)
{
	struct m_ctx *x = &book->ctx[c];

	*a = x->area[--x->area_nr];
}

bool can_fill(uint32_t c, uint32_t ioas, bool attach)
{
	const struct m_ioas *io = ioas_of(c, ioas);
	uint32_t i;

	for (i = 0; i < book->ctx[c].area_nr; i++) {
		const struct m_area *a = &book->ctx[c].area[i];

		if (a->ioas != ioas)
			continue;
		if ((a->iova | a->len | a->off) & (PAGE - 1))
			return false;
		if (a->iova + a->len - 1 > book->aperture)
			return false;
		if (attach && meets_reserved(a->iova, a->iova + a->len - 1))
			return false;
	}
	for (i = 0; i < io->allow_nr; i++) {
		if (io->allow[i].last > book->aperture)
			return false;
		if (attach && meets_reserved(io->allow[i].start,
					     io->allow[i].last))
			return false;
	}
	return true;
}

void add_area(uint32_t c, struct m_area *a)
{
	struct m_ctx *x = &book->ctx[c];

	check(x->area_nr < AREA_MAX, "the model has no room");
	x->area[x->area_nr++] = *a;
}

uint32_t any_mem(uint32_t c)
{
	uint32_t have[MEM_MAX], n = 0, i;

	for (i = 0; i < MEM_MAX; i++)
		if (book->mem[i].used && book->mem[i].ses == book->ctx[c].ses)
			have[n++] = i;
	check(n, "context %u has no memory", c);
	return have[pick(n)];
}

uint32_t index_of(const struct m_dev *d)
{
	return d - book->dev;
}

static int by_iova(const void *a, const void *b)
{
	const struct m_area *x = a, *y = b;

	if (x->ioas != y->ioas)
		return x->ioas < y->ioas ? -1 : 1;
	return x->iova < y->iova ? -1 : x->iova > y->iova;
}

struct m_area sorted[AREA_MAX + 1];

uint32_t sort_areas(uint32_t c)
{
	uint32_t n = book->ctx[c].area_nr;

	memcpy(sorted, book->ctx[c].area, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), by_iova);
	memset(&sorted[n], 0, sizeof(sorted[n]));
	return n;
}

struct m_dev *maker_of(uint32_t c, const struct m_hwpt *h)
{
	struct m_dev *found = NULL;
	uint32_t i;

	for (i = 0; !h->automatic && i < DEV_MAX; i++)
		if (book->dev[i].id && book->dev[i].ctx == c &&
		    book->dev[i].serial == h->maker)
			return &book->dev[i];
	for (i = 0; i < DEV_MAX; i++) {
		struct m_dev *d = &book->dev[i];

		if (d->id && d->ctx == c && d->hwpt == h->id &&
		    (!found || d->id < found->id))
			found = d;
	}
	return found;
}

bool waits(uint32_t c)
{
	uint32_t i;

	for (i = 0; i < DEV_MAX; i++)
		if (book->dev[i].id && book->dev[i].ctx == c &&
		    !book->dev[i].live)
			return true;
	return false;
}

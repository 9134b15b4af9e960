// SPDX-License-Identifier: GPL-2.0-only
/* The random calls on IOASes other than maps, entered in the model too. */
#include "random.h"

void do_ioas(uint32_t c)
{
	struct m_ioas *ioas = free_ioas(c);
	uint32_t id;

	if (!ioas)
		return;
	outcome(ioas_alloc(ctx_fd[c], &id), 0, "context %u: IOAS", c);
	check(id == next_id(c), "seed %llu: context %u: IOAS has ID %u, the model says %u",
	      LL(book->seed), c, id, next_id(c));
	*ioas = (struct m_ioas) { .id = id, .huge = 1 };
}

void forget_hwpt(uint32_t c, struct m_hwpt *h)
{
	h->live = 0;
	if (!waited_for(c, h))
		h->id = 0;
}

void do_destroy(uint32_t c)
{
	struct m_ctx *x = &book->ctx[c];
	struct m_ioas *ioas;
	struct m_hwpt *h;
	struct m_dev *d;
	uint32_t id, i;
	int expect = 0;

	switch (pick(4)) {
	case 0:
		ioas = any_ioas(c);
		if (!ioas || !settled(c, ioas->id))
			return;
		id = ioas->id;
		if (has_hwpt(c, id))
			expect = EBUSY;
		if (!outcome(iommufd_destroy(ctx_fd[c], id), expect,
			     "context %u: destroy IOAS %u", c, id))
			return;
		for (i = x->area_nr; i-- > 0; )
			if (x->area[i].ioas == id)
				drop_area(c, &x->area[i]);
		if (x->vfio == id)
			x->vfio = 0;
		ioas->id = 0;
		return;
	case 1:
		h = any_hwpt(c);
		if (!h)
			return;
		if (!h->live)
			expect = ENOENT;
		else if (users(c, h->id, true))
			expect = EBUSY;
		if (outcome(iommufd_destroy(ctx_fd[c], h->id), expect,
			    "context %u: destroy HWPT %u", c, h->id))
			forget_hwpt(c, h);
		return;
	case 2:
		d = any_dev(c);
		if (!d)
			return;
		outcome(iommufd_destroy(ctx_fd[c], d->id),
			d->live ? EBUSY : ENOENT,
			"context %u: destroy device %u", c, d->id);
		return;
	default:
		id = one_in(2) ? next_id(c) : between(20, 0x7fffffff);
		if (!id_taken(c, id))
			outcome(iommufd_destroy(ctx_fd[c], id), ENOENT,
				"context %u: destroy %u", c, id);
	}
}

void do_option(uint32_t c)
{
	struct m_ioas *ioas = any_ioas(c);
	uint32_t i, on = pick(2);
	int expect = 0;
	bool odd = false, maps = false;

	if (one_in(4)) {
		/* Not as long as anything is there */
		bool empty = next_id(c) == 1 && !any_ioas(c) && !any_dev(c);

		if (outcome(iommufd_option_set(ctx_fd[c],
				IOMMU_OPTION_RLIMIT_MODE, 0, on),
			    empty ? 0 : EBUSY, "context %u: rlimit mode", c))
			book->ctx[c].rlimit = on;
		return;
	}
	if (!ioas || !settled(c, ioas->id))
		return;
	for (i = 0; i < book->ctx[c].area_nr; i++) {
		const struct m_area *a = &book->ctx[c].area[i];

		if (a->ioas != ioas->id)
			continue;
		maps = true;
		odd |= !!((a->iova | a->len | a->off) & (PAGE - 1));
	}
	if (!on && ioas->huge) {
		if (has_hwpt(c, ioas->id) && maps)
			expect = EINVAL;
		else if (odd)
			expect = EADDRINUSE;
	}
	if (outcome(iommufd_option_set(ctx_fd[c], IOMMU_OPTION_HUGE_PAGES,
				       ioas->id, on), expect,
		    "context %u: huge pages %u for IOAS %u", c, on, ioas->id))
		ioas->huge = on;
}

void do_allow(uint32_t c)
{
	struct m_ioas *ioas = any_ioas(c);
	struct iommu_iova_range range[ALLOW_MAX];
	uint64_t at = 0;
	uint32_t nr = pick(ALLOW_MAX + 1), i;
	int expect = 0;

	if (!ioas || !settled(c, ioas->id))
		return;
	for (i = 0; i < nr; i++) {
		at += one_in(4) ? 0 : pick(1ULL << 40);
		range[i].start = at;
		at += between(1, 1ULL << between(1, 42));
		range[i].last = at++;
	}
	if (nr && one_in(6))
		range[nr - 1].last = TOP;
	if (nr == 1 && one_in(6))
		range[0].start = 0;
	for (i = 0; i < nr; i++)
		if (reserved(c, ioas->id, range[i].start, range[i].last))
			expect = EADDRINUSE;
	if (!outcome(ioas_allow(ctx_fd[c], ioas->id, range, nr), expect,
		     "context %u: allow %u ranges in IOAS %u", c, nr,
		     ioas->id))
		return;
	memcpy(ioas->allow, range, sizeof(range));
	ioas->allow_nr = nr;
}

void do_vfio_ioas(uint32_t c)
{
	struct m_ioas *ioas = any_ioas(c);
	uint32_t id = 0;

	if (one_in(3)) {
		if (outcome(vfio_ioas(ctx_fd[c], IOMMU_VFIO_IOAS_CLEAR, &id), 0,
			    "context %u: clear VFIO_IOAS", c))
			book->ctx[c].vfio = 0;
	} else if (ioas) {
		id = ioas->id;
		if (outcome(vfio_ioas(ctx_fd[c], IOMMU_VFIO_IOAS_SET, &id), 0,
			    "context %u: VFIO_IOAS %u", c, ioas->id))
			book->ctx[c].vfio = ioas->id;
	}
}

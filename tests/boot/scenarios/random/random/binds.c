// SPDX-License-Identifier: GPL-2.0-only
/* The random calls that need a device, and the choice between all. */
#include "random.h"

static void do_bind(uint32_t c)
{
	struct m_dev *d = &book->dev[pick(DEV_MAX)];
	uint32_t id;
	int fd;

	if (d->id)
		return;
	must(vfio_claim(d->bdf));
	fd = must(vfio_open(d->bdf));
	outcome(vfio_bind(fd, ctx_fd[c], &id), 0, "context %u: bind %s", c,
		d->bdf);
	check(id == next_id(c), "seed %llu: context %u: device has ID %u, the model says %u",
	      LL(book->seed), c, id, next_id(c));
	dev_fd[index_of(d)] = fd;
	d->id = id;
	d->ctx = c;
	d->hwpt = 0;
	d->live = 1;
	d->serial = ++book->serial;
}

/* The automatic HWPT goes with the last device. */
static void leave(uint32_t c, struct m_dev *d)
{
	struct m_hwpt *h = hwpt_of(c, d->hwpt);

	d->hwpt = 0;
	if (h && h->automatic && !users(c, h->id, true))
		forget_hwpt(c, h);
}

static void do_close(uint32_t c)
{
	struct m_dev *d = any_dev(c);

	if (!d || !d->live)
		return;
	close(dev_fd[index_of(d)]);
	book->calls++;
	leave(c, d);
	d->id = 0;
	d->live = 0;
}

static void do_detach(uint32_t c)
{
	struct m_dev *d = any_dev(c);

	if (!d || !d->live)
		return;
	outcome(vfio_detach(dev_fd[index_of(d)]), 0,
		"context %u: detach device %u", c, d->id);
	leave(c, d);
}

static void attach_to(uint32_t c, struct m_dev *d, uint32_t pt_id)
{
	struct m_hwpt *h = hwpt_of(c, pt_id), *old, *now;
	uint32_t ioas, i, out = pt_id, want, before;
	int expect = 0;

	ioas = h ? h->ioas : pt_id;
	for (i = 0; !h && i < HWPT_MAX; i++) {
		now = &book->ctx[c].hwpt[i];
		if (now->id && now->live && now->ioas == ioas &&
		    now->automatic &&
		    (!h || now->id < h->id))
			h = now;
	}
	if (!h && !free_hwpt(c))
		return;
	if ((!h || d->hwpt != h->id) && !can_fill(c, ioas, true))
		expect = EADDRINUSE;
	want = h ? h->id : next_id(c);
	before = d->hwpt;
	if (!outcome(vfio_attach(dev_fd[index_of(d)], &out), expect,
		     "context %u: attach device %u at HWPT %u to %u", c, d->id,
		     before, pt_id))
		return;
	check(out == want, "seed %llu: context %u: attached to HWPT %u, the model says %u",
	      LL(book->seed), c, out, want);
	if (!h) {
		h = free_hwpt(c);
		*h = (struct m_hwpt) {
			.id = want,
			.ioas = ioas,
			.automatic = 1,
			.maker = d->serial,
			.live = 1,
		};
	}
	if (before == want)
		return;
	d->hwpt = want;
	old = hwpt_of(c, before);
	if (old && old->automatic && !users(c, before, true))
		forget_hwpt(c, old);
}

static void do_attach(uint32_t c)
{
	struct m_dev *d = any_dev(c);
	struct m_ioas *ioas = any_ioas(c);
	struct m_hwpt *h = any_hwpt(c);

	if (!d || !d->live)
		return;
	if (h && h->live && one_in(2))
		attach_to(c, d, h->id);
	else if (ioas && settled(c, ioas->id))
		attach_to(c, d, ioas->id);
}

static void do_hwpt(uint32_t c)
{
	struct m_dev *d = any_dev(c);
	struct m_ioas *ioas = any_ioas(c);
	struct m_hwpt *h = free_hwpt(c);
	uint32_t flags = one_in(3) ? 1U << pick(4) : 0, id;
	int expect = 0;

	if (!d || !d->live || !ioas || !h || !settled(c, ioas->id))
		return;
	flags &= ~IOMMU_HWPT_FAULT_ID_VALID;
	if (flags & ~book->flags_ok)
		expect = EOPNOTSUPP;
	else if (!can_fill(c, ioas->id, false))
		expect = EADDRINUSE;
	if (!outcome(hwpt_alloc(ctx_fd[c], d->id, ioas->id, flags, &id), expect,
		     "context %u: HWPT for device %u on IOAS %u, flags %#x", c,
		     d->id, ioas->id, flags))
		return;
	check(id == next_id(c), "seed %llu: context %u: HWPT has ID %u, the model says %u",
	      LL(book->seed), c, id, next_id(c));
	*h = (struct m_hwpt) {
		.id = id,
		.ioas = ioas->id,
		.flags = flags,
		.maker = d->serial,
		.live = 1,
	};
}

/* One random call, or none when there is nothing to make it on. */
static void do_something(uint32_t c)
{
	uint64_t what = pick(100);

	if (what < 26)
		do_map(c);
	else if (what < 44)
		do_copy(c);
	else if (what < 54)
		do_unmap(c);
	else if (what < 60)
		do_ioas(c);
	else if (what < 66)
		do_destroy(c);
	else if (what < 70)
		do_option(c);
	else if (what < 73)
		do_allow(c);
	else if (what < 76)
		do_vfio_ioas(c);
	else if (what < 77)
		do_swarm(c);
	else if (what < 81)
		do_bind(c);
	else if (what < 83)
		do_close(c);
	else if (what < 91)
		do_attach(c);
	else if (what < 93)
		do_detach(c);
	else
		do_hwpt(c);
}

void play(unsigned int calls)
{
	uint32_t c;

	while (calls--) {
		c = pick(CTX_MAX);
		if (book->ctx[c].used)
			do_something(c);
	}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random maps: each is made, has to come out as the model says, and is
 * then entered in the model.
 */
#include "random.h"

/* Somewhere in the 64 bits, rather often where it hurts. */
static uint64_t any_iova(uint32_t c, const struct m_ioas *ioas, uint64_t len)
{
	const struct iommu_iova_range *r = &book->resv[pick(book->resv_nr)];
	const struct m_area *a = any_area(c);
	uint64_t iova;

	switch (pick(12)) {
	case 0:
		iova = 0;
		break;
	case 1:
		iova = book->aperture - len + 1;
		break;
	case 2:
		iova = TOP - len + 1;
		break;
	case 3:
		iova = book->aperture - pick(3 * len);
		break;
	case 4:
		iova = r->start - len;
		break;
	case 5:
		iova = r->last + 1 - pick(2) * PAGE;
		break;
	case 6:
	case 7:
	case 8:
		/* Touches another area, mostly */
		if (a) {
			iova = one_in(2) ? a->iova + a->len : a->iova - len;
			break;
		}
		/* fall through */
	case 9:
		iova = pick(1ULL << 47) & ~((2ULL << 20) - 1);
		break;
	default:
		iova = pick(1ULL << between(16, 47));
	}
	/* 7 of 8 as aligned as they have to be */
	if (pick(8))
		iova &= ~(align_of(c, ioas) - 1);
	/*
	 * batch_to_domain() of Linux 7.3 takes the end of a map for 0 there, and
	 * maps all that is left of it with its first run of pages.
	 */
	if (book->aperture == TOP && iova == TOP - len + 1)
		iova -= PAGE;
	return iova;
}

int map_expect(uint32_t c, const struct m_ioas *ioas, uint64_t iova,
	       uint64_t len)
{
	uint64_t align = align_of(c, ioas);

	if (iova == TOP)
		return EOVERFLOW;
	if (!len || len & (align - 1) || iova & (align - 1))
		return EINVAL;
	if (len - 1 > TOP - iova)
		return EOVERFLOW;
	if (reserved(c, ioas->id, iova, iova + len - 1))
		return EINVAL;
	if (area_at(c, ioas->id, iova, iova + len - 1))
		return EEXIST;
	return 0;
}

/* The kernel chose: is that a choice it had? */
static void chosen(uint32_t c, const struct m_ioas *ioas, uint64_t iova,
		   uint64_t len)
{
	uint64_t at = iova;
	uint32_t i;

	check(!map_expect(c, ioas, iova, len),
	      "seed %llu: IOAS %u: %#llx was taken for %#llx bytes",
	      LL(book->seed), ioas->id, LL(iova), LL(len));
	if (!ioas->allow_nr)
		return;
	/* Ranges ascend, and some of them touch */
	for (i = 0; i < ioas->allow_nr; i++)
		if (at >= ioas->allow[i].start && at <= ioas->allow[i].last)
			at = ioas->allow[i].last + 1;
	check(!at || at > iova + len - 1, "seed %llu: IOAS %u: %#llx is not in an allowed range",
	      LL(book->seed), ioas->id, LL(iova));
}

long map_call(uint32_t c, uint32_t ioas, const struct m_area *a,
	      bool fixed, uint64_t *iova)
{
	uint32_t flags = a->prot | (fixed ? IOMMU_IOAS_MAP_FIXED_IOVA : 0);
	struct iommu_ioas_map_file file = {
		.size = sizeof(file),
		.flags = flags,
		.ioas_id = ioas,
		.fd = mem[a->mem].fd,
		.start = a->off,
		.length = a->len,
		.iova = a->iova,
	};
	struct iommu_ioas_map user = {
		.size = sizeof(user),
		.flags = flags,
		.ioas_id = ioas,
		.user_va = (uintptr_t)mem[a->mem].va + a->off,
		.length = a->len,
		.iova = a->iova,
	};
	long ret = a->user ? call(ctx_fd[c], IOMMU_IOAS_MAP, &user) :
			     call(ctx_fd[c], IOMMU_IOAS_MAP_FILE, &file);

	*iova = a->user ? user.iova : file.iova;
	return ret;
}

static uint8_t any_prot(void)
{
	switch (pick(6)) {
	case 0:
		return IOMMU_IOAS_MAP_WRITEABLE;
	case 1:
	case 2:
		return IOMMU_IOAS_MAP_READABLE;
	default:
		return IOVA_RW;
	}
}

/* A part of a file: a page or many, a huge page, or any bytes. */
static void any_part(struct m_area *a, bool bytes)
{
	uint64_t len = book->mem[a->mem].len;

	if (bytes && one_in(2)) {
		a->len = between(1, one_in(3) ? len : 20000);
		a->off = pick(len - a->len + 1);
		if (one_in(4))
			a->off = len - a->len;
		return;
	}
	len &= ~(PAGE - 1);
	a->len = (one_in(4) ? between(1, len / PAGE) : between(1, 24)) * PAGE;
	if (one_in(6) && len >= 2 << 20)
		a->len = 2 << 20;
	a->off = pick((len - a->len) / PAGE + 1) * PAGE;
	if (a->len >= 2 << 20 && one_in(2))
		a->off &= ~((2ULL << 20) - 1);
}

void do_map(uint32_t c)
{
	struct m_ioas *ioas = any_ioas(c);
	bool fixed = pick(4);
	struct m_area a = {};
	uint64_t align, iova;
	int expect;

	if (!ioas || book->ctx[c].area_nr == AREA_MAX ||
	    !settled(c, ioas->id))
		return;
	align = align_of(c, ioas);
	a.ioas = ioas->id;
	a.mem = any_mem(c);
	any_part(&a, align == 1);
	a.prot = any_prot();
	a.writable = !!(a.prot & IOMMU_IOAS_MAP_WRITEABLE);
	a.user = has_hwpt(c, ioas->id) && one_in(3);
	a.iova = any_iova(c, ioas, a.len);
	expect = fixed ? map_expect(c, ioas, a.iova, a.len) : 0;
	if (!fixed && (ioas->allow_nr || align == 1)) {
		/* There may be no room, or none of that alignment */
		long ret = map_call(c, ioas->id, &a, false, &iova);

		book->calls++;
		check(!ret || ret == -ENOSPC || ret == -EINVAL,
		      "seed %llu: a map anywhere gave %ld", LL(book->seed),
		      ret);
		if (ret)
			return;
	} else if (!outcome(map_call(c, ioas->id, &a, fixed, &iova), expect,
			    "context %u: map of %#llx bytes at %#llx in IOAS %u",
			    c, LL(a.len), LL(a.iova), ioas->id)) {
		return;
	}
	if (!fixed)
		chosen(c, ioas, iova, a.len);
	a.iova = iova;
	a.group = book->ctx[c].groups++;
	add_area(c, &a);
}

void do_swarm(uint32_t c)
{
	struct m_ioas *ioas = any_ioas(c);
	uint32_t n = between(50, 600), m;
	uint64_t iova, step = PAGE << pick(2), out;

	if (!ioas || book->ctx[c].area_nr + n > AREA_MAX ||
	    !settled(c, ioas->id))
		return;
	m = any_mem(c);
	iova = pick(1ULL << 46) & ~(PAGE - 1);
	if (area_at(c, ioas->id, iova, iova + n * step) ||
	    reserved(c, ioas->id, iova, iova + n * step))
		return;
	for (; n; n--, iova += step) {
		struct m_area a = {
			.iova = iova,
			.len = PAGE,
			.off = pick(book->mem[m].len / PAGE) * PAGE,
			.ioas = ioas->id,
			.mem = m,
			.prot = IOVA_RW,
			.writable = 1,
			.group = book->ctx[c].groups++,
		};

		outcome(map_call(c, ioas->id, &a, true, &out), 0,
			"context %u: small map at %#llx in IOAS %u", c,
			LL(iova), ioas->id);
		add_area(c, &a);
	}
}

void do_copy(uint32_t c)
{
	struct m_ioas *to = any_ioas(c);
	const struct m_area *from = any_area(c);
	struct m_area piece[16];
	uint64_t at, left, len, start, align;
	uint32_t n = 0, i;
	bool fixed = pick(3), whole = true;
	struct iommu_ioas_copy cmd = { .size = sizeof(cmd) };
	int expect = 0;
	long ret;

	if (!to || !from || book->ctx[c].area_nr + 16 > AREA_MAX ||
	    !settled(c, to->id))
		return;
	align = align_of(c, to);
	start = from->iova;
	len = from->len;
	switch (pick(4)) {
	case 0:	/* a part */
		at = pick(len);
		if (align > 1 || one_in(2))
			at &= ~(PAGE - 1);
		start += at;
		len = between(1, len - at);
		if (align > 1 && len > PAGE)
			len &= ~(PAGE - 1);
		break;
	case 1:	/* beyond its end, perhaps into the next */
		len += PAGE * between(1, 40);
		break;
	default:
		break;
	}
	if (len - 1 > TOP - start || len == TOP || start == TOP)
		return;
	cmd.src_ioas_id = from->ioas;
	for (at = start, left = len; left; ) {
		struct m_area *a = area_at(c, from->ioas, at, at);
		uint64_t part;

		if (!a) {
			expect = ENOENT;
			break;
		}
		if (n == 16)
			return;
		part = a->iova + a->len - at;
		if (part > left)
			part = left;
		piece[n] = *a;
		piece[n].off += at - a->iova;
		piece[n].len = part;
		whole &= !((piece[n].off | part) & (PAGE - 1));
		n++;
		left -= part;
		at += part;
		if (left && !at) {
			expect = ENOENT;
			break;
		}
	}
	/* Pieces that end within a page are for IOASes of bytes only */
	if (!expect && align > 1 && !whole)
		return;
	cmd.dst_ioas_id = to->id;
	cmd.flags = any_prot();
	cmd.length = len;
	cmd.src_iova = start;
	cmd.dst_iova = any_iova(c, to, len);
	if (fixed)
		cmd.flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	if (!expect && fixed) {
		expect = map_expect(c, to, cmd.dst_iova, len);
	}
	if (cmd.dst_iova == TOP)
		expect = EOVERFLOW;
	for (i = 0; !expect && i < n; i++)
		if (cmd.flags & IOMMU_IOAS_MAP_WRITEABLE && !piece[i].writable)
			expect = EPERM;
	ret = call(ctx_fd[c], IOMMU_IOAS_COPY, &cmd);
	if (!fixed && (ret == -ENOSPC || ret == -EINVAL)) {
		book->calls++;
		return;
	}
	if (!outcome(ret, expect, "context %u: copy of %#llx bytes at %#llx of IOAS %u to %#llx of IOAS %u, flags %#x",
		     c, LL(len), LL(start), cmd.src_ioas_id, LL(cmd.dst_iova),
		     to->id, cmd.flags))
		return;
	if (!fixed)
		chosen(c, to, cmd.dst_iova, len);
	for (i = 0, at = cmd.dst_iova; i < n; at += piece[i++].len) {
		piece[i].iova = at;
		piece[i].ioas = to->id;
		piece[i].prot = cmd.flags & IOVA_RW;
		add_area(c, &piece[i]);
	}
}

void do_unmap(uint32_t c)
{
	struct m_area *a = any_area(c), *b, *found;
	struct iommu_ioas_unmap cmd = { .size = sizeof(cmd) };
	uint64_t last, bytes = 0;
	uint32_t ioas, i;
	int expect = 0;

	if (!a || !settled(c, a->ioas))
		return;
	ioas = a->ioas;
	cmd.ioas_id = ioas;
	cmd.iova = a->iova;
	last = a->iova + a->len - 1;
	switch (pick(16)) {
	case 0:	/* everything */
		if (pick(4))
			return;
		cmd.iova = 0;
		last = TOP;
		break;
	case 1:	/* less than an area */
	case 2:
		if (a->len == 1)
			return;
		if (one_in(2))
			cmd.iova += between(1, a->len - 1);
		else
			last -= between(1, a->len - 1);
		break;
	case 3:	/* several, with holes */
	case 4:
		b = any_area(c);
		if (b->ioas != ioas)
			return;
		if (b->iova < cmd.iova)
			cmd.iova = b->iova;
		if (b->iova + b->len - 1 > last)
			last = b->iova + b->len - 1;
		/* Not half of what there is */
		if (last - cmd.iova > 64ULL << 20)
			return;
		break;
	case 5:	/* nothing */
		cmd.iova = last + 1;
		if (!cmd.iova || area_at(c, ioas, cmd.iova, cmd.iova))
			return;
		last = cmd.iova;
		break;
	default:
		break;
	}
	cmd.length = last - cmd.iova + 1;
	if (!cmd.iova && last == TOP)
		cmd.length = TOP;
	found = area_at(c, ioas, cmd.iova, last);
	if (!found && cmd.length != TOP)
		expect = ENOENT;
	/* Only the first can be cut here, so nothing is unmapped then */
	if (found && (found->iova < cmd.iova ||
		      found->iova + found->len - 1 > last))
		expect = ENOENT;
	if (cmd.iova == TOP)
		expect = EOVERFLOW;
	if (!outcome(call(ctx_fd[c], IOMMU_IOAS_UNMAP, &cmd), expect,
		     "context %u: unmap %#llx to %#llx in IOAS %u", c,
		     LL(cmd.iova), LL(last), ioas))
		return;
	for (i = book->ctx[c].area_nr; i-- > 0; ) {
		a = &book->ctx[c].area[i];
		if (a->ioas != ioas || a->iova < cmd.iova || a->iova > last)
			continue;
		bytes += a->len;
		drop_area(c, a);
	}
	check(cmd.length == bytes, "seed %llu: context %u: unmapped %#llx bytes of IOAS %u, the model says %#llx",
	      LL(book->seed), c, LL(cmd.length), ioas, LL(bytes));
}

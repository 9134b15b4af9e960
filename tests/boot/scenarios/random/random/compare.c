// SPDX-License-Identifier: GPL-2.0-only
/*
 * Comparing a context with the model, by calls that leave it as it is, and
 * altering the model to see that the comparison would notice.
 */
#include "random.h"

enum kind { NOTHING, IOAS, HWPT, DEVICE };

static const char *const kind_name[] = { "nothing", "an IOAS", "an HWPT",
					 "a device" };

/* What is there under an ID, by calls that leave it as it is. */
static enum kind kind_at(uint32_t c, uint32_t id)
{
	struct iommu_hwpt_set_dirty_tracking dirty = {
		.size = sizeof(dirty),
		.hwpt_id = id,
	};
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = id,
	};
	struct iommu_iova_range range;
	uint32_t nr = 1;
	uint64_t align;
	long ret;

	if (ioas_ranges(ctx_fd[c], id, &range, &nr, &align) != -ENOENT)
		return IOAS;
	ret = call(ctx_fd[c], IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty);
	if (ret != -ENOENT)
		return HWPT;
	ret = call(ctx_fd[c], IOMMU_GET_HW_INFO, &info);
	if (ret != -ENOENT)
		return DEVICE;
	return NOTHING;
}

static void compare_ids(uint32_t c)
{
	uint32_t id, last = 0, i;

	for (i = 0; i < IOAS_MAX; i++)
		if (book->ctx[c].ioas[i].id > last)
			last = book->ctx[c].ioas[i].id;
	for (i = 0; i < HWPT_MAX; i++)
		if (book->ctx[c].hwpt[i].id > last)
			last = book->ctx[c].hwpt[i].id;
	for (i = 0; i < DEV_MAX; i++)
		if (book->dev[i].ctx == c && book->dev[i].id > last)
			last = book->dev[i].id;
	for (id = 1; id < last + 8; id++) {
		const struct m_hwpt *h = hwpt_of(c, id);
		const struct m_dev *d = dev_of(c, id);
		enum kind want = ioas_of(c, id) ? IOAS :
				 h && h->live ? HWPT :
				 d && d->live ? DEVICE : NOTHING;
		enum kind have = kind_at(c, id);

		book->compared++;
		if (have != want)
			differ("context %u: ID %u is %s, not %s", c, id,
			       kind_name[have], kind_name[want]);
	}
}

/* Which IDs come next: every hole, then two after the last. */
static void compare_next(uint32_t c)
{
	uint32_t got[64], n = 0, behind = 0, want = 0, i;
	uint32_t last = 0;

	for (i = 1; i < 64; i++)
		if (id_taken(c, i))
			last = i;
	while (behind < 2 && n < ARRAY_SIZE(got)) {
		must(ioas_alloc(ctx_fd[c], &got[n]));
		do {
			want++;
		} while (id_taken(c, want));
		book->compared++;
		if (got[n] != want)
			differ("context %u: the next ID is %u, not %u", c,
			       got[n], want);
		behind += got[n++] > last;
	}
	while (n--)
		must(iommufd_destroy(ctx_fd[c], got[n]));
}

uint64_t where_next(uint32_t c, uint32_t ioas)
{
	struct m_area a = {
		.len = PAGE,
		.mem = any_mem(c),
		.prot = IOVA_RO,
	};
	uint64_t iova = 0;
	long ret = map_call(c, ioas, &a, false, &iova);

	if (ret == -ENOSPC || ret == -EINVAL)
		return 0;
	must(ret);
	must(ioas_unmap(ctx_fd[c], ioas, iova, PAGE, NULL));
	return iova;
}

static void compare_ranges(uint32_t c, const struct m_ioas *ioas)
{
	struct iommu_iova_range want[RESV_MAX + 1], have[8];
	uint32_t n = 1, nr = ARRAY_SIZE(have), i;
	uint64_t align, top;

	top = has_hwpt(c, ioas->id) ? book->aperture : TOP;
	want[0] = (struct iommu_iova_range) { 0, top };
	for (i = 0; is_attached(c, ioas->id) && i < book->resv_nr; i++) {
		want[n - 1].last = book->resv[i].start - 1;
		want[n++] = (struct iommu_iova_range) { book->resv[i].last + 1,
							top };
	}
	must(ioas_ranges(ctx_fd[c], ioas->id, have, &nr, &align));
	book->compared++;
	if (align != align_of(c, ioas))
		differ("context %u: IOAS %u has alignment %llu, not %llu", c,
		       ioas->id, LL(align), LL(align_of(c, ioas)));
	if (nr != n)
		differ("context %u: IOAS %u has %u ranges, not %u", c,
		       ioas->id, nr, n);
	for (i = 0; i < n && nr == n; i++)
		if (want[i].start != have[i].start ||
		    want[i].last != have[i].last)
			differ("context %u: IOAS %u has range %#llx to %#llx, not %#llx to %#llx",
			       c, ioas->id, LL(have[i].start),
			       LL(have[i].last), LL(want[i].start),
			       LL(want[i].last));
}

static void compare_settings(uint32_t c, bool picks)
{
	struct m_ctx *x = &book->ctx[c];
	uint32_t i, id = 0;
	uint64_t value;
	long ret;

	must(iommufd_option_get(ctx_fd[c], IOMMU_OPTION_RLIMIT_MODE, 0,
				&value));
	if (value != x->rlimit)
		differ("context %u: rlimit mode %llu, not %u", c, LL(value),
		       x->rlimit);
	ret = vfio_ioas(ctx_fd[c], IOMMU_VFIO_IOAS_GET, &id);
	if (ret && ret != -ENODEV)
		must(ret);
	if (ret)
		id = 0;
	if (id != x->vfio)
		differ("context %u: VFIO_IOAS is %u, not %u", c, id, x->vfio);
	book->compared += 2;
	for (i = 0; i < IOAS_MAX; i++) {
		const struct m_ioas *ioas = &x->ioas[i];

		if (!ioas->id)
			continue;
		must(iommufd_option_get(ctx_fd[c], IOMMU_OPTION_HUGE_PAGES,
					ioas->id, &value));
		if (value != ioas->huge)
			differ("context %u: IOAS %u: huge pages %llu, not %u",
			       c, ioas->id, LL(value), ioas->huge);
		compare_ranges(c, ioas);
		if (picks && ioas->pick != TOP) {
			value = where_next(c, ioas->id);
			if (value != ioas->pick)
				differ("context %u: IOAS %u: the next map goes to %#llx, not %#llx",
				       c, ioas->id, LL(value),
				       LL(ioas->pick));
		}
		book->compared += 2;
	}
}

static long copy_to(uint32_t c, uint32_t to, uint32_t from, uint64_t iova,
		    uint64_t len, uint32_t prot)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = prot | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = to,
		.src_ioas_id = from,
		.length = len,
		.dst_iova = iova,
		.src_iova = iova,
	};

	return call(ctx_fd[c], IOMMU_IOAS_COPY, &cmd);
}

/* Nothing is mapped there; if something is after all, it is not any more. */
static void compare_gap(uint32_t c, uint32_t ioas, uint32_t scratch,
			uint64_t first, uint64_t last)
{
	uint64_t at[2] = { first, last }, len = last - first + 1, got = 0;
	long ret;
	int i;

	for (i = 0; i < 2; i++) {
		book->compared++;
		if (at[i] == TOP)
			continue;
		if (copy_to(c, scratch, ioas, at[i], 1, IOVA_RO) != -ENOENT) {
			differ("context %u: IOAS %u: %#llx is mapped", c, ioas,
			       LL(at[i]));
			return;
		}
	}
	if (first == TOP)
		return;
	ret = ioas_unmap(ctx_fd[c], ioas, first, len ? len : TOP, &got);
	if (ret != -ENOENT && (ret || got))
		differ("context %u: IOAS %u: %#llx bytes are mapped between %#llx and %#llx (%ld)",
		       c, ioas, LL(got), LL(first), LL(last), ret);
}

/*
 * All is tried out in a scratch IOAS, into which areas are copied. What can be
 * copied is there; what is copied can be unmapped by its own bounds only.
 */
static void compare_areas(uint32_t c, uint32_t ioas)
{
	uint32_t n = sort_areas(c), i, scratch;
	uint64_t behind = 0, got;
	bool done = false;

	must(ioas_alloc(ctx_fd[c], &scratch));
	for (i = 0; i < n; i++) {
		const struct m_area *a = &sorted[i];
		const char *what = NULL;
		long ret;

		if (a->ioas != ioas)
			continue;
		book->compared++;
		if (a->iova > behind)
			compare_gap(c, ioas, scratch, behind, a->iova - 1);
		behind = a->iova + a->len;
		done = !behind;
		ret = copy_to(c, scratch, ioas, a->iova, a->len, IOVA_RO);
		if (ret) {
			differ("context %u: IOAS %u: copy of %#llx bytes at %#llx gave %ld",
			       c, ioas, LL(a->len), LL(a->iova), ret);
			continue;
		}
		ret = a->len == 1 ? -ENOENT :
		      ioas_unmap(ctx_fd[c], scratch, a->iova, a->len - 1, NULL);
		if (ret != -ENOENT)
			what = "is shorter";
		else if (ioas_unmap(ctx_fd[c], scratch, a->iova, a->len,
				    &got) || got != a->len)
			what = "is not one area";
		if (what)
			differ("context %u: IOAS %u: that of %#llx bytes at %#llx %s",
			       c, ioas, LL(a->len), LL(a->iova), what);
		must(ioas_unmap(ctx_fd[c], scratch, 0, TOP, NULL));
		/* Where no area follows, one byte more is too much */
		if (behind &&
		    (sorted[i + 1].ioas != ioas ||
		     sorted[i + 1].iova != behind) &&
		    copy_to(c, scratch, ioas, a->iova, a->len + 1, IOVA_RO) !=
		    -ENOENT)
			differ("context %u: IOAS %u: more than %#llx bytes at %#llx",
			       c, ioas, LL(a->len), LL(a->iova));
		ret = copy_to(c, scratch, ioas, a->iova, a->len, IOVA_RW);
		if (ret != (a->writable ? 0 : -EPERM))
			differ("context %u: IOAS %u: a writable copy of %#llx gave %ld",
			       c, ioas, LL(a->iova), ret);
		must(ioas_unmap(ctx_fd[c], scratch, 0, TOP, NULL));
		/* An area that ends where the next begins is not in one with it */
		if (sorted[i + 1].ioas == ioas && behind &&
		    sorted[i + 1].iova == behind) {
			uint64_t both = a->len + sorted[i + 1].len;

			ret = copy_to(c, scratch, ioas, a->iova, both,
				      IOVA_RO);
			if (ret || ioas_unmap(ctx_fd[c], scratch, a->iova,
					      a->len, &got) || got != a->len)
				differ("context %u: IOAS %u: the areas of %#llx and %#llx are not two",
				       c, ioas, LL(a->iova),
				       LL(sorted[i + 1].iova));
			must(ioas_unmap(ctx_fd[c], scratch, 0, TOP, NULL));
		}
	}
	if (!done)
		compare_gap(c, ioas, scratch, behind, TOP);
	must(iommufd_destroy(ctx_fd[c], scratch));
}

/* What is in use stays in use. */
static void compare_use(uint32_t c)
{
	uint32_t i;
	long ret;

	for (i = 0; i < IOAS_MAX; i++) {
		uint32_t id = book->ctx[c].ioas[i].id;

		if (!id || !has_hwpt(c, id))
			continue;
		book->compared++;
		ret = iommufd_destroy(ctx_fd[c], id);
		if (ret != -EBUSY)
			differ("context %u: destroy of IOAS %u gave %ld", c,
			       id, ret);
	}
	for (i = 0; i < HWPT_MAX; i++) {
		const struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (!h->id || (h->live && !users(c, h->id, true)))
			continue;
		book->compared++;
		ret = iommufd_destroy(ctx_fd[c], h->id);
		if (ret != (h->live ? -EBUSY : -ENOENT))
			differ("context %u: destroy of HWPT %u gave %ld", c,
			       h->id, ret);
	}
	for (i = 0; i < DEV_MAX; i++) {
		const struct m_dev *d = &book->dev[i];

		if (!d->id || d->ctx != c)
			continue;
		book->compared++;
		ret = iommufd_destroy(ctx_fd[c], d->id);
		if (ret != (d->live ? -EBUSY : -ENOENT))
			differ("context %u: destroy of device %u gave %ld", c,
			       d->id, ret);
	}
}

unsigned int compare(uint32_t c, bool picks)
{
	uint32_t i;

	differs = 0;
	compare_ids(c);
	compare_next(c);
	compare_settings(c, picks);
	for (i = 0; i < IOAS_MAX; i++)
		if (book->ctx[c].ioas[i].id)
			compare_areas(c, book->ctx[c].ioas[i].id);
	/* Only when all before was right: it would destroy what is not in use */
	if (!differs)
		compare_use(c);
	return differs;
}

/* Altered, the model must not fit any more. */
static void seen(uint32_t c, const char *what)
{
	check(differs, "seed %llu: context %u: that %s was altered went unseen",
	      LL(book->seed), c, what);
	differs = 0;
	book->controls++;
}

void control(uint32_t c)
{
	struct m_ctx *x = &book->ctx[c];
	struct m_ioas *ioas = any_ioas(c), *more = free_ioas(c), old;
	struct m_area *a = any_area(c), was;
	uint32_t id = next_id(c);

	differs = 0;
	quiet = true;
	x->rlimit ^= 1;
	compare_settings(c, false);
	seen(c, "rlimit mode");
	x->rlimit ^= 1;
	if (more) {
		more->id = id;
		compare_ids(c);
		seen(c, "the number of IOASes");
		compare_next(c);
		seen(c, "the next ID");
		more->id = 0;
	}
	if (ioas) {
		old = *ioas;
		ioas->id = id;
		compare_ids(c);
		seen(c, "an ID");
		*ioas = old;
		ioas->huge ^= 1;
		compare_settings(c, false);
		seen(c, "an option");
		*ioas = old;
		if (ioas->pick != TOP && !waits(c)) {
			ioas->pick ^= PAGE;
			compare_settings(c, true);
			seen(c, "the next IOVA");
			*ioas = old;
		}
		/* A page that the model does not know */
		old.pick = where_next(c, ioas->id);
		if (old.pick) {
			struct m_area page = {
				.iova = old.pick,
				.len = PAGE,
				.mem = any_mem(c),
				.prot = IOVA_RO,
			};

			must(map_call(c, ioas->id, &page, true, &old.pick));
			compare_areas(c, ioas->id);
			seen(c, "the number of areas");
			ioas_unmap(ctx_fd[c], ioas->id, old.pick, PAGE, NULL);
		}
		id = x->vfio;
		x->vfio = id ? 0 : ioas->id;
		compare_settings(c, false);
		seen(c, "VFIO_IOAS");
		x->vfio = id;
	}
	if (a) {
		was = *a;
		a->len++;
		compare_areas(c, a->ioas);
		seen(c, "a length");
		*a = was;
		if (a->len > 1) {
			a->len--;
			compare_areas(c, a->ioas);
			seen(c, "a length");
			*a = was;
			a->iova++;
			a->len--;
			compare_areas(c, a->ioas);
			seen(c, "a start");
			*a = was;
		}
		a->writable ^= 1;
		compare_areas(c, a->ioas);
		seen(c, "a permission");
		*a = was;
		was = *a;
		drop_area(c, a);
		add_area(c, &was);
		if (was.len > 1 && x->area_nr < AREA_MAX) {
			a = &x->area[x->area_nr - 1];
			a->len = 1 + pick(was.len - 1);
			was.iova += a->len;
			was.len -= a->len;
			add_area(c, &was);
			compare_areas(c, was.ioas);
			seen(c, "an area's unity");
			x->area_nr--;
			a->len += was.len;
		}
	}
	quiet = false;
}

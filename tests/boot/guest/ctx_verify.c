// SPDX-License-Identifier: GPL-2.0-only
/* Asks the kernel whether a context holds what its record says. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"

#define LL(x)	((unsigned long long)(x))

static void differ(struct ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void differ(struct ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	ctx->differs++;
	if (ctx->quiet)
		return;
	printf("%s: ", ctx->name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* What a call answered, for messages. */
static const char *answer(int ret)
{
	return ret < 0 ? strerror(-ret) : "success";
}

static void print_ranges(const char *what, const struct want_ranges *ranges)
{
	uint32_t i;

	printf("  %s:", what);
	for (i = 0; i < ranges->nr; i++)
		printf(" 0x%llx-0x%llx", LL(ranges->range[i].start),
		       LL(ranges->range[i].last));
	putchar('\n');
}

static void verify_ranges(struct ctx *ctx, const struct want_ioas *ioas,
			  bool bound)
{
	const struct want_ranges *want = bound ? &ioas->bound : &ioas->bare;
	struct want_ranges have = { .nr = WANT_RANGE_MAX };
	int err;

	err = ioas_ranges(ctx->fd, ioas->id, have.range, &have.nr, &have.align);
	if (err) {
		differ(ctx, "IOAS %u: IOVA ranges: %s", ioas->id, answer(err));
		return;
	}
	if (have.align != want->align)
		differ(ctx, "IOAS %u: alignment is %llu and was %llu", ioas->id,
		       LL(have.align), LL(want->align));
	if (have.nr == want->nr &&
	    !memcmp(have.range, want->range, want->nr * sizeof(want->range[0])))
		return;
	differ(ctx, "IOAS %u: its usable IOVA ranges have changed", ioas->id);
	if (!ctx->quiet) {
		print_ranges("before", want);
		print_ranges("now", &have);
	}
}

static void verify_option(struct ctx *ctx, uint32_t option, uint32_t id,
			  uint64_t want)
{
	uint64_t have = 0;
	int err = iommufd_option_get(ctx->fd, option, id, &have);

	if (err || have != want)
		differ(ctx, "object %u: option %u is %llu (%s) and was %llu",
		       id, option, LL(have), answer(err), LL(want));
}

/* Tries to map @unit bytes; takes them away again when that succeeded. */
static int try_map(struct ctx *ctx, uint32_t ioas, uint64_t iova, uint64_t unit)
{
	int err = ioas_map_file(ctx->fd, ioas, ctx->mem[0]->fd, 0, unit, &iova,
				IOVA_RO | IOMMU_IOAS_MAP_FIXED_IOVA);

	if (!err)
		must(ioas_unmap(ctx->fd, ioas, iova, unit, NULL));
	return err;
}

static bool usable(const struct want_ranges *ranges, uint64_t iova,
		   uint64_t unit)
{
	uint32_t i;

	for (i = 0; i < ranges->nr; i++) {
		if (iova >= ranges->range[i].start &&
		    iova <= ranges->range[i].last &&
		    ranges->range[i].last - iova >= unit - 1)
			return true;
	}
	return false;
}

static void want_taken(struct ctx *ctx, uint32_t ioas, uint64_t iova,
		       uint64_t unit)
{
	int err = try_map(ctx, ioas, iova, unit);

	if (err != -EEXIST)
		differ(ctx, "IOAS %u: a map over the area at 0x%llx: %s",
		       ioas, LL(iova), answer(err));
}

static void want_free(struct ctx *ctx, const struct want_ioas *ioas,
		      const struct want_ranges *ranges, uint64_t iova,
		      uint64_t unit)
{
	int err;

	if (!usable(ranges, iova, unit))
		return;
	err = try_map(ctx, ioas->id, iova, unit);
	if (err)
		differ(ctx, "IOAS %u: a map at 0x%llx, which was free: %s",
		       ioas->id, LL(iova), answer(err));
}

static void want_whole(struct ctx *ctx, uint32_t ioas, uint64_t iova,
		       uint64_t length)
{
	int err = ioas_unmap(ctx->fd, ioas, iova, length, NULL);

	if (err != -ENOENT)
		differ(ctx, "IOAS %u: an unmap of part of an area, 0x%llx bytes at 0x%llx: %s",
		       ioas, LL(length), LL(iova), answer(err));
}

static void want_hole(struct ctx *ctx, uint32_t ioas, uint64_t first,
		      uint64_t last)
{
	uint64_t length = last - first + 1;
	int err;

	/* IOVA 0 with the longest length would mean "everything". */
	if (!first && last == UINT64_MAX)
		length = UINT64_MAX - 1;
	err = ioas_unmap(ctx->fd, ioas, first, length, NULL);
	if (err != -ENOENT)
		differ(ctx, "IOAS %u: an unmap of the hole 0x%llx-0x%llx: %s",
		       ioas, LL(first), LL(last), answer(err));
}

static void verify_maps(struct ctx *ctx, const struct want_ioas *ioas,
			bool bound)
{
	const struct want_ranges *ranges = bound ? &ioas->bound : &ioas->bare;
	uint64_t unit = ranges->align, first = 0;
	unsigned int before = ctx->differs;
	uint32_t i;

	for (i = 0; i < ioas->map_nr; i++) {
		const struct want_map *map = &ioas->map[i];
		uint64_t last = map->iova + map->length - 1;

		want_taken(ctx, ioas->id, map->iova, unit);
		want_taken(ctx, ioas->id, last - unit + 1, unit);
		if (map->iova - first >= unit)
			want_free(ctx, ioas, ranges, map->iova - unit, unit);
		if (i + 1 == ioas->map_nr ||
		    ioas->map[i + 1].iova - last > unit)
			want_free(ctx, ioas, ranges, last + 1, unit);
		first = last + 1;
	}
	/* From here on a wrong record could cost an area. */
	if (ctx->differs != before)
		return;

	for (i = 0; i < ioas->map_nr; i++) {
		const struct want_map *map = &ioas->map[i];
		uint64_t last = map->iova + map->length - 1;

		if (map->length <= unit)
			continue;
		want_whole(ctx, ioas->id, map->iova, map->length - unit);
		want_whole(ctx, ioas->id, map->iova + unit, map->length - unit);
		/* Had it been two areas, one would be gone now. */
		want_taken(ctx, ioas->id, map->iova, unit);
		want_taken(ctx, ioas->id, last - unit + 1, unit);
	}

	first = 0;
	for (i = 0; i < ioas->map_nr; i++) {
		if (ioas->map[i].iova > first)
			want_hole(ctx, ioas->id, first, ioas->map[i].iova - 1);
		first = ioas->map[i].iova + ioas->map[i].length;
	}
	want_hole(ctx, ioas->id, first, UINT64_MAX);
}

static void verify_pick(struct ctx *ctx, const struct want_ioas *ioas,
			bool bound)
{
	uint64_t iova = 0;
	bool allowed = !ioas->allow_nr;
	uint32_t i;
	int err;

	err = ioas_map_file(ctx->fd, ioas->id, ctx->mem[0]->fd, 0, GUEST_PAGE,
			    &iova, IOVA_RO);
	if (err) {
		differ(ctx, "IOAS %u: a map at any IOVA: %s", ioas->id,
		       answer(err));
		return;
	}
	must(ioas_unmap(ctx->fd, ioas->id, iova, GUEST_PAGE, NULL));
	for (i = 0; i < ioas->allow_nr; i++)
		allowed |= iova >= ioas->allow[i].start &&
			   iova + GUEST_PAGE - 1 <= ioas->allow[i].last;
	if (!allowed)
		differ(ctx, "IOAS %u: the kernel chose 0x%llx, which is not allowed",
		       ioas->id, LL(iova));
	else if (bound && iova != ioas->pick)
		differ(ctx, "IOAS %u: the kernel chose 0x%llx and before 0x%llx",
		       ioas->id, LL(iova), LL(ioas->pick));
}

static bool has_hwpt(const struct ctx *ctx, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < ctx->want->hwpt_nr; i++) {
		if (ctx->want->hwpt[i].ioas == ioas)
			return true;
	}
	return false;
}

static void want_destroy(struct ctx *ctx, const char *kind, uint32_t id,
			 int want)
{
	int err = iommufd_destroy(ctx->fd, id);

	if (err != -want)
		differ(ctx, "%s %u: its destruction: %s, expected %s", kind, id,
		       answer(err), strerror(want));
}

static void verify_ioas(struct ctx *ctx, const struct want_ioas *ioas,
			bool bound)
{
	unsigned int before = ctx->differs;

	verify_option(ctx, IOMMU_OPTION_HUGE_PAGES, ioas->id, ioas->huge_pages);
	verify_ranges(ctx, ioas, bound);
	if (ctx->differs != before)
		return;
	verify_maps(ctx, ioas, bound);
	if (ctx->differs != before)
		return;
	verify_pick(ctx, ioas, bound);
	if (bound && has_hwpt(ctx, ioas->id))
		want_destroy(ctx, "IOAS", ioas->id, EBUSY);
}

static bool is_attached(const struct ctx *ctx, uint32_t hwpt)
{
	uint32_t i;

	for (i = 0; i < ctx->want->dev_nr; i++) {
		if (ctx->want->dev[i].hwpt == hwpt)
			return true;
	}
	return false;
}

static void want_attach(struct ctx *ctx, uint32_t dev, uint32_t pt_id,
			uint32_t want)
{
	uint32_t have = pt_id;
	int err = vfio_attach(ctx->dev[dev], &have);

	if (err || have != want)
		differ(ctx, "device %s: attach to %u gives HWPT %u (%s), expected %u",
		       ctx->want->dev[dev].bdf, pt_id, have, answer(err), want);
}

static void verify_device(struct ctx *ctx, uint32_t dev)
{
	const struct want_dev *want = &ctx->want->dev[dev];
	const struct want_hwpt *hwpt = ctx_find_hwpt(ctx, want->hwpt);
	unsigned int before = ctx->differs;
	uint32_t i;

	want_destroy(ctx, "device", want->id, EBUSY);
	if (!want->hwpt)
		return;
	if (!hwpt) {
		differ(ctx, "device %s: HWPT %u is not in the record",
		       want->bdf, want->hwpt);
		return;
	}
	want_attach(ctx, dev, hwpt->id, hwpt->id);
	/* A device must not leave a table that it could not get back to. */
	if (ctx->differs != before)
		return;
	if (hwpt->automatic) {
		want_attach(ctx, dev, hwpt->ioas, hwpt->id);
		return;
	}
	/* A table that nobody uses is tried on, then put back. */
	for (i = 0; i < ctx->want->hwpt_nr; i++) {
		uint32_t other = ctx->want->hwpt[i].id;

		if (is_attached(ctx, other))
			continue;
		want_attach(ctx, dev, other, other);
		want_destroy(ctx, "HWPT", other, EBUSY);
		want_attach(ctx, dev, hwpt->id, hwpt->id);
	}
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/*
 * The kernel gives out the lowest free ID. So new objects fill exactly the
 * gaps between the recorded IDs, or something is missing or too much.
 */
static void verify_ids(struct ctx *ctx)
{
	uint32_t ids[WANT_IOAS_MAX + WANT_HWPT_MAX + WANT_DEV_MAX];
	const struct want *want = ctx->want;
	uint32_t got[64], next, nr = 0, got_nr = 0, used = 0, beyond, i;

	for (i = 0; i < want->ioas_nr; i++)
		ids[nr++] = want->ioas[i].id;
	for (i = 0; i < want->hwpt_nr; i++)
		ids[nr++] = want->hwpt[i].id;
	for (i = 0; i < want->dev_nr; i++)
		ids[nr++] = want->dev[i].id;
	qsort(ids, nr, sizeof(ids[0]), compare_ids);

	/* All gaps, and the first two IDs beyond. */
	beyond = (nr ? ids[nr - 1] - nr : 0) + 2;
	for (next = 1; used < nr || got_nr < beyond; next++) {
		if (used < nr && ids[used] == next) {
			used++;
			continue;
		}
		check(got_nr < ARRAY_SIZE(got), "too many gaps in the IDs");
		must(ioas_alloc(ctx->fd, &got[got_nr++]));
		if (got[got_nr - 1] != next) {
			differ(ctx, "a new object got ID %u, but %u should be free",
			       got[got_nr - 1], next);
			break;
		}
	}
	while (got_nr)
		must(iommufd_destroy(ctx->fd, got[--got_nr]));
}

unsigned int ctx_verify(struct ctx *ctx, bool bound)
{
	const struct want *want = ctx->want;
	uint32_t i;

	ctx->differs = 0;
	verify_option(ctx, IOMMU_OPTION_RLIMIT_MODE, 0, want->rlimit_mode);
	for (i = 0; i < want->ioas_nr; i++)
		verify_ioas(ctx, &want->ioas[i], bound);
	ctx->map_differs = ctx->differs;
	for (i = 0; i < want->hwpt_nr; i++) {
		uint32_t id = want->hwpt[i].id;

		if (!bound)
			want_destroy(ctx, "HWPT", id, ENOENT);
		else if (is_attached(ctx, id))
			want_destroy(ctx, "HWPT", id, EBUSY);
	}
	for (i = 0; i < want->dev_nr; i++) {
		if (!bound)
			want_destroy(ctx, "device", want->dev[i].id, ENOENT);
		else
			verify_device(ctx, i);
	}
	if (!ctx->differs)
		verify_ids(ctx);
	return ctx->differs;
}

/* ---- the control -------------------------------------------------------- */

struct control {
	struct ctx *ctx;
	struct want saved;
	bool bound;
	unsigned int tried;
};

static void must_notice(struct control *control, const char *what)
{
	struct ctx *ctx = control->ctx;
	unsigned int seen;

	ctx->quiet = true;
	seen = ctx_verify(ctx, control->bound);
	ctx->quiet = false;
	check(seen, "%s: %s went unnoticed", ctx->name, what);
	*ctx->want = control->saved;
	control->tried++;
}

static uint32_t unused_id(const struct want *want)
{
	uint32_t top = 0, i;

	for (i = 0; i < want->ioas_nr; i++)
		top = top > want->ioas[i].id ? top : want->ioas[i].id;
	for (i = 0; i < want->hwpt_nr; i++)
		top = top > want->hwpt[i].id ? top : want->hwpt[i].id;
	for (i = 0; i < want->dev_nr; i++)
		top = top > want->dev[i].id ? top : want->dev[i].id;
	return top + 7;
}

static void control_ioas(struct control *control, struct rng *rng)
{
	struct ctx *ctx = control->ctx;
	struct want_ioas *ioas =
		&ctx->want->ioas[rng_below(rng, ctx->want->ioas_nr)];
	struct want_ranges *ranges = control->bound ? &ioas->bound :
						      &ioas->bare;
	uint32_t id = ioas->id, extra;
	struct want_map *map;
	uint64_t iova = 0;

	ioas->id = unused_id(ctx->want);
	must_notice(control, "another IOAS ID");
	ioas->huge_pages = !ioas->huge_pages;
	must_notice(control, "another huge page option");
	ranges->range[0].last--;
	must_notice(control, "another usable range");

	must(ioas_map_file(ctx->fd, id, ctx->mem[0]->fd, 0, GUEST_PAGE, &iova,
			   IOVA_RO));
	must_notice(control, "a map too many");
	/* Found by unmapping what should have been a hole, unless at an edge. */
	ioas_unmap(ctx->fd, id, iova, GUEST_PAGE, NULL);

	must(ioas_alloc(ctx->fd, &extra));
	must_notice(control, "an object too many");
	must(iommufd_destroy(ctx->fd, extra));

	if (!ioas->map_nr)
		return;
	map = &ioas->map[rng_below(rng, ioas->map_nr)];
	map->iova += ranges->align;
	must_notice(control, "a map at another IOVA");
	map->length += ranges->align;
	must_notice(control, "a map that is longer");
	if (map->length > ranges->align) {
		map->length -= ranges->align;
		must_notice(control, "a map that is shorter");
	}
}

static void control_device(struct control *control, struct rng *rng)
{
	struct ctx *ctx = control->ctx;
	struct want *want = ctx->want;
	uint32_t free_id = unused_id(want);
	struct want_hwpt *hwpt;
	struct want_dev *dev;
	uint32_t i;

	dev = &want->dev[rng_below(rng, want->dev_nr)];
	dev->id = free_id;
	must_notice(control, "another device ID");
	if (!want->hwpt_nr)
		return;
	hwpt = &want->hwpt[rng_below(rng, want->hwpt_nr)];
	for (i = 0; i < want->dev_nr; i++) {
		if (want->dev[i].hwpt == hwpt->id)
			want->dev[i].hwpt = free_id;
	}
	hwpt->id = free_id;
	must_notice(control, "another HWPT ID");
}

unsigned int ctx_control(struct ctx *ctx, bool bound, struct rng *rng)
{
	struct control control = {
		.ctx = ctx,
		.saved = *ctx->want,
		.bound = bound,
	};

	if (ctx->want->ioas_nr)
		control_ioas(&control, rng);
	if (ctx->want->dev_nr)
		control_device(&control, rng);
	check(!ctx_verify(ctx, bound), "%s: the control left a difference",
	      ctx->name);
	return control.tried;
}

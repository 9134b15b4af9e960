// SPDX-License-Identifier: GPL-2.0-only
/* Random calls on an iommufd, and the model of what they have made. */
#include "worker.h"

static void begin(struct worker *w)
{
	w->epoch = atomic_load(&live->epoch[w->p][w->c]);
	w->sealable = atomic_load(&live->sealable[w->p][w->c]);
}

/* EBUSY is for sealed iommufds; whatever else goes wrong is a defect. */
static bool done(struct worker *w, const char *what, int err)
{
	count(N_calls);
	if (!err)
		return true;
	if (err == -EBUSY &&
	    (w->sealable || atomic_load(&live->sealable[w->p][w->c]) ||
	     w->epoch != atomic_load(&live->epoch[w->p][w->c]))) {
		count(N_busy);
		return false;
	}
	wrong("process %u thread %u iommufd %u: %s: %s%s", w->p, w->t, w->c,
	      what, strerror(-err),
	      err == -EBUSY ? ", and it is in no session" : "");
}

#define try(w, call)	(begin(w), done((w), #call, (call)))

static int ctx_fd(const struct worker *w)
{
	return slots[w->p][w->c].fd;
}

static struct an_ioas *any_ioas(struct worker *w)
{
	uint32_t nr = w->model->ioas_nr[w->c];

	return nr ? &w->model->ioas[w->c][rng_below(&w->rng, nr)] : NULL;
}

struct a_hwpt *find_hwpt(struct worker *w, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < w->model->hwpt_nr[w->c]; i++) {
		if (w->model->hwpt[w->c][i].id == id)
			return &w->model->hwpt[w->c][i];
	}
	return NULL;
}

static bool has_hwpt(struct worker *w, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < w->model->hwpt_nr[w->c]; i++) {
		if (w->model->hwpt[w->c][i].ioas == ioas)
			return true;
	}
	return false;
}

static bool is_attached(struct worker *w, uint32_t hwpt)
{
	unsigned int d;

	for (d = 0; d < DEVS_OF(w->t); d++) {
		if (w->model->dev[d].ctx == (int)w->c &&
		    w->model->dev[d].hwpt == hwpt)
			return true;
	}
	return false;
}

static void drop_hwpt(struct worker *w, struct a_hwpt *hwpt)
{
	*hwpt = w->model->hwpt[w->c][--w->model->hwpt_nr[w->c]];
}

/* An automatic HWPT goes with the last device that leaves it. */
static void left_hwpt(struct worker *w, uint32_t id)
{
	struct a_hwpt *hwpt = find_hwpt(w, id);

	if (hwpt && hwpt->automatic && !is_attached(w, id))
		drop_hwpt(w, hwpt);
}

static void add_hwpt(struct worker *w, uint32_t id, uint32_t ioas,
		     bool automatic, uint64_t maker)
{
	check(w->model->hwpt_nr[w->c] < HWPTS, "too many HWPTs");
	w->model->hwpt[w->c][w->model->hwpt_nr[w->c]++] = (struct a_hwpt) {
		.id = id,
		.ioas = ioas,
		.automatic = automatic,
		.maker = maker,
	};
}

/* ---- IOAS --------------------------------------------------------------- */

static void note_bare(struct worker *w, struct an_ioas *ioas)
{
	ioas->bare.nr = WANT_RANGE_MAX;
	must(ioas_ranges(ctx_fd(w), ioas->id, ioas->bare.range, &ioas->bare.nr,
			 &ioas->bare.align));
}

static void new_ioas(struct worker *w)
{
	struct iommu_iova_range allow[2] = {
		{ 0x10000000, 0x5fffffff }, { 0x400000000, 0x4ffffffff },
	};
	struct an_ioas *ioas = &w->model->ioas[w->c][w->model->ioas_nr[w->c]];

	if (w->model->ioas_nr[w->c] == IOASES)
		return;
	memset(ioas, 0, sizeof(*ioas));
	if (!try(w, ioas_alloc(ctx_fd(w), &ioas->id)))
		return;
	ioas->huge_pages = 1;
	w->model->ioas_nr[w->c]++;
	if (!rng_below(&w->rng, 3) &&
	    try(w, iommufd_option_set(ctx_fd(w), IOMMU_OPTION_HUGE_PAGES,
				      ioas->id, 0)))
		ioas->huge_pages = 0;
	if (!rng_below(&w->rng, 4) &&
	    try(w, ioas_allow(ctx_fd(w), ioas->id, allow, 2))) {
		memcpy(ioas->allow, allow, sizeof(allow));
		ioas->allow_nr = 2;
	}
	note_bare(w, ioas);
}

static void destroy_ioas(struct worker *w)
{
	struct an_ioas *ioas = any_ioas(w);

	if (!ioas || has_hwpt(w, ioas->id))
		return;
	if (try(w, iommufd_destroy(ctx_fd(w), ioas->id)))
		*ioas = w->model->ioas[w->c][--w->model->ioas_nr[w->c]];
}

/* ---- maps --------------------------------------------------------------- */

static bool overlaps(const struct an_ioas *ioas, uint64_t iova, uint64_t length)
{
	uint32_t i;

	for (i = 0; i < ioas->map_nr; i++) {
		const struct want_map *map = &ioas->map[i].want;

		if (iova < map->iova + map->length && map->iova < iova + length)
			return true;
	}
	return false;
}

/* A free place, clear of the interrupt range; a third of them touch another. */
static uint64_t free_iova(struct worker *w, const struct an_ioas *ioas,
			  uint64_t length)
{
	uint64_t iova;

	do {
		iova = (rng_below(&w->rng, 2) ? 0x10000000 : 0x400000000) +
		       rng_below(&w->rng, 1U << 18) * GUEST_PAGE;
		if (ioas->map_nr && !rng_below(&w->rng, 3)) {
			const struct want_map *map = &ioas->map[
				rng_below(&w->rng, ioas->map_nr)].want;

			iova = map->iova + map->length;
		}
	} while (overlaps(ioas, iova, length));
	return iova;
}

bool add_map(struct worker *w, struct an_ioas *ioas, bool user, bool writable)
{
	struct a_map map = { .user = user };
	struct memory *mem;
	uint32_t fixed = 0;
	int fd = ctx_fd(w);

	map.want.mem = rng_below(&w->rng, MEMS);
	mem = &slots[w->p][w->c].mem[map.want.mem];
	map.want.length = (1 + rng_below(&w->rng, 20)) * GUEST_PAGE;
	map.want.offset = rng_below(&w->rng, (mem->len - map.want.length) /
				    GUEST_PAGE + 1) * GUEST_PAGE;
	map.want.flags = writable ? IOVA_RW : IOVA_RO;
	map.writable = writable;
	if (rng_below(&w->rng, 4)) {
		fixed = IOMMU_IOAS_MAP_FIXED_IOVA;
		map.want.iova = free_iova(w, ioas, map.want.length);
	}
	if (user ? try(w, ioas_map(fd, ioas->id,
				   (char *)mem->va + map.want.offset,
				   map.want.length, &map.want.iova,
				   map.want.flags | fixed)) :
		   try(w, ioas_map_file(fd, ioas->id, mem->fd, map.want.offset,
					map.want.length, &map.want.iova,
					map.want.flags | fixed))) {
		ioas->map[ioas->map_nr++] = map;
		count(user ? N_user_maps : N_maps);
		return true;
	}
	return false;
}

static void some_map(struct worker *w)
{
	struct an_ioas *ioas = any_ioas(w);
	bool user;

	if (!ioas || ioas->map_nr == MAPS)
		return;
	/* Without an HWPT it cannot cross: now and then, all the same. */
	user = !rng_below(&w->rng, has_hwpt(w, ioas->id) ? 3 : 200);
	add_map(w, ioas, user, rng_below(&w->rng, 3));
}

/* Part of a map or all of it. */
static void some_copy(struct worker *w)
{
	struct an_ioas *src = any_ioas(w), *dst = any_ioas(w);
	struct a_map map;
	uint64_t pages, first, iova;

	if (!src || !src->map_nr || dst->map_nr == MAPS)
		return;
	map = src->map[rng_below(&w->rng, src->map_nr)];
	if (map.user && !has_hwpt(w, dst->id) && rng_below(&w->rng, 50))
		return;
	pages = map.want.length / GUEST_PAGE;
	first = rng_below(&w->rng, pages);
	iova = map.want.iova + first * GUEST_PAGE;
	map.want.offset += first * GUEST_PAGE;
	map.want.length = (1 + rng_below(&w->rng, pages - first)) * GUEST_PAGE;
	map.want.flags = map.writable && rng_below(&w->rng, 2) ? IOVA_RW :
								 IOVA_RO;
	map.want.iova = free_iova(w, dst, map.want.length);
	if (!try(w, ioas_copy(ctx_fd(w), dst->id, &map.want.iova, src->id, iova,
			      map.want.length,
			      map.want.flags | IOMMU_IOAS_MAP_FIXED_IOVA)))
		return;
	dst->map[dst->map_nr++] = map;
	count(N_copies);
}

bool unmap_one(struct worker *w, struct an_ioas *ioas, uint32_t i)
{
	uint64_t unmapped = 0;
	struct a_map *map = &ioas->map[i];

	if (!try(w, ioas_unmap(ctx_fd(w), ioas->id, map->want.iova,
			       map->want.length, &unmapped)))
		return false;
	if (unmapped != map->want.length)
		wrong("unmap of 0x%llx bytes took 0x%llx",
		      LL(map->want.length), LL(unmapped));
	*map = ioas->map[--ioas->map_nr];
	count(N_unmaps);
	return true;
}

static void some_unmap(struct worker *w)
{
	struct an_ioas *ioas = any_ioas(w);

	if (!ioas || !ioas->map_nr)
		return;
	if (rng_below(&w->rng, 12)) {
		unmap_one(w, ioas, rng_below(&w->rng, ioas->map_nr));
		return;
	}
	if (try(w, ioas_unmap(ctx_fd(w), ioas->id, 0, UINT64_MAX, NULL))) {
		ioas->map_nr = 0;
		count(N_unmaps);
	}
}

/* ---- HWPTs and devices -------------------------------------------------- */

static struct a_dev *any_dev(struct worker *w, unsigned int *d)
{
	*d = rng_below(&w->rng, DEVS_OF(w->t));
	return &w->model->dev[*d];
}

static void new_hwpt(struct worker *w)
{
	struct an_ioas *ioas = any_ioas(w);
	unsigned int d, nr = 0;
	struct a_dev *dev = any_dev(w, &d);
	uint32_t id, i;

	for (i = 0; i < w->model->hwpt_nr[w->c]; i++)
		nr += !w->model->hwpt[w->c][i].automatic;
	if (!ioas || dev->ctx != (int)w->c || nr == EXPLICIT)
		return;
	if (try(w, hwpt_alloc(ctx_fd(w), dev->id, ioas->id, 0, &id)))
		add_hwpt(w, id, ioas->id, false, dev->serial);
}

static void destroy_hwpt(struct worker *w)
{
	uint32_t nr = w->model->hwpt_nr[w->c];
	struct a_hwpt *hwpt;

	if (!nr)
		return;
	hwpt = &w->model->hwpt[w->c][rng_below(&w->rng, nr)];
	if (hwpt->automatic || is_attached(w, hwpt->id))
		return;
	if (try(w, iommufd_destroy(ctx_fd(w), hwpt->id)))
		drop_hwpt(w, hwpt);
}

static void bind_dev(struct worker *w, unsigned int d)
{
	struct a_dev *dev = &w->model->dev[d];
	int fd = must(vfio_open(dev->bdf));

	if (!try(w, vfio_bind(fd, ctx_fd(w), &dev->id))) {
		close(fd);
		return;
	}
	dev_fd[w->p][w->t][d] = fd;
	dev->ctx = w->c;
	dev->hwpt = 0;
	dev->serial = ++w->model->serial;
	count(N_binds);
}

static void attach_dev(struct worker *w, unsigned int d)
{
	struct a_dev *dev = &w->model->dev[d];
	struct an_ioas *ioas = any_ioas(w);
	uint32_t nr = w->model->hwpt_nr[w->c], old = dev->hwpt, target, got;

	if (nr && rng_below(&w->rng, 2))
		target = w->model->hwpt[w->c][rng_below(&w->rng, nr)].id;
	else if (ioas)
		target = ioas->id;
	else
		return;
	got = target;
	if (!try(w, vfio_attach(dev_fd[w->p][w->t][d], &got)))
		return;
	dev->hwpt = got;
	if (old && old != got)
		left_hwpt(w, old);
	if (!find_hwpt(w, got)) {
		if (!ioas || target != ioas->id)
			wrong("attach to HWPT %u gave HWPT %u", target, got);
		add_hwpt(w, got, target, true, dev->serial);
	}
	count(N_attaches);
}

static void detach_dev(struct worker *w, unsigned int d)
{
	struct a_dev *dev = &w->model->dev[d];
	uint32_t old = dev->hwpt;

	if (!old || !try(w, vfio_detach(dev_fd[w->p][w->t][d])))
		return;
	dev->hwpt = 0;
	left_hwpt(w, old);
}

/* Never refused; a seal goes with it. */
static void close_dev(struct worker *w, unsigned int d)
{
	struct a_dev *dev = &w->model->dev[d];
	uint32_t old = dev->hwpt;

	close(dev_fd[w->p][w->t][d]);
	dev_fd[w->p][w->t][d] = -1;
	dev->ctx = -1;
	dev->hwpt = 0;
	dev->id = 0;
	if (old)
		left_hwpt(w, old);
	count(N_calls);
}

static void some_device(struct worker *w)
{
	unsigned int d;
	struct a_dev *dev = any_dev(w, &d);

	if (dev->ctx < 0)
		bind_dev(w, d);
	else if (dev->ctx != (int)w->c)
		return;
	else if (!dev->hwpt || rng_below(&w->rng, 4))
		attach_dev(w, d);
	else if (rng_below(&w->rng, can_copy(w->t, d) ? 30 : 3))
		detach_dev(w, d);
	else
		close_dev(w, d);
}

/* ---- what cannot cross -------------------------------------------------- */

static bool maker_is_bound(struct worker *w, const struct a_hwpt *hwpt)
{
	unsigned int d;

	for (d = 0; d < DEVS_OF(w->t); d++) {
		if (w->model->dev[d].ctx == (int)w->c &&
		    w->model->dev[d].serial == hwpt->maker)
			return true;
	}
	return is_attached(w, hwpt->id);
}

bool tidy_one(struct worker *w)
{
	uint32_t i, j;

	for (i = 0; i < w->model->hwpt_nr[w->c]; i++) {
		struct a_hwpt *hwpt = &w->model->hwpt[w->c][i];

		if (maker_is_bound(w, hwpt))
			continue;
		if (try(w, iommufd_destroy(ctx_fd(w), hwpt->id)))
			drop_hwpt(w, hwpt);
		return true;
	}
	for (i = 0; i < w->model->ioas_nr[w->c]; i++) {
		struct an_ioas *ioas = &w->model->ioas[w->c][i];

		if (has_hwpt(w, ioas->id))
			continue;
		for (j = 0; j < ioas->map_nr; j++) {
			if (!ioas->map[j].user)
				continue;
			unmap_one(w, ioas, j);
			return true;
		}
	}
	return false;
}

void one_call(struct worker *w)
{
	static void (*const calls[])(struct worker *w) = {
		new_ioas, some_map, some_map, some_map, some_map, some_copy,
		some_copy, some_unmap, some_unmap, destroy_ioas, new_hwpt,
		destroy_hwpt, some_device, some_device, some_device,
	};

	if (rng_below(&w->rng, 4) && tidy_one(w))
		return;
	calls[rng_below(&w->rng, ARRAY_SIZE(calls))](w);
}

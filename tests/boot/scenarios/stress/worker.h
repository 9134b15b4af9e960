/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker process: two threads change two iommufds as fast as they can, a
 * third opens and closes them and puts them into sessions and takes them out.
 */
#ifndef WORKER_H
#define WORKER_H

#include "stress.h"

struct worker {
	unsigned int p, t;
	unsigned int c;		/* the iommufd of the call under way */
	struct rng rng;
	struct a_thread *model;
	unsigned int sealable, epoch;
};

/* Objects may be made and unmade; the iommufd itself stays. */
static pthread_rwlock_t open_lock[CTXS] = {
	PTHREAD_RWLOCK_INITIALIZER, PTHREAD_RWLOCK_INITIALIZER,
};

/* ---- contents of memory files, of which only the seed is kept ----------- */

static uint64_t mem_seed(unsigned int p, unsigned int c, unsigned int m)
{
	return state->seed ^ ((p * CTXS + c) * MEMS + m + 1);
}

static void fill_memory(const struct memory *mem, unsigned int p,
			unsigned int c, unsigned int m)
{
	struct rng rng = { mem_seed(p, c, m) };
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = rng_u64(&rng);
}

static bool is_filled(const struct memory *mem, unsigned int p, unsigned int c,
		      unsigned int m)
{
	struct rng rng = { mem_seed(p, c, m) };
	const uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++) {
		if (word[i] != rng_u64(&rng))
			return false;
	}
	return true;
}

/* ---- results ------------------------------------------------------------ */

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

/* ---- the model of one thread -------------------------------------------- */

static int ctx_fd(const struct worker *w)
{
	return slots[w->p][w->c].fd;
}

static struct an_ioas *any_ioas(struct worker *w)
{
	uint32_t nr = w->model->ioas_nr[w->c];

	return nr ? &w->model->ioas[w->c][rng_below(&w->rng, nr)] : NULL;
}

static struct a_hwpt *find_hwpt(struct worker *w, uint32_t id)
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

static bool add_map(struct worker *w, struct an_ioas *ioas, bool user,
		    bool writable)
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

static bool unmap_one(struct worker *w, struct an_ioas *ioas, uint32_t i)
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

/* Takes one thing away that would refuse the load. Return: there was one. */
static bool tidy_one(struct worker *w)
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

/* ---- the threads -------------------------------------------------------- */

static void one_call(struct worker *w)
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

static void tidy_all(struct worker *w)
{
	for (w->c = 0; w->c < CTXS; w->c++) {
		pthread_rwlock_rdlock(&open_lock[w->c]);
		while (slots[w->p][w->c].fd >= 0 && tidy_one(w) &&
		       !atomic_load(&live->stop))
			;
		pthread_rwlock_unlock(&open_lock[w->c]);
	}
}

static void *change_thread(void *arg)
{
	struct worker *w = arg;
	bool tidied = false;
	unsigned int burst = 0;

	while (!atomic_load(&live->stop)) {
		atomic_fetch_add(&live->beat[w->p][w->t], 1);
		/* What cannot cross would be in the way for all of a lull. */
		if (!atomic_load(&live->lull)) {
			tidied = false;
		} else if (!tidied) {
			tidy_all(w);
			tidied = true;
		}
		if (pause_now(&w->rng, &burst))
			continue;
		w->c = rng_below(&w->rng, CTXS);
		pthread_rwlock_rdlock(&open_lock[w->c]);
		if (slots[w->p][w->c].fd >= 0)
			one_call(w);
		pthread_rwlock_unlock(&open_lock[w->c]);
	}
	return NULL;
}

/*
 * Pages of the KHO scratch areas move when they are pinned for long, and a
 * move that another pin is in the way of is ENOMEM on every kernel. So all of
 * them move here, once, with nobody in the way.
 */
static void settle_memory(const struct memory *mem, unsigned int nr)
{
	char name[NAME_LEN];
	int session;

	snprintf(name, sizeof(name), "stress-memory-%u", nr);
	session = must(luo_create(name));
	must(luo_preserve(session, mem->fd, TOKEN_MEMORY));
	close(session);
}

static void set_sealable(unsigned int p, unsigned int c, bool yes)
{
	atomic_store(&live->sealable[p][c], yes);
	atomic_fetch_add(&live->epoch[p][c], 1);
}

/* Memory files and iommufd into a new session, in any order. */
static void preserve(unsigned int p, unsigned int c, struct rng *rng)
{
	struct a_ctx *model = &state->proc[p].ctx[c];
	struct slot *slot = &slots[p][c];
	unsigned int at = rng_below(rng, MEMS + 1), i;

	snprintf(model->name, sizeof(model->name), "stress-%u-%u-%u", p, c,
		 model->sessions++);
	slot->session = must(luo_create(model->name));
	for (i = 0; i <= MEMS; i++, at = (at + 1) % (MEMS + 1)) {
		if (at < MEMS) {
			must(luo_preserve(slot->session, slot->mem[at].fd,
					  TOKEN_MEMORY + at));
			continue;
		}
		set_sealable(p, c, true);
		must(luo_preserve(slot->session, slot->fd, TOKEN_IOMMUFD));
	}
	count(N_sessions);
}

static void unpreserve(unsigned int p, unsigned int c)
{
	close(slots[p][c].session);
	slots[p][c].session = -1;
	set_sealable(p, c, false);
}

/* Everything of an iommufd, session and devices included, in any order. */
static void close_all(unsigned int p, unsigned int c, struct rng *rng)
{
	unsigned int first = rng_below(rng, 3), i, t, d;
	struct a_proc *proc = &state->proc[p];

	pthread_rwlock_wrlock(&open_lock[c]);
	for (i = 0; i < 3; i++) {
		switch ((first + i) % 3) {
		case 0:
			if (slots[p][c].session >= 0)
				unpreserve(p, c);
			break;
		case 1:
			close(slots[p][c].fd);
			slots[p][c].fd = -1;
			proc->ctx[c].open = false;
			break;
		default:
			for (t = 0; t < THREADS; t++) {
				for (d = 0; d < DEVS_OF(t); d++) {
					if (proc->thread[t].dev[d].ctx != (int)c)
						continue;
					close(dev_fd[p][t][d]);
					dev_fd[p][t][d] = -1;
					proc->thread[t].dev[d].ctx = -1;
					proc->thread[t].dev[d].hwpt = 0;
				}
			}
		}
	}
	for (t = 0; t < THREADS; t++) {
		proc->thread[t].ioas_nr[c] = 0;
		proc->thread[t].hwpt_nr[c] = 0;
	}
	pthread_rwlock_unlock(&open_lock[c]);
}

static void open_ctx(unsigned int p, unsigned int c)
{
	pthread_rwlock_wrlock(&open_lock[c]);
	slots[p][c].fd = must(iommufd_open());
	state->proc[p].ctx[c].open = true;
	pthread_rwlock_unlock(&open_lock[c]);
	count(N_opens);
}

/* The first iommufd of the first process stays, so that the gate stays shut. */
static bool stays(unsigned int p, unsigned int c)
{
	return !p && !c;
}

static void *keeper_thread(void *arg)
{
	unsigned int p = *(unsigned int *)arg, c;
	struct rng rng = rng_for(100 + p);

	while (!atomic_load(&live->stop)) {
		sleep_ms(3 + rng_below(&rng, 60));
		if (atomic_load(&live->lull) &&
		    rng_below(&rng, live->rarely / 4))
			continue;
		c = rng_below(&rng, CTXS);
		if (slots[p][c].fd < 0)
			open_ctx(p, c);
		else if (slots[p][c].session < 0)
			preserve(p, c, &rng);
		else if (stays(p, c))
			continue;
		else if (rng_below(&rng, 12))
			unpreserve(p, c);
		else
			close_all(p, c, &rng);
	}
	return NULL;
}

#endif

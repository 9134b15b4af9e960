// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two sessions with two memory files and two contexts each:
 *
 *	objects-a	context a	nic0 and nic1, shared and explicit HWPTs
 *			context b	nic3, bound and mostly not attached;
 *					maps of odd bytes
 *	objects-b	context c	nic2, automatic HWPTs, moved about;
 *					charged by process
 *			context d	no device, charged by process
 *
 * Contexts a and c have one map with two copies of it, whose charge is looked
 * at; a and d have a VFIO_IOAS now and then.
 *
 * "setup" builds them, "verify N" checks and changes them after kexec N, both
 * led by one seed, which objects.seed= on the kernel's command line may name.
 * "rehearse N" builds and changes them N times without any kexec, which needs
 * no kernel of ours: it tests the test.
 * The record of a session lies at the start of its first memory file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "dma.h"

#define LL(x)		((unsigned long long)(x))

#define BUNDLES		2
#define MEMS		2
#define CTXS		2
#define TOKEN_MEMORY	0x100
#define TOKEN_IOMMUFD	0x200

#define STATE_MAGIC	0x6f626a656374736fULL
#define STATE_LEN	0x40000ULL

/* Rings and buffers lie behind the state, a set for each controller. */
#define NICS		4
#define RING_LEN	0x2000ULL
#define RING_OFF(nic)	(STATE_LEN + (nic) * RING_LEN)
#define RING_IOVA(nic)	(0x200001000ULL + (nic) * 0x100000ULL)
#define SLOTS_NR	64
#define SLOTS_LEN	(SLOTS_NR * (uint64_t)DMA_SLOT_STRIDE)
#define SLOTS_OFF(nic)	(STATE_LEN + NICS * RING_LEN + (nic) * SLOTS_LEN)
#define SLOTS_IOVA(nic)	(0x20007f000ULL + (nic) * 0x100000ULL)
#define DATA_OFF	(STATE_LEN + NICS * (RING_LEN + SLOTS_LEN))

/* A map and two copies of it, all behind what else is mapped. */
#define GROUP_NR	3
#define GROUP_PAGES	7
#define GROUP_LEN	(GROUP_PAGES * GUEST_PAGE)
#define GROUP_OFF	0x3000ULL
#define GROUP_IOVA(i)	(0x700000000ULL + (i) * 0x10000000ULL)

/* Maps by user address, in context a. */
#define USER_IOVA(i)	(0x800000000ULL + (i) * 0x10000000ULL)

#define FRAMES_WANTED	60
#define FRAMES_WAIT_MS	60000

/**
 * struct state - what a session's memory remembers
 * @magic: STATE_MAGIC
 * @size: sizeof(struct state)
 * @kexecs: how many it has been through
 * @key: of the stamps
 * @rng: the generator
 * @digest: of each memory file but for the state
 * @vfio_ioas: of each context, ID or 0
 * @pinned, @locked: VmPin and VmLck in KiB, in the first session's
 * @want: what each context should hold
 */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint64_t key;
	struct rng rng;
	uint64_t digest[MEMS];
	uint32_t vfio_ioas[CTXS];
	uint64_t pinned;
	uint64_t locked;
	struct want want[CTXS];
};

_Static_assert(sizeof(struct state) <= STATE_LEN, "the state has grown");
_Static_assert(NIC_RING_LEN(SLOTS_NR) <= RING_LEN, "the ring has grown");

/**
 * struct bundle - one session and what is in it
 * @name: the session's name
 * @ctx_name: names of its contexts, for messages
 * @session: its descriptor
 * @state: at the start of @mem[0]
 */
struct bundle {
	const char *name;
	const char *ctx_name[CTXS];
	int session;
	struct state *state;
	struct memory mem[MEMS];
	struct ctx ctx[CTXS];
};

static struct bundle bundles[BUNDLES] = {
	{ .name = "objects-a", .ctx_name = { "a", "b" } },
	{ .name = "objects-b", .ctx_name = { "c", "d" } },
};

static uint64_t digest_memory(const struct bundle *b, unsigned int i)
{
	uint64_t skip = i ? 0 : STATE_LEN;

	return digest64((char *)b->mem[i].va + skip, b->mem[i].len - skip);
}

/* ---- maps of random size and place -------------------------------------- */

static uint64_t pages(struct rng *rng, unsigned int from, unsigned int to)
{
	return (from + rng_below(rng, to - from + 1)) * GUEST_PAGE;
}

/* A map of some pages of either file; returns the IOVA behind it. */
static uint64_t add_map(struct bundle *b, struct ctx *ctx, uint32_t ioas,
			uint64_t iova)
{
	struct rng *rng = &b->state->rng;
	uint32_t mem = rng_below(rng, MEMS);
	uint64_t first = mem ? 0 : DATA_OFF;
	uint64_t room = (b->mem[mem].len - first) / GUEST_PAGE;
	uint64_t len = pages(rng, 1, 90);
	uint64_t off = first + rng_below(rng, room - len / GUEST_PAGE + 1) *
		GUEST_PAGE;

	ctx_map(ctx, ioas, mem, off, len, iova,
		rng_below(rng, 3) ? IOVA_RW : IOVA_RO);
	return iova + len;
}

/* A third of the maps touch the one before them. */
static uint64_t add_maps(struct bundle *b, struct ctx *ctx, uint32_t ioas,
			 uint64_t iova, unsigned int nr)
{
	struct rng *rng = &b->state->rng;

	while (nr--) {
		if (rng_below(rng, 3))
			iova += pages(rng, 1, 700);
		iova = add_map(b, ctx, ioas, iova);
	}
	return iova;
}

/*
 * Likewise, by the address at which we have the file. It comes back as a map of
 * the file, and so our record has it. Its IOAS has an HWPT, as it must.
 */
static void add_user_map(struct bundle *b, struct ctx *ctx, uint32_t ioas,
			 uint64_t iova)
{
	const struct want_ioas *want = ctx_find_ioas(ctx, ioas);
	const struct want_map *map = want->map;
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .iova = iova,
	};

	add_map(b, ctx, ioas, iova);
	while (map->iova != iova)
		map++;
	must(ioas_unmap(ctx->fd, ioas, iova, map->length, NULL));
	cmd.flags = map->flags | IOMMU_IOAS_MAP_FIXED_IOVA;
	cmd.user_va = (uintptr_t)b->mem[map->mem].va + map->offset;
	cmd.length = map->length;
	must(ioctl(ctx->fd, IOMMU_IOAS_MAP, &cmd) ? -errno : 0);
}

/* The IOVA of some area that is not a controller's and in no group. */
static uint64_t any_map(struct bundle *b, struct ctx *ctx, uint32_t ioas)
{
	const struct want_ioas *want = ctx_find_ioas(ctx, ioas);
	const struct want_map *map;

	do {
		map = &want->map[rng_below(&b->state->rng, want->map_nr)];
	} while ((map->iova >= RING_IOVA(0) && map->iova < SLOTS_IOVA(NICS)) ||
		 (map->iova >= GROUP_IOVA(0) &&
		  map->iova < GROUP_IOVA(GROUP_NR)));
	return map->iova;
}

/* Ring and buffers of one controller. */
static void map_nic(struct ctx *ctx, uint32_t ioas, unsigned int nic)
{
	ctx_map(ctx, ioas, 0, RING_OFF(nic), RING_LEN, RING_IOVA(nic), IOVA_RW);
	ctx_map(ctx, ioas, 0, SLOTS_OFF(nic), SLOTS_LEN, SLOTS_IOVA(nic),
		IOVA_RW);
}

/* The last usable page of an IOAS that a device is attached to. */
static void map_top(struct ctx *ctx, uint32_t ioas)
{
	struct iommu_iova_range range[WANT_RANGE_MAX];
	uint32_t nr = WANT_RANGE_MAX;
	uint64_t align;

	must(ioas_ranges(ctx->fd, ioas, range, &nr, &align));
	ctx_map(ctx, ioas, 1, 0, GUEST_PAGE, range[nr - 1].last + 1 -
		GUEST_PAGE, IOVA_RO);
}

/* ---- VFIO_IOAS ------------------------------------------------------------ */

/* Set it, or clear it when @id is 0. */
static void set_vfio_ioas(struct bundle *b, struct ctx *ctx, uint32_t id)
{
	b->state->vfio_ioas[ctx - b->ctx] = id;
	must(vfio_ioas(ctx->fd, id ? IOMMU_VFIO_IOAS_SET :
		       IOMMU_VFIO_IOAS_CLEAR, &id));
}

/* It goes with its IOAS. */
static void destroy_ioas(struct bundle *b, struct ctx *ctx, uint32_t id)
{
	if (b->state->vfio_ioas[ctx - b->ctx] == id)
		b->state->vfio_ioas[ctx - b->ctx] = 0;
	ctx_destroy(ctx, id);
}

/* Is VFIO_IOAS @id, or none when that is 0? */
static bool is_vfio_ioas(const struct ctx *ctx, uint32_t id)
{
	uint32_t got = 0;
	int ret = vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_GET, &got);

	return id ? !ret && got == id : ret == -ENODEV;
}

/*
 * Another than it is, and none or one, have to be seen. Returns how many such
 * controls were tried.
 */
static unsigned int check_vfio_ioas(const struct bundle *b,
				    const struct ctx *ctx)
{
	uint32_t id = b->state->vfio_ioas[ctx - b->ctx];

	check(is_vfio_ioas(ctx, id), "%s: VFIO_IOAS is not %u", ctx->name, id);
	check(!is_vfio_ioas(ctx, id + 1) && (!id || !is_vfio_ioas(ctx, 0)),
	      "%s: any VFIO_IOAS passes", ctx->name);
	return id ? 2 : 1;
}

/* ---- what is charged ------------------------------------------------------ */

/*
 * KiB of a line of our status: VmPin is all that is pinned, VmLck what of it is
 * charged to the process.
 */
static uint64_t status_kib(const char *format)
{
	unsigned long long kib = 0;
	bool found = false;
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, format, &kib) == 1;
	check(found, "/proc/self/status has no '%s'", format);
	fclose(file);
	return kib;
}

static uint64_t pinned_kib(void)
{
	return status_kib("VmPin: %llu kB");
}

static uint64_t locked_kib(void)
{
	return status_kib("VmLck: %llu kB");
}

/* Who has CAP_IPC_LOCK is charged nothing. */
static void be_charged(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	must(setrlimit(RLIMIT_MEMLOCK, &all) ? -errno : 0);
	must(syscall(SYS_capget, &head, data) ? -errno : 0);
	data[0].effective &= ~(1U << CAP_IPC_LOCK);
	must(syscall(SYS_capset, &head, data) ? -errno : 0);
}

/**
 * struct group - one map, and two copies of it
 * @ctx: the context
 * @one: IOAS of the map and the first copy
 * @two: IOAS of the second copy
 * @last: which is taken away last: an IOAS with an HWPT has it
 */
struct group {
	struct ctx *ctx;
	uint32_t one;
	uint32_t two;
	unsigned int last;
};

static struct group group_of(struct bundle *b, unsigned int at)
{
	struct ctx *ctx = &b->ctx[at];
	struct group g = {
		.ctx = ctx,
		.one = ctx->want->ioas[0].id,
		.two = ctx->want->ioas[1].id,
	};
	uint32_t i;

	g.last = 2;
	for (i = 0; i < ctx->want->hwpt_nr; i++)
		if (ctx->want->hwpt[i].ioas == g.one)
			g.last = 0;
	return g;
}

static void make_group(const struct group *g)
{
	ctx_map(g->ctx, g->one, 1, GROUP_OFF, GROUP_LEN, GROUP_IOVA(0),
		IOVA_RW);
	ctx_copy(g->ctx, g->one, GROUP_IOVA(1), g->one, GROUP_IOVA(0), IOVA_RO);
	ctx_copy(g->ctx, g->two, GROUP_IOVA(2), g->one, GROUP_IOVA(0), IOVA_RW);
}

/* Has @what changed the charge by @pages since it was @pinned and @locked? */
static void charged(const struct group *g, uint64_t *pinned, uint64_t *locked,
		    int pages, const char *what)
{
	uint64_t was_pinned = *pinned, was_locked = *locked;
	int64_t kib = pages * (int64_t)(GUEST_PAGE >> 10);

	*pinned = pinned_kib();
	*locked = locked_kib();
	check(*pinned - was_pinned == (uint64_t)kib,
	      "%s: %s: %llu KiB pinned, then %llu, not %lld more",
	      g->ctx->name, what, LL(was_pinned), LL(*pinned), (long long)kib);
	if (!g->ctx->want->rlimit_mode)
		kib = 0;
	check(*locked - was_locked == (uint64_t)kib,
	      "%s: %s: %llu KiB charged to the process, then %llu, not %lld more",
	      g->ctx->name, what, LL(was_locked), LL(*locked), (long long)kib);
}

/*
 * A group costs its pages once: only the last of its members to go gives them
 * back. The control: a second map of the same pages costs them once more.
 */
static void try_group(const struct group *g)
{
	uint64_t pinned = pinned_kib(), locked = locked_kib();
	uint32_t ioas = g->last ? g->two : g->one;
	unsigned int i, at;

	ctx_map(g->ctx, ioas, 1, GROUP_OFF, GROUP_LEN, GROUP_IOVA(GROUP_NR),
		IOVA_RW);
	charged(g, &pinned, &locked, GROUP_PAGES, "a map of the same pages");
	ctx_unmap(g->ctx, ioas, GROUP_IOVA(GROUP_NR));
	charged(g, &pinned, &locked, -GROUP_PAGES, "that map gone");

	for (i = 1; i <= GROUP_NR; i++) {
		at = (g->last + i) % GROUP_NR;
		ctx_unmap(g->ctx, at == 2 ? g->two : g->one, GROUP_IOVA(at));
		charged(g, &pinned, &locked, i < GROUP_NR ? 0 : -GROUP_PAGES,
			i < GROUP_NR ? "one of several gone" : "the last gone");
	}
	make_group(g);
	charged(g, &pinned, &locked, GROUP_PAGES, "a map and two copies");
}

/*
 * What is pinned and not charged to the process is charged to the user, which
 * is seen only where it meets the limit: a page less does, and is refused.
 */
static void try_limit(const struct group *g)
{
	uint64_t pages = (pinned_kib() - locked_kib()) / (GUEST_PAGE >> 10);
	struct rlimit old, new;
	uint64_t iova = GROUP_IOVA(GROUP_NR);
	int less;

	must(getrlimit(RLIMIT_MEMLOCK, &old) ? -errno : 0);
	for (less = 1; less >= 0; less--) {
		new = old;
		new.rlim_cur = (pages + GROUP_PAGES - less) * GUEST_PAGE;
		must(setrlimit(RLIMIT_MEMLOCK, &new) ? -errno : 0);
		if (less)
			must_fail(ENOMEM, ioas_map_file(g->ctx->fd, g->one,
					g->ctx->mem[1]->fd, GROUP_OFF,
					GROUP_LEN, &iova, IOVA_RW |
					IOMMU_IOAS_MAP_FIXED_IOVA));
		else
			ctx_map(g->ctx, g->one, 1, GROUP_OFF, GROUP_LEN, iova,
				IOVA_RW);
	}
	ctx_unmap(g->ctx, g->one, iova);
	must(setrlimit(RLIMIT_MEMLOCK, &old) ? -errno : 0);
}

/* Returns how many maps were charged that are no copies. */
static unsigned int try_charges(void)
{
	struct group a = group_of(&bundles[0], 0);
	struct group c = group_of(&bundles[1], 0);

	check(!a.ctx->want->rlimit_mode && !a.last && c.ctx->want->rlimit_mode,
	      "not the contexts whose charge can be told apart");
	try_group(&a);
	try_group(&c);
	try_limit(&a);
	return 3;
}

/* ---- building ------------------------------------------------------------ */

static void nic_address(unsigned int nic, char bdf[PCI_BDF_LEN])
{
	/* By address: nic0, nic1, nic3 on bus 0, then nic2 behind the port. */
	static const unsigned int nth[NICS] = { 0, 1, 3, 2 };

	must(pci_find(IGB_VENDOR, IGB_DEVICE, nth[nic], bdf));
}

static uint32_t bind_nic(struct ctx *ctx, unsigned int nic)
{
	char bdf[PCI_BDF_LEN];

	nic_address(nic, bdf);
	return ctx_bind(ctx, bdf);
}

/*
 * Context a. IOAS order: 0 has allowed ranges, 1 no huge pages. HWPT order: 0
 * on the first, shared; 1 on the second, without a device.
 */
static void build_a(struct bundle *b, struct ctx *ctx)
{
	struct rng *rng = &b->state->rng;
	struct iommu_iova_range allow[2] = {
		{ 0x4000000, 0x4000000 + pages(rng, 3000, 9000) - 1 },
		{ 0x200000000, 0x2ffffffff },
	};
	uint32_t spare[3], one, two, dev0, dev1, shared, idle, gone;
	uint64_t iova;

	spare[0] = ctx_ioas(ctx);
	one = ctx_ioas(ctx);
	spare[1] = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_huge_pages(ctx, two, 0);
	ctx_allow(ctx, one, allow, 2);
	add_maps(b, ctx, spare[1], 0, 3);

	map_nic(ctx, one, 0);
	map_nic(ctx, one, 1);
	add_maps(b, ctx, one, 0x300000000, 6);
	ctx_map_any(ctx, one, 1, 0x5000, 0x3000, IOVA_RW);

	dev0 = bind_nic(ctx, 0);
	spare[2] = ctx_ioas(ctx);
	dev1 = bind_nic(ctx, 1);
	gone = ctx_hwpt(ctx, dev0, two);
	shared = ctx_hwpt(ctx, dev0, one);
	idle = ctx_hwpt(ctx, dev1, two);

	/* Automatic, then explicit, then moved to where it stays. */
	ctx_attach(ctx, dev0, one);
	ctx_attach(ctx, dev0, gone);
	ctx_attach(ctx, dev0, shared);
	ctx_attach(ctx, dev1, idle);
	ctx_attach(ctx, dev1, shared);
	ctx_destroy(ctx, gone);
	ctx_destroy(ctx, spare[0]);
	ctx_destroy(ctx, spare[1]);
	ctx_destroy(ctx, spare[2]);

	/* Copies within and between, over areas that were just taken away. */
	iova = add_maps(b, ctx, two, 0, 5);
	ctx_copy(ctx, two, iova + pages(rng, 1, 9), one,
		 any_map(b, ctx, one), IOVA_RO);
	ctx_copy(ctx, one, 0x7f0001000, one,
		 any_map(b, ctx, one), IOVA_RO);
	ctx_copy(ctx, two, RING_IOVA(1), one, RING_IOVA(1), IOVA_RW);
	ctx_copy(ctx, two, SLOTS_IOVA(1), one, SLOTS_IOVA(1), IOVA_RW);
	ctx_unmap(ctx, one, any_map(b, ctx, one));
	ctx_unmap(ctx, two, any_map(b, ctx, two));
	ctx_copy(ctx, two, 0x380003000, one,
		 any_map(b, ctx, one), IOVA_RO);
	map_top(ctx, one);
	add_user_map(b, ctx, one, USER_IOVA(0));
	ctx_copy(ctx, two, USER_IOVA(0), one, USER_IOVA(0), IOVA_RO);
	set_vfio_ioas(b, ctx, two);
}

/* Context b: an IOAS for nic3, one mapped by the byte, one that is empty. */
static void build_b(struct bundle *b, struct ctx *ctx)
{
	struct rng *rng = &b->state->rng;
	uint32_t plain, bytes, spare;
	uint64_t iova = 0x12345;
	int i;

	bind_nic(ctx, 3);
	plain = ctx_ioas(ctx);
	spare = ctx_ioas(ctx);
	bytes = ctx_ioas(ctx);
	ctx_ioas(ctx);
	ctx_destroy(ctx, spare);

	map_nic(ctx, plain, 3);
	add_maps(b, ctx, plain, 0x10000000, 4);
	for (i = 0; i < 8; i++) {
		uint64_t len = 1 + rng_below(rng, 20000);
		uint64_t off = rng_below(rng, b->mem[1].len - len);

		ctx_map(ctx, bytes, 1, off, len, iova, IOVA_RW);
		iova += len + rng_below(rng, 3) * rng_below(rng, 5000);
	}
	ctx_copy(ctx, bytes, 0x77777777, bytes, 0x12345, IOVA_RO);
}

/* Context c: nic2 has been in both IOASes and stays in the second. */
static void build_c(struct bundle *b, struct ctx *ctx)
{
	uint32_t one, two, dev;

	ctx_rlimit_mode(ctx, 1);
	one = ctx_ioas(ctx);
	map_nic(ctx, one, 2);
	add_maps(b, ctx, one, 0x1000, 5);
	dev = bind_nic(ctx, 2);
	two = ctx_ioas(ctx);
	ctx_attach(ctx, dev, one);
	ctx_attach(ctx, dev, two);
	ctx_copy(ctx, two, RING_IOVA(2), one, RING_IOVA(2), IOVA_RW);
	map_top(ctx, two);
	ctx_copy(ctx, two, SLOTS_IOVA(2), one, SLOTS_IOVA(2), IOVA_RW);
	ctx_detach(ctx, dev);
	add_maps(b, ctx, two, 0x40000000, 7);
	ctx_attach(ctx, dev, two);
	add_maps(b, ctx, two, 0x80000000, 3);
}

static void build_d(struct bundle *b, struct ctx *ctx)
{
	uint32_t one, two;

	ctx_rlimit_mode(ctx, 1);
	one = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_huge_pages(ctx, one, 0);
	add_maps(b, ctx, one, 0, 6);
	ctx_copy(ctx, two, 0x5000, one,
		 any_map(b, ctx, one), IOVA_RO);
	set_vfio_ioas(b, ctx, one);
}

/* ---- changes between kexecs ---------------------------------------------- */

static void change_a(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t one = ctx->want->ioas[0].id, two = ctx->want->ioas[1].id;
	uint32_t shared = ctx->want->hwpt[0].id, idle = ctx->want->hwpt[1].id;

	switch (step % 3) {
	case 1:
		/* Each its own, of either kind. */
		ctx_attach(ctx, 1, two);
		set_vfio_ioas(b, ctx, 0);
		break;
	case 2:
		ctx_attach(ctx, 1, idle);
		set_vfio_ioas(b, ctx, one);
		break;
	default:
		ctx_attach(ctx, 1, shared);
		set_vfio_ioas(b, ctx, two);
	}
	ctx_unmap(ctx, one, any_map(b, ctx, one));
	add_maps(b, ctx, one, 0x400000000 + step * 0x10000000ULL, 2);
	ctx_copy(ctx, two, 0x3c0000000 + step * 0x1000000ULL, one,
		 any_map(b, ctx, one), IOVA_RO);
	add_user_map(b, ctx, one, USER_IOVA(step));
}

static void change_b(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t spare = ctx_ioas(ctx);

	if (step % 2)
		ctx_attach(ctx, 0, ctx->want->ioas[0].id);
	else
		ctx_detach(ctx, 0);
	add_maps(b, ctx, ctx->want->ioas[2].id, step * 0x10000000ULL, 2);
	ctx_destroy(ctx, spare);
}

static void change_c(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t one = ctx->want->ioas[0].id, two = ctx->want->ioas[1].id;

	ctx_attach(ctx, 0, step % 2 ? one : two);
	ctx_unmap(ctx, two, any_map(b, ctx, two));
	add_maps(b, ctx, one, 0x500000000 + step * 0x10000000ULL, 2);
}

static void change_d(struct bundle *b, struct ctx *ctx, unsigned int step)
{
	uint32_t id;

	if (step == 1) {
		destroy_ioas(b, ctx, ctx->want->ioas[0].id);
		return;
	}
	id = ctx_ioas(ctx);
	add_maps(b, ctx, id, step * 0x100000ULL, 3);
	set_vfio_ioas(b, ctx, id);
	if (step > 3)
		destroy_ioas(b, ctx, ctx->want->ioas[0].id);
}

/* ---- running -------------------------------------------------------------- */

/* Which controller is device @dev of this context? */
static unsigned int nic_of(const struct ctx *ctx, uint32_t dev)
{
	char bdf[PCI_BDF_LEN];
	unsigned int nic;

	for (nic = 0; nic < NICS; nic++) {
		nic_address(nic, bdf);
		if (!strcmp(bdf, ctx->want->dev[dev].bdf))
			return nic;
	}
	check(false, "%s is none of the controllers", ctx->want->dev[dev].bdf);
}

static uint64_t run_device(struct bundle *b, struct ctx *ctx, uint32_t dev,
			   unsigned int *differs)
{
	static struct nic_slot slots[SLOTS_NR];
	unsigned int at = nic_of(ctx, dev), nr_pages;
	uint32_t ioas = ctx_find_hwpt(ctx, ctx->want->dev[dev].hwpt)->ioas;
	unsigned int step = 1 + rng_below(&b->state->rng, 7);
	struct nic nic;

	dma_slots(ctx, ioas, SLOTS_IOVA(at), slots, SLOTS_NR);
	must(nic_start(&nic, ctx->dev[dev],
		       dma_va(ctx, ioas, RING_IOVA(at), RING_LEN),
		       RING_IOVA(at), slots, SLOTS_NR));
	must(nic_receive(&nic, FRAMES_WANTED, FRAMES_WAIT_MS));
	*differs += dma_check(ctx, &nic, dev, b->state->key, step, &nr_pages);
	dma_control(ctx, &nic, dev, b->state->key);
	must(nic_silence(&nic, 100));
	must(nic_stop(&nic));
	say("%s: nic%u in IOAS %u: %llu frames, %u pages read", ctx->name, at,
	    ioas, LL(nic.frames), nr_pages);
	return nic.frames;
}

static uint64_t run_devices(unsigned int *differs)
{
	uint64_t frames = 0;
	unsigned int i, j;
	uint32_t dev;

	*differs = 0;
	for (i = 0; i < BUNDLES; i++) {
		for (j = 0; j < CTXS; j++) {
			struct ctx *ctx = &bundles[i].ctx[j];

			for (dev = 0; dev < ctx->want->dev_nr; dev++) {
				if (ctx->want->dev[dev].hwpt)
					frames += run_device(&bundles[i], ctx,
							     dev, differs);
			}
		}
	}
	return frames;
}

static void know_memory(struct bundle *b, struct ctx *ctx)
{
	int i;

	for (i = 0; i < MEMS; i++)
		ctx_memory(ctx, &b->mem[i]);
	ctx_scratch(ctx, 0, RING_OFF(0), NICS * RING_LEN);
}

/* ---- the two commands ----------------------------------------------------- */

/* Record what only the finished contexts tell, and see that it is right. */
static void settle(void)
{
	unsigned int i, j;

	for (i = 0; i < BUNDLES; i++) {
		for (j = 0; j < CTXS; j++) {
			struct ctx *ctx = &bundles[i].ctx[j];

			ctx_settle(ctx);
			check(!ctx_verify(ctx, true),
			      "context %s is not what its record says",
			      ctx->name);
			check_vfio_ioas(&bundles[i], ctx);
		}
	}
}

static void hand_over(void) __attribute__((noreturn));

static void hand_over(void)
{
	unsigned int i, j;

	settle();
	bundles[0].state->pinned = pinned_kib();
	bundles[0].state->locked = locked_kib();
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];
		/* The order of preservation must not matter. */
		bool contexts_first = rng_below(&b->state->rng, 2);

		b->session = must(luo_create(b->name));
		for (j = 0; contexts_first && j < CTXS; j++)
			must(luo_preserve(b->session, b->ctx[j].fd,
					  TOKEN_IOMMUFD + j));
		for (j = 0; j < MEMS; j++)
			must(luo_preserve(b->session, b->mem[j].fd,
					  TOKEN_MEMORY + j));
		for (j = 0; !contexts_first && j < CTXS; j++)
			must(luo_preserve(b->session, b->ctx[j].fd,
					  TOKEN_IOMMUFD + j));
	}
	/* The state of the generators moved, the rest has come to rest. */
	for (i = 0; i < BUNDLES; i++) {
		for (j = 0; j < MEMS; j++)
			bundles[i].state->digest[j] =
				digest_memory(&bundles[i], j);
	}
	background_ready();
}

static void change(unsigned int step)
{
	change_a(&bundles[0], &bundles[0].ctx[0], step);
	change_b(&bundles[0], &bundles[0].ctx[1], step);
	change_c(&bundles[1], &bundles[1].ctx[0], step);
	change_d(&bundles[1], &bundles[1].ctx[1], step);
}

static void build(void)
{
	uint64_t seed = boot_seed("objects.seed=");
	struct group group;
	unsigned int i, j;

	report("seed", "%llu", LL(seed));
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];
		struct rng rng = { seed + i };

		for (j = 0; j < MEMS; j++)
			must(memory_create(&b->mem[j], b->name, DATA_OFF +
					   pages(&rng, 500, 1100)));
		b->state = b->mem[0].va;
		b->state->magic = STATE_MAGIC;
		b->state->size = sizeof(*b->state);
		b->state->key = rng_u64(&rng);
		b->state->rng = rng;
		for (j = 0; j < CTXS; j++) {
			ctx_open(&b->ctx[j], b->ctx_name[j],
				 &b->state->want[j]);
			know_memory(b, &b->ctx[j]);
		}
		dma_stamp(&b->ctx[0], 0, SLOTS_OFF(0),
			  b->mem[0].len - SLOTS_OFF(0), b->state->key);
		dma_stamp(&b->ctx[0], 1, 0, b->mem[1].len, b->state->key);
	}
	build_a(&bundles[0], &bundles[0].ctx[0]);
	build_b(&bundles[0], &bundles[0].ctx[1]);
	build_c(&bundles[1], &bundles[1].ctx[0]);
	build_d(&bundles[1], &bundles[1].ctx[1]);
	for (i = 0; i < BUNDLES; i++) {
		group = group_of(&bundles[i], 0);
		make_group(&group);
	}
}

static int setup(void)
{
	unsigned int differs;
	uint64_t frames;

	build();
	try_charges();
	frames = run_devices(&differs);
	check(!differs, "the devices read wrong pages from the start");
	report("frames_before", "%llu", LL(frames));
	hand_over();
}

static int rehearse(unsigned int steps)
{
	unsigned int differs, controls = 0, step, i, j;

	build();
	for (step = 0; step <= steps; step++) {
		if (step)
			change(step);
		controls += try_charges();
		run_devices(&differs);
		check(!differs, "the devices read wrong pages at step %u",
		      step);
		settle();
		for (i = 0; i < BUNDLES; i++) {
			for (j = 0; j < CTXS; j++)
				controls += ctx_control(&bundles[i].ctx[j],
						true, &bundles[i].state->rng);
		}
	}
	say("%u steps, %u controls", steps, controls);
	return 0;
}

static void take_back(struct bundle *b, unsigned int nr)
{
	int j;

	b->session = must(luo_retrieve(b->name));
	for (j = 0; j < MEMS; j++)
		must(memory_adopt(&b->mem[j], must(luo_restore(b->session,
						TOKEN_MEMORY + j))));
	b->state = b->mem[0].va;
	check(b->state->magic == STATE_MAGIC &&
	      b->state->size == sizeof(*b->state), "%s: other memory", b->name);
	check(b->state->kexecs == nr - 1, "%s: the memory is of kexec %u",
	      b->name, b->state->kexecs);
	b->state->kexecs = nr;
	for (j = 0; j < MEMS; j++)
		check(digest_memory(b, j) == b->state->digest[j],
		      "%s: memory file %d has changed", b->name, j);
	for (j = 0; j < CTXS; j++) {
		ctx_adopt(&b->ctx[j], b->ctx_name[j], &b->state->want[j],
			  must(luo_restore(b->session, TOKEN_IOMMUFD + j)));
		know_memory(b, &b->ctx[j]);
	}
}

/* Checks one context without devices, or all of its devices. */
static void look(struct bundle *b, struct ctx *ctx, bool bound, bool *ids_same,
		 bool *maps_same, unsigned int *controls)
{
	ctx_verify(ctx, bound);
	*ids_same &= ctx->differs == ctx->map_differs;
	*maps_same &= !ctx->map_differs;
	*controls += check_vfio_ioas(b, ctx);
	if (!ctx->differs)
		*controls += ctx_control(ctx, bound, &b->state->rng);
}

static int verify(unsigned int nr)
{
	bool ids_same = true, maps_same = true;
	unsigned int controls = 0, differs, areas = 0, i, j;
	uint64_t frames, pinned, locked;

	for (i = 0; i < BUNDLES; i++)
		take_back(&bundles[i], nr);
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];

		for (j = 0; j < CTXS; j++)
			look(b, &b->ctx[j], false, &ids_same, &maps_same,
			     &controls);
	}

	/* The order in which devices come back must not matter. */
	for (i = 0; i < BUNDLES; i++) {
		struct bundle *b = &bundles[i];

		for (j = 0; j < CTXS; j++) {
			uint32_t n = b->ctx[j].want->dev_nr, k;
			uint32_t first = n ? rng_below(&b->state->rng, n) : 0;

			for (k = 0; k < n; k++) {
				must_fail(EBUSY, luo_finish(b->session));
				ids_same &= ctx_rebind(&b->ctx[j],
						       (first + k) % n);
			}
		}
		for (j = 0; j < CTXS; j++) {
			look(b, &b->ctx[j], true, &ids_same, &maps_same,
			     &controls);
			areas += ctx_areas(&b->ctx[j]);
		}
	}
	check(ids_same && maps_same, "a context is not what it was");

	pinned = pinned_kib();
	locked = locked_kib();
	say("%llu KiB pinned, %llu of them charged to the process", LL(pinned),
	    LL(locked));
	check(pinned == bundles[0].state->pinned &&
	      locked == bundles[0].state->locked,
	      "%llu KiB were pinned before and %llu of them charged to the process",
	      LL(bundles[0].state->pinned), LL(bundles[0].state->locked));
	controls += try_charges();

	frames = run_devices(&differs);
	maps_same &= !differs;
	report("frames_after", "%llu", LL(frames));
	report("ids_identical", "%s", ids_same ? "true" : "false");
	report("maps_identical", "%s", maps_same ? "true" : "false");
	report("areas", "%u", areas);
	report("controls", "%u", controls);
	check(maps_same, "a device reads other pages than before");

	for (i = 0; i < BUNDLES; i++) {
		must(luo_finish(bundles[i].session));
		close(bundles[i].session);
	}
	change(nr);
	frames = run_devices(&differs);
	check(!differs, "a device reads wrong pages after the change");
	report("frames_before", "%llu", LL(frames));
	hand_over();
}

int main(int argc, char **argv)
{
	unsigned int nr;

	if (argc == 3 && !strcmp(argv[1], "rehearse")) {
		be_charged();
		return rehearse(atoi(argv[2]));
	}
	check(argc == 2, "usage: objects NUMBER | rehearse STEPS");
	nr = atoi(argv[1]);
	background();
	be_charged();
	return nr ? verify(nr) : setup();
}

// SPDX-License-Identifier: GPL-2.0-only
/* What is pinned, and to whom it is charged. */
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "objects.h"

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

uint64_t pinned_kib(void)
{
	return status_kib("VmPin: %llu kB");
}

uint64_t locked_kib(void)
{
	return status_kib("VmLck: %llu kB");
}

void be_charged(void)
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

static void fill_group(const struct group *g)
{
	ctx_map(g->ctx, g->one, 1, GROUP_OFF, GROUP_LEN, GROUP_IOVA(0),
		IOVA_RW);
	ctx_copy(g->ctx, g->one, GROUP_IOVA(1), g->one, GROUP_IOVA(0), IOVA_RO);
	ctx_copy(g->ctx, g->two, GROUP_IOVA(2), g->one, GROUP_IOVA(0), IOVA_RW);
}

void make_group(struct bundle *b, unsigned int at)
{
	struct group group = group_of(b, at);

	fill_group(&group);
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
	fill_group(g);
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

unsigned int try_charges(void)
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

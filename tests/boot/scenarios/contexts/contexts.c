// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many contexts at once, handed over unchanged, so that every image is like
 * the one before it:
 *
 *	ctx-many	100 contexts
 *	ctx-0 to 9	10 contexts each
 *	ctx-kinds	HWPTs of every kind on two controllers; and, charged by
 *			process, a context without a device
 *	ctx-big		20,000 maps of a page each, with a device
 *	ctx-state	what they should hold
 *
 * Others are open at the same time and in no session.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/iommu_handover.h>

#include "ctx.h"
#include "edu.h"
#include "igb.h"

#define LL(x)		((unsigned long long)(x))

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	0x1000		/* and on */

#define GROUPS		11
#define MANY		100
#define FEW		10
#define SMALL		(MANY + (GROUPS - 1) * FEW)
#define SMALL_MEMORY	(1ULL << 20)

#define BIG_MAPS	20000U
#define BIG_MEMORY	(16ULL << 20)
#define BIG_SCRATCH	0x7f0000000000ULL	/* IOVA of the last page */
#define SNAPSHOT_MAX	(64ULL << 20)

enum { KIND_DEVICES, KIND_CHARGED, KINDS };

/**
 * struct state - what crosses the kexecs
 * @magic: STATE_MAGIC
 * @size: sizeof(struct state)
 * @kexecs: how many it has been through
 * @seed: of the big context's maps and the memories' contents
 * @rng: for everything else
 * @big_ioas, @big_dev, @big_hwpt: IDs in the big context
 * @vfio_ioas: the IOAS for vfio's old interface in the first kind
 * @kind: the contexts of ctx-kinds
 * @small: the small contexts, group by group
 */
struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	uint64_t seed;
	struct rng rng;
	uint32_t big_ioas, big_dev, big_hwpt;
	uint32_t vfio_ioas;
	struct want kind[KINDS];
	struct want small[SMALL];
};

#define STATE_MAGIC	0x7478746e6f63ULL
#define STATE_LEN \
	((sizeof(struct state) + GUEST_PAGE - 1) & ~(GUEST_PAGE - 1))

static struct memory state_mem, group_mem[GROUPS], kinds_mem, big_mem;
static struct state *state;
static struct ctx small[SMALL], kind[KINDS];
static int big = -1, big_dev = -1;

/* ---- names and contents --------------------------------------------------- */

static const char *group_name(unsigned int group)
{
	static char name[16];

	if (!group)
		return "ctx-many";
	snprintf(name, sizeof(name), "ctx-%u", group - 1);
	return name;
}

/* The small contexts of @group are @*first to the returned number - 1. */
static unsigned int group_range(unsigned int group, unsigned int *first)
{
	*first = group ? MANY + (group - 1) * FEW : 0;
	return *first + (group ? FEW : MANY);
}

static void fill(struct memory *mem)
{
	struct rng rng = { state->seed ^ mem->len };
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = rng_u64(&rng);
}

static void check_filled(const struct memory *mem, const char *name)
{
	struct rng rng = { state->seed ^ mem->len };
	const uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		check(word[i] == rng_u64(&rng), "%s: word %zu has changed",
		      name, i);
}

/* ---- small contexts ------------------------------------------------------- */

static void build_small(struct ctx *ctx, struct want *want,
			const struct memory *mem)
{
	struct rng *rng = &state->rng;
	unsigned int ioases = 1 + rng_below(rng, 3), i;
	uint32_t spare;
	uint64_t iova;

	ctx_open(ctx, "small", want);
	ctx_memory(ctx, mem);
	spare = ctx_ioas(ctx);
	while (ioases--) {
		uint32_t ioas = ctx_ioas(ctx);
		unsigned int maps = rng_below(rng, 4);

		if (!rng_below(rng, 4))
			ctx_huge_pages(ctx, ioas, 0);
		iova = rng_below(rng, 1U << 20) * GUEST_PAGE;
		for (i = 0; i < maps; i++) {
			uint64_t len = (1 + rng_below(rng, 30)) * GUEST_PAGE;
			uint64_t off = rng_below(rng, (mem->len - len) /
						 GUEST_PAGE) * GUEST_PAGE;

			ctx_map(ctx, ioas, 0, off, len, iova,
				rng_below(rng, 2) ? IOVA_RW : IOVA_RO);
			iova += len + rng_below(rng, 50) * GUEST_PAGE;
		}
		if (maps && rng_below(rng, 2))
			ctx_copy(ctx, ioas, iova + GUEST_PAGE, ioas,
				 ctx_find_ioas(ctx, ioas)->map[0].iova,
				 IOVA_RO);
	}
	if (rng_below(rng, 2))
		ctx_destroy(ctx, spare);
	ctx_settle(ctx);
}

/* ---- kinds ---------------------------------------------------------------- */

/*
 * HWPTs of the first IOAS: one that both controllers share and that was
 * allocated with a device that is gone, and two that nobody is attached to. On
 * the second, with small pages only, one that a controller has left. The
 * automatic ones went when the controllers moved.
 */
static void build_kinds(void)
{
	struct iommu_iova_range allow[2] = {
		{ 0x10000000, 0x4fffffff }, { 0x200000000, 0x2ffffffff },
	};
	struct ctx *ctx = &kind[KIND_DEVICES];
	uint32_t one, two, spare, shared, left, dev0, dev1, dev2;
	char bdf[PCI_BDF_LEN];

	ctx_open(ctx, "devices", &state->kind[KIND_DEVICES]);
	ctx_memory(ctx, &kinds_mem);
	spare = ctx_ioas(ctx);
	one = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_allow(ctx, one, allow, 2);
	ctx_huge_pages(ctx, two, 0);
	ctx_map(ctx, one, 0, 0, 0x40000, 0x20000000, IOVA_RW);
	ctx_map(ctx, two, 0, 0x1000, 0x9000, 0x7000, IOVA_RW);
	ctx_map_any(ctx, one, 0, 0x40000, 0x5000, IOVA_RO);

	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	dev0 = ctx_bind(ctx, bdf);
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 1, bdf));
	dev1 = ctx_bind(ctx, bdf);
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 1, bdf));
	dev2 = ctx_bind(ctx, bdf);
	shared = ctx_hwpt(ctx, dev2, one);
	ctx_hwpt(ctx, dev0, one);
	ctx_hwpt(ctx, dev1, one);
	left = ctx_hwpt(ctx, dev0, two);
	ctx_attach(ctx, dev0, one);
	ctx_attach(ctx, dev0, left);
	ctx_attach(ctx, dev1, two);
	ctx_attach(ctx, dev0, shared);
	ctx_attach(ctx, dev1, shared);

	/* Its HWPT stays, because others are attached. */
	close(ctx->dev[dev2]);
	ctx->dev[dev2] = -1;
	ctx->want->dev_nr--;

	ctx_copy(ctx, two, 0x100003000, one, 0x20000000, IOVA_RO);
	ctx_destroy(ctx, spare);
	state->vfio_ioas = two;
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_SET, &two));
	ctx_settle(ctx);

	ctx = &kind[KIND_CHARGED];
	ctx_open(ctx, "charged", &state->kind[KIND_CHARGED]);
	ctx_memory(ctx, &kinds_mem);
	ctx_rlimit_mode(ctx, 1);
	one = ctx_ioas(ctx);
	ctx_map(ctx, one, 0, 0x3000, 0x8000, 0x123000, IOVA_RW);
	ctx_settle(ctx);
}

/* ---- the big one ---------------------------------------------------------- */

struct big_map {
	uint64_t iova;
	uint64_t offset;
	uint32_t flags;
};

/* The next of the maps; @map is the one before, all zero at first. */
static void big_next(struct rng *rng, struct big_map *map)
{
	map->iova += (2 + rng_below(rng, 40)) * GUEST_PAGE;
	map->offset = rng_below(rng, BIG_MEMORY / GUEST_PAGE - 1) * GUEST_PAGE;
	map->flags = rng_below(rng, 3) ? IOVA_RW : IOVA_RO;
}

static void build_big(void)
{
	struct rng rng = { state->seed };
	struct big_map map = {};
	char bdf[PCI_BDF_LEN];
	uint64_t iova = BIG_SCRATCH, start = now_ms();
	unsigned int i;
	uint32_t spare;

	big = must(iommufd_open());
	must(ioas_alloc(big, &spare));
	must(ioas_alloc(big, &state->big_ioas));
	must(iommufd_destroy(big, spare));
	for (i = 0; i < BIG_MAPS; i++) {
		big_next(&rng, &map);
		must(ioas_map_file(big, state->big_ioas, big_mem.fd,
				   map.offset, GUEST_PAGE, &map.iova,
				   map.flags | IOMMU_IOAS_MAP_FIXED_IOVA));
	}
	must(ioas_map_file(big, state->big_ioas, big_mem.fd,
			   BIG_MEMORY - GUEST_PAGE, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	big_dev = must(vfio_open(bdf));
	must(vfio_bind(big_dev, big, &state->big_dev));
	state->big_hwpt = state->big_ioas;
	must(vfio_attach(big_dev, &state->big_hwpt));
	report("big_build_ms", "%llu", LL(now_ms() - start));
}

static int map_at(uint64_t iova)
{
	return ioas_map_file(big, state->big_ioas, big_mem.fd, 0, GUEST_PAGE,
			     &iova, IOVA_RO | IOMMU_IOAS_MAP_FIXED_IOVA);
}

/* Every map is there, none is between them. */
static void check_big(void)
{
	struct rng rng = { state->seed };
	struct big_map map = {};
	uint64_t end = 0;
	unsigned int i;

	for (i = 0; i < BIG_MAPS; i++) {
		big_next(&rng, &map);
		must_fail(ENOENT, ioas_unmap(big, state->big_ioas, end,
					     map.iova - end, NULL));
		must_fail(EEXIST, map_at(map.iova));
		end = map.iova + GUEST_PAGE;
	}
	must_fail(ENOENT, ioas_unmap(big, state->big_ioas, end,
				     BIG_SCRATCH - end, NULL));
	must_fail(EEXIST, map_at(BIG_SCRATCH));
	end = BIG_SCRATCH + GUEST_PAGE;
	must_fail(ENOENT, ioas_unmap(big, state->big_ioas, end,
				     UINT64_MAX - end + 1, NULL));
}

/* The device finds the right pages: a few, chosen anew every time. */
static void check_big_dma(unsigned int samples)
{
	char *scratch = (char *)big_mem.va + BIG_MEMORY - GUEST_PAGE;
	char saved[GUEST_PAGE];
	unsigned int want, i;
	struct edu edu;

	memcpy(saved, scratch, GUEST_PAGE);
	must(edu_open(&edu, big_dev));
	while (samples--) {
		struct rng rng = { state->seed };
		struct big_map map = {};

		want = rng_below(&state->rng, BIG_MAPS);
		for (i = 0; i <= want; i++)
			big_next(&rng, &map);
		memset(scratch, 0, GUEST_PAGE);
		must(edu_copy(&edu, BIG_SCRATCH, map.iova, GUEST_PAGE));
		check(!memcmp(scratch, (char *)big_mem.va + map.offset,
			      GUEST_PAGE), "map %u leads elsewhere", want);
	}
	edu_close(&edu);
	memcpy(scratch, saved, GUEST_PAGE);
}

static void check_big_bound(void)
{
	uint32_t id = state->big_ioas, low = 0, next;

	must(vfio_attach(big_dev, &id));
	check(id == state->big_hwpt, "HWPT %u was %u", id, state->big_hwpt);
	must_fail(EBUSY, iommufd_destroy(big, state->big_ioas));
	must_fail(EBUSY, iommufd_destroy(big, state->big_dev));
	must_fail(EBUSY, iommufd_destroy(big, state->big_hwpt));
	/* What is free is what was free. */
	for (next = 1; low < 2; next++) {
		uint32_t got[2];

		if (next == state->big_ioas || next == state->big_dev ||
		    next == state->big_hwpt)
			continue;
		if (low) {
			must(ioas_alloc(big, &got[0]));
			must(ioas_alloc(big, &got[1]));
			check(got[1] == next, "ID %u is free, not %u", got[1],
			      next);
			must(iommufd_destroy(big, got[1]));
		} else {
			must(ioas_alloc(big, &got[0]));
			check(got[0] == next, "ID %u is free, not %u", got[0],
			      next);
		}
		must(iommufd_destroy(big, got[0]));
		low++;
	}
}

/* ---- contexts that stay behind --------------------------------------------- */

/* In no session; some of it maps memory that is. Return: the iommufd */
static int outsider(const struct memory *mem)
{
	int iommufd = must(iommufd_open());
	uint64_t iova = 0x5000000;
	uint32_t ioas;

	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem->fd, 0, mem->len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	return iommufd;
}

static void outsiders(void)
{
	char bdf[PCI_BDF_LEN];
	int iommufd, dev, status;
	struct memory own;
	uint32_t id;
	pid_t pid;

	/* One is closed, one dies with its process. */
	close(outsider(&big_mem));
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		outsider(&kinds_mem);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
	      "the child ended with 0x%x", status);
	/* Two stay until the jump, one with a device. */
	must(memory_create(&own, "own", SMALL_MEMORY));
	outsider(&own);
	iommufd = outsider(&group_mem[0]);
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 1, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	id = 1;
	must(vfio_attach(dev, &id));
}

/* ---- the commands ----------------------------------------------------------- */

static void check_contexts(bool bound)
{
	unsigned int differs = 0, i;
	uint32_t id = 0;

	for (i = 0; i < SMALL; i++)
		differs += ctx_verify(&small[i], bound);
	for (i = 0; i < KINDS; i++)
		differs += ctx_verify(&kind[i], bound);
	check(!differs, "%u differences", differs);
	must(vfio_ioas(kind[KIND_DEVICES].fd, IOMMU_VFIO_IOAS_GET, &id));
	check(id == state->vfio_ioas, "another IOAS for vfio");
	check_big();
}

/* How long the kernel takes to write everything down. */
static void time_snapshot(void)
{
	struct iommu_handover_snapshot cmd = {
		.size = sizeof(cmd),
		.data_len = SNAPSHOT_MAX,
	};
	void *buf = mmap(NULL, SNAPSHOT_MAX, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int dev = must(open("/dev/iommu-handover", O_RDWR | O_CLOEXEC));
	uint64_t start = now_ms();

	check(buf != MAP_FAILED, "mmap: errno %d", errno);
	cmd.data_uptr = (uintptr_t)buf;
	must(ioctl(dev, IOMMU_HANDOVER_SNAPSHOT, &cmd) ? -errno : 0);
	report("snapshot_ms", "%llu", LL(now_ms() - start));
	report("snapshot_bytes", "%llu", LL(cmd.data_len));
	munmap(buf, SNAPSHOT_MAX);
	close(dev);
}

static uint64_t time_command(const char *command)
{
	uint64_t start = now_ms();

	check(!system(command), "%s failed", command);
	return now_ms() - start;
}

/* A load with the handover against one without: snapshot, image and seal. */
static void time_load(void)
{
	static const char plain[] =
		"kexec -s -l \"$HANDOVER_KERNEL\" --initrd=\"$HANDOVER_INITRD\" --command-line=\"$HANDOVER_CMDLINE\"";
	char sealed[sizeof(plain) + 32];
	uint64_t without, with;

	snprintf(sealed, sizeof(sealed), "%s --iommu-handover", plain);
	without = time_command(plain);
	with = time_command(sealed);
	check(!system("kexec -s -u"), "the kernel cannot be unloaded");
	report("plain_load_ms", "%llu", LL(without));
	report("handover_load_ms", "%llu", LL(with));
}

static void hand_over(void) __attribute__((noreturn));

static void hand_over(void)
{
	unsigned int group, i, end;
	uint64_t start = now_ms();
	int session;

	for (group = 0; group < GROUPS; group++) {
		session = must(luo_create(group_name(group)));
		end = group_range(group, &i);
		for (; i < end; i++)
			must(luo_preserve(session, small[i].fd,
					  TOKEN_IOMMUFD + i));
		must(luo_preserve(session, group_mem[group].fd, TOKEN_MEMORY));
	}
	session = must(luo_create("ctx-kinds"));
	must(luo_preserve(session, kinds_mem.fd, TOKEN_MEMORY));
	for (i = 0; i < KINDS; i++)
		must(luo_preserve(session, kind[i].fd, TOKEN_IOMMUFD + i));
	session = must(luo_create("ctx-big"));
	must(luo_preserve(session, big, TOKEN_IOMMUFD));
	must(luo_preserve(session, big_mem.fd, TOKEN_MEMORY));
	session = must(luo_create("ctx-state"));
	must(luo_preserve(session, state_mem.fd, TOKEN_MEMORY));
	report("preserve_ms", "%llu", LL(now_ms() - start));
	outsiders();
	time_snapshot();
	time_load();
	background_ready();
}

static void setup(void)
{
	unsigned int group, i, end;

	must(memory_create(&state_mem, "state", STATE_LEN));
	state = state_mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	check(getrandom(&state->seed, sizeof(state->seed), 0) ==
	      sizeof(state->seed), "no random numbers");
	state->rng.state = state->seed;
	say("seed 0x%llx", LL(state->seed));

	for (group = 0; group < GROUPS; group++) {
		must(memory_create(&group_mem[group], "small", SMALL_MEMORY));
		fill(&group_mem[group]);
		end = group_range(group, &i);
		for (; i < end; i++)
			build_small(&small[i], &state->small[i],
				    &group_mem[group]);
	}
	must(memory_create(&kinds_mem, "kinds", SMALL_MEMORY));
	fill(&kinds_mem);
	build_kinds();
	must(memory_create(&big_mem, "big", BIG_MEMORY));
	fill(&big_mem);
	build_big();
	check_big_dma(2);
	check_contexts(true);
	check_big_bound();
}

static int take_memory(const char *name, struct memory *mem)
{
	int session = must(luo_retrieve(name));

	must(memory_adopt(mem, must(luo_restore(session, TOKEN_MEMORY))));
	return session;
}

static int kinds_session, big_session, group_session[GROUPS];

static uint64_t clock_us(clockid_t clock)
{
	struct timespec time;

	must(clock_gettime(clock, &time) ? -errno : 0);
	return time.tv_sec * 1000000ULL + time.tv_nsec / 1000;
}

/*
 * Killed while the kernel makes its 20,000 maps: the session can be had again,
 * and the iommufd whole.
 */
static void retriever_killed(void)
{
	struct pollfd done = { .events = POLLIN };
	int pipefd[2], status;
	clockid_t clock;
	uint64_t end;
	char byte;
	pid_t pid;

	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		int session = must(luo_retrieve("ctx-big"));

		must(write(pipefd[1], "s", 1));
		must(luo_restore(session, TOKEN_IOMMUFD));
		must(write(pipefd[1], "r", 1));
		pause();
	}
	close(pipefd[1]);
	check(read(pipefd[0], &byte, 1) == 1, "the child has failed");
	/* The time that it has had is what it has done of that one call. */
	must(-clock_getcpuclockid(pid, &clock));
	end = clock_us(clock) + 1000 + rng_below(&state->rng, 4000);
	done.fd = pipefd[0];
	while (clock_us(clock) < end && !poll(&done, 1, 0))
		;
	kill(pid, SIGKILL);
	must(waitpid(pid, &status, 0));
	check(WIFSIGNALED(status), "the child ended with 0x%x", status);
	check(read(pipefd[0], &byte, 1) != 1,
	      "the iommufd was there before the child was killed");
	close(pipefd[0]);
}

static void take_back(void)
{
	unsigned int group, i, end;
	uint64_t start = now_ms();
	int session;

	session = take_memory("ctx-state", &state_mem);
	must(luo_finish(session));
	close(session);
	state = state_mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state),
	      "this is not the scenario's memory");

	for (group = 0; group < GROUPS; group++) {
		group_session[group] = session =
			take_memory(group_name(group), &group_mem[group]);
		check_filled(&group_mem[group], group_name(group));
		end = group_range(group, &i);
		for (; i < end; i++) {
			ctx_adopt(&small[i], "small", &state->small[i],
				  must(luo_restore(session,
						   TOKEN_IOMMUFD + i)));
			ctx_memory(&small[i], &group_mem[group]);
		}
	}
	report("small_retrieve_ms", "%llu", LL(now_ms() - start));

	kinds_session = take_memory("ctx-kinds", &kinds_mem);
	check_filled(&kinds_mem, "ctx-kinds");
	for (i = 0; i < KINDS; i++) {
		ctx_adopt(&kind[i], i ? "charged" : "devices", &state->kind[i],
			  must(luo_restore(kinds_session, TOKEN_IOMMUFD + i)));
		ctx_memory(&kind[i], &kinds_mem);
	}

	retriever_killed();
	big_session = take_memory("ctx-big", &big_mem);
	check_filled(&big_mem, "ctx-big");
	big = must(luo_restore(big_session, TOKEN_IOMMUFD));
}

static void bind_back(void)
{
	char bdf[PCI_BDF_LEN];
	uint64_t start;
	uint32_t id;

	must_fail(EBUSY, luo_finish(kinds_session));
	must_fail(EBUSY, luo_finish(big_session));
	/* Either may be first; the first makes the HWPT that both use. */
	check(ctx_rebind(&kind[KIND_DEVICES], state->kexecs & 1),
	      "another device ID");
	must_fail(EBUSY, luo_finish(kinds_session));
	check(ctx_rebind(&kind[KIND_DEVICES], !(state->kexecs & 1)),
	      "another device ID");

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	big_dev = must(vfio_open(bdf));
	start = now_ms();
	must(vfio_bind(big_dev, big, &id));
	report("big_bind_ms", "%llu", LL(now_ms() - start));
	check(id == state->big_dev, "device %u was %u", id, state->big_dev);
}

static void verify(unsigned int nr)
{
	unsigned int group, controls = 0;
	uint64_t start;

	take_back();
	check(state->kexecs == nr - 1, "the memory is of kexec %u",
	      state->kexecs);
	check_contexts(false);
	/* Nothing would have been found if nothing could be. */
	for (group = 0; group < GROUPS; group++) {
		struct ctx *ctx = &small[rng_below(&state->rng, SMALL)];

		controls += ctx_control(ctx, true, &state->rng);
	}
	bind_back();
	check_contexts(true);
	controls += ctx_control(&kind[KIND_DEVICES], true, &state->rng);
	check_big_bound();
	check_big_dma(5);
	state->kexecs = nr;

	start = now_ms();
	for (group = 0; group < GROUPS; group++) {
		must(luo_finish(group_session[group]));
		close(group_session[group]);
	}
	must(luo_finish(kinds_session));
	close(kinds_session);
	must(luo_finish(big_session));
	close(big_session);
	report("finish_ms", "%llu", LL(now_ms() - start));
	check_contexts(true);
	report("controls", "%u", controls);
	report("ids_identical", "true");
	report("maps_identical", "true");
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: contexts NUMBER");
	nr = atoi(argv[1]);
	background();
	if (nr)
		verify(nr);
	else
		setup();
	hand_over();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that each iommufd call takes, on the kernel it runs on.
 *
 * Under "qemu -icount shift=0" with one CPU the time stamp counter advances by
 * exactly one for each instruction; that is tried first, and nothing is
 * measured where it does not hold. What is timed is the call as a program
 * makes it, the C library's few instructions included.
 *
 * Standard output, one line for each case, timed call and repetition:
 *	sample MODE CASE CALL CALLS MIN MEDIAN SUM
 * MODE is plain, extra (one more system call in each timed call, a control)
 * or preserved (the iommufd is preserved in a live update session; only where
 * the kernel can do that).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/memfd.h>

#include "guest.h"

#define HANDOVER	"/sys/kernel/iommu_handover"
#define CALLS_MAX	2000
#define REPEATS		5
#define IOVA		0x10000000ULL
#define SMALL		GUEST_PAGE
#define LARGE		(2ULL << 20)

#define NIC_VENDOR	0x8086
#define NIC_82576	0x10c9

/**
 * struct mode - how the calls are made
 * @name: for the output
 * @extra: make one more system call in each timed one
 * @preserve: preserve the iommufd in a session first
 * @divide: calls and repetitions are divided by it
 */
struct mode {
	const char *name;
	bool extra;
	bool preserve;
	unsigned int divide;
};

/** struct call - one timed call of a case: its name and the last figures */
struct call {
	const char *name;
	uint64_t ticks[CALLS_MAX];
};

static const struct mode *mode;
static uint64_t overhead;
static struct call first, second;

static inline uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* Time @code and store it as number @i of @call, except the warm-up's. */
#define TIMED(call, i, warm, code) do {					\
	uint64_t start_ = now(), took_;					\
									\
	must(code);							\
	if (mode->extra)						\
		syscall(SYS_getppid);					\
	took_ = now() - start_ - overhead;				\
	if ((i) >= (warm))						\
		(call)->ticks[(i) - (warm)] = took_;			\
} while (0)

/* The least of some tries, so that no timer interrupt is in it. */
#define LEAST(code) ({							\
	uint64_t least_ = UINT64_MAX;					\
									\
	for (int try_ = 0; try_ < 16; try_++) {				\
		uint64_t start_ = now(), took_;				\
									\
		code;							\
		took_ = now() - start_;					\
		if (took_ < least_)					\
			least_ = took_;					\
	}								\
	least_;								\
})

/* Whether the counter counts instructions; finds out what reading it takes. */
static void calibrate(void)
{
	uint64_t nops, loop;

	overhead = LEAST(asm volatile("" : : : "memory"));
	nops = LEAST(asm volatile(".rept 1000\n\tnop\n\t.endr" : : : "memory"));
	loop = LEAST(asm volatile("mov $100000, %%ecx\n"
				  "1:\tdec %%ecx\n\tjnz 1b"
				  : : : "ecx", "cc", "memory"));
	check(nops - overhead == 1000 && loop - overhead == 200001,
	      "the time stamp counter does not count instructions: 1000 of them are %llu, 200001 are %llu",
	      (unsigned long long)(nops - overhead),
	      (unsigned long long)(loop - overhead));
	printf("counter exact overhead %llu\n", (unsigned long long)overhead);
}

static int ascending(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void print_call(const char *name, struct call *call, unsigned int calls)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < calls; i++)
		sum += call->ticks[i];
	qsort(call->ticks, calls, sizeof(call->ticks[0]), ascending);
	printf("sample %s %s %s %u %llu %llu %llu\n", mode->name, name,
	       call->name, calls, (unsigned long long)call->ticks[0],
	       (unsigned long long)call->ticks[calls / 2],
	       (unsigned long long)sum);
	fflush(stdout);
}

/**
 * struct run - what all cases are about
 * @fd: an iommufd
 * @mem: memory to map
 * @huge: a memfd of one huge page: what a map of it takes does not depend on
 *	how its pages lie, which is another at every boot
 * @ioas: the IOAS under test
 * @other: a second one
 * @object: made by one call, destroyed by the next
 */
struct run {
	int fd;
	const struct memory *mem;
	int huge;
	uint32_t ioas;
	uint32_t other;
	uint32_t object;
};

static int map(struct run *run, uint64_t length)
{
	int memfd = length == LARGE ? run->huge : run->mem->fd;
	uint64_t iova = IOVA;

	return ioas_map_file(run->fd, run->ioas, memfd, 0, length, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static int map_user(struct run *run)
{
	uint64_t iova = IOVA;

	return ioas_map(run->fd, run->ioas, run->mem->va, SMALL, &iova,
			IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static int unmap(struct run *run, uint32_t ioas, uint64_t length)
{
	return ioas_unmap(run->fd, ioas, IOVA, length, NULL);
}

static int copy(struct run *run)
{
	uint64_t iova = IOVA;

	return ioas_copy(run->fd, run->other, &iova, run->ioas, IOVA, SMALL,
			 IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static int ranges(struct run *run)
{
	struct iommu_iova_range range[16];
	uint32_t nr = ARRAY_SIZE(range);
	uint64_t align;

	return ioas_ranges(run->fd, run->ioas, range, &nr, &align);
}

enum what { MAP_SMALL, MAP_LARGE, MAP_USER, ALLOC, COPY, RANGES, NO_IOMMUFD };

static void once(struct run *run, enum what what, unsigned int i,
		 unsigned int warm)
{
	switch (what) {
	case MAP_SMALL:
		TIMED(&first, i, warm, map(run, SMALL));
		TIMED(&second, i, warm, unmap(run, run->ioas, SMALL));
		break;
	case MAP_LARGE:
		TIMED(&first, i, warm, map(run, LARGE));
		TIMED(&second, i, warm, unmap(run, run->ioas, LARGE));
		break;
	case MAP_USER:
		TIMED(&first, i, warm, map_user(run));
		TIMED(&second, i, warm, unmap(run, run->ioas, SMALL));
		break;
	case ALLOC:
		TIMED(&first, i, warm, ioas_alloc(run->fd, &run->object));
		TIMED(&second, i, warm, iommufd_destroy(run->fd, run->object));
		break;
	case COPY:
		TIMED(&first, i, warm, copy(run));
		TIMED(&second, i, warm, unmap(run, run->other, SMALL));
		break;
	case RANGES:
		TIMED(&first, i, warm, ranges(run));
		break;
	case NO_IOMMUFD:
		TIMED(&first, i, warm, syscall(SYS_getppid));
		break;
	}
}

static void measure(const char *name, struct run *run, enum what what,
		    const char *call, const char *opposite, unsigned int calls)
{
	unsigned int repeats = REPEATS / mode->divide, repeat, i, warm;

	calls /= mode->divide;
	warm = calls / 4;
	first.name = call;
	second.name = opposite;
	for (repeat = 0; repeat < (repeats ? repeats : 1); repeat++) {
		for (i = 0; i < warm + calls; i++)
			once(run, what, i, warm);
		print_call(name, &first, calls);
		if (opposite)
			print_call(name, &second, calls);
	}
}

static int huge_memfd(void)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);

	if (fd < 0 || ftruncate(fd, LARGE) || fallocate(fd, 0, 0, LARGE))
		return -errno;
	return fd;
}

static void all_cases(const struct memory *mem, int huge, const char *bdf)
{
	struct run run = { .mem = mem, .huge = huge };
	uint32_t dev_id, pt_id;
	int session = -1, dev;

	run.fd = must(iommufd_open());
	must(ioas_alloc(run.fd, &run.ioas));
	must(ioas_alloc(run.fd, &run.other));
	if (mode->preserve) {
		session = must(luo_create("bench"));
		must(luo_preserve(session, mem->fd, 1));
		must(luo_preserve(session, run.fd, 2));
	}

	measure("none", &run, NO_IOMMUFD, "getppid", NULL, CALLS_MAX);
	measure("ioas", &run, ALLOC, "alloc", "destroy", CALLS_MAX);
	measure("ioas", &run, RANGES, "iova-ranges", NULL, CALLS_MAX);
	measure("bare-4K", &run, MAP_SMALL, "map", "unmap", CALLS_MAX);
	measure("bare-user", &run, MAP_USER, "map", "unmap", CALLS_MAX);
	measure("bare-2M", &run, MAP_LARGE, "map", "unmap", CALLS_MAX);
	must(map(&run, SMALL));
	measure("bare-4K", &run, COPY, "copy", "unmap-copy", CALLS_MAX);
	must(unmap(&run, run.ioas, SMALL));

	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, run.fd, &dev_id));
	pt_id = run.ioas;
	must(vfio_attach(dev, &pt_id));
	measure("hwpt-4K", &run, MAP_SMALL, "map", "unmap", CALLS_MAX);
	measure("hwpt-user", &run, MAP_USER, "map", "unmap", CALLS_MAX);
	measure("hwpt-2M", &run, MAP_LARGE, "map", "unmap", CALLS_MAX / 4);
	must(vfio_detach(dev));
	close(dev);
	if (session >= 0)
		close(session);
	close(run.fd);
}

int main(void)
{
	static const struct mode modes[] = {
		{ .name = "plain", .divide = 1 },
		{ .name = "extra", .divide = 10, .extra = true },
		{ .name = "preserved", .divide = 4, .preserve = true },
	};
	struct memory mem;
	char bdf[PCI_BDF_LEN];
	unsigned int i;
	int huge;

	calibrate();
	must(memory_create(&mem, "bench", SMALL));
	huge = must(huge_memfd());
	must(pci_find(NIC_VENDOR, NIC_82576, 0, bdf));
	must(vfio_claim(bdf));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		mode = &modes[i];
		if (mode->preserve && access(HANDOVER, F_OK))
			continue;
		all_cases(&mem, huge, bdf);
	}
	printf("all measured\n");
	return 0;
}

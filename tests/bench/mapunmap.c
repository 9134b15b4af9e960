// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one ioctl of an iommufd costs, in units of the time stamp counter.
 *
 * Under QEMU's -icount shift=0 that counter goes up by one for each guest
 * instruction, so the figures are instructions per call, user space's few
 * included. Each figure is the least of many rounds: what an interrupt adds is
 * not the call's. Prints "NAME INSTRUCTIONS" lines.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/iommufd.h>
#include "iommufd_test.h"

#define ROUNDS 40
#define CALLS 100
#define IOVA (1UL << 24)
#define MEMORY (2UL << 20)

static int iommufd, memfd;
static unsigned char *memory;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc; lfence"
		     : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint32_t new_ioas(void)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &cmd))
		fail("IOMMU_IOAS_ALLOC");
	return cmd.out_ioas_id;
}

static void map_file(uint32_t ioas, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.fd = memfd,
		.start = 0,
		.length = length,
		.iova = iova,
	};

	if (ioctl(iommufd, IOMMU_IOAS_MAP_FILE, &cmd))
		fail("IOMMU_IOAS_MAP_FILE");
}

static void map_user(uint32_t ioas, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)memory,
		.length = length,
		.iova = iova,
	};

	if (ioctl(iommufd, IOMMU_IOAS_MAP, &cmd))
		fail("IOMMU_IOAS_MAP");
}

static void unmap(uint32_t ioas, uint64_t iova, uint64_t length)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = length,
	};

	if (ioctl(iommufd, IOMMU_IOAS_UNMAP, &cmd))
		fail("IOMMU_IOAS_UNMAP");
}

static void attach_mock(uint32_t ioas)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = ioas,
	};

	if (ioctl(iommufd, IOMMU_TEST_CMD, &cmd))
		fail("IOMMU_TEST_OP_MOCK_DOMAIN");
}

typedef void (*map_fn)(uint32_t ioas, uint64_t iova, uint64_t length);

/* CALLS maps at different IOVAs, then as many unmaps. */
static void measure(const char *name, uint32_t ioas, map_fn map,
		    uint64_t length)
{
	uint64_t map_best = UINT64_MAX, unmap_best = UINT64_MAX;
	uint64_t start, middle, end;
	unsigned int round, call;

	for (round = 0; round < ROUNDS; round++) {
		start = now();
		for (call = 0; call < CALLS; call++)
			map(ioas, IOVA + call * MEMORY, length);
		middle = now();
		for (call = 0; call < CALLS; call++)
			unmap(ioas, IOVA + call * MEMORY, length);
		end = now();
		if (middle - start < map_best)
			map_best = middle - start;
		if (end - middle < unmap_best)
			unmap_best = end - middle;
	}
	printf("%s-map %llu\n", name,
	       (unsigned long long)(map_best / CALLS));
	printf("%s-unmap %llu\n", name,
	       (unsigned long long)(unmap_best / CALLS));
}

int main(void)
{
	uint32_t plain, attached;

	iommufd = open("/dev/iommu", O_RDWR);
	if (iommufd < 0)
		fail("/dev/iommu");
	memfd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0 || ftruncate(memfd, MEMORY))
		fail("memfd");
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, memfd, 0);
	if (memory == MAP_FAILED)
		fail("mmap");

	plain = new_ioas();
	measure("file-4k", plain, map_file, 4096);
	measure("user-4k", plain, map_user, 4096);
	attached = new_ioas();
	attach_mock(attached);
	measure("file-4k-mock", attached, map_file, 4096);
	measure("file-64k-mock", attached, map_file, 65536);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCALE_H
#define SCALE_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define SESSION		"scale"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define MAGIC		0x656c616373ULL

#define NIC_VENDOR	0x8086
#define NIC_82576	0x10c9

#define MEMORY_LEN	(64ULL << 20)
#define FIRST_IOVA	0x10000000ULL
/* Every other page, so that no two maps are neighbours. */
#define IOVA_STEP	(2 * GUEST_PAGE)

/* Maps that cross in kexec 1, 2 ...; the first is what the rest is taken off. */
static const uint32_t counts[] = { 1, 1000, 10000, 100000 };

/**
 * struct state - first page of the memory
 * @magic: MAGIC
 * @ioas: ID of the IOAS
 * @dev: ID of the device
 * @maps: maps in the IOAS
 * @bdf: address of the device
 */
struct state {
	uint64_t magic;
	uint32_t ioas;
	uint32_t dev;
	uint32_t maps;
	char bdf[PCI_BDF_LEN];
};

/* Instructions, or with scale.ns=1 nanoseconds of the guest's clock. */
static inline uint64_t now(void)
{
	static int64_t ns = -1;
	struct timespec time;
	uint32_t low, high;

	if (ns < 0)
		ns = boot_option("scale.ns=", 0);
	if (ns) {
		clock_gettime(CLOCK_MONOTONIC, &time);
		return time.tv_sec * 1000000000ULL + time.tv_nsec;
	}
	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void report_number(const char *key, int64_t value)
{
	report(key, "%lld", (long long)value);
}

static inline uint64_t iova_of(uint32_t map)
{
	return FIRST_IOVA + map * IOVA_STEP;
}

static inline int map_one(int iommufd, const struct state *state, int memfd,
			  uint32_t map)
{
	uint64_t iova = iova_of(map);

	return ioas_map_file(iommufd, state->ioas, memfd,
			     map * GUEST_PAGE % MEMORY_LEN, GUEST_PAGE, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

/* Map until there are @maps, preserve all and hold it until the jump. */
static inline void hand_over(int iommufd, const struct memory *mem,
			     uint32_t maps) __attribute__((noreturn));

static inline void hand_over(int iommufd, const struct memory *mem,
			     uint32_t maps)
{
	struct state *state = mem->va;
	int session;

	for (; state->maps < maps; state->maps++)
		must(map_one(iommufd, state, mem->fd, state->maps));
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem->fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	background_ready();
}

#endif /* SCALE_H */

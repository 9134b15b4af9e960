// SPDX-License-Identifier: GPL-2.0-only
/*
 * scale NUMBER - make one IOAS with the first number of maps and a device,
 *	NUMBER 0, or take it back after a kexec and add maps for the next
 * scale kexec ARGUMENT... - be kexec
 */
#include <time.h>

#include "scale.h"

#define NIC_VENDOR	0x8086
#define NIC_82576	0x10c9

#define MEMORY_LEN	(64ULL << 20)
#define FIRST_IOVA	0x10000000ULL
/* Every other page, so that no two maps are neighbours. */
#define IOVA_STEP	(2 * GUEST_PAGE)

const uint32_t counts[KEXECS] = { 1, 1000, 10000, 100000 };

uint64_t now(void)
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

void report_number(const char *key, int64_t value)
{
	report(key, "%lld", (long long)value);
}

uint64_t iova_of(uint32_t map)
{
	return FIRST_IOVA + map * IOVA_STEP;
}

int map_one(int iommufd, const struct state *state, int memfd, uint32_t map)
{
	uint64_t iova = iova_of(map);

	return ioas_map_file(iommufd, state->ioas, memfd,
			     map * GUEST_PAGE % MEMORY_LEN, GUEST_PAGE, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

/* Map until there are @maps, preserve all and hold it until the jump. */
static void hand_over(int iommufd, const struct memory *mem, uint32_t maps)
	__attribute__((noreturn));

static void hand_over(int iommufd, const struct memory *mem, uint32_t maps)
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

/* The device, and an IOAS without maps. Return: the iommufd */
static int setup(struct memory *mem)
{
	struct state *state;
	uint32_t pt_id;
	int fd, dev;

	must(memory_create(mem, SESSION, MEMORY_LEN));
	state = mem->va;
	state->magic = MAGIC;
	must(pci_find(NIC_VENDOR, NIC_82576, 0, state->bdf));
	must(vfio_claim(state->bdf));

	fd = must(iommufd_open());
	must(ioas_alloc(fd, &state->ioas));
	dev = must(vfio_open(state->bdf));
	must(vfio_bind(dev, fd, &state->dev));
	pt_id = state->ioas;
	must(vfio_attach(dev, &pt_id));
	return fd;
}

int main(int argc, char **argv)
{
	struct memory mem;
	unsigned int nr;
	int fd;

	if (argc > 1 && !strcmp(argv[1], "kexec"))
		return run_kexec(argc - 1, argv + 1);
	check(argc == 2, "usage: scale NUMBER | kexec ARGUMENT...");
	nr = atoi(argv[1]);
	if (nr) {
		fd = verify(nr, &mem);
	} else {
		background();
		fd = setup(&mem);
	}
	hand_over(fd, &mem, counts[nr < KEXECS ? nr : nr - 1]);
}

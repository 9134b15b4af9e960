// SPDX-License-Identifier: GPL-2.0-only
/*
 * beside NUMBER - NUMBER is 0 before the only kexec
 *
 * Each guest is one session. After the kexec the first is taken back by itself, since
 * with it is set up what all use; then pairs, whose guests come in turn or at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edu.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define TOKEN_DEVICE	3
#define IOVA		0x100000000ULL
#define MAPS		25600U
#define VMS		9
#define TURNS		100000000UL

/* What ran first may have run on a quieter host: in turn, at once, at once, in turn */
static const bool pair_at_once[] = { false, true, true, false };

/* What all CPUs did until now, in ticks: idle, or all. */
static unsigned long ticks(bool all)
{
	unsigned long did[7], sum = 0;
	FILE *file = fopen("/proc/stat", "r");

	check(file && fscanf(file, "cpu %lu %lu %lu %lu %lu %lu %lu", &did[0],
			     &did[1], &did[2], &did[3], &did[4], &did[5],
			     &did[6]) == 7, "/proc/stat");
	fclose(file);
	for (unsigned int i = 0; all && i < 7; i++)
		sum += did[i];
	return all ? sum : did[3] + did[4];
}

static void name_vm(unsigned int nth, char name[16])
{
	snprintf(name, 16, "vm-%u", nth);
}

/* The iommufd. */
static int map_memory(const char *name, struct memory *mem, uint32_t *ioas)
{
	int iommufd = must(iommufd_open());

	must(memory_create(mem, name, (uint64_t)MAPS * GUEST_PAGE));
	must(ioas_alloc(iommufd, ioas));
	for (uint64_t i = 0; i < MAPS; i++) {
		uint64_t iova = IOVA + 2 * i * GUEST_PAGE;

		must(ioas_map_file(iommufd, *ioas, mem->fd, i * GUEST_PAGE,
				   GUEST_PAGE, &iova,
				   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	}
	return iommufd;
}

static void build(unsigned int nth)
{
	int session, iommufd, dev;
	uint32_t ioas, id, hwpt;
	char bdf[PCI_BDF_LEN];
	struct memory mem;
	char name[16];

	name_vm(nth, name);
	iommufd = map_memory(name, &mem, &ioas);
	must(pci_find(EDU_VENDOR, EDU_DEVICE, nth, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	hwpt = ioas;
	must(vfio_attach(dev, &hwpt));
	must(vfio_bus_master(dev, true));
	session = must(luo_create(name));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	must(luo_preserve(session, dev, TOKEN_DEVICE));
}

/* All of it: FINISH waits for what is done behind. */
static void take_back(unsigned int nth)
{
	char name[16];
	int session;

	name_vm(nth, name);
	session = must(luo_retrieve(name));
	must(luo_restore(session, TOKEN_MEMORY));
	must(luo_restore(session, TOKEN_IOMMUFD));
	must(luo_restore(session, TOKEN_DEVICE));
	must(luo_finish(session));
}

/* What user space does for the same, without a device: it waits for others in the kernel. */
static void map_own(unsigned int nth)
{
	struct memory mem;
	char name[16];
	uint32_t ioas;

	name_vm(nth, name);
	map_memory(name, &mem, &ioas);
}

/* What two CPUs of this host are worth: it shares nothing. */
static void spin(unsigned int nth)
{
	for (volatile unsigned long turn = 0; turn < TURNS; turn++)
		;
}

/* In a process that keeps what it took until the machine goes. */
static pid_t start(void (*work)(unsigned int nth), unsigned int nth, int done)
{
	pid_t pid = fork();

	check(pid >= 0, "fork: %s", strerror(errno));
	if (pid)
		return pid;
	work(nth);
	check(write(done, "", 1) == 1, "write: %s", strerror(errno));
	pause();
	_exit(0);
}

static uint64_t pair(void (*work)(unsigned int nth), unsigned int nth,
		     bool at_once)
{
	uint64_t begin = now_us();
	int done[2];
	char byte;

	check(!pipe(done), "pipe: %s", strerror(errno));
	for (unsigned int i = 0; i < 2; i++) {
		start(work, nth + i, done[1]);
		if (!at_once)
			check(read(done[0], &byte, 1) == 1, "a process ended");
	}
	/* Ends without it when both processes are gone */
	close(done[1]);
	for (unsigned int i = 0; at_once && i < 2; i++)
		check(read(done[0], &byte, 1) == 1, "a process ended");
	close(done[0]);
	return now_us() - begin;
}

static void measure(const char *name, void (*work)(unsigned int nth))
{
	unsigned long idle[2] = { 0, 0 }, all[2] = { 0, 0 };
	uint64_t us[2] = { 0, 0 };
	char key[64];

	for (unsigned int i = 0; i < 4; i++) {
		bool at_once = pair_at_once[i];

		idle[at_once] -= ticks(false);
		all[at_once] -= ticks(true);
		us[at_once] += pair(work, 1 + 2 * i, at_once);
		idle[at_once] += ticks(false);
		all[at_once] += ticks(true);
	}
	for (unsigned int at_once = 0; at_once < 2; at_once++) {
		const char *how = at_once ? "at_once" : "in_turn";

		snprintf(key, sizeof(key), "%s_%s_us", name, how);
		report(key, "%llu", (unsigned long long)us[at_once]);
		snprintf(key, sizeof(key), "%s_%s_busy", name, how);
		report(key, "%.2f", 1 - (double)idle[at_once] / all[at_once]);
	}
}

int main(int argc, char **argv)
{
	check(argc == 2, "usage: %s NUMBER", argv[0]);
	background();
	if (!atoi(argv[1])) {
		for (unsigned int i = 0; i < VMS; i++)
			build(i);
		background_ready();
	}
	report("vms", "%u", VMS);
	report("maps", "%u", MAPS);
	take_back(0);
	measure("retrieve", take_back);
	measure("own", map_own);
	measure("spin", spin);
	background_ready();
}

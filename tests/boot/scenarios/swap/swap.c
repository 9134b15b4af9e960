// SPDX-License-Identifier: GPL-2.0-only
/* swap NUMBER - NUMBER is 0 before the first kexec */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <unistd.h>

#include "edu.h"

#define SESSION		"swap"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define TOKEN_DEVICE	3
#define PAGES		8192U
#define LEN		(PAGES * GUEST_PAGE)
#define IOVA		0x100000000ULL
/* Below these pages a CPU has written; the device writes some of the others. */
#define WRITTEN		(PAGES / 2)
#define COPIES		8U
#define CGROUP		"/sys/fs/cgroup"
#define SWAP		"/dev/ram0"
/* Pages that the kernel need not find: those of lists that are not drained */
#define SLACK		(PAGES / 16)

static unsigned int number;	/* of the kexec */
static unsigned int kernels;	/* in so many the device has written */
static int session, iommufd, device;
static struct memory mem, control;
static uint32_t ioas;

static uint64_t word(unsigned int page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ULL;
}

/* The device copies there, and from there, in the kernel of that number. */
static unsigned int copy_to(unsigned int nth, unsigned int kernel)
{
	return WRITTEN + 1 + 16 * (nth + COPIES * kernel);
}

static unsigned int copy_from(unsigned int nth, unsigned int kernel)
{
	return 3 + 5 * nth + 100 * kernel;
}

static uint64_t *at(const struct memory *m, unsigned int page)
{
	return (uint64_t *)((char *)m->va + page * GUEST_PAGE);
}

static uint64_t expected(unsigned int page)
{
	if (page < WRITTEN)
		return word(page);
	for (unsigned int kernel = 0; kernel < kernels; kernel++)
		for (unsigned int i = 0; i < COPIES; i++)
			if (copy_to(i, kernel) == page)
				return word(copy_from(i, kernel));
	return 0;
}

static void compare(unsigned int first, unsigned int end)
{
	for (unsigned int page = first; page < end; page++)
		check(*at(&mem, page) == expected(page),
		      "page %u has %#llx, not %#llx", page,
		      (unsigned long long)*at(&mem, page),
		      (unsigned long long)expected(page));
}

/* Pages of it that are in memory. */
static unsigned int resident(const struct memory *m)
{
	static unsigned char in[PAGES];
	unsigned int pages = 0;

	check(!mincore(m->va, LEN, in), "mincore: %s", strerror(errno));
	for (unsigned int i = 0; i < PAGES; i++)
		pages += in[i] & 1;
	return pages;
}

static void touch(const struct memory *m)
{
	for (unsigned int page = 0; page < PAGES; page++)
		*at(m, page) = word(page);
}

/*
 * Reclaim all that can be: the control goes. A page that is mapped is looked at twice,
 * for whether it was used.
 */
static void reclaim(const char *when, bool stays)
{
	unsigned int left, here, tries = 0;

	touch(&control);
	do {
		int err = write_text(CGROUP "/memory.reclaim", "1G");

		check(!err || err == -EAGAIN, "memory.reclaim: %s",
		      strerror(-err));
		left = resident(&control);
		here = resident(&mem);
	} while ((left > SLACK || (!stays && here > SLACK)) && ++tries < 20);
	say("%s: %u pages of %u are in memory, of the control %u", when, here,
	    PAGES, left);
	check(left <= SLACK, "%s: %u pages of the control were not reclaimed",
	      when, left);
	check(stays ? here == PAGES : here <= SLACK,
	      "%s: %u pages of %u are in memory", when, here, PAGES);
	report("reclaims[]", "%u", here);
}

/* swapon(8), and mkswap before it, of which the kernel asks this much. */
static void swap_on(void)
{
	static char page[GUEST_PAGE];
	uint32_t *info = (uint32_t *)(page + 1024);
	FILE *disk = fopen(SWAP, "r+");

	check(disk, SWAP ": %s", strerror(errno));
	info[0] = 1;	/* version */
	info[1] = (512 << 20) / GUEST_PAGE - 1;
	memcpy(page + sizeof(page) - 10, "SWAPSPACE2", 10);
	check(fwrite(page, sizeof(page), 1, disk) == 1 && !fclose(disk),
	      SWAP ": %s", strerror(errno));
	check(!swapon(SWAP, 0), "swapon: %s", strerror(errno));
	check(!mount("none", CGROUP, "cgroup2", 0, NULL) || errno == EBUSY,
	      "cgroup2: %s", strerror(errno));
}

static void map(void)
{
	uint64_t iova = IOVA;

	must(ioas_map_file(iommufd, ioas, mem.fd, 0, LEN, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
}

static void let_device_write(void)
{
	struct edu edu;

	must(edu_open(&edu, device));
	for (unsigned int i = 0; i < COPIES; i++)
		must(edu_copy(&edu, IOVA + copy_to(i, number) * GUEST_PAGE,
			      IOVA + copy_from(i, number) * GUEST_PAGE,
			      GUEST_PAGE));
	kernels = number + 1;
	edu_close(&edu);
	must(vfio_bus_master(device, true));
}

static void make_new(void)
{
	uint32_t id, hwpt;
	char bdf[PCI_BDF_LEN];
	unsigned int sum = 0;

	must(memory_create(&mem, SESSION, LEN));
	for (unsigned int page = 0; page < WRITTEN; page++)
		*at(&mem, page) = word(page);
	/* Not written, but there: as a guest's that it has looked at */
	for (unsigned int page = WRITTEN; page < PAGES; page++)
		sum += *(volatile uint64_t *)at(&mem, page);
	check(!sum, "new pages are not zero");
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	map();
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	device = must(vfio_open(bdf));
	must(vfio_bind(device, iommufd, &id));
	hwpt = ioas;
	must(vfio_attach(device, &hwpt));
	let_device_write();
	reclaim("mapped", true);
}

static void take_back(void)
{
	session = must(luo_retrieve(SESSION));
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	compare(0, PAGES);
	reclaim("retrieved", true);
	iommufd = must(luo_restore(session, TOKEN_IOMMUFD));
	device = must(luo_restore(session, TOKEN_DEVICE));
	/* The first object of an iommufd */
	ioas = 1;
	reclaim("mapped again", true);
	compare(0, PAGES);
	let_device_write();
	must(luo_finish(session));
	close(session);
	reclaim("finished", true);
	compare(0, PAGES);

	must(ioas_unmap(iommufd, ioas, IOVA, LEN, NULL));
	reclaim("unmapped", false);
	compare(0, PAGES);
	reclaim("unmapped again", false);
}

int main(int argc, char **argv)
{
	check(argc == 2, "usage: swap NUMBER");
	number = kernels = atoi(argv[1]);
	background();
	swap_on();
	must(memory_create(&control, "control", LEN));
	if (number)
		take_back();
	else
		make_new();
	/* From here on half of it is in swap, but for the first kernel's */
	compare(0, PAGES / 2);
	if (number == 1) {
		map();
		check(resident(&mem) == PAGES, "mapped, and not all in memory");
	}
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	check(resident(&mem) == PAGES, "preserved, and not all in memory");
	if (number > 1)
		map();
	compare(0, PAGES);
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	must(luo_preserve(session, device, TOKEN_DEVICE));
	reclaim("preserved", true);
	compare(0, PAGES);
	background_ready();
}

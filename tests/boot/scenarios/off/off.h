/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Three sessions. "off" has a memfd and an iommufd with a device attached,
 * "off-memory" a memfd alone, "off-left" one of each that nobody asks for.
 */
#ifndef OFF_H
#define OFF_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "edu.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define MEMORY_LEN	(1ULL << 20)
#define MAP_IOVA	0x123456000ULL
#define HANDOVER	"/sys/kernel/iommu_handover/"

/* The line that a file of the handover's directory holds must be @want. */
static inline void check_fact(const char *name, const char *want)
{
	char path[128], have[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), HANDOVER "%s", name);
	file = fopen(path, "r");
	check(file, "%s is not there", path);
	check(fgets(have, sizeof(have), file), "%s is empty", path);
	fclose(file);
	have[strcspn(have, "\n")] = '\0';
	check(!strcmp(have, want), "%s is \"%s\", not \"%s\"", path, have,
	      want);
}

/* A memory file whose pages tell the kexec before which they were written. */
static inline void fill(struct memory *mem, uint64_t key)
{
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = key << 32 | i;
}

static inline void check_filled(const struct memory *mem, uint64_t key)
{
	const uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		check(word[i] == (key << 32 | i), "word %zu is 0x%llx", i,
		      (unsigned long long)word[i]);
}

/* Map all of @mem, attach the device and let it copy page 0 to page 1. */
static inline void use_device(int iommufd, int *dev, struct memory *mem)
{
	uint64_t iova = MAP_IOVA;
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, id, pt;
	struct edu edu;

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	*dev = must(vfio_open(bdf));
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem->fd, 0, mem->len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(vfio_bind(*dev, iommufd, &id));
	pt = ioas;
	must(vfio_attach(*dev, &pt));
	must(edu_open(&edu, *dev));
	memset((char *)mem->va + GUEST_PAGE, 0, GUEST_PAGE);
	must(edu_copy(&edu, iova + GUEST_PAGE, iova, GUEST_PAGE));
	check(!memcmp(mem->va, (char *)mem->va + GUEST_PAGE, GUEST_PAGE),
	      "the device copied something else");
	edu_close(&edu);
}

/* Before kexec @nr: make the three sessions and stay. */
static inline void hand_over(unsigned int nr) __attribute__((noreturn));

static inline void hand_over(unsigned int nr)
{
	struct memory mem[3];
	int session, iommufd, dev;
	uint32_t ioas;

	must(memory_create(&mem[0], "off", MEMORY_LEN));
	fill(&mem[0], nr);
	iommufd = must(iommufd_open());
	use_device(iommufd, &dev, &mem[0]);
	fill(&mem[0], nr);
	session = must(luo_create("off"));
	must(luo_preserve(session, mem[0].fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));

	must(memory_create(&mem[1], "off-memory", MEMORY_LEN));
	fill(&mem[1], nr + 100);
	session = must(luo_create("off-memory"));
	must(luo_preserve(session, mem[1].fd, TOKEN_MEMORY));

	must(memory_create(&mem[2], "off-left", MEMORY_LEN));
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	session = must(luo_create("off-left"));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	must(luo_preserve(session, mem[2].fd, TOKEN_MEMORY));
	check_fact("state", "open");
	check_fact("contexts", "2");
	background_ready();
}

#endif /* OFF_H */

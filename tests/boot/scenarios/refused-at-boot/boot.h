/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session with a memfd and an iommufd with a device attached, handed over
 * again and again; its memory tells which kexec it was for.
 */
#ifndef BOOT_H
#define BOOT_H

#include "edu.h"
#include "handover.h"
#include "tally.h"

#define SESSION		"boot"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define MEMORY_LEN	(1ULL << 20)
#define MAP_IOVA	0x123456000ULL

/* The first page is copied to the second by the device. */
struct note {
	uint32_t kexec;
	struct tally sum;
};

static inline void copy_page(int dev, struct memory *mem)
{
	struct edu edu;

	memset((char *)mem->va + GUEST_PAGE, 0, GUEST_PAGE);
	must(edu_open(&edu, dev));
	must(edu_copy(&edu, MAP_IOVA + GUEST_PAGE, MAP_IOVA, GUEST_PAGE));
	check(!memcmp(mem->va, (char *)mem->va + GUEST_PAGE, GUEST_PAGE),
	      "the device copied something else");
	edu_close(&edu);
}

static inline int open_device(void)
{
	char bdf[PCI_BDF_LEN];

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	return must(vfio_open(bdf));
}

/* Before kexec @nr: a new iommufd for @mem, the device in it, and a session. */
static inline void __attribute__((noreturn)) hand_over(struct memory *mem,
						       unsigned int nr)
{
	struct note *note = mem->va;
	uint64_t iova = MAP_IOVA;
	int session, iommufd, dev;
	uint32_t ioas, id, pt;

	note->kexec = nr;
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem->fd, 0, mem->len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	dev = open_device();
	must(vfio_bind(dev, iommufd, &id));
	pt = ioas;
	must(vfio_attach(dev, &pt));
	copy_page(dev, mem);
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem->fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	background_ready();
}

#endif /* BOOT_H */

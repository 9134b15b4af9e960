// SPDX-License-Identifier: GPL-2.0-only
/*
 * holder device - let the device copy a page, in an iommufd of its own
 * holder session [yes] - keep a session with a memfd, a device in use, and
 *	with "yes" their iommufd in the session as well
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "edu.h"

#define LEN	(1ULL << 20)
#define IOVA	0x123456000ULL

int main(int argc, char **argv)
{
	bool session = argc > 1 && !strcmp(argv[1], "session");
	uint64_t iova = IOVA;
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, id, pt;
	int iommufd, dev, s;
	struct memory mem;
	struct edu edu;

	if (session)
		background();
	must(memory_create(&mem, "aftermath", LEN));
	/* A page that no CPU has touched would be zeroed after the copy. */
	memset(mem.va, 0, LEN);
	memset(mem.va, 0xa5, GUEST_PAGE);
	iommufd = must(iommufd_open());
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem.fd, 0, LEN, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(vfio_bind(dev, iommufd, &id));
	pt = ioas;
	must(vfio_attach(dev, &pt));
	must(edu_open(&edu, dev));
	must(edu_copy(&edu, IOVA + GUEST_PAGE, IOVA, GUEST_PAGE));
	check(!memcmp(mem.va, (char *)mem.va + GUEST_PAGE, GUEST_PAGE),
	      "the device copied something else");
	if (!session) {
		edu_close(&edu);
		return 0;
	}
	s = must(luo_create("aftermath"));
	must(luo_preserve(s, mem.fd, 1));
	if (argc > 2)
		must(luo_preserve(s, iommufd, 2));
	background_ready();
}

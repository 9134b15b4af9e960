// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device copies from one half of a page to the other, by IOVAs alone. Exits with
 * 3 when it was not translated.
 */
#include <string.h>

#include "edu.h"

#define IOVA		(1ULL << 40)	/* no machine has memory there */
#define HALF		(GUEST_PAGE / 2)
#define LEN		64

int main(void)
{
	char bdf[PCI_BDF_LEN];
	uint64_t iova = IOVA;
	struct memory mem;
	uint32_t ioas, id;
	struct edu edu;
	int fd, dev;

	must(memory_create(&mem, "dma", GUEST_PAGE));
	memset(mem.va, 0x5a, LEN);
	fd = must(iommufd_open());
	must(ioas_alloc(fd, &ioas));
	must(ioas_map_file(fd, ioas, mem.fd, 0, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, fd, &id));
	id = ioas;
	must(vfio_attach(dev, &id));
	must(edu_open(&edu, dev));
	must(edu_copy(&edu, IOVA + HALF, IOVA, LEN));
	edu_close(&edu);
	return memcmp((char *)mem.va + HALF, mem.va, LEN) ? 3 : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/* A device writes where nothing is mapped. */
#include "edu.h"

#define IOVA		0x100000ULL
#define NOTHING		0x800000ULL

int main(void)
{
	char bdf[PCI_BDF_LEN];
	uint64_t iova = IOVA;
	struct memory mem;
	uint32_t ioas, id;
	struct edu edu;
	int fd, dev;

	must(memory_create(&mem, "dma", GUEST_PAGE));
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
	must(edu_copy(&edu, NOTHING, IOVA, 64));
	edu_close(&edu);
	return 0;
}

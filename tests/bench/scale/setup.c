// SPDX-License-Identifier: GPL-2.0-only
/* One IOAS with the first number of maps and a device. */
#include "scale.h"

int main(void)
{
	struct memory mem;
	struct state *state;
	uint32_t pt_id;
	int fd, dev;

	background();
	must(memory_create(&mem, SESSION, MEMORY_LEN));
	state = mem.va;
	state->magic = MAGIC;
	must(pci_find(NIC_VENDOR, NIC_82576, 0, state->bdf));
	must(vfio_claim(state->bdf));

	fd = must(iommufd_open());
	must(ioas_alloc(fd, &state->ioas));
	dev = must(vfio_open(state->bdf));
	must(vfio_bind(dev, fd, &state->dev));
	pt_id = state->ioas;
	must(vfio_attach(dev, &pt_id));
	hand_over(fd, &mem, counts[0]);
}

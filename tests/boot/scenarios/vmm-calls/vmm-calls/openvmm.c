// SPDX-License-Identifier: GPL-2.0-only
/*
 * OpenVMM with "--iommu" and cdev, after its crates vfio_assigned_device, vfio_sys
 * and membacking.
 *
 * One memfd for all guest memory, maps by file before the device is bound, and an
 * attach to the IOAS.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/vfio.h>

#include "vmm.h"

static const struct vmm_region layout[VMM_REGIONS] = {
	{ .gpa = 0, .len = VMM_LOW_LEN, .offset = 0 },
	{ .gpa = VMM_HIGH_GPA, .len = VMM_HIGH_LEN, .offset = VMM_LOW_LEN },
};

static void map_memory(struct vmm *vmm)
{
	int fd = vmm->ram[0].fd;
	unsigned int i;

	memcpy(vmm->ram, layout, sizeof(layout));
	for (i = 0; i < VMM_REGIONS; i++) {
		struct vmm_region *r = &vmm->ram[i];

		r->fd = fd;
		r->va = mmap(NULL, r->len, PROT_READ | PROT_WRITE, MAP_SHARED,
			     fd, r->offset);
		check(r->va != MAP_FAILED, "mmap: %s", strerror(errno));
	}
}

static void map_all(struct vmm *vmm, uint32_t ioas, int err)
{
	unsigned int i;

	for (i = 0; i < VMM_REGIONS; i++) {
		const struct vmm_region *r = &vmm->ram[i];
		uint64_t iova = r->gpa;

		vmm_call(vmm, i ? "IOAS_MAP_FILE of high memory" :
			 "IOAS_MAP_FILE of low memory", err,
			 ioas_map_file(vmm->iommufd, ioas, r->fd, r->offset,
				       r->len, &iova,
				       IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	}
}

static void attach(struct vmm *vmm)
{
	uint32_t pt = vmm->state->ioas;

	vmm_call(vmm, "ATTACH to the IOAS", 0, vfio_attach(vmm->dev, &pt));
	vmm->state->hwpt = pt;
}

/* All of it is the same call by call when there is a past and when there is none. */
static void prepare(struct vmm *vmm)
{
	/* Whoever starts it opens both */
	vmm->iommufd = vmm_call(vmm, "open /dev/iommu", 0, iommufd_open());
	vmm->dev = vmm_call(vmm, "open /dev/vfio/devices/vfioN", 0,
			    vfio_open(vmm->state->bdf));
	vmm_call(vmm, "IOAS_ALLOC", 0, ioas_alloc(vmm->iommufd,
						  &vmm->state->ioas));
	map_all(vmm, vmm->state->ioas, 0);
	vmm_call(vmm, "BIND", 0, vfio_bind(vmm->dev, vmm->iommufd,
					   &vmm->state->dev_id));
	attach(vmm);
}

static void build(struct vmm *vmm)
{
	vmm->ram[0].fd = must(memfd_create("guest-ram", MFD_CLOEXEC));
	must(ftruncate(vmm->ram[0].fd, VMM_LOW_LEN + VMM_HIGH_LEN));
	map_memory(vmm);
	vmm_memory(vmm, true);
	must(nic_find(vmm->nth, vmm->state->bdf));
	must(vfio_claim(vmm->state->bdf));
	prepare(vmm);
	vmm_facts(vmm, true);
	vmm_bar(vmm);
	vmm_guest_boots(vmm);
}

static void restore(struct vmm *vmm)
{
	uint32_t hwpt = vmm->state->hwpt, ioas, id;

	/* As it is, when it is given what was retrieved */
	vmm_call(vmm, "IOAS_ALLOC in the retrieved iommufd", 0,
		 ioas_alloc(vmm->iommufd, &ioas));
	map_all(vmm, ioas, 0);
	vmm_call(vmm, "BIND of the retrieved device", EINVAL,
		 vfio_bind(vmm->dev, vmm->iommufd, &id));
	vmm_call(vmm, "DESTROY of that IOAS", 0,
		 iommufd_destroy(vmm->iommufd, ioas));
	check(vmm_arrives(vmm), "the device has stopped");

	/* As it could be: it knows the IOAS, and that the rest is done */
	map_all(vmm, vmm->state->ioas, EEXIST);
	attach(vmm);
	check(vmm->state->hwpt == hwpt, "HWPT %u is not %u", vmm->state->hwpt,
	      hwpt);
	vmm_facts(vmm, false);
	vmm_bar(vmm);
	vmm_guest_goes_on(vmm);
}

/* As it is, but for the interrupts: it connects them when the guest asks for it. */
static void rebuild(struct vmm *vmm)
{
	must(vfio_claim(vmm->state->bdf));
	prepare(vmm);
	vmm_facts(vmm, false);
	vmm_bar(vmm);
	vmm_guest_goes_on(vmm);
}

const struct vmm_ops openvmm = {
	.build = build,
	.map_memory = map_memory,
	.restore = restore,
	.rebuild = rebuild,
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cloud Hypervisor with "platform iommufd=on", after its device manager, its
 * memory manager and the crates vfio-ioctls and iommufd-ioctls.
 *
 * A memfd for each range of guest memory, maps by address, and the device is
 * attached to the IOAS before anything is mapped.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "handover.h"
#include "vmm.h"

static const struct vmm_region layout[VMM_REGIONS] = {
	{ .gpa = 0, .len = VMM_LOW_LEN },
	{ .gpa = VMM_HIGH_GPA, .len = VMM_HIGH_LEN },
};

/* Memory with "shared=on": MAP_SHARED of a memfd that can never be sealed. */
static void make_memory(struct vmm *vmm)
{
	unsigned int i;

	memcpy(vmm->ram, layout, sizeof(layout));
	for (i = 0; i < VMM_REGIONS; i++) {
		vmm->ram[i].fd = must(memfd_create("ch_ram", MFD_CLOEXEC));
		must(ftruncate(vmm->ram[i].fd, vmm->ram[i].len));
	}
}

static void map_memory(struct vmm *vmm)
{
	unsigned int i;

	for (i = 0; i < VMM_REGIONS; i++) {
		struct vmm_region *r = &vmm->ram[i];

		r->gpa = layout[i].gpa;
		r->len = layout[i].len;
		r->va = mmap(NULL, r->len, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_NORESERVE, r->fd, r->offset);
		check(r->va != MAP_FAILED, "mmap: %s", strerror(errno));
	}
}

static int map_one(struct vmm *vmm, uint32_t ioas, const struct vmm_region *r)
{
	uint64_t iova = r->gpa;

	return ioas_map(vmm->iommufd, ioas, r->va, r->len, &iova,
			IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static void map_all(struct vmm *vmm, uint32_t ioas, int err)
{
	unsigned int i;

	for (i = 0; i < VMM_REGIONS; i++)
		vmm_call(vmm, i ? "IOAS_MAP of high memory by address" :
			 "IOAS_MAP of low memory by address", err,
			 map_one(vmm, ioas, &vmm->ram[i]));
}

static void new_iommufd(struct vmm *vmm)
{
	vmm->iommufd = vmm_call(vmm, "open /dev/iommu", 0, iommufd_open());
	vmm_call(vmm, "IOAS_ALLOC", 0, ioas_alloc(vmm->iommufd,
						  &vmm->state->ioas));
}

static void new_device(struct vmm *vmm)
{
	vmm->dev = vmm_call(vmm, "open /dev/vfio/devices/vfioN", 0,
			    vfio_open(vmm->state->bdf));
	vmm_call(vmm, "BIND", 0, vfio_bind(vmm->dev, vmm->iommufd,
					   &vmm->state->dev_id));
}

static int attach(struct vmm *vmm, uint32_t ioas)
{
	uint32_t pt = ioas;
	int err = vfio_attach(vmm->dev, &pt);

	if (!err)
		vmm->state->hwpt = pt;
	return err;
}

/* ---- memory that cannot cross ------------------------------------------------ */

/* "shared=off", the default: private anonymous memory. */
static void private_memory(struct vmm *vmm)
{
	char sentence[SENTENCE_LEN];
	uint32_t ioas, id, pt;
	uint64_t iova = 0;
	int session, fd, dev, handover, err;
	void *va;

	va = mmap(NULL, VMM_LOW_LEN, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(va != MAP_FAILED, "mmap: %s", strerror(errno));
	fd = must(iommufd_open());
	must(ioas_alloc(fd, &ioas));
	dev = must(vfio_open(vmm->state->bdf));
	must(vfio_bind(dev, fd, &id));
	pt = ioas;
	must(vfio_attach(dev, &pt));
	must(ioas_map(fd, ioas, va, VMM_LOW_LEN, &iova,
		      IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	session = must(luo_create("private"));
	must(luo_preserve(session, fd, VMM_TOKEN_IOMMUFD));
	handover = must(handover_open());
	err = handover_check(handover, sentence);
	say("%s, shared=off: the load would say: %s", vmm->name, sentence);
	vmm_call(vmm, "SNAPSHOT with shared=off", EOPNOTSUPP, err);
	check(strstr(sentence, "is not a shared mapping of a memfd"),
	      "another sentence");
	close(session);
	close(handover);
	close(dev);
	close(fd);
	munmap(va, VMM_LOW_LEN);
}

/* "hugepages=on" */
static void huge_memory(struct vmm *vmm)
{
	int fd = must(memfd_create("ch_ram", MFD_CLOEXEC | MFD_HUGETLB));
	int session = must(luo_create("huge"));

	must(ftruncate(fd, 2 << 20));
	vmm_call(vmm, "PRESERVE_FD with hugepages=on", ENOENT,
		 luo_preserve(session, fd, VMM_TOKEN_MEMORY));
	close(session);
	close(fd);
}

/* ---- before ----------------------------------------------------------------- */

static void build(struct vmm *vmm)
{
	make_memory(vmm);
	map_memory(vmm);
	vmm_memory(vmm, true);
	must(nic_find(vmm->nth, vmm->state->bdf));
	must(vfio_claim(vmm->state->bdf));
	private_memory(vmm);
	huge_memory(vmm);

	new_iommufd(vmm);
	new_device(vmm);
	vmm_call(vmm, "ATTACH to the IOAS, which is empty", 0,
		 attach(vmm, vmm->state->ioas));
	map_all(vmm, vmm->state->ioas, 0);
	vmm_facts(vmm, true);
	vmm_bar(vmm);
	vmm_guest_boots(vmm);
}

/* ---- after: restore with vfio_fds and iommufd_fd ------------------------------ */

/* PCI_COMMAND and interrupts, as it does for a device that it restores. */
static void sync_device(struct vmm *vmm)
{
	vmm_facts(vmm, false);
	vmm_call(vmm, "PCI_COMMAND as it was", 0,
		 vfio_config_write(vmm->dev, PCI_COMMAND, &vmm->state->command,
				   sizeof(vmm->state->command)));
	vmm_bar(vmm);
	vmm_guest_goes_on(vmm);
}

static void restore(struct vmm *vmm)
{
	uint32_t hwpt = vmm->state->hwpt, ioas, id;

	/* As it is: a new IOAS in the iommufd, and the device is bound once more */
	vmm_call(vmm, "IOAS_ALLOC in the retrieved iommufd", 0,
		 ioas_alloc(vmm->iommufd, &ioas));
	vmm_call(vmm, "BIND of the retrieved device", EINVAL,
		 vfio_bind(vmm->dev, vmm->iommufd, &id));
	vmm_call(vmm, "DESTROY of that IOAS", 0,
		 iommufd_destroy(vmm->iommufd, ioas));
	check(vmm_arrives(vmm), "the device has stopped");

	/* As it could be: the IOAS by its ID, a device that is known to be bound */
	vmm_call(vmm, "ATTACH to the old IOAS", 0, attach(vmm, vmm->state->ioas));
	check(vmm->state->hwpt == hwpt, "HWPT %u is not %u", vmm->state->hwpt,
	      hwpt);
	map_all(vmm, vmm->state->ioas, EEXIST);
	sync_device(vmm);
}

/* ---- after: with nothing but memory ------------------------------------------- */

static void rebuild(struct vmm *vmm)
{
	must(vfio_claim(vmm->state->bdf));
	new_iommufd(vmm);
	new_device(vmm);
	/* As it is */
	vmm_call(vmm, "ATTACH to the IOAS, which is empty", EBADMSG,
		 attach(vmm, vmm->state->ioas));
	check(vmm_arrives(vmm), "the device has stopped");
	/* As it could be: the same calls, the attach last */
	map_all(vmm, vmm->state->ioas, 0);
	vmm_call(vmm, "ATTACH to the IOAS", 0, attach(vmm, vmm->state->ioas));
	sync_device(vmm);
}

const struct vmm_ops cloud_hypervisor = {
	.build = build,
	.map_memory = map_memory,
	.restore = restore,
	.rebuild = rebuild,
};

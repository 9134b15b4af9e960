// SPDX-License-Identifier: GPL-2.0-only
/*
 * usable NUMBER - NUMBER is 0 before the only kexec
 *
 * Four guests that differ in their memory, or in how it is mapped. Each is taken back
 * in turn, up to a device that can be used; then all are waited for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handover.h"
#include "igb.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define TOKEN_DEVICE	3
#define IOVA		0x100000000ULL
#define STATUS		8	/* 82576: device status register */
#define SHMEM_HUGE	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

struct vm {
	const char *name;
	uint64_t len;
	const char *huge;
	uint32_t maps;
	/* after the kexec: when each was back, in us */
	uint64_t memory, iommufd, device, used, done;
	int session;
};

static struct vm vms[] = {
	{ .name = "small", .len = 1ULL << 20, .huge = "never", .maps = 1 },
	{ .name = "large", .len = 2ULL << 30, .huge = "never", .maps = 1 },
	{ .name = "huge", .len = 2ULL << 30, .huge = "always", .maps = 1 },
	/* Each page is mapped hundreds of times */
	{ .name = "maps", .len = 1ULL << 20, .huge = "never", .maps = 100000 },
};

#define VMS	(sizeof(vms) / sizeof(vms[0]))

static void build(struct vm *vm, unsigned int nth)
{
	int session, iommufd, dev;
	uint64_t len = vm->maps == 1 ? vm->len : GUEST_PAGE;
	uint32_t ioas, id, hwpt;
	char bdf[PCI_BDF_LEN];
	struct memory mem;

	must(write_text(SHMEM_HUGE, vm->huge));
	must(memory_create(&mem, vm->name, vm->len));
	must(pci_find(IGB_VENDOR, IGB_DEVICE, nth, bdf));
	must(vfio_claim(bdf));
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	for (uint32_t i = 0; i < vm->maps; i++) {
		uint64_t iova = IOVA + 2 * i * len;

		must(ioas_map_file(iommufd, ioas, mem.fd, i * len % vm->len, len,
				   &iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	}
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	hwpt = ioas;
	must(vfio_attach(dev, &hwpt));
	must(vfio_bus_master(dev, true));
	session = must(luo_create(vm->name));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	must(luo_preserve(session, dev, TOKEN_DEVICE));
}

static void take_back(struct vm *vm)
{
	uint64_t begin = now_us();
	struct controller igb = { 0 };
	int dev;

	vm->session = must(luo_retrieve(vm->name));
	must(luo_restore(vm->session, TOKEN_MEMORY));
	vm->memory = now_us() - begin;
	must(luo_restore(vm->session, TOKEN_IOMMUFD));
	vm->iommufd = now_us() - begin;
	dev = must(luo_restore(vm->session, TOKEN_DEVICE));
	vm->device = now_us() - begin;
	must(controller_resume(&igb, dev));
	check(*(volatile uint32_t *)((uint8_t *)igb.bar.va + STATUS) != ~0U,
	      "%s: the device does not answer", vm->name);
	vm->used = now_us() - begin;
	must(luo_finish(vm->session));
	vm->done = now_us() - begin;
}

static void tell(const struct vm *vm)
{
	char key[64];

	say("%-6s usable after %llu us: memory %llu, iommufd %llu, device %llu, registers %llu; complete after %llu us",
	    vm->name, (unsigned long long)vm->used,
	    (unsigned long long)vm->memory,
	    (unsigned long long)(vm->iommufd - vm->memory),
	    (unsigned long long)(vm->device - vm->iommufd),
	    (unsigned long long)(vm->used - vm->device),
	    (unsigned long long)vm->done);
	snprintf(key, sizeof(key), "usable_us_%s", vm->name);
	report(key, "%llu", (unsigned long long)vm->used);
	snprintf(key, sizeof(key), "usable_us_%s_device", vm->name);
	report(key, "%llu", (unsigned long long)(vm->used - vm->iommufd));
}

int main(int argc, char **argv)
{
	const struct vm *small = &vms[0], *large = &vms[1], *huge = &vms[2];
	const struct vm *maps = &vms[3];
	unsigned int i;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	background();
	if (!atoi(argv[1])) {
		for (i = 0; i < VMS; i++)
			build(&vms[i], i);
		background_ready();
	}
	for (i = 0; i < VMS; i++)
		take_back(&vms[i]);
	for (i = 0; i < VMS; i++)
		tell(&vms[i]);
	report("usable_ratio_large", "%.2f", (double)large->used / small->used);
	report("usable_ratio_huge", "%.2f", (double)huge->used / small->used);
	report("usable_ratio_maps", "%.2f", (double)maps->used / small->used);
	report("usable_ratio_device", "%.2f",
	       (double)(large->used - large->iommufd) /
	       (small->used - small->iommufd));
	/* Half as much again for the noise; the memory is 2048 times as much */
	check(large->used < small->used * 3 / 2 && huge->used < small->used * 3 / 2,
	      "it waited for its memory");
	check(maps->used < small->used * 3 / 2, "it waited for its maps");
	check(maps->done - maps->used > maps->used - maps->memory,
	      "nothing was left to be done for %u maps", maps->maps);
	check(large->done - large->used > large->used - large->iommufd,
	      "the device waited for its page table");
	background_ready();
}

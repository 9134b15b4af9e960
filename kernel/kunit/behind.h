/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is behind the devices of a KUnit test: the inherited page tables that its image
 * names, and what becomes of them.
 */
#ifndef __IOMMU_HANDOVER_KUNIT_BEHIND_H
#define __IOMMU_HANDOVER_KUNIT_BEHIND_H

#include <linux/iommu.h>

#include "fake-device.h"
#include "replay-fixture.h"

/* IOAS 1 is 16 and 8 pages; IOAS 2 is 16, of which 8 are shared, and 4. */
#define IOAS1_PAGES	24
#define BOTH_PAGES	(IOAS1_PAGES + 8 + 4)

/* For behind_remap(): what the maps of the world have. */
#define TREE_READ	(IOMMU_CACHE | IOMMU_READ)
#define TREE_RW		(TREE_READ | IOMMU_WRITE)

/**
 * struct behind - two devices, and two page tables of the last kernel
 * @old: domains whose page tables these are, by index of the table; NULL once another
 *	domain has the page table
 * @device: by index
 * @attached: how often a device was attached
 * @pt_id: to which HWPT last
 * @attach_err: attaching gives this
 * @taken: page tables that became those of HWPTs
 */
struct behind {
	struct iommu_domain *old[2];
	struct fake_device *device[2];
	u32 attached, pt_id;
	int attach_err;
	u32 taken;
};

/**
 * behind_new() - make devices and page tables, and let the image say so
 * @test: its priv is a struct replay that is not handed over yet
 * @levels0: of the first page table; what an HWPT of a fake device has is 3
 * @levels1: of the second
 *
 * The page tables map what the records of the world map.
 *
 * Return: what lives as long as @test; a failure ends it.
 */
struct behind *behind_new(struct kunit *test, u32 levels0, u32 levels1);

/* How the driver of a device attaches it: counted, with @attach_err. */
int behind_attach(void *data, u32 *pt_id);

/**
 * behind_bind() - what a vfio bind does: bind, then replay what waited for the device
 * @r: retrieved
 * @b: of the test
 * @i: index of the device
 * @idev: the bound device, for fake_device_unbind(), on success
 *
 * Return: 0, or an errno of the bind or of the replay.
 */
int behind_bind(struct replay *r, struct behind *b, int i,
		struct iommufd_device **idev);

/* The same; a failure ends the test. Its ID is free then, its HWPT is there. */
void behind_must_bind(struct kunit *test, struct replay *r, struct behind *b,
		      int i);

/* The HWPT of this ID, for iommufd_put_object(), or NULL. */
struct iommufd_hwpt_paging *behind_hwpt(struct iommufd_ctx *ictx, u32 id);

/* Nobody without CAP_IPC_LOCK may have more pages locked, until the test ends. */
void behind_limit_memlock(unsigned long pages);

/* Expect that no device came back, and everything of them is waited for. */
void behind_expect_pending(struct kunit *test, struct replay *r);

/**
 * behind_remap() - change a page in a page table
 * @test: a failure ends it
 * @domain: has the page table
 * @iova: of the page, which is unmapped if it was mapped
 * @pa: where it leads then
 * @prot: IOMMU_READ and so on; 0 for nowhere
 */
void behind_remap(struct kunit *test, struct iommu_domain *domain, u64 iova,
		  phys_addr_t pa, int prot);

#endif

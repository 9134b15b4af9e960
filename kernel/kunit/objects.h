/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What KUnit tests ask of the objects and the IDs of an iommufd.
 */
#ifndef __IOMMU_HANDOVER_KUNIT_OBJECTS_H
#define __IOMMU_HANDOVER_KUNIT_OBJECTS_H

#include "../iommufd/iommufd_private.h"

struct kunit;

/* Whether user space can use an object of this ID and @type. */
bool replay_is_there(struct iommufd_ctx *ictx, u32 id,
		     enum iommufd_object_type type);

/* The number of objects; reserved IDs are none. */
u32 replay_count_objects(struct iommufd_ctx *ictx);

/* Whether somebody holds this ID, with an object or without. */
bool replay_is_taken(struct iommufd_ctx *ictx, u32 id);

/* Whether this ID has no object and is kept for that of a record. */
bool replay_is_reserved(struct iommufd_ctx *ictx, u32 id);

/* Expect that the IDs of both devices and both HWPTs of the world are. */
void replay_expect_all_reserved(struct kunit *test, struct iommufd_ctx *ictx);

/**
 * replay_new_ioas() - make an IOAS as IOMMU_IOAS_ALLOC does
 * @ictx: has it until it is destroyed or closed
 *
 * Return: its ID, or the errno of iommufd_ioas_alloc().
 */
int replay_new_ioas(struct iommufd_ctx *ictx);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A handover for KUnit tests: the world of handover-world.h, and the image that
 * is built of it with the library's own builder.
 */
#ifndef __IOMMU_HANDOVER_KUNIT_H
#define __IOMMU_HANDOVER_KUNIT_H

#include "handover-world.h"

struct kunit;

/* A valid world with every kind of record. Lives as long as the test. */
struct world *world_new(struct kunit *test);

/* Write the streams of the world as it is now, and then its image. */
void world_streams(struct kunit *test, struct world *w);
void world_build(struct kunit *test, struct world *w);

#endif

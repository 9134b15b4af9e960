/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault injection for KUnit tests: an allocation of choice fails.
 */
#ifndef __IOMMU_HANDOVER_KUNIT_FAULTS_H
#define __IOMMU_HANDOVER_KUNIT_FAULTS_H

#include <linux/types.h>

struct kunit;

/* No test has so many places that can fail: a bound for its loop */
#define MAX_FAULTS	4000

/**
 * faults_begin() - let allocations fail that may wait, and print nothing of it
 * @test: until it ends; skipped when the kernel has no FAILSLAB, no
 *        IOMMUFD_TEST or no FAULT_INJECTION_DEBUG_FS
 */
void faults_begin(struct kunit *test);

/* Fail what is the @nth, from 1, that may fail in this task from here on. */
void faults_arm(u32 nth);

/* Fail nothing more. Return: whether it came to the fault that was armed. */
bool faults_disarm(void);

#endif

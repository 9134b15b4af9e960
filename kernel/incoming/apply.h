/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover, incoming side: records that are being applied.
 *
 * iommufd-kho-restore.c goes through them, apply.c makes what each says.
 */
#ifndef __IOMMU_HANDOVER_APPLY_H
#define __IOMMU_HANDOVER_APPLY_H

#include <linux/workqueue.h>

#include "replay.h"

struct kunit;

/* Maps that share pages: one set of pages over all that is left of them. */
struct group {
	u64 start, end;		/* bytes in the file */
	bool writable;
	struct iopt_pages *pages;
};

/**
 * struct apply - the records of a context are applied
 * @ictx: the context
 * @r: of the context
 * @fact: what the image says of the context
 * @plan: its records, once @group is there
 * @step: that is applied next
 * @more: @step is there
 * @group: share groups
 * @file: memfds of the session, by index of the memory; or why not, or NULL
 * @files: length of it
 * @work: applies them behind the file
 * @delay: before it tries again, jiffies
 * @mm: of who retrieved the iommufd, whose maps they are; counted by mm_count
 * @held: @mm may be used
 * @task: of who retrieved it
 * @cred: the same
 * @memcg: the same: pays
 * @test: KUnit test that retrieved it
 */
struct apply {
	struct iommufd_ctx *ictx;
	struct iommufd_replay *r;
	struct iho_context fact;
	struct iho_plan plan;
	struct iho_step step;
	bool more;
	struct group *group;
	struct file **file;
	u32 files;
	struct delayed_work work;
	unsigned long delay;
	struct mm_struct *mm;
	bool held;
	struct task_struct *task;
	const struct cred *cred;
	struct mem_cgroup *memcg;
	struct kunit *test;
};

/* Keep an ID for an object of the context. Return: 0, -EBUSY if it is taken, -ENOMEM. */
int handover_reserve_id(struct iommufd_ctx *ictx, u32 id);

/* What is left of each share group, before the first map of it is made. */
void handover_measure_groups(struct apply *a);

#endif

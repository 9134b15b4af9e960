// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection for KUnit tests, see faults.h.
 */
#include <kunit/test.h>
#include <linux/debugfs.h>
#include <linux/sched.h>

#include "faults.h"

/* A setting of fault injection; inside of the kernel it has no other name. */
static void *fault_setting(const char *attr, const char *name)
{
	struct dentry *dir, *file = NULL;
	void *value = NULL;

	dir = debugfs_lookup(attr, NULL);
	if (dir)
		file = debugfs_lookup(name, dir);
	if (file)
		value = d_inode(file)->i_private;
	dput(file);
	dput(dir);
	return value;
}

struct faults {
	bool *ignore_reclaim;
	unsigned long *verbose[2];
	bool old_ignore_reclaim;
	unsigned long old_verbose[2];
};

static void faults_end(void *priv)
{
	struct faults *f = priv;

	*f->ignore_reclaim = f->old_ignore_reclaim;
	for (int i = 0; i < 2; i++)
		*f->verbose[i] = f->old_verbose[i];
}

void faults_begin(struct kunit *test)
{
	struct faults *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->ignore_reclaim = fault_setting("failslab", "ignore-gfp-wait");
	f->verbose[0] = fault_setting("failslab", "verbose");
	f->verbose[1] = fault_setting("fail_iommufd", "verbose");
	if (!f->ignore_reclaim || !f->verbose[0] || !f->verbose[1])
		kunit_skip(test, "needs FAILSLAB, IOMMUFD_TEST and FAULT_INJECTION_DEBUG_FS");
	f->old_ignore_reclaim = *f->ignore_reclaim;
	*f->ignore_reclaim = false;
	for (int i = 0; i < 2; i++) {
		f->old_verbose[i] = *f->verbose[i];
		*f->verbose[i] = 0;
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, faults_end,
							   f));
}

#ifdef CONFIG_FAULT_INJECTION
void faults_arm(u32 nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

bool faults_disarm(void)
{
	bool hit = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return hit;
}
#else
void faults_arm(u32 nth)
{
}

bool faults_disarm(void)
{
	return false;
}
#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: hooks that break a handover on purpose.
 *
 * debugfs iommu_handover/alter_leaf takes "TABLE IOVA": in the inherited page
 * table TABLE (its index in the image), make the leaf of IOVA point to another
 * page. The comparison that follows must notice.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/rwsem.h>
#include <linux/uaccess.h>

#include "handover-private.h"

/* VT-d 9.8: bit 7 makes an entry above the lowest level a leaf */
#define PAGE_SIZE_BIT	BIT_ULL(7)

static int alter_leaf(const struct iho_table *table, u64 iova)
{
	u64 pa = table->root_pa;

	for (int level = table->levels - 1; level >= 0; level--) {
		unsigned int shift = 12 + 9 * level;
		u64 *entry = (u64 *)iho_in_table(NULL, pa);

		if (!entry)
			return -ENOENT;
		entry += iova >> shift & 511;
		if (!*entry)
			return -ENOENT;
		if (!level || *entry & PAGE_SIZE_BIT) {
			*entry ^= BIT_ULL(shift);
			return 0;
		}
		pa = *entry & GENMASK_ULL(51, 12);
	}
	return -ENOENT;
}

static ssize_t alter_leaf_write(struct file *file, const char __user *ubuf,
				size_t len, loff_t *pos)
{
	struct iho_table table;
	char buf[64];
	u64 iova;
	u32 index;
	int rc;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = '\0';
	if (sscanf(buf, "%u %lli", &index, &iova) != 2)
		return -EINVAL;
	guard(rwsem_read)(&iho_in_rwsem);
	if (!iho_in_unfinished() ||
	    iho_get_table(&iho_in.image, index, &table))
		return -ENOENT;
	rc = alter_leaf(&table, iova);
	return rc ?: len;
}

static const struct file_operations alter_leaf_fops = {
	.owner = THIS_MODULE,
	.write = alter_leaf_write,
};

void iho_test_init(void)
{
	struct dentry *dir = debugfs_create_dir("iommu_handover", NULL);

	debugfs_create_file("alter_leaf", 0200, dir, NULL, &alter_leaf_fops);
}

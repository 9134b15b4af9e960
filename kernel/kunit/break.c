// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: files that break a handover on purpose.
 *
 * debugfs iommu_handover/alter_leaf takes "TABLE IOVA": in the inherited page
 * table TABLE (its index in the image), make the leaf of IOVA point to another
 * page. The comparison that follows must notice. Both this and alter_live first
 * replace large leaves that fill several entries by leaves of one entry, so that
 * what they alter is the translation of one page and nothing else.
 *
 * debugfs iommu_handover/alter_live takes "TOKEN HWPT IOVA MASK": in the page
 * table of HWPT, of the iommufd that is preserved as TOKEN, the entry of IOVA
 * is XORed with MASK; an entry of the lowest level may be zero. Reading gives
 * what the entry was before the last such write. SNAPSHOT and SEAL must notice.
 *
 * debugfs iommu_handover/unknown is a file that can be preserved in a live update
 * session once it was written to, by a handler that the next kernel does not
 * have until it is written to there.
 *
 * debugfs iommu_handover/disturb takes HANDOVER_DISTURB_* of drivers.h, for the jump
 * and the switch of devices that do DMA.
 *
 * debugfs iommu_handover/break takes "leak", "read-freed" or "lock-order" and
 * does that, for kmemleak, KASAN and lockdep to find.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "drivers.h"
#include "incoming.h"
#include "outgoing.h"

/*
 * The entry that maps @iova, or the zero one of the lowest level that would, in
 * a table of @level; or NULL.
 */
static u64 *find_entry(const struct iho_table *table, u64 iova,
		       const u64 *(*read)(void *priv, u64 pa),
		       u32 *level)
{
	const struct iho_pt pt = handover_pt(table, read);

	return (u64 *)iho_pt_entry(&pt, iova, level);
}

/*
 * Make each leaf in the table of @entry, of @level, one that fills one entry.
 * What the table means stays the same.
 */
static int split_leaves(const struct iho_table *table, u64 *entry, u32 level)
{
	const struct iho_format *f = iho_format(table->format);
	struct iho_slot slot = { .level = level, .levels = table->levels };
	u64 *entries = PTR_ALIGN_DOWN(entry, PAGE_SIZE);
	u32 perm;
	u64 pa;

	if (!f->sized)
		return 0;

	u64 *were __free(kfree) = kmemdup(entries, PAGE_SIZE, GFP_KERNEL);

	if (!were)
		return -ENOMEM;
	slot.table = were;
	for (; slot.index < PAGE_SIZE / sizeof(u64); slot.index++) {
		slot.entry = were[slot.index];
		if (f->decode(&slot, &pa, &perm) != IHO_ENTRY_LEAF)
			continue;
		WRITE_ONCE(entries[slot.index], f->leaf(pa, level, perm));
	}
	return 0;
}

static int get_words(const char __user *ubuf, size_t len, char *buf,
		     size_t room)
{
	if (len >= room)
		return -EINVAL;
	if (copy_from_user(buf, ubuf, len))
		return -EFAULT;
	buf[len] = '\0';
	return 0;
}

static ssize_t alter_leaf_write(struct file *file, const char __user *ubuf,
				size_t len, loff_t *pos)
{
	struct iho_context context;
	struct iho_table table;
	u32 index, taken, level;
	char buf[64];
	u64 *entry;
	u64 iova;
	int rc;

	rc = get_words(ubuf, len, buf, sizeof(buf));
	if (rc)
		return rc;
	if (sscanf(buf, "%u %lli", &index, &iova) != 2)
		return -EINVAL;
	if (!handover_in_unfinished() ||
	    iho_get_table(&handover_in.image, index, &table) ||
	    iho_get_context(&handover_in.image, table.context, &context) ||
	    handover_in_take(context.session, context.token, &taken, &context))
		return -ENOENT;
	rc = -ENOENT;
	entry = find_entry(&table, iova, handover_in_table, &level);
	if (entry && *entry)
		rc = split_leaves(&table, entry, level);
	if (!rc)
		*entry ^= BIT_ULL(iho_format_span_lg2(iho_format(table.format),
						      level));
	handover_in_put(taken);
	return rc ?: len;
}

static const struct file_operations alter_leaf_fops = {
	.owner = THIS_MODULE,
	.write = alter_leaf_write,
};

static u64 altered;		/* under handover_out.lock */

static int alter_live(struct handover_ctx *ctx, u32 hwpt_id, u64 iova, u64 mask)
{
	struct iho_table table = {};
	struct iommufd_object *obj;
	int rc = -ENOENT;
	u64 *entry;
	u32 level;

	obj = iommufd_get_object(ctx->ictx, hwpt_id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	if (!handover_table(container_of(obj, struct iommufd_hwpt_paging,
					 common.obj)->common.domain, &table)) {
		entry = find_entry(&table, iova, handover_live_table, &level);
		if (entry)
			rc = split_leaves(&table, entry, level);
		if (!rc) {
			altered = *entry;
			*entry ^= mask;
		}
	}
	iommufd_put_object(ctx->ictx, obj);
	return rc;
}

static ssize_t alter_live_write(struct file *file, const char __user *ubuf,
				size_t len, loff_t *pos)
{
	struct handover_ctx *ctx;
	u64 token, iova, mask;
	char buf[128];
	u32 hwpt;
	int rc;

	rc = get_words(ubuf, len, buf, sizeof(buf));
	if (rc)
		return rc;
	if (sscanf(buf, "%lli %u %lli %lli", &token, &hwpt, &iova, &mask) != 4)
		return -EINVAL;
	guard(mutex)(&handover_out.lock);
	list_for_each_entry(ctx, &handover_out.contexts, list) {
		if (ctx->token != token)
			continue;
		rc = alter_live(ctx, hwpt, iova, mask);
		return rc ?: len;
	}
	return -ENOENT;
}

static ssize_t alter_live_read(struct file *file, char __user *ubuf,
			       size_t len, loff_t *pos)
{
	char text[24];
	int n;

	scoped_guard(mutex, &handover_out.lock)
		n = scnprintf(text, sizeof(text), "%#llx\n", altered);
	return simple_read_from_buffer(ubuf, len, pos, text, n);
}

static const struct file_operations alter_live_fops = {
	.owner = THIS_MODULE,
	.write = alter_live_write,
	.read = alter_live_read,
};

static struct dentry *unknown;

static bool unknown_can_preserve(struct liveupdate_file_handler *handler,
				 struct file *file)
{
	return file_inode(file) == d_inode(unknown);
}

static int unknown_preserve(struct liveupdate_file_op_args *args)
{
	args->serialized_data = 0;
	return 0;
}

static void unknown_unpreserve(struct liveupdate_file_op_args *args)
{
}

static int unknown_retrieve(struct liveupdate_file_op_args *args)
{
	return -EIO;
}

static const struct liveupdate_file_ops unknown_ops = {
	.can_preserve = unknown_can_preserve,
	.preserve = unknown_preserve,
	.unpreserve = unknown_unpreserve,
	.retrieve = unknown_retrieve,
	.finish = unknown_unpreserve,
	.owner = THIS_MODULE,
};

#define UNKNOWN_COMPATIBLE	"iommu-handover-unknown"

static struct liveupdate_file_handler unknown_handler = {
	.ops = &unknown_ops,
	.compatible = UNKNOWN_COMPATIBLE,
};

static ssize_t unknown_write(struct file *file, const char __user *ubuf,
			     size_t len, loff_t *pos)
{
	return liveupdate_register_file_handler(&unknown_handler) ?: len;
}

static const struct file_operations unknown_fops = {
	.owner = THIS_MODULE,
	.write = unknown_write,
};

static DEFINE_MUTEX(one_lock);
static DEFINE_MUTEX(other_lock);

static int break_lock_order(void)
{
	mutex_lock(&one_lock);
	mutex_lock(&other_lock);
	mutex_unlock(&one_lock);
	mutex_lock(&one_lock);
	mutex_unlock(&one_lock);
	mutex_unlock(&other_lock);
	return 0;
}

static int break_leak(void)
{
	/* Several, since a register or a stack may keep the last */
	for (unsigned int i = 0; i < 16; i++) {
		void *lost = kmalloc(64, GFP_KERNEL);

		if (!lost)
			return -ENOMEM;
		OPTIMIZER_HIDE_VAR(lost);
	}
	return 0;
}

static int break_read_freed(void)
{
	u8 *gone = kmalloc(64, GFP_KERNEL);

	if (!gone)
		return -ENOMEM;
	kfree(gone);
	OPTIMIZER_HIDE_VAR(gone);
	READ_ONCE(*gone);
	return 0;
}

static ssize_t break_write(struct file *file, const char __user *ubuf,
			   size_t len, loff_t *pos)
{
	char buf[32];
	int rc;

	rc = get_words(ubuf, len, buf, sizeof(buf));
	if (rc)
		return rc;
	if (sysfs_streq(buf, "leak"))
		rc = break_leak();
	else if (sysfs_streq(buf, "read-freed"))
		rc = break_read_freed();
	else if (sysfs_streq(buf, "lock-order"))
		rc = break_lock_order();
	else
		rc = -EINVAL;
	return rc ?: len;
}

static const struct file_operations break_fops = {
	.owner = THIS_MODULE,
	.write = break_write,
};

static int __init handover_break_init(void)
{
	struct dentry *dir = debugfs_create_dir("iommu_handover", NULL);

	debugfs_create_file("alter_leaf", 0200, dir, NULL, &alter_leaf_fops);
	debugfs_create_file("alter_live", 0600, dir, NULL, &alter_live_fops);
	unknown = debugfs_create_file("unknown", 0600, dir, NULL,
				      &unknown_fops);
	debugfs_create_file("break", 0200, dir, NULL, &break_fops);
	debugfs_create_x32("disturb", 0600, dir, &handover_disturb);
	return 0;
}
device_initcall(handover_break_init);

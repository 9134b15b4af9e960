// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: /dev/iommu-handover.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommu_handover.h>

#include "incoming.h"
#include "interface.h"
#include "outgoing.h"

/* Of the refusals that SNAPSHOT names at once, bytes */
#define ALL_REFUSALS_LEN	SZ_128K

/* The uAPI's numbers are those of enum handover_in_state. */
static_assert(IOMMU_HANDOVER_IN_NONE == (int)HANDOVER_IN_NONE);
static_assert(IOMMU_HANDOVER_IN_ACCEPTED == (int)HANDOVER_IN_ACCEPTED);
static_assert(IOMMU_HANDOVER_IN_REFUSED == (int)HANDOVER_IN_REFUSED);
static_assert(IOMMU_HANDOVER_IN_OFF == (int)HANDOVER_IN_OFF);

enum iommu_handover_state handover_state(const struct handover_seal_info *info)
{
	lockdep_assert_held(&handover_out.lock);
	if (info->sealed)
		return IOMMU_HANDOVER_SEALED;
	return handover_out.nr ? IOMMU_HANDOVER_OPEN : IOMMU_HANDOVER_IDLE;
}

static int put_message(u64 uptr, u32 len, const char *text)
{
	char __user *to = u64_to_user_ptr(uptr);
	u32 n;

	if (!len)
		return 0;
	n = min_t(u32, strlen(text), len - 1);
	if (copy_to_user(to, text, n) || put_user('\0', to + n))
		return -EFAULT;
	return 0;
}

static int do_query(void *arg)
{
	struct iommu_handover_query *cmd = arg;
	struct handover_in_stats stats;
	struct handover_seal_info info;
	char text[HANDOVER_REFUSAL_LEN];

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	handover_in_stats(&stats);
	mutex_lock(&handover_out.lock);
	handover_seal_info(&info);
	cmd->state = handover_state(&info);
	cmd->contexts = handover_out.nr;
	mutex_unlock(&handover_out.lock);
	cmd->refusal_errno = handover_last_refusal(text, sizeof(text));
	cmd->incoming = handover_in.state;
	cmd->incoming_contexts = stats.unfinished;
	cmd->generation = handover_generation();
	cmd->sealed_generation = info.generation;
	cmd->image_len = info.image_len;
	cmd->loaded = info.loaded;
	cmd->cookie = info.cookie;
	cmd->format_major = IHO_FORMAT_MAJOR;
	cmd->format_minor = IHO_FORMAT_MINOR;
	return put_message(cmd->message_uptr, cmd->message_len, text);
}

static int do_snapshot(void *arg)
{
	char *text __free(kvfree) = NULL;
	struct iommu_handover_snapshot *cmd = arg;
	const bool all = cmd->flags & IOMMU_HANDOVER_SNAPSHOT_ALL;
	struct handover_listener why = {};
	u32 flags = all ? HANDOVER_TAKE_ALL : 0;
	struct handover_live *live;
	int rc;

	if (cmd->flags & ~(IOMMU_HANDOVER_SNAPSHOT_ALL |
			   IOMMU_HANDOVER_SNAPSHOT_CONTINUOUS) ||
	    cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->flags & IOMMU_HANDOVER_SNAPSHOT_CONTINUOUS)
		flags |= HANDOVER_TAKE_CONTINUOUS;
	if (all) {
		why.room = min(cmd->message_len, ALL_REFUSALS_LEN);
		text = kvzalloc(why.room, GFP_KERNEL);
		if (why.room && !text)
			return -ENOMEM;
		why.all = text;
	}
	handover_listen(&why);
	rc = handover_snapshot(&live, handover_in_unfinished(), flags);
	handover_stop_listening(&why);
	if (rc) {
		put_message(cmd->message_uptr, cmd->message_len,
			    text ?: why.text);
		return rc;
	}
	if (cmd->data_len < live->len)
		rc = -EMSGSIZE;
	else if (copy_to_user(u64_to_user_ptr(cmd->data_uptr), live->buf,
			      live->len))
		rc = -EFAULT;
	cmd->data_len = live->len;
	cmd->generation = live->generation;
	handover_live_put(live);
	return rc;
}

static int do_seal(void *arg)
{
	struct iommu_handover_seal *cmd = arg;
	struct handover_listener why = {};
	int rc;

	if (cmd->flags & ~IOMMU_HANDOVER_SEAL_LOADED || cmd->__reserved)
		return -EOPNOTSUPP;
	handover_listen(&why);
	rc = handover_seal(cmd->generation, u64_to_user_ptr(cmd->image_uptr),
			   cmd->image_len, handover_in_unfinished(),
			   cmd->flags & IOMMU_HANDOVER_SEAL_LOADED ?
			   handover_adopt_loaded : NULL, &cmd->cookie);
	handover_stop_listening(&why);
	if (rc)
		put_message(cmd->message_uptr, cmd->message_len, why.text);
	return rc;
}

static int do_unseal(void *arg)
{
	struct iommu_handover_unseal *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	return handover_unseal();
}

union any_cmd {
	struct iommu_handover_query query;
	struct iommu_handover_snapshot snapshot;
	struct iommu_handover_seal seal;
	struct iommu_handover_unseal unseal;
};

static const struct {
	unsigned int cmd;
	unsigned int size;
	unsigned int min_size;
	bool answers;		/* copied back, after EMSGSIZE as well */
	int (*fn)(void *arg);
} ops[] = {
	{ IOMMU_HANDOVER_QUERY, sizeof(struct iommu_handover_query),
	  offsetofend(struct iommu_handover_query, cookie), true,
	  do_query },
	{ IOMMU_HANDOVER_SNAPSHOT, sizeof(struct iommu_handover_snapshot),
	  offsetofend(struct iommu_handover_snapshot, __reserved), true,
	  do_snapshot },
	{ IOMMU_HANDOVER_SEAL, sizeof(struct iommu_handover_seal),
	  offsetofend(struct iommu_handover_seal, cookie), true,
	  do_seal },
	{ IOMMU_HANDOVER_UNSEAL, sizeof(struct iommu_handover_unseal),
	  offsetofend(struct iommu_handover_unseal, flags), false,
	  do_unseal },
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;
	unsigned int nr = _IOC_NR(cmd);
	union any_cmd buf;
	u32 size;
	int rc;

	if (nr >= ARRAY_SIZE(ops) || ops[nr].cmd != cmd)
		return -ENOIOCTLCMD;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < ops[nr].min_size)
		return -EINVAL;
	rc = copy_struct_from_user(&buf, ops[nr].size, uarg, size);
	if (rc)
		return rc;
	rc = ops[nr].fn(&buf);
	if (ops[nr].answers && (!rc || rc == -EMSGSIZE) &&
	    copy_to_user(uarg, &buf, min(size, ops[nr].size)))
		return -EFAULT;
	return rc;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iommu-handover",
	.fops = &dev_fops,
	.mode = 0600,
};

static int __init handover_dev_init(void)
{
	return misc_register(&dev);
}
device_initcall(handover_dev_init);

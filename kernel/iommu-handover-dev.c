// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iommu-handover and /sys/kernel/iommu_handover.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>
#include <uapi/linux/iommu_handover.h>

#include "handover-private.h"

#define REFUSAL_LEN	512

static char refusal[REFUSAL_LEN];
static int refusal_errno;

/* A call that wants to know why it was refused. On @listeners. */
struct listener {
	struct list_head list;
	struct task_struct *task;
	char text[REFUSAL_LEN];		/* its last sentence; "" for none */
};

static LIST_HEAD(listeners);

int iho_refuse(int err, const char *fmt, ...)
{
	struct listener *l;
	va_list args;

	lockdep_assert_held(&iho_mutex);
	va_start(args, fmt);
	vscnprintf(refusal, sizeof(refusal), fmt, args);
	va_end(args);
	refusal_errno = -err;
	list_for_each_entry(l, &listeners, list)
		if (l->task == current)
			strscpy(l->text, refusal);
	/* What only asks for another try is no news */
	if (err != -EAGAIN)
		pr_info("refused: %s\n", refusal);
	return err;
}

#if IS_ENABLED(CONFIG_IOMMU_HANDOVER_KUNIT_TEST)
const char *iho_last_refusal(void)
{
	lockdep_assert_held(&iho_mutex);
	return refusal;
}
#endif

int iho_errno(int lib_err)
{
	switch (iho_error_family(lib_err)) {
	case IHO_FAMILY_OK:
		return 0;
	case IHO_FAMILY_CORRUPT:
		return -EBADMSG;
	case IHO_FAMILY_UNSUPPORTED:
		return -EOPNOTSUPP;
	case IHO_FAMILY_LIMIT:
		return -EFBIG;
	default:
		return -EINVAL;
	}
}

static enum iommu_handover_state state_now(void)
{
	struct iho_seal_info info;

	iho_seal_info(&info);
	if (info.sealed)
		return IOMMU_HANDOVER_SEALED;
	return iho_nr_contexts ? IOMMU_HANDOVER_OPEN : IOMMU_HANDOVER_IDLE;
}

static const char *const state_names[] = {
	[IOMMU_HANDOVER_IDLE] = "idle",
	[IOMMU_HANDOVER_OPEN] = "open",
	[IOMMU_HANDOVER_SEALED] = "sealed",
};

static const char *const incoming_names[] = {
	[IHO_IN_NONE] = "none",
	[IHO_IN_ACCEPTED] = "accepted",
	[IHO_IN_REFUSED] = "refused",
	[IHO_IN_OFF] = "off",
};

static const enum iommu_handover_incoming incoming_states[] = {
	[IHO_IN_NONE] = IOMMU_HANDOVER_IN_NONE,
	[IHO_IN_ACCEPTED] = IOMMU_HANDOVER_IN_ACCEPTED,
	[IHO_IN_REFUSED] = IOMMU_HANDOVER_IN_REFUSED,
	[IHO_IN_OFF] = IOMMU_HANDOVER_IN_OFF,
};

/* ---- ioctls ----------------------------------------------------------- */

static void listen(struct listener *l)
{
	l->task = current;
	l->text[0] = '\0';
	guard(mutex)(&iho_mutex);
	list_add(&l->list, &listeners);
}

static void stop_listening(struct listener *l)
{
	guard(mutex)(&iho_mutex);
	list_del(&l->list);
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
	struct iho_in_stats stats;
	struct iho_seal_info info;
	char text[REFUSAL_LEN];

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	iho_in_stats(&stats);
	mutex_lock(&iho_mutex);
	iho_seal_info(&info);
	cmd->state = state_now();
	cmd->contexts = iho_nr_contexts;
	cmd->refusal_errno = refusal_errno;
	strscpy(text, refusal);
	mutex_unlock(&iho_mutex);
	cmd->incoming = incoming_states[iho_in.state];
	cmd->incoming_contexts = stats.unfinished;
	cmd->generation = iho_generation();
	cmd->sealed_generation = info.generation;
	cmd->image_len = info.image_len;
	cmd->loaded = info.loaded;
	cmd->format_major = IHO_FORMAT_MAJOR;
	cmd->format_minor = IHO_FORMAT_MINOR;
	return put_message(cmd->message_uptr, cmd->message_len, text);
}

static int do_snapshot(void *arg)
{
	struct iommu_handover_snapshot *cmd = arg;
	struct listener why;
	size_t len;
	void *buf;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	listen(&why);
	rc = iho_snapshot(&buf, &len, &cmd->generation);
	stop_listening(&why);
	if (rc) {
		put_message(cmd->message_uptr, cmd->message_len, why.text);
		return rc;
	}
	if (cmd->data_len < len)
		rc = -EMSGSIZE;
	else if (copy_to_user(u64_to_user_ptr(cmd->data_uptr), buf, len))
		rc = -EFAULT;
	cmd->data_len = len;
	kvfree(buf);
	return rc;
}

static int do_seal(void *arg)
{
	struct iommu_handover_seal *cmd = arg;
	struct listener why;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	listen(&why);
	rc = iho_seal(cmd->generation, u64_to_user_ptr(cmd->image_uptr),
		      cmd->image_len);
	stop_listening(&why);
	if (rc)
		put_message(cmd->message_uptr, cmd->message_len, why.text);
	return rc;
}

static int do_unseal(void *arg)
{
	struct iommu_handover_unseal *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	return iho_unseal();
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
	  offsetofend(struct iommu_handover_query, __reserved), true,
	  do_query },
	{ IOMMU_HANDOVER_SNAPSHOT, sizeof(struct iommu_handover_snapshot),
	  offsetofend(struct iommu_handover_snapshot, __reserved), true,
	  do_snapshot },
	{ IOMMU_HANDOVER_SEAL, sizeof(struct iommu_handover_seal),
	  offsetofend(struct iommu_handover_seal, __reserved), false,
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

/* ---- sysfs ------------------------------------------------------------ */

#define RO_MODE(_name, _mode, _fmt, _expr)                                     \
	static ssize_t _name##_show(struct kobject *kobj,                      \
				    struct kobj_attribute *attr, char *buf)    \
	{                                                                      \
		struct iho_seal_info info;                                     \
									       \
		guard(mutex)(&iho_mutex);                                      \
		iho_seal_info(&info);                                          \
		return sysfs_emit(buf, _fmt "\n", _expr);                      \
	}                                                                      \
	static struct kobj_attribute _name##_attr = __ATTR_RO_MODE(_name, _mode)

#define RO(_name, _fmt, _expr)	RO_MODE(_name, 0444, _fmt, _expr)

RO(state, "%s", state_names[state_now()]);
RO(generation, "%llu", iho_generation());
RO(sealed_generation, "%llu", info.generation);
RO(contexts, "%u", iho_nr_contexts);
RO(records, "%u", info.records);
RO(devices, "%u", info.devices);
RO(tables, "%u", info.tables);
RO(table_pages, "%llu", info.table_pages);
RO(image_bytes, "%llu", info.image_len);
RO(loaded, "%d", info.loaded);
RO(format, "%s", __stringify(IHO_FORMAT_MAJOR) "." __stringify(IHO_FORMAT_MINOR));

/* Root's: the sentence may name physical addresses */
RO_MODE(last_refusal, 0400, "%s", refusal);

static struct attribute *out_attrs[] = {
	&state_attr.attr,
	&generation_attr.attr,
	&sealed_generation_attr.attr,
	&contexts_attr.attr,
	&records_attr.attr,
	&devices_attr.attr,
	&tables_attr.attr,
	&table_pages_attr.attr,
	&image_bytes_attr.attr,
	&loaded_attr.attr,
	&last_refusal_attr.attr,
	&format_attr.attr,
	NULL
};

static const struct attribute_group out_group = { .attrs = out_attrs };

#define IN_RO(_name, _fmt, _expr)                                              \
	static ssize_t in_##_name##_show(struct kobject *kobj,                 \
					 struct kobj_attribute *attr,          \
					 char *buf)                            \
	{                                                                      \
		struct iho_in_stats stats;                                     \
									       \
		iho_in_stats(&stats);                                          \
		return sysfs_emit(buf, _fmt "\n", _expr);                      \
	}                                                                      \
	static struct kobj_attribute in_##_name##_attr =                       \
		__ATTR(_name, 0444, in_##_name##_show, NULL)

IN_RO(state, "%s", incoming_names[iho_in.state]);
IN_RO(reason, "%s", iho_in.reason);
IN_RO(contexts, "%u", stats.contexts);
IN_RO(unfinished, "%u", stats.unfinished);
IN_RO(retrieved, "%u", stats.retrieved);
IN_RO(devices, "%u", stats.devices);
IN_RO(devices_pending, "%u", stats.devices_pending);
IN_RO(records, "%llu", stats.records);
IN_RO(trees_compared, "%u", stats.tables_compared);
IN_RO(trees_equal, "%u", stats.tables_equal);
IN_RO(runs_compared, "%llu", stats.runs_compared);
IN_RO(pages_pinned, "%llu", stats.pages_pinned);

static ssize_t abandon_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t len)
{
	bool yes;
	int rc;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	rc = kstrtobool(buf, &yes);
	if (rc)
		return rc;
	if (!yes)
		return -EINVAL;
	rc = iho_in_abandon();
	return rc ?: len;
}

static struct kobj_attribute abandon_attr = __ATTR_WO(abandon);

static struct attribute *in_attrs[] = {
	&abandon_attr.attr,
	&in_state_attr.attr,
	&in_reason_attr.attr,
	&in_contexts_attr.attr,
	&in_unfinished_attr.attr,
	&in_retrieved_attr.attr,
	&in_devices_attr.attr,
	&in_devices_pending_attr.attr,
	&in_records_attr.attr,
	&in_trees_compared_attr.attr,
	&in_trees_equal_attr.attr,
	&in_runs_compared_attr.attr,
	&in_pages_pinned_attr.attr,
	NULL
};

static const struct attribute_group in_group = {
	.name = "incoming",
	.attrs = in_attrs,
};

static const struct attribute_group *groups[] = {
	&out_group,
	&in_group,
	NULL
};

static int __init iho_dev_init(void)
{
	struct kobject *kobj;
	int rc;

	kobj = kobject_create_and_add("iommu_handover", kernel_kobj);
	if (!kobj)
		return -ENOMEM;
	rc = sysfs_create_groups(kobj, groups);
	if (rc)
		goto err_kobj;
	rc = misc_register(&dev);
	if (rc)
		goto err_groups;
	iho_test_init();
	return 0;

err_groups:
	sysfs_remove_groups(kobj, groups);
err_kobj:
	kobject_put(kobj);
	return rc;
}
device_initcall(iho_dev_init);

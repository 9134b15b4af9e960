// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: /sys/kernel/iommu_handover.
 */
#include <linux/capability.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "incoming.h"
#include "interface.h"
#include "outgoing.h"

static const char *const state_names[] = {
	[IOMMU_HANDOVER_IDLE] = "idle",
	[IOMMU_HANDOVER_OPEN] = "open",
	[IOMMU_HANDOVER_SEALED] = "sealed",
};

static const char *const incoming_names[] = {
	[HANDOVER_IN_NONE] = "none",
	[HANDOVER_IN_ACCEPTED] = "accepted",
	[HANDOVER_IN_REFUSED] = "refused",
	[HANDOVER_IN_OFF] = "off",
};

#define RO(_name, _fmt, _expr)                                                 \
	static ssize_t _name##_show(struct kobject *kobj,                      \
				    struct kobj_attribute *attr, char *buf)    \
	{                                                                      \
		struct handover_seal_info info;                                     \
									       \
		guard(mutex)(&handover_out.lock);                                      \
		handover_seal_info(&info);                                          \
		return sysfs_emit(buf, _fmt "\n", _expr);                      \
	}                                                                      \
	static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

RO(state, "%s", state_names[handover_state(&info)]);
RO(generation, "%llu", handover_generation());
RO(sealed_generation, "%llu", info.generation);
RO(contexts, "%u", handover_out.nr);
RO(records, "%u", info.records);
RO(devices, "%u", info.devices);
RO(tables, "%u", info.tables);
RO(table_pages, "%llu", info.table_pages);
RO(image_bytes, "%llu", info.image_len);
RO(loaded, "%d", info.loaded);
RO(cookie, "%llu", info.cookie);
RO(format, "%s", __stringify(IHO_FORMAT_MAJOR) "." __stringify(IHO_FORMAT_MINOR));

/* Root's: the sentence may name physical addresses */
static ssize_t last_refusal_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	char text[HANDOVER_REFUSAL_LEN];

	handover_last_refusal(text, sizeof(text));
	return sysfs_emit(buf, "%s\n", text);
}

static struct kobj_attribute last_refusal_attr =
	__ATTR_RO_MODE(last_refusal, 0400);

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
	&cookie_attr.attr,
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
		struct handover_in_stats stats;                                     \
									       \
		handover_in_stats(&stats);                                          \
		return sysfs_emit(buf, _fmt "\n", _expr);                      \
	}                                                                      \
	static struct kobj_attribute in_##_name##_attr =                       \
		__ATTR(_name, 0444, in_##_name##_show, NULL)

IN_RO(state, "%s", incoming_names[handover_in.state]);
IN_RO(reason, "%s", handover_in.reason);
IN_RO(contexts, "%u", stats.contexts);
IN_RO(unfinished, "%u", stats.unfinished);
IN_RO(retrieved, "%u", stats.retrieved);
IN_RO(devices, "%u", stats.devices);
IN_RO(devices_pending, "%u", stats.devices_pending);
IN_RO(devices_switched, "%u", stats.devices_switched);
IN_RO(devices_stopped, "%u", stats.devices_stopped);
IN_RO(records, "%llu", stats.records);
IN_RO(trees_compared, "%u", stats.tables_compared);
IN_RO(trees_equal, "%u", stats.tables_equal);
IN_RO(trees_adopted, "%u", stats.tables_adopted);
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
	rc = handover_in_abandon();
	return rc ?: len;
}

static struct kobj_attribute abandon_attr = __ATTR_WO(abandon);

static const char *const differing_names[] = { "refuse", "take" };

static ssize_t differing_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  differing_names[READ_ONCE(handover_in_take_differing)]);
}

static ssize_t differing_store(struct kobject *kobj,
			       struct kobj_attribute *attr, const char *buf,
			       size_t len)
{
	int rc;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	rc = sysfs_match_string(differing_names, buf);
	if (rc < 0)
		return rc;
	WRITE_ONCE(handover_in_take_differing, rc);
	return len;
}

static struct kobj_attribute differing_attr = __ATTR_RW(differing);

static struct attribute *in_attrs[] = {
	&abandon_attr.attr,
	&differing_attr.attr,
	&in_state_attr.attr,
	&in_reason_attr.attr,
	&in_contexts_attr.attr,
	&in_unfinished_attr.attr,
	&in_retrieved_attr.attr,
	&in_devices_attr.attr,
	&in_devices_pending_attr.attr,
	&in_devices_switched_attr.attr,
	&in_devices_stopped_attr.attr,
	&in_records_attr.attr,
	&in_trees_compared_attr.attr,
	&in_trees_equal_attr.attr,
	&in_trees_adopted_attr.attr,
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

static int __init handover_sysfs_init(void)
{
	struct kobject *kobj;
	int rc;

	kobj = kobject_create_and_add("iommu_handover", kernel_kobj);
	if (!kobj)
		return -ENOMEM;
	rc = sysfs_create_groups(kobj, groups);
	if (rc)
		kobject_put(kobj);
	return rc;
}
device_initcall(handover_sysfs_init);

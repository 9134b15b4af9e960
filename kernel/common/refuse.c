// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: refusals.
 *
 * Every other file says here why it refused, and calls nothing else.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "handover.h"

/* Of all below; inside of every other lock. */
static DEFINE_MUTEX(refusal_lock);
static char refusal[HANDOVER_REFUSAL_LEN];
static int refusal_errno;
static LIST_HEAD(listeners);

int handover_refuse(int err, const char *fmt, ...)
{
	struct handover_listener *l;
	va_list args;

	guard(mutex)(&refusal_lock);
	va_start(args, fmt);
	vscnprintf(refusal, sizeof(refusal), fmt, args);
	va_end(args);
	refusal_errno = -err;
	list_for_each_entry(l, &listeners, list)
		if (l->task == current)
			strscpy(l->text, refusal);
	/* Callers retry -EAGAIN by themselves: do not log it */
	if (err != -EAGAIN)
		pr_info("refused: %s\n", refusal);
	return err;
}

int handover_last_refusal(char *text, size_t len)
{
	guard(mutex)(&refusal_lock);
	if (len)
		strscpy(text, refusal, len);
	return refusal_errno;
}

void handover_listen(struct handover_listener *l)
{
	l->task = current;
	l->text[0] = '\0';
	guard(mutex)(&refusal_lock);
	list_add(&l->list, &listeners);
}

void handover_stop_listening(struct handover_listener *l)
{
	guard(mutex)(&refusal_lock);
	list_del(&l->list);
}

int handover_errno(int lib_err)
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

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: refusals.
 *
 * Every other file says here why it refused, and calls nothing else.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/ctype.h>
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

/* Whole sentences only. Return: whether they are kept beside the last one. */
static bool tell(struct handover_listener *l)
{
	strscpy(l->text, refusal);
	if (l->len + strlen(refusal) + 2 <= l->room)
		l->len += scnprintf(l->all + l->len, l->room - l->len, "%s%s",
				    l->len ? "\n" : "", refusal);
	return l->room;
}

int handover_refuse(int err, const char *fmt, ...)
{
	struct handover_listener *l;
	bool kept = false;
	va_list args;

	guard(mutex)(&refusal_lock);
	va_start(args, fmt);
	vscnprintf(refusal, sizeof(refusal), fmt, args);
	va_end(args);
	/* User space chooses the names of sessions; a sentence is one line */
	for (char *c = refusal; *c; c++)
		if (iscntrl(*c))
			*c = '?';
	refusal_errno = -err;
	list_for_each_entry(l, &listeners, list)
		if (l->task == current)
			kept |= tell(l);
	/*
	 * Callers retry -EAGAIN by themselves, and one that wants all of them
	 * would hold up other VMs for as long as a serial console takes.
	 */
	if (err != -EAGAIN && !kept)
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
	l->len = 0;
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

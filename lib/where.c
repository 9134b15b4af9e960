// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: a place in words. Written by hand, since not every host has
 * snprintf().
 */
#include "iho_internal.h"

struct text {
	char *at;
	u32 room;		/* without the NUL */
};

static void put(struct text *t, const char *s)
{
	for (; *s && t->room; t->room--)
		*t->at++ = *s++;
	*t->at = '\0';
}

static void put_number(struct text *t, u64 value, u32 base)
{
	char digits[24];
	u32 i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		digits[--i] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put(t, digits + i);
}

static void put_offset(struct text *t, u64 offset)
{
	put(t, " at 0x");
	put_number(t, offset, 16);
}

const char *iho_where_text(const struct iho_where *where,
			   char text[IHO_WHERE_LEN])
{
	struct text t = { text, IHO_WHERE_LEN - 1 };

	*text = '\0';
	if (where->record != IHO_NONE) {
		put(&t, "context-");
		put_number(&t, where->index, 10);
		put(&t, " record ");
		put_number(&t, where->record, 10);
		put_offset(&t, where->offset);
		put(&t, ", ");
		put(&t, where->prop);
		return text;
	}
	put(&t, where->node);
	if (where->index != IHO_NONE) {
		put(&t, "-");
		put_number(&t, where->index, 10);
	}
	if (*where->node && *where->prop)
		put(&t, " ");
	put(&t, where->prop);
	put_offset(&t, where->offset);
	return text;
}

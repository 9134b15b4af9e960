// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: whether an image says of the machine what the kernel finds.
 */
#include "iho_internal.h"

static bool field_differs(const struct iho_field *f, const union iho_fact *a,
			  const union iho_fact *b)
{
	u32 len = 4;

	switch (f->type) {
	case IHO_FIELD_U64:
		len = 8;
		break;
	case IHO_FIELD_STRING:
		len = IHO_SESSION_LEN;
		break;
	case IHO_FIELD_IDS:
		if (a->device.source_ids != b->device.source_ids)
			return true;
		len = sizeof(a->device.source_id);
		break;
	case IHO_FIELD_NOTHING:
		return false;
	case IHO_FIELD_PATH:
		if (a->device.path_len != b->device.path_len)
			return true;
		len = sizeof(a->device.path);
		break;
	default:
		break;
	}
	return memcmp((const u8 *)a + f->off, (const u8 *)b + f->off, len);
}

static bool kind_differs(const struct iho_plan_source *a,
			 const struct iho_plan_source *b, enum iho_node kind,
			 struct iho_where *where)
{
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	const struct iho_field *f;
	struct iho_cursor ca, cb;
	union iho_fact fa, fb;
	u32 i, j;

	iho_cursor_init(&ca, a, kind);
	iho_cursor_init(&cb, b, kind);
	for (i = 0; iho_cursor_next(&ca, &fa) && iho_cursor_next(&cb, &fb);
	     i++) {
		for (j = 0; j < desc->fields; j++) {
			f = &desc->field[j];
			if (f->name == IHO_NAME_STREAM_OFF ||
			    f->name == IHO_NAME_STREAM_DIGEST ||
			    !field_differs(f, &fa, &fb))
				continue;
			iho_fail(where, 0, ca.at, desc->name, i,
				 iho_names[f->name], IHO_NONE);
			return true;
		}
	}
	if (ca.count == cb.count)
		return false;
	iho_fail(where, 0, ca.at, desc->name, i, "count", IHO_NONE);
	return true;
}

bool iho_image_differs(const struct iho_image *img,
		       const struct iho_facts *facts, struct iho_where *where)
{
	const struct iho_plan_source a = { .img = img };
	const struct iho_plan_source b = { .facts = facts };
	enum iho_name name = IHO_NAME_GENERATION;
	enum iho_node kind;
	size_t len;

	if (img->generation == facts->generation) {
		name = IHO_NAME_RELEASE;
		len = strlen(img->release);
		if (len == strlen(facts->release) &&
		    !memcmp(img->release, facts->release, len))
			name = IHO_NAMES;
	}
	if (name != IHO_NAMES) {
		iho_fail(where, 0, IHO_HEADER_LEN + IHO_FDT_STRUCT, "",
			 IHO_NONE, iho_names[name], IHO_NONE);
		return true;
	}
	for (kind = 0; kind < IHO_NODES; kind++)
		if (kind_differs(&a, &b, kind, where))
			return true;
	return false;
}

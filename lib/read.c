// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: read facts, from an accepted image or from arrays.
 */
#include "iho_internal.h"

static int node_base(const struct iho_image *img, enum iho_node kind)
{
	switch (kind) {
	case IHO_NODE_MEMORY:
		return img->first_memory;
	case IHO_NODE_UNIT:
		return img->first_unit;
	case IHO_NODE_TABLE:
		return img->first_table;
	case IHO_NODE_DOMAIN:
		return img->first_domain;
	case IHO_NODE_DEVICE:
		return img->first_device;
	default:
		return img->first_context;
	}
}

u32 iho_image_count(const struct iho_image *img, enum iho_node kind)
{
	switch (kind) {
	case IHO_NODE_MEMORY:
		return img->memories;
	case IHO_NODE_UNIT:
		return img->units;
	case IHO_NODE_TABLE:
		return img->tables;
	case IHO_NODE_DOMAIN:
		return img->domains;
	case IHO_NODE_DEVICE:
		return img->devices;
	default:
		return img->contexts;
	}
}

u32 iho_source_count(const struct iho_plan_source *src, enum iho_node kind)
{
	return src->img ? iho_image_count(src->img, kind) :
			  iho_facts_count(src->facts, kind);
}

/*
 * All nodes of these two kinds are of one size, but for the length of the
 * number in their name, as long as there is one table format only. That makes
 * the look-ups of the cross-reference checks independent of the index.
 */
static int find_sized(const struct iho_image *img, enum iho_node kind,
		      u32 index)
{
	int off = node_base(img, kind);
	int size;

	if (index > 10) {	/* behind the nodes of one digit */
		size = iho_node_skip(img->fdt, off) - off;
		off += 10 * size;
		index -= 10;
	}
	size = iho_node_skip(img->fdt, off) - off;
	return off + (int)index * size;
}

int iho_node_find(const struct iho_image *img, enum iho_node kind, u32 index)
{
	int off;

	if (kind == IHO_NODE_TABLE || kind == IHO_NODE_DOMAIN)
		return find_sized(img, kind, index);
	for (off = node_base(img, kind); index; index--)
		off = iho_node_skip(img->fdt, off);
	return off;
}

void iho_source_get(const struct iho_plan_source *src, enum iho_node kind,
		    u32 index, union iho_fact *fact)
{
	if (src->img) {
		iho_node_read(src->img->fdt,
			      iho_node_find(src->img, kind, index), kind, fact);
		return;
	}
	memset(fact, 0, sizeof(*fact));
	memcpy(fact, iho_facts_at(src->facts, kind, index),
	       iho_node_desc[kind].size);
}

void iho_cursor_init(struct iho_cursor *cur, const struct iho_plan_source *src,
		     enum iho_node kind)
{
	cur->src = src;
	cur->kind = kind;
	cur->next = 0;
	cur->count = iho_source_count(src, kind);
	cur->off = src->img ? node_base(src->img, kind) : 0;
	cur->at = 0;
}

bool iho_cursor_next(struct iho_cursor *cur, union iho_fact *fact)
{
	if (cur->next == cur->count)
		return false;
	if (cur->src->img) {
		cur->at = IHO_HEADER_LEN + IHO_FDT_STRUCT + (u64)(u32)cur->off;
		cur->off = iho_node_read(cur->src->img->fdt, cur->off,
					 cur->kind, fact);
	} else {
		iho_source_get(cur->src, cur->kind, cur->next, fact);
	}
	cur->next++;
	return true;
}

static int get(const struct iho_image *img, enum iho_node kind, u32 index,
	       void *out)
{
	union iho_fact fact;

	if (index >= iho_image_count(img, kind))
		return -IHO_ERR_BADCALL;
	iho_node_read(img->fdt, iho_node_find(img, kind, index), kind, &fact);
	memcpy(out, &fact, iho_node_desc[kind].size);
	return 0;
}

int iho_get_memory(const struct iho_image *img, u32 index,
		   struct iho_memory *out)
{
	return get(img, IHO_NODE_MEMORY, index, out);
}

int iho_get_unit(const struct iho_image *img, u32 index, struct iho_unit *out)
{
	return get(img, IHO_NODE_UNIT, index, out);
}

int iho_get_table(const struct iho_image *img, u32 index,
		  struct iho_table *out)
{
	return get(img, IHO_NODE_TABLE, index, out);
}

int iho_get_domain(const struct iho_image *img, u32 index,
		   struct iho_domain *out)
{
	return get(img, IHO_NODE_DOMAIN, index, out);
}

int iho_get_device(const struct iho_image *img, u32 index,
		   struct iho_device *out)
{
	return get(img, IHO_NODE_DEVICE, index, out);
}

int iho_get_context(const struct iho_image *img, u32 index,
		    struct iho_context *out)
{
	return get(img, IHO_NODE_CONTEXT, index, out);
}

/* ---- comparison ------------------------------------------------------ */

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
			    f->name == IHO_NAME_STREAM_CRC ||
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

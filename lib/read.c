// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: read facts, from an accepted image or from arrays.
 */
#include "iho_internal.h"

u32 iho_source_count(const struct iho_plan_source *src, enum iho_node kind)
{
	return src->img ? src->img->count[kind] : src->facts->count[kind];
}

/*
 * Nodes of a kind mostly are equally long, but for the number in their name.
 * Where that holds for all before it, the node is where this guess says: then
 * the begin tag and the name are there. No value of a table or of a domain can
 * look like them, since none is longer than 8 bytes but the printable format.
 *
 * Return: an offset in the structure block, or -1.
 */
static int guess(const struct iho_image *img, enum iho_node kind, u32 index)
{
	const u32 size = fdt_size_dt_struct(img->fdt);
	u32 off = (u32)img->first[kind], left = index;
	u32 step;
	int end;

	if (left > 10) {	/* after the nodes of one digit */
		step = (u32)iho_node_skip(img->fdt, (int)off) - off;
		off += 10 * step;
		left -= 10;
		if (off >= size)
			return -1;
	}
	step = (u32)iho_node_skip(img->fdt, (int)off) - off;
	off += left * step;
	if (off >= size || fdt_next_tag(img->fdt, (int)off, &end) !=
	    FDT_BEGIN_NODE ||
	    !iho_node_begins(img->fdt, (int)off, end, kind, index))
		return -1;
	return (int)off;
}

int iho_node_find(const struct iho_image *img, enum iho_node kind, u32 index)
{
	enum iho_node before;
	int off = -1;

	if (img->node) {
		for (before = 0; before < kind; before++)
			index += img->count[before];
		return (int)img->node[index];
	}
	if (kind == IHO_NODE_TABLE || kind == IHO_NODE_DOMAIN)
		off = guess(img, kind, index);
	if (off >= 0)
		return off;
	for (off = img->first[kind]; index; index--)
		off = iho_node_skip(img->fdt, off);
	return off;
}

const void *iho_facts_at(const struct iho_facts *facts, enum iho_node kind,
			 u32 index)
{
	u32 len = facts->element_len[kind];

	if (!len)
		len = iho_node_desc[kind].size;
	return (const u8 *)facts->at[kind] + (size_t)index * len;
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
	cur->off = src->img ? src->img->first[kind] : 0;
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

u32 iho_first_table(const struct iho_plan_source *src, u32 context)
{
	u32 low = 0, high = iho_source_count(src, IHO_NODE_TABLE), mid;
	union iho_fact fact;

	while (low < high) {
		mid = low + (high - low) / 2;
		iho_source_get(src, IHO_NODE_TABLE, mid, &fact);
		if (fact.table.context < context)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* ---- index ----------------------------------------------------------- */

const struct iho_owned *iho_source_owned(const struct iho_plan_source *src)
{
	return src->img ? src->img->owned : src->facts->owned;
}

static void count_owned(const struct iho_plan_source *src,
			struct iho_owned *owned)
{
	const u32 contexts = iho_source_count(src, IHO_NODE_CONTEXT);
	struct iho_cursor cur;
	union iho_fact fact;

	memset(owned, 0, contexts * sizeof(*owned));
	iho_cursor_init(&cur, src, IHO_NODE_DEVICE);
	while (iho_cursor_next(&cur, &fact)) {
		if (fact.device.context >= contexts)
			continue;
		owned[fact.device.context].devices++;
		if (fact.device.domain != IHO_NONE)
			owned[fact.device.context].attached++;
	}
}

size_t iho_facts_index_size(const struct iho_facts *facts)
{
	return facts->contexts * sizeof(struct iho_owned);
}

void iho_facts_index(struct iho_facts *facts, void *work)
{
	const struct iho_plan_source src = { .facts = facts };

	count_owned(&src, work);
	facts->owned = work;
}

size_t iho_image_index_size(const struct iho_image *img)
{
	size_t size = img->contexts * sizeof(struct iho_owned);
	enum iho_node kind;

	for (kind = 0; kind < IHO_NODES; kind++)
		size += img->count[kind] * sizeof(u32);
	return size;
}

void iho_image_index(struct iho_image *img, void *work)
{
	const struct iho_plan_source src = { .img = img };
	struct iho_owned *owned = work;
	u32 *node = (u32 *)(owned + img->contexts), *at = node;
	enum iho_node kind;
	int off;
	u32 i;

	for (kind = 0; kind < IHO_NODES; kind++) {
		off = img->first[kind];
		for (i = 0; i < img->count[kind]; i++) {
			*at++ = (u32)off;
			off = iho_node_skip(img->fdt, off);
		}
	}
	count_owned(&src, owned);
	img->node = node;
	img->owned = owned;
}

int iho_get(const struct iho_image *img, enum iho_node kind, u32 index,
	    union iho_fact *out)
{
	if (index >= img->count[kind])
		return -IHO_ERR_BADCALL;
	iho_node_read(img->fdt, iho_node_find(img, kind, index), kind, out);
	return 0;
}

static int get(const struct iho_image *img, enum iho_node kind, u32 index,
	       void *out)
{
	union iho_fact fact;
	int err = iho_get(img, kind, index, &fact);

	if (!err)
		memcpy(out, &fact, iho_node_desc[kind].size);
	return err;
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

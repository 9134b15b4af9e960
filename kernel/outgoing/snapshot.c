// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: a snapshot of all preserved iommufds.
 */
#include <linux/crc32.h>
#include <linux/utsname.h>

#include "gather.h"

/* At most, for the records of an object without its maps and allowed ranges */
#define OBJECT_LEN	256
#define MAP_LEN		(sizeof(struct iho_rec) + \
			 sizeof(struct iho_pl_map_file) + \
			 sizeof(struct iho_map_ref))

/* Facts, to @p when it is not NULL. Return: bytes */
static u64 put_facts(const struct gather *g, void *p)
{
	u64 pos = 0;

	static_assert(!offsetof(struct mem_entry, fact));
	static_assert(!offsetof(struct domain_entry, fact));
	for (u32 kind = 0; kind < IHO_NODES; kind++) {
		const struct vec *v = &g->node[kind];
		u32 len = iho_node_desc[kind].size;

		for (u32 i = 0; p && i < v->nr; i++)
			memcpy(p + pos + i * (u64)len, v->p + i * v->size, len);
		pos += (u64)v->nr * len;
	}
	return pos;
}

static int refuse_snapshot(u64 len)
{
	return handover_refuse(-ENOMEM,
			       "out of memory for a snapshot of %llu bytes; free memory and load again",
			       len);
}

/*
 * The facts are at the front, and how many there are is known before the first
 * record, so that records are written to where they stay. Contexts are held
 * still: what was counted is what will be recorded.
 */
static int make_room(struct gather *g)
{
	u64 records = (g->objects + g->context.nr) * OBJECT_LEN +
		      g->areas * MAP_LEN +
		      g->allowed * sizeof(struct iho_range);

	g->pos = sizeof(struct iho_snap_header) + put_facts(g, NULL);
	g->cap = g->pos + records;
	if (g->cap > IHO_MAX_IMAGE)
		return handover_refuse(-EFBIG,
				       "the records take up to %llu bytes, more than %llu; map fewer, larger areas",
				       g->cap, IHO_MAX_IMAGE);
	g->buf = kvmalloc(g->cap, GFP_KERNEL);
	return g->buf ? 0 : refuse_snapshot(g->cap);
}

static int make_snapshot(struct gather *g, u64 generation,
			 struct handover_live *live)
{
	struct iho_snap_header hdr = {
		.magic = IHO_SNAP_MAGIC,
		.header_len = sizeof(hdr),
		.major = IHO_FORMAT_MAJOR,
		.minor = IHO_FORMAT_MINOR,
		.total_len = g->pos,
		.generation = generation,
	};
	char place[IHO_WHERE_LEN];
	struct iho_where where;
	int rc;

	for (u32 kind = 0; kind < IHO_NODES; kind++) {
		hdr.count[kind] = g->node[kind].nr;
		hdr.element_len[kind] = iho_node_desc[kind].size;
	}
	strscpy_pad(hdr.release, init_utsname()->release);
	live->mem = kvcalloc(g->mem.nr + 1, sizeof(*live->mem), GFP_KERNEL);
	if (!live->mem)
		return refuse_snapshot(hdr.total_len);
	live->len = g->pos;
	live->buf = g->buf;
	g->buf = NULL;
	memcpy(live->buf, &hdr, sizeof(hdr));
	put_facts(g, live->buf + sizeof(hdr));
	for (u32 i = 0; i < g->mem.nr; i++)
		live->mem[i] = MEM(g, i)->found;

	/* What is handed out must be what the other end accepts */
	rc = iho_snapshot_open(live->buf, live->len, &live->facts, &where);
	if (!rc)
		rc = iho_facts_check(&live->facts, &where);
	if (rc)
		/* Cure: report it. */
		return handover_refuse(handover_errno(rc), "%s: %s",
				       iho_where_text(&where, place),
				       iho_strerror(rc));
	return 0;
}

int handover_live_take(struct list_head *contexts, u64 generation, u32 flags,
		       struct handover_live *live)
{
	static const char *const what[IHO_NODES] = {
		"mapped memfds", "IOMMU units", "HWPTs", "domain IDs", "devices",
		"iommufds",
	};
	struct gather g = {
		.all = flags & HANDOVER_TAKE_ALL,
		.continuous = flags & HANDOVER_TAKE_CONTINUOUS,
	};
	struct handover_ctx *ctx;
	u32 ci;
	int rc = 0;

	memset(live, 0, sizeof(*live));
	for (u32 kind = 0; kind < IHO_NODES; kind++) {
		g.node[kind].size = iho_node_desc[kind].size;
		g.node[kind].max = iho_node_desc[kind].max;
		g.node[kind].what = what[kind];
	}
	g.mem.size = sizeof(struct mem_entry);
	g.domain.size = sizeof(struct domain_entry);
	handover_numbers_init(&g.inodes, g.mem.max, g.mem.what);
	ci = 0;
	list_for_each_entry(ctx, contexts, list) {
		rc = handover_gather_context(&g, ctx, ci++);
		if (rc)
			goto out;
	}
	rc = g.refused;
	if (rc)
		goto out;
	g.pieces = 0;
	rc = handover_order(&g);
	if (!rc)
		rc = make_room(&g);
	if (rc)
		goto out;
	ci = 0;
	list_for_each_entry(ctx, contexts, list) {
		rc = handover_emit_context(&g, ctx, ci++);
		if (rc)
			goto out;
	}
	rc = make_snapshot(&g, generation, live);
out:
	if (rc)
		handover_live_free(live);
	handover_numbers_free(&g.inodes);
	for (u32 kind = 0; kind < IHO_NODES; kind++)
		kvfree(g.node[kind].p);
	kvfree(g.buf);
	return rc;
}

void handover_live_free(struct handover_live *live)
{
	kvfree(live->buf);
	kvfree(live->mem);
	memset(live, 0, sizeof(*live));
}

bool handover_live_moved(const struct handover_live *live, u64 generation,
			 u32 flags, u32 *crc)
{
	/* All but what comes before the contents: length and generation */
	const size_t skip = offsetofend(struct iho_snap_header, generation);

	lockdep_assert_held(&handover_out.lock);
	*crc = crc32_le(~0, live->buf + skip, live->len - skip);
	return handover_out.given.generation == generation &&
	       !((handover_out.given.flags ^ flags) & HANDOVER_TAKE_CONTINUOUS) &&
	       handover_out.given.crc != *crc;
}

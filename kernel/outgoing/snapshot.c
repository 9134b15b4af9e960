// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: a snapshot of all preserved iommufds.
 */
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

static int make_snapshot(struct gather *g, struct handover_live *live)
{
	struct iho_snap_header hdr = {
		.magic = IHO_SNAP_MAGIC,
		.header_len = sizeof(hdr),
		.major = IHO_FORMAT_MAJOR,
		.minor = IHO_FORMAT_MINOR,
		.total_len = g->pos,
		.generation = live->generation,
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

static void gather_begin(struct gather *g, u32 flags)
{
	static const char *const what[IHO_NODES] = {
		"mapped memfds", "IOMMU units", "HWPTs", "domain IDs", "devices",
		"iommufds",
	};

	*g = (struct gather) {
		.all = flags & HANDOVER_TAKE_ALL,
		.continuous = flags & HANDOVER_TAKE_CONTINUOUS,
	};
	for (u32 kind = 0; kind < IHO_NODES; kind++) {
		g->node[kind].size = iho_node_desc[kind].size;
		g->node[kind].max = iho_node_desc[kind].max;
		g->node[kind].what = what[kind];
	}
	g->mem.size = sizeof(struct mem_entry);
	g->domain.size = sizeof(struct domain_entry);
	handover_numbers_init(&g->inodes, g->mem.max, g->mem.what);
}

static void gather_end(struct gather *g)
{
	handover_numbers_free(&g->inodes);
	for (u32 kind = 0; kind < IHO_NODES; kind++)
		kvfree(g->node[kind].p);
	kvfree(g->buf);
}

/* The facts of all contexts, in order. */
static int gather_facts(struct gather *g, struct list_head *contexts)
{
	struct handover_ctx *ctx;
	u32 ci = 0;
	int rc;

	list_for_each_entry(ctx, contexts, list) {
		rc = handover_gather_context(g, ctx, ci++);
		if (rc)
			return rc;
	}
	if (g->refused)
		return g->refused;
	g->pieces = 0;
	return handover_order(g);
}

static int take(struct gather *g, struct list_head *contexts,
		struct handover_live *live)
{
	struct handover_ctx *ctx;
	u32 ci = 0;
	int rc;

	rc = gather_facts(g, contexts);
	if (!rc)
		rc = make_room(g);
	if (rc)
		return rc;
	list_for_each_entry(ctx, contexts, list) {
		rc = handover_emit_context(g, ctx, ci++);
		if (rc)
			return rc;
	}
	live->user = g->user;
	return make_snapshot(g, live);
}

struct handover_live *handover_live_take(struct list_head *contexts,
					 u64 generation, u32 flags)
{
	struct handover_live *live;
	struct gather g;
	int rc;

	live = kzalloc_obj(*live);
	if (!live) {
		refuse_snapshot(sizeof(*live));
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&live->ref);
	live->generation = generation;
	live->continuous = flags & HANDOVER_TAKE_CONTINUOUS;
	gather_begin(&g, flags);
	rc = take(&g, contexts, live);
	gather_end(&g);
	if (!rc)
		return live;
	handover_live_put(live);
	return ERR_PTR(rc);
}

static void live_free(struct kref *ref)
{
	struct handover_live *live = container_of(ref, struct handover_live, ref);

	kvfree(live->buf);
	kvfree(live->mem);
	kfree(live);
}

void handover_live_put(struct handover_live *live)
{
	if (live)
		kref_put(&live->ref, live_free);
}

/* All but the memories, which areas alone name, and where records are. */
static bool same_facts(const struct gather *g, const struct iho_facts *facts)
{
	for (u32 kind = 0; kind < IHO_NODES; kind++) {
		const struct vec *v = &g->node[kind];
		u32 len = kind == IHO_NODE_CONTEXT ?
			  offsetof(struct iho_context, stream_off) :
			  iho_node_desc[kind].size;

		if (kind == IHO_NODE_MEMORY)
			continue;
		if (v->nr != facts->count[kind])
			return false;
		for (u32 i = 0; i < v->nr; i++)
			if (memcmp(v->p + i * v->size,
				   iho_facts_at(facts, kind, i), len))
				return false;
	}
	return true;
}

int handover_live_holds(struct list_head *contexts,
			const struct handover_live *live, u64 generation,
			u32 flags)
{
	struct gather g;
	int rc;

	lockdep_assert_held(&handover_out.lock);
	if (!live || live->user || live->generation != generation ||
	    live->continuous != !!(flags & HANDOVER_TAKE_CONTINUOUS))
		return 0;
	gather_begin(&g, flags);
	g.areas_known = true;
	rc = gather_facts(&g, contexts);
	if (!rc)
		rc = same_facts(&g, &live->facts);
	gather_end(&g);
	return rc;
}

void handover_live_date(struct handover_live *live, u64 generation)
{
	struct iho_snap_header *hdr = live->buf;

	hdr->generation = generation;
	live->generation = generation;
}

bool handover_live_differ(const struct handover_live *a,
			  const struct handover_live *b)
{
	/* All but what comes before the contents: length and generation */
	const size_t skip = offsetofend(struct iho_snap_header, generation);

	return a->len != b->len ||
	       memcmp(a->buf + skip, b->buf + skip, a->len - skip);
}

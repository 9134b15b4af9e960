// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: a snapshot of all preserved iommufds.
 */
#include <linux/crc32.h>
#include <linux/utsname.h>

#include "gather.h"

/* No more for the records of an object but its maps and allowed ranges */
#define OBJECT_LEN	256
#define MAP_LEN		(sizeof(struct iho_rec) + \
			 sizeof(struct iho_pl_map_file) + \
			 sizeof(struct iho_map_ref))

/* Facts that go in as they are, to @p when it is not NULL. Return: bytes */
static u64 put_plain(const struct gather *g, void *p)
{
	const struct vec *plain[] = {
		&g->unit, &g->table, &g->domain, &g->device, &g->context,
	};
	u64 pos = 0, len;

	for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
		len = (u64)plain[i]->nr * plain[i]->size;
		if (p)
			memcpy(p + pos, plain[i]->p, len);
		pos += len;
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
 * record, so that records are written to where they stay.
 */
static int make_room(struct gather *g)
{
	u64 records;

	g->pos = sizeof(struct iho_snap_header) +
		 (u64)g->mem.nr * sizeof(struct iho_memory) +
		 put_plain(g, NULL);
	records = (g->objects + g->context.nr) * OBJECT_LEN +
		  g->areas * MAP_LEN;
	g->cap = g->pos + min(records, IHO_MAX_IMAGE);
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
		.memories = g->mem.nr,
		.units = g->unit.nr,
		.tables = g->table.nr,
		.domains = g->domain.nr,
		.devices = g->device.nr,
		.contexts = g->context.nr,
	};
	struct iho_where where;
	void *p;
	u32 i;
	int rc;

	strscpy_pad(hdr.release, init_utsname()->release);
	if (hdr.total_len > IHO_MAX_IMAGE)
		return handover_refuse(-EFBIG,
				       "the records take %llu bytes, more than %llu; map fewer, larger areas",
				       hdr.total_len, IHO_MAX_IMAGE);

	live->mem = kvcalloc(g->mem.nr + 1, sizeof(*live->mem), GFP_KERNEL);
	if (!live->mem)
		return refuse_snapshot(hdr.total_len);
	live->len = g->pos;
	live->buf = g->buf;
	g->buf = NULL;
	p = live->buf;
	memcpy(p, &hdr, sizeof(hdr));
	p += sizeof(hdr);
	for (i = 0; i < g->mem.nr; i++) {
		memcpy(p, &MEM(g, i)->fact, sizeof(struct iho_memory));
		p += sizeof(struct iho_memory);
		live->mem[i] = MEM(g, i)->found;
	}
	put_plain(g, p);

	/* What is handed out must be what the other end accepts */
	rc = iho_snapshot_open(live->buf, live->len, &live->facts, &where);
	if (!rc)
		rc = iho_facts_check(&live->facts, &where);
	if (rc)
		/* Cure: report it. */
		return handover_refuse(handover_errno(rc), "%s-%u %s: %s", where.node,
				       where.index, where.prop, iho_strerror(rc));
	return 0;
}

int handover_live_take(struct list_head *contexts, u64 generation,
		       struct handover_live *live)
{
	struct gather g = {
		.mem = { .size = sizeof(struct mem_entry),
			 .max = IHO_MAX_MEMORIES, .what = "mapped memfds" },
		.unit = { .size = sizeof(struct iho_unit),
			  .max = IHO_MAX_UNITS, .what = "IOMMU units" },
		.table = { .size = sizeof(struct iho_table),
			   .max = IHO_MAX_TABLES, .what = "HWPTs" },
		.domain = { .size = sizeof(struct iho_domain),
			    .max = IHO_MAX_DOMAINS, .what = "domain IDs" },
		.device = { .size = sizeof(struct iho_device),
			    .max = IHO_MAX_DEVICES, .what = "devices" },
		.context = { .size = sizeof(struct iho_context),
			     .max = IHO_MAX_CONTEXTS, .what = "iommufds" },
	};
	struct handover_ctx *ctx;
	u32 ci;
	int rc = 0;

	memset(live, 0, sizeof(*live));
	handover_numbers_init(&g.inodes, IHO_MAX_MEMORIES, "mapped memfds");
	ci = 0;
	list_for_each_entry(ctx, contexts, list) {
		rc = handover_gather_context(&g, ctx, ci++);
		if (rc)
			goto out;
	}
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
	kvfree(g.mem.p);
	kvfree(g.unit.p);
	kvfree(g.table.p);
	kvfree(g.domain.p);
	kvfree(g.device.p);
	kvfree(g.context.p);
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
			 u32 *crc)
{
	/* All but what comes before the contents: length and generation */
	const size_t skip = offsetofend(struct iho_snap_header, generation);

	lockdep_assert_held(&handover_out.lock);
	*crc = crc32_le(~0, live->buf + skip, live->len - skip);
	return handover_out.given.generation == generation &&
	       handover_out.given.crc != *crc;
}

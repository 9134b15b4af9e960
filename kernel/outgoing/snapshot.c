// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: a snapshot of all preserved iommufds.
 */
#include <linux/crc32.h>
#include <linux/utsname.h>

#include "gather.h"

static int make_snapshot(struct gather *g, u64 generation,
			 struct handover_live *live)
{
	struct iho_snap_header hdr = {
		.magic = IHO_SNAP_MAGIC,
		.header_len = sizeof(hdr),
		.major = IHO_FORMAT_MAJOR,
		.minor = IHO_FORMAT_MINOR,
		.generation = generation,
		.memories = g->mem.nr,
		.units = g->unit.nr,
		.tables = g->table.nr,
		.domains = g->domain.nr,
		.devices = g->device.nr,
		.contexts = g->context.nr,
	};
	const struct vec *plain[] = {
		&g->unit, &g->table, &g->domain, &g->device, &g->context,
	};
	struct iho_where where;
	u64 off;
	void *p;
	u32 i;
	int rc;

	strscpy_pad(hdr.release, init_utsname()->release);
	off = sizeof(hdr) + (u64)g->mem.nr * sizeof(struct iho_memory);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		off += (u64)plain[i]->nr * plain[i]->size;
	for (i = 0; i < g->context.nr; i++)
		CONTEXT(g, i)->stream_off += off;
	hdr.total_len = off + g->pos;
	if (hdr.total_len > IHO_MAX_IMAGE)
		return handover_refuse(-EFBIG,
				       "the records take %llu bytes, more than %llu; map fewer, larger areas",
				       hdr.total_len, IHO_MAX_IMAGE);

	live->len = hdr.total_len;
	live->buf = kvzalloc(live->len, GFP_KERNEL);
	live->mem = kvcalloc(g->mem.nr + 1, sizeof(*live->mem), GFP_KERNEL);
	if (!live->buf || !live->mem)
		return handover_refuse(-ENOMEM,
				       "out of memory for a snapshot of %zu bytes; free memory and load again",
				       live->len);
	p = live->buf;
	memcpy(p, &hdr, sizeof(hdr));
	p += sizeof(hdr);
	for (i = 0; i < g->mem.nr; i++) {
		memcpy(p, &MEM(g, i)->fact, sizeof(struct iho_memory));
		p += sizeof(struct iho_memory);
		live->mem[i] = MEM(g, i)->found;
	}
	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		memcpy(p, plain[i]->p, plain[i]->nr * plain[i]->size);
		p += plain[i]->nr * plain[i]->size;
	}
	memcpy(p, g->stream, g->pos);

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
		.group = { .size = sizeof(struct share_group),
			   .max = IHO_MAX_RECORDS, .what = "share groups" },
	};
	struct handover_ctx *ctx;
	u32 ci;
	int rc = 0;

	memset(live, 0, sizeof(*live));
	xa_init(&g.inodes);
	ci = 0;
	list_for_each_entry(ctx, contexts, list) {
		rc = handover_gather_context(&g, ctx, ci++);
		if (rc)
			goto out;
	}
	g.pieces = 0;
	rc = handover_order(&g);
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
	xa_destroy(&g.inodes);
	kvfree(g.mem.p);
	kvfree(g.unit.p);
	kvfree(g.table.p);
	kvfree(g.domain.p);
	kvfree(g.device.p);
	kvfree(g.context.p);
	kvfree(g.group.p);
	kvfree(g.stream);
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

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: build an image (sections 2 and 3).
 */
#include "iho_internal.h"

/*
 * Upper bounds: a property takes a tag, its length, a name offset and at most
 * 64 bytes; a node a begin tag, a name of at most 16 and an end tag. Below
 * them come the FDT's header, the reserve map, the end tag and the names.
 */
#define PROPERTY_BOUND	(12u + IHO_SESSION_LEN)
#define NODE_BOUND	(8u + 16u)
#define REST_BOUND	1024u

static u32 fdt_bound(const struct iho_facts *facts)
{
	u32 size = REST_BOUND;
	enum iho_node kind;

	for (kind = 0; kind <= IHO_NODE_ROOT; kind++)
		size += (kind == IHO_NODE_ROOT ? 1 : facts->count[kind]) *
			(NODE_BOUND +
			 iho_node_desc[kind].fields * PROPERTY_BOUND);
	return size;
}

size_t iho_build_size(const struct iho_facts *facts)
{
	const struct iho_context *c;
	enum iho_node kind;
	u64 size;
	u32 i;

	for (kind = 0; kind < IHO_NODES; kind++)
		if (facts->count[kind] > iho_node_desc[kind].max)
			return 0;
	size = iho_pad((u64)IHO_HEADER_LEN + fdt_bound(facts), IHO_PAGE_SIZE);
	for (i = 0; i < facts->contexts; i++) {
		c = iho_facts_at(facts, IHO_NODE_CONTEXT, i);
		if (c->stream_len > IHO_MAX_IMAGE)
			return 0;
		size += iho_pad(c->stream_len, IHO_PAGE_SIZE);
	}
	return (size_t)size;
}

static int put_field(void *fdt, const struct iho_field *f,
		     const union iho_fact *fact)
{
	const u8 *from = (const u8 *)fact + f->off;
	const u32 *cells = (const u32 *)from;
	const void *value;
	u8 buf[32];
	u64 wide;
	u32 len, i;

	value = buf;
	switch (f->type) {
	case IHO_FIELD_U32:
		iho_put32(buf, cells[0]);
		len = 4;
		break;
	case IHO_FIELD_U64:
		memcpy(&wide, from, sizeof(wide));
		iho_put64(buf, wide);
		len = 8;
		break;
	case IHO_FIELD_VERSION:
		iho_put32(buf, cells[0]);
		iho_put32(buf + 4, cells[1]);
		len = 8;
		break;
	case IHO_FIELD_STRING:
		value = from;
		len = (u32)strlen((const char *)from) + 1;
		break;
	case IHO_FIELD_WORD:
		value = f->words[cells[0]];
		len = (u32)strlen(value) + 1;
		break;
	case IHO_FIELD_DIGEST:
		value = from;
		len = IHO_DIGEST_LEN;
		break;
	case IHO_FIELD_NOTHING:
		len = 0;
		break;
	case IHO_FIELD_PATH:
		value = from;
		len = fact->device.path_len;
		break;
	default:
		len = 4 * fact->device.source_ids;
		for (i = 0; i < len; i += 4)
			iho_put32(buf + i, cells[i / 4]);
		break;
	}
	return fdt_property(fdt, iho_names[f->name], value, (int)len);
}

static int put_fields(void *fdt, enum iho_node kind,
		      const union iho_fact *fact)
{
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	u32 i;
	int err = 0;

	for (i = 0; !err && i < desc->fields; i++)
		err = put_field(fdt, &desc->field[i], fact);
	return err;
}

/* Where the streams go, and their digests: known in the second pass only. */
struct placing {
	const u8 *snapshot;
	bool second;
	u64 pos;
};

static void place(struct placing *at, struct iho_context *c)
{
	u64 from = c->stream_off;

	c->stream_off = at->pos;
	/* Without any stream there may be no snapshot. */
	if (at->second)
		iho_digest(c->stream_len ? at->snapshot + from : NULL,
			   (size_t)c->stream_len, c->stream_digest);
	at->pos += iho_pad(c->stream_len, IHO_PAGE_SIZE);
}

static int put_nodes(void *fdt, const struct iho_plan_source *src,
		     enum iho_node kind, struct placing *at)
{
	struct iho_cursor cur;
	union iho_fact fact;
	char name[16];
	u32 i;
	int err = 0;

	iho_cursor_init(&cur, src, kind);
	for (i = 0; !err && iho_cursor_next(&cur, &fact); i++) {
		iho_node_name(kind, i, name);
		if (kind == IHO_NODE_CONTEXT)
			place(at, &fact.context);
		err = fdt_begin_node(fdt, name);
		if (!err)
			err = put_fields(fdt, kind, &fact);
		if (!err)
			err = fdt_end_node(fdt);
	}
	return err;
}

static int put_root(void *fdt, const struct iho_facts *facts)
{
	union iho_fact fact;
	int err;

	memset(&fact, 0, sizeof(fact));
	fact.root.major = IHO_FORMAT_MAJOR;
	fact.root.minor = IHO_FORMAT_MINOR;
	fact.root.generation = facts->generation;
	memcpy(fact.root.release, facts->release, strlen(facts->release));
	fact.root.page_bytes = IHO_PAGE_SIZE;
	err = fdt_begin_node(fdt, "");
	return err ? err : put_fields(fdt, IHO_NODE_ROOT, &fact);
}

/* Write the FDT into @cap bytes; returns its length, or 0 without room. */
static u32 put_fdt(void *fdt, u32 cap, const struct iho_facts *facts,
		   struct placing *at)
{
	const struct iho_plan_source src = { .facts = facts };
	enum iho_node kind;
	int err;

	err = fdt_create(fdt, (int)cap);
	if (!err)
		err = fdt_finish_reservemap(fdt);
	if (!err)
		err = put_root(fdt, facts);
	for (kind = 0; !err && kind < IHO_NODES; kind++)
		err = put_nodes(fdt, &src, kind, at);
	if (!err)
		err = fdt_end_node(fdt);
	if (!err)
		err = fdt_finish(fdt);
	return err ? 0 : fdt_totalsize(fdt);
}

static void put_streams(const struct iho_facts *facts, const u8 *snapshot,
			u8 *out, u64 head)
{
	u64 pos = iho_pad(head, IHO_PAGE_SIZE);
	const struct iho_context *c;
	u64 end = head;
	u32 i;

	for (i = 0; i < facts->contexts; i++) {
		c = iho_facts_at(facts, IHO_NODE_CONTEXT, i);
		memset(out + end, 0, (size_t)(pos - end));
		/* Without any stream there may be no snapshot. */
		if (c->stream_len)
			memcpy(out + pos, snapshot + c->stream_off,
			       (size_t)c->stream_len);
		end = pos + c->stream_len;
		pos = iho_pad(end, IHO_PAGE_SIZE);
	}
	memset(out + end, 0, (size_t)(pos - end));
}

static void put_header(u8 *out, u64 total_len, u32 fdt_len, u32 sections)
{
	u8 digest[IHO_DIGEST_LEN];

	memset(out, 0, IHO_HEADER_LEN);
	memcpy(out, IHO_MAGIC, 8);
	iho_put32(out + offsetof(struct iho_header, header_len),
		  IHO_HEADER_LEN);
	iho_put16(out + offsetof(struct iho_header, major), IHO_FORMAT_MAJOR);
	iho_put16(out + offsetof(struct iho_header, minor), IHO_FORMAT_MINOR);
	iho_put64(out + offsetof(struct iho_header, total_len), total_len);
	iho_put32(out + offsetof(struct iho_header, fdt_off), IHO_HEADER_LEN);
	iho_put32(out + offsetof(struct iho_header, fdt_len), fdt_len);
	iho_put32(out + offsetof(struct iho_header, fdt_crc),
		  iho_crc32(0, out + IHO_HEADER_LEN, fdt_len));
	iho_put16(out + offsetof(struct iho_header, record_order),
		  iho_native_order());
	iho_put32(out + offsetof(struct iho_header, sections), sections);
	iho_put32(out + offsetof(struct iho_header, header_crc),
		  iho_header_crc(out));
	iho_head_digest(out, fdt_len, digest);
	memcpy(out + offsetof(struct iho_header, digest), digest,
	       sizeof(digest));
}

/* What iho_facts_check() leaves to those who know where the streams are. */
static int check_streams(const struct iho_facts *facts,
			 struct iho_where *where)
{
	const struct iho_context *c;
	enum iho_name name;
	int err;
	u32 i;

	for (i = 0; i < facts->contexts; i++) {
		c = iho_facts_at(facts, IHO_NODE_CONTEXT, i);
		name = IHO_NAME_STREAM_LEN;
		err = IHO_ERR_ALIGN;
		if (c->stream_len % 8)
			goto fail;
		err = IHO_ERR_LIMIT;
		if (c->stream_len > IHO_MAX_IMAGE)
			goto fail;
		name = IHO_NAME_RECORDS;
		err = IHO_ERR_COUNT;
		if (!c->stream_len != !c->records)
			goto fail;
	}
	return 0;
fail:
	return iho_fail(where, err, 0, "context", i, iho_names[name],
			IHO_NONE);
}

int iho_build(const struct iho_facts *facts, const void *snapshot, void *out,
	      size_t cap, size_t *out_len, struct iho_where *where)
{
	struct placing at = { .snapshot = snapshot };
	u8 *fdt = (u8 *)out + IHO_HEADER_LEN;
	u32 room, len;
	u64 head;
	int err;

	err = iho_facts_check(facts, where);
	if (!err)
		err = check_streams(facts, where);
	if (err)
		return err;

	if (cap < IHO_HEADER_LEN)
		goto no_space;
	room = fdt_bound(facts);
	if (room > cap - IHO_HEADER_LEN)
		room = (u32)(cap - IHO_HEADER_LEN);

	/* Twice: the length must be known before the streams' offsets are. */
	len = put_fdt(fdt, room, facts, &at);
	if (!len)
		goto no_space;
	head = (u64)IHO_HEADER_LEN + len;
	if (head > IHO_MAX_HEAD ||
	    at.pos > IHO_MAX_IMAGE - iho_pad(head, IHO_PAGE_SIZE))
		return iho_fail(where, IHO_ERR_LIMIT, 0, "header", IHO_NONE,
				"total_len", IHO_NONE);
	if (at.pos + iho_pad(head, IHO_PAGE_SIZE) > cap)
		goto no_space;
	at.second = true;
	at.pos = iho_pad(head, IHO_PAGE_SIZE);
	len = put_fdt(fdt, room, facts, &at);
	put_streams(facts, snapshot, out, head);
	put_header(out, at.pos, len, facts->contexts);
	*out_len = (size_t)at.pos;
	return 0;

no_space:
	return iho_fail(where, IHO_ERR_NOSPACE, 0, "header", IHO_NONE,
			"total_len", IHO_NONE);
}

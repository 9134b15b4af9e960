// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: framing of a snapshot (section 7).
 */
#include "iho_internal.h"

static int snap_fail(struct iho_where *where, int err, u64 offset,
		     const char *prop)
{
	return iho_fail(where, err, offset, "header", IHO_NONE, prop, IHO_NONE);
}

#define SNAP_FAIL(err, member)						\
	snap_fail(where, err, offsetof(struct iho_snap_header, member), #member)

static int check_counts(const struct iho_snap_header *h,
			struct iho_where *where)
{
	enum iho_node kind;

	for (kind = 0; kind < IHO_NODES; kind++)
		if (h->count[kind] > iho_node_desc[kind].max)
			return snap_fail(where, IHO_ERR_LIMIT,
					 offsetof(struct iho_snap_header,
						  count) + 4 * kind,
					 iho_node_desc[kind].plural);
	return 0;
}

static int check_element_lens(const struct iho_snap_header *h,
			      struct iho_where *where)
{
	static const char *const names[IHO_NODES] = {
		[IHO_NODE_MEMORY] = "memory_len",
		[IHO_NODE_UNIT] = "unit_len",
		[IHO_NODE_TABLE] = "table_len",
		[IHO_NODE_DOMAIN] = "domain_len",
		[IHO_NODE_DEVICE] = "device_len",
		[IHO_NODE_CONTEXT] = "context_len",
	};
	enum iho_node kind;
	int err;

	for (kind = 0; kind < IHO_NODES; kind++) {
		err = IHO_OK;
		if (h->element_len[kind] < iho_node_desc[kind].size)
			err = IHO_ERR_RANGE;
		else if (h->element_len[kind] % 8)
			err = IHO_ERR_ALIGN;
		if (err)
			return snap_fail(where, err,
					 offsetof(struct iho_snap_header,
						  element_len) + 4 * kind,
					 names[kind]);
	}
	return 0;
}

static int check_header(const struct iho_snap_header *h, size_t len,
			struct iho_where *where)
{
	u64 used;
	int err;

	if (len < sizeof(*h))
		return SNAP_FAIL(IHO_ERR_TRUNCATED, magic);
	if (memcmp(h->magic, IHO_SNAP_MAGIC, sizeof(h->magic)))
		return SNAP_FAIL(IHO_ERR_MAGIC, magic);
	if (h->major != IHO_FORMAT_MAJOR)
		return SNAP_FAIL(IHO_ERR_VERSION, major);
	if (h->header_len != sizeof(*h))
		return SNAP_FAIL(IHO_ERR_HEADER, header_len);
	if (h->total_len > len)
		return SNAP_FAIL(IHO_ERR_TRUNCATED, total_len);
	if (h->total_len < len)
		return SNAP_FAIL(IHO_ERR_GAP, total_len);
	used = strnlen(h->release, IHO_RELEASE_LEN);
	if (used == IHO_RELEASE_LEN ||
	    iho_zeroes(h->release + used, IHO_RELEASE_LEN - used) !=
	    IHO_RELEASE_LEN - used)
		return SNAP_FAIL(IHO_ERR_HEADER, release);
	err = check_counts(h, where);
	return err ? err : check_element_lens(h, where);
}

/* What a later kernel has added to its structures must be nothing here. */
static int check_surplus(const struct iho_facts *facts, enum iho_node kind,
			 u64 pos, struct iho_where *where)
{
	const u32 size = iho_node_desc[kind].size;
	const u64 surplus = facts->element_len[kind] - size;
	u64 zeroes;
	u32 i;

	for (i = 0; surplus && i < facts->count[kind]; i++) {
		zeroes = iho_zeroes((const u8 *)iho_facts_at(facts, kind, i) +
				    size, surplus);
		if (zeroes != surplus)
			return iho_fail(where, IHO_ERR_VALUE,
					pos + (u64)i * facts->element_len[kind] +
					size + zeroes, iho_node_desc[kind].name,
					i, "surplus", IHO_NONE);
	}
	return 0;
}

/* Where the arrays are; @end is set to where they end. */
static int find_arrays(const struct iho_snap_header *h, size_t len,
		       struct iho_facts *facts, u64 *end,
		       struct iho_where *where)
{
	u64 pos[IHO_NODES + 1] = { sizeof(*h) };
	enum iho_node kind;
	int err = 0;

	for (kind = 0; kind < IHO_NODES; kind++) {
		facts->count[kind] = h->count[kind];
		facts->element_len[kind] = h->element_len[kind];
		facts->at[kind] = (const u8 *)h + pos[kind];
		pos[kind + 1] = pos[kind] +
				(u64)h->count[kind] * h->element_len[kind];
		if (pos[kind + 1] > len)
			return SNAP_FAIL(IHO_ERR_TRUNCATED, total_len);
	}
	for (kind = 0; !err && kind < IHO_NODES; kind++)
		err = check_surplus(facts, kind, pos[kind], where);
	*end = pos[IHO_NODES];
	return err;
}

static int check_streams(const struct iho_facts *facts, u64 pos, u64 len,
			 struct iho_where *where)
{
	const struct iho_context *c;
	const char *prop = "stream_off";
	int err = IHO_ERR_GAP;
	u32 i;

	for (i = 0; i < facts->contexts; i++) {
		c = iho_facts_at(facts, IHO_NODE_CONTEXT, i);
		if (c->stream_off != pos)
			goto fail;
		prop = "stream_len";
		if (c->stream_len % 8)
			goto fail;
		err = IHO_ERR_TRUNCATED;
		if (c->stream_len > len - pos)
			goto fail;
		pos += c->stream_len;
		prop = "stream_off";
		err = IHO_ERR_GAP;
	}
	if (pos != len)
		return snap_fail(where, IHO_ERR_GAP, pos, "total_len");
	return 0;
fail:
	return iho_fail(where, err, pos, "context", i, prop, IHO_NONE);
}

int iho_snapshot_open(const void *buf, size_t len, struct iho_facts *facts,
		      struct iho_where *where)
{
	const struct iho_snap_header *h = buf;
	u64 end = 0;
	int err;

	err = check_header(h, len, where);
	if (err)
		return err;

	memset(facts, 0, sizeof(*facts));
	facts->generation = h->generation;
	facts->release = h->release;
	err = find_arrays(h, len, facts, &end, where);
	return err ? err : check_streams(facts, end, len, where);
}

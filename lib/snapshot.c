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
	if (h->memories > IHO_MAX_MEMORIES)
		return SNAP_FAIL(IHO_ERR_LIMIT, memories);
	if (h->units > IHO_MAX_UNITS)
		return SNAP_FAIL(IHO_ERR_LIMIT, units);
	if (h->tables > IHO_MAX_TABLES)
		return SNAP_FAIL(IHO_ERR_LIMIT, tables);
	if (h->domains > IHO_MAX_DOMAINS)
		return SNAP_FAIL(IHO_ERR_LIMIT, domains);
	if (h->devices > IHO_MAX_DEVICES)
		return SNAP_FAIL(IHO_ERR_LIMIT, devices);
	if (h->contexts > IHO_MAX_CONTEXTS)
		return SNAP_FAIL(IHO_ERR_LIMIT, contexts);
	return 0;
}

static int check_header(const struct iho_snap_header *h, size_t len,
			struct iho_where *where)
{
	u64 used;

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
	return check_counts(h, where);
}

static int check_streams(const struct iho_facts *facts, u64 pos, u64 len,
			 struct iho_where *where)
{
	const struct iho_context *c;
	const char *prop = "stream_off";
	int err = IHO_ERR_GAP;
	u32 i;

	for (i = 0; i < facts->contexts; i++) {
		c = &facts->context[i];
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
	const u8 *p = (const u8 *)buf + sizeof(*h);
	u64 arrays;
	int err;

	err = check_header(h, len, where);
	if (err)
		return err;

	arrays = sizeof(*h) + (u64)h->memories * sizeof(*facts->memory) +
		 (u64)h->units * sizeof(*facts->unit) +
		 (u64)h->tables * sizeof(*facts->table) +
		 (u64)h->domains * sizeof(*facts->domain) +
		 (u64)h->devices * sizeof(*facts->device) +
		 (u64)h->contexts * sizeof(*facts->context);
	if (arrays > len)
		return SNAP_FAIL(IHO_ERR_TRUNCATED, total_len);

	memset(facts, 0, sizeof(*facts));
	facts->generation = h->generation;
	facts->release = h->release;
	facts->memories = h->memories;
	facts->units = h->units;
	facts->tables = h->tables;
	facts->domains = h->domains;
	facts->devices = h->devices;
	facts->contexts = h->contexts;
	facts->memory = (const void *)p;
	p += h->memories * sizeof(*facts->memory);
	facts->unit = (const void *)p;
	p += h->units * sizeof(*facts->unit);
	facts->table = (const void *)p;
	p += h->tables * sizeof(*facts->table);
	facts->domain = (const void *)p;
	p += h->domains * sizeof(*facts->domain);
	facts->device = (const void *)p;
	p += h->devices * sizeof(*facts->device);
	facts->context = (const void *)p;

	return check_streams(facts, arrays, len, where);
}

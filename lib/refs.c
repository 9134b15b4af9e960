// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: what must hold between nodes (section 3.3), and the check of
 * all facts.
 */
#include "iho_internal.h"

static int compare_names(const struct iho_memory *m,
			 const struct iho_context *c)
{
	int sign = memcmp(m->session, c->session, IHO_SESSION_LEN);

	if (sign)
		return sign;
	return m->token < c->token ? -1 : m->token > c->token;
}

/* A token of a session names a memory or a context, not both. */
static int check_tokens(const struct iho_plan_source *src,
			struct iho_where *where)
{
	struct iho_cursor memory, context;
	union iho_fact m, c;
	bool more;
	int sign;
	u32 i;

	iho_cursor_init(&memory, src, IHO_NODE_MEMORY);
	iho_cursor_init(&context, src, IHO_NODE_CONTEXT);
	more = iho_cursor_next(&memory, &m);
	for (i = 0; iho_cursor_next(&context, &c); i++) {
		for (; more; more = iho_cursor_next(&memory, &m)) {
			sign = compare_names(&m.memory, &c.context);
			if (!sign)
				return iho_fail(where, IHO_ERR_ORDER,
						context.at, "context", i,
						iho_names[IHO_NAME_TOKEN],
						IHO_NONE);
			if (sign > 0)
				break;
		}
	}
	return 0;
}

#define REF_FAIL(prop)							\
	iho_fail(where, IHO_ERR_REF, cur.at, iho_node_desc[cur.kind].name, \
		 i, iho_names[IHO_NAME_##prop], IHO_NONE)

static int check_table_refs(const struct iho_plan_source *src,
			    struct iho_where *where)
{
	const u32 contexts = iho_source_count(src, IHO_NODE_CONTEXT);
	struct iho_cursor cur;
	union iho_fact fact;
	u32 i;

	iho_cursor_init(&cur, src, IHO_NODE_TABLE);
	for (i = 0; iho_cursor_next(&cur, &fact); i++)
		if (fact.table.context >= contexts)
			return REF_FAIL(CONTEXT);
	return 0;
}

static int check_domain_refs(const struct iho_plan_source *src,
			     struct iho_where *where)
{
	const u32 units = iho_source_count(src, IHO_NODE_UNIT);
	const u32 tables = iho_source_count(src, IHO_NODE_TABLE);
	union iho_fact fact, unit, table;
	struct iho_cursor cur;
	u32 have = IHO_NONE;
	u32 i;

	iho_cursor_init(&cur, src, IHO_NODE_DOMAIN);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (fact.domain.unit >= units)
			return REF_FAIL(UNIT);
		if (fact.domain.table >= tables)
			return REF_FAIL(TABLE);
		/* Domains come by unit: each is read once. */
		if (fact.domain.unit != have)
			iho_source_get(src, IHO_NODE_UNIT, fact.domain.unit,
				       &unit);
		have = fact.domain.unit;
		iho_source_get(src, IHO_NODE_TABLE, fact.domain.table, &table);
		if (!(iho_format(table.table.format)->units &
		      1u << unit.unit.type))
			return REF_FAIL(TABLE);
	}
	return 0;
}

static int check_device_refs(const struct iho_plan_source *src,
			     struct iho_where *where)
{
	const u32 units = iho_source_count(src, IHO_NODE_UNIT);
	const u32 domains = iho_source_count(src, IHO_NODE_DOMAIN);
	const u32 contexts = iho_source_count(src, IHO_NODE_CONTEXT);
	u16 segment[IHO_MAX_UNITS];	/* of the units: each is read once */
	struct iho_cursor cur;
	union iho_fact fact, to;
	const struct iho_device *d = &fact.device;
	u32 i;

	iho_cursor_init(&cur, src, IHO_NODE_UNIT);
	for (i = 0; iho_cursor_next(&cur, &fact); i++)
		segment[i] = (u16)fact.unit.segment;
	iho_cursor_init(&cur, src, IHO_NODE_DEVICE);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (d->unit >= units)
			return REF_FAIL(UNIT);
		if (segment[d->unit] != d->segment)
			return REF_FAIL(UNIT);
		if (d->context >= contexts)
			return REF_FAIL(CONTEXT);
		if (d->domain == IHO_NONE)
			continue;
		if (d->domain >= domains)
			return REF_FAIL(DOMAIN);
		iho_source_get(src, IHO_NODE_DOMAIN, d->domain, &to);
		if (to.domain.unit != d->unit)
			return REF_FAIL(DOMAIN);
		iho_source_get(src, IHO_NODE_TABLE, to.domain.table, &to);
		if (to.table.context != d->context)
			return REF_FAIL(DOMAIN);
	}
	return 0;
}

/* Which of the 1024 units or domains from @base on do the devices name? */
static void mark_named(const struct iho_plan_source *src, enum iho_node kind,
		       u32 base, u32 map[32])
{
	struct iho_cursor cur;
	union iho_fact fact;
	u32 index;

	memset(map, 0, 32 * sizeof(*map));
	iho_cursor_init(&cur, src, IHO_NODE_DEVICE);
	while (iho_cursor_next(&cur, &fact)) {
		index = kind == IHO_NODE_UNIT ? fact.device.unit :
						fact.device.domain;
		if (index != IHO_NONE && index >= base && index - base < 1024)
			map[(index - base) / 32] |= 1u << (index - base) % 32;
	}
}

static int check_orphans(const struct iho_plan_source *src, enum iho_node kind,
			 struct iho_where *where)
{
	const char *const node = iho_node_desc[kind].name;
	struct iho_cursor cur;
	union iho_fact fact;
	u32 map[32];
	u32 i;

	iho_cursor_init(&cur, src, kind);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (!(i % 1024))
			mark_named(src, kind, i, map);
		if (!(map[i % 1024 / 32] & 1u << i % 32))
			return iho_fail(where, IHO_ERR_ORPHAN, cur.at, node, i,
					"", IHO_NONE);
	}
	return 0;
}

static int check_root(const struct iho_plan_source *src,
		      struct iho_where *where)
{
	const char *release = src->img ? src->img->release :
					 src->facts->release;
	char copy[IHO_RELEASE_LEN];
	u32 len = (u32)strnlen(release, IHO_RELEASE_LEN);

	memset(copy, 0, sizeof(copy));
	memcpy(copy, release, len);
	if (iho_string_error(copy, IHO_RELEASE_LEN))
		return iho_fail(where, IHO_ERR_STRING, 0, "", IHO_NONE,
				iho_names[IHO_NAME_RELEASE], IHO_NONE);
	return 0;
}

int iho_source_check(const struct iho_plan_source *src,
		     struct iho_where *where)
{
	enum iho_node kind;
	int err;

	for (kind = 0; kind < IHO_NODES; kind++)
		if (iho_source_count(src, kind) > iho_node_desc[kind].max)
			return iho_fail(where, IHO_ERR_LIMIT, 0,
					iho_node_desc[kind].name, IHO_NONE,
					"count", IHO_NONE);

	err = check_root(src, where);
	for (kind = 0; !err && kind < IHO_NODES; kind++)
		err = iho_kind_check(src, kind, where);
	if (!err)
		err = check_tokens(src, where);
	if (!err)
		err = check_table_refs(src, where);
	if (!err)
		err = check_domain_refs(src, where);
	if (!err)
		err = check_device_refs(src, where);
	if (!err)
		err = check_orphans(src, IHO_NODE_UNIT, where);
	if (!err)
		err = check_orphans(src, IHO_NODE_DOMAIN, where);
	return err;
}

int iho_facts_check(const struct iho_facts *facts, struct iho_where *where)
{
	const struct iho_plan_source src = { .facts = facts };

	return iho_source_check(&src, where);
}

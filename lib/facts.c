// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: nodes, their fields and what must hold for their values
 * (section 3).
 */
#include "iho_internal.h"

/*
 * None of these is the end of another: the sequential writer of libfdt would
 * let them share bytes of the strings block, depending on what it met before.
 */
const char *const iho_names[IHO_NAMES] = {
	[IHO_NAME_VERSION] = "version",
	[IHO_NAME_GENERATION] = "generation",
	[IHO_NAME_RELEASE] = "release",
	[IHO_NAME_PAGE_BYTES] = "page-bytes",
	[IHO_NAME_SESSION] = "session",
	[IHO_NAME_TOKEN] = "token",
	[IHO_NAME_SIZE] = "size",
	[IHO_NAME_SEALS] = "seals",
	[IHO_NAME_TYPE] = "type",
	[IHO_NAME_MODE] = "mode",
	[IHO_NAME_SEGMENT] = "segment",
	[IHO_NAME_REGISTER_PA] = "register-pa",
	[IHO_NAME_CAP] = "capability",
	[IHO_NAME_ECAP] = "capability-extended",
	[IHO_NAME_ROOT_PA] = "root-pa",
	[IHO_NAME_FORMAT] = "format",
	[IHO_NAME_LEVELS] = "levels",
	[IHO_NAME_CONTEXT] = "context",
	[IHO_NAME_HWPT_ID] = "hwpt-id",
	[IHO_NAME_ATTRIBUTES] = "attributes",
	[IHO_NAME_WIDTH] = "width",
	[IHO_NAME_UNIT] = "unit",
	[IHO_NAME_DOMAIN_ID] = "domain-id",
	[IHO_NAME_TABLE] = "table",
	[IHO_NAME_LEVEL] = "level",
	[IHO_NAME_SOURCE_IDS] = "source-ids",
	[IHO_NAME_ROOT_BUS] = "root-bus",
	[IHO_NAME_PATH] = "path",
	[IHO_NAME_VENDOR_DEVICE] = "vendor-device",
	[IHO_NAME_SUBSYSTEM] = "subsystem",
	[IHO_NAME_CLASS_REVISION] = "class-revision",
	[IHO_NAME_SERIAL] = "serial",
	[IHO_NAME_DOMAIN] = "domain",
	[IHO_NAME_DEV_ID] = "dev-id",
	[IHO_NAME_STREAM_OFF] = "stream-off",
	[IHO_NAME_STREAM_LEN] = "stream-len",
	[IHO_NAME_RECORDS] = "records",
	[IHO_NAME_STREAM_CRC] = "stream-crc",
};

static const char *const unit_types[] = {
	"", [IHO_UNIT_INTEL_VTD] = "intel-vtd", NULL
};

static const char *const unit_modes[] = {
	"", [IHO_UNIT_LEGACY] = "legacy", [IHO_UNIT_SCALABLE] = "scalable", NULL
};

static const char *const table_formats[] = {
	"", [IHO_TABLE_VTDSS] = "vtdss", NULL
};

static const char *const device_levels[] = {
	"", [IHO_LEVEL_PAUSED] = "paused",
	[IHO_LEVEL_CONTINUOUS] = "continuous", NULL
};

#define FIELD(node, member, prop, kind)					\
	{ IHO_NAME_##prop, IHO_FIELD_##kind,				\
	  offsetof(struct iho_##node, member), NULL }
#define WORD(node, member, prop, list)					\
	{ IHO_NAME_##prop, IHO_FIELD_WORD,				\
	  offsetof(struct iho_##node, member), list }

static const struct iho_field root_fields[] = {
	FIELD(root, major, VERSION, VERSION),
	FIELD(root, generation, GENERATION, U64),
	FIELD(root, release, RELEASE, STRING),
	FIELD(root, page_bytes, PAGE_BYTES, U32),
};

static const struct iho_field memory_fields[] = {
	FIELD(memory, session, SESSION, STRING),
	FIELD(memory, token, TOKEN, U64),
	FIELD(memory, size, SIZE, U64),
	FIELD(memory, seals, SEALS, U32),
};

static const struct iho_field unit_fields[] = {
	WORD(unit, type, TYPE, unit_types),
	WORD(unit, mode, MODE, unit_modes),
	FIELD(unit, segment, SEGMENT, U32),
	FIELD(unit, register_pa, REGISTER_PA, U64),
	FIELD(unit, cap, CAP, U64),
	FIELD(unit, ecap, ECAP, U64),
	FIELD(unit, root_pa, ROOT_PA, U64),
};

static const struct iho_field table_fields[] = {
	WORD(table, format, FORMAT, table_formats),
	FIELD(table, levels, LEVELS, U32),
	FIELD(table, root_pa, ROOT_PA, U64),
	FIELD(table, context, CONTEXT, U32),
	FIELD(table, hwpt_id, HWPT_ID, U32),
	FIELD(table, attributes, ATTRIBUTES, U32),
	FIELD(table, width, WIDTH, U32),
};

static const struct iho_field domain_fields[] = {
	FIELD(domain, unit, UNIT, U32),
	FIELD(domain, domain_id, DOMAIN_ID, U32),
	FIELD(domain, table, TABLE, U32),
};

static const struct iho_field device_fields[] = {
	WORD(device, level, LEVEL, device_levels),
	FIELD(device, segment, SEGMENT, U32),
	FIELD(device, source_id, SOURCE_IDS, IDS),
	FIELD(device, root_bus, ROOT_BUS, U32),
	FIELD(device, path, PATH, PATH),
	FIELD(device, vendor_device, VENDOR_DEVICE, U32),
	FIELD(device, subsystem, SUBSYSTEM, U32),
	FIELD(device, class_revision, CLASS_REVISION, U32),
	FIELD(device, serial, SERIAL, U64),
	FIELD(device, unit, UNIT, U32),
	FIELD(device, domain, DOMAIN, U32),
	FIELD(device, context, CONTEXT, U32),
	FIELD(device, dev_id, DEV_ID, U32),
};

static const struct iho_field context_fields[] = {
	FIELD(context, session, SESSION, STRING),
	FIELD(context, token, TOKEN, U64),
	FIELD(context, stream_off, STREAM_OFF, U64),
	FIELD(context, stream_len, STREAM_LEN, U64),
	FIELD(context, records, RECORDS, U32),
	FIELD(context, stream_crc, STREAM_CRC, U32),
};

#define NODE(node, max)							\
	{ #node, node##_fields, IHO_COUNT_OF(node##_fields), max,	\
	  sizeof(struct iho_##node) }

const struct iho_node_desc iho_node_desc[IHO_NODES + 1] = {
	[IHO_NODE_MEMORY] = NODE(memory, IHO_MAX_MEMORIES),
	[IHO_NODE_UNIT] = NODE(unit, IHO_MAX_UNITS),
	[IHO_NODE_TABLE] = NODE(table, IHO_MAX_TABLES),
	[IHO_NODE_DOMAIN] = NODE(domain, IHO_MAX_DOMAINS),
	[IHO_NODE_DEVICE] = NODE(device, IHO_MAX_DEVICES),
	[IHO_NODE_CONTEXT] = NODE(context, IHO_MAX_CONTEXTS),
	[IHO_NODE_ROOT] = NODE(root, 1),
};

u32 iho_node_name(enum iho_node kind, u32 index, char name[16])
{
	u32 len = (u32)strlen(iho_node_desc[kind].name);
	u32 scale = 1;

	memset(name, 0, 16);
	memcpy(name, iho_node_desc[kind].name, len);
	name[len++] = '-';
	while (index / scale >= 10)
		scale *= 10;
	for (; scale; scale /= 10)
		name[len++] = (char)('0' + index / scale % 10);
	return len;
}

u32 iho_facts_count(const struct iho_facts *facts, enum iho_node kind)
{
	switch (kind) {
	case IHO_NODE_MEMORY:
		return facts->memories;
	case IHO_NODE_UNIT:
		return facts->units;
	case IHO_NODE_TABLE:
		return facts->tables;
	case IHO_NODE_DOMAIN:
		return facts->domains;
	case IHO_NODE_DEVICE:
		return facts->devices;
	case IHO_NODE_CONTEXT:
		return facts->contexts;
	default:
		return 1;
	}
}

const void *iho_facts_at(const struct iho_facts *facts, enum iho_node kind,
			 u32 index)
{
	switch (kind) {
	case IHO_NODE_MEMORY:
		return facts->memory + index;
	case IHO_NODE_UNIT:
		return facts->unit + index;
	case IHO_NODE_TABLE:
		return facts->table + index;
	case IHO_NODE_DOMAIN:
		return facts->domain + index;
	case IHO_NODE_DEVICE:
		return facts->device + index;
	default:
		return facts->context + index;
	}
}

/* ---- one value ------------------------------------------------------- */

#define F_SEALS		0x3fu		/* F_SEAL_SEAL to F_SEAL_EXEC */
#define MAX_FILE_SIZE	0x7fffffffffffffffull
#define MAX_SEGMENT	0xffffu
#define MAX_SOURCE_ID	0xffffu
#define MAX_DOMAIN_ID	0xffffu
#define TABLE_ATTRIBUTES	(IHO_TABLE_SNOOP | IHO_TABLE_INCOHERENT)

/* Printable ASCII, not empty, zero behind the NUL. */
static int string_error(const char *s, u32 size)
{
	u32 len = (u32)strnlen(s, size);
	u32 i;

	if (!len || len == size)
		return IHO_ERR_STRING;
	for (i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return IHO_ERR_STRING;
	if (iho_zeroes(s + len, size - len) != size - len)
		return IHO_ERR_STRING;
	return IHO_OK;
}

static int pa_error(u64 pa, bool zero_ok)
{
	if (pa & (IHO_PAGE_SIZE - 1))
		return IHO_ERR_ALIGN;
	if ((!pa && !zero_ok) || pa >> IHO_MAX_PA_LG2)
		return IHO_ERR_RANGE;
	return IHO_OK;
}

static int between(u64 first, u64 value, u64 last)
{
	return first <= value && value <= last ? IHO_OK : IHO_ERR_RANGE;
}

static int word_error(u32 value, const char *const *words)
{
	u32 i;

	for (i = 1; words[i]; i++)
		if (value == i)
			return IHO_OK;
	return IHO_ERR_VALUE;
}

/* What a test of one field found. */
struct verdict {
	enum iho_name name;	/* IHO_NAMES: a reserved field */
	int err;
};

/* The first that is not good; @prop says of which field it is. */
static int first_bad(const struct verdict *v, u32 count, const char **prop)
{
	u32 i;

	for (i = 0; i < count; i++) {
		if (!v[i].err)
			continue;
		*prop = v[i].name == IHO_NAMES ? "reserved" :
						 iho_names[v[i].name];
		return v[i].err;
	}
	return IHO_OK;
}

static int memory_value(const struct iho_memory *m, const char **prop)
{
	const struct verdict v[] = {
		{ IHO_NAME_SESSION, string_error(m->session, IHO_SESSION_LEN) },
		{ IHO_NAME_SIZE, between(1, m->size, MAX_FILE_SIZE) },
		{ IHO_NAME_SEALS, m->seals & ~F_SEALS ? IHO_ERR_VALUE : 0 },
		{ IHO_NAMES, between(0, m->reserved, 0) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int unit_value(const struct iho_unit *u, const char **prop)
{
	const struct verdict v[] = {
		{ IHO_NAME_TYPE, word_error(u->type, unit_types) },
		{ IHO_NAME_MODE, word_error(u->mode, unit_modes) },
		{ IHO_NAME_SEGMENT, between(0, u->segment, MAX_SEGMENT) },
		{ IHO_NAME_REGISTER_PA, pa_error(u->register_pa, true) },
		{ IHO_NAME_ROOT_PA, pa_error(u->root_pa, false) },
		{ IHO_NAMES, between(0, u->reserved, 0) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int table_value(const struct iho_table *t, const char **prop)
{
	const struct verdict v[] = {
		{ IHO_NAME_FORMAT, word_error(t->format, table_formats) },
		{ IHO_NAME_LEVELS, between(3, t->levels, IHO_MAX_LEVELS) },
		{ IHO_NAME_ROOT_PA, pa_error(t->root_pa, false) },
		{ IHO_NAME_HWPT_ID, between(1, t->hwpt_id, IHO_MAX_OBJECT_ID) },
		{ IHO_NAME_ATTRIBUTES,
		  t->attributes & ~TABLE_ATTRIBUTES ? IHO_ERR_VALUE : 0 },
		{ IHO_NAME_WIDTH,
		  between(IHO_MIN_WIDTH, t->width, 12 + 9 * t->levels) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int domain_value(const struct iho_domain *d, const char **prop)
{
	const struct verdict v[] = {
		{ IHO_NAME_DOMAIN_ID, between(0, d->domain_id, MAX_DOMAIN_ID) },
		{ IHO_NAMES, between(0, d->reserved, 0) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int source_ids_error(const struct iho_device *d)
{
	u32 i;

	if (d->source_ids > IHO_MAX_SOURCE_IDS)
		return IHO_ERR_LIMIT;
	if (!d->source_ids)
		return IHO_ERR_RANGE;
	for (i = 0; i < IHO_MAX_SOURCE_IDS; i++)
		if (d->source_id[i] >
		    (i < d->source_ids ? MAX_SOURCE_ID : 0))
			return IHO_ERR_RANGE;
	/* The device's own comes first, its aliases ascend behind it. */
	for (i = 1; i < d->source_ids; i++)
		if (d->source_id[i] == d->source_id[0] ||
		    (i > 1 && d->source_id[i] <= d->source_id[i - 1]))
			return IHO_ERR_ORDER;
	return IHO_OK;
}

/* Buses below a root bus have higher numbers than it. */
static int root_bus_error(const struct iho_device *d)
{
	return between(0, d->root_bus, d->source_id[0] >> 8);
}

/* Its last step is the device, whose source ID says the same. */
static int path_error(const struct iho_device *d)
{
	if (d->path_len > IHO_MAX_PATH)
		return IHO_ERR_LIMIT;
	if (!d->path_len ||
	    iho_zeroes(d->path + d->path_len, IHO_MAX_PATH - d->path_len) !=
	    IHO_MAX_PATH - d->path_len ||
	    d->path[d->path_len - 1] != (d->source_id[0] & 0xff))
		return IHO_ERR_RANGE;
	return IHO_OK;
}

static int device_value(const struct iho_device *d, const char **prop)
{
	const struct verdict v[] = {
		{ IHO_NAME_LEVEL, word_error(d->level, device_levels) },
		{ IHO_NAME_SEGMENT, between(0, d->segment, MAX_SEGMENT) },
		{ IHO_NAME_SOURCE_IDS, source_ids_error(d) },
		{ IHO_NAME_ROOT_BUS, root_bus_error(d) },
		{ IHO_NAME_PATH, path_error(d) },
		{ IHO_NAME_DEV_ID, between(1, d->dev_id, IHO_MAX_OBJECT_ID) },
		{ IHO_NAMES, between(0, d->reserved, 0) },
		{ IHO_NAMES, between(0, d->reserved1, 0) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int context_value(const struct iho_context *c, const char **prop)
{
	const struct verdict v[] = {
		{ IHO_NAME_SESSION, string_error(c->session, IHO_SESSION_LEN) },
		{ IHO_NAME_RECORDS,
		  c->records > IHO_MAX_RECORDS ? IHO_ERR_LIMIT : 0 },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int value(enum iho_node kind, const union iho_fact *fact,
		 const char **prop)
{
	switch (kind) {
	case IHO_NODE_MEMORY:
		return memory_value(&fact->memory, prop);
	case IHO_NODE_UNIT:
		return unit_value(&fact->unit, prop);
	case IHO_NODE_TABLE:
		return table_value(&fact->table, prop);
	case IHO_NODE_DOMAIN:
		return domain_value(&fact->domain, prop);
	case IHO_NODE_DEVICE:
		return device_value(&fact->device, prop);
	default:
		return context_value(&fact->context, prop);
	}
}

/* ---- order ----------------------------------------------------------- */

static int compare(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

static int named(const char *a_session, u64 a_token, const char *b_session,
		 u64 b_token)
{
	int c = memcmp(a_session, b_session, IHO_SESSION_LEN);

	return c ? c : compare(a_token, b_token);
}

/* Negative when @a comes before @b, zero when they are the same thing. */
static int order(enum iho_node kind, const union iho_fact *a,
		 const union iho_fact *b, enum iho_name *name)
{
	int c;

	switch (kind) {
	case IHO_NODE_MEMORY:
		*name = IHO_NAME_TOKEN;
		return named(a->memory.session, a->memory.token,
			     b->memory.session, b->memory.token);
	case IHO_NODE_UNIT:
		*name = IHO_NAME_REGISTER_PA;
		c = compare(a->unit.segment, b->unit.segment);
		return c ? c : compare(a->unit.register_pa,
				       b->unit.register_pa);
	case IHO_NODE_TABLE:
		*name = IHO_NAME_HWPT_ID;
		c = compare(a->table.context, b->table.context);
		return c ? c : compare(a->table.hwpt_id, b->table.hwpt_id);
	case IHO_NODE_DOMAIN:
		*name = IHO_NAME_DOMAIN_ID;
		c = compare(a->domain.unit, b->domain.unit);
		return c ? c : compare(a->domain.domain_id,
				       b->domain.domain_id);
	case IHO_NODE_DEVICE:
		*name = IHO_NAME_SOURCE_IDS;
		c = compare(a->device.segment, b->device.segment);
		return c ? c : compare(a->device.source_id[0],
				       b->device.source_id[0]);
	default:
		*name = IHO_NAME_TOKEN;
		return named(a->context.session, a->context.token,
			     b->context.session, b->context.token);
	}
}

static int check_kind(const struct iho_plan_source *src, enum iho_node kind,
		      struct iho_where *where)
{
	const char *const node = iho_node_desc[kind].name;
	struct iho_cursor cur;
	union iho_fact fact[2];
	enum iho_name name = IHO_NAME_TOKEN;
	const char *prop = "";
	u32 i;
	int err;

	iho_cursor_init(&cur, src, kind);
	for (i = 0; iho_cursor_next(&cur, &fact[i & 1]); i++) {
		err = value(kind, &fact[i & 1], &prop);
		if (err)
			return iho_fail(where, err, cur.at, node, i, prop,
					IHO_NONE);
		if (i && order(kind, &fact[~i & 1], &fact[i & 1], &name) >= 0)
			return iho_fail(where, IHO_ERR_ORDER, cur.at, node, i,
					iho_names[name], IHO_NONE);
	}
	return 0;
}

/* ---- cross-references ------------------------------------------------ */

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
			sign = named(m.memory.session, m.memory.token,
				     c.context.session, c.context.token);
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
	struct iho_cursor cur;
	union iho_fact fact;
	u32 i;

	iho_cursor_init(&cur, src, IHO_NODE_DOMAIN);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (fact.domain.unit >= units)
			return REF_FAIL(UNIT);
		if (fact.domain.table >= tables)
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
	struct iho_cursor cur;
	union iho_fact fact, to;
	const struct iho_device *d = &fact.device;
	u32 i;

	iho_cursor_init(&cur, src, IHO_NODE_DEVICE);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (d->unit >= units)
			return REF_FAIL(UNIT);
		iho_source_get(src, IHO_NODE_UNIT, d->unit, &to);
		if (to.unit.segment != d->segment)
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
	if (string_error(copy, IHO_RELEASE_LEN))
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
		err = check_kind(src, kind, where);
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

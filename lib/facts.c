// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: what must hold for the values of a node and for the order of
 * the nodes of a kind (section 3.1).
 */
#include "iho_internal.h"

/* ---- one value ------------------------------------------------------- */

#define F_SEALS		0x3fu		/* F_SEAL_SEAL to F_SEAL_EXEC */
#define MAX_FILE_SIZE	0x7fffffffffffffffull
#define MAX_SEGMENT	0xffffu
#define MAX_SOURCE_ID	0xffffu
#define MAX_DOMAIN_ID	0xffffu

/* Printable ASCII, not empty, zero after the NUL. */
int iho_string_error(const char *s, u32 size)
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

/* Room for what is not handed over: zero says so, and nothing else is known. */
static int unused(u64 value)
{
	return value ? IHO_ERR_VALUE : IHO_OK;
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

static int memory_value(const union iho_fact *fact, const char **prop)
{
	const struct iho_memory *m = &fact->memory;
	const struct verdict v[] = {
		{ IHO_NAME_SESSION,
		  iho_string_error(m->session, IHO_SESSION_LEN) },
		{ IHO_NAME_SIZE, between(1, m->size, MAX_FILE_SIZE) },
		{ IHO_NAME_SEALS, m->seals & ~F_SEALS ? IHO_ERR_VALUE : 0 },
		{ IHO_NAMES, between(0, m->reserved, 0) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int unit_value(const union iho_fact *fact, const char **prop)
{
	const struct iho_unit *u = &fact->unit;
	const struct verdict v[] = {
		{ IHO_NAME_TYPE,
		  iho_unit_has_mode(u->type, u->mode) ? 0 : IHO_ERR_VALUE },
		{ IHO_NAME_SEGMENT, between(0, u->segment, MAX_SEGMENT) },
		{ IHO_NAME_REGISTER_PA, pa_error(u->register_pa, true) },
		{ IHO_NAME_ROOT_PA, pa_error(u->root_pa, false) },
		{ IHO_NAME_INTERRUPT_ROOT, unused(u->interrupt_root) },
		{ IHO_NAMES, between(0, u->reserved, 0) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int table_value(const union iho_fact *fact, const char **prop)
{
	const struct iho_table *t = &fact->table;
	const struct iho_format *pt = iho_format(t->format);
	const struct verdict v[] = {
		{ IHO_NAME_LEVELS,
		  between(pt->min_levels, t->levels, pt->max_levels) },
		{ IHO_NAME_ROOT_PA, pa_error(t->root_pa, false) },
		{ IHO_NAME_HWPT_ID, between(1, t->hwpt_id, IHO_MAX_OBJECT_ID) },
		{ IHO_NAME_ATTRIBUTES,
		  t->attributes & ~pt->attributes ? IHO_ERR_VALUE : 0 },
		{ IHO_NAME_WIDTH,
		  between(IHO_MIN_WIDTH, t->width,
			  iho_format_max_width(pt, t->levels)) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int domain_value(const union iho_fact *fact, const char **prop)
{
	const struct iho_domain *d = &fact->domain;
	const struct verdict v[] = {
		{ IHO_NAME_DOMAIN_ID, between(0, d->domain_id, MAX_DOMAIN_ID) },
		{ IHO_NAME_SPACE, unused(d->space) },
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
	/* The device's own comes first, its aliases ascend after it. */
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

static int device_value(const union iho_fact *fact, const char **prop)
{
	const struct iho_device *d = &fact->device;
	const struct verdict v[] = {
		{ IHO_NAME_SEGMENT, between(0, d->segment, MAX_SEGMENT) },
		{ IHO_NAME_SOURCE_IDS, source_ids_error(d) },
		{ IHO_NAME_ROOT_BUS, root_bus_error(d) },
		{ IHO_NAME_PATH, path_error(d) },
		{ IHO_NAME_DEV_ID, between(1, d->dev_id, IHO_MAX_OBJECT_ID) },
		{ IHO_NAME_VFIO_FILE, unused(d->vfio_file) },
		{ IHO_NAME_VFIO_TOKEN, unused(d->vfio_token) },
		{ IHO_NAME_MSIX, unused(d->msix) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int context_value(const union iho_fact *fact, const char **prop)
{
	const struct iho_context *c = &fact->context;
	const struct verdict v[] = {
		{ IHO_NAME_SESSION,
		  iho_string_error(c->session, IHO_SESSION_LEN) },
		{ IHO_NAME_RECORDS,
		  c->records > IHO_MAX_RECORDS ? IHO_ERR_LIMIT : 0 },
		{ IHO_NAMES, between(0, c->reserved, 0) },
	};

	return first_bad(v, IHO_COUNT_OF(v), prop);
}

static int (*const values[IHO_NODES])(const union iho_fact *fact,
				      const char **prop) = {
	[IHO_NODE_MEMORY] = memory_value,
	[IHO_NODE_UNIT] = unit_value,
	[IHO_NODE_TABLE] = table_value,
	[IHO_NODE_DOMAIN] = domain_value,
	[IHO_NODE_DEVICE] = device_value,
	[IHO_NODE_CONTEXT] = context_value,
};

static int word_error(const struct iho_field *f, const union iho_fact *fact)
{
	u32 value, i;

	memcpy(&value, (const u8 *)fact + f->off, sizeof(value));
	for (i = 1; f->words[i]; i++)
		if (value == i)
			return IHO_OK;
	return IHO_ERR_VALUE;
}

/* Words first: what a value may be can depend on them. */
static int check_value(enum iho_node kind, const union iho_fact *fact,
		       const char **prop)
{
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	const struct iho_field *f;
	u32 i;

	for (i = 0; i < desc->fields; i++) {
		f = &desc->field[i];
		*prop = iho_names[f->name];
		if (f->type == IHO_FIELD_WORD && word_error(f, fact))
			return IHO_ERR_VALUE;
	}
	return values[kind](fact, prop);
}

/* ---- order ----------------------------------------------------------- */

static int compare(u64 a, u64 b)
{
	return a < b ? -1 : a > b;
}

static int compare_field(const struct iho_field *f, const union iho_fact *a,
			 const union iho_fact *b)
{
	const u8 *p = (const u8 *)a + f->off, *q = (const u8 *)b + f->off;
	u64 wide[2];
	u32 cell[2];

	switch (f->type) {
	case IHO_FIELD_STRING:
		return memcmp(p, q, IHO_SESSION_LEN);
	case IHO_FIELD_U64:
		memcpy(&wide[0], p, sizeof(wide[0]));
		memcpy(&wide[1], q, sizeof(wide[1]));
		return compare(wide[0], wide[1]);
	default:	/* of source IDs, the first */
		memcpy(&cell[0], p, sizeof(cell[0]));
		memcpy(&cell[1], q, sizeof(cell[1]));
		return compare(cell[0], cell[1]);
	}
}

/* Negative when @a comes before @b, zero when they are the same thing. */
static int order(const struct iho_node_desc *desc, const union iho_fact *a,
		 const union iho_fact *b)
{
	u32 i;
	int c = 0;

	for (i = 0; !c && i < IHO_COUNT_OF(desc->order); i++)
		c = compare_field(&desc->field[desc->order[i]], a, b);
	return c;
}

int iho_kind_check(const struct iho_plan_source *src, enum iho_node kind,
		   struct iho_where *where)
{
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	struct iho_cursor cur;
	union iho_fact fact[2];
	const char *prop = "";
	u32 i;
	int err;

	iho_cursor_init(&cur, src, kind);
	for (i = 0; iho_cursor_next(&cur, &fact[i & 1]); i++) {
		err = check_value(kind, &fact[i & 1], &prop);
		if (!err && i &&
		    order(desc, &fact[~i & 1], &fact[i & 1]) >= 0) {
			err = IHO_ERR_ORDER;
			prop = iho_names[desc->field[desc->order[2]].name];
		}
		if (err)
			return iho_fail(where, err, cur.at, desc->name, i, prop,
					IHO_NONE);
	}
	return 0;
}

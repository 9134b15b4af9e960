// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the canonical form of the FDT and the reading of its nodes
 * (section 3). Linux has no fdt_check_full(), and that accepts duplicates.
 */
#include "iho_internal.h"

/* A walk of the structure block. */
struct canon {
	const u8 *fdt;
	int off;		/* of the next tag, in the structure block */
	bool strict;		/* first walk: names and padding count */
	const char *release;
	u32 strings;		/* bytes of the strings block */
	u32 used;		/* of those, by the names met so far */
	u16 from_end[IHO_NAMES]; /* where a name starts; 0: not met yet */
	struct iho_where *where;
	const char *node;
	u32 index;
};

static int canon_fail(const struct canon *c, int err, int off,
		      const char *prop)
{
	return iho_fail(c->where, err,
			IHO_HEADER_LEN + IHO_FDT_STRUCT + (u64)(u32)off,
			c->node, c->index, prop, IHO_NONE);
}

/* Step over one tag; @start is where it was. */
static int next_tag(struct canon *c, u32 *tag, int *start)
{
	int next;

	*start = c->off;
	*tag = fdt_next_tag(c->fdt, c->off, &next);
	if (next < 0)
		return canon_fail(c, IHO_ERR_FDT, c->off, "");
	if (*tag == FDT_NOP)
		return canon_fail(c, IHO_ERR_CANON, c->off, "");
	c->off = next;
	return 0;
}

/*
 * The strings block holds each name once, the one met first at its end: what
 * the sequential writer of libfdt makes of it.
 */
static int check_name(struct canon *c, enum iho_name name, u32 nameoff,
		      int start)
{
	const u8 *strings = c->fdt + iho_be32(c->fdt + 12);
	u32 len = (u32)strlen(iho_names[name]) + 1;

	if (nameoff >= c->strings || c->strings - nameoff < len ||
	    memcmp(strings + nameoff, iho_names[name], len))
		return canon_fail(c, IHO_ERR_LAYOUT, start, iho_names[name]);
	if (!c->from_end[name]) {
		c->used += len;
		c->from_end[name] = (u16)c->used;
	}
	if (nameoff + c->from_end[name] != c->strings)
		return canon_fail(c, IHO_ERR_CANON, start, iho_names[name]);
	return 0;
}

static int read_word(const char *s, u32 len, const char *const *words)
{
	u32 i;

	for (i = 1; words[i]; i++)
		if (strlen(words[i]) + 1 == len && !memcmp(words[i], s, len))
			return (int)i;
	return 0;
}

/* A string of a property: NUL at its end and nowhere else. */
static int string_error(const u8 *value, u32 len)
{
	if (!len || len > IHO_SESSION_LEN)
		return IHO_ERR_LAYOUT;
	if (strnlen((const char *)value, len) != len - 1)
		return IHO_ERR_STRING;
	return IHO_OK;
}

static int read_value(const struct iho_field *f, const u8 *value, u32 len,
		      union iho_fact *fact)
{
	u8 *to = (u8 *)fact + f->off;
	u32 *cells = (u32 *)to;
	u64 wide;
	u32 i;
	int err;

	switch (f->type) {
	case IHO_FIELD_U32:
		if (len != 4)
			return IHO_ERR_LAYOUT;
		cells[0] = iho_be32(value);
		return IHO_OK;
	case IHO_FIELD_U64:
		if (len != 8)
			return IHO_ERR_LAYOUT;
		wide = iho_be64(value);
		memcpy(to, &wide, sizeof(wide));
		return IHO_OK;
	case IHO_FIELD_VERSION:
		if (len != 8)
			return IHO_ERR_LAYOUT;
		cells[0] = iho_be32(value);
		cells[1] = iho_be32(value + 4);
		return IHO_OK;
	case IHO_FIELD_STRING:
		err = string_error(value, len);
		if (!err)
			memcpy(to, value, len);
		return err;
	case IHO_FIELD_WORD:
		err = string_error(value, len);
		if (!err)	/* an unknown word is zero: a wrong value */
			cells[0] = (u32)read_word((const char *)value, len,
						  f->words);
		return err;
	case IHO_FIELD_PATH:
		if (!len)
			return IHO_ERR_LAYOUT;
		if (len > IHO_MAX_PATH)
			return IHO_ERR_LIMIT;
		memcpy(to, value, len);
		fact->device.path_len = len;
		return IHO_OK;
	default:
		if (!len || len % 4)
			return IHO_ERR_LAYOUT;
		if (len / 4 > IHO_MAX_SOURCE_IDS)
			return IHO_ERR_LIMIT;
		for (i = 0; i < len / 4; i++)
			cells[i] = iho_be32(value + 4 * i);
		fact->device.source_ids = len / 4;
		return IHO_OK;
	}
}

static int read_field(struct canon *c, const struct iho_field *f,
		      union iho_fact *fact)
{
	const char *const name = iho_names[f->name];
	const u8 *p;
	u32 tag, len;
	int start, err;

	err = next_tag(c, &tag, &start);
	if (err)
		return err;
	if (tag != FDT_PROP)
		return canon_fail(c, IHO_ERR_LAYOUT, start, name);

	/* tag, length, name offset, value: within bounds by next_tag() */
	p = c->fdt + IHO_FDT_STRUCT + start;
	len = iho_be32(p + 4);
	if (c->strict) {
		err = check_name(c, f->name, iho_be32(p + 8), start);
		if (err)
			return err;
	}
	err = read_value(f, p + 12, len, fact);
	if (err)
		return canon_fail(c, err, start, name);
	if (c->strict && len % 4 &&
	    iho_zeroes(p + 12 + len, 4 - len % 4) != 4 - len % 4)
		return canon_fail(c, IHO_ERR_CANON, start, name);
	if (f->name == IHO_NAME_RELEASE)
		c->release = (const char *)p + 12;
	return 0;
}

static int read_fields(struct canon *c, enum iho_node kind,
		       union iho_fact *fact)
{
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	u32 i;
	int err;

	memset(fact, 0, sizeof(*fact));
	for (i = 0; i < desc->fields; i++) {
		err = read_field(c, &desc->field[i], fact);
		if (err)
			return err;
	}
	return 0;
}

/* Fields and end of a node whose begin tag was stepped over. */
static int read_node(struct canon *c, enum iho_node kind, union iho_fact *fact)
{
	u32 tag;
	int start, err;

	err = read_fields(c, kind, fact);
	if (!err)
		err = next_tag(c, &tag, &start);
	if (err)
		return err;
	switch (tag) {
	case FDT_END_NODE:
		return 0;
	case FDT_PROP:
		return canon_fail(c, IHO_ERR_LAYOUT, start, "");
	case FDT_BEGIN_NODE:
		return canon_fail(c, IHO_ERR_DEPTH, start, "");
	default:
		return canon_fail(c, IHO_ERR_FDT, start, "");
	}
}

/* Does the begin tag at @off, which ends at @end, carry this name? */
static bool begins(const struct canon *c, int off, int end, enum iho_node kind,
		   u32 index)
{
	char name[16];
	u32 len = (u32)iho_pad(iho_node_name(kind, index, name) + 1, 4);

	return (u32)(end - off) == 4 + len &&
	       !memcmp(c->fdt + IHO_FDT_STRUCT + off + 4, name, len);
}

/* All nodes of one kind; leaves the offset at the first tag that is not. */
static int walk_kind(struct canon *c, enum iho_node kind, u32 *count,
		     int *first)
{
	union iho_fact fact;
	u32 tag;
	int start, err;

	c->node = iho_node_desc[kind].name;
	*first = -1;
	for (*count = 0;; ++*count) {
		c->index = *count;
		err = next_tag(c, &tag, &start);
		if (err)
			return err;
		if (tag != FDT_BEGIN_NODE ||
		    !begins(c, start, c->off, kind, *count)) {
			c->off = start;
			return 0;
		}
		if (*count == iho_node_desc[kind].max)
			return canon_fail(c, IHO_ERR_LIMIT, start, "count");
		if (!*count)
			*first = start;
		err = read_node(c, kind, &fact);
		if (err)
			return err;
	}
}

static int walk_root(struct canon *c, struct iho_image *img)
{
	union iho_fact fact;
	u32 tag;
	int start, err;

	err = next_tag(c, &tag, &start);
	if (err)
		return err;
	if (tag != FDT_BEGIN_NODE)
		return canon_fail(c, IHO_ERR_FDT, start, "");
	if (c->off - start != 8 || iho_be32(c->fdt + IHO_FDT_STRUCT + 4))
		return canon_fail(c, IHO_ERR_CANON, start, "");
	err = read_fields(c, IHO_NODE_ROOT, &fact);
	if (err)
		return err;
	if (fact.root.major != img->major || fact.root.minor != img->minor)
		return canon_fail(c, IHO_ERR_RANGE, start,
				  iho_names[IHO_NAME_VERSION]);
	if (fact.root.page_bytes != IHO_PAGE_SIZE)
		return canon_fail(c, IHO_ERR_VALUE, start,
				  iho_names[IHO_NAME_PAGE_BYTES]);
	img->generation = fact.root.generation;
	img->release = c->release;
	return 0;
}

/* End of the root node, end of the block and the strings block. */
static int walk_end(struct canon *c)
{
	const u32 size = iho_be32(c->fdt + 36);
	u32 tag;
	int start, err;

	c->node = "";
	c->index = IHO_NONE;
	err = next_tag(c, &tag, &start);
	if (err)
		return err;
	/* A node of unknown name or out of order, or a property behind one. */
	if (tag == FDT_PROP)
		return canon_fail(c, IHO_ERR_LAYOUT, start, "");
	if (tag == FDT_BEGIN_NODE)
		return canon_fail(c, IHO_ERR_CANON, start, "");
	if (tag != FDT_END_NODE)
		return canon_fail(c, IHO_ERR_FDT, start, "");
	err = next_tag(c, &tag, &start);
	if (err)
		return err;
	if (tag != FDT_END || (u32)c->off != size)
		return canon_fail(c, IHO_ERR_CANON, start, "");
	if (c->used != c->strings)
		return canon_fail(c, IHO_ERR_CANON, c->off, "strings");
	return 0;
}

static int check_fdt_header(const u8 *fdt, u32 len, struct iho_where *where)
{
	static const u32 fixed[][2] = {
		{ 8, IHO_FDT_STRUCT }, { 16, 48 }, { 20, 17 }, { 24, 16 },
		{ 28, 0 }, { 40, 0 }, { 44, 0 }, { 48, 0 }, { 52, 0 },
		{ 56, 0 }, { 60, 0 },
	};
	u32 strings, size, off, i;

	off = 0;
	if (len < IHO_FDT_STRUCT || iho_be32(fdt) != FDT_MAGIC)
		goto unreadable;
	off = 4;
	if (iho_be32(fdt + 4) > len)
		goto unreadable;
	off = 0;
	if (fdt_check_header(fdt))
		goto unreadable;

	off = 4;
	if (iho_be32(fdt + 4) != len)
		goto not_canon;
	for (i = 0; i < IHO_COUNT_OF(fixed); i++) {
		off = fixed[i][0];
		if (iho_be32(fdt + off) != fixed[i][1])
			goto not_canon;
	}
	strings = iho_be32(fdt + 12);
	size = iho_be32(fdt + 36);
	off = 12;
	if (size % 4 || size > len - IHO_FDT_STRUCT ||
	    strings != IHO_FDT_STRUCT + size)
		goto not_canon;
	off = 32;
	if (iho_be32(fdt + 32) != len - strings)
		goto not_canon;
	return 0;

unreadable:
	return iho_fail(where, IHO_ERR_FDT, IHO_HEADER_LEN + off, "fdt",
			IHO_NONE, "header", IHO_NONE);
not_canon:
	return iho_fail(where, IHO_ERR_CANON, IHO_HEADER_LEN + off, "fdt",
			IHO_NONE, "header", IHO_NONE);
}

int iho_canon_check(const void *fdt, u32 fdt_len, struct iho_image *img,
		    struct iho_where *where)
{
	u32 *const count[IHO_NODES] = {
		&img->memories, &img->units, &img->tables, &img->domains,
		&img->devices, &img->contexts,
	};
	int *const first[IHO_NODES] = {
		&img->first_memory, &img->first_unit, &img->first_table,
		&img->first_domain, &img->first_device, &img->first_context,
	};
	struct canon c;
	enum iho_node kind;
	int err;

	err = check_fdt_header(fdt, fdt_len, where);
	if (err)
		return err;

	memset(&c, 0, sizeof(c));
	c.fdt = fdt;
	c.strict = true;
	c.strings = iho_be32(c.fdt + 32);
	c.where = where;
	c.node = "";
	c.index = IHO_NONE;
	err = walk_root(&c, img);
	for (kind = 0; !err && kind < IHO_NODES; kind++)
		err = walk_kind(&c, kind, count[kind], first[kind]);
	return err ? err : walk_end(&c);
}

int iho_node_skip(const void *fdt, int off)
{
	u32 tag;

	do {
		tag = fdt_next_tag(fdt, off, &off);
	} while (tag != FDT_END_NODE && tag != FDT_END);
	return off;
}

int iho_node_read(const void *fdt, int off, enum iho_node kind,
		  union iho_fact *fact)
{
	struct canon c;
	u32 tag;
	int start;

	memset(&c, 0, sizeof(c));
	c.fdt = fdt;
	c.off = off;
	if (!next_tag(&c, &tag, &start))
		read_node(&c, kind, fact);
	return c.off;
}

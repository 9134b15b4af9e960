// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the canonical form of the FDT (section 3.2). Linux has no
 * fdt_check_full(), and that accepts duplicates.
 */
#include "iho_internal.h"

#define OFF(member)	((u32)offsetof(struct fdt_header, member))

/* Where the sequential writer of libfdt puts the reserve map. */
#define RESERVE_MAP	48u

/* A walk of the structure block. */
struct canon {
	const u8 *fdt;
	int off;		/* of the next tag, in the structure block */
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
	const u8 *strings = c->fdt + iho_be32(c->fdt + OFF(off_dt_strings));
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
	err = check_name(c, f->name, iho_be32(p + 8), start);
	if (err)
		return err;
	err = iho_value_read(f, p + 12, len, fact);
	if (err)
		return canon_fail(c, err, start, name);
	if (len % 4 &&
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
		    !iho_node_begins(c->fdt, start, c->off, kind, *count)) {
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
	const u32 size = iho_be32(c->fdt + OFF(size_dt_struct));
	u32 tag;
	int start, err;

	c->node = "";
	c->index = IHO_NONE;
	err = next_tag(c, &tag, &start);
	if (err)
		return err;
	/* A node of unknown name or out of order, or a property after one. */
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

/* libfdt can read it: all lies within @len. Returns the offset of a fault. */
static int check_readable(const u8 *fdt, u32 len, u32 *at)
{
	*at = OFF(magic);
	if (len < IHO_FDT_STRUCT ||
	    iho_be32(fdt + OFF(magic)) != FDT_MAGIC)
		return IHO_ERR_FDT;
	*at = OFF(totalsize);
	if (iho_be32(fdt + OFF(totalsize)) > len)
		return IHO_ERR_FDT;
	*at = OFF(magic);
	return fdt_check_header(fdt) ? IHO_ERR_FDT : IHO_OK;
}

static int check_blocks(const u8 *fdt, u32 len, u32 *at)
{
	/* What has one value only; after the header, the empty reserve map. */
	static const struct {
		u8 off;
		u8 value;
	} fixed[] = {
		{ OFF(off_dt_struct), IHO_FDT_STRUCT },
		{ OFF(off_mem_rsvmap), RESERVE_MAP },
		{ OFF(version), 17 },
		{ OFF(last_comp_version), 16 },
		{ OFF(boot_cpuid_phys), 0 },
		{ sizeof(struct fdt_header), 0 },
		{ sizeof(struct fdt_header) + 4, 0 },
		{ RESERVE_MAP, 0 },
		{ RESERVE_MAP + 4, 0 },
		{ RESERVE_MAP + 8, 0 },
		{ RESERVE_MAP + 12, 0 },
	};
	u32 strings = iho_be32(fdt + OFF(off_dt_strings));
	u32 size = iho_be32(fdt + OFF(size_dt_struct));
	u32 i;

	*at = OFF(totalsize);
	if (iho_be32(fdt + OFF(totalsize)) != len)
		return IHO_ERR_CANON;
	for (i = 0; i < IHO_COUNT_OF(fixed); i++) {
		*at = fixed[i].off;
		if (iho_be32(fdt + fixed[i].off) != fixed[i].value)
			return IHO_ERR_CANON;
	}
	*at = OFF(off_dt_strings);
	if (size % 4 || size > len - IHO_FDT_STRUCT ||
	    strings != IHO_FDT_STRUCT + size)
		return IHO_ERR_CANON;
	*at = OFF(size_dt_strings);
	if (iho_be32(fdt + OFF(size_dt_strings)) != len - strings)
		return IHO_ERR_CANON;
	return IHO_OK;
}

static int check_fdt_header(const u8 *fdt, u32 len, struct iho_where *where)
{
	u32 at;
	int err = check_readable(fdt, len, &at);

	if (!err)
		err = check_blocks(fdt, len, &at);
	if (err)
		return iho_fail(where, err, IHO_HEADER_LEN + at, "fdt",
				IHO_NONE, "header", IHO_NONE);
	return 0;
}

int iho_canon_check(const void *fdt, u32 fdt_len, struct iho_image *img,
		    struct iho_where *where)
{
	struct canon c;
	enum iho_node kind;
	int err;

	err = check_fdt_header(fdt, fdt_len, where);
	if (err)
		return err;

	memset(&c, 0, sizeof(c));
	c.fdt = fdt;
	c.strings = iho_be32(c.fdt + OFF(size_dt_strings));
	c.where = where;
	c.node = "";
	c.index = IHO_NONE;
	err = walk_root(&c, img);
	for (kind = 0; !err && kind < IHO_NODES; kind++)
		err = walk_kind(&c, kind, &img->count[kind],
				&img->first[kind]);
	return err ? err : walk_end(&c);
}

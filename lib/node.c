// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the nodes of an FDT. iho_canon_check() has found that there
 * is nothing else in it; what is read here was accepted before.
 */
#include "iho_internal.h"

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

int iho_value_read(const struct iho_field *f, const u8 *value, u32 len,
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
	case IHO_FIELD_DIGEST:
		if (len != IHO_DIGEST_LEN)
			return IHO_ERR_LAYOUT;
		memcpy(to, value, len);
		return IHO_OK;
	case IHO_FIELD_NOTHING:
		return len ? IHO_ERR_LAYOUT : IHO_OK;
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

bool iho_node_begins(const void *fdt, int off, int end, enum iho_node kind,
		     u32 index)
{
	char name[16];
	u32 len = (u32)iho_pad(iho_node_name(kind, index, name) + 1, 4);

	return (u32)(end - off) == 4 + len &&
	       !memcmp((const u8 *)fdt + IHO_FDT_STRUCT + off + 4, name, len);
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
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	const u8 *p;
	u32 i;

	memset(fact, 0, sizeof(*fact));
	fdt_next_tag(fdt, off, &off);
	for (i = 0; i < desc->fields; i++) {
		/* tag, length, name offset, value */
		p = (const u8 *)fdt + IHO_FDT_STRUCT + off;
		iho_value_read(&desc->field[i], p + 12, iho_be32(p + 4), fact);
		fdt_next_tag(fdt, off, &off);
	}
	fdt_next_tag(fdt, off, &off);
	return off;
}

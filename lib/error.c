// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: names and sentences of the errors.
 */
#include "iho_internal.h"

struct error_text {
	int code;
	const char *name;
	const char *text;
};

#define E(code, text)	{ IHO_##code, "IHO_" #code, text }

static const struct error_text errors[] = {
	E(OK, "no error"),
	/* Cure (EBADMSG): damaged: make it again with this kernel's kexec. */
	E(ERR_TRUNCATED, "shorter than it says it is"),
	E(ERR_MAGIC, "wrong magic: not of this format"),
	E(ERR_HEADER, "header field wrong or reserved bytes not zero"),
	E(ERR_HEADER_CRC, "CRC of the header does not match"),
	E(ERR_FDT_CRC, "CRC of the FDT does not match"),
	E(ERR_DIGEST, "SHA-256 digest does not match"),
	E(ERR_FDT, "FDT cannot be read"),
	E(ERR_CANON, "FDT is not in canonical form"),
	E(ERR_LAYOUT, "property missing, extra or of the wrong size"),
	E(ERR_RANGE, "value out of its range"),
	E(ERR_ALIGN, "address or length misaligned"),
	E(ERR_ORDER, "not in ascending order, or there twice"),
	E(ERR_REF, "names something that is not there or does not fit"),
	E(ERR_ORPHAN, "nothing names it"),
	E(ERR_GAP, "sections not back to back, or padding not zero"),
	E(ERR_RECORD, "record header or payload malformed"),
	E(ERR_COUNT, "fewer or more than declared"),
	E(ERR_OVERLAP, "ranges overlap"),
	E(ERR_ID_TAKEN, "object ID used twice in one context"),
	E(ERR_GROUP, "share group misnumbered or its members disagree"),
	E(ERR_STRING, "string empty, not terminated or not printable"),
	E(ERR_SECTION, "SHA-256 digest of a record section does not match"),
	E(ERR_TABLE_PA, "page table lies outside the memory allowed for it"),
	E(ERR_TABLE_ENTRY,
	  "page-table entry has reserved bits set, or its leaf is misaligned or incomplete"),
	/* Cure (EOPNOTSUPP): use kernel, kexec and tool of one version. */
	E(ERR_VERSION, "major version not supported"),
	E(ERR_FEATURE, "needs a feature that is not supported"),
	E(ERR_BYTE_ORDER, "records are in another byte order"),
	E(ERR_KIND, "record kind not supported"),
	E(ERR_PAYLOAD, "payload longer than known and the rest not zero"),
	E(ERR_VALUE, "value or flag not supported"),
	/* Cure (EFBIG): preserve less. */
	E(ERR_LIMIT, "over a limit of the format"),
	E(ERR_DEPTH, "nested too deeply"),
	/* Cure (EINVAL): a mistake of the caller: report it. */
	E(ERR_NOSPACE, "buffer or workspace too small"),
	E(ERR_BADCALL, "argument out of its range"),
};

static const struct error_text *find(int err)
{
	u32 i;

	if (err < 0)
		err = -err;
	for (i = 0; i < IHO_COUNT_OF(errors); i++)
		if (errors[i].code == err)
			return &errors[i];
	return NULL;
}

const char *iho_strerror(int err)
{
	const struct error_text *e = find(err);

	return e ? e->text : "unknown error";
}

const char *iho_error_name(int err)
{
	const struct error_text *e = find(err);

	return e ? e->name : "IHO_ERR_UNKNOWN";
}

enum iho_family iho_error_family(int err)
{
	if (err < 0)
		err = -err;
	if (err == IHO_OK)
		return IHO_FAMILY_OK;
	if (err < 100)
		return IHO_FAMILY_CORRUPT;
	if (err < 200)
		return IHO_FAMILY_UNSUPPORTED;
	if (err < 300)
		return IHO_FAMILY_LIMIT;
	return IHO_FAMILY_CALL;
}

int iho_fail(struct iho_where *where, int err, u64 offset, const char *node,
	     u32 index, const char *prop, u32 record)
{
	if (where) {
		where->offset = offset;
		where->node = node;
		where->index = index;
		where->prop = prop;
		where->record = record;
	}
	return -err;
}

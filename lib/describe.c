// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the one description of the kinds of node and of their fields
 * (section 3). Whoever has to do something for each kind or for each field
 * steps through these tables.
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
	[IHO_NAME_INTERRUPT_ROOT] = "interrupt-root",
	[IHO_NAME_FORMAT] = "format",
	[IHO_NAME_LEVELS] = "levels",
	[IHO_NAME_CONTEXT] = "context",
	[IHO_NAME_HWPT_ID] = "hwpt-id",
	[IHO_NAME_ATTRIBUTES] = "attributes",
	[IHO_NAME_WIDTH] = "width",
	[IHO_NAME_UNIT] = "unit",
	[IHO_NAME_DOMAIN_ID] = "domain-id",
	[IHO_NAME_SPACE] = "space",
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
	[IHO_NAME_VFIO_FILE] = "vfio-file",
	[IHO_NAME_VFIO_TOKEN] = "token-vfio",
	[IHO_NAME_MSIX] = "msix",
	[IHO_NAME_BRIDGES] = "bridges",
	[IHO_NAME_STREAM_OFF] = "stream-off",
	[IHO_NAME_STREAM_LEN] = "stream-len",
	[IHO_NAME_RECORDS] = "records",
	[IHO_NAME_STREAM_DIGEST] = "stream-digest",
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
#define NOTHING(prop)							\
	{ IHO_NAME_##prop, IHO_FIELD_NOTHING, 0, NULL }

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
	WORD(unit, type, TYPE, iho_unit_types),
	WORD(unit, mode, MODE, iho_unit_modes),
	FIELD(unit, segment, SEGMENT, U32),
	FIELD(unit, register_pa, REGISTER_PA, U64),
	FIELD(unit, cap, CAP, U64),
	FIELD(unit, ecap, ECAP, U64),
	FIELD(unit, root_pa, ROOT_PA, U64),
	FIELD(unit, interrupt_root, INTERRUPT_ROOT, U64),
};

static const struct iho_field table_fields[] = {
	WORD(table, format, FORMAT, iho_table_formats),
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
	FIELD(domain, space, SPACE, U32),
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
	FIELD(device, vfio_file, VFIO_FILE, U32),
	FIELD(device, vfio_token, VFIO_TOKEN, U64),
	FIELD(device, msix, MSIX, U32),
	NOTHING(BRIDGES),
};

static const struct iho_field context_fields[] = {
	FIELD(context, session, SESSION, STRING),
	FIELD(context, token, TOKEN, U64),
	FIELD(context, stream_off, STREAM_OFF, U64),
	FIELD(context, stream_len, STREAM_LEN, U64),
	FIELD(context, records, RECORDS, U32),
	FIELD(context, stream_digest, STREAM_DIGEST, DIGEST),
};

#define NODE(node, plural, max, first, second, third)			\
	{ #node, plural, node##_fields, IHO_COUNT_OF(node##_fields),	\
	  max, sizeof(struct iho_##node), { first, second, third } }

const struct iho_node_desc iho_node_desc[IHO_NODES + 1] = {
	[IHO_NODE_MEMORY] = NODE(memory, "memories", IHO_MAX_MEMORIES,
				 0, 1, 1),	/* session, token */
	[IHO_NODE_UNIT] = NODE(unit, "units", IHO_MAX_UNITS,
			       2, 3, 3),	/* segment, register-pa */
	[IHO_NODE_TABLE] = NODE(table, "tables", IHO_MAX_TABLES,
				3, 4, 4),	/* context, hwpt-id */
	[IHO_NODE_DOMAIN] = NODE(domain, "domains", IHO_MAX_DOMAINS,
				 0, 2, 1),	/* unit, space, domain-id */
	[IHO_NODE_DEVICE] = NODE(device, "devices", IHO_MAX_DEVICES,
				 1, 2, 2),	/* segment, source-ids */
	[IHO_NODE_CONTEXT] = NODE(context, "contexts", IHO_MAX_CONTEXTS,
				  0, 1, 1),	/* session, token */
	[IHO_NODE_ROOT] = NODE(root, "roots", 1, 0, 0, 0),
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

const char *iho_field_word(const struct iho_field *field,
			   const union iho_fact *fact)
{
	u32 value;

	memcpy(&value, (const u8 *)fact + field->off, sizeof(value));
	return field->words[value];
}

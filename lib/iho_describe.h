/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: the kinds of node and their fields (section 3), as tables.
 */
#ifndef IHO_DESCRIBE_H
#define IHO_DESCRIBE_H

#include "handover_glue.h"
#include "handover_abi.h"

/* Property names; each is once in the strings block. */
enum iho_name {
	IHO_NAME_VERSION,
	IHO_NAME_GENERATION,
	IHO_NAME_RELEASE,
	IHO_NAME_PAGE_BYTES,
	IHO_NAME_SESSION,
	IHO_NAME_TOKEN,
	IHO_NAME_SIZE,
	IHO_NAME_SEALS,
	IHO_NAME_TYPE,
	IHO_NAME_MODE,
	IHO_NAME_SEGMENT,
	IHO_NAME_REGISTER_PA,
	IHO_NAME_CAP,
	IHO_NAME_ECAP,
	IHO_NAME_ROOT_PA,
	IHO_NAME_INTERRUPT_ROOT,
	IHO_NAME_FORMAT,
	IHO_NAME_LEVELS,
	IHO_NAME_CONTEXT,
	IHO_NAME_HWPT_ID,
	IHO_NAME_ATTRIBUTES,
	IHO_NAME_WIDTH,
	IHO_NAME_UNIT,
	IHO_NAME_DOMAIN_ID,
	IHO_NAME_SPACE,
	IHO_NAME_TABLE,
	IHO_NAME_LEVEL,
	IHO_NAME_SOURCE_IDS,
	IHO_NAME_ROOT_BUS,
	IHO_NAME_PATH,
	IHO_NAME_VENDOR_DEVICE,
	IHO_NAME_SUBSYSTEM,
	IHO_NAME_CLASS_REVISION,
	IHO_NAME_SERIAL,
	IHO_NAME_DOMAIN,
	IHO_NAME_DEV_ID,
	IHO_NAME_VFIO_FILE,
	IHO_NAME_VFIO_TOKEN,
	IHO_NAME_MSIX,
	IHO_NAME_BRIDGES,
	IHO_NAME_STREAM_OFF,
	IHO_NAME_STREAM_LEN,
	IHO_NAME_RECORDS,
	IHO_NAME_STREAM_DIGEST,
	IHO_NAMES
};

/* The root node, which is described like one kind more. */
#define IHO_NODE_ROOT	IHO_NODES

struct iho_root {
	u32 major, minor;
	u64 generation;
	char release[IHO_RELEASE_LEN];
	u32 page_bytes;
};

/* A fact of any kind. */
union iho_fact {
	struct iho_memory memory;
	struct iho_unit unit;
	struct iho_table table;
	struct iho_domain domain;
	struct iho_device device;
	struct iho_context context;
	struct iho_root root;
};

enum iho_field_type {
	IHO_FIELD_U32,
	IHO_FIELD_U64,
	IHO_FIELD_STRING,	/* char [64] */
	IHO_FIELD_WORD,		/* enumeration, a word in the FDT */
	IHO_FIELD_IDS,		/* source_id[] and source_ids of a device */
	IHO_FIELD_PATH,		/* path[] and path_len of a device */
	IHO_FIELD_DIGEST,	/* u8 [32] */
	IHO_FIELD_NOTHING,	/* no byte, and no member for it */
	IHO_FIELD_VERSION,	/* major and minor of the root */
};

/**
 * struct iho_field - one property of a kind of node
 * @name: enum iho_name
 * @type: enum iho_field_type
 * @off: of its value in the structure of the node, bytes
 * @words: of IHO_FIELD_WORD: by value, from 1 on, NULL at the end
 */
struct iho_field {
	u8 name;
	u8 type;
	u16 off;
	const char *const *words;
};

/**
 * struct iho_node_desc - one kind of node
 * @name: "memory"; a node is named "memory-0"
 * @plural: "memories"
 * @field: its properties, in the order of the FDT
 * @fields: how many
 * @max: nodes of this kind, at most
 * @size: of its structure, bytes
 * @order: those of @field that order its nodes, the greater first; where two
 *	   do, the second is there twice
 */
struct iho_node_desc {
	const char *name;
	const char *plural;
	const struct iho_field *field;
	u32 fields;
	u32 max;
	u32 size;
	u8 order[3];
};

/* By enum iho_node; the last is the root node, of which there is one. */
extern const struct iho_node_desc iho_node_desc[IHO_NODES + 1];

/* Names of the properties by enum iho_name, as in the FDT. */
extern const char *const iho_names[IHO_NAMES];

/**
 * iho_field_word() - the word that the value of a field stands for
 * @field: of type IHO_FIELD_WORD
 * @fact: an accepted fact
 *
 * Return: the word.
 */
const char *iho_field_word(const struct iho_field *field,
			   const union iho_fact *fact);

#endif /* IHO_DESCRIBE_H */

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: an account of an image, for programs.
 */
#include <stdio.h>

#include "tool.h"

/*
 * Addresses, registers and tokens use all of 64 bits, which many readers of
 * JSON numbers do not: they are strings of hexadecimal digits.
 */
static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void json_name(const char *name)
{
	printf(", ");
	json_string(name);
	printf(": ");
}

static void json_text(const char *name, const char *value)
{
	json_name(name);
	json_string(value);
}

static void json_number(const char *name, u64 value)
{
	json_name(name);
	printf("%llu", ULL(value));
}

static void json_hex(const char *name, u64 value)
{
	json_name(name);
	printf("\"0x%llx\"", ULL(value));
}

static void json_bool(const char *name, bool value)
{
	json_name(name);
	printf("%s", value ? "true" : "false");
}

/* A number, or null for IHO_NONE. */
static void json_index(const char *name, u32 value)
{
	json_name(name);
	if (value == IHO_NONE)
		printf("null");
	else
		printf("%u", value);
}

static void json_array(const char *name)
{
	json_name(name);
	printf("[");
}

/* Element @i of an array; its first member is its index or ID. */
static void json_element(u32 i, const char *indent, const char *key, u32 value)
{
	printf("%s\n%s{\"%s\": %u", i ? "," : "", indent, key, value);
}

static void json_map(u32 i, const struct iho_step *s)
{
	const struct iho_pl_map_file *c = &s->map.cmd;

	printf("%s\n      {\"iova\": \"0x%llx\"", i ? "," : "", ULL(c->iova));
	json_number("length", c->length);
	json_number("memory", s->map.ref.memory);
	json_number("start", c->start);
	json_bool("readable", c->flags & IHO_MAP_READABLE);
	json_bool("writeable", c->flags & IHO_MAP_WRITEABLE);
	json_number("group", s->map.ref.group);
	json_bool("pages_writable",
		  s->map.ref.flags & IHO_MAP_PAGES_WRITABLE);
	printf("}");
}

static void json_range(u32 i, const struct iho_range *r)
{
	printf("%s{\"start\": \"0x%llx\"", i ? ", " : "", ULL(r->start));
	json_hex("last", r->last);
	printf("}");
}

static void json_ioas(u32 n, struct cursors *c)
{
	const u32 id = c->ioas.step.ioas.out_ioas_id;
	const struct iho_range *r;
	u32 i;

	json_element(n, "    ", "id", id);
	json_bool("vfio", ioas_is_vfio(c, id));
	json_bool("huge_pages", !ioas_huge_off(c, id));
	if (ioas_huge_off(c, id))
		cursor_next(&c->huge);
	json_array("allowed");
	if (ioas_allows(c, id)) {
		r = c->allow.step.allow.range;
		for (i = 0; i < c->allow.step.allow.ranges; i++)
			json_range(i, &r[i]);
		cursor_next(&c->allow);
	}
	printf("]");
	json_array("maps");
	for (i = 0; ioas_maps(c, id); cursor_next(&c->map))
		json_map(i++, &c->map.step);
	printf("]}");
}

static void json_stream(const struct iho_plan *plan)
{
	const struct iho_pl_hwpt_alloc *h;
	struct cursors c;
	u32 i, id;

	cursors_first(&c, plan);
	json_bool("rlimit_mode", c.rlimit.have);
	json_array("ioas");
	for (i = 0; c.ioas.have; cursor_next(&c.ioas))
		json_ioas(i++, &c);
	printf("]");
	json_array("hwpts");
	for (i = 0; c.hwpt.have; cursor_next(&c.hwpt)) {
		h = &c.hwpt.step.hwpt.cmd;
		json_element(i++, "    ", "id", h->out_hwpt_id);
		json_number("ioas", h->pt_id);
		json_number("dev_id", h->dev_id);
		json_bool("auto",
			  c.hwpt.step.hwpt.ref.flags & IHO_HWPT_AUTO);
		json_number("flags", h->flags);
		json_number("table", c.hwpt.step.hwpt.ref.table);
		printf("}");
	}
	printf("]");
	json_array("devices");
	for (i = 0; c.bind.have; cursor_next(&c.bind)) {
		id = c.bind.step.bind.cmd.out_devid;
		json_element(i++, "    ", "id", id);
		json_number("device", c.bind.step.bind.ref.device);
		json_index("hwpt", device_attached(&c, id) ?
			   c.attach.step.attach.cmd.pt_id : IHO_NONE);
		if (device_attached(&c, id))
			cursor_next(&c.attach);
		printf("}");
	}
	printf("]");
}

/* What of the properties is not written as its type has it. */
static void json_path(const struct iho_device *d)
{
	json_name("path");
	printf("\"");
	print_path(d);
	printf("\"");
}

static void json_source_ids(const struct iho_device *d)
{
	u32 i;

	json_array("source_ids");
	for (i = 0; i < d->source_ids; i++)
		printf("%s%u", i ? ", " : "", d->source_id[i]);
	printf("]");
}

static void json_halves(const char *high, const char *low, u32 value, u32 bits)
{
	json_number(high, value >> bits);
	json_number(low, value & ((1u << bits) - 1));
}

static void json_attributes(u32 attributes)
{
	json_bool("snoop", attributes & IHO_TABLE_SNOOP);
	json_bool("incoherent", attributes & IHO_TABLE_INCOHERENT);
}

static u64 number(const struct iho_field *f, const union iho_fact *fact)
{
	const u8 *at = (const u8 *)fact + f->off;
	u32 cell;
	u64 wide;

	if (f->type == IHO_FIELD_U64) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&cell, at, sizeof(cell));
	return cell;
}

/* The name of a property with '_' for '-'. */
static const char *member(const struct iho_field *f, char name[32])
{
	u32 i;

	snprintf(name, 32, "%s", iho_names[f->name]);
	for (i = 0; name[i]; i++)
		if (name[i] == '-')
			name[i] = '_';
	return name;
}

static void json_digest(const char *name, const u8 digest[32])
{
	u32 i;

	json_name(name);
	printf("\"");
	for (i = 0; i < 32; i++)
		printf("%02x", digest[i]);
	printf("\"");
}

static void json_plain(const struct iho_field *f, const union iho_fact *fact)
{
	char name[32];

	member(f, name);
	switch (f->type) {
	case IHO_FIELD_STRING:
		json_text(name, (const char *)fact + f->off);
		break;
	case IHO_FIELD_WORD:
		json_text(name, iho_field_word(f, fact));
		break;
	case IHO_FIELD_U64:
		json_hex(name, number(f, fact));
		break;
	case IHO_FIELD_DIGEST:
		json_digest(name, (const u8 *)fact + f->off);
		break;
	case IHO_FIELD_NOTHING:
		json_array(name);
		printf("]");
		break;
	default:
		json_number(name, number(f, fact));
		break;
	}
}

static void json_field(const struct iho_field *f, const union iho_fact *fact)
{
	const u32 value = (u32)number(f, fact);
	char name[32];

	switch (f->name) {
	case IHO_NAME_SIZE:
	case IHO_NAME_STREAM_OFF:
	case IHO_NAME_STREAM_LEN:
		json_number(member(f, name), number(f, fact));
		break;
	case IHO_NAME_DOMAIN:
		json_index(member(f, name), value);
		break;
	case IHO_NAME_VFIO_FILE:
		json_bool(member(f, name), value);
		break;
	case IHO_NAME_ATTRIBUTES:
		json_attributes(value);
		break;
	case IHO_NAME_SOURCE_IDS:
		json_source_ids(&fact->device);
		break;
	case IHO_NAME_PATH:
		json_path(&fact->device);
		break;
	case IHO_NAME_VENDOR_DEVICE:
		json_halves("vendor", "device", value, 16);
		break;
	case IHO_NAME_SUBSYSTEM:
		json_halves("subsystem_vendor", "subsystem", value, 16);
		break;
	case IHO_NAME_CLASS_REVISION:
		json_halves("class", "revision", value, 8);
		break;
	default:
		json_plain(f, fact);
		break;
	}
}

static void json_facts(const struct loaded *l, enum iho_node kind)
{
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	union iho_fact fact;
	u32 i, j;

	json_array(desc->plural);
	for (i = 0; i < l->img.count[kind]; i++) {
		iho_get(&l->img, kind, i, &fact);
		json_element(i, "  ", "index", i);
		if (kind == IHO_NODE_DEVICE) {
			json_name("address");
			printf("\"");
			print_address(&fact.device, 0);
			printf("\"");
		}
		for (j = 0; j < desc->fields; j++)
			json_field(&desc->field[j], &fact);
		if (kind == IHO_NODE_CONTEXT)
			json_stream(&l->plan[i]);
		printf("}");
	}
	printf("]");
}

void show_json(const struct loaded *l)
{
	const struct iho_image *img = &l->img;
	enum iho_node kind;

	printf("{\"format\": \"%u.%u\"", img->major, img->minor);
	json_text("release", img->release);
	json_number("generation", img->generation);
	json_number("image_bytes", l->len);
	json_number("fdt_bytes", img->fdt_len);
	json_number("records", l->records);
	json_digest("digest", img->digest);
	for (kind = 0; kind < IHO_NODES; kind++)
		json_facts(l, kind);
	printf("}\n");
}

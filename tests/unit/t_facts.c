// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts: each rule of section 3, broken on purpose, is refused with its own
 * code and place, as arrays and in an image whose checksums are right.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "scene.h"

static struct scene world;

#define CASE(id)	static void id(struct scene *w)

CASE(nothing) { (void)w; }
CASE(release_empty) { memset(w->release, 0, 64); }
CASE(release_control) { w->release[3] = '\n'; }
CASE(memory_session_empty) { memset(w->memory[0].session, 0, 64); }
CASE(memory_session_control) { w->memory[0].session[1] = 0x1b; }
CASE(memory_session_high) { w->memory[0].session[1] = (char)0x80; }
CASE(memory_session_del) { w->memory[0].session[1] = 0x7f; }
CASE(memory_session_full) { memset(w->memory[2].session, 'z', 64); }
CASE(memory_session_tail) { w->memory[0].session[63] = 'x'; }
CASE(memory_size_zero) { w->memory[1].size = 0; }
CASE(memory_size_top) { w->memory[1].size = 1ull << 63; }
CASE(memory_size_most) { w->memory[1].size = (1ull << 63) - 1; }
CASE(memory_seals) { w->memory[1].seals = 0x40; }
CASE(memory_reserved) { w->memory[1].reserved = 1; }
CASE(memory_twice) { w->memory[1].token = 1; }
CASE(memory_order) { w->memory[1].token = 0; }
CASE(memory_session_order) { w->memory[0].session[3] = 'z'; }
CASE(memory_is_context) { w->memory[1].token = 16; }
CASE(unit_type) { w->unit[0].type = 3; }
CASE(unit_type_zero) { w->unit[0].type = 0; }
CASE(unit_mode) { w->unit[0].mode = 4; }
CASE(unit_mode_scalable) { w->unit[0].mode = IHO_UNIT_SCALABLE; }
/* Another unit, and tables that it reads. */
static void amd(struct scene *w)
{
	w->unit[0].type = IHO_UNIT_AMD_VI;
	w->unit[0].mode = IHO_UNIT_DEVICE_TABLE;
	w->table[0].format = IHO_TABLE_AMDV1;
	w->table[1].format = IHO_TABLE_AMDV1;
}
CASE(unit_amd) { amd(w); }
CASE(unit_amd_legacy) { w->unit[0].type = IHO_UNIT_AMD_VI; }
CASE(unit_intel_device_table) { w->unit[0].mode = IHO_UNIT_DEVICE_TABLE; }
CASE(unit_segment) { w->unit[0].segment = 65536; }
CASE(unit_register_align) { w->unit[0].register_pa |= 0x800; }
CASE(unit_register_range) { w->unit[0].register_pa = 1ull << 52; }
CASE(unit_root_align) { w->unit[0].root_pa |= 1; }
CASE(unit_root_zero) { w->unit[0].root_pa = 0; }
CASE(unit_root_range) { w->unit[0].root_pa = 1ull << 52; }
CASE(unit_root_last) { w->unit[0].root_pa = (1ull << 52) - 4096; }
CASE(unit_interrupt_root) { w->unit[0].interrupt_root = 1; }
CASE(unit_interrupt_root_high)
{
	w->unit[0].interrupt_root = 1ull << 63;
}
CASE(unit_reserved) { w->unit[0].reserved = 1; }
CASE(unit_twice) { w->unit[w->units++] = w->unit[0]; }
CASE(unit_order)
{
	w->unit[1] = w->unit[0];
	w->unit[1].register_pa -= 4096;
	w->units++;
}
CASE(unit_orphan)
{
	w->unit[1] = w->unit[0];
	w->unit[1].register_pa += 4096;
	w->units++;
}
CASE(table_format) { w->table[0].format = 4; }
CASE(table_levels_few) { w->table[0].levels = 2; }
CASE(table_levels_many) { w->table[0].levels = 6; }
CASE(table_levels_five) { w->table[0].levels = 5; }
CASE(table_root_align) { w->table[0].root_pa |= 8; }
CASE(table_root_zero) { w->table[0].root_pa = 0; }
CASE(table_root_range) { w->table[0].root_pa = ~0xfffull; }
CASE(table_hwpt_zero) { w->table[0].hwpt_id = 0; }
CASE(table_hwpt_large) { w->table[0].hwpt_id = 0x80000000u; }
CASE(table_attributes) { w->table[0].attributes = 4; }
CASE(table_attributes_top) { w->table[0].attributes = 1u << 31; }
CASE(table_attributes_all)
{
	w->table[0].attributes = IHO_TABLE_SNOOP | IHO_TABLE_INCOHERENT;
}
CASE(table_width_few) { w->table[0].width = 29; }
CASE(table_width_least) { w->table[0].width = 30; }
CASE(table_width_many) { w->table[0].width = 40; }
CASE(table_width_four) { w->table[1].width = 49; }
CASE(table_width_five) { w->table[1].levels = 5; w->table[1].width = 57; }
CASE(table_width_six) { w->table[1].levels = 5; w->table[1].width = 58; }
/* A table of another format; @levels is too many or too few for one of them. */
static void as(struct scene *w, u32 format, u32 levels, u32 width)
{
	w->table[0].format = format;
	w->table[0].levels = levels;
	w->table[0].width = width;
}
/* Tables of either unit, as domains of the other. */
CASE(amdv1_on_intel) { as(w, IHO_TABLE_AMDV1, 3, 39); }
CASE(amdv1_on_intel_second) { w->table[1].format = IHO_TABLE_AMDV1; }
CASE(vtdss_on_amd)
{
	amd(w);
	w->table[1].format = IHO_TABLE_VTDSS;
}
CASE(x86_64_on_amd)
{
	amd(w);
	as(w, IHO_TABLE_X86_64, 4, 47);
}
/* An HWPT without a device names no unit. */
CASE(amdv1_unattached)
{
	w->device[1].domain = IHO_NONE;
	w->domains = 1;
	w->table[1].format = IHO_TABLE_AMDV1;
}
/* Two units, of which the second reads what the first does not. */
static void two_types(struct scene *w)
{
	w->unit[1] = w->unit[0];
	w->unit[1].register_pa += 4096;
	w->unit[1].type = IHO_UNIT_AMD_VI;
	w->unit[1].mode = IHO_UNIT_DEVICE_TABLE;
	w->units++;
	w->domain[1].unit = 1;
	w->device[1].unit = 1;
	w->table[1].format = IHO_TABLE_AMDV1;
}
CASE(format_two_types) { two_types(w); }
CASE(format_two_types_swapped)
{
	two_types(w);
	w->domain[0].table = 1;
}
CASE(format_two_types_second)
{
	two_types(w);
	w->domain[1].table = 0;
}
CASE(x86_64_four) { as(w, IHO_TABLE_X86_64, 4, 47); }
CASE(x86_64_five) { as(w, IHO_TABLE_X86_64, 5, 56); }
CASE(x86_64_levels_few) { as(w, IHO_TABLE_X86_64, 3, 38); }
CASE(x86_64_levels_many) { as(w, IHO_TABLE_X86_64, 6, 47); }
CASE(x86_64_width_four) { as(w, IHO_TABLE_X86_64, 4, 48); }
CASE(x86_64_width_five) { as(w, IHO_TABLE_X86_64, 5, 57); }
CASE(x86_64_width_few) { as(w, IHO_TABLE_X86_64, 4, 29); }
CASE(x86_64_snoop)
{
	as(w, IHO_TABLE_X86_64, 4, 47);
	w->table[0].attributes = IHO_TABLE_SNOOP;
}
CASE(x86_64_incoherent)
{
	as(w, IHO_TABLE_X86_64, 4, 47);
	w->table[0].attributes = IHO_TABLE_INCOHERENT;
}
CASE(amdv1_three) { amd(w); as(w, IHO_TABLE_AMDV1, 3, 64); }
CASE(amdv1_six) { amd(w); as(w, IHO_TABLE_AMDV1, 6, 30); }
CASE(amdv1_levels_few) { as(w, IHO_TABLE_AMDV1, 2, 39); }
CASE(amdv1_levels_many) { as(w, IHO_TABLE_AMDV1, 7, 39); }
CASE(amdv1_width_three) { as(w, IHO_TABLE_AMDV1, 3, 65); }
CASE(amdv1_width_six) { as(w, IHO_TABLE_AMDV1, 6, 65); }
CASE(amdv1_width_few) { as(w, IHO_TABLE_AMDV1, 6, 29); }
CASE(amdv1_snoop)
{
	amd(w);
	as(w, IHO_TABLE_AMDV1, 3, 48);
	w->table[0].attributes = IHO_TABLE_SNOOP;
}
CASE(amdv1_incoherent)
{
	as(w, IHO_TABLE_AMDV1, 3, 48);
	w->table[0].attributes = IHO_TABLE_INCOHERENT;
}
CASE(table_twice) { w->table[1].hwpt_id = 4; }
CASE(table_order) { w->table[1].hwpt_id = 3; }
CASE(table_context) { w->table[1].context = 2; }
CASE(domain_id) { w->domain[1].domain_id = 65536; }
CASE(domain_space) { w->domain[1].space = 1; }
CASE(domain_space_high) { w->domain[0].space = 1u << 31; }
CASE(domain_twice) { w->domain[1].domain_id = 1; }
CASE(domain_order) { w->domain[1].domain_id = 0; }
CASE(domain_unit) { w->domain[1].unit = 1; }
CASE(domain_table) { w->domain[1].table = 2; }
CASE(domain_table_none) { w->domain[1].table = IHO_NONE; }
CASE(domain_orphan)
{
	w->domain[2] = w->domain[1];
	w->domain[2].domain_id = 3;
	w->domains++;
}
CASE(device_level) { w->device[0].level = 3; }
CASE(device_level_zero) { w->device[0].level = 0; }
CASE(device_level_continuous) { w->device[0].level = 2; }
CASE(device_segment) { w->device[2].segment = 65536; }
CASE(device_segment_unit) { w->device[2].segment = 1; }
CASE(device_ids_many) { w->device[0].source_ids = 9; }
CASE(device_ids_range) { w->device[0].source_id[0] = 0x10000; }
CASE(device_ids_none) { w->device[0].source_ids = 0; }
CASE(device_ids_unused) { w->device[0].source_id[1] = 1; }
CASE(device_ids_own_again) { w->device[1].source_id[1] = 0x300; }
CASE(device_ids_order)
{
	w->device[1].source_id[2] = 0x2f8;
	w->device[1].source_ids = 3;
}
CASE(device_ids_eight)
{
	u32 i;

	for (i = 1; i < 8; i++)
		w->device[1].source_id[i] = 0x500 + i;
	w->device[1].source_ids = 8;
}
CASE(device_twice)
{
	w->device[1].source_id[0] = 0x10;
	w->device[1].path[2] = 0x10;
}
CASE(device_order)
{
	w->device[1].source_id[0] = 0x8;
	w->device[1].path[2] = 0x8;
}
CASE(device_root_bus_four) { w->device[2].root_bus = 4; }
CASE(device_root_bus_above) { w->device[2].root_bus = 5; }
CASE(device_root_bus_large) { w->device[2].root_bus = 256; }
CASE(device_path_none) { w->device[0].path_len = 0; w->device[0].path[0] = 0; }
CASE(device_path_many) { w->device[0].path_len = 17; }
CASE(device_path_most)
{
	memset(w->device[2].path, 0xe2, 15);
	w->device[2].path_len = 16;
}
CASE(device_path_last) { w->device[1].path[2] = 1; }
CASE(device_path_short) { w->device[1].path_len = 2; w->device[1].path[2] = 0; }
CASE(device_path_unused) { w->device[1].path[3] = 1; }
CASE(device_path_unused_last) { w->device[1].path[15] = 1; }
CASE(device_path_source_id) { w->device[1].source_id[0] = 0x301; }
CASE(device_serial_all) { w->device[0].serial = ~0ull; }
CASE(device_serial_same) { w->device[2].serial = w->device[1].serial; }
CASE(device_dev_id_zero) { w->device[1].dev_id = 0; }
CASE(device_dev_id_large) { w->device[1].dev_id = ~0u; }
CASE(device_vfio_file) { w->device[1].vfio_file = 1; }
CASE(device_vfio_token) { w->device[1].vfio_token = 1ull << 32; }
CASE(device_vfio_both)
{
	w->device[2].vfio_file = 1;
	w->device[2].vfio_token = 3;
}
CASE(device_msix) { w->device[0].msix = 1; }
CASE(device_msix_high) { w->device[2].msix = 1u << 31; }
CASE(device_unit) { w->device[1].unit = 1; }
CASE(device_context) { w->device[1].context = 2; }
CASE(device_domain) { w->device[1].domain = 2; }
CASE(device_domain_context) { w->device[2].domain = 1; }
CASE(device_domain_unit)
{
	w->unit[1] = w->unit[0];
	w->unit[1].register_pa += 4096;
	w->units++;
	w->domain[1].unit = 1;
}
CASE(context_session_empty) { memset(w->context[0].session, 0, 64); }
CASE(context_session_tail) { w->context[0].session[40] = 'x'; }
CASE(context_reserved) { w->context[1].reserved = 1; }
CASE(context_twice)
{
	w->context[1] = w->context[0];
}
CASE(context_order) { w->context[0].session[3] = 'z'; }
CASE(context_is_memory) { w->context[1].token = 1; }
CASE(too_many_memories) { w->memories = IHO_MAX_MEMORIES + 1; }
CASE(too_many_units) { w->units = IHO_MAX_UNITS + 1; }
CASE(too_many_tables) { w->tables = IHO_MAX_TABLES + 1; }
CASE(too_many_domains) { w->domains = IHO_MAX_DOMAINS + 1; }
CASE(too_many_devices) { w->devices = IHO_MAX_DEVICES + 1; }
CASE(too_many_contexts) { w->contexts = IHO_MAX_CONTEXTS + 1; }
CASE(too_many_records) { w->context[0].records = IHO_MAX_RECORDS + 1; }

enum where_it_shows { BOTH, ARRAYS };

static const struct {
	void (*fn)(struct scene *w);
	const char *name;
	int err;
	const char *node;
	u32 index;
	const char *prop;
	enum where_it_shows where;
} cases[] = {
#define C(fn, err, node, index, prop)					\
	{ fn, #fn, IHO_ERR_##err, node, index, prop, BOTH }
#define A(fn, err, node, index, prop)					\
	{ fn, #fn, IHO_ERR_##err, node, index, prop, ARRAYS }
#define GOOD(fn)	{ fn, #fn, IHO_OK, "", 0, "", BOTH }
	GOOD(nothing),
	C(release_empty, STRING, "", IHO_NONE, "release"),
	C(release_control, STRING, "", IHO_NONE, "release"),
	C(memory_session_empty, STRING, "memory", 0, "session"),
	C(memory_session_control, STRING, "memory", 0, "session"),
	C(memory_session_high, STRING, "memory", 0, "session"),
	C(memory_session_del, STRING, "memory", 0, "session"),
	A(memory_session_full, STRING, "memory", 2, "session"),
	A(memory_session_tail, STRING, "memory", 0, "session"),
	C(memory_size_zero, RANGE, "memory", 1, "size"),
	C(memory_size_top, RANGE, "memory", 1, "size"),
	GOOD(memory_size_most),
	C(memory_seals, VALUE, "memory", 1, "seals"),
	A(context_reserved, RANGE, "context", 1, "reserved"),
	A(memory_reserved, RANGE, "memory", 1, "reserved"),
	C(memory_twice, ORDER, "memory", 1, "token"),
	C(memory_order, ORDER, "memory", 1, "token"),
	C(memory_session_order, ORDER, "memory", 1, "token"),
	C(memory_is_context, ORDER, "context", 0, "token"),
	C(unit_type, VALUE, "unit", 0, "type"),
	C(unit_type_zero, VALUE, "unit", 0, "type"),
	C(unit_mode, VALUE, "unit", 0, "mode"),
	GOOD(unit_mode_scalable),
	GOOD(unit_amd),
	C(unit_amd_legacy, VALUE, "unit", 0, "type"),
	C(unit_intel_device_table, VALUE, "unit", 0, "type"),
	C(unit_segment, RANGE, "unit", 0, "segment"),
	C(unit_register_align, ALIGN, "unit", 0, "register-pa"),
	C(unit_register_range, RANGE, "unit", 0, "register-pa"),
	C(unit_root_align, ALIGN, "unit", 0, "root-pa"),
	C(unit_root_zero, RANGE, "unit", 0, "root-pa"),
	C(unit_root_range, RANGE, "unit", 0, "root-pa"),
	GOOD(unit_root_last),
	C(unit_interrupt_root, VALUE, "unit", 0, "interrupt-root"),
	C(unit_interrupt_root_high, VALUE, "unit", 0, "interrupt-root"),
	A(unit_reserved, RANGE, "unit", 0, "reserved"),
	C(unit_twice, ORDER, "unit", 1, "register-pa"),
	C(unit_order, ORDER, "unit", 1, "register-pa"),
	C(unit_orphan, ORPHAN, "unit", 1, ""),
	C(table_format, VALUE, "table", 0, "format"),
	C(table_levels_few, RANGE, "table", 0, "levels"),
	C(table_levels_many, RANGE, "table", 0, "levels"),
	GOOD(table_levels_five),
	C(table_root_align, ALIGN, "table", 0, "root-pa"),
	C(table_root_zero, RANGE, "table", 0, "root-pa"),
	C(table_root_range, RANGE, "table", 0, "root-pa"),
	C(table_hwpt_zero, RANGE, "table", 0, "hwpt-id"),
	C(table_hwpt_large, RANGE, "table", 0, "hwpt-id"),
	C(table_attributes, VALUE, "table", 0, "attributes"),
	C(table_attributes_top, VALUE, "table", 0, "attributes"),
	GOOD(table_attributes_all),
	C(table_width_few, RANGE, "table", 0, "width"),
	GOOD(table_width_least),
	C(table_width_many, RANGE, "table", 0, "width"),
	C(table_width_four, RANGE, "table", 1, "width"),
	GOOD(table_width_five),
	C(table_width_six, RANGE, "table", 1, "width"),
	C(amdv1_on_intel, REF, "domain", 0, "table"),
	C(amdv1_on_intel_second, REF, "domain", 1, "table"),
	C(vtdss_on_amd, REF, "domain", 1, "table"),
	GOOD(x86_64_on_amd),
	GOOD(amdv1_unattached),
	GOOD(format_two_types),
	C(format_two_types_swapped, REF, "domain", 0, "table"),
	C(format_two_types_second, REF, "domain", 1, "table"),
	GOOD(x86_64_four),
	GOOD(x86_64_five),
	C(x86_64_levels_few, RANGE, "table", 0, "levels"),
	C(x86_64_levels_many, RANGE, "table", 0, "levels"),
	C(x86_64_width_four, RANGE, "table", 0, "width"),
	C(x86_64_width_five, RANGE, "table", 0, "width"),
	C(x86_64_width_few, RANGE, "table", 0, "width"),
	GOOD(x86_64_snoop),
	GOOD(x86_64_incoherent),
	GOOD(amdv1_three),
	GOOD(amdv1_six),
	C(amdv1_levels_few, RANGE, "table", 0, "levels"),
	C(amdv1_levels_many, RANGE, "table", 0, "levels"),
	C(amdv1_width_three, RANGE, "table", 0, "width"),
	C(amdv1_width_six, RANGE, "table", 0, "width"),
	C(amdv1_width_few, RANGE, "table", 0, "width"),
	GOOD(amdv1_snoop),
	C(amdv1_incoherent, VALUE, "table", 0, "attributes"),
	C(table_twice, ORDER, "table", 1, "hwpt-id"),
	C(table_order, ORDER, "table", 1, "hwpt-id"),
	C(table_context, REF, "table", 1, "context"),
	C(domain_id, RANGE, "domain", 1, "domain-id"),
	C(domain_space, VALUE, "domain", 1, "space"),
	C(domain_space_high, VALUE, "domain", 0, "space"),
	C(domain_twice, ORDER, "domain", 1, "domain-id"),
	C(domain_order, ORDER, "domain", 1, "domain-id"),
	C(domain_unit, REF, "domain", 1, "unit"),
	C(domain_table, REF, "domain", 1, "table"),
	C(domain_table_none, REF, "domain", 1, "table"),
	C(domain_orphan, ORPHAN, "domain", 2, ""),
	C(device_level, VALUE, "device", 0, "level"),
	C(device_level_zero, VALUE, "device", 0, "level"),
	GOOD(device_level_continuous),
	C(device_segment, RANGE, "device", 2, "segment"),
	C(device_segment_unit, REF, "device", 2, "unit"),
	C(device_ids_many, LIMIT, "device", 0, "source-ids"),
	C(device_ids_range, RANGE, "device", 0, "source-ids"),
	A(device_ids_none, RANGE, "device", 0, "source-ids"),
	A(device_ids_unused, RANGE, "device", 0, "source-ids"),
	C(device_ids_own_again, ORDER, "device", 1, "source-ids"),
	C(device_ids_order, ORDER, "device", 1, "source-ids"),
	GOOD(device_ids_eight),
	GOOD(device_root_bus_four),
	C(device_root_bus_above, RANGE, "device", 2, "root-bus"),
	C(device_root_bus_large, RANGE, "device", 2, "root-bus"),
	A(device_path_none, RANGE, "device", 0, "path"),
	C(device_path_many, LIMIT, "device", 0, "path"),
	GOOD(device_path_most),
	C(device_path_last, RANGE, "device", 1, "path"),
	C(device_path_short, RANGE, "device", 1, "path"),
	A(device_path_unused, RANGE, "device", 1, "path"),
	A(device_path_unused_last, RANGE, "device", 1, "path"),
	C(device_path_source_id, RANGE, "device", 1, "path"),
	GOOD(device_serial_all),
	GOOD(device_serial_same),
	C(device_twice, ORDER, "device", 1, "source-ids"),
	C(device_order, ORDER, "device", 1, "source-ids"),
	C(device_dev_id_zero, RANGE, "device", 1, "dev-id"),
	C(device_dev_id_large, RANGE, "device", 1, "dev-id"),
	C(device_vfio_file, VALUE, "device", 1, "vfio-file"),
	C(device_vfio_token, VALUE, "device", 1, "token-vfio"),
	C(device_vfio_both, VALUE, "device", 2, "vfio-file"),
	C(device_msix, VALUE, "device", 0, "msix"),
	C(device_msix_high, VALUE, "device", 2, "msix"),
	C(device_unit, REF, "device", 1, "unit"),
	C(device_context, REF, "device", 1, "context"),
	C(device_domain, REF, "device", 1, "domain"),
	C(device_domain_context, REF, "device", 2, "domain"),
	C(device_domain_unit, REF, "device", 1, "domain"),
	C(context_session_empty, STRING, "context", 0, "session"),
	A(context_session_tail, STRING, "context", 0, "session"),
	C(context_twice, ORDER, "context", 1, "token"),
	C(context_order, ORDER, "context", 1, "token"),
	C(context_is_memory, ORDER, "context", 1, "token"),
	A(too_many_memories, LIMIT, "memory", IHO_NONE, "count"),
	A(too_many_units, LIMIT, "unit", IHO_NONE, "count"),
	A(too_many_tables, LIMIT, "table", IHO_NONE, "count"),
	A(too_many_domains, LIMIT, "domain", IHO_NONE, "count"),
	A(too_many_devices, LIMIT, "device", IHO_NONE, "count"),
	A(too_many_contexts, LIMIT, "context", IHO_NONE, "count"),
	A(too_many_records, LIMIT, "context", 0, "records"),
};

static void check_place(const struct iho_where *where, size_t i,
			const char *how)
{
	if (!cases[i].err)
		return;
	if (!ok(!strcmp(where->node, cases[i].node) &&
		where->index == cases[i].index &&
		!strcmp(where->prop, cases[i].prop) &&
		where->record == IHO_NONE, "%s: place, %s", cases[i].name, how))
		diag("%s-%u, %s", where->node, where->index, where->prop);
}

/*
 * Spaces other than 0 are refused before any order is looked at: that they
 * order domains can only be seen in the description.
 */
static void test_domain_order(void)
{
	static const enum iho_name want[] = {
		IHO_NAME_UNIT, IHO_NAME_SPACE, IHO_NAME_DOMAIN_ID,
	};
	const struct iho_node_desc *desc = &iho_node_desc[IHO_NODE_DOMAIN];
	u32 i, good = 0;

	for (i = 0; i < 3; i++)
		good += desc->field[desc->order[i]].name == want[i];
	ok(good == 3, "domains come by unit, space and ID");
}

int main(void)
{
	const struct iho_where nowhere = {
		.node = "not set", .prop = "not set",
	};
	struct iho_facts facts;
	struct iho_where where;
	struct iho_image img;
	struct iho_seg seg;
	size_t i, len;
	u8 *image;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		where = nowhere;
		scene_example(&world);
		cases[i].fn(&world);
		scene_facts(&world, &facts);
		ok_err(iho_facts_check(&facts, &where), cases[i].err,
		       "%s: arrays", cases[i].name);
		ok_err(iho_facts_check(&facts, NULL), cases[i].err,
		       "%s: arrays, place not asked for", cases[i].name);
		check_place(&where, i, "arrays");
		if (cases[i].where == ARRAYS)
			continue;
		where = nowhere;
		image = scene_image(&world, &len);
		seg.ptr = image;
		seg.len = len;
		ok_err(iho_image_open(&seg, 1, &img, &where), cases[i].err,
		       "%s: image", cases[i].name);
		check_place(&where, i, "image");
		free(image);
	}
	test_domain_order();
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record streams, good ones and ones with one fault (handover.rst, section 4).
 * One table for the unit tests and for KUnit.
 */
#include "plan-cases.h"

#define CASE(id)	static void id(struct world *w)
#define R(name)		w->rec[WORLD_##name]

static void exchange(struct world_rec *a, struct world_rec *b)
{
	struct world_rec c = *a;

	*a = *b;
	*b = c;
}

CASE(nothing)
{
	(void)w;
}

CASE(ids_interleave)
{
	/* IDs of all kinds are one space, and kinds are not in its order */
	R(IOAS2).ioas.out_ioas_id = WORLD_HWPT2_ID + 1;
	R(HUGE).option.object_id = WORLD_HWPT2_ID + 1;
	R(MAP3).map.ioas_id = WORLD_HWPT2_ID + 1;
	R(MAP4).map.ioas_id = WORLD_HWPT2_ID + 1;
	R(HWPT2).hwpt.pt_id = WORLD_HWPT2_ID + 1;
}

CASE(payload_of_a_later_kernel)
{
	R(IOAS1).size = 24;
	R(IOAS1).payload_len = 24;
}

CASE(payload_of_a_later_kernel_with_meaning)
{
	payload_of_a_later_kernel(w);
	R(IOAS1).payload[23] = 1;
}

CASE(payload_short)
{
	R(IOAS1).size = 8;
	R(IOAS1).payload_len = 8;
}

CASE(payload_size_differs) { R(IOAS1).size = 16; }
CASE(inline_short) { R(MAP1).inline_len = 8; }
CASE(inline_where_none_is) { R(IOAS1).inline_len = 8; }
CASE(kind_zero) { R(VFIO).kind = 0; }
CASE(kind_unknown) { R(ATTACH2).kind = IHO_REC_KINDS; }
CASE(kinds_out_of_order) { exchange(&R(ALLOW), &R(VFIO)); }
CASE(ids_out_of_order) { exchange(&R(IOAS1), &R(IOAS2)); }
CASE(object_before_its_ioas) { exchange(&R(IOAS2), &R(HUGE)); }

CASE(rlimit_mode_twice) { world_twice(w, WORLD_OPTION); }
CASE(rlimit_mode_default) { R(OPTION).option.val64 = 0; }
CASE(rlimit_mode_of_object) { R(OPTION).option.object_id = 1; }
CASE(option_unknown) { R(OPTION).option.option_id = 2; }
CASE(huge_pages_on) { R(HUGE).option.val64 = 1; }
CASE(huge_pages_of_nothing) { R(HUGE).option.object_id = 71; }

CASE(huge_pages_off_unaligned)
{
	R(MAP4).map.iova += 8;
	R(MAP4).map.length -= 8;
}

/* IDs: one space over all kinds, each once */
CASE(id_zero) { R(IOAS1).ioas.out_ioas_id = 0; }
CASE(id_of_32_bits) { R(IOAS2).ioas.out_ioas_id = 0x80000000; }
CASE(ioas_twice) { world_twice(w, WORLD_IOAS2); }

CASE(device_has_id_of_ioas)
{
	w->device[0].dev_id = WORLD_IOAS2_ID;
	R(BIND1).bind.out_devid = WORLD_IOAS2_ID;
}

CASE(hwpt_has_id_of_ioas)
{
	w->table[0].hwpt_id = WORLD_IOAS2_ID;
	R(HWPT1).hwpt.out_hwpt_id = WORLD_IOAS2_ID;
}

CASE(hwpt_has_id_of_device)
{
	w->table[0].hwpt_id = WORLD_DEV1_ID;
	R(HWPT1).hwpt.out_hwpt_id = WORLD_DEV1_ID;
}

CASE(allow_nothing)
{
	R(ALLOW).allow.num_iovas = 0;
	R(ALLOW).inline_len = 0;
}

CASE(allow_overlap)
{
	R(ALLOW).range[1].start = R(ALLOW).range[0].last;
}

CASE(allow_in_device) { R(ALLOW).allow.ioas_id = WORLD_DEV1_ID; }
CASE(vfio_clear) { R(VFIO).vfio.op = 2; }
CASE(vfio_twice) { world_twice(w, WORLD_VFIO); }

CASE(map_anywhere) { R(MAP1).map.flags &= ~IHO_MAP_FIXED_IOVA; }
CASE(map_no_access) { R(MAP1).map.flags = IHO_MAP_FIXED_IOVA; }
CASE(map_flag_unknown) { R(MAP1).map.flags |= 8; }
CASE(map_with_fd) { R(MAP1).map.fd = 0; }
CASE(map_empty) { R(MAP1).map.length = 0; }
CASE(map_in_hwpt) { R(MAP4).map.ioas_id = WORLD_HWPT1_ID; }

CASE(map_wraps)
{
	R(MAP4).map.iova = -4096ull;
	R(MAP4).map.length = 2 * 4096;
}

CASE(map_to_the_last_byte) { R(MAP4).map.iova = -0x4000ull; }
/* Whether hardware has so many bits is not the plan's to know. */
CASE(map_not_canonical) { R(MAP4).map.iova = 1ull << 63; }
CASE(map_order) { R(MAP2).map.iova = 0; }
CASE(map_overlap) { R(MAP2).map.iova = 0x10f000; }
CASE(map_touching) { R(MAP2).map.iova = 0x110000; }
CASE(map_behind_the_file) { R(MAP4).map.start = 0x1d000; }
CASE(map_far_behind_the_file) { R(MAP4).map.start = -4096ull; }
CASE(map_of_no_memory) { R(MAP4).map_ref.memory = 3; }

CASE(map_of_another_session)
{
	R(MAP4).map_ref.memory = 2;
	R(MAP4).map.start = 0;
	R(MAP4).map.length = 4096;
}

/* Share groups */
CASE(group_skipped) { R(MAP4).map_ref.group = 3; }
CASE(group_not_from_zero) { R(MAP1).map_ref.group = 1; }
CASE(group_of_two_memories) { R(MAP3).map_ref.group = 1; }
CASE(group_shared_further) { R(MAP4).map_ref.group = 0; }

CASE(group_disagrees)
{
	R(MAP3).map_ref.flags = 0;
	R(MAP3).map.flags &= ~IHO_MAP_WRITEABLE;
}

CASE(group_pinned_read_only) { R(MAP1).map_ref.flags = 0; }

CASE(bind_of_another_context) { R(BIND1).bind_ref.device = 2; }
CASE(bind_with_another_id) { R(BIND1).bind.out_devid++; }

CASE(bind_missing)
{
	world_drop(w, WORLD_ATTACH2);
	R(HWPT2).hwpt.dev_id = WORLD_DEV1_ID;
	world_drop(w, WORLD_BIND2);
}

CASE(hwpt_of_no_device) { R(HWPT2).hwpt.dev_id = WORLD_IOAS1_ID; }
CASE(hwpt_of_no_ioas) { R(HWPT2).hwpt.pt_id = WORLD_DEV1_ID; }
CASE(hwpt_with_data) { R(HWPT2).hwpt.data_len = 8; }
CASE(hwpt_with_fault_queue) { R(HWPT2).hwpt.fault_id = 7; }
CASE(hwpt_of_another_table) { R(HWPT2).hwpt_ref.table = 0; }
CASE(hwpt_automatic_with_flags) { R(HWPT1).hwpt.flags = 2; }
CASE(hwpt_over_bytes) { R(MAP2).map.length--; }

CASE(hwpt_automatic_unused)
{
	world_drop(w, WORLD_ATTACH1);
	w->device[0].domain = IHO_NONE;
}

CASE(attach_to_ioas) { R(ATTACH2).attach.pt_id = WORLD_IOAS2_ID; }

CASE(attach_to_another_hwpt)
{
	R(ATTACH2).attach.pt_id = WORLD_HWPT1_ID;
}

CASE(attach_of_no_device)
{
	R(ATTACH2).attach_ref.dev_id = WORLD_DEV2_ID + 1;
}

CASE(attach_of_pasid) { R(ATTACH2).attach.pasid = 1; }
CASE(attach_missing) { world_drop(w, WORLD_ATTACH2); }

CASE(kinds_swapped) { exchange(&R(ALLOW), &R(VFIO)); }
CASE(not_yet_there) { exchange(&R(IOAS2), &R(HUGE)); }
CASE(payload_long_zero) { R(IOAS1).payload_len = R(IOAS1).size = 40; }

CASE(payload_long_dirty)
{
	R(IOAS1).payload_len = R(IOAS1).size = 40;
	R(IOAS1).payload[39] = 1;
}

CASE(size_field) { R(IOAS1).size = 16; }
CASE(inline_extra) { R(IOAS1).inline_len = 8; }
CASE(inline_missing) { R(MAP1).inline_len = 8; }
CASE(inline_long) { R(MAP1).inline_len = 24; }

CASE(option_twice) { world_twice(w, WORLD_OPTION); }
CASE(option_huge) { R(OPTION).option.option_id = 1; }
CASE(option_get) { R(OPTION).option.op = 1; }
CASE(option_reserved) { R(OPTION).option.reserved = 1; }
CASE(option_object) { R(OPTION).option.object_id = 1; }
CASE(option_default) { R(OPTION).option.val64 = 0; }

CASE(ioas_zero) { R(IOAS1).ioas.out_ioas_id = 0; }
CASE(ioas_large) { R(IOAS2).ioas.out_ioas_id = 0x80000000u; }
CASE(ioas_flags) { R(IOAS1).ioas.flags = 1; }
CASE(ioas_order) { exchange(&R(IOAS1), &R(IOAS2)); }
CASE(huge_rlimit) { R(HUGE).option.option_id = 0; }
CASE(huge_get) { R(HUGE).option.op = 1; }
CASE(huge_on) { R(HUGE).option.val64 = 1; }
CASE(huge_unknown) { R(HUGE).option.object_id = 9; }
CASE(huge_reserved) { R(HUGE).option.reserved = 1; }
CASE(huge_twice) { world_twice(w, WORLD_HUGE); }
CASE(huge_unaligned) { R(MAP4).map.iova += 8; R(MAP4).map.length -= 8; }

CASE(huge_unaligned_start)
{
	R(MAP4).map.start = 8;
	R(MAP4).map.length -= 4096;
}

CASE(huge_unaligned_length) { R(MAP4).map.length--; }

CASE(allow_none) { R(ALLOW).allow.num_iovas = 0; R(ALLOW).inline_len = 0; }
CASE(allow_many) { R(ALLOW).allow.num_iovas = IHO_MAX_ALLOWED + 1; }
CASE(allow_short) { R(ALLOW).inline_len = 16; }
CASE(allow_long) { R(ALLOW).inline_len = 48; }
CASE(allow_unknown) { R(ALLOW).allow.ioas_id = 9; }
CASE(allow_device) { R(ALLOW).allow.ioas_id = WORLD_DEV1_ID; }
CASE(allow_reserved) { R(ALLOW).allow.reserved = 1; }
CASE(allow_pointer) { R(ALLOW).allow.allowed_iovas = 1; }
CASE(allow_reversed) { R(ALLOW).range[1].last = R(ALLOW).range[1].start - 1; }
CASE(allow_one_byte) { R(ALLOW).range[1].last = R(ALLOW).range[1].start; }

CASE(allow_order)
{
	struct iho_range r = R(ALLOW).range[0];

	R(ALLOW).range[0] = R(ALLOW).range[1];
	R(ALLOW).range[1] = r;
}

CASE(allow_same) { R(ALLOW).range[1] = R(ALLOW).range[0]; }
CASE(allow_touching) { R(ALLOW).range[1].start = R(ALLOW).range[0].last + 1; }
CASE(allow_top) { R(ALLOW).range[1].last = ~0ull; }
CASE(allow_twice) { world_twice(w, WORLD_ALLOW); }
CASE(vfio_get) { R(VFIO).vfio.op = 0; }
CASE(vfio_unknown) { R(VFIO).vfio.ioas_id = 9; }
CASE(vfio_reserved) { R(VFIO).vfio.reserved = 1; }
CASE(map_not_fixed) { R(MAP1).map.flags &= ~IHO_MAP_FIXED_IOVA; }
CASE(map_write_only) { R(MAP1).map.flags &= ~IHO_MAP_READABLE; }
CASE(map_fd) { R(MAP1).map.fd = 3; }
CASE(map_ref_flag) { R(MAP1).map_ref.flags |= 2; }
CASE(map_ref_reserved) { R(MAP1).map_ref.reserved = 1; }
CASE(map_ioas) { R(MAP4).map.ioas_id = WORLD_IOAS2_ID + 1; }
CASE(map_ioas_order) { R(MAP4).map.ioas_id = 1; }
CASE(map_length_zero) { R(MAP4).map.length = 0; }

CASE(map_top)
{
	R(MAP4).map.iova = ~0xfffull;
	R(MAP4).map.length = 4096;
}

CASE(map_same) { R(MAP4).map.iova = R(MAP3).map.iova; }
CASE(map_memory) { R(MAP4).map_ref.memory = 3; }
CASE(map_session) { R(MAP4).map_ref.memory = 2; R(MAP4).map.length = 4096; }
CASE(map_start) { R(MAP4).map.start += 4096; }
CASE(map_start_wraps) { R(MAP4).map.start = ~0xfffull; }
CASE(map_start_beyond) { R(MAP4).map.start = 3 << 20; }
CASE(map_outside_allowed) { R(MAP1).map.iova = 0; }
CASE(group_gap) { R(MAP4).map_ref.group = 3; }
CASE(group_first) { R(MAP1).map_ref.group = 1; }
CASE(group_memory) { R(MAP4).map_ref.group = 1; }

CASE(group_flags)
{
	R(MAP3).map_ref.flags = 0;
	R(MAP3).map.flags = IHO_MAP_FIXED_IOVA | IHO_MAP_READABLE;
}

CASE(group_not_writable) { R(MAP1).map_ref.flags = 0; }
CASE(group_shared_more) { R(MAP3).map_ref.group = 2; }
CASE(bind_flags) { R(BIND1).bind.flags = 1; }
CASE(bind_fd) { R(BIND1).bind.iommufd = 5; }
CASE(bind_token) { R(BIND1).bind.token_uuid_ptr = 1; }
CASE(bind_reserved) { R(BIND1).bind_ref.reserved = 1; }
CASE(bind_device) { R(BIND1).bind_ref.device = 3; }
CASE(bind_other_device) { R(BIND1).bind_ref.device = 1; }
CASE(bind_other_context) { R(BIND1).bind_ref.device = 2; }
CASE(bind_id) { R(BIND1).bind.out_devid = WORLD_DEV1_ID + 1; }
CASE(bind_is_ioas) { R(BIND1).bind.out_devid = WORLD_IOAS2_ID; }
CASE(bind_zero) { R(BIND1).bind.out_devid = 0; }
CASE(bind_order) { exchange(&R(BIND1), &R(BIND2)); }

CASE(hwpt_flag_fault) { R(HWPT2).hwpt.flags = 4; }
CASE(hwpt_flag_unknown) { R(HWPT2).hwpt.flags = 16; }
CASE(hwpt_flags_all) { R(HWPT2).hwpt.flags = 11; }
CASE(hwpt_reserved) { R(HWPT2).hwpt.reserved = 1; }
CASE(hwpt_data_type) { R(HWPT2).hwpt.data_type = 1; }
CASE(hwpt_data_len) { R(HWPT2).hwpt.data_len = 8; }
CASE(hwpt_data_uptr) { R(HWPT2).hwpt.data_uptr = 8; }
CASE(hwpt_fault_id) { R(HWPT2).hwpt.fault_id = 7; }
CASE(hwpt_reserved2) { R(HWPT2).hwpt.reserved2 = 7; }
CASE(hwpt_ref_flag) { R(HWPT2).hwpt_ref.flags = 2; }
CASE(hwpt_auto_flags) { R(HWPT1).hwpt.flags = 2; }
CASE(hwpt_dev) { R(HWPT2).hwpt.dev_id = 9; }
CASE(hwpt_dev_is_ioas) { R(HWPT2).hwpt.dev_id = 1; }
CASE(hwpt_ioas) { R(HWPT2).hwpt.pt_id = 9; }
CASE(hwpt_ioas_is_dev) { R(HWPT2).hwpt.pt_id = WORLD_DEV1_ID; }
CASE(hwpt_table) { R(HWPT2).hwpt_ref.table = 2; }
CASE(hwpt_other_table) { R(HWPT2).hwpt_ref.table = 0; }
CASE(hwpt_is_ioas) { R(HWPT1).hwpt.out_hwpt_id = WORLD_IOAS2_ID; }
CASE(hwpt_is_device) { R(HWPT1).hwpt.out_hwpt_id = WORLD_DEV1_ID; }
CASE(hwpt_order) { exchange(&R(HWPT1), &R(HWPT2)); }
CASE(hwpt_unaligned) { R(MAP1).map.length--; }

CASE(hwpt_auto_unattached)
{
	world_drop(w, WORLD_ATTACH1);
	w->device[0].domain = IHO_NONE;
}

static void both_on_auto(struct world *w)
{
	w->device[1].domain = 0;
	w->domains = 1;
	R(ATTACH2).attach.pt_id = WORLD_HWPT1_ID;
}

CASE(hwpt_auto_two_devices) { both_on_auto(w); }

CASE(hwpt_auto_not_lowest)
{
	both_on_auto(w);
	R(HWPT1).hwpt.dev_id = WORLD_DEV2_ID;
}

CASE(hwpt_auto_not_attached) { R(HWPT1).hwpt.dev_id = WORLD_DEV2_ID; }
CASE(hwpt_explicit_not_attached) { R(HWPT2).hwpt.dev_id = WORLD_DEV1_ID; }
CASE(attach_flags) { R(ATTACH1).attach.flags = 1; }
CASE(attach_pasid) { R(ATTACH1).attach.pasid = 1; }
CASE(attach_reserved) { R(ATTACH1).attach_ref.reserved = 1; }

CASE(attach_dev)
{
	R(ATTACH2).attach_ref.dev_id = WORLD_DEV2_ID + 1;
}

CASE(attach_hwpt) { R(ATTACH2).attach.pt_id = 9; }
CASE(attach_ioas) { R(ATTACH2).attach.pt_id = WORLD_IOAS2_ID; }
CASE(attach_other_hwpt) { R(ATTACH2).attach.pt_id = WORLD_HWPT1_ID; }
CASE(attach_no_domain) { w->device[1].domain = IHO_NONE; }
CASE(attach_order) { exchange(&R(ATTACH1), &R(ATTACH2)); }
CASE(attach_twice) { R(ATTACH2).attach_ref.dev_id = WORLD_DEV1_ID; }

CASE(device_orphan)
{
	world_drop(w, WORLD_ATTACH2);
	R(HWPT2).hwpt.dev_id = WORLD_DEV1_ID;
	world_drop(w, WORLD_BIND2);
}

CASE(device_same_id)
{
	w->device[3] = w->device[0];
	w->device[3].source_id[0] = 0x110;
	w->device[3].path[0] = 0x10;
	w->devices = 4;
}

CASE(table_orphan)
{
	world_drop(w, WORLD_ATTACH2);
	world_drop(w, WORLD_HWPT2);
	w->device[1].domain = IHO_NONE;
}

CASE(explicit_unattached)
{
	world_drop(w, WORLD_ATTACH2);
	w->device[1].domain = IHO_NONE;
}

CASE(empty_context) { w->devices = 2; }

#define GOOD(fn)							\
	{ fn, #fn, IHO_OK, 0, "", "" }
#define BAD(fn, err, record, prop)					\
	{ fn, #fn, IHO_ERR_##err, record, prop, "stream" }
/* Found when the stream has ended. */
#define WHOLE(fn, err, node, prop)					\
	{ fn, #fn, IHO_ERR_##err, IHO_NONE, prop, node }

const struct plan_case plan_cases[] = {
	GOOD(nothing),
	GOOD(ids_interleave),
	GOOD(payload_of_a_later_kernel),
	BAD(payload_of_a_later_kernel_with_meaning, PAYLOAD, WORLD_IOAS1,
	    "payload"),
	BAD(payload_short, RECORD, WORLD_IOAS1, "payload_len"),
	BAD(payload_size_differs, RECORD, WORLD_IOAS1, "size"),
	BAD(inline_short, RECORD, WORLD_MAP1, "inline_len"),
	BAD(inline_where_none_is, RECORD, WORLD_IOAS1, "inline_len"),
	BAD(kind_zero, KIND, WORLD_VFIO, "kind"),
	BAD(kind_unknown, KIND, WORLD_ATTACH2, "kind"),
	BAD(kinds_out_of_order, ORDER, WORLD_VFIO, "kind"),
	BAD(ids_out_of_order, ORDER, WORLD_IOAS2, "out_ioas_id"),
	BAD(object_before_its_ioas, REF, WORLD_IOAS2, "object_id"),
	BAD(rlimit_mode_twice, ORDER, WORLD_OPTION + 1, "kind"),
	BAD(rlimit_mode_default, VALUE, WORLD_OPTION, "val64"),
	BAD(rlimit_mode_of_object, RECORD, WORLD_OPTION, "object_id"),
	BAD(option_unknown, VALUE, WORLD_OPTION, "option_id"),
	BAD(huge_pages_on, VALUE, WORLD_HUGE, "val64"),
	BAD(huge_pages_of_nothing, REF, WORLD_HUGE, "object_id"),
	BAD(huge_pages_off_unaligned, ALIGN, WORLD_MAP4, "iova"),
	BAD(id_zero, RANGE, WORLD_IOAS1, "out_ioas_id"),
	BAD(id_of_32_bits, RANGE, WORLD_IOAS2, "out_ioas_id"),
	BAD(ioas_twice, ORDER, WORLD_IOAS2 + 1, "out_ioas_id"),
	BAD(device_has_id_of_ioas, ID_TAKEN, WORLD_BIND1, "out_devid"),
	BAD(hwpt_has_id_of_ioas, ID_TAKEN, WORLD_HWPT1, "out_hwpt_id"),
	BAD(hwpt_has_id_of_device, ID_TAKEN, WORLD_HWPT1, "out_hwpt_id"),
	BAD(allow_nothing, RECORD, WORLD_ALLOW, "num_iovas"),
	BAD(allow_overlap, OVERLAP, WORLD_ALLOW, "range"),
	BAD(allow_in_device, REF, WORLD_ALLOW, "ioas_id"),
	BAD(vfio_clear, VALUE, WORLD_VFIO, "op"),
	BAD(vfio_twice, ORDER, WORLD_VFIO + 1, "kind"),
	BAD(map_anywhere, RECORD, WORLD_MAP1, "flags"),
	BAD(map_no_access, RECORD, WORLD_MAP1, "flags"),
	BAD(map_flag_unknown, VALUE, WORLD_MAP1, "flags"),
	BAD(map_with_fd, RECORD, WORLD_MAP1, "fd"),
	BAD(map_empty, RANGE, WORLD_MAP1, "length"),
	BAD(map_in_hwpt, REF, WORLD_MAP4, "ioas_id"),
	BAD(map_wraps, RANGE, WORLD_MAP4, "length"),
	GOOD(map_to_the_last_byte),
	GOOD(map_not_canonical),
	BAD(map_order, ORDER, WORLD_MAP2, "iova"),
	BAD(map_overlap, OVERLAP, WORLD_MAP2, "iova"),
	GOOD(map_touching),
	BAD(map_behind_the_file, RANGE, WORLD_MAP4, "start"),
	BAD(map_far_behind_the_file, RANGE, WORLD_MAP4, "start"),
	BAD(map_of_no_memory, REF, WORLD_MAP4, "memory"),
	BAD(map_of_another_session, REF, WORLD_MAP4, "memory"),
	BAD(group_skipped, GROUP, WORLD_MAP4, "group"),
	BAD(group_not_from_zero, GROUP, WORLD_MAP1, "group"),
	BAD(group_of_two_memories, GROUP, WORLD_MAP3, "memory"),
	GOOD(group_shared_further),
	BAD(group_disagrees, GROUP, WORLD_MAP3, "flags"),
	BAD(group_pinned_read_only, GROUP, WORLD_MAP1, "flags"),
	BAD(bind_of_another_context, REF, WORLD_BIND1, "device"),
	BAD(bind_with_another_id, REF, WORLD_BIND1, "device"),
	WHOLE(bind_missing, ORPHAN, "device", "dev-id"),
	BAD(hwpt_of_no_device, REF, WORLD_HWPT2, "dev_id"),
	BAD(hwpt_of_no_ioas, REF, WORLD_HWPT2, "pt_id"),
	BAD(hwpt_with_data, RECORD, WORLD_HWPT2, "data_len"),
	BAD(hwpt_with_fault_queue, RECORD, WORLD_HWPT2, "fault_id"),
	BAD(hwpt_of_another_table, REF, WORLD_HWPT2, "table"),
	BAD(hwpt_automatic_with_flags, RECORD, WORLD_HWPT1, "flags"),
	BAD(hwpt_over_bytes, ALIGN, WORLD_HWPT1, "pt_id"),
	WHOLE(hwpt_automatic_unused, ORPHAN, "stream", "out_hwpt_id"),
	BAD(attach_to_ioas, REF, WORLD_ATTACH2, "pt_id"),
	BAD(attach_to_another_hwpt, REF, WORLD_ATTACH2, "pt_id"),
	BAD(attach_of_no_device, REF, WORLD_ATTACH2, "dev_id"),
	BAD(attach_of_pasid, RECORD, WORLD_ATTACH2, "pasid"),
	WHOLE(attach_missing, REF, "device", "domain"),
	BAD(kinds_swapped, ORDER, WORLD_VFIO, "kind"),
	BAD(not_yet_there, REF, WORLD_IOAS2, "object_id"),
	GOOD(payload_long_zero),
	BAD(payload_long_dirty, PAYLOAD, WORLD_IOAS1, "payload"),
	BAD(size_field, RECORD, WORLD_IOAS1, "size"),
	BAD(inline_extra, RECORD, WORLD_IOAS1, "inline_len"),
	BAD(inline_missing, RECORD, WORLD_MAP1, "inline_len"),
	BAD(inline_long, RECORD, WORLD_MAP1, "inline_len"),
	BAD(option_twice, ORDER, WORLD_OPTION + 1, "kind"),
	BAD(option_huge, VALUE, WORLD_OPTION, "option_id"),
	BAD(option_get, VALUE, WORLD_OPTION, "op"),
	BAD(option_reserved, RECORD, WORLD_OPTION, "reserved"),
	BAD(option_object, RECORD, WORLD_OPTION, "object_id"),
	BAD(option_default, VALUE, WORLD_OPTION, "val64"),
	BAD(ioas_zero, RANGE, WORLD_IOAS1, "out_ioas_id"),
	BAD(ioas_large, RANGE, WORLD_IOAS2, "out_ioas_id"),
	BAD(ioas_flags, VALUE, WORLD_IOAS1, "flags"),
	BAD(ioas_order, ORDER, WORLD_IOAS2, "out_ioas_id"),
	BAD(huge_rlimit, VALUE, WORLD_HUGE, "option_id"),
	BAD(huge_get, VALUE, WORLD_HUGE, "op"),
	BAD(huge_on, VALUE, WORLD_HUGE, "val64"),
	BAD(huge_unknown, REF, WORLD_HUGE, "object_id"),
	BAD(huge_reserved, RECORD, WORLD_HUGE, "reserved"),
	BAD(huge_twice, ORDER, WORLD_HUGE + 1, "object_id"),
	BAD(huge_unaligned, ALIGN, WORLD_MAP4, "iova"),
	BAD(huge_unaligned_start, ALIGN, WORLD_MAP4, "iova"),
	BAD(huge_unaligned_length, ALIGN, WORLD_MAP4, "iova"),
	BAD(allow_none, RECORD, WORLD_ALLOW, "num_iovas"),
	BAD(allow_many, LIMIT, WORLD_ALLOW, "num_iovas"),
	BAD(allow_short, RECORD, WORLD_ALLOW, "inline_len"),
	BAD(allow_long, RECORD, WORLD_ALLOW, "inline_len"),
	BAD(allow_unknown, REF, WORLD_ALLOW, "ioas_id"),
	BAD(allow_device, REF, WORLD_ALLOW, "ioas_id"),
	BAD(allow_reserved, RECORD, WORLD_ALLOW, "reserved"),
	BAD(allow_pointer, RECORD, WORLD_ALLOW, "allowed_iovas"),
	BAD(allow_reversed, RANGE, WORLD_ALLOW, "range"),
	BAD(allow_one_byte, RANGE, WORLD_ALLOW, "range"),
	BAD(allow_order, ORDER, WORLD_ALLOW, "range"),
	BAD(allow_same, ORDER, WORLD_ALLOW, "range"),
	GOOD(allow_touching),
	GOOD(allow_top),
	BAD(allow_twice, ORDER, WORLD_ALLOW + 1, "ioas_id"),
	BAD(vfio_get, VALUE, WORLD_VFIO, "op"),
	BAD(vfio_unknown, REF, WORLD_VFIO, "ioas_id"),
	BAD(vfio_reserved, RECORD, WORLD_VFIO, "reserved"),
	BAD(map_not_fixed, RECORD, WORLD_MAP1, "flags"),
	GOOD(map_write_only),
	BAD(map_fd, RECORD, WORLD_MAP1, "fd"),
	BAD(map_ref_flag, VALUE, WORLD_MAP1, "flags"),
	BAD(map_ref_reserved, RECORD, WORLD_MAP1, "reserved"),
	BAD(map_ioas, REF, WORLD_MAP4, "ioas_id"),
	BAD(map_ioas_order, ORDER, WORLD_MAP4, "ioas_id"),
	BAD(map_length_zero, RANGE, WORLD_MAP4, "length"),
	GOOD(map_top),
	BAD(map_same, ORDER, WORLD_MAP4, "iova"),
	BAD(map_memory, REF, WORLD_MAP4, "memory"),
	BAD(map_session, REF, WORLD_MAP4, "memory"),
	BAD(map_start, RANGE, WORLD_MAP4, "start"),
	BAD(map_start_wraps, RANGE, WORLD_MAP4, "start"),
	BAD(map_start_beyond, RANGE, WORLD_MAP4, "start"),
	GOOD(map_outside_allowed),
	BAD(group_gap, GROUP, WORLD_MAP4, "group"),
	BAD(group_first, GROUP, WORLD_MAP1, "group"),
	BAD(group_memory, GROUP, WORLD_MAP4, "memory"),
	BAD(group_flags, GROUP, WORLD_MAP3, "flags"),
	BAD(group_not_writable, GROUP, WORLD_MAP1, "flags"),
	GOOD(group_shared_more),
	BAD(bind_flags, VALUE, WORLD_BIND1, "flags"),
	BAD(bind_fd, RECORD, WORLD_BIND1, "iommufd"),
	BAD(bind_token, RECORD, WORLD_BIND1, "token_uuid_ptr"),
	BAD(bind_reserved, RECORD, WORLD_BIND1, "reserved"),
	BAD(bind_device, REF, WORLD_BIND1, "device"),
	BAD(bind_other_device, REF, WORLD_BIND1, "device"),
	BAD(bind_other_context, REF, WORLD_BIND1, "device"),
	BAD(bind_id, REF, WORLD_BIND1, "device"),
	BAD(bind_is_ioas, ID_TAKEN, WORLD_BIND1, "out_devid"),
	BAD(bind_zero, RANGE, WORLD_BIND1, "out_devid"),
	BAD(bind_order, ORDER, WORLD_BIND2, "out_devid"),
	BAD(hwpt_flag_fault, VALUE, WORLD_HWPT2, "flags"),
	BAD(hwpt_flag_unknown, VALUE, WORLD_HWPT2, "flags"),
	GOOD(hwpt_flags_all),
	BAD(hwpt_reserved, RECORD, WORLD_HWPT2, "reserved"),
	BAD(hwpt_data_type, VALUE, WORLD_HWPT2, "data_type"),
	BAD(hwpt_data_len, RECORD, WORLD_HWPT2, "data_len"),
	BAD(hwpt_data_uptr, RECORD, WORLD_HWPT2, "data_uptr"),
	BAD(hwpt_fault_id, RECORD, WORLD_HWPT2, "fault_id"),
	BAD(hwpt_reserved2, RECORD, WORLD_HWPT2, "reserved2"),
	BAD(hwpt_ref_flag, VALUE, WORLD_HWPT2, "flags"),
	BAD(hwpt_auto_flags, RECORD, WORLD_HWPT1, "flags"),
	BAD(hwpt_dev, REF, WORLD_HWPT2, "dev_id"),
	BAD(hwpt_dev_is_ioas, REF, WORLD_HWPT2, "dev_id"),
	BAD(hwpt_ioas, REF, WORLD_HWPT2, "pt_id"),
	BAD(hwpt_ioas_is_dev, REF, WORLD_HWPT2, "pt_id"),
	BAD(hwpt_table, REF, WORLD_HWPT2, "table"),
	BAD(hwpt_other_table, REF, WORLD_HWPT2, "table"),
	BAD(hwpt_is_ioas, ID_TAKEN, WORLD_HWPT1, "out_hwpt_id"),
	BAD(hwpt_is_device, ID_TAKEN, WORLD_HWPT1, "out_hwpt_id"),
	BAD(hwpt_order, ORDER, WORLD_HWPT2, "out_hwpt_id"),
	BAD(hwpt_unaligned, ALIGN, WORLD_HWPT1, "pt_id"),
	WHOLE(hwpt_auto_unattached, ORPHAN, "stream", "out_hwpt_id"),
	GOOD(hwpt_auto_two_devices),
	BAD(hwpt_auto_not_lowest, REF, WORLD_ATTACH1, "dev_id"),
	BAD(hwpt_auto_not_attached, REF, WORLD_ATTACH1, "dev_id"),
	GOOD(hwpt_explicit_not_attached),
	BAD(attach_flags, VALUE, WORLD_ATTACH1, "flags"),
	BAD(attach_pasid, RECORD, WORLD_ATTACH1, "pasid"),
	BAD(attach_reserved, RECORD, WORLD_ATTACH1, "reserved"),
	BAD(attach_dev, REF, WORLD_ATTACH2, "dev_id"),
	BAD(attach_hwpt, REF, WORLD_ATTACH2, "pt_id"),
	BAD(attach_ioas, REF, WORLD_ATTACH2, "pt_id"),
	BAD(attach_other_hwpt, REF, WORLD_ATTACH2, "pt_id"),
	BAD(attach_no_domain, REF, WORLD_ATTACH2, "dev_id"),
	BAD(attach_order, ORDER, WORLD_ATTACH2, "dev_id"),
	BAD(attach_twice, ORDER, WORLD_ATTACH2, "dev_id"),
	WHOLE(device_orphan, ORPHAN, "device", "dev-id"),
	WHOLE(device_same_id, ORPHAN, "device", "dev-id"),
	WHOLE(table_orphan, ORPHAN, "table", "hwpt-id"),
	GOOD(explicit_unattached),
	GOOD(empty_context),
};

const u32 plan_cases_nr = WORLD_COUNT_OF(plan_cases);

/* What a case is about is the stream: a domain must still have a device. */
static void drop_domain(struct world *w, u32 index)
{
	u32 i;

	for (i = 0; i < w->devices; i++) {
		if (w->device[i].domain == index)
			return;
	}
	for (i = 0; i < w->devices; i++)
		if (w->device[i].domain != IHO_NONE &&
		    w->device[i].domain > index)
			w->device[i].domain--;
	for (i = index + 1; i < w->domains; i++)
		w->domain[i - 1] = w->domain[i];
	w->domains--;
}

void plan_case_world(const struct plan_case *c, struct world *w)
{
	u32 i;

	world_init(w);
	c->alter(w);
	for (i = w->domains; i--;)
		drop_domain(w, i);
}

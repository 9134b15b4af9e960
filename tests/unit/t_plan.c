// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record streams: each rule of section 4, broken on purpose, is refused with
 * its own code and place; what is accepted is stepped through.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "world.h"

static struct world world;

#define CASE(id)	static void id(struct world *w)
#define REC(kind)	world_find(w, 0, IHO_REC_##kind)

/* The n-th record of context 0, in the order of world_example(). */
#define OPTION		(&w->rec[0][0])
#define IOAS1		(&w->rec[0][1])
#define IOAS2		(&w->rec[0][2])
#define HUGE		(&w->rec[0][3])
#define ALLOW		(&w->rec[0][4])
#define VFIO		(&w->rec[0][5])
#define MAP1		(&w->rec[0][6])
#define MAP2		(&w->rec[0][7])	/* read-only, group 1 */
#define MAP3		(&w->rec[0][8])	/* its copy in IOAS 2 */
#define MAP4		(&w->rec[0][9])
#define BIND1		(&w->rec[0][10])
#define BIND2		(&w->rec[0][11])
#define HWPT1		(&w->rec[0][12])
#define HWPT2		(&w->rec[0][13])
#define ATTACH1		(&w->rec[0][14])
#define ATTACH2		(&w->rec[0][15])

static void swap(struct world_rec *a, struct world_rec *b)
{
	struct world_rec c = *a;

	*a = *b;
	*b = c;
}

CASE(nothing) { (void)w; }
CASE(kind_zero) { IOAS1->kind = 0; }
CASE(kind_unknown) { ATTACH2->kind = IHO_REC_KINDS; }
CASE(kinds_swapped) { swap(ALLOW, VFIO); }
CASE(not_yet_there) { swap(IOAS2, HUGE); }
CASE(payload_short) { IOAS1->payload_len = IOAS1->size = 8; }
CASE(payload_long_zero) { IOAS1->payload_len = IOAS1->size = 40; }
CASE(payload_long_dirty)
{
	IOAS1->payload_len = IOAS1->size = 40;
	IOAS1->payload[39] = 1;
}
CASE(size_field) { IOAS1->size = 16; }
CASE(inline_extra) { IOAS1->inline_len = 8; }
CASE(inline_missing) { MAP1->inline_len = 8; }
CASE(inline_long) { MAP1->inline_len = 24; }

CASE(option_twice)
{
	memmove(IOAS1, OPTION, w->recs[0]++ * sizeof(*IOAS1));
}
CASE(option_huge) { OPTION->option.option_id = 1; }
CASE(option_get) { OPTION->option.op = 1; }
CASE(option_reserved) { OPTION->option.reserved = 1; }
CASE(option_object) { OPTION->option.object_id = 1; }
CASE(option_default) { OPTION->option.val64 = 0; }

CASE(ioas_zero) { IOAS1->ioas.out_ioas_id = 0; }
CASE(ioas_large) { IOAS2->ioas.out_ioas_id = 0x80000000u; }
CASE(ioas_flags) { IOAS1->ioas.flags = 1; }
CASE(ioas_order) { swap(IOAS1, IOAS2); }
CASE(ioas_twice) { IOAS2->ioas.out_ioas_id = 1; }

CASE(huge_rlimit) { HUGE->option.option_id = 0; }
CASE(huge_get) { HUGE->option.op = 1; }
CASE(huge_on) { HUGE->option.val64 = 1; }
CASE(huge_unknown) { HUGE->option.object_id = 9; }
CASE(huge_reserved) { HUGE->option.reserved = 1; }
CASE(huge_twice)
{
	memmove(ALLOW, HUGE, (w->recs[0]++ - 3) * sizeof(*IOAS1));
}
CASE(huge_unaligned) { MAP4->map.iova += 8; MAP4->map.length -= 8; }
CASE(huge_unaligned_start) { MAP4->map.start = 8; MAP4->map.length -= 4096; }
CASE(huge_unaligned_length) { MAP4->map.length--; }

CASE(allow_none) { ALLOW->allow.num_iovas = 0; ALLOW->inline_len = 0; }
CASE(allow_many) { ALLOW->allow.num_iovas = IHO_MAX_ALLOWED + 1; }
CASE(allow_short) { ALLOW->inline_len = 16; }
CASE(allow_long) { ALLOW->inline_len = 48; }
CASE(allow_unknown) { ALLOW->allow.ioas_id = 9; }
CASE(allow_device) { ALLOW->allow.ioas_id = 3; }
CASE(allow_reserved) { ALLOW->allow.reserved = 1; }
CASE(allow_pointer) { ALLOW->allow.allowed_iovas = 1; }
CASE(allow_reversed) { ALLOW->range[1].last = ALLOW->range[1].start - 1; }
CASE(allow_one_byte) { ALLOW->range[1].last = ALLOW->range[1].start; }
CASE(allow_order)
{
	struct iho_range r = ALLOW->range[0];

	ALLOW->range[0] = ALLOW->range[1];
	ALLOW->range[1] = r;
}
CASE(allow_same) { ALLOW->range[1] = ALLOW->range[0]; }
CASE(allow_overlap) { ALLOW->range[1].start = ALLOW->range[0].last; }
CASE(allow_touching) { ALLOW->range[1].start = ALLOW->range[0].last + 1; }
CASE(allow_top) { ALLOW->range[1].last = ~0ull; }
CASE(allow_twice)
{
	memmove(VFIO, ALLOW, (w->recs[0]++ - 4) * sizeof(*IOAS1));
}

CASE(vfio_get) { VFIO->vfio.op = 0; }
CASE(vfio_clear) { VFIO->vfio.op = 2; }
CASE(vfio_unknown) { VFIO->vfio.ioas_id = 9; }
CASE(vfio_reserved) { VFIO->vfio.reserved = 1; }
CASE(vfio_twice)
{
	memmove(MAP1, VFIO, (w->recs[0]++ - 5) * sizeof(*IOAS1));
}

CASE(map_flag_unknown) { MAP1->map.flags |= 8; }
CASE(map_not_fixed) { MAP1->map.flags &= ~IHO_MAP_FIXED_IOVA; }
CASE(map_no_access) { MAP1->map.flags = IHO_MAP_FIXED_IOVA; }
CASE(map_write_only) { MAP1->map.flags &= ~IHO_MAP_READABLE; }
CASE(map_fd) { MAP1->map.fd = 3; }
CASE(map_ref_flag) { MAP1->map_ref.flags |= 2; }
CASE(map_ref_reserved) { MAP1->map_ref.reserved = 1; }
CASE(map_ioas) { MAP4->map.ioas_id = 9; }
CASE(map_ioas_order) { MAP4->map.ioas_id = 1; }
CASE(map_length_zero) { MAP4->map.length = 0; }
CASE(map_wraps) { MAP4->map.iova = ~0xfffull; }
CASE(map_top)
{
	MAP4->map.iova = ~0xfffull;
	MAP4->map.length = 4096;
}
CASE(map_order) { MAP4->map.iova = 0x8000000; }
CASE(map_same) { MAP4->map.iova = MAP3->map.iova; }
CASE(map_overlap) { MAP4->map.iova = MAP3->map.iova + 4096; }
CASE(map_touching)
{
	MAP4->map.iova = MAP3->map.iova + MAP3->map.length;
}
CASE(map_memory) { MAP4->map_ref.memory = 3; }
CASE(map_session) { MAP4->map_ref.memory = 2; MAP4->map.length = 4096; }
CASE(map_start) { MAP4->map.start = 4096; }
CASE(map_start_wraps) { MAP4->map.start = ~0xfffull; }
CASE(map_start_beyond) { MAP4->map.start = 3 << 20; }
CASE(map_outside_allowed) { MAP1->map.iova = 0; }
CASE(group_gap) { MAP4->map_ref.group = 3; }
CASE(group_first) { MAP1->map_ref.group = 1; }
CASE(group_memory) { MAP4->map_ref.group = 1; }
CASE(group_flags)
{
	MAP3->map_ref.flags = 0;
	MAP3->map.flags = IHO_MAP_FIXED_IOVA | IHO_MAP_READABLE;
}
CASE(group_not_writable) { MAP1->map_ref.flags = 0; }
CASE(group_shared_more) { MAP3->map_ref.group = 0; MAP4->map_ref.group = 2; }

CASE(bind_flags) { BIND1->bind.flags = 1; }
CASE(bind_fd) { BIND1->bind.iommufd = 5; }
CASE(bind_token) { BIND1->bind.token_uuid_ptr = 1; }
CASE(bind_reserved) { BIND1->bind_ref.reserved = 1; }
CASE(bind_device) { BIND1->bind_ref.device = 3; }
CASE(bind_other_device) { BIND1->bind_ref.device = 1; }
CASE(bind_other_context) { BIND1->bind_ref.device = 2; }
CASE(bind_id) { BIND1->bind.out_devid = 4; }
CASE(bind_is_ioas) { BIND1->bind.out_devid = 2; }
CASE(bind_zero) { BIND1->bind.out_devid = 0; }
CASE(bind_order) { swap(BIND1, BIND2); }

CASE(hwpt_flag_fault) { HWPT2->hwpt.flags = 4; }
CASE(hwpt_flag_unknown) { HWPT2->hwpt.flags = 16; }
CASE(hwpt_flags_all) { HWPT2->hwpt.flags = 11; }
CASE(hwpt_reserved) { HWPT2->hwpt.reserved = 1; }
CASE(hwpt_data_type) { HWPT2->hwpt.data_type = 1; }
CASE(hwpt_data_len) { HWPT2->hwpt.data_len = 8; }
CASE(hwpt_data_uptr) { HWPT2->hwpt.data_uptr = 8; }
CASE(hwpt_fault_id) { HWPT2->hwpt.fault_id = 7; }
CASE(hwpt_reserved2) { HWPT2->hwpt.reserved2 = 7; }
CASE(hwpt_ref_flag) { HWPT2->hwpt_ref.flags = 2; }
CASE(hwpt_auto_flags) { HWPT1->hwpt.flags = 2; }
CASE(hwpt_dev) { HWPT2->hwpt.dev_id = 9; }
CASE(hwpt_dev_is_ioas) { HWPT2->hwpt.dev_id = 1; }
CASE(hwpt_ioas) { HWPT2->hwpt.pt_id = 9; }
CASE(hwpt_ioas_is_dev) { HWPT2->hwpt.pt_id = 3; }
CASE(hwpt_table) { HWPT2->hwpt_ref.table = 2; }
CASE(hwpt_other_table) { HWPT2->hwpt_ref.table = 0; }
CASE(hwpt_is_ioas) { HWPT1->hwpt.out_hwpt_id = 2; }
CASE(hwpt_is_device) { HWPT1->hwpt.out_hwpt_id = 3; }
CASE(hwpt_order) { swap(HWPT1, HWPT2); }
CASE(hwpt_unaligned) { MAP1->map.length--; }
CASE(hwpt_auto_unattached)
{
	world_drop(w, 0, ATTACH1);
	w->device[0].domain = IHO_NONE;
}

static void both_on_auto(struct world *w)
{
	w->device[1].domain = 0;
	w->domains = 1;
	ATTACH2->attach.pt_id = 4;
}
CASE(hwpt_auto_two_devices) { both_on_auto(w); }
CASE(hwpt_auto_not_lowest) { both_on_auto(w); HWPT1->hwpt.dev_id = 6; }
CASE(hwpt_auto_not_attached) { HWPT1->hwpt.dev_id = 6; }
CASE(hwpt_explicit_not_attached) { HWPT2->hwpt.dev_id = 3; }
CASE(attach_flags) { ATTACH1->attach.flags = 1; }
CASE(attach_pasid) { ATTACH1->attach.pasid = 1; }
CASE(attach_reserved) { ATTACH1->attach_ref.reserved = 1; }
CASE(attach_dev) { ATTACH2->attach_ref.dev_id = 9; }
CASE(attach_hwpt) { ATTACH2->attach.pt_id = 9; }
CASE(attach_ioas) { ATTACH2->attach.pt_id = 2; }
CASE(attach_other_hwpt) { ATTACH2->attach.pt_id = 4; }
CASE(attach_no_domain) { w->device[1].domain = IHO_NONE; }
CASE(attach_order) { swap(ATTACH1, ATTACH2); }
CASE(attach_twice) { ATTACH2->attach_ref.dev_id = 3; }
CASE(attach_missing) { world_drop(w, 0, ATTACH2); }

CASE(device_orphan)
{
	world_drop(w, 0, ATTACH2);
	HWPT2->hwpt.dev_id = 3;
	world_drop(w, 0, BIND2);
}
CASE(device_same_id)
{
	w->device[3] = w->device[0];
	w->device[3].source_id[0] = 0x510;
	w->devices = 4;
}
CASE(table_orphan)
{
	world_drop(w, 0, ATTACH2);
	world_drop(w, 0, HWPT2);
	w->device[1].domain = IHO_NONE;
}
CASE(explicit_unattached)
{
	world_drop(w, 0, ATTACH2);
	w->device[1].domain = IHO_NONE;
}
CASE(empty_context)
{
	w->recs[1] = 0;
	w->devices = 2;
}

static const struct {
	void (*fn)(struct world *w);
	const char *name;
	int err;
	u32 record;
	const char *what;
	const char *node;
} cases[] = {
#define GOOD(fn)		{ fn, #fn, IHO_OK, 0, "", "" }
#define R(fn, err, record, what)					\
	{ fn, #fn, IHO_ERR_##err, record, what, "stream" }
#define N(fn, err, node, what)						\
	{ fn, #fn, IHO_ERR_##err, IHO_NONE, what, node }
	GOOD(nothing),
	R(kind_zero, KIND, 1, "kind"),
	R(kind_unknown, KIND, 15, "kind"),
	R(kinds_swapped, ORDER, 5, "kind"),
	R(not_yet_there, REF, 2, "object_id"),
	R(payload_short, RECORD, 1, "payload_len"),
	GOOD(payload_long_zero),
	R(payload_long_dirty, PAYLOAD, 1, "payload"),
	R(size_field, RECORD, 1, "size"),
	R(inline_extra, RECORD, 1, "inline_len"),
	R(inline_missing, RECORD, 6, "inline_len"),
	R(inline_long, RECORD, 6, "inline_len"),
	R(option_twice, ORDER, 1, "kind"),
	R(option_huge, VALUE, 0, "option_id"),
	R(option_get, VALUE, 0, "op"),
	R(option_reserved, RECORD, 0, "reserved"),
	R(option_object, RECORD, 0, "object_id"),
	R(option_default, VALUE, 0, "val64"),
	R(ioas_zero, RANGE, 1, "out_ioas_id"),
	R(ioas_large, RANGE, 2, "out_ioas_id"),
	R(ioas_flags, VALUE, 1, "flags"),
	R(ioas_order, ORDER, 2, "out_ioas_id"),
	R(ioas_twice, ORDER, 2, "out_ioas_id"),
	R(huge_rlimit, VALUE, 3, "option_id"),
	R(huge_get, VALUE, 3, "op"),
	R(huge_on, VALUE, 3, "val64"),
	R(huge_unknown, REF, 3, "object_id"),
	R(huge_reserved, RECORD, 3, "reserved"),
	R(huge_twice, ORDER, 4, "object_id"),
	R(huge_unaligned, ALIGN, 9, "iova"),
	R(huge_unaligned_start, ALIGN, 9, "iova"),
	R(huge_unaligned_length, ALIGN, 9, "iova"),
	R(allow_none, RECORD, 4, "num_iovas"),
	R(allow_many, LIMIT, 4, "num_iovas"),
	R(allow_short, RECORD, 4, "inline_len"),
	R(allow_long, RECORD, 4, "inline_len"),
	R(allow_unknown, REF, 4, "ioas_id"),
	R(allow_device, REF, 4, "ioas_id"),
	R(allow_reserved, RECORD, 4, "reserved"),
	R(allow_pointer, RECORD, 4, "allowed_iovas"),
	R(allow_reversed, RANGE, 4, "range"),
	R(allow_one_byte, RANGE, 4, "range"),
	R(allow_order, ORDER, 4, "range"),
	R(allow_same, ORDER, 4, "range"),
	R(allow_overlap, OVERLAP, 4, "range"),
	GOOD(allow_touching),
	GOOD(allow_top),
	R(allow_twice, ORDER, 5, "ioas_id"),
	R(vfio_get, VALUE, 5, "op"),
	R(vfio_clear, VALUE, 5, "op"),
	R(vfio_unknown, REF, 5, "ioas_id"),
	R(vfio_reserved, RECORD, 5, "reserved"),
	R(vfio_twice, ORDER, 6, "kind"),
	R(map_flag_unknown, VALUE, 6, "flags"),
	R(map_not_fixed, RECORD, 6, "flags"),
	R(map_no_access, RECORD, 6, "flags"),
	GOOD(map_write_only),
	R(map_fd, RECORD, 6, "fd"),
	R(map_ref_flag, VALUE, 6, "flags"),
	R(map_ref_reserved, RECORD, 6, "reserved"),
	R(map_ioas, REF, 9, "ioas_id"),
	R(map_ioas_order, ORDER, 9, "ioas_id"),
	R(map_length_zero, RANGE, 9, "length"),
	R(map_wraps, RANGE, 9, "length"),
	GOOD(map_top),
	R(map_order, ORDER, 9, "iova"),
	R(map_same, ORDER, 9, "iova"),
	R(map_overlap, OVERLAP, 9, "iova"),
	GOOD(map_touching),
	R(map_memory, REF, 9, "memory"),
	R(map_session, REF, 9, "memory"),
	R(map_start, RANGE, 9, "start"),
	R(map_start_wraps, RANGE, 9, "start"),
	R(map_start_beyond, RANGE, 9, "start"),
	GOOD(map_outside_allowed),
	R(group_gap, GROUP, 9, "group"),
	R(group_first, GROUP, 6, "group"),
	R(group_memory, GROUP, 9, "memory"),
	R(group_flags, GROUP, 8, "flags"),
	R(group_not_writable, GROUP, 6, "flags"),
	GOOD(group_shared_more),
	R(bind_flags, VALUE, 10, "flags"),
	R(bind_fd, RECORD, 10, "iommufd"),
	R(bind_token, RECORD, 10, "token_uuid_ptr"),
	R(bind_reserved, RECORD, 10, "reserved"),
	R(bind_device, REF, 10, "device"),
	R(bind_other_device, REF, 10, "device"),
	R(bind_other_context, REF, 10, "device"),
	R(bind_id, REF, 10, "device"),
	R(bind_is_ioas, ID_TAKEN, 10, "out_devid"),
	R(bind_zero, RANGE, 10, "out_devid"),
	R(bind_order, ORDER, 11, "out_devid"),
	R(hwpt_flag_fault, VALUE, 13, "flags"),
	R(hwpt_flag_unknown, VALUE, 13, "flags"),
	GOOD(hwpt_flags_all),
	R(hwpt_reserved, RECORD, 13, "reserved"),
	R(hwpt_data_type, VALUE, 13, "data_type"),
	R(hwpt_data_len, RECORD, 13, "data_len"),
	R(hwpt_data_uptr, RECORD, 13, "data_uptr"),
	R(hwpt_fault_id, RECORD, 13, "fault_id"),
	R(hwpt_reserved2, RECORD, 13, "reserved2"),
	R(hwpt_ref_flag, VALUE, 13, "flags"),
	R(hwpt_auto_flags, RECORD, 12, "flags"),
	R(hwpt_dev, REF, 13, "dev_id"),
	R(hwpt_dev_is_ioas, REF, 13, "dev_id"),
	R(hwpt_ioas, REF, 13, "pt_id"),
	R(hwpt_ioas_is_dev, REF, 13, "pt_id"),
	R(hwpt_table, REF, 13, "table"),
	R(hwpt_other_table, REF, 13, "table"),
	R(hwpt_is_ioas, ID_TAKEN, 12, "out_hwpt_id"),
	R(hwpt_is_device, ID_TAKEN, 12, "out_hwpt_id"),
	R(hwpt_order, ORDER, 13, "out_hwpt_id"),
	R(hwpt_unaligned, ALIGN, 12, "pt_id"),
	N(hwpt_auto_unattached, ORPHAN, "stream", "out_hwpt_id"),
	GOOD(hwpt_auto_two_devices),
	R(hwpt_auto_not_lowest, REF, 14, "dev_id"),
	R(hwpt_auto_not_attached, REF, 14, "dev_id"),
	GOOD(hwpt_explicit_not_attached),
	R(attach_flags, VALUE, 14, "flags"),
	R(attach_pasid, RECORD, 14, "pasid"),
	R(attach_reserved, RECORD, 14, "reserved"),
	R(attach_dev, REF, 15, "dev_id"),
	R(attach_hwpt, REF, 15, "pt_id"),
	R(attach_ioas, REF, 15, "pt_id"),
	R(attach_other_hwpt, REF, 15, "pt_id"),
	R(attach_no_domain, REF, 15, "dev_id"),
	R(attach_order, ORDER, 15, "dev_id"),
	R(attach_twice, ORDER, 15, "dev_id"),
	N(attach_missing, REF, "device", "domain"),
	N(device_orphan, ORPHAN, "device", "dev-id"),
	N(device_same_id, ORPHAN, "device", "dev-id"),
	N(table_orphan, ORPHAN, "table", "hwpt-id"),
	GOOD(explicit_unattached),
	GOOD(empty_context),
};

/* Every context's plan; the first error, with nothing sized too generously. */
static int plan_all(const struct iho_plan_source *src, const u8 *base,
		    struct iho_where *where)
{
	struct iho_context c;
	struct iho_plan plan;
	size_t work_len;
	u8 *work, *stream;
	u32 i;
	int err = 0;

	for (i = 0; !err && i < world.contexts; i++) {
		c = world.context[i];
		work_len = iho_plan_work(c.records);
		work = malloc(work_len ? work_len : 1);
		stream = exact(base + c.stream_off, c.stream_len);
		err = iho_plan_init(&plan, src, i, stream, c.stream_len,
				    c.records, work, work_len, where);
		free(stream);
		free(work);
	}
	return err;
}

static void test_cases(void)
{
	struct iho_plan_source src;
	struct iho_where where;
	struct iho_facts facts;
	struct iho_image img;
	struct iho_seg seg;
	size_t i, len;
	u8 *snap, *image;
	int err;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world_example(&world);
		cases[i].fn(&world);
		/* A fault of the streams only: domains must keep a device. */
		if (world.device[1].domain == IHO_NONE &&
		    world.device[0].domain == IHO_NONE)
			world.domains = 0;
		else if (world.device[1].domain == IHO_NONE)
			world.domains = 1;
		else if (world.device[0].domain == IHO_NONE) {
			world.domain[0] = world.domain[1];
			world.device[1].domain = 0;
			world.domains = 1;
		}

		snap = world_snapshot(&world, &len);
		err = iho_snapshot_open(snap, len, &facts, &where);
		if (!err)
			err = iho_facts_check(&facts, &where);
		ok_err(err, IHO_OK, "%s: its facts are right", cases[i].name);
		src = (struct iho_plan_source){ .facts = &facts };
		memset(&where, 0x55, sizeof(where));
		ok_err(plan_all(&src, snap, &where), cases[i].err,
		       "%s: snapshot", cases[i].name);
		if (cases[i].err)
			if (!ok(!strcmp(where.node, cases[i].node) &&
				where.record == cases[i].record &&
				!strcmp(where.prop, cases[i].what),
				"%s: place", cases[i].name))
				diag("%s %u, record %u, %s", where.node,
				     where.index, where.record, where.prop);
		free(snap);

		image = world_image(&world, &len);
		seg = (struct iho_seg){ image, len };
		ok_err(iho_image_open(&seg, 1, &img, &where), IHO_OK,
		       "%s: the image is right but for the stream",
		       cases[i].name);
		src = (struct iho_plan_source){ .img = &img };
		ok_err(plan_all(&src, image, &where), cases[i].err,
		       "%s: image", cases[i].name);
		free(image);
	}
}

/* ---- framing, in the bytes of a stream -------------------------------- */

static const struct {
	const char *name;
	u32 off;		/* in the stream of context 1 */
	u32 value;
	int err;
	u32 record;
} framing[] = {
	{ "flags", 4, 1, IHO_ERR_RECORD, 0 },
	{ "payload_len 0", 8, 0, IHO_ERR_RECORD, 0 },
	{ "payload_len over the limit", 8, 65536, IHO_ERR_LIMIT, 0 },
	{ "payload_len that would wrap", 8, 0xfffffff9, IHO_ERR_LIMIT, 0 },
	{ "inline_len over the limit", 12, 65536, IHO_ERR_LIMIT, 0 },
	{ "inline_len that would wrap", 12, 0xffffffff, IHO_ERR_LIMIT, 0 },
	{ "inline_len beyond the stream", 12, 4096, IHO_ERR_TRUNCATED, 0 },
	{ "padding of the payload", 28, 1, IHO_ERR_GAP, 0 },
};

static void test_framing(void)
{
	struct iho_plan_source src;
	struct iho_where where;
	struct iho_facts facts;
	size_t len, i;
	u8 *snap;
	u64 cut;
	bool good;
	int err;

	for (i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
		world_example(&world);
		snap = world_snapshot(&world, &len);
		iho_snapshot_open(snap, len, &facts, NULL);
		src = (struct iho_plan_source){ .facts = &facts };
		memcpy(snap + world.context[1].stream_off + framing[i].off,
		       &framing[i].value, 4);
		ok_err(plan_all(&src, snap, &where), framing[i].err,
		       "framing: %s", framing[i].name);
		ok(where.record == framing[i].record && where.index == 1 &&
		   where.offset == 0, "framing: %s: place",
		   framing[i].name);
		free(snap);
	}

	/* Cut at every length, with the count as it was. */
	world_example(&world);
	snap = world_snapshot(&world, &len);
	iho_snapshot_open(snap, len, &facts, NULL);
	src = (struct iho_plan_source){ .facts = &facts };
	cut = world.context[0].stream_len;
	for (good = true; cut--;) {
		world.context[0].stream_len = cut;
		err = plan_all(&src, snap, &where);
		good &= err == -IHO_ERR_TRUNCATED || err == -IHO_ERR_COUNT;
	}
	ok(good, "framing: a stream cut at each length is refused");
	free(snap);
}

/* ---- the calls -------------------------------------------------------- */

static void test_calls(void)
{
	struct iho_plan_source src;
	struct iho_facts facts;
	struct iho_where where;
	struct iho_plan plan;
	struct iho_context c;
	size_t len, work_len;
	u8 *snap, *work;
	u64 pos = 0;
	u8 buf[64], dirty[65536] = { 0 };

	world_example(&world);
	snap = world_snapshot(&world, &len);
	iho_snapshot_open(snap, len, &facts, NULL);
	src = (struct iho_plan_source){ .facts = &facts };
	c = world.context[0];
	work_len = iho_plan_work(c.records);
	work = malloc(work_len);
#define INIT(context, len, records, work_len)				\
	iho_plan_init(&plan, &src, context, snap + c.stream_off, len,	\
		      records, work, work_len, &where)
	ok_err(INIT(0, c.stream_len, c.records, work_len), IHO_OK, "init");
	ok(plan.objects == 6 && plan.ioas == 2 && plan.maps == 4 &&
	   plan.devices == 2 && plan.hwpts == 2 && plan.attaches == 2 &&
	   plan.groups == 3 && plan.records == 16, "what a plan counts");
	ok_err(INIT(2, c.stream_len, c.records, work_len), IHO_ERR_BADCALL,
	       "no such context");
	ok_err(INIT(0, c.stream_len, c.records, work_len - 1),
	       IHO_ERR_NOSPACE, "workspace too small");
	ok_err(INIT(0, c.stream_len, c.records - 1, work_len), IHO_ERR_COUNT,
	       "one record fewer than there are");
	ok_err(INIT(0, c.stream_len, IHO_MAX_RECORDS + 1, work_len),
	       IHO_ERR_LIMIT, "records over the limit");
	ok_err(INIT(0, 0, 0, 0), IHO_ERR_ORPHAN,
	       "no record where devices are");
	ok(iho_plan_work(0) == 0, "no record needs no workspace");
	ok(iho_plan_work(1) < 32 &&
	   iho_plan_work(IHO_MAX_RECORDS) / IHO_MAX_RECORDS < 32,
	   "a record needs less than 32 bytes of workspace");
	free(work);
	free(snap);

	ok(!iho_rec_append(NULL, 0, &pos, 2, dirty, 12, NULL, 0) && pos == 32,
	   "append measures");
	ok_err(iho_rec_append(buf, 64, &pos, 2, dirty, 12, dirty, 8),
	       IHO_ERR_NOSPACE, "append: no space");
	ok(pos == 32, "and the position stays");
	ok(!iho_rec_append(buf, 64, &pos, 2, dirty, 12, NULL, 0) && pos == 64,
	   "append: space to the last byte");
	pos = 65;
	ok_err(iho_rec_append(buf, 64, &pos, 2, dirty, 12, NULL, 0),
	       IHO_ERR_NOSPACE, "append: position beyond the buffer");
	pos = 0;
	ok_err(iho_rec_append(NULL, 0, &pos, 4, dirty, 24, dirty, 65536 - 16 -
			      24 + 1), IHO_ERR_LIMIT, "append: too long");
	ok(!iho_rec_append(NULL, 0, &pos, 4, dirty, 24, dirty,
			   65536 - 16 - 24), "append: longest");
	memset(buf, 0xff, sizeof(buf));
	pos = 0;
	iho_rec_append(buf, 64, &pos, 2, dirty, 12, dirty, 1);
	ok(buf[28] == 0 && buf[31] == 0 && buf[33] == 0 && buf[39] == 0 &&
	   buf[40] == 0xff, "append: padding is zero and nothing behind it");
}

/* Is this step what the record says? Unions compare by what is in them. */
static bool step_is(const struct iho_step *s, const struct world_rec *r)
{
	if (s->kind != r->kind)
		return false;
	switch (s->kind) {
	case IHO_REC_OPTION:
	case IHO_REC_IOAS_OPTION:
		return !memcmp(&s->option, &r->option, sizeof(r->option));
	case IHO_REC_IOAS_ALLOC:
		return !memcmp(&s->ioas, &r->ioas, sizeof(r->ioas));
	case IHO_REC_ALLOW_IOVAS:
		return s->allow.ioas_id == r->allow.ioas_id &&
		       s->allow.ranges == r->allow.num_iovas &&
		       !memcmp(s->allow.range, r->range, r->inline_len);
	case IHO_REC_VFIO_IOAS:
		return !memcmp(&s->vfio_ioas, &r->vfio, sizeof(r->vfio));
	case IHO_REC_MAP_FILE:
		return !memcmp(&s->map.cmd, &r->map, sizeof(r->map)) &&
		       !memcmp(&s->map.ref, &r->map_ref, sizeof(r->map_ref));
	case IHO_REC_VFIO_BIND:
		return !memcmp(&s->bind.cmd, &r->bind, sizeof(r->bind)) &&
		       !memcmp(&s->bind.ref, &r->bind_ref,
			       sizeof(r->bind_ref));
	case IHO_REC_HWPT_ALLOC:
		return !memcmp(&s->hwpt.cmd, &r->hwpt, sizeof(r->hwpt)) &&
		       !memcmp(&s->hwpt.ref, &r->hwpt_ref,
			       sizeof(r->hwpt_ref));
	default:
		return !memcmp(&s->attach.cmd, &r->attach,
			       sizeof(r->attach)) &&
		       !memcmp(&s->attach.ref, &r->attach_ref,
			       sizeof(r->attach_ref));
	}
}

static void test_steps(void)
{
	struct iho_plan_source src;
	struct iho_facts facts;
	struct iho_step step;
	struct iho_plan plan;
	struct iho_context c;
	size_t len;
	u8 *snap, work[4096] __attribute__((aligned(8)));
	u64 offset = 0;
	u32 i, pass;
	bool good;

	world_example(&world);
	snap = world_snapshot(&world, &len);
	iho_snapshot_open(snap, len, &facts, NULL);
	src = (struct iho_plan_source){ .facts = &facts };
	c = world.context[0];
	iho_plan_init(&plan, &src, 0, snap + c.stream_off, c.stream_len,
		      c.records, work, sizeof(work), NULL);
	memset(work, 0xff, sizeof(work));
	for (pass = 0; pass < 2; pass++) {
		good = true;
		for (i = 0; iho_plan_next(&plan, &step) == 1; i++) {
			good &= i < 16 && step_is(&step, &world.rec[0][i]) &&
				step.record == i &&
				(i ? step.offset > offset : !step.offset);
			offset = step.offset;
		}
		ok(good && i == 16, "steps are the records, pass %u", pass);
		ok(iho_plan_next(&plan, &step) == 0, "and stay at the end");
		iho_plan_rewind(&plan);
	}
	free(snap);
}

/* A stream of many maps over many memories: what the index is for. */
static void test_many(void)
{
	static struct iho_memory memory[IHO_MAX_MEMORIES];
	const u32 maps = 200000, records = maps + 1;
	struct iho_context c = { .session = "s", .token = 1 << 20 };
	struct iho_facts facts = {
		.release = "7.3.4", .memory = memory,
		.memories = IHO_MAX_MEMORIES, .context = &c, .contexts = 1,
	};
	const struct iho_pl_ioas_alloc ioas = { 12, 0, 1 };
	struct iho_pl_map_file map = { 40, 5, 1, -1, 0, 4096, 0 };
	struct iho_map_ref ref = { 0 };
	struct iho_plan_source src;
	struct iho_image img;
	struct iho_where where;
	struct iho_plan plan;
	struct iho_seg seg;
	size_t cap, len, work_len = iho_plan_work(records);
	u64 pos = 0, size = records * 80ull;
	u8 *stream = malloc(size), *out;
	void *work = malloc(work_len);
	u64 seed = 1;
	u32 i;

	for (i = 0; i < IHO_MAX_MEMORIES; i++) {
		memset(memory[i].session, 0, IHO_SESSION_LEN);
		memory[i].session[0] = 's';
		memory[i].token = i;
		memory[i].size = 4096;
	}
	iho_rec_append(stream, size, &pos, 2, &ioas, 12, NULL, 0);
	for (i = 0; i < maps; i++) {
		map.iova = (u64)i * 8192;
		ref.memory = (u32)(random_next(&seed) % IHO_MAX_MEMORIES);
		ref.group = i;
		iho_rec_append(stream, size, &pos, IHO_REC_MAP_FILE, &map, 40,
			       &ref, 16);
	}
	c.stream_len = pos;
	c.records = records;
	cap = iho_build_size(&facts);
	out = malloc(cap);
	ok_err(iho_build(&facts, stream, out, cap, &len, &where), IHO_OK,
	       "many maps: built");
	seg = (struct iho_seg){ out, len };
	ok_err(iho_image_open(&seg, 1, &img, &where), IHO_OK,
	       "many maps: opened");
	src = (struct iho_plan_source){ .img = &img };
	ok_err(iho_plan_init(&plan, &src, 0, stream, pos, records, work,
			     work_len, &where), IHO_OK, "many maps: planned");
	ok(plan.maps == maps && plan.groups == maps, "many maps: all there");

	/* Few records and all the memories: the index has gaps. */
	c.records = 4;
	c.stream_len = 32 + 3 * 72;
	for (i = 0; i < 3; i++)
		((struct iho_map_ref *)(stream + 32 + i * 72 + 56))->memory =
			i * (IHO_MAX_MEMORIES / 2 - 1) + 1;
	ok_err(iho_plan_init(&plan, &src, 0, stream, c.stream_len, 4, work,
			     iho_plan_work(4), &where), IHO_OK,
	       "few maps of many memories");
	((struct iho_map_ref *)(stream + 32 + 2 * 72 + 56))->memory =
		IHO_MAX_MEMORIES;
	ok_err(iho_plan_init(&plan, &src, 0, stream, c.stream_len, 4, work,
			     iho_plan_work(4), &where), IHO_ERR_REF,
	       "and of one that is not there");
	free(out);
	free(work);
	free(stream);
}

int main(void)
{
	test_cases();
	test_framing();
	test_calls();
	test_steps();
	test_many();
	return tap_end();
}

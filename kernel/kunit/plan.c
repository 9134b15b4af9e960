// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the plan: what of a record stream is accepted, what is refused
 * and where, and what the steps are that come out of it.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "fixture.h"

/* ---- planning ---------------------------------------------------------- */

static void free_work(void *work)
{
	kvfree(work);
}

/* The plan of a context from @src; all of the workspace may be written. */
static int plan_from(struct kunit *test, const struct world *w,
		     const struct iho_plan_source *src, u32 context,
		     const u8 *base, struct iho_plan *plan,
		     struct iho_where *where)
{
	const struct iho_context *c = &w->context[context];
	size_t len = iho_plan_work(c->records);
	void *work = kvmalloc(len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, work);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_work,
							   work));
	return iho_plan_init(plan, src, context, base + c->stream_off,
			     c->stream_len, c->records, work, len, where);
}

/*
 * Plan both contexts from bare facts, and again from the image that is made of
 * them; both must say the same. Return: the first error, not negated.
 */
static int plan_both(struct kunit *test, struct world *w, struct iho_plan *plan,
		     struct iho_where *where)
{
	struct iho_plan_source from_facts = {}, from_image = {};
	struct iho_where image_where;
	struct iho_facts facts;
	struct iho_image img;
	struct iho_seg seg;
	int err = 0, image_err;
	u64 off;

	world_build(test, w);
	world_facts(w, &facts);
	from_facts.facts = &facts;
	seg.ptr = w->image;
	seg.len = w->image_len;
	KUNIT_ASSERT_EQ(test, 0, iho_image_open(&seg, 1, &img, where));
	from_image.img = &img;

	for (int i = 1; i >= 0 && !err; i--) {
		struct iho_context c;

		err = plan_from(test, w, &from_facts, i, w->stream, plan,
				where);
		KUNIT_ASSERT_EQ(test, 0, iho_get_context(&img, i, &c));
		off = w->context[i].stream_off;
		w->context[i].stream_off = c.stream_off;
		image_err = plan_from(test, w, &from_image, i, w->image, plan,
				      &image_where);
		w->context[i].stream_off = off;
		KUNIT_EXPECT_EQ(test, image_err, err);
		if (!err)
			continue;
		KUNIT_EXPECT_EQ(test, image_where.record, where->record);
		KUNIT_EXPECT_EQ(test, image_where.index, where->index);
		KUNIT_EXPECT_STREQ(test, image_where.node, where->node);
		KUNIT_EXPECT_STREQ(test, image_where.prop, where->prop);
	}
	return -err;
}

/* ---- what is accepted -------------------------------------------------- */

static void plan_counts_what_a_stream_holds(struct kunit *test)
{
	struct world *w = world_new(test);
	struct iho_plan plan;

	KUNIT_ASSERT_EQ(test, plan_both(test, w, &plan, NULL), 0);
	KUNIT_EXPECT_EQ(test, plan.records, WORLD_ALL);
	KUNIT_EXPECT_EQ(test, plan.objects, 6);
	KUNIT_EXPECT_EQ(test, plan.ioas, 2);
	KUNIT_EXPECT_EQ(test, plan.maps, 4);
	KUNIT_EXPECT_EQ(test, plan.groups, 3);
	KUNIT_EXPECT_EQ(test, plan.devices, 2);
	KUNIT_EXPECT_EQ(test, plan.hwpts, 2);
	KUNIT_EXPECT_EQ(test, plan.attaches, 2);
}

static void check_step(struct kunit *test, const struct world_rec *r,
		       const struct iho_step *s)
{
	const void *cmd = &s->option, *ref = NULL;

	switch (s->kind) {
	case IHO_REC_ALLOW_IOVAS:
		KUNIT_EXPECT_EQ(test, s->allow.ioas_id, r->allow.ioas_id);
		KUNIT_EXPECT_EQ(test, s->allow.ranges, r->allow.num_iovas);
		KUNIT_EXPECT_MEMEQ(test, s->allow.range, r->range,
				   r->inline_len);
		return;
	case IHO_REC_MAP_FILE:
		ref = &s->map.ref;
		break;
	case IHO_REC_VFIO_BIND:
		ref = &s->bind.ref;
		break;
	case IHO_REC_HWPT_ALLOC:
		ref = &s->hwpt.ref;
		break;
	case IHO_REC_ATTACH:
		ref = &s->attach.ref;
		break;
	}
	KUNIT_EXPECT_MEMEQ(test, cmd, r->payload, r->payload_len);
	if (ref)
		KUNIT_EXPECT_MEMEQ(test, ref, r->inl, r->inline_len);
}

static void plan_gives_the_records_one_by_one(struct kunit *test)
{
	struct world *w = world_new(test);
	struct iho_plan plan;
	struct iho_step step;

	KUNIT_ASSERT_EQ(test, plan_both(test, w, &plan, NULL), 0);
	for (int pass = 0; pass < 2; pass++) {
		u64 offset = 0;

		for (u32 i = 0; i < w->recs; i++) {
			KUNIT_ASSERT_EQ(test, iho_plan_next(&plan, &step), 1);
			KUNIT_EXPECT_EQ(test, step.kind, w->rec[i].kind);
			KUNIT_EXPECT_EQ(test, step.record, i);
			KUNIT_EXPECT_GE(test, step.offset, offset);
			check_step(test, &w->rec[i], &step);
			offset = step.offset + 1;
		}
		KUNIT_EXPECT_EQ(test, iho_plan_next(&plan, &step), 0);
		KUNIT_EXPECT_EQ(test, iho_plan_next(&plan, &step), 0);
		iho_plan_rewind(&plan);
	}
}

static void plan_of_an_empty_context_has_no_step(struct kunit *test)
{
	struct world *w = world_new(test);
	struct iho_facts facts = {
		.context = w->context,
		.contexts = ARRAY_SIZE(w->context),
	};
	struct iho_plan_source src = { .facts = &facts };
	struct iho_plan plan;
	struct iho_step step;

	w->recs = 0;
	w->devices = 0;
	world_streams(test, w);
	KUNIT_ASSERT_EQ(test, plan_from(test, w, &src, 0, w->stream, &plan,
					NULL), 0);
	KUNIT_EXPECT_EQ(test, plan.objects, 0);
	KUNIT_EXPECT_EQ(test, iho_plan_next(&plan, &step), 0);
}

/* ---- what is refused --------------------------------------------------- */

#define CASE(name)	static void name(struct world *w, struct world_rec *r)

CASE(nothing) { }
CASE(ids_interleave)
{
	/* IDs of all kinds are one space, and kinds are not in its order */
	r[WORLD_IOAS2].ioas.out_ioas_id = WORLD_HWPT2_ID + 1;
	r[WORLD_HUGE].option.object_id = WORLD_HWPT2_ID + 1;
	r[WORLD_MAP3].map.ioas_id = WORLD_HWPT2_ID + 1;
	r[WORLD_MAP4].map.ioas_id = WORLD_HWPT2_ID + 1;
	r[WORLD_HWPT2].hwpt.pt_id = WORLD_HWPT2_ID + 1;
}

CASE(payload_of_a_later_kernel)
{
	r[WORLD_IOAS1].size = 24;
	r[WORLD_IOAS1].payload_len = 24;
}

CASE(payload_of_a_later_kernel_with_meaning)
{
	payload_of_a_later_kernel(w, r);
	r[WORLD_IOAS1].payload[23] = 1;
}

CASE(payload_short)
{
	r[WORLD_IOAS1].size = 8;
	r[WORLD_IOAS1].payload_len = 8;
}

CASE(payload_size_differs) { r[WORLD_IOAS1].size = 16; }
CASE(inline_short) { r[WORLD_MAP1].inline_len = 8; }
CASE(inline_where_none_is) { r[WORLD_IOAS1].inline_len = 8; }
CASE(kind_zero) { r[WORLD_VFIO].kind = 0; }
CASE(kind_unknown) { r[WORLD_ATTACH2].kind = IHO_REC_KINDS; }
CASE(kinds_out_of_order) { swap(r[WORLD_ALLOW], r[WORLD_VFIO]); }
CASE(ids_out_of_order) { swap(r[WORLD_IOAS1], r[WORLD_IOAS2]); }
CASE(object_before_its_ioas) { swap(r[WORLD_IOAS2], r[WORLD_HUGE]); }

CASE(rlimit_mode_twice) { world_twice(w, WORLD_OPTION); }
CASE(rlimit_mode_default) { r[WORLD_OPTION].option.val64 = 0; }
CASE(rlimit_mode_of_object) { r[WORLD_OPTION].option.object_id = 1; }
CASE(option_unknown) { r[WORLD_OPTION].option.option_id = 2; }
CASE(huge_pages_on) { r[WORLD_HUGE].option.val64 = 1; }
CASE(huge_pages_of_nothing) { r[WORLD_HUGE].option.object_id = 71; }

CASE(huge_pages_off_unaligned)
{
	r[WORLD_MAP4].map.iova += 8;
	r[WORLD_MAP4].map.length -= 8;
}

/* IDs: one space over all kinds, each once */
CASE(id_zero) { r[WORLD_IOAS1].ioas.out_ioas_id = 0; }
CASE(id_of_32_bits) { r[WORLD_IOAS2].ioas.out_ioas_id = 0x80000000; }
CASE(ioas_twice) { world_twice(w, WORLD_IOAS2); }

CASE(device_has_id_of_ioas)
{
	w->device[0].dev_id = WORLD_IOAS2_ID;
	r[WORLD_BIND1].bind.out_devid = WORLD_IOAS2_ID;
}

CASE(hwpt_has_id_of_ioas)
{
	w->table[0].hwpt_id = WORLD_IOAS2_ID;
	r[WORLD_HWPT1].hwpt.out_hwpt_id = WORLD_IOAS2_ID;
}

CASE(hwpt_has_id_of_device)
{
	w->table[0].hwpt_id = WORLD_DEV1_ID;
	r[WORLD_HWPT1].hwpt.out_hwpt_id = WORLD_DEV1_ID;
}

CASE(allow_nothing)
{
	r[WORLD_ALLOW].allow.num_iovas = 0;
	r[WORLD_ALLOW].inline_len = 0;
}

CASE(allow_reversed) { swap(r[WORLD_ALLOW].range[0], r[WORLD_ALLOW].range[1]); }

CASE(allow_overlap)
{
	r[WORLD_ALLOW].range[1].start = r[WORLD_ALLOW].range[0].last;
}

CASE(allow_in_device) { r[WORLD_ALLOW].allow.ioas_id = WORLD_DEV1_ID; }
CASE(vfio_clear) { r[WORLD_VFIO].vfio.op = 2; }
CASE(vfio_twice) { world_twice(w, WORLD_VFIO); }

CASE(map_anywhere) { r[WORLD_MAP1].map.flags &= ~IHO_MAP_FIXED_IOVA; }
CASE(map_no_access) { r[WORLD_MAP1].map.flags = IHO_MAP_FIXED_IOVA; }
CASE(map_flag_unknown) { r[WORLD_MAP1].map.flags |= 8; }
CASE(map_with_fd) { r[WORLD_MAP1].map.fd = 0; }
CASE(map_empty) { r[WORLD_MAP1].map.length = 0; }
CASE(map_in_hwpt) { r[WORLD_MAP4].map.ioas_id = WORLD_HWPT1_ID; }

CASE(map_wraps)
{
	r[WORLD_MAP4].map.iova = -(u64)SZ_4K;
	r[WORLD_MAP4].map.length = 2 * SZ_4K;
}

CASE(map_to_the_last_byte) { r[WORLD_MAP4].map.iova = -(u64)0x4000; }
/* Whether hardware has so many bits is not the plan's to know. */
CASE(map_not_canonical) { r[WORLD_MAP4].map.iova = BIT_ULL(63); }
CASE(map_order) { r[WORLD_MAP2].map.iova = 0; }
CASE(map_overlap) { r[WORLD_MAP2].map.iova = 0x10f000; }
CASE(map_touching) { r[WORLD_MAP2].map.iova = 0x110000; }
CASE(map_behind_the_file) { r[WORLD_MAP4].map.start = 0x1d000; }
CASE(map_far_behind_the_file) { r[WORLD_MAP4].map.start = -(u64)SZ_4K; }
CASE(map_of_no_memory) { r[WORLD_MAP4].map_ref.memory = 3; }

CASE(map_of_another_session)
{
	r[WORLD_MAP4].map_ref.memory = 2;
	r[WORLD_MAP4].map.start = 0;
	r[WORLD_MAP4].map.length = SZ_4K;
}

/* Share groups */
CASE(group_skipped) { r[WORLD_MAP4].map_ref.group = 3; }
CASE(group_not_from_zero) { r[WORLD_MAP1].map_ref.group = 1; }
CASE(group_of_two_memories) { r[WORLD_MAP3].map_ref.group = 1; }
CASE(group_shared_further) { r[WORLD_MAP4].map_ref.group = 0; }

CASE(group_disagrees)
{
	r[WORLD_MAP3].map_ref.flags = 0;
	r[WORLD_MAP3].map.flags &= ~IHO_MAP_WRITEABLE;
}

CASE(group_pinned_read_only) { r[WORLD_MAP1].map_ref.flags = 0; }

CASE(bind_of_another_context) { r[WORLD_BIND1].bind_ref.device = 2; }
CASE(bind_with_another_id) { r[WORLD_BIND1].bind.out_devid++; }

CASE(bind_missing)
{
	world_drop(w, WORLD_ATTACH2);
	r[WORLD_HWPT2].hwpt.dev_id = WORLD_DEV1_ID;
	world_drop(w, WORLD_BIND2);
}

CASE(hwpt_of_no_device) { r[WORLD_HWPT2].hwpt.dev_id = WORLD_IOAS1_ID; }
CASE(hwpt_of_no_ioas) { r[WORLD_HWPT2].hwpt.pt_id = WORLD_DEV1_ID; }
CASE(hwpt_with_data) { r[WORLD_HWPT2].hwpt.data_len = 8; }
CASE(hwpt_with_fault_queue) { r[WORLD_HWPT2].hwpt.fault_id = 7; }
CASE(hwpt_of_another_table) { r[WORLD_HWPT2].hwpt_ref.table = 0; }
CASE(hwpt_automatic_with_flags) { r[WORLD_HWPT1].hwpt.flags = 2; }
CASE(hwpt_over_bytes) { r[WORLD_MAP2].map.length--; }

CASE(hwpt_automatic_unused)
{
	world_drop(w, WORLD_ATTACH1);
	w->device[0].domain = IHO_NONE;
	w->domain[0] = w->domain[1];
	w->domains = 1;
	w->device[1].domain = 0;
}

CASE(attach_to_ioas) { r[WORLD_ATTACH2].attach.pt_id = WORLD_IOAS2_ID; }
CASE(attach_to_another_hwpt) { r[WORLD_ATTACH2].attach.pt_id = WORLD_HWPT1_ID; }
CASE(attach_of_no_device) { r[WORLD_ATTACH2].attach_ref.dev_id = WORLD_DEV2_ID + 1; }
CASE(attach_of_pasid) { r[WORLD_ATTACH2].attach.pasid = 1; }
CASE(attach_missing) { world_drop(w, WORLD_ATTACH2); }

struct plan_case {
	void (*alter)(struct world *w, struct world_rec *r);
	const char *desc;
	int err;
	u32 record;
	const char *prop;
};

#define GOOD(fn)		{ fn, #fn }
#define BAD(fn, err, record, prop)					\
	{ fn, #fn, IHO_ERR_##err, record, prop }

static const struct plan_case plan_cases[] = {
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
	BAD(allow_reversed, ORDER, WORLD_ALLOW, "range"),
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
	BAD(bind_missing, ORPHAN, IHO_NONE, "dev-id"),
	BAD(hwpt_of_no_device, REF, WORLD_HWPT2, "dev_id"),
	BAD(hwpt_of_no_ioas, REF, WORLD_HWPT2, "pt_id"),
	BAD(hwpt_with_data, RECORD, WORLD_HWPT2, "data_len"),
	BAD(hwpt_with_fault_queue, RECORD, WORLD_HWPT2, "fault_id"),
	BAD(hwpt_of_another_table, REF, WORLD_HWPT2, "table"),
	BAD(hwpt_automatic_with_flags, RECORD, WORLD_HWPT1, "flags"),
	BAD(hwpt_over_bytes, ALIGN, WORLD_HWPT1, "pt_id"),
	BAD(hwpt_automatic_unused, ORPHAN, IHO_NONE, "out_hwpt_id"),
	BAD(attach_to_ioas, REF, WORLD_ATTACH2, "pt_id"),
	BAD(attach_to_another_hwpt, REF, WORLD_ATTACH2, "pt_id"),
	BAD(attach_of_no_device, REF, WORLD_ATTACH2, "dev_id"),
	BAD(attach_of_pasid, RECORD, WORLD_ATTACH2, "pasid"),
	BAD(attach_missing, REF, IHO_NONE, "domain"),
};

KUNIT_ARRAY_PARAM_DESC(plan, plan_cases, desc);

static void plan_judges_each_record(struct kunit *test)
{
	const struct plan_case *c = test->param_value;
	struct world *w = world_new(test);
	struct iho_where where = {};
	struct iho_plan plan;

	c->alter(w, w->rec);
	KUNIT_ASSERT_EQ(test, plan_both(test, w, &plan, &where), c->err);
	if (!c->err)
		return;
	KUNIT_EXPECT_EQ(test, where.record, c->record);
	KUNIT_EXPECT_STREQ(test, where.prop, c->prop);
}

/* ---- framing ----------------------------------------------------------- */

/* Cut anywhere, or with a byte more, a stream is refused and read no further. */
static void plan_refuses_a_stream_of_another_length(struct kunit *test)
{
	struct world *w = world_new(test);
	struct iho_plan_source src = {};
	struct iho_facts facts;
	struct iho_plan plan;
	u64 full;

	world_streams(test, w);
	world_facts(w, &facts);
	src.facts = &facts;
	full = w->context[0].stream_len;
	KUNIT_ASSERT_EQ(test, plan_from(test, w, &src, 0, w->stream, &plan,
					NULL), 0);
	for (u64 len = 0; len < full; len += 8) {
		/* KASAN sees a byte read behind the end */
		u8 *cut = kunit_kmalloc(test, max(len, 1), GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, cut);
		memcpy(cut, w->stream, len);
		w->context[0].stream_len = len;
		KUNIT_EXPECT_NE(test, plan_from(test, w, &src, 0, cut, &plan,
						NULL), 0);
		kunit_kfree(test, cut);
	}
	/* The next stream follows this one: one record too many */
	w->context[0].stream_len = w->stream_len;
	KUNIT_EXPECT_EQ(test, plan_from(test, w, &src, 0, w->stream, &plan,
					NULL), -IHO_ERR_COUNT);
	w->context[0].stream_len = full;
	w->context[0].records--;
	KUNIT_EXPECT_EQ(test, plan_from(test, w, &src, 0, w->stream, &plan,
					NULL), -IHO_ERR_COUNT);
	w->context[0].records += 2;
	KUNIT_EXPECT_EQ(test, plan_from(test, w, &src, 0, w->stream, &plan,
					NULL), -IHO_ERR_COUNT);
}

static void plan_refuses_padding_that_is_not_zero(struct kunit *test)
{
	const u64 at = sizeof(struct iho_rec) + sizeof(struct iho_pl_option) +
		       sizeof(struct iho_rec) + sizeof(struct iho_pl_ioas_alloc);
	struct world *w = world_new(test);
	struct iho_plan_source src = {};
	struct iho_where where = {};
	struct iho_facts facts;
	struct iho_plan plan;

	world_streams(test, w);
	world_facts(w, &facts);
	src.facts = &facts;
	w->stream[at] = 1;
	KUNIT_EXPECT_EQ(test, plan_from(test, w, &src, 0, w->stream, &plan,
					&where), -IHO_ERR_GAP);
	KUNIT_EXPECT_EQ(test, where.record, WORLD_IOAS1);
}

static void plan_needs_the_workspace_it_asks_for(struct kunit *test)
{
	size_t len = iho_plan_work(WORLD_ALL);
	void *work = kunit_kzalloc(test, len, GFP_KERNEL);
	struct world *w = world_new(test);
	struct iho_plan_source src = {};
	struct iho_facts facts;
	struct iho_plan plan;

	KUNIT_ASSERT_NOT_NULL(test, work);
	world_streams(test, w);
	world_facts(w, &facts);
	src.facts = &facts;
	KUNIT_EXPECT_EQ(test, iho_plan_init(&plan, &src, 0, w->stream,
					    w->context[0].stream_len, WORLD_ALL,
					    work, len - 1, NULL),
			-IHO_ERR_NOSPACE);
	KUNIT_EXPECT_EQ(test, iho_plan_init(&plan, &src, 2, w->stream,
					    w->context[0].stream_len, WORLD_ALL,
					    work, len, NULL),
			-IHO_ERR_BADCALL);
	KUNIT_EXPECT_EQ(test, iho_plan_init(&plan, &src, 0, w->stream,
					    w->context[0].stream_len,
					    IHO_MAX_RECORDS + 1, work, len,
					    NULL),
			-IHO_ERR_LIMIT);
	KUNIT_EXPECT_EQ(test, iho_plan_init(&plan, &src, 0, w->stream,
					    w->context[0].stream_len, WORLD_ALL,
					    work, len, NULL), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(plan_counts_what_a_stream_holds),
	KUNIT_CASE(plan_gives_the_records_one_by_one),
	KUNIT_CASE(plan_of_an_empty_context_has_no_step),
	KUNIT_CASE_PARAM(plan_judges_each_record, plan_gen_params),
	KUNIT_CASE(plan_refuses_a_stream_of_another_length),
	KUNIT_CASE(plan_refuses_padding_that_is_not_zero),
	KUNIT_CASE(plan_needs_the_workspace_it_asks_for),
	{}
};

static struct kunit_suite plan_suite = {
	.name = "iommu_handover_plan",
	.test_cases = cases,
};

kunit_test_suites(&plan_suite);

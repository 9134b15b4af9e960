// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the plan: what of a record stream is accepted, what is refused
 * and where, and what the steps are that come out of it.
 */
#include <kunit/test.h>
#include <linux/mm.h>

#include "fixture.h"
#include "plan-cases.h"

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

static const void *plan_gen_params(struct kunit *test, const void *prev,
				   char *desc)
{
	const struct plan_case *c = prev;

	c = c ? c + 1 : plan_cases;
	if (c == plan_cases + plan_cases_nr)
		return NULL;
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
	return c;
}

static void plan_judges_each_record(struct kunit *test)
{
	const struct plan_case *c = test->param_value;
	struct world *w = world_new(test);
	struct iho_where where = {};
	struct iho_plan plan;

	plan_case_world(c, w);
	KUNIT_ASSERT_EQ(test, plan_both(test, w, &plan, &where), c->err);
	if (!c->err)
		return;
	KUNIT_EXPECT_EQ(test, where.record, c->record);
	KUNIT_EXPECT_STREQ(test, where.prop, c->prop);
	KUNIT_EXPECT_STREQ(test, where.node, c->node);
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

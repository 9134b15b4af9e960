// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handover that the KUnit tests begin with.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "fixture.h"

static void free_world(void *priv)
{
	struct world *w = priv;

	kvfree(w->stream);
	kvfree(w->image);
	kfree(w);
}

struct world *world_new(struct kunit *test)
{
	struct world *w = kzalloc_obj(*w);

	KUNIT_ASSERT_NOT_NULL(test, w);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_world, w));
	world_init(w);
	return w;
}

static void put_record(struct kunit *test, struct world *w, u64 cap,
		       const struct world_rec *r)
{
	KUNIT_ASSERT_EQ(test, 0,
			iho_rec_append(w->stream, cap, &w->stream_len, r->kind,
				       r->payload, r->payload_len, r->inl,
				       r->inline_len));
}

void world_streams(struct kunit *test, struct world *w)
{
	struct iho_context *c = w->context;
	const u64 cap = SZ_64K;
	struct world_rec r;

	kvfree(w->stream);
	w->stream = kvzalloc(cap, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w->stream);
	w->stream_len = 0;
	for (u32 i = 0; i < w->recs; i++)
		put_record(test, w, cap, &w->rec[i]);
	c[0].stream_off = 0;
	c[0].stream_len = w->stream_len;
	c[0].records = w->recs;
	c[1].stream_off = w->stream_len;
	c[1].stream_len = 0;
	c[1].records = 0;
	if (w->devices < WORLD_DEVICES)
		return;

	r = (struct world_rec){
		.kind = IHO_REC_IOAS_ALLOC,
		.payload_len = sizeof(r.ioas),
		.ioas = { .size = sizeof(r.ioas), .out_ioas_id = 1 },
	};
	put_record(test, w, cap, &r);
	r = (struct world_rec){
		.kind = IHO_REC_VFIO_BIND,
		.payload_len = sizeof(r.bind),
		.inline_len = sizeof(r.bind_ref),
		.bind = {
			.argsz = sizeof(r.bind),
			.iommufd = -1,
			.out_devid = w->device[2].dev_id,
		},
		.bind_ref = { .device = 2 },
	};
	put_record(test, w, cap, &r);
	c[1].stream_len = w->stream_len - c[1].stream_off;
	c[1].records = 2;
}

void world_build(struct kunit *test, struct world *w)
{
	struct iho_where where = {};
	struct iho_facts facts;
	size_t size;

	world_streams(test, w);
	world_facts(w, &facts);
	size = iho_build_size(&facts);
	kvfree(w->image);
	w->image = kvzalloc(size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, w->image);
	KUNIT_ASSERT_EQ_MSG(test, 0,
			    iho_build(&facts, w->stream, w->image, size,
				      &w->image_len, &where),
			    "%s-%u %s", where.node, where.index, where.prop);
}

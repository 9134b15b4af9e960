// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record streams: each rule of section 4, broken on purpose, is refused with
 * its own code and place; what is accepted is stepped through.
 */
#include <stdio.h>
#include <stdlib.h>

#include "plan-cases.h"
#include "tap.h"
#include "scene.h"

static struct scene world;

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

/* What a case is about, as a snapshot and an image can be made of it. */
static void scene_of(const struct world *w)
{
	struct scene_rec *r;
	u32 i;

	memset(&world, 0, sizeof(world));
	world.generation = 7;
	memcpy(world.release, "7.3.4", 6);
	memcpy(world.memory, w->memory, sizeof(w->memory));
	memcpy(world.unit, w->unit, sizeof(w->unit));
	memcpy(world.table, w->table, sizeof(w->table));
	memcpy(world.domain, w->domain, sizeof(w->domain));
	memcpy(world.device, w->device, sizeof(w->device));
	memcpy(world.context, w->context, sizeof(w->context));
	world.memories = WORLD_COUNT_OF(w->memory);
	world.units = WORLD_COUNT_OF(w->unit);
	world.tables = WORLD_COUNT_OF(w->table);
	world.domains = w->domains;
	world.devices = w->devices;
	world.contexts = 2;
	for (i = 0; i < w->recs; i++) {
		r = scene_add(&world, 0, w->rec[i].kind);
		r->kind = w->rec[i].kind;
		r->payload_len = w->rec[i].payload_len;
		r->inline_len = w->rec[i].inline_len;
		memcpy(r->payload, w->rec[i].payload, sizeof(r->payload));
		memcpy(r->inl, w->rec[i].inl, sizeof(w->rec[i].inl));
	}
	if (w->devices < WORLD_DEVICES)
		return;
	scene_add(&world, 1, IHO_REC_IOAS_ALLOC)->ioas.out_ioas_id = 1;
	r = scene_add(&world, 1, IHO_REC_VFIO_BIND);
	r->bind.out_devid = w->device[2].dev_id;
	r->bind_ref.device = 2;
}

/* With an index, which @src has now, it is what it was: @err, and in the same place. */
static void test_index(const struct plan_case *c,
		       const struct iho_plan_source *src, const void *base,
		       const struct iho_where *was)
{
	struct iho_where where = { .node = "", .prop = "" };
	int err = plan_all(src, base, &where);

	ok(err == -c->err &&
	   (!err || (!strcmp(where.node, was->node) &&
		     !strcmp(where.prop, was->prop) &&
		     where.index == was->index && where.offset == was->offset &&
		     where.record == was->record)), "%s: %s with an index",
	   c->name, src->img ? "image" : "snapshot");
}

static void test_case(const struct plan_case *c)
{
	static struct world w;
	struct iho_plan_source src;
	struct iho_where where;
	struct iho_facts facts;
	struct iho_image img;
	struct iho_seg seg;
	u8 *snap, *image;
	void *index;
	size_t len;
	int err;

	plan_case_world(c, &w);
	scene_of(&w);
	snap = scene_snapshot(&world, &len);
	err = iho_snapshot_open(snap, len, &facts, &where);
	if (!err)
		err = iho_facts_check(&facts, &where);
	ok_err(err, IHO_OK, "%s: its facts are right", c->name);
	src = (struct iho_plan_source){ .facts = &facts };
	where = (struct iho_where){ .node = "", .prop = "" };
	ok_err(plan_all(&src, snap, &where), c->err, "%s: snapshot", c->name);
	if (c->err)
		if (!ok(!strcmp(where.node, c->node) &&
			where.record == c->record &&
			!strcmp(where.prop, c->prop), "%s: place", c->name))
			diag("%s %u, record %u, %s", where.node, where.index,
			     where.record, where.prop);
	index = malloc(iho_facts_index_size(&facts) + 1);
	iho_facts_index(&facts, index);
	test_index(c, &src, snap, &where);
	free(index);
	free(snap);

	image = scene_image(&world, &len);
	seg = (struct iho_seg){ image, len };
	ok_err(iho_image_open(&seg, 1, &img, &where), IHO_OK,
	       "%s: the image is right but for the stream", c->name);
	src = (struct iho_plan_source){ .img = &img };
	ok_err(plan_all(&src, image, &where), c->err, "%s: image", c->name);
	index = malloc(iho_image_index_size(&img) + 1);
	iho_image_index(&img, index);
	test_index(c, &src, image, &where);
	free(index);
	free(image);
}

static void test_cases(void)
{
	u32 i;

	for (i = 0; i < plan_cases_nr; i++)
		test_case(&plan_cases[i]);
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
		scene_example(&world);
		snap = scene_snapshot(&world, &len);
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
	scene_example(&world);
	snap = scene_snapshot(&world, &len);
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

	scene_example(&world);
	snap = scene_snapshot(&world, &len);
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
static bool step_is(const struct iho_step *s, const struct scene_rec *r)
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

	scene_example(&world);
	snap = scene_snapshot(&world, &len);
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
	void *work = malloc(work_len), *index;
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
	/* Without it each map would look through the memories: a minute */
	index = malloc(iho_image_index_size(&img));
	iho_image_index(&img, index);
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
	free(index);
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

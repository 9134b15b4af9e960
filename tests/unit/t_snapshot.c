// SPDX-License-Identifier: GPL-2.0-only
/*
 * Framing of snapshots.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "scene.h"

static struct scene world;

#define OFF(member)	offsetof(struct iho_snap_header, member)

static const struct {
	const char *name;
	size_t off;
	u32 bytes;
	u64 value;
	int err;
} cases[] = {
	{ "magic", OFF(magic), 1, 0, IHO_ERR_MAGIC },
	{ "an image's magic", OFF(magic) + 7, 1, '1', IHO_ERR_MAGIC },
	{ "header_len", OFF(header_len), 4, 128, IHO_ERR_HEADER },
	{ "major", OFF(major), 2, 2, IHO_ERR_VERSION },
	{ "minor", OFF(minor), 2, 9, IHO_OK },
	{ "total_len long", OFF(total_len), 8, 1 << 20, IHO_ERR_TRUNCATED },
	{ "total_len short", OFF(total_len), 8, 128, IHO_ERR_GAP },
	{ "release not terminated", OFF(release) + 63, 1, 'x',
	  IHO_ERR_HEADER },
	{ "memories", OFF(memories), 4, 4097, IHO_ERR_LIMIT },
	{ "units", OFF(units), 4, 65, IHO_ERR_LIMIT },
	{ "tables", OFF(tables), 4, 4097, IHO_ERR_LIMIT },
	{ "domains", OFF(domains), 4, 4097, IHO_ERR_LIMIT },
	{ "devices", OFF(devices), 4, 1025, IHO_ERR_LIMIT },
	{ "contexts", OFF(contexts), 4, 1025, IHO_ERR_LIMIT },
	{ "most memories", OFF(memories), 4, 4096, IHO_ERR_TRUNCATED },
	{ "most units", OFF(units), 4, 64, IHO_ERR_TRUNCATED },
	{ "most tables", OFF(tables), 4, 4096, IHO_ERR_TRUNCATED },
	{ "most domains", OFF(domains), 4, 4096, IHO_ERR_TRUNCATED },
	{ "most devices", OFF(devices), 4, 1024, IHO_ERR_TRUNCATED },
	{ "most contexts", OFF(contexts), 4, 1024, IHO_ERR_TRUNCATED },
	{ "arrays beyond the end", OFF(memories), 4, 4096,
	  IHO_ERR_TRUNCATED },
	{ "a memory fewer", OFF(memories), 4, 2, IHO_ERR_GAP },
	{ "no context", OFF(contexts), 4, 0, IHO_ERR_GAP },
};

static void test_header(void)
{
	struct iho_where where;
	struct iho_facts facts;
	size_t len, i;
	u8 *snap;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene_example(&world);
		snap = scene_snapshot(&world, &len);
		memcpy(snap + cases[i].off, &cases[i].value, cases[i].bytes);
		ok_err(iho_snapshot_open(snap, len, &facts, &where),
		       cases[i].err, "%s", cases[i].name);
		ok_err(iho_snapshot_open(snap, len, &facts, NULL),
		       cases[i].err, "%s: place not asked for",
		       cases[i].name);
		free(snap);
	}
}

static struct iho_context *context(u8 *snap, size_t i)
{
	const struct iho_snap_header *h = (const void *)snap;

	return (void *)(snap + sizeof(*h) +
			h->memories * sizeof(struct iho_memory) +
			h->units * sizeof(struct iho_unit) +
			h->tables * sizeof(struct iho_table) +
			h->domains * sizeof(struct iho_domain) +
			h->devices * sizeof(struct iho_device) +
			i * sizeof(struct iho_context));
}

static void test_streams(void)
{
	struct iho_where where;
	struct iho_facts facts;
	size_t len, i;
	u8 *snap, *cut;
	int err;
	bool good = true;

#define FRESH()	(scene_example(&world), snap = scene_snapshot(&world, &len))
#define CHECK(want, what)						\
	do {								\
		ok_err(iho_snapshot_open(snap, len, &facts, &where),	\
		       want, what);					\
		free(snap);						\
	} while (0)
	FRESH();
	context(snap, 1)->stream_off += 8;
	CHECK(IHO_ERR_GAP, "a gap between streams");
	FRESH();
	context(snap, 1)->stream_off -= 8;
	CHECK(IHO_ERR_GAP, "streams overlap");
	FRESH();
	context(snap, 0)->stream_off = 0;
	CHECK(IHO_ERR_GAP, "a stream over the header");
	FRESH();
	context(snap, 1)->stream_len -= 8;
	CHECK(IHO_ERR_GAP, "bytes behind the streams");
	FRESH();
	context(snap, 1)->stream_len += 8;
	CHECK(IHO_ERR_TRUNCATED, "a stream beyond the end");
	FRESH();
	context(snap, 1)->stream_len = -8ull;
	CHECK(IHO_ERR_TRUNCATED, "a length that would wrap");
	FRESH();
	context(snap, 1)->stream_len += 4;
	CHECK(IHO_ERR_GAP, "a length that is not a multiple of 8");

	FRESH();
	for (i = 0; i < len; i++) {
		cut = exact(snap, i);
		err = iho_snapshot_open(cut, i, &facts, &where);
		good &= err == -IHO_ERR_TRUNCATED;
		free(cut);
	}
	ok(good, "cut at each length: truncated");
	free(snap);

	scene_random(&world, 5);
	world.contexts = 0;
	world.devices = 0;
	world.units = 0;
	world.tables = 0;
	world.domains = 0;
	snap = scene_snapshot(&world, &len);
	ok_err(iho_snapshot_open(snap, len, &facts, &where), IHO_OK,
	       "no context at all");
	free(snap);
}

int main(void)
{
	test_header();
	test_streams();
	return tap_end();
}

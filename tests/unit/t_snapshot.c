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
	{ "memory_len short", OFF(memory_len), 4, 80, IHO_ERR_RANGE },
	{ "unit_len short", OFF(unit_len), 4, sizeof(struct iho_unit) - 8,
	  IHO_ERR_RANGE },
	{ "table_len 0", OFF(table_len), 4, 0, IHO_ERR_RANGE },
	{ "domain_len odd and short", OFF(domain_len), 4, 9, IHO_ERR_RANGE },
	{ "device_len short", OFF(device_len), 4,
	  sizeof(struct iho_device) - 1, IHO_ERR_RANGE },
	{ "context_len unaligned", OFF(context_len), 4,
	  sizeof(struct iho_context) + 4, IHO_ERR_ALIGN },
	{ "memory_len unaligned", OFF(memory_len), 4,
	  sizeof(struct iho_memory) + 1, IHO_ERR_ALIGN },
	{ "device_len unaligned", OFF(device_len), 4, ~0u, IHO_ERR_ALIGN },
	{ "memory_len huge", OFF(memory_len), 4, ~7u, IHO_ERR_TRUNCATED },
	{ "unit_len huge", OFF(unit_len), 4, 1u << 31, IHO_ERR_TRUNCATED },
	/* twice that wraps to the right length in 32 bits */
	{ "table_len that would wrap", OFF(table_len), 4,
	  (1u << 31) + sizeof(struct iho_table), IHO_ERR_TRUNCATED },
	{ "context_len that would wrap", OFF(context_len), 4,
	  (1u << 31) + sizeof(struct iho_context), IHO_ERR_TRUNCATED },
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

/* What a later kernel would give: longer entries, all else equal. */
static u8 *stretch(const u8 *snap, size_t len, const u32 more[IHO_NODES],
		   size_t *new_len)
{
	const struct iho_snap_header *h = (const void *)snap;
	u8 *out = calloc(1, len + IHO_NODES * SCENE_MAX * 64);
	const u8 *from = snap + sizeof(*h);
	u8 *to = out + sizeof(*h);
	struct iho_snap_header *grown = (void *)out;
	struct iho_context c;
	u64 shift = 0;
	u32 kind, i;

	memcpy(out, h, sizeof(*h));
	for (kind = 0; kind < IHO_NODES; kind++) {
		grown->element_len[kind] += more[kind];
		shift += (u64)more[kind] * h->count[kind];
	}
	for (kind = 0; kind < IHO_NODES; kind++) {
		for (i = 0; i < h->count[kind]; i++) {
			memcpy(to, from, h->element_len[kind]);
			if (kind == IHO_NODE_CONTEXT) {
				memcpy(&c, to, sizeof(c));
				c.stream_off += shift;
				memcpy(to, &c, sizeof(c));
			}
			from += h->element_len[kind];
			to += grown->element_len[kind];
		}
	}
	memcpy(to, from, len - (size_t)(from - snap));
	*new_len = len + shift;
	grown->total_len = *new_len;
	return out;
}

static u8 *build(const u8 *snap, const struct iho_facts *facts, size_t *len)
{
	size_t cap = iho_build_size(facts);
	u8 *out = malloc(cap);

	if (iho_build(facts, snap, out, cap, len, NULL)) {
		free(out);
		return NULL;
	}
	return out;
}

/* Entries that are longer mean the same as long as the surplus is zero. */
static void test_longer(void)
{
	static const u32 more[][IHO_NODES] = {
		{ 0 }, { 8 }, { 0, 8 }, { 0, 0, 8 }, { 0, 0, 0, 8 },
		{ 0, 0, 0, 0, 8 }, { 0, 0, 0, 0, 0, 8 },
		{ 8, 16, 24, 32, 40, 48 }, { 48, 40, 32, 24, 16, 8 },
	};
	size_t len, longer_len, want_len, got_len, i;
	u8 *snap, *longer, *copy, *want, *got;
	struct iho_facts facts, small;
	struct iho_where where;
	struct iho_image img;
	struct iho_seg seg;

	FRESH();
	iho_snapshot_open(snap, len, &small, NULL);
	want = build(snap, &small, &want_len);
	seg = (struct iho_seg){ want, want_len };
	iho_image_open(&seg, 1, &img, NULL);
	for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		longer = stretch(snap, len, more[i], &longer_len);
		copy = exact(longer, longer_len);
		ok_err(iho_snapshot_open(copy, longer_len, &facts, &where),
		       IHO_OK, "longer entries %zu: accepted", i);
		got = build(copy, &facts, &got_len);
		ok(want && got && got_len == want_len &&
		   !memcmp(got, want, want_len),
		   "longer entries %zu: the same image", i);
		ok(!iho_image_differs(&img, &facts, &where),
		   "longer entries %zu: no difference", i);
		free(got);
		free(copy);
		free(longer);
	}
	free(want);
	free(snap);
}

/* Each byte of the surplus of each entry, set to something. */
static void test_surplus(void)
{
	static const u32 more[IHO_NODES] = { 8, 16, 24, 8, 16, 8 };
	u32 kind, entry, byte, tried = 0, refused = 0, placed = 0;
	const struct iho_snap_header *h;
	struct iho_facts facts;
	struct iho_where where;
	u8 *snap, *longer;
	size_t len, pos;

	FRESH();
	longer = stretch(snap, len, more, &len);
	h = (const void *)longer;
	pos = sizeof(*h);
	for (kind = 0; kind < IHO_NODES; kind++) {
		for (entry = 0; entry < h->count[kind]; entry++) {
			pos += h->element_len[kind];
			for (byte = 1; byte <= more[kind]; byte++) {
				longer[pos - byte] = 0x80;
				tried++;
				refused += iho_snapshot_open(longer, len,
							     &facts, &where) ==
					   -IHO_ERR_VALUE;
				placed += where.offset == pos - byte &&
					  where.index == entry &&
					  !strcmp(where.node,
						  iho_node_desc[kind].name) &&
					  !strcmp(where.prop, "surplus");
				longer[pos - byte] = 0;
			}
		}
	}
	ok(tried > 150 && refused == tried,
	   "%u of %u bytes that are not known and set: refused", refused,
	   tried);
	ok(placed == tried, "with their place");
	ok_err(iho_snapshot_open(longer, len, &facts, &where), IHO_OK,
	       "and none of them left: accepted");
	free(longer);
	free(snap);
}

int main(void)
{
	test_header();
	test_streams();
	test_longer();
	test_surplus();
	return tap_end();
}

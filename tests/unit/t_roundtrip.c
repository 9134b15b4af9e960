// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random handovers: snapshot, build, check, plan, read, build again. Equal
 * state gives equal bytes, and the builder agrees with the tests' own one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "scene.h"

#define WORLDS	400

static struct scene world, other;

static u8 *build(struct scene *w, size_t *len)
{
	struct iho_facts facts;
	struct iho_where where;
	size_t snap_len, cap;
	u8 *snap, *out;
	int err;

	snap = scene_snapshot(w, &snap_len);
	err = iho_snapshot_open(snap, snap_len, &facts, &where);
	if (err) {
		diag("snapshot: %s", iho_error_name(err));
		free(snap);
		return NULL;
	}
	cap = iho_build_size(&facts);
	out = malloc(cap);
	memset(out, 0xaa, cap);
	err = iho_build(&facts, snap, out, cap, len, &where);
	free(snap);
	if (err) {
		diag("build: %s, %s-%u, %s", iho_error_name(err), where.node,
		     where.index, where.prop);
		free(out);
		return NULL;
	}
	return out;
}

static bool round_trip(u64 seed)
{
	size_t len, own_len, again_len;
	u8 *image, *own, *again;
	struct iho_where where;
	int err;

	scene_random(&world, seed);
	image = build(&world, &len);
	if (!image)
		return false;
	own = scene_image(&world, &own_len);
	again = NULL;
	err = image_check(image, len, &where);
	if (err)
		diag("seed %llu: %s, %s-%u, %s, record %u",
		     (unsigned long long)seed, iho_error_name(err),
		     where.node, where.index, where.prop, where.record);
	else
		again = image_rebuild(image, len, &again_len);
	err = err || len != own_len || memcmp(image, own, len) || !again ||
	      len != again_len || memcmp(image, again, len);
	free(again);
	free(own);
	free(image);
	return !err;
}

static void test_random(void)
{
	u32 contexts = 0, devices = 0, maps = 0, good = 0, i, j, k;
	u64 seed;

	for (seed = 1; seed <= WORLDS; seed++) {
		good += round_trip(seed);
		contexts += world.contexts;
		devices += world.devices;
		for (j = 0; j < world.contexts; j++)
			for (k = 0; k < world.recs[j]; k++)
				maps += world.rec[j][k].kind ==
					IHO_REC_MAP_FILE;
	}
	ok(good == WORLDS, "%u of %u random handovers come back the same",
	   good, WORLDS);
	ok(contexts > WORLDS && devices > WORLDS && maps > WORLDS,
	   "they were not empty: %u contexts, %u devices, %u maps", contexts,
	   devices, maps);
	for (i = 0, seed = 1; seed <= 20; seed++) {
		scene_random(&world, seed);
		scene_random(&other, seed + 1);
		i += !memcmp(&world, &other, sizeof(world));
	}
	ok(!i, "and not all the same");
}

/* A difference in any fact is seen, and where. */
static void test_differs(void)
{
	static const struct {
		size_t off;
		const char *node;
		u32 index;
		const char *prop;
		bool differs;
	} facts_of[] = {
#define F(what, i, member, prop)					\
	{ offsetof(struct scene, what[i].member), #what, i, prop, true }
		{ offsetof(struct scene, generation), "", IHO_NONE,
		  "generation", true },
		{ offsetof(struct scene, release) + 2, "", IHO_NONE,
		  "release", true },
		F(memory, 0, session, "session"),
		F(memory, 1, session[62], "session"),
		F(memory, 2, token, "token"),
		F(memory, 0, size, "size"),
		F(memory, 0, seals, "seals"),
		F(unit, 0, type, "type"),
		F(unit, 0, mode, "mode"),
		F(unit, 0, segment, "segment"),
		F(unit, 0, register_pa, "register-pa"),
		F(unit, 0, cap, "capability"),
		F(unit, 0, ecap, "capability-extended"),
		F(unit, 0, root_pa, "root-pa"),
		F(unit, 0, interrupt_root, "interrupt-root"),
		F(table, 1, format, "format"),
		F(table, 1, levels, "levels"),
		F(table, 1, root_pa, "root-pa"),
		F(table, 1, context, "context"),
		F(table, 1, hwpt_id, "hwpt-id"),
		F(table, 1, attributes, "attributes"),
		F(table, 1, width, "width"),
		F(domain, 1, unit, "unit"),
		F(domain, 1, domain_id, "domain-id"),
		F(domain, 1, space, "space"),
		F(domain, 1, table, "table"),
		F(device, 1, level, "level"),
		F(device, 1, segment, "segment"),
		F(device, 1, source_id[0], "source-ids"),
		F(device, 1, source_id[1], "source-ids"),
		F(device, 1, source_ids, "source-ids"),
		F(device, 1, root_bus, "root-bus"),
		F(device, 1, path[0], "path"),
		F(device, 1, path[2], "path"),
		F(device, 1, path[15], "path"),
		F(device, 1, path_len, "path"),
		F(device, 1, vendor_device, "vendor-device"),
		F(device, 1, subsystem, "subsystem"),
		F(device, 1, class_revision, "class-revision"),
		F(device, 1, serial, "serial"),
		F(device, 1, unit, "unit"),
		F(device, 1, domain, "domain"),
		F(device, 1, context, "context"),
		F(device, 1, dev_id, "dev-id"),
		F(device, 1, vfio_file, "vfio-file"),
		F(device, 1, vfio_token, "token-vfio"),
		F(device, 1, msix, "msix"),
		F(context, 1, session, "session"),
		F(context, 1, token, "token"),
		F(context, 1, stream_len, "stream-len"),
		F(context, 1, records, "records"),
		{ offsetof(struct scene, context[1].stream_off), "", 0, "",
		  false },
		{ offsetof(struct scene, context[1].stream_digest), "", 0, "",
		  false },
		{ offsetof(struct scene, memories), "memory", 2, "count",
		  true },
		{ offsetof(struct scene, units), "unit", 0, "count", true },
		{ offsetof(struct scene, tables), "table", 1, "count", true },
		{ offsetof(struct scene, domains), "domain", 1, "count",
		  true },
		{ offsetof(struct scene, devices), "device", 2, "count",
		  true },
		{ offsetof(struct scene, contexts), "context", 1, "count",
		  true },
	};
	struct iho_where where;
	struct iho_facts facts;
	struct iho_image img;
	struct iho_seg seg;
	size_t len, i;
	u8 *image;

	scene_example(&world);
	image = scene_image(&world, &len);
	seg = (struct iho_seg){ image, len };
	iho_image_open(&seg, 1, &img, NULL);
	scene_facts(&world, &facts);
	ok(!iho_image_differs(&img, &facts, &where), "nothing differs");
	for (i = 0; i < sizeof(facts_of) / sizeof(facts_of[0]); i++) {
		other = world;
		/* counts are one less, values are odd where they were even */
		if (!strcmp(facts_of[i].prop, "count"))
			--*(u32 *)((u8 *)&other + facts_of[i].off);
		else
			((u8 *)&other)[facts_of[i].off] ^= 1;
		scene_facts(&other, &facts);
		memset(&where, 0x55, sizeof(where));
		if (!facts_of[i].differs) {
			ok(!iho_image_differs(&img, &facts, &where),
			   "where a stream lies is no difference");
			continue;
		}
		if (!ok(iho_image_differs(&img, &facts, &where) &&
			!strcmp(where.node, facts_of[i].node) &&
			where.index == facts_of[i].index &&
			!strcmp(where.prop, facts_of[i].prop),
			"differs in %s-%u, %s", facts_of[i].node,
			facts_of[i].index, facts_of[i].prop))
			diag("%s-%u, %s", where.node, where.index, where.prop);
	}
	free(image);
}

/* The builder's own refusals. */
static void test_build(void)
{
	struct iho_where where;
	struct iho_facts facts;
	struct iho_context c[2];
	size_t snap_len, len, cap, need;
	u8 *snap, *out;
	bool good = true;
	int err;

	scene_example(&world);
	snap = scene_snapshot(&world, &snap_len);
	iho_snapshot_open(snap, snap_len, &facts, NULL);
	need = iho_build_size(&facts);
	ok(need && need % 4096 == 0, "size is in pages");
	out = malloc(need);
	ok_err(iho_build(&facts, snap, out, need, &len, &where), IHO_OK,
	       "build");
	ok(len <= need, "within the size");
	free(out);
	for (cap = 0; cap <= len; cap += 8) {
		out = malloc(cap + 1);
		err = iho_build(&facts, snap, out, cap, &need, &where);
		good &= cap < len ? err == -IHO_ERR_NOSPACE :
				    !err && need == len;
		free(out);
	}
	ok(good, "every capacity short of the length: no space");

	out = malloc(1 << 20);
	memcpy(c, facts.context, sizeof(c));
	facts.context = c;
	c[0].records = 0;
	ok_err(iho_build(&facts, snap, out, 1 << 20, &len, &where),
	       IHO_ERR_COUNT, "a stream without records");
	c[0].records = 16;
	c[0].stream_len = 0;
	ok_err(iho_build(&facts, snap, out, 1 << 20, &len, &where),
	       IHO_ERR_COUNT, "records without a stream");
	c[0].stream_len = 12;
	ok_err(iho_build(&facts, snap, out, 1 << 20, &len, &where),
	       IHO_ERR_ALIGN, "a stream of 12 bytes");
	c[0].stream_len = IHO_MAX_IMAGE + 8;
	ok_err(iho_build(&facts, snap, out, 1 << 20, &len, &where),
	       IHO_ERR_LIMIT, "a stream longer than an image");
	ok(!iho_build_size(&facts), "which has no size");
	c[0].stream_len = IHO_MAX_IMAGE;
	ok_err(iho_build(&facts, snap, out, 1 << 20, &len, &where),
	       IHO_ERR_LIMIT, "a stream that leaves no room for the rest");
	facts.memories = IHO_MAX_MEMORIES + 1;
	ok(!iho_build_size(&facts), "too many memories have no size");
	ok_err(iho_build(&facts, snap, out, 1 << 20, &len, &where),
	       IHO_ERR_LIMIT, "and no image");
	free(out);
	free(snap);
}

/* All counts at their limits fit the head of the image. */
static void test_largest(void)
{
	struct iho_memory *memory = calloc(IHO_MAX_MEMORIES, sizeof(*memory));
	struct iho_table *table = calloc(IHO_MAX_TABLES, sizeof(*table));
	struct iho_domain *domain = calloc(IHO_MAX_DOMAINS, sizeof(*domain));
	struct iho_device *device = calloc(IHO_MAX_DEVICES, sizeof(*device));
	struct iho_unit *unit = calloc(IHO_MAX_UNITS, sizeof(*unit));
	struct iho_context *context = calloc(IHO_MAX_CONTEXTS,
					     sizeof(*context));
	struct iho_facts facts = {
		.generation = ~0ull, .memory = memory, .unit = unit,
		.table = table, .domain = domain, .device = device,
		.context = context, .memories = IHO_MAX_MEMORIES,
		.units = IHO_MAX_UNITS, .tables = IHO_MAX_TABLES,
		.domains = IHO_MAX_DEVICES, .devices = IHO_MAX_DEVICES,
		.contexts = IHO_MAX_CONTEXTS,
	};
	char release[IHO_RELEASE_LEN] = { 0 };
	struct iho_where where;
	struct iho_image img;
	struct iho_seg seg;
	size_t cap, len;
	u8 *out;
	u32 i, j;
	int err;

	memset(release, 'r', IHO_RELEASE_LEN - 1);
	facts.release = release;
	for (i = 0; i < IHO_MAX_MEMORIES; i++) {
		memset(memory[i].session, 'm', IHO_SESSION_LEN - 1);
		memory[i].token = i;
		memory[i].size = 4096;
	}
	for (i = 0; i < IHO_MAX_CONTEXTS; i++) {
		memset(context[i].session, 'c', IHO_SESSION_LEN - 1);
		context[i].token = i;
	}
	for (i = 0; i < IHO_MAX_UNITS; i++)
		unit[i] = (struct iho_unit){
			.type = 1, .mode = IHO_UNIT_SCALABLE,
			.register_pa = (i + 1) * 4096ull, .root_pa = 4096,
		};
	for (i = 0; i < IHO_MAX_TABLES; i++)
		table[i] = (struct iho_table){ 1, 5, 4096, i / 4, 1 + i % 4,
					       0, 57 };
	for (i = 0; i < IHO_MAX_DEVICES; i++) {
		domain[i] = (struct iho_domain){ i / 16, i % 16, i * 4, 0 };
		device[i] = (struct iho_device){
			.level = IHO_LEVEL_CONTINUOUS, .source_ids = 8,
			.source_id = { i }, .unit = i / 16, .domain = i,
			.context = i, .dev_id = 9, .path_len = IHO_MAX_PATH,
			.path = { [IHO_MAX_PATH - 1] = i & 0xff },
			.serial = ~0ull,
		};
		for (j = 1; j < 8; j++)
			device[i].source_id[j] = 0x8000 + j;
	}
	cap = iho_build_size(&facts);
	out = malloc(cap);
	err = iho_build(&facts, NULL, out, cap, &len, &where);
	ok_err(err, IHO_OK, "all counts at their limits: built");
	seg = (struct iho_seg){ out, len };
	ok_err(iho_image_open(&seg, 1, &img, &where), IHO_OK,
	       "all counts at their limits: opened");
	ok(!iho_image_differs(&img, &facts, &where),
	   "and nothing differs; the head is %u bytes", img.fdt_len + 128);
	/* A domain takes 84 bytes; those without a device would be refused. */
	ok(img.fdt_len + 128 + (IHO_MAX_DOMAINS - IHO_MAX_DEVICES) * 84 <
	   5 << 19, "with all domains too it is less than the text says");
	free(out);
	facts.domains = IHO_MAX_DOMAINS;
	for (i = IHO_MAX_DEVICES; i < IHO_MAX_DOMAINS; i++)
		domain[i] = (struct iho_domain){ 63, i, 0, 0 };
	ok_err(iho_facts_check(&facts, &where), IHO_ERR_ORPHAN,
	       "a domain without a device, beyond the first thousand");
	ok(where.index == IHO_MAX_DEVICES, "is the first such");
	/* The last device takes one of those instead of its own. */
	device[IHO_MAX_DEVICES - 1].domain = 3000;
	domain[3000].table = 4 * (IHO_MAX_DEVICES - 1);
	ok_err(iho_facts_check(&facts, &where), IHO_ERR_ORPHAN,
	       "a domain without a device, before one with");
	ok(where.index == IHO_MAX_DEVICES - 1, "is the first such");
	free(memory);
	free(table);
	free(domain);
	free(device);
	free(unit);
	free(context);
}

int main(void)
{
	test_random();
	test_differs();
	test_build();
	test_largest();
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The canonical form of the FDT: trees that libfdt reads without complaint,
 * each off by one thing, under checksums that are right.
 */
#include <stdio.h>
#include <stdlib.h>

#include "iho_internal.h"
#include "tap.h"
#include "iho_internal.h"
#include "scene.h"

static struct scene world;

static void must(int err)
{
	if (err < 0) {
		fprintf(stderr, "libfdt: %s\n", fdt_strerror(err));
		exit(2);
	}
}

/* ---- faults put in while the tree is written -------------------------- */

static void extra_cell(void *fdt)
{
	must(fdt_property_u32(fdt, "extra", 1));
}

static void token_again(void *fdt)
{
	must(fdt_property_u64(fdt, "token", 1));
}

static void empty_node(void *fdt, const char *name)
{
	must(fdt_begin_node(fdt, name));
	must(fdt_end_node(fdt));
}

static void unknown_node(void *fdt)
{
	empty_node(fdt, "group-0");
}

static void nested_node(void *fdt)
{
	empty_node(fdt, "inner-0");
}

static void memory_again(void *fdt)
{
	must(fdt_begin_node(fdt, "memory-2"));
	must(fdt_property_string(fdt, "session", "vm-beta"));
	must(fdt_property_u64(fdt, "token", 1));
	must(fdt_property_u64(fdt, "size", 4096));
	must(fdt_property_u32(fdt, "seals", 6));
	must(fdt_end_node(fdt));
}

static const struct {
	const char *name;
	void (*in_root)(void *fdt);
	void (*in_memory)(void *fdt);
	void (*behind)(void *fdt);
	int err;
} written[] = {
	{ "as it should be", NULL, NULL, NULL, IHO_OK },
	{ "unknown property of the root", extra_cell, NULL, NULL,
	  IHO_ERR_LAYOUT },
	{ "unknown property of a node", NULL, extra_cell, NULL,
	  IHO_ERR_LAYOUT },
	{ "property twice", NULL, token_again, NULL, IHO_ERR_LAYOUT },
	{ "unknown node", NULL, NULL, unknown_node, IHO_ERR_CANON },
	{ "node twice", NULL, NULL, memory_again, IHO_ERR_CANON },
	{ "property behind the nodes", NULL, NULL, extra_cell,
	  IHO_ERR_LAYOUT },
	{ "node in a node", NULL, nested_node, NULL, IHO_ERR_DEPTH },
	{ "node before the first kind", unknown_node, NULL, NULL,
	  IHO_ERR_CANON },
};

static void test_written(void)
{
	struct iho_where where;
	size_t len, i;
	u8 *image;

	for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		scene_example(&world);
		world.in_root = written[i].in_root;
		world.in_memory = written[i].in_memory;
		world.behind_nodes = written[i].behind;
		image = scene_image(&world, &len);
		ok_err(image_check(image, len, &where), written[i].err,
		       "written: %s", written[i].name);
		free(image);
	}
}

/* ---- faults edited in with libfdt ------------------------------------- */

static int at(void *fdt, const char *path)
{
	int off = fdt_path_offset(fdt, path);

	must(off);
	return off;
}

static void no_seals(void *fdt)
{
	must(fdt_delprop(fdt, at(fdt, "/memory-0"), "seals"));
}

static void no_first(void *fdt)
{
	must(fdt_delprop(fdt, at(fdt, "/memory-0"), "session"));
}

static void no_generation(void *fdt)
{
	must(fdt_delprop(fdt, 0, "generation"));
}

static void no_node(void *fdt)
{
	must(fdt_del_node(fdt, at(fdt, "/memory-1")));
}

static void short_cell(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/memory-0"), "seals", "\0\0", 2));
}

static void long_cell(void *fdt)
{
	must(fdt_setprop_u64(fdt, at(fdt, "/memory-0"), "seals", 6));
}

static void short_wide(void *fdt)
{
	must(fdt_setprop_u32(fdt, at(fdt, "/memory-0"), "token", 1));
}

static void short_version(void *fdt)
{
	must(fdt_setprop_u32(fdt, 0, "version", 1));
}

static void empty_string(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/memory-0"), "session", "", 0));
}

static void no_nul(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/memory-0"), "session", "abc", 3));
}

static void inner_nul(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/memory-0"), "session", "ab\0c", 5));
}

static void long_string(void *fdt)
{
	char s[65];

	memset(s, 'a', 64);
	s[64] = 0;
	must(fdt_setprop(fdt, at(fdt, "/memory-0"), "session", s, 65));
}

static void longest_string(void *fdt)
{
	char s[64];

	memset(s, 'a', 63);
	s[63] = 0;
	must(fdt_setprop(fdt, at(fdt, "/memory-0"), "session", s, 64));
	must(fdt_setprop(fdt, at(fdt, "/memory-1"), "session", s, 64));
	must(fdt_setprop(fdt, at(fdt, "/context-0"), "session", s, 64));
}

static void word_no_nul(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/unit-0"), "mode", "legacy", 6));
}

static void word_long(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/unit-0"), "mode", "legacy\0", 8));
}

static void word_prefix(void *fdt)
{
	must(fdt_setprop_string(fdt, at(fdt, "/unit-0"), "mode", "lega"));
}

static void no_ids(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/device-0"), "source-ids", "", 0));
}

static void odd_ids(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/device-0"), "source-ids", "\0\0\0", 3));
}

static void nine_ids(void *fdt)
{
	char ids[36] = { 0 };

	must(fdt_setprop(fdt, at(fdt, "/device-0"), "source-ids", ids, 36));
}

static void no_path(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/device-0"), "path", "", 0));
}

static void longer_path(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/device-0"), "path", "\x8\x10", 2));
}

static void long_path(void *fdt)
{
	char path[17] = { [16] = 0x10 };

	must(fdt_setprop(fdt, at(fdt, "/device-0"), "path", path, 17));
}

static void no_bridges(void *fdt)
{
	must(fdt_delprop(fdt, at(fdt, "/device-0"), "bridges"));
}

static void bridges_byte(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/device-0"), "bridges", "", 1));
}

static void bridges_cell(void *fdt)
{
	must(fdt_setprop_u32(fdt, at(fdt, "/device-2"), "bridges", 0));
}

static void bridges_largest(void *fdt)
{
	static const char zeroes[16384];

	must(fdt_setprop(fdt, at(fdt, "/device-0"), "bridges", zeroes,
			 sizeof(zeroes)));
}

static void unit_address(void *fdt)
{
	must(fdt_set_name(fdt, at(fdt, "/memory-0"), "memory@0"));
}

static void leading_zero(void *fdt)
{
	must(fdt_set_name(fdt, at(fdt, "/memory-1"), "memory-01"));
}

static void wrong_number(void *fdt)
{
	must(fdt_set_name(fdt, at(fdt, "/memory-2"), "memory-3"));
}

static void root_name(void *fdt)
{
	must(fdt_set_name(fdt, 0, "root"));
}

static const struct {
	const char *name;
	void (*edit)(void *fdt);
	int err;
} edited[] = {
	{ "nothing, but edited", NULL, IHO_OK },
	{ "last property missing", no_seals, IHO_ERR_LAYOUT },
	{ "first property missing", no_first, IHO_ERR_LAYOUT },
	{ "root property missing", no_generation, IHO_ERR_LAYOUT },
	{ "a node missing", no_node, IHO_ERR_CANON },
	{ "cell of 2 bytes", short_cell, IHO_ERR_LAYOUT },
	{ "cell of 8 bytes", long_cell, IHO_ERR_LAYOUT },
	{ "64 bits in 4 bytes", short_wide, IHO_ERR_LAYOUT },
	{ "version of one cell", short_version, IHO_ERR_LAYOUT },
	{ "string of no byte", empty_string, IHO_ERR_LAYOUT },
	{ "string without NUL", no_nul, IHO_ERR_STRING },
	{ "string with a NUL inside", inner_nul, IHO_ERR_STRING },
	{ "string of 65 bytes", long_string, IHO_ERR_LAYOUT },
	{ "strings of 64 bytes", longest_string, IHO_OK },
	{ "word without NUL", word_no_nul, IHO_ERR_STRING },
	{ "word and a second NUL", word_long, IHO_ERR_STRING },
	{ "beginning of a word", word_prefix, IHO_ERR_VALUE },
	{ "no source ID", no_ids, IHO_ERR_LAYOUT },
	{ "source IDs of 3 bytes", odd_ids, IHO_ERR_LAYOUT },
	{ "nine source IDs", nine_ids, IHO_ERR_LIMIT },
	{ "no path", no_path, IHO_ERR_LAYOUT },
	{ "path of two steps", longer_path, IHO_OK },
	{ "path of seventeen steps", long_path, IHO_ERR_LIMIT },
	{ "bridges missing", no_bridges, IHO_ERR_LAYOUT },
	{ "bridges of one byte", bridges_byte, IHO_ERR_LAYOUT },
	{ "bridges of 4 bytes", bridges_cell, IHO_ERR_LAYOUT },
	{ "bridges of 16 KiB", bridges_largest, IHO_ERR_LAYOUT },
	{ "unit address", unit_address, IHO_ERR_CANON },
	{ "number with a zero before it", leading_zero, IHO_ERR_CANON },
	{ "number left out", wrong_number, IHO_ERR_CANON },
	{ "root with a name", root_name, IHO_ERR_CANON },
};

static void test_edited(void)
{
	u8 *image, *out, *fdt, *tree;
	struct iho_where where;
	size_t len, new_len, i;

	for (i = 0; i < sizeof(edited) / sizeof(edited[0]); i++) {
		scene_example(&world);
		image = scene_image(&world, &len);
		fdt = malloc(65536);
		must(fdt_open_into(image + 128, fdt, 65536));
		if (edited[i].edit)
			edited[i].edit(fdt);
		must(fdt_pack(fdt));
		/* takes out what else editing leaves behind */
		tree = fdt_rewrite(fdt);
		out = image_with_fdt(image, len, tree, &new_len);
		ok_err(image_check(out, new_len, &where), edited[i].err,
		       "edited: %s", edited[i].name);
		free(out);
		free(tree);
		free(fdt);
		free(image);
	}
}

/* ---- faults in the FDT's own bytes ------------------------------------ */

static u8 *fdt_of(u8 *image)
{
	return image + 128;
}

static u32 get(const u8 *p)
{
	return fdt32_ld((const void *)p);
}

/* A header field, set to a value or moved by one. */
static const struct {
	const char *name;
	u32 off, value;
	bool add;
	int err;
} fields[] = {
	{ "magic", 0, 1, true, IHO_ERR_FDT },
	{ "totalsize less", 4, ~0u, true, IHO_ERR_FDT },
	{ "totalsize more", 4, 1, true, IHO_ERR_FDT },
	{ "totalsize 0", 4, 0, false, IHO_ERR_FDT },
	{ "struct offset", 8, 4, true, IHO_ERR_CANON },
	{ "strings offset", 12, ~0u, true, IHO_ERR_CANON },
	{ "reserve map offset", 16, 40, false, IHO_ERR_CANON },
	{ "version 16", 20, 16, false, IHO_ERR_CANON },
	{ "version 1", 20, 1, false, IHO_ERR_FDT },
	{ "last compatible version 17", 24, 17, false, IHO_ERR_CANON },
	{ "last compatible version 18", 24, 18, false, IHO_ERR_FDT },
	{ "boot CPU", 28, 1, false, IHO_ERR_CANON },
	{ "strings size", 32, ~0u, true, IHO_ERR_CANON },
	{ "struct size", 36, ~3u, true, IHO_ERR_CANON },
	{ "reserve map entry", 63, 1, false, IHO_ERR_CANON },
	{ "padding behind the header", 44, 1, false, IHO_ERR_CANON },
};

static void test_fields(void)
{
	struct iho_where where;
	size_t len, i;
	u8 *image, *p;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		scene_example(&world);
		image = scene_image(&world, &len);
		p = fdt_of(image) + (fields[i].off & ~3u);
		if (fields[i].off & 3)
			fdt_of(image)[fields[i].off] = (u8)fields[i].value;
		else
			fdt32_st(p, fields[i].value +
				 (fields[i].add ? get(p) : 0));
		image_seal(image, len);
		ok_err(image_check(image, len, &where), fields[i].err,
		       "FDT header: %s", fields[i].name);
		free(image);
	}
}

/* Offset in the structure block of a property of /memory-0. */
static u8 *prop_at(u8 *image, const char *name)
{
	u8 *fdt = fdt_of(image);
	int node = fdt_path_offset(fdt, "/memory-0"), len;

	return (u8 *)fdt_get_property(fdt, node, name, &len);
}

static void test_bytes(void)
{
	struct iho_where where;
	u8 *image, *p, *strings;
	u32 size, other;
	size_t len;

#define FRESH()	(scene_example(&world), image = scene_image(&world, &len))
#define CHECK(want, what)						\
	do {								\
		image_seal(image, len);					\
		ok_err(image_check(image, len, &where), want,		\
		       "bytes: " what);					\
		free(image);						\
	} while (0)
	FRESH();
	p = prop_at(image, "session") + 12;
	p[9] = 1;		/* "vm-alpha" and its NUL end at 8 */
	CHECK(IHO_ERR_CANON, "padding of a property");

	FRESH();
	p = (u8 *)fdt_get_name(fdt_of(image),
			       fdt_path_offset(fdt_of(image), "/memory-0"),
			       NULL);
	p[9] = 0;
	p[10] = 'x';
	CHECK(IHO_ERR_CANON, "padding of a name");

	FRESH();
	fdt32_st(prop_at(image, "seals"), FDT_NOP);
	CHECK(IHO_ERR_CANON, "a tag that is NOP");

	FRESH();
	must(fdt_nop_property(fdt_of(image), at(fdt_of(image), "/memory-0"),
			      "seals"));
	CHECK(IHO_ERR_CANON, "NOPs for a property");

	FRESH();
	must(fdt_nop_node(fdt_of(image), at(fdt_of(image), "/context-1")));
	CHECK(IHO_ERR_CANON, "NOPs for a node");

	FRESH();
	fdt32_st(fdt_of(image) + 64, FDT_NOP);
	CHECK(IHO_ERR_CANON, "a first tag that is NOP");

	FRESH();
	fdt32_st(fdt_of(image) + 64, FDT_END_NODE);
	CHECK(IHO_ERR_FDT, "a first tag that ends a node");

	FRESH();
	fdt32_st(fdt_of(image) + 64, 0x1234);
	CHECK(IHO_ERR_FDT, "a first tag that is none");

	FRESH();
	fdt32_st(prop_at(image, "seals"), 7);
	CHECK(IHO_ERR_FDT, "a tag that is none");

	FRESH();
	fdt32_st(prop_at(image, "seals"), FDT_END_NODE);
	CHECK(IHO_ERR_LAYOUT, "a node that ends too soon");

	FRESH();
	fdt32_st(prop_at(image, "seals"), FDT_END);
	CHECK(IHO_ERR_LAYOUT, "a tree that ends in a node");

	FRESH();
	fdt32_st(prop_at(image, "session") + 4, 0x7fffffff);
	CHECK(IHO_ERR_FDT, "a property beyond the end");

	FRESH();
	fdt32_st(prop_at(image, "session") + 8, 0x7fffffff);
	CHECK(IHO_ERR_LAYOUT, "a name beyond the strings");

	FRESH();
	size = get(fdt_of(image) + 32);
	fdt32_st(prop_at(image, "session") + 8, size - 1);
	CHECK(IHO_ERR_LAYOUT, "the last byte of the strings as a name");

	/* "size" spelt by the end of another name would read just as well. */
	FRESH();
	strings = fdt_of(image) + get(fdt_of(image) + 12);
	other = get(prop_at(image, "size") + 8);
	strings[other] = 'S';
	CHECK(IHO_ERR_LAYOUT, "a name spelt otherwise");

	/* Two names of one length trade places in the strings block. */
	FRESH();
	strings = fdt_of(image) + get(fdt_of(image) + 12);
	size = get(prop_at(image, "token") + 8);
	other = get(prop_at(image, "seals") + 8);
	memcpy(strings + size, "seals", 5);
	memcpy(strings + other, "token", 5);
	for (p = fdt_of(image) + 64; p < strings; p += 4) {
		if (get(p) == size)
			fdt32_st(p, other);
		else if (get(p) == other)
			fdt32_st(p, size);
	}
	ok(fdt_path_offset(fdt_of(image), "/memory-0") > 0 &&
	   fdt_getprop(fdt_of(image), fdt_path_offset(fdt_of(image),
						      "/memory-0"),
		       "token", NULL), "bytes: libfdt reads what follows");
	CHECK(IHO_ERR_CANON, "names in another order");
}

/* Bytes that belong to no block and strings that nobody uses. */
static void test_slack(void)
{
	u8 *image, *out, *fdt;
	struct iho_where where;
	size_t len, new_len;
	u32 total;

	scene_example(&world);
	image = scene_image(&world, &len);
	total = fdt_totalsize(fdt_of(image));
	fdt = calloc(1, total + 64);
	memcpy(fdt, fdt_of(image), total);
	fdt_set_totalsize(fdt, total + 8);
	out = image_with_fdt(image, len, fdt, &new_len);
	ok_err(image_check(out, new_len, &where), IHO_ERR_CANON,
	       "slack: bytes behind the strings");
	free(out);
	memcpy(fdt + total, "spare", 6);
	fdt_set_totalsize(fdt, total + 6);
	fdt_set_size_dt_strings(fdt, fdt_size_dt_strings(fdt) + 6);
	out = image_with_fdt(image, len, fdt, &new_len);
	ok_err(image_check(out, new_len, &where), IHO_ERR_CANON,
	       "slack: a string that nobody uses");
	free(out);
	free(fdt);
	free(image);
}

/* fdt_find_string() of the writer would share bytes of such names. */
static void test_names(void)
{
	u32 i, j, shared = 0;
	size_t a, b;

	for (i = 0; i < IHO_NAMES; i++) {
		for (j = 0; j < IHO_NAMES; j++) {
			a = strlen(iho_names[i]);
			b = strlen(iho_names[j]);
			if (i != j && a <= b &&
			    !strcmp(iho_names[j] + (b - a), iho_names[i]))
				shared++;
		}
	}
	ok(!shared, "no property name is the end of another");
}

/* Nodes of one kind are found where they are, also when one is longer. */
static void test_find(void)
{
	struct iho_image img = { .major = 1 };
	char name[32];
	u32 i, odd, good = 0, tried = 0;
	size_t len;
	u8 *image;

	for (odd = 0; odd <= 61; odd++) {
		scene_small(&world);
		world.tables = 61;
		for (i = 0; i < world.tables; i++)
			world.table[i].format = i == odd ? 99 : 1;
		image = scene_image(&world, &len);
		if (iho_canon_check(image + 128, (u32)fdt_totalsize(image + 128),
				    &img, NULL))
			break;
		img.fdt = image + 128;
		for (i = 0; i < world.tables; i++) {
			snprintf(name, sizeof(name), "table-%u", i);
			good += !strcmp(fdt_get_name(img.fdt,
					iho_node_find(&img, IHO_NODE_TABLE, i),
					NULL), name);
			tried++;
		}
		free(image);
	}
	ok(tried == 62 * 61 && good == tried,
	   "%u of %u tables found, of which one is longer than the others",
	   good, tried);
}

/* More nodes of a kind than the format allows. */
static void test_limit(void)
{
	const int cap = 4 << 20;
	u8 *image, *out, *fdt = malloc(cap);
	struct iho_where where;
	size_t len, new_len;
	const fdt32_t version[2] = { cpu_to_fdt32(1), 0 };
	char name[16];
	u32 i;

	scene_small(&world);
	image = scene_image(&world, &len);
	must(fdt_create(fdt, cap));
	must(fdt_finish_reservemap(fdt));
	must(fdt_begin_node(fdt, ""));
	must(fdt_property(fdt, "version", version, 8));
	must(fdt_property_u64(fdt, "generation", 1));
	must(fdt_property_string(fdt, "release", "7.3.4"));
	must(fdt_property_u32(fdt, "page-bytes", 4096));
	for (i = 0; i <= IHO_MAX_DOMAINS; i++) {
		snprintf(name, sizeof(name), "domain-%u", i);
		must(fdt_begin_node(fdt, name));
		must(fdt_property_u32(fdt, "unit", 0));
		must(fdt_property_u32(fdt, "domain-id", i));
		must(fdt_property_u32(fdt, "space", 0));
		must(fdt_property_u32(fdt, "table", 0));
		must(fdt_end_node(fdt));
	}
	must(fdt_end_node(fdt));
	must(fdt_finish(fdt));
	out = image_with_fdt(image, len, fdt, &new_len);
	ok_err(image_check(out, new_len, &where), IHO_ERR_LIMIT,
	       "one domain too many");
	ok(!strcmp(where.node, "domain") && where.index == IHO_MAX_DOMAINS,
	   "and it is the last");
	free(out);
	free(fdt);
	free(image);
}

int main(void)
{
	test_names();
	test_written();
	test_edited();
	test_fields();
	test_bytes();
	test_slack();
	test_find();
	test_limit();
	return tap_end();
}

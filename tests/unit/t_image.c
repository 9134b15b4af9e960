// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images: header, checksums, sections, the order of checks; every byte
 * changed, every length cut, every way to lie in memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "scene.h"

static struct scene world;

#define OFF(member)	offsetof(struct iho_header, member)

static void be16_at(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 8);
	p[1] = (u8)v;
}

static void be32_at(u8 *p, u32 v)
{
	fdt32_st(p, v);
}

/* One fault in the header; whether its CRC and the digest are made right. */
static const struct {
	const char *name;
	size_t off;
	u32 bytes;
	u64 value;
	int err;
	const char *prop;
} header_cases[] = {
	{ "magic", OFF(magic), 1, 'X', IHO_ERR_MAGIC, "magic" },
	{ "magic's last", OFF(magic) + 7, 1, '2', IHO_ERR_MAGIC, "magic" },
	{ "header_len", OFF(header_len), 4, 132, IHO_ERR_HEADER, "header_len" },
	{ "major 0", OFF(major), 2, 0, IHO_ERR_VERSION, "major" },
	{ "major 2", OFF(major), 2, 2, IHO_ERR_VERSION, "major" },
	{ "minor alone", OFF(minor), 2, 1, IHO_ERR_RANGE, "version" },
	{ "total_len short", OFF(total_len), 8, 4096, IHO_ERR_GAP,
	  "total_len" },
	{ "total_len long", OFF(total_len), 8, 1 << 20, IHO_ERR_TRUNCATED,
	  "total_len" },
	{ "total_len odd", OFF(total_len), 8, 8193, IHO_ERR_ALIGN,
	  "total_len" },
	{ "total_len zero", OFF(total_len), 8, 0, IHO_ERR_GAP, "total_len" },
	{ "total_len huge", OFF(total_len), 8, (1ull << 30) + 4096,
	  IHO_ERR_LIMIT, "total_len" },
	{ "must_understand", OFF(must_understand), 4, 1, IHO_ERR_FEATURE,
	  "must_understand" },
	{ "must_understand's top", OFF(must_understand), 4, 1u << 31,
	  IHO_ERR_FEATURE, "must_understand" },
	{ "may_ignore", OFF(may_ignore), 4, 0x80000001, IHO_OK, "" },
	{ "fdt_off", OFF(fdt_off), 4, 136, IHO_ERR_HEADER, "fdt_off" },
	{ "fdt_len huge", OFF(fdt_len), 4, (4 << 20) - 127, IHO_ERR_LIMIT,
	  "fdt_len" },
	{ "fdt_len beyond", OFF(fdt_len), 4, 3 << 20, IHO_ERR_TRUNCATED,
	  "fdt_len" },
	{ "fdt_len zero", OFF(fdt_len), 4, 0, IHO_ERR_FDT_CRC, "fdt_crc" },
	{ "fdt_crc", OFF(fdt_crc), 4, 0, IHO_ERR_FDT_CRC, "fdt_crc" },
	{ "other byte order", OFF(record_order), 2, IHO_ORDER_BIG,
	  IHO_ERR_BYTE_ORDER, "record_order" },
	{ "no byte order", OFF(record_order), 2, 0, IHO_ERR_HEADER,
	  "record_order" },
	{ "reserved0", OFF(reserved0), 2, 1, IHO_ERR_HEADER, "reserved0" },
	{ "sections few", OFF(sections), 4, 0, IHO_ERR_COUNT, "sections" },
	{ "sections many", OFF(sections), 4, 3, IHO_ERR_COUNT, "sections" },
	{ "sections huge", OFF(sections), 4, IHO_MAX_CONTEXTS + 1,
	  IHO_ERR_LIMIT, "sections" },
	{ "reserved1", OFF(reserved1), 1, 1, IHO_ERR_HEADER, "reserved1" },
	{ "reserved1's last", OFF(reserved1) + 39, 1, 1, IHO_ERR_HEADER,
	  "reserved1" },
};

static void put(u8 *p, u32 bytes, u64 v)
{
	while (bytes--) {
		p[bytes] = (u8)v;
		v >>= 8;
	}
}

/* What the header alone shows is what the whole image shows first. */
static void test_peek(const u8 *image, size_t len, struct iho_image *img,
		      const char *what)
{
	struct iho_seg seg = { image, len };
	struct iho_where at, peek_at;
	u8 *header = exact(image, IHO_HEADER_LEN);
	u64 total = 0;
	int peek = iho_image_peek(header, &total, &peek_at);
	int err = iho_image_open(&seg, 1, img, &at);

	if (peek)
		ok(peek == err && !strcmp(at.prop, peek_at.prop) &&
		   at.offset == peek_at.offset, "header alone: %s", what);
	else
		ok(total == fdt64_ld((const void *)(image + OFF(total_len))),
		   "header alone: %s: the length is told", what);
	free(header);
}

static void test_header(void)
{
	struct iho_where where;
	struct iho_image img;
	struct iho_seg seg;
	size_t len, i;
	u8 *image;

	for (i = 0; i < sizeof(header_cases) / sizeof(header_cases[0]); i++) {
		scene_example(&world);
		image = scene_image(&world, &len);
		put(image + header_cases[i].off, header_cases[i].bytes,
		    header_cases[i].value);
		image_seal_header(image, len);
		seg.ptr = image;
		seg.len = len;
		memset(&where, 0x55, sizeof(where));
		ok_err(iho_image_open(&seg, 1, &img, &where),
		       header_cases[i].err, "header: %s", header_cases[i].name);
		if (header_cases[i].err)
			ok(!strcmp(where.prop, header_cases[i].prop) &&
			   where.record == IHO_NONE,
			   "header: %s: place", header_cases[i].name);
		test_peek(image, len, &img, header_cases[i].name);
		free(image);
	}
}

/* Two faults at once: the one that section 5 names first wins. */
static void test_order_of_checks(void)
{
	static const struct {
		size_t off;
		u8 flip;
		int err;
	} faults[] = {
		{ OFF(magic), 1, IHO_ERR_MAGIC },
		{ OFF(major), 1, IHO_ERR_VERSION },
		{ OFF(must_understand), 1, IHO_ERR_FEATURE },
		{ OFF(record_order), 1, IHO_ERR_HEADER },
		{ OFF(header_len), 1, IHO_ERR_HEADER },
		{ OFF(header_crc), 1, IHO_ERR_HEADER_CRC },
		{ OFF(digest), 1, IHO_ERR_DIGEST },
	};
	const size_t n = sizeof(faults) / sizeof(faults[0]);
	struct iho_where where;
	size_t len, i, j;
	u8 *image;

	for (i = 0; i < n; i++) {
		for (j = i + 1; j < n; j++) {
			scene_example(&world);
			image = scene_image(&world, &len);
			image[faults[i].off] ^= faults[i].flip;
			image[faults[j].off] ^= faults[j].flip;
			ok_err(image_check(image, len, &where), faults[i].err,
			       "byte %zu is found before byte %zu",
			       faults[i].off, faults[j].off);
			free(image);
		}
	}
}

/* Reserved fields count only once the CRC is known to be right. */
static void test_crc_before_reserved(void)
{
	struct iho_where where;
	size_t len;
	u8 *image;

	scene_example(&world);
	image = scene_image(&world, &len);
	image[OFF(reserved1)] = 1;
	ok_err(image_check(image, len, &where), IHO_ERR_HEADER_CRC,
	       "reserved field under a wrong CRC");
	free(image);
}

static void test_digest_place(void)
{
	struct iho_where where;
	size_t len;
	u8 *image;

	scene_example(&world);
	image = scene_image(&world, &len);
	image[128 + 200] ^= 1;
	ok_err(image_check(image, len, &where), IHO_ERR_DIGEST,
	       "a byte of the FDT");
	ok(!strcmp(where.node, "fdt"), "it is blamed on the FDT");
	image[128 + 200] ^= 1;

	image[128 - 40 - 1] ^= 1;
	ok_err(image_check(image, len, &where), IHO_ERR_DIGEST,
	       "a byte of the digest");
	ok(!strcmp(where.node, "") && where.offset == OFF(digest),
	   "it is blamed on that");
	image[128 - 40 - 1] ^= 1;

	image[world.context[1].stream_off + 20] ^= 1;
	ok_err(image_check(image, len, &where), IHO_ERR_SECTION,
	       "a byte of the second stream");
	ok(!strcmp(where.node, "stream") && where.index == 1 &&
	   where.offset == world.context[1].stream_off,
	   "it is blamed on that stream");
	image[world.context[1].stream_off + 20] ^= 1;

	image[len - 1] ^= 1;
	ok_err(image_check(image, len, &where), IHO_ERR_GAP,
	       "a byte of the padding");
	ok(where.offset == len - 1, "it is blamed on that byte");
	free(image);
}

/* Set a property of an existing node, length unchanged, and seal. */
static void set(u8 *image, size_t len, const char *path, const char *prop,
		const void *value, int size)
{
	int node = fdt_path_offset(image + 128, path);

	if (fdt_setprop_inplace(image + 128, node, prop, value, size))
		abort();
	image_seal(image, len);
}

static void set64(u8 *image, size_t len, const char *path, const char *prop,
		  u64 value)
{
	fdt64_t cells = cpu_to_fdt64(value);

	set(image, len, path, prop, &cells, sizeof(cells));
}

static void set32(u8 *image, size_t len, const char *path, const char *prop,
		  u32 value)
{
	fdt32_t cell = cpu_to_fdt32(value);

	set(image, len, path, prop, &cell, sizeof(cell));
}

/* The digest of a context's section is that of these bytes. */
static void set_digest(u8 *image, size_t len, u32 context, const void *bytes,
		       size_t bytes_len)
{
	char path[32];
	u8 digest[32];

	snprintf(path, sizeof(path), "/context-%u", context);
	sha256_of(bytes, bytes_len, digest);
	set(image, len, path, "stream-digest", digest, sizeof(digest));
}

static void check(u8 *image, size_t len, int err, const char *name)
{
	struct iho_where where;

	ok_err(image_check(image, len, &where), err, "sections: %s", name);
	free(image);
}

static void test_sections(void)
{
	const struct iho_context *c = world.context;
	size_t len, gap;
	u8 *image;

#define FRESH()	(scene_example(&world), image = scene_image(&world, &len))
	FRESH();
	set64(image, len, "/context-1", "stream-off", c[1].stream_off + 8);
	check(image, len, IHO_ERR_ALIGN, "offset misaligned");
	FRESH();
	set64(image, len, "/context-1", "stream-off", c[0].stream_off);
	check(image, len, IHO_ERR_GAP, "overlap");
	FRESH();
	set64(image, len, "/context-1", "stream-off", c[1].stream_off + 4096);
	check(image, len, IHO_ERR_GAP, "gap");
	FRESH();
	set64(image, len, "/context-0", "stream-off", 0);
	check(image, len, IHO_ERR_GAP, "over the header");
	FRESH();
	set64(image, len, "/context-1", "stream-len", c[1].stream_len + 4);
	check(image, len, IHO_ERR_ALIGN, "length misaligned");
	FRESH();
	set64(image, len, "/context-1", "stream-len", 1ull << 40);
	check(image, len, IHO_ERR_TRUNCATED, "beyond the end");
	FRESH();
	set64(image, len, "/context-1", "stream-len", -8ull);
	check(image, len, IHO_ERR_TRUNCATED, "length that would wrap");
	FRESH();
	set64(image, len, "/context-1", "stream-len", 0);
	check(image, len, IHO_ERR_COUNT, "records without a stream");
	FRESH();
	set32(image, len, "/context-1", "records", 0);
	check(image, len, IHO_ERR_COUNT, "a stream without records");
	FRESH();
	set32(image, len, "/context-1", "records", 2);
	check(image, len, IHO_ERR_COUNT, "fewer records than there are");
	FRESH();
	set32(image, len, "/context-1", "records", 4);
	check(image, len, IHO_ERR_COUNT, "more records than there are");
	FRESH();
	set_digest(image, len, 1, "", 0);
	check(image, len, IHO_ERR_SECTION, "digest in the FDT");
	FRESH();
	image[c[0].stream_off + 100] ^= 4;
	image_seal(image, len);
	check(image, len, IHO_ERR_SECTION, "byte of a stream");
	FRESH();
	gap = c[0].stream_off + c[0].stream_len;
	image[gap] = 1;
	image_seal(image, len);
	check(image, len, IHO_ERR_GAP, "padding behind a stream");
	FRESH();
	image[c[0].stream_off - 1] = 1;
	image_seal(image, len);
	check(image, len, IHO_ERR_GAP, "padding behind the FDT");
	FRESH();
	image[len - 1] = 1;
	image_seal(image, len);
	check(image, len, IHO_ERR_GAP, "padding at the end");
	FRESH();
	set64(image, len, "/context-1", "stream-len", c[1].stream_len - 8);
	check(image, len, IHO_ERR_SECTION, "stream longer than it says");
	FRESH();
	set64(image, len, "/context-1", "stream-len", c[1].stream_len - 8);
	set_digest(image, len, 1, image + c[1].stream_off,
		   c[1].stream_len - 8);
	check(image, len, IHO_ERR_GAP, "and says so in its digest");
	FRESH();
	image = realloc(image, len + 4096);
	memset(image + len, 0, 4096);
	len += 4096;
	put(image + OFF(total_len), 8, len);
	image_seal(image, len);
	check(image, len, IHO_ERR_GAP, "a page behind the last section");
}

static void test_minor(void)
{
	const fdt32_t version[2] = { cpu_to_fdt32(1), cpu_to_fdt32(7) };
	struct iho_where where;
	size_t len;
	u8 *image;

	scene_example(&world);
	image = scene_image(&world, &len);
	be16_at(image + OFF(minor), 7);
	set(image, len, "/", "version", version, sizeof(version));
	ok_err(image_check(image, len, &where), IHO_OK,
	       "a newer minor version is read");
	set32(image, len, "/", "page-bytes", 16384);
	ok_err(image_check(image, len, &where), IHO_ERR_VALUE,
	       "another page size is not supported");
	free(image);
}

/* Whatever byte of the image changes, and however, it is refused. */
static void test_every_byte(void)
{
	static const u8 flips[] = { 0x01, 0x80, 0xff };
	struct iho_where where;
	unsigned int accepted = 0, tried = 0;
	size_t len, i, j;
	u8 *image;

	scene_small(&world);
	image = scene_image(&world, &len);
	ok_err(image_check(image, len, &where), IHO_OK, "the small image");
	for (i = 0; i < len; i++) {
		for (j = 0; j < sizeof(flips); j++) {
			image[i] ^= flips[j];
			tried++;
			if (!image_check(image, len, &where)) {
				accepted++;
				diag("byte %zu ^ 0x%02x is accepted", i,
				     flips[j]);
			}
			image[i] ^= flips[j];
		}
	}
	ok(!accepted && tried == 3 * len,
	   "no change of one byte is accepted: %u tried", tried);
	free(image);
}

/*
 * The same with the checksums made right again: what is then accepted must be
 * built again to the same bytes. So there is no byte that nobody looks at.
 */
static void test_no_free_byte(void)
{
	unsigned int accepted = 0, refused = 0, free_bytes = 0;
	struct iho_where where;
	size_t len, new_len, i;
	u8 *image, *again;
	u32 bit;

	scene_example(&world);
	image = scene_image(&world, &len);
	for (i = 128; i < world.context[0].stream_off; i++) {
		for (bit = 0; bit < 8; bit++) {
			image[i] ^= 1 << bit;
			image_seal(image, len);
			if (image_check(image, len, &where)) {
				refused++;
			} else {
				accepted++;
				again = image_rebuild(image, len, &new_len);
				if (!again || new_len != len ||
				    memcmp(image, again, len)) {
					free_bytes++;
					diag("byte %zu bit %u is free", i, bit);
				}
				free(again);
			}
			image[i] ^= 1 << bit;
		}
	}
	ok(accepted && refused && !free_bytes,
	   "FDT: %u changes accepted and rebuilt equal, %u refused", accepted,
	   refused);
	free(image);
}

/* A stream under right checksums is judged by its plan alone, never a crash. */
static void test_stream_bytes(void)
{
	unsigned int accepted = 0, refused = 0, odd = 0;
	struct iho_where where;
	size_t len, new_len, i;
	u8 *image, *again;
	u32 bit, c;
	int err;

	scene_example(&world);
	image = scene_image(&world, &len);
	for (c = 0; c < 2; c++) {
		const struct iho_context *x = &world.context[c];
		for (i = 0; i < x->stream_len * 8; i++) {
			bit = i % 8;
			image[x->stream_off + i / 8] ^= 1 << bit;
			set_digest(image, len, c, image + x->stream_off,
				   x->stream_len);
			err = image_check(image, len, &where);
			if (err) {
				refused++;
				if (iho_error_family(err) == IHO_FAMILY_CALL)
					odd++;
			} else {
				accepted++;
				again = image_rebuild(image, len, &new_len);
				if (!again || memcmp(image, again, len))
					odd++;
				free(again);
			}
			image[x->stream_off + i / 8] ^= 1 << bit;
		}
		set_digest(image, len, c, image + x->stream_off,
			   x->stream_len);
	}
	ok(accepted && refused && !odd,
	   "streams: %u changes accepted and rebuilt equal, %u refused",
	   accepted, refused);
	free(image);
}

/* Cut at every length; each copy ends where its allocation does. */
static void test_truncation(void)
{
	unsigned int accepted = 0, other = 0;
	struct iho_where where;
	size_t len, i;
	u8 *image, *cut;
	int err;

	scene_small(&world);
	image = scene_image(&world, &len);
	for (i = 0; i < len; i++) {
		cut = exact(image, i);
		err = image_check(cut, i, &where);
		accepted += !err;
		other += err != -IHO_ERR_TRUNCATED;
		free(cut);
	}
	ok(!accepted && !other, "cut at each of %zu lengths: truncated", len);

	/* And when the header says what there is. */
	accepted = 0;
	for (i = 4096; i < len; i += 4096) {
		cut = exact(image, i);
		put(cut + OFF(total_len), 8, i);
		image_seal(cut, i);
		accepted += !image_check(cut, i, &where);
		free(cut);
	}
	ok(!accepted, "cut with the header made right: refused");
	free(image);
}

static void test_too_long(void)
{
	struct iho_where where;
	size_t len;
	u8 *image;

	scene_small(&world);
	image = scene_image(&world, &len);
	image = realloc(image, len + 1);
	image[len] = 0;
	ok_err(image_check(image, len + 1, &where), IHO_ERR_GAP,
	       "a byte behind the image");
	free(image);
}

/* In how many pieces it lies makes no difference. */
static void test_segments(void)
{
	struct iho_image whole, img;
	struct iho_seg seg[64];
	struct iho_where where;
	size_t len, at, n;
	u8 *image, *head;
	u32 cut;

	scene_example(&world);
	image = scene_image(&world, &len);
	seg[0] = (struct iho_seg){ image, len };
	ok_err(iho_image_open(seg, 1, &whole, NULL), IHO_OK, "one piece");
	for (cut = 1; cut <= 2; cut++) {
		for (n = 0, at = 0; at < len; n++) {
			size_t size = n ? 4096 * cut : 8192;

			if (size > len - at)
				size = len - at;
			seg[n].ptr = exact(image + at, size);
			seg[n].len = size;
			at += size;
		}
		ok_err(iho_image_open(seg, (u32)n, &img, &where), IHO_OK,
		       "%zu pieces", n);
		ok(!memcmp(img.digest, whole.digest, 32) &&
		   img.contexts == whole.contexts &&
		   img.generation == whole.generation,
		   "%zu pieces: the same image", n);
		((u8 *)seg[n - 1].ptr)[seg[n - 1].len - 1] ^= 1;
		ok_err(iho_image_open(seg, (u32)n, &img, &where),
		       IHO_ERR_GAP, "%zu pieces: last byte", n);
		while (n--)
			free((void *)seg[n].ptr);
	}
	head = exact(image, 1024);
	seg[0] = (struct iho_seg){ head, 1024 };
	seg[1] = (struct iho_seg){ image + 1024, len - 1024 };
	ok_err(iho_image_open(seg, 2, &img, &where), IHO_ERR_TRUNCATED,
	       "the FDT must lie in the first piece");
	free(head);
	free(image);
}

/*
 * The head alone, of which nothing may be read but what is there, whatever the
 * sections are; then each section, of which a damaged one spoils no other.
 */
static void test_head(void)
{
	const struct iho_context *c = world.context;
	struct iho_where where;
	struct iho_image img;
	struct iho_seg seg[2];
	size_t len, head_len;
	u8 *image, *head;

	scene_example(&world);
	image = scene_image(&world, &len);
	head_len = c[0].stream_off;
	head = exact(image, head_len);
	ok_err(iho_head_open(head, head_len, len, &img, &where), IHO_OK,
	       "head: its own bytes are enough");
	ok(img.total_len == len && img.contexts == 2 && img.devices == 3 &&
	   !strcmp(img.release, world.release),
	   "head: and say what the image has");
	ok_err(iho_head_open(head, head_len - 4096 + 8, len, &img, &where),
	       IHO_ERR_TRUNCATED, "head: less than its pages");
	ok_err(iho_head_open(head, head_len, len - 4096, &img, &where),
	       IHO_ERR_TRUNCATED, "head: a page of the image is missing");
	ok_err(iho_head_open(head, head_len, len + 4096, &img, &where),
	       IHO_ERR_GAP, "head: a page more is there");
	head[head_len - 1] ^= 1;
	ok_err(iho_head_open(head, head_len, len, &img, &where), IHO_ERR_GAP,
	       "head: what fills its last page");
	ok(!strcmp(where.node, "fdt") && where.offset == head_len - 1,
	   "head: it is blamed on that byte");
	head[head_len - 1] ^= 1;

	ok_err(iho_head_open(head, head_len, len, &img, &where), IHO_OK,
	       "section: the head is good");
	seg[0] = (struct iho_seg){ head, head_len };
	seg[1] = (struct iho_seg){ image + head_len, len - head_len };
	ok_err(iho_section_check(&img, seg, 2, 0, &where), IHO_OK,
	       "section: the first");
	ok_err(iho_section_check(&img, seg, 2, 1, &where), IHO_OK,
	       "section: the second");
	image[c[1].stream_off + 8] ^= 0x40;
	ok_err(iho_section_check(&img, seg, 2, 0, &where), IHO_OK,
	       "section: the first, with the second damaged");
	ok_err(iho_section_check(&img, seg, 2, 1, &where), IHO_ERR_SECTION,
	       "section: the second, damaged");
	ok(!strcmp(where.node, "stream") && where.index == 1 &&
	   !strcmp(where.prop, "stream-digest") && where.record == IHO_NONE &&
	   where.offset == c[1].stream_off, "section: place");
	image[c[1].stream_off + 8] ^= 0x40;
	image[c[1].stream_off - 1] ^= 0x40;
	ok_err(iho_section_check(&img, seg, 2, 0, &where), IHO_ERR_GAP,
	       "section: what fills the last page of the first");
	ok_err(iho_section_check(&img, seg, 2, 1, &where), IHO_OK,
	       "section: which is none of the second");
	ok_err(iho_section_check(&img, seg, 2, 2, &where), IHO_ERR_BADCALL,
	       "section: there is no third");
	free(head);
	free(image);
}

static void test_getters(void)
{
	struct iho_image img;
	struct iho_seg seg;
	struct iho_memory m;
	struct iho_unit u;
	struct iho_table t;
	struct iho_domain n;
	struct iho_device d;
	struct iho_context c;
	size_t len;
	void *index;
	u8 *image;
	u32 i, pass;

	scene_example(&world);
	image = scene_image(&world, &len);
	seg = (struct iho_seg){ image, len };
	iho_image_open(&seg, 1, &img, NULL);
	ok(img.generation == 42 && !strcmp(img.release, "7.3.4-example") &&
	   img.major == IHO_FORMAT_MAJOR && img.minor == IHO_FORMAT_MINOR &&
	   img.total_len == len, "what the root says");
#define ALL(what, var, count)						\
	do {								\
		for (i = 0; i < img.count; i++) {			\
			memset(&var, 0x55, sizeof(var));		\
			ok(!iho_get_##what(&img, i, &var) &&		\
			   !memcmp(&var, &world.what[i], sizeof(var)),	\
			   #what "-%u is read as it was written", i);	\
		}							\
		ok(img.count == world.count, "all of " #count);		\
		ok_err(iho_get_##what(&img, i, &var), IHO_ERR_BADCALL,	\
		       #what "-%u is not there", i);			\
		ok_err(iho_get_##what(&img, IHO_NONE, &var),		\
		       IHO_ERR_BADCALL, "nor is the one of no index");	\
	} while (0)
	index = malloc(iho_image_index_size(&img));
	for (pass = 0; pass < 2; pass++) {
		ALL(memory, m, memories);
		ALL(unit, u, units);
		ALL(table, t, tables);
		ALL(domain, n, domains);
		ALL(device, d, devices);
		ALL(context, c, contexts);
		iho_image_index(&img, index);
	}
	ok(img.owned[0].devices == 2 && img.owned[0].attached == 2 &&
	   img.owned[1].devices == 1 && !img.owned[1].attached,
	   "the index knows the devices of each context");
	free(index);
	free(image);
}

static void test_sealers(void)
{
	size_t len;
	u8 *image, *copy;

	scene_example(&world);
	image = scene_image(&world, &len);
	copy = exact(image, len);
	be32_at(copy + OFF(fdt_crc), 0);
	image_seal(copy, len);
	ok(!memcmp(image, copy, len), "the tests' own sealing is repeatable");
	free(copy);
	free(image);
}

int main(void)
{
	test_sealers();
	test_header();
	test_order_of_checks();
	test_crc_before_reserved();
	test_digest_place();
	test_sections();
	test_minor();
	test_every_byte();
	test_no_free_byte();
	test_stream_bytes();
	test_truncation();
	test_too_long();
	test_segments();
	test_head();
	test_getters();
	return tap_end();
}

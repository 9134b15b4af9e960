// SPDX-License-Identifier: GPL-2.0-only
/*
 * The envelope page.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "scene.h"

#define OFF(member)	offsetof(struct iho_envelope, member)
#define EXTENT		sizeof(struct iho_extent)

static u8 page[4096] __attribute__((aligned(8)));
static u64 pa[IHO_MAX_EXTENTS + 1], len[IHO_MAX_EXTENTS + 1];
static u64 got_pa[IHO_MAX_EXTENTS], got_len[IHO_MAX_EXTENTS];
static u8 digest[32], got_digest[32];

static int open_page(void)
{
	struct iho_where where;
	u32 extents;

	return iho_envelope_open(page, got_pa, got_len, &extents, got_digest,
				 &where);
}

static void seal(void)
{
	fdt32_st(page + OFF(crc), 0);
	fdt32_st(page + OFF(crc), iho_crc32(0, page, sizeof(page)));
}

static void build(u32 extents)
{
	u32 i;

	for (i = 0; i <= IHO_MAX_EXTENTS; i++) {
		pa[i] = 0x100000 + i * 0x4000ull;
		len[i] = 0x1000 + i % 3 * 0x1000ull;
	}
	for (i = 0; i < 32; i++)
		digest[i] = (u8)(i * 7 + 1);
	if (iho_envelope_build(page, pa, len, extents, digest))
		abort();
}

static void test_good(void)
{
	static const u32 counts[] = { 1, 2, 100, IHO_MAX_EXTENTS };
	u32 extents, i;

	ok(sizeof(struct iho_envelope) <= 4096, "it fits its page");
	for (i = 0; i < 4; i++) {
		memset(page, 0xff, sizeof(page));
		build(counts[i]);
		memset(got_pa, 0, sizeof(got_pa));
		memset(got_digest, 0, sizeof(got_digest));
		ok_err(iho_envelope_open(page, got_pa, got_len, &extents,
					 got_digest, NULL), IHO_OK,
		       "%u extents", counts[i]);
		ok(extents == counts[i] &&
		   !memcmp(pa, got_pa, counts[i] * sizeof(pa[0])) &&
		   !memcmp(len, got_len, counts[i] * sizeof(len[0])) &&
		   !memcmp(digest, got_digest, 32),
		   "%u extents: read as they were written", counts[i]);
	}
}

static void test_build(void)
{
	build(2);
	ok_err(iho_envelope_build(page, pa, len, 0, digest), IHO_ERR_RANGE,
	       "build: no extent");
	ok_err(iho_envelope_build(page, pa, len, IHO_MAX_EXTENTS + 1, digest),
	       IHO_ERR_LIMIT, "build: an extent too many");
	pa[1] |= 0x800;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_ERR_ALIGN,
	       "build: address misaligned");
	pa[1] = 0;
	len[1] = 8;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_ERR_ALIGN,
	       "build: length misaligned");
	len[1] = 0;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_ERR_RANGE,
	       "build: empty extent");
	pa[1] = 1ull << 52;
	len[1] = 4096;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_ERR_RANGE,
	       "build: address over 52 bits");
	pa[1] = (1ull << 52) - 4096;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_OK,
	       "build: last page of 52 bits");
	len[1] = 8192;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_ERR_RANGE,
	       "build: end over 52 bits");
	pa[1] = pa[0];
	len[1] = 4096;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_ERR_OVERLAP,
	       "build: extents overlap");
	pa[1] = 1ull << 40;
	len[1] = 1ull << 30;
	ok_err(iho_envelope_build(page, pa, len, 2, digest), IHO_ERR_LIMIT,
	       "build: more than an image");
}

static const struct {
	const char *name;
	size_t off;
	u32 bytes;
	u64 value;
	int err;
} cases[] = {
	{ "magic", OFF(magic), 1, 0, IHO_ERR_MAGIC },
	{ "major", OFF(major), 2, 2, IHO_ERR_VERSION },
	{ "minor", OFF(minor), 2, 3, IHO_OK },
	{ "no extent", OFF(extents), 4, 0, IHO_ERR_RANGE },
	{ "too many extents", OFF(extents), 4, 249, IHO_ERR_LIMIT },
	{ "image_len", OFF(image_len), 8, 4096, IHO_ERR_HEADER },
	{ "reserved", OFF(reserved), 4, 1, IHO_ERR_HEADER },
	{ "reserved's last", OFF(reserved) + 59, 1, 1, IHO_ERR_HEADER },
	{ "unused extent", OFF(extent) + 3 * EXTENT, 8, 4096,
	  IHO_ERR_HEADER },
	{ "behind the extents", 4095, 1, 1, IHO_ERR_HEADER },
	{ "address misaligned", OFF(extent) + EXTENT, 8, 0x100,
	  IHO_ERR_ALIGN },
	{ "length misaligned", OFF(extent) + EXTENT + 8, 8, 0x100,
	  IHO_ERR_ALIGN },
	{ "length 0", OFF(extent) + EXTENT + 8, 8, 0, IHO_ERR_RANGE },
	{ "address over 52 bits", OFF(extent) + EXTENT, 8, 1ull << 52,
	  IHO_ERR_RANGE },
	{ "end would wrap", OFF(extent) + EXTENT + 8, 8, ~0xfffull,
	  IHO_ERR_RANGE },
	{ "overlap", OFF(extent) + EXTENT, 8, 0x100000, IHO_ERR_OVERLAP },
	{ "overlap from below", OFF(extent) + 2 * EXTENT, 8, 0xff000,
	  IHO_ERR_OVERLAP },
	{ "more than an image", OFF(extent) + 2 * EXTENT + 8, 8, 1ull << 30,
	  IHO_ERR_LIMIT },
};

static void test_fields(void)
{
	u64 v;
	size_t i;
	u32 j;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build(3);
		for (v = cases[i].value, j = cases[i].bytes; j--; v >>= 8)
			page[cases[i].off + j] = (u8)v;
		seal();
		ok_err(open_page(), cases[i].err, "%s", cases[i].name);
	}
}

static void test_every_byte(void)
{
	u32 accepted = 0, i;

	build(3);
	for (i = 0; i < sizeof(page); i++) {
		page[i] ^= 1;
		accepted += !open_page();
		page[i] ^= 1;
	}
	ok(!accepted, "no change of one byte is accepted");
	page[200] ^= 1;
	ok_err(open_page(), IHO_ERR_HEADER_CRC, "and it is the CRC that tells");
}

int main(void)
{
	test_good();
	test_build();
	test_fields();
	test_every_byte();
	return tap_end();
}

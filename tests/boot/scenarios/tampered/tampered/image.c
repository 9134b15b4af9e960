// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "image.h"

/* Where the FDT's own header has what is needed (Devicetree 0.4, 5.2). */
#define FDT_TOTALSIZE	4
#define FDT_OFF_STRUCT	8
#define FDT_OFF_STRINGS	12
#define FDT_SIZE_STRUCT	36
#define FDT_TAG_BEGIN	1u
#define FDT_TAG_END	2u
#define FDT_TAG_PROP	3u
#define FDT_TAG_LAST	9u

uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

void put32(uint8_t *p, uint32_t v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

void put64(uint8_t *p, uint64_t v)
{
	put32(p, v >> 32);
	put32(p + 4, v);
}

uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;
	int bit;

	while (len--) {
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* ---- SHA-256 (FIPS 180-4) ------------------------------------------------ */

static uint32_t ror(uint32_t v, int n)
{
	return v >> n | v << (32 - n);
}

static void sha256_block(uint32_t h[8], const uint8_t *p)
{
	static uint32_t k[64];
	uint32_t w[64], v[8], s0, s1, t1, t2;
	int i;

	if (!k[0]) {
		/* Fractions of the cube roots of the first 64 primes. */
		unsigned int prime = 2, d, n;

		for (n = 0; n < 64; prime++) {
			unsigned __int128 target, cube, x = 0;
			int bit;

			for (d = 2; d * d <= prime && prime % d; d++)
				;
			if (d * d <= prime)
				continue;
			target = (unsigned __int128)prime << 96;
			for (bit = 34; bit >= 0; bit--) {
				x |= (unsigned __int128)1 << bit;
				cube = x * x * x;
				if (cube > target)
					x ^= (unsigned __int128)1 << bit;
			}
			k[n++] = (uint32_t)x;
		}
	}
	for (i = 0; i < 16; i++)
		w[i] = get32(p + 4 * i);
	for (; i < 64; i++) {
		s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
		s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
	memcpy(v, h, sizeof(v));
	for (i = 0; i < 64; i++) {
		s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25);
		t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
		s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
		t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (i = 0; i < 8; i++)
		h[i] += v[i];
}

void sha256_of(const uint8_t *p, size_t len, uint8_t digest[32])
{
	static const uint32_t first[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	/* What is left of the input, a bit, zeroes, and its length in bits */
	uint8_t last[128] = { 0 };
	size_t whole = len & ~(size_t)63, rest = len - whole, i;
	size_t end = rest < 56 ? 64 : 128;
	uint32_t h[8];

	memcpy(h, first, sizeof(h));
	for (i = 0; i < whole; i += 64)
		sha256_block(h, p + i);
	memcpy(last, p + whole, rest);
	last[rest] = 0x80;
	put64(last + end - 8, (uint64_t)len * 8);
	for (i = 0; i < end; i += 64)
		sha256_block(h, last + i);
	for (i = 0; i < 8; i++)
		put32(digest + 4 * i, h[i]);
}

/* ---- the image ----------------------------------------------------------- */

void image_sign_header(struct image *img)
{
	/* Altered, it may be more than there is */
	uint64_t head = IHO_HEADER_LEN + (uint64_t)get32(HEAD(img, fdt_len));

	if (head > img->len)
		head = img->len;
	memset(HEAD(img, header_crc), 0, 4);
	memset(HEAD(img, digest), 0, 32);
	put32(HEAD(img, header_crc), crc32_of(img->b, IHO_HEADER_LEN));
	sha256_of(img->b, head, HEAD(img, digest));
}

void image_sign(struct image *img)
{
	put32(HEAD(img, fdt_crc), crc32_of(img->b + IHO_HEADER_LEN,
					   get32(HEAD(img, fdt_len))));
	image_sign_header(img);
}

uint32_t image_props(const struct image *img, struct prop props[PROPS_MAX])
{
	const uint8_t *fdt = img->b + IHO_HEADER_LEN;
	const uint8_t *p = fdt + get32(fdt + FDT_OFF_STRUCT);
	const char *strings = (const char *)fdt + get32(fdt + FDT_OFF_STRINGS);
	char node[32] = "root";
	uint32_t nr = 0, tag, len;

	while ((tag = get32(p)) != FDT_TAG_LAST) {
		p += 4;
		if (tag == FDT_TAG_BEGIN) {
			if (*p)
				snprintf(node, sizeof(node), "%s", p);
			p += (strlen((const char *)p) + 4) & ~3u;
		} else if (tag == FDT_TAG_PROP) {
			check(nr < PROPS_MAX, "too many properties");
			len = get32(p);
			snprintf(props[nr].node, sizeof(node), "%s", node);
			snprintf(props[nr].name, sizeof(props[nr].name), "%s",
				 strings + get32(p + 4));
			props[nr].off = p + 8 - img->b;
			props[nr++].len = len;
			p += 8 + ((len + 3) & ~3u);
		} else {
			check(tag == FDT_TAG_END, "tag %#x in the FDT", tag);
		}
	}
	return nr;
}

const struct prop *image_prop(const struct prop *props,
			      uint32_t nr, const char *node,
			      const char *name)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(props[i].node, node) &&
		    !strcmp(props[i].name, name))
			return &props[i];
	check(false, "the image has no %s of %s", name, node);
}

void image_resize_prop(struct image *img, const struct prop *prop,
		       const void *value, uint32_t len)
{
	uint8_t *fdt = img->b + IHO_HEADER_LEN, *at = img->b + prop->off;
	uint32_t fdt_len = get32(HEAD(img, fdt_len));
	uint32_t from = (prop->len + 3) & ~3u, to = (len + 3) & ~3u;
	uint8_t *end = fdt + fdt_len;
	uint32_t delta = to - from;

	check((IHO_HEADER_LEN + fdt_len + delta + 4095) / 4096 ==
	      (IHO_HEADER_LEN + fdt_len + 4095) / 4096, "no room in the page");
	memmove(at + to, at + from, end - (at + from));
	if (to < from)
		memset(end - (from - to), 0, from - to);
	memset(at, 0, to);
	memcpy(at, value, len);
	put32(at - 8, len);
	put32(fdt + FDT_TOTALSIZE, get32(fdt + FDT_TOTALSIZE) + delta);
	put32(fdt + FDT_OFF_STRINGS, get32(fdt + FDT_OFF_STRINGS) + delta);
	put32(fdt + FDT_SIZE_STRUCT, get32(fdt + FDT_SIZE_STRUCT) + delta);
	put32(HEAD(img, fdt_len), fdt_len + delta);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing a handover image. Written from formats/handover.rst alone, so that
 * the library is not tested with itself.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "../../../../../formats/handover_abi.h"
#include "guest.h"

#define IMAGE_CAP	(64u << 10)
#define PROPS_MAX	256

/**
 * struct prop - a property of the image's FDT
 * @node: its node, "root" for the root
 * @name: its name
 * @off: of its value, in the image
 * @len: bytes
 */
struct prop {
	char node[32];
	char name[32];
	uint32_t off;
	uint32_t len;
};

struct image {
	uint32_t len;
	uint8_t b[IMAGE_CAP] __attribute__((aligned(4096)));
};

/* Big-endian, as in an FDT. */
uint32_t get32(const uint8_t *p);
uint64_t get64(const uint8_t *p);
void put32(uint8_t *p, uint32_t v);
void put64(uint8_t *p, uint64_t v);

/** HEAD() - where a member of the header is */
#define HEAD(img, member)	((img)->b + offsetof(struct iho_header, member))

uint32_t crc32_of(const uint8_t *p, size_t len);
void sha256_of(const uint8_t *p, size_t len, uint8_t digest[32]);

/** image_sign_header() - make header_crc and the digest of the head right */
void image_sign_header(struct image *img);

/** image_sign() - make the FDT's CRC, header_crc and that digest right */
void image_sign(struct image *img);

/** image_props() - list the properties. Return: how many */
uint32_t image_props(const struct image *img, struct prop props[PROPS_MAX]);

/** image_prop() - the property of this name; exits with 1 when there is none */
const struct prop *image_prop(const struct prop *props, uint32_t nr,
			      const char *node, const char *name);

/**
 * image_resize_prop() - give a property a value of another length
 *
 * The streams stay in place. Exits with 1 when there is no room.
 */
void image_resize_prop(struct image *img, const struct prop *prop,
		       const void *value, uint32_t len);

#endif /* IMAGE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kexec-tools glue of the handover library: what iho.h needs of its host.
 * SHA-256 is kexec-tools' own, CRC-32 is zlib's, libfdt is the system's: the
 * copy in kexec/libfdt is too old and x86 does not build it.
 */
#ifndef HANDOVER_GLUE_H
#define HANDOVER_GLUE_H

#if !__has_include(<libfdt.h>)
#error "libfdt.h not found: install libfdt-dev (its static library is needed)"
#elif !__has_include(<zlib.h>)
#error "zlib.h not found: install zlib1g-dev (its static library is needed)"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <libfdt.h>
#include <sha256.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;

struct iho_sha256 {
	sha256_context ctx;
};

static inline void iho_sha256_init(struct iho_sha256 *sha)
{
	sha256_starts(&sha->ctx);
}

static inline void iho_sha256_update(struct iho_sha256 *sha, const void *buf,
				     size_t len)
{
	sha256_update(&sha->ctx, buf, len);
}

static inline void iho_sha256_final(struct iho_sha256 *sha, u8 digest[32])
{
	sha256_finish(&sha->ctx, digest);
}

static inline u32 iho_crc32(u32 crc, const void *buf, size_t len)
{
	return (u32)crc32(crc, buf, (uInt)len);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel glue of the handover library: what lib/iho.h needs of its host.
 */
#ifndef HANDOVER_GLUE_H
#define HANDOVER_GLUE_H

#include <crypto/sha2.h>
#include <linux/crc32.h>
#include <linux/libfdt.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/types.h>

#define iho_sha256	sha256_ctx

static inline void iho_sha256_init(struct iho_sha256 *ctx)
{
	sha256_init(ctx);
}

/* The CPU's instructions for it run with preemption off: not for long at a time. */
#define IHO_SHA256_STEP	SZ_64K

static inline void iho_sha256_update(struct iho_sha256 *ctx, const void *buf,
				     size_t len)
{
	for (; len > IHO_SHA256_STEP; len -= IHO_SHA256_STEP) {
		sha256_update(ctx, buf, IHO_SHA256_STEP);
		buf += IHO_SHA256_STEP;
	}
	sha256_update(ctx, buf, len);
}

static inline void iho_sha256_final(struct iho_sha256 *ctx, u8 digest[32])
{
	sha256_final(ctx, digest);
}

/* zlib's convention: starts with 0, inverted inside. */
static inline u32 iho_crc32(u32 crc, const void *buf, size_t len)
{
	return ~crc32_le(~crc, buf, len);
}

#endif

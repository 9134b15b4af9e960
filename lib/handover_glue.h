/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Host glue of lib/ for user space: the offline tool and unit tests.
 * The kernel and kexec-tools have their own file of this name.
 */
#ifndef HANDOVER_GLUE_H
#define HANDOVER_GLUE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <libfdt.h>
#include <sys/types.h>
#include <sha2.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;

static inline u32 iho_crc32(u32 crc, const void *buf, size_t len)
{
	return (u32)crc32_z(crc, buf, len);
}

struct iho_sha256 {
	SHA2_CTX ctx;
};

static inline void iho_sha256_init(struct iho_sha256 *sha)
{
	SHA256Init(&sha->ctx);
}

static inline void iho_sha256_update(struct iho_sha256 *sha, const void *buf,
				     size_t len)
{
	SHA256Update(&sha->ctx, buf, len);
}

static inline void iho_sha256_final(struct iho_sha256 *sha, u8 digest[32])
{
	SHA256Final(digest, &sha->ctx);
}

#endif

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the page that says where an image is (section 8).
 */
#include "iho_internal.h"

#define OFF(member)	offsetof(struct iho_envelope, member)
#define EXTENT(i)	(OFF(extent) + (i) * (u32)sizeof(struct iho_extent))

static u32 envelope_crc(const u8 *page)
{
	static const u8 zero[4];
	u32 crc;

	crc = iho_crc32(0, page, OFF(crc));
	crc = iho_crc32(crc, zero, sizeof(zero));
	return iho_crc32(crc, page + OFF(crc) + sizeof(zero),
			 IHO_PAGE_SIZE - OFF(crc) - sizeof(zero));
}

static int extent_error(const u64 *pa, const u64 *len, u32 i)
{
	const u64 end = 1ull << IHO_MAX_PA_LG2;
	u32 j;

	if (pa[i] % IHO_PAGE_SIZE || len[i] % IHO_PAGE_SIZE)
		return IHO_ERR_ALIGN;
	if (!len[i] || pa[i] >= end || len[i] > end - pa[i])
		return IHO_ERR_RANGE;
	for (j = 0; j < i; j++)
		if (pa[i] < pa[j] + len[j] && pa[j] < pa[i] + len[i])
			return IHO_ERR_OVERLAP;
	return IHO_OK;
}

int iho_envelope_build(void *page, const u64 *pa, const u64 *len, u32 extents,
		       const u8 digest[32])
{
	u8 *p = page;
	u64 sum = 0;
	u32 i;
	int err;

	if (!extents)
		return -IHO_ERR_RANGE;
	if (extents > IHO_MAX_EXTENTS)
		return -IHO_ERR_LIMIT;
	memset(p, 0, IHO_PAGE_SIZE);
	for (i = 0; i < extents; i++) {
		err = extent_error(pa, len, i);
		if (err)
			return -err;
		if (len[i] > IHO_MAX_IMAGE - sum)
			return -IHO_ERR_LIMIT;
		sum += len[i];
		iho_put64(p + EXTENT(i), pa[i]);
		iho_put64(p + EXTENT(i) + 8, len[i]);
	}
	memcpy(p, IHO_ENV_MAGIC, 8);
	iho_put16(p + OFF(major), IHO_FORMAT_MAJOR);
	iho_put16(p + OFF(minor), IHO_FORMAT_MINOR);
	iho_put32(p + OFF(extents), extents);
	iho_put64(p + OFF(image_len), sum);
	memcpy(p + OFF(digest), digest, 32);
	iho_put32(p + OFF(crc), envelope_crc(p));
	return 0;
}

#define ENV_FAIL(err, at, what)						\
	iho_fail(where, err, at, "header", IHO_NONE, what, IHO_NONE)

int iho_envelope_open(const void *page, u64 *pa, u64 *len, u32 *extents,
		      u8 digest[32], struct iho_where *where)
{
	const u8 *p = page;
	u64 sum = 0;
	u32 count, i;
	int err;

	if (memcmp(p, IHO_ENV_MAGIC, 8))
		return ENV_FAIL(IHO_ERR_MAGIC, OFF(magic), "magic");
	if (iho_be16(p + OFF(major)) != IHO_FORMAT_MAJOR)
		return ENV_FAIL(IHO_ERR_VERSION, OFF(major), "major");
	if (envelope_crc(p) != iho_be32(p + OFF(crc)))
		return ENV_FAIL(IHO_ERR_HEADER_CRC, OFF(crc), "crc");
	if (iho_zeroes(p + OFF(reserved), 60) != 60)
		return ENV_FAIL(IHO_ERR_HEADER, OFF(reserved), "reserved");
	count = iho_be32(p + OFF(extents));
	if (!count)
		return ENV_FAIL(IHO_ERR_RANGE, OFF(extents), "extents");
	if (count > IHO_MAX_EXTENTS)
		return ENV_FAIL(IHO_ERR_LIMIT, OFF(extents), "extents");
	for (i = 0; i < count; i++) {
		pa[i] = iho_be64(p + EXTENT(i));
		len[i] = iho_be64(p + EXTENT(i) + 8);
		err = extent_error(pa, len, i);
		if (err)
			return ENV_FAIL(err, EXTENT(i), "extent");
		if (len[i] > IHO_MAX_IMAGE - sum)
			return ENV_FAIL(IHO_ERR_LIMIT, EXTENT(i), "extent");
		sum += len[i];
	}
	if (sum != iho_be64(p + OFF(image_len)))
		return ENV_FAIL(IHO_ERR_HEADER, OFF(image_len), "image_len");
	if (iho_zeroes(p + EXTENT(i), IHO_PAGE_SIZE - EXTENT(i)) !=
	    IHO_PAGE_SIZE - EXTENT(i))
		return ENV_FAIL(IHO_ERR_HEADER, EXTENT(i), "extent");
	memcpy(digest, p + OFF(digest), 32);
	*extents = count;
	return 0;
}

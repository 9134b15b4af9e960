// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: check an image (sections 2 and 5).
 */
#include "iho_internal.h"

#define CRC_OFF		offsetof(struct iho_header, header_crc)
#define DIGEST_OFF	offsetof(struct iho_header, digest)
#define DIGEST_LEN	32u

/* A position in the pieces of an image. */
struct reader {
	const struct iho_seg *seg;
	u32 segs;
	size_t off;		/* in *seg */
};

static void reader_init(struct reader *r, const struct iho_seg *seg, u32 segs,
			u64 off)
{
	while (segs && off >= seg->len) {
		off -= seg->len;
		seg++;
		segs--;
	}
	r->seg = seg;
	r->segs = segs;
	r->off = (size_t)off;
}

/* Next contiguous bytes, @want at most; 0 at the end. */
static size_t reader_next(struct reader *r, u64 want, const u8 **ptr)
{
	size_t len;

	while (r->segs && r->off == r->seg->len) {
		r->seg++;
		r->segs--;
		r->off = 0;
	}
	if (!r->segs || !want)
		return 0;
	len = r->seg->len - r->off;
	if (len > want)
		len = (size_t)want;
	*ptr = (const u8 *)r->seg->ptr + r->off;
	r->off += len;
	return len;
}

static u32 range_crc(const struct iho_seg *seg, u32 segs, u64 off, u64 len)
{
	struct reader r;
	const u8 *p;
	size_t n;
	u32 crc = 0;

	reader_init(&r, seg, segs, off);
	while ((n = reader_next(&r, len, &p))) {
		crc = iho_crc32(crc, p, n);
		len -= n;
	}
	return crc;
}

/* Offset of the first byte that is not zero, or the end of the range. */
static u64 range_zeroes(const struct iho_seg *seg, u32 segs, u64 off, u64 len)
{
	struct reader r;
	const u8 *p;
	size_t n;
	u64 same;

	reader_init(&r, seg, segs, off);
	while ((n = reader_next(&r, len, &p))) {
		same = iho_zeroes(p, n);
		off += same;
		if (same != n)
			break;
		len -= n;
	}
	return off;
}

void iho_image_digest(const struct iho_seg *seg, u32 segs, u64 len,
		      u8 digest[32])
{
	struct iho_sha256 sha;
	u8 header[IHO_HEADER_LEN];
	struct reader r;
	const u8 *p;
	size_t n;

	memcpy(header, seg->ptr, sizeof(header));
	memset(header + DIGEST_OFF, 0, DIGEST_LEN);
	iho_sha256_init(&sha);
	iho_sha256_update(&sha, header, sizeof(header));
	reader_init(&r, seg, segs, sizeof(header));
	for (len -= sizeof(header); (n = reader_next(&r, len, &p)); len -= n)
		iho_sha256_update(&sha, p, n);
	iho_sha256_final(&sha, digest);
}

u32 iho_header_crc(const u8 *header)
{
	u8 copy[IHO_HEADER_LEN];

	memcpy(copy, header, sizeof(copy));
	memset(copy + CRC_OFF, 0, 4);
	memset(copy + DIGEST_OFF, 0, DIGEST_LEN);
	return iho_crc32(0, copy, sizeof(copy));
}

/* ---- header ---------------------------------------------------------- */

struct head {
	u64 total_len;
	u32 fdt_len, fdt_crc, sections;
};

#define OFF(member)	offsetof(struct iho_header, member)
#define HEAD_FAIL(err, member)						\
	iho_fail(where, err, OFF(member), "header", IHO_NONE, #member,	\
		 IHO_NONE)

static int check_identity(const u8 *h, struct iho_where *where)
{
	u32 order = iho_be16(h + OFF(record_order));

	if (memcmp(h, IHO_MAGIC, 8))
		return HEAD_FAIL(IHO_ERR_MAGIC, magic);
	if (iho_be16(h + OFF(major)) != IHO_FORMAT_MAJOR)
		return HEAD_FAIL(IHO_ERR_VERSION, major);
	if (iho_be32(h + OFF(must_understand)))
		return HEAD_FAIL(IHO_ERR_FEATURE, must_understand);
	if (order != IHO_ORDER_LITTLE && order != IHO_ORDER_BIG)
		return HEAD_FAIL(IHO_ERR_HEADER, record_order);
	if (order != iho_native_order())
		return HEAD_FAIL(IHO_ERR_BYTE_ORDER, record_order);
	return 0;
}

/* What the header alone shows of the lengths. */
static int check_limits(const u8 *h, struct head *head,
			struct iho_where *where)
{
	head->total_len = iho_be64(h + OFF(total_len));
	head->fdt_len = iho_be32(h + OFF(fdt_len));
	head->fdt_crc = iho_be32(h + OFF(fdt_crc));
	head->sections = iho_be32(h + OFF(sections));

	if (iho_be32(h + OFF(header_len)) != IHO_HEADER_LEN)
		return HEAD_FAIL(IHO_ERR_HEADER, header_len);
	if (head->total_len > IHO_MAX_IMAGE)
		return HEAD_FAIL(IHO_ERR_LIMIT, total_len);
	if (head->total_len % IHO_PAGE_SIZE)
		return HEAD_FAIL(IHO_ERR_ALIGN, total_len);
	if (iho_be32(h + OFF(fdt_off)) != IHO_HEADER_LEN)
		return HEAD_FAIL(IHO_ERR_HEADER, fdt_off);
	if (head->fdt_len > IHO_MAX_HEAD - IHO_HEADER_LEN)
		return HEAD_FAIL(IHO_ERR_LIMIT, fdt_len);
	if (head->sections > IHO_MAX_CONTEXTS)
		return HEAD_FAIL(IHO_ERR_LIMIT, sections);
	return 0;
}

/* The lengths against what is there. */
static int check_lengths(const struct iho_seg *seg, u32 segs,
			 const struct head *head, struct iho_where *where)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < segs; i++) {
		if (seg[i].len > IHO_MAX_IMAGE - sum)
			return HEAD_FAIL(IHO_ERR_LIMIT, total_len);
		sum += seg[i].len;
	}
	if (sum < head->total_len)
		return HEAD_FAIL(IHO_ERR_TRUNCATED, total_len);
	if (sum > head->total_len)
		return HEAD_FAIL(IHO_ERR_GAP, total_len);
	if (head->fdt_len > seg->len - IHO_HEADER_LEN)
		return HEAD_FAIL(IHO_ERR_TRUNCATED, fdt_len);
	return 0;
}

static int check_reserved(const u8 *h, struct iho_where *where)
{
	if (iho_be16(h + OFF(reserved0)))
		return HEAD_FAIL(IHO_ERR_HEADER, reserved0);
	if (iho_zeroes(h + OFF(reserved1), 40) != 40)
		return HEAD_FAIL(IHO_ERR_HEADER, reserved1);
	return 0;
}

/* ---- sections -------------------------------------------------------- */

static int context_fail(struct iho_where *where, int err, u64 at, u32 index,
			enum iho_name name)
{
	return iho_fail(where, err, at, "context", index, iho_names[name],
			IHO_NONE);
}

static int check_sections(const struct iho_image *img,
			  const struct iho_seg *seg, u32 segs, u32 sections,
			  struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	u64 end = IHO_HEADER_LEN + img->fdt_len;
	struct iho_cursor cur;
	union iho_fact fact;
	const struct iho_context *c = &fact.context;
	u64 pos, dirty;
	u32 i;

	if (sections != img->contexts)
		return HEAD_FAIL(IHO_ERR_COUNT, sections);
	pos = iho_pad(end, IHO_PAGE_SIZE);
	iho_cursor_init(&cur, &src, IHO_NODE_CONTEXT);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (c->stream_off % IHO_PAGE_SIZE)
			return context_fail(where, IHO_ERR_ALIGN, cur.at, i,
					    IHO_NAME_STREAM_OFF);
		if (c->stream_len % 8)
			return context_fail(where, IHO_ERR_ALIGN, cur.at, i,
					    IHO_NAME_STREAM_LEN);
		if (c->stream_off != pos)
			return context_fail(where, IHO_ERR_GAP, cur.at, i,
					    IHO_NAME_STREAM_OFF);
		if (!c->stream_len != !c->records)
			return context_fail(where, IHO_ERR_COUNT, cur.at, i,
					    IHO_NAME_RECORDS);
		if (pos > img->total_len ||
		    c->stream_len > img->total_len - pos)
			return context_fail(where, IHO_ERR_TRUNCATED, cur.at,
					    i, IHO_NAME_STREAM_LEN);
		dirty = range_zeroes(seg, segs, end, pos - end);
		if (dirty != pos)
			return iho_fail(where, IHO_ERR_GAP, dirty, "context",
					i, "padding", IHO_NONE);
		end = pos + c->stream_len;
		pos = iho_pad(end, IHO_PAGE_SIZE);
	}
	if (pos > img->total_len)
		return HEAD_FAIL(IHO_ERR_TRUNCATED, total_len);
	dirty = range_zeroes(seg, segs, end, img->total_len - end);
	if (dirty != img->total_len)
		return iho_fail(where, IHO_ERR_GAP, dirty, "", IHO_NONE,
				"padding", IHO_NONE);
	if (pos != img->total_len)
		return HEAD_FAIL(IHO_ERR_GAP, total_len);
	return 0;
}

/* The first section whose CRC does not match. */
static int check_section_crcs(const struct iho_image *img,
			      const struct iho_seg *seg, u32 segs,
			      struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	struct iho_cursor cur;
	union iho_fact fact;
	const struct iho_context *c = &fact.context;
	u32 i;

	iho_cursor_init(&cur, &src, IHO_NODE_CONTEXT);
	for (i = 0; iho_cursor_next(&cur, &fact); i++)
		if (range_crc(seg, segs, c->stream_off, c->stream_len) !=
		    c->stream_crc)
			return iho_fail(where, IHO_ERR_SECTION_CRC,
					c->stream_off, "stream", i,
					iho_names[IHO_NAME_STREAM_CRC],
					IHO_NONE);
	return 0;
}

/* The digest decides; the CRCs only say where it broke. */
static int digest_fail(struct iho_image *img, const struct iho_seg *seg,
		       u32 segs, const struct head *head,
		       struct iho_where *where)
{
	const char *node = "";
	u64 at = DIGEST_OFF;
	u32 index = IHO_NONE;
	struct iho_where found;

	if (range_crc(seg, segs, IHO_HEADER_LEN, head->fdt_len) !=
	    head->fdt_crc) {
		node = "fdt";
		at = IHO_HEADER_LEN;
	} else if (!iho_canon_check(img->fdt, img->fdt_len, img, NULL) &&
		   (check_sections(img, seg, segs, head->sections, &found) ||
		    check_section_crcs(img, seg, segs, &found))) {
		node = found.node;
		at = found.offset;
		index = found.index;
	}
	return iho_fail(where, IHO_ERR_DIGEST, at, node, index, "digest",
			IHO_NONE);
}

int iho_image_peek(const void *header, u64 *total_len, struct iho_where *where)
{
	struct head head;
	int err;

	err = check_identity(header, where);
	if (!err)
		err = check_limits(header, &head, where);
	if (!err)
		*total_len = head.total_len;
	return err;
}

int iho_image_open(const struct iho_seg *seg, u32 segs, struct iho_image *img,
		   struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	const u8 *h = seg->ptr;
	u8 digest[DIGEST_LEN];
	struct head head;
	int err;

	memset(img, 0, sizeof(*img));
	if (seg->len < IHO_HEADER_LEN)
		return HEAD_FAIL(IHO_ERR_TRUNCATED, header_len);
	err = check_identity(h, where);
	if (!err)
		err = check_limits(h, &head, where);
	if (!err)
		err = check_lengths(seg, segs, &head, where);
	if (err)
		return err;
	if (iho_header_crc(h) != iho_be32(h + CRC_OFF))
		return HEAD_FAIL(IHO_ERR_HEADER_CRC, header_crc);
	err = check_reserved(h, where);
	if (err)
		return err;

	img->fdt = h + IHO_HEADER_LEN;
	img->fdt_len = head.fdt_len;
	img->total_len = head.total_len;
	img->major = (u16)iho_be16(h + OFF(major));
	img->minor = (u16)iho_be16(h + OFF(minor));
	memcpy(img->digest, h + DIGEST_OFF, DIGEST_LEN);

	iho_image_digest(seg, segs, head.total_len, digest);
	if (memcmp(digest, img->digest, DIGEST_LEN))
		return digest_fail(img, seg, segs, &head, where);
	if (iho_crc32(0, img->fdt, img->fdt_len) != head.fdt_crc)
		return iho_fail(where, IHO_ERR_FDT_CRC, IHO_HEADER_LEN, "fdt",
				IHO_NONE, "fdt_crc", IHO_NONE);
	err = iho_canon_check(img->fdt, img->fdt_len, img, where);
	if (!err)
		err = iho_source_check(&src, where);
	if (!err)
		err = check_sections(img, seg, segs, head.sections, where);
	if (!err)
		err = check_section_crcs(img, seg, segs, where);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: check an image (sections 2 and 5).
 */
#include "iho_internal.h"

#define CRC_OFF		offsetof(struct iho_header, header_crc)
#define DIGEST_OFF	offsetof(struct iho_header, digest)

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

static void range_digest(const struct iho_seg *seg, u32 segs, u64 off, u64 len,
			 u8 digest[IHO_DIGEST_LEN])
{
	struct iho_sha256 sha;
	struct reader r;
	const u8 *p;
	size_t n;

	iho_sha256_init(&sha);
	reader_init(&r, seg, segs, off);
	while ((n = reader_next(&r, len, &p))) {
		iho_sha256_update(&sha, p, n);
		len -= n;
	}
	iho_sha256_final(&sha, digest);
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

void iho_digest(const void *ptr, size_t len, u8 digest[IHO_DIGEST_LEN])
{
	const struct iho_seg seg = { ptr, len };

	range_digest(&seg, 1, 0, len, digest);
}

void iho_head_digest(const u8 *head, u32 fdt_len, u8 digest[IHO_DIGEST_LEN])
{
	struct iho_sha256 sha;
	u8 header[IHO_HEADER_LEN];

	memcpy(header, head, sizeof(header));
	memset(header + DIGEST_OFF, 0, IHO_DIGEST_LEN);
	iho_sha256_init(&sha);
	iho_sha256_update(&sha, header, sizeof(header));
	iho_sha256_update(&sha, head + sizeof(header), fdt_len);
	iho_sha256_final(&sha, digest);
}

u32 iho_header_crc(const u8 *header)
{
	u8 copy[IHO_HEADER_LEN];

	memcpy(copy, header, sizeof(copy));
	memset(copy + CRC_OFF, 0, 4);
	memset(copy + DIGEST_OFF, 0, IHO_DIGEST_LEN);
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

/* The lengths against what is there; the head fills whole pages. */
static int check_lengths(const struct head *head, size_t head_len, u64 len,
			 struct iho_where *where)
{
	if (len < head->total_len)
		return HEAD_FAIL(IHO_ERR_TRUNCATED, total_len);
	if (len > head->total_len)
		return HEAD_FAIL(IHO_ERR_GAP, total_len);
	if (iho_pad((u64)IHO_HEADER_LEN + head->fdt_len, IHO_PAGE_SIZE) >
	    head_len)
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

/* Where they say they are, one after the other up to the end. */
static int check_places(const struct iho_image *img, u32 sections,
			struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	u64 end = (u64)IHO_HEADER_LEN + img->fdt_len, pos, dirty;
	struct iho_cursor cur;
	union iho_fact fact;
	const struct iho_context *c = &fact.context;
	u32 i;

	if (sections != img->contexts)
		return HEAD_FAIL(IHO_ERR_COUNT, sections);
	pos = iho_pad(end, IHO_PAGE_SIZE);
	dirty = iho_zeroes((const u8 *)img->fdt + img->fdt_len, pos - end);
	if (dirty != pos - end)
		return iho_fail(where, IHO_ERR_GAP, end + dirty, "fdt",
				IHO_NONE, "padding", IHO_NONE);
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
		pos += iho_pad(c->stream_len, IHO_PAGE_SIZE);
	}
	if (pos > img->total_len)
		return HEAD_FAIL(IHO_ERR_TRUNCATED, total_len);
	if (pos != img->total_len)
		return HEAD_FAIL(IHO_ERR_GAP, total_len);
	return 0;
}

/* The bytes of one section and what fills its last page. */
static int check_section(const struct iho_seg *seg, u32 segs,
			 const struct iho_context *c, u32 index,
			 struct iho_where *where)
{
	const u64 end = c->stream_off + c->stream_len;
	const u64 pad = iho_pad(end, IHO_PAGE_SIZE) - end;
	u8 digest[IHO_DIGEST_LEN];
	u64 dirty;

	range_digest(seg, segs, c->stream_off, c->stream_len, digest);
	if (memcmp(digest, c->stream_digest, sizeof(digest)))
		return iho_fail(where, IHO_ERR_SECTION, c->stream_off,
				"stream", index,
				iho_names[IHO_NAME_STREAM_DIGEST], IHO_NONE);
	dirty = range_zeroes(seg, segs, end, pad);
	if (dirty != end + pad)
		return iho_fail(where, IHO_ERR_GAP, dirty, "context", index,
				"padding", IHO_NONE);
	return 0;
}

int iho_section_check(const struct iho_image *img, const struct iho_seg *seg,
		      u32 segs, u32 context, struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	union iho_fact fact;

	if (context >= img->contexts)
		return iho_fail(where, IHO_ERR_BADCALL, 0, "context", context,
				"", IHO_NONE);
	iho_source_get(&src, IHO_NODE_CONTEXT, context, &fact);
	return check_section(seg, segs, &fact.context, context, where);
}

/* The digest decides; the CRC only says where it broke. */
static int digest_fail(const struct iho_image *img, const struct head *head,
		       struct iho_where *where)
{
	if (iho_crc32(0, img->fdt, img->fdt_len) != head->fdt_crc)
		return iho_fail(where, IHO_ERR_DIGEST, IHO_HEADER_LEN, "fdt",
				IHO_NONE, "digest", IHO_NONE);
	return iho_fail(where, IHO_ERR_DIGEST, DIGEST_OFF, "", IHO_NONE,
			"digest", IHO_NONE);
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

int iho_head_open(const void *ptr, size_t head_len, u64 len,
		  struct iho_image *img, struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	u8 digest[IHO_DIGEST_LEN];
	const u8 *h = ptr;
	struct head head;
	int err;

	memset(img, 0, sizeof(*img));
	if (head_len < IHO_HEADER_LEN)
		return HEAD_FAIL(IHO_ERR_TRUNCATED, header_len);
	err = check_identity(h, where);
	if (!err)
		err = check_limits(h, &head, where);
	if (!err)
		err = check_lengths(&head, head_len, len, where);
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
	memcpy(img->digest, h + DIGEST_OFF, IHO_DIGEST_LEN);

	iho_head_digest(h, head.fdt_len, digest);
	if (memcmp(digest, img->digest, IHO_DIGEST_LEN))
		return digest_fail(img, &head, where);
	if (iho_crc32(0, img->fdt, img->fdt_len) != head.fdt_crc)
		return iho_fail(where, IHO_ERR_FDT_CRC, IHO_HEADER_LEN, "fdt",
				IHO_NONE, "fdt_crc", IHO_NONE);
	err = iho_canon_check(img->fdt, img->fdt_len, img, where);
	if (!err)
		err = iho_source_check(&src, where);
	if (!err)
		err = check_places(img, head.sections, where);
	return err;
}

int iho_image_open(const struct iho_seg *seg, u32 segs, struct iho_image *img,
		   struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	struct iho_cursor cur;
	union iho_fact fact;
	u64 len = 0;
	u32 i;
	int err;

	for (i = 0; i < segs; i++) {
		/* More than any image may have; the header says how much. */
		if (seg[i].len > IHO_MAX_IMAGE - len) {
			len = IHO_MAX_IMAGE + 1;
			break;
		}
		len += seg[i].len;
	}
	err = iho_head_open(seg->ptr, seg->len, len, img, where);
	if (err)
		return err;
	iho_cursor_init(&cur, &src, IHO_NODE_CONTEXT);
	for (i = 0; !err && iho_cursor_next(&cur, &fact); i++)
		err = check_section(seg, segs, &fact.context, i, where);
	return err;
}

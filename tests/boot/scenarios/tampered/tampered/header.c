// SPDX-License-Identifier: GPL-2.0-only
/* The header, the length, and checksums that are wrong. */
#include "tampered.h"

#define FIELD(member, other)						\
	{ offsetof(struct iho_header, member),				\
	  sizeof(((struct iho_header *)0)->member), "header " #member, other }

/* Fields of the header, and what else a refusal of one may name. */
static const struct {
	uint32_t off;
	uint32_t len;
	const char *name;
	const char *other;
} fields[] = {
	FIELD(magic, NULL), FIELD(header_len, NULL), FIELD(major, NULL),
	/* the FDT has it as well */
	FIELD(minor, "version"),
	FIELD(total_len, NULL), FIELD(must_understand, NULL),
	FIELD(may_ignore, NULL), FIELD(fdt_off, NULL),
	/* what the CRC is over */
	FIELD(fdt_len, "fdt fdt_crc"), FIELD(fdt_crc, "fdt fdt_crc"),
	FIELD(record_order, NULL), FIELD(reserved0, NULL),
	FIELD(sections, NULL), FIELD(header_crc, NULL), FIELD(digest, "digest"),
	FIELD(reserved1, NULL),
};

/* SEAL of "bad", in which byte @off of the header is altered. */
static void want_header(uint32_t off, bool is_signed)
{
	char sentence[SENTENCE_LEN], where[128] = "";
	const struct reason *reason;
	char what[64];
	uint32_t i;
	bool fits;
	int got;

	for (i = 0; off >= fields[i].off + fields[i].len; i++)
		;
	got = try_seal(good.len, sentence);
	reason = reason_of(sentence, where);
	fits = reason && got == reason->err &&
	       (!strcmp(where, fields[i].name) ||
		(fields[i].other && !strcmp(where, fields[i].other)) ||
		(!is_signed && !strcmp(where, "header header_crc") &&
		 !strcmp(reason->text, BAD_HEADER_CRC)));
	snprintf(what, sizeof(what), "%s byte %u%s", fields[i].name,
		 off - fields[i].off, is_signed ? "" : ", not signed");
	count_try(fits, got, sentence, what);
}

void try_header(void)
{
	uint32_t i;

	for (i = 0; i < IHO_HEADER_LEN; i++) {
		/* Made right again, or what a reader lets pass, below */
		if ((i >= offsetof(struct iho_header, header_crc) &&
		     i < offsetof(struct iho_header, reserved1)) ||
		    (i >= offsetof(struct iho_header, may_ignore) &&
		     i < offsetof(struct iho_header, fdt_off)))
			continue;
		bad.b[i] ^= 0x01;
		image_sign_header(&bad);
		want_header(i, true);
		make_bad();
	}
}

/* Readers accept these; this kernel does not write them. */
void try_lenient(void)
{
	const struct prop *version = image_prop(props, nr_props, "root",
						"version");
	uint32_t bit;

	for (bit = 0; bit < 32; bit++) {
		put32(HEAD(&bad, may_ignore), 1u << bit);
		image_sign_header(&bad);
		want_words(good.len, EINVAL,
			   "image: header may_ignore is not what this kernel writes",
			   "may_ignore bit %u", bit);
		make_bad();
	}
	for (bit = 0; bit < 16; bit++) {
		/* Big-endian: the header has two bytes, the FDT a cell */
		*(HEAD(&bad, minor) + !(bit / 8)) ^= 1u << bit % 8;
		bad.b[version->off + 7 - bit / 8] ^= 1u << bit % 8;
		image_sign(&bad);
		want_words(good.len, EINVAL,
			   "image: header minor is not what this kernel writes",
			   "minor version bit %u", bit);
		make_bad();
	}
}

static void try_no_length(uint32_t len, const char *what)
{
	char words[80];

	snprintf(words, sizeof(words), "image: invalid image length %u bytes",
		 len);
	want_words(len, EBADMSG, words, "%s", what);
}

void try_lengths(void)
{
	uint32_t len;

	for (len = 4096; len < good.len; len += 4096) {
		want_reason(len, "header total_len", TOO_SHORT,
			    "cut to %u bytes", len);
		bad.len = len;
		put64(HEAD(&bad, total_len), len);
		image_sign(&bad);
		want_reason(len, NULL, TOO_SHORT, "made %u bytes", len);
		make_bad();
	}
	try_no_length(0, "nothing");
	try_no_length(good.len - 1, "a byte less");
	try_no_length(good.len + 1, "a byte more");
	try_no_length(good.len - 2048, "half a page less");

	memset(bad.b + good.len, 0, 4096);
	want_reason(good.len + 4096, "header total_len", NOT_DENSE,
		    "a page of zeroes more");
	bad.len = good.len + 4096;
	put64(HEAD(&bad, total_len), bad.len);
	image_sign(&bad);
	want_reason(bad.len, "header total_len", NOT_DENSE,
		    "signed with a page more");
	bad.b[good.len] = 1;
	image_sign(&bad);
	want_reason(bad.len, "header total_len", NOT_DENSE,
		    "signed with something more");
	make_bad();
	bad.b[good.len - 1] = 1;
	image_sign(&bad);
	want_reason(bad.len, "context-1 padding", NOT_DENSE,
		    "signed with padding not zero");
	make_bad();
}

/* What is said of a byte behind the header: whose it is decides. */
static const char *reason_for(uint32_t at)
{
	static const char *const contexts[] = { "context-0", "context-1" };
	uint32_t i;

	if (at < IHO_HEADER_LEN + get32(HEAD(&good, fdt_len)))
		return BAD_DIGEST;
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		uint64_t off = get64(good.b + image_prop(props, nr_props, contexts[i],
							 "stream-off")->off);
		uint64_t len = get64(good.b + image_prop(props, nr_props, contexts[i],
							 "stream-len")->off);

		if (at >= off && at - off < len)
			return BAD_SECTION;
	}
	return NOT_DENSE;
}

void try_unsigned(void)
{
	uint32_t i;

	for (i = 0; i < good.len; i++) {
		if (left_out(i))
			continue;
		bad.b[i] ^= 1u << i % 8;
		if (i < IHO_HEADER_LEN)
			want_header(i, false);
		else
			want_reason(bad.len, NULL, reason_for(i),
				    "byte %u, not signed", i);
		bad.b[i] ^= 1u << i % 8;
	}
}

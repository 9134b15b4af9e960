// SPDX-License-Identifier: GPL-2.0-only
/*
 * tampered NUMBER - NUMBER is 0 before the first kexec
 *
 * kexec(8) makes an image of two contexts that have every kind of record. From
 * then on it is altered in one place at a time: each byte of each fact and of
 * each record with all checksums made right, each byte of the image with none,
 * and its length. SEAL has to refuse every one and to accept the image when
 * nothing is altered. The whole of it before the first kexec; later every
 * seventh byte, from another one on each time. On the debug kernel every
 * sixty-first: one try takes twenty times as long there.
 *
 * Then memory runs out at each allocation of SNAPSHOT and of SEAL: that one
 * alone, and that one and all after it. Each step has to say so in its own
 * sentence, and nothing may be left behind.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <linux/vfio.h>

#include "carry.h"
#include "image.h"
#include "reasons.h"
#include "side.h"
#include "starve.h"

#define SESSION		"tampered"
#define TOKEN_PLAIN	CARRY_TOKEN_FREE
#define IMAGE		"/run/tampered.iho"
#define SHOWN_MAX	40
#define KHO_SUBTREE	"/sys/kernel/debug/kho/out/sub_fdts/iommu-handover"

static struct carry carry;
static struct ctx *const ctx = carry.ctx;
static struct memory plain;

static struct image good, bad;
static struct prop props[PROPS_MAX];
static uint32_t nr_props;
static uint8_t snapshot[1 << 18], reference[1 << 18];
static uint64_t generation;
static uint32_t step = 1, phase;
static unsigned int shown, by_live;
static bool differs_said[PROPS_MAX];

/* Every sentence that SEAL has for an image that is not of this state. */
static const char *const sentences[] = {
	" is no length of an image", "image: release differs", "image: header ",
	"image: memory-0 ", "image: context-0 ", " at 0x", "differs from live",
	"made of generation", " differs from session", "CRC of",
	"digest does not match", "misaligned", "out of its range",
};

static bool sentence_seen[ARRAY_SIZE(sentences)];

/* ---- one try ------------------------------------------------------------- */

/* Do sysfs and QUERY say what the call said, and is nothing sealed? */
static bool noted_unsealed(int err, const char *sentence)
{
	struct notes notes;

	if (notes_are(&notes, err, sentence) && *sentence &&
	    notes.state == IOMMU_HANDOVER_OPEN)
		return true;
	if (shown < SHOWN_MAX)
		say("  last_refusal \"%s\", QUERY %u \"%s\", state %u",
		    notes.sysfs, notes.err, notes.query, notes.state);
	return false;
}

/* SEAL of "bad", which must not succeed. Return: the errno, positive. */
static int try_seal(uint32_t len, char sentence[SENTENCE_LEN])
{
	unsigned int i;
	int err = -handover_seal(handover, generation, bad.b, len, sentence);

	if (!err) {
		/* The generation has moved on, tries would mean nothing. */
		must(handover_unseal(handover));
		check(false, "an altered image was sealed");
	}
	by_live += err == EINVAL;
	for (i = 0; i < ARRAY_SIZE(sentences); i++)
		sentence_seen[i] |= !!strstr(sentence, sentences[i]);
	return err;
}

static void count_try(bool fits, int err, const char *sentence,
		      const char *what)
{
	fits = noted_unsealed(err, sentence) && fits;
	if (!fits && shown++ >= SHOWN_MAX)
		tally.tried++;
	else
		tally_one(fits, true, "%s: %s: %s", what, strerror(err),
			  sentence);
}

/* SEAL of "bad" has to give @err and to say @words, but for a cure. */
__attribute__((format(printf, 4, 5)))
static void want_words(uint32_t len, int err, const char *words,
		       const char *fmt, ...)
{
	char sentence[SENTENCE_LEN], what[128];
	int got = try_seal(len, sentence);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	count_try(got == err && says(sentence, words), got, sentence, what);
}

/*
 * SEAL of "bad" has to give a reason, and the errno that follows from it.
 * @where: what it names, NULL for anything
 * @text: the reason, NULL for any
 */
__attribute__((format(printf, 4, 5)))
static void want_reason(uint32_t len, const char *where, const char *text,
			const char *fmt, ...)
{
	char sentence[SENTENCE_LEN], what[128], named[128];
	int got = try_seal(len, sentence);
	const struct reason *reason = reason_of(sentence, named);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	count_try(reason && got == reason->err &&
		  (!where || !strcmp(named, where)) &&
		  (!text || !strcmp(reason->text, text)), got, sentence, what);
}

/*
 * SEAL of "bad", in which property @i is altered, has to say that this one
 * differs from live state, or what is wrong with it in itself.
 */
__attribute__((format(printf, 2, 3)))
static void want_fact(uint32_t i, const char *fmt, ...)
{
	const struct prop *p = &props[i];
	char sentence[SENTENCE_LEN], what[128], words[128], where[128];
	const struct reason *reason;
	bool fits, differs;
	va_list ap;
	int got;

	got = try_seal(bad.len, sentence);
	if (strcmp(p->node, "root"))
		snprintf(words, sizeof(words),
			 "image: %s %s differs from live state", p->node,
			 p->name);
	else
		snprintf(words, sizeof(words),
			 "image: %s differs from live state", p->name);
	differs = got == EINVAL && says(sentence, words);
	differs_said[i] |= differs;
	reason = reason_of(sentence, where);
	fits = differs ||
	       (reason && got == reason->err &&
		is_about(p, where, reason->text));
	if (!fits && !strcmp(p->node, "root") &&
	    !strcmp(p->name, "generation")) {
		snprintf(words, sizeof(words),
			 "image: made of generation %llu, not of %llu",
			 (unsigned long long)get64(bad.b + p->off),
			 (unsigned long long)generation);
		fits = got == ESTALE && says(sentence, words);
	}
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	count_try(fits, got, sentence, what);
}

/* Every step-th of the small things. */
static bool left_out(uint32_t i)
{
	return i % step != phase % step;
}

static void make_bad(void)
{
	bad.len = good.len;
	memcpy(bad.b, good.b, good.len + 4096);
}

/* What only informs would take longer to print than to find out. */
static void console_level(const char *level)
{
	int fd = must(open("/proc/sys/kernel/printk", O_WRONLY | O_CLOEXEC));

	check(write(fd, level, 1) == 1, "/proc/sys/kernel/printk");
	close(fd);
}

/* ---- the good image ------------------------------------------------------ */

static void stamp_generation(void)
{
	uint32_t nr = image_props(&good, props);

	generation = handover_number("generation");
	put64(good.b + image_prop(props, nr, "root", "generation")->off,
	      generation);
	image_sign(&good);
	nr_props = nr;
}

static void get_image(void)
{
	char output[OUTPUT_LEN];
	uint8_t signed_by_loader[IHO_HEADER_LEN];
	ssize_t n;
	int fd;

	check(!load_kernel(output, true, IMAGE), "kexec -l: %s", output);
	unload_kernel();
	fd = must(open(IMAGE, O_RDONLY | O_CLOEXEC));
	n = read(fd, good.b, IMAGE_CAP - 4096);
	close(fd);
	check(n > 0 && n < (ssize_t)IMAGE_CAP - 4096, "an image of %zd bytes",
	      n);
	good.len = n;
	/* Our checksums must be the right ones, or the tries mean nothing. */
	memcpy(signed_by_loader, good.b, IHO_HEADER_LEN);
	image_sign(&good);
	check(!memcmp(signed_by_loader, good.b, IHO_HEADER_LEN),
	      "our checksums are not the loader's");
}

/* The control: unaltered it is taken. */
static void want_sealed(void)
{
	char sentence[SENTENCE_LEN];
	int err;

	stamp_generation();
	err = handover_seal(handover, generation, good.b, good.len, sentence);
	check(!err, "the unaltered image: %s: %s", strerror(-err), sentence);
	check(handover_state_is("sealed"), "SEAL went well, nothing is sealed");
	must(handover_unseal(handover));
	stamp_generation();
}

/* ---- facts --------------------------------------------------------------- */

static void try_value(uint32_t i, const void *value)
{
	const struct prop *p = &props[i];

	if (!memcmp(good.b + p->off, value, p->len))
		return;
	memcpy(bad.b + p->off, value, p->len);
	image_sign(&bad);
	want_fact(i, "%s %s", p->node, p->name);
	memcpy(bad.b + p->off, good.b + p->off, p->len);
}

static void try_number(uint32_t i)
{
	const struct prop *p = &props[i];
	uint64_t v = p->len == 8 ? get64(good.b + p->off) :
				   get32(good.b + p->off);
	const uint64_t values[] = {
		v + 1, v - 1, v + 4096, v - 4096, v ^ 1ULL << 31, 0, ~0ULL,
	};
	uint8_t bytes[8];
	uint32_t k;

	for (k = 0; k < ARRAY_SIZE(values); k++) {
		if (p->len == 8)
			put64(bytes, values[k]);
		else
			put32(bytes, values[k]);
		try_value(i, bytes);
	}
}

static void try_length(uint32_t i, const void *value, uint32_t len)
{
	make_bad();
	image_resize_prop(&bad, &props[i], value, len);
	image_sign(&bad);
	want_fact(i, "%s %s of %u bytes", props[i].node, props[i].name, len);
	make_bad();
}

/* Words and strings that would do, and lists that are longer or shorter. */
static void try_other_lengths(uint32_t i)
{
	static const char *const words[][2] = {
		{ "legacy", "scalable" }, { "paused", "continuous" },
		{ "intel-vtd", "amd-vi" }, { "vtdss", "vtdfs" },
	};
	const struct prop *p = &props[i];
	const char *text = (char *)good.b + p->off;
	uint8_t longer[128] = { 0 };
	uint32_t k;

	for (k = 0; k < 2 * ARRAY_SIZE(words); k++) {
		const char *from = words[k / 2][k % 2];
		const char *to = words[k / 2][!(k % 2)];

		if (p->len == strlen(from) + 1 && !memcmp(text, from, p->len))
			try_length(i, to, strlen(to) + 1);
	}
	check(p->len < 100, "%s is long", p->name);
	if (!strcmp(p->name, "session") || !strcmp(p->name, "release")) {
		snprintf((char *)longer, sizeof(longer), "%sx", text);
		try_length(i, longer, p->len + 1);
		longer[p->len - 2] = '\0';
		try_length(i, longer, p->len - 1);
	} else {
		memcpy(longer, text, p->len);
		try_length(i, longer, p->len + 4);
	}
}

static void try_facts(void)
{
	/* Altered to something that could be, these are compared with life. */
	static const char *const compared[][2] = {
		{ "memory-0", "token" }, { "memory-0", "size" },
		{ "memory-0", "seals" }, { "unit-0", "mode" },
		{ "unit-0", "register-pa" }, { "unit-0", "capability" },
		{ "unit-0", "capability-extended" }, { "unit-0", "root-pa" },
		{ "table-0", "levels" }, { "table-0", "root-pa" },
		{ "table-0", "hwpt-id" },
		{ "table-1", "root-pa" }, { "domain-0", "domain-id" },
		{ "domain-0", "table" }, { "device-0", "level" },
		{ "device-0", "source-ids" }, { "device-0", "vendor-device" },
		{ "device-0", "subsystem" }, { "device-0", "class-revision" },
		{ "device-0", "dev-id" }, { "context-0", "token" },
		{ "context-1", "token" }, { "root", "release" },
	};
	uint32_t i, k;

	for (i = 0; i < nr_props; i++) {
		const struct prop *p = &props[i];

		for (k = 0; k < p->len; k++) {
			if (left_out(p->off + k))
				continue;
			bad.b[p->off + k] ^= 0x01;
			image_sign(&bad);
			want_fact(i, "%s %s byte %u", p->node, p->name, k);
			bad.b[p->off + k] ^= 0x01 ^ 0x10;
			image_sign(&bad);
			want_fact(i, "%s %s byte %u", p->node, p->name, k);
			bad.b[p->off + k] ^= 0x10;
		}
		if (p->len == 4 || p->len == 8)
			try_number(i);
		try_other_lengths(i);
	}
	for (i = 0; i < ARRAY_SIZE(compared); i++) {
		const struct prop *p = image_prop(props, nr_props,
						  compared[i][0],
						  compared[i][1]);

		/* A kernel that compares nothing would still check ranges. */
		tally_one(differs_said[p - props], true,
			  "%s %s is never compared with live state", p->node,
			  p->name);
	}
}

/* ---- records ------------------------------------------------------------- */

/*
 * What a record makes, in the words of the refusal; its kind is noted in
 * @seen. Return: its bytes.
 */
static uint32_t describe_record(const uint8_t *at, uint32_t *seen,
				char object[96])
{
	union {
		struct iommu_option option;
		struct iommu_ioas_alloc ioas;
		struct iommu_ioas_allow_iovas allow;
		struct iommu_vfio_ioas vfio_ioas;
		struct iommu_ioas_map_file map;
		struct vfio_device_bind_iommufd bind;
		struct iommu_hwpt_alloc hwpt;
		struct vfio_device_attach_iommufd_pt attach;
	} p = { 0 };
	struct iho_rec rec;

	memcpy(&rec, at, sizeof(rec));
	check(rec.payload_len <= sizeof(p), "a payload of %u bytes",
	      rec.payload_len);
	memcpy(&p, at + sizeof(rec), rec.payload_len);
	switch (rec.kind) {
	case IHO_REC_OPTION:
		snprintf(object, 96, "an option");
		break;
	case IHO_REC_IOAS_ALLOC:
		snprintf(object, 96, "IOAS %u", p.ioas.out_ioas_id);
		break;
	case IHO_REC_IOAS_OPTION:
		snprintf(object, 96, "an option of IOAS %u",
			 p.option.object_id);
		break;
	case IHO_REC_ALLOW_IOVAS:
		snprintf(object, 96, "the allowed ranges of IOAS %u",
			 p.allow.ioas_id);
		break;
	case IHO_REC_VFIO_IOAS:
		snprintf(object, 96, "the VFIO IOAS %u", p.vfio_ioas.ioas_id);
		break;
	case IHO_REC_MAP_FILE:
		snprintf(object, 96, "a map of IOAS %u at IOVA %#llx",
			 p.map.ioas_id, (unsigned long long)p.map.iova);
		break;
	case IHO_REC_VFIO_BIND:
		snprintf(object, 96, "device %u", p.bind.out_devid);
		break;
	case IHO_REC_HWPT_ALLOC:
		snprintf(object, 96, "HWPT %u", p.hwpt.out_hwpt_id);
		break;
	case IHO_REC_ATTACH:
		snprintf(object, 96, "a device attached to HWPT %u",
			 p.attach.pt_id);
		break;
	default:
		check(false, "a record of kind %u", rec.kind);
	}
	*seen |= 1u << rec.kind;
	return sizeof(rec) + ((rec.payload_len + 7) & ~7u) +
	       ((rec.inline_len + 7) & ~7u);
}

static void try_stream(const char *context)
{
	uint32_t off, len, crc, pos, end, i, seen = 0, nr = 0;
	char words[SENTENCE_LEN], object[96];
	const struct prop *p;
	unsigned long long token;

	p = image_prop(props, nr_props, context, "stream-off");
	off = get64(good.b + p->off);
	p = image_prop(props, nr_props, context, "stream-len");
	len = get64(good.b + p->off);
	p = image_prop(props, nr_props, context, "token");
	token = get64(good.b + p->off);
	crc = image_prop(props, nr_props, context, "stream-crc")->off;
	check(crc32_of(good.b + off, len) == get32(good.b + crc),
	      "%s: our CRC is not the loader's", context);

	for (pos = 0; pos < len; pos = end, nr++) {
		end = pos + describe_record(good.b + off + pos, &seen, object);
		snprintf(words, sizeof(words),
			 "image: %s record %u differs from session \"%s\" token %llu, where it is %s",
			 context, nr, SESSION, token, object);
		for (i = 2 * pos; i < 2 * end; i++) {
			uint8_t flip = i & 1 ? 0x10 : 0x01;

			if (left_out(i / 2))
				continue;
			bad.b[off + i / 2] ^= flip;
			put32(bad.b + crc, crc32_of(bad.b + off, len));
			image_sign(&bad);
			want_words(bad.len, EINVAL, words,
				   "%s stream byte %u", context, i / 2);
			bad.b[off + i / 2] ^= flip;
			put32(bad.b + crc, crc32_of(bad.b + off, len));
		}
	}
	say("%s: %u records in %u bytes", context, nr, len);
	check(strcmp(context, "context-0") ||
	      seen == (1u << IHO_REC_KINDS) - 2, "record kinds %#x", seen);
}

/* ---- header, length, and checksums that are wrong ------------------------ */

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

static void try_header(void)
{
	uint32_t i;

	for (i = 0; i < IHO_HEADER_LEN; i++) {
		/* Made right again, or free to be anything (format, 1.3). */
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

static void try_no_length(uint32_t len, const char *what)
{
	char words[80];

	snprintf(words, sizeof(words), "image: %u bytes is no length of an image",
		 len);
	want_words(len, EBADMSG, words, "%s", what);
}

static void try_lengths(void)
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
	want_reason(bad.len, "padding", NOT_DENSE,
		    "signed with something more");
	make_bad();
	bad.b[good.len - 1] = 1;
	image_sign(&bad);
	want_reason(bad.len, "padding", NOT_DENSE,
		    "signed with padding not zero");
	make_bad();
}

static void try_unsigned(void)
{
	uint32_t i;

	for (i = 0; i < good.len; i++) {
		if (left_out(i))
			continue;
		bad.b[i] ^= 1u << i % 8;
		if (i < IHO_HEADER_LEN)
			want_header(i, false);
		else
			want_reason(bad.len, NULL, BAD_DIGEST,
				    "byte %u, not signed", i);
		bad.b[i] ^= 1u << i % 8;
	}
}

/* ---- memory that runs out ------------------------------------------------ */

/* What is taken away at a time, in pipes of this size, and what is left. */
#define PIPE_LEN	(1u << 20)
#define PIPES		32
#define PIPES_MAX	1024
#define LEAVE_KIB	(128ULL << 10)

/* What one node of KHO's tree covers, of pages of one size. */
#define KHO_NODE_SHIFT	27

/* Passes over the allocations of a call until each step has failed. */
#define PASSES		50

/* Times that each allocation fails where a table lies as the first. */
#define REPEATS		8

enum call { SNAPSHOT, SEAL };

static const char *const call_names[] = { "SNAPSHOT", "SEAL" };

enum mode { ONE, ALL, ALL_PAGES };

static const char *const mode_names[] = {
	[ONE] = "one", [ALL] = "one and all after it",
	[ALL_PAGES] = "a page and all after it",
};

/*
 * Every step of SNAPSHOT and of SEAL that can be out of memory. SEAL takes a
 * snapshot of its own, so its list is all of this.
 *
 * One is not here: "KHO does not take the envelope". The entry is written into
 * a page that KHO has from the start and no memory is asked for; the entry in
 * debugfs, for which some is, may be missing.
 */
static struct {
	const char *words;
	const char *then;	/* behind a number */
	bool seal_only;
	bool seen[2];
} steps[] = {
	{ .words = "out of memory for a seal", .seal_only = true },
	{ .words = " cannot be copied to preserved memory: error -12",
	  .seal_only = true },
	{ .words = "out of memory for iommufds" },
	{ .words = "out of memory for mapped memfds" },
	{ .words = "out of memory for HWPTs" },
	{ .words = "out of memory for IOMMU units" },
	{ .words = "out of memory for devices" },
	{ .words = "out of memory for domain IDs" },
	{ .words = "out of memory to order the facts" },
	{ .words = "out of memory for records" },
	{ .words = ": out of memory" },		/* allowed ranges of an IOAS */
	{ .words = "out of memory for share groups" },
	{ .words = "out of memory for a snapshot of " },
	{ .words = "out of memory to check the records", .seal_only = true },
	{ .words = "out of memory to check the page tables",
	  .seal_only = true },
	{ .words = "out of memory for ", .then = " page tables",
	  .seal_only = true },
	{ .words = "page tables cannot be preserved: error -12",
	  .seal_only = true },
	{ .words = "the envelope cannot be preserved", .seal_only = true },
};

/* That page tables cannot be preserved: for starve_tables(). */
#define STEP_TABLES	16

static struct starve starve;

/* Return: the length of a snapshot in @data, or a negative errno. */
static int64_t take_snapshot(uint8_t *data, size_t len,
			     char sentence[SENTENCE_LEN])
{
	struct iommu_handover_snapshot cmd = {
		.size = sizeof(cmd),
		.data_uptr = (uintptr_t)data,
		.data_len = len,
		.message_uptr = (uintptr_t)sentence,
		.message_len = SENTENCE_LEN,
	};

	sentence[0] = '\0';
	if (ioctl(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd) < 0)
		return -errno;
	return cmd.data_len;
}

static int do_call(enum call call, char sentence[SENTENCE_LEN])
{
	int64_t len;

	if (call == SEAL)
		return handover_seal(handover, generation, good.b, good.len,
				     sentence);
	len = take_snapshot(snapshot, sizeof(snapshot), sentence);
	return len < 0 ? len : 0;
}

/* Whether exactly one step of @call says this, which is noted. */
static bool is_step(enum call call, const char *sentence)
{
	unsigned int i, found = 0;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		const char *at = strstr(sentence, steps[i].words);

		if (!at || (steps[i].then && !strstr(at, steps[i].then)))
			continue;
		steps[i].seen[call] = true;
		found += call == SEAL || !steps[i].seal_only;
	}
	return found == 1;
}

/* Have all steps of @call said it that need no new place for a table? */
static bool all_seen(enum call call)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (i != STEP_TABLES && !steps[i].seen[call] &&
		    (call == SEAL || !steps[i].seal_only))
			return false;
	return true;
}

/* A snapshot is what it was, and KHO has nothing of ours. */
static bool nothing_left(int64_t len)
{
	char sentence[SENTENCE_LEN];

	return take_snapshot(snapshot, sizeof(snapshot), sentence) == len &&
	       !memcmp(snapshot, reference, len) &&
	       access(KHO_SUBTREE, F_OK) < 0;
}

/* SEAL takes the image again, with the generation that follows. */
static void seal_again(void)
{
	char sentence[SENTENCE_LEN];
	int err = handover_seal(handover, generation, good.b, good.len,
				sentence);

	check(!err, "SEAL with memory again: %s: %s", strerror(-err), sentence);
	check(!access(KHO_SUBTREE, F_OK), "KHO has nothing of the seal");
	must(handover_unseal(handover));
	stamp_generation();
}

/* What came of calls that were starved. */
struct starved {
	unsigned int failed;
	unsigned int without;	/* did without what they did not get */
};

/*
 * Let the @nth allocation of a call fail. Return: whether there is one.
 * @seal_after: demand that SEAL succeeds after a failure
 */
static bool starve_one(enum call call, enum mode mode, unsigned int nth,
		       bool seal_after, struct starved *count)
{
	char sentence[SENTENCE_LEN];
	bool reached;
	int64_t len;
	int err;

	len = take_snapshot(reference, sizeof(reference), sentence);
	check(len > 0, "SNAPSHOT with memory: %s: %s", strerror(-len),
	      sentence);
	starve_begin(&starve, nth, mode != ONE);
	err = -do_call(call, sentence);
	reached = !starve_end(&starve);
	check(reached || !err, "%s with memory: %s: %s", call_names[call],
	      strerror(err), sentence);
	if (!err) {
		count->without += reached;
		if (call == SEAL) {
			must(handover_unseal(handover));
			stamp_generation();
		}
		return reached;
	}
	count->failed++;
	tally_one(err == ENOMEM && is_step(call, sentence) &&
		  noted_unsealed(err, sentence) && nothing_left(len), true,
		  "%s without %s, number %u: %s: %s", call_names[call],
		  mode_names[mode], nth, strerror(err), sentence);
	if (seal_after)
		seal_again();
	return true;
}

/*
 * Let each allocation of a call fail, from the first to the last. How many
 * small ones take a page changes from call to call, so a step may be missed.
 * @repeats: how often each; with more than one, a step that fails but the first
 *	time it is done, because what it gets it keeps, is hardly ever missed
 * @seal_after: demand that SEAL succeeds after each failure
 */
static void starve_call(enum call call, enum mode mode, unsigned int repeats,
			bool seal_after)
{
	struct starved count = { 0 };
	bool reached = true;
	unsigned int nth, i;

	starve_set("failslab/ignore-gfp-wait", mode == ALL_PAGES ? "Y" : "N");
	for (nth = 1; reached; nth++)
		for (i = 0, reached = false; i < repeats; i++)
			reached |= starve_one(call, mode, nth, seal_after,
					      &count);
	say("%s without %s: %u allocations, %u failed, %u not needed",
	    call_names[call], mode_names[mode], nth - 2, count.failed,
	    count.without);
	/* One that fails alone may always have another to take its place. */
	check(count.failed || mode == ONE, "%s does not mind what fails",
	      call_names[call]);
}

/* An explicit HWPT, which no device is attached to. */
static uint32_t spare_hwpt(uint32_t *ioas)
{
	const struct want *want = ctx[0].want;
	uint32_t i;

	for (i = 0; i < want->hwpt_nr; i++) {
		if (want->hwpt[i].automatic)
			continue;
		*ioas = want->hwpt[i].ioas;
		return want->hwpt[i].id;
	}
	check(false, "no explicit HWPT");
}

/* Root address of @hwpt's table, and its number among the tables. */
static uint64_t live_root(uint32_t hwpt, uint32_t *index)
{
	char sentence[SENTENCE_LEN];
	struct iho_snap_header hdr;
	struct iho_table table;
	const uint8_t *p;
	uint32_t i;

	check(take_snapshot(snapshot, sizeof(snapshot), sentence) > 0,
	      "SNAPSHOT: %s", sentence);
	memcpy(&hdr, snapshot, sizeof(hdr));
	p = snapshot + sizeof(hdr) + hdr.memories * sizeof(struct iho_memory) +
	    hdr.units * sizeof(struct iho_unit);
	for (i = 0; i < hdr.tables; i++, p += sizeof(table)) {
		memcpy(&table, p, sizeof(table));
		if (!table.context && table.hwpt_id == hwpt) {
			*index = i;
			return table.root_pa;
		}
	}
	check(false, "HWPT %u has no table", hwpt);
}

/*
 * Take memory away that the kernel does not move, as page tables are of. A pipe
 * is a ring of such pages.
 */
static void eat(int pipes[PIPES_MAX][2], uint32_t *nr)
{
	static uint8_t full[PIPE_LEN];
	uint32_t end = *nr + PIPES;

	for (; *nr < end; ++*nr) {
		int *fds = pipes[*nr];

		must(pipe2(fds, O_CLOEXEC) ? -errno : 0);
		must(fcntl(fds[1], F_SETPIPE_SZ, PIPE_LEN) < 0 ? -errno : 0);
		check(write(fds[1], full, PIPE_LEN) == PIPE_LEN, "a pipe: %s",
		      strerror(errno));
	}
}

/*
 * Make the spare HWPT again, elsewhere in memory, and note that in the image.
 * The pages that it had are the first that are eaten.
 */
static uint64_t move_table(int pipes[PIPES_MAX][2], uint32_t *nr)
{
	uint32_t hwpt, ioas, index;
	char node[32];
	uint64_t pa;

	hwpt = spare_hwpt(&ioas);
	ctx_destroy(&ctx[0], hwpt);
	eat(pipes, nr);
	check(ctx_hwpt(&ctx[0], 0, ioas) == hwpt, "the HWPT has another ID");
	pa = live_root(hwpt, &index);
	snprintf(node, sizeof(node), "table-%u", index);
	put64(good.b + image_prop(props, nr_props, node, "root-pa")->off, pa);
	stamp_generation();
	return pa;
}

/* What is free for pages that the kernel does not move. */
static uint64_t unmovable_kib(void)
{
	unsigned long long all = 0, cma = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	check(f, "/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "MemFree: %llu kB", &all);
		sscanf(line, "CmaFree: %llu kB", &cma);
	}
	fclose(f);
	return all - cma;
}

/*
 * KHO notes pages in nodes of its tree, each of them for 128 MiB, and keeps
 * those: where a table page was preserved once it needs no memory for another.
 * So take memory away until a table comes to lie where none was.
 */
static void starve_tables(void)
{
	const struct rlimit files = { 4 * PIPES_MAX, 4 * PIPES_MAX };
	static int pipes[PIPES_MAX][2];
	uint64_t been = 0, node;
	uint32_t nr = 0;

	must(setrlimit(RLIMIT_NOFILE, &files) ? -errno : 0);
	while (!steps[STEP_TABLES].seen[SEAL] && nr + PIPES <= PIPES_MAX &&
	       unmovable_kib() > LEAVE_KIB) {
		node = move_table(pipes, &nr) >> KHO_NODE_SHIFT;
		if (been & 1ULL << node % 64)
			continue;
		been |= 1ULL << node % 64;
		/* A SEAL with memory would be the first there. */
		starve_call(SEAL, ALL_PAGES, REPEATS, false);
		seal_again();
	}
	say("%u MiB were eaten to move a table to %d places, %llu MiB are left",
	    nr, __builtin_popcountll(been),
	    (unsigned long long)unmovable_kib() >> 10);
	while (nr--) {
		close(pipes[nr][0]);
		close(pipes[nr][1]);
	}
}

static void try_memory(void)
{
	unsigned int i, call, pass;

	check(!strcmp(steps[STEP_TABLES].words,
		      "page tables cannot be preserved: error -12"), "a step");
	starve_open(&starve);
	for (call = SNAPSHOT; call <= SEAL; call++) {
		starve_call(call, ONE, 1, true);
		for (pass = 0; !pass || (pass < PASSES && !all_seen(call));
		     pass++)
			starve_call(call, ALL, 1, true);
	}
	starve_tables();
	starve_close(&starve);
	for (call = SNAPSHOT; call <= SEAL; call++)
		for (i = 0; i < ARRAY_SIZE(steps); i++)
			if (call == SEAL || !steps[i].seal_only)
				tally_one(steps[i].seen[call], true,
					  "%s was never \"%s%s\"",
					  call_names[call], steps[i].words,
					  steps[i].then ? steps[i].then : "");
}

/* ---- what stays behind --------------------------------------------------- */

/* Enough of them that a page lost in each is more than what comes and goes. */
#define ROUNDS		1500
#define ROUNDS_KIB	(ROUNDS * (int64_t)(GUEST_PAGE >> 10))

/* A SEAL that fails at the @nth allocation, 0 for one that succeeds. */
static int seal_starved(unsigned int nth)
{
	char sentence[SENTENCE_LEN];
	int err;

	if (nth)
		starve_begin(&starve, nth, true);
	err = handover_seal(handover, generation, good.b, good.len, sentence);
	if (nth)
		starve_end(&starve);
	if (!err) {
		must(handover_unseal(handover));
		stamp_generation();
	}
	return err;
}

static void want_kept(const char *what, int64_t lost)
{
	say("%s: %lld KiB fewer are free", what, (long long)lost);
	check(lost < ROUNDS_KIB / 2, "%s: %lld KiB are lost", what,
	      (long long)lost);
}

static void want_seals_kept(void)
{
	unsigned int i;
	int64_t lost;

	for (i = 0; i < ROUNDS / 10; i++)
		must(seal_starved(0));
	lost = free_kib();
	for (i = 0; i < ROUNDS; i++)
		must(seal_starved(0));
	want_kept("SEAL and UNSEAL", lost - free_kib());
}

/*
 * Nothing is lost in as many SEALs that fail, at the @nth allocation or as near
 * before it as one does: what is at hand decides which it is, and some can be
 * done without.
 */
static void want_failed_kept(const char *what, unsigned int nth)
{
	unsigned int i, in_row = 0, failed = 0, at = nth;
	int64_t lost;

	for (i = 0; i < ROUNDS / 10; i++)
		seal_starved(nth);
	lost = free_kib();
	for (i = 0; i < 2 * ROUNDS && failed < ROUNDS; i++) {
		if (seal_starved(at) == -ENOMEM) {
			failed++;
			if (++in_row < 10)
				continue;
			at += at < nth;
		} else {
			at -= at > 1;
		}
		in_row = 0;
	}
	lost -= free_kib();
	say("%s: %u of %u failed, allocation %u of %u", what, failed, i, at,
	    nth);
	check(failed == ROUNDS, "%s: only %u have failed", what, failed);
	want_kept(what, lost);
}

static unsigned int last_to_fail(void)
{
	unsigned int nth, last = 0;

	for (nth = 1; nth < last + 20; nth++)
		if (seal_starved(nth) == -ENOMEM)
			last = nth;
	check(last, "no SEAL fails");
	return last;
}

/* Pages are in nobody's list: a leak shows only in what is free. */
static void try_leaks(void)
{
	unsigned int last;
	int64_t lost;
	char *kept;

	console_level("4");
	want_seals_kept();

	starve_open(&starve);
	/* The latest step that can fail has most to undo. */
	last = last_to_fail();
	want_failed_kept("the last step of SEAL", last);
	want_failed_kept("one half way", last / 2 + 1);
	starve_close(&starve);

	lost = free_kib();
	kept = mmap(NULL, ROUNDS * GUEST_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	check(kept != MAP_FAILED, "mmap: %s", strerror(errno));
	lost -= free_kib();
	munmap(kept, ROUNDS * GUEST_PAGE);
	check(lost >= ROUNDS_KIB / 2, "the control: %lld KiB are lost",
	      (long long)lost);
}

/* ---- all of it ----------------------------------------------------------- */

/* Were all sentences given? Later stages try too little for that. */
static void try_sentences(void)
{
	unsigned int i;

	for (i = 0; step == 1 && i < ARRAY_SIZE(sentences); i++)
		tally_one(sentence_seen[i], true, "\"%s\" was never said",
			  sentences[i]);
}

static void tries(void)
{
	uint64_t start = now_ms();
	cpu_set_t before, one;

	get_image();
	want_sealed();
	make_bad();
	console_level("6");
	try_facts();
	say("facts: %u tried, %u behaved", tally.tried, tally.behaved);
	try_stream("context-0");
	try_stream("context-1");
	say("and records: %u, %u", tally.tried, tally.behaved);
	try_header();
	try_lengths();
	say("and header, lengths: %u, %u", tally.tried, tally.behaved);
	try_unsigned();
	try_sentences();
	check(generation == handover_number("generation") &&
	      handover_state_is("open"), "a refusal has changed something");
	want_sealed();
	/* What a CPU has at hand decides what has to be allocated. */
	must(sched_getaffinity(0, sizeof(before), &before) ? -errno : 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	must(sched_setaffinity(0, sizeof(one), &one) ? -errno : 0);
	try_memory();
	if (step == 1)
		try_leaks();
	must(sched_setaffinity(0, sizeof(before), &before) ? -errno : 0);
	console_level("7");
	want_sealed();
	say("%u tried, %u behaved, %u by comparison with live state, %llu ms",
	    tally.tried, tally.behaved, by_live,
	    (unsigned long long)(now_ms() - start));
	report("refused_by_live_state[]", "%u", by_live);
}

static void build(void)
{
	static const struct iommu_iova_range allow[] = {
		{ 0x40000000, 0x7fffffff }, { 0x100000000, 0x3ffffffff },
	};
	uint32_t ioas, other, dev;

	carry_create(&carry, SESSION);
	must(memory_create(&plain, "plain", 64 * GUEST_PAGE));

	/* Every kind of record. */
	carry_open(&carry, 0, "first");
	ctx_memory(&ctx[0], &plain);
	ctx_rlimit_mode(&ctx[0], 1);
	ioas = ctx_ioas(&ctx[0]);
	other = ctx_ioas(&ctx[0]);
	ctx_huge_pages(&ctx[0], other, 0);
	ctx_allow(&ctx[0], ioas, allow, 2);
	must(ioctl(ctx[0].fd, IOMMU_VFIO_IOAS, &(struct iommu_vfio_ioas) {
			.size = sizeof(struct iommu_vfio_ioas),
			.op = IOMMU_VFIO_IOAS_SET, .ioas_id = ioas }));
	ctx_map(&ctx[0], ioas, 0, CARRY_STATE_LEN, CARRY_MAP_LEN, CARRY_IOVA,
		IOVA_RW);
	ctx_map(&ctx[0], ioas, 1, 0x3000, 0x8000, 0x100007000, IOVA_RO);
	ctx_copy(&ctx[0], other, 0x5000, ioas, CARRY_IOVA, IOVA_RO);
	dev = carry_nic(&ctx[0], 0, ioas);
	ctx_hwpt(&ctx[0], dev, other);
	ctx_settle(&ctx[0]);

	carry_open(&carry, 1, "second");
	ctx_memory(&ctx[1], &plain);
	ioas = ctx_ioas(&ctx[1]);
	ctx_map(&ctx[1], ioas, 1, 0, 0x2000, 0x1000, IOVA_RW);
	ctx_settle(&ctx[1]);
}

static void take_back(unsigned int nr)
{
	int i;

	carry_retrieve(&carry, SESSION, nr);
	must(memory_adopt(&plain, must(luo_restore(carry.session,
						   TOKEN_PLAIN))));
	for (i = 0; i < 2; i++)
		ctx_memory(&ctx[i], &plain);
	carry_rebind(&carry);
	carry_finish(&carry);
}

static int hand_over(void)
{
	int session = carry_hand_over(&carry);

	must(luo_preserve(session, plain.fd, TOKEN_PLAIN));
	return session;
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);
	int session;

	handover = must(handover_open());
	if (nr)
		take_back(nr);
	else
		build();
	carry_verify(&carry);
	session = hand_over();
	if (nr) {
		step = 7;
		phase = nr;
	}
	if (debug_kernel()) {
		step = 61;
		phase = (boot_seed("handover.seed=") + nr) % step;
	}
	tries();
	/* Changing something and back again would move the generation. */
	close(session);
	carry_verify(&carry);
	tally_end(&carry.state->sum);
	hand_over();
	close(handover);
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * tampered NUMBER - NUMBER is 0 before the first kexec
 *
 * kexec(8) makes an image of two contexts that have every kind of record. From
 * then on it is altered in one place at a time: each byte of each fact and of
 * each record with all checksums made right, each byte of the image with none,
 * and its length. SEAL has to refuse every one and to accept the image when
 * nothing is altered. The whole of it before the first kexec; later every
 * seventh byte, from another one on each time.
 */
#include <sys/mman.h>

#include "carry.h"
#include "image.h"

#define SESSION		"tampered"
#define TOKEN_PLAIN	CARRY_TOKEN_FREE
#define IMAGE		"/run/tampered.iho"
#define SHOWN_MAX	40

/* For /proc/self/fail-nth: more than any call allocates. */
#define FAIL_NEVER	1000000

static struct carry carry;
static struct ctx *const ctx = carry.ctx;
static struct memory plain;
static int handover;

static struct image good, bad;
static struct prop props[PROPS_MAX];
static uint32_t nr_props;
static uint64_t generation;
static uint32_t step = 1, phase;
static unsigned int shown, by_live;
static bool differs_said[PROPS_MAX];

/* Every sentence that SEAL has for an image that is not of this state. */
static const char *const sentences[] = {
	" is no length of an image", "image: release differs", "image: header ",
	"image: memory-0 ", "image: context-0 ", " at 0x", "differs from live",
	"made of generation", "the records differ from the iommufd of session",
	"CRC of", "digest does not match", "misaligned", "out of its range",
};

static bool sentence_seen[ARRAY_SIZE(sentences)];

/* ---- one try ------------------------------------------------------------- */

/*
 * SEAL of "bad" has to be refused.
 * @err: the errno, or 0 for any that tells of an image
 * @words: have to be in the sentence, or NULL
 * Return: whether the sentence says that a fact differs from live state.
 */
__attribute__((format(printf, 4, 5)))
static bool want_refused(uint32_t len, int err, const char *words,
			 const char *fmt, ...)
{
	char sentence[SENTENCE_LEN], what[256];
	bool good_one;
	unsigned int i;
	va_list ap;
	int got;

	got = handover_seal(handover, generation, bad.b, len, sentence);
	good_one = err ? got == -err :
		   got == -EBADMSG || got == -EINVAL || got == -EOPNOTSUPP ||
		   got == -EFBIG || got == -ESTALE;
	good_one = good_one && !strncmp(sentence, "image: ", 7) &&
		   (!words || strstr(sentence, words));
	by_live += got == -EINVAL;
	for (i = 0; i < ARRAY_SIZE(sentences); i++)
		sentence_seen[i] |= !!strstr(sentence, sentences[i]);
	if (!good_one && shown < SHOWN_MAX) {
		shown++;
		va_start(ap, fmt);
		vsnprintf(what, sizeof(what), fmt, ap);
		va_end(ap);
		tally_one(false, false, "%s: %s: %s", what,
			  got ? strerror(-got) : "SEALED", sentence);
	} else {
		tally_one(good_one, true, "%s", fmt);
	}
	if (!got) {
		/* The generation has moved on, tries would mean nothing. */
		must(handover_unseal(handover));
		check(false, "an altered image was sealed");
	}
	return strstr(sentence, "differs from live state");
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
	differs_said[i] |= want_refused(bad.len, 0, NULL, "%s %s", p->node,
					p->name);
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
	differs_said[i] |= want_refused(bad.len, 0, NULL, "%s %s of %u bytes",
					props[i].node, props[i].name, len);
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
			differs_said[i] |= want_refused(bad.len, 0, NULL,
					"%s %s byte %u", p->node, p->name, k);
			bad.b[p->off + k] ^= 0x01 ^ 0x10;
			image_sign(&bad);
			differs_said[i] |= want_refused(bad.len, 0, NULL,
					"%s %s byte %u", p->node, p->name, k);
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

static void try_stream(const char *context)
{
	uint32_t off, len, crc, pos, i, seen = 0, nr = 0;
	const struct prop *p;
	char words[64];

	p = image_prop(props, nr_props, context, "stream-off");
	off = get64(good.b + p->off);
	p = image_prop(props, nr_props, context, "stream-len");
	len = get64(good.b + p->off);
	crc = image_prop(props, nr_props, context, "stream-crc")->off;
	check(crc32_of(good.b + off, len) == get32(good.b + crc),
	      "%s: our CRC is not the loader's", context);

	for (pos = 0; pos < len; nr++) {
		struct iho_rec rec;

		memcpy(&rec, good.b + off + pos, sizeof(rec));
		seen |= 1u << rec.kind;
		pos += sizeof(rec) + ((rec.payload_len + 7) & ~7u) +
		       ((rec.inline_len + 7) & ~7u);
	}
	say("%s: %u records in %u bytes", context, nr, len);
	check(strcmp(context, "context-0") ||
	      seen == (1u << IHO_REC_KINDS) - 2, "record kinds %#x", seen);

	for (i = 0; i < 2 * len; i++) {
		uint8_t flip = i & 1 ? 0x10 : 0x01;

		if (left_out(i / 2))
			continue;
		bad.b[off + i / 2] ^= flip;
		put32(bad.b + crc, crc32_of(bad.b + off, len));
		image_sign(&bad);
		snprintf(words, sizeof(words), "at byte %u of the stream",
			 i / 2);
		want_refused(bad.len, EINVAL, words, "%s stream byte %u",
			     context, i / 2);
		bad.b[off + i / 2] ^= flip;
		put32(bad.b + crc, crc32_of(bad.b + off, len));
	}
}

/* ---- header, length, and checksums that are wrong ------------------------ */

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
		want_refused(bad.len, 0, NULL, "header byte %u", i);
		make_bad();
	}
}

static void try_lengths(void)
{
	uint32_t len;

	for (len = 4096; len < good.len; len += 4096) {
		want_refused(len, EBADMSG, NULL, "cut to %u bytes", len);
		bad.len = len;
		put64(HEAD(&bad, total_len), len);
		image_sign(&bad);
		want_refused(len, EBADMSG, NULL, "made %u bytes", len);
		make_bad();
	}
	want_refused(good.len - 1, EBADMSG, NULL, "a byte less");
	want_refused(good.len + 1, EBADMSG, NULL, "a byte more");
	want_refused(good.len - 2048, EBADMSG, NULL, "half a page less");

	memset(bad.b + good.len, 0, 4096);
	want_refused(good.len + 4096, EBADMSG, NULL, "a page of zeroes more");
	bad.len = good.len + 4096;
	put64(HEAD(&bad, total_len), bad.len);
	image_sign(&bad);
	want_refused(bad.len, EBADMSG, NULL, "signed with a page more");
	bad.b[good.len] = 1;
	image_sign(&bad);
	want_refused(bad.len, EBADMSG, NULL, "signed with something more");
	make_bad();
	bad.b[good.len - 1] = 1;
	image_sign(&bad);
	want_refused(bad.len, EBADMSG, NULL, "signed with padding not zero");
	make_bad();
}

static void try_unsigned(void)
{
	uint32_t i;

	for (i = 0; i < good.len; i++) {
		if (left_out(i))
			continue;
		bad.b[i] ^= 1u << i % 8;
		want_refused(bad.len, 0, NULL, "byte %u, not signed", i);
		bad.b[i] ^= 1u << i % 8;
	}
}

/* ---- memory that runs out ------------------------------------------------ */

static void set_fault(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", path,
	      strerror(errno));
	close(fd);
}

/* Let the @nth allocation fail, or none when it is 0. */
static void fail_nth(int fd, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	check(pwrite(fd, text, len, 0) == len, "fail-nth: %s", strerror(errno));
}

/* How many allocations are left until one would fail; none fails any more. */
static unsigned int still_to_fail(int fd)
{
	char text[16];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	check(n > 0, "fail-nth: %s", strerror(errno));
	text[n] = '\0';
	fail_nth(fd, 0);
	return atoi(text);
}

static int snapshot_or_seal(bool seal, char sentence[SENTENCE_LEN])
{
	if (seal)
		return handover_seal(handover, generation, good.b, good.len,
				     sentence);
	return handover_snapshot(handover, sentence, NULL);
}

static void unseal_again(void)
{
	must(handover_unseal(handover));
	stamp_generation();
}

/*
 * Each allocation of SNAPSHOT and of SEAL fails once. The call then gives
 * ENOMEM and nothing is sealed, or it has done without.
 */
static void try_memory(bool seal)
{
	const char *name = seal ? "SEAL" : "SNAPSHOT";
	unsigned int nth, last, missed = 0;
	char sentence[SENTENCE_LEN];
	int fd, got;

	fd = must(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC));
	fail_nth(fd, FAIL_NEVER);
	got = snapshot_or_seal(seal, sentence);
	last = FAIL_NEVER - still_to_fail(fd);
	check(!got, "%s with all its memory: %s: %s", name, strerror(-got),
	      sentence);
	if (seal)
		unseal_again();
	for (nth = 1; nth <= last; nth++) {
		fail_nth(fd, nth);
		got = snapshot_or_seal(seal, sentence);
		if (!still_to_fail(fd)) {
			missed += got == -ENOMEM;
			tally_one(!got || (got == -ENOMEM &&
					   handover_state_is("open")), true,
				  "%s without allocation %u: %s: %s", name, nth,
				  strerror(-got), sentence);
		}
		if (seal && !got)
			unseal_again();
	}
	close(fd);
	say("%s: %u allocations, %u of them missed", name, last, missed);
	check(missed, "%s does not mind what fails", name);
}

static void try_all_memory(void)
{
	set_fault("failslab/ignore-gfp-wait", "N");
	set_fault("failslab/verbose", "0");
	set_fault("fail_page_alloc/ignore-gfp-wait", "N");
	set_fault("fail_page_alloc/ignore-gfp-highmem", "N");
	set_fault("fail_page_alloc/min-order", "0");
	set_fault("fail_page_alloc/verbose", "0");
	try_memory(false);
	try_memory(true);
}

/* ---- all of it ----------------------------------------------------------- */

/* What only informs would take longer to print than to find out. */
static void kernel_log(const char *level)
{
	int fd = must(open("/proc/sys/kernel/printk", O_WRONLY | O_CLOEXEC));

	check(write(fd, level, 1) == 1, "/proc/sys/kernel/printk");
	close(fd);
}

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

	get_image();
	want_sealed();
	make_bad();
	kernel_log("6");
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
	kernel_log("7");
	check(generation == handover_number("generation") &&
	      handover_state_is("open"), "a refusal has changed something");
	want_sealed();
	try_all_memory();
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
	tries();
	/* Changing something and back again would move the generation. */
	close(session);
	carry_verify(&carry);
	tally_end(&carry.state->sum);
	hand_over();
	close(handover);
	background_ready();
}

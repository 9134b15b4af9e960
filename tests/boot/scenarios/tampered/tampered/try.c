// SPDX-License-Identifier: GPL-2.0-only
/* One try, and what it is made of. */
#include "tampered.h"

#define SHOWN_MAX	40

struct image good, bad;
struct prop props[PROPS_MAX];
uint32_t nr_props;
uint64_t generation;
uint32_t step = 1, phase;
unsigned int by_live;
bool differs_said[PROPS_MAX];

static unsigned int shown;

/* Every sentence that SEAL has for an image that is not of this state. */
static const char *const sentences[] = {
	"invalid image length", "image: release differs", "image: header ",
	"image: memory-0 ", "image: context-0 ", " at 0x", "differs from live",
	"made of generation", " differs from session", "CRC of",
	"digest does not match", "record section", "misaligned", "out of its range",
};

static bool sentence_seen[ARRAY_SIZE(sentences)];

bool noted_unsealed(int err, const char *sentence)
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

int try_seal(uint32_t len, char sentence[SENTENCE_LEN])
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

void count_try(bool fits, int err, const char *sentence, const char *what)
{
	fits = noted_unsealed(err, sentence) && fits;
	if (!fits && shown++ >= SHOWN_MAX)
		tally.tried++;
	else
		tally_one(fits, true, "%s: %s: %s", what, strerror(err),
			  sentence);
}

void want_words(uint32_t len, int err, const char *words, const char *fmt, ...)
{
	char sentence[SENTENCE_LEN], what[128];
	int got = try_seal(len, sentence);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	count_try(got == err && says(sentence, words), got, sentence, what);
}

void want_reason(uint32_t len, const char *where, const char *text,
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

void want_fact(uint32_t i, const char *fmt, ...)
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

bool left_out(uint32_t i)
{
	return i % step != phase % step;
}

void make_bad(void)
{
	bad.len = good.len;
	memcpy(bad.b, good.b, good.len + 4096);
}

void console_level(const char *level)
{
	int fd = must(open("/proc/sys/kernel/printk", O_WRONLY | O_CLOEXEC));

	check(write(fd, level, 1) == 1, "/proc/sys/kernel/printk");
	close(fd);
}

/* ---- the good image ------------------------------------------------------ */

void stamp_generation(void)
{
	uint32_t nr = image_props(&good, props);

	generation = handover_number("generation");
	put64(good.b + image_prop(props, nr, "root", "generation")->off,
	      generation);
	image_sign(&good);
	nr_props = nr;
}

void try_sentences(void)
{
	unsigned int i;

	for (i = 0; step == 1 && i < ARRAY_SIZE(sentences); i++)
		tally_one(sentence_seen[i], true, "\"%s\" was never said",
			  sentences[i]);
}

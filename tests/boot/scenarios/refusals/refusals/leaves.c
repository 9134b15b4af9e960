// SPDX-License-Identifier: GPL-2.0-only
/* Page tables with one entry altered without the kernel's knowledge. */
#include "refusals.h"

#define ALTER_LIVE	"/sys/kernel/debug/iommu_handover/alter_live"

/**
 * struct leaf_bits - permissions in a leaf of a format
 * @both: all that a leaf has which may be read and written
 * @read: without it, it may not be read
 * @write: without it, it may not be written
 */
struct leaf_bits {
	uint64_t both, read, write;
};

/* Most bits first: AMD-Vi's v1, VT-d's first and second stage. */
static const struct leaf_bits formats[] = {
	{ 3ULL << 61 | 1, 1ULL << 61, 1ULL << 62 },
	{ 7, 1, 2 },
	{ 3, 1, 2 },
};

static const struct leaf_bits *bits_of(uint64_t leaf)
{
	const struct leaf_bits *f = formats;

	while ((leaf & f->both) != f->both)
		check(++f < formats + ARRAY_SIZE(formats), "leaf %#llx",
		      LL(leaf));
	return f;
}

/* Alter the entry of @iova in a table of "main". Return: what it was. */
static uint64_t alter_live(uint32_t hwpt, uint64_t iova, uint64_t mask)
{
	char text[96];

	snprintf(text, sizeof(text), "%d %u %#llx %#llx", CARRY_TOKEN_IOMMUFD,
		 hwpt, LL(iova), LL(mask));
	must(write_text(ALTER_LIVE, text));
	read_line(ALTER_LIVE, text, sizeof(text));
	return strtoull(text, NULL, 16);
}

/*
 * SEAL compares the tables with the maps, and so does a check: with one entry
 * altered it says which, and once that is as it was it speaks of the next, or of
 * none.
 */
static void want_leaf(const char *what, uint32_t hwpt, uint64_t iova,
		      uint64_t mask, const char *words)
{
	uint64_t was = alter_live(hwpt, iova, mask);
	char sentence[SENTENCE_LEN], got[SENTENCE_LEN];
	int err;

	check(mask, "%s: nothing to alter", what);
	snprintf(sentence, sizeof(sentence),
		 "session \"" SESSION "\" token %d: HWPT %u IOVA %#llx %s",
		 CARRY_TOKEN_IOMMUFD, hwpt, LL(iova), words);
	err = handover_check(handover, got);
	check(err == -EINVAL && !strcmp(got, sentence), "%s: check: %s: %s",
	      what, strerror(-err), got);
	want_seal_refused(what, EINVAL, sentence, NULL);
	check(alter_live(hwpt, iova, mask) == (was ^ mask),
	      "%s: the entry has changed meanwhile", what);
	check(alter_live(hwpt, iova, 0) == was, "%s: not put back", what);
}

void leaves(void)
{
	static const char gone[] = "is mapped but not in the page table; unmap and map it again, and report it";
	static const char more[] = "is in the page table but not mapped; destroy the HWPT and report it";
	static const char perm[] = "has other permissions in the page table than its map; unmap and map it again, and report it";
	const struct want_map *rw = &ctx->want->ioas[0].map[0], *ro = rw + 1;
	uint32_t hwpt = ctx->want->dev[0].hwpt;
	uint32_t other = ctx->want->hwpt[1].id;
	uint64_t middle = rw->iova + 3 * GUEST_PAGE;
	uint64_t last = ro->iova + ro->length - GUEST_PAGE;
	uint64_t leaf = alter_live(hwpt, middle, 0);
	const struct leaf_bits *bits = bits_of(leaf);
	char words[SENTENCE_LEN];

	check(ctx->want->ioas[0].map_nr == 2 && rw->flags == IOVA_RW &&
	      ro->flags == IOVA_RO && other != hwpt,
	      "another context was built");
	want_leaf("a leaf cleared", hwpt, middle, leaf, gone);
	want_leaf("the first leaf cleared", hwpt, rw->iova,
		  alter_live(hwpt, rw->iova, 0), gone);
	want_leaf("the last leaf cleared", hwpt, last,
		  alter_live(hwpt, last, 0), gone);
	want_leaf("a leaf cleared in an HWPT without device", other, middle,
		  alter_live(other, middle, 0), gone);
	want_leaf("a leaf more between two maps", hwpt, rw->iova + rw->length,
		  leaf, more);
	want_leaf("a leaf more behind all maps", hwpt, last + GUEST_PAGE, leaf,
		  more);
	snprintf(words, sizeof(words),
		 "is not the preserved page of memfd token %d at %#llx; was a hole punched? Unmap and map it again",
		 CARRY_TOKEN_MEMORY, LL(rw->offset + 3 * GUEST_PAGE));
	want_leaf("a leaf of another page", hwpt, middle, GUEST_PAGE, words);
	want_leaf("a leaf that may not be written", hwpt, middle, bits->write,
		  perm);
	/* In the first stage that is one that is not there */
	want_leaf("a leaf that may not be read", hwpt, middle, bits->read,
		  bits->both == 7 ? gone : perm);
	want_leaf("a leaf that may be written", hwpt, last, bits->write, perm);
	check(!handover_check(handover, words), "check: %s", words);
	seal();
	unload_kernel();
	check(!ctx_verify(ctx, true), "altered leaves have had an effect");
}

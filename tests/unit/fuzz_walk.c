// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_walk [--seconds N] [--seed S] [FORMAT] - walk random page tables
 *
 * Makes trees that are mostly plausible, walks them and holds the library
 * against itself: what must be true of any tree, whatever is in it. Without
 * FORMAT all formats take turns. The tree number i of --seed S is the first of
 * --seed S+i, which is what a failure tells; the sanitizers see the rest.
 *
 * `make check` runs it for seconds; for an hour:
 *   build/unit/fuzz_walk --seconds 3600 --seed $(date +%s)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iho.h"
#include "tap.h"

#define TABLES		12u
#define ENTRIES		512u
#define FIRST_PA	0x100000ull
#define MAX_TABLES	48u
#define LEAST_TREES	300u
#define RW		(IHO_PT_READ | IHO_PT_WRITE)

/* A tree: table 0 is its top, each was made for one level. */
struct tree {
	u64 seed;
	const struct iho_format *format;
	struct iho_pt pt;
	u64 *table[TABLES];
	u32 level[TABLES];
	u32 tables;		/* that can be read */
	u32 reads;
};

/* What a walk gave. */
struct walked {
	struct iho_run run[MAX_TABLES * ENTRIES];
	u32 runs;
	u32 tables;
	int level;		/* where it ended */
	int ret;
};

static struct walked walked;
static u64 state;
static const struct tree *now;

/* What was met: each has to be, or the trees are not worth much. */
static struct {
	u64 trees, runs, joined;
	u64 good, entry, pa, limit;
} met;

static u64 random64(void)
{
	u64 z;

	state += 0x9e3779b97f4a7c15ull;
	z = state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static u32 below(u32 n)
{
	return (u32)(random64() >> 32) % n;
}

/* ---- trees ------------------------------------------------------------- */

static const u64 *read_table(void *priv, u64 pa)
{
	struct tree *t = priv;
	u64 i = (pa - FIRST_PA) / IHO_PAGE_SIZE;

	t->reads++;
	return pa >= FIRST_PA && i < t->tables ? t->table[i] : NULL;
}

/* Of a table that is one level down, or of any or none now and then. */
static u64 table_pa(const struct tree *t, u32 level)
{
	u32 i = below(TABLES + 1), n;

	for (n = below(16) ? 0 : TABLES; n < TABLES; n++) {
		if (i < TABLES && t->level[i] + 1 == level)
			break;
		i = (i + 1) % TABLES;
	}
	return FIRST_PA + i * (u64)IHO_PAGE_SIZE;
}

static u32 random_perm(void)
{
	return below(4) ? RW : below(8);
}

/*
 * Of amdv1: one leaf in as many entries as it fills, or fewer, or in a place
 * that it does not belong to, or of a size that it cannot have there.
 */
static void put_sized(struct tree *t, u32 n, u32 index)
{
	u32 span = iho_format_span_lg2(t->format, t->level[n]);
	u32 size = span + (below(32) ? 1 + below(8) : below(11));
	u64 entry = random64() & 0x000ffffffffff000ull;
	u32 count = 1u << (size - span);

	if (size > IHO_MAX_PA_LG2)
		size = IHO_MAX_PA_LG2 + !below(32);
	entry &= ~((1ull << size) - 1);
	if (size > 13)
		entry |= (1ull << (size - 1)) - 0x1000;
	entry |= 0xe01 | (u64)below(8) << 60;
	if (below(64))
		index &= ~(count - 1);
	if (!below(64))
		count = 1 + below(count);
	while (count-- && index < ENTRIES)
		t->table[n][index++] = entry;
}

/* Leaves one after the other, of adjacent addresses for the most part. */
static void put_leaves(struct tree *t, u32 n, u32 index)
{
	u32 level = t->level[n], count = 1 + below(below(4) ? 4 : ENTRIES);
	u64 span = 1ull << iho_format_span_lg2(t->format, level);
	u32 perm = random_perm();
	u64 pa = random64() & 0x000ffffffffff000ull & ~(span - 1);

	for (; count-- && index < ENTRIES; index++, pa += span) {
		if (!below(64))
			perm = random_perm();
		if (!below(64))
			pa ^= span;
		pa &= 0x000ffffffffff000ull;
		t->table[n][index] = t->format->leaf(pa, level, perm);
	}
}

static u32 random_index(void)
{
	static const u32 edges[] = { 0, 1, 127, 128, 255, 256, 510, 511 };

	return below(3) ? below(128) : below(2) ? below(ENTRIES) :
	       edges[below(sizeof(edges) / sizeof(edges[0]))];
}

static void fill(struct tree *t, u32 n)
{
	u32 things = below(12), level = t->level[n], i;

	memset(t->table[n], 0, IHO_PAGE_SIZE);
	while (things--) {
		i = random_index();
		switch (below(8)) {
		case 0 ... 2:
			put_leaves(t, n, i);
			break;
		case 3:
			if (t->pt.format == IHO_TABLE_AMDV1 &&
			    (level < 5 || !below(32)))
				put_sized(t, n, i);
			else if (!below(32))
				t->table[n][i] = random64();
			break;
		default:
			t->table[n][i] = level ?
				t->format->link(table_pa(t, level), level,
						random_perm()) :
				t->format->leaf(0, 0, random_perm());
		}
	}
}

/* Bits that are wrong, or that do not count. */
static void mutate(struct tree *t)
{
	u32 flips = below(2) ? 0 : 1 + below(6), n, i;

	while (flips--) {
		n = below(TABLES);
		i = random_index();
		while (!t->table[n][i] && i < ENTRIES - 1)
			i++;
		t->table[n][i] ^= below(16) ? 1ull << below(64) : random64();
	}
}

static void make_tree(struct tree *t, u32 format, u64 seed)
{
	const struct iho_format *f = iho_format(format);
	u32 i;

	state = seed * 0xd1342543de82ef95ull;
	t->seed = seed;
	t->format = f;
	t->reads = 0;
	t->tables = below(8) ? TABLES : 1 + below(TABLES);
	t->pt.format = format;
	t->pt.levels = f->min_levels + below(f->max_levels - f->min_levels + 1);
	t->pt.root_pa = FIRST_PA;
	t->pt.table = read_table;
	t->pt.priv = t;
	t->pt.max_tables = below(4) ? MAX_TABLES : 1 + below(MAX_TABLES);
	for (i = 0; i < TABLES; i++)
		t->level[i] = i < t->pt.levels ? t->pt.levels - 1 - i :
						 below(t->pt.levels);
	for (i = 0; i < TABLES; i++)
		fill(t, i);
	mutate(t);
}

/* ---- what must be true ------------------------------------------------- */

static void must_be(bool cond, const char *what, int line)
{
	if (cond)
		return;
	ok(false, "%s", what);
	diag("line %d, of %s --seed %llu", line, now->format->name,
	     (unsigned long long)now->seed);
	tap_end();
	exit(1);
}

#define MUST(cond)	must_be(cond, #cond, __LINE__)

static void walk(struct tree *t)
{
	struct iho_run more;
	struct iho_walk w;

	walked.runs = 0;
	t->reads = 0;
	MUST(!iho_walk_init(&w, &t->pt));
	while ((walked.ret = iho_walk_next(&w, &walked.run[walked.runs])) == 1)
		MUST(++walked.runs < MAX_TABLES * ENTRIES);
	MUST(walked.ret == 0 || walked.ret == -IHO_ERR_TABLE_PA ||
	     walked.ret == -IHO_ERR_TABLE_ENTRY ||
	     walked.ret == -IHO_ERR_LIMIT);
	MUST(iho_walk_next(&w, &more) == walked.ret);
	MUST(t->reads == w.tables && w.tables <= t->pt.max_tables);
	walked.tables = w.tables;
	walked.level = w.level;
}

/* Runs ascend, are disjoint, are as long as can be, and lie in both spaces. */
static void check_runs(const struct tree *t)
{
	u32 width = iho_format_width(t->format, t->pt.levels), i;
	const struct iho_run *r, *before = NULL;

	for (i = 0; i < walked.runs; i++, before = r) {
		r = &walked.run[i];
		MUST(r->first_iova < r->last_iova);
		MUST(width == 64 || !(r->last_iova >> width));
		MUST(!(r->first_iova & 0xfff));
		MUST((r->last_iova & 0xfff) == 0xfff);
		MUST(!(r->pa & 0xfff));
		MUST(!((r->pa + (r->last_iova - r->first_iova)) >> 52));
		MUST(r->perm & RW && !(r->perm & ~(RW | IHO_PT_SNOOP)));
		met.joined += r->last_iova - r->first_iova > 0xfff;
		if (!before)
			continue;
		MUST(before->last_iova < r->first_iova);
		MUST(r->first_iova - before->last_iova > 1 ||
		     r->perm != before->perm ||
		     r->pa != before->pa +
			      (r->first_iova - before->first_iova));
	}
}

/* Translate one address from the top, as hardware does it. */
static bool translate(const struct tree *t, u64 iova, u64 *pa, u32 *perm)
{
	struct iho_slot slot = { .levels = t->pt.levels };
	u64 at = t->pt.root_pa, span;
	u32 all = RW, got;

	for (slot.level = t->pt.levels; slot.level--;) {
		span = 1ull << iho_format_span_lg2(t->format, slot.level);
		slot.index = iova / span % ENTRIES;
		slot.table = t->table[(at - FIRST_PA) / IHO_PAGE_SIZE];
		slot.entry = slot.table[slot.index];
		switch (t->format->decode(&slot, &at, &got)) {
		case IHO_ENTRY_TABLE:
			all &= got;
			continue;
		case IHO_ENTRY_LEAF:
			*pa = at + iova % span;
			*perm = got & (all | IHO_PT_SNOOP);
			return *perm & RW;
		default:
			return false;
		}
	}
	return false;
}

static void check_mapped(const struct tree *t, const struct iho_run *r,
			 u64 iova)
{
	struct iho_slot slot = { .levels = t->pt.levels };
	const u64 *e;
	u64 pa, span, want = r->pa + (iova - r->first_iova);
	u32 perm, level;

	MUST(translate(t, iova, &pa, &perm));
	MUST(pa == want && perm == r->perm);
	e = iho_pt_entry(&t->pt, iova, &level);
	MUST(e && level < t->pt.levels);
	slot.entry = *e;
	slot.level = level;
	span = 1ull << iho_format_span_lg2(t->format, level);
	slot.index = iova / span % ENTRIES;
	slot.table = e - slot.index;
	MUST(t->format->decode(&slot, &pa, &perm) == IHO_ENTRY_LEAF);
	MUST(pa == (want & ~(span - 1)));
}

/* Where runs begin and end, and beside them; holes that the walk went over. */
static void check_boundaries(const struct tree *t)
{
	const struct iho_run *r;
	u64 pa, from = 0, hole;
	u32 perm, i;

	for (i = 0; i < walked.runs; i++) {
		r = &walked.run[i];
		check_mapped(t, r, r->first_iova);
		check_mapped(t, r, r->last_iova);
		check_mapped(t, r, r->first_iova + random64() %
			     (r->last_iova - r->first_iova));
		if (from < r->first_iova) {
			hole = from + random64() % (r->first_iova - from);
			MUST(!translate(t, from, &pa, &perm));
			MUST(!translate(t, hole, &pa, &perm));
			MUST(!translate(t, r->first_iova - 1, &pa, &perm));
		}
		from = r->last_iova + 1;
	}
}

static int count_table(void *priv, u64 pa, u32 level)
{
	u32 *count = priv;

	(void)pa;
	(void)level;
	++*count;
	return 0;
}

/* It does not look into tables of the smallest leaves, else it is the same. */
static void check_tables(const struct tree *t)
{
	u32 count = 0;
	int ret = iho_walk_tables(&t->pt, count_table, &count);

	if (walked.ret == -IHO_ERR_TABLE_ENTRY && !walked.level)
		return;
	MUST(ret == walked.ret);
	MUST(ret || count == walked.tables);
	MUST(count <= walked.tables);
}

static void check_compare(const struct tree *t)
{
	struct iho_diff diff;
	int which = -1;
	u64 runs;

	MUST(iho_tree_compare(&t->pt, &t->pt, &diff, &runs, &which) ==
	     walked.ret);
	MUST(runs == walked.runs);
	MUST(which == (walked.ret ? 0 : -1));
}

static void check_tree(struct tree *t)
{
	now = t;
	walk(t);
	check_runs(t);
	check_boundaries(t);
	check_tables(t);
	check_compare(t);
	met.trees++;
	met.runs += walked.runs;
	met.good += !walked.ret && walked.runs;
	met.entry += walked.ret == -IHO_ERR_TABLE_ENTRY;
	met.pa += walked.ret == -IHO_ERR_TABLE_PA;
	met.limit += walked.ret == -IHO_ERR_LIMIT;
}

/* ---- program ----------------------------------------------------------- */

#define ULL(v)	((unsigned long long)(v))

static void report(const char *name)
{
	ok(met.good && met.entry && met.pa && met.limit && met.joined,
	   "%s: all holds of random trees, good and bad ones", name);
	diag("%llu trees, %llu runs, %llu of more than a page; %llu trees good, %llu with a bad entry, %llu with a table elsewhere, %llu over the limit",
	     ULL(met.trees), ULL(met.runs), ULL(met.joined), ULL(met.good),
	     ULL(met.entry), ULL(met.pa), ULL(met.limit));
}

static int usage(void)
{
	fprintf(stderr, "usage: fuzz_walk [--seconds N] [--seed S] [FORMAT]\n");
	return 2;
}

int main(int argc, char **argv)
{
	u64 seed = 1, seconds = 10, i;
	const char *only = NULL;
	static struct tree t;
	u32 formats = 0, format = 0, f;
	time_t end;

	while (iho_format(formats + 1))
		formats++;
	for (argv++; *argv; argv++) {
		if (!strcmp(*argv, "--seconds") && argv[1])
			seconds = strtoull(*++argv, NULL, 0);
		else if (!strcmp(*argv, "--seed") && argv[1])
			seed = strtoull(*++argv, NULL, 0);
		else if (**argv == '-' || only)
			return usage();
		else
			only = *argv;
	}
	for (f = 1; only && f <= formats; f++)
		if (!strcmp(only, iho_format(f)->name))
			format = f;
	if (argc < 1 || (only && !format))
		return usage();

	/* Each by itself, so that a sanitizer sees what is read beside it */
	for (f = 0; f < TABLES; f++) {
		t.table[f] = malloc(IHO_PAGE_SIZE);
		if (!t.table[f])
			return 2;
	}
	end = time(NULL) + (time_t)seconds;
	for (i = 0; i < LEAST_TREES || time(NULL) < end; i++) {
		make_tree(&t, format ? format : 1 + (u32)((seed + i) % formats),
			  seed + i);
		check_tree(&t);
	}
	report(only ? only : "all formats");
	for (f = 0; f < TABLES; f++)
		free(t.table[f]);
	return tap_end();
}

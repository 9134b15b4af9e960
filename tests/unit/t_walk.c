// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page-table walker and the comparison of trees, on tables made by hand.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kunit-shim.h"
#include "tap.h"
#include "scene.h"

#define R	1ull
#define W	2ull
#define RW	(R | W)
#define LARGE	0x80ull
#define SNP	0x800ull
#define A	0x100ull
#define D	0x200ull

#define PAGES	512u
#define BASE	0x40000000ull	/* where the tables seem to lie */

/* Table pages of one tree, and which of them may not be read. */
struct tree {
	u64 page[PAGES][512];
	bool denied[PAGES];
	u32 used;
	struct iho_pt pt;
};

static struct tree ta, tb;

static const u64 *read_table(void *priv, u64 pa)
{
	struct tree *t = priv;
	u64 i = (pa - BASE) / 4096;

	if (pa < BASE || i >= t->used || t->denied[i])
		return NULL;
	return t->page[i];
}

static u64 new_page(struct tree *t)
{
	memset(t->page[t->used], 0, 4096);
	return BASE + 4096ull * t->used++;
}

static void start(struct tree *t, u32 levels)
{
	memset(t, 0, sizeof(*t));
	t->pt = (struct iho_pt){
		.format = IHO_TABLE_VTDSS, .levels = levels,
		.table = read_table, .priv = t, .max_tables = 1000,
	};
	t->pt.root_pa = new_page(t);
}

/* The entry for @iova at @level, tables made on the way down. */
static u64 *entry(struct tree *t, u64 iova, u32 level)
{
	u64 *table = t->page[0];
	u32 l = t->pt.levels - 1;
	u64 *e;

	for (;; l--) {
		e = &table[iova >> (12 + 9 * l) & 511];
		if (l == level)
			return e;
		if (!*e)
			*e = new_page(t) | RW;
		table = t->page[((*e & 0xffffffffff000ull) - BASE) / 4096];
	}
}

static void map(struct tree *t, u64 iova, u64 pa, u32 level, u64 bits)
{
	*entry(t, iova, level) = pa | bits | (level ? LARGE : 0);
}

/* ---- walking ---------------------------------------------------------- */

static struct iho_run runs[64];

/* All runs, of which the first 63 are kept; their number or an error. */
static int walk(struct tree *t)
{
	struct iho_walk w;
	int ret, n = 0;

	ret = iho_walk_init(&w, &t->pt);
	if (ret)
		return ret;
	while ((ret = iho_walk_next(&w, &runs[n < 63 ? n : 63])) == 1)
		n++;
	/* Once it has ended it stays so. */
	if (iho_walk_next(&w, &runs[63]) != ret)
		return -IHO_ERR_BADCALL;
	return ret < 0 ? ret : n;
}

static bool run_is(int i, u64 first, u64 last, u64 pa, u32 perm)
{
	bool good = runs[i].first_iova == first && runs[i].last_iova == last &&
		    runs[i].pa == pa && runs[i].perm == perm;

	if (!good)
		diag("run %d: %llx-%llx at %llx perm %x", i,
		     (unsigned long long)runs[i].first_iova,
		     (unsigned long long)runs[i].last_iova,
		     (unsigned long long)runs[i].pa, runs[i].perm);
	return good;
}

static void test_levels(void)
{
	u32 levels;
	u64 top;

	for (levels = 3; levels <= 5; levels++) {
		top = 1ull << (12 + 9 * levels);
		start(&ta, levels);
		ok(walk(&ta) == 0, "%u levels: empty", levels);
		map(&ta, 0, 0x1000, 0, RW);
		map(&ta, top - 4096, 0x2000, 0, R);
		map(&ta, 0x200000, 0x600000, 1, W);
		map(&ta, 0x80000000, 0x140000000, 2, RW | SNP);
		ok(walk(&ta) == 4, "%u levels: four runs", levels);
		ok(run_is(0, 0, 0xfff, 0x1000, IHO_PT_READ | IHO_PT_WRITE),
		   "%u levels: first page", levels);
		ok(run_is(1, 0x200000, 0x3fffff, 0x600000, IHO_PT_WRITE),
		   "%u levels: 2 MiB", levels);
		ok(run_is(2, 0x80000000, 0xbfffffff, 0x140000000,
			  IHO_PT_READ | IHO_PT_WRITE | IHO_PT_SNOOP),
		   "%u levels: 1 GiB", levels);
		ok(run_is(3, top - 4096, top - 1, 0x2000, IHO_PT_READ),
		   "%u levels: last page", levels);
	}
}

static void test_runs(void)
{
	u32 i;

	start(&ta, 4);
	for (i = 0; i < 1024; i++)
		map(&ta, i * 4096ull, 0x10000000 + i * 4096ull, 0, RW);
	map(&ta, 0x400000, 0x10400000, 1, RW);
	ok(walk(&ta) == 1 && run_is(0, 0, 0x5fffff, 0x10000000, 3),
	   "4 KiB leaves of two tables and a 2 MiB leaf are one run");

	*entry(&ta, 0x5000, 0) |= A | D | 0x400 | 1ull << 62 | 7ull << 52;
	ok(walk(&ta) == 1, "accessed, dirty and ignored bits split no run");
	*entry(&ta, 0x5000, 0) &= ~W;
	ok(walk(&ta) == 3 && run_is(1, 0x5000, 0x5fff, 0x10005000, 1),
	   "another permission splits it");
	*entry(&ta, 0x5000, 0) |= W | SNP;
	ok(walk(&ta) == 3 && run_is(1, 0x5000, 0x5fff, 0x10005000, 7),
	   "so does snooping");
	*entry(&ta, 0x5000, 0) = 0;
	ok(walk(&ta) == 2 && run_is(1, 0x6000, 0x5fffff, 0x10006000, 3),
	   "so does a hole");
	*entry(&ta, 0x5000, 0) = 0x10005000;
	ok(walk(&ta) == 2, "an entry that neither reads nor writes is a hole");
	map(&ta, 0x5000, 0x10006000, 0, RW);
	ok(walk(&ta) == 3, "so does another address");

	start(&ta, 3);
	map(&ta, 0x3ffff000, 0x7ffff000, 0, RW);
	map(&ta, 0x40000000, 0x80000000, 2, RW);
	ok(walk(&ta) == 1 && run_is(0, 0x3ffff000, 0x7fffffff, 0x7ffff000, 3),
	   "a run crosses from one level's table into another's");
}

static void test_permissions(void)
{
	start(&ta, 4);
	map(&ta, 0x1000, 0x5000, 0, RW);
	map(&ta, 0x2000, 0x6000, 0, R);
	map(&ta, 0x3000, 0x7000, 0, W | SNP);
	*entry(&ta, 0, 2) &= ~W;
	ok(walk(&ta) == 1 && run_is(0, 0x1000, 0x2fff, 0x5000, 1),
	   "permissions are the AND over the levels");
	*entry(&ta, 0, 2) |= W;
	*entry(&ta, 0, 3) &= ~R;
	ok(walk(&ta) == 2 && run_is(0, 0x1000, 0x1fff, 0x5000, 2) &&
	   run_is(1, 0x3000, 0x3fff, 0x7000, 6), "from the top as well");
	*entry(&ta, 0, 3) &= ~RW;
	ok(walk(&ta) == 0, "a table that neither reads nor writes is a hole");
}

static void test_refused(void)
{
	start(&ta, 5);
	map(&ta, 0x1000, 0x5000, 0, RW);
	*entry(&ta, 0, 3) |= LARGE;
	ok_err(walk(&ta), IHO_ERR_TABLE_ENTRY, "512 GiB leaf");
	*entry(&ta, 0, 3) &= ~LARGE;
	*entry(&ta, 0, 4) |= LARGE;
	ok_err(walk(&ta), IHO_ERR_TABLE_ENTRY, "256 TiB leaf");

	start(&ta, 4);
	map(&ta, 0, 0x201000, 1, RW);
	ok_err(walk(&ta), IHO_ERR_TABLE_ENTRY, "2 MiB leaf misaligned");
	start(&ta, 4);
	map(&ta, 0, 0x40200000, 2, RW);
	ok_err(walk(&ta), IHO_ERR_TABLE_ENTRY, "1 GiB leaf misaligned");

	start(&ta, 4);
	map(&ta, 0, 0x1000, 0, RW);
	map(&ta, 0x40000000, 0x1000, 0, RW);
	ta.denied[ta.used - 1] = true;
	ok_err(walk(&ta), IHO_ERR_TABLE_PA, "a table that may not be read");
	ta.denied[0] = true;
	ok_err(walk(&ta), IHO_ERR_TABLE_PA, "a root that may not be read");

	start(&ta, 4);
	*entry(&ta, 0, 3) = 0x7000 | RW;
	ok_err(walk(&ta), IHO_ERR_TABLE_PA, "a table outside of memory");
}

static void test_loops(void)
{
	start(&ta, 5);
	ta.page[0][0] = ta.pt.root_pa | RW;
	ta.pt.max_tables = 5;
	ok(walk(&ta) == 1 && run_is(0, 0, 0xfff, BASE, 3),
	   "a table that holds itself ends at the lowest level");
	ta.pt.max_tables = 4;
	ok_err(walk(&ta), IHO_ERR_LIMIT, "or at the limit of tables");

	memset(ta.page[0], 0, 4096);
	for (u32 i = 0; i < 512; i++)
		ta.page[0][i] = ta.pt.root_pa | RW;
	ta.pt.max_tables = 10000;
	ok_err(walk(&ta), IHO_ERR_LIMIT,
	       "all entries hold the table itself: the limit ends it");
}

static void test_init(void)
{
	struct iho_walk w;

	start(&ta, 4);
	ta.pt.levels = 2;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_ERR_VALUE, "2 levels");
	ta.pt.levels = 6;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_ERR_VALUE, "6 levels");
	ta.pt.levels = 4;
	ta.pt.format = 2;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_ERR_VALUE, "format unknown");
	ta.pt.format = IHO_TABLE_VTDSS;
	ta.pt.root_pa |= 0x10;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_ERR_ALIGN, "root misaligned");
	ta.pt.root_pa &= ~0x10ull;
	ta.pt.max_tables = 0;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_ERR_BADCALL, "no table allowed");
	ta.pt.max_tables = IHO_MAX_TABLE_PAGES + 1;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_ERR_BADCALL, "too many allowed");
	ta.pt.max_tables = IHO_MAX_TABLE_PAGES;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_OK, "as many as can be");
	ta.pt.table = NULL;
	ok_err(iho_walk_init(&w, &ta.pt), IHO_ERR_BADCALL, "no callback");
}

/* ---- tables ----------------------------------------------------------- */

struct visits {
	struct tree *tree;
	u64 pa[PAGES];
	u32 level[PAGES];
	u32 count, stop;
};

/* A visitor that frees the page as a kernel would: nothing may read it. */
static int visit(void *priv, u64 pa, u32 level)
{
	struct visits *v = priv;
	u64 i = (pa - BASE) / 4096;

	v->pa[v->count] = pa;
	v->level[v->count++] = level;
	memset(v->tree->page[i], 0xff, 4096);
	v->tree->denied[i] = true;
	return v->count == v->stop ? 77 : 0;
}

static void test_tables(void)
{
	struct visits v = { .tree = &ta };
	bool seen[PAGES] = { false }, good = true;
	u32 i, last[5] = { 0 };

	start(&ta, 4);
	map(&ta, 0, 0x1000, 0, RW);
	map(&ta, 0x200000, 0x200000, 1, RW);
	map(&ta, 0x400000, 0x1000, 0, RW);
	map(&ta, 1ull << 39, 0x1000, 0, RW);
	map(&ta, 2ull << 39, 0x40000000, 2, RW);
	ok_err(iho_walk_tables(&ta.pt, visit, &v), IHO_OK, "tables");
	for (i = 0; i < v.count; i++) {
		u64 n = (v.pa[i] - BASE) / 4096;

		good &= n < ta.used && !seen[n];
		seen[n] = true;
		last[v.level[i]] = i;
	}
	ok(good && v.count == ta.used, "each table once: %u", v.count);
	ok(v.pa[v.count - 1] == ta.pt.root_pa && v.level[v.count - 1] == 3,
	   "the root last");
	ok(last[0] < last[1] && last[1] < last[2], "children first");

	v = (struct visits){ .tree = &ta, .stop = 2 };
	start(&ta, 3);
	map(&ta, 0, 0x1000, 0, RW);
	ok(iho_walk_tables(&ta.pt, visit, &v) == 77 && v.count == 2,
	   "what the visitor returns ends it");

	start(&ta, 3);
	map(&ta, 0, 0x1000, 0, RW);
	ta.denied[1] = true;
	ok_err(iho_walk_tables(&ta.pt, visit, &v), IHO_ERR_TABLE_PA,
	       "tables: one that may not be read");
	start(&ta, 3);
	map(&ta, 0, 0x1000, 1, RW);
	ok_err(iho_walk_tables(&ta.pt, visit, &v), IHO_ERR_TABLE_ENTRY,
	       "tables: a leaf misaligned");
	start(&ta, 3);
	map(&ta, 0, 0x1000, 0, RW);
	ta.pt.max_tables = 2;
	ok_err(iho_walk_tables(&ta.pt, visit, &v), IHO_ERR_LIMIT,
	       "tables: more than allowed");
	ta.pt.levels = 9;
	ok_err(iho_walk_tables(&ta.pt, visit, &v), IHO_ERR_VALUE,
	       "tables: too many levels");
}

/* ---- comparison ------------------------------------------------------- */

static struct iho_diff diff;
static u64 count;
static int which;

static int compare(void)
{
	count = 99;
	which = -1;
	return iho_tree_compare(&ta.pt, &tb.pt, &diff, &count, &which);
}

/* The same 4 MiB and a page: large leaves here, 4 KiB leaves there. */
static void same_meaning(u32 levels_a, u32 levels_b)
{
	u32 i;

	start(&ta, levels_a);
	start(&tb, levels_b);
	map(&ta, 0x200000, 0x80000000, 1, RW);
	map(&ta, 0x400000, 0x80200000, 1, RW);
	for (i = 0; i < 1024; i++)
		map(&tb, 0x200000 + i * 4096ull, 0x80000000 + i * 4096ull, 0,
		    RW | A | D);
	map(&ta, 0x1000000, 0x5000, 0, R);
	map(&tb, 0x1000000, 0x5000, 0, R);
}

static void test_compare(void)
{
	u32 a, b;

	for (a = 3; a <= 5; a++) {
		for (b = 3; b <= 5; b++) {
			same_meaning(a, b);
			ok(compare() == 0 && count == 2,
			   "%u and %u levels, large and small leaves: equal",
			   a, b);
		}
	}
	start(&ta, 4);
	start(&tb, 4);
	ok(compare() == 0 && count == 0, "two empty trees are equal");

	same_meaning(4, 4);
	*entry(&tb, 0x345000, 0) ^= 0x1000;
	ok(compare() == 1 && diff.iova == 0x345000 && diff.has_a &&
	   diff.has_b && diff.a.pa == 0x80000000 &&
	   diff.b.first_iova == 0x345000 && diff.b.pa == 0x80144000,
	   "one leaf leads elsewhere");

	same_meaning(4, 4);
	*entry(&tb, 0x345000, 0) &= ~W;
	ok(compare() == 1 && diff.iova == 0x345000 && diff.has_a &&
	   diff.has_b && diff.a.perm == 3 && diff.b.perm == 1,
	   "one leaf is read-only");

	same_meaning(4, 4);
	*entry(&tb, 0x345000, 0) = 0;
	ok(compare() == 1 && diff.iova == 0x345000 && diff.has_a &&
	   !diff.has_b, "one leaf is missing in the second");

	same_meaning(4, 4);
	map(&tb, 0x600000, 0x80400000, 0, RW);
	ok(compare() == 1 && diff.iova == 0x600000 && !diff.has_a &&
	   diff.has_b && diff.b.last_iova == 0x600fff,
	   "the second's run is longer");

	same_meaning(4, 4);
	map(&ta, 0x5000, 0x5000, 0, RW);
	ok(compare() == 1 && diff.iova == 0x5000 && diff.has_a &&
	   !diff.has_b, "one leaf more before all others");

	same_meaning(4, 4);
	map(&tb, 0x2000000, 0x5000, 0, RW);
	ok(compare() == 1 && diff.iova == 0x2000000 && !diff.has_a &&
	   diff.has_b && count == 2, "one leaf more behind all others");

	same_meaning(4, 4);
	*entry(&tb, 0x1000000, 0) |= SNP;
	ok(compare() == 1 && diff.iova == 0x1000000 && count == 1,
	   "snooping differs");

	same_meaning(4, 4);
	map(&tb, 0x200000, 0x90000000, 0, RW);
	ok(compare() == 1 && diff.iova == 0x200000 && diff.has_a &&
	   diff.has_b && diff.b.pa == 0x90000000 &&
	   diff.b.last_iova == 0x200fff, "the first leaf differs");

	start(&ta, 4);
	start(&tb, 4);
	map(&tb, 0x7000, 0x1000, 0, R);
	ok(compare() == 1 && diff.iova == 0x7000 && !diff.has_a && diff.has_b,
	   "an empty tree against one leaf");
}

static void test_compare_errors(void)
{
	same_meaning(4, 4);
	tb.denied[1] = true;
	ok_err(compare(), IHO_ERR_TABLE_PA, "compare: the second's table");
	ok(which == 1, "compare: it is the second's");
	same_meaning(4, 4);
	*entry(&ta, 0x400000, 1) |= 0x1000;
	ok_err(compare(), IHO_ERR_TABLE_ENTRY, "compare: the first's entry");
	ok(which == 0, "compare: it is the first's");
	same_meaning(4, 4);
	tb.pt.levels = 1;
	ok_err(compare(), IHO_ERR_VALUE, "compare: the second's levels");
	ok(which == 1, "compare: they are the second's");
	same_meaning(4, 4);
	ok(iho_tree_compare(&ta.pt, &tb.pt, &diff, NULL, NULL) == 0,
	   "compare: neither count nor side asked for");
}

/* Random maps at random sizes of leaf: the same meaning is always equal. */
static void test_random(void)
{
	u32 trial, equal = 0, found = 0;
	u64 seed = 7;

	for (trial = 0; trial < 50; trial++) {
		u64 iova = 0, hit = 0, pages = 0;
		u32 i, j;

		start(&ta, 3 + trial % 3);
		start(&tb, 3 + trial / 3 % 3);
		for (i = 0; i < 12; i++) {
			u64 pa = (random_next(&seed) & 0xfffe00000ull);
			u64 bits = 1 + random_next(&seed) % 3;
			u32 n = 1 + (u32)(random_next(&seed) % 1024);

			iova = (iova + 0x5fffffull) & ~0x1fffffull;
			for (j = 0; j < n; j++)
				map(&ta, iova + j * 4096ull, pa + j * 4096ull,
				    0, bits);
			for (j = 0; j < n; ) {
				if (!(j % 512) && n - j >= 512) {
					map(&tb, iova + j * 4096ull,
					    pa + j * 4096ull, 1, bits);
					j += 512;
					continue;
				}
				map(&tb, iova + j * 4096ull,
				    pa + j * 4096ull, 0, bits);
				if (random_next(&seed) % ++pages == 0)
					hit = iova + j * 4096ull;
				j++;
			}
			iova += n * 4096ull;
		}
		equal += compare() == 0;
		if (!pages)
			continue;
		*entry(&tb, hit, 0) ^= 0x4000000000ull;
		found += compare() == 1 && diff.iova == hit;
	}
	ok(equal == 50, "random trees of one meaning are equal: %u", equal);
	ok(found >= 40, "one altered leaf is found where it is: %u", found);
}

/* What a format makes of an entry, it reads again; one entry is found. */
static void test_format(void)
{
	const struct iho_format *f = iho_format(IHO_TABLE_VTDSS);
	u32 level, perm, got, bad = 0, tried = 0, at = 99;
	struct iho_slot slot = { .levels = 5 };
	const u64 *e;
	u64 pa;

	ok(!iho_format(0) && !iho_format(2) && !iho_format(~0u),
	   "formats that there are not");
	ok(f && !strcmp(f->name, "vtdss") && iho_format_width(f, 3) == 39 &&
	   iho_format_width(f, 5) == 57, "vtdss");
	for (level = 0; level < 5; level++) {
		for (perm = 1; perm < 8; perm++) {
			if (!(perm & 3))
				continue;
			slot.level = level;
			slot.entry = f->leaf(0xfffffc0000000ull, level, perm);
			tried++;
			if (level > 2)
				bad += slot.entry != 0;
			else
				bad += f->decode(&slot, &pa, &got) !=
				       IHO_ENTRY_LEAF || got != perm ||
				       pa != 0xfffffc0000000ull;
			slot.entry = f->link(0x7000, level, perm);
			if (level)
				bad += f->decode(&slot, &pa, &got) !=
				       IHO_ENTRY_TABLE || got != (perm & 3) ||
				       pa != 0x7000;
		}
	}
	ok(tried == 30 && !bad, "leaves and links are read as they were made");

	start(&ta, 4);
	map(&ta, 0x5000, 0x9000, 0, RW);
	map(&ta, 0x200000, 0x600000, 1, R);
	e = iho_pt_entry(&ta.pt, 0x5fff, &at);
	ok(e == entry(&ta, 0x5000, 0) && !at, "entry: a 4 KiB leaf");
	e = iho_pt_entry(&ta.pt, 0x3fffff, &at);
	ok(e == entry(&ta, 0x200000, 1) && at == 1, "entry: a 2 MiB leaf");
	e = iho_pt_entry(&ta.pt, 0x6000, &at);
	ok(e == entry(&ta, 0x6000, 0) && !*e, "entry: an empty one");
	ok(!iho_pt_entry(&ta.pt, 0x400000, &at), "entry: no table for it");
	ok(!iho_pt_entry(&ta.pt, 1ull << 48 | 0x5000, &at),
	   "entry: beyond the address space");
	*entry(&ta, 0x200000, 1) |= 0x1000;
	ok(iho_pt_entry(&ta.pt, 0x200000, &at) == entry(&ta, 0x200000, 1),
	   "entry: a bad one");
	*entry(&ta, 0x200000, 1) &= ~RW;
	ok(iho_pt_entry(&ta.pt, 0x200000, &at) == entry(&ta, 0x200000, 1),
	   "entry: one without permissions");
	ta.denied[1] = true;
	ok(!iho_pt_entry(&ta.pt, 0x5000, &at),
	   "entry: a table that may not be read");
	ta.pt.levels = 9;
	ok(!iho_pt_entry(&ta.pt, 0x5000, &at), "entry: levels unknown");
}

int main(void)
{
	test_init();
	test_format();
	test_levels();
	test_runs();
	test_permissions();
	test_refused();
	test_loops();
	test_tables();
	test_compare();
	test_compare_errors();
	test_random();
	walk_cases_run();
	return tap_end();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: what the last kernel left, until every
 * context of it is finished.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <kunit/static_stub.h>
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/iommu-handover.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/memfd.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "handover-private.h"

/**
 * struct in_memory - a memory of the accepted image
 * @fact: what the image says of it
 * @folios: pinned; NULL until its memfd is retrieved
 * @nr: how many
 */
struct in_memory {
	struct iho_memory fact;
	struct folio **folios;
	long nr;
};

/*
 * Held for reading by what uses the image and inherited page tables outside of
 * in_mutex; abandon, which frees both, waits for them. Outside of in_mutex.
 */
DECLARE_RWSEM(iho_in_rwsem);
static DEFINE_MUTEX(in_mutex);
static struct in_memory *memory;	/* iho_in.image.memories */
static struct iho_context *context;	/* iho_in.image.contexts */
static const void *map;
static bool gone;			/* all finished, image freed */
static DECLARE_BITMAP(retrieved, IHO_MAX_CONTEXTS);
static DECLARE_BITMAP(finished, IHO_MAX_CONTEXTS);
static struct iommufd_replay **replays;	/* iho_in.image.contexts */
static u64 pinned;

/* Not under in_mutex: a replay counts under its own lock, which is inside. */
static atomic_t devices_done, compared, equal;
static atomic64_t runs;

/* Facts are found by stepping through the FDT; step once. */
static int load_facts(void)
{
	const struct iho_image *img = &iho_in.image;
	struct iommufd_replay **r;
	struct iho_context *c;
	struct in_memory *m;

	if (context)
		return 0;
	r = kvcalloc(img->contexts + 1, sizeof(*r), GFP_KERNEL);
	c = kvcalloc(img->contexts + 1, sizeof(*c), GFP_KERNEL);
	m = kvcalloc(img->memories + 1, sizeof(*m), GFP_KERNEL);
	if (!r || !c || !m) {
		kvfree(r);
		kvfree(c);
		kvfree(m);
		return -ENOMEM;
	}
	for (u32 i = 0; i < img->contexts; i++)
		iho_get_context(img, i, &c[i]);
	for (u32 i = 0; i < img->memories; i++)
		iho_get_memory(img, i, &m[i].fact);
	context = c;
	memory = m;
	replays = r;
	return 0;
}

int iho_in_context(const char *session, u64 token, u32 *index,
		   struct iho_context *fact)
{
	int rc;

	switch (iho_in.state) {
	case IHO_IN_ACCEPTED:
		break;
	case IHO_IN_REFUSED:
		return -EBADMSG;
	case IHO_IN_OFF:
		return -EOPNOTSUPP;
	default:
		return -ENODATA;
	}
	guard(mutex)(&in_mutex);
	if (gone)
		return -ENODATA;
	rc = load_facts();
	if (rc)
		return rc;
	for (u32 i = 0; i < iho_in.image.contexts; i++) {
		if (context[i].token != token || test_bit(i, finished) ||
		    strcmp(context[i].session, session))
			continue;
		*index = i;
		*fact = context[i];
		return 0;
	}
	return -ENODATA;
}

const void *iho_in_map(void)
{
	struct page **pages;
	unsigned long n = 0;

	guard(mutex)(&in_mutex);
	if (map)
		return map;
	pages = kvmalloc_array(iho_in.image.total_len >> PAGE_SHIFT,
			       sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;
	for (u32 i = 0; i < iho_in.extents; i++)
		for (u64 off = 0; off < iho_in.len[i]; off += PAGE_SIZE)
			pages[n++] = pfn_to_page(PHYS_PFN(iho_in.pa[i] + off));
	map = vmap(pages, n, VM_MAP, PAGE_KERNEL_RO);
	kvfree(pages);
	return map;
}

/* ---- pinned memory ---------------------------------------------------- */

static int pin(struct in_memory *m, struct file *file)
{
	unsigned long max = DIV_ROUND_UP(m->fact.size, PAGE_SIZE);
	struct folio **folios;
	pgoff_t offset;
	long nr;

	if (m->folios || !max)
		return 0;
	if (i_size_read(file_inode(file)) != m->fact.size)
		return -EBADMSG;
	folios = kvmalloc_array(max, sizeof(*folios), GFP_KERNEL);
	if (!folios)
		return -ENOMEM;
	nr = memfd_pin_folios(file, 0, m->fact.size - 1, folios, max, &offset);
	if (nr < 0) {
		kvfree(folios);
		return nr;
	}
	m->folios = folios;
	m->nr = nr;
	pinned += max;
	return 0;
}

static void unpin(struct in_memory *m)
{
	if (!m->folios)
		return;
	unpin_folios(m->folios, m->nr);
	kvfree(m->folios);
	m->folios = NULL;
	pinned -= DIV_ROUND_UP(m->fact.size, PAGE_SIZE);
}

int iho_in_pin(const char *session, u64 token, struct file *file)
{
	int rc;

	if (iho_in.state != IHO_IN_ACCEPTED)
		return 0;
	guard(mutex)(&in_mutex);
	if (gone)
		return 0;
	rc = load_facts();
	if (rc)
		return rc;
	for (u32 i = 0; i < iho_in.image.memories; i++)
		if (memory[i].fact.token == token &&
		    !strcmp(memory[i].fact.session, session))
			return pin(&memory[i], file);
	return 0;
}

void iommu_handover_file_retrieved(const char *session, u64 token,
				   struct file *file)
{
	int rc = iho_in_pin(session, token, file);

	if (rc)
		pr_warn("session \"%s\" token %llu: memory not pinned yet: error %d\n",
			session, token, rc);
}

/* ---- progress ---------------------------------------------------------- */

void iho_in_retrieved(u32 index)
{
	guard(mutex)(&in_mutex);
	__set_bit(index, retrieved);
}

void iho_in_device_done(void)
{
	atomic_inc(&devices_done);
}

void iho_in_compared(bool same, u64 nr)
{
	atomic_inc(&compared);
	atomic_add(same, &equal);
	atomic64_add(nr, &runs);
}

static void restore_free(u64 pa)
{
	struct folio *folio = kho_restore_folio(pa);

	if (folio)
		folio_put(folio);
}

static void free_image(void)
{
	vunmap(map);
	map = NULL;
	gone = true;
	for (u32 i = 0; i < iho_in.extents; i++)
		restore_free(iho_in.pa[i]);
	restore_free(iho_in.envelope_pa);
	pr_info("handover from the last kernel finished\n");
}

static void finish(u32 index)
{
	const char *session;
	u32 i, n;

	n = iho_in.image.contexts;
	if (__test_and_set_bit(index, finished))
		return;
	session = context[index].session;
	for (i = 0; i < n; i++)
		if (!test_bit(i, finished) &&
		    !strcmp(context[i].session, session))
			return;
	for (i = 0; i < iho_in.image.memories; i++)
		if (!strcmp(memory[i].fact.session, session))
			unpin(&memory[i]);
	if (bitmap_weight(finished, n) == n)
		free_image();
}

void iho_in_finished(u32 index)
{
	guard(mutex)(&in_mutex);
	finish(index);
}

u32 iho_in_unfinished(void)
{
	u32 n = iho_in.image.contexts;

	guard(mutex)(&in_mutex);
	return iho_in.state == IHO_IN_ACCEPTED ? n - bitmap_weight(finished, n) :
						 0;
}

void iho_in_set_replay(u32 index, struct iommufd_replay *replay)
{
	guard(mutex)(&in_mutex);
	replays[index] = replay;
}

void iho_in_clear_replay(u32 index, struct iommufd_replay *replay)
{
	guard(mutex)(&in_mutex);
	/* One that failed goes late, when another may have succeeded */
	if (replays && replays[index] == replay)
		replays[index] = NULL;
}

int iho_in_abandon(void)
{
	int rc;

	guard(rwsem_write)(&iho_in_rwsem);
	guard(mutex)(&in_mutex);
	if (iho_in.state != IHO_IN_ACCEPTED || gone)
		return 0;
	rc = load_facts();
	if (rc)
		return rc;
	for (u32 i = 0; i < iho_in.image.contexts; i++) {
		if (test_bit(i, finished))
			continue;
		pr_warn("session \"%s\" token %llu: abandoned\n",
			context[i].session, context[i].token);
		if (replays[i])
			iho_replay_abandon(replays[i]);
		else
			iho_in_drop_trees(i);
		finish(i);
	}
	return 0;
}

void iho_in_stats(struct iho_in_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	if (iho_in.state != IHO_IN_ACCEPTED)
		return;
	guard(mutex)(&in_mutex);
	stats->contexts = iho_in.image.contexts;
	stats->unfinished = stats->contexts -
			    bitmap_weight(finished, stats->contexts);
	stats->retrieved = bitmap_weight(retrieved, stats->contexts);
	stats->devices = iho_in.image.devices;
	stats->devices_pending = gone ? 0 : stats->devices -
					    atomic_read(&devices_done);
	stats->tables_compared = atomic_read(&compared);
	stats->tables_equal = atomic_read(&equal);
	stats->runs_compared = atomic64_read(&runs);
	stats->pages_pinned = pinned;
	if (gone || !load_facts())
		for (u32 i = 0; i < stats->contexts; i++)
			stats->records += context[i].records;
}

#if IS_ENABLED(CONFIG_IOMMU_HANDOVER_KUNIT_TEST)
void iho_in_forget(void)
{
	guard(mutex)(&in_mutex);
	for (u32 i = 0; memory && i < iho_in.image.memories; i++)
		unpin(&memory[i]);
	vunmap(map);
	map = NULL;
	kvfree(replays);
	kvfree(context);
	kvfree(memory);
	replays = NULL;
	context = NULL;
	memory = NULL;
	gone = false;
	bitmap_zero(retrieved, IHO_MAX_CONTEXTS);
	bitmap_zero(finished, IHO_MAX_CONTEXTS);
	atomic_set(&devices_done, 0);
	atomic_set(&compared, 0);
	atomic_set(&equal, 0);
	atomic64_set(&runs, 0);
}
#endif

/* ---- inherited page tables -------------------------------------------- */

const u64 *iho_in_table(void *priv, u64 pa)
{
	KUNIT_STATIC_STUB_REDIRECT(iho_in_table, priv, pa);
	return kho_page_preserved(pa) ? phys_to_virt(pa) : NULL;
}

static int free_table(void *priv, u64 pa, u32 level)
{
	struct page *page = kho_restore_pages(pa, 1);

	if (page)
		__free_page(page);
	return 0;
}

void iho_in_free_tree(const struct iho_table *table)
{
	struct iho_pt pt = {
		.format = table->format,
		.levels = table->levels,
		.root_pa = table->root_pa,
		.table = iho_in_table,
		.max_tables = IHO_MAX_TABLE_PAGES,
	};

	KUNIT_STATIC_STUB_REDIRECT(iho_in_free_tree, table);
	iho_walk_tables(&pt, free_table, NULL);
}

void iho_in_drop_trees(u32 index)
{
	struct iho_table table;

	for (u32 i = 0; i < iho_in.image.tables; i++)
		if (!iho_get_table(&iho_in.image, i, &table) &&
		    table.context == index)
			iho_in_free_tree(&table);
}

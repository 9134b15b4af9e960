// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: an inherited page table that becomes an HWPT's own.
 *
 * When iommufd is about to fill the HWPT of a record, the inherited table is walked
 * beside the areas of the IOAS instead: each leaf has to be within its area, have its
 * permissions and lead to the page that the memfd has there. If all do, and nothing
 * else is mapped, the pages are pinned as filling would have done, and the domain goes
 * on with the inherited table. Nothing is allocated for it, nothing is mapped, and the
 * walk is the comparison. Whatever does not fit leaves all as it was, and the table is
 * rebuilt and compared, which also has the words for what differs.
 *
 * While devices use the table by what the last kernel's unit entries say, the unit is
 * not told what is unmapped: until the last of them is attached the table stays KHO's,
 * nobody changes it (see struct iommufd_ctx_handover, @behind), and an HWPT that is
 * destroyed leaves it as it is.
 */
#include <linux/generic_pt/common.h>
#include <linux/iommu-handover.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
/* Wants struct page */
#include <linux/iommu-debug-pagealloc.h>
#include <linux/memfd.h>
#include <linux/pagemap.h>
#include <linux/pci.h>
#include <linux/shmem_fs.h>

#include "../iommu-pages.h"
#include "../iommufd/double_span.h"
#include "../iommufd/io_pagetable.h"
#include "drivers.h"
#include "replay.h"

/**
 * struct proof - an inherited table is walked beside the areas of an IOAS
 * @walk: of the table
 * @leaf: that is to be looked at next
 * @have: it is there; false at the end
 * @bad: the table is not sound
 * @last: the last one; for @runs
 * @runs: maximal ranges so far
 * @snoop: IHO_PT_SNOOP if all leaves have to have it
 * @index: in the area that is at it: pages before it were taken
 */
struct proof {
	struct iho_walk walk;
	struct iho_run leaf;
	bool have;
	bool bad;
	struct iho_run last;
	u64 runs;
	u32 snoop;
	unsigned long index;
};

static void next_leaf(struct proof *p)
{
	int rc;

	p->last = p->leaf;
	rc = iho_walk_leaf(&p->walk, &p->leaf);
	p->have = rc > 0;
	p->bad = rc < 0;
	if (p->have && (!p->runs || !iho_run_follows(&p->last, &p->leaf)))
		p->runs++;
}

static u32 perm_of(const struct proof *p, const struct iopt_area *area)
{
	u32 perm = p->snoop;

	if (area->iommu_prot & IOMMU_READ)
		perm |= IHO_PT_READ;
	if (area->iommu_prot & IOMMU_WRITE)
		perm |= IHO_PT_WRITE;
	return iho_format_perm(p->walk.format, perm & ~IHO_PT_SNOOP) | p->snoop;
}

/*
 * What the page cache has at @index, pinned so that pages of it can be pinned. Most are,
 * until their session is finished: only who is first puts them in or moves them.
 */
static struct folio *folio_at(struct file *file, pgoff_t index, bool *pinned)
{
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	struct folio *folio;
	pgoff_t offset;

	folio = filemap_get_folio(file->f_mapping, index);
	if (!IS_ERR(folio)) {
		if (folio_maybe_dma_pinned(folio))
			return folio;
		folio_put(folio);
	}
	*pinned = true;
	if (memfd_pin_folios(file, pos, pos + PAGE_SIZE - 1, &folio, 1,
			     &offset) != 1)
		return NULL;
	return folio;
}

/* Pages from @index on, at most @nr, are what @pfn leads to: how many, 0 for none. */
static unsigned long take_pages(struct iopt_pages *pages, unsigned long index,
				unsigned long pfn, unsigned long nr, bool pin)
{
	pgoff_t at = (pages->start >> PAGE_SHIFT) + index;
	bool pinned = false;
	struct folio *folio;
	unsigned long into;

	folio = folio_at(pages->file, at, &pinned);
	if (!folio)
		return 0;
	into = at - folio->index;
	if (folio_pfn(folio) + into == pfn)
		nr = min(nr, folio_nr_pages(folio) - into);
	else
		nr = 0;
	if (nr && pin && folio_add_pins(folio, nr))
		nr = 0;
	if (pinned)
		unpin_folio(folio);
	else
		folio_put(folio);
	return nr;
}

/* Undo the pins of [@index, @last], where neither HWPT nor access has others. */
static void drop_pages(struct iopt_area *area, struct iommu_domain *domain,
		       unsigned long index, unsigned long last)
{
	unsigned long iova = iopt_area_iova(area) -
			     iopt_area_index(area) * PAGE_SIZE;
	struct interval_tree_double_span_iter span;
	struct iopt_pages *pages = area->pages;

	interval_tree_for_each_double_span(&span, &pages->access_itree,
					   &pages->domains_itree, index, last) {
		if (span.is_used)
			continue;
		for (unsigned long i = span.start_hole; i <= span.last_hole; i++) {
			phys_addr_t pa = iommu_iova_to_phys(domain,
							    iova + i * PAGE_SIZE);

			unpin_user_page_range_dirty_lock(pfn_to_page(PHYS_PFN(pa)),
							 1, pages->writable);
		}
		pages->npinned -= span.last_hole - span.start_hole + 1;
	}
	if (pages->npinned < pages->last_npinned)
		iopt_pages_update_pinned(pages,
					 pages->last_npinned - pages->npinned,
					 false, NULL);
}

/* The part of an area that the leaf maps. */
static bool take_leaf(struct proof *p, struct iopt_area *area,
		      struct interval_tree_double_span_iter *span)
{
	unsigned long pfn = PHYS_PFN(p->leaf.pa), nr, end;
	struct iopt_pages *pages = area->pages;

	end = p->index +
	      ((p->leaf.last_iova - p->leaf.first_iova + 1) >> PAGE_SHIFT);
	while (p->index < end) {
		nr = min(end - 1, span->last_hole) - p->index + 1;
		nr = take_pages(pages, p->index, pfn, nr, !span->is_used);
		if (!nr)
			return false;
		if (!span->is_used)
			pages->npinned += nr;
		p->index += nr;
		pfn += nr;
		if (p->index > span->last_hole)
			interval_tree_double_span_iter_next(span);
	}
	return true;
}

static bool take_all(struct proof *p, struct iopt_area *area)
{
	unsigned long last = iopt_area_last_index(area);
	struct interval_tree_double_span_iter span;
	struct iopt_pages *pages = area->pages;
	u64 iova = iopt_area_iova(area);

	if (pages->type != IOPT_ADDRESS_FILE || !shmem_file(pages->file) ||
	    area->page_offset || !PAGE_ALIGNED(iopt_area_length(area)))
		return false;
	interval_tree_double_span_iter_first(&span, &pages->access_itree,
					     &pages->domains_itree, p->index,
					     last);
	while (p->index <= last) {
		if (!p->have || p->leaf.first_iova != iova ||
		    p->leaf.last_iova > iopt_area_last_iova(area) ||
		    p->leaf.perm != perm_of(p, area) ||
		    !take_leaf(p, area, &span))
			return false;
		iova = p->leaf.last_iova + 1;
		next_leaf(p);
	}
	return pages->npinned == pages->last_npinned ||
	       !iopt_pages_update_pinned(pages,
					 pages->npinned - pages->last_npinned,
					 true, NULL);
}

static bool take_area(struct proof *p, struct iopt_area *area,
		      struct iommu_domain *domain)
{
	guard(mutex)(&area->pages->mutex);
	p->index = iopt_area_index(area);
	if (!take_all(p, area)) {
		if (p->index > iopt_area_index(area))
			drop_pages(area, domain, iopt_area_index(area),
				   p->index - 1);
		return false;
	}
	if (!area->storage_domain) {
		area->storage_domain = domain;
		interval_tree_insert(&area->pages_node,
				     &area->pages->domains_itree);
	}
	return true;
}

/* Areas before @end, NULL for all, are no longer filled by the domain. */
static void drop_areas(struct io_pagetable *iopt, struct iommu_domain *domain,
		       struct iopt_area *end)
{
	struct iommu_domain *other = iopt->next_domain_id ?
				     xa_load(&iopt->domains, 0) : NULL;
	struct iopt_area *area;

	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX);
	     area && area != end;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		if (!area->pages)
			continue;
		guard(mutex)(&area->pages->mutex);
		if (area->storage_domain != domain)
			continue;
		area->storage_domain = other;
		if (other)
			continue;
		interval_tree_remove(&area->pages_node,
				     &area->pages->domains_itree);
		drop_pages(area, domain, iopt_area_index(area),
			   iopt_area_last_index(area));
	}
}

static struct iommufd_hwpt_paging *paging_of(struct iommu_domain *domain)
{
	if (domain->cookie_type != IOMMU_COOKIE_IOMMUFD || !domain->iommufd_hwpt ||
	    !hwpt_is_paging(domain->iommufd_hwpt))
		return NULL;
	return to_hwpt_paging(domain->iommufd_hwpt);
}

/* With iommu.debug_pagealloc=1 iommu_map() counts the pages that are mapped. */
static bool maps_are_counted(void)
{
#ifdef CONFIG_IOMMU_DEBUG_PAGEALLOC
	return static_branch_unlikely(&iommu_debug_initialized);
#else
	return false;
#endif
}

static bool same_kind(struct iommufd_hwpt_paging *hwpt,
		      const struct iho_table *table)
{
	struct iho_table now = {};

	if (handover_table(hwpt->common.domain, &now))
		return false;
	if (hwpt->enforce_cache_coherency)
		now.attributes |= IHO_TABLE_SNOOP;
	return now.format == table->format && now.width == table->width &&
	       now.attributes == table->attributes &&
	       (now.levels == table->levels ||
		(iho_format(table->format)->grows && now.levels < table->levels));
}

static bool prove(struct proof *p, struct io_pagetable *iopt,
		  struct iommu_domain *domain)
{
	struct iopt_area *area;

	next_leaf(p);
	for (area = iopt_area_iter_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_iter_next(area, 0, ULONG_MAX)) {
		if (area->pages && !take_area(p, area, domain))
			break;
		cond_resched();
	}
	if (!area && !p->have && !p->bad)
		return true;
	drop_areas(iopt, domain, area);
	return false;
}

/* From here on it is a table like any other. */
static void make_own(struct iommufd_hwpt_paging *hwpt)
{
	struct replay_hwpt *h = container_of(hwpt->handover.inherit,
					     struct replay_hwpt, table);

	handover_in_take_tree(&h->table);
	iommu_free_pages((void *)(hwpt->handover.own_top & ~PT_TOP_LEVEL_MASK));
	hwpt->handover.own_top = 0;
	hwpt->handover.inherit = NULL;
	h->freed = true;
	/* After @freed, for who abandons the context */
	smp_store_release(&h->adopting, false);
	handover_in_adopted();
}

bool iommufd_handover_adopt(struct io_pagetable *iopt,
			    struct iommu_domain *domain)
{
	struct iommufd_hwpt_paging *hwpt = paging_of(domain);
	const struct iho_table *table = hwpt ? hwpt->handover.inherit : NULL;
	struct proof p = {};
	struct iho_pt pt;
	uintptr_t own;

	lockdep_assert_held_write(&iopt->domains_rwsem);
	if (!table || !same_kind(hwpt, table) || maps_are_counted())
		return false;
	pt = handover_pt(table, handover_in_table);
	if (iho_walk_init(&p.walk, &pt) ||
	    !handover_top_exchange(domain, handover_top(table), &own))
		return false;
	/* Not a bit of a leaf in each format */
	if (table->attributes & IHO_TABLE_SNOOP &&
	    p.walk.format->leaf(0, 0, IHO_PT_READ | IHO_PT_SNOOP))
		p.snoop = IHO_PT_SNOOP;
	if (!prove(&p, iopt, domain)) {
		handover_top_exchange(domain, own, &own);
		return false;
	}
	handover_in_compared(true, p.runs);
	hwpt->handover.own_top = own;
	if (handover_in_table_runs(table->root_pa))
		container_of(table, struct replay_hwpt, table)->adopting = true;
	else
		make_own(hwpt);
	return true;
}

bool iommufd_handover_give_back(struct io_pagetable *iopt,
				struct iommu_domain *domain)
{
	struct iommufd_hwpt_paging *hwpt = paging_of(domain);
	struct replay_hwpt *h;
	uintptr_t inherited;

	lockdep_assert_held_write(&iopt->domains_rwsem);
	if (!hwpt || !hwpt->handover.own_top)
		return false;
	h = container_of(hwpt->handover.inherit, struct replay_hwpt, table);
	drop_areas(iopt, domain, NULL);
	handover_top_exchange(domain, hwpt->handover.own_top, &inherited);
	hwpt->handover.own_top = 0;
	WRITE_ONCE(h->adopting, false);
	return true;
}

bool handover_adopts(const struct iommufd_hwpt_paging *hwpt, u64 root_pa)
{
	return hwpt->handover.own_top &&
	       hwpt->handover.inherit->root_pa == root_pa;
}

void handover_adopt_finish(struct iommufd_ctx *ictx, struct replay_hwpt *h)
{
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_object *obj;

	if (!READ_ONCE(h->adopting))
		return;
	obj = iommufd_get_object(ictx, h->id, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(obj))
		return;
	hwpt = container_of(obj, struct iommufd_hwpt_paging, common.obj);
	scoped_guard(rwsem_write, &hwpt->ioas->iopt.domains_rwsem) {
		if (hwpt->handover.own_top &&
		    !handover_in_table_runs(h->table.root_pa))
			make_own(hwpt);
	}
	iommufd_put_object(ictx, obj);
}

/* How many devices use the table and are being replayed. */
static u32 busy(struct iommufd_replay *r, u64 root_pa)
{
	struct iho_table table;
	u32 nr = 0;

	guard(mutex)(&r->lock);
	for (u32 i = 0; i < r->devices; i++) {
		const struct replay_device *d = &r->device[i];

		nr += d->busy &&
		      handover_in_running_table(to_pci_dev(d->busy->dev),
						&table) &&
		      table.root_pa == root_pa;
	}
	return nr;
}

bool handover_all_busy(struct iommufd_replay *r, struct iommufd_device *idev)
{
	struct iho_table table;

	return !handover_in_running_table(to_pci_dev(idev->dev), &table) ||
	       handover_in_table_runs(table.root_pa) ==
	       busy(r, table.root_pa);
}

bool handover_may_adopt(struct iommufd_replay *r, const struct replay_hwpt *h,
			const struct replay_device *d)
{
	u32 run = handover_in_table_runs(h->table.root_pa);

	lockdep_assert_held(&r->fill);
	if (h->freed || handover_disturbed(HANDOVER_DISTURB_FLUSH | HANDOVER_DISTURB_REBUILD))
		return false;
	return !run || (d->quiet && run == busy(r, h->table.root_pa));
}

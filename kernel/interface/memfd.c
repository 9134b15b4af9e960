// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memfd that came through a live update gets its folios when it is in use.
 *
 * Retrieving makes the file and returns. A worker puts the folios in, in order; who
 * needs one before has it put in then. Each has one reference more than the file
 * until all are in and the handlers of the session were told (liveupdate_retrieved()),
 * so that nobody can move what a device writes to. What could not be put in for want
 * of memory stays with the array and is tried again: by the worker, by who needs it
 * and by FINISH, which does not succeed before. So nothing that a device may write to
 * is given back.
 *
 * The memory cgroup of who retrieved is charged, whoever puts a folio in. At its limit
 * the worker lets it be and tries again, an access may have somebody of that cgroup
 * killed, as the access to a hole may; FINISH does so, too, and has its own cgroup
 * charged when that does not help.
 *
 * The file is frozen until FINISH: its size stays, and no folio leaves it. What looks
 * at its page cache meanwhile:
 *
 * - shmem_get_folio_gfp() asks memfd_luo_fill(): faults, read, write, splice, GUP,
 *   memfd_pin_folios(), UFFDIO_CONTINUE.
 * - UFFDIO_COPY and UFFDIO_ZEROPAGE put in a folio of their own: they ask it too, and
 *   find that there is one.
 * - SEEK_DATA and SEEK_HOLE wait for all. So does F_SEAL_WRITE, which looks for folios
 *   that are pinned.
 * - collapse_file(), which fills holes with zeroes, is refused.
 * - fault-around maps what is there. mincore(2), cachestat(2) and st_blocks tell what
 *   is there. Swap, migration, splitting and reclaim see only folios in the file, and
 *   fail for the reference. fallocate(2), hole punching and another size are refused
 *   since the file is frozen; truncation to the same size at most leaves what is
 *   beyond the end of the last page. Eviction comes after FINISH.
 */
#define pr_fmt(fmt) "memfd_luo: " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/memfd.h>
#include <linux/liveupdate.h>
#include <linux/memcontrol.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "memfd_luo.h"

/* What became of a folio, in the array; no kernel hands over these bits. */
#define FOLIO_RESTORED	BIT(9)	/* KHO gave it: it has a reference that is ours */
#define FOLIO_IN	BIT(10)	/* in the file */
#define FOLIO_LOST	BIT(11)	/* it will never be */

#define BATCH		32	/* folios for which others wait at most */
#define RETRY		HZ

#define PER_PAGE	(PAGE_SIZE / sizeof(struct memfd_luo_folio_ser))

/**
 * struct memfd_luo_behind - folios that are to be in a file
 * @pass: held to put in all of them, which may take long
 * @lock: of all that follows up to @settled; inside of @pass and mmap_lock
 * @array: of struct memfd_luo_folio_ser, in pages that KHO still holds
 * @chunk: where these are; NULL when no folio has an extra reference, unless some
 *	are lost
 * @nr: length of @array
 * @next: those before it are in or lost
 * @lost: at least one is
 * @told: handlers know that
 * @settled: all are in, and handlers were told
 * @memcg: pays for them: that of who retrieved, whoever puts them in
 * @work: the worker; has a reference to the file until @settled
 * @args: for handlers. Until @settled
 *
 * Lives as long as the inode.
 */
struct memfd_luo_behind {
	struct mutex pass;	/* putting in all */
	struct mutex lock;	/* what follows */
	struct kho_vmalloc array;
	struct kho_vmalloc_chunk **chunk;
	u64 nr;
	u64 next;
	bool lost;
	bool told;
	bool settled;
	struct mem_cgroup *memcg;
	struct delayed_work work;
	struct liveupdate_file_op_args args;
};

static bool settled(const struct memfd_luo_behind *b)
{
	/* With what was written before settle(), the page cache most of all */
	return smp_load_acquire(&b->settled);
}

/* Tests look at what goes on meanwhile (debugfs memfd_luo/hold). */
#define HOLD_WORKER	BIT(0)	/* only who needs them puts folios in */
#define HOLD_ALL	BIT(1)	/* who puts in all of them does not begin */
static u32 hold;
static u32 lose;	/* KHO does not give the folio of this index, but 0 */

static struct folio *restore(const struct memfd_luo_folio_ser *f)
{
	if (IS_ENABLED(CONFIG_IOMMU_HANDOVER_TEST) && f->index &&
	    f->index == READ_ONCE(lose))
		return NULL;
	return kho_restore_folio(PFN_PHYS(f->pfn));
}

static int wait_held(u32 who)
{
	while (IS_ENABLED(CONFIG_IOMMU_HANDOVER_TEST) && READ_ONCE(hold) & who) {
		if (fatal_signal_pending(current))
			return -EINTR;
		msleep(20);
	}
	return 0;
}

/* How many runs of pages the array is in, and how many chunks tell where. */
static u64 runs(const struct kho_vmalloc *array)
{
	return array->total_pages >> array->order;
}

static u64 chunks(const struct kho_vmalloc *array)
{
	return DIV_ROUND_UP_ULL(runs(array), KHO_VMALLOC_SIZE);
}

static u64 run(const struct memfd_luo_behind *b, u64 i)
{
	return b->chunk[i / KHO_VMALLOC_SIZE]->phys[i % KHO_VMALLOC_SIZE];
}

/*
 * The array is read where it is: nothing is to be allocated that grows with it, and
 * nothing is lost when there is no memory.
 */
static struct memfd_luo_folio_ser *nth(const struct memfd_luo_behind *b, u64 i)
{
	u64 page = i / PER_PAGE;
	u64 pa = run(b, page >> b->array.order);

	pa += (page & (BIT_ULL(b->array.order) - 1)) << PAGE_SHIFT;
	return (struct memfd_luo_folio_ser *)phys_to_virt(pa) + i % PER_PAGE;
}

static int find_array(struct memfd_luo_behind *b)
{
	struct kho_vmalloc_chunk *chunk = KHOSER_LOAD_PTR(b->array.first);
	u64 nr;

	if (b->array.order > MAX_PAGE_ORDER ||
	    b->array.total_pages < DIV_ROUND_UP_ULL(b->nr, PER_PAGE) ||
	    b->array.total_pages != runs(&b->array) << b->array.order)
		return -EINVAL;
	nr = chunks(&b->array);
	b->chunk = kvmalloc_array(nr, sizeof(*b->chunk), GFP_KERNEL);
	if (!b->chunk)
		return -ENOMEM;
	for (u64 i = 0; i < nr; i++) {
		if (!chunk)
			goto err_free;
		b->chunk[i] = chunk;
		chunk = KHOSER_LOAD_PTR(chunk->hdr.next);
	}
	if (chunk)
		goto err_free;
	for (u64 i = 0; i < runs(&b->array); i++)
		if (!run(b, i))
			goto err_free;
	return 0;

err_free:
	kvfree(b->chunk);
	return -EINVAL;
}

static void free_run(u64 pa, u64 pages)
{
	struct page *page = kho_restore_pages(pa, pages);

	for (u64 i = 0; page && i < pages; i++)
		__free_page(page + i);
}

static void free_array(struct memfd_luo_behind *b)
{
	for (u64 i = 0; i < runs(&b->array); i++) {
		free_run(run(b, i), BIT_ULL(b->array.order));
		cond_resched();
	}
	for (u64 i = 0; i < chunks(&b->array); i++)
		free_run(virt_to_phys(b->chunk[i]), 1);
	kvfree(b->chunk);
	b->chunk = NULL;
}

static void is_lost(struct memfd_luo_behind *b, struct memfd_luo_folio_ser *f)
{
	pr_err("session \"%s\" token %llu: the folio at index %llu, physical address %#llx, is lost\n",
	       liveupdate_session_name(b->args.session), b->args.token,
	       f->index, (u64)PFN_PHYS(f->pfn));
	f->flags |= FOLIO_LOST;
	WRITE_ONCE(b->lost, true);
}

/* What follows the insertion cannot fail: a folio that was seen stays. */
static int insert(struct inode *inode, struct folio *folio,
		  const struct memfd_luo_folio_ser *f, gfp_t gfp)
{
	struct address_space *mapping = inode->i_mapping;
	long pages = folio_nr_pages(folio);
	int rc;

	if (!folio_memcg_charged(folio)) {
		rc = mem_cgroup_charge(folio, NULL, gfp);
		if (rc)
			return rc;
	}
	rc = shmem_inode_acct_blocks(inode, pages);
	if (rc)
		return rc;
	if (f->flags & MEMFD_LUO_FOLIO_UPTODATE)
		folio_mark_uptodate(folio);
	rc = shmem_add_to_page_cache(folio, mapping, f->index, NULL, gfp);
	/* When it failed, this takes back what was accounted */
	shmem_recalc_inode(inode, pages, 0);
	if (rc)
		return rc;
	if (f->flags & MEMFD_LUO_FOLIO_DIRTY)
		folio_mark_dirty(folio);
	folio_add_lru(folio);
	return 0;
}

static int put_in(struct memfd_luo_behind *b, struct inode *inode,
		  struct memfd_luo_folio_ser *f, gfp_t gfp)
{
	struct folio *folio;
	int rc;

	lockdep_assert_held(&b->lock);
	if (!f->pfn || f->flags & FOLIO_IN)
		return 0;
	if (f->flags & FOLIO_LOST)
		return -EIO;
	if (!(f->flags & FOLIO_RESTORED)) {
		folio = restore(f);
		if (!folio) {
			is_lost(b, f);
			return -EIO;
		}
		__folio_set_swapbacked(folio);
		f->flags |= FOLIO_RESTORED;
	}
	folio = pfn_folio(f->pfn);
	folio_lock(folio);
	rc = insert(inode, folio, f, gfp);
	folio_unlock(folio);
	if (!rc)
		f->flags |= FOLIO_IN;
	/* Two for one index: which is the right one cannot be told */
	if (rc == -EEXIST) {
		is_lost(b, f);
		return -EIO;
	}
	return rc;
}

/* Put in the next few. Return: 0, with @b->next moved, or an errno. */
static int put_in_next(struct memfd_luo_behind *b, struct inode *inode, gfp_t gfp)
{
	int rc;

	for (int i = 0; i < BATCH && b->next < b->nr; i++) {
		rc = put_in(b, inode, nth(b, b->next), gfp);
		if (rc && rc != -EIO)
			return rc;
		b->next++;
	}
	return 0;
}

/* The last one that begins at @index or before. */
static struct memfd_luo_folio_ser *find(struct memfd_luo_behind *b, pgoff_t index)
{
	u64 low = 0, high = b->nr, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (nth(b, middle)->index <= index)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? nth(b, low - 1) : NULL;
}

static int fill(struct memfd_luo_behind *b, struct inode *inode, pgoff_t index)
{
	gfp_t gfp = mapping_gfp_mask(inode->i_mapping);
	struct memfd_luo_folio_ser *f = find(b, index);
	int rc = 0;

	if (f)
		rc = put_in(b, inode, f, gfp);
	/* What the old kernel sorted; if not, a hole is known when all are in */
	while (!rc && b->next < b->nr &&
	       !xa_load(&inode->i_mapping->i_pages, index)) {
		rc = put_in_next(b, inode, gfp);
		cond_resched();
	}
	return rc;
}

int __memfd_luo_fill(struct inode *inode, pgoff_t index)
{
	struct memfd_luo_behind *b = SHMEM_I(inode)->behind;
	struct mem_cgroup *old;
	int rc = 0;

	/* What is in does not leave before FINISH */
	if ((settled(b) || xa_load(&inode->i_mapping->i_pages, index)) &&
	    !READ_ONCE(b->lost))
		return 0;
	/* For a moment, and a task that dies may still need what is in there */
	mutex_lock(&b->lock);
	if (!b->settled) {
		old = set_active_memcg(b->memcg);
		rc = fill(b, inode, index);
		set_active_memcg(old);
	} else if (b->lost) {
		struct memfd_luo_folio_ser *f = find(b, index);

		rc = f && f->flags & FOLIO_LOST ? -EIO : 0;
	}
	mutex_unlock(&b->lock);
	return rc;
}

/* Whose memory it is by now is not known: no device may write to it. */
static void tell_lost(struct memfd_luo_behind *b)
{
	lockdep_assert_held(&b->pass);
	if (!READ_ONCE(b->lost) || b->told)
		return;
	liveupdate_giving_back(&b->args);
	b->told = true;
}

/* All are in: they may be moved when who uses them has pinned them. */
static int settle(struct memfd_luo_behind *b)
{
	int rc;

	lockdep_assert_held(&b->pass);
	rc = b->told ? 0 : liveupdate_retrieved(&b->args);
	if (rc)
		return rc;
	/* From here on a session that is closed by who exits is finished */
	mutex_lock(&b->lock);
	mem_cgroup_put(b->memcg);
	b->memcg = NULL;
	smp_store_release(&b->settled, true);	/* settled() */
	mutex_unlock(&b->lock);
	for (u64 i = 0; i < b->nr; i++) {
		const struct memfd_luo_folio_ser *f = nth(b, i);

		if (f->flags & FOLIO_IN)
			folio_put(pfn_folio(f->pfn));
		cond_resched();
	}
	/* Nobody looks there any more, unless for what is lost */
	if (!b->lost)
		free_array(b);
	return 0;
}

static int put_in_all(struct memfd_luo_behind *b, struct mem_cgroup *payer,
		      gfp_t gfp)
{
	struct inode *inode = file_inode(b->args.file);
	int rc = wait_held(HOLD_ALL);
	struct mem_cgroup *old;

	gfp |= mapping_gfp_mask(inode->i_mapping);
	while (!rc && b->next < b->nr) {
		if (fatal_signal_pending(current))
			return -EINTR;
		old = set_active_memcg(payer);
		mutex_lock(&b->lock);
		rc = put_in_next(b, inode, gfp);
		mutex_unlock(&b->lock);
		set_active_memcg(old);
		tell_lost(b);
		cond_resched();
	}
	/* One that somebody has accessed */
	tell_lost(b);
	return rc ?: settle(b);
}

static int pass(struct memfd_luo_behind *b, bool others_pay, gfp_t gfp)
{
	int rc = 0;

	if (mutex_lock_killable(&b->pass))
		return -EINTR;
	if (!b->settled)
		rc = put_in_all(b, others_pay ? b->memcg : NULL, gfp);
	mutex_unlock(&b->pass);
	return rc;
}

static void put_in_behind(struct work_struct *work)
{
	struct memfd_luo_behind *b = container_of(to_delayed_work(work),
						  struct memfd_luo_behind, work);

	wait_held(HOLD_WORKER);
	/* Nobody is killed for it: who waits for it may do that */
	if (pass(b, true, __GFP_RETRY_MAYFAIL | __GFP_NOWARN))
		queue_delayed_work(system_dfl_long_wq, &b->work, RETRY);
	else
		fput(b->args.file);
}

/* The worker has nothing to do any more. The caller has a reference, too. */
static void dismiss(struct memfd_luo_behind *b)
{
	if (cancel_delayed_work(&b->work))
		fput(b->args.file);
}

int __memfd_luo_fill_all(struct inode *inode)
{
	struct memfd_luo_behind *b = SHMEM_I(inode)->behind;
	int rc = pass(b, true, 0);

	if (!rc)
		dismiss(b);
	return rc;
}

bool __memfd_luo_filling(struct inode *inode)
{
	struct memfd_luo_behind *b = SHMEM_I(inode)->behind;

	return !settled(b) || b->lost;
}

bool memfd_luo_finish_filling(struct inode *inode)
{
	struct memfd_luo_behind *b = SHMEM_I(inode)->behind;
	int rc;

	if (!b)
		return true;
	/*
	 * Who exits waits for nobody, nor who closes files for others: the session can
	 * be retrieved again.
	 */
	if (current->flags & (PF_EXITING | PF_KTHREAD))
		return settled(b);
	/* No reference is left afterwards, whoever has put them in */
	rc = pass(b, true, 0);
	/* Whose limit that is may be gone */
	if (rc == -ENOMEM)
		rc = pass(b, false, 0);
	if (rc) {
		pr_warn_ratelimited("session \"%s\" token %llu: %llu of %llu folios are in the memfd: error %d; finish later\n",
				    liveupdate_session_name(b->args.session),
				    b->args.token, b->next, b->nr, rc);
		return false;
	}
	dismiss(b);
	return true;
}

int memfd_luo_fill_behind(const struct liveupdate_file_op_args *args,
			  const struct kho_vmalloc *folios, u64 nr)
{
	struct memfd_luo_behind *b = kzalloc_obj(*b);
	int rc;

	if (!b)
		return -ENOMEM;
	b->array = *folios;
	b->nr = nr;
	rc = find_array(b);
	if (rc) {
		kfree(b);
		return rc;
	}
	mutex_init(&b->pass);
	mutex_init(&b->lock);
	INIT_DELAYED_WORK(&b->work, put_in_behind);
	b->args = *args;
	b->memcg = get_mem_cgroup_from_mm(current->mm);
	SHMEM_I(file_inode(args->file))->behind = b;
	get_file(args->file);
	queue_delayed_work(system_dfl_long_wq, &b->work, 0);
	return 0;
}

void memfd_luo_evict(struct inode *inode)
{
	struct memfd_luo_behind *b = SHMEM_I(inode)->behind;

	if (!b)
		return;
	SHMEM_I(inode)->behind = NULL;
	/* All are in, but of two for one index the other one */
	for (u64 i = 0; b->chunk && i < b->nr; i++) {
		const struct memfd_luo_folio_ser *f = nth(b, i);

		if ((f->flags & (FOLIO_RESTORED | FOLIO_IN)) == FOLIO_RESTORED)
			folio_put(pfn_folio(f->pfn));
	}
	if (b->chunk)
		free_array(b);
	mutex_destroy(&b->lock);
	mutex_destroy(&b->pass);
	kfree(b);
}

static int __init memfd_luo_behind_init(void)
{
	struct dentry *dir;

	if (IS_ENABLED(CONFIG_IOMMU_HANDOVER_TEST)) {
		dir = debugfs_create_dir("memfd_luo", NULL);
		debugfs_create_x32("hold", 0600, dir, &hold);
		debugfs_create_u32("lose", 0600, dir, &lose);
	}
	return 0;
}
late_initcall(memfd_luo_behind_init);

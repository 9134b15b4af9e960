// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: how far each context of the image has come.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "incoming.h"

/**
 * struct in_context - a context of the accepted image
 * @fact: what the image says of it
 * @replay: retrieved, and this is what still waits for devices; or NULL
 * @taken: a call is at it, which abandon must not disturb
 * @retrieved: replayed
 * @finished: nothing more is to come of it
 */
struct in_context {
	struct iho_context fact;
	struct iommufd_replay *replay;
	bool taken;
	bool retrieved;
	bool finished;
};

/*
 * Of all below. Never held while waiting: what is taken inside is tried, or is the
 * innermost (pins_lock, the refusals' lock).
 */
static DEFINE_MUTEX(in_mutex);
static struct in_context *context;	/* handover_in.image.contexts */
static const void *map;
static bool gone;			/* all finished, image freed */

/* Not under in_mutex: a replay counts under its own lock, which is inside. */
static atomic_t devices_done, compared, equal, adopted;
static atomic64_t runs;

/* Facts are found by stepping through the FDT; step once. */
static int load_facts(void)
{
	const struct iho_image *img = &handover_in.image;
	struct in_context *c;

	if (context)
		return 0;
	c = kvcalloc(img->contexts + 1, sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	for (u32 i = 0; i < img->contexts; i++)
		iho_get_context(img, i, &c[i].fact);
	context = c;
	return 0;
}

static int find(const char *session, u64 token, u32 *index)
{
	int rc;

	lockdep_assert_held(&in_mutex);
	switch (handover_in.state) {
	case HANDOVER_IN_ACCEPTED:
		break;
	case HANDOVER_IN_REFUSED:
		return -EBADMSG;
	case HANDOVER_IN_OFF:
		return -EOPNOTSUPP;
	default:
		return -ENODATA;
	}
	if (gone)
		return -ENODATA;
	rc = load_facts();
	if (rc)
		return rc;
	for (u32 i = 0; i < handover_in.image.contexts; i++) {
		const struct in_context *c = &context[i];

		if (c->fact.token != token || c->finished ||
		    strcmp(c->fact.session, session))
			continue;
		*index = i;
		return 0;
	}
	return -ENODATA;
}

int handover_in_context(const char *session, u64 token, u32 *index,
			struct iho_context *fact)
{
	int rc;

	guard(mutex)(&in_mutex);
	rc = find(session, token, index);
	if (!rc)
		*fact = context[*index].fact;
	return rc;
}

int handover_in_device(u32 index, u32 dev_id, struct iho_device *fact)
{
	const struct iho_image *img = &handover_in.image;

	guard(mutex)(&in_mutex);
	if (gone)
		return -ENODATA;
	for (u32 i = 0; i < img->devices; i++)
		if (!iho_get_device(img, i, fact) && fact->context == index &&
		    fact->dev_id == dev_id)
			return 0;
	return -ENOENT;
}

int handover_in_take(const char *session, u64 token, u32 *index,
		     struct iho_context *fact)
{
	int rc;

	guard(mutex)(&in_mutex);
	rc = find(session, token, index);
	if (rc)
		return rc;
	if (context[*index].taken)
		return -EBUSY;
	context[*index].taken = true;
	*fact = context[*index].fact;
	return 0;
}

void handover_in_put(u32 index)
{
	guard(mutex)(&in_mutex);
	context[index].taken = false;
}

const void *handover_in_map(void)
{
	struct page **pages;
	unsigned long n = 0;

	guard(mutex)(&in_mutex);
	if (map)
		return map;
	pages = kvmalloc_array(handover_in.image.total_len >> PAGE_SHIFT,
			       sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;
	for (u32 i = 0; i < handover_in.extents; i++)
		for (u64 off = 0; off < handover_in.len[i]; off += PAGE_SIZE)
			pages[n++] =
				pfn_to_page(PHYS_PFN(handover_in.pa[i] + off));
	map = vmap(pages, n, VM_MAP, PAGE_KERNEL_RO);
	kvfree(pages);
	return map;
}

void handover_in_device_done(void)
{
	atomic_inc(&devices_done);
}

void handover_in_adopted(void)
{
	atomic_inc(&adopted);
}

void handover_in_compared(bool same, u64 nr)
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
	for (u32 i = 0; i < handover_in.extents; i++)
		restore_free(handover_in.pa[i]);
	restore_free(handover_in.envelope_pa);
	handover_in.image.node = NULL;
	handover_in.image.owned = NULL;
	kvfree(handover_in.index);
	handover_in.index = NULL;
	pr_info("handover from the last kernel finished\n");
}

static void finish(u32 index)
{
	const char *session = context[index].fact.session;

	if (context[index].finished)
		return;
	context[index].finished = true;
	atomic_dec(&handover_in.unfinished);
	for (u32 i = 0; i < handover_in.image.contexts; i++)
		if (!context[i].finished &&
		    !strcmp(context[i].fact.session, session))
			return;
	handover_in_unpin(session);
	if (!handover_in_unfinished())
		free_image();
}

void handover_in_finished(u32 index)
{
	guard(mutex)(&in_mutex);
	finish(index);
}

void handover_in_retrieved(u32 index, struct iommufd_replay *replay)
{
	guard(mutex)(&in_mutex);
	context[index].retrieved = true;
	context[index].replay = replay;
}

void handover_in_clear_replay(u32 index, struct iommufd_replay *replay)
{
	guard(mutex)(&in_mutex);
	/* A failed replay is freed late: a retry may own the slot by then */
	if (context && context[index].replay == replay)
		context[index].replay = NULL;
}

static int abandon(u32 index)
{
	struct in_context *c = &context[index];

	if (c->taken || (c->replay && !handover_replay_abandon(c->replay)))
		return handover_refuse(-EBUSY,
				       "session \"%s\" token %llu: not abandoned: its iommufd is being retrieved or finished, or given a device; try again, or end the process that does it",
				       c->fact.session, c->fact.token);
	handover_in_stop_context(index);
	if (!c->replay)
		handover_in_drop_trees(index);
	pr_warn("session \"%s\" token %llu: abandoned\n", c->fact.session,
		c->fact.token);
	finish(index);
	return 0;
}

int handover_in_abandon(void)
{
	int rc, failed = 0;

	guard(mutex)(&in_mutex);
	if (handover_in.state != HANDOVER_IN_ACCEPTED || gone)
		return 0;
	rc = load_facts();
	if (rc)
		return rc;
	for (u32 i = 0; i < handover_in.image.contexts; i++) {
		if (context[i].finished)
			continue;
		rc = abandon(i);
		failed = failed ?: rc;
	}
	return failed;
}

void handover_in_stats(struct handover_in_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	if (handover_in.state != HANDOVER_IN_ACCEPTED)
		return;
	guard(mutex)(&in_mutex);
	stats->contexts = handover_in.image.contexts;
	stats->unfinished = handover_in_unfinished();
	stats->devices = handover_in.image.devices;
	stats->devices_pending = gone ? 0 : stats->devices -
					    atomic_read(&devices_done);
	stats->devices_switched = handover_in_running_are(HANDOVER_TAKEN);
	stats->devices_stopped = handover_in_running_are(HANDOVER_STOPPED);
	stats->tables_compared = atomic_read(&compared);
	stats->tables_equal = atomic_read(&equal);
	stats->tables_adopted = atomic_read(&adopted);
	stats->runs_compared = atomic64_read(&runs);
	stats->pages_pinned = handover_in_pinned();
	if (!gone && load_facts())
		return;
	for (u32 i = 0; i < stats->contexts; i++) {
		stats->records += context[i].fact.records;
		stats->retrieved += context[i].retrieved;
	}
}

#if IS_ENABLED(CONFIG_IOMMU_HANDOVER_KUNIT_TEST)
void handover_in_forget(void)
{
	guard(mutex)(&in_mutex);
	handover_in_forget_pins();
	vunmap(map);
	map = NULL;
	kvfree(context);
	context = NULL;
	gone = false;
	atomic_set(&handover_in.unfinished, 0);
	atomic_set(&devices_done, 0);
	atomic_set(&compared, 0);
	atomic_set(&equal, 0);
	atomic_set(&adopted, 0);
	atomic64_set(&runs, 0);
}
#endif

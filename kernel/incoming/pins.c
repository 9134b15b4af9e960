// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: memory that the image names, pinned.
 *
 * A retrieved memfd is ordinary memory: it could be migrated, and then the
 * inherited page tables would point to pages of somebody else. Each memory has
 * a state of its own, so that the retrieves of several VMMs run side by side.
 */
#include <kunit/static_stub.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/memfd.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "incoming.h"

/**
 * struct in_memory - a memory of the accepted image
 * @fact: what the image says of it
 * @folios: pinned; NULL until its memfd is retrieved
 * @nr: how many
 * @pinning: somebody is at it
 * @dropped: its session is finished: pin it no more
 */
struct in_memory {
	struct iho_memory fact;
	struct folio **folios;
	u32 nr;
	bool pinning;
	bool dropped;
};

static struct in_memory *memory;	/* handover_in.image.memories */
static DEFINE_SPINLOCK(pins_lock);	/* of @memory and what it holds */
static atomic64_t pinned;

/* Facts are found by stepping through the FDT; step once. */
static struct in_memory *memories(void)
{
	u32 nr = handover_in.image.memories;
	struct in_memory *m;

	m = READ_ONCE(memory);
	if (m)
		return m;
	m = kvcalloc(nr + 1, sizeof(*m), GFP_KERNEL);
	if (!m)
		return NULL;
	for (u32 i = 0; i < nr; i++)
		iho_get_memory(&handover_in.image, i, &m[i].fact);
	scoped_guard(spinlock, &pins_lock) {
		if (!memory) {
			WRITE_ONCE(memory, m);
			return m;
		}
	}
	kvfree(m);
	return memory;
}

/* As many pointers as there are folios: a folio may have many pages. */
int handover_in_pin_folios(struct file *file, u64 size, struct folio ***result,
			   u32 *nr_result)
{
	struct folio **folios = NULL, **more;
	u32 nr = 0, cap = 0;
	pgoff_t offset;
	u64 pos = 0;
	long got;
	int rc;

	KUNIT_STATIC_STUB_REDIRECT(handover_in_pin_folios, file, size, result,
				   nr_result);
	while (pos < size) {
		rc = -EINTR;
		if (fatal_signal_pending(current))
			goto err_unpin;
		if (nr == cap) {
			cap = cap ? 2 * cap : 64;
			rc = -ENOMEM;
			more = kvrealloc(folios, array_size(cap, sizeof(*more)),
					 GFP_KERNEL);
			if (!more)
				goto err_unpin;
			folios = more;
		}
		got = memfd_pin_folios(file, pos, size - 1, folios + nr,
				       cap - nr, &offset);
		if (got <= 0) {
			rc = got ?: -EIO;
			goto err_unpin;
		}
		nr += got;
		pos = (u64)folio_next_index(folios[nr - 1]) << PAGE_SHIFT;
		cond_resched();
	}
	more = kvmalloc_array(nr, sizeof(*more), GFP_KERNEL);
	if (more) {
		memcpy(more, folios, nr * sizeof(*more));
		kvfree(folios);
		folios = more;
	}
	*result = folios;
	*nr_result = nr;
	return 0;

err_unpin:
	if (nr)
		unpin_folios(folios, nr);
	kvfree(folios);
	return rc;
}

static u64 pages_of(const struct in_memory *m)
{
	return DIV_ROUND_UP_ULL(m->fact.size, PAGE_SIZE);
}

static int pin(struct in_memory *m, struct file *file)
{
	struct folio **folios = NULL;
	u32 nr = 0;
	int rc;

	if (i_size_read(file_inode(file)) != m->fact.size)
		return -EBADMSG;
	scoped_guard(spinlock, &pins_lock) {
		if (m->folios || m->pinning || m->dropped || !m->fact.size)
			return 0;
		m->pinning = true;
	}
	rc = handover_in_pin_folios(file, m->fact.size, &folios, &nr);
	scoped_guard(spinlock, &pins_lock) {
		m->pinning = false;
		if (!rc && !m->dropped) {
			m->folios = folios;
			m->nr = nr;
			atomic64_add(pages_of(m), &pinned);
			return 0;
		}
	}
	if (!rc) {
		unpin_folios(folios, nr);
		kvfree(folios);
	}
	return rc;
}

static void unpin(struct in_memory *m)
{
	struct folio **folios;

	scoped_guard(spinlock, &pins_lock) {
		m->dropped = true;
		folios = m->folios;
		m->folios = NULL;
	}
	if (!folios)
		return;
	unpin_folios(folios, m->nr);
	kvfree(folios);
	atomic64_sub(pages_of(m), &pinned);
}

int handover_in_pin(const char *session, u64 token, struct file *file)
{
	struct in_memory *m;

	if (!handover_in_unfinished())
		return 0;
	m = memories();
	if (!m)
		return -ENOMEM;
	for (u32 i = 0; i < handover_in.image.memories; i++)
		if (m[i].fact.token == token &&
		    !strcmp(m[i].fact.session, session))
			return pin(&m[i], file);
	return 0;
}

void handover_in_unpin(const char *session)
{
	struct in_memory *m = memories();

	for (u32 i = 0; m && i < handover_in.image.memories; i++)
		if (!strcmp(m[i].fact.session, session))
			unpin(&m[i]);
}

/* Before user space: who is later finds it, or an image that is gone. */
static int __init handover_pins_init(void)
{
	if (handover_in.state == HANDOVER_IN_ACCEPTED)
		memories();
	return 0;
}
core_initcall(handover_pins_init);

u64 handover_in_pinned(void)
{
	return atomic64_read(&pinned);
}

#if IS_ENABLED(CONFIG_IOMMU_HANDOVER_KUNIT_TEST)
void handover_in_forget_pins(void)
{
	for (u32 i = 0; memory && i < handover_in.image.memories; i++)
		unpin(&memory[i]);
	kvfree(memory);
	memory = NULL;
}
#endif

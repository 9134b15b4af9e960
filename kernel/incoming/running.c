// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: devices that did not stop for the kexec.
 *
 * Each goes on with the page table that the last kernel left, until it is
 * attached to an HWPT whose table is equal, or is stopped. What it can reach is
 * not given back before.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/pci-handover.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "drivers.h"
#include "incoming.h"

/**
 * struct running - a device of the image that does DMA
 * @fact: what the image says of it
 * @unit: of its unit
 * @table: of the page table that it uses
 * @domain_id: that its entry carries
 * @state: where it is
 * @switching: attaches it to an equal table
 * @claimed: who had it has it again
 */
struct running {
	struct iho_device fact;
	struct iho_unit unit;
	struct iho_table table;
	u32 domain_id;
	enum handover_running_state state;
	struct task_struct *switching;
	bool claimed;
};

static struct running *running;
static u32 nr_running;
static atomic_t waiting;
/* Of all from state on; innermost, asked for by IOMMU drivers under theirs. */
static DEFINE_SPINLOCK(running_lock);
/* Of stopping, inside of all other mutexes and rwsems. */
static DEFINE_MUTEX(stop_mutex);

/* Before PCI is looked at. There is no memory to run short of yet. */
int __init handover_in_running_init(void)
{
	const struct iho_image *img = &handover_in.image;
	struct iho_domain domain;
	struct running r, *p;

	if (handover_in.state != HANDOVER_IN_ACCEPTED || !handover_in.running)
		return 0;
	handover_in_index();
	p = kcalloc(handover_in.running, sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	for (u32 i = 0; i < img->devices; i++) {
		memset(&r, 0, sizeof(r));
		if (iho_get_device(img, i, &r.fact) ||
		    r.fact.level != IHO_LEVEL_CONTINUOUS)
			continue;
		if (iho_get_unit(img, r.fact.unit, &r.unit) ||
		    iho_get_domain(img, r.fact.domain, &domain) ||
		    iho_get_table(img, domain.table, &r.table)) {
			nr_running = 0;
			kfree(p);
			return -EBADMSG;
		}
		r.domain_id = domain.domain_id;
		p[nr_running++] = r;
	}
	atomic_set(&waiting, nr_running);
	running = p;
	return 0;
}

u32 handover_in_running(void)
{
	return atomic_read(&waiting);
}

u32 handover_in_running_are(enum handover_running_state state)
{
	u32 nr = 0;

	for (u32 i = 0; i < nr_running; i++)
		nr += READ_ONCE(running[i].state) == state;
	return nr;
}

/* Is @now where @fact is, or a bridge on the way to it? */
static bool on_the_way(const struct iho_device *fact,
		       const struct iho_device *now)
{
	return fact->segment == now->segment &&
	       fact->root_bus == now->root_bus &&
	       fact->path_len >= now->path_len &&
	       !memcmp(fact->path, now->path, now->path_len);
}

static struct running *find(struct pci_dev *pdev)
{
	struct iho_device now;

	if (!handover_in_running() || handover_pci_device(pdev, &now))
		return NULL;
	for (u32 i = 0; i < nr_running; i++)
		if (handover_pci_same_place(&running[i].fact, &now))
			return &running[i];
	return NULL;
}

bool handover_in_runs(struct pci_dev *pdev)
{
	struct iho_device now;

	if (!handover_in_running() || handover_pci_device(pdev, &now))
		return false;
	for (u32 i = 0; i < nr_running; i++) {
		const struct iho_device *fact = &running[i].fact;

		if (running[i].state != HANDOVER_RUNNING ||
		    !on_the_way(fact, &now))
			continue;
		/* What is plugged in there now may be another one */
		if (fact->path_len > now.path_len ||
		    fact->vendor_device == now.vendor_device)
			return true;
	}
	return false;
}

bool handover_in_running_table(struct pci_dev *pdev, struct iho_table *table)
{
	struct running *r = find(pdev);

	guard(spinlock_irqsave)(&running_lock);
	if (!r || r->state != HANDOVER_RUNNING)
		return false;
	*table = r->table;
	return true;
}

u32 handover_in_table_runs(u64 root_pa)
{
	u32 nr = 0;

	guard(spinlock_irqsave)(&running_lock);
	for (u32 i = 0; i < nr_running; i++)
		nr += running[i].state == HANDOVER_RUNNING &&
		      running[i].table.root_pa == root_pa;
	return nr;
}

bool handover_in_claim(struct pci_dev *pdev)
{
	struct running *r = find(pdev);

	guard(spinlock_irqsave)(&running_lock);
	if (!r || r->state != HANDOVER_RUNNING)
		return false;
	r->claimed = true;
	return true;
}

bool handover_in_claimed(struct pci_dev *pdev)
{
	struct running *r = find(pdev);

	return r && READ_ONCE(r->claimed);
}

u32 handover_in_entries(u64 register_pa, u32 from,
			struct handover_entry *entry)
{
	for (u32 i = from; i < nr_running; i++) {
		const struct running *r = &running[i];

		if (r->unit.register_pa != register_pa ||
		    r->state != HANDOVER_RUNNING)
			continue;
		*entry = (struct handover_entry) {
			.unit = &r->unit,
			.table = &r->table,
			.source_id = r->fact.source_id[0],
			.domain_id = r->domain_id,
		};
		return i + 1;
	}
	return 0;
}

void handover_in_switch_begin(struct pci_dev *pdev)
{
	struct running *r = find(pdev);

	guard(spinlock_irqsave)(&running_lock);
	r->switching = current;
}

/* As any other device: its power may be managed. */
static void let_go(struct pci_dev *pdev)
{
	if (!pdev->handed_over)
		return;
	WRITE_ONCE(pdev->handed_over, false);
	pm_runtime_put(&pdev->dev);
}

/* @r no longer runs; after the last one the bridges are as any others. */
static void left(struct running *r, struct pci_dev *pdev)
{
	if (pdev)
		let_go(pdev);
	if (!atomic_dec_and_test(&waiting))
		return;
	pdev = NULL;
	for_each_pci_dev(pdev)
		let_go(pdev);
}

void handover_in_switch_end(struct pci_dev *pdev, bool done)
{
	struct running *r = find(pdev);

	scoped_guard(spinlock_irqsave, &running_lock) {
		r->switching = NULL;
		if (r->state != HANDOVER_RUNNING || !done)
			return;
		r->state = HANDOVER_TAKEN;
	}
	/* Nothing is left of it, unless another entry was meant */
	handover_block(&r->unit, r->fact.source_id[0], NULL);
	left(r, pdev);
}

bool handover_in_switching(u64 register_pa, u16 source_id)
{
	guard(spinlock_irqsave)(&running_lock);
	for (u32 i = 0; i < nr_running; i++)
		if (running[i].unit.register_pa == register_pa &&
		    running[i].fact.source_id[0] == source_id)
			return running[i].switching == current;
	return false;
}

/* No DMA and no interrupt of it any more; its memory may be given back. */
static void stop(struct pci_dev *pdev)
{
	pci_clear_master(pdev);
	if (!pci_wait_for_pending_transaction(pdev))
		pci_warn(pdev, "iommu-handover: transactions are still pending\n");
	handover_pci_msix_off(pdev);
	handover_pci_msi_off(pdev);
}

/* Bridges may have been given other numbers. With a reference. */
static struct pci_dev *look_for(const struct iho_device *fact)
{
	struct pci_dev *pdev = NULL;
	struct iho_device now;

	for_each_pci_dev(pdev)
		if (!handover_pci_device(pdev, &now) &&
		    handover_pci_same_place(fact, &now))
			break;
	return pdev;
}

/* @pdev is NULL if it is not known; one that is being removed is in no list */
static void stop_one(struct running *r, struct pci_dev *pdev)
{
	const struct iho_device *fact = &r->fact;

	/* Who comes second gives memory back only after the first is done */
	guard(mutex)(&stop_mutex);
	scoped_guard(spinlock_irqsave, &running_lock) {
		if (r->state != HANDOVER_RUNNING)
			return;
		r->state = HANDOVER_STOPPED;
	}
	pdev = pdev ? pci_dev_get(pdev) : look_for(fact);
	if (pdev) {
		stop(pdev);
		pci_warn(pdev, "iommu-handover: stopped: it was not taken back\n");
	} else {
		handover_in_silence_one(fact);
	}
	handover_block(&r->unit, fact->source_id[0], pdev ? &pdev->dev : NULL);
	left(r, pdev);
	pci_dev_put(pdev);
}

/* Find out at enumeration what is plugged in where one of them was. */
void handover_in_found(struct pci_dev *pdev)
{
	struct running *r = find(pdev);

	if (!r || r->state != HANDOVER_RUNNING ||
	    (r->fact.vendor_device == ((u32)pdev->vendor << 16 | pdev->device) &&
	     r->fact.source_id[0] == pci_dev_id(pdev)))
		return;
	pci_warn(pdev, "iommu-handover: not the device that was handed over, or its number has changed\n");
	/* It is not in the lists yet */
	pci_clear_master(pdev);
	pci_wait_for_pending_transaction(pdev);
	stop_one(r, NULL);
}

void handover_in_stop(struct pci_dev *pdev)
{
	struct running *r = find(pdev);

	if (r)
		stop_one(r, pdev);
}

void handover_in_stop_context(u32 index)
{
	for (u32 i = 0; i < nr_running; i++)
		if (running[i].fact.context == index)
			stop_one(&running[i], NULL);
}

void handover_in_stop_session(const char *session)
{
	struct iho_context context;

	for (u32 i = 0; handover_in_running() && i < nr_running; i++)
		if (!iho_get_context(&handover_in.image, running[i].fact.context,
				     &context) &&
		    !strcmp(context.session, session))
			stop_one(&running[i], NULL);
}

void handover_in_stop_unit(u64 register_pa)
{
	struct pci_dev *pdev = NULL;

	for (u32 i = 0; i < nr_running; i++)
		if (running[i].unit.register_pa == register_pa)
			stop_one(&running[i], NULL);
	if (handover_in.state == HANDOVER_IN_ACCEPTED)
		return;
	/* Bus mastering is off since early; nothing may be under way either */
	for_each_pci_dev(pdev) {
		if (pci_is_bridge(pdev))
			continue;
		pci_clear_master(pdev);
		pci_wait_for_pending_transaction(pdev);
	}
}

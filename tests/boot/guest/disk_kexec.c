// SPDX-License-Identifier: GPL-2.0-only
/* What a disk does round a kexec. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "disk_layout.h"

#define MAGIC		0x6b736964ULL
#define HOST_PORT	"/dev/virtio-ports/handover.host"

/* 1024 commands last for four minutes, and for 17 with the debug kernel. */
#define SLOW_IOPS	4
#define SLOW_IOPS_DEBUG	1
#define WARM_UP		4096
#define WATCH_MS	5
/* Completions after the last look and before interrupts are held back. */
#define LATE_MOST	2
/* What is delivered at once may be seen late on a busy host. */
#define IRQ_LATE_MS	5000

void disk_pace(unsigned int iops)
{
	int fd = must(open(HOST_PORT, O_RDWR | O_CLOEXEC));
	char text[32], answer[3];
	size_t used = 0;
	int n;

	n = snprintf(text, sizeof(text), "iops %u\n", iops);
	check(write(fd, text, n) == n, "the host part cannot be asked");
	while (used < sizeof(answer)) {
		n = read(fd, answer + used, sizeof(answer) - used);
		check(n > 0, "the host part does not answer");
		used += n;
	}
	check(!memcmp(answer, "ok\n", 3), "the host part does not obey");
	close(fd);
}

void disk_pace_slow(void)
{
	disk_pace(debug_kernel() ? SLOW_IOPS_DEBUG : SLOW_IOPS);
}

static uint8_t *queues_of(const struct disk *d)
{
	return (uint8_t *)d->mem.va + DISK_QUEUES_OFF;
}

static uint32_t ioas_of(const struct disk *d)
{
	return d->state->want.ioas[0].id;
}

static void map_more(struct disk *d, unsigned int nr)
{
	ctx_map(&d->ctx, ioas_of(d), 0, DISK_MORE_OFF,
		DISK_MORE_LEN - nr % 16 * GUEST_PAGE, DISK_MORE_IOVA(nr),
		IOVA_RW);
}

void disk_build(struct disk *d, const char *name)
{
	uint32_t ioas;

	memset(d, 0, sizeof(*d));
	d->name = name;
	d->session = -1;
	must(memory_create(&d->mem, name, DISK_LEN));
	/* A page that no CPU has touched is zeroed when one does. */
	memset(d->mem.va, 0, DISK_LEN);
	d->state = d->mem.va;
	d->state->magic = MAGIC;
	d->state->outstanding_min = ~0U;
	d->state->rng.state = boot_seed("disk.seed=");
	say("disk.seed=0x%llx", (unsigned long long)d->state->rng.state);
	d->nvme = &d->state->nvme;
	ctx_open(&d->ctx, name, &d->state->want);
	ctx_memory(&d->ctx, &d->mem);
	ioas = ctx_ioas(&d->ctx);
	ctx_map(&d->ctx, ioas, 0, DISK_QUEUES_OFF, NVME_QUEUES_LEN,
		DISK_QUEUES_IOVA, IOVA_RW);
	ctx_map(&d->ctx, ioas, 0, DISK_SLOTS_OFF, DISK_SLOTS_LEN,
		DISK_SLOTS_IOVA, IOVA_RW);
}

void disk_restart(struct disk *d)
{
	uint32_t i;

	nvme_let_go(d->nvme);
	must(nvme_start(d->nvme, d->ctx.dev[0], queues_of(d), DISK_QUEUES_IOVA,
			DISK_SQ_NR, DISK_CQ_NR));
	check(d->nvme->blocks >= DISK_SLOTS * DISK_SLOT_BLOCKS &&
	      1ULL << d->nvme->block_lg2 == GUEST_PAGE,
	      "the disk has %llu blocks of 2^%u bytes",
	      (unsigned long long)d->nvme->blocks, d->nvme->block_lg2);
	for (i = 0; i < DISK_SLOTS; i++)
		d->state->slot[i].busy = false;
	disk_write_all(d);
}

void disk_start(struct disk *d)
{
	char bdf[PCI_BDF_LEN];
	uint32_t dev, pair;

	must(pci_find(NVME_VENDOR, NVME_DEVICE, 0, bdf));
	dev = ctx_bind(&d->ctx, bdf);
	ctx_attach(&d->ctx, dev, ioas_of(d));
	nvme_adopt(d->nvme, queues_of(d));
	disk_restart(d);
	disk_work(d, WARM_UP);
	check(!disk_drain(d, DISK_STALL_MS), "commands are not completed");
	check(!d->state->wrong && !d->state->twice,
	      "%llu commands went wrong, %llu completions are of none",
	      (unsigned long long)d->state->wrong,
	      (unsigned long long)d->state->twice);
	must(nvme_provoke_event(d->nvme));
	for (pair = 0; pair < NVME_PAIRS; pair++)
		check(nvme_irq_taken(d->nvme, pair), "queue %u: no interrupt",
		      pair);
}

void disk_take_memory(struct disk *d, const char *name, unsigned int nr)
{
	uint32_t pair;

	memset(d, 0, sizeof(*d));
	d->name = name;
	d->session = must(luo_retrieve(name));
	must(memory_adopt(&d->mem, must(luo_restore(d->session,
						    DISK_TOKEN_MEMORY))));
	d->state = d->mem.va;
	check(d->state->magic == MAGIC && d->state->kexecs == nr - 1,
	      "this is not the memory of kexec %u", nr - 1);
	d->state->kexecs = nr;
	d->nvme = &d->state->nvme;
	nvme_adopt(d->nvme, queues_of(d));
	for (pair = 1; pair < NVME_PAIRS; pair++)
		d->blackout[pair] = nvme_landed(d->nvme, pair) -
				    d->state->watched[pair];
}

void disk_take_iommufd(struct disk *d)
{
	ctx_adopt(&d->ctx, d->name, &d->state->want,
		  must(luo_restore(d->session, DISK_TOKEN_IOMMUFD)));
	ctx_memory(&d->ctx, &d->mem);
}

void disk_take_device(struct disk *d)
{
	if (d->state->file)
		d->ctx.dev[0] = must(luo_restore(d->session, DISK_TOKEN_DEVICE));
	else
		check(ctx_rebind(&d->ctx, 0), "the device has another ID");
	check(!ctx_verify(&d->ctx, true), "the iommufd is not what it was");
}

/* One that was held back comes at once; a completion brings another. */
static bool is_settled(struct disk *d, uint32_t pair, bool late,
		       struct disk_irqs *irqs)
{
	bool taken = nvme_irq_taken(d->nvme, pair);

	if (taken && nvme_landed(d->nvme, pair) != d->resumed[pair])
		irqs->unclear++;
	else if (taken)
		irqs->delivered++;
	else if (late)
		irqs->lost++;
	return taken || late;
}

void disk_interrupts(struct disk *d, bool route, struct disk_irqs *irqs)
{
	uint32_t pair, left, held;
	uint64_t routed;

	/* So that few completions land beside those that raised what is held. */
	disk_pace(1);
	memset(irqs, 0, sizeof(*irqs));
	held = must(nvme_pending(d->nvme)) & ~(1U << NVME_ADMIN);
	irqs->held = __builtin_popcount(held);
	for (pair = 1; pair < NVME_PAIRS; pair++) {
		d->resumed[pair] = nvme_landed(d->nvme, pair);
		if (held & 1U << pair || d->blackout[pair] <= LATE_MOST)
			continue;
		say("queue %u: completions, but no interrupt is pending", pair);
		irqs->lost++;
	}
	if (route)
		must(nvme_irq_on(d->nvme));
	routed = now_ms();
	for (left = held; left;) {
		bool late = now_ms() - routed > IRQ_LATE_MS;

		for (pair = 1; pair < NVME_PAIRS; pair++)
			if (left & 1U << pair &&
			    is_settled(d, pair, late, irqs))
				left &= ~(1U << pair);
	}
	d->state->irq_held += irqs->held;
	d->state->irq_delivered += irqs->delivered;
	d->state->irq_lost += irqs->lost;
	disk_pace_slow();
}

void disk_finish(struct disk *d)
{
	must(luo_finish(d->session));
	close(d->session);
	d->session = -1;
}

/* No two handovers have the same page table. */
static void remap(struct disk *d, unsigned int nr)
{
	const struct want_ioas *ioas = &d->state->want.ioas[0];
	uint32_t i;

	for (i = 0; i < ioas->map_nr; i++)
		if (ioas->map[i].offset == DISK_MORE_OFF)
			break;
	if (i < ioas->map_nr)
		ctx_unmap(&d->ctx, ioas->id, ioas->map[i].iova);
	map_more(d, nr);
}

/* Until the machine jumps. */
static void *watch(void *arg)
{
	struct disk *d = arg;
	uint32_t pair;

	for (;;) {
		for (pair = 1; pair < NVME_PAIRS; pair++)
			d->state->watched[pair] = nvme_landed(d->nvme, pair);
		sleep_ms(WATCH_MS);
	}
	return NULL;
}

/* As if the program had ended, but for the session and the thread that looks. */
static void let_go(struct disk *d)
{
	nvme_let_go(d->nvme);
	close(d->ctx.dev[0]);
	close(d->ctx.fd);
	close(d->mem.fd);
}

void disk_preserve(struct disk *d, unsigned int nr)
{
	pthread_t thread;
	int session;

	d->state->file = nr % 2;
	remap(d, nr);
	disk_fill(d);
	ctx_settle(&d->ctx);
	session = must(luo_create(d->name));
	must(luo_preserve(session, d->mem.fd, DISK_TOKEN_MEMORY));
	must(luo_preserve(session, d->ctx.fd, DISK_TOKEN_IOMMUFD));
	if (d->state->file)
		must(luo_preserve(session, d->ctx.dev[0], DISK_TOKEN_DEVICE));
	check(!pthread_create(&thread, NULL, watch, d), "no thread");
	if (d->state->file)
		let_go(d);
}

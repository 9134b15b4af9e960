// SPDX-License-Identifier: GPL-2.0-only
/*
 * nvme-control NUMBER - NUMBER is 0 before the first of two kexecs
 *
 * What scenario nvme demands to be 0 is made to be more.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "disk.h"
#include "disk_layout.h"

#define SESSION		"nvme-control"
#define STALL_MS	5000
#define LL(x)		((unsigned long long)(x))

static struct disk disk;

static void wait_for_one(uint32_t pair)
{
	uint64_t end = now_ms() + DISK_STALL_MS;

	while (!nvme_landed(disk.nvme, pair)) {
		check(now_ms() < end, "nothing is completed");
		sleep_ms(1);
	}
}

/* One byte of each page, of the blocks and of the canaries beside them. */
static void alter_buffers(void)
{
	const struct nvme_pair *p = &disk.nvme->pair[1];
	uint32_t page, slot;

	for (page = 1; page < DISK_SLOT_PAGES; page++) {
		wait_for_one(1);
		slot = le16toh(p->cq[p->cq_head].cid) % DISK_SLOTS;
		((uint8_t *)disk.mem.va + DISK_SLOTS_OFF)
			[(slot * DISK_SLOT_PAGES + page) * GUEST_PAGE + page]++;
		disk_take(&disk);
		check(disk.state->wrong == page,
		      "an altered byte in page %u: %llu commands are wrong",
		      page, LL(disk.state->wrong));
	}
	report("wrong_seen", "%llu", LL(disk.state->wrong));
	disk.state->wrong = 0;
}

static void complete_twice(void)
{
	struct nvme_pair *p = &disk.nvme->pair[1];

	wait_for_one(1);
	disk_take(&disk);
	p->phase ^= !p->cq_head;
	p->cq_head = (p->cq_head ?: p->cq_nr) - 1;
	disk_take(&disk);
	report("twice_seen", "%llu", LL(disk.state->twice));
	check(disk.state->twice == 1, "a completion that came twice is not seen");
	disk.state->twice = 0;
}

static void take_back(unsigned int nr)
{
	disk_take_memory(&disk, SESSION, nr);
	disk_take_iommufd(&disk);
	disk_take_device(&disk);
}

static void not_routed(void)
{
	struct disk_irqs irqs;

	disk_interrupts(&disk, false, &irqs);
	report("interrupts_lost_seen", "%u", irqs.lost);
	check(irqs.held && irqs.lost >= irqs.held,
	      "%u of %u interrupts that were not routed are missed", irqs.lost,
	      irqs.held);
	must(nvme_irq_on(disk.nvme));
}

static void reset(void)
{
	uint32_t busy, lost;

	disk_fill(&disk);
	busy = disk_busy(&disk);
	must(vfio_reset(disk.ctx.dev[0]));
	disk_pace(0);
	lost = disk_drain(&disk, STALL_MS);
	say("reset with %u commands outstanding: %u are lost", busy, lost);
	report("commands_lost_seen", "%u", lost);
	check(lost, "a reset went unnoticed");
	disk_restart(&disk);
	disk_pace_slow();
}

static void no_bus_master(void)
{
	uint32_t pair, nr = 0;

	for (pair = 1; pair < NVME_PAIRS; pair++)
		nr += disk.blackout[pair];
	say("without bus mastering %u commands were completed in the blackout", nr);
	report("completed_without_bus_master", "%u", nr);
	check(!nr, "commands are completed without bus mastering");
	must_fail(EIO, nvme_resume(disk.nvme, disk.ctx.dev[0]));
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	switch (nr) {
	case 0:
		disk_build(&disk, SESSION);
		disk_start(&disk);
		disk_pace_slow();
		disk_fill(&disk);
		alter_buffers();
		complete_twice();
		disk_preserve(&disk, nr);
		break;
	case 1:
		take_back(nr);
		must(nvme_resume(disk.nvme, disk.ctx.dev[0]));
		not_routed();
		reset();
		disk_finish(&disk);
		/* Nothing of the session has the device: bus mastering is ours. */
		disk_preserve(&disk, 2);
		must(vfio_bus_master(disk.ctx.dev[0], false));
		break;
	default:
		take_back(nr);
		no_bus_master();
		disk_finish(&disk);
	}
	background_ready();
}

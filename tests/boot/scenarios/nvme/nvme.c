// SPDX-License-Identifier: GPL-2.0-only
/*
 * nvme NUMBER - NUMBER is 0 before the first kexec
 *
 * A disk that is throttled: most of its commands are outstanding when the machine
 * jumps, and some of them complete before anybody knows the device again.
 */
#include <stdlib.h>

#include "canary.h"
#include "disk.h"

#define SESSION		"nvme"
#define GO_ON_MS	60000
#define CANARY_LEN	(256ULL << 20)
#define LL(x)		((unsigned long long)(x))

static struct disk disk;

/* What the memory tells before the device, or its iommufd, is taken back. */
static void look(void)
{
	uint32_t landed = disk_landed(&disk), blackout = 0, busy, left, pair;

	for (pair = 1; pair < NVME_PAIRS; pair++)
		blackout += disk.blackout[pair];
	left = disk_busy(&disk) - landed;
	busy = left + blackout;
	say("%u commands were outstanding at the jump, %u are completed since",
	    busy, blackout);
	if (left < disk.state->outstanding_min)
		disk.state->outstanding_min = left;
	report("commands_outstanding[]", "%u", busy);
	report("commands_outstanding_min", "%u", disk.state->outstanding_min);
	report("commands_completed_in_blackout[]", "%u", blackout);
	check(left, "no command is outstanding any more");
	check(blackout, "no command was completed while no kernel knew the device");
}

static void want_more(void)
{
	uint64_t end = now_ms() + GO_ON_MS;
	uint32_t landed = disk_landed(&disk);

	while (disk_landed(&disk) == landed) {
		check(now_ms() < end, "the device has stopped");
		sleep_ms(10);
	}
}

static void interrupts(void)
{
	struct disk_irqs irqs;

	disk_interrupts(&disk, true, &irqs);
	report("interrupts_in_blackout[]", "%u", irqs.held);
	report("interrupts_delivered[]", "%u", irqs.delivered);
	report("interrupts_lost", "%llu", LL(disk.state->irq_lost));
	say("%u interrupts were held back, %u delivered, %u may be of a later completion",
	    irqs.held, irqs.delivered, irqs.unclear);
	check(irqs.held, "no interrupt was held back");
	check(!irqs.lost, "%u interrupts are lost", irqs.lost);
	/* One that is lost and one that is early look alike, but not all are early. */
	check(2 * disk.state->irq_delivered >= disk.state->irq_held,
	      "%llu interrupts were held back, %llu are delivered",
	      LL(disk.state->irq_held), LL(disk.state->irq_delivered));
}

static void report_all(void)
{
	const struct disk_state *state = disk.state;

	report("commands", "%llu", LL(state->submitted));
	report("commands_completed", "%llu", LL(state->completed));
	report("commands_twice", "%llu", LL(state->twice));
	report("commands_wrong", "%llu", LL(state->wrong));
	check(!state->twice, "%llu completions are of no command",
	      LL(state->twice));
	check(!state->wrong, "%llu commands went wrong", LL(state->wrong));
}

static void take_back(unsigned int nr)
{
	struct canary canary;

	disk_take_memory(&disk, SESSION, nr);
	look();
	canary_begin(&canary, CANARY_LEN);
	want_more();
	disk_take_iommufd(&disk);
	/* 50 ms between the store and the flush lose nothing */
	must(write_text("/sys/kernel/debug/iommu_handover/disturb", "2"));
	disk_take_device(&disk);
	must(nvme_resume(disk.nvme, disk.ctx.dev[0]));
	interrupts();
	disk_take(&disk);
	must(nvme_provoke_event(disk.nvme));
	disk_fill(&disk);
	disk_finish(&disk);
	want_more();
	disk_take(&disk);
	check(!canary_end(&canary), "other memory has changed");
	report_all();
}

/* Only now it is known that none is missing, and that what was written is there. */
static void end(void)
{
	uint32_t lost;

	disk_pace(0);
	lost = disk_drain(&disk, DISK_STALL_MS);
	report("commands_lost", "%u", lost);
	check(!lost, "%u commands are lost", lost);
	disk_read_all(&disk);
	report_all();
	check(disk.state->completed == disk.state->submitted,
	      "%llu commands, %llu completed", LL(disk.state->submitted),
	      LL(disk.state->completed));
	background_ready();
}

int main(int argc, char **argv)
{
	const char *last = getenv("HANDOVER_KEXECS");
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	check(last, "HANDOVER_KEXECS is not set");
	nr = atoi(argv[1]);
	background();
	if (nr) {
		take_back(nr);
	} else {
		disk_build(&disk, SESSION);
		disk_start(&disk);
		disk_pace_slow();
	}
	if (nr && nr == (unsigned int)atoi(last))
		end();
	disk_preserve(&disk, nr);
	background_ready();
}

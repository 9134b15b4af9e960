// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma NUMBER - NUMBER is 0 before the first kexec
 *
 * Two controllers that share an HWPT and receive when the machine jumps: neither
 * stops. A third one, on the same IOMMU, is not handed over.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "canary.h"
#include "stream.h"
#include "tell.h"

#define SESSION		"dma"
#define CANARY_LEN	(256ULL << 20)

static struct stream stream;

static bool five_levels(void)
{
	char line[4096];
	FILE *cpuinfo = fopen("/proc/cpuinfo", "r");
	bool found = false;

	check(cpuinfo, "/proc/cpuinfo: %s", strerror(errno));
	while (!found && fgets(line, sizeof(line), cpuinfo))
		found = !strncmp(line, "flags", 5) && strstr(line, " la57");
	fclose(cpuinfo);
	return found;
}

/* What the command line says that this kernel has: a kernel makes it environment. */
static void look_at_machine(void)
{
	const char *want_cpus = getenv("CPUS"), *want_levels = getenv("LEVELS");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), levels = five_levels() ? 5 : 4;

	say("%ld CPUs, page tables of %ld levels", cpus, levels);
	check(!want_cpus || atol(want_cpus) == cpus, "there should be %s CPUs",
	      want_cpus);
	check(!want_levels || atol(want_levels) == levels,
	      "there should be %s levels", want_levels);
}

/* A host's own device: bound and attached until the jump, of no session. */
static void use_third(void)
{
	static const uint64_t len = 64 * GUEST_PAGE;
	uint64_t iova = 0x40000000ULL;
	uint32_t ioas, id, hwpt;
	char bdf[PCI_BDF_LEN];
	struct memory mem;
	int iommufd, dev;

	must(nic_find(2, bdf));
	must(vfio_claim(bdf));
	must(memory_create(&mem, "third", len));
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem.fd, 0, len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	hwpt = ioas;
	must(vfio_attach(dev, &hwpt));
	must(vfio_bus_master(dev, true));
}

static void take_back(unsigned int nr)
{
	uint64_t frames = 0, lost = 0;
	struct canary canary;
	uint32_t landed, i;

	tell_phase("retrieve");
	stream_take_memory(&stream, SESSION, nr);
	tell_phase("test");
	landed = stream_landed(&stream);
	say("%u frames landed since the last look", landed);
	check(landed, "nothing has arrived");
	/* Memory that the new kernel believes is free is given out right away */
	canary_begin(&canary, CANARY_LEN);
	check(stream_arriving(&stream, 500), "the device has stopped");
	/* 50 ms between the store and the flush lose nothing */
	if (nr % 4 >= 2)
		must(write_text("/sys/kernel/debug/iommu_handover/disturb", "2"));

	tell_phase("retrieve");
	stream_take_iommufd(&stream);
	tell_phase("bind");
	stream_resume(&stream);
	report("interrupts_in_blackout[]", "%u", stream.irqs.raised);
	/* Frames have landed at each since the jump: nothing pending is lost as well */
	report("interrupts_lost[]", "%u", stream.irqs.lost +
	       stream.state->nics - stream.irqs.raised);
	report("interrupts_spurious[]", "%u", stream.irqs.spurious);
	stream_receive(&stream, 100);
	stream_finish(&stream);
	stream_receive(&stream, 100);
	check(!canary_end(&canary), "other memory has changed");
	for (i = 0; i < stream.state->nics; i++) {
		frames += stream.nic[i].frames;
		lost += stream.nic[i].gaps;
	}
	report("frames_received", "%llu", (unsigned long long)frames);
	report("frames_missing", "%llu", (unsigned long long)lost);
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	look_at_machine();
	if (nr) {
		take_back(nr);
	} else {
		stream_build(&stream, SESSION, STREAM_NICS);
		stream_start(&stream);
		stream_watched(&stream);
		irqs_control(&stream.nic[0]);
	}
	use_third();
	stream_hand_over(&stream, nr);
}

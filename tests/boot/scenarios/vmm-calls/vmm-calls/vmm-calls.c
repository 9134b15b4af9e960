// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmm-calls NUMBER - NUMBER is 0 before the first kexec
 *
 * After an odd number of kexecs the VMMs get their iommufd and device out of their
 * sessions, after an even one they make both anew: the files of the devices are
 * preserved every other time.
 */
#include <errno.h>
#include <stdlib.h>

#include "stops.h"
#include "vmm.h"

static struct vmm vmms[] = {
	{ .name = "Cloud Hypervisor", .key = "cloud-hypervisor", .nth = 0,
	  .files = 2, .by_address = true },
	{ .name = "OpenVMM", .key = "openvmm", .nth = 1, .files = 1 },
};

static const struct vmm_ops *const ops[] = { &cloud_hypervisor, &openvmm };

static void take_back(unsigned int nr)
{
	struct vmm *vmm;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vmms); i++) {
		vmm = &vmms[i];
		vmm_take_memory(vmm);
		ops[i]->map_memory(vmm);
		vmm_knows(vmm, nr);
		check(vmm_arrives(vmm), "%s: the device has stopped", vmm->name);
		if (nr % 2) {
			vmm_take_files(vmm);
			ops[i]->restore(vmm);
		} else {
			ops[i]->rebuild(vmm);
		}
	}
	/* The old iommufds are not wanted */
	if (!(nr % 2)) {
		for (i = 0; i < ARRAY_SIZE(vmms); i++)
			must_fail(EBUSY, luo_finish(vmms[i].session));
		must(write_text(STOPS_ABANDON, "1"));
	}
	for (i = 0; i < ARRAY_SIZE(vmms); i++) {
		vmm = &vmms[i];
		vmm_finish(vmm);
		vmm_receives(vmm, 100);
	}
}

/* What Cloud Hypervisor does with a device that was bound when it began. */
static void control(void)
{
	struct vmm *vmm = &vmms[0];
	uint32_t ioas;

	check(vmm_arrives(vmm), "the device has stopped");
	vmm_receives(vmm, 0);
	vmm_call(vmm, "RESET of a device that was bound before", 0,
		 vfio_reset(vmm->dev));
	vmm_receives(vmm, 0);
	check(!vmm_arrives(vmm), "a reset loses nothing");
	check(vmm_arrives(&vmms[1]), "the host sends no more");
	/* It comes before the reset there, with DMA going on */
	vmm_call(vmm, "IOAS_ALLOC", 0, ioas_alloc(vmm->iommufd, &ioas));
	vmm_call(vmm, "ATTACH to a new, empty IOAS", 0,
		 vfio_attach(vmm->dev, &ioas));
	/*
	 * Who powers off turns translation off, and guest addresses are those of
	 * the machine's own memory then.
	 */
	must(nic_stop(&vmms[1].nic));
}

int main(int argc, char **argv)
{
	unsigned int nr, i, calls = 0;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	if (nr)
		take_back(nr);
	for (i = 0; i < ARRAY_SIZE(vmms); i++) {
		if (!nr)
			ops[i]->build(&vmms[i]);
		calls += vmms[i].calls;
	}
	report("calls[]", "%u", calls);
	if (nr == (unsigned int)atoi(getenv("HANDOVER_KEXECS"))) {
		control();
		background_ready();
	}
	for (i = 0; i < ARRAY_SIZE(vmms); i++)
		vmm_preserve(&vmms[i], !(nr % 2));
	background_ready();
}

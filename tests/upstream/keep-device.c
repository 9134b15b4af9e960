// SPDX-License-Identifier: GPL-2.0-only
/*
 * keep-device keep [file] - use the 82576, in a session that holds the iommufd
 *	and with "file" the device's file as well, and stay alive
 * keep-device take [file] - take all that back in the next kernel, and end
 */
#include <string.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "carry.h"

#define SESSION		"selftests"
#define VECTORS		4

static struct carry carry;

static void keep(bool file)
{
	int irq[VECTORS], session, dev;

	background();
	carry_build(&carry, SESSION, 1);
	dev = carry.ctx[0].dev[0];
	must(vfio_bus_master(dev, true));
	must(vfio_irq_connect(dev, VFIO_PCI_MSIX_IRQ_INDEX, irq, VECTORS));
	session = carry_hand_over(&carry);
	if (file)
		must(luo_preserve(session, dev, CARRY_TOKEN_FREE));
	background_ready();
}

static void take(bool file)
{
	struct ctx *ctx = &carry.ctx[0];
	uint16_t command;

	carry_retrieve(&carry, SESSION, 1);
	if (file) {
		ctx->dev[0] = must(luo_restore(carry.session, CARRY_TOKEN_FREE));
		carry_verify(&carry);
	} else {
		carry_rebind(&carry);
	}
	must(vfio_config_read(ctx->dev[0], PCI_COMMAND, &command,
			      sizeof(command)));
	check(command & PCI_COMMAND_MASTER, "the device is no bus master");
	carry_finish(&carry);
}

int main(int argc, char **argv)
{
	bool file = argc == 3 && !strcmp(argv[2], "file");

	check(argc == 2 || file, "usage: %s keep|take [file]", argv[0]);
	if (!strcmp(argv[1], "keep"))
		keep(file);
	check(!strcmp(argv[1], "take"), "%s: keep or take", argv[1]);
	take(file);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * msi NUMBER - NUMBER is 0 before the first kexec
 *
 * The controller interrupts by MSI. When the machine jumps nothing is sent; one frame
 * comes in the blackout. The last kexec but one is without the mask; after the last one
 * the controller is given MSI-X.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "edu.h"
#include "handover.h"
#include "stops.h"

#define SESSION		"msi"
#define LOOK_MS		2000

/* HANDOVER_DISTURB_MSIX of kernel/drivers/drivers.h: at the jump nothing is masked */
#define UNMASKED	"0x10"

static struct stream stream;

/* What is there is taken; the next frame raises an interrupt. */
static void quiet(void)
{
	struct nic *nic = &stream.nic[0];

	tell_host("blackout");
	do {
		must(nic_receive(nic, nic_landed(nic), STREAM_WAIT_MS));
		sleep_ms(500);
	} while (nic_landed(nic));
	must(nic_interrupts(nic, 0, 0));
}

/* Flags of a capability, where vfio cannot say something else. */
static uint16_t flags(uint8_t id)
{
	int at = must(vfio_capability(stream.ctx.dev[0], id));

	return pci_config_word(stream.state->want.dev[0].bdf, at + PCI_MSI_FLAGS);
}

static void want_enabled(const char *when, bool msi, bool msix)
{
	bool has_msi = flags(PCI_CAP_ID_MSI) & PCI_MSI_FLAGS_ENABLE;
	bool has_msix = flags(PCI_CAP_ID_MSIX) & PCI_MSIX_FLAGS_ENABLE;

	check(has_msi == msi && has_msix == msix,
	      "%s: MSI is enabled: %d, MSI-X: %d", when, has_msi, has_msix);
}

/*
 * A VMM may begin with INTx before its guest's vectors are set up again: what is held
 * back must be there after it.
 */
static void through_intx(void)
{
	int dev = stream.ctx.dev[0], irq;

	must(vfio_irq_connect(dev, VFIO_PCI_INTX_IRQ_INDEX, &irq, 1));
	want_enabled("with INTx", true, false);
	check(!irqs_signals(irq, LOOK_MS), "INTx is signalled beside MSI");
	must(vfio_irq_disable(dev, VFIO_PCI_INTX_IRQ_INDEX));
	close(irq);
	check(must(vfio_msi_masked(dev, 0)), "INTx has unmasked the vector");
}

/* Who has it back is free to use the other kind. */
static void other_kind(void)
{
	int dev = stream.ctx.dev[0], irq;

	want_enabled("held back", true, false);
	must(vfio_irq_connect(dev, VFIO_PCI_MSIX_IRQ_INDEX, &irq, 1));
	want_enabled("with MSI-X", false, true);
	must(vfio_irq_disable(dev, VFIO_PCI_MSIX_IRQ_INDEX));
	close(irq);
	want_enabled("without interrupts", false, false);
	must(nic_irq_resume(&stream.nic[0]));
	want_enabled("with MSI", true, false);
}

static void take_back(unsigned int nr, bool held_back, bool last)
{
	struct nic *nic = &stream.nic[0];
	uint64_t count;
	int pending;

	stream_take_memory(&stream, SESSION, nr);
	check(nic_landed(nic) == 1, "%u frames have landed in the blackout",
	      nic_landed(nic));
	stream_take_iommufd(&stream);
	if (stream.state->files)
		stream.ctx.dev[0] = must(luo_restore(stream.session,
						     STREAM_TOKEN_DEVICE));
	else
		check(ctx_rebind(&stream.ctx, 0), "the device has another ID");
	must(nic_resume(nic, stream.ctx.dev[0]));
	check(must(vfio_msi_masked(nic->hw.dev, 0)), "the vector is not masked");
	if (nr == 1)
		through_intx();
	pending = must(nic_irq_pending(nic));
	if (last)
		other_kind();
	else
		must(nic_irq_resume(nic));
	check(!must(vfio_msi_masked(nic->hw.dev, 0)), "the vector is masked");
	count = last ? 0 : irqs_signals(nic->hw.irq, LOOK_MS);
	say("%s: the interrupt of the blackout is %spending, then signalled %llu times",
	    stream.state->files ? "by file" : "opened anew",
	    pending ? "" : "not ", (unsigned long long)count);
	check(nic_landed(nic) == 1, "another frame has come");
	check(pending == held_back && (last || count == held_back),
	      "it should be %d and %d", held_back, held_back);
	if (last) {
		irqs_no_faults();
	} else if (held_back) {
		report("interrupts_in_blackout[]", "%d", pending);
		report("interrupts_lost[]", "%d", !count);
		report("interrupts_spurious[]", "%d", count > 1);
		irqs_no_faults();
	} else {
		report("interrupts_lost_without_mask", "%d", !count);
	}
	tell_host("loud");
	must(nic_interrupts(nic, 10, STREAM_WAIT_MS));
	stream_receive(&stream, 100);
	stream_finish(&stream);
	must(nic_interrupts(nic, 10, STREAM_WAIT_MS));
}

/* ---- MSI without mask bits ------------------------------------------------- */

#define AT_LOAD	"(0000:00:08.0) uses MSI without mask bits, which cannot be held back while its DMA goes on; use MSI-X, or hand it over paused"
#define AT_GATE	"0000:00:08.0 was given MSI without mask bits after the seal, which cannot be held back; use MSI-X and load again"

static int load(char output[OUTPUT_LEN])
{
	char *const argv[] = {
		"kexec", "-s", "-l",
		"--command-line=console=ttyS0 kho=on liveupdate=on",
		"--iommu-handover=continuous", getenv("HANDOVER_KERNEL"), NULL
	};

	return run_program(output, argv);
}

static void without_mask_bits(void)
{
	int iommufd = must(iommufd_open()), dev, session, irq;
	char bdf[PCI_BDF_LEN], output[OUTPUT_LEN];
	uint32_t ioas, id;

	must(ioas_alloc(iommufd, &ioas));
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	must(vfio_attach(dev, &ioas));
	session = must(luo_create("edu"));
	must(luo_preserve(session, iommufd, STREAM_TOKEN_IOMMUFD));

	must(vfio_irq_connect(dev, VFIO_PCI_MSI_IRQ_INDEX, &irq, 1));
	check(load(output), "MSI without mask bits is loaded");
	check(strstr(output, AT_LOAD), "the load is refused otherwise: %s",
	      output);
	must(vfio_irq_disable(dev, VFIO_PCI_MSI_IRQ_INDEX));
	close(irq);
	check(!load(output), "without interrupts: %s", output);
	must(vfio_irq_connect(dev, VFIO_PCI_MSI_IRQ_INDEX, &irq, 1));
	check(exec_kernel(output) == EXEC_REFUSED, "the jump is not refused");
	check(strstr(output, AT_GATE), "the jump is refused otherwise: %s",
	      output);
	unload_kernel();
	say("MSI without mask bits is refused");
	close(session);
	close(irq);
	close(dev);
	close(iommufd);
}

int main(int argc, char **argv)
{
	unsigned int nr, last;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	last = atoi(getenv("HANDOVER_KEXECS"));
	background();
	if (nr) {
		take_back(nr, nr != last - 1, nr == last);
	} else {
		without_mask_bits();
		tell_host("loud");
		stream.msi = true;
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
		check(!must(vfio_msi_masked(stream.ctx.dev[0], 0)),
		      "the vector is masked");
	}
	if (nr == last)
		background_ready();
	if (nr == last - 2)
		must(write_text("/sys/kernel/debug/iommu_handover/disturb",
				UNMASKED));
	/* Opened anew, and by its file, in turn */
	stream.by_file = nr % 2;
	quiet();
	stream_preserve(&stream, nr);
	background_ready();
}

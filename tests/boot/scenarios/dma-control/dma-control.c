// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-control NUMBER - NUMBER is 0 before the first kexec
 *
 * What each part of a handover is there for: with all of them nothing is lost,
 * and without one something is, which is seen. One case for each kexec. The host
 * part sends frames when it is told to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "stops.h"

#define SESSION		"dma-control"
#define GAP_WAIT_MS	20000
#define LOOK_MS		2000
#define LANDED		50

/* HANDOVER_DISTURB_* of kernel/drivers/drivers.h */
#define CLEAR		0x01
#define FLUSH		0x08
#define MSIX		0x10
#define MASTER		0x20

static struct stream stream;

static void disturb(unsigned int how)
{
	char text[16];

	snprintf(text, sizeof(text), "%#x", how);
	must(write_text("/sys/kernel/debug/iommu_handover/disturb", text));
}

/* What is there is taken; nothing more comes. */
static void quiet(const char *how)
{
	struct nic *nic = &stream.nic[0];

	tell_host(how);
	do {
		must(nic_receive(nic, nic_landed(nic), STREAM_WAIT_MS));
		sleep_ms(500);
	} while (nic_landed(nic));
}

static void again(void)
{
	tell_host("loud");
	stream_finish(&stream);
	stream_stop(&stream);
	stream_again(&stream);
}

/* ---- the function mask of MSI-X ------------------------------------------- */

static void interrupt(bool held_back)
{
	struct nic *nic = &stream.nic[0];
	uint64_t count;
	int pending;

	check(nic_landed(nic) == 1, "%u frames have landed in the blackout",
	      nic_landed(nic));
	stream_take_iommufd(&stream);
	check(ctx_rebind(&stream.ctx, 0), "the device has another ID");
	must(nic_resume(nic, stream.ctx.dev[0]));
	pending = must(vfio_msix_pending(stream.ctx.dev[0], 0));
	must(nic_irq_resume(nic));
	count = irqs_signals(nic->hw.irq, LOOK_MS);
	say("the interrupt of the blackout is %spending, then signalled %llu times",
	    pending ? "" : "not ", (unsigned long long)count);
	report(held_back ? "interrupts_held_back" : "interrupts_lost_without_mask",
	       "%d", held_back ? pending : !count);
	check(pending == held_back && count == held_back,
	      "it should be %d and %d", held_back, held_back);
	check(nic_landed(nic) == 1, "another frame has come");
	/* The next ones come in either case */
	tell_host("loud");
	must(nic_interrupts(nic, 10, STREAM_WAIT_MS));
	stream_receive(&stream, 100);
}

/* ---- the flush ------------------------------------------------------------ */

/*
 * The IOVAs of the buffers lead to other memory: where do frames land? The device
 * holds on meanwhile, so that none meets an IOVA that is not mapped.
 */
static void other_buffers(bool flushed)
{
	struct nic *nic = &stream.nic[0];
	uint32_t ioas = stream.state->want.ioas[0].id, nr, i, was = 0, is = 0;
	static struct memory other;

	nic_rx_enable(nic, false);
	must(nic_receive(nic, nic_landed(nic), STREAM_WAIT_MS));
	must(memory_create(&other, "other", STREAM_SLOTS_LEN));
	/* A page that no CPU has touched is wiped at the first look */
	memset(other.va, 0, STREAM_SLOTS_LEN);
	ctx_unmap(&stream.ctx, ioas, STREAM_SLOTS_IOVA);
	ctx_map(&stream.ctx, ioas, ctx_memory(&stream.ctx, &other), 0,
		STREAM_SLOTS_LEN, STREAM_SLOTS_IOVA, IOVA_RW);
	nic_rx_enable(nic, true);
	for (i = 0; nic_landed(nic) < LANDED; i++) {
		check(i < STREAM_WAIT_MS / 10, "no frames come");
		sleep_ms(10);
	}
	nic_rx_enable(nic, false);
	nr = nic_landed(nic);
	for (i = 0; i < nr; i++) {
		uint32_t slot = (nic->hw.rx.next + i) % STREAM_SLOTS_NR;
		uint64_t at = slot * (uint64_t)DMA_SLOT_STRIDE;

		was += nic_frame_sound(stream.slots[0][slot].va, NIC_FRAME_MIN);
		is += nic_frame_sound((uint8_t *)other.va + at, NIC_FRAME_MIN);
	}
	say("%sflushed: of %u frames %u are in the old memory, %u in the new",
	    flushed ? "" : "not ", nr, was, is);
	check(flushed ? is == nr && !was : was == nr && !is,
	      "they should be in the %s memory", flushed ? "new" : "old");
}

static void unflushed(void)
{
	check(stream_arriving(&stream, 1000), "the device has stopped");
	disturb(FLUSH);
	stream_take_iommufd(&stream);
	stream_resume(&stream);
	disturb(0);
	stream_receive(&stream, 100);
	other_buffers(false);
}

/* ---- bus mastering -------------------------------------------------------- */

static void no_master(void)
{
	/* Before the jump some have landed */
	check(!stream_arriving(&stream, LOOK_MS), "frames arrive");
	stream_take_iommufd(&stream);
	check(ctx_rebind(&stream.ctx, 0), "the device has another ID");
	must(nic_resume(&stream.nic[0], stream.ctx.dev[0]));
	check(!stream_arriving(&stream, LOOK_MS), "frames arrive");
	say("no frame has come since the jump");
}

/* ---- the entry ------------------------------------------------------------ */

/*
 * A switch that has a gap. Frames are lost in it, and so is what the device
 * fetches and writes back meanwhile, so that it may never be as before.
 */
static void cleared(void)
{
	struct nic *nic = &stream.nic[0];
	int err;

	check(stream_arriving(&stream, 1000), "the device has stopped");
	irqs_no_faults();
	disturb(CLEAR);
	stream_take_iommufd(&stream);
	check(ctx_rebind(&stream.ctx, 0), "the device has another ID");
	must(nic_resume(nic, stream.ctx.dev[0]));
	err = nic_receive(nic, nic_landed(nic) + 100, GAP_WAIT_MS);
	say("%llu frames are lost, then: %s", (unsigned long long)nic->gaps,
	    err ? strerror(-err) : "more arrive");
	check(err || nic->gaps, "a gap of 50 ms went unnoticed");
	stream_finish(&stream);
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	if (nr) {
		stream_take_memory(&stream, SESSION, nr);
	} else {
		tell_host("loud");
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
	}
	switch (nr) {
	case 0:
		quiet("blackout");
		break;
	case 1:
		interrupt(true);
		other_buffers(true);
		again();
		disturb(MSIX);
		quiet("blackout");
		break;
	case 2:
		interrupt(false);
		stream_finish(&stream);
		break;
	case 3:
		unflushed();
		again();
		disturb(MASTER);
		stream_receive(&stream, 100);
		break;
	case 4:
		no_master();
		again();
		stream_receive(&stream, 100);
		break;
	case 5:
		cleared();
		background_ready();
	default:
		check(false, "there are 5 cases");
	}
	/* An interrupt that goes astray meets an empty entry of the unit */
	if (nr != 2)
		irqs_no_faults();
	stream_preserve(&stream, nr);
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * unplug NUMBER - NUMBER is 0 before the first kexec
 *
 * The device sits in a slot, and the host part takes it out and puts it back.
 * First that happens to a sealed context, "side"; then a context with the
 * device, "main", goes through the kexec, and before the device is bound again
 * another one sits where it was.
 */
#include <poll.h>

#include <linux/vfio.h>

#include "side.h"

#define E1000E_DEVICE	0x10d3
#define PATIENCE_MS	60000

static struct carry carry;
static int host;

/* ---- the slot ------------------------------------------------------------ */

static void ask(const char *text)
{
	int len = strlen(text);

	check(write(host, text, len) == len, "host: %s", strerror(errno));
}

static void answered(const char *want)
{
	struct pollfd pfd = { .fd = host, .events = POLLIN };
	unsigned int n = 0;
	char text[64];

	/* A line may come in pieces. */
	do {
		check(poll(&pfd, 1, PATIENCE_MS) == 1,
		      "the host does not say %s", want);
		check(n < sizeof(text) && read(host, text + n, 1) == 1,
		      "host: %s", strerror(errno));
	} while (text[n++] != '\n');
	text[n - 1] = '\0';
	check(!strcmp(text, want), "the host says %s, not %s", text, want);
}

/* Nobody has it open. */
static void take_out(void)
{
	ask("unplug\n");
	answered("gone");
}

static void put_in(const char *driver, uint16_t device)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	char text[64], bdf[PCI_BDF_LEN];

	snprintf(text, sizeof(text), "plug %s\n", driver);
	ask(text);
	answered("there");
	/* It is listed a moment before a driver may have it. */
	while (pci_find(IGB_VENDOR, device, 0, bdf) || vfio_claim(bdf)) {
		check(now_ms() < end, "%s does not appear", driver);
		sleep_ms(50);
	}
}

/* ---- a sealed device ----------------------------------------------------- */

static void unplugged(void)
{
	char now[SENTENCE_LEN], bdf[PCI_BDF_LEN], why[SENTENCE_LEN];
	struct pollfd asked = { .events = POLLIN };
	struct side s;
	uint32_t pt;

	side_open(&s);
	pt = s.ioas;
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	s.dev = must(vfio_open(bdf));
	must(vfio_bind(s.dev, s.fd, &s.dev_id));
	must(vfio_attach(s.dev, &pt));
	snprintf(why, sizeof(why),
		 "session \"side\" token %d: device %u (%s) was detached or closed",
		 TOKEN_IOMMUFD, s.dev_id, bdf);
	must(vfio_irq_connect(s.dev, VFIO_PCI_REQ_IRQ_INDEX, &asked.fd, 1));
	want_fine("a device in a slot");
	seal();
	ask("unplug\n");
	check(poll(&asked, 1, PATIENCE_MS) == 1, "vfio does not ask for it");
	/* Nothing is lost yet; whether the seal stands is the kernel's. */
	handover_attr("state", now);
	say("  vfio asks for the device, state %s", now);
	close(s.dev);
	s.dev = -1;
	answered("gone");
	check(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf) == -ENODEV,
	      "the device is still there");
	want_undone("a device unplugged", why);
	want_fine("a device unplugged");
	close(asked.fd);
	side_close(&s);
	put_in("igb", IGB_DEVICE);
}

/* ---- the context that goes through --------------------------------------- */

static void another_device(void)
{
	char output[OUTPUT_LEN], text[64];
	int err;

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	take_out();
	put_in("e1000e", E1000E_DEVICE);
	err = ctx_rebind_refused(carry.ctx, 0);
	snprintf(text, sizeof(text),
		 "another device than the one handed over as device %u of",
		 carry.ctx[0].want->dev[0].id);
	tally_one(err == ENODEV && strstr(log_tail(), text), false,
		  "bind of another device: %s", strerror(err));
	want_errno("FINISH without the device", EBUSY,
		   luo_finish(carry.session));
	want_no_jump("without the device", EBUSY, "not finished");
	check(!ctx_verify(carry.ctx, false),
	      "the refusal has changed the context");
	take_out();
	put_in("igb", IGB_DEVICE);
	unload_kernel();
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);

	handover = must(handover_open());
	host = must(open("/dev/virtio-ports/handover.host",
			 O_RDWR | O_CLOEXEC));
	if (nr) {
		carry_retrieve(&carry, "main", nr);
		another_device();
		carry_rebind(&carry);
		carry_finish(&carry);
	} else {
		unplugged();
		carry_build(&carry, "main", 1);
	}
	carry_verify(&carry);
	tally_end(&carry.state->sum);
	carry_hand_over(&carry);
	if (nr) {
		seal();
		unload_kernel();
	}
	close(handover);
	background_ready();
}

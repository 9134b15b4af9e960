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

#include "ctx.h"
#include "side.h"

#define SESSION		"main"

#define MEMORY_LEN	(1ULL << 20)
#define STATE_LEN	0x20000ULL
#define STATE_MAGIC	0x67756c70ULL
#define E1000E_DEVICE	0x10d3
#define PATIENCE_MS	60000

struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	struct want want;
};

_Static_assert(sizeof(struct state) + sizeof(struct tally) <= STATE_LEN,
	       "the state has grown");

static struct memory mem;
static struct state *state;
static struct ctx ctx;
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
	char text[64];
	ssize_t n;

	check(poll(&pfd, 1, PATIENCE_MS) == 1, "the host does not say %s",
	      want);
	n = read(host, text, sizeof(text) - 1);
	check(n > 0, "host: %s", strerror(errno));
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
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
	char now[SENTENCE_LEN], bdf[PCI_BDF_LEN];
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
	want_undone("a device unplugged",
		    "a sealed iommufd or a device of it was closed");
	want_fine("a device unplugged");
	close(asked.fd);
	side_close(&s);
	put_in("igb", IGB_DEVICE);
}

/* ---- the context that goes through --------------------------------------- */

static void build(void)
{
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, dev;

	must(memory_create(&mem, SESSION, MEMORY_LEN));
	state = mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	ctx_open(&ctx, SESSION, &state->want);
	ctx_memory(&ctx, &mem);
	ioas = ctx_ioas(&ctx);
	ctx_map(&ctx, ioas, 0, STATE_LEN, 0x30000, 0x40000000, IOVA_RW);
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	dev = ctx_bind(&ctx, bdf);
	ctx_attach(&ctx, dev, ioas);
	ctx_settle(&ctx);
}

static void another_device(int session)
{
	char output[OUTPUT_LEN], text[64];
	int err;

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	take_out();
	put_in("e1000e", E1000E_DEVICE);
	err = ctx_rebind_refused(&ctx, 0);
	snprintf(text, sizeof(text),
		 "another device than the one handed over as device %u of",
		 state->want.dev[0].id);
	tally_one(err == ENODEV && strstr(kernel_log(), text), false,
		  "bind of another device: %s", strerror(err));
	want_errno("FINISH without the device", EBUSY, luo_finish(session));
	want_no_jump("without the device", EBUSY, "not finished");
	check(!ctx_verify(&ctx, false), "the refusal has changed the context");
	take_out();
	put_in("igb", IGB_DEVICE);
	unload_kernel();
}

static void take_back(unsigned int nr)
{
	int session = must(luo_retrieve(SESSION));

	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	state = mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state) &&
	      state->kexecs == nr - 1, "this is not the memory of kexec %u",
	      nr - 1);
	state->kexecs = nr;
	ctx_adopt(&ctx, SESSION, &state->want,
		  must(luo_restore(session, TOKEN_IOMMUFD)));
	ctx_memory(&ctx, &mem);
	another_device(session);
	check(ctx_rebind(&ctx, 0) && !ctx_verify(&ctx, true),
	      "the context is not what it was");
	must(luo_finish(session));
	close(session);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	int session;

	check(argc == 2, "usage: unplug NUMBER");
	background();
	handover = must(handover_open());
	host = must(open("/dev/virtio-ports/handover.host",
			 O_RDWR | O_CLOEXEC));
	if (nr) {
		take_back(nr);
	} else {
		unplugged();
		build();
	}
	check(!ctx_verify(&ctx, true), "the context has changed");
	tally_end((void *)((char *)mem.va + STATE_LEN - sizeof(struct tally)));
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, ctx.fd, TOKEN_IOMMUFD));
	if (nr) {
		seal();
		unload_kernel();
	}
	close(handover);
	background_ready();
}

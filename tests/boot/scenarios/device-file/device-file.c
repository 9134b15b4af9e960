// SPDX-License-Identifier: GPL-2.0-only
/*
 * device-file NUMBER - NUMBER is 0 before the first kexec
 *
 * Two controllers that receive through the kexecs. At first only the file of one
 * is preserved, then those of both. What vfio tells of them is noted in memory that
 * crosses and the devices do not use.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "stream.h"

#define SESSION		"device-file"
#define CAPS_LEN	256
#define CONFIG_LEN	4096

/* What vfio tells of a device. */
struct shown {
	struct vfio_device_info info;
	struct {
		struct vfio_region_info info;
		uint8_t caps[CAPS_LEN];
	} region[VFIO_PCI_NUM_REGIONS];
	struct vfio_irq_info irq[VFIO_PCI_NUM_IRQS];
	uint8_t config[CONFIG_LEN];
};

/* Of each: at the first open, and when it was handed over. */
struct notes {
	struct shown opened[STREAM_NICS];
	struct shown left[STREAM_NICS];
};

_Static_assert(sizeof(struct notes) <= STREAM_MORE_LEN, "the notes have grown");

static struct stream stream;

static struct notes *notes(void)
{
	return (void *)((char *)stream.mem.va + stream.mem.len -
			STREAM_MORE_LEN);
}

static void look(int dev, struct shown *s)
{
	uint32_t i;

	memset(s, 0, sizeof(*s));
	s->info.argsz = sizeof(s->info);
	check(!ioctl(dev, VFIO_DEVICE_GET_INFO, &s->info), "no device info");
	for (i = 0; i < VFIO_PCI_NUM_REGIONS; i++) {
		s->region[i].info.argsz = sizeof(s->region[i]);
		s->region[i].info.index = i;
		/* Some have no region of this number */
		if (ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &s->region[i]))
			memset(&s->region[i], 0xff, sizeof(s->region[i]));
	}
	for (i = 0; i < VFIO_PCI_NUM_IRQS; i++) {
		s->irq[i].argsz = sizeof(s->irq[i]);
		s->irq[i].index = i;
		if (ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, &s->irq[i]))
			memset(&s->irq[i], 0xff, sizeof(s->irq[i]));
	}
	for (i = 0; i < CONFIG_LEN; i += 4)
		must(vfio_config_read(dev, i, s->config + i, 4));
}

static unsigned int differ(const char *what, const void *a, const void *b,
			   size_t len)
{
	const uint8_t *was = a, *is = b;
	unsigned int nr = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (was[i] == is[i])
			continue;
		if (!nr++)
			say("  %s: byte %#zx was %#x and is %#x", what, i,
			    was[i], is[i]);
	}
	return nr;
}

/* Return: how many bytes differ. */
static unsigned int compare(const struct shown *a, const struct shown *b)
{
	return differ("device info", &a->info, &b->info, sizeof(a->info)) +
	       differ("region info", a->region, b->region, sizeof(a->region)) +
	       differ("interrupt info", a->irq, b->irq, sizeof(a->irq)) +
	       differ("configuration space", a->config, b->config,
		      sizeof(a->config));
}

static void want_same(const char *what, const struct shown *was,
		      const struct shown *is)
{
	struct shown other = *is;

	check(!compare(was, is), "%s: not what it was", what);
	other.config[PCI_INTERRUPT_LINE] ^= 1;
	check(compare(was, &other) == 1, "a bit that differs goes unnoticed");
	say("%s: as it was", what);
}

static uint16_t *word(struct shown *s, uint32_t at)
{
	return (uint16_t *)(s->config + at);
}

static uint16_t *msix(int dev, struct shown *s)
{
	return word(s, must(vfio_capability(dev, PCI_CAP_ID_MSIX)) +
		       PCI_MSIX_FLAGS);
}

/* As drivers of guests do; vfio keeps nearly all of it to itself. */
static void write_config(int dev, uint8_t line)
{
	int msi = must(vfio_capability(dev, PCI_CAP_ID_MSI));
	int exp = must(vfio_capability(dev, PCI_CAP_ID_EXP));
	uint32_t address = 0xfee01000, bar = 0xfd000000;
	uint16_t command, control, data = 0x4041;

	must(vfio_config_write(dev, PCI_INTERRUPT_LINE, &line, sizeof(line)));
	must(vfio_config_read(dev, PCI_COMMAND, &command, sizeof(command)));
	command |= PCI_COMMAND_INTX_DISABLE;
	must(vfio_config_write(dev, PCI_COMMAND, &command, sizeof(command)));
	must(vfio_config_write(dev, PCI_BASE_ADDRESS_0, &bar, sizeof(bar)));
	must(vfio_config_write(dev, msi + PCI_MSI_ADDRESS_LO, &address,
			       sizeof(address)));
	must(vfio_config_write(dev, msi + PCI_MSI_DATA_64, &data, sizeof(data)));
	must(vfio_config_read(dev, exp + PCI_EXP_DEVCTL, &control,
			      sizeof(control)));
	control ^= PCI_EXP_DEVCTL_READRQ_256B;
	must(vfio_config_write(dev, exp + PCI_EXP_DEVCTL, &control,
			       sizeof(control)));
}

static void note_left(void)
{
	uint32_t i;

	for (i = 0; i < STREAM_NICS; i++)
		look(stream.ctx.dev[i], &notes()->left[i]);
}

/* For a moment, in an iommufd of its own. */
static void note_opened(uint32_t nr)
{
	int iommufd = must(iommufd_open()), dev;
	char bdf[PCI_BDF_LEN];
	uint32_t id, ioas;

	must(pci_find(IGB_VENDOR, IGB_DEVICE, nr, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	must(ioas_alloc(iommufd, &ioas));
	must(vfio_attach(dev, &ioas));
	look(dev, &notes()->opened[nr]);
	close(dev);
	close(iommufd);
}

static void first(void)
{
	uint32_t i;

	stream_build(&stream, SESSION, STREAM_NICS);
	for (i = 0; i < STREAM_NICS; i++)
		note_opened(i);
	stream_start(&stream);
	for (i = 0; i < STREAM_NICS; i++) {
		write_config(stream.ctx.dev[i], 0x50 + i);
		look(stream.ctx.dev[i], &notes()->left[i]);
		check(compare(&notes()->opened[i], &notes()->left[i]),
		      "what was written does not show");
	}
}

/* Before and after the interrupts are set up. */
static void want_kept(uint32_t i)
{
	struct shown now, want = notes()->left[i];
	int dev = stream.ctx.dev[i];

	look(dev, &now);
	*msix(dev, &want) |= PCI_MSIX_FLAGS_MASKALL;
	want_same("a preserved file", &want, &now);
}

static void want_anew(uint32_t i)
{
	struct shown now, want = notes()->opened[i];
	int dev = stream.ctx.dev[i];

	look(dev, &now);
	*word(&want, PCI_COMMAND) |= PCI_COMMAND_MASTER;
	*msix(dev, &want) |= PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;
	want_same("opened anew", &want, &now);
}

static void take_back(unsigned int nr)
{
	struct shown now;
	uint32_t i;

	stream_take_memory(&stream, SESSION, nr);
	stream_take_iommufd(&stream);
	for (i = 0; i < STREAM_NICS; i++) {
		if (i < stream.state->files) {
			stream.ctx.dev[i] = must(luo_restore(stream.session,
							     STREAM_TOKEN_DEVICE + i));
			want_kept(i);
		} else {
			check(ctx_rebind(&stream.ctx, i), "another ID");
			want_anew(i);
		}
	}
	stream_go_on(&stream);
	for (i = 0; i < STREAM_NICS; i++) {
		if (i >= stream.state->files)
			write_config(stream.ctx.dev[i], 0x50 + i);
		look(stream.ctx.dev[i], &now);
		want_same("with interrupts", &notes()->left[i], &now);
	}
	stream_receive(&stream, 100);
	stream_finish(&stream);
}

int main(int argc, char **argv)
{
	unsigned int nr, i;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	if (!nr)
		first();
	else
		take_back(nr);
	if (nr == 2) {
		for (i = 0; i < STREAM_NICS; i++)
			must(vfio_reset(stream.ctx.dev[i]));
		background_ready();
	}
	note_left();
	stream_hand_over(&stream, nr);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * devices NUMBER - NUMBER is 0 before the first kexec
 *
 * A context with one device, "main", goes through the kexec. Beside it another
 * gets one device after another that cannot be handed over for what it is or
 * for where it sits. Each has to be refused with its own reason; without it a
 * snapshot has to succeed.
 */
#include <linux/vfio.h>

#include "ctx.h"
#include "edu.h"
#include "side.h"

#define SESSION		"main"

#define MEMORY_LEN	(1ULL << 20)
#define STATE_LEN	0x20000ULL
#define STATE_MAGIC	0x73766564ULL

#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_NET	0x1041
#define IGB_VF		0x10ca
#define PCI_DEVICES	"/sys/bus/pci/devices/"

/* Of the controllers: the one that crosses, and the one with VFs. */
#define NIC_MAIN	0
#define NIC_PF		1

/* Of the edu devices in the order of their addresses. */
#define EDU_FUNCTION	0
#define EDU_BEHIND	2

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

static const char *device(uint32_t id, const char *bdf)
{
	static char text[64];

	snprintf(text, sizeof(text), "device %u (%s)", id, bdf);
	return text;
}

static void find(uint16_t vendor, uint16_t device, unsigned int nth,
		 char bdf[PCI_BDF_LEN])
{
	int err = pci_find(vendor, device, nth, bdf);

	check(!err, "device %04x:%04x number %u: %s", vendor, device, nth,
	      strerror(-err));
	must(vfio_claim(bdf));
}

static void set_attr(const char *bdf, const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "%s/%s", bdf, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", path,
	      strerror(errno));
	close(fd);
}

static void put_device(struct side *s, const char *bdf)
{
	uint32_t pt = s->ioas;

	s->dev = must(vfio_open(bdf));
	must(vfio_bind(s->dev, s->fd, &s->dev_id));
	must(vfio_attach(s->dev, &pt));
}

static void take_device(struct side *s, const char *what)
{
	close(s->dev);
	s->dev = -1;
	want_fine(what);
}

/* ---- SR-IOV -------------------------------------------------------------- */

static const uint8_t token[16] = "sixteen bytes...";

/* A VF of a PF that vfio-pci has wants the token that the PF's user set. */
static void set_token(int pf)
{
	struct {
		struct vfio_device_feature head;
		uint8_t uuid[16];
	} cmd = {
		.head.argsz = sizeof(cmd),
		.head.flags = VFIO_DEVICE_FEATURE_SET |
			      VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
	};

	memcpy(cmd.uuid, token, sizeof(token));
	must(call(pf, VFIO_DEVICE_FEATURE, &cmd));
}

static int bind_vf(int dev, int iommufd, uint32_t *id)
{
	struct vfio_device_bind_iommufd cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_BIND_FLAG_TOKEN,
		.iommufd = iommufd,
		.token_uuid_ptr = (uintptr_t)token,
	};
	int err = call(dev, VFIO_DEVICE_BIND_IOMMUFD, &cmd);

	*id = cmd.out_devid;
	return err;
}

static void sriov(struct side *s)
{
	char bdf[PCI_BDF_LEN], vf[PCI_BDF_LEN];
	int other, pf;
	uint32_t id;

	find(IGB_VENDOR, IGB_DEVICE, NIC_PF, bdf);
	put_device(s, bdf);
	want_fine("a physical function without virtual ones");
	set_attr(bdf, "sriov_numvfs", "2");
	want_refused("a physical function with virtual ones", EOPNOTSUPP,
		     device(s->dev_id, bdf), "uses SR-IOV", NULL);
	set_attr(bdf, "sriov_numvfs", "0");
	want_fine("the virtual functions");
	take_device(s, "a physical function");

	other = must(iommufd_open());
	pf = must(vfio_open(bdf));
	must(vfio_bind(pf, other, &id));
	set_token(pf);
	set_attr(bdf, "sriov_numvfs", "1");
	find(IGB_VENDOR, IGB_VF, 0, vf);
	s->dev = must(vfio_open(vf));
	must(bind_vf(s->dev, s->fd, &s->dev_id));
	want_refused("a virtual function, not attached", EOPNOTSUPP,
		     device(s->dev_id, vf), "uses SR-IOV", NULL);
	id = s->ioas;
	must(vfio_attach(s->dev, &id));
	want_refused("a virtual function", EOPNOTSUPP, device(s->dev_id, vf),
		     "uses SR-IOV", NULL);
	take_device(s, "a virtual function");
	set_attr(bdf, "sriov_numvfs", "0");
	close(pf);
	close(other);
}

/* ---- ATS, groups, aliases ------------------------------------------------ */

static void refused(struct side *s, const char *what, uint16_t vendor,
		    uint16_t number, unsigned int nth, const char *words)
{
	char bdf[PCI_BDF_LEN];

	find(vendor, number, nth, bdf);
	put_device(s, bdf);
	want_refused(what, EOPNOTSUPP, device(s->dev_id, bdf), words, NULL);
	take_device(s, what);
}

static void cases(void)
{
	struct side s;

	side_open(&s);
	sriov(&s);
	refused(&s, "a device with ATS", VIRTIO_VENDOR, VIRTIO_NET, 0,
		"has ATS enabled, which cannot be handed over");
	refused(&s, "one function of two", EDU_VENDOR, EDU_DEVICE,
		EDU_FUNCTION, "shares its IOMMU group with 1 others");
	refused(&s, "a device behind a bridge", EDU_VENDOR, EDU_DEVICE,
		EDU_BEHIND, "has DMA aliases, which cannot be handed over");
	side_close(&s);
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
	find(IGB_VENDOR, IGB_DEVICE, NIC_MAIN, bdf);
	dev = ctx_bind(&ctx, bdf);
	ctx_attach(&ctx, dev, ioas);
	ctx_settle(&ctx);
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
	check(ctx_rebind(&ctx, 0) && !ctx_verify(&ctx, true),
	      "the context is not what it was");
	must(luo_finish(session));
	close(session);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	int session;

	check(argc == 2, "usage: devices NUMBER");
	background();
	handover = must(handover_open());
	if (nr)
		take_back(nr);
	else
		build();
	cases();
	check(!ctx_verify(&ctx, true), "the context has changed");
	tally_end((void *)((char *)mem.va + STATE_LEN - sizeof(struct tally)));
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, ctx.fd, TOKEN_IOMMUFD));
	close(handover);
	background_ready();
}

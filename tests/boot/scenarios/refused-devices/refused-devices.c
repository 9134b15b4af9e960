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

#include "edu.h"
#include "side.h"

#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_NET	0x1041
#define IGB_VF		0x10ca
#define SRIOV		"uses SR-IOV, which cannot be handed over; unbind it, or disable its virtual functions"
#define PCI_DEVICES	"/sys/bus/pci/devices/"

/* Of the controllers the one with VFs; the first one crosses. */
#define NIC_PF		1

/* Of the edu devices in the order of their addresses. */
#define EDU_FUNCTION	0
#define EDU_BEHIND	2

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

static int bind_with_token(int dev, int iommufd, uint32_t *id)
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

static void want_snapshot(int err, const char *words, uint64_t *generation)
{
	int fd = must(handover_open()), ret;
	char sentence[SENTENCE_LEN];

	ret = handover_snapshot(fd, sentence, generation);
	close(fd);
	check(ret == err && (!words || strstr(sentence, words)),
	      "snapshot: %s: %s", strerror(-ret), sentence);
}

static void sriov(struct side *s)
{
	char bdf[PCI_BDF_LEN], vf[PCI_BDF_LEN];
	uint64_t before, after;
	int other, pf;
	uint32_t id;

	find(IGB_VENDOR, IGB_DEVICE, NIC_PF, bdf);
	put_device(s, bdf);
	want_fine("a physical function without virtual ones");
	set_attr(bdf, "sriov_numvfs", "2");
	want_refused("a physical function with virtual ones", EOPNOTSUPP,
		     device(s->dev_id, bdf), SRIOV, NULL);
	set_attr(bdf, "sriov_numvfs", "0");
	want_fine("the virtual functions");

	/* sysfs makes them whether it is sealed or not */
	seal();
	set_attr(bdf, "sriov_numvfs", "1");
	check(handover_state_is("sealed"), "virtual functions undo the seal");
	want_no_jump("virtual functions made after the load", EBUSY,
		     "has virtual functions since it was sealed; disable them");
	set_attr(bdf, "sriov_numvfs", "0");
	unload_kernel();
	want_fine("virtual functions made after the load");

	/* Nor do they move the generation by which a snapshot is known to hold */
	want_snapshot(0, NULL, &before);
	set_attr(bdf, "sriov_numvfs", "1");
	want_snapshot(-EOPNOTSUPP, SRIOV, NULL);
	set_attr(bdf, "sriov_numvfs", "0");
	want_snapshot(0, NULL, &after);
	check(after == before, "the generation has moved from %llu to %llu",
	      (unsigned long long)before, (unsigned long long)after);
	take_device(s, "a physical function");

	other = must(iommufd_open());
	pf = must(vfio_open(bdf));
	must(vfio_bind(pf, other, &id));
	set_token(pf);
	set_attr(bdf, "sriov_numvfs", "1");
	find(IGB_VENDOR, IGB_VF, 0, vf);
	s->dev = must(vfio_open(vf));
	must(bind_with_token(s->dev, s->fd, &s->dev_id));
	want_refused("a virtual function, not attached", EOPNOTSUPP,
		     device(s->dev_id, vf), SRIOV, NULL);
	id = s->ioas;
	must(vfio_attach(s->dev, &id));
	want_refused("a virtual function", EOPNOTSUPP, device(s->dev_id, vf),
		     SRIOV, NULL);
	take_device(s, "a virtual function");
	set_attr(bdf, "sriov_numvfs", "0");
	close(pf);
	close(other);
}

/* ---- what a vfio driver may do ------------------------------------------- */

#define TEST_DRIVER	"vfio-handover-test"
#define MIGRATES	"is in a migration state, which cannot be handed over; set it to VFIO_DEVICE_STATE_RUNNING"
#define LOGS		"logs DMA, which cannot be handed over; stop it with VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP"
#define HAS_TOKEN	"was bound with a token, which cannot be handed over; bind it without one"

static int set_state(int dev, uint32_t state)
{
	struct {
		struct vfio_device_feature head;
		struct vfio_device_feature_mig_state state;
	} cmd = {
		.head.argsz = sizeof(cmd),
		.head.flags = VFIO_DEVICE_FEATURE_SET |
			      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		.state.device_state = state,
	};

	return call(dev, VFIO_DEVICE_FEATURE, &cmd);
}

static int log_start(int dev)
{
	struct vfio_device_feature_dma_logging_range range = {
		.iova = SIDE_IOVA, .length = GUEST_PAGE,
	};
	struct {
		struct vfio_device_feature head;
		struct vfio_device_feature_dma_logging_control control;
	} cmd = {
		.head.argsz = sizeof(cmd),
		.head.flags = VFIO_DEVICE_FEATURE_SET |
			      VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
		.control = {
			.page_size = GUEST_PAGE,
			.num_ranges = 1,
			.ranges = (uintptr_t)&range,
		},
	};

	return call(dev, VFIO_DEVICE_FEATURE, &cmd);
}

static int log_stop(int dev)
{
	struct vfio_device_feature cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_FEATURE_SET |
			 VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
	};

	return call(dev, VFIO_DEVICE_FEATURE, &cmd);
}

static void migration(struct side *s)
{
	char bdf[PCI_BDF_LEN];
	const char *who;

	must(pci_find(IGB_VENDOR, IGB_DEVICE, NIC_PF, bdf));
	must(vfio_claim_by(bdf, TEST_DRIVER));
	put_device(s, bdf);
	who = device(s->dev_id, bdf);
	want_fine("a device that can migrate");

	must(set_state(s->dev, VFIO_DEVICE_STATE_STOP));
	want_refused("a device that migrates", EOPNOTSUPP, who, MIGRATES, NULL);
	must_fail(EIO, set_state(s->dev, VFIO_DEVICE_STATE_ERROR));
	want_refused("a device whose migration failed", EOPNOTSUPP, who,
		     MIGRATES, NULL);
	must(set_state(s->dev, VFIO_DEVICE_STATE_RUNNING));
	want_fine("a migration");
	/* A call that fails before it has begun changes nothing */
	must_fail(EINVAL, set_state(s->dev, VFIO_DEVICE_STATE_RUNNING + 100));
	want_fine("a migration state that is none");

	must(log_start(s->dev));
	want_refused("a device that logs DMA", EOPNOTSUPP, who, LOGS, NULL);
	must_fail(EINVAL, log_start(s->dev));
	want_refused("a device that logs DMA already", EOPNOTSUPP, who, LOGS,
		     NULL);
	must(log_stop(s->dev));
	want_fine("a log of DMA");

	seal();
	want_errno("a migration of what is sealed", EBUSY,
		   set_state(s->dev, VFIO_DEVICE_STATE_STOP));
	want_errno("a log of what is sealed", EBUSY, log_start(s->dev));
	want_errno("the end of a log of what is sealed", EBUSY,
		   log_stop(s->dev));
	check(handover_state_is("sealed"), "the seal was undone");
	unload_kernel();
	must(set_state(s->dev, VFIO_DEVICE_STATE_STOP));
	must(set_state(s->dev, VFIO_DEVICE_STATE_RUNNING));
	take_device(s, "a device that can migrate");
	must(vfio_claim(bdf));
}

static void with_token(struct side *s)
{
	char bdf[PCI_BDF_LEN];

	find(IGB_VENDOR, IGB_DEVICE, NIC_PF, bdf);
	s->dev = must(vfio_open(bdf));
	must(bind_with_token(s->dev, s->fd, &s->dev_id));
	want_refused("a device bound with a token", EOPNOTSUPP,
		     device(s->dev_id, bdf), HAS_TOKEN, NULL);
	take_device(s, "a token");
	put_device(s, bdf);
	want_fine("the device without its token");
	take_device(s, "the device without its token");
}

/* ---- a file that is preserved -------------------------------------------- */

#define FILE_STOPS	"its file is preserved, but it is to be stopped; load with kexec -s -l --iommu-handover=continuous, or do not preserve its file"
#define FILE_DETACHED	"its file is preserved, but it is not attached, so that it is to be stopped; attach it, or do not preserve its file"

/* Only the end of the session undoes it, so it is the last case. */
static void preserved_file(struct side *s)
{
	char bdf[PCI_BDF_LEN];
	const char *who;

	find(IGB_VENDOR, IGB_DEVICE, NIC_PF, bdf);
	put_device(s, bdf);
	who = device(s->dev_id, bdf);
	want_fine("a device whose file is not preserved");
	must(luo_preserve(s->session, s->dev, TOKEN_OTHER));
	want_refused("a device whose file is preserved, but stops", EOPNOTSUPP,
		     who, FILE_STOPS, NULL);
	must(vfio_detach(s->dev));
	want_refused("a device whose file is preserved, not attached",
		     EOPNOTSUPP, who, FILE_DETACHED, NULL);
}

/* Nothing undoes the seal: LUO asks the file in the jump. */
static void preserved_late(struct side *s)
{
	char bdf[PCI_BDF_LEN];

	find(IGB_VENDOR, IGB_DEVICE, NIC_PF, bdf);
	put_device(s, bdf);
	want_fine("the file of a device");
	seal();
	must(luo_preserve(s->session, s->dev, TOKEN_OTHER));
	check(handover_state_is("sealed"), "the file of a device undoes the seal");
	want_no_jump("a file that is preserved after the load", EBUSY,
		     "is preserved, but is to be stopped; load with kexec -s -l --iommu-handover=continuous");
	unload_kernel();
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
	migration(&s);
	with_token(&s);
	refused(&s, "a device with ATS", VIRTIO_VENDOR, VIRTIO_NET, 0,
		"has ATS, which cannot be handed over; boot with pci=noats");
	refused(&s, "one function of two", EDU_VENDOR, EDU_DEVICE,
		EDU_FUNCTION,
		"shares its IOMMU group with 1 others; unbind it or use a slot with ACS");
	refused(&s, "a device behind a bridge", EDU_VENDOR, EDU_DEVICE,
		EDU_BEHIND,
		"has DMA aliases, which cannot be handed over; unbind it or use another slot");
	preserved_file(&s);
	side_close(&s);
	side_open(&s);
	preserved_late(&s);
	side_close(&s);
}

int main(int argc, char **argv)
{
	side_main(argc, argv, 1, cases);
}

// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "dma.h"
#include "irqs.h"
#include "vmm.h"

#define MAGIC		0x6d6d76ULL

/* In guest memory. */
#define STATE_GPA	0x1000ULL
#define RING_GPA	0x100000ULL
#define LOW_SLOTS_GPA	0x200000ULL
#define LOW_SLOTS	8192
#define SLOTS		(2 * LOW_SLOTS)

#define WAIT_MS		120000
#define IRQ_WAIT_MS	20000
#define LOOK_MS		1000

_Static_assert(sizeof(struct vmm_state) <= RING_GPA - STATE_GPA, "the state");
_Static_assert(NIC_RING_LEN(SLOTS) <= LOW_SLOTS_GPA - RING_GPA, "the ring");
_Static_assert(LOW_SLOTS * DMA_SLOT_STRIDE <= VMM_LOW_LEN - LOW_SLOTS_GPA &&
	       LOW_SLOTS * DMA_SLOT_STRIDE <= VMM_HIGH_LEN, "the buffers");

long vmm_call(struct vmm *vmm, const char *what, int err, long ret)
{
	char text[64] = "0";

	if (ret < 0)
		snprintf(text, sizeof(text), "%s", strerrorname_np(-ret));
	say("%s: %s: %s", vmm->name, what, text);
	check((ret < 0 ? -ret : 0) == err, "%s: %s gives %s, not %s", vmm->name,
	      what, text, err ? strerrorname_np(err) : "0");
	vmm->calls++;
	return ret;
}

/* ---- what VFIO says of the device ------------------------------------------ */

static int feature(int dev, uint32_t flags, void *data, size_t len)
{
	struct {
		struct vfio_device_feature head;
		uint8_t data[64];
	} cmd = {
		.head.argsz = sizeof(cmd.head) + len,
		.head.flags = flags,
	};

	memcpy(cmd.data, data, len);
	return ioctl(dev, VFIO_DEVICE_FEATURE, &cmd) < 0 ? errno : 0;
}

static void ask(int dev, struct vmm_facts *f)
{
	struct vfio_device_feature_migration migration = {};
	struct vfio_device_feature_dma_buf dma_buf = { .nr_ranges = 0 };
	struct vfio_device_info info = { .argsz = sizeof(info) };
	uint32_t i;

	memset(f, 0, sizeof(*f));
	must(ioctl(dev, VFIO_DEVICE_GET_INFO, &info) < 0 ? -errno : 0);
	f->flags = info.flags;
	f->regions = info.num_regions;
	f->irqs = info.num_irqs;
	for (i = 0; i < ARRAY_SIZE(f->region); i++) {
		/* With room for capabilities, as both do */
		union {
			struct vfio_region_info info;
			uint8_t room[512];
		} r = { .info.argsz = sizeof(r), .info.index = i };

		if (ioctl(dev, VFIO_DEVICE_GET_REGION_INFO, &r) < 0) {
			f->region[i].err = errno;
			continue;
		}
		f->region[i].flags = r.info.flags;
		f->region[i].size = r.info.size;
		f->region[i].offset = r.info.offset;
	}
	for (i = 0; i < ARRAY_SIZE(f->irq); i++) {
		struct vfio_irq_info irq = { .argsz = sizeof(irq), .index = i };

		if (ioctl(dev, VFIO_DEVICE_GET_IRQ_INFO, &irq) < 0) {
			f->irq[i].err = errno;
			continue;
		}
		f->irq[i].flags = irq.flags;
		f->irq[i].count = irq.count;
	}
	f->migration = feature(dev, VFIO_DEVICE_FEATURE_GET |
			       VFIO_DEVICE_FEATURE_MIGRATION,
			       &migration, sizeof(migration));
	f->dma_buf = feature(dev, VFIO_DEVICE_FEATURE_PROBE |
			     VFIO_DEVICE_FEATURE_GET |
			     VFIO_DEVICE_FEATURE_DMA_BUF,
			     &dma_buf, sizeof(dma_buf));
}

void vmm_facts(struct vmm *vmm, bool first)
{
	struct vmm_facts now;

	ask(vmm->dev, &now);
	if (first) {
		check(now.flags & VFIO_DEVICE_FLAGS_RESET &&
		      now.irq[VFIO_PCI_MSIX_IRQ_INDEX].count > 1,
		      "the device has no reset or no MSI-X");
		vmm->state->facts = now;
	}
	check(!memcmp(&now, &vmm->state->facts, sizeof(now)),
	      "%s: VFIO describes another device", vmm->name);
	vmm->vectors = now.irq[VFIO_PCI_MSIX_IRQ_INDEX].count;
	check(vmm->vectors <= VMM_VECTORS, "%u vectors", vmm->vectors);
	vmm_call(vmm, first ? "GET_INFO, REGION_INFO, IRQ_INFO, features" :
		 "GET_INFO, REGION_INFO, IRQ_INFO, features: as before", 0, 0);
}

/* ---- memory ---------------------------------------------------------------- */

void vmm_memory(struct vmm *vmm, bool first)
{
	uint8_t *low = vmm->ram[0].va, *high = vmm->ram[1].va;
	uint32_t i;

	if (first) {
		/* As a guest does when it boots; not the VMM */
		memset(low, 0, vmm->ram[0].len);
		memset(high, 0, vmm->ram[1].len);
	}
	vmm->state = (void *)(low + STATE_GPA);
	if (first)
		vmm->state->magic = MAGIC;
	vmm->slots = calloc(SLOTS, sizeof(*vmm->slots));
	check(vmm->slots, "out of memory");
	for (i = 0; i < SLOTS; i++) {
		uint64_t at = i / 2 * (uint64_t)DMA_SLOT_STRIDE;
		struct nic_slot *slot = &vmm->slots[i];

		/* Every other frame is above 4 GiB */
		slot->iova = i % 2 ? VMM_HIGH_GPA + at : LOW_SLOTS_GPA + at;
		slot->va = i % 2 ? high + at : low + LOW_SLOTS_GPA + at;
	}
}

void vmm_unmap(struct vmm *vmm)
{
	unsigned int i;

	for (i = 0; i < VMM_REGIONS; i++)
		munmap(vmm->ram[i].va, vmm->ram[i].len);
	for (i = 0; i < vmm->files; i++)
		close(vmm->ram[i].fd);
}

/* ---- the guest --------------------------------------------------------------- */

void vmm_bar(struct vmm *vmm)
{
	vmm_call(vmm, "mmap of BAR 0", 0, vfio_map(vmm->dev, 0, &vmm->bar));
}

/* All vectors of the table at once, as both do when the guest switches MSI-X on. */
static void connect(struct vmm *vmm)
{
	vmm_call(vmm, "SET_IRQS of all MSI-X vectors", 0,
		 vfio_irq_connect(vmm->dev, VFIO_PCI_MSIX_IRQ_INDEX, vmm->irq,
				  vmm->vectors));
	vmm->nic.hw.irq = vmm->irq[0];
}

void vmm_guest_boots(struct vmm *vmm)
{
	struct vmm_state *state = vmm->state;

	must(nic_start(&vmm->nic, vmm->dev,
		       (uint8_t *)vmm->ram[0].va + RING_GPA, RING_GPA,
		       vmm->slots, SLOTS));
	must(nic_interrupts(&vmm->nic, 10, WAIT_MS));
	must(vfio_irq_disable(vmm->dev, VFIO_PCI_MSIX_IRQ_INDEX));
	close(vmm->nic.hw.irq);
	connect(vmm);
	must(nic_interrupts(&vmm->nic, 10, WAIT_MS));
	must(vfio_config_read(vmm->dev, PCI_COMMAND, &state->command,
			      sizeof(state->command)));
}

void vmm_arm(struct vmm *vmm)
{
	connect(vmm);
}

void vmm_guest_goes_on(struct vmm *vmm)
{
	struct irqs irqs = {};
	bool pending;

	must(nic_resume(&vmm->nic, vmm->dev));
	/* What is signalled from here on was pending before */
	irqs_hold(&vmm->nic, 1);
	pending = must(vfio_msix_pending(vmm->dev, 0));
	vmm_arm(vmm);
	vmm_receives(vmm, 0);
	irqs_count(&irqs, &vmm->nic, pending, IRQ_WAIT_MS);
	check(pending && !irqs.lost && !irqs.spurious,
	      "%s: interrupts: %u held back, %u lost, %u spurious", vmm->name,
	      irqs.raised, irqs.lost, irqs.spurious);
	must(nic_interrupts(&vmm->nic, 10, WAIT_MS));
	vmm_receives(vmm, 100);
}

void vmm_receives(struct vmm *vmm, uint64_t frames)
{
	char key[64];

	must(nic_receive(&vmm->nic, nic_landed(&vmm->nic) + frames, WAIT_MS));
	check(!vmm->nic.gaps, "%s: %llu frames are lost", vmm->name,
	      (unsigned long long)vmm->nic.gaps);
	snprintf(key, sizeof(key), "frames_%s", vmm->key);
	report(key, "%llu", (unsigned long long)vmm->nic.frames);
}

bool vmm_arrives(const struct vmm *vmm)
{
	uint32_t before = nic_landed(&vmm->nic);

	check(before < SLOTS - 1000, "the ring is full");
	sleep_ms(LOOK_MS);
	return nic_landed(&vmm->nic) != before;
}

/* ---- sessions ------------------------------------------------------------------ */

void vmm_preserve(struct vmm *vmm, bool by_file)
{
	unsigned int i;
	int session;

	vmm_receives(vmm, 100);
	vmm->state->nic = vmm->nic;
	session = must(luo_create(vmm->key));
	for (i = 0; i < vmm->files; i++)
		must(luo_preserve(session, vmm->ram[i].fd,
				  VMM_TOKEN_MEMORY + i));
	must(luo_preserve(session, vmm->iommufd, VMM_TOKEN_IOMMUFD));
	if (!by_file)
		return;
	must(luo_preserve(session, vmm->dev, VMM_TOKEN_DEVICE));
	/* From here on nobody but the session has any of it; maps by address need it */
	nic_let_go(&vmm->nic);
	vfio_unmap(&vmm->bar);
	close(vmm->dev);
	close(vmm->iommufd);
	if (!vmm->by_address)
		vmm_unmap(vmm);
}

void vmm_take_memory(struct vmm *vmm)
{
	unsigned int i;

	vmm->session = must(luo_retrieve(vmm->key));
	for (i = 0; i < vmm->files; i++)
		vmm->ram[i].fd = vmm_call(vmm, "RETRIEVE_FD of guest memory", 0,
					  luo_restore(vmm->session,
						      VMM_TOKEN_MEMORY + i));
}

void vmm_knows(struct vmm *vmm, unsigned int nr)
{
	vmm_memory(vmm, false);
	check(vmm->state->magic == MAGIC && vmm->state->kexecs == nr - 1,
	      "%s: this is not the memory of kexec %u", vmm->name, nr - 1);
	vmm->state->kexecs = nr;
	vmm->nic = vmm->state->nic;
	nic_adopt(&vmm->nic, (uint8_t *)vmm->ram[0].va + RING_GPA, vmm->slots);
}

void vmm_take_files(struct vmm *vmm)
{
	vmm->iommufd = vmm_call(vmm, "RETRIEVE_FD of the iommufd", 0,
				luo_restore(vmm->session, VMM_TOKEN_IOMMUFD));
	vmm->dev = vmm_call(vmm, "RETRIEVE_FD of the device", 0,
			    luo_restore(vmm->session, VMM_TOKEN_DEVICE));
}

void vmm_finish(struct vmm *vmm)
{
	must(luo_finish(vmm->session));
	close(vmm->session);
}

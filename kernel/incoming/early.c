// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, early: accept or refuse the last kernel's image, once, before
 * there is an allocator or an IOMMU driver.
 *
 * What has to be known that early is in its head: units, root tables, domain IDs,
 * page tables, devices. The record sections are looked at when their iommufds are
 * retrieved, and a damaged one refuses that iommufd.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/bitmap.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu-handover.h>
#include <linux/kexec_handover.h>
#include <linux/memblock.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/pci-direct.h>

#include "drivers.h"
#include "incoming.h"

struct handover_incoming handover_in;

static bool handover_off __initdata;

/* iommu_handover=off: give memfds back, but no iommufd. */
static int __init iommu_handover_param(char *arg)
{
	bool on;
	int rc;

	if (!arg)
		return -EINVAL;
	rc = kstrtobool(arg, &on);
	if (!rc)
		handover_off = !on;
	return rc;
}
early_param("iommu_handover", iommu_handover_param);

/*
 * It cannot be told which devices still do DMA to memory that nobody knows about
 * any more. None does after this: all functions lose bus mastering, bridges too.
 */
void __init handover_in_silence(void)
{
	u32 bus, slot, func, stopped = 0;
	u16 command;

	if (!early_pci_allowed())
		return;
	for (bus = 0; bus < 256; bus++)
		for (slot = 0; slot < 32; slot++)
			for (func = 0; func < 8; func++) {
				if (read_pci_config(bus, slot, func, PCI_VENDOR_ID) == ~0u) {
					if (!func)
						break;
					continue;
				}
				command = read_pci_config_16(bus, slot, func, PCI_COMMAND);
				if (command & PCI_COMMAND_MASTER) {
					write_pci_config_16(bus, slot, func, PCI_COMMAND,
							    command & ~PCI_COMMAND_MASTER);
					stopped++;
				}
				/* Of more functions only where there are */
				if (!func && !(read_pci_config_byte(bus, slot, func,
								    PCI_HEADER_TYPE) &
					       PCI_HEADER_TYPE_MFD))
					break;
			}
	pr_warn("the DMA of %u PCI functions was ended\n", stopped);
}

static u16 early_read(u16 id, u8 reg)
{
	return read_pci_config_16(PCI_BUS_NUM(id), PCI_SLOT(id & 0xff),
				  PCI_FUNC(id & 0xff), reg);
}

static u8 early_pcie_cap(u16 id)
{
	u8 pos, left = 48;
	u16 head;

	if (!(early_read(id, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	pos = early_read(id, PCI_CAPABILITY_LIST) & 0xfc;
	while (pos >= 0x40 && left--) {
		head = early_read(id, pos);
		if ((head & 0xff) == PCI_CAP_ID_EXP)
			return pos;
		pos = head >> 8 & 0xfc;
	}
	return 0;
}

void handover_in_silence_one(const struct iho_device *fact)
{
	u16 id = fact->source_id[0];
	u32 wait = 500000;
	u8 cap;

	if (!list_empty(&pci_root_buses) || fact->segment || !early_pci_allowed())
		return;
	write_pci_config_16(PCI_BUS_NUM(id), PCI_SLOT(id & 0xff),
			    PCI_FUNC(id & 0xff), PCI_COMMAND,
			    early_read(id, PCI_COMMAND) & ~PCI_COMMAND_MASTER);
	/* A read of it is answered after what it wrote before is in memory */
	cap = early_pcie_cap(id);
	while (cap && wait-- &&
	       early_read(id, cap + PCI_EXP_DEVSTA) & PCI_EXP_DEVSTA_TRPND)
		cpu_relax();
	pr_warn("%02x:%02x.%x: stopped: it was not taken back\n", PCI_BUS_NUM(id),
		PCI_SLOT(id & 0xff), PCI_FUNC(id & 0xff));
}

static __printf(1, 2) void __init refuse(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(handover_in.reason, sizeof(handover_in.reason), fmt, args);
	va_end(args);
	handover_in.state = HANDOVER_IN_REFUSED;
	pr_err("image refused: %s\n", handover_in.reason);
	handover_in_silence();
}

static void __init refuse_at(const char *what, int rc,
			     const struct iho_where *where)
{
	char place[IHO_WHERE_LEN];

	/*
	 * Cure: find out what differs between the two kernels, or what wrote to
	 * preserved memory; VMMs build new iommufds.
	 */
	refuse("%s: %s: %s", what, iho_where_text(where, place),
	       iho_strerror(rc));
}

/* Does the image ask for more than this kernel can take over? */
static bool __init count_running(void)
{
	const struct iho_plan_source src = { .img = &handover_in.image };
	const struct iho_device *dev;
	DECLARE_BITMAP(able, IHO_MAX_UNITS) = {};
	struct iho_cursor cur;
	union iho_fact fact;
	u32 i;

	iho_cursor_init(&cur, &src, IHO_NODE_UNIT);
	for (i = 0; iho_cursor_next(&cur, &fact); i++)
		__assign_bit(i, able, handover_can_take_over(&fact.unit));
	iho_cursor_init(&cur, &src, IHO_NODE_DEVICE);
	dev = &fact.device;
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (dev->level != IHO_LEVEL_CONTINUOUS)
			continue;
		if (!test_bit(dev->unit, able) || dev->domain == IHO_NONE ||
		    dev->source_ids != 1) {
			/* Cure: hand devices over paused; VMMs build new iommufds. */
			refuse("device-%u: this kernel cannot let it go on with its DMA",
			       i);
			return false;
		}
		handover_in.running++;
	}
	return true;
}

static void __init early_parse(void)
{
	struct iho_where where;
	u8 digest[32];
	phys_addr_t pa;
	u64 len = 0;
	size_t size;
	int rc;

	/* Perhaps after it was accepted; what it names is free memory then */
	if (kho_was_refused()) {
		handover_in.running = 0;
		/* Cure: find out what of KHO differs between the two kernels. */
		return refuse("KHO refused what the last kernel left");
	}
	rc = kho_retrieve_subtree(IHO_KHO_SUBTREE, &pa, &size);
	if (rc == -ENOENT)
		return;
	if (rc || size != PAGE_SIZE || !PAGE_ALIGNED(pa) ||
	    !memblock_is_region_memory(pa, PAGE_SIZE))
		/*
		 * Cure: find out what differs between the two kernels, or what
		 * wrote to preserved memory; VMMs build new iommufds.
		 */
		return refuse("the KHO entry does not name an envelope");
	handover_in.envelope_pa = pa;
	if (handover_off) {
		handover_in.state = HANDOVER_IN_OFF;
		pr_info("image ignored: iommu_handover=off\n");
		handover_in_silence();
		return;
	}
	rc = iho_envelope_open(phys_to_virt(pa), handover_in.pa, handover_in.len,
			       &handover_in.extents, digest, &where);
	if (rc)
		return refuse_at("envelope", rc, &where);
	for (u32 i = 0; i < handover_in.extents; i++) {
		if (!memblock_is_region_memory(handover_in.pa[i], handover_in.len[i]))
			/*
			 * Cure: boot with all memory that the last kernel had
			 * (mem=, memmap=).
			 */
			return refuse("extent %u at %#llx is not in memory", i,
				      handover_in.pa[i]);
		len += handover_in.len[i];
	}
	/* The head only, at the front of the first: records may be many */
	rc = iho_head_open(phys_to_virt(handover_in.pa[0]), handover_in.len[0],
			   len, &handover_in.image, &where);
	if (rc)
		return refuse_at("image", rc, &where);
	if (memcmp(digest, handover_in.image.digest, sizeof(digest)))
		/*
		 * Cure: find out what differs between the two kernels, or what
		 * wrote to preserved memory; VMMs build new iommufds.
		 */
		return refuse("the envelope belongs to another image");
	if (!count_running())
		return;
	handover_in.state = HANDOVER_IN_ACCEPTED;
	atomic_set(&handover_in.unfinished, handover_in.image.contexts);
	pr_info("image accepted: from %s, generation %llu, %llu bytes, %u contexts, %u memories, %u devices, %u page tables\n",
		handover_in.image.release, handover_in.image.generation,
		handover_in.image.total_len, handover_in.image.contexts,
		handover_in.image.memories, handover_in.image.devices,
		handover_in.image.tables);
}

KHO_EARLY(early_parse);

/*
 * As soon as there is memory for it. Without one facts are found all the same, by
 * stepping through the FDT.
 */
int __init handover_in_index(void)
{
	struct iho_image *img = &handover_in.image;

	if (handover_in.state != HANDOVER_IN_ACCEPTED || handover_in.index)
		return 0;
	handover_in.index = kvmalloc(iho_image_index_size(img) + 1, GFP_KERNEL);
	if (handover_in.index)
		iho_image_index(img, handover_in.index);
	return 0;
}
core_initcall(handover_in_index);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, early: accept or refuse the last kernel's image, once, as a
 * whole, before there is an allocator or an IOMMU driver.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/init.h>
#include <linux/io.h>
#include <linux/iommu-handover.h>
#include <linux/kexec_handover.h>
#include <linux/memblock.h>
#include <linux/string.h>

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

static __printf(1, 2) void __init refuse(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(handover_in.reason, sizeof(handover_in.reason), fmt, args);
	va_end(args);
	handover_in.state = HANDOVER_IN_REFUSED;
	pr_err("image refused: %s\n", handover_in.reason);
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

static void __init early_parse(void)
{
	static struct iho_seg seg[IHO_MAX_EXTENTS] __initdata;
	struct iho_where where;
	u8 digest[32];
	phys_addr_t pa;
	size_t size;
	int rc;

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
		seg[i].ptr = phys_to_virt(handover_in.pa[i]);
		seg[i].len = handover_in.len[i];
	}
	rc = iho_image_open(seg, handover_in.extents, &handover_in.image, &where);
	if (rc)
		return refuse_at("image", rc, &where);
	if (memcmp(digest, handover_in.image.digest, sizeof(digest)))
		/*
		 * Cure: find out what differs between the two kernels, or what
		 * wrote to preserved memory; VMMs build new iommufds.
		 */
		return refuse("the envelope belongs to another image");
	handover_in.state = HANDOVER_IN_ACCEPTED;
	atomic_set(&handover_in.unfinished, handover_in.image.contexts);
	pr_info("image accepted: from %s, generation %llu, %llu bytes, %u contexts, %u memories, %u devices, %u page tables\n",
		handover_in.image.release, handover_in.image.generation,
		handover_in.image.total_len, handover_in.image.contexts,
		handover_in.image.memories, handover_in.image.devices,
		handover_in.image.tables);
}

KHO_EARLY(early_parse);

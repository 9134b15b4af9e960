// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: devices that do not stop for the kexec.
 *
 * The unit of such a device goes on with its root and entry tables until the next
 * kernel has its own, so that they are preserved as the page tables are.
 */
#include <linux/kexec_handover.h>
#include <linux/pci.h>
#include <linux/pci-handover.h>
#include <linux/sort.h>

#include "drivers.h"
#include "gather.h"

int handover_check_stays(struct handover_ctx *ctx, struct iommufd_device *idev,
			 struct iommufd_hw_pagetable *hwpt)
{
	const struct iommu_handover_objection *objection;
	struct pci_dev *pdev = to_pci_dev(idev->dev);

	objection = handover_stays(idev->dev, hwpt->domain);
	if (objection)
		/* Cure: what the driver says. */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) on HWPT %u has %s, with which its DMA cannot go on; %s",
					   idev->obj.id, pci_name(pdev),
					   hwpt->obj.id, objection->has,
					   objection->cure);
	/* What it raises would go where a stale entry of the last kernel leads */
	if (pdev->msi_enabled && !handover_pci_msi_masks(pdev))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) uses MSI without mask bits, which cannot be held back while its DMA goes on; use MSI-X, or hand it over paused",
					   idev->obj.id, pci_name(pdev));
	/* A quirk of the PCI core stops these when they are found */
	if (pdev->class >> 8 == PCI_CLASS_SERIAL_USB)
		/* Cure: hand it over paused. */
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s) is a USB controller, which the next kernel stops at boot; hand it over paused",
					   idev->obj.id, pci_name(pdev));
	return 0;
}

int handover_check_file(struct handover_ctx *ctx, struct iommufd_device *idev,
			const struct iho_device *dev)
{
	if (!idev->handover.file || dev->level == IHO_LEVEL_CONTINUOUS)
		return 0;
	if (!handover_attached(idev))
		return handover_refuse_ctx(ctx, -EOPNOTSUPP,
					   "device %u (%s): its file is preserved, but it is not attached, so that it is to be stopped; attach it, or do not preserve its file",
					   idev->obj.id, dev_name(idev->dev));
	return handover_refuse_ctx(ctx, -EOPNOTSUPP,
				   "device %u (%s): its file is preserved, but it is to be stopped; load with kexec -s -l --iommu-handover=continuous, or do not preserve its file",
				   idev->obj.id, dev_name(idev->dev));
}

static int cmp_u64(const void *a, const void *b)
{
	return cmp_int(*(const u64 *)a, *(const u64 *)b);
}

static int note_page(void *priv, u64 pa)
{
	struct handover_seal *s = priv;

	if (s->unit_pa)
		s->unit_pa[s->unit_pages] = pa;
	s->unit_pages++;
	return 0;
}

static void visit_devices(struct handover_seal *s, struct list_head *contexts)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	struct handover_ctx *ctx;
	unsigned long index;

	list_for_each_entry(ctx, contexts, list) {
		for (index = 0; (obj = handover_object_from(ctx->ictx, &index)); index++) {
			if (obj->type != IOMMUFD_OBJ_DEVICE)
				continue;
			idev = container_of(obj, struct iommufd_device, obj);
			if (handover_attached(idev))
				handover_pages(idev->dev, note_page, s);
		}
	}
}

static int refuse_memory(void)
{
	return handover_refuse(-ENOMEM,
			       "out of memory for the tables of IOMMU units; free memory and load again");
}

/* Devices share the tables of their unit, and KHO takes a page once. */
static int preserve_pages(struct handover_seal *s, struct list_head *contexts)
{
	u32 most, kept = 0;
	int rc;

	visit_devices(s, contexts);
	most = s->unit_pages;
	s->unit_pages = 0;
	s->unit_pa = kvcalloc(most + 1, sizeof(u64), GFP_KERNEL);
	if (!s->unit_pa)
		return refuse_memory();
	visit_devices(s, contexts);
	sort(s->unit_pa, s->unit_pages, sizeof(u64), cmp_u64, NULL);
	most = s->unit_pages;
	s->unit_pages = 0;
	for (u32 i = 0; i < most; i++) {
		u64 pa = s->unit_pa[i];

		if (i && pa == s->unit_pa[kept - 1])
			continue;
		rc = kho_preserve_pages(pfn_to_page(PHYS_PFN(pa)), 1);
		if (rc)
			/*
			 * Cure (ENOMEM or another of KHO): free memory and load
			 * again.
			 */
			return handover_refuse(rc,
					       "the tables of IOMMU units cannot be preserved: error %d; free memory and load again",
					       rc);
		s->unit_pa[kept++] = pa;
		s->unit_pages = kept;
	}
	return 0;
}

int handover_stays_fill(struct handover_seal *s, struct list_head *contexts,
			const struct handover_live *live)
{
	const struct iho_facts *facts = &live->facts;
	u32 nr = 0;

	for (u32 i = 0; i < facts->devices; i++)
		nr += facts->device[i].level == IHO_LEVEL_CONTINUOUS;
	if (!nr)
		return 0;
	s->kept = kvcalloc(nr, sizeof(*s->kept), GFP_KERNEL);
	if (!s->kept)
		return refuse_memory();
	for (u32 i = 0; i < facts->devices; i++) {
		const struct iho_device *dev = &facts->device[i];

		if (dev->level != IHO_LEVEL_CONTINUOUS)
			continue;
		s->kept[s->nr_kept++] = (struct handover_kept) {
			.register_pa = facts->unit[dev->unit].register_pa,
			.segment = dev->segment,
			.source_id = dev->source_id[0],
		};
	}
	return preserve_pages(s, contexts);
}

void handover_stays_free(struct handover_seal *s)
{
	while (s->unit_pages)
		kho_unpreserve_pages(pfn_to_page(PHYS_PFN(s->unit_pa[--s->unit_pages])),
				     1);
	kvfree(s->unit_pa);
	kvfree(s->kept);
}

int handover_stays_settled(const struct handover_seal *s)
{
	struct pci_dev *pdev;
	int rc = 0;

	for (u32 i = 0; s && !rc && i < s->nr_kept; i++) {
		const struct handover_kept *k = &s->kept[i];

		pdev = pci_get_domain_bus_and_slot(k->segment,
						   PCI_BUS_NUM(k->source_id),
						   k->source_id & 0xff);
		if (pdev && pdev->msi_enabled && !handover_pci_msi_masks(pdev))
			rc = handover_refuse(-EBUSY,
					     "%s was given MSI without mask bits after the seal, which cannot be held back; use MSI-X and load again",
					     pci_name(pdev));
		pci_dev_put(pdev);
	}
	return rc;
}

void handover_stays_commit(const struct handover_seal *s)
{
	struct pci_dev *pdev, *up;

	for (u32 i = 0; i < s->nr_kept; i++) {
		const struct handover_kept *k = &s->kept[i];

		pdev = pci_get_domain_bus_and_slot(k->segment,
						   PCI_BUS_NUM(k->source_id),
						   k->source_id & 0xff);
		for (up = pdev; up; up = pci_upstream_bridge(up))
			WRITE_ONCE(up->handed_over, true);
		pci_dev_put(pdev);
	}
}

bool handover_out_keeps(u64 register_pa, const u16 *source_id)
{
	/* At shutdown: nobody changes it any more */
	const struct handover_seal *s = handover_out.seal;

	if (!s || handover_out.jump != HANDOVER_JUMP_COMMITTED)
		return false;
	for (u32 i = 0; i < s->nr_kept; i++)
		if (s->kept[i].register_pa == register_pa &&
		    (!source_id || s->kept[i].source_id == *source_id))
			return true;
	return false;
}

bool handover_seal_keeps(const struct handover_seal *s, u32 segment,
			 u16 source_id)
{
	for (u32 i = 0; s && i < s->nr_kept; i++)
		if (s->kept[i].segment == segment &&
		    s->kept[i].source_id == source_id)
			return true;
	return false;
}

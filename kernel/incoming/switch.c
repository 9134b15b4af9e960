// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, incoming side: the inherited page table against one that was
 * rebuilt, and a device that goes from the one to the other.
 */
#include <linux/iommu-handover.h>
#include <linux/pci.h>

#include "../iommufd/io_pagetable.h"
#include "../iommu-priv.h"
#include "drivers.h"
#include "replay.h"

bool handover_in_take_differing;

static u64 pa_there(const struct iho_run *run, u64 iova)
{
	return run->pa + (iova - run->first_iova);
}

int handover_in_compare(const struct iho_table *table, u32 id,
			struct iommufd_hwpt_paging *hwpt, char *why,
			size_t why_len)
{
	const struct iho_pt then = handover_pt(table, handover_in_table);
	struct iho_table now = {};
	struct iho_pt rebuilt;
	struct iho_diff diff;
	u64 runs = 0;
	int which = 0;
	int rc;

	if (handover_table(hwpt->common.domain, &now)) {
		/* Cure (EOPNOTSUPP): abandon and report it. */
		snprintf(why, why_len,
			 "HWPT %u: its rebuilt page table is not of a format that can be compared",
			 id);
		return -EOPNOTSUPP;
	}
	rebuilt = handover_pt(&now, handover_live_table);
	rc = iho_tree_compare(&then, &rebuilt, &diff, &runs, &which);
	handover_in_compared(!rc, runs);
	if (!rc)
		return 0;
	if (rc < 0)
		/* Cure (EBADMSG): abandon and report it. */
		snprintf(why, why_len, "HWPT %u: %s page table: %s", id,
			 which ? "rebuilt" : "inherited", iho_strerror(rc));
	else if (then.format != rebuilt.format && diff.has_a && diff.has_b &&
		 pa_there(&diff.a, diff.iova) == pa_there(&diff.b, diff.iova))
		/*
		 * Cure (EBADMSG): boot with the IOMMU options of the last
		 * kernel; or abandon, bind and attach.
		 */
		snprintf(why, why_len,
			 "HWPT %u: IOVA %#llx has permissions %#x in the inherited page table and %#x in the rebuilt one, which is of another format",
			 id, diff.iova, diff.a.perm, diff.b.perm);
	else if (!diff.has_a || !diff.has_b)
		/*
		 * Cure (EBADMSG): put back what the VMM has changed in that
		 * IOAS since the retrieve and bind again; else abandon and
		 * report it.
		 */
		snprintf(why, why_len,
			 "HWPT %u: IOVA %#llx is only in the %s page table",
			 id, diff.iova, diff.has_a ? "inherited" : "rebuilt");
	else
		/*
		 * Cure (EBADMSG): put back what the VMM has changed in that
		 * IOAS since the retrieve and bind again; else abandon and
		 * report it.
		 */
		snprintf(why, why_len,
			 "HWPT %u: IOVA %#llx is %#llx with permissions %#x in the inherited page table, %#llx with %#x in the rebuilt one",
			 id, diff.iova,
			 pa_there(&diff.a, diff.iova), diff.a.perm,
			 pa_there(&diff.b, diff.iova), diff.b.perm);
	return -EBADMSG;
}

/*
 * Whoever filled the HWPT, a replay or user space. No map of its IOAS changes from
 * the comparison until the unit has forgotten the old table: what is unmapped
 * later is unmapped for the device as well.
 */
static int attach_running(struct iommufd_hw_pagetable *hwpt,
			  struct iommufd_device *idev,
			  struct iommu_attach_handle *handle,
			  const struct iho_table *table)
{
	struct pci_dev *pdev = to_pci_dev(idev->dev);
	struct iommufd_hwpt_paging *paging;
	char why[200] = "";
	int rc;

	if (!hwpt_is_paging(hwpt))
		return handover_refuse(-EOPNOTSUPP,
				       "device %u (%s) does DMA, and HWPT %u is not a paging one; attach it to the one that it was attached to",
				       idev->obj.id, pci_name(pdev), hwpt->obj.id);
	paging = to_hwpt_paging(hwpt);
	rc = down_write_killable(&paging->ioas->iopt.domains_rwsem);
	if (rc)
		return rc;
	/* It was compared with the records, and cannot change before this */
	if (!handover_adopts(paging, table->root_pa))
		rc = handover_in_compare(table, hwpt->obj.id, paging, why,
					 sizeof(why));
	if (rc == -EBADMSG && READ_ONCE(handover_in_take_differing)) {
		dev_warn(idev->dev, "iommu-handover: takes over another address space: %s\n",
			 why);
		rc = 0;
	}
	if (rc) {
		up_write(&paging->ioas->iopt.domains_rwsem);
		/* Cure (that of the reason): see the reason. */
		return handover_refuse(rc,
				       "device %u (%s) goes on with its old page table: %s",
				       idev->obj.id, pci_name(pdev), why);
	}
	handover_in_switch_begin(pdev);
	rc = iommu_attach_group_handle(hwpt->domain, idev->igroup->group, handle);
	handover_in_switch_end(pdev, !rc);
	up_write(&paging->ioas->iopt.domains_rwsem);
	if (rc)
		handover_in_stop(pdev);
	else
		dev_info(idev->dev, "iommu-handover: DMA goes on with HWPT %u\n",
			 hwpt->obj.id);
	return rc;
}

static bool running_table(struct iommufd_device *idev, struct iho_table *table)
{
	return dev_is_pci(idev->dev) &&
	       handover_in_running_table(to_pci_dev(idev->dev), table);
}

bool iommufd_handover_fill_first(struct iommufd_device *idev)
{
	struct iho_table table;

	return running_table(idev, &table);
}

int iommufd_handover_attach(struct iommufd_hw_pagetable *hwpt,
			    struct iommufd_device *idev,
			    struct iommu_attach_handle *handle)
{
	struct iho_table table;

	if (!running_table(idev, &table))
		return iommu_attach_group_handle(hwpt->domain,
						 idev->igroup->group, handle);
	return attach_running(hwpt, idev, handle, &table);
}

void iommufd_handover_unbind(struct iommufd_device *idev)
{
	if (dev_is_pci(idev->dev))
		handover_in_stop(to_pci_dev(idev->dev));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: what vfio asks when a device file is preserved in a session.
 */
#include <linux/device.h>
#include <linux/file.h>
#include <linux/iommu-handover.h>
#include <linux/iommufd.h>
#include <linux/pci.h>

#include "drivers.h"
#include "gather.h"
#include "incoming.h"
#include "outgoing.h"

int iommufd_handover_preserve_device(struct iommufd_device *idev,
				     struct luo_session *session, u64 *token,
				     u32 *dev_id)
{
	struct handover_ctx *ctx;

	guard(mutex)(&handover_out.lock);
	list_for_each_entry(ctx, &handover_out.contexts, list) {
		if (ctx->ictx != idev->ictx || ctx->session != session)
			continue;
		*token = ctx->token;
		*dev_id = idev->obj.id;
		idev->handover.file = true;
		return 0;
	}
	return handover_refuse(-ENOENT,
			       "device %u (%s) cannot be preserved before its iommufd is, in the same session; preserve that first",
			       idev->obj.id, dev_name(idev->dev));
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_preserve_device, "IOMMUFD");

void iommufd_handover_unpreserve_device(struct iommufd_device *idev)
{
	guard(mutex)(&handover_out.lock);
	idev->handover.file = false;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_unpreserve_device, "IOMMUFD");

int iommufd_handover_freeze_device(struct iommufd_device *idev)
{
	struct pci_dev *pdev = to_pci_dev(idev->dev);

	guard(mutex)(&handover_out.lock);
	if (handover_seal_keeps(handover_out.seal, pci_domain_nr(pdev->bus),
				pci_dev_id(pdev)))
		return 0;
	return handover_refuse(-EBUSY,
			       "device %u (%s) is preserved, but is to be stopped; load with kexec -s -l --iommu-handover=continuous, or do not preserve its file",
			       idev->obj.id, pci_name(pdev));
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_freeze_device, "IOMMUFD");

struct iommufd_ctx *iommufd_handover_retrieve_ctx(struct luo_session *session,
						  u64 token)
{
	struct iommufd_ctx *ictx;
	struct file *file;
	int rc;

	rc = handover_get_incoming(session, token, &file);
	if (rc)
		return ERR_PTR(rc);
	ictx = iommufd_ctx_from_file(file);
	fput(file);
	return ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_retrieve_ctx, "IOMMUFD");

/* As an operator would: by name, whatever other drivers there are. */
static int bind_driver(struct pci_dev *pdev, const char *name)
{
	struct device_driver *drv = driver_find(name, &pci_bus_type);
	int rc;

	if (!drv)
		return -EAGAIN;
	rc = device_set_driver_override(&pdev->dev, name);
	return rc ?: device_driver_attach(drv, &pdev->dev);
}

int iommufd_handover_claim_device(struct luo_session *session, u64 token,
				  u32 dev_id, const char *driver,
				  struct pci_dev **found)
{
	const char *name = liveupdate_session_name(session);
	struct iho_device fact, now;
	struct pci_dev *pdev = NULL;
	struct iho_context context;
	u32 index;
	int rc;

	rc = handover_in_context(name, token, &index, &context);
	if (rc)
		return rc;
	rc = handover_in_device(index, dev_id, &fact);
	if (rc == -ENODATA)
		return rc;
	if (rc)
		/* Cure: open the device and bind it. */
		return handover_refuse(-EBADMSG,
				       "session \"%s\": the image has no device %u of token %llu",
				       name, dev_id, token);
	for_each_pci_dev(pdev)
		if (!handover_pci_device(pdev, &now) &&
		    handover_pci_same_place(&fact, &now))
			break;
	if (!pdev || !handover_pci_same_kind(&fact, &now)) {
		pci_dev_put(pdev);
		return handover_refuse(-ENODEV,
				       "session \"%s\": device %u of token %llu is gone; put it back, or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
				       name, dev_id, token);
	}
	if (!device_is_bound(&pdev->dev)) {
		rc = bind_driver(pdev, driver);
		if (rc) {
			rc = handover_refuse(rc == -ENODEV ? -EAGAIN : rc,
					     "%s: %s does not take it: error %d; bind it and try again",
					     pci_name(pdev), driver, rc);
			pci_dev_put(pdev);
			return rc;
		}
	}
	*found = pdev;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_claim_device, "IOMMUFD");

bool iommufd_handover_may_retry(int err)
{
	return handover_may_retry(err);
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_may_retry, "IOMMUFD");

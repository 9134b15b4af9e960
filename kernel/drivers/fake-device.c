// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices and domains that only KUnit tests know, see fake-device.h.
 */
#include <kunit/test.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iommu-handover.h>
#include <linux/iommufd.h>
#include <linux/slab.h>

#include "../iommu-pages.h"
#include "drivers.h"
#include "fake-device.h"
#include "replay-fixture.h"

struct fake_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu_vtdss sspt;
	};
};

PT_IOMMU_CHECK_DOMAIN(struct fake_domain, sspt.iommu, domain);

static void fake_sync(struct iommu_domain *domain,
		      struct iommu_iotlb_gather *gather)
{
	iommu_put_pages_list(&gather->freelist);
}

void fake_domain_free(struct iommu_domain *domain)
{
	struct fake_domain *fake = container_of(domain, struct fake_domain,
						domain);

	pt_iommu_deinit(&fake->sspt.iommu);
	kfree(fake);
}

void fake_domain_forget(struct iommu_domain *domain)
{
	kfree(container_of(domain, struct fake_domain, domain));
}

bool fake_domain_exchange(struct iommu_domain *domain, uintptr_t top,
			  uintptr_t *old)
{
	struct fake_domain *fake = container_of(domain, struct fake_domain,
						domain);
	struct pt_common *common = &fake->sspt.vtdss_pt.common;

	*old = common->top_of_table;
	common->top_of_table = top;
	return true;
}

static bool fake_enforce(struct iommu_domain *domain)
{
	return true;
}

static const struct iommu_domain_ops fake_domain_ops = {
	IOMMU_PT_DOMAIN_OPS(vtdss),
	.enforce_cache_coherency = fake_enforce,
	.iotlb_sync = fake_sync,
	.free = fake_domain_free,
};

struct iommu_domain *fake_domain_new(struct device *dev, u32 levels)
{
	struct pt_iommu_vtdss_cfg cfg = {
		.common.hw_max_vasz_lg2 = 12 + 9 * levels,
		.common.hw_max_oasz_lg2 = 52,
		.top_level = levels - 1,
	};
	struct fake_domain *fake = kzalloc_obj(*fake);
	int rc;

	if (!fake)
		return ERR_PTR(-ENOMEM);
	fake->sspt.iommu.iommu_device = dev;
	fake->sspt.iommu.nid = NUMA_NO_NODE;
	fake->domain.ops = &fake_domain_ops;
	fake->domain.type = IOMMU_DOMAIN_UNMANAGED;
	rc = pt_iommu_vtdss_init(&fake->sspt, &cfg, GFP_KERNEL);
	if (rc) {
		kfree(fake);
		return ERR_PTR(rc);
	}
	return &fake->domain;
}

static struct fake_device *to_fake_device(struct device *dev)
{
	return container_of(to_pci_dev(dev), struct fake_device, pdev);
}

static struct iommu_domain *
fake_domain_alloc(struct device *dev, u32 flags,
		  const struct iommu_user_data *user_data)
{
	struct fake_device *d = to_fake_device(dev);

	if (flags & ~d->can)
		return ERR_PTR(-EOPNOTSUPP);
	d->flags = flags;
	return fake_domain_new(dev, 3);
}

static bool fake_capable(struct device *dev, enum iommu_cap cap)
{
	return cap == IOMMU_CAP_DIRTY_TRACKING &&
	       to_fake_device(dev)->can & IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
}

static const struct iommu_ops fake_ops = {
	.capable = fake_capable,
	.domain_alloc_paging_flags = fake_domain_alloc,
};

int fake_domain_table(struct iommu_domain *domain, struct iho_table *table)
{
	struct fake_domain *fake = container_of(domain, struct fake_domain,
						domain);
	struct pt_iommu_vtdss_hw_info info;

	if (domain->ops != &fake_domain_ops)
		return -EOPNOTSUPP;
	pt_iommu_vtdss_hw_info(&fake->sspt, &info);
	table->format = IHO_TABLE_VTDSS;
	table->levels = info.aw + 2;
	table->root_pa = info.ssptptr;
	table->width = 12 + 9 * table->levels;
	return 0;
}

struct fake_device *fake_device_new(struct kunit *test, u32 index)
{
	struct fake_device *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);
	const struct replay *r = test->priv;
	const struct iho_device *fact = &r->w->device[index];

	KUNIT_ASSERT_NOT_NULL(test, d);
	d->sysdata.domain = fact->segment;
	d->bus.number = fact->source_id[0] >> 8;
	d->bus.sysdata = &d->sysdata;
	d->pdev.bus = &d->bus;
	d->pdev.devfn = fact->source_id[0] & 0xff;
	d->pdev.vendor = fact->vendor_device >> 16;
	d->pdev.device = fact->vendor_device & 0xffff;
	d->pdev.subsystem_vendor = fact->subsystem >> 16;
	d->pdev.subsystem_device = fact->subsystem & 0xffff;
	d->pdev.class = fact->class_revision >> 8;
	d->pdev.revision = fact->class_revision & 0xff;
	d->pdev.dev.bus = &pci_bus_type;
	d->pdev.dev.init_name = index ? "kunit-1" : "kunit-0";
	d->unit.ops = &fake_ops;
	d->dev_iommu.iommu_dev = &d->unit;
	d->pdev.dev.iommu = &d->dev_iommu;
	return d;
}

int fake_device_begin(struct replay *r, struct fake_device *d)
{
	int rc;

	/* As vfio does when the device's own file is used */
	iommufd_handover_expect(r->ictx, &d->pdev.dev, true);
	rc = iommufd_handover_bind_begin(r->ictx, &d->pdev.dev);
	iommufd_handover_expect(r->ictx, &d->pdev.dev, false);
	return rc;
}

struct iommufd_device *fake_device_bind(struct replay *r, struct fake_device *d)
{
	struct iommufd_device *idev;
	int rc;

	rc = fake_device_begin(r, d);
	if (rc)
		return ERR_PTR(rc);
	idev = iommufd_object_alloc(r->ictx, idev, IOMMUFD_OBJ_DEVICE);
	if (IS_ERR(idev)) {
		iommufd_handover_bind_end(r->ictx);
		return idev;
	}
	idev->ictx = r->ictx;
	idev->dev = &d->pdev.dev;
	iommufd_handover_device_init(idev);
	iommufd_handover_bind_end(r->ictx);
	return idev;
}

struct iommufd_device *fake_device_must_bind(struct kunit *test,
					     struct fake_device *d)
{
	struct iommufd_device *idev = fake_device_bind(test->priv, d);

	KUNIT_ASSERT_FALSE(test, IS_ERR(idev));
	return idev;
}

void fake_device_unbind(struct iommufd_device *idev)
{
	iommufd_object_abort(idev->ictx, &idev->obj);
}

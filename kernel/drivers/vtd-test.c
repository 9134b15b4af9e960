// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the page tables that the VT-d driver makes, on units that QEMU
 * does not have: both stages, nesting, dirty tracking, five levels.
 */
#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>

#include "../../intel/iommu.h"
#include "drivers.h"

/* VT-d 11.4.2, Capability Register, and 11.4.3, Extended Capability Register */
#define CAP_MGAW(_bits)	((u64)((_bits) - 1) << 16)
#define CAP_LEVELS_4	BIT_ULL(10)
#define CAP_LEVELS_5	BIT_ULL(11)
#define CAP_FS5LP	BIT_ULL(60)
#define ECAP_C		BIT_ULL(0)
#define ECAP_NEST	BIT_ULL(26)
#define ECAP_SMTS	BIT_ULL(43)
#define ECAP_SSADS	BIT_ULL(45)
#define ECAP_SSTS	BIT_ULL(46)
#define ECAP_FSTS	BIT_ULL(47)
#define ECAP_SMPWC	BIT_ULL(48)

#define CAP_4		(CAP_MGAW(48) | CAP_LEVELS_4)
#define CAP_5		(CAP_MGAW(57) | CAP_LEVELS_4 | CAP_LEVELS_5 | CAP_FS5LP)
#define ECAP_BOTH	(ECAP_C | ECAP_SMTS | ECAP_SMPWC | ECAP_FSTS | ECAP_SSTS)
#define ECAP_ALL	(ECAP_BOTH | ECAP_NEST | ECAP_SSADS)

#define NEST_PARENT	IOMMU_HWPT_ALLOC_NEST_PARENT
#define DIRTY		IOMMU_HWPT_ALLOC_DIRTY_TRACKING

struct table_case {
	const char *desc;
	u64 cap;
	u64 ecap;
	u32 flags;
	int err;
	struct iho_table table;
};

#define FIRST(_levels, _width)	{ .format = IHO_TABLE_X86_64,		\
				  .levels = (_levels), .width = (_width) }
#define SECOND(_levels, _width)	{ .format = IHO_TABLE_VTDSS,		\
				  .levels = (_levels), .width = (_width) }

static const struct table_case tables[] = {
	{ "legacy mode", CAP_4, ECAP_C, 0, 0, SECOND(4, 48) },
	{ "legacy mode, walks not coherent", CAP_4, 0, 0, 0,
	  { IHO_TABLE_VTDSS, 4, .attributes = IHO_TABLE_INCOHERENT,
	    .width = 48 } },
	{ "legacy mode, NEST_PARENT", CAP_4, ECAP_C | ECAP_NEST, NEST_PARENT,
	  -EOPNOTSUPP },
	{ "first stage only", CAP_4, ECAP_BOTH & ~ECAP_SSTS, 0, 0,
	  FIRST(4, 47) },
	{ "second stage only", CAP_4, ECAP_BOTH & ~ECAP_FSTS, 0, 0,
	  SECOND(4, 48) },
	{ "both stages", CAP_4, ECAP_ALL, 0, 0, FIRST(4, 47) },
	{ "both stages, walks not coherent", CAP_4, ECAP_ALL & ~ECAP_SMPWC, 0, 0,
	  { IHO_TABLE_X86_64, 4, .attributes = IHO_TABLE_INCOHERENT,
	    .width = 47 } },
	{ "both stages, five levels", CAP_5, ECAP_ALL, 0, 0, FIRST(5, 56) },
	{ "NEST_PARENT", CAP_4, ECAP_ALL, NEST_PARENT, 0, SECOND(4, 48) },
	{ "NEST_PARENT, five levels", CAP_5, ECAP_ALL, NEST_PARENT, 0,
	  SECOND(5, 57) },
	{ "DIRTY_TRACKING", CAP_4, ECAP_ALL, DIRTY, 0, SECOND(4, 48) },
	{ "NEST_PARENT and DIRTY_TRACKING", CAP_4, ECAP_ALL,
	  NEST_PARENT | DIRTY, 0, SECOND(4, 48) },
	{ "NEST_PARENT without NEST", CAP_4, ECAP_ALL & ~ECAP_NEST,
	  NEST_PARENT, -EOPNOTSUPP },
	{ "DIRTY_TRACKING without SSADS", CAP_4, ECAP_ALL & ~ECAP_SSADS, DIRTY,
	  -EOPNOTSUPP },
};

KUNIT_ARRAY_PARAM_DESC(tables, tables, desc);

/**
 * struct vtd_host - a unit of VT-d and a device behind it
 * @unit: has the registers of a case
 * @info: what the driver knows of the device
 * @param: what the core does
 * @dev: the device
 */
struct vtd_host {
	struct intel_iommu unit;
	struct device_domain_info info;
	struct dev_iommu param;
	struct device dev;
};

static struct vtd_host *vtd_host_new(struct kunit *test, u64 cap, u64 ecap)
{
	struct vtd_host *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, h);
	/* Scalable mode is a matter of the unit alone then */
	KUNIT_ASSERT_TRUE(test, intel_iommu_sm);
	h->unit.cap = cap;
	h->unit.ecap = ecap;
	h->unit.iommu.ops = &intel_iommu_ops;
	h->info.iommu = &h->unit;
	h->param.iommu_dev = &h->unit.iommu;
	h->param.priv = &h->info;
	set_dev_node(&h->dev, NUMA_NO_NODE);
	h->dev.iommu = &h->param;
	return h;
}

static struct iommu_domain *vtd_domain(struct vtd_host *h, u32 flags)
{
	struct iommu_domain *domain;

	domain = intel_iommu_ops.domain_alloc_paging_flags(&h->dev, flags, NULL);
	if (!IS_ERR(domain))
		domain->owner = &intel_iommu_ops;
	return domain;
}

static void table_is_what_unit_and_flags_make_it(struct kunit *test)
{
	const struct table_case *c = test->param_value;
	struct vtd_host *h = vtd_host_new(test, c->cap, c->ecap);
	struct iommu_domain *domain = vtd_domain(h, c->flags);
	struct iho_table table = {};

	KUNIT_ASSERT_EQ(test, PTR_ERR_OR_ZERO(domain), c->err);
	if (c->err)
		return;
	KUNIT_EXPECT_EQ(test, handover_table(domain, &table), 0);
	KUNIT_EXPECT_EQ(test, table.format, c->table.format);
	KUNIT_EXPECT_EQ(test, table.levels, c->table.levels);
	KUNIT_EXPECT_EQ(test, table.width, c->table.width);
	KUNIT_EXPECT_EQ(test, table.attributes, c->table.attributes);
	KUNIT_EXPECT_TRUE(test, table.root_pa &&
			  IS_ALIGNED(table.root_pa, PAGE_SIZE));
	iommu_domain_free(domain);
}

/* The flag crosses, tracking that is on does not. */
static void only_tracking_that_is_on_is_objected_to(struct kunit *test)
{
	struct vtd_host *h = vtd_host_new(test, CAP_4, ECAP_ALL);
	struct iommu_domain *domain = vtd_domain(h, DIRTY);
	const struct iommu_handover_objection *o;

	KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
	KUNIT_EXPECT_NULL(test, handover_objection(&h->dev, domain));
	to_dmar_domain(domain)->dirty_tracking = true;
	o = handover_objection(NULL, domain);
	KUNIT_EXPECT_STREQ(test, o ? o->has : "", "dirty tracking enabled");
	to_dmar_domain(domain)->dirty_tracking = false;
	iommu_domain_free(domain);
}

static struct kunit_case vtd_cases[] = {
	KUNIT_CASE_PARAM(table_is_what_unit_and_flags_make_it,
			 tables_gen_params),
	KUNIT_CASE(only_tracking_that_is_on_is_objected_to),
	{}
};

static struct kunit_suite vtd_suite = {
	.name = "iommu_handover_vtd",
	.test_cases = vtd_cases,
};

kunit_test_suite(vtd_suite);

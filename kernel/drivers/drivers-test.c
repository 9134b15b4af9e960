// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of what IOMMU drivers say, on hardware that QEMU does not have.
 */
#include <kunit/test.h>
#include <linux/iommu.h>

#include "../../amd/amd_iommu.h"
#include "drivers.h"

#include <asm/iommu.h>

struct units_case {
	const char *desc;
	const struct iommu_handover_ops *ops;
	struct iho_unit change;		/* bits that differ */
	const char *what;
};

static const struct units_case units[] = {
	{ "equal", &intel_iommu_handover_ops, {}, NULL },
	{ "another address", &intel_iommu_handover_ops,
	  { .register_pa = 4096, .root_pa = 4096 }, NULL },
	{ "SC", &intel_iommu_handover_ops, { .ecap = BIT_ULL(7) },
	  "snoop control" },
	{ "C", &intel_iommu_handover_ops, { .ecap = BIT_ULL(0) },
	  "coherent page walks" },
	{ "SMPWC", &intel_iommu_handover_ops, { .ecap = BIT_ULL(48) },
	  "coherent page walks" },
	{ "FSTS", &intel_iommu_handover_ops, { .ecap = BIT_ULL(47) },
	  "the stages of translation" },
	{ "SSTS", &intel_iommu_handover_ops, { .ecap = BIT_ULL(46) },
	  "the stages of translation" },
	{ "SAGAW", &intel_iommu_handover_ops, { .cap = BIT_ULL(10) },
	  "the number of levels" },
	{ "FS5LP", &intel_iommu_handover_ops, { .cap = BIT_ULL(60) },
	  "the number of levels" },
	{ "MGAW", &intel_iommu_handover_ops, { .cap = BIT_ULL(16) },
	  "the width of an IOVA" },
	{ "SLLPS", &intel_iommu_handover_ops, { .cap = BIT_ULL(35) },
	  "large pages" },
	{ "FS1GP", &intel_iommu_handover_ops, { .cap = BIT_ULL(56) },
	  "large pages" },
	{ "RWBF", &intel_iommu_handover_ops, { .cap = BIT_ULL(4) },
	  "flushes when mapping" },
	{ "CM", &intel_iommu_handover_ops, { .cap = BIT_ULL(7) },
	  "flushes when mapping" },
	{ "mode", &intel_iommu_handover_ops, { .mode = 3 }, "scalable mode" },
	{ "fault recording", &intel_iommu_handover_ops,
	  { .cap = BIT_ULL(40) }, NULL },
	{ "AMD, equal", &amd_iommu_handover_ops, {}, NULL },
	{ "AMD, another address", &amd_iommu_handover_ops,
	  { .register_pa = 4096, .root_pa = 4096 }, NULL },
	{ "AMD, HDSup", &amd_iommu_handover_ops, { .cap = FEATURE_HDSUP },
	  "dirty tracking" },
	{ "AMD, PPRSup", &amd_iommu_handover_ops, { .cap = FEATURE_PPR },
	  NULL },
};

KUNIT_ARRAY_PARAM_DESC(units, units, desc);

static void units_that_cannot_share_a_table_differ(struct kunit *test)
{
	const struct units_case *c = test->param_value;
	struct iho_unit a = { .mode = 1, .cap = 0x5a5a5a5a5a5a5a5a,
			      .ecap = 0xa5a5a5a5a5a5a5a5 };
	struct iho_unit b = a;

	b.mode ^= c->change.mode;
	b.cap ^= c->change.cap;
	b.ecap ^= c->change.ecap;
	b.register_pa ^= c->change.register_pa;
	b.root_pa ^= c->change.root_pa;
	KUNIT_EXPECT_STREQ(test, c->ops->differ(&a, &b) ?: "", c->what ?: "");
}

/**
 * struct amd_host - a segment with two of AMD's units and a device behind each
 * @seg: with the device table that both units have
 * @table: that table
 * @unit: the units
 * @data: what the driver knows of each device
 * @param: what the core does
 * @dev: the devices
 * @domain: attached to the first of them
 */
struct amd_host {
	struct amd_iommu_pci_seg seg;
	struct dev_table_entry table[2];
	struct amd_iommu unit[2];
	struct iommu_dev_data data[2];
	struct dev_iommu param[2];
	struct device dev[2];
	struct protection_domain domain;
};

static struct amd_host *amd_host_new(struct kunit *test)
{
	struct amd_host *h = kunit_kzalloc(test, sizeof(*h), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, h);
	h->seg.id = 7;
	h->seg.dev_table = h->table;
	for (int i = 0; i < 2; i++) {
		h->unit[i].pci_seg = &h->seg;
		h->unit[i].mmio_phys = (i + 1) * SZ_1M;
		h->unit[i].features = FEATURE_GT;
		h->unit[i].features2 = i;
		h->unit[i].iommu.ops = &amd_iommu_ops;
		h->param[i].iommu_dev = &h->unit[i].iommu;
		h->param[i].priv = &h->data[i];
		h->dev[i].iommu = &h->param[i];
		h->data[i].dev = &h->dev[i];
		h->data[i].gcr3_info.domid = 40 + i;
	}
	h->domain.domain.owner = &amd_iommu_ops;
	h->domain.id = 30;
	h->domain.pd_mode = PD_MODE_V1;
	h->data[0].domain = &h->domain;
	return h;
}

static void units_of_a_segment_share_their_device_table(struct kunit *test)
{
	struct amd_host *h = amd_host_new(test);
	struct iho_unit unit;

	for (int i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, handover_unit(&h->dev[i], &unit), 0);
		KUNIT_EXPECT_EQ(test, unit.type, IHO_UNIT_AMD_VI);
		KUNIT_EXPECT_EQ(test, unit.mode, IHO_UNIT_DEVICE_TABLE);
		KUNIT_EXPECT_EQ(test, unit.segment, 7);
		KUNIT_EXPECT_EQ(test, unit.register_pa, (i + 1) * SZ_1M);
		KUNIT_EXPECT_EQ(test, unit.cap, FEATURE_GT);
		KUNIT_EXPECT_EQ(test, unit.ecap, i);
		KUNIT_EXPECT_EQ(test, unit.root_pa, virt_to_phys(h->table));
	}
	h->seg.dev_table = NULL;
	KUNIT_EXPECT_EQ(test, handover_unit(&h->dev[0], &unit), -EOPNOTSUPP);
	h->param[0].priv = NULL;
	KUNIT_EXPECT_EQ(test, handover_unit(&h->dev[0], &unit), -EOPNOTSUPP);
	h->dev[0].iommu = NULL;
	KUNIT_EXPECT_EQ(test, handover_unit(&h->dev[0], &unit), -EOPNOTSUPP);
}

/* With v2 tables the ID is the device's, with v1 tables the domain's. */
static void domain_id_is_what_the_entries_carry(struct kunit *test)
{
	struct amd_host *h = amd_host_new(test);
	struct iommu_domain *domain = &h->domain.domain;
	u32 id;

	KUNIT_EXPECT_EQ(test, handover_tag(&h->dev[0], domain, &id), 0);
	KUNIT_EXPECT_EQ(test, id, 30);
	KUNIT_EXPECT_EQ(test, handover_tag(&h->dev[1], domain, &id), -EOPNOTSUPP);
	h->data[1].domain = &h->domain;
	h->domain.pd_mode = PD_MODE_V2;
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, handover_tag(&h->dev[i], domain, &id), 0);
		KUNIT_EXPECT_EQ(test, id, 40 + i);
	}
}

struct amd_table_case {
	const char *desc;
	enum protection_domain_mode mode;
	struct iho_table table;
};

static const struct amd_table_case amd_tables[] = {
	{ "v1, 3 levels", PD_MODE_V1, { IHO_TABLE_AMDV1, 3, .width = 64 } },
	{ "v1, 4 levels", PD_MODE_V1, { IHO_TABLE_AMDV1, 4, .width = 48 } },
	{ "v1, 6 levels", PD_MODE_V1, { IHO_TABLE_AMDV1, 6, .width = 64 } },
	{ "v2, 4 levels", PD_MODE_V2, { IHO_TABLE_X86_64, 4, .width = 47 } },
	{ "v2, 5 levels", PD_MODE_V2, { IHO_TABLE_X86_64, 5, .width = 56 } },
};

KUNIT_ARRAY_PARAM_DESC(amd_tables, amd_tables, desc);

static void no_change_top(struct pt_iommu *table, phys_addr_t top,
			  unsigned int level)
{
}

static spinlock_t *no_top_lock(struct pt_iommu *table)
{
	return NULL;
}

/* A top that can grow has to have them; here nothing is mapped. */
static const struct pt_iommu_driver_ops v1_ops = {
	.change_top = no_change_top,
	.get_top_lock = no_top_lock,
};

static int amd_table_init(struct amd_host *h, const struct amd_table_case *c)
{
	const struct pt_iommu_cfg common = {
		.hw_max_vasz_lg2 = c->table.width,
		.hw_max_oasz_lg2 = 52,
	};
	struct pt_iommu_amdv1_cfg v1 = {
		.common = common,
		.starting_level = c->table.levels - 1,
	};
	struct pt_iommu_x86_64_cfg v2 = {
		.common = common,
		.top_level = c->table.levels - 1,
	};

	v1.common.features = BIT(PT_FEAT_DYNAMIC_TOP) |
			     BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) |
			     BIT(PT_FEAT_AMDV1_FORCE_COHERENCE);
	h->domain.pd_mode = c->mode;
	h->domain.iommu.driver_ops = &v1_ops;
	h->domain.iommu.nid = NUMA_NO_NODE;
	return c->mode == PD_MODE_V1 ?
	       pt_iommu_amdv1_init(&h->domain.amdv1, &v1, GFP_KERNEL) :
	       pt_iommu_x86_64_init(&h->domain.amdv2, &v2, GFP_KERNEL);
}

static void table_is_that_of_the_domain(struct kunit *test)
{
	const struct amd_table_case *c = test->param_value;
	struct amd_host *h = amd_host_new(test);
	struct iho_table table = {};

	KUNIT_ASSERT_EQ(test, amd_table_init(h, c), 0);
	KUNIT_EXPECT_EQ(test, handover_table(&h->domain.domain, &table), 0);
	KUNIT_EXPECT_EQ(test, table.format, c->table.format);
	KUNIT_EXPECT_EQ(test, table.levels, c->table.levels);
	KUNIT_EXPECT_EQ(test, table.width, c->table.width);
	KUNIT_EXPECT_EQ(test, table.attributes, 0);
	KUNIT_EXPECT_TRUE(test, table.root_pa &&
			  IS_ALIGNED(table.root_pa, PAGE_SIZE));
	pt_iommu_deinit(&h->domain.iommu);
}

static void expect_objection(struct kunit *test, struct device *dev,
			     struct iommu_domain *domain, const char *has)
{
	const struct iommu_handover_objection *o = handover_objection(dev, domain);

	KUNIT_EXPECT_STREQ(test, o ? o->has : "", has);
	if (o)
		KUNIT_EXPECT_GT(test, strlen(o->cure), 0);
}

static void what_cannot_be_handed_over_is_objected_to(struct kunit *test)
{
	const bool snp = amd_iommu_snp_en;
	struct amd_host *h = amd_host_new(test);
	struct iommu_domain *domain = &h->domain.domain;

	expect_objection(test, NULL, domain, "");
	expect_objection(test, &h->dev[0], NULL, "");
	h->domain.dirty_tracking = true;
	expect_objection(test, NULL, domain, "dirty tracking enabled");
	expect_objection(test, &h->dev[0], NULL, "");
	amd_iommu_snp_en = true;
	expect_objection(test, NULL, domain, "an IOMMU under SEV-SNP");
	expect_objection(test, &h->dev[0], NULL, "an IOMMU under SEV-SNP");
	amd_iommu_snp_en = snp;
}

static void driver_that_cannot_hand_over_is_asked_nothing(struct kunit *test)
{
	static const struct iommu_ops other;
	struct amd_host *h = amd_host_new(test);
	struct iommu_domain *domain = &h->domain.domain;
	struct iho_table table = {};
	struct iho_unit unit;
	u32 id;

	domain->owner = &other;
	h->unit[0].iommu.ops = &other;
	KUNIT_EXPECT_EQ(test, handover_table(domain, &table), -ENODEV);
	KUNIT_EXPECT_EQ(test, handover_unit(&h->dev[0], &unit), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, handover_tag(&h->dev[0], domain, &id), -EOPNOTSUPP);
	expect_objection(test, NULL, domain, "");
	expect_objection(test, &h->dev[0], NULL, "");
	KUNIT_EXPECT_NULL(test, handover_differ(domain, &unit, &unit));
	/* Nor one of which nobody knows the driver */
	domain->owner = NULL;
	KUNIT_EXPECT_EQ(test, handover_table(domain, &table), -ENODEV);
	/* And one that has a table of a kind that is not known */
	domain->owner = &amd_iommu_ops;
	h->domain.pd_mode = PD_MODE_NONE;
	KUNIT_EXPECT_EQ(test, handover_table(domain, &table), -EOPNOTSUPP);
}

static struct kunit_case drivers_cases[] = {
	KUNIT_CASE_PARAM(units_that_cannot_share_a_table_differ,
			 units_gen_params),
	KUNIT_CASE(units_of_a_segment_share_their_device_table),
	KUNIT_CASE(domain_id_is_what_the_entries_carry),
	KUNIT_CASE_PARAM(table_is_that_of_the_domain, amd_tables_gen_params),
	KUNIT_CASE(what_cannot_be_handed_over_is_objected_to),
	KUNIT_CASE(driver_that_cannot_hand_over_is_asked_nothing),
	{}
};

static struct kunit_suite drivers_suite = {
	.name = "iommu_handover_drivers",
	.test_cases = drivers_cases,
};

kunit_test_suite(drivers_suite);

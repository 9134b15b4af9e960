// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of AMD-Vi units that stay on through a kexec. QEMU has only one unit;
 * here two of a segment share a device table.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bitfield.h>
#include <linux/io.h>

#include "../../amd/amd_iommu.h"
#include "../../amd/handover.h"
#include "../../iommu-pages.h"
#include "drivers.h"
#include "units.h"

#define UNITS		2
#define TABLE_LEN	(2 * PAGE_SIZE)
#define LAST_BDF	0xff
#define IOAPIC		0xa0
#define OTHER		0x40

#define SYSMGT		BIT_ULL(40)
#define INIT_PASS	BIT_ULL(56)
#define REMAPPED	(DTE_IRQ_REMAP_ENABLE | DTE_IRQ_REMAP_INTCTL | \
			 DTE_INTTABLEN_512 | 0x123400ULL)

/* Source IDs of the devices that are handed over, one behind each unit. */
static const u16 device[UNITS] = { 0x20, 0x30 };

/**
 * struct segment - two units of a segment, and what the rest of the kernel says
 * @seg: theirs
 * @old: the table that the units read
 * @unit: the units
 * @regs: their registers
 * @sem: what their last command writes to
 * @lookup: which unit translates for what
 * @alias: of each device
 * @keeps: which of device[] stay in use; of a unit that is parked
 * @fact: of the units, as the image has them
 * @page_table: of each of device[], as the image has it
 * @entry: the same of its entry
 * @entries: of these there are
 * @preserved: is the old table?
 * @switching: one of device[] is attached to an equal table
 * @stopped: units whose devices were stopped
 */
struct segment {
	struct amd_iommu_pci_seg seg;
	struct dev_table_entry *old;
	struct amd_iommu unit[UNITS];
	u8 *regs[UNITS];
	u64 sem;
	struct amd_iommu *lookup[LAST_BDF + 1];
	u16 alias[LAST_BDF + 1];
	bool keeps[UNITS];
	struct iho_unit fact[UNITS];
	struct iho_table page_table[UNITS];
	struct handover_entry entry[UNITS];
	u32 entries;
	bool preserved;
	bool switching;
	u32 stopped;
};

/* The stubs are called without one. */
static struct segment *current_segment;

static u32 fake_inherited(u64 register_pa, u32 from, struct handover_entry *e)
{
	struct segment *s = current_segment;

	for (u32 i = from; i < s->entries; i++)
		if (s->entry[i].unit->register_pa == register_pa) {
			*e = s->entry[i];
			return i + 1;
		}
	return 0;
}

static bool fake_switching(u64 register_pa, u16 source_id)
{
	return current_segment->switching;
}

static bool fake_stop_unit(u64 register_pa)
{
	for (u32 i = 0; i < UNITS; i++)
		if (current_segment->unit[i].mmio_phys == register_pa)
			current_segment->stopped |= BIT(i);
	return true;
}

static bool fake_keeps(u64 register_pa, u16 source_id)
{
	for (u32 i = 0; i < UNITS; i++)
		if (current_segment->unit[i].mmio_phys == register_pa &&
		    device[i] == source_id)
			return current_segment->keeps[i];
	return false;
}

static bool fake_parks(u64 register_pa)
{
	for (u32 i = 0; i < UNITS; i++)
		if (current_segment->unit[i].mmio_phys == register_pa)
			return current_segment->keeps[i];
	return false;
}

static bool fake_preserved(u64 pa, u64 len)
{
	return current_segment->preserved &&
	       pa == virt_to_phys(current_segment->old) && len == TABLE_LEN;
}

static void fake_restore(u64 pa, u64 len)
{
}

static u64 reg_read(struct segment *s, u32 i, u32 offset)
{
	return *(u64 *)(s->regs[i] + offset);
}

static void reg_write(struct segment *s, u32 i, u32 offset, u64 value)
{
	*(u64 *)(s->regs[i] + offset) = value;
}

static u64 image_root(u32 i)
{
	return (i + 1) * SZ_2M;
}

/* Of unit and device number @i, what the image says. */
static void say(struct segment *s, u32 i)
{
	s->fact[i] = (struct iho_unit) {
		.type = IHO_UNIT_AMD_VI,
		.mode = IHO_UNIT_DEVICE_TABLE,
		.segment = s->seg.id,
		.register_pa = s->unit[i].mmio_phys,
		.cap = s->unit[i].features,
		.ecap = s->unit[i].features2,
		.root_pa = virt_to_phys(s->old),
	};
	s->page_table[i] = (struct iho_table) {
		.format = IHO_TABLE_AMDV1,
		.levels = 4,
		.root_pa = image_root(i),
	};
	s->entry[i] = (struct handover_entry) {
		.unit = &s->fact[i],
		.table = &s->page_table[i],
		.source_id = device[i],
		.domain_id = 0x7000 + i,
	};
}

static void fill_entry(struct dev_table_entry *dte, u64 root, u16 domid)
{
	dte->data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_IR | DTE_FLAG_IW |
		       FIELD_PREP(DTE_MODE_MASK, 4) | root;
	dte->data[1] = domid;
	dte->data[2] = REMAPPED;
}

static void segment_free(void *data)
{
	struct segment *s = data;
	const struct iho_unit *unit;

	for (u32 i = 0; i < UNITS; i++) {
		unit = &s->fact[i];
		amd_handover_block(unit, device[i], NULL);
		list_del(&s->unit[i].list);
	}
	list_del(&s->seg.list);
	if (!amd_handover_disown_table(&s->seg) && s->seg.dev_table != s->old)
		iommu_free_pages(s->seg.dev_table);
	iommu_free_pages(s->old);
	current_segment = NULL;
}

static struct segment *segment_new(struct kunit *test)
{
	struct segment *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->seg.id = 0xfff0;
	s->seg.last_bdf = LAST_BDF;
	s->seg.dev_table_size = TABLE_LEN;
	s->seg.rlookup_table = s->lookup;
	s->seg.alias_table = s->alias;
	init_llist_head(&s->seg.dev_data_list);
	s->preserved = true;
	s->entries = UNITS;
	s->sem = S64_MAX;
	for (u32 i = 0; i <= LAST_BDF; i++)
		s->alias[i] = i;
	for (u32 i = 0; i < UNITS; i++) {
		struct amd_iommu *iommu = &s->unit[i];

		s->regs[i] = kunit_kzalloc(test, MMIO_CNTR_CONF_OFFSET, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, s->regs[i]);
		iommu->cmd_buf = kunit_kzalloc(test, CMD_BUFFER_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, iommu->cmd_buf);
		raw_spin_lock_init(&iommu->lock);
		iommu->pci_seg = &s->seg;
		iommu->mmio_base = (u8 __iomem *)s->regs[i];
		iommu->mmio_phys = 0xfff0000000000ULL + i * SZ_1M;
		iommu->features = FEATURE_IA | FEATURE_GA;
		iommu->cmd_sem = &s->sem;
		s->lookup[device[i]] = iommu;
	}
	s->lookup[OTHER] = &s->unit[1];
	s->lookup[IOAPIC] = &s->unit[0];
	s->old = iommu_alloc_pages_sz(GFP_KERNEL, TABLE_LEN);
	KUNIT_ASSERT_NOT_NULL(test, s->old);
	s->seg.dev_table = s->old;
	list_add_tail(&s->seg.list, &amd_iommu_pci_seg_list);
	for (u32 i = 0; i < UNITS; i++) {
		list_add_tail(&s->unit[i].list, &amd_iommu_list);
		say(s, i);
		fill_entry(&s->old[device[i]], image_root(i), 0x7000 + i);
		reg_write(s, i, MMIO_DEV_TABLE_OFFSET,
			  virt_to_phys(s->old) | (TABLE_LEN / PAGE_SIZE - 1));
	}
	current_segment = s;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, segment_free, s), 0);
	kunit_activate_static_stub(test, handover_inherited, fake_inherited);
	kunit_activate_static_stub(test, handover_switching, fake_switching);
	kunit_activate_static_stub(test, handover_stop_unit, fake_stop_unit);
	kunit_activate_static_stub(test, handover_keeps, fake_keeps);
	kunit_activate_static_stub(test, handover_parks, fake_parks);
	kunit_activate_static_stub(test, amd_handover_preserved, fake_preserved);
	kunit_activate_static_stub(test, amd_handover_restore, fake_restore);
	return s;
}

/* What the last kernel leaves, found by one that has a table of its own. */
static struct segment *segment_boots(struct kunit *test)
{
	struct segment *s = segment_new(test);

	for (u32 i = 0; i < UNITS; i++) {
		reg_write(s, i, MMIO_CONTROL_OFFSET, BIT_ULL(CONTROL_IOMMU_EN));
		s->old[device[i]].data[2] = DTE_IRQ_REMAP_ENABLE;
	}
	s->seg.dev_table = iommu_alloc_pages_sz(GFP_KERNEL, TABLE_LEN);
	KUNIT_ASSERT_NOT_NULL(test, s->seg.dev_table);
	for (u32 i = 0; i <= LAST_BDF; i++)
		s->seg.dev_table[i].data[2] = DTE_IRQ_REMAP_ENABLE;
	return s;
}

static bool lets_through(const struct dev_table_entry *dte)
{
	return !(dte->data[0] & DTE_FLAG_V) ||
	       dte->data[0] & (DTE_FLAG_IR | DTE_FLAG_IW);
}

static void expect_old(struct kunit *test, struct segment *s, u32 i)
{
	struct dev_table_entry want = {};

	fill_entry(&want, image_root(i), 0x7000 + i);
	KUNIT_EXPECT_EQ(test, s->old[device[i]].data[0], want.data[0]);
	KUNIT_EXPECT_EQ(test, s->old[device[i]].data[1], want.data[1]);
}

static void entries_are_left_of_all_units_of_the_segment(struct kunit *test)
{
	const u64 efr = amd_iommu_efr;
	struct segment *s = segment_new(test);

	s->keeps[0] = true;
	s->keeps[1] = true;
	fill_entry(&s->old[OTHER], SZ_4M, 5);
	s->old[OTHER].data[1] |= SYSMGT;
	s->old[IOAPIC].data[2] = REMAPPED | INIT_PASS;
	for (u32 i = 0; i < UNITS; i++)
		reg_write(s, i, MMIO_CONTROL_OFFSET,
			  BIT_ULL(CONTROL_IOMMU_EN) | BIT_ULL(CONTROL_GA_EN) |
			  AMD_HANDOVER_BUFFERS);
	/* One command instead of more than there is room for */
	amd_iommu_efr |= FEATURE_IA;
	KUNIT_EXPECT_TRUE(test, amd_handover_park(&s->unit[0]));
	amd_iommu_efr = efr;
	for (u32 i = 0; i < UNITS; i++) {
		expect_old(test, s, i);
		KUNIT_EXPECT_EQ(test, s->old[device[i]].data[2],
				DTE_IRQ_REMAP_ENABLE);
	}
	KUNIT_EXPECT_EQ(test, s->old[OTHER].data[0], AMD_HANDOVER_NO_DMA);
	KUNIT_EXPECT_EQ(test, s->old[OTHER].data[1], SYSMGT);
	KUNIT_EXPECT_EQ(test, s->old[OTHER].data[2], 0);
	KUNIT_EXPECT_EQ(test, s->old[IOAPIC].data[0], AMD_HANDOVER_NO_DMA);
	KUNIT_EXPECT_EQ(test, s->old[IOAPIC].data[2], INIT_PASS);
	KUNIT_EXPECT_EQ(test, reg_read(s, 0, MMIO_CONTROL_OFFSET),
			BIT_ULL(CONTROL_IOMMU_EN) | BIT_ULL(CONTROL_GA_EN));
	/* The unit has been told: all, and to say when it is done */
	KUNIT_EXPECT_EQ(test, reg_read(s, 0, MMIO_CMD_TAIL_OFFSET),
			2 * sizeof(struct iommu_cmd));
}

static void unit_without_such_a_device_is_not_left_on(struct kunit *test)
{
	const u64 efr = amd_iommu_efr;
	struct segment *s = segment_new(test);

	s->keeps[0] = true;
	amd_iommu_efr |= FEATURE_IA;
	KUNIT_EXPECT_FALSE(test, amd_handover_park(&s->unit[1]));
	KUNIT_EXPECT_TRUE(test, lets_through(&s->old[device[1]]));
	KUNIT_EXPECT_TRUE(test, amd_handover_park(&s->unit[0]));
	amd_iommu_efr = efr;
	expect_old(test, s, 0);
	KUNIT_EXPECT_FALSE(test, lets_through(&s->old[device[1]]));
}

/* IDs of the driver: whether another could have it. */
static bool id_is_free(u16 id)
{
	if (amd_iommu_pdom_id_reserve(id, GFP_KERNEL) != id)
		return false;
	amd_iommu_pdom_id_free(id);
	return true;
}

static void table_is_taken_over_in_place(struct kunit *test)
{
	struct segment *s = segment_boots(test);

	/* Nothing but what the image names is believed */
	fill_entry(&s->old[OTHER], SZ_4M, 5);
	s->old[LAST_BDF].data[0] = 0;
	for (u32 i = 0; i < UNITS; i++)
		KUNIT_EXPECT_TRUE(test, amd_handover_inherits(&s->unit[i]));
	amd_handover_adopt();
	KUNIT_EXPECT_PTR_EQ(test, s->seg.dev_table, s->old);
	KUNIT_EXPECT_EQ(test, s->stopped, 0);
	for (u32 i = 0; i < UNITS; i++) {
		expect_old(test, s, i);
		KUNIT_EXPECT_TRUE(test, amd_handover_runs(&s->unit[i], device[i]));
		KUNIT_EXPECT_FALSE(test, amd_handover_runs(&s->unit[!i], device[i]));
		KUNIT_EXPECT_FALSE(test, id_is_free(0x7000 + i));
	}
	for (u32 i = 0; i < TABLE_LEN / sizeof(*s->old); i++)
		KUNIT_EXPECT_EQ(test, lets_through(&s->old[i]),
				i == device[0] || i == device[1]);
	/* The first that is stopped leaves the other one as it is */
	amd_handover_block(&s->fact[0], device[0], NULL);
	KUNIT_EXPECT_FALSE(test, lets_through(&s->old[device[0]]));
	KUNIT_EXPECT_FALSE(test, amd_handover_runs(&s->unit[0], device[0]));
	KUNIT_EXPECT_TRUE(test, id_is_free(0x7000));
	expect_old(test, s, 1);
	KUNIT_EXPECT_FALSE(test, id_is_free(0x7001));
}

static void unit_that_differs_takes_none_with_it(struct kunit *test)
{
	struct segment *s = segment_boots(test);

	s->unit[1].features ^= FEATURE_HDSUP;
	KUNIT_EXPECT_TRUE(test, amd_handover_inherits(&s->unit[0]));
	KUNIT_EXPECT_FALSE(test, amd_handover_inherits(&s->unit[1]));
	KUNIT_EXPECT_EQ(test, s->stopped, BIT(1));
	amd_handover_adopt();
	KUNIT_EXPECT_PTR_EQ(test, s->seg.dev_table, s->old);
	expect_old(test, s, 0);
	KUNIT_EXPECT_FALSE(test, lets_through(&s->old[device[1]]));
	KUNIT_EXPECT_TRUE(test, id_is_free(0x7001));
}

static void domain_id_of_two_is_kept_until_the_last(struct kunit *test)
{
	struct segment *s = segment_boots(test);

	s->entry[1].domain_id = 0x7000;
	s->old[device[1]].data[1] = 0x7000;
	for (u32 i = 0; i < UNITS; i++)
		KUNIT_EXPECT_TRUE(test, amd_handover_inherits(&s->unit[i]));
	amd_handover_adopt();
	amd_handover_block(&s->fact[1], device[1], NULL);
	KUNIT_EXPECT_FALSE(test, id_is_free(0x7000));
	amd_handover_block(&s->fact[0], device[0], NULL);
	KUNIT_EXPECT_TRUE(test, id_is_free(0x7000));
}

static void page_table_and_id_are_exchanged_at_once(struct kunit *test)
{
	struct segment *s = segment_boots(test);
	struct iommu_dev_data dev_data = { .devid = device[0] };
	struct dev_table_entry new = {}, guest = {};
	u64 irq;

	KUNIT_ASSERT_TRUE(test, amd_handover_inherits(&s->unit[0]));
	s->entries = 1;
	amd_handover_adopt();
	irq = s->old[device[0]].data[2] |= REMAPPED;
	fill_entry(&new, SZ_1G, 9);
	guest.data[0] = DTE_FLAG_V | DTE_FLAG_TV | DTE_FLAG_GV;
	KUNIT_EXPECT_FALSE(test, amd_handover_switch(&s->unit[0], &dev_data, &new));
	s->switching = true;
	KUNIT_EXPECT_FALSE(test, amd_handover_switch(&s->unit[0], &dev_data,
						     &guest));
	expect_old(test, s, 0);
	KUNIT_EXPECT_TRUE(test, amd_handover_switch(&s->unit[0], &dev_data, &new));
	KUNIT_EXPECT_EQ(test, s->old[device[0]].data[0], new.data[0]);
	KUNIT_EXPECT_EQ(test, s->old[device[0]].data[1], 9);
	KUNIT_EXPECT_EQ(test, s->old[device[0]].data[2], irq);
	/* It is this kernel's now, and the old ID is given back */
	amd_handover_block(&s->fact[0], device[0], NULL);
	KUNIT_EXPECT_TRUE(test, lets_through(&s->old[device[0]]));
	KUNIT_EXPECT_FALSE(test, amd_handover_runs(&s->unit[0], device[0]));
	KUNIT_EXPECT_TRUE(test, id_is_free(0x7000));
}

enum lie {
	LIE_SEGMENT, LIE_FEATURES, LIE_OFF, LIE_COMMANDS, LIE_BASE, LIE_SIZE,
	LIE_NOT_PRESERVED, LIE_FORMAT, LIE_LEVELS, LIE_ROOT, LIE_ID, LIE_NO_ID,
	LIE_WRITE, LIE_GUEST, LIE_UNIT, LIE_ALIAS, LIE_TAKEN,
};

static const struct lie_case {
	const char *desc;
	enum lie lie;
} lies[] = {
	{ "another segment", LIE_SEGMENT },
	{ "another set of features", LIE_FEATURES },
	{ "translation off", LIE_OFF },
	{ "command buffer on", LIE_COMMANDS },
	{ "device table elsewhere", LIE_BASE },
	{ "device table of another size", LIE_SIZE },
	{ "device table not preserved", LIE_NOT_PRESERVED },
	{ "page table of another format", LIE_FORMAT },
	{ "another number of levels", LIE_LEVELS },
	{ "another page table", LIE_ROOT },
	{ "another domain ID", LIE_ID },
	{ "domain ID 0", LIE_NO_ID },
	{ "entry that is read-only", LIE_WRITE },
	{ "entry with a guest table", LIE_GUEST },
	{ "device behind another unit", LIE_UNIT },
	{ "device with an alias", LIE_ALIAS },
	{ "domain ID that is taken", LIE_TAKEN },
};

KUNIT_ARRAY_PARAM_DESC(lies, lies, desc);

static void lie_about(struct segment *s, enum lie lie)
{
	struct dev_table_entry *dte = &s->old[device[0]];

	switch (lie) {
	case LIE_SEGMENT:
		s->fact[0].segment++;
		break;
	case LIE_FEATURES:
		s->fact[0].ecap++;
		break;
	case LIE_OFF:
		reg_write(s, 0, MMIO_CONTROL_OFFSET, 0);
		break;
	case LIE_COMMANDS:
		reg_write(s, 0, MMIO_CONTROL_OFFSET, BIT_ULL(CONTROL_IOMMU_EN) |
						     BIT_ULL(CONTROL_CMDBUF_EN));
		break;
	case LIE_BASE:
		s->fact[0].root_pa += PAGE_SIZE;
		break;
	case LIE_SIZE:
		reg_write(s, 0, MMIO_DEV_TABLE_OFFSET, virt_to_phys(s->old));
		break;
	case LIE_NOT_PRESERVED:
		s->preserved = false;
		break;
	case LIE_FORMAT:
		s->page_table[0].format = IHO_TABLE_X86_64;
		break;
	case LIE_LEVELS:
		s->page_table[0].levels = 3;
		break;
	case LIE_ROOT:
		s->page_table[0].root_pa += PAGE_SIZE;
		break;
	case LIE_ID:
		s->entry[0].domain_id++;
		break;
	case LIE_NO_ID:
		s->entry[0].domain_id = 0;
		dte->data[1] = 0;
		break;
	case LIE_WRITE:
		dte->data[0] &= ~DTE_FLAG_IW;
		break;
	case LIE_GUEST:
		dte->data[0] |= DTE_FLAG_GV;
		break;
	case LIE_UNIT:
		s->lookup[device[0]] = &s->unit[1];
		break;
	case LIE_ALIAS:
		s->alias[device[0]] = OTHER;
		break;
	case LIE_TAKEN:
		break;
	}
}

static void what_the_image_does_not_say_is_stopped(struct kunit *test)
{
	const struct lie_case *c = test->param_value;
	struct segment *s = segment_boots(test);
	struct dev_table_entry *own = s->seg.dev_table;

	s->entries = 1;
	lie_about(s, c->lie);
	if (c->lie == LIE_TAKEN)
		KUNIT_ASSERT_EQ(test, amd_iommu_pdom_id_reserve(0x7000, GFP_KERNEL),
				0x7000);
	KUNIT_EXPECT_FALSE(test, amd_handover_inherits(&s->unit[0]));
	KUNIT_EXPECT_EQ(test, s->stopped, BIT(0));
	KUNIT_EXPECT_FALSE(test, amd_handover_runs(&s->unit[0], device[0]));
	amd_handover_adopt();
	KUNIT_EXPECT_PTR_EQ(test, s->seg.dev_table, own);
	if (c->lie == LIE_TAKEN)
		amd_iommu_pdom_id_free(0x7000);
	KUNIT_EXPECT_TRUE(test, id_is_free(0x7000));
}

static struct kunit_case amd_cases[] = {
	KUNIT_CASE(entries_are_left_of_all_units_of_the_segment),
	KUNIT_CASE(unit_without_such_a_device_is_not_left_on),
	KUNIT_CASE(table_is_taken_over_in_place),
	KUNIT_CASE(unit_that_differs_takes_none_with_it),
	KUNIT_CASE(domain_id_of_two_is_kept_until_the_last),
	KUNIT_CASE(page_table_and_id_are_exchanged_at_once),
	KUNIT_CASE_PARAM(what_the_image_does_not_say_is_stopped, lies_gen_params),
	{}
};

static struct kunit_suite amd_suite = {
	.name = "iommu_handover_amd",
	.test_cases = amd_cases,
};

kunit_test_suite(amd_suite);

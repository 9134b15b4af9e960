// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handover that test cases of unit tests and KUnit begin with.
 */
#include "handover-world.h"

static struct world_rec *add(struct world *w, u32 kind, u32 payload_len,
			     u32 inline_len)
{
	struct world_rec *r = &w->rec[w->recs++];

	r->kind = kind;
	r->payload_len = payload_len;
	r->inline_len = inline_len;
	r->size = payload_len;
	return r;
}

#define ADD(w, kind, member, inline_len)				\
	add(w, IHO_REC_##kind, sizeof((w)->rec[0].member), inline_len)

static void add_map(struct world *w, u32 ioas, u64 iova, u64 len, u32 memory,
		    u64 start, u32 group, u32 access)
{
	struct world_rec *r = ADD(w, MAP_FILE, map, sizeof(r->map_ref));

	r->map.flags = IHO_MAP_FIXED_IOVA | IHO_MAP_READABLE | access;
	r->map.ioas_id = ioas;
	r->map.fd = -1;
	r->map.start = start;
	r->map.length = len;
	r->map.iova = iova;
	r->map_ref.memory = memory;
	r->map_ref.group = group;
	r->map_ref.flags = access ? IHO_MAP_PAGES_WRITABLE : 0;
}

static void add_bind(struct world *w, u32 dev_id, u32 device)
{
	struct world_rec *r = ADD(w, VFIO_BIND, bind, sizeof(r->bind_ref));

	r->bind.iommufd = -1;
	r->bind.out_devid = dev_id;
	r->bind_ref.device = device;
}

static void add_hwpt(struct world *w, u32 hwpt_id, u32 ioas, u32 dev_id,
		     u32 table, u32 flags)
{
	struct world_rec *r = ADD(w, HWPT_ALLOC, hwpt, sizeof(r->hwpt_ref));

	r->hwpt.dev_id = dev_id;
	r->hwpt.pt_id = ioas;
	r->hwpt.out_hwpt_id = hwpt_id;
	r->hwpt_ref.table = table;
	r->hwpt_ref.flags = flags;
}

static void add_attach(struct world *w, u32 dev_id, u32 hwpt_id)
{
	struct world_rec *r = ADD(w, ATTACH, attach, sizeof(r->attach_ref));

	r->attach.pt_id = hwpt_id;
	r->attach_ref.dev_id = dev_id;
}

static void add_records(struct world *w)
{
	struct world_rec *r;

	ADD(w, OPTION, option, 0)->option.val64 = 1;
	ADD(w, IOAS_ALLOC, ioas, 0)->ioas.out_ioas_id = WORLD_IOAS1_ID;
	ADD(w, IOAS_ALLOC, ioas, 0)->ioas.out_ioas_id = WORLD_IOAS2_ID;
	r = ADD(w, IOAS_OPTION, option, 0);
	r->option.option_id = IHO_OPTION_HUGE_PAGES;
	r->option.object_id = WORLD_IOAS2_ID;
	r = ADD(w, ALLOW_IOVAS, allow, sizeof(r->range));
	r->allow.ioas_id = WORLD_IOAS1_ID;
	r->allow.num_iovas = 2;
	r->range[0] = (struct iho_range){ 0x100000, 0xffffff };
	r->range[1] = (struct iho_range){ 0x10000000, 0x3fffffffff };
	r = ADD(w, VFIO_IOAS, vfio, 0);
	r->vfio.ioas_id = WORLD_IOAS1_ID;
	r->vfio.op = IHO_VFIO_IOAS_SET;
	add_map(w, WORLD_IOAS1_ID, 0x100000, 0x10000, 0, 0, 0,
		IHO_MAP_WRITEABLE);
	add_map(w, WORLD_IOAS1_ID, 0x400000, 0x8000, 1, 0x1000, 1, 0);
	add_map(w, WORLD_IOAS2_ID, 0x100000, 0x10000, 0, 0x8000, 0,
		IHO_MAP_WRITEABLE);
	add_map(w, WORLD_IOAS2_ID, 0x800000, 0x4000, 0, 0x1c000, 2,
		IHO_MAP_WRITEABLE);
	add_bind(w, WORLD_DEV1_ID, 0);
	add_bind(w, WORLD_DEV2_ID, 1);
	add_hwpt(w, WORLD_HWPT1_ID, WORLD_IOAS1_ID, WORLD_DEV1_ID, 0,
		 IHO_HWPT_AUTO);
	add_hwpt(w, WORLD_HWPT2_ID, WORLD_IOAS2_ID, WORLD_DEV2_ID, 1, 0);
	add_attach(w, WORLD_DEV1_ID, WORLD_HWPT1_ID);
	add_attach(w, WORLD_DEV2_ID, WORLD_HWPT2_ID);
}

static void name(char to[IHO_SESSION_LEN], const char *from)
{
	memcpy(to, from, strlen(from));
}

static void set_facts(struct world *w)
{
	const struct iho_device device = {
		.level = IHO_LEVEL_PAUSED,
		.source_ids = 1,
		.vendor_device = 0x123411e8,
		.subsystem = 0x1af41100,
		.class_revision = 0x00ff0010,
		.domain = IHO_NONE,
	};
	u32 i;

	for (i = 0; i < WORLD_DEVICES; i++) {
		w->memory[i].token = i < 2 ? i + 1 : 1;
		name(w->memory[i].session,
		     i < 2 ? WORLD_SESSION : WORLD_OTHER_SESSION);
		w->device[i] = device;
		w->device[i].source_id[0] = 0x20 + 8 * i;
		w->device[i].path_len = 1;
		w->device[i].path[0] = (u8)(0x20 + 8 * i);
	}
	w->memory[0].size = WORLD_MEMORY0_LEN;
	w->memory[1].size = WORLD_MEMORY1_LEN;
	w->memory[2].size = 0x3000;
	w->unit[0] = (struct iho_unit){
		.type = IHO_UNIT_INTEL_VTD,
		.mode = IHO_UNIT_LEGACY,
		.register_pa = 0xfed90000,
		.root_pa = 0x1000000,
	};
	for (i = 0; i < 2; i++) {
		w->table[i].format = IHO_TABLE_VTDSS;
		w->table[i].levels = 4;
		w->table[i].width = 48;
		w->table[i].root_pa = 0x2000000 + i * IHO_PAGE_SIZE;
		w->table[i].hwpt_id = i ? WORLD_HWPT2_ID : WORLD_HWPT1_ID;
		w->domain[i].domain_id = i + 1;
		w->domain[i].table = i;
		w->device[i].domain = i;
		w->device[i].dev_id = i ? WORLD_DEV2_ID : WORLD_DEV1_ID;
		w->context[i].token = WORLD_TOKEN;
	}
	w->device[2].context = 1;
	w->device[2].dev_id = 2;
	name(w->context[0].session, WORLD_SESSION);
	name(w->context[1].session, WORLD_OTHER_SESSION);
	w->domains = 2;
	w->devices = WORLD_DEVICES;
}

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	set_facts(w);
	add_records(w);
}

void world_drop(struct world *w, u32 index)
{
	w->recs--;
	memmove(&w->rec[index], &w->rec[index + 1],
		(w->recs - index) * sizeof(w->rec[0]));
}

void world_twice(struct world *w, u32 index)
{
	memmove(&w->rec[index + 1], &w->rec[index],
		(w->recs - index) * sizeof(w->rec[0]));
	w->recs++;
}

void world_facts(struct world *w, struct iho_facts *facts)
{
	*facts = (struct iho_facts){
		.generation = 7,
		.release = "kunit",
		.memory = w->memory,
		.unit = w->unit,
		.table = w->table,
		.domain = w->domain,
		.device = w->device,
		.context = w->context,
		.memories = WORLD_COUNT_OF(w->memory),
		.units = WORLD_COUNT_OF(w->unit),
		.tables = WORLD_COUNT_OF(w->table),
		.domains = w->domains,
		.devices = w->devices,
		.contexts = WORLD_COUNT_OF(w->context),
	};
}

// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "scene.h"

#define MiB	(1ull << 20)

void *got(void *p)
{
	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return p;
}

void *exact(const void *data, size_t len)
{
	void *p = got(malloc(len ? len : 1));

	memcpy(p, data, len);
	return p;
}

/* ---- records --------------------------------------------------------- */

static u32 payload_len(u32 kind)
{
	switch (kind) {
	case IHO_REC_OPTION:
	case IHO_REC_IOAS_OPTION:
		return sizeof(struct iho_pl_option);
	case IHO_REC_IOAS_ALLOC:
		return sizeof(struct iho_pl_ioas_alloc);
	case IHO_REC_ALLOW_IOVAS:
		return sizeof(struct iho_pl_allow_iovas);
	case IHO_REC_VFIO_IOAS:
		return sizeof(struct iho_pl_vfio_ioas);
	case IHO_REC_MAP_FILE:
		return sizeof(struct iho_pl_map_file);
	case IHO_REC_VFIO_BIND:
		return sizeof(struct iho_pl_bind);
	case IHO_REC_HWPT_ALLOC:
		return sizeof(struct iho_pl_hwpt_alloc);
	default:
		return sizeof(struct iho_pl_attach);
	}
}

static u32 inline_len(u32 kind)
{
	switch (kind) {
	case IHO_REC_MAP_FILE:
		return sizeof(struct iho_map_ref);
	case IHO_REC_VFIO_BIND:
	case IHO_REC_HWPT_ALLOC:
	case IHO_REC_ATTACH:
		return 8;
	default:
		return 0;
	}
}

struct scene_rec *scene_add(struct scene *w, u32 context, u32 kind)
{
	struct scene_rec *r = &w->rec[context][w->recs[context]++];

	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->payload_len = payload_len(kind);
	r->inline_len = inline_len(kind);
	r->size = r->payload_len;
	switch (kind) {
	case IHO_REC_OPTION:
		r->option.option_id = IHO_OPTION_RLIMIT_MODE;
		r->option.val64 = 1;
		break;
	case IHO_REC_IOAS_OPTION:
		r->option.option_id = IHO_OPTION_HUGE_PAGES;
		break;
	case IHO_REC_VFIO_IOAS:
		r->vfio.op = IHO_VFIO_IOAS_SET;
		break;
	case IHO_REC_MAP_FILE:
		r->map.flags = IHO_MAP_FIXED_IOVA | IHO_MAP_READABLE |
			       IHO_MAP_WRITEABLE;
		r->map.fd = -1;
		r->map_ref.flags = IHO_MAP_PAGES_WRITABLE;
		break;
	case IHO_REC_VFIO_BIND:
		r->bind.iommufd = -1;
		break;
	default:
		break;
	}
	return r;
}

struct scene_rec *scene_find(struct scene *w, u32 context, u32 kind)
{
	u32 i;

	for (i = 0; i < w->recs[context]; i++)
		if (w->rec[context][i].kind == kind)
			return &w->rec[context][i];
	fprintf(stderr, "no record of kind %u\n", kind);
	exit(2);
}

void scene_drop(struct scene *w, u32 context, struct scene_rec *rec)
{
	u32 i = (u32)(rec - w->rec[context]);

	memmove(rec, rec + 1, (--w->recs[context] - i) * sizeof(*rec));
}

static void add_ioas(struct scene *w, u32 context, u32 id)
{
	scene_add(w, context, IHO_REC_IOAS_ALLOC)->ioas.out_ioas_id = id;
}

static struct scene_rec *add_map(struct scene *w, u32 context, u32 ioas,
				 u64 iova, u64 length, u32 memory, u64 start,
				 u32 group)
{
	struct scene_rec *r = scene_add(w, context, IHO_REC_MAP_FILE);

	r->map.ioas_id = ioas;
	r->map.iova = iova;
	r->map.length = length;
	r->map.start = start;
	r->map_ref.memory = memory;
	r->map_ref.group = group;
	return r;
}

static void add_bind(struct scene *w, u32 context, u32 id, u32 device)
{
	struct scene_rec *r = scene_add(w, context, IHO_REC_VFIO_BIND);

	r->bind.out_devid = id;
	r->bind_ref.device = device;
}

static struct scene_rec *add_hwpt(struct scene *w, u32 context, u32 id,
				  u32 dev_id, u32 ioas, u32 table, u32 flags)
{
	struct scene_rec *r = scene_add(w, context, IHO_REC_HWPT_ALLOC);

	r->hwpt.out_hwpt_id = id;
	r->hwpt.dev_id = dev_id;
	r->hwpt.pt_id = ioas;
	r->hwpt_ref.table = table;
	r->hwpt_ref.flags = flags;
	return r;
}

static void add_attach(struct scene *w, u32 context, u32 dev_id, u32 hwpt)
{
	struct scene_rec *r = scene_add(w, context, IHO_REC_ATTACH);

	r->attach.pt_id = hwpt;
	r->attach_ref.dev_id = dev_id;
}

/* ---- worlds ---------------------------------------------------------- */

static void name(char *to, const char *from)
{
	memset(to, 0, IHO_SESSION_LEN);
	memcpy(to, from, strlen(from));
}

static void add_memory(struct scene *w, const char *session, u64 token,
		       u64 size, u32 seals)
{
	struct iho_memory *m = &w->memory[w->memories++];

	name(m->session, session);
	m->token = token;
	m->size = size;
	m->seals = seals;
}

static void add_context(struct scene *w, const char *session, u64 token)
{
	struct iho_context *c = &w->context[w->contexts++];

	name(c->session, session);
	c->token = token;
}

static void example_first(struct scene *w)
{
	struct scene_rec *r;

	scene_add(w, 0, IHO_REC_OPTION);
	add_ioas(w, 0, 1);
	add_ioas(w, 0, 2);
	scene_add(w, 0, IHO_REC_IOAS_OPTION)->option.object_id = 2;
	r = scene_add(w, 0, IHO_REC_ALLOW_IOVAS);
	r->allow.ioas_id = 1;
	r->allow.num_iovas = 2;
	r->inline_len = 2 * sizeof(struct iho_range);
	r->range[0].start = 0x100000;
	r->range[0].last = 0xfedfffff;
	r->range[1].start = 0x100000000;
	r->range[1].last = 0x7fffffffff;
	scene_add(w, 0, IHO_REC_VFIO_IOAS)->vfio.ioas_id = 1;
	add_map(w, 0, 1, 0x100000, 8 * MiB, 0, 0, 0);
	r = add_map(w, 0, 1, 0x900000, 1 * MiB, 0, 8 * MiB, 1);
	r->map.flags = IHO_MAP_FIXED_IOVA | IHO_MAP_READABLE;
	add_map(w, 0, 2, 0x10000000, 1 * MiB, 0, 8 * MiB, 1);
	add_map(w, 0, 2, 0x20000000, 2 * MiB, 1, 0, 2);
	add_bind(w, 0, 3, 0);
	add_bind(w, 0, 6, 1);
	add_hwpt(w, 0, 4, 3, 1, 0, IHO_HWPT_AUTO);
	add_hwpt(w, 0, 5, 6, 2, 1, 0)->hwpt.flags = 2;
	add_attach(w, 0, 3, 4);
	add_attach(w, 0, 6, 5);
}

static void example_second(struct scene *w)
{
	struct scene_rec *r;

	add_ioas(w, 1, 1);
	r = add_map(w, 1, 1, 0x1001, 0x1ff1, 2, 0x13, 0);
	r->map.flags = IHO_MAP_FIXED_IOVA | IHO_MAP_READABLE;
	r->map_ref.flags = 0;
	add_bind(w, 1, 2, 2);
}

void scene_example(struct scene *w)
{
	const struct iho_unit unit = {
		.type = IHO_UNIT_INTEL_VTD,
		.mode = IHO_UNIT_LEGACY,
		.register_pa = 0xfed90000,
		.cap = 0xd2008c222f0606,
		.ecap = 0xf00f4a,
		.root_pa = 0x104a3f000,
	};
	const struct iho_device nic = {
		.level = IHO_LEVEL_PAUSED,
		.source_id = { 0x10 },
		.source_ids = 1,
		.vendor_device = 0x808610c9,
		.subsystem = 0x80860000,
		.class_revision = 0x02000001,
		.domain = 0,
		.dev_id = 3,
		.path_len = 1,
		.path = { 0x10 },
	};

	memset(w, 0, sizeof(*w));
	w->generation = 42;
	name(w->release, "7.3.4-example");

	add_memory(w, "vm-alpha", 1, 16 * MiB, 0x6);
	add_memory(w, "vm-alpha", 2, 2 * MiB, 0xf);
	add_memory(w, "vm-beta", 1, 0x3000, 0x6);
	w->unit[w->units++] = unit;
	w->table[w->tables++] = (struct iho_table){
		IHO_TABLE_VTDSS, 3, 0x104b00000, 0, 4, 0, 39 };
	w->table[w->tables++] = (struct iho_table){
		IHO_TABLE_VTDSS, 4, 0x104b10000, 0, 5, IHO_TABLE_SNOOP, 48 };
	w->domain[w->domains++] = (struct iho_domain){ 0, 1, 0, 0 };
	w->domain[w->domains++] = (struct iho_domain){ 0, 2, 1, 0 };
	w->device[0] = nic;
	w->device[1] = nic;
	w->device[1].source_id[0] = 0x300;
	w->device[1].source_id[1] = 0x2f8;
	w->device[1].source_ids = 2;
	w->device[1].domain = 1;
	w->device[1].dev_id = 6;
	w->device[1].path_len = 3;
	memcpy(w->device[1].path, "\xe1\xf8\0", 3);
	w->device[1].serial = 0xfcc2330012005254;
	w->device[2] = nic;
	w->device[2].source_id[0] = 0x400;
	w->device[2].domain = IHO_NONE;
	w->device[2].context = 1;
	w->device[2].dev_id = 2;
	w->device[2].path_len = 2;
	memcpy(w->device[2].path, "\xe2\0", 2);
	w->device[2].serial = 0xfcc2330013005254;
	w->devices = 3;
	add_context(w, "vm-alpha", 16);
	add_context(w, "vm-beta", 7);
	example_first(w);
	example_second(w);
}

void scene_amd(struct scene *w)
{
	memset(w, 0, sizeof(*w));
	w->generation = 3;
	name(w->release, "7.3.4-example");
	add_memory(w, "vm", 1, 64 * MiB, 0x6);
	w->unit[w->units++] = (struct iho_unit){
		.type = IHO_UNIT_AMD_VI,
		.mode = IHO_UNIT_DEVICE_TABLE,
		.register_pa = 0xfeb80000,
		.cap = 0x22294ada,
		.root_pa = 0x102400000,
	};
	w->table[w->tables++] = (struct iho_table){
		IHO_TABLE_AMDV1, 3, 0x102500000, 0, 3, IHO_TABLE_SNOOP, 64 };
	w->table[w->tables++] = (struct iho_table){
		IHO_TABLE_AMDV1, 4, 0x102510000, 0, 4, IHO_TABLE_SNOOP, 48 };
	w->domain[w->domains++] = (struct iho_domain){ 0, 1, 0, 0 };
	w->device[w->devices++] = (struct iho_device){
		.level = IHO_LEVEL_PAUSED,
		.source_id = { 0x18 },
		.source_ids = 1,
		.vendor_device = 0x808610c9,
		.subsystem = 0x80860000,
		.class_revision = 0x02000001,
		.dev_id = 2,
		.path_len = 1,
		.path = { 0x18 },
	};
	add_context(w, "vm", 2);
	add_ioas(w, 0, 1);
	add_map(w, 0, 1, 0, 64 * MiB, 0, 0, 0);
	add_bind(w, 0, 2, 0);
	add_hwpt(w, 0, 3, 2, 1, 0, IHO_HWPT_AUTO);
	add_hwpt(w, 0, 4, 2, 1, 1, 0);
	add_attach(w, 0, 2, 3);
}

void scene_small(struct scene *w)
{
	memset(w, 0, sizeof(*w));
	w->generation = 1;
	name(w->release, "7.3.4");
	add_memory(w, "s", 1, 0x1000, 0);
	add_context(w, "s", 2);
	add_ioas(w, 0, 1);
	add_map(w, 0, 1, 0x1000, 0x1000, 0, 0, 0);
}

/* xorshift64*, so that a seed means the same everywhere. */
u64 random_next(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static u32 below(u64 *s, u32 n)
{
	return (u32)((random_next(s) >> 33) % n);
}

static u64 random_pa(u64 *s)
{
	return (random_next(s) & 0x000ffffffffff000ull) | 0x1000;
}

/* A format that the unit reads, and levels, attributes and width that it allows. */
static void random_table(u64 *s, u32 unit_type, struct iho_table *t)
{
	static const struct {
		u32 format, levels, more, attributes, widest[4];
	} of[] = {
		{ IHO_TABLE_VTDSS, 3, 3, 3, { 39, 48, 57 } },
		{ IHO_TABLE_X86_64, 4, 2, 3, { 47, 56 } },
		{ IHO_TABLE_AMDV1, 3, 4, IHO_TABLE_SNOOP, { 64, 64, 64, 64 } },
	};
	u32 f = below(s, 2) + (unit_type == IHO_UNIT_AMD_VI);
	u32 more = below(s, of[f].more);

	*t = (struct iho_table){
		.format = of[f].format,
		.levels = of[f].levels + more,
		.root_pa = random_pa(s),
		.attributes = below(s, 4) & of[f].attributes,
		.width = 30 + below(s, of[f].widest[more] - 29),
	};
}

/*
 * The stream of one context. Object IDs are dealt out over all kinds in turn
 * so that they interleave. One HWPT for each IOAS that is paged, and each
 * device either on one of them or on none.
 */
static void random_stream(struct scene *w, u32 context, u64 *s)
{
	u32 ioas[6], n = below(s, 7), id = 1 + below(s, 3), group = 0, i, j;
	u32 first_memory = IHO_NONE, memories = 0, first_table = w->tables;
	u32 devices = n ? below(s, 4) : 0, hwpts = 0, dev[4], on[4];
	bool paged[6] = { false };
	struct iho_device *d;
	struct scene_rec *r;
	struct iho_table *t;
	u64 iova, len;

	for (i = 0; i < w->memories; i++) {
		if (memcmp(w->memory[i].session, w->context[context].session,
			   IHO_SESSION_LEN))
			continue;
		if (!memories++)
			first_memory = i;
	}
	if (below(s, 2))
		scene_add(w, context, IHO_REC_OPTION);
	for (i = 0; i < n; i++) {
		ioas[i] = id;
		paged[i] = below(s, 2);
		add_ioas(w, context, id);
		id += 1 + below(s, 3);
	}
	for (i = 0; i < n; i++)
		if (paged[i] && below(s, 3) == 0)
			scene_add(w, context, IHO_REC_IOAS_OPTION)
				->option.object_id = ioas[i];
	for (i = 0; i < n; i++) {
		if (below(s, 3))
			continue;
		r = scene_add(w, context, IHO_REC_ALLOW_IOVAS);
		r->allow.ioas_id = ioas[i];
		r->allow.num_iovas = 1 + below(s, 8);
		r->inline_len = r->allow.num_iovas * 16;
		for (iova = 0, j = 0; j < r->allow.num_iovas; j++) {
			iova += below(s, 1 << 20);
			r->range[j].start = iova;
			iova += 1 + below(s, 1 << 20);
			r->range[j].last = iova++;
		}
	}
	if (n && below(s, 2))
		scene_add(w, context, IHO_REC_VFIO_IOAS)->vfio.ioas_id =
			ioas[below(s, n)];
	for (i = 0; memories && i < n; i++) {
		iova = below(s, 16) * 4096;
		for (j = below(s, 12); j; j--) {
			u32 m = first_memory + below(s, memories);
			u64 size = w->memory[m].size;
			u64 start = below(s, (u32)(size / 4096)) * 4096ull;

			len = (1 + below(s, (u32)((size - start) / 4096))) *
			      4096ull;
			if (!paged[i]) {
				iova += below(s, 4096);
				len -= below(s, 4095);
			}
			r = add_map(w, context, ioas[i], iova, len, m, start,
				    group++);
			iova += len + below(s, 2) * 4096ull * below(s, 9);
			if (below(s, 2)) {
				r->map.flags &= ~IHO_MAP_WRITEABLE;
				if (below(s, 2))
					r->map_ref.flags = 0;
			}
			if (below(s, 4) == 0 && r != w->rec[context] &&
			    r[-1].kind == IHO_REC_MAP_FILE &&
			    r[-1].map_ref.memory == m) {
				r->map_ref.group = r[-1].map_ref.group;
				r->map_ref.flags = r[-1].map_ref.flags;
				if (!r->map_ref.flags)
					r->map.flags = IHO_MAP_FIXED_IOVA |
						       IHO_MAP_READABLE;
				group--;
			}
		}
	}
	for (i = 0; i < devices; i++) {
		d = &w->device[w->devices];
		memset(d, 0, sizeof(*d));
		d->level = IHO_LEVEL_PAUSED + below(s, 2);
		d->source_id[0] = w->devices * 8;
		d->source_ids = 1 + below(s, IHO_MAX_SOURCE_IDS);
		for (j = 1; j < d->source_ids; j++)
			d->source_id[j] = 0x8000 + j;
		d->vendor_device = (u32)random_next(s);
		d->class_revision = (u32)random_next(s);
		d->root_bus = below(s, (d->source_id[0] >> 8) + 1);
		d->path_len = 1 + below(s, IHO_MAX_PATH);
		for (j = 0; j < d->path_len; j++)
			d->path[j] = (u8)below(s, 256);
		d->path[d->path_len - 1] = d->source_id[0] & 0xff;
		d->serial = below(s, 2) ? random_next(s) : 0;
		d->context = context;
		d->domain = IHO_NONE;
		d->dev_id = id;
		dev[i] = w->devices;
		add_bind(w, context, id, w->devices++);
		id += 1 + below(s, 3);
	}
	for (i = 0; devices && i < n; i++) {
		if (!paged[i])
			continue;
		t = &w->table[w->tables];
		random_table(s, w->unit[0].type, t);
		t->context = context;
		t->hwpt_id = id;
		add_hwpt(w, context, id, w->device[dev[below(s, devices)]]
			 .dev_id, ioas[i], w->tables, 0)->hwpt.flags =
			below(s, 2) * 2;
		on[hwpts++] = id;
		w->tables++;
		id += 1 + below(s, 3);
		if (hwpts == 4)
			break;
	}
	for (i = 0; hwpts && i < devices; i++) {
		u32 h = below(s, hwpts);

		if (below(s, 4) == 0)
			continue;
		/* A domain for each device: IDs are dealt out at the end. */
		w->domain[w->domains] = (struct iho_domain){
			0, 10 + w->domains, first_table + h, 0 };
		w->device[dev[i]].domain = w->domains++;
		add_attach(w, context, w->device[dev[i]].dev_id, on[h]);
	}
}

void scene_random(struct scene *w, u64 seed)
{
	u64 s = seed * 0x9e3779b97f4a7c15ull + 1;
	char session[IHO_SESSION_LEN];
	u32 sessions, mode, i, j;

	memset(w, 0, sizeof(*w));
	w->generation = random_next(&s);
	name(w->release, below(&s, 2) ? "7.3.4" : "7.2.13-rc1+");
	sessions = 1 + below(&s, 4);
	for (i = 0; i < sessions; i++) {
		memset(session, 0, sizeof(session));
		memset(session, 'a' + (int)i, 1 + below(&s, 63));
		for (j = below(&s, 8); j; j--)
			add_memory(w, session, 100 - j,
				   4096ull * (1 + below(&s, 1000)),
				   below(&s, 64));
		for (j = below(&s, 3); j; j--)
			add_context(w, session, 1000 - j);
	}
	mode = 1 + below(&s, 3);
	w->unit[0] = (struct iho_unit){
		.type = mode == IHO_UNIT_DEVICE_TABLE ?
			IHO_UNIT_AMD_VI : IHO_UNIT_INTEL_VTD,
		.mode = mode,
		.register_pa = random_pa(&s),
		.cap = random_next(&s),
		.ecap = random_next(&s),
		.root_pa = random_pa(&s),
	};
	for (i = 0; i < w->contexts; i++)
		random_stream(w, i, &s);
	w->units = w->devices ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "scene.h"

#define MiB	(1ull << 20)

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return p;
}

void *exact(const void *data, size_t len)
{
	void *p = must(malloc(len ? len : 1));

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

/* ---- snapshot -------------------------------------------------------- */

void scene_facts(const struct scene *w, struct iho_facts *facts)
{
	*facts = (struct iho_facts){
		.generation = w->generation, .release = w->release,
		.memory = w->memory, .unit = w->unit, .table = w->table,
		.domain = w->domain, .device = w->device,
		.context = w->context, .memories = w->memories,
		.units = w->units, .tables = w->tables,
		.domains = w->domains, .devices = w->devices,
		.contexts = w->contexts,
	};
}

/* Streams one behind the other, each beginning on @align bytes. */
static u8 *streams(struct scene *w, u64 base, u64 align, u64 *len)
{
	const struct scene_rec *r;
	u8 *buf = NULL;
	u64 pos, end;
	int pass;
	u32 i, j;

	for (pass = 0; pass < 2; pass++) {
		if (pass)
			buf = must(calloc(1, *len + 1));
		for (pos = 0, i = 0; i < w->contexts; i++) {
			w->context[i].stream_off = base + pos;
			end = pos;
			for (j = 0; j < w->recs[i]; j++) {
				r = &w->rec[i][j];
				if (iho_rec_append(buf, *len, &end, r->kind,
						   r->payload, r->payload_len,
						   r->inl, r->inline_len))
					abort();
			}
			w->context[i].stream_len = end - pos;
			w->context[i].records = w->recs[i];
			pos = (end + align - 1) / align * align;
		}
		*len = pos;
	}
	return buf;
}

u8 *scene_snapshot(struct scene *w, size_t *len)
{
	struct iho_snap_header h = {
		.magic = IHO_SNAP_MAGIC, .header_len = sizeof(h),
		.major = IHO_FORMAT_MAJOR, .minor = IHO_FORMAT_MINOR,
		.generation = w->generation, .memories = w->memories,
		.units = w->units, .tables = w->tables,
		.domains = w->domains, .devices = w->devices,
		.contexts = w->contexts,
		.memory_len = sizeof(w->memory[0]),
		.unit_len = sizeof(w->unit[0]),
		.table_len = sizeof(w->table[0]),
		.domain_len = sizeof(w->domain[0]),
		.device_len = sizeof(w->device[0]),
		.context_len = sizeof(w->context[0]),
	};
	const struct {
		const void *at;
		size_t size;
	} part[] = {
		{ &h, sizeof(h) },
		{ w->memory, w->memories * sizeof(w->memory[0]) },
		{ w->unit, w->units * sizeof(w->unit[0]) },
		{ w->table, w->tables * sizeof(w->table[0]) },
		{ w->domain, w->domains * sizeof(w->domain[0]) },
		{ w->device, w->devices * sizeof(w->device[0]) },
		{ w->context, w->contexts * sizeof(w->context[0]) },
	};
	size_t at = 0, i;
	u8 *tail, *snap;
	u64 tail_len;

	memcpy(h.release, w->release, sizeof(h.release));
	for (i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		at += part[i].size;
	tail = streams(w, at, 8, &tail_len);
	h.total_len = at + tail_len;
	snap = must(malloc(h.total_len));
	for (at = 0, i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		memcpy(snap + at, part[i].at, part[i].size);
		at += part[i].size;
	}
	memcpy(snap + at, tail, tail_len);
	free(tail);
	*len = h.total_len;
	return snap;
}

/* ---- image ----------------------------------------------------------- */

static void put(int err)
{
	if (err) {
		fprintf(stderr, "libfdt: %s\n", fdt_strerror(err));
		exit(2);
	}
}

#define CELL(name, value)	put(fdt_property_u32(fdt, name, value))
#define WIDE(name, value)	put(fdt_property_u64(fdt, name, value))

/* Whatever stands in the array, as far as it is terminated. */
static void text(void *fdt, const char *prop, const char *s)
{
	put(fdt_property(fdt, prop, s, (int)strnlen(s, IHO_SESSION_LEN) + 1));
}

static void word(void *fdt, const char *prop, u32 value, const char *one,
		 const char *two)
{
	const char *s = value == 1 ? one : value == 2 ? two : "unheard-of";

	put(fdt_property_string(fdt, prop, s));
}

static const char *format_word(u32 format)
{
	static const char *const words[] = { "", "vtdss", "x86_64", "amdv1" };

	return format && format < 4 ? words[format] : "unheard-of";
}

static void begin(void *fdt, const char *kind, u32 i)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%s-%u", kind, i);
	put(fdt_begin_node(fdt, buf));
}

static void put_device(void *fdt, const struct iho_device *d)
{
	fdt32_t ids[IHO_MAX_SOURCE_IDS + 1];
	u32 i, n = d->source_ids, p = d->path_len;
	u8 path[IHO_MAX_PATH + 1] = { 0 };

	if (n > IHO_MAX_SOURCE_IDS + 1)
		n = IHO_MAX_SOURCE_IDS + 1;
	if (p > sizeof(path))
		p = sizeof(path);
	memcpy(path, d->path, IHO_MAX_PATH);
	memset(ids, 0, sizeof(ids));
	for (i = 0; i < n && i < IHO_MAX_SOURCE_IDS; i++)
		ids[i] = cpu_to_fdt32(d->source_id[i]);
	word(fdt, "level", d->level, "paused", "continuous");
	CELL("segment", d->segment);
	put(fdt_property(fdt, "source-ids", ids, (int)(n * 4)));
	CELL("root-bus", d->root_bus);
	put(fdt_property(fdt, "path", path, (int)p));
	CELL("vendor-device", d->vendor_device);
	CELL("subsystem", d->subsystem);
	CELL("class-revision", d->class_revision);
	WIDE("serial", d->serial);
	CELL("unit", d->unit);
	CELL("domain", d->domain);
	CELL("context", d->context);
	CELL("dev-id", d->dev_id);
	CELL("vfio-file", d->vfio_file);
	WIDE("token-vfio", d->vfio_token);
	CELL("msix", d->msix);
	put(fdt_property(fdt, "bridges", "", 0));
}

static void put_nodes(void *fdt, const struct scene *w)
{
	u32 i;

	for (i = 0; i < w->memories; i++) {
		begin(fdt, "memory", i);
		text(fdt, "session", w->memory[i].session);
		WIDE("token", w->memory[i].token);
		WIDE("size", w->memory[i].size);
		CELL("seals", w->memory[i].seals);
		if (w->in_memory)
			w->in_memory(fdt);
		put(fdt_end_node(fdt));
	}
	for (i = 0; i < w->units; i++) {
		begin(fdt, "unit", i);
		word(fdt, "type", w->unit[i].type, "intel-vtd", "amd-vi");
		if (w->unit[i].mode == IHO_UNIT_DEVICE_TABLE)
			put(fdt_property_string(fdt, "mode", "device-table"));
		else
			word(fdt, "mode", w->unit[i].mode, "legacy",
			     "scalable");
		CELL("segment", w->unit[i].segment);
		WIDE("register-pa", w->unit[i].register_pa);
		WIDE("capability", w->unit[i].cap);
		WIDE("capability-extended", w->unit[i].ecap);
		WIDE("root-pa", w->unit[i].root_pa);
		WIDE("interrupt-root", w->unit[i].interrupt_root);
		put(fdt_end_node(fdt));
	}
	for (i = 0; i < w->tables; i++) {
		begin(fdt, "table", i);
		put(fdt_property_string(fdt, "format",
					format_word(w->table[i].format)));
		CELL("levels", w->table[i].levels);
		WIDE("root-pa", w->table[i].root_pa);
		CELL("context", w->table[i].context);
		CELL("hwpt-id", w->table[i].hwpt_id);
		CELL("attributes", w->table[i].attributes);
		CELL("width", w->table[i].width);
		put(fdt_end_node(fdt));
	}
	for (i = 0; i < w->domains; i++) {
		begin(fdt, "domain", i);
		CELL("unit", w->domain[i].unit);
		CELL("domain-id", w->domain[i].domain_id);
		CELL("space", w->domain[i].space);
		CELL("table", w->domain[i].table);
		put(fdt_end_node(fdt));
	}
	for (i = 0; i < w->devices; i++) {
		begin(fdt, "device", i);
		put_device(fdt, &w->device[i]);
		put(fdt_end_node(fdt));
	}
	for (i = 0; i < w->contexts; i++) {
		begin(fdt, "context", i);
		text(fdt, "session", w->context[i].session);
		WIDE("token", w->context[i].token);
		WIDE("stream-off", w->context[i].stream_off);
		WIDE("stream-len", w->context[i].stream_len);
		CELL("records", w->context[i].records);
		CELL("stream-crc", w->context[i].stream_crc);
		put(fdt_end_node(fdt));
	}
}

static void put_fdt(void *fdt, int cap, const struct scene *w)
{
	const fdt32_t version[2] = {
		cpu_to_fdt32(IHO_FORMAT_MAJOR), cpu_to_fdt32(IHO_FORMAT_MINOR)
	};

	put(fdt_create(fdt, cap));
	put(fdt_finish_reservemap(fdt));
	put(fdt_begin_node(fdt, ""));
	put(fdt_property(fdt, "version", version, sizeof(version)));
	WIDE("generation", w->generation);
	text(fdt, "release", w->release);
	CELL("page-bytes", 4096);
	if (w->in_root)
		w->in_root(fdt);
	put_nodes(fdt, w);
	if (w->behind_nodes)
		w->behind_nodes(fdt);
	put(fdt_end_node(fdt));
	put(fdt_finish(fdt));
}

static u64 page_up(u64 n)
{
	return (n + 4095) & ~4095ull;
}

static void be32_at(u8 *p, u32 v)
{
	fdt32_st(p, v);
}

void image_seal_header(u8 *image, size_t len)
{
	struct iho_sha256 sha;

	memset(image + 52, 0, 4 + 32);
	be32_at(image + 52, iho_crc32(0, image, 128));
	iho_sha256_init(&sha);
	iho_sha256_update(&sha, image, len);
	/* header_crc counts in the digest, the digest itself does not */
	iho_sha256_final(&sha, image + 56);
}

void image_seal_fdt(u8 *image)
{
	be32_at(image + 40, iho_crc32(0, image + 128,
				      fdt32_ld((void *)(image + 36))));
}

void image_seal(u8 *image, size_t len)
{
	image_seal_fdt(image);
	image_seal_header(image, len);
}

static void put_header(u8 *image, u64 len, u32 fdt_len, u32 sections)
{
	memset(image, 0, 128);
	memcpy(image, "IOMMUHO1", 8);
	be32_at(image + 8, 128);
	image[13] = IHO_FORMAT_MAJOR;
	image[15] = IHO_FORMAT_MINOR;
	fdt64_st(image + 16, len);
	be32_at(image + 32, 128);
	be32_at(image + 36, fdt_len);
	image[44] = 0x12;
	image[45] = 0x34;
	be32_at(image + 48, sections);
	image_seal(image, len);
}

u8 *scene_image(struct scene *w, size_t *len)
{
	const int cap = 1 << 20;
	u8 *fdt = must(malloc((size_t)cap));
	u8 *tail, *image;
	u64 tail_len, base;
	u32 fdt_len, i;

	put_fdt(fdt, cap, w);
	fdt_len = fdt_totalsize(fdt);
	base = page_up(128 + fdt_len);
	tail = streams(w, base, 4096, &tail_len);
	for (i = 0; i < w->contexts; i++)
		w->context[i].stream_crc =
			iho_crc32(0, tail + (w->context[i].stream_off - base),
				  w->context[i].stream_len);
	put_fdt(fdt, cap, w);
	*len = base + tail_len;
	image = must(calloc(1, *len));
	memcpy(image + 128, fdt, fdt_len);
	memcpy(image + base, tail, tail_len);
	put_header(image, *len, fdt_len, w->contexts);
	free(tail);
	free(fdt);
	return image;
}

u8 *image_with_fdt(const u8 *image, size_t len, const void *fdt,
		   size_t *new_len)
{
	u32 old = fdt32_ld((const void *)(image + 36));
	u32 fdt_len = fdt_totalsize(fdt);
	u64 from = page_up(128 + old), to = page_up(128 + fdt_len);
	u8 *out;

	*new_len = to + (len - from);
	out = must(calloc(1, *new_len));
	memcpy(out + to, image + from, len - from);
	memcpy(out + 128, fdt, fdt_len);
	put_header(out, *new_len, fdt_len,
		   fdt32_ld((const void *)(image + 48)));
	return out;
}

void *fdt_rewrite(const void *fdt)
{
	const int cap = 1 << 20;
	void *out = must(malloc((size_t)cap));
	const struct fdt_property *p;
	int off = 0, next, len;
	u32 tag;

	if (fdt_check_header(fdt))
		goto bad;
	put(fdt_create(out, cap));
	put(fdt_finish_reservemap(out));
	do {
		tag = fdt_next_tag(fdt, off, &next);
		if (next < 0)
			goto bad;
		if (tag == FDT_BEGIN_NODE) {
			put(fdt_begin_node(out, fdt_get_name(fdt, off, NULL)));
		} else if (tag == FDT_PROP) {
			p = fdt_get_property_by_offset(fdt, off, &len);
			put(fdt_property(out,
					 fdt_string(fdt,
						    (int)fdt32_ld(&p->nameoff)),
					 p->data, len));
		} else if (tag == FDT_END_NODE) {
			put(fdt_end_node(out));
		}
		off = next;
	} while (tag != FDT_END);
	put(fdt_finish(out));
	return out;
bad:
	free(out);
	return NULL;
}

int image_check(const u8 *image, size_t len, struct iho_where *where)
{
	struct iho_seg seg = { image, len };
	struct iho_image img;
	const struct iho_plan_source src = { .img = &img };
	struct iho_context c;
	struct iho_plan plan;
	size_t work_len;
	void *work;
	u32 i;
	int err;

	err = iho_image_open(&seg, 1, &img, where);
	for (i = 0; !err && i < img.contexts; i++) {
		iho_get_context(&img, i, &c);
		work_len = iho_plan_work(c.records);
		work = must(malloc(work_len + 1));
		err = iho_plan_init(&plan, &src, i, image + c.stream_off,
				    c.stream_len, c.records, work, work_len,
				    where);
		free(work);
	}
	return err;
}

#define READ_ALL(what, count)						\
	do {								\
		for (i = 0; i < img.count; i++)				\
			if (iho_get_##what(&img, i, &all->what[i]))	\
				abort();				\
		facts.what = all->what;					\
		facts.count = img.count;				\
	} while (0)

u8 *image_rebuild(const u8 *image, size_t len, size_t *new_len)
{
	struct {
		struct iho_memory memory[IHO_MAX_MEMORIES];
		struct iho_unit unit[IHO_MAX_UNITS];
		struct iho_table table[IHO_MAX_TABLES];
		struct iho_domain domain[IHO_MAX_DOMAINS];
		struct iho_device device[IHO_MAX_DEVICES];
		struct iho_context context[IHO_MAX_CONTEXTS];
	} *all = must(malloc(sizeof(*all)));
	struct iho_seg seg = { image, len };
	struct iho_facts facts = { 0 };
	struct iho_image img;
	struct iho_where where;
	size_t cap;
	u8 *out;
	u32 i;

	if (iho_image_open(&seg, 1, &img, &where))
		abort();
	facts.generation = img.generation;
	facts.release = img.release;
	READ_ALL(memory, memories);
	READ_ALL(unit, units);
	READ_ALL(table, tables);
	READ_ALL(domain, domains);
	READ_ALL(device, devices);
	READ_ALL(context, contexts);
	cap = iho_build_size(&facts);
	out = must(malloc(cap));
	if (iho_build(&facts, image, out, cap, new_len, &where)) {
		free(out);
		out = NULL;
	}
	free(all);
	return out;
}

// SPDX-License-Identifier: GPL-2.0-only
/* What a scene is as a snapshot and as an image. */
#include <stdio.h>
#include <stdlib.h>

#include "scene.h"

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
			buf = got(calloc(1, *len + 1));
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
	snap = got(malloc(h.total_len));
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
		put(fdt_property(fdt, "stream-digest",
				 w->context[i].stream_digest, 32));
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

void sha256_of(const void *ptr, size_t len, u8 digest[32])
{
	struct iho_sha256 sha;

	iho_sha256_init(&sha);
	iho_sha256_update(&sha, ptr, len);
	iho_sha256_final(&sha, digest);
}

void image_seal_header(u8 *image, size_t len)
{
	size_t head = 128 + (size_t)fdt32_ld((void *)(image + 36));

	memset(image + 52, 0, 4 + 32);
	be32_at(image + 52, iho_crc32(0, image, 128));
	/* header_crc counts in the digest, the digest itself does not */
	sha256_of(image, head < len ? head : len, image + 56);
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
	u8 *fdt = got(malloc((size_t)cap));
	u8 *tail, *image;
	u64 tail_len, base;
	u32 fdt_len, i;

	put_fdt(fdt, cap, w);
	fdt_len = fdt_totalsize(fdt);
	base = page_up(128 + fdt_len);
	tail = streams(w, base, 4096, &tail_len);
	for (i = 0; i < w->contexts; i++)
		sha256_of(tail + (w->context[i].stream_off - base),
			  w->context[i].stream_len,
			  w->context[i].stream_digest);
	put_fdt(fdt, cap, w);
	*len = base + tail_len;
	image = got(calloc(1, *len));
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
	out = got(calloc(1, *new_len));
	memcpy(out + to, image + from, len - from);
	memcpy(out + 128, fdt, fdt_len);
	put_header(out, *new_len, fdt_len,
		   fdt32_ld((const void *)(image + 48)));
	return out;
}

void *fdt_rewrite(const void *fdt)
{
	const int cap = 1 << 20;
	void *out = got(malloc((size_t)cap));
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

static int check_plans(const struct iho_image *img, const u8 *image,
		       struct iho_where *where)
{
	const struct iho_plan_source src = { .img = img };
	struct iho_context c;
	struct iho_plan plan;
	size_t work_len;
	void *work;
	int err = 0;
	u32 i;

	for (i = 0; !err && i < img->contexts; i++) {
		iho_get_context(img, i, &c);
		work_len = iho_plan_work(c.records);
		work = got(malloc(work_len + 1));
		err = iho_plan_init(&plan, &src, i, image + c.stream_off,
				    c.stream_len, c.records, work, work_len,
				    where);
		free(work);
	}
	return err;
}

int image_check(const u8 *image, size_t len, struct iho_where *where)
{
	struct iho_where with = { 0 }, without = { 0 };
	struct iho_seg seg = { image, len };
	struct iho_image img;
	void *index;
	int err;

	err = iho_image_open(&seg, 1, &img, where);
	if (err)
		return err;
	err = check_plans(&img, image, &without);
	index = got(malloc(iho_image_index_size(&img) + 1));
	iho_image_index(&img, index);
	/* An index changes no verdict and no place. */
	if (check_plans(&img, image, &with) != err ||
	    (err && (strcmp(with.node, without.node) ||
		     strcmp(with.prop, without.prop) ||
		     with.offset != without.offset ||
		     with.index != without.index ||
		     with.record != without.record)))
		abort();
	free(index);
	if (err)
		*where = with;
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
	} *all = got(malloc(sizeof(*all)));
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
	out = got(malloc(cap));
	if (iho_build(&facts, image, out, cap, new_len, &where)) {
		free(out);
		out = NULL;
	}
	free(all);
	return out;
}

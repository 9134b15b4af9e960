// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: an account of an image, for people and for programs.
 *
 * The streams were accepted: records come ordered by kind, and within the
 * kinds of an IOAS by its ID. So one pass with a cursor per kind is enough to
 * put what belongs to an IOAS under it.
 */
#include <stdio.h>

#include "tool.h"

#define ULL(x)	((unsigned long long)(x))

static const char *mode_name(u32 mode)
{
	return mode == IHO_UNIT_LEGACY ? "legacy" : "scalable";
}

static const char *level_name(u32 level)
{
	return level == IHO_LEVEL_PAUSED ? "paused" : "continuous";
}

/* ---- cursors --------------------------------------------------------- */

struct cursor {
	struct iho_plan plan;
	struct iho_step step;
	u32 kind;
	bool have;
};

static void next(struct cursor *c)
{
	c->have = iho_plan_next(&c->plan, &c->step) && c->step.kind == c->kind;
}

static void first(struct cursor *c, const struct iho_plan *plan, u32 kind)
{
	c->plan = *plan;
	c->kind = kind;
	iho_plan_rewind(&c->plan);
	while (iho_plan_next(&c->plan, &c->step) && c->step.kind < kind)
		;
	c->have = c->step.kind == kind;
}

struct cursors {
	struct cursor rlimit, ioas, huge, allow, vfio, map, bind, hwpt, attach;
};

static void all_first(struct cursors *c, const struct iho_plan *plan)
{
	memset(c, 0, sizeof(*c));
	first(&c->rlimit, plan, IHO_REC_OPTION);
	first(&c->ioas, plan, IHO_REC_IOAS_ALLOC);
	first(&c->huge, plan, IHO_REC_IOAS_OPTION);
	first(&c->allow, plan, IHO_REC_ALLOW_IOVAS);
	first(&c->vfio, plan, IHO_REC_VFIO_IOAS);
	first(&c->map, plan, IHO_REC_MAP_FILE);
	first(&c->bind, plan, IHO_REC_VFIO_BIND);
	first(&c->hwpt, plan, IHO_REC_HWPT_ALLOC);
	first(&c->attach, plan, IHO_REC_ATTACH);
}

/* Does the record under the cursor belong to this IOAS? */
static bool huge_off(const struct cursors *c, u32 ioas)
{
	return c->huge.have && c->huge.step.option.object_id == ioas;
}

static bool allows(const struct cursors *c, u32 ioas)
{
	return c->allow.have && c->allow.step.allow.ioas_id == ioas;
}

static bool is_vfio(const struct cursors *c, u32 ioas)
{
	return c->vfio.have && c->vfio.step.vfio_ioas.ioas_id == ioas;
}

static bool maps(const struct cursors *c, u32 ioas)
{
	return c->map.have && c->map.step.map.cmd.ioas_id == ioas;
}

static bool attached(const struct cursors *c, u32 dev_id)
{
	return c->attach.have && c->attach.step.attach.ref.dev_id == dev_id;
}

/* ---- text ------------------------------------------------------------ */

static void print_address(const struct iho_device *d, u32 i)
{
	printf("%04x:%02x:%02x.%u", d->segment, d->source_id[i] >> 8,
	       d->source_id[i] >> 3 & 0x1f, d->source_id[i] & 7);
}

/* "0000:00/1c.1/00.0": root bus, then slot and function of each step. */
static void print_path(const struct iho_device *d)
{
	u32 i;

	printf("%04x:%02x", d->segment, d->root_bus);
	for (i = 0; i < d->path_len; i++)
		printf("/%02x.%u", d->path[i] >> 3, d->path[i] & 7u);
}

static void text_facts(const struct iho_image *img)
{
	struct iho_memory m;
	struct iho_unit u;
	struct iho_table t;
	struct iho_domain n;
	struct iho_device d;
	u32 i, j;

	for (i = 0; i < img->memories; i++) {
		iho_get_memory(img, i, &m);
		printf("memory-%u: session \"%s\", token %llu, ", i,
		       m.session, ULL(m.token));
		printf("%llu bytes, seals 0x%x\n", ULL(m.size), m.seals);
	}
	for (i = 0; i < img->units; i++) {
		iho_get_unit(img, i, &u);
		printf("unit-%u: intel-vtd, %s, segment %u, ", i,
		       mode_name(u.mode), u.segment);
		printf("registers 0x%llx, root table 0x%llx\n",
		       ULL(u.register_pa), ULL(u.root_pa));
		printf("  cap 0x%llx, ecap 0x%llx\n", ULL(u.cap), ULL(u.ecap));
	}
	for (i = 0; i < img->tables; i++) {
		iho_get_table(img, i, &t);
		printf("table-%u: vtdss, %u levels, root 0x%llx, ", i,
		       t.levels, ULL(t.root_pa));
		printf("of HWPT %u of context-%u\n", t.hwpt_id, t.context);
		printf("  %u bits of IOVA%s%s\n", t.width,
		       t.attributes & IHO_TABLE_SNOOP ?
		       ", coherency enforced" : "",
		       t.attributes & IHO_TABLE_INCOHERENT ?
		       ", read without snooping" : "");
	}
	for (i = 0; i < img->domains; i++) {
		iho_get_domain(img, i, &n);
		printf("domain-%u: ID %u on unit-%u, table-%u\n", i,
		       n.domain_id, n.unit, n.table);
	}
	for (i = 0; i < img->devices; i++) {
		iho_get_device(img, i, &d);
		printf("device-%u: ", i);
		print_address(&d, 0);
		printf(" [%04x:%04x], %s, unit-%u, ", d.vendor_device >> 16,
		       d.vendor_device & 0xffff, level_name(d.level), d.unit);
		if (d.domain == IHO_NONE)
			printf("not attached");
		else
			printf("domain-%u", d.domain);
		printf(", object %u of context-%u\n", d.dev_id, d.context);
		printf("  path ");
		print_path(&d);
		if (d.serial)
			printf(", serial number %016llx", ULL(d.serial));
		printf("\n");
		for (j = 1; j < d.source_ids; j++) {
			printf("  also masters as ");
			print_address(&d, j);
			printf("\n");
		}
	}
}

static void text_map(const struct iho_step *s)
{
	const struct iho_pl_map_file *c = &s->map.cmd;
	const struct iho_map_ref *r = &s->map.ref;

	printf("    0x%llx-0x%llx %c%c memory-%u+0x%llx group %u%s\n",
	       ULL(c->iova), ULL(c->iova + (c->length - 1)),
	       c->flags & IHO_MAP_READABLE ? 'r' : '-',
	       c->flags & IHO_MAP_WRITEABLE ? 'w' : '-', r->memory,
	       ULL(c->start), r->group,
	       r->flags & IHO_MAP_PAGES_WRITABLE &&
	       !(c->flags & IHO_MAP_WRITEABLE) ? " (pages writable)" : "");
}

static void text_ioas(struct cursors *c)
{
	const u32 id = c->ioas.step.ioas.out_ioas_id;
	const struct iho_range *r;
	u32 i;

	printf("  IOAS %u%s%s\n", id, is_vfio(c, id) ? ", VFIO's" : "",
	       huge_off(c, id) ? ", huge pages off" : "");
	if (huge_off(c, id))
		next(&c->huge);
	if (allows(c, id)) {
		r = c->allow.step.allow.range;
		for (i = 0; i < c->allow.step.allow.ranges; i++)
			printf("    allowed 0x%llx-0x%llx\n", ULL(r[i].start),
			       ULL(r[i].last));
		next(&c->allow);
	}
	for (; maps(c, id); next(&c->map))
		text_map(&c->map.step);
}

static void text_stream(const struct iho_plan *plan)
{
	const struct iho_pl_hwpt_alloc *h;
	struct cursors c;

	all_first(&c, plan);
	if (c.rlimit.have)
		printf("  pinned pages are charged to the process\n");
	for (; c.ioas.have; next(&c.ioas))
		text_ioas(&c);
	for (; c.hwpt.have; next(&c.hwpt)) {
		h = &c.hwpt.step.hwpt.cmd;
		printf("  HWPT %u on IOAS %u for device %u, ", h->out_hwpt_id,
		       h->pt_id, h->dev_id);
		printf("%s, flags 0x%x, table-%u\n",
		       c.hwpt.step.hwpt.ref.flags & IHO_HWPT_AUTO ?
		       "made by attach" : "explicit", h->flags,
		       c.hwpt.step.hwpt.ref.table);
	}
	for (; c.bind.have; next(&c.bind)) {
		printf("  device %u is device-%u, ",
		       c.bind.step.bind.cmd.out_devid,
		       c.bind.step.bind.ref.device);
		if (!attached(&c, c.bind.step.bind.cmd.out_devid)) {
			printf("not attached\n");
			continue;
		}
		printf("attached to HWPT %u\n",
		       c.attach.step.attach.cmd.pt_id);
		next(&c.attach);
	}
}

void show_text(const struct loaded *l)
{
	const struct iho_image *img = &l->img;
	struct iho_context c;
	u32 i;

	printf("format %u.%u, written by Linux %s, generation %llu\n",
	       img->major, img->minor, img->release, ULL(img->generation));
	printf("%zu bytes, FDT %u, SHA-256 ", l->len, img->fdt_len);
	for (i = 0; i < sizeof(img->digest); i++)
		printf("%02x", img->digest[i]);
	printf("\n");
	text_facts(img);
	for (i = 0; i < img->contexts; i++) {
		iho_get_context(img, i, &c);
		printf("context-%u: session \"%s\", token %llu, ", i,
		       c.session, ULL(c.token));
		printf("%u records, %llu bytes at %llu\n", c.records,
		       ULL(c.stream_len), ULL(c.stream_off));
		text_stream(&l->plan[i]);
	}
}

/* ---- JSON ------------------------------------------------------------ */

/*
 * Addresses, registers and tokens use all of 64 bits, which many readers of
 * JSON numbers do not: they are strings of hexadecimal digits.
 */
static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void json_name(const char *name)
{
	printf(", ");
	json_string(name);
	printf(": ");
}

static void json_text(const char *name, const char *value)
{
	json_name(name);
	json_string(value);
}

static void json_number(const char *name, u64 value)
{
	json_name(name);
	printf("%llu", ULL(value));
}

static void json_hex(const char *name, u64 value)
{
	json_name(name);
	printf("\"0x%llx\"", ULL(value));
}

static void json_bool(const char *name, bool value)
{
	json_name(name);
	printf("%s", value ? "true" : "false");
}

/* A number, or null for IHO_NONE. */
static void json_index(const char *name, u32 value)
{
	json_name(name);
	if (value == IHO_NONE)
		printf("null");
	else
		printf("%u", value);
}

static void json_array(const char *name)
{
	json_name(name);
	printf("[");
}

/* Element @i of an array; its first member is its index or ID. */
static void json_element(u32 i, const char *indent, const char *key, u32 value)
{
	printf("%s\n%s{\"%s\": %u", i ? "," : "", indent, key, value);
}

static void json_memories(const struct iho_image *img)
{
	struct iho_memory m;
	u32 i;

	json_array("memories");
	for (i = 0; i < img->memories; i++) {
		iho_get_memory(img, i, &m);
		json_element(i, "  ", "index", i);
		json_text("session", m.session);
		json_hex("token", m.token);
		json_number("size", m.size);
		json_number("seals", m.seals);
		printf("}");
	}
	printf("]");
}

static void json_units(const struct iho_image *img)
{
	struct iho_unit u;
	u32 i;

	json_array("units");
	for (i = 0; i < img->units; i++) {
		iho_get_unit(img, i, &u);
		json_element(i, "  ", "index", i);
		json_text("type", "intel-vtd");
		json_text("mode", mode_name(u.mode));
		json_number("segment", u.segment);
		json_hex("register_pa", u.register_pa);
		json_hex("capability", u.cap);
		json_hex("capability_extended", u.ecap);
		json_hex("root_pa", u.root_pa);
		printf("}");
	}
	printf("]");
}

static void json_tables(const struct iho_image *img)
{
	struct iho_table t;
	u32 i;

	json_array("tables");
	for (i = 0; i < img->tables; i++) {
		iho_get_table(img, i, &t);
		json_element(i, "  ", "index", i);
		json_text("format", "vtdss");
		json_number("levels", t.levels);
		json_hex("root_pa", t.root_pa);
		json_number("context", t.context);
		json_number("hwpt_id", t.hwpt_id);
		json_bool("snoop", t.attributes & IHO_TABLE_SNOOP);
		json_bool("incoherent", t.attributes & IHO_TABLE_INCOHERENT);
		json_number("width", t.width);
		printf("}");
	}
	printf("]");
}

static void json_domains(const struct iho_image *img)
{
	struct iho_domain n;
	u32 i;

	json_array("domains");
	for (i = 0; i < img->domains; i++) {
		iho_get_domain(img, i, &n);
		json_element(i, "  ", "index", i);
		json_number("unit", n.unit);
		json_number("domain_id", n.domain_id);
		json_number("table", n.table);
		printf("}");
	}
	printf("]");
}

static void json_devices(const struct iho_image *img)
{
	struct iho_device d;
	u32 i, j;

	json_array("devices");
	for (i = 0; i < img->devices; i++) {
		iho_get_device(img, i, &d);
		json_element(i, "  ", "index", i);
		json_name("address");
		printf("\"");
		print_address(&d, 0);
		printf("\"");
		json_text("level", level_name(d.level));
		json_number("segment", d.segment);
		json_array("source_ids");
		for (j = 0; j < d.source_ids; j++)
			printf("%s%u", j ? ", " : "", d.source_id[j]);
		printf("]");
		json_name("path");
		printf("\"");
		print_path(&d);
		printf("\"");
		json_number("vendor", d.vendor_device >> 16);
		json_number("device", d.vendor_device & 0xffff);
		json_number("subsystem_vendor", d.subsystem >> 16);
		json_number("subsystem", d.subsystem & 0xffff);
		json_number("class", d.class_revision >> 8);
		json_number("revision", d.class_revision & 0xff);
		json_hex("serial", d.serial);
		json_number("unit", d.unit);
		json_index("domain", d.domain);
		json_number("context", d.context);
		json_number("dev_id", d.dev_id);
		printf("}");
	}
	printf("]");
}

static void json_map(u32 i, const struct iho_step *s)
{
	const struct iho_pl_map_file *c = &s->map.cmd;

	printf("%s\n      {\"iova\": \"0x%llx\"", i ? "," : "", ULL(c->iova));
	json_number("length", c->length);
	json_number("memory", s->map.ref.memory);
	json_number("start", c->start);
	json_bool("readable", c->flags & IHO_MAP_READABLE);
	json_bool("writeable", c->flags & IHO_MAP_WRITEABLE);
	json_number("group", s->map.ref.group);
	json_bool("pages_writable",
		  s->map.ref.flags & IHO_MAP_PAGES_WRITABLE);
	printf("}");
}

static void json_range(u32 i, const struct iho_range *r)
{
	printf("%s{\"start\": \"0x%llx\"", i ? ", " : "", ULL(r->start));
	json_hex("last", r->last);
	printf("}");
}

static void json_ioas(u32 n, struct cursors *c)
{
	const u32 id = c->ioas.step.ioas.out_ioas_id;
	const struct iho_range *r;
	u32 i;

	json_element(n, "    ", "id", id);
	json_bool("vfio", is_vfio(c, id));
	json_bool("huge_pages", !huge_off(c, id));
	if (huge_off(c, id))
		next(&c->huge);
	json_array("allowed");
	if (allows(c, id)) {
		r = c->allow.step.allow.range;
		for (i = 0; i < c->allow.step.allow.ranges; i++)
			json_range(i, &r[i]);
		next(&c->allow);
	}
	printf("]");
	json_array("maps");
	for (i = 0; maps(c, id); next(&c->map))
		json_map(i++, &c->map.step);
	printf("]}");
}

static void json_stream(const struct iho_plan *plan)
{
	const struct iho_pl_hwpt_alloc *h;
	struct cursors c;
	u32 i, id;

	all_first(&c, plan);
	json_bool("rlimit_mode", c.rlimit.have);
	json_array("ioas");
	for (i = 0; c.ioas.have; next(&c.ioas))
		json_ioas(i++, &c);
	printf("]");
	json_array("hwpts");
	for (i = 0; c.hwpt.have; next(&c.hwpt)) {
		h = &c.hwpt.step.hwpt.cmd;
		json_element(i++, "    ", "id", h->out_hwpt_id);
		json_number("ioas", h->pt_id);
		json_number("dev_id", h->dev_id);
		json_bool("auto",
			  c.hwpt.step.hwpt.ref.flags & IHO_HWPT_AUTO);
		json_number("flags", h->flags);
		json_number("table", c.hwpt.step.hwpt.ref.table);
		printf("}");
	}
	printf("]");
	json_array("devices");
	for (i = 0; c.bind.have; next(&c.bind)) {
		id = c.bind.step.bind.cmd.out_devid;
		json_element(i++, "    ", "id", id);
		json_number("device", c.bind.step.bind.ref.device);
		json_index("hwpt", attached(&c, id) ?
			   c.attach.step.attach.cmd.pt_id : IHO_NONE);
		if (attached(&c, id))
			next(&c.attach);
		printf("}");
	}
	printf("]");
}

static void json_contexts(const struct loaded *l)
{
	struct iho_context c;
	u32 i;

	json_array("contexts");
	for (i = 0; i < l->img.contexts; i++) {
		iho_get_context(&l->img, i, &c);
		json_element(i, "  ", "index", i);
		json_text("session", c.session);
		json_hex("token", c.token);
		json_number("records", c.records);
		json_number("stream_off", c.stream_off);
		json_number("stream_len", c.stream_len);
		json_number("stream_crc", c.stream_crc);
		json_stream(&l->plan[i]);
		printf("}");
	}
	printf("]");
}

void show_json(const struct loaded *l)
{
	const struct iho_image *img = &l->img;
	u32 i;

	printf("{\"format\": \"%u.%u\"", img->major, img->minor);
	json_text("release", img->release);
	json_number("generation", img->generation);
	json_number("image_bytes", l->len);
	json_number("fdt_bytes", img->fdt_len);
	json_number("records", l->records);
	json_name("digest");
	printf("\"");
	for (i = 0; i < sizeof(img->digest); i++)
		printf("%02x", img->digest[i]);
	printf("\"");
	json_memories(img);
	json_units(img);
	json_tables(img);
	json_domains(img);
	json_devices(img);
	json_contexts(l);
	printf("}\n");
}

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: an account of an image, for people.
 */
#include <stdio.h>

#include "tool.h"

void print_address(const struct iho_device *d, u32 i)
{
	printf("%04x:%02x:%02x.%u", d->segment, d->source_id[i] >> 8,
	       d->source_id[i] >> 3 & 0x1f, d->source_id[i] & 7);
}

/* "0000:00/1c.1/00.0": root bus, then slot and function of each step. */
void print_path(const struct iho_device *d)
{
	u32 i;

	printf("%04x:%02x", d->segment, d->root_bus);
	for (i = 0; i < d->path_len; i++)
		printf("/%02x.%u", d->path[i] >> 3, d->path[i] & 7u);
}

/* The word of a field, by the name of its property. */
static const char *word(enum iho_node kind, const union iho_fact *fact,
			enum iho_name name)
{
	const struct iho_node_desc *desc = &iho_node_desc[kind];
	u32 i;

	for (i = 0; i < desc->fields; i++)
		if (desc->field[i].name == name)
			return iho_field_word(&desc->field[i], fact);
	return "";
}

static void text_memory(const union iho_fact *fact)
{
	const struct iho_memory *m = &fact->memory;

	printf("session \"%s\", token %llu, ", m->session, ULL(m->token));
	printf("%llu bytes, seals 0x%x\n", ULL(m->size), m->seals);
}

static void text_unit(const union iho_fact *fact)
{
	const struct iho_unit *u = &fact->unit;

	printf("%s, %s, ", word(IHO_NODE_UNIT, fact, IHO_NAME_TYPE),
	       word(IHO_NODE_UNIT, fact, IHO_NAME_MODE));
	printf("segment %u, registers 0x%llx, root table 0x%llx\n", u->segment,
	       ULL(u->register_pa), ULL(u->root_pa));
	printf("  cap 0x%llx, ecap 0x%llx, interrupt root 0x%llx\n", ULL(u->cap),
	       ULL(u->ecap), ULL(u->interrupt_root));
}

static void text_table(const union iho_fact *fact)
{
	const struct iho_table *t = &fact->table;

	printf("%s, %u levels, root 0x%llx, ",
	       word(IHO_NODE_TABLE, fact, IHO_NAME_FORMAT), t->levels,
	       ULL(t->root_pa));
	printf("of HWPT %u of context-%u\n", t->hwpt_id, t->context);
	printf("  %u bits of IOVA%s%s\n", t->width,
	       t->attributes & IHO_TABLE_SNOOP ? ", coherency enforced" : "",
	       t->attributes & IHO_TABLE_INCOHERENT ?
	       ", read without snooping" : "");
}

static void text_domain(const union iho_fact *fact)
{
	const struct iho_domain *n = &fact->domain;

	printf("ID %u of space %u on unit-%u, table-%u\n", n->domain_id,
	       n->space, n->unit, n->table);
}

static void text_device(const union iho_fact *fact)
{
	const struct iho_device *d = &fact->device;
	u32 i;

	print_address(d, 0);
	printf(" [%04x:%04x], %s, unit-%u, ", d->vendor_device >> 16,
	       d->vendor_device & 0xffff,
	       word(IHO_NODE_DEVICE, fact, IHO_NAME_LEVEL), d->unit);
	if (d->domain == IHO_NONE)
		printf("not attached");
	else
		printf("domain-%u", d->domain);
	printf(", object %u of context-%u\n", d->dev_id, d->context);
	printf("  path ");
	print_path(d);
	if (d->serial)
		printf(", serial number %016llx", ULL(d->serial));
	printf("\n");
	/* All that 1.0 can say of them */
	printf("  not handed over:%s%s bridges\n",
	       d->vfio_file ? "" : " file,", d->msix ? "" : " interrupts,");
	for (i = 1; i < d->source_ids; i++) {
		printf("  also masters as ");
		print_address(d, i);
		printf("\n");
	}
}

static void text_context(const union iho_fact *fact)
{
	const struct iho_context *c = &fact->context;

	printf("session \"%s\", token %llu, ", c->session, ULL(c->token));
	printf("%u records, %llu bytes at %llu\n", c->records,
	       ULL(c->stream_len), ULL(c->stream_off));
}

static void (*const text_fact[IHO_NODES])(const union iho_fact *fact) = {
	[IHO_NODE_MEMORY] = text_memory,
	[IHO_NODE_UNIT] = text_unit,
	[IHO_NODE_TABLE] = text_table,
	[IHO_NODE_DOMAIN] = text_domain,
	[IHO_NODE_DEVICE] = text_device,
	[IHO_NODE_CONTEXT] = text_context,
};

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

	printf("  IOAS %u%s%s\n", id, ioas_is_vfio(c, id) ? ", VFIO's" : "",
	       ioas_huge_off(c, id) ? ", huge pages off" : "");
	if (ioas_huge_off(c, id))
		cursor_next(&c->huge);
	if (ioas_allows(c, id)) {
		r = c->allow.step.allow.range;
		for (i = 0; i < c->allow.step.allow.ranges; i++)
			printf("    allowed 0x%llx-0x%llx\n", ULL(r[i].start),
			       ULL(r[i].last));
		cursor_next(&c->allow);
	}
	for (; ioas_maps(c, id); cursor_next(&c->map))
		text_map(&c->map.step);
}

static void text_stream(const struct iho_plan *plan)
{
	const struct iho_pl_hwpt_alloc *h;
	struct cursors c;

	cursors_first(&c, plan);
	if (c.rlimit.have)
		printf("  pinned pages are charged to the process\n");
	for (; c.ioas.have; cursor_next(&c.ioas))
		text_ioas(&c);
	for (; c.hwpt.have; cursor_next(&c.hwpt)) {
		h = &c.hwpt.step.hwpt.cmd;
		printf("  HWPT %u on IOAS %u for device %u, ", h->out_hwpt_id,
		       h->pt_id, h->dev_id);
		printf("%s, flags 0x%x, table-%u\n",
		       c.hwpt.step.hwpt.ref.flags & IHO_HWPT_AUTO ?
		       "made by attach" : "explicit", h->flags,
		       c.hwpt.step.hwpt.ref.table);
	}
	for (; c.bind.have; cursor_next(&c.bind)) {
		printf("  device %u is device-%u, ",
		       c.bind.step.bind.cmd.out_devid,
		       c.bind.step.bind.ref.device);
		if (!device_attached(&c, c.bind.step.bind.cmd.out_devid)) {
			printf("not attached\n");
			continue;
		}
		printf("attached to HWPT %u\n",
		       c.attach.step.attach.cmd.pt_id);
		cursor_next(&c.attach);
	}
}

void show_text(const struct loaded *l)
{
	const struct iho_image *img = &l->img;
	union iho_fact fact;
	enum iho_node kind;
	u32 i;

	printf("format %u.%u, written by Linux %s, generation %llu\n",
	       img->major, img->minor, img->release, ULL(img->generation));
	printf("%zu bytes, FDT %u, SHA-256 ", l->len, img->fdt_len);
	for (i = 0; i < sizeof(img->digest); i++)
		printf("%02x", img->digest[i]);
	printf("\n");
	for (kind = 0; kind < IHO_NODES; kind++) {
		for (i = 0; i < img->count[kind]; i++) {
			iho_get(img, kind, i, &fact);
			printf("%s-%u: ", iho_node_desc[kind].name, i);
			text_fact[kind](&fact);
			if (kind == IHO_NODE_CONTEXT)
				text_stream(&l->plan[i]);
		}
	}
}

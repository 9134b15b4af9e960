// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the model of iommufd that a record stream must satisfy, and
 * the plan that comes out of it (section 4).
 */
#include "iho_internal.h"

/*
 * What the model keeps of a record. Streams are ordered by kind and ID, so
 * the entries of one kind lie together, ascending: a binary search finds one.
 *
 *   IOAS    id, IOAS_* flags
 *   group   memory, IHO_MAP_* flags; only these two, found by number
 *   device  id, index of the device | DEVICE_ATTACHED
 *   HWPT    id, index of the table | HWPT_* flags
 */
struct entry {
	u32 id;
	u32 info;
};

struct entries {
	struct entry *at;
	u32 count;
};

#define IOAS_UNALIGNED	1u	/* a map not aligned to pages */
#define IOAS_ALIGNED	2u	/* huge pages are off: no such map may be */
#define DEVICE_ATTACHED	0x80000000u
#define HWPT_AUTO	0x80000000u
#define HWPT_ATTACHED	0x40000000u
#define INDEX_MASK	0x0000ffffu

#define HWPT_FLAGS	0xbu	/* NEST_PARENT, DIRTY_TRACKING, PASID */

/* Where every stride-th memory of an image is, so that finding one is cheap. */
struct memory_index {
	u32 *off;
	u32 slots;		/* room for so many */
	u32 stride;		/* 0: not filled yet */
};

struct model {
	const struct iho_plan_source *src;
	const char *session;	/* of the context; 64 bytes */
	u32 context;
	struct memory_index index;
	struct entry *next;
	struct entries ioas, groups, devices, hwpts;
	u32 kind;		/* of the record before, 0 at the start */
	u32 last_id;		/* what orders it within its kind */
	u64 last_iova;		/* of the map before, inclusive */
	u64 first_iova;
	u32 maps, attaches;
	const char *what;	/* field that a failing test looked at */
};

/* ---- workspace ------------------------------------------------------- */

static u32 index_slots(u32 records)
{
	return records < IHO_MAX_MEMORIES ? records : IHO_MAX_MEMORIES;
}

size_t iho_plan_work(u32 records)
{
	return (size_t)(iho_pad((u64)index_slots(records) * sizeof(u32), 8) +
			(u64)records * sizeof(struct entry));
}

static struct entry *add(struct model *m, struct entries *list, u32 id,
			 u32 info)
{
	struct entry *e = m->next++;

	if (!list->count)
		list->at = e;
	list->count++;
	e->id = id;
	e->info = info;
	return e;
}

static struct entry *find(const struct entries *list, u32 id)
{
	u32 low = 0, high = list->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (list->at[mid].id == id)
			return &list->at[mid];
		if (list->at[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ---- memories -------------------------------------------------------- */

static void fill_index(struct model *m)
{
	const struct iho_image *img = m->src->img;
	struct memory_index *x = &m->index;
	int off = img->first_memory;
	u32 i;

	x->stride = (img->memories + x->slots - 1) / x->slots;
	for (i = 0; i < img->memories; i++) {
		if (!(i % x->stride))
			x->off[i / x->stride] = (u32)off;
		off = iho_node_skip(img->fdt, off);
	}
}

static void get_memory(struct model *m, u32 index, union iho_fact *fact)
{
	u32 left;
	int off;

	if (!m->src->img) {
		iho_source_get(m->src, IHO_NODE_MEMORY, index, fact);
		return;
	}
	if (!m->index.stride)
		fill_index(m);
	off = (int)m->index.off[index / m->index.stride];
	for (left = index % m->index.stride; left; left--)
		off = iho_node_skip(m->src->img->fdt, off);
	iho_node_read(m->src->img->fdt, off, IHO_NODE_MEMORY, fact);
}

/* ---- tests shared by the kinds --------------------------------------- */

/* The field that failed and why; a test returns an error, not negated. */
static int fail(struct model *m, int err, const char *what)
{
	m->what = what;
	return err;
}

#define NEED(cond, err, what)						\
	do {								\
		if (!(cond))						\
			return fail(m, IHO_ERR_##err, what);		\
	} while (0)

/* @id comes behind the last record of the same kind. */
static int ascends(struct model *m, u32 kind, u32 id, const char *what)
{
	NEED(m->kind != kind || id > m->last_id, ORDER, what);
	m->last_id = id;
	return IHO_OK;
}

static int new_id(struct model *m, u32 id, const char *what)
{
	NEED(id && id <= IHO_MAX_OBJECT_ID, RANGE, what);
	NEED(!find(&m->ioas, id) && !find(&m->devices, id) &&
	     !find(&m->hwpts, id), ID_TAKEN, what);
	return IHO_OK;
}

/* ---- one function per kind ------------------------------------------- */

static int option(struct model *m, const struct iho_pl_option *o)
{
	NEED(m->kind != IHO_REC_OPTION, ORDER, "kind");
	NEED(o->option_id == IHO_OPTION_RLIMIT_MODE, VALUE, "option_id");
	NEED(o->op == IHO_OPTION_OP_SET, VALUE, "op");
	NEED(!o->reserved, RECORD, "reserved");
	NEED(!o->object_id, RECORD, "object_id");
	NEED(o->val64 == 1, VALUE, "val64");
	return IHO_OK;
}

static int ioas_alloc(struct model *m, const struct iho_pl_ioas_alloc *a)
{
	int err = ascends(m, IHO_REC_IOAS_ALLOC, a->out_ioas_id, "out_ioas_id");

	if (!err)
		err = new_id(m, a->out_ioas_id, "out_ioas_id");
	if (err)
		return err;
	NEED(!a->flags, VALUE, "flags");
	add(m, &m->ioas, a->out_ioas_id, 0);
	return IHO_OK;
}

static int ioas_option(struct model *m, const struct iho_pl_option *o)
{
	struct entry *ioas = find(&m->ioas, o->object_id);
	int err = ascends(m, IHO_REC_IOAS_OPTION, o->object_id, "object_id");

	if (err)
		return err;
	NEED(o->option_id == IHO_OPTION_HUGE_PAGES, VALUE, "option_id");
	NEED(o->op == IHO_OPTION_OP_SET, VALUE, "op");
	NEED(!o->reserved, RECORD, "reserved");
	NEED(!o->val64, VALUE, "val64");
	NEED(ioas, REF, "object_id");
	ioas->info |= IOAS_ALIGNED;
	return IHO_OK;
}

static int allow_iovas(struct model *m, const struct iho_framed *rec)
{
	struct iho_pl_allow_iovas pl;
	struct iho_range r;
	u64 start = 0, last = 0;
	u32 i;
	int err;

	memcpy(&pl, rec->payload, sizeof(pl));
	err = ascends(m, IHO_REC_ALLOW_IOVAS, pl.ioas_id, "ioas_id");
	if (err)
		return err;
	NEED(!pl.reserved, RECORD, "reserved");
	NEED(!pl.allowed_iovas, RECORD, "allowed_iovas");
	NEED(pl.num_iovas, RECORD, "num_iovas");
	NEED(pl.num_iovas <= IHO_MAX_ALLOWED, LIMIT, "num_iovas");
	NEED(rec->inline_len == pl.num_iovas * (u32)sizeof(r), RECORD,
	     "inline_len");
	NEED(find(&m->ioas, pl.ioas_id), REF, "ioas_id");
	for (i = 0; i < pl.num_iovas; i++) {
		memcpy(&r, rec->inl + i * sizeof(r), sizeof(r));
		NEED(r.start < r.last, RANGE, "range");
		NEED(!i || r.start > start, ORDER, "range");
		NEED(!i || r.start > last, OVERLAP, "range");
		start = r.start;
		last = r.last;
	}
	return IHO_OK;
}

static int vfio_ioas(struct model *m, const struct iho_pl_vfio_ioas *v)
{
	NEED(m->kind != IHO_REC_VFIO_IOAS, ORDER, "kind");
	NEED(v->op == IHO_VFIO_IOAS_SET, VALUE, "op");
	NEED(!v->reserved, RECORD, "reserved");
	NEED(find(&m->ioas, v->ioas_id), REF, "ioas_id");
	return IHO_OK;
}

static int map_order(struct model *m, const struct iho_pl_map_file *c)
{
	const bool same = m->kind == IHO_REC_MAP_FILE &&
			  m->last_id == c->ioas_id;

	NEED(m->kind != IHO_REC_MAP_FILE || m->last_id <= c->ioas_id, ORDER,
	     "ioas_id");
	NEED(c->length && c->length - 1 <= ~c->iova, RANGE, "length");
	NEED(!same || c->iova > m->first_iova, ORDER, "iova");
	NEED(!same || c->iova > m->last_iova, OVERLAP, "iova");
	m->last_id = c->ioas_id;
	m->first_iova = c->iova;
	m->last_iova = c->iova + (c->length - 1);
	return IHO_OK;
}

static int map_group(struct model *m, u32 flags, const struct iho_map_ref *ref)
{
	const struct entry *group;

	NEED(ref->group <= m->groups.count, GROUP, "group");
	if (ref->group == m->groups.count) {
		add(m, &m->groups, ref->memory, ref->flags);
	} else {
		group = &m->groups.at[ref->group];
		NEED(group->id == ref->memory, GROUP, "memory");
		NEED(group->info == ref->flags, GROUP, "flags");
	}
	NEED(ref->flags & IHO_MAP_PAGES_WRITABLE ||
	     !(flags & IHO_MAP_WRITEABLE), GROUP, "flags");
	return IHO_OK;
}

static int map_file(struct model *m, const struct iho_pl_map_file *c,
		    const struct iho_map_ref *ref)
{
	const u32 access = IHO_MAP_WRITEABLE | IHO_MAP_READABLE;
	struct entry *ioas = find(&m->ioas, c->ioas_id);
	union iho_fact fact;
	int err;

	NEED(!(c->flags & ~(IHO_MAP_FIXED_IOVA | access)), VALUE, "flags");
	NEED(c->flags & IHO_MAP_FIXED_IOVA && c->flags & access, RECORD,
	     "flags");
	NEED(c->fd == -1, RECORD, "fd");
	NEED(!(ref->flags & ~IHO_MAP_PAGES_WRITABLE), VALUE, "flags");
	NEED(!ref->reserved, RECORD, "reserved");
	err = map_order(m, c);
	if (err)
		return err;

	NEED(ioas, REF, "ioas_id");
	NEED(ref->memory < iho_source_count(m->src, IHO_NODE_MEMORY), REF,
	     "memory");
	get_memory(m, ref->memory, &fact);
	NEED(!memcmp(fact.memory.session, m->session, IHO_SESSION_LEN), REF,
	     "memory");
	NEED(c->start <= fact.memory.size &&
	     c->length <= fact.memory.size - c->start, RANGE, "start");
	if ((c->iova | c->length | c->start) % IHO_PAGE_SIZE) {
		NEED(!(ioas->info & IOAS_ALIGNED), ALIGN, "iova");
		ioas->info |= IOAS_UNALIGNED;
	}
	m->maps++;
	return map_group(m, c->flags, ref);
}

static int vfio_bind(struct model *m, const struct iho_pl_bind *c,
		     const struct iho_bind_ref *ref)
{
	union iho_fact fact;
	int err = ascends(m, IHO_REC_VFIO_BIND, c->out_devid, "out_devid");

	if (!err)
		err = new_id(m, c->out_devid, "out_devid");
	if (err)
		return err;
	NEED(!c->flags, VALUE, "flags");
	NEED(c->iommufd == -1, RECORD, "iommufd");
	NEED(!c->token_uuid_ptr, RECORD, "token_uuid_ptr");
	NEED(!ref->reserved, RECORD, "reserved");
	NEED(ref->device < iho_source_count(m->src, IHO_NODE_DEVICE), REF,
	     "device");
	iho_source_get(m->src, IHO_NODE_DEVICE, ref->device, &fact);
	NEED(fact.device.context == m->context &&
	     fact.device.dev_id == c->out_devid, REF, "device");
	add(m, &m->devices, c->out_devid, ref->device);
	return IHO_OK;
}

static int hwpt_fields(struct model *m, const struct iho_pl_hwpt_alloc *c,
		       const struct iho_hwpt_ref *ref)
{
	NEED(!(c->flags & ~HWPT_FLAGS), VALUE, "flags");
	NEED(!c->reserved, RECORD, "reserved");
	NEED(!c->data_type, VALUE, "data_type");
	NEED(!c->data_len, RECORD, "data_len");
	NEED(!c->data_uptr, RECORD, "data_uptr");
	NEED(!c->fault_id, RECORD, "fault_id");
	NEED(!c->reserved2, RECORD, "reserved2");
	NEED(!(ref->flags & ~IHO_HWPT_AUTO), VALUE, "flags");
	NEED(!ref->flags || !c->flags, RECORD, "flags");
	return IHO_OK;
}

static int hwpt_alloc(struct model *m, const struct iho_pl_hwpt_alloc *c,
		      const struct iho_hwpt_ref *ref)
{
	const struct entry *ioas = find(&m->ioas, c->pt_id);
	union iho_fact fact;
	int err;

	err = ascends(m, IHO_REC_HWPT_ALLOC, c->out_hwpt_id, "out_hwpt_id");
	if (!err)
		err = new_id(m, c->out_hwpt_id, "out_hwpt_id");
	if (!err)
		err = hwpt_fields(m, c, ref);
	if (err)
		return err;
	NEED(find(&m->devices, c->dev_id), REF, "dev_id");
	NEED(ioas, REF, "pt_id");
	NEED(!(ioas->info & IOAS_UNALIGNED), ALIGN, "pt_id");
	NEED(ref->table < iho_source_count(m->src, IHO_NODE_TABLE), REF,
	     "table");
	iho_source_get(m->src, IHO_NODE_TABLE, ref->table, &fact);
	NEED(fact.table.context == m->context &&
	     fact.table.hwpt_id == c->out_hwpt_id, REF, "table");
	add(m, &m->hwpts, c->out_hwpt_id,
	    ref->table | (ref->flags & IHO_HWPT_AUTO ? HWPT_AUTO : 0));
	return IHO_OK;
}

static int attach(struct model *m, const struct iho_pl_attach *c,
		  const struct iho_attach_ref *ref)
{
	struct entry *device = find(&m->devices, ref->dev_id);
	struct entry *hwpt = find(&m->hwpts, c->pt_id);
	union iho_fact fact;
	int err = ascends(m, IHO_REC_ATTACH, ref->dev_id, "dev_id");

	if (err)
		return err;
	NEED(!c->flags, VALUE, "flags");
	NEED(!c->pasid, RECORD, "pasid");
	NEED(!ref->reserved, RECORD, "reserved");
	NEED(device, REF, "dev_id");
	NEED(hwpt, REF, "pt_id");
	iho_source_get(m->src, IHO_NODE_DEVICE, device->info & INDEX_MASK,
		       &fact);
	NEED(fact.device.domain != IHO_NONE, REF, "dev_id");
	iho_source_get(m->src, IHO_NODE_DOMAIN, fact.device.domain, &fact);
	NEED(fact.domain.table == (hwpt->info & INDEX_MASK), REF, "pt_id");
	device->info |= DEVICE_ATTACHED;
	hwpt->info |= HWPT_ATTACHED;
	m->attaches++;
	return IHO_OK;
}

static int payload(struct model *m, const struct iho_framed *rec)
{
	const u32 known = iho_rec_payload_size(rec->kind);
	u32 size;

	memcpy(&size, rec->payload, sizeof(size));
	NEED(size == rec->payload_len, RECORD, "size");
	NEED(iho_zeroes(rec->payload + known, rec->payload_len - known) ==
	     rec->payload_len - known, PAYLOAD, "payload");
	NEED(rec->kind == IHO_REC_ALLOW_IOVAS ||
	     rec->inline_len == iho_rec_inline_size(rec->kind), RECORD,
	     "inline_len");
	return IHO_OK;
}

static int apply(struct model *m, const struct iho_framed *rec)
{
	struct iho_step step;
	int err = payload(m, rec);

	if (err)
		return err;
	NEED(rec->kind >= m->kind, ORDER, "kind");
	if (rec->kind == IHO_REC_ALLOW_IOVAS)
		return allow_iovas(m, rec);
	iho_rec_decode(rec, &step);
	switch (rec->kind) {
	case IHO_REC_OPTION:
		return option(m, &step.option);
	case IHO_REC_IOAS_ALLOC:
		return ioas_alloc(m, &step.ioas);
	case IHO_REC_IOAS_OPTION:
		return ioas_option(m, &step.option);
	case IHO_REC_VFIO_IOAS:
		return vfio_ioas(m, &step.vfio_ioas);
	case IHO_REC_MAP_FILE:
		return map_file(m, &step.map.cmd, &step.map.ref);
	case IHO_REC_VFIO_BIND:
		return vfio_bind(m, &step.bind.cmd, &step.bind.ref);
	case IHO_REC_HWPT_ALLOC:
		return hwpt_alloc(m, &step.hwpt.cmd, &step.hwpt.ref);
	default:
		return attach(m, &step.attach.cmd, &step.attach.ref);
	}
}

/* ---- what the whole stream must have named --------------------------- */

static int check_devices(const struct model *m, struct iho_where *where)
{
	const struct entry *e;
	struct iho_cursor cur;
	union iho_fact fact;
	u32 i;

	iho_cursor_init(&cur, m->src, IHO_NODE_DEVICE);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (fact.device.context != m->context)
			continue;
		e = find(&m->devices, fact.device.dev_id);
		if (!e || (e->info & INDEX_MASK) != i)
			return iho_fail(where, IHO_ERR_ORPHAN, cur.at, "device",
					i, iho_names[IHO_NAME_DEV_ID],
					IHO_NONE);
		if (fact.device.domain != IHO_NONE &&
		    !(e->info & DEVICE_ATTACHED))
			return iho_fail(where, IHO_ERR_REF, cur.at, "device",
					i, iho_names[IHO_NAME_DOMAIN],
					IHO_NONE);
	}
	return 0;
}

/* Tables are ordered by context: the first of this one, or the count. */
static u32 first_table(const struct model *m)
{
	u32 low = 0, high = iho_source_count(m->src, IHO_NODE_TABLE), mid;
	union iho_fact fact;

	while (low < high) {
		mid = low + (high - low) / 2;
		iho_source_get(m->src, IHO_NODE_TABLE, mid, &fact);
		if (fact.table.context < m->context)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int check_hwpts(const struct model *m, u64 len, struct iho_where *where)
{
	const u32 tables = iho_source_count(m->src, IHO_NODE_TABLE);
	const struct iho_image *img = m->src->img;
	union iho_fact fact;
	u64 at = 0;
	u32 i;

	for (i = first_table(m); i < tables; i++) {
		iho_source_get(m->src, IHO_NODE_TABLE, i, &fact);
		if (fact.table.context != m->context)
			break;
		if (find(&m->hwpts, fact.table.hwpt_id))
			continue;
		if (img)
			at = IHO_HEADER_LEN + IHO_FDT_STRUCT +
			     (u64)(u32)iho_node_find(img, IHO_NODE_TABLE, i);
		return iho_fail(where, IHO_ERR_ORPHAN, at, "table", i,
				iho_names[IHO_NAME_HWPT_ID], IHO_NONE);
	}
	/* The kernel destroys its own HWPTs with the last device on them. */
	for (i = 0; i < m->hwpts.count; i++)
		if (m->hwpts.at[i].info & HWPT_AUTO &&
		    !(m->hwpts.at[i].info & HWPT_ATTACHED))
			return iho_fail(where, IHO_ERR_ORPHAN, len, "stream",
					m->context, "out_hwpt_id", IHO_NONE);
	return 0;
}

static void model_init(struct model *m, const struct iho_plan_source *src,
		       u32 context, const char *session, u32 records,
		       void *work)
{
	memset(m, 0, sizeof(*m));
	m->src = src;
	m->context = context;
	m->session = session;
	m->index.off = work;
	m->index.slots = index_slots(records);
	m->next = (struct entry *)((u8 *)work +
		  iho_pad((u64)m->index.slots * sizeof(u32), 8));
}

int iho_plan_init(struct iho_plan *plan, const struct iho_plan_source *src,
		  u32 context, const void *stream, u64 len, u32 records,
		  void *work, size_t work_len, struct iho_where *where)
{
	struct model m;
	struct iho_framed rec;
	union iho_fact own;
	const char *what = "";
	u64 pos = 0;
	u32 i;
	int err;

	memset(plan, 0, sizeof(*plan));
	if (context >= iho_source_count(src, IHO_NODE_CONTEXT))
		return iho_fail(where, IHO_ERR_BADCALL, 0, "context", context,
				"", IHO_NONE);
	if (records > IHO_MAX_RECORDS)
		return iho_fail(where, IHO_ERR_LIMIT, 0, "stream", context,
				"records", IHO_NONE);
	if (work_len < iho_plan_work(records))
		return iho_fail(where, IHO_ERR_NOSPACE, 0, "stream", context,
				"", IHO_NONE);
	iho_source_get(src, IHO_NODE_CONTEXT, context, &own);
	model_init(&m, src, context, own.context.session, records, work);

	for (i = 0; i < records && pos < len; i++) {
		err = iho_rec_frame(stream, len, pos, &rec, &what);
		if (!err) {
			err = apply(&m, &rec);
			what = m.what;
		}
		if (err)
			return iho_fail(where, err, pos, "stream", context,
					what, i);
		m.kind = rec.kind;
		pos = rec.next;
	}
	if (i != records || pos != len)
		return iho_fail(where, IHO_ERR_COUNT, pos, "stream", context,
				"records", i);
	err = check_devices(&m, where);
	if (!err)
		err = check_hwpts(&m, len, where);
	if (err)
		return err;

	plan->stream = stream;
	plan->len = len;
	plan->records = records;
	plan->objects = m.ioas.count + m.devices.count + m.hwpts.count;
	plan->ioas = m.ioas.count;
	plan->maps = m.maps;
	plan->devices = m.devices.count;
	plan->hwpts = m.hwpts.count;
	plan->attaches = m.attaches;
	plan->groups = m.groups.count;
	plan->work = work;
	plan->work_len = work_len;
	plan->context = context;
	return 0;
}

int iho_plan_next(struct iho_plan *plan, struct iho_step *step)
{
	struct iho_framed rec;
	const char *what;

	if (plan->pos == plan->len ||
	    iho_rec_frame(plan->stream, plan->len, plan->pos, &rec, &what))
		return 0;
	memset(step, 0, sizeof(*step));
	iho_rec_decode(&rec, step);
	step->record = plan->next++;
	step->offset = plan->pos;
	plan->pos = rec.next;
	return 1;
}

void iho_plan_rewind(struct iho_plan *plan)
{
	plan->pos = 0;
	plan->next = 0;
}

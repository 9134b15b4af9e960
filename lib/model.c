// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: the model of iommufd that a record stream must satisfy,
 * record by record (section 4.2).
 */
#include "iho_internal.h"

#define HWPT_FLAGS	0xbu	/* NEST_PARENT, DIRTY_TRACKING, PASID */

/* ---- workspace ------------------------------------------------------- */

size_t iho_plan_work(u32 records)
{
	return (size_t)records * sizeof(struct iho_entry);
}

static struct iho_entry *add(struct iho_model *m, struct iho_entries *list,
			     u32 id, u32 info)
{
	struct iho_entry *e = m->next++;

	if (!list->count)
		list->at = e;
	list->count++;
	e->id = id;
	e->info = info;
	return e;
}

struct iho_entry *iho_model_find(const struct iho_entries *list, u32 id)
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

/* Maps of one memory mostly come one after the other: it is read once. */
static const struct iho_memory *get_memory(struct iho_model *m, u32 index)
{
	union iho_fact fact;

	if (m->memory_at != index) {
		iho_source_get(m->src, IHO_NODE_MEMORY, index, &fact);
		m->memory = fact.memory;
		m->memory_at = index;
	}
	return &m->memory;
}

/* ---- tests shared by the kinds --------------------------------------- */

/* The field that failed and why; a test returns an error, not negated. */
static int fail(struct iho_model *m, int err, const char *what)
{
	m->what = what;
	return err;
}

#define NEED(cond, err, what)						\
	do {								\
		if (!(cond))						\
			return fail(m, IHO_ERR_##err, what);		\
	} while (0)

/* @id comes after the last record of the same kind. */
static int ascends(struct iho_model *m, u32 kind, u32 id, const char *what)
{
	NEED(m->kind != kind || id > m->last_id, ORDER, what);
	m->last_id = id;
	return IHO_OK;
}

static int new_id(struct iho_model *m, u32 id, const char *what)
{
	NEED(id && id <= IHO_MAX_OBJECT_ID, RANGE, what);
	NEED(!iho_model_find(&m->ioas, id) &&
	     !iho_model_find(&m->devices, id) &&
	     !iho_model_find(&m->hwpts, id), ID_TAKEN, what);
	return IHO_OK;
}

/* ---- one function per kind ------------------------------------------- */

static int option(struct iho_model *m, const struct iho_pl_option *o)
{
	NEED(m->kind != IHO_REC_OPTION, ORDER, "kind");
	NEED(o->option_id == IHO_OPTION_RLIMIT_MODE, VALUE, "option_id");
	NEED(o->op == IHO_OPTION_OP_SET, VALUE, "op");
	NEED(!o->reserved, RECORD, "reserved");
	NEED(!o->object_id, RECORD, "object_id");
	NEED(o->val64 == 1, VALUE, "val64");
	return IHO_OK;
}

static int ioas_alloc(struct iho_model *m, const struct iho_pl_ioas_alloc *a)
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

static int ioas_option(struct iho_model *m, const struct iho_pl_option *o)
{
	struct iho_entry *ioas = iho_model_find(&m->ioas, o->object_id);
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

static int allow_iovas(struct iho_model *m, const struct iho_framed *rec)
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
	NEED(iho_model_find(&m->ioas, pl.ioas_id), REF, "ioas_id");
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

static int vfio_ioas(struct iho_model *m, const struct iho_pl_vfio_ioas *v)
{
	NEED(m->kind != IHO_REC_VFIO_IOAS, ORDER, "kind");
	NEED(v->op == IHO_VFIO_IOAS_SET, VALUE, "op");
	NEED(!v->reserved, RECORD, "reserved");
	NEED(iho_model_find(&m->ioas, v->ioas_id), REF, "ioas_id");
	return IHO_OK;
}

static int map_order(struct iho_model *m, const struct iho_pl_map_file *c)
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

static int map_group(struct iho_model *m, u32 flags,
		     const struct iho_map_ref *ref)
{
	const struct iho_entry *group;

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

static int map_file(struct iho_model *m, const struct iho_pl_map_file *c,
		    const struct iho_map_ref *ref)
{
	const u32 access = IHO_MAP_WRITEABLE | IHO_MAP_READABLE;
	struct iho_entry *ioas = iho_model_find(&m->ioas, c->ioas_id);
	const struct iho_memory *memory;
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
	memory = get_memory(m, ref->memory);
	NEED(!memcmp(memory->session, m->session, IHO_SESSION_LEN), REF,
	     "memory");
	NEED(c->start <= memory->size && c->length <= memory->size - c->start,
	     RANGE, "start");
	if ((c->iova | c->length | c->start) % IHO_PAGE_SIZE) {
		NEED(!(ioas->info & IOAS_ALIGNED), ALIGN, "iova");
		ioas->info |= IOAS_UNALIGNED;
	}
	m->maps++;
	return map_group(m, c->flags, ref);
}

static int vfio_bind(struct iho_model *m, const struct iho_pl_bind *c,
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

static int hwpt_fields(struct iho_model *m, const struct iho_pl_hwpt_alloc *c,
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

static int hwpt_alloc(struct iho_model *m, const struct iho_pl_hwpt_alloc *c,
		      const struct iho_hwpt_ref *ref)
{
	const struct iho_entry *device = iho_model_find(&m->devices, c->dev_id);
	const struct iho_entry *ioas = iho_model_find(&m->ioas, c->pt_id);
	union iho_fact fact;
	int err;

	err = ascends(m, IHO_REC_HWPT_ALLOC, c->out_hwpt_id, "out_hwpt_id");
	if (!err)
		err = new_id(m, c->out_hwpt_id, "out_hwpt_id");
	if (!err)
		err = hwpt_fields(m, c, ref);
	if (err)
		return err;
	NEED(device, REF, "dev_id");
	NEED(ioas, REF, "pt_id");
	NEED(!(ioas->info & IOAS_UNALIGNED), ALIGN, "pt_id");
	NEED(ref->table < iho_source_count(m->src, IHO_NODE_TABLE), REF,
	     "table");
	iho_source_get(m->src, IHO_NODE_TABLE, ref->table, &fact);
	NEED(fact.table.context == m->context &&
	     fact.table.hwpt_id == c->out_hwpt_id, REF, "table");
	add(m, &m->hwpts, c->out_hwpt_id,
	    ref->table | (u32)(device - m->devices.at) << HWPT_DEVICE_SHIFT |
	    (ref->flags & IHO_HWPT_AUTO ? HWPT_AUTO : 0));
	return IHO_OK;
}

/*
 * The kernel makes an automatic HWPT when the first device is attached, and
 * its record names the one of lowest ID. Replay makes it with that device: if
 * another were named, it would be made before its time.
 */
static bool named_by_auto(const struct iho_model *m,
			  const struct iho_entry *hwpt,
			  const struct iho_entry *device)
{
	const u32 position = hwpt->info >> HWPT_DEVICE_SHIFT & HWPT_DEVICE_MASK;

	return !(hwpt->info & HWPT_AUTO) || hwpt->info & HWPT_ATTACHED ||
	       position == (u32)(device - m->devices.at);
}

static int attach(struct iho_model *m, const struct iho_pl_attach *c,
		  const struct iho_attach_ref *ref)
{
	struct iho_entry *device = iho_model_find(&m->devices, ref->dev_id);
	struct iho_entry *hwpt = iho_model_find(&m->hwpts, c->pt_id);
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
	NEED(named_by_auto(m, hwpt, device), REF, "dev_id");
	device->info |= DEVICE_ATTACHED;
	hwpt->info |= HWPT_ATTACHED;
	m->attaches++;
	return IHO_OK;
}

static int payload(struct iho_model *m, const struct iho_framed *rec)
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

int iho_model_apply(struct iho_model *m, const struct iho_framed *rec)
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

void iho_model_init(struct iho_model *m, const struct iho_plan_source *src,
		    u32 context, const char *session, void *work)
{
	memset(m, 0, sizeof(*m));
	m->src = src;
	m->context = context;
	m->session = session;
	m->memory_at = IHO_NONE;
	m->next = work;
}

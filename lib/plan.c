// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: what a record stream must satisfy as a whole, and the plan
 * that it is then (section 4.3).
 */
#include "iho_internal.h"

static int check_devices(const struct iho_model *m, struct iho_where *where)
{
	const struct iho_owned *owned = iho_source_owned(m->src);
	const struct iho_entry *e;
	struct iho_cursor cur;
	union iho_fact fact;
	u32 i;

	/*
	 * Each bind names a device of this context and no two name one; each attach
	 * one of these that has a domain. As many as there are: all of them.
	 */
	if (owned && owned[m->context].devices == m->devices.count &&
	    owned[m->context].attached == m->attaches)
		return 0;
	iho_cursor_init(&cur, m->src, IHO_NODE_DEVICE);
	for (i = 0; iho_cursor_next(&cur, &fact); i++) {
		if (fact.device.context != m->context)
			continue;
		e = iho_model_find(&m->devices, fact.device.dev_id);
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

static int check_hwpts(const struct iho_model *m, u64 len,
		       struct iho_where *where)
{
	const u32 tables = iho_source_count(m->src, IHO_NODE_TABLE);
	const struct iho_image *img = m->src->img;
	union iho_fact fact;
	u64 at = 0;
	u32 i;

	for (i = iho_first_table(m->src, m->context); i < tables; i++) {
		iho_source_get(m->src, IHO_NODE_TABLE, i, &fact);
		if (fact.table.context != m->context)
			break;
		if (iho_model_find(&m->hwpts, fact.table.hwpt_id))
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

int iho_plan_init(struct iho_plan *plan, const struct iho_plan_source *src,
		  u32 context, const void *stream, u64 len, u32 records,
		  void *work, size_t work_len, struct iho_where *where)
{
	struct iho_model m;
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
	iho_model_init(&m, src, context, own.context.session, work);

	for (i = 0; i < records && pos < len; i++) {
		err = iho_rec_frame(stream, len, pos, &rec, &what);
		if (!err) {
			err = iho_model_apply(&m, &rec);
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
	return 0;
}

int iho_plan_next(struct iho_plan *plan, struct iho_step *step)
{
	struct iho_framed rec;
	const char *what;

	if (plan->pos == plan->len ||
	    iho_rec_frame(plan->stream, plan->len, plan->pos, &rec, &what))
		return 0;
	/* All that there is of its kind */
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

void iho_plan_mark_memories(const struct iho_plan *plan,
			    u8 marks[IHO_MARKS_LEN])
{
	struct iho_plan p = *plan;
	struct iho_step step;
	u32 index;

	iho_plan_rewind(&p);
	while (iho_plan_next(&p, &step)) {
		if (step.kind > IHO_REC_MAP_FILE)
			break;
		if (step.kind != IHO_REC_MAP_FILE)
			continue;
		index = step.map.ref.memory;
		marks[index / 8] |= (u8)(1u << index % 8);
	}
}

int iho_memories_check(const struct iho_plan_source *src,
		       const u8 marks[IHO_MARKS_LEN], struct iho_where *where)
{
	struct iho_cursor cur;
	union iho_fact fact;
	u32 i;

	iho_cursor_init(&cur, src, IHO_NODE_MEMORY);
	for (i = 0; iho_cursor_next(&cur, &fact); i++)
		if (!(marks[i / 8] & 1u << i % 8))
			return iho_fail(where, IHO_ERR_ORPHAN, cur.at,
					iho_node_desc[IHO_NODE_MEMORY].name, i,
					"", IHO_NONE);
	return 0;
}

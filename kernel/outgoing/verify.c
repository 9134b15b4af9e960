// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: the hardware's page tables against the records.
 */
#include <linux/bsearch.h>
#include <linux/iommu-handover.h>
#include <linux/kho/abi/memfd.h>
#include <linux/mm.h>
#include <linux/sort.h>

#include "../iommufd/io_pagetable.h"
#include "gather.h"

/* Where LUO keeps a byte of a memfd, and for how many bytes from there on. */
static bool memfd_pa(const struct liveupdate_found *mem, u64 off, u64 *pa,
		     u64 *len)
{
	const struct memfd_luo_ser *ser = phys_to_virt(mem->serialized_data);
	const struct memfd_luo_folio_ser *folios = mem->private_data;
	u64 index = off >> PAGE_SHIFT, lo = 0, hi, size;

	if (!folios)
		return false;
	for (hi = ser->nr_folios; lo < hi; ) {
		u64 mid = lo + (hi - lo) / 2;

		if (folios[mid].index <= index)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	size = folio_size(pfn_folio(folios[lo - 1].pfn));
	off -= folios[lo - 1].index << PAGE_SHIFT;
	if (off >= size)
		return false;
	*pa = PFN_PHYS(folios[lo - 1].pfn) + off;
	*len = size - off;
	return true;
}

struct verify {
	struct handover_ctx *ctx;
	u32 hwpt_id;
	struct iho_walk walk;
	struct iho_run run;
	bool have;
};

static int refuse_table(struct verify *v, int rc)
{
	return handover_refuse_ctx(v->ctx, -EINVAL,
				   "HWPT %u: its page table: %s; destroy it and report it",
				   v->hwpt_id, iho_strerror(rc));
}

static int refuse_unmapped(struct verify *v)
{
	return handover_refuse_ctx(v->ctx, -EINVAL,
				   "HWPT %u IOVA %#llx is in the page table but not mapped; destroy the HWPT and report it",
				   v->hwpt_id, v->run.first_iova);
}

static int refuse_memory(void)
{
	return handover_refuse(-ENOMEM,
			       "out of memory to check the page tables; free memory and load again");
}

static int verify_next(struct verify *v)
{
	int rc = iho_walk_next(&v->walk, &v->run);

	v->have = rc == 1;
	return rc < 0 ? refuse_table(v, rc) : 0;
}

static int verify_map(struct verify *v, const struct iho_pl_map_file *map,
		      const struct liveupdate_found *mem)
{
	u64 iova = map->iova, last = iova + map->length - 1, off = map->start;
	u64 pa, len;
	u32 perm = 0;
	int rc;

	if (map->flags & IHO_MAP_READABLE)
		perm |= IHO_PT_READ;
	if (map->flags & IHO_MAP_WRITEABLE)
		perm |= IHO_PT_WRITE;
	perm = iho_format_perm(v->walk.format, perm);
	for (;;) {
		if (!v->have || v->run.first_iova > iova)
			return handover_refuse_ctx(v->ctx, -EINVAL,
						   "HWPT %u IOVA %#llx is mapped but not in the page table; unmap and map it again, and report it",
						   v->hwpt_id, iova);
		if (v->run.first_iova < iova)
			return refuse_unmapped(v);
		if (!memfd_pa(mem, off, &pa, &len) || pa != v->run.pa)
			/*
			 * Cure: unmap and map that range again, then preserve
			 * again.
			 */
			return handover_refuse_ctx(v->ctx, -EINVAL,
						   "HWPT %u IOVA %#llx is not the preserved page of memfd token %llu at %#llx; was a hole punched? Unmap and map it again",
						   v->hwpt_id, iova, mem->token, off);
		if ((v->run.perm & (IHO_PT_READ | IHO_PT_WRITE)) != perm)
			return handover_refuse_ctx(v->ctx, -EINVAL,
						   "HWPT %u IOVA %#llx has other permissions in the page table than its map; unmap and map it again, and report it",
						   v->hwpt_id, iova);
		len = min3(len, v->run.last_iova - iova + 1, last - iova + 1);
		/* Consume from the run what this step has seen */
		if (len == v->run.last_iova - v->run.first_iova + 1) {
			rc = verify_next(v);
			if (rc)
				return rc;
		} else {
			v->run.first_iova += len;
			v->run.pa += len;
		}
		if (len == last - iova + 1)
			return 0;
		iova += len;
		off += len;
	}
}

/**
 * struct maps_at - where the maps of an IOAS are in a stream
 * @ioas_id: the IOAS
 * @next: number of the first record
 * @nr: how many records
 * @pos: byte offset of the first
 */
struct maps_at {
	u32 ioas_id;
	u32 next;
	u32 nr;
	u64 pos;
};

/* The maps of one IOAS, in a row and in ascending IOVA. */
struct maps {
	struct iho_plan plan;
	struct iho_step step;
	u32 ioas_id;
};

static int cmp_maps_at(const void *key, const void *elt)
{
	return cmp_int(*(const u32 *)key,
		       ((const struct maps_at *)elt)->ioas_id);
}

static const struct maps_at *find_maps(const struct maps_at *at, u32 nr,
				       u32 ioas_id)
{
	return bsearch(&ioas_id, at, nr, sizeof(*at), cmp_maps_at);
}

static void maps_of(struct maps *m, const struct iho_plan *plan,
		    const struct maps_at *at, u32 nr, u32 ioas_id)
{
	const struct maps_at *found = find_maps(at, nr, ioas_id);

	m->plan = *plan;
	m->ioas_id = ioas_id;
	/* Without any, the cursor is at the end of the stream */
	m->plan.pos = found ? found->pos : plan->len;
	m->plan.next = found ? found->next : plan->records;
}

static const struct iho_pl_map_file *maps_next(struct maps *m)
{
	if (iho_plan_next(&m->plan, &m->step) != 1 ||
	    m->step.kind != IHO_REC_MAP_FILE ||
	    m->step.map.cmd.ioas_id != m->ioas_id)
		return NULL;
	return &m->step.map.cmd;
}

static int verify_hwpt(struct handover_ctx *ctx, const struct handover_live *live,
		       const struct iho_table *table, struct maps *maps)
{
	const struct iho_pt pt = handover_pt(table, handover_live_table);
	struct verify v = { .ctx = ctx, .hwpt_id = table->hwpt_id };
	const struct iho_pl_map_file *map;
	int rc;

	rc = iho_walk_init(&v.walk, &pt);
	if (rc)
		return refuse_table(&v, rc);
	rc = verify_next(&v);
	if (rc)
		return rc;
	while ((map = maps_next(maps))) {
		rc = verify_map(&v, map,
				&live->mem[maps->step.map.ref.memory]);
		if (rc)
			return rc;
	}
	return v.have ? refuse_unmapped(&v) : 0;
}

/**
 * struct user_maps - comparing user memory in IOASes without HWPT
 * @ctx: the context
 * @live: its live state
 * @plan: its stream, the cursor at the start
 * @at: where the maps of each IOAS are in it
 * @nr: how many of these
 * @pieces: how many areas were looked up
 *
 * Records of areas in IOASes with HWPT are compared with the hardware, so that
 * a record of the same pages and of the same place in the same memfd is right.
 */
struct user_maps {
	struct handover_ctx *ctx;
	const struct handover_live *live;
	const struct iho_plan *plan;
	const struct maps_at *at;
	u32 nr;
	u64 pieces;
};

/* A record of a map as this kernel writes it; the stream is equal to such. */
struct map_record {
	struct iho_rec head;
	struct iho_pl_map_file cmd;
	struct iho_map_ref ref;
};

static_assert(sizeof(struct map_record) == sizeof(struct iho_rec) +
	      sizeof(struct iho_pl_map_file) + sizeof(struct iho_map_ref));
static_assert(!(sizeof(struct iho_pl_map_file) % 8) &&
	      !(sizeof(struct iho_map_ref) % 8));

static int cmp_iova(const void *key, const void *elt)
{
	return cmp_int(*(const u64 *)key,
		       ((const struct map_record *)elt)->cmd.iova);
}

/* The share group that is recorded for an area, or IHO_NONE. */
static u32 recorded_group(const struct user_maps *u, struct iopt_area *area)
{
	struct iommufd_ioas *ioas = container_of(area->iopt, struct iommufd_ioas,
						 iopt);
	const struct maps_at *at = find_maps(u->at, u->nr, ioas->obj.id);
	const struct map_record *found;
	u64 iova = iopt_area_iova(area);

	if (!at)
		return IHO_NONE;
	found = bsearch(&iova, u->plan->stream + at->pos, at->nr,
			sizeof(*found), cmp_iova);
	return found ? found->ref.group : IHO_NONE;
}

static int verify_pinned(struct user_maps *u, struct iopt_area *area,
			 const struct iho_step *step)
{
	const struct liveupdate_found *mem = &u->live->mem[step->map.ref.memory];
	const struct iho_pl_map_file *map = &step->map.cmd;
	unsigned long first = iopt_area_index(area), index = first;
	struct interval_tree_node *node;
	struct iopt_area *by;
	u64 ahead;

	guard(mutex)(&area->pages->mutex);
	for (;;) {
		node = interval_tree_iter_first(&area->pages->domains_itree,
						index, index);
		by = node ? container_of(node, struct iopt_area, pages_node) :
			    NULL;
		if (!by || recorded_group(u, by) != step->map.ref.group) {
			ahead = (u64)(index - first) << PAGE_SHIFT;
			ahead -= ahead ? area->page_offset : 0;
			/*
			 * Cure: unmap and map that range again, then preserve
			 * again.
			 */
			return handover_refuse_ctx(u->ctx, -EINVAL,
						   "IOAS %u IOVA %#llx is not the preserved page of memfd token %llu at %#llx; was a hole punched? Unmap and map it again",
						   map->ioas_id, map->iova + ahead,
						   mem->token, map->start + ahead);
		}
		if (node->last >= iopt_area_last_index(area))
			return 0;
		index = node->last + 1;
		if (++u->pieces > HANDOVER_MAX_PIECES)
			return handover_refuse_pieces(u->ctx, map->ioas_id, map->iova);
		cond_resched();
	}
}

/* Not inlined, as the next: each has a plan and a step, which add up. */
static noinline_for_stack
int verify_user(struct user_maps *u, struct iommufd_ioas *ioas)
{
	const struct iho_pl_map_file *map;
	struct iopt_area *area;
	struct maps m;
	int rc;

	ACQUIRE(rwsem_read_try, lock)(&ioas->iopt.iova_rwsem);
	if (ACQUIRE_ERR(rwsem_read_try, &lock))
		return handover_refuse_busy(u->ctx, ioas);
	if (!xa_empty(&ioas->iopt.domains))
		return 0;
	maps_of(&m, u->plan, u->at, u->nr, ioas->obj.id);
	while ((map = maps_next(&m))) {
		area = iopt_area_iter_first(&ioas->iopt, map->iova, map->iova);
		if (area->pages->type != IOPT_ADDRESS_USER)
			continue;
		rc = verify_pinned(u, area, &m.step);
		if (rc)
			return rc;
	}
	return 0;
}

static int verify_all_user(struct user_maps *u)
{
	struct iommufd_object *obj;
	unsigned long index;
	int rc = 0;

	for (index = 0; !rc && (obj = handover_object_from(u->ctx->ictx, &index)); index++)
		if (obj->type == IOMMUFD_OBJ_IOAS)
			rc = verify_user(u, to_ioas(obj));
	return rc;
}

static noinline_for_stack
int verify_context(struct handover_ctx *ctx, u32 ci,
		   const struct handover_live *live,
		   const struct iho_plan *plan)
{
	const struct iho_plan_source src = { .facts = &live->facts };
	struct maps_at *at __free(kvfree) = NULL;
	struct iommufd_hwpt_paging *hwpt;
	struct iommufd_object *obj;
	struct user_maps u = { .ctx = ctx, .live = live, .plan = plan };
	struct maps *m __free(kfree) = NULL;
	u32 nr = 0;
	int rc;

	at = kvcalloc(plan->ioas + 1, sizeof(*at), GFP_KERNEL);
	/* Too large for the stack beside the walk of a page table */
	m = kzalloc_obj(*m);
	if (!at || !m)
		return refuse_memory();
	m->plan = *plan;
	for (;;) {
		struct maps_at here = {
			.pos = m->plan.pos,
			.next = m->plan.next,
		};

		if (iho_plan_next(&m->plan, &m->step) != 1)
			break;
		here.ioas_id = m->step.map.cmd.ioas_id;
		if (m->step.kind != IHO_REC_MAP_FILE)
			continue;
		if (!nr || at[nr - 1].ioas_id != here.ioas_id)
			at[nr++] = here;
		at[nr - 1].nr++;
	}
	for (u32 i = iho_first_table(&src, ci); i < live->facts.tables; i++) {
		const struct iho_table *table = &live->facts.table[i];

		if (table->context != ci)
			break;
		obj = xa_load(&ctx->ictx->objects, table->hwpt_id);
		hwpt = container_of(obj, struct iommufd_hwpt_paging,
				    common.obj);
		maps_of(m, plan, at, nr, hwpt->ioas->obj.id);
		rc = verify_hwpt(ctx, live, table, m);
		if (rc)
			return rc;
	}
	u.at = at;
	u.nr = nr;
	return verify_all_user(&u);
}

int handover_live_prove(struct list_head *contexts, struct handover_live *live)
{
	struct iho_facts facts = live->facts;
	struct iho_plan_source src = { .facts = &facts };
	struct handover_ctx *ctx;
	void *index;
	u32 ci = 0;
	int rc = 0;

	if (live->proved)
		return 0;
	index = kvmalloc(iho_facts_index_size(&live->facts) + 1, GFP_KERNEL);
	if (!index)
		return refuse_memory();
	iho_facts_index(&facts, index);
	list_for_each_entry(ctx, contexts, list) {
		const struct iho_context *c = &live->facts.context[ci];
		size_t work_len = iho_plan_work(c->records);
		struct iho_where where;
		char place[IHO_WHERE_LEN];
		struct iho_plan plan;
		void *work;

		work = kvzalloc(work_len, GFP_KERNEL);
		if (!work) {
			rc = refuse_memory();
			break;
		}
		rc = iho_plan_init(&plan, &src, ci, live->buf + c->stream_off,
				   c->stream_len, c->records, work, work_len,
				   &where);
		kvfree(work);
		if (rc)
			rc = handover_refuse_ctx(ctx, -EINVAL,
						 "its records: %s: %s; report it",
						 iho_where_text(&where, place),
						 iho_strerror(rc));
		else
			rc = verify_context(ctx, ci, live, &plan);
		if (rc)
			break;
		ci++;
	}
	kvfree(index);
	live->proved = !rc;
	return rc;
}

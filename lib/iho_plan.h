/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: records, and the plan that a stream of them is (section 4).
 *
 * Part of iho.h, which includes it.
 */
#ifndef IHO_PLAN_H
#define IHO_PLAN_H

/* ---- records and plan (section 4): stream.c, plan.c ------------------ */

/**
 * struct iho_step - one record, decoded and checked; what the kernel applies
 * @kind: enum iho_rec_kind; says which member of the union is set
 * @record: its number in the stream, from 0
 * @offset: byte offset of the record in the stream
 * @option: of OPTION and IOAS_OPTION
 * @ioas: of IOAS_ALLOC
 * @allow: of ALLOW_IOVAS; the ranges lie in the stream
 * @vfio_ioas: of VFIO_IOAS
 * @map: of MAP_FILE
 * @bind: of VFIO_BIND
 * @hwpt: of HWPT_ALLOC
 * @attach: of ATTACH
 */
struct iho_step {
	u32 kind;
	u32 record;
	u64 offset;
	union {
		struct iho_pl_option option;	/* OPTION, IOAS_OPTION */
		struct iho_pl_ioas_alloc ioas;
		struct {
			u32 ioas_id;
			u32 ranges;
			const struct iho_range *range;	/* in the stream */
		} allow;
		struct iho_pl_vfio_ioas vfio_ioas;
		struct {
			struct iho_pl_map_file cmd;
			struct iho_map_ref ref;
		} map;
		struct {
			struct iho_pl_bind cmd;
			struct iho_bind_ref ref;
		} bind;
		struct {
			struct iho_pl_hwpt_alloc cmd;
			struct iho_hwpt_ref ref;
		} hwpt;
		struct {
			struct iho_pl_attach cmd;
			struct iho_attach_ref ref;
		} attach;
	};
};

/**
 * struct iho_plan - a checked record stream and a cursor in it
 * @stream: the stream
 * @len: its length in bytes
 * @records: how many it holds
 * @objects: IOAS, devices and HWPTs together
 * @ioas: how many
 * @maps: how many
 * @devices: how many
 * @hwpts: how many
 * @attaches: how many
 * @groups: share groups
 * @pos: cursor, byte offset in the stream
 * @next: number of the record there
 *
 * The model of iommufd that checking uses (objects, references, IOVA
 * intervals, allowed ranges, share groups) lives in the caller's workspace.
 */
struct iho_plan {
	const u8 *stream;
	u64 len;
	u32 records;
	u32 objects;
	u32 ioas, maps, devices, hwpts, attaches, groups;
	u64 pos;
	u32 next;
};

/** struct iho_plan_source - where the facts are that a stream refers to */
struct iho_plan_source {
	/** @img: an accepted image, or NULL */
	const struct iho_image *img;
	/** @facts: arrays, looked at when @img is NULL */
	const struct iho_facts *facts;
};

/*
 * All facts of a kind one after the other, each in O(1): read.c. The members are the
 * library's own.
 */
struct iho_cursor {
	const struct iho_plan_source *src;
	enum iho_node kind;
	u32 next, count;
	int off;		/* of the node that comes next, in an image */
	u64 at;			/* byte offset of the last one, in an image */
};

/**
 * iho_cursor_init() - before the first fact of a kind
 * @cur: the cursor
 * @src: where the facts are; must outlive @cur
 * @kind: which kind of node
 */
void iho_cursor_init(struct iho_cursor *cur, const struct iho_plan_source *src,
		     enum iho_node kind);

/**
 * iho_cursor_next() - the next fact
 * @cur: from iho_cursor_init()
 * @fact: filled as by iho_get()
 *
 * Return: whether there was one.
 */
bool iho_cursor_next(struct iho_cursor *cur, union iho_fact *fact);

/**
 * iho_first_table() - where the tables of a context begin, which lie together
 * @src: where the facts are
 * @context: index of the context
 *
 * Return: the index of its first table, or of the first of a later context, or how
 * many tables there are. O(log(tables)).
 */
u32 iho_first_table(const struct iho_plan_source *src, u32 context);

/**
 * iho_plan_work() - workspace that a stream of so many records needs at most
 * @records: how many, at most IHO_MAX_RECORDS
 *
 * Return: bytes, 8 per record.
 */
size_t iho_plan_work(u32 records);

/**
 * iho_plan_init() - check a stream as a whole and put the cursor at its start
 * @plan: filled
 * @src: the facts that the stream may refer to; checked before
 * @context: index of the context
 * @stream: the stream, 8-byte aligned; must outlive @plan. Of an image: after
 *	    iho_section_check()
 * @len: its length in bytes
 * @records: how many it holds
 * @work: iho_plan_work(records) bytes, 8-byte aligned; not used after init
 * @work_len: its size in bytes
 * @where: filled on failure
 *
 * Replays the stream in the model: kinds in dependency order, each kind's own
 * order, object IDs unique in the context, every reference to what came
 * before and of the right kind, payload fields as section 4 demands, maps
 * disjoint, page-aligned where iommufd wants it and within their memory's
 * size, share groups consistent, exactly the devices and tables of this
 * context used, each once. A memory need not belong to the context's session
 * for the model: that it does is checked here too (-IHO_ERR_REF).
 *
 * Return: 0 or any corrupt, unsupported or limit error; -IHO_ERR_NOSPACE.
 */
int iho_plan_init(struct iho_plan *plan, const struct iho_plan_source *src,
		  u32 context, const void *stream, u64 len, u32 records,
		  void *work, size_t work_len, struct iho_where *where);

/**
 * iho_plan_next() - next step
 * @plan: from iho_plan_init()
 * @step: filled: kind, record, offset, and what there is of that kind
 *
 * Return: 1 with @step filled, 0 at the end. Cannot fail after init.
 */
int iho_plan_next(struct iho_plan *plan, struct iho_step *step);

/** iho_plan_rewind() - cursor back to the first record. */
void iho_plan_rewind(struct iho_plan *plan);

/* Bytes of the marks of iho_plan_mark_memories(): one bit per memory. */
#define IHO_MARKS_LEN	(IHO_MAX_MEMORIES / 8)

/**
 * iho_plan_mark_memories() - note which memories the maps of a plan name
 * @plan: from iho_plan_init(); its cursor stays where it is
 * @marks: all zero before the first plan; one array for all contexts
 */
void iho_plan_mark_memories(const struct iho_plan *plan,
			    u8 marks[IHO_MARKS_LEN]);

/**
 * iho_memories_check() - a map of some context names each memory
 * @src: the facts
 * @marks: after iho_plan_mark_memories() of the plan of each context
 * @where: filled on failure
 *
 * Return: 0, -IHO_ERR_ORPHAN.
 */
int iho_memories_check(const struct iho_plan_source *src,
		       const u8 marks[IHO_MARKS_LEN], struct iho_where *where);

/**
 * iho_rec_append() - write one record; what recorder and tests use
 * @buf: stream buffer, or NULL to measure
 * @cap: its size in bytes
 * @pos: in and out: where to write, and the first byte after the record
 * @kind: enum iho_rec_kind
 * @payload: the ioctl's structure
 * @payload_len: its size in bytes
 * @inl: inline data; may be NULL when @inline_len is 0
 * @inline_len: its size in bytes
 *
 * Padding is written as zero.
 *
 * Return: 0, -IHO_ERR_NOSPACE, -IHO_ERR_LIMIT (record over
 * IHO_MAX_RECORD_LEN).
 */
int iho_rec_append(void *buf, u64 cap, u64 *pos, u32 kind, const void *payload,
		   u32 payload_len, const void *inl, u32 inline_len);

#endif /* IHO_PLAN_H */

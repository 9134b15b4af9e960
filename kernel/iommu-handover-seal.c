// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: the preserved iommufds, the seal, the gate.
 *
 * The seal stands or it does not. Whatever cannot be refused while it stands
 * (a close, a process exit, an unplug) undoes it first, so that preserved
 * memory is never freed; the gate then keeps the machine from jumping.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/iommu-handover.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/list_sort.h>
#include <linux/uaccess.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "../iommufd/iommufd_private.h"
#include "handover-private.h"

#define EXTENT_ORDER	MAX_PAGE_ORDER
static_assert((PAGE_SIZE << EXTENT_ORDER) >= IHO_MAX_HEAD);
static_assert(sizeof(struct iho_envelope) <= PAGE_SIZE);
static_assert(PAGE_SIZE == IHO_PAGE_SIZE);

/**
 * struct image_copy - an image in memory that can be preserved
 * @ptr: of each extent
 * @pa: of each extent
 * @len: of each extent, bytes
 * @extents: how many
 * @total: bytes of all
 * @map: all of it, contiguous
 */
struct image_copy {
	void *ptr[IHO_MAX_EXTENTS];
	u64 pa[IHO_MAX_EXTENTS];
	u64 len[IHO_MAX_EXTENTS];
	u32 extents;
	u64 total;
	const void *map;
};

struct seal {
	u64 generation;
	struct image_copy image;
	void *envelope;
	u64 *table_pa;		/* preserved page-table pages */
	u64 tables;
	struct pid *sealer;	/* thread group that may load under it */
	struct kimage *kimage;	/* loaded under it, or NULL */
	u32 records;
	u32 devices;
	u32 hwpts;
};

/* How far a jump has come; decides what a close of a sealed object does. */
enum jump {
	JUMP_NONE,		/* a close breaks the seal */
	JUMP_FREEZING,		/* a close waits for the outcome */
	JUMP_COMMITTED,		/* a close leaves everything in place */
};

/* Everything outgoing; see iommufd.h for the order of locks */
DEFINE_MUTEX(iho_mutex);
LIST_HEAD(iho_contexts);
u32 iho_nr_contexts;

static atomic64_t generation = ATOMIC64_INIT(1);
static struct seal *seal;
static char undone[192];	/* why the last seal was; "" with the next */
static u64 gated;		/* generation of the seal that the gate saw */
static struct kimage *orphan;	/* loaded under a seal that was undone since */
static u32 frozen;
static enum jump jump;
static DECLARE_WAIT_QUEUE_HEAD(jump_wait);

u64 iho_generation(void)
{
	return atomic64_read(&generation);
}

void iho_generation_move(void)
{
	atomic64_inc(&generation);
}

/* ---- the image in preserved memory ----------------------------------- */

static void image_free(struct image_copy *img)
{
	vunmap(img->map);
	while (img->extents)
		kho_unpreserve_free(img->ptr[--img->extents]);
	img->map = NULL;
}

/* Copy an image from user space to where the next kernel will find it. */
static int image_copy(struct image_copy *img, const void __user *from, u64 len)
{
	const u64 most = PAGE_SIZE << EXTENT_ORDER;
	struct page **pages;
	unsigned long n = 0;
	u64 done, chunk, i;
	void *p;

	for (done = 0; done < len; done += chunk) {
		unsigned int order;

		/* Whole powers of two, so that nothing trails an extent */
		order = min(ilog2((len - done) >> PAGE_SHIFT), EXTENT_ORDER);
		/* but header and FDT, at the front, in one piece */
		if (!done && len < most)
			order = get_order(len);
		if (img->extents == IHO_MAX_EXTENTS)
			return -EFBIG;
		do {
			p = kho_alloc_preserve(PAGE_SIZE << order);
			chunk = min(len - done, (u64)PAGE_SIZE << order);
		} while (p == ERR_PTR(-ENOMEM) && done && order--);
		if (IS_ERR(p))
			return PTR_ERR(p);
		img->ptr[img->extents] = p;
		img->pa[img->extents] = virt_to_phys(p);
		img->len[img->extents++] = chunk;
		if (copy_from_user(p, from + done, chunk))
			return -EFAULT;
	}
	pages = kvmalloc_array(len >> PAGE_SHIFT, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (i = 0; i < img->extents; i++)
		for (done = 0; done < img->len[i]; done += PAGE_SIZE)
			pages[n++] = virt_to_page(img->ptr[i] + done);
	img->map = vmap(pages, n, VM_MAP, PAGE_KERNEL_RO);
	kvfree(pages);
	img->total = len;
	return img->map ? 0 : -ENOMEM;
}

/* ---- page-table pages ------------------------------------------------ */

/* Counts before there is a place to note the page, preserves afterwards. */
static int visit_table(void *priv, u64 pa, u32 level)
{
	struct seal *s = priv;
	int rc;

	if (s->table_pa) {
		rc = kho_preserve_pages(pfn_to_page(PHYS_PFN(pa)), 1);
		if (rc)
			return rc;
		s->table_pa[s->tables] = pa;
	}
	s->tables++;
	return 0;
}

static int visit_tables(struct seal *s, const struct iho_live *live)
{
	int rc = 0;

	for (u32 i = 0; !rc && i < live->facts.tables; i++) {
		const struct iho_table *table = &live->facts.table[i];
		struct iho_pt pt = {
			.format = table->format,
			.levels = table->levels,
			.root_pa = table->root_pa,
			.table = iho_live_table,
			.max_tables = IHO_MAX_TABLE_PAGES,
		};

		rc = iho_walk_tables(&pt, visit_table, s);
	}
	return rc;
}

static int preserve_tables(struct seal *s, const struct iho_live *live)
{
	u64 tables;
	int rc;

	rc = visit_tables(s, live);
	tables = s->tables;
	s->tables = 0;
	if (rc)
		return iho_refuse(-EINVAL, "page tables: %s", iho_strerror(rc));
	s->table_pa = kvcalloc(tables + 1, sizeof(u64), GFP_KERNEL);
	if (!s->table_pa)
		return iho_refuse(-ENOMEM,
				  "out of memory for %llu page tables; free memory and load again",
				  tables);
	rc = visit_tables(s, live);
	if (rc)
		return iho_refuse(rc,
				  "page tables cannot be preserved: error %d; free memory and load again",
				  rc);
	return 0;
}

/* ---- checking an image against live state ---------------------------- */

static int refuse_image(int rc, const struct iho_where *where)
{
	if (where->record != IHO_NONE)
		return iho_refuse(iho_errno(rc),
				  "image: context-%u record %u at %#llx, %s: %s",
				  where->index, where->record, where->offset,
				  where->prop, iho_strerror(rc));
	if (where->index != IHO_NONE && !*where->prop)
		return iho_refuse(iho_errno(rc), "image: %s-%u at %#llx: %s",
				  where->node, where->index, where->offset,
				  iho_strerror(rc));
	if (where->index != IHO_NONE)
		return iho_refuse(iho_errno(rc), "image: %s-%u %s at %#llx: %s",
				  where->node, where->index, where->prop,
				  where->offset, iho_strerror(rc));
	/* The root node has no name */
	if (!*where->node)
		return iho_refuse(iho_errno(rc), "image: %s at %#llx: %s",
				  where->prop, where->offset, iho_strerror(rc));
	return iho_refuse(iho_errno(rc), "image: %s %s at %#llx: %s",
			  where->node, where->prop, where->offset,
			  iho_strerror(rc));
}

/* What a record is about, for a sentence */
static void describe_step(const struct iho_step *step, char *text, size_t len)
{
	switch (step->kind) {
	case IHO_REC_OPTION:
		scnprintf(text, len, "an option");
		return;
	case IHO_REC_IOAS_ALLOC:
		scnprintf(text, len, "IOAS %u", step->ioas.out_ioas_id);
		return;
	case IHO_REC_IOAS_OPTION:
		scnprintf(text, len, "an option of IOAS %u",
			  step->option.object_id);
		return;
	case IHO_REC_ALLOW_IOVAS:
		scnprintf(text, len, "the allowed ranges of IOAS %u",
			  step->allow.ioas_id);
		return;
	case IHO_REC_VFIO_IOAS:
		scnprintf(text, len, "the VFIO IOAS %u",
			  step->vfio_ioas.ioas_id);
		return;
	case IHO_REC_MAP_FILE:
		scnprintf(text, len, "a map of IOAS %u at IOVA %#llx",
			  step->map.cmd.ioas_id, step->map.cmd.iova);
		return;
	case IHO_REC_VFIO_BIND:
		scnprintf(text, len, "device %u", step->bind.cmd.out_devid);
		return;
	case IHO_REC_HWPT_ALLOC:
		scnprintf(text, len, "HWPT %u", step->hwpt.cmd.out_hwpt_id);
		return;
	case IHO_REC_ATTACH:
		scnprintf(text, len, "a device attached to HWPT %u",
			  step->attach.cmd.pt_id);
		return;
	}
	scnprintf(text, len, "of kind %u", step->kind);
}

/* Say which record of live state byte @at of the stream belongs to. */
static int refuse_record(const struct iho_live *live, u32 ci, u64 at)
{
	const struct iho_context *c = &live->facts.context[ci];
	struct iho_plan_source src = { .facts = &live->facts };
	size_t work_len = iho_plan_work(c->records);
	struct iho_where where;
	struct iho_step step;
	struct iho_plan plan;
	char what[64];
	void *work;
	int rc;

	work = kvzalloc(work_len, GFP_KERNEL);
	if (!work)
		return iho_refuse(-ENOMEM,
				  "out of memory to check the records; free memory and load again");
	rc = iho_plan_init(&plan, &src, ci, live->buf + c->stream_off,
			   c->stream_len, c->records, work, work_len, &where);
	kvfree(work);
	if (rc)
		return refuse_image(rc, &where);
	do {
		rc = iho_plan_next(&plan, &step);
	} while (rc > 0 && plan.pos <= at);
	if (rc <= 0)
		return iho_refuse(-EINVAL, "image: context-%u: %s", ci,
				  iho_strerror(rc));
	describe_step(&step, what, sizeof(what));
	return iho_refuse(-EINVAL,
			  "image: context-%u record %u differs from session \"%s\" token %llu, where it is %s; load again with the kexec of this kernel",
			  ci, step.record, c->session, c->token, what);
}

static int check_stream(struct seal *s, const struct iho_image *image,
			struct iho_out_ctx *ctx, u32 ci,
			const struct iho_live *live)
{
	const struct iho_context *want = &live->facts.context[ci];
	struct iho_plan_source src = { .img = image };
	struct iho_context have;
	struct iho_where where;
	struct iho_plan plan;
	const u8 *a, *b;
	size_t work_len;
	void *work;
	u64 i;
	int rc;

	rc = iho_get_context(image, ci, &have);
	if (rc)
		return iho_refuse(iho_errno(rc), "image: context-%u: %s", ci,
				  iho_strerror(rc));
	a = s->image.map + have.stream_off;
	b = live->buf + want->stream_off;
	for (i = 0; i < want->stream_len && a[i] == b[i]; i++)
		;
	if (i < want->stream_len)
		return refuse_record(live, ci, i);
	work_len = iho_plan_work(have.records);
	work = kvzalloc(work_len, GFP_KERNEL);
	if (!work)
		return iho_refuse(-ENOMEM,
				  "out of memory to check the records; free memory and load again");
	rc = iho_plan_init(&plan, &src, ci, a, have.stream_len, have.records,
			   work, work_len, &where);
	kvfree(work);
	if (rc)
		return refuse_image(rc, &where);
	s->records += have.records;
	/* Against what is recorded: another look at user memory may differ */
	return iho_live_verify(ctx, ci, live, &plan);
}

static int check_image(struct seal *s, const struct iho_live *live,
		       u64 expect)
{
	struct iho_seg seg = { .ptr = s->image.map, .len = s->image.total };
	struct iho_out_ctx *ctx;
	struct iho_image image;
	struct iho_where where;
	u32 ci = 0;
	int rc;

	rc = iho_image_open(&seg, 1, &image, &where);
	if (rc)
		return refuse_image(rc, &where);
	if (image.generation != expect)
		return iho_refuse(-ESTALE,
				  "image: made of generation %llu, not of %llu; take a new snapshot",
				  image.generation, expect);
	if (iho_image_differs(&image, &live->facts, &where)) {
		/* Nor has it an index */
		if (where.index == IHO_NONE)
			return iho_refuse(-EINVAL,
					  "image: %s differs from live state; load again with the kexec of this kernel",
					  where.prop);
		return iho_refuse(-EINVAL,
				  "image: %s-%u %s differs from live state; load again with the kexec of this kernel",
				  where.node, where.index, where.prop);
	}
	list_for_each_entry(ctx, &iho_contexts, list) {
		rc = check_stream(s, &image, ctx, ci++, live);
		if (rc)
			return rc;
	}
	s->devices = live->facts.devices;
	s->hwpts = live->facts.tables;
	return 0;
}

static int make_envelope(struct seal *s)
{
	const struct iho_header *hdr = s->image.map;
	int rc;

	s->envelope = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(s->envelope)) {
		rc = PTR_ERR(s->envelope);
		s->envelope = NULL;
		return iho_refuse(rc,
				  "the envelope cannot be preserved; free memory and load again");
	}
	rc = iho_envelope_build(s->envelope, s->image.pa, s->image.len,
				s->image.extents, hdr->digest);
	if (rc)
		return iho_refuse(iho_errno(rc), "envelope: %s",
				  iho_strerror(rc));
	rc = kho_add_subtree(IHO_KHO_SUBTREE, s->envelope, PAGE_SIZE);
	if (rc)
		return iho_refuse(rc,
				  "KHO does not take the envelope: error %d; boot with kho=on, free memory and load again",
				  rc);
	return 0;
}

static void seal_free(struct seal *s)
{
	if (s->envelope) {
		kho_remove_subtree(s->envelope);
		kho_unpreserve_free(s->envelope);
	}
	while (s->tables)
		kho_unpreserve_pages(pfn_to_page(PHYS_PFN(s->table_pa[--s->tables])),
				     1);
	kvfree(s->table_pa);
	image_free(&s->image);
	put_pid(s->sealer);
	kfree(s);
}

/* ---- SNAPSHOT, SEAL, UNSEAL ------------------------------------------ */

static int refuse_nothing(u32 unfinished)
{
	if (unfinished)
		return iho_refuse(-ENOENT,
				  "no iommufd is preserved in a live update session, and %u of the last handover not finished",
				  unfinished);
	return iho_refuse(-ENOENT,
			  "no iommufd is preserved in a live update session");
}

static int lock_all(void)
{
	u32 unfinished;
	int rc;

	if (!liveupdate_trylock()) {
		guard(mutex)(&iho_mutex);
		return iho_refuse(-EAGAIN,
				  "a live update session is in the middle of a call; try again");
	}
	unfinished = iho_in_unfinished();
	mutex_lock(&iho_mutex);
	if (!iho_nr_contexts)
		rc = refuse_nothing(unfinished);
	else if (seal)
		rc = iho_refuse(-EBUSY,
				"a seal stands already; unseal it first");
	else if (jump != JUMP_NONE)
		rc = iho_refuse(-EBUSY, "the machine is about to kexec");
	else
		rc = iho_contexts_lock(&iho_contexts);
	if (rc) {
		mutex_unlock(&iho_mutex);
		liveupdate_unlock();
	}
	return rc;
}

static void unlock_all(void)
{
	iho_contexts_unlock(&iho_contexts);
	mutex_unlock(&iho_mutex);
	liveupdate_unlock();
}

int iho_snapshot(void **buf, size_t *len, u64 *gen)
{
	struct iho_live live;
	int rc;

	rc = lock_all();
	if (rc)
		return rc;
	*gen = iho_generation();
	rc = iho_live_take(&iho_contexts, *gen, &live);
	if (!rc) {
		*buf = live.buf;
		*len = live.len;
		live.buf = NULL;
		iho_live_free(&live);
	}
	unlock_all();
	return rc;
}

int iho_seal(u64 gen, const void __user *image, u64 len)
{
	u32 unfinished = iho_in_unfinished();
	struct iho_out_ctx *ctx;
	struct iho_live live;
	struct seal *s;
	int rc;

	if (!len || len > IHO_MAX_IMAGE || len & (PAGE_SIZE - 1)) {
		guard(mutex)(&iho_mutex);
		return iho_refuse(len > IHO_MAX_IMAGE ? -EFBIG : -EBADMSG,
				  "image: %llu bytes is no length of an image",
				  len);
	}
	scoped_guard(mutex, &iho_mutex) {
		/* Without KHO there is nothing to copy an image to */
		if (!iho_nr_contexts)
			return refuse_nothing(unfinished);
	}
	s = kzalloc_obj(*s);
	if (!s) {
		guard(mutex)(&iho_mutex);
		return iho_refuse(-ENOMEM,
				  "out of memory for a seal; free memory and load again");
	}
	/* User memory may fault for as long as it likes: before any lock */
	rc = image_copy(&s->image, image, len);
	if (rc) {
		mutex_lock(&iho_mutex);
		iho_refuse(rc,
			   "image: %llu bytes cannot be copied to preserved memory: error %d",
			   len, rc);
		mutex_unlock(&iho_mutex);
		goto err_free;
	}
	rc = lock_all();
	if (rc)
		goto err_free;
	if (gen != iho_generation()) {
		rc = iho_refuse(-ESTALE,
				"generation %llu has moved to %llu: an iommufd was changed after the snapshot; take a new one",
				gen, iho_generation());
		goto err_unlock;
	}
	rc = iho_live_take(&iho_contexts, gen, &live);
	if (rc)
		goto err_unlock;
	rc = check_image(s, &live, gen);
	if (!rc)
		rc = preserve_tables(s, &live);
	iho_live_free(&live);
	if (!rc)
		rc = make_envelope(s);
	if (rc)
		goto err_unlock;

	s->generation = gen;
	s->sealer = get_task_pid(current, PIDTYPE_TGID);
	list_for_each_entry(ctx, &iho_contexts, list)
		WRITE_ONCE(ctx->ictx->handover.sealed, true);
	seal = s;
	*undone = '\0';
	pr_info("sealed %u contexts, %u records, %u devices, %llu page-table pages at generation %llu\n",
		iho_nr_contexts, s->records, s->devices, s->tables, gen);
	unlock_all();
	return 0;

err_unlock:
	/* Before another SEAL can preserve the same pages */
	seal_free(s);
	unlock_all();
	return rc;
err_free:
	seal_free(s);
	return rc;
}

void iho_seal_break(const char *fmt, ...)
{
	struct iho_out_ctx *ctx;
	va_list args;

	lockdep_assert_held(&iho_mutex);
	if (!seal)
		return;
	va_start(args, fmt);
	vscnprintf(undone, sizeof(undone), fmt, args);
	va_end(args);
	if (seal->kimage)
		orphan = seal->kimage;
	/*
	 * While nothing can change: a table page that is freed and comes back
	 * as another's preserved page must not lose that.
	 */
	seal_free(seal);
	seal = NULL;
	list_for_each_entry(ctx, &iho_contexts, list)
		WRITE_ONCE(ctx->ictx->handover.sealed, false);
	/* What was sealed is no longer what a snapshot would give */
	iho_generation_move();
	pr_info("seal undone: %s\n", undone);
}

int iho_unseal(void)
{
	guard(mutex)(&iho_mutex);
	if (!seal)
		return -ENOENT;
	if (jump != JUMP_NONE)
		return iho_refuse(-EBUSY, "the machine is about to kexec");
	iho_seal_break("released for another load or by kexec -u");
	return 0;
}

void iho_seal_info(struct iho_seal_info *info)
{
	lockdep_assert_held(&iho_mutex);
	memset(info, 0, sizeof(*info));
	if (!seal)
		return;
	*info = (struct iho_seal_info) {
		.sealed = true,
		.loaded = seal->kimage,
		.generation = seal->generation,
		.image_len = seal->image.total,
		.records = seal->records,
		.devices = seal->devices,
		.tables = seal->hwpts,
		.table_pages = seal->tables,
	};
}

/* ---- changes that cannot fail ---------------------------------------- */

static bool jump_settled(enum jump *j)
{
	*j = READ_ONCE(jump);
	return *j != JUMP_FREEZING;
}

/* Undo the seal for a change that cannot be refused, and say whose it is. */
static void undo_for(struct iommufd_ctx *ictx, struct iommufd_device *idev)
{
	struct iho_out_ctx *ctx;
	const char *session;

	/* What is sealed is on the list */
	list_for_each_entry(ctx, &iho_contexts, list)
		if (ctx->ictx == ictx)
			break;
	session = liveupdate_session_name(ctx->session);
	if (!idev) {
		iho_refuse(-EBUSY,
			   "session \"%s\" token %llu: the seal was undone: the iommufd was closed; load again",
			   session, ctx->token);
		iho_seal_break("session \"%s\" token %llu: the iommufd was closed",
			       session, ctx->token);
		return;
	}
	iho_refuse(-EBUSY,
		   "session \"%s\" token %llu: the seal was undone: device %u (%s) was detached or closed; load again",
		   session, ctx->token, idev->obj.id, dev_name(idev->dev));
	iho_seal_break("session \"%s\" token %llu: device %u (%s) was detached or closed",
		       session, ctx->token, idev->obj.id, dev_name(idev->dev));
}

bool iommufd_handover_close_begin(struct iommufd_ctx *ictx,
				  struct iommufd_device *idev)
{
	enum jump j;

	for (;;) {
		down_read(&ictx->handover.lock);
		if (!ictx->handover.sealed)
			return false;
		up_read(&ictx->handover.lock);
		wait_event(jump_wait, jump_settled(&j));
		if (j == JUMP_COMMITTED)
			return true;
		guard(mutex)(&iho_mutex);
		if (jump == JUMP_NONE && ictx->handover.sealed)
			undo_for(ictx, idev);
	}
}

/* ---- LUO -------------------------------------------------------------- */

static bool luo_can_preserve(struct liveupdate_file_handler *handler,
			     struct file *file)
{
	return file->f_op == &iommufd_fops;
}

static int cmp_contexts(void *priv, const struct list_head *a,
			const struct list_head *b)
{
	const struct iho_out_ctx *x, *y;
	int c;

	x = list_entry(a, struct iho_out_ctx, list);
	y = list_entry(b, struct iho_out_ctx, list);
	c = strcmp(liveupdate_session_name(x->session),
		   liveupdate_session_name(y->session));
	return c ?: x->token < y->token ? -1 : x->token > y->token;
}

static int luo_preserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = args->file->private_data;
	struct iho_out_ctx *ctx;

	ctx = kzalloc_obj(*ctx);
	if (!ctx)
		return -ENOMEM;
	ctx->ictx = ictx;
	ctx->session = args->session;
	ctx->token = args->token;
	mutex_lock(&iho_mutex);
	if (jump != JUMP_NONE) {
		mutex_unlock(&iho_mutex);
		kfree(ctx);
		return -EBUSY;
	}
	/* An image without it would be an image of less than all */
	iho_seal_break("session \"%s\" token %llu: another iommufd was preserved",
		       liveupdate_session_name(args->session), args->token);
	/* What became of others' seal is not this one's matter */
	if (!iho_nr_contexts)
		*undone = '\0';
	list_add(&ctx->list, &iho_contexts);
	list_sort(NULL, &iho_contexts, cmp_contexts);
	iho_nr_contexts++;
	/* No lock: a call under way ends by moving the generation */
	WRITE_ONCE(ictx->handover.preserved, true);
	iho_generation_move();
	mutex_unlock(&iho_mutex);
	args->private_data = ctx;
	args->serialized_data = 0;
	return 0;
}

static void luo_unpreserve(struct liveupdate_file_op_args *args)
{
	struct iho_out_ctx *ctx = args->private_data;

	mutex_lock(&iho_mutex);
	iho_seal_break("session \"%s\" token %llu: the iommufd is no longer preserved",
		       liveupdate_session_name(ctx->session), ctx->token);
	list_del(&ctx->list);
	iho_nr_contexts--;
	WRITE_ONCE(ctx->ictx->handover.preserved, false);
	iho_generation_move();
	mutex_unlock(&iho_mutex);
	kfree(ctx);
}

static int luo_freeze(struct liveupdate_file_op_args *args)
{
	struct iho_out_ctx *ctx = args->private_data;

	guard(mutex)(&iho_mutex);
	if (!ctx->ictx->handover.sealed || seal->generation != gated)
		return iho_refuse(-EBUSY,
				  "session \"%s\" token %llu: the iommufd is not sealed; load with kexec -s -l --iommu-handover",
				  liveupdate_session_name(ctx->session),
				  ctx->token);
	frozen++;
	WRITE_ONCE(jump, JUMP_FREEZING);
	return 0;
}

static void luo_unfreeze(struct liveupdate_file_op_args *args)
{
	guard(mutex)(&iho_mutex);
	if (--frozen)
		return;
	WRITE_ONCE(jump, JUMP_NONE);
	wake_up_all(&jump_wait);
}

static const struct liveupdate_file_ops luo_ops = {
	.can_preserve = luo_can_preserve,
	.preserve = luo_preserve,
	.unpreserve = luo_unpreserve,
	.freeze = luo_freeze,
	.unfreeze = luo_unfreeze,
	.retrieve = iho_luo_retrieve,
	.may_retry = iho_luo_may_retry,
	.can_finish = iho_luo_can_finish,
	.finish = iho_luo_finish,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler luo_handler = {
	.ops = &luo_ops,
	.compatible = IHO_LUO_COMPATIBLE,
};

/*
 * Always there, whatever became of an image: without the handler LUO would
 * give back no session at all, not even the memfds.
 */
static int __init iho_luo_init(void)
{
	int rc = liveupdate_register_file_handler(&luo_handler);

	return rc == -EOPNOTSUPP ? 0 : rc;
}
late_initcall(iho_luo_init);

/* ---- kexec ------------------------------------------------------------ */

void iommu_handover_kimage_loaded(struct kimage *image)
{
	guard(mutex)(&iho_mutex);
	if (seal && seal->sealer == task_tgid(current))
		seal->kimage = image;
}

void iommu_handover_kimage_freed(struct kimage *image)
{
	guard(mutex)(&iho_mutex);
	if (seal && seal->kimage == image)
		iho_seal_break("the kernel loaded under it was unloaded");
	if (orphan == image)
		orphan = NULL;
}

int iommu_handover_reboot_gate(struct kimage *image)
{
	u32 unfinished = iho_in_unfinished();
	int rc = 0;

	guard(mutex)(&iho_mutex);
	gated = seal ? seal->generation : 0;
	/* A jump drops incoming sessions, and what they hold with them */
	if (unfinished)
		return iho_refuse(-EBUSY,
				  "%u iommufd of the last handover not finished, which a kexec would lose; finish their sessions or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
				  unfinished);
	if (!iho_nr_contexts)
		return !orphan || image != orphan ? 0 :
		       iho_refuse(-EBUSY,
				  "the loaded kernel was loaded under a seal that was undone since; load again");
	if (!seal && !*undone)
		rc = iho_refuse(-EBUSY,
				"%u iommufd preserved, nothing sealed, which a kexec would lose; load with kexec -s -l --iommu-handover",
				iho_nr_contexts);
	else if (!seal)
		rc = iho_refuse(-EBUSY,
				"%u iommufd preserved, nothing sealed, which a kexec would lose; the last seal was undone (%s); load with kexec -s -l --iommu-handover",
				iho_nr_contexts, undone);
	else if (seal->kimage != image)
		rc = iho_refuse(-EBUSY,
				"the loaded kernel was not loaded under the seal; load with kexec -s -l --iommu-handover");
	else
		rc = iho_devices_settled(&iho_contexts, -EBUSY);
	/*
	 * One more check has its place here: that the target kernel
	 * announces a format that the image is written in.
	 */
	return rc;
}

int iommu_handover_serialize(void)
{
	guard(mutex)(&iho_mutex);
	if ((seal ? seal->generation : 0) == gated)
		return 0;
	return iho_refuse(-EBUSY,
			  "the seal was undone while the kexec began (%s); load again",
			  *undone ? undone : "another was made");
}

void iommu_handover_commit(void)
{
	guard(mutex)(&iho_mutex);
	if (!frozen)
		return;
	WRITE_ONCE(jump, JUMP_COMMITTED);
	wake_up_all(&jump_wait);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: the image in preserved memory.
 *
 * User space built the image, so nothing of it is believed: the library checks it
 * as the next kernel will, and each value is compared with live state.
 */
#include <linux/io.h>
#include <linux/iommu-handover.h>
#include <linux/kexec_handover.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "drivers.h"
#include "outgoing.h"

#define EXTENT_ORDER	MAX_PAGE_ORDER
static_assert((PAGE_SIZE << EXTENT_ORDER) >= IHO_MAX_HEAD);
static_assert(sizeof(struct iho_envelope) <= PAGE_SIZE);
static_assert(PAGE_SIZE == IHO_PAGE_SIZE);
/* Every image that is within the limits can be copied */
static_assert(((u64)PAGE_SIZE << EXTENT_ORDER) * IHO_MAX_EXTENTS >=
	      IHO_MAX_IMAGE);

static void image_free(struct handover_image_copy *img)
{
	vunmap(img->map);
	while (img->extents)
		kho_unpreserve_free(img->ptr[--img->extents]);
	img->map = NULL;
}

/* Copy an image from user space to where the next kernel will find it. */
static int image_copy(struct handover_image_copy *img, const void __user *from, u64 len)
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
	struct handover_seal *s = priv;
	int rc;

	if (s->table_pa) {
		if (s->tables && handover_disturbed(HANDOVER_DISTURB_TABLES))
			return -ENOMEM;
		rc = kho_preserve_pages(pfn_to_page(PHYS_PFN(pa)), 1);
		if (rc)
			return rc;
		s->table_pa[s->tables] = pa;
	}
	s->tables++;
	return 0;
}

static int visit_tables(struct handover_seal *s, const struct handover_live *live)
{
	int rc = 0;

	for (u32 i = 0; !rc && i < live->facts.tables; i++) {
		const struct iho_table *table = &live->facts.table[i];
		const struct iho_pt pt = handover_pt(table, handover_live_table);

		rc = iho_walk_tables(&pt, visit_table, s);
	}
	return rc;
}

static int preserve_tables(struct handover_seal *s, const struct handover_live *live)
{
	u64 tables;
	int rc;

	rc = visit_tables(s, live);
	tables = s->tables;
	s->tables = 0;
	if (rc)
		/* Cure: report it. */
		return handover_refuse(-EINVAL, "page tables: %s", iho_strerror(rc));
	s->table_pa = kvcalloc(tables + 1, sizeof(u64), GFP_KERNEL);
	if (!s->table_pa)
		return handover_refuse(-ENOMEM,
				       "out of memory for %llu page tables; free memory and load again",
				       tables);
	rc = visit_tables(s, live);
	if (rc)
		/*
		 * Cure (ENOMEM or another of KHO): free memory and load again.
		 */
		return handover_refuse(rc,
				       "page tables cannot be preserved: error %d; free memory and load again",
				       rc);
	return 0;
}

/* ---- checking an image against live state ---------------------------- */

static int refuse_image(int rc, const struct iho_where *where)
{
	char place[IHO_WHERE_LEN];

	/*
	 * Cure: the kexec of this kernel makes no such image: find out what
	 * altered it.
	 */
	return handover_refuse(handover_errno(rc), "image: %s: %s",
			       iho_where_text(where, place), iho_strerror(rc));
}

static int refuse_context(int err, u32 ci, int rc)
{
	/*
	 * Cure (EINVAL, or of the reason): the kexec of this kernel makes no
	 * such image: find out what altered it.
	 */
	return handover_refuse(err, "image: context-%u: %s", ci,
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
static int refuse_record(const struct handover_live *live, u32 ci, u64 at)
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
		return handover_refuse(-EINVAL,
				       "image: context-%u: its records differ from session \"%s\" token %llu, and there is no memory to say where; load again with the kexec of this kernel",
				       ci, c->session, c->token);
	rc = iho_plan_init(&plan, &src, ci, live->buf + c->stream_off,
			   c->stream_len, c->records, work, work_len, &where);
	kvfree(work);
	if (rc)
		return refuse_image(rc, &where);
	do {
		rc = iho_plan_next(&plan, &step);
	} while (rc > 0 && plan.pos <= at);
	if (rc <= 0)
		return refuse_context(-EINVAL, ci, rc);
	describe_step(&step, what, sizeof(what));
	return handover_refuse(-EINVAL,
			       "image: context-%u record %u differs from session \"%s\" token %llu, where it is %s; load again with the kexec of this kernel",
			       ci, step.record, c->session, c->token, what);
}

/* As live state was found to be right, so is a stream that equals its own. */
static int check_stream(struct handover_seal *s, u32 ci,
			const struct handover_live *live)
{
	const struct iho_context *want = &live->facts.context[ci];
	struct iho_context have;
	const u8 *a, *b;
	u64 i;
	int rc;

	rc = iho_get_context(&s->opened, ci, &have);
	if (rc)
		return refuse_context(handover_errno(rc), ci, rc);
	a = s->image.map + have.stream_off;
	b = live->buf + want->stream_off;
	if (memcmp(a, b, want->stream_len)) {
		for (i = 0; a[i] == b[i]; i++)
			;
		return refuse_record(live, ci, i);
	}
	s->records += have.records;
	return 0;
}

static int refuse_header(const char *field)
{
	return handover_refuse(-EINVAL,
			       "image: header %s is not what this kernel writes; load again with the kexec of this kernel",
			       field);
}

static int check_image(struct handover_seal *s, const struct handover_live *live,
		       u64 expect)
{
	const struct iho_header *hdr = s->image.map;
	const struct iho_image *image = &s->opened;
	struct iho_where where;
	int rc;

	if (s->open_err)
		return refuse_image(s->open_err, &s->where);
	/* Readers are lenient here; what is sealed has no byte that is free */
	if (image->minor != IHO_FORMAT_MINOR)
		return refuse_header("minor");
	if (hdr->may_ignore)
		return refuse_header("may_ignore");
	if (image->generation != expect)
		/* Cure: load again. */
		return handover_refuse(-ESTALE,
				       "image: made of generation %llu, not of %llu; take a new snapshot",
				       image->generation, expect);
	if (iho_image_differs(image, &live->facts, &where)) {
		/* Root properties have no index */
		if (where.index == IHO_NONE)
			return handover_refuse(-EINVAL,
					       "image: %s differs from live state; load again with the kexec of this kernel",
					       where.prop);
		return handover_refuse(-EINVAL,
				       "image: %s-%u %s differs from live state; load again with the kexec of this kernel",
				       where.node, where.index, where.prop);
	}
	for (u32 ci = 0; ci < live->facts.contexts; ci++) {
		rc = check_stream(s, ci, live);
		if (rc)
			return rc;
	}
	s->devices = live->facts.devices;
	s->hwpts = live->facts.tables;
	return 0;
}

static int make_envelope(struct handover_seal *s)
{
	const struct iho_header *hdr = s->image.map;
	int rc;

	s->envelope = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(s->envelope)) {
		rc = PTR_ERR(s->envelope);
		s->envelope = NULL;
		/*
		 * Cure (ENOMEM or another of KHO): free memory and load again.
		 */
		return handover_refuse(rc,
				       "the envelope cannot be preserved; free memory and load again");
	}
	rc = iho_envelope_build(s->envelope, s->image.pa, s->image.len,
				s->image.extents, hdr->digest);
	if (rc)
		/* Cure: report it. */
		return handover_refuse(handover_errno(rc), "envelope: %s",
				       iho_strerror(rc));
	rc = kho_add_subtree(IHO_KHO_SUBTREE, s->envelope, PAGE_SIZE);
	if (rc)
		/*
		 * Cure (ENOMEM or another of KHO): boot with kho=on, free
		 * memory and load again.
		 */
		return handover_refuse(rc,
				       "KHO does not take the envelope: error %d; boot with kho=on, free memory and load again",
				       rc);
	return 0;
}

void handover_seal_free(struct handover_seal *s)
{
	if (s->envelope) {
		kho_remove_subtree(s->envelope);
		kho_unpreserve_free(s->envelope);
	}
	while (s->tables)
		kho_unpreserve_pages(pfn_to_page(PHYS_PFN(s->table_pa[--s->tables])),
				     1);
	kvfree(s->table_pa);
	handover_stays_free(s);
	kvfree(s->index);
	image_free(&s->image);
	kfree(s);
}

struct handover_seal *handover_seal_copy(const void __user *image, u64 len)
{
	struct handover_seal *s;
	struct iho_seg seg;
	int rc;

	s = kzalloc_obj(*s);
	if (!s) {
		handover_refuse(-ENOMEM,
				"out of memory for a seal; free memory and load again");
		return ERR_PTR(-ENOMEM);
	}
	rc = image_copy(&s->image, image, len);
	if (rc) {
		/*
		 * Cure (ENOMEM, EFAULT, EFBIG): free memory, write 1 to
		 * /proc/sys/vm/compact_memory, and load again: the image needs
		 * pieces of up to 4 MiB.
		 */
		handover_refuse(rc,
				"image: %llu bytes cannot be copied to preserved memory: error %d",
				len, rc);
		handover_seal_free(s);
		return ERR_PTR(rc);
	}
	/* Nothing is held up here by a digest; what it says comes in its turn */
	seg.ptr = s->image.map;
	seg.len = s->image.total;
	s->open_err = iho_image_open(&seg, 1, &s->opened, &s->where);
	if (s->open_err)
		return s;
	/* Without one facts are found all the same, by stepping */
	s->index = kvmalloc(iho_image_index_size(&s->opened) + 1, GFP_KERNEL);
	if (s->index)
		iho_image_index(&s->opened, s->index);
	return s;
}

int handover_seal_fill(struct handover_seal *s, u64 generation,
		       const struct handover_live *live)
{
	int rc;

	rc = check_image(s, live, generation);
	if (!rc)
		rc = preserve_tables(s, live);
	if (!rc)
		rc = handover_stays_fill(s, &handover_out.contexts, live);
	if (!rc)
		rc = make_envelope(s);
	s->generation = generation;
	return rc;
}

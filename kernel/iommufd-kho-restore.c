// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, replay: from records to a live iommufd.
 *
 * Records that need no device are applied when LUO gives back the iommufd, all
 * or none; those that need one are noted for rebuild.c. Every object gets the
 * ID it had. Many records are applied by a worker, behind the file that was given
 * back: what the head of the image says of devices and HWPTs is enough to bind a
 * device, and calls that change the iommufd wait.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/iommu-handover.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>

#include "../iommufd/io_pagetable.h"
#include "apply.h"
#include "drivers.h"

/* What takes a millisecond at most is not worth a worker. */
#define RECORDS_AT_ONCE	1024

/* A worker that is short of memory tries again, at first after the first. */
#define AGAIN_FIRST	msecs_to_jiffies(100)
#define AGAIN_LAST	msecs_to_jiffies(6400)

/* Of its own so that KUnit, which has no session, can take LUO's place. */
int handover_get_incoming(struct luo_session *session, u64 token,
			  struct file **filep)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_get_incoming, session, token, filep);
	return liveupdate_get_incoming(session, token, filep);
}

static int refuse_place(struct apply *a, const struct iho_where *where, int err)
{
	char place[IHO_WHERE_LEN];

	/* Cure: final: finish the session, build a new iommufd. */
	return handover_refuse(handover_errno(err),
			       "session \"%s\" token %llu: %s: %s",
			       a->fact.session, a->fact.token,
			       iho_where_text(where, place), iho_strerror(err));
}

/* Are the records sound? Then they are a plan. */
static int check_records(struct apply *a)
{
	struct iho_plan_source src = { .img = &handover_in.image };
	struct iho_seg seg = { .len = handover_in.image.total_len };
	size_t work_len = iho_plan_work(a->fact.records);
	struct iho_where where;
	void *work;
	int err;

	seg.ptr = handover_in_map();
	work = kvzalloc(work_len, GFP_KERNEL);
	if (!seg.ptr || !work) {
		kvfree(work);
		return -ENOMEM;
	}
	err = iho_section_check(src.img, &seg, 1, a->r->index, &where);
	if (!err)
		err = iho_plan_init(&a->plan, &src, a->r->index,
				    seg.ptr + a->fact.stream_off,
				    a->fact.stream_len, a->fact.records, work,
				    work_len, &where);
	kvfree(work);
	if (err)
		return refuse_place(a, &where, err);
	a->group = kvcalloc(a->plan.groups + 1, sizeof(*a->group), GFP_KERNEL);
	if (!a->group)
		return -ENOMEM;
	handover_measure_groups(a);
	return 0;
}

static int apply_records(struct apply *a)
{
	int rc;

	if (!a->group) {
		rc = check_records(a);
		if (rc)
			return rc;
	}
	while (a->more || iho_plan_next(&a->plan, &a->step)) {
		a->more = true;
		rc = handover_apply_step(a, &a->step);
		if (rc)
			/*
			 * Cure (that of the record): retrieve again after ENOMEM,
			 * ENFILE, EINTR, EAGAIN or EPERM (CAP_SYS_RESOURCE is
			 * missing). Others are final: finish the session, build a
			 * new iommufd. If the iommufd was given back before, calls
			 * fail until what is missing is there.
			 */
			return handover_refuse(rc,
					       "session \"%s\" token %llu: record %u at %#llx of kind %u cannot be replayed: error %d",
					       a->fact.session, a->fact.token,
					       a->step.record, a->step.offset,
					       a->step.kind, rc);
		a->more = false;
		cond_resched();
	}
	pr_info("session \"%s\" token %llu: replayed %u IOAS, %u maps; %u devices and %u HWPTs wait\n",
		a->fact.session, a->fact.token, a->plan.ioas, a->plan.maps,
		a->plan.devices, a->plan.hwpts);
	return 0;
}

/* The context may be gone. */
static void free_apply(struct apply *a)
{
	for (u32 i = 0; a->group && i < a->plan.groups; i++)
		if (a->group[i].pages)
			iopt_put_pages(a->group[i].pages);
	for (u32 i = 0; a->file && i < a->files; i++)
		if (!IS_ERR_OR_NULL(a->file[i]))
			fput(a->file[i]);
	if (a->task) {
		mem_cgroup_put(a->memcg);
		put_cred(a->cred);
		put_task_struct(a->task);
		mmdrop(a->mm);
	}
	kvfree(a->group);
	kvfree(a->file);
	kfree(a);
}

static struct file *new_iommufd(void)
{
	struct file *file;
	int rc;

	file = anon_inode_getfile("[iommufd]", &iommufd_fops, NULL, O_RDWR);
	if (IS_ERR(file))
		return file;
	rc = iommufd_fops.open(file_inode(file), file);
	if (rc) {
		fput(file);
		return ERR_PTR(rc);
	}
	return file;
}

/* Only who retrieves has a session to take them from. */
static int get_memories(struct apply *a, struct luo_session *session)
{
	const u32 memories = handover_in.image.memories;
	struct iho_memory mem;
	int rc;

	a->file = kvcalloc(memories + 1, sizeof(*a->file), GFP_KERNEL);
	if (!a->file)
		return -ENOMEM;
	a->files = memories;
	for (u32 i = 0; i < memories; i++) {
		iho_get_memory(&handover_in.image, i, &mem);
		if (strcmp(mem.session, a->fact.session))
			continue;
		rc = handover_get_incoming(session, mem.token, &a->file[i]);
		/* Its pages are pinned when all are back, maybe later */
		if (!rc && i_size_read(file_inode(a->file[i])) != mem.size) {
			fput(a->file[i]);
			rc = -EBADMSG;
		}
		if (!rc)
			continue;
		a->file[i] = NULL;
		if (handover_may_retry(rc))
			/* Cure (that of the memfd): retrieve again when the cause is gone. */
			return handover_refuse(rc,
					       "session \"%s\" token %llu: memfd with token %llu cannot be retrieved: error %d",
					       a->fact.session, a->fact.token,
					       mem.token, rc);
		/* It may be another iommufd's */
		a->file[i] = ERR_PTR(rc);
	}
	return 0;
}

static int note_device(struct apply *a, struct replay_device *d)
{
	const struct iho_image *img = &handover_in.image;
	struct iho_domain domain;
	struct iho_table table;

	d->id = d->fact.dev_id;
	if (d->fact.domain != IHO_NONE) {
		if (iho_get_domain(img, d->fact.domain, &domain) ||
		    iho_get_table(img, domain.table, &table))
			return -EBADMSG;
		d->pt_id = table.hwpt_id;
	}
	return handover_reserve_id(a->ictx, d->id);
}

/* The devices of the context, which the head of the image names. */
static int note_devices(struct apply *a)
{
	const struct iho_plan_source src = { .img = &handover_in.image };
	struct iommufd_replay *r = a->r;
	struct iho_cursor cur;
	union iho_fact fact;
	u32 nr = 0;
	int rc;

	iho_cursor_init(&cur, &src, IHO_NODE_DEVICE);
	while (iho_cursor_next(&cur, &fact))
		nr += fact.device.context == r->index;
	r->device = kvcalloc(nr + 1, sizeof(*r->device), GFP_KERNEL);
	if (!r->device)
		return -ENOMEM;
	iho_cursor_init(&cur, &src, IHO_NODE_DEVICE);
	while (iho_cursor_next(&cur, &fact)) {
		if (fact.device.context != r->index)
			continue;
		r->device[r->devices].fact = fact.device;
		rc = note_device(a, &r->device[r->devices]);
		if (rc)
			return rc;
		r->devices++;
		a->ictx->handover.pending++;
	}
	return 0;
}

/* And its HWPTs, in the order of their IDs, as the records have them. */
static int note_hwpts(struct apply *a)
{
	const struct iho_plan_source src = { .img = &handover_in.image };
	u32 first = iho_first_table(&src, a->r->index), nr = 0;
	struct iommufd_replay *r = a->r;
	struct iho_table table;
	int rc;

	while (!iho_get_table(src.img, first + nr, &table) &&
	       table.context == r->index)
		nr++;
	r->hwpt = kvcalloc(nr + 1, sizeof(*r->hwpt), GFP_KERNEL);
	if (!r->hwpt)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		iho_get_table(src.img, first + i, &r->hwpt[i].table);
		r->hwpt[i].id = r->hwpt[i].table.hwpt_id;
		rc = handover_reserve_id(a->ictx, r->hwpt[i].id);
		if (rc)
			return rc;
		r->hwpts++;
	}
	return 0;
}

/* Static stubs are the test's, wherever it has something done. */
static struct kunit *set_test(struct kunit *test)
{
#if IS_ENABLED(CONFIG_KUNIT)
	swap(current->kunit_test, test);
#endif
	return test;
}

static int apply_as_retriever(struct apply *a)
{
	const struct cred *cred;
	struct mem_cgroup *memcg;
	struct kunit *test;
	int rc;

	if (!a->held && !mmget_not_zero(a->mm))
		/* Cure: final: finish the session, build a new iommufd. */
		return handover_refuse(-ESRCH,
				       "session \"%s\" token %llu: the records cannot be replayed: there was no memory for them before the process that retrieved the iommufd ended",
				       a->fact.session, a->fact.token);
	a->held = false;
	kthread_use_mm(a->mm);
	memcg = set_active_memcg(a->memcg);
	cred = override_creds(a->cred);
	test = set_test(a->test);
	rc = apply_records(a);
	set_test(test);
	revert_creds(cred);
	set_active_memcg(memcg);
	kthread_unuse_mm(a->mm);
	/* To take it down may wait for user space */
	mmput_async(a->mm);
	return rc;
}

/* EPERM passes when another retrieves; this one cannot. */
static bool may_try_again(int rc)
{
	return rc != -EPERM && handover_may_retry(rc);
}

/* Return: false when nobody waits for the records any more. */
static bool begin_behind(struct apply *a)
{
	guard(mutex)(&a->r->lock);
	if (a->r->given_up)
		return false;
	WRITE_ONCE(a->ictx->handover.records, 1);
	return true;
}

/* Calls fail until then, instead of waiting for memory. */
static void try_again(struct apply *a, int rc)
{
	scoped_guard(mutex, &a->r->lock) {
		WRITE_ONCE(a->ictx->handover.records, rc);
		queue_delayed_work(system_dfl_long_wq, &a->work, a->delay);
		a->delay = min(2 * a->delay, AGAIN_LAST);
	}
	wake_up_var(&a->ictx->handover.behind);
}

static void end_behind(struct iommufd_ctx *ictx, int rc)
{
	struct iommufd_ctx_handover *h = &ictx->handover;

	scoped_guard(mutex, &h->replay->lock) {
		/* If there is an error every call fails from now on */
		if (!rc)
			WRITE_ONCE(h->behind, h->behind - 1);
		WRITE_ONCE(h->records, rc);
		/* Zero when it was abandoned. A device may come back, or none */
		if (h->pending)
			/* After @records, which who finds nothing pending asks for */
			smp_store_release(&h->pending, rc ? 0 : h->pending - 1);
	}
	wake_up_var(&h->behind);
}

static void apply_behind(struct work_struct *work)
{
	struct apply *a = container_of(to_delayed_work(work), struct apply, work);
	struct iommufd_ctx *ictx = a->ictx;
	int rc = -ECANCELED;

	if (begin_behind(a)) {
		while (handover_disturbed(HANDOVER_DISTURB_BEHIND))
			msleep(20);
		rc = apply_as_retriever(a);
		if (rc && may_try_again(rc)) {
			try_again(a, rc);
			return;
		}
	}
	scoped_guard(mutex, &a->r->lock) {
		a->r->records = NULL;
		/* Who wanted it at once may have queued it while it began */
		cancel_delayed_work(&a->work);
	}
	free_apply(a);
	end_behind(ictx, rc);
	iommufd_ctx_put(ictx);
}

static void start_behind(struct apply *a)
{
	struct iommufd_ctx_handover *h = &a->ictx->handover;

	/* It may end before the worker begins, not so before that tries again */
	a->mm = current->mm;
	mmgrab(a->mm);
	a->held = mmget_not_zero(a->mm);
	a->task = get_task_struct(current->group_leader);
	a->cred = get_current_cred();
	a->memcg = get_mem_cgroup_from_mm(current->mm);
	a->test = kunit_get_current_test();
	a->delay = AGAIN_FIRST;
	INIT_DELAYED_WORK(&a->work, apply_behind);
	iommufd_ctx_get(a->ictx);
	/* Nobody else has the iommufd yet */
	a->r->records = &a->work;
	h->pending++;
	h->behind++;
	h->records = 1;
	queue_delayed_work(system_dfl_long_wq, &a->work, 0);
}

static bool goes_behind(const struct apply *a)
{
	/* The record of an option may want it, and another may have it */
	if (!capable(CAP_SYS_RESOURCE))
		return false;
	return a->fact.records > RECORDS_AT_ONCE ||
	       handover_disturbed(HANDOVER_DISTURB_RECORDS_BEHIND);
}

static int retrieve(struct liveupdate_file_op_args *args, u32 index,
		    const struct iho_context *fact)
{
	struct iommufd_replay *r = kzalloc_obj(*r);
	struct apply *a = kzalloc_obj(*a);
	struct file *file = NULL;
	int rc = -ENOMEM;
	bool behind;

	if (r)
		handover_replay_init(r, index);
	if (!r || !a)
		goto err_free;
	file = new_iommufd();
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto err_free;
	}
	a->r = r;
	a->fact = *fact;
	a->ictx = file->private_data;
	a->ictx->handover.replay = r;
	r->ictx = a->ictx;
	behind = goes_behind(a);
	rc = behind ? 0 : check_records(a);
	if (!rc)
		rc = note_devices(a);
	if (!rc)
		rc = note_hwpts(a);
	if (!rc)
		rc = get_memories(a, args->session);
	if (!rc && behind) {
		start_behind(a);
	} else {
		if (!rc)
			rc = apply_records(a);
		free_apply(a);
	}
	if (rc) {
		/* All of it goes with the file, the replay included */
		fput(file);
		return rc;
	}
	handover_in_retrieved(index, r);
	args->file = file;
	return 0;

err_free:
	kfree(a);
	handover_replay_free(r);
	return rc;
}

int handover_retrieve(struct liveupdate_file_op_args *args)
{
	struct iho_context fact;
	u32 index;
	int rc;

	rc = handover_in_take(liveupdate_session_name(args->session),
			      args->token, &index, &fact);
	if (rc)
		return rc;
	rc = retrieve(args, index, &fact);
	handover_in_put(index);
	return rc;
}

/*
 * Everything is unwound on failure; these may pass. ENOSPC is that of a memfd: there
 * was no memory for its inode.
 */
bool handover_may_retry(int err)
{
	return err == -ENOMEM || err == -ENOSPC || err == -ENFILE || err == -EINTR ||
	       err == -EAGAIN || err == -EPERM || err == -ERESTARTSYS;
}

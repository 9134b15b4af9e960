// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: iommufd as a file of a live update session.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <linux/iommu-handover.h>
#include <linux/list_sort.h>

#include "incoming.h"
#include "outgoing.h"
#include "replay.h"

static bool luo_can_preserve(struct liveupdate_file_handler *handler,
			     struct file *file)
{
	return file->f_op == &iommufd_fops;
}

static int cmp_contexts(void *priv, const struct list_head *a,
			const struct list_head *b)
{
	const struct handover_ctx *x, *y;
	int c;

	x = list_entry(a, struct handover_ctx, list);
	y = list_entry(b, struct handover_ctx, list);
	c = strcmp(liveupdate_session_name(x->session),
		   liveupdate_session_name(y->session));
	return c ?: x->token < y->token ? -1 : x->token > y->token;
}

static int luo_preserve(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = args->file->private_data;
	struct handover_ctx *ctx;

	ctx = kzalloc_obj(*ctx);
	if (!ctx)
		return -ENOMEM;
	ctx->ictx = ictx;
	ctx->session = args->session;
	ctx->token = args->token;
	mutex_lock(&handover_out.lock);
	if (handover_out.jump != HANDOVER_JUMP_NONE) {
		mutex_unlock(&handover_out.lock);
		kfree(ctx);
		return -EBUSY;
	}
	/* The sealed image lacks this iommufd */
	/* Cure: load again when all VMMs have preserved theirs. */
	handover_seal_break("session \"%s\" token %llu: another iommufd was preserved",
			    liveupdate_session_name(args->session), args->token);
	/* The first iommufd: forget why an earlier seal was undone */
	if (!handover_out.nr)
		*handover_out.undone = '\0';
	list_add(&ctx->list, &handover_out.contexts);
	list_sort(NULL, &handover_out.contexts, cmp_contexts);
	handover_out.nr++;
	/* No lock: a call under way ends by moving the generation */
	WRITE_ONCE(ictx->handover.preserved, true);
	handover_generation_move();
	mutex_unlock(&handover_out.lock);
	args->private_data = ctx;
	args->serialized_data = 0;
	return 0;
}

static void luo_unpreserve(struct liveupdate_file_op_args *args)
{
	struct handover_ctx *ctx = args->private_data;

	mutex_lock(&handover_out.lock);
	/* Cure: its session was closed, or its VMM ended; load again. */
	handover_seal_break("session \"%s\" token %llu: the iommufd is no longer preserved",
			    liveupdate_session_name(ctx->session), ctx->token);
	list_del(&ctx->list);
	handover_out.nr--;
	/* It names what is about to be unpreserved */
	handover_forget_given();
	WRITE_ONCE(ctx->ictx->handover.preserved, false);
	handover_generation_move();
	mutex_unlock(&handover_out.lock);
	kfree(ctx);
}

static int luo_freeze(struct liveupdate_file_op_args *args)
{
	struct handover_ctx *ctx = args->private_data;

	guard(mutex)(&handover_out.lock);
	if (!ctx->ictx->handover.sealed || handover_out.seal->cookie != handover_out.passed)
		return handover_refuse(-EBUSY,
				       "session \"%s\" token %llu: the iommufd is not sealed; load with kexec -s -l --iommu-handover",
				       liveupdate_session_name(ctx->session),
				       ctx->token);
	handover_out.frozen++;
	WRITE_ONCE(handover_out.jump, HANDOVER_JUMP_FREEZING);
	return 0;
}

static void luo_unfreeze(struct liveupdate_file_op_args *args)
{
	guard(mutex)(&handover_out.lock);
	if (--handover_out.frozen)
		return;
	WRITE_ONCE(handover_out.jump, HANDOVER_JUMP_NONE);
	wake_up_all(&handover_out.jump_wait);
}

static bool luo_can_finish(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx;
	struct iho_context fact;
	u32 index;
	int rc;

	if (args->retrieve_status > 0) {
		ictx = args->file->private_data;
		if (ictx->handover.replay)
			handover_replay_finish(ictx->handover.replay);
		if (iommufd_handover_pending(&ictx->handover))
			return false;
		/*
		 * Its records may be lost. Other files of the session are given back
		 * before this one.
		 */
		if (ictx->handover.replay)
			handover_in_stop_context(ictx->handover.replay->index);
		return true;
	}
	rc = handover_in_context(liveupdate_session_name(args->session),
				 args->token, &index, &fact);
	/* Failed for good: no reason to wait */
	if (args->retrieve_status < 0) {
		/* Other files of the session are given back before this one */
		if (!rc)
			handover_in_stop_context(index);
		return true;
	}
	/* No reason to wait if nothing is to come back; -ENOMEM is not that */
	return rc && rc != -ENOMEM;
}

/* Nothing of it came back: no HWPT has taken an inherited page table. */
static bool is_lost(const struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx;

	if (args->retrieve_status <= 0)
		return true;
	ictx = args->file->private_data;
	return ictx->handover.replay && handover_records_lost(ictx->handover.replay);
}

static void luo_finish(struct liveupdate_file_op_args *args)
{
	struct iho_context fact;
	u32 index;

	if (handover_in_take(liveupdate_session_name(args->session),
			     args->token, &index, &fact))
		return;
	handover_in_stop_context(index);
	if (is_lost(args))
		handover_in_drop_trees(index);
	handover_in_finished(index);
	handover_in_put(index);
}

/*
 * When an accepted image names the file as memory, its folios are pinned until
 * the HWPTs hold them. When memory is short LUO's handler goes on to hold them.
 */
static int luo_retrieved(const struct liveupdate_file_op_args *args)
{
	const char *session = liveupdate_session_name(args->session);
	int rc = handover_in_pin(session, args->token, args->file);

	if (!rc)
		return 0;
	pr_warn_ratelimited("session \"%s\" token %llu: memory not pinned yet: error %d\n",
			    session, args->token, rc);
	if (rc != -EBADMSG)
		return rc;
	/* Not what a device writes to: that may be moved, or given back */
	handover_in_stop_session(session);
	return 0;
}

/* A file is not all there, or what it has is about to be given back. */
static void luo_giving_back(const struct liveupdate_file_op_args *args)
{
	handover_in_stop_session(liveupdate_session_name(args->session));
}

/*
 * Since the gate was asked LUO has waited for calls on sessions: the seal may have
 * been undone or another been made, or somebody be taking a device away, for whom
 * device_shutdown() would wait with no way back.
 */
static int luo_pre_serialize(struct liveupdate_file_handler *handler)
{
	const struct handover_seal *seal;

	guard(mutex)(&handover_out.lock);
	seal = handover_out.seal;
	if ((seal ? seal->cookie : 0) == handover_out.passed)
		return handover_devices_settled(&handover_out.contexts, -EBUSY) ?:
		       handover_stays_settled(seal);
	/* Cure: find out why; then load again. */
	return handover_refuse(-EBUSY,
			       "the seal was undone while the kexec began (%s); load again",
			       *handover_out.undone ? handover_out.undone :
			       "another was made");
}

static const struct liveupdate_file_ops luo_ops = {
	.can_preserve = luo_can_preserve,
	.preserve = luo_preserve,
	.unpreserve = luo_unpreserve,
	.freeze = luo_freeze,
	.unfreeze = luo_unfreeze,
	.retrieve = handover_retrieve,
	.may_retry = handover_may_retry,
	.can_finish = luo_can_finish,
	.finish = luo_finish,
	.retrieved = luo_retrieved,
	.giving_back = luo_giving_back,
	.pre_serialize = luo_pre_serialize,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler luo_handler = {
	.ops = &luo_ops,
	.compatible = IHO_LUO_COMPATIBLE,
};

/*
 * Always there, whatever became of an image: without the handler LUO would
 * give back no iommufd at all.
 */
static int __init handover_luo_init(void)
{
	int rc = liveupdate_register_file_handler(&luo_handler);

	return rc == -EOPNOTSUPP ? 0 : rc;
}
late_initcall(handover_luo_init);

// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: the seal.
 *
 * What cannot be refused while a seal is in place (a close, a process exit, an
 * unplug) undoes it first, so that preserved memory is never freed; the gate then
 * keeps the machine from jumping.
 */
#define pr_fmt(fmt) "iommu-handover: " fmt

#include <kunit/static_stub.h>
#include <linux/iommu-handover.h>
#include <linux/kexec_handover.h>
#include <linux/ktime.h>
#include <linux/security.h>

#include "outgoing.h"

static int refuse_nothing(u32 unfinished)
{
	if (unfinished)
		/* Cure: finish their sessions, then preserve them again. */
		return handover_refuse(-ENOENT,
				       "no iommufd is preserved in a live update session, and %u of the last handover not finished",
				       unfinished);
	/* Cure: preserve one first, or load without --iommu-handover. */
	return handover_refuse(-ENOENT,
			       "no iommufd is preserved in a live update session");
}

static int refuse_jump(void)
{
	/* Cure: none is needed, the jump has begun. */
	return handover_refuse(-EBUSY, "the machine is about to kexec");
}

/* Of its own so that KUnit, which cannot lock the kernel down, can stand in. */
int handover_locked_down(void)
{
	KUNIT_STATIC_STUB_REDIRECT(handover_locked_down);
	return security_locked_down(LOCKDOWN_KCORE);
}

int handover_refuse_unfinished(u32 unfinished)
{
	return handover_refuse(-EBUSY,
			       "%u iommufd of the last handover not finished, which a kexec would lose; finish their sessions or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
			       unfinished);
}

/* What SNAPSHOT and SEAL are refused for, whatever the contexts are. */
static int may_take(u32 unfinished)
{
	lockdep_assert_held(&handover_out.lock);
	if (!handover_out.nr)
		return refuse_nothing(unfinished);
	if (handover_out.seal)
		/* Cure: kexec -u; the loader unseals by itself. */
		return handover_refuse(-EBUSY, "already sealed; unseal it first");
	if (handover_out.jump != HANDOVER_JUMP_NONE)
		return refuse_jump();
	return 0;
}

static int lock_all(u32 unfinished)
{
	int rc;

	if (!liveupdate_trylock())
		/* Cure: the loader tries again for five seconds. */
		return handover_refuse(-EAGAIN,
				       "a live update session is in the middle of a call; try again");
	mutex_lock(&handover_out.lock);
	rc = may_take(unfinished);
	if (!rc)
		rc = handover_contexts_lock(&handover_out.contexts);
	if (rc) {
		mutex_unlock(&handover_out.lock);
		liveupdate_unlock();
	}
	return rc;
}

static void unlock_all(void)
{
	handover_contexts_unlock(&handover_out.contexts);
	mutex_unlock(&handover_out.lock);
	liveupdate_unlock();
}

/*
 * What all contexts are. That is the last snapshot if it holds still: then this
 * takes as long as there are objects, however many maps they have. @moved is set
 * when it is not, and the generation is the same all the same.
 */
static struct handover_live *live_now(u64 gen, u32 flags, bool *moved)
{
	struct list_head *contexts = &handover_out.contexts;
	struct handover_live *live, *given = handover_out.given;
	int rc;

	*moved = false;
	rc = handover_live_holds(contexts, given, gen, flags);
	if (rc < 0)
		return ERR_PTR(rc);
	if (rc) {
		kref_get(&given->ref);
		return given;
	}
	live = handover_live_take(contexts, gen, flags);
	if (!IS_ERR(live))
		*moved = given && given->generation == gen &&
			 given->continuous == live->continuous &&
			 handover_live_differ(live, given);
	return live;
}

int handover_snapshot(struct handover_live **found, u32 unfinished, u32 flags)
{
	const bool all = flags & HANDOVER_TAKE_ALL;
	struct handover_live *live;
	bool moved;
	int rc;

	if (handover_locked_down())
		return handover_refuse(-EPERM,
				       "the kernel is locked down for confidentiality, and a snapshot shows physical addresses; boot without lockdown=confidentiality");
	rc = lock_all(unfinished);
	if (rc)
		return rc;
	live = live_now(handover_generation(), flags, &moved);
	if (IS_ERR(live))
		rc = PTR_ERR(live);
	/* What SEAL would find later, and need not look for again */
	if (!rc && all) {
		rc = handover_live_prove(&handover_out.contexts, live);
		if (rc)
			handover_live_put(live);
	}
	/* What SEAL and the gate would find later */
	if (all && unfinished) {
		if (!rc)
			handover_live_put(live);
		rc = handover_refuse_unfinished(unfinished);
	}
	if (!rc) {
		if (moved) {
			handover_generation_move();
			handover_live_date(live, handover_generation());
		}
		kref_get(&live->ref);
		handover_live_put(handover_out.given);
		handover_out.given = live;
		*found = live;
	}
	unlock_all();
	return rc;
}

void handover_forget_given(void)
{
	lockdep_assert_held(&handover_out.lock);
	handover_live_put(handover_out.given);
	handover_out.given = NULL;
}

/* Check the image against live state and preserve what it names. */
static int fill_locked(struct handover_seal *s, u64 gen)
{
	struct handover_live *live;
	u32 flags = 0;
	bool moved;
	int rc;

	/* Of the snapshot that it is made from, and not of what the image says */
	if (handover_out.given && handover_out.given->continuous)
		flags = HANDOVER_TAKE_CONTINUOUS;
	live = live_now(gen, flags, &moved);
	if (IS_ERR(live))
		return PTR_ERR(live);
	if (moved) {
		handover_generation_move();
		/*
		 * Cure: the loader begins again, three times in all; then let
		 * VMMs pause.
		 */
		rc = handover_refuse(-ESTALE,
				     "generation %llu: what an iommufd maps by user address was mapped elsewhere after the snapshot; take a new one",
				     gen);
	} else {
		rc = handover_live_prove(&handover_out.contexts, live);
		if (!rc)
			rc = handover_seal_fill(s, gen, live);
	}
	handover_live_put(live);
	return rc;
}

static int seal_locked(struct handover_seal *s, u64 gen,
		       int (*adopt)(u64 cookie))
{
	const ktime_t begin = ktime_get();
	struct handover_ctx *ctx;
	int rc;

	if (gen != handover_generation())
		/*
		 * Cure: the loader begins again, three times in all; then let
		 * VMMs pause.
		 */
		return handover_refuse(-ESTALE,
				       "generation %llu has moved to %llu: an iommufd was changed after the snapshot; take a new one",
				       gen, handover_generation());
	rc = fill_locked(s, gen);
	if (rc)
		return rc;
	s->cookie = ++handover_out.cookie;
	rc = adopt ? adopt(s->cookie) : 0;
	if (rc)
		return rc;
	s->loaded = adopt;
	list_for_each_entry(ctx, &handover_out.contexts, list)
		WRITE_ONCE(ctx->ictx->handover.sealed, true);
	handover_out.seal = s;
	handover_forget_given();
	*handover_out.undone = '\0';
	/* A kernel that is loaded from now on carries it */
	kho_set_cookie(s->cookie);
	pr_info("sealed %u contexts, %u records, %u devices, %llu page-table pages at generation %llu in %lld us\n",
		handover_out.nr, s->records, s->devices, s->tables, gen,
		ktime_us_delta(ktime_get(), begin));
	return 0;
}

int handover_seal(u64 gen, const void __user *image, u64 len, u32 unfinished,
		  int (*adopt)(u64 cookie), u64 *cookie)
{
	struct handover_seal *s;
	int rc;

	if (!len || len > IHO_MAX_IMAGE || len & (PAGE_SIZE - 1))
		/*
		 * Cure (EBADMSG, EFBIG): use the kexec that was built for this
		 * kernel.
		 */
		return handover_refuse(len > IHO_MAX_IMAGE ? -EFBIG : -EBADMSG,
				       "image: invalid image length %llu bytes",
				       len);
	/*
	 * The copy waits for user memory, so that it is made without the lock,
	 * and is preserved: a jump meanwhile would leave it to the next kernel.
	 */
	scoped_guard(mutex, &handover_out.lock) {
		rc = may_take(unfinished);
		if (!rc && adopt)
			rc = adopt(0);
		if (rc)
			return rc;
		handover_out.copies++;
	}
	s = handover_seal_copy(image, len);
	rc = IS_ERR(s) ? PTR_ERR(s) : lock_all(unfinished);
	if (rc) {
		if (!IS_ERR(s))
			handover_seal_free(s);
		scoped_guard(mutex, &handover_out.lock)
			handover_out.copies--;
		return rc;
	}
	handover_out.copies--;
	rc = seal_locked(s, gen, adopt);
	/* Before another SEAL can preserve the same pages */
	if (rc)
		handover_seal_free(s);
	else
		*cookie = s->cookie;
	unlock_all();
	return rc;
}

void handover_seal_break(const char *fmt, ...)
{
	struct handover_ctx *ctx;
	va_list args;

	lockdep_assert_held(&handover_out.lock);
	if (!handover_out.seal)
		return;
	va_start(args, fmt);
	vscnprintf(handover_out.undone, sizeof(handover_out.undone), fmt, args);
	va_end(args);
	/*
	 * While nothing can change: a table page that is freed and comes back
	 * as another's preserved page must not lose that.
	 */
	kho_set_cookie(0);
	handover_seal_free(handover_out.seal);
	handover_out.seal = NULL;
	list_for_each_entry(ctx, &handover_out.contexts, list)
		WRITE_ONCE(ctx->ictx->handover.sealed, false);
	/* What was sealed is no longer what a snapshot would give */
	handover_generation_move();
	pr_info("seal undone: %s\n", handover_out.undone);
}

int handover_unseal(void)
{
	guard(mutex)(&handover_out.lock);
	if (!handover_out.seal)
		return -ENOENT;
	if (handover_out.jump != HANDOVER_JUMP_NONE)
		return refuse_jump();
	/* Cure: none if it was meant; else load again. */
	handover_seal_break("released for another load or by kexec -u");
	return 0;
}

void handover_seal_info(struct handover_seal_info *info)
{
	const struct handover_seal *seal = handover_out.seal;

	lockdep_assert_held(&handover_out.lock);
	memset(info, 0, sizeof(*info));
	if (!seal)
		return;
	*info = (struct handover_seal_info) {
		.sealed = true,
		.loaded = seal->loaded,
		.cookie = seal->cookie,
		.generation = seal->generation,
		.image_len = seal->image.total,
		.records = seal->records,
		.devices = seal->devices,
		.tables = seal->hwpts,
		.table_pages = seal->tables,
	};
}

/* ---- changes that cannot fail ---------------------------------------- */

static bool jump_settled(enum handover_jump *j)
{
	*j = READ_ONCE(handover_out.jump);
	return *j != HANDOVER_JUMP_FREEZING;
}

/* Undo the seal for a change that cannot be refused, and say whose it is. */
static void undo_for(struct iommufd_ctx *ictx, struct iommufd_device *idev)
{
	struct handover_ctx *ctx;
	const char *session;

	/* What is sealed is on the list */
	list_for_each_entry(ctx, &handover_out.contexts, list)
		if (ctx->ictx == ictx)
			break;
	session = liveupdate_session_name(ctx->session);
	if (!idev) {
		/*
		 * Cure: start that VMM again or end its session, then load
		 * again.
		 */
		handover_refuse(-EBUSY,
				"session \"%s\" token %llu: the seal was undone: the iommufd was closed; load again",
				session, ctx->token);
		/*
		 * Cure: start that VMM again or end its session, then load
		 * again.
		 */
		handover_seal_break("session \"%s\" token %llu: the iommufd was closed",
				    session, ctx->token);
		return;
	}
	/* Cure: start that VMM again or end its session, then load again. */
	handover_refuse(-EBUSY,
			"session \"%s\" token %llu: the seal was undone: device %u (%s) was detached or closed; load again",
			session, ctx->token, idev->obj.id, dev_name(idev->dev));
	/* Cure: start that VMM again or end its session, then load again. */
	handover_seal_break("session \"%s\" token %llu: device %u (%s) was detached or closed",
			    session, ctx->token, idev->obj.id, dev_name(idev->dev));
}

bool iommufd_handover_close_begin(struct iommufd_ctx *ictx,
				  struct iommufd_device *idev)
{
	enum handover_jump j;

	for (;;) {
		down_read(iommufd_handover_lock(&ictx->handover));
		if (!READ_ONCE(ictx->handover.sealed))
			return false;
		up_read(iommufd_handover_lock(&ictx->handover));
		wait_event(handover_out.jump_wait, jump_settled(&j));
		if (j == HANDOVER_JUMP_COMMITTED)
			return true;
		guard(mutex)(&handover_out.lock);
		if (handover_out.jump == HANDOVER_JUMP_NONE &&
		    ictx->handover.sealed)
			undo_for(ictx, idev);
	}
}

bool iommufd_handover_device_close(struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->ictx;

	if (iommufd_handover_close_begin(ictx, idev))
		return true;
	/* Until it is unbound: what its driver does to it is not to be sealed */
	WRITE_ONCE(idev->handover.closing, true);
	iommufd_handover_change_end(&ictx->handover);
	return false;
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_close, "IOMMUFD");

void iommufd_handover_device_token(struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->ictx;

	/* It is bound already, and may have been sealed since */
	if (iommufd_handover_close_begin(ictx, idev))
		return;
	WRITE_ONCE(idev->handover.token, true);
	iommufd_handover_change_end(&ictx->handover);
}
EXPORT_SYMBOL_NS_GPL(iommufd_handover_device_token, "IOMMUFD");

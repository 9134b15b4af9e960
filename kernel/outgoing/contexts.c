// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: holding preserved iommufds still.
 */
#include <kunit/static_stub.h>
#include <linux/iommu-handover.h>
#include <linux/pci.h>

#include "outgoing.h"

struct handover_out handover_out = {
	.lock = __MUTEX_INITIALIZER(handover_out.lock),
	.contexts = LIST_HEAD_INIT(handover_out.contexts),
	.jump_wait = __WAIT_QUEUE_HEAD_INITIALIZER(handover_out.jump_wait),
};

int handover_refuse_ctx(struct handover_ctx *ctx, int err,
			const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	handover_refuse(err, "session \"%s\" token %llu: %pV",
			liveupdate_session_name(ctx->session), ctx->token, &vaf);
	va_end(args);
	return err;
}

int handover_refuse_busy(struct handover_ctx *ctx, struct iommufd_ioas *ioas)
{
	/* Cure: the loader tries again for five seconds. */
	return handover_refuse_ctx(ctx, -EAGAIN,
				   "IOAS %u is in the middle of a call; try again",
				   ioas->obj.id);
}

bool handover_is_selftest(const struct iommufd_object *obj)
{
#ifdef CONFIG_IOMMUFD_TEST
	return obj->type == IOMMUFD_OBJ_SELFTEST;
#else
	return false;
#endif
}

struct iommufd_object *handover_object_from(struct iommufd_ctx *ictx,
					    unsigned long *index)
{
	struct iommufd_object *obj;

	guard(spinlock)(&ictx->objects.xa_lock);
	xa_for_each_start(&ictx->objects, *index, obj, *index)
		if (!handover_is_selftest(obj))
			return obj;
	return NULL;
}

int handover_lock_settled(struct handover_ctx *ctx, struct iommufd_device *idev,
			  int err)
{
	if (READ_ONCE(idev->handover.closing) || !device_trylock(idev->dev))
		/*
		 * Cure (EAGAIN, from the gate EBUSY): let the VMM close a
		 * device that is being unbound or unplugged; after a reset try
		 * again.
		 */
		return handover_refuse_ctx(ctx, err,
					   "device %u (%s) is being unbound or reset; close it or try again",
					   idev->obj.id, dev_name(idev->dev));
	return 0;
}

/* The HWPT that a device is attached to, or NULL. */
struct iommufd_hw_pagetable *handover_attached(struct iommufd_device *idev)
{
	struct iommu_attach_handle *handle;

	KUNIT_STATIC_STUB_REDIRECT(handover_attached, idev);
	handle = iommu_attach_handle_get(idev->igroup->group, IOMMU_NO_PASID, 0);
	if (IS_ERR_OR_NULL(handle))
		return NULL;
	return handle->domain->iommufd_hwpt;
}

/*
 * Lockdep counts the locks of a task, up to 2047 of a class that are taken under
 * another. There may be 1024 contexts: it is told of the first lock of each.
 */
static void held(struct iommufd_ctx_handover *h, u32 i)
{
	rwsem_release(&h->lock[i].rwsem.dep_map, _RET_IP_);
	if (!i)
		rwsem_acquire_nest(&h->lock[i].rwsem.dep_map, 0, 1,
				   &handover_out.lock.dep_map, _RET_IP_);
}

static void unlock(struct iommufd_ctx_handover *h, u32 nr)
{
	while (nr--) {
		if (nr)
			rwsem_acquire(&h->lock[nr].rwsem.dep_map, 0, 1,
				      _RET_IP_);
		up_write(&h->lock[nr].rwsem);
	}
}

static bool trylock(struct iommufd_ctx_handover *h)
{
	for (u32 i = 0; i < IOMMUFD_HANDOVER_LOCKS; i++) {
		if (!down_write_trylock(&h->lock[i].rwsem)) {
			unlock(h, i);
			return false;
		}
		held(h, i);
	}
	return true;
}

int handover_contexts_lock(struct list_head *contexts)
{
	struct handover_ctx *ctx;

	lockdep_assert_held(&handover_out.lock);
	list_for_each_entry(ctx, contexts, list) {
		ctx->locked = trylock(&ctx->ictx->handover);
		if (ctx->locked)
			continue;
		/* Cure: the loader tries again for five seconds. */
		handover_refuse(-EAGAIN,
				"session \"%s\" token %llu: the iommufd is in the middle of a call; try again",
				liveupdate_session_name(ctx->session),
				ctx->token);
		handover_contexts_unlock(contexts);
		return -EAGAIN;
	}
	return 0;
}

void handover_contexts_unlock(struct list_head *contexts)
{
	struct handover_ctx *ctx;

	list_for_each_entry(ctx, contexts, list) {
		if (!ctx->locked)
			continue;
		unlock(&ctx->ictx->handover, IOMMUFD_HANDOVER_LOCKS);
		ctx->locked = false;
	}
}

int handover_devices_settled(struct list_head *contexts, int err)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	struct handover_ctx *ctx;
	unsigned long index;
	int rc;

	lockdep_assert_held(&handover_out.lock);
	list_for_each_entry(ctx, contexts, list) {
		for (index = 0; (obj = handover_object_from(ctx->ictx, &index)); index++) {
			if (obj->type != IOMMUFD_OBJ_DEVICE)
				continue;
			idev = container_of(obj, struct iommufd_device, obj);
			rc = handover_lock_settled(ctx, idev, err);
			if (rc)
				return rc;
			/* sysfs sets it, which is no call of iommufd */
			if (dev_is_pci(idev->dev) &&
			    pci_num_vf(to_pci_dev(idev->dev)))
				/* Cure (EBUSY): disable them. */
				rc = handover_refuse_ctx(ctx, err,
							 "device %u (%s) has virtual functions since it was sealed; disable them",
							 obj->id,
							 dev_name(idev->dev));
			device_unlock(idev->dev);
			if (rc)
				return rc;
		}
	}
	return 0;
}

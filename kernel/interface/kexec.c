// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: the gate of a kexec.
 *
 * A jump is refused while it would lose an iommufd. A refusal changes nothing:
 * it comes before anything is torn down.
 */
#include <linux/init.h>
#include <linux/iommu-handover.h>
#include <linux/io.h>
#include <linux/kexec.h>

#include "drivers.h"
#include "incoming.h"
#include "interface.h"
#include "outgoing.h"

/* The kernel that a kexec would jump to is another one, or none. */
static void image_exchanged(struct kimage *now, struct kimage *was)
{
	struct handover_seal *seal;

	guard(mutex)(&handover_out.lock);
	seal = handover_out.seal;
	if (!seal)
		return;
	seal->loaded = now && now->kho.cookie == seal->cookie;
	if (seal->loaded || !was || was->kho.cookie != seal->cookie)
		return;
	/* Cure: load again with kexec -s -l --iommu-handover. */
	handover_seal_break("the kernel loaded under it was unloaded");
}

int handover_gate(struct kimage *image)
{
	u32 unfinished = handover_in_unfinished();
	struct handover_seal *seal;
	int rc;

	guard(mutex)(&handover_out.lock);
	seal = handover_out.seal;
	handover_out.passed = seal ? seal->cookie : 0;
	/* A jump drops incoming sessions, and what they hold with them */
	if (unfinished)
		return handover_refuse_unfinished(unfinished);
	if (!handover_out.nr && image->kho.cookie)
		return handover_refuse(-EBUSY,
				       "the loaded kernel was loaded under a seal that was undone since; load again");
	if (!handover_out.nr)
		return 0;
	if (image->preserve_context)
		return handover_refuse(-EBUSY,
				       "the loaded kernel is to come back (KEXEC_PRESERVE_CONTEXT), and nothing is handed over to such a one; load with kexec -s -l --iommu-handover");
	if (handover_out.copies)
		return handover_refuse(-EBUSY,
				       "an image is being copied for SEAL; wait for that, then jump");
	if (!seal && !*handover_out.undone)
		return handover_refuse(-EBUSY,
				       "a kexec would lose %u preserved iommufd: nothing is sealed; load with kexec -s -l --iommu-handover, or jump with kexec -e --iommu-handover",
				       handover_out.nr);
	if (!seal)
		return handover_refuse(-EBUSY,
				       "a kexec would lose %u preserved iommufd: nothing is sealed; the last seal was undone (%s); load with kexec -s -l --iommu-handover, or jump with kexec -e --iommu-handover",
				       handover_out.nr, handover_out.undone);
	if (image->kho.cookie != seal->cookie)
		return handover_refuse(-EBUSY,
				       "the loaded kernel was not loaded under the seal; load with kexec -s -l --iommu-handover");
	rc = handover_target_settled(image);
	if (rc)
		return rc;
	return handover_devices_settled(&handover_out.contexts, -EBUSY) ?:
	       handover_stays_settled(seal);
}

/* What the gate would say of it once there is a seal. */
static int may_adopt(const struct kimage *image)
{
	u32 unfinished = handover_in_unfinished();

	if (unfinished)
		return handover_refuse_unfinished(unfinished);
	if (image->preserve_context)
		return handover_refuse(-EBUSY,
				       "the loaded kernel is to come back (KEXEC_PRESERVE_CONTEXT), so that it cannot be sealed for; load with kexec -s -l");
	return handover_target_settled(image);
}

/* The question alone: more than 0 does not let it adopt either. */
static int could_adopt(const struct kimage *image)
{
	return may_adopt(image) ?: 1;
}

int handover_adopt_loaded(u64 cookie)
{
	int rc = kexec_adopt(cookie, cookie ? may_adopt : could_adopt);

	if (rc == -EAGAIN)
		/* Cure: the loader tries again for five seconds. */
		return handover_refuse(-EAGAIN,
				       "a kernel is being loaded or jumped to; try again");
	if (rc == -ENOEXEC)
		return handover_refuse(-ENOEXEC,
				       "no kernel is loaded to seal for; load one with kexec -s -l --iommu-handover=check");
	return min(rc, 0);
}

/* Flip a bit of the first record of an iommufd. */
static void disturb_records(const struct handover_seal *s, u32 index)
{
	struct iho_context c;
	u64 off;

	if (iho_get_context(&s->opened, index, &c) || !c.stream_len)
		return;
	off = c.stream_off;
	for (u32 i = 0; i < s->image.extents; off -= s->image.len[i++])
		if (off < s->image.len[i]) {
			*(u8 *)(s->image.ptr[i] + off) ^= 1;
			return;
		}
}

/* For tests: what the next kernel finds is damaged. */
static void disturb(void)
{
	if (handover_disturbed(HANDOVER_DISTURB_RECORDS))
		disturb_records(handover_out.seal, 0);
	if (handover_disturbed(HANDOVER_DISTURB_LAST))
		disturb_records(handover_out.seal,
				handover_out.seal->opened.contexts - 1);
	if (handover_disturbed(HANDOVER_DISTURB_IMAGE))
		*(u8 *)handover_out.seal->image.ptr[0] ^= 1;
	if (handover_disturbed(HANDOVER_DISTURB_KHO))
		*(u8 *)phys_to_virt(kexec_image->kho.fdt) ^= 1;
}

static void commit(void)
{
	guard(mutex)(&handover_out.lock);
	if (!handover_out.frozen)
		return;
	disturb();
	handover_stays_commit(handover_out.seal);
	WRITE_ONCE(handover_out.jump, HANDOVER_JUMP_COMMITTED);
	wake_up_all(&handover_out.jump_wait);
}

static const struct kexec_handover_ops ops = {
	.load = handover_target_ask,
	.gate = handover_gate,
	.commit = commit,
	.exchanged = image_exchanged,
};

static int __init handover_kexec_init(void)
{
	kexec_set_handover_ops(&ops);
	return 0;
}
core_initcall(handover_kexec_init);

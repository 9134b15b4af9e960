// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec -u and kexec -e: release the seal, and say why a jump was refused.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kexec.h"
#include "iommu-handover.h"
#include "iommu-handover-dev.h"
#include "iommu-handover-hint.h"

/*
 * -u could not unload because another load or a jump is going on: the seal may
 * be theirs. EPERM comes before EBUSY, so errno alone does not tell.
 */
static bool in_use(const struct handover_dev *dev, int err)
{
	return err == EBUSY ||
	       (flock(dev->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK);
}

static void explain_in_use(struct handover_dev *dev)
{
	struct iommu_handover_query state;

	if (!handover_query(dev, &state) &&
	    state.state == IOMMU_HANDOVER_SEALED)
		handover_complain("still sealed: another load or a jump is going on; wait for it and run kexec -u again");
}

int iommu_handover_unseal(int result, int err)
{
	struct handover_dev dev;
	bool was_sealed = false;
	int failed = handover_open(&dev);

	if (failed) {
		if (handover_absent(failed))
			return result;
		handover_complain("cannot unseal: open %s: %s%s",
				  HANDOVER_DEVICE, strerror(failed),
				  handover_open_hint(failed));
		return result ? result : -1;
	}
	if (result && in_use(&dev, err)) {
		explain_in_use(&dev);
		close(dev.fd);
		return result;
	}
	failed = handover_unseal(&dev, &was_sealed);
	close(dev.fd);
	if (failed) {
		/* Cure: run kexec -u again. */
		handover_complain("cannot unseal: %s", strerror(failed));
		return result ? result : -1;
	}
	if (was_sealed && result)
		/* Cure: none is needed: the iommufds can change again. */
		handover_complain("not unloaded, but the seal is released: a kernel that was loaded under it is not jumped to");
	else if (was_sealed)
		dbgprintf("iommu-handover: unsealed\n");
	return result;
}

bool iommu_handover_at_stake(void)
{
	struct iommu_handover_query state;
	struct handover_dev dev;
	int failed = handover_open(&dev);
	bool yes;

	if (failed)
		return !handover_absent(failed);
	/* A kernel whose seal was undone is refused with nothing preserved. */
	yes = handover_query(&dev, &state) ||
	      state.state != IOMMU_HANDOVER_IDLE || state.contexts ||
	      state.incoming_contexts || state.refusal_errno;
	close(dev.fd);
	if (yes)
		dbgprintf("iommu-handover: network interfaces stay up, the kernel may refuse the jump\n");
	return yes;
}

void iommu_handover_explain(int err)
{
	struct handover_dev dev;

	/* The gate's errno; any other has another reason. */
	if (err == EBUSY && !handover_open(&dev)) {
		if (handover_last_refusal(&dev, EBUSY))
			/* Cure: as the sentence says; older than this jump when another load is going on. */
			handover_complain("the last refusal: %s", dev.message);
		close(dev.fd);
	}
	iommu_handover_no_jump();
}

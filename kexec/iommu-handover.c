// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: seal a handover image of every preserved iommufd and
 * load a kernel under the seal; or load first (--iommu-handover=check), and seal
 * for the loaded kernel right before the jump.
 *
 * The kernel to be loaded is asked whether it reads the image. The running kernel
 * gives a snapshot, the image library makes an image of it, the kernel compares the
 * image with its live state and freezes that state (SEAL). Everything that can fail is done
 * before SEAL; what fails after it is undone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kexec.h"
#include "kexec-syscall.h"
#include "iommu-handover.h"
#include "iommu-handover-dev.h"
#include "iommu-handover-hint.h"
#include "iommu-handover-image.h"
#include "iommu-handover-kernel.h"
#include "iommu-handover-signal.h"
#include "iho/iho.h"

#define SEAL_TRIES	3		/* from a new snapshot each time */

/**
 * struct handover - one run
 * @dev: the device
 * @mode: enum iommu_handover_mode of a load; IOMMU_HANDOVER_NO: for the kernel
 *	that is loaded
 * @generation: of the snapshot
 * @snapshot: what the kernel described
 * @image: made of it
 * @released: an earlier seal was
 */
struct handover {
	struct handover_dev dev;
	enum iommu_handover_mode mode;
	uint64_t generation;
	struct handover_buffer snapshot;
	struct handover_buffer image;
	bool released;
};

/* ---- before SEAL ----------------------------------------------------- */

static bool reads(const char *path, const char *value)
{
	FILE *file = fopen(path, "re");
	char line[16] = "";

	if (!file)
		return false;
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return !strcmp(line, value);
}

/* Then the kernel that was loaded under the seal is the last one. */
static bool loading_disabled(void)
{
	return reads("/proc/sys/kernel/kexec_load_disabled", "1") ||
	       reads("/proc/sys/kernel/kexec_load_limit_reboot", "0");
}

/* A seal that is in place is of an earlier load, or of one that was killed. */
static int release_earlier(struct handover *h)
{
	struct iommu_handover_query state;
	bool was_sealed;
	int err;

	if (handover_query(&h->dev, &state))
		return -1;
	dbgprintf("iommu-handover: state %u, %u contexts, generation %llu, kernel's format %u.%u, ours %u.%u\n",
		  state.state, state.contexts,
		  (unsigned long long)state.generation, state.format_major,
		  state.format_minor, IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR);
	/* Readers take any minor version: ours is the newest that both know. */
	if (state.format_major != IHO_FORMAT_MAJOR) {
		handover_complain("the running kernel speaks image format %u.%u, this kexec %u.%u%s",
				  state.format_major, state.format_minor,
				  IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR,
				  handover_misfit());
		return -1;
	}
	if (state.state != IOMMU_HANDOVER_SEALED)
		return 0;
	if (handover_stopped())
		return -1;
	if (h->mode && loading_disabled() && reads("/sys/kernel/kexec_loaded", "1")) {
		handover_complain("loading is disabled (kernel.kexec_load_disabled, or kernel.kexec_load_limit_reboot used up): nothing was loaded, and the seal of the earlier load is still in place; jump to its kernel, or release the seal with kexec -u");
		return -1;
	}

	err = handover_unseal(&h->dev, &was_sealed);
	if (err) {
		/* Cure: run kexec -u. */
		handover_complain("cannot release the earlier seal: %s",
				  strerror(err));
		return -1;
	}
	if (was_sealed) {
		h->released = true;
		dbgprintf("iommu-handover: released the seal of generation %llu that an earlier load left\n",
			  (unsigned long long)state.sealed_generation);
	}
	return 0;
}

/* ---- from SEAL to the end of the load -------------------------------- */

static void unseal_failed_load(struct handover *h)
{
	bool was_sealed;
	int err = handover_unseal(&h->dev, &was_sealed);

	if (err)
		handover_complain("cannot unseal: %s: still sealed; try kexec -u",
				  strerror(err));
}

/* The seal may have gone while the kernel was read: a VMM was killed, say. */
static int check_tied(struct handover *h)
{
	struct iommu_handover_query state;

	if (handover_query(&h->dev, &state))
		return -1;
	if (state.state == IOMMU_HANDOVER_SEALED && state.loaded &&
	    state.sealed_generation == h->generation)
		return 0;
	/* Cure: find out whose iommufd changed, from the kernel log; load again. */
	handover_complain("the seal went away while the kernel was loaded: %s; the kernel is unloaded again",
			  state.state == IOMMU_HANDOVER_IDLE ?
			  "no iommufd is preserved any more" :
			  "a preserved iommufd changed or kexec -u was run");
	return -1;
}

static int load(const struct kexec_info *info, int kernel_fd)
{
	int err;

	if (!kexec_file_load(kernel_fd, info->initrd_fd, info->command_line_len,
			     info->command_line, info->kexec_flags))
		return 0;
	err = errno;
	handover_complain("kexec_file_load: %s%s", strerror(err),
			  handover_load_hint(err));
	return -1;
}

/* Sealed. */
static int load_sealed(struct handover *h, const struct kexec_info *info,
		       int kernel_fd)
{
	int sig = handover_signal();

	if (sig) {
		/* Cure: load again. */
		handover_complain("stopped by a signal (%s): unsealed, nothing is loaded",
				  strsignal(sig));
		unseal_failed_load(h);
		return -1;
	}
	if (load(info, kernel_fd)) {
		unseal_failed_load(h);
		return -1;
	}
	if (check_tied(h)) {
		unseal_failed_load(h);
		if (kexec_file_load(-1, -1, 0, NULL, KEXEC_FILE_UNLOAD))
			handover_complain("cannot unload: %s: run kexec -u",
					  strerror(errno));
		return -1;
	}
	sig = handover_signal();
	if (sig)
		/* Cure: none is needed: the load succeeded. */
		handover_complain("the signal (%s) came too late: loaded and sealed; kexec -u undoes both",
				  strsignal(sig));
	return 0;
}

/* Returns 0, ESTALE to begin again with a new snapshot, or -1. */
static int seal_and_load(struct handover *h, const struct kexec_info *info,
			 int kernel_fd)
{
	int err;

	do {
		err = handover_seal(&h->dev, &h->image, h->generation, !h->mode);
		if (!err && h->mode)
			err = load_sealed(h, info, kernel_fd);
	} while (err == EAGAIN && handover_pause(&h->dev));

	if (err <= 0 || err == ESTALE)
		return err;
	handover_refused(&h->dev, "seal", err);
	return -1;
}

static int try_load(struct handover *h, const struct kexec_info *info,
		    int kernel_fd, const char *save)
{
	int tries, err;

	for (tries = 1; ; tries++) {
		if (handover_snapshot(&h->dev, &h->snapshot, &h->generation,
				      h->mode == IOMMU_HANDOVER_CHECK) ||
		    handover_stopped() ||
		    handover_build(&h->snapshot, h->generation, &h->image) ||
		    handover_stopped() ||
		    (save && (handover_save(&h->image, save) || handover_stopped())))
			return -1;
		if (h->mode == IOMMU_HANDOVER_CHECK)
			return load(info, kernel_fd);
		err = seal_and_load(h, info, kernel_fd);
		if (err != ESTALE)
			return err;
		if (tries == SEAL_TRIES)
			break;
		dbgprintf("iommu-handover: moved on from generation %llu, again from a new snapshot\n",
			  (unsigned long long)h->generation);
	}
	handover_refused(&h->dev, "seal", ESTALE);
	return -1;
}

static void end(struct handover *h)
{
	if (h->dev.fd >= 0)
		close(h->dev.fd);
	free(h->snapshot.ptr);
	free(h->image.ptr);
	free(h);
}

static struct handover *begin(enum iommu_handover_mode mode)
{
	struct handover *h = calloc(1, sizeof(*h));
	int err;

	if (!h) {
		/* Cure: free some memory and load again. */
		handover_complain("no memory");
		return NULL;
	}
	h->mode = mode;
	err = handover_open(&h->dev);
	if (err) {
		handover_complain("open %s: %s%s", HANDOVER_DEVICE,
				  strerror(err), handover_open_hint(err));
		end(h);
		return NULL;
	}
	/*
	 * Two loaders would release each other's seals. A kernel may be without
	 * file locks; SEAL is exclusive all the same.
	 */
	if (flock(h->dev.fd, LOCK_EX | LOCK_NB) && errno != ENOSYS) {
		/* Cure: wait for the other kexec. */
		handover_complain("lock %s: %s", HANDOVER_DEVICE,
				  errno == EWOULDBLOCK ?
				  "another kexec is loading with --iommu-handover; wait for it" :
				  strerror(errno));
		end(h);
		return NULL;
	}
	return h;
}

int iommu_handover_load(const struct kexec_info *info, int kernel_fd,
			const char *name, const char *save,
			enum iommu_handover_mode mode)
{
	struct handover *h = begin(mode);
	sigset_t before;
	int ret = -1;

	if (!h)
		return -1;
	if (handover_check_kernel(name, kernel_fd, info->command_line))
		goto out;
	handover_block_signals(&before);
	if (!release_earlier(h))
		ret = try_load(h, info, kernel_fd, save);
	if (ret && h->released)
		handover_complain("the seal of an earlier load was released: load again before you jump");
	if (!ret && info->command_line)
		handover_warn_crash(info->command_line);
	handover_restore_signals(&before);
out:
	end(h);
	return ret;
}

/* ---- a seal right before the jump ------------------------------------ */

/* Until the jump no other kexec may release it: the device stays locked. */
static struct handover *sealed_for_jump;

static int seal_for_jump(struct handover *h, const char *save)
{
	int sig;

	if (release_earlier(h))
		return -1;
	if (try_load(h, NULL, -1, save)) {
		if (h->released)
			/* Cure: seal again, or load again. */
			handover_complain("the seal of an earlier load was released: nothing is sealed any more");
		return -1;
	}
	sig = handover_signal();
	if (!sig)
		return 0;
	/* Cure: jump again. */
	handover_complain("stopped by a signal (%s): unsealed, there is no jump",
			  strsignal(sig));
	unseal_failed_load(h);
	return -1;
}

int iommu_handover_seal_loaded(const char *save, enum iommu_handover_mode mode)
{
	struct handover *h = begin(IOMMU_HANDOVER_NO);
	struct iommu_handover_query state;
	sigset_t before;
	int ret = -1;

	if (!h)
		return -1;
	handover_block_signals(&before);
	if (handover_query(&h->dev, &state))
		goto out;
	if (state.state == IOMMU_HANDOVER_SEALED && state.loaded) {
		if (save)
			handover_complain("the kernel is loaded under a seal already, whose image cannot be saved any more: leave --iommu-handover-save out");
		else
			ret = 0;
		goto out;
	}
	if (mode == IOMMU_HANDOVER_SEAL_ONLY &&
	    state.state == IOMMU_HANDOVER_IDLE && !state.incoming_contexts) {
		/* Cure: none is needed: the kernel lets the jump pass. */
		handover_complain("no iommufd is preserved, so that there is nothing to seal");
		ret = 0;
		goto out;
	}
	ret = seal_for_jump(h, save);
	if (!ret) {
		/* Signals too: the process ends with the jump, or by itself. */
		sealed_for_jump = h;
		return 0;
	}
out:
	handover_restore_signals(&before);
	end(h);
	return ret;
}

void iommu_handover_no_jump(void)
{
	bool was_sealed;
	int err;

	if (!sealed_for_jump)
		return;
	err = handover_unseal(&sealed_for_jump->dev, &was_sealed);
	if (err)
		/* Cure: run kexec -u. */
		handover_complain("cannot unseal: %s: the iommufds stay frozen; run kexec -u",
				  strerror(err));
	else
		/* Cure: none is needed: jump again when the reason is gone. */
		handover_complain("no jump: unsealed, the iommufds can change again and the kernel stays loaded");
	end(sealed_for_jump);
	sealed_for_jump = NULL;
}

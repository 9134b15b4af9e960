/* SPDX-License-Identifier: GPL-2.0-only */
/**
 * DOC: loader
 *
 * kexec --iommu-handover: seal a handover image of every preserved iommufd and
 * load a kernel under the seal. -args reads the command line, -kernel asks the
 * kernel's file what it reads, -dev talks to /dev/iommu-handover, -image builds and
 * checks the image, -jump and -crash look at what else the jump would lose, -hint
 * has the words for errors.
 *
 * All messages go to stderr and begin with "iommu-handover: ".
 */
#ifndef KEXEC_IOMMU_HANDOVER_H
#define KEXEC_IOMMU_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>

struct kexec_info;

/**
 * enum iommu_handover_mode - what --iommu-handover asks for
 * @IOMMU_HANDOVER_NO: it was not given
 * @IOMMU_HANDOVER_SEAL: seal; with -l load under the seal, with -e for the kernel
 *	that is loaded
 * @IOMMU_HANDOVER_CHECK: "check": only say what would stand in the way, and load
 * @IOMMU_HANDOVER_SEAL_ONLY: "seal": seal for the kernel that is loaded; another
 *	program jumps
 */
enum iommu_handover_mode {
	IOMMU_HANDOVER_NO,
	IOMMU_HANDOVER_SEAL,
	IOMMU_HANDOVER_CHECK,
	IOMMU_HANDOVER_SEAL_ONLY,
};

/**
 * struct iommu_handover_args - what the command line asks for
 * @handover: enum iommu_handover_mode
 * @save: FILE of --iommu-handover-save, or NULL
 * @files: how many names of files there are
 * @load: a kernel is to be loaded
 * @shutdown: and then shutdown(8) is to be run: neither -l nor -f
 * @exec: the loaded kernel is to be run
 * @unload: -u
 * @status: -S
 * @crash: -p
 * @preserve_context: --load-preserve-context
 * @live_update: --load-live-update or --exec-live-update (Xen)
 * @jump_back: --load-jump-back-helper
 * @file_syscall: kexec_file_load is to be tried; 0 after -c
 * @xen: running under Xen
 */
struct iommu_handover_args {
	int handover;
	const char *save;
	int files;
	int load;
	int shutdown;
	int exec;
	int unload;
	int status;
	int crash;
	int preserve_context;
	int live_update;
	int jump_back;
	int file_syscall;
	int xen;
};

#ifdef HAVE_IOMMU_HANDOVER

/**
 * iommu_handover_mode() - read the option's argument
 * @arg: words with a comma between them, "check" or "seal", and "continuous"; NULL
 *	without any
 *
 * Return: the mode; die() on anything else.
 */
enum iommu_handover_mode iommu_handover_mode(const char *arg);

/* "continuous" was given: devices go on with their DMA, or are refused. */
bool iommu_handover_continuous(void);

/**
 * iommu_handover_check_args() - die() on a combination that has no meaning
 *
 * Call it when either option was given, before anything is done.
 */
void iommu_handover_check_args(const struct iommu_handover_args *args);

/**
 * iommu_handover_check_file() - that a file may be a kernel to hand over to
 * @name: of the file, for messages
 * @buf: its bytes, unpacked where kexec can
 * @len: how many
 *
 * Call it before the file types are probed, which say less or know types that
 * kexec_file_load does not take.
 *
 * Return: 0, or -1 after a message.
 */
int iommu_handover_check_file(const char *name, const char *buf, off_t len);

/**
 * iommu_handover_load() - ask the kernel, snapshot, build, save, seal and load
 * @info: initrd, command line and flags for kexec_file_load
 * @kernel_fd: the kernel
 * @name: of its file, for messages
 * @save: where to keep a copy of the image, or NULL
 * @mode: IOMMU_HANDOVER_CHECK: all refusals are told, nothing is sealed
 *
 * A kernel that is cut short, or that would not give back what it is handed,
 * changes nothing. A seal that is in place is released first; when loading was disabled since, it
 * and its kernel stay and nothing is done. After any other failure nothing is
 * sealed and the kernel loaded before, if any, is still loaded, except when the
 * seal went away while the new one was loaded: then none is. SEAL and
 * kexec_file_load are called by this process. Signals wait until the end; one
 * that would end the process stops the load at its next step, and is not
 * delivered before what was undone has been undone and told.
 *
 * Return: 0, or -1 after a message.
 */
int iommu_handover_load(const struct kexec_info *info, int kernel_fd,
			const char *name, const char *save,
			enum iommu_handover_mode mode);

/**
 * iommu_handover_seal_loaded() - before a jump: seal for the kernel that is loaded
 * @save: where to keep a copy of the image, or NULL
 * @mode: IOMMU_HANDOVER_SEAL_ONLY: another program jumps
 *
 * A seal that it was loaded under is kept, another one renewed. From a seal that
 * is made here until the jump, signals are blocked and the device is locked
 * against other loaders. Where another program jumps, the seal stays when this one
 * ends, and that nothing is preserved, which the kernel lets pass, is no error.
 *
 * Return: 0, or -1 after a message; nothing is sealed then that was not before.
 */
int iommu_handover_seal_loaded(const char *save, enum iommu_handover_mode mode);

/**
 * iommu_handover_no_jump() - the jump has come back: undo what
 * iommu_handover_seal_loaded() sealed, so that guests do not stay frozen
 */
void iommu_handover_no_jump(void);

/**
 * iommu_handover_unseal() - after -u: release the seal, if there is one
 * @result: of unloading, 0 when that went well
 * @err: its errno; of no meaning when @result is 0
 *
 * A seal goes even when the kernel could not be unloaded, because loading was
 * disabled since, say: its iommufds would stay frozen. It stays while another
 * load or a jump is in the way, whose it may be. That the running kernel knows
 * no handover is no error.
 *
 * Return: @result when that is not 0; else 0, or -1 after a message.
 */
int iommu_handover_unseal(int result, int err);

/**
 * iommu_handover_at_stake() - before a jump: may the kernel refuse it because
 * of iommufds?
 *
 * kexec takes the network interfaces down before it asks the kernel to jump,
 * and nothing takes them up again when that says no: the host and its guests
 * would run on without network. The jump itself shuts every device down.
 *
 * Return: true when an iommufd is preserved, not finished since the last
 * handover, or was in the way before, and when that cannot be told; false else
 * and on a kernel without handover.
 */
bool iommu_handover_at_stake(void);

/**
 * iommu_handover_explain() - after a jump that came back: say what stood in
 * the way, when the handover may have
 * @err: errno of the jump
 */
void iommu_handover_explain(int err);

#else /* other architectures: no IOMMU driver of theirs can hand over yet */

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static inline enum iommu_handover_mode iommu_handover_mode(const char *arg)
{
	(void)arg;
	return IOMMU_HANDOVER_SEAL;
}

static inline int iommu_handover_seal_loaded(const char *save,
					     enum iommu_handover_mode mode)
{
	(void)mode;
	(void)save;
	return -1;
}

static inline void
iommu_handover_check_args(const struct iommu_handover_args *args)
{
	(void)args;
	die("iommu-handover: not available on this architecture; load without --iommu-handover\n");
}

static inline int iommu_handover_check_file(const char *name, const char *buf,
					    off_t len)
{
	(void)name;
	(void)buf;
	(void)len;
	return -1;
}

static inline int iommu_handover_load(const struct kexec_info *info,
				      int kernel_fd, const char *name,
				      const char *save,
				      enum iommu_handover_mode mode)
{
	(void)mode;
	(void)info;
	(void)kernel_fd;
	(void)name;
	(void)save;
	return -1;
}

static inline int iommu_handover_unseal(int result, int err)
{
	(void)err;
	return result;
}

static inline bool iommu_handover_at_stake(void)
{
	return false;
}

static inline void iommu_handover_explain(int err)
{
	(void)err;
}

#endif

#endif

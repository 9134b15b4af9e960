// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: seal a handover image of every preserved iommufd and
 * load a kernel under the seal.
 *
 * The kernel gives a snapshot, lib/ makes an image of it, the kernel compares
 * the image with its live state and freezes that state (SEAL). Everything that
 * can fail is done before SEAL; what fails behind it is undone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <linux/iommu_handover.h>

#include "kexec.h"
#include "kexec-syscall.h"
#include "iommu-handover.h"
#include "iommu-handover-image.h"

#define DEVICE		"/dev/iommu-handover"

#define FIRST_SNAPSHOT	(256u << 10)	/* bytes; grows to what is asked for */
#define SNAPSHOT_TRIES	8		/* with a larger buffer each time */
#define SEAL_TRIES	3		/* from a new snapshot each time */
#define BUSY_SECONDS	5		/* to wait for busy iommufds, in all */
#define FIRST_PAUSE_MS	1
#define LAST_PAUSE_MS	128
#define MESSAGE_LEN	4096		/* bytes of a refusal's sentence */

struct handover {
	int fd;
	struct timespec deadline;	/* CLOCK_MONOTONIC, for busy iommufds */
	unsigned int pause_ms;
	uint64_t generation;		/* of the snapshot */
	struct handover_buffer snapshot;
	struct handover_buffer image;
	bool released;			/* an earlier seal */
	char message[MESSAGE_LEN];	/* the kernel's sentence, "" if none */
};

/* ---- command line ---------------------------------------------------- */

void iommu_handover_check_args(const struct iommu_handover_args *args)
{
	const char *no = NULL;

	if (!args->handover)
		no = "--iommu-handover-save keeps the image that --iommu-handover makes: give both";
	else if (args->save && !*args->save)
		no = "--iommu-handover-save needs the name of a file";
	else if (args->status)
		no = "-S only reports: leave --iommu-handover out (see the state in sysfs)";
	else if (args->crash)
		no = "-p loads the kernel for a crash, where nothing is handed over: leave one of the two out";
	else if (args->jump_back)
		no = "--load-jump-back-helper comes back to this kernel and hands nothing over: leave one of the two out";
	else if (args->preserve_context)
		no = "--load-preserve-context comes back to this kernel and hands nothing over: leave one of the two out";
	else if (args->live_update || args->xen)
		no = "Xen loads kernels by itself and hands nothing over: leave --iommu-handover out";
	else if (args->unload)
		no = "-u unseals by itself: leave --iommu-handover out";
	else if (!args->load && args->exec)
		no = "-e runs the kernel that was loaded with -l --iommu-handover: give it there and leave it out here";
	else if (!args->load)
		no = "nothing is to be loaded: add -l";
	else if (!args->file_syscall)
		no = "-c cannot hand over: kexec_load does not carry KHO (KHO there comes later); use -s";
	else if (args->shutdown)
		no = "without -l, shutdown(8) is run and ends every process that holds an iommufd: add -l, then jump with -e";

	if (no)
		die("iommu-handover: %s\n", no);
}

/* ---- signals --------------------------------------------------------- */

/*
 * They are blocked for all of a load: one that comes between two steps must
 * leave no half-written file and no seal without a kernel, and must not keep
 * from the caller what was done already.
 */
static const int stop_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
#define STOP_SIGNALS	(sizeof(stop_signals) / sizeof(stop_signals[0]))

/* Does one of them wait that will end us? A blocked one waits if ignored. */
static int waiting_signal(void)
{
	struct sigaction act;
	sigset_t set;
	size_t i;

	if (sigpending(&set))
		return 0;
	for (i = 0; i < STOP_SIGNALS; i++)
		if (sigismember(&set, stop_signals[i]) == 1 &&
		    !sigaction(stop_signals[i], NULL, &act) &&
		    act.sa_handler != SIG_IGN)
			return stop_signals[i];
	return 0;
}

/* Before SEAL. */
static bool stopped(void)
{
	int sig = waiting_signal();

	if (sig)
		handover_complain("stopped by a signal (%s): nothing was sealed or loaded",
				  strsignal(sig));
	return sig;
}

/* ---- device ---------------------------------------------------------- */

/* The kernel's own sentence where it gave one. */
static void complain_refused(const struct handover *h, const char *what,
			     int err)
{
	/* A signal ends the waiting for a busy iommufd. */
	if (err == EAGAIN && stopped())
		return;
	if (h->message[0])
		handover_complain("refused: %s", h->message);
	else
		handover_complain("%s: %s%s", what, strerror(err),
				  handover_hint(err));
}

/* Returns 0 or an errno. */
static int call(struct handover *h, unsigned long cmd, void *arg)
{
	size_t len;
	int err;

	h->message[0] = '\0';
	if (!ioctl(h->fd, cmd, arg))
		return 0;
	err = errno;
	len = strnlen(h->message, sizeof(h->message) - 1);
	while (len && h->message[len - 1] == '\n')
		len--;
	h->message[len] = '\0';
	return err;
}

static int device_open(void)
{
	return open(DEVICE, O_RDWR | O_CLOEXEC);
}

static bool device_absent(int err)
{
	return err == ENOENT || err == ENODEV || err == ENXIO;
}

/* Returns 0 when nothing is sealed any more, or an errno. */
static int unseal(struct handover *h, bool *was_sealed)
{
	struct iommu_handover_unseal arg = { .size = sizeof(arg) };
	int err = call(h, IOMMU_HANDOVER_UNSEAL, &arg);

	*was_sealed = !err;
	return err == ENOENT ? 0 : err;
}

static int query(struct handover *h, struct iommu_handover_query *arg)
{
	int err;

	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	err = call(h, IOMMU_HANDOVER_QUERY, arg);
	if (err)
		handover_complain("query %s: %s%s", DEVICE, strerror(err),
				  handover_hint(err));
	return err;
}

/* False when the time for busy iommufds is used up, or a signal waits. */
static bool pause_again(struct handover *h)
{
	struct timespec now, nap;

	if (waiting_signal())
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > h->deadline.tv_sec ||
	    (now.tv_sec == h->deadline.tv_sec &&
	     now.tv_nsec >= h->deadline.tv_nsec))
		return false;

	dbgprintf("iommu-handover: busy, again in %u ms\n", h->pause_ms);
	nap.tv_sec = 0;
	nap.tv_nsec = h->pause_ms * 1000000L;
	nanosleep(&nap, NULL);
	if (h->pause_ms < LAST_PAUSE_MS)
		h->pause_ms *= 2;
	return true;
}

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

/* What stands is of an earlier load, or of one that was killed. */
static int release_earlier(struct handover *h)
{
	struct iommu_handover_query state;
	bool was_sealed;
	int err;

	if (query(h, &state))
		return -1;
	dbgprintf("iommu-handover: state %u, %u contexts, generation %llu, kernel's format %u.%u, ours %u.%u\n",
		  state.state, state.contexts,
		  (unsigned long long)state.generation, state.format_major,
		  state.format_minor, IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR);
	/*
	 * Readers take any minor version of their major, so ours is the newest
	 * that both know. That the kernel to be loaded takes it as well is to
	 * be checked here once bzImages announce it.
	 */
	if (state.format_major != IHO_FORMAT_MAJOR) {
		handover_complain("the running kernel speaks image format %u.%u, this kexec %u.%u%s",
				  state.format_major, state.format_minor,
				  IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR,
				  handover_hint(EINVAL));
		return -1;
	}
	if (state.state != IOMMU_HANDOVER_SEALED)
		return 0;
	if (stopped())
		return -1;
	if (loading_disabled() && reads("/sys/kernel/kexec_loaded", "1")) {
		handover_complain("loading is disabled (kernel.kexec_load_disabled, or kernel.kexec_load_limit_reboot used up): nothing was loaded, and the seal of the earlier load stands; jump to its kernel, or release the seal with kexec -u");
		return -1;
	}

	err = unseal(h, &was_sealed);
	if (err) {
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

static int snapshot_once(struct handover *h)
{
	struct iommu_handover_snapshot arg = {
		.size = sizeof(arg),
		.data_uptr = (uintptr_t)h->snapshot.ptr,
		.data_len = h->snapshot.cap,
		.message_uptr = (uintptr_t)h->message,
		.message_len = sizeof(h->message),
	};
	int err = call(h, IOMMU_HANDOVER_SNAPSHOT, &arg);

	h->snapshot.len = arg.data_len;
	h->generation = arg.generation;
	return err;
}

static int take_snapshot(struct handover *h)
{
	size_t cap = FIRST_SNAPSHOT;
	int err, growths = 0;

	for (;;) {
		if (handover_grow(&h->snapshot, cap, "snapshot"))
			return -1;
		err = snapshot_once(h);
		if (err == EAGAIN && pause_again(h))
			continue;
		if (err != EMSGSIZE)
			break;
		if (h->snapshot.len > IHO_MAX_IMAGE) {
			handover_complain("the snapshot is of %zu bytes, the limit is %llu: preserve fewer maps",
					  h->snapshot.len, IHO_MAX_IMAGE);
			return -1;
		}
		if (++growths == SNAPSHOT_TRIES)
			break;
		/* An eighth to spare for what is mapped in the meantime. */
		cap = h->snapshot.len + h->snapshot.len / 8;
		if (cap <= h->snapshot.cap)
			cap = h->snapshot.cap * 2;
	}
	if (err == EMSGSIZE) {
		handover_complain("the snapshot outgrew its buffer %d times%s",
				  growths, handover_hint(ESTALE));
		return -1;
	}
	if (err) {
		complain_refused(h, "snapshot", err);
		return -1;
	}
	if (h->snapshot.len > h->snapshot.cap) {
		handover_complain("the kernel reports a snapshot longer than the buffer it got%s",
				  handover_hint(EINVAL));
		return -1;
	}
	dbgprintf("iommu-handover: snapshot of generation %llu, %zu bytes\n",
		  (unsigned long long)h->generation, h->snapshot.len);
	return 0;
}

/* ---- from SEAL to the end of the load -------------------------------- */

static int seal_once(struct handover *h)
{
	struct iommu_handover_seal arg = {
		.size = sizeof(arg),
		.generation = h->generation,
		.image_uptr = (uintptr_t)h->image.ptr,
		.image_len = h->image.len,
		.message_uptr = (uintptr_t)h->message,
		.message_len = sizeof(h->message),
	};

	return call(h, IOMMU_HANDOVER_SEAL, &arg);
}

static void unseal_failed_load(struct handover *h)
{
	bool was_sealed;
	int err = unseal(h, &was_sealed);

	if (err)
		handover_complain("cannot unseal: %s: the seal stands; try kexec -u",
				  strerror(err));
}

static const char *load_hint(int err)
{
	switch (err) {
	case EADDRNOTAVAIL:
		return "kernel and initrd do not fit the KHO scratch areas; boot with a larger kho_scratch=";
	case EBUSY:
		return "another load or a jump is going on; load again";
	case EPERM:
		return "loading is disabled, or you are not root";
	case ENOSYS:
	case EINVAL:
	case ENOEXEC:
	case ENOTSUP:
		return "no fall-back to kexec_load, which does not carry KHO (KHO there comes later)";
	}
	return "see the kernel log";
}

/* The seal may have gone while the kernel was read: a VMM was killed, say. */
static int check_tied(struct handover *h)
{
	struct iommu_handover_query state;

	if (query(h, &state))
		return -1;
	if (state.state == IOMMU_HANDOVER_SEALED && state.loaded &&
	    state.sealed_generation == h->generation)
		return 0;
	handover_complain("the seal went away while the kernel was loaded: %s; the kernel is unloaded again",
			  state.state == IOMMU_HANDOVER_IDLE ?
			  "no iommufd is preserved any more" :
			  "a preserved iommufd changed or kexec -u was run");
	return -1;
}

/* Sealed. */
static int load_sealed(struct handover *h, const struct kexec_info *info,
		       int kernel_fd)
{
	int sig = waiting_signal();
	int err;

	if (sig) {
		handover_complain("stopped by a signal (%s): unsealed, nothing is loaded",
				  strsignal(sig));
		unseal_failed_load(h);
		return -1;
	}
	if (kexec_file_load(kernel_fd, info->initrd_fd, info->command_line_len,
			    info->command_line, info->kexec_flags)) {
		err = errno;
		handover_complain("kexec_file_load: %s: %s", strerror(err),
				  load_hint(err));
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
	sig = waiting_signal();
	if (sig)
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
		err = seal_once(h);
		if (!err)
			err = load_sealed(h, info, kernel_fd);
	} while (err == EAGAIN && pause_again(h));

	if (err <= 0 || err == ESTALE)
		return err;
	complain_refused(h, "seal", err);
	return -1;
}

static int try_load(struct handover *h, const struct kexec_info *info,
		    int kernel_fd, const char *save)
{
	int tries, err;

	for (tries = 1; ; tries++) {
		if (take_snapshot(h) || stopped() ||
		    handover_build(&h->snapshot, h->generation, &h->image) ||
		    stopped() ||
		    (save && (handover_save(&h->image, save) || stopped())))
			return -1;
		err = seal_and_load(h, info, kernel_fd);
		if (err != ESTALE)
			return err;
		if (tries == SEAL_TRIES)
			break;
		dbgprintf("iommu-handover: moved on from generation %llu, again from a new snapshot\n",
			  (unsigned long long)h->generation);
	}
	complain_refused(h, "seal", ESTALE);
	return -1;
}

int iommu_handover_load(const struct kexec_info *info, int kernel_fd,
			const char *save)
{
	struct handover *h = calloc(1, sizeof(*h));
	sigset_t all, before;
	int ret = -1;

	if (!h) {
		handover_complain("no memory");
		return -1;
	}
	h->pause_ms = FIRST_PAUSE_MS;
	clock_gettime(CLOCK_MONOTONIC, &h->deadline);
	h->deadline.tv_sec += BUSY_SECONDS;

	h->fd = device_open();
	if (h->fd < 0) {
		handover_complain("open %s: %s%s", DEVICE, strerror(errno),
				  device_absent(errno) ?
				  ": this kernel cannot hand over; boot one that can, with kho=on liveupdate=on" :
				  handover_hint(errno));
		goto out_free;
	}
	/* Two loaders would release each other's seals. */
	/* A kernel may be without file locks; SEAL is exclusive all the same. */
	if (flock(h->fd, LOCK_EX | LOCK_NB) && errno != ENOSYS) {
		handover_complain("lock %s: %s", DEVICE, errno == EWOULDBLOCK ?
				  "another kexec is loading with --iommu-handover; wait for it" :
				  strerror(errno));
		goto out_close;
	}
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	if (!release_earlier(h))
		ret = try_load(h, info, kernel_fd, save);
	if (ret && h->released)
		handover_complain("the seal of an earlier load was released: load again before you jump");
	sigprocmask(SIG_SETMASK, &before, NULL);

out_close:
	close(h->fd);
out_free:
	free(h->snapshot.ptr);
	free(h->image.ptr);
	free(h);
	return ret;
}

/*
 * -u could not unload because another load or a jump is going on: the seal may
 * be theirs. EPERM comes before EBUSY, so errno alone does not tell.
 */
static bool in_use(const struct handover *h, int err)
{
	return err == EBUSY ||
	       (flock(h->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK);
}

static void explain_in_use(struct handover *h)
{
	struct iommu_handover_query state;

	if (!query(h, &state) && state.state == IOMMU_HANDOVER_SEALED)
		handover_complain("the seal stands: another load or a jump is going on; wait for it and run kexec -u again");
}

int iommu_handover_unseal(int result, int err)
{
	struct handover h = { .message = "" };
	bool was_sealed = false;

	h.fd = device_open();
	if (h.fd < 0) {
		if (device_absent(errno))
			return result;
		handover_complain("cannot unseal: open %s: %s%s", DEVICE,
				  strerror(errno), handover_hint(errno));
		return result ? result : -1;
	}
	if (result && in_use(&h, err)) {
		explain_in_use(&h);
		close(h.fd);
		return result;
	}
	err = unseal(&h, &was_sealed);
	close(h.fd);
	if (err) {
		handover_complain("cannot unseal: %s", strerror(err));
		return result ? result : -1;
	}
	if (was_sealed && result)
		handover_complain("not unloaded, but the seal is released: a kernel that was loaded under it is not jumped to");
	else if (was_sealed)
		dbgprintf("iommu-handover: unsealed\n");
	return result;
}

bool iommu_handover_at_stake(void)
{
	struct iommu_handover_query state;
	struct handover h = { .message = "" };
	bool yes;

	h.fd = device_open();
	if (h.fd < 0)
		return !device_absent(errno);
	/* A kernel whose seal was undone is refused with nothing preserved. */
	yes = query(&h, &state) || state.state != IOMMU_HANDOVER_IDLE ||
	      state.contexts || state.incoming_contexts || state.refusal_errno;
	close(h.fd);
	if (yes)
		dbgprintf("iommu-handover: network interfaces stay up, the kernel may refuse the jump\n");
	return yes;
}

void iommu_handover_explain(int err)
{
	struct iommu_handover_query state = { .size = sizeof(state) };
	struct handover h = { .message = "" };

	/* The gate's errno; any other has another reason. */
	if (err != EBUSY)
		return;
	h.fd = device_open();
	if (h.fd < 0)
		return;
	state.message_uptr = (uintptr_t)h.message;
	state.message_len = sizeof(h.message) - 1;
	if (!ioctl(h.fd, IOMMU_HANDOVER_QUERY, &state) &&
	    state.refusal_errno == EBUSY && h.message[0])
		handover_complain("the last refusal: %s", h.message);
	close(h.fd);
}

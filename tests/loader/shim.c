// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's side of the loader, as kernel/include/uapi-iommu-handover.h
 * tells it, for tests of what kexec does about each answer. Linked into kexec
 * with the linker's --wrap, so that kexec's own objects are under test.
 *
 * Environment:
 *   SHIM_DIR      directory for: state (survives the process, is the device
 *                 that is opened), log (a line for every call), sealed (the
 *                 last image that SEAL took)
 *   SHIM_MAPS     maps in the snapshot, 4 when not set
 *   SHIM_BREAK    magic, overlap, generation or orphan (memory of no map): a
 *                 snapshot that is wrong
 *   SHIM_FAULTS   "OP=WHAT[*N] ...": the next N (1) calls of OP answer WHAT.
 *                 OP: open query snapshot seal unseal load unload create write
 *                 fsync rename sleep reboot luo (is /dev/liveupdate there?).
 *                 WHAT: an errno, or
 *                 grow     snapshot: ten times the maps from now on
 *                 move     snapshot: right, but the generation moves then
 *                 kill, TERM, HUP, INT, QUIT  all but open, unload and
 *                          reboot: done, and then that signal comes
 *                 untie    load: done, and the seal goes away meanwhile
 *                 reseal   load: done, and another seal takes its place
 *                 loose    load: done, but not under the seal that stands
 *                 major    query: of another format
 *                 idle     query: no iommufd is preserved
 *                 refused  query: likewise, and something was refused
 *                 incoming query: likewise, and one is not finished
 *                 locked   reboot: EBUSY, but the gate has not been asked
 *   SHIM_MESSAGE  the sentence of refusals
 *   SHIM_SCRATCH  lengths of the KHO scratch areas, as debugfs has them; without
 *                 it debugfs is not mounted
 *   SHIM_CMDLINE  what the running kernel was booted with
 *
 * Time passes only in nanosleep().
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <linux/iommu_handover.h>

#include "iho/iho.h"

#define DEVICE		"/dev/iommu-handover"
#define FILE_UNLOAD	1		/* of kexec_file_load */
#define COUNT_OF(a)	(sizeof(a) / sizeof((a)[0]))

int __real_access(const char *path, int mode);
int __real_open(const char *path, int flags, mode_t mode);
int __real_ioctl(int fd, unsigned long cmd, void *arg);
ssize_t __real_write(int fd, const void *buf, size_t len);
int __real_fsync(int fd);
FILE *__real_fopen(const char *path, const char *mode);
int __real_mkostemp(char *name, int flags);
int __real_rename(const char *from, const char *to);
long __real_syscall(long nr, long a, long b, long c, long d, long e, long f);

int __wrap_access(const char *path, int mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long cmd, void *arg);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
int __wrap_fsync(int fd);
FILE *__wrap_fopen(const char *path, const char *mode);
int __wrap_mkostemp(char *name, int flags);
int __wrap_rename(const char *from, const char *to);
long __wrap_syscall(long nr, ...);
int __wrap_reboot(int cmd);
int __wrap_ifdown(void);
void __wrap_sync(void);
int __wrap_nanosleep(const struct timespec *nap, struct timespec *left);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

/* What a kernel keeps when kexec is gone. */
struct state {
	uint64_t generation;
	uint64_t sealed_generation;	/* 0: not sealed */
	int loaded;			/* a kernel is */
	int tied;			/* under the seal that stands */
	int refused;			/* errno of the last refusal, or 0 */
};

static struct stat device;	/* what the kexec has open, maybe twice */
static unsigned long maps;
static uint64_t slept_ms;

/* ---- script and log -------------------------------------------------- */

static const char *in_dir(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", getenv("SHIM_DIR"), name);
	return path;
}

static void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
	FILE *log = fopen(in_dir("log"), "a");
	va_list args;

	if (!log)
		abort();
	va_start(args, fmt);
	vfprintf(log, fmt, args);
	va_end(args);
	fputc('\n', log);
	fclose(log);
}

static const struct {
	const char *name;
	int err;
} errnos[] = {
	{ "EACCES", EACCES }, { "EADDRNOTAVAIL", EADDRNOTAVAIL },
	{ "EKEYREJECTED", EKEYREJECTED }, { "ENODATA", ENODATA },
	{ "ENOKEY", ENOKEY },
	{ "EAGAIN", EAGAIN }, { "EBADMSG", EBADMSG }, { "EBUSY", EBUSY },
	{ "EINVAL", EINVAL }, { "EIO", EIO }, { "EMSGSIZE", EMSGSIZE },
	{ "ENODEV", ENODEV }, { "ENOENT", ENOENT }, { "ENOEXEC", ENOEXEC },
	{ "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "ENOSYS", ENOSYS },
	{ "ENOTSUP", ENOTSUP }, { "EPERM", EPERM }, { "ESTALE", ESTALE },
};

static struct fault {
	char op[16], what[16];
	int left;
} fault[32];

static void read_faults(void)
{
	static int done;
	const char *p = getenv("SHIM_FAULTS");
	size_t i;
	int n;

	if (done || !p)
		return;
	done = 1;
	for (i = 0; i < COUNT_OF(fault); i++) {
		fault[i].left = 1;
		n = 0;
		if (sscanf(p, " %15[a-z]=%15[A-Za-z]%n", fault[i].op,
			   fault[i].what, &n) < 2)
			break;
		p += n;
		if (*p == '*')
			fault[i].left = (int)strtol(p + 1, (char **)&p, 10);
	}
	if (strspn(p, " ") != strlen(p)) {
		fprintf(stderr, "SHIM_FAULTS: cannot read '%s'\n", p);
		_exit(99);
	}
}

/* What the script says of this call; "" when nothing. */
static const char *scripted(const char *op)
{
	size_t i;

	read_faults();
	for (i = 0; i < COUNT_OF(fault) && *fault[i].op; i++)
		if (fault[i].left && !strcmp(fault[i].op, op)) {
			fault[i].left--;
			return fault[i].what;
		}
	return "";
}

static int errno_of(const char *what)
{
	size_t i;

	for (i = 0; i < COUNT_OF(errnos); i++)
		if (!strcmp(errnos[i].name, what))
			return errnos[i].err;
	return 0;
}

static void send_signal(const char *what)
{
	if (!strcmp(what, "kill"))
		raise(SIGKILL);
	else if (!strcmp(what, "TERM"))
		raise(SIGTERM);
	else if (!strcmp(what, "HUP"))
		raise(SIGHUP);
	else if (!strcmp(what, "INT"))
		raise(SIGINT);
	else if (!strcmp(what, "QUIT"))
		raise(SIGQUIT);
}

static const char *result(int err)
{
	size_t i;

	for (i = 0; i < COUNT_OF(errnos); i++)
		if (errnos[i].err == err)
			return errnos[i].name;
	return err ? "E?" : "ok";
}

/* ---- state ----------------------------------------------------------- */

static struct state get_state(void)
{
	struct state s = { .generation = 7 };
	FILE *f = fopen(in_dir("state"), "r");
	size_t n;

	if (f) {
		n = fread(&s, sizeof(s), 1, f);
		(void)n;	/* a new file is empty: the state above */
		fclose(f);
	}
	return s;
}

static void put_file(const char *name, const void *buf, size_t len)
{
	FILE *f = fopen(in_dir(name), "r+");

	if (!f)
		f = fopen(in_dir(name), "w");
	if (!f || fwrite(buf, 1, len, f) != len || fclose(f) ||
	    truncate(in_dir(name), (off_t)len))
		abort();
}

static void put_state(const struct state *s)
{
	put_file("state", s, sizeof(*s));
}

static void say(uint64_t uptr, uint32_t len)
{
	const char *sentence = getenv("SHIM_MESSAGE");

	if (sentence && len)
		snprintf((char *)(uintptr_t)uptr, len, "%s", sentence);
}

static void note_refusal(int err)
{
	struct state s = get_state();

	s.refused = err;
	put_state(&s);
}

static int refuse(int err, uint64_t uptr, uint32_t len)
{
	note_refusal(err);
	say(uptr, len);
	return err;
}

/* ---- snapshot -------------------------------------------------------- */

/* One session, its memfd if mapped, one iommufd with one IOAS full of maps. */
static size_t make_snapshot(unsigned char **out, uint64_t generation)
{
	struct iho_snap_header h = {
		.magic = IHO_SNAP_MAGIC, .header_len = sizeof(h),
		.major = IHO_FORMAT_MAJOR, .minor = IHO_FORMAT_MINOR,
		.generation = generation, .release = "7.3.4-shim",
		.contexts = 1,
		.memory_len = sizeof(struct iho_memory),
		.unit_len = sizeof(struct iho_unit),
		.table_len = sizeof(struct iho_table),
		.domain_len = sizeof(struct iho_domain),
		.device_len = sizeof(struct iho_device),
		.context_len = sizeof(struct iho_context),
	};
	struct iho_memory memory = {
		.session = "vm", .token = 1, .size = 1ull << 40, .seals = 7,
	};
	struct iho_context context = {
		.session = "vm", .token = 2, .records = 1,
	};
	struct iho_pl_ioas_alloc ioas = {
		.size = sizeof(ioas), .out_ioas_id = 1,
	};
	struct iho_pl_map_file map = {
		.size = sizeof(map), .ioas_id = 1, .fd = -1, .length = 4096,
		.flags = IHO_MAP_FIXED_IOVA | IHO_MAP_WRITEABLE |
			 IHO_MAP_READABLE,
	};
	struct iho_map_ref ref = { .flags = IHO_MAP_PAGES_WRITABLE };
	const char *broken = getenv("SHIM_BREAK") ?: "";
	unsigned int memories = maps || !strcmp(broken, "orphan");
	size_t head = sizeof(h) + memories * sizeof(memory) + sizeof(context);
	size_t cap = head + 64 + maps * 128;
	unsigned char *buf = calloc(1, cap);
	uint64_t pos = 0;
	unsigned long i;
	int err;

	if (!buf)
		abort();
	err = iho_rec_append(buf + head, cap - head, &pos, IHO_REC_IOAS_ALLOC,
			     &ioas, sizeof(ioas), NULL, 0);
	for (i = 0; i < maps && !err; i++) {
		map.start = i * 4096;
		map.iova = (i + 1) * 65536;
		if (!strcmp(broken, "overlap"))
			map.iova = 65536;
		ref.group = (u32)i;
		err = iho_rec_append(buf + head, cap - head, &pos,
				     IHO_REC_MAP_FILE, &map, sizeof(map), &ref,
				     sizeof(ref));
		context.records++;
	}
	if (err)
		abort();
	if (!strcmp(broken, "magic"))
		h.magic[0] ^= 1;
	if (!strcmp(broken, "generation"))
		h.generation++;
	h.memories = memories;
	h.total_len = head + pos;
	context.stream_off = head;
	context.stream_len = pos;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), &memory, memories * sizeof(memory));
	memcpy(buf + head - sizeof(context), &context, sizeof(context));
	*out = buf;
	return h.total_len;
}

static int do_snapshot(struct iommu_handover_snapshot *arg)
{
	const char *what = scripted("snapshot");
	const char *all = arg->flags & IOMMU_HANDOVER_SNAPSHOT_ALL ? " all" : "";
	const char *on = arg->flags & IOMMU_HANDOVER_SNAPSHOT_CONTINUOUS ?
				 " continuous" : "";
	struct state s = get_state();
	unsigned char *buf;
	size_t len;
	int err;

	err = errno_of(what);
	if (!err && s.sealed_generation)
		err = EBUSY;
	if (err) {
		if (err == EMSGSIZE)
			arg->data_len += 8;
		note("snapshot%s%s %s", all, on, result(err));
		return refuse(err, arg->message_uptr, arg->message_len);
	}
	if (!strcmp(what, "grow"))
		maps *= 10;
	len = make_snapshot(&buf, s.generation);
	if (len > arg->data_len)
		err = EMSGSIZE;
	else
		memcpy((void *)(uintptr_t)arg->data_uptr, buf, len);
	free(buf);
	arg->data_len = len;
	arg->generation = s.generation;
	note("snapshot%s%s %s", all, on, result(err));
	if (!strcmp(what, "move")) {
		s.generation++;
		put_state(&s);
	}
	send_signal(what);
	return err;
}

/* ---- the other calls ------------------------------------------------- */

static int do_query(struct iommu_handover_query *arg)
{
	const char *what = scripted("query");
	struct state s = get_state();
	int err = errno_of(what);

	if (!err) {
		arg->state = s.sealed_generation ? IOMMU_HANDOVER_SEALED :
						   IOMMU_HANDOVER_OPEN;
		arg->generation = s.generation;
		arg->sealed_generation = s.sealed_generation;
		arg->loaded = (u32)s.tied;
		arg->contexts = 1;
		if (!strcmp(what, "idle") || !strcmp(what, "refused") ||
		    !strcmp(what, "incoming")) {
			arg->state = IOMMU_HANDOVER_IDLE;
			arg->contexts = 0;
		}
		if (!strcmp(what, "incoming"))
			arg->incoming_contexts = 1;
		if (!strcmp(what, "refused"))
			s.refused = EBUSY;
		arg->refusal_errno = (u32)s.refused;
		if (s.refused)
			say(arg->message_uptr, arg->message_len);
		arg->format_major = IHO_FORMAT_MAJOR +
				    !strcmp(what, "major");
	}
	note("query %s", err ? result(err) :
	     arg->state == IOMMU_HANDOVER_SEALED ? "sealed" :
	     arg->state == IOMMU_HANDOVER_OPEN ? "open" : "idle");
	send_signal(what);
	return err;
}

static int image_error(const struct iommu_handover_seal *arg)
{
	struct iho_seg seg = {
		.ptr = (void *)(uintptr_t)arg->image_uptr,
		.len = arg->image_len,
	};
	struct iho_facts facts;
	struct iho_image img;
	unsigned char *buf;
	size_t len = make_snapshot(&buf, get_state().generation);
	int err = 0;

	if (iho_image_open(&seg, 1, &img, NULL))
		err = EBADMSG;
	else if (iho_snapshot_open(buf, len, &facts, NULL) ||
		 iho_image_differs(&img, &facts, NULL))
		err = EINVAL;
	free(buf);
	return err;
}

/* Can a signal part SEAL from the load? */
static int signals_blocked(void)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	return sigismember(&now, SIGINT) && sigismember(&now, SIGTERM) &&
	       sigismember(&now, SIGHUP) && sigismember(&now, SIGQUIT);
}

static int do_seal(const struct iommu_handover_seal *arg)
{
	const char *what = scripted("seal");
	struct state s = get_state();
	int err = errno_of(what);

	if (!err && s.sealed_generation)
		err = EBUSY;
	if (!err && arg->generation != s.generation)
		err = ESTALE;
	if (!err)
		err = image_error(arg);
	if (err) {
		note("seal %s", result(err));
		return refuse(err, arg->message_uptr, arg->message_len);
	}
	s.sealed_generation = s.generation;
	s.tied = !!(arg->flags & IOMMU_HANDOVER_SEAL_LOADED);
	put_state(&s);
	put_file("sealed", (void *)(uintptr_t)arg->image_uptr, arg->image_len);
	note("seal%s ok%s", s.tied ? " loaded" : "", signals_blocked() ? "" : " with signals let in");
	send_signal(what);
	return 0;
}

static int do_unseal(void)
{
	const char *what = scripted("unseal");
	struct state s = get_state();
	int err = errno_of(what);

	if (!err && !s.sealed_generation)
		err = ENOENT;
	if (!err) {
		s.sealed_generation = 0;
		s.tied = 0;
		put_state(&s);
	}
	note("unseal %s", result(err));
	send_signal(what);
	return err;
}

static int do_unload(void)
{
	struct state s = get_state();
	int err = errno_of(scripted("unload"));

	note("unload %s", result(err));
	if (err)
		return err;
	s.loaded = 0;
	if (s.tied)
		s.sealed_generation = 0;
	s.tied = 0;
	put_state(&s);
	return 0;
}

static int do_load(void)
{
	const char *what = scripted("load");
	struct state s = get_state();
	int err = errno_of(what);

	note("load %s%s", result(err),
	     s.sealed_generation && !signals_blocked() ?
	     " with signals let in" : "");
	if (err)
		return err;
	s.loaded = 1;
	s.tied = !!s.sealed_generation;
	if (!strcmp(what, "untie"))
		s.sealed_generation = 0, s.tied = 0;
	if (!strcmp(what, "reseal"))
		s.sealed_generation = ++s.generation;
	if (!strcmp(what, "loose"))
		s.tied = 0;
	put_state(&s);
	send_signal(what);
	return 0;
}

/* ---- what kexec calls ------------------------------------------------ */

static int outcome(int err)
{
	if (!err)
		return 0;
	errno = err;
	return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;
	int err, fd;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (strcmp(path, DEVICE))
		return __real_open(path, flags, mode);

	err = errno_of(scripted("open"));
	if (err)
		return outcome(err);
	maps = strtoul(getenv("SHIM_MAPS") ?: "4", NULL, 10);
	fd = __real_open(in_dir("state"), flags | O_CREAT, 0600);
	if (fd >= 0)
		fstat(fd, &device);
	return fd;
}

static bool is_device(int fd)
{
	struct stat st;

	return device.st_ino && !fstat(fd, &st) && st.st_ino == device.st_ino &&
	       st.st_dev == device.st_dev;
}

int __wrap_ioctl(int fd, unsigned long cmd, void *arg)
{
	if (!is_device(fd))
		return __real_ioctl(fd, cmd, arg);
	switch (cmd) {
	case IOMMU_HANDOVER_QUERY:
		return outcome(do_query(arg));
	case IOMMU_HANDOVER_SNAPSHOT:
		return outcome(do_snapshot(arg));
	case IOMMU_HANDOVER_SEAL:
		return outcome(do_seal(arg));
	case IOMMU_HANDOVER_UNSEAL:
		return outcome(do_unseal());
	}
	return outcome(ENOTTY);
}

long __wrap_syscall(long nr, ...)
{
	long a[6];
	va_list args;
	size_t i;

	va_start(args, nr);
	for (i = 0; i < COUNT_OF(a); i++)
		a[i] = va_arg(args, long);
	va_end(args);

	if (nr == SYS_kexec_file_load)
		return outcome(a[4] & FILE_UNLOAD ? do_unload() : do_load());
	if (nr == SYS_kexec_load && !a[1])
		return outcome(do_unload());
	if (nr == SYS_kexec_load) {
		note("kexec_load");
		return outcome(EPERM);
	}
	return __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __wrap_mkostemp(char *name, int flags)
{
	int fd = __real_mkostemp(name, flags);

	send_signal(scripted("create"));
	return fd;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	const char *what;
	ssize_t n;

	/* Before, it is the kernel file that kexec copies. */
	if (!device.st_ino)
		return __real_write(fd, buf, len);
	what = scripted("write");
	if (errno_of(what))
		return outcome(errno_of(what));
	/* Short, as it may be. */
	n = __real_write(fd, buf, len > 1000 ? 1000 : len);
	send_signal(what);
	return n;
}

int __wrap_fsync(int fd)
{
	const char *what = scripted("fsync");

	if (errno_of(what))
		return outcome(errno_of(what));
	send_signal(what);
	return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
	const char *what = scripted("rename");
	int ret;

	if (errno_of(what))
		return outcome(errno_of(what));
	note("save");
	ret = __real_rename(from, to);
	send_signal(what);
	return ret;
}

static FILE *scripted_text(const char *variable, const char *mode)
{
	char *text = getenv(variable);

	if (text && *text)
		return fmemopen(text, strlen(text), mode);
	errno = ENOENT;
	return NULL;
}

/* Of the running kernel the script speaks, not the host. */
FILE *__wrap_fopen(const char *path, const char *mode)
{
	static char yes[] = "1\n";
	char *p;

	if (!strcmp(path, "/sys/kernel/kexec_loaded"))
		return fmemopen(yes, strlen(yes), mode);
	if (!strcmp(path, "/proc/cmdline"))
		return scripted_text("SHIM_CMDLINE", mode);
	if (!strcmp(path, "/sys/kernel/debug/kho/out/scratch_len")) {
		for (p = getenv("SHIM_SCRATCH"); p && *p; p++)
			if (*p == ' ')
				*p = '\n';
		return scripted_text("SHIM_SCRATCH", mode);
	}
	return __real_fopen(path, mode);
}

int __wrap_access(const char *path, int mode)
{
	if (strcmp(path, "/dev/liveupdate"))
		return __real_access(path, mode);
	return outcome(errno_of(scripted("luo")));
}

int __wrap_reboot(int cmd)
{
	const char *what = scripted("reboot");
	int err = errno_of(what) ?: EPERM;

	(void)cmd;
	if (!strcmp(what, "locked"))
		err = EBUSY;
	else if (err == EBUSY)
		note_refusal(err);
	note("jump %s", result(err));
	return outcome(err);
}

void __wrap_sync(void)
{
	/* A load syncs as well, behind everything that matters here. */
	if (!strcmp(scripted("sync"), "told"))
		note("sync");
}

int __wrap_ifdown(void)
{
	note("ifdown");
	return 0;
}

int __wrap_nanosleep(const struct timespec *nap, struct timespec *left)
{
	(void)left;
	slept_ms += (uint64_t)nap->tv_sec * 1000 + nap->tv_nsec / 1000000;
	note("sleep %lu", (unsigned long)slept_ms);
	send_signal(scripted("sleep"));
	return 0;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	(void)id;
	now->tv_sec = 100 + (time_t)(slept_ms / 1000);
	now->tv_nsec = (long)(slept_ms % 1000) * 1000000;
	return 0;
}

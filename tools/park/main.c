// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover-park: a QEMU with a passed-through device, across a kexec.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"
#include "park.h"

#define STATE_VARIABLE	"QEMU_CPR_EXEC_STATE"
#define MOST_REOPEN	64

static const char usage_text[] =
"Usage: iommu-handover-park park --session NAME [OPTION...] -- QEMU ARGUMENT...\n"
"       iommu-handover-park resume --session NAME [--status FILE]\n"
"       iommu-handover-park check --pid PID [--paused] [--reopen PATH]...\n"
"       iommu-handover-park --help\n"
"\n"
"park    what QEMU executes for cpr-exec: gives memory, iommufd and devices to a\n"
"        live update session of that name and waits for the kexec. When that\n"
"        does not come, QEMU goes on where it was: at SIGHUP, after --timeout,\n"
"        or at once when something is refused\n"
"resume  in the next kernel, as root: takes the session, from the service\n"
"        manager's store or by name, arms the device's interrupts and becomes\n"
"        the QEMU that it was\n"
"check   names each thing of a running QEMU that would be refused; the guest\n"
"        goes on meanwhile\n"
"\n"
"  --session NAME   of the live update session; up to 63 characters\n"
"  --status FILE    where one line says how it stands: parked, resumed,\n"
"                   refused and why\n"
"  --reopen PATH    a descriptor of this path is opened anew in the next kernel;\n"
"                   any other one that cannot be carried is refused\n"
"  --timeout S      go on here after that many seconds\n"
"  --store          hand the session to the service manager's descriptor store\n"
"                   and end, instead of waiting\n"
"  --paused         check for a handover in which the device is reset\n"
"  --no-interrupts  for tests: leave the device's interrupts as they are\n"
"\n"
"QEMU's command ends with -incoming file:PATH, which is the file that it was\n"
"told to migrate to. Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n";

static struct {
	const char *session, *status;
	const char *reopen[MOST_REOPEN + 1];
	int nr_reopen;
	pid_t pid;
	unsigned int timeout;
	bool store, paused, no_interrupts;
} options;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A reader sees the old line or the new one. */
static void tell(const char *format, ...)
{
	char line[WHY_LEN + 64], path[4096];
	va_list ap;
	int fd;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fprintf(stderr, "iommu-handover-park: %s\n", line);
	if (!options.status)
		return;
	snprintf(path, sizeof(path), "%s.new", options.status);
	strcat(line, "\n");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write_all(fd, line, strlen(line)) ||
	    rename(path, options.status))
		fprintf(stderr, "iommu-handover-park: %s: %s\n", options.status,
			strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* ---- park ----------------------------------------------------------------- */

static int preserve(int session, int fd, uint64_t token, const char *what,
		    struct why *why)
{
	char said[WHY_LEN];
	int ret = session_preserve(session, fd, token);

	if (!ret)
		return 0;
	last_refusal(said, sizeof(said));
	return refuse(why, "%s cannot be preserved: %s%s%s", what,
		      strerror(-ret), said[0] ? ": " : "", said);
}

static int preserve_kind(int session, const struct held_fds *fds,
			 const int *copies, enum fd_kind kind, struct why *why)
{
	const struct held_fd *held;
	size_t i;

	for (i = 0; i < fds->nr; i++) {
		held = &fds->all[i];
		if (held->kind == kind &&
		    preserve(session, copies ? copies[i] : held->fd,
			     TOKEN_FD + (uint64_t)held->fd, held->name, why))
			return -1;
	}
	return 0;
}

/* A device knows its iommufd, and that its memory: what is named comes first. */
static int preserve_fds(int session, const struct held_fds *fds,
			const int *copies, struct why *why)
{
	if (preserve_kind(session, fds, copies, FD_MEMORY, why) ||
	    preserve_kind(session, fds, copies, FD_IOMMUFD, why))
		return -1;
	return preserve_kind(session, fds, copies, FD_DEVICE, why);
}

/*
 * QEMU has the kernel log which pages are written when it migrates, by cpr-exec as
 * well, and leaves that on. Units that cannot were never told to.
 */
static void stop_dirty_tracking(const struct held_fds *fds,
				const struct cpr_state *state)
{
	size_t i, k;

	for (i = 0; i < fds->nr; i++)
		for (k = 0; k < state->nr_devices; k++) {
			struct iommufd_dirty_tracking arg = {
				.size = sizeof(arg),
				.hwpt_id = state->devices[k].hwpt,
			};

			if (fds->all[i].kind == FD_IOMMUFD)
				ioctl(fds->all[i].fd, IOMMUFD_SET_DIRTY_TRACKING,
				      &arg);
		}
}

static int check_interrupts(const struct cpr_state *state, struct why *why)
{
	static const char intx[] = "_intx-interrupt";
	size_t i, len;

	for (i = 0; i < state->nr_fds; i++) {
		len = strlen(state->fds[i].name);
		if (len >= sizeof(intx) &&
		    !strcmp(state->fds[i].name + len - sizeof(intx) + 1, intx))
			return refuse(why, "%.*s uses INTx, which cannot be held back while its DMA goes on; have its driver use MSI-X",
				      (int)(len - sizeof(intx) + 1),
				      state->fds[i].name);
	}
	return 0;
}

static int read_state(struct cpr_state *state, struct why *why)
{
	const char *number = getenv(STATE_VARIABLE);
	unsigned char *data;
	size_t len;

	if (!number)
		return refuse(why, STATE_VARIABLE " is not set; let QEMU execute this by cpr-exec-command");
	data = read_all(atoi(number), &len);
	if (!data)
		return refuse(why, "QEMU's state, descriptor %s: %s", number,
			      strerror(errno));
	return cpr_parse(data, len, state, why);
}

static int preserve_stream(int session, char **argv, struct why *why)
{
	char path[4096];
	int fd, copy;

	if (!incoming_file(argv, path, sizeof(path)))
		return refuse(why, "QEMU's command has no -incoming file:PATH; have it migrate to a file");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	copy = fd < 0 ? -errno : copy_to_memfd("park-stream", fd);
	if (fd >= 0)
		close(fd);
	if (copy < 0)
		return refuse(why, "%s: %s", path, strerror(-copy));
	return preserve(session, copy, TOKEN_STREAM, path, why);
}

/* Returns the session, or -1 with @why and nothing of it left. */
static int give(char **argv, const struct held_fds *fds, struct why *why)
{
	struct cpr_state state = { 0 };
	int session, record, ret = -1;

	if (read_state(&state, why) || check_interrupts(&state, why) ||
	    fds_refuse(fds, why))
		return -1;
	stop_dirty_tracking(fds, &state);
	session = session_create(options.session);
	if (session < 0)
		return refuse(why, "live update session %s: %s",
			      options.session, strerror(-session));
	record = record_write(argv, fds, why);
	if (record >= 0 && !preserve_fds(session, fds, NULL, why) &&
	    !preserve(session, record, TOKEN_RECORD, "record of the process",
		      why))
		ret = preserve_stream(session, argv, why);
	if (ret) {
		close(session);
		return -1;
	}
	return session;
}

/* The exec that QEMU wanted, as if this program had not been there. */
static int go_on_here(char **argv)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	tell("refused: %s: %s", argv[0], strerror(errno));
	return 1;
}

static int park(char **argv)
{
	struct held_fds *fds = calloc(1, sizeof(*fds));
	struct timespec limit = { .tv_sec = options.timeout };
	int session, got, err;
	struct why why;
	sigset_t wait;

	sigemptyset(&wait);
	sigaddset(&wait, SIGHUP);
	sigprocmask(SIG_SETMASK, &wait, NULL);
	if (!fds)
		refuse(&why, "out of memory");
	if (!fds || fds_look(fds, 0, NULL, options.reopen, &why) ||
	    (session = give(argv, fds, &why)) < 0) {
		tell("refused: %s", why.text);
		return go_on_here(argv);
	}
	if (options.store) {
		err = session_to_store(session, options.session);
		if (err) {
			close(session);
			tell("refused: the service manager's descriptor store: %s",
			     strerror(-err));
			return go_on_here(argv);
		}
		tell("parked %s in the store", options.session);
		return 0;
	}
	tell("parked %s", options.session);
	notify("READY=1");
	do {
		got = options.timeout ? sigtimedwait(&wait, NULL, &limit) :
					sigwaitinfo(&wait, NULL);
	} while (got < 0 && errno == EINTR);
	/* The kernel refuses a jump from here on. */
	close(session);
	tell("resumed here: %s", got < 0 ? "the time is over" : "SIGHUP");
	return go_on_here(argv);
}

/* ---- resume ----------------------------------------------------------------- */

/* What becomes descriptor @held of QEMU, or -1 with @why. */
static int make_fd(int session, const struct held_fd *held, struct why *why)
{
	char said[WHY_LEN];
	int fd;

	switch (held->kind) {
	case FD_EVENT:
		fd = eventfd(0, EFD_CLOEXEC | (held->flags & O_NONBLOCK));
		break;
	case FD_PATH:
		fd = open(held->name, O_CLOEXEC | (held->flags &
			  (O_ACCMODE | O_APPEND | O_NONBLOCK)));
		break;
	default:
		fd = session_take(session, TOKEN_FD + (uint64_t)held->fd);
		if (fd >= 0)
			return fd;
		last_refusal(said, sizeof(said));
		return refuse(why, "descriptor %d, %s, is not given back: %s%s%s",
			      held->fd, held->name, strerror(-fd),
			      said[0] ? ": " : "", said);
	}
	if (fd < 0)
		return refuse(why, "descriptor %d, %s: %s", held->fd,
			      held->name, strerror(errno));
	return fd;
}

/* Above all numbers that QEMU had. */
static int out_of_the_way(int fd, const struct held_fds *fds, struct why *why)
{
	int i, top = STDERR_FILENO, ret;

	for (i = 0; i < (int)fds->nr; i++)
		if (fds->all[i].fd > top)
			top = fds->all[i].fd;
	ret = fcntl(fd, F_DUPFD_CLOEXEC, top + 1);
	if (ret < 0)
		return refuse(why, "descriptor above %d: %s", top,
			      strerror(errno));
	close(fd);
	return ret;
}

static int place_fds(int session, const struct held_fds *fds, struct why *why)
{
	int made[MAX_FDS];
	size_t i;

	for (i = 0; i < fds->nr; i++) {
		if (fds->all[i].kind == FD_STANDARD)
			continue;
		made[i] = make_fd(session, &fds->all[i], why);
		if (made[i] >= 0)
			made[i] = out_of_the_way(made[i], fds, why);
		if (made[i] < 0)
			return -1;
	}
	for (i = 0; i < fds->nr; i++) {
		if (fds->all[i].kind == FD_STANDARD)
			continue;
		/* dup2() clears FD_CLOEXEC: this one is for QEMU. */
		if (dup2(made[i], fds->all[i].fd) < 0)
			return refuse(why, "descriptor %d: %s", fds->all[i].fd,
				      strerror(errno));
		close(made[i]);
		if (fds->all[i].kind == FD_MEMORY)
			lseek(fds->all[i].fd, 0, SEEK_SET);
	}
	return 0;
}

static int write_stream(int session, const struct record *record,
			struct why *why)
{
	char path[4096];
	int from, to, ret;
	size_t len;
	void *data;

	if (!incoming_file(record->argv, path, sizeof(path)))
		return refuse(why, "the record has no -incoming file:PATH");
	from = session_take(session, TOKEN_STREAM);
	if (from < 0)
		return refuse(why, "the migration stream is not given back: %s",
			      strerror(-from));
	data = read_all(from, &len);
	if (!data)
		return refuse(why, "the migration stream: %s", strerror(errno));
	to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ret = to < 0 ? -errno : write_all(to, data, len);
	if (to >= 0)
		close(to);
	close(from);
	free(data);
	return ret ? refuse(why, "%s: %s", path, strerror(-ret)) : 0;
}

static int arm(const struct held_fds *fds, struct why *why)
{
	const struct held_fd *held;
	struct cpr_state state;
	size_t i, k;
	int vectors = 0, ret;

	if (read_state(&state, why))
		return -1;
	/* A device's own descriptor has the name that its interrupts begin with. */
	for (i = 0; i < fds->nr; i++) {
		held = &fds->all[i];
		for (k = 0; held->kind == FD_DEVICE && k < state.nr_fds; k++) {
			if (state.fds[k].fd != held->fd)
				continue;
			ret = device_arm(held->fd, state.fds[k].name, &state,
					 why);
			if (ret < 0)
				return -1;
			vectors += ret;
		}
	}
	return vectors;
}

static const char *variable_of(const struct record *record, const char *name)
{
	size_t len = strlen(name);
	char **p;

	for (p = record->envp; *p; p++)
		if (!strncmp(*p, name, len) && (*p)[len] == '=')
			return *p + len + 1;
	return "";
}

static int resume(void)
{
	struct rlimit files = { .rlim_cur = 2 * MAX_FDS + 64,
				.rlim_max = 2 * MAX_FDS + 64 };
	uint64_t start = now_ms(), taken, armed, done;
	int session, fd, vectors, ret;
	struct record record;
	struct why why;

	setrlimit(RLIMIT_NOFILE, &files);
	session = session_from_store(options.session);
	if (session < 0)
		session = session_retrieve(options.session);
	if (session < 0) {
		tell("refused: live update session %s: %s", options.session,
		     strerror(-session));
		return 1;
	}
	fd = session_take(session, TOKEN_RECORD);
	if (fd < 0) {
		tell("refused: session %s has no record of a QEMU: %s",
		     options.session, strerror(-fd));
		return 1;
	}
	if (record_read(fd, &record, &why))
		goto refused;
	close(fd);
	session = out_of_the_way(session, record.fds, &why);
	if (session < 0 || place_fds(session, record.fds, &why) ||
	    write_stream(session, &record, &why))
		goto refused;
	taken = now_ms();
	setenv(STATE_VARIABLE, variable_of(&record, STATE_VARIABLE), 1);
	vectors = options.no_interrupts ? 0 : arm(record.fds, &why);
	if (vectors < 0)
		goto refused;
	armed = now_ms();
	ret = session_finish(session);
	if (ret) {
		char said[WHY_LEN];

		last_refusal(said, sizeof(said));
		refuse(&why, "FINISH of session %s: %s%s%s", options.session,
		       strerror(-ret), said[0] ? ": " : "", said);
		goto refused;
	}
	close(session);
	done = now_ms();
	tell("resumed %s: descriptors %llu ms, %d vectors %llu ms, page tables %llu ms",
	     options.session, (unsigned long long)(taken - start), vectors,
	     (unsigned long long)(armed - taken),
	     (unsigned long long)(done - armed));
	record_become(&record, &why);
refused:
	tell("refused: %s", why.text);
	return 1;
}

/* ---- check ---------------------------------------------------------------- */

static int line(int *refusals, const char *text)
{
	(*refusals)++;
	return puts(text);
}

/* What this program alone can tell, of a QEMU that runs. */
static void check_process(const struct held_fds *fds, const int *copies,
			  int *refusals)
{
	char text[WHY_LEN];
	size_t i;

	for (i = 0; i < fds->nr; i++) {
		const struct held_fd *held = &fds->all[i];

		if (held->kind == FD_UNKNOWN) {
			struct held_fds one = { .nr = 1 };
			struct why why;

			one.all[0] = *held;
			fds_refuse(&one, &why);
			line(refusals, why.text);
		}
		if (held->kind != FD_DEVICE || options.paused ||
		    device_uses_intx(copies[i]) <= 0)
			continue;
		snprintf(text, sizeof(text), "descriptor %d, %s, uses INTx, which cannot be held back while its DMA goes on; have its driver use MSI-X",
			 held->fd, held->name);
		line(refusals, text);
	}
}

static int check(void)
{
	static struct held_fds fds;
	int copies[MAX_FDS], session, found, refusals = 0;
	char name[64];
	struct why why;

	if (fds_look(&fds, options.pid, copies, options.reopen, &why)) {
		fprintf(stderr, "iommu-handover-park: %s\n", why.text);
		return 1;
	}
	check_process(&fds, copies, &refusals);
	snprintf(name, sizeof(name), "park-check-%d", (int)options.pid);
	session = session_create(name);
	if (session < 0) {
		fprintf(stderr, "iommu-handover-park: live update session %s: %s\n",
			name, strerror(-session));
		return 1;
	}
	if (preserve_fds(session, &fds, copies, &why)) {
		line(&refusals, why.text);
	} else {
		found = session_dry_run(!options.paused, &why);
		if (found < 0)
			line(&refusals, why.text);
		else
			refusals += found;
	}
	/* Closed without a kexec, it leaves everything as it was. */
	close(session);
	if (!refusals)
		printf("process %d could be parked\n", (int)options.pid);
	return refusals ? 1 : 0;
}

/* ---- command line ------------------------------------------------------- */

static int wrong(const char *what, const char *which)
{
	tell("refused: %s%s; see iommu-handover-park --help", what, which);
	return 2;
}

static bool read_number(const char *text, unsigned int *value)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*value = (unsigned int)number;
	return *text >= '1' && *text <= '9' && !*end && number <= 1u << 30;
}

enum { SESSION = 1, STATUS, REOPEN, TIMEOUT, STORE, PAUSED, PID, NO_INTERRUPTS };

static const struct option long_options[] = {
	{ "session", required_argument, NULL, SESSION },
	{ "status", required_argument, NULL, STATUS },
	{ "reopen", required_argument, NULL, REOPEN },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "store", no_argument, NULL, STORE },
	{ "paused", no_argument, NULL, PAUSED },
	{ "pid", required_argument, NULL, PID },
	{ "no-interrupts", no_argument, NULL, NO_INTERRUPTS },
	{ NULL, 0, NULL, 0 },
};

static int read_option(int option, char **argv)
{
	unsigned int number;

	switch (option) {
	case SESSION:
		if (!*optarg || strlen(optarg) >= LUO_NAME_LEN)
			return wrong("--session takes 1 to 63 characters, not ",
				     optarg);
		options.session = optarg;
		return 0;
	case STATUS:
		options.status = optarg;
		return 0;
	case REOPEN:
		if (options.nr_reopen == MOST_REOPEN)
			return wrong("too many --reopen, at ", optarg);
		options.reopen[options.nr_reopen++] = optarg;
		return 0;
	case TIMEOUT:
		if (!read_number(optarg, &options.timeout))
			return wrong("--timeout takes seconds, not ", optarg);
		return 0;
	case PID:
		if (!read_number(optarg, &number))
			return wrong("--pid takes a process ID, not ", optarg);
		options.pid = (pid_t)number;
		return 0;
	case STORE:
		options.store = true;
		return 0;
	case PAUSED:
		options.paused = true;
		return 0;
	case NO_INTERRUPTS:
		options.no_interrupts = true;
		return 0;
	default:
		return wrong("unknown, or without its argument: ", argv[optind - 1]);
	}
}

/*
 * By the time it is known that the command line is wrong, QEMU is this program: it
 * goes on, with the command that is behind "--".
 */
static int wrong_park(char **argv)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, "--") && argv[1])
			return go_on_here(argv + 1);
	return 2;
}

static int command(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int option, ret;

	if (!strcmp(what, "--help") || !strcmp(what, "-h")) {
		fputs(usage_text, stdout);
		return 0;
	}
	optind = 2;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		ret = read_option(option, argv);
		if (ret)
			return ret;
	}
	if (!strcmp(what, "check"))
		return options.pid ? check() : wrong("check needs --pid", "");
	if (strcmp(what, "park") && strcmp(what, "resume"))
		return wrong("park, resume or check is wanted, not ", what);
	if (!options.session)
		return wrong(what, " needs --session");
	if (!strcmp(what, "resume"))
		return resume();
	if (optind == argc)
		return wrong("park needs QEMU's command behind --", "");
	return park(argv + optind);
}

int main(int argc, char **argv)
{
	int ret = command(argc, argv);

	if (ret == 2 && argc > 1 && !strcmp(argv[1], "park"))
		ret = wrong_park(argv);
	return ret;
}

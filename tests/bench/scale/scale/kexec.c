// SPDX-License-Identifier: GPL-2.0-only
/* The system calls of a load, timed. */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/ptrace.h>

#include "scale.h"
#include "uapi-iommu-handover.h"

#define KEXEC	"/sbin/kexec"

/**
 * struct call - a system call of the loader
 * @took: all of its kind: the kernel keeps what the first snapshot found, which is
 *	too long for the loader's buffer, and gives that to the second
 * @peak_kib: memory that any of them took at its peak, what it keeps included;
 *	without scale.ns=1 it is not looked at
 */
struct call {
	uint64_t took;
	int64_t peak_kib;
};

static struct call snapshot, seal, file_load;

static struct call *call_of(const struct ptrace_syscall_info *info)
{
	if (info->entry.nr == SYS_kexec_file_load)
		return &file_load;
	if (info->entry.nr != SYS_ioctl)
		return NULL;
	if (info->entry.args[1] == IOMMU_HANDOVER_SNAPSHOT)
		return &snapshot;
	return info->entry.args[1] == IOMMU_HANDOVER_SEAL ? &seal : NULL;
}

/* Pages that are free, those on the lists of CPUs included, in KiB. */
static int64_t free_now_kib(void)
{
	static char text[1 << 16];
	int fd = open("/proc/zoneinfo", O_RDONLY);
	long value, pages = 0;
	ssize_t len, got;
	char *line, *rest;

	check(fd >= 0, "/proc/zoneinfo: %s", strerror(errno));
	for (len = 0; (got = read(fd, text + len, sizeof(text) - 1 - len)) > 0;)
		len += got;
	close(fd);
	text[len] = '\0';
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, " pages free %ld", &value) == 1 ||
		    sscanf(line, " count: %ld", &value) == 1)
			pages += value;
	check(pages, "/proc/zoneinfo names no free page");
	return pages * (int64_t)(GUEST_PAGE / 1024);
}

/* Wait for @child; look at free memory meanwhile, from another CPU. */
static pid_t watch(pid_t child, int *status, struct rusage *usage,
		   struct call *call)
{
	int64_t before = free_now_kib(), took;
	pid_t got;

	check(!ptrace(PTRACE_SYSCALL, child, 0, 0), "ptrace: %s",
	      strerror(errno));
	do {
		took = before - free_now_kib();
		if (took > call->peak_kib)
			call->peak_kib = took;
		got = wait4(child, status, WNOHANG, usage);
	} while (!got);
	return got;
}

/* Returns the child's exit status as wait() tells it. */
static int trace(pid_t child, struct rusage *usage)
{
	struct ptrace_syscall_info info;
	bool by_clock = boot_option("scale.ns=", 0);
	struct call *call = NULL;
	uint64_t start = 0;
	pid_t got;
	int status;

	check(waitpid(child, &status, 0) == child && WIFSTOPPED(status),
	      "kexec did not start");
	ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD);
	for (;;) {
		if (call && by_clock) {
			got = watch(child, &status, usage, call);
		} else {
			check(!ptrace(PTRACE_SYSCALL, child, 0, 0),
			      "ptrace: %s", strerror(errno));
			got = wait4(child, &status, 0, usage);
		}
		check(got == child, "wait4: %s", strerror(errno));
		if (!WIFSTOPPED(status))
			return status;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (call) {
			call->took += now() - start;
			call = NULL;
			continue;
		}
		check(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info),
			     &info) > 0, "ptrace: %s", strerror(errno));
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		call = call_of(&info);
		start = now();
	}
}

static int load(char **argv)
{
	int64_t kib = free_kib();
	uint64_t start, took;
	struct rusage usage;
	pid_t child;
	int status;

	snapshot = seal = file_load = (struct call){ 0 };
	start = now();
	child = fork();
	check(child >= 0, "fork: %s", strerror(errno));
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execv(KEXEC, argv);
		_exit(127);
	}
	status = trace(child, &usage);
	took = now() - start;
	check(WIFEXITED(status), "kexec died");
	if (WEXITSTATUS(status))
		return WEXITSTATUS(status);
	check(snapshot.took && seal.took && file_load.took,
	      "kexec made no snapshot, no seal or no load");
	report_number("snapshot[]", snapshot.took);
	report_number("seal[]", seal.took);
	report_number("file_load[]", file_load.took);
	report_number("loader[]", took - snapshot.took - seal.took -
				  file_load.took);
	report_number("snapshot_peak_kib[]", snapshot.peak_kib);
	report_number("seal_peak_kib[]", seal.peak_kib);
	report_number("loader_kib[]", usage.ru_maxrss);
	report_number("seal_kib[]", kib - free_kib());
	return 0;
}

int run_kexec(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "-l"))
			return load(argv);
	execv(KEXEC, argv);
	perror(KEXEC);
	return 127;
}

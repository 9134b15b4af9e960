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

/* The last call of each kind: of two snapshots the second is the whole one. */
static uint64_t snapshot, seal, file_load;

static uint64_t *counter_of(const struct ptrace_syscall_info *info)
{
	if (info->entry.nr == SYS_kexec_file_load)
		return &file_load;
	if (info->entry.nr != SYS_ioctl)
		return NULL;
	if (info->entry.args[1] == IOMMU_HANDOVER_SNAPSHOT)
		return &snapshot;
	return info->entry.args[1] == IOMMU_HANDOVER_SEAL ? &seal : NULL;
}

/* Returns the child's exit status as wait() tells it. */
static int trace(pid_t child, struct rusage *usage)
{
	struct ptrace_syscall_info info;
	uint64_t *counter = NULL, start = 0;
	int status;

	check(waitpid(child, &status, 0) == child && WIFSTOPPED(status),
	      "kexec did not start");
	ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD);
	for (;;) {
		check(!ptrace(PTRACE_SYSCALL, child, 0, 0), "ptrace: %s",
		      strerror(errno));
		check(wait4(child, &status, 0, usage) == child, "wait4: %s",
		      strerror(errno));
		if (!WIFSTOPPED(status))
			return status;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (counter) {
			*counter = now() - start;
			counter = NULL;
			continue;
		}
		check(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info),
			     &info) > 0, "ptrace: %s", strerror(errno));
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
			continue;
		counter = counter_of(&info);
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
	check(snapshot && seal && file_load,
	      "kexec made no snapshot, no seal or no load");
	report_number("snapshot[]", snapshot);
	report_number("seal[]", seal);
	report_number("file_load[]", file_load);
	report_number("loader[]", took - snapshot - seal - file_load);
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

// SPDX-License-Identifier: GPL-2.0-only
/*
 * stop-at STEP kill|hold COMMAND [ARGUMENT]... - run kexec up to a step of it
 *
 * STEP is before or after one of its calls: -query, -unseal, -snapshot, -seal,
 * -load, as in before-load. At the first time it comes there the command gets
 * SIGKILL, before the kernel sees the call or when it is through with it. With
 * "hold" it waits there until the file /run/go exists, and /run/held says that
 * it waits; then it goes on to its end.
 *
 * Exit 0 when it came to the step and, if held, ended well.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/iommu_handover.h>

#include "guest.h"

static const struct {
	const char *name;
	unsigned long nr;
	unsigned long cmd;	/* of an ioctl, else 0 */
} calls[] = {
	{ "-query", SYS_ioctl, IOMMU_HANDOVER_QUERY },
	{ "-unseal", SYS_ioctl, IOMMU_HANDOVER_UNSEAL },
	{ "-snapshot", SYS_ioctl, IOMMU_HANDOVER_SNAPSHOT },
	{ "-seal", SYS_ioctl, IOMMU_HANDOVER_SEAL },
	{ "-load", SYS_kexec_file_load, 0 },
};

/* Let it run to where it enters or leaves the call. */
static void run_to(pid_t pid, bool after, unsigned long nr, unsigned long cmd)
{
	struct user_regs_struct regs;
	bool entering = true;
	int status, sig = 0;

	for (;;) {
		must(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)sig));
		must(waitpid(pid, &status, 0));
		check(WIFSTOPPED(status), "it ended before that: %#x", status);
		sig = WSTOPSIG(status);
		if (sig != (SIGTRAP | 0x80))
			continue;
		sig = 0;
		must(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
		if (regs.orig_rax == nr && (!cmd || regs.rsi == cmd) &&
		    entering != after)
			return;
		entering = !entering;
	}
}

static int hold(pid_t pid)
{
	int status;

	close(must(open("/run/held", O_WRONLY | O_CREAT, 0600)));
	while (access("/run/go", F_OK))
		sleep_ms(20);
	unlink("/run/go");
	unlink("/run/held");
	must(ptrace(PTRACE_DETACH, pid, NULL, NULL));
	must(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int main(int argc, char **argv)
{
	const char *step = argc > 3 ? strchr(argv[1], '-') : NULL;
	bool killing = step && !strcmp(argv[2], "kill");
	int status, i;
	pid_t pid;

	check(step, "usage: stop-at STEP kill|hold COMMAND [ARGUMENT]...");
	for (i = 0; i < (int)ARRAY_SIZE(calls); i++)
		if (!strcmp(step, calls[i].name))
			break;
	check(i < (int)ARRAY_SIZE(calls), "what is %s?", argv[1]);
	pid = must(fork());
	if (!pid) {
		must(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		execvp(argv[3], argv + 3);
		check(0, "%s: errno %d", argv[3], errno);
	}
	must(waitpid(pid, &status, 0));
	must(ptrace(PTRACE_SETOPTIONS, pid, NULL,
		    (void *)PTRACE_O_TRACESYSGOOD));
	run_to(pid, argv[1][0] == 'a', calls[i].nr, calls[i].cmd);
	if (!killing)
		return hold(pid);
	must(kill(pid, SIGKILL));
	must(waitpid(pid, &status, 0));
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "%s was not killed: %#x", argv[3], status);
	return 0;
}

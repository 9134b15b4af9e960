// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill-at-load COMMAND [ARGUMENT]... - run kexec up to its kexec_file_load
 *
 * The command gets SIGKILL when it enters that system call, before the kernel
 * sees it. Exit 0 when that came to pass.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	int status, sig;
	pid_t pid;

	check(argc > 1, "usage: kill-at-load COMMAND [ARGUMENT]...");
	pid = must(fork());
	if (!pid) {
		must(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
		execvp(argv[1], argv + 1);
		check(0, "%s: errno %d", argv[1], errno);
	}
	must(waitpid(pid, &status, 0));
	must(ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	for (sig = 0;; ) {
		must(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)sig));
		must(waitpid(pid, &status, 0));
		check(WIFSTOPPED(status), "%s ended before it loaded", argv[1]);
		sig = WSTOPSIG(status);
		if (sig != (SIGTRAP | 0x80))
			continue;
		sig = 0;
		must(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
		if (regs.orig_rax == SYS_kexec_file_load)
			break;
	}
	must(kill(pid, SIGKILL));
	must(waitpid(pid, &status, 0));
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	      "%s was not killed: %#x", argv[1], status);
	return 0;
}

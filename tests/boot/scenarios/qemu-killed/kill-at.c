// SPDX-License-Identifier: GPL-2.0-only
/*
 * kill-at STEP PROGRAM [ARGUMENT]... - be that program, and get SIGKILL at a step
 *
 * The process stays the same: a child traces it, and kills it once it comes to the
 * step. STEP is then a line of /run/qemu/killed.
 *
 *	start		it is executed
 *	session		it has made, or retrieved, the session
 *	memory, iommufd, device, record, stream
 *			it has preserved the first of these, or has it back
 *	files		it has both iommufd and device back
 *	wait		it waits for the kexec
 *	interrupts	it has armed the device's interrupts
 *	finish		it is about to finish the session
 *	finished	it has
 *	become		it executes another program
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/liveupdate.h>
#include <linux/vfio.h>

#include "guest.h"

#define KILLED		"/run/qemu/killed"

/* Tokens of the program's session. */
#define TOKEN_RECORD	1
#define TOKEN_STREAM	2

static pid_t pid;
static unsigned int execs, back;

/* ---- what a call is about -------------------------------------------------- */

static void peek(uint64_t at, void *data, size_t len)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	check(pread(fd, data, len, at) == (ssize_t)len, "%s: %s", path,
	      strerror(errno));
	close(fd);
}

/* By what /proc says that it is; a file that was given back has another name. */
static const char *kind_of(int fd)
{
	char path[64], name[256];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	len = readlink(path, name, sizeof(name) - 1);
	if (len < 0)
		return "";
	name[len] = '\0';
	if (strstr(name, "iommu"))
		return "iommufd";
	if (strstr(name, "vfio"))
		return "device";
	return strstr(name, "(deleted)") ? "memory" : "";
}

static const char *file_of(uint64_t at)
{
	/* That of RETRIEVE_FD has the same layout */
	struct liveupdate_session_preserve_fd arg;

	peek(at, &arg, sizeof(arg));
	if (arg.token == TOKEN_RECORD)
		return "record";
	if (arg.token == TOKEN_STREAM)
		return "stream";
	return kind_of(arg.fd);
}

static bool is_files(const char *what)
{
	if (!strcmp(what, "iommufd"))
		back |= 1;
	if (!strcmp(what, "device"))
		back |= 2;
	return back == 3;
}

static bool is_vectors(uint64_t at)
{
	struct vfio_irq_set arg;

	peek(at, &arg, sizeof(arg));
	return arg.flags & VFIO_IRQ_SET_DATA_EVENTFD &&
	       (arg.index == VFIO_PCI_MSIX_IRQ_INDEX ||
		arg.index == VFIO_PCI_MSI_IRQ_INDEX);
}

/* ---- the steps ---------------------------------------------------------------- */

static bool entered(const char *step, const struct user_regs_struct *regs)
{
	if (regs->orig_rax == SYS_rt_sigtimedwait)
		return !strcmp(step, "wait");
	return regs->orig_rax == SYS_ioctl &&
	       regs->rsi == LIVEUPDATE_SESSION_FINISH && !strcmp(step, "finish");
}

static bool left(const char *step, const struct user_regs_struct *regs)
{
	const char *what;

	if (regs->orig_rax != SYS_ioctl || (int64_t)regs->rax < 0)
		return false;
	switch (regs->rsi) {
	case LIVEUPDATE_IOCTL_CREATE_SESSION:
	case LIVEUPDATE_IOCTL_RETRIEVE_SESSION:
		return !strcmp(step, "session");
	case LIVEUPDATE_SESSION_PRESERVE_FD:
		return !strcmp(step, file_of(regs->rdx));
	case LIVEUPDATE_SESSION_RETRIEVE_FD:
		what = file_of(regs->rdx);
		return !strcmp(step, what) ||
		       (is_files(what) && !strcmp(step, "files"));
	case VFIO_DEVICE_SET_IRQS:
		return !strcmp(step, "interrupts") && is_vectors(regs->rdx);
	case LIVEUPDATE_SESSION_FINISH:
		return !strcmp(step, "finished");
	}
	return false;
}

static bool executed(const char *step)
{
	return !strcmp(step, execs++ ? "become" : "start");
}

/* At a stop of the process: is it there? */
static bool there(const char *step, int status)
{
	struct __ptrace_syscall_info info;
	struct user_regs_struct regs;

	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
		return executed(step);
	if (WSTOPSIG(status) != (SIGTRAP | 0x80))
		return false;
	/* Returns how much there is */
	check(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0,
	      "PTRACE_GET_SYSCALL_INFO: %s", strerror(errno));
	must(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	return info.op == PTRACE_SYSCALL_INFO_ENTRY ? entered(step, &regs) :
						      left(step, &regs);
}

static void trace(const char *step, int ready)
{
	int status, sig, fd;

	must(ptrace(PTRACE_SEIZE, pid, NULL,
		    (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC)));
	must(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	check(write(ready, "", 1) == 1, "pipe: %s", strerror(errno));
	for (;;) {
		must(waitpid(pid, &status, __WALL));
		check(WIFSTOPPED(status), "it ended before %s: %#x", step, status);
		if (there(step, status))
			break;
		/* A signal of its own is for it; stops of ours are none */
		sig = WSTOPSIG(status);
		if (status >> 16 || sig == (SIGTRAP | 0x80))
			sig = 0;
		must(ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)sig));
	}
	must(kill(pid, SIGKILL));
	do
		must(waitpid(pid, &status, __WALL));
	while (!WIFSIGNALED(status));
	fd = must(open(KILLED, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	dprintf(fd, "%s\n", step);
}

int main(int argc, char **argv)
{
	int ready[2];
	char byte;

	check(argc > 2, "usage: kill-at STEP PROGRAM [ARGUMENT]...");
	must(pipe2(ready, O_CLOEXEC));
	pid = getpid();
	if (!must(fork())) {
		/* Nothing that the program has is to be held by another one */
		must(dup2(ready[1], STDIN_FILENO));
		must(close_range(STDERR_FILENO + 1, ~0U, 0));
		trace(argv[1], STDIN_FILENO);
		return 0;
	}
	close(ready[1]);
	check(read(ready[0], &byte, 1) == 1, "there is no tracer");
	execv(argv[2], argv + 2);
	check(0, "%s: %s", argv[2], strerror(errno));
}

// SPDX-License-Identifier: GPL-2.0-only
/* A call that may wait, made by a process of its own. */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "call.h"
#include "guest.h"

pid_t call_begin(int (*call)(void))
{
	pid_t pid = fork();

	check(pid >= 0, "fork: %s", strerror(errno));
	if (!pid)
		_exit(-call());
	return pid;
}

bool call_has_ended(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	must(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid;
}

void call_end(pid_t pid, const char *what, int err)
{
	int status;

	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status),
	      "%s did not end by itself", what);
	check(WEXITSTATUS(status) == err, "%s: %s instead of %s", what,
	      strerror(WEXITSTATUS(status)), strerror(err));
}

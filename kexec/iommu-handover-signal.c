// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: signals that come during a load.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "iommu-handover-hint.h"
#include "iommu-handover-signal.h"

static const int stop_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
#define STOP_SIGNALS	(sizeof(stop_signals) / sizeof(stop_signals[0]))

void handover_block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, before);
}

void handover_restore_signals(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

int handover_signal(void)
{
	struct sigaction act;
	sigset_t set;
	size_t i;

	if (sigpending(&set))
		return 0;
	/* A blocked signal is pending even if it is ignored. */
	for (i = 0; i < STOP_SIGNALS; i++)
		if (sigismember(&set, stop_signals[i]) == 1 &&
		    !sigaction(stop_signals[i], NULL, &act) &&
		    act.sa_handler != SIG_IGN)
			return stop_signals[i];
	return 0;
}

bool handover_stopped(void)
{
	int sig = handover_signal();

	if (sig)
		/* Cure: load again. */
		handover_complain("stopped by a signal (%s): nothing was sealed or loaded",
				  strsignal(sig));
	return sig;
}

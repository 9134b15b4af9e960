/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kexec --iommu-handover: signals that come during a load.
 *
 * They are blocked for all of it: one that comes between two steps must leave no
 * half-written file and no seal without a kernel, and must not keep from the
 * caller what was done already.
 */
#ifndef KEXEC_IOMMU_HANDOVER_SIGNAL_H
#define KEXEC_IOMMU_HANDOVER_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

/** handover_block_signals() - block all; @before gets what was blocked */
void handover_block_signals(sigset_t *before);

/** handover_restore_signals() - deliver what waits */
void handover_restore_signals(const sigset_t *before);

/**
 * handover_signal() - is a signal pending that will end kexec?
 *
 * Return: its number, or 0.
 */
int handover_signal(void);

/** handover_stopped() - the same before SEAL, with a message when there is one */
bool handover_stopped(void);

#endif

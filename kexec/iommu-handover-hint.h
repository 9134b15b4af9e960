/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kexec --iommu-handover: what is said, and what to do about an errno.
 *
 * Hints come after the errno's own text and say what to do: ": do this", or "".
 */
#ifndef KEXEC_IOMMU_HANDOVER_HINT_H
#define KEXEC_IOMMU_HANDOVER_HINT_H

#include <stdbool.h>

/** handover_complain() - one line to stderr, after "iommu-handover: " */
void handover_complain(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

/** handover_misfit() - hint: kernel and kexec contradict each other */
const char *handover_misfit(void);

/** handover_hint() - of a call on /dev/iommu-handover, or for want of memory */
const char *handover_hint(int err);

/** handover_open_hint() - of opening /dev/iommu-handover */
const char *handover_open_hint(int err);

/** handover_load_hint() - of kexec_file_load */
const char *handover_load_hint(int err);

/** handover_absent() - does this errno of opening it say that it is not there? */
bool handover_absent(int err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kexec --iommu-handover: is it safe to jump to the kernel that is to be loaded?
 */
#ifndef KEXEC_IOMMU_HANDOVER_KERNEL_H
#define KEXEC_IOMMU_HANDOVER_KERNEL_H

/**
 * handover_check_kernel() - that the kernel is whole and gives back what it gets
 * @name: of its file, for messages
 * @kernel_fd: what kexec_file_load() will read: of a UKI the kernel inside
 * @cmdline: its command line, NUL-terminated; NULL for an empty one
 *
 * Nothing is changed. The running kernel asks the same when it loads it, so this
 * is to say it before anything is sealed.
 *
 * Return: 0, or -1 after a message.
 */
int handover_check_kernel(const char *name, int kernel_fd, const char *cmdline);

/**
 * handover_warn_crash() - say when kdump will be gone after the jump
 * @cmdline: of the next kernel
 *
 * A kernel that was handed over to has only the KHO scratch areas to reserve
 * memory for a crash kernel from, and goes on without when it does not fit.
 */
void handover_warn_crash(const char *cmdline);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU handover: what the files of the interface share.
 */
/**
 * DOC: interface
 *
 * Here both sides meet, and nothing below calls up: LUO, kexec, PCI, vfio and IOMMU
 * drivers call these files through ops tables of their own or by hooks; user space
 * has /dev/iommu-handover (dev.c) and /sys/kernel/iommu_handover (sysfs.c).
 */
#ifndef __IOMMU_HANDOVER_INTERFACE_H
#define __IOMMU_HANDOVER_INTERFACE_H

#include <uapi/linux/iommu_handover.h>

struct handover_seal_info;
struct kimage;

/* Context: handover_out.lock held. */
enum iommu_handover_state handover_state(const struct handover_seal_info *info);

/**
 * handover_target_ask() - what does a kernel read that is being loaded?
 * @image: with its file and its command line; the answer is noted in it
 *
 * Context: in kexec_file_load().
 */
void handover_target_ask(struct kimage *image);

/**
 * handover_target_settled() - may the preserved iommufds be handed to this kernel?
 * @image: the loaded kernel
 *
 * Return: 0; -EBUSY, after the reason was noted.
 */
int handover_target_settled(const struct kimage *image);

/**
 * handover_gate() - whether a kexec may jump
 * @image: the loaded kernel
 *
 * Return: 0, or -EBUSY (noted) when an iommufd would be lost.
 */
int handover_gate(struct kimage *image);

/**
 * handover_adopt_loaded() - have the loaded kernel carry the cookie of a seal
 * @cookie: of the seal that is being made; 0: only ask whether it could
 *
 * Return: 0; -EAGAIN, -ENOEXEC or -EBUSY, noted.
 */
int handover_adopt_loaded(u64 cookie);

#endif

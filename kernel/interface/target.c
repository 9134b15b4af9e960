// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover: the kernel that a kexec would jump to.
 *
 * It is asked what it reads when it is loaded, while its file is still there.
 * The answer stays in its struct kimage for the gate: what is preserved then may
 * be something else.
 */
#include <linux/iommu-handover-announce.h>
#include <linux/kexec.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/memfd.h>
#include <linux/string.h>

#include "handover.h"
#include "interface.h"
#include "lib/iho_kernel.h"

#ifndef __CHECKER__	/* knows no constant strcmp() */
static_assert(!__builtin_strcmp(HANDOVER_ANNOUNCE_KHO, KHO_FDT_COMPATIBLE));
static_assert(!__builtin_strcmp(HANDOVER_ANNOUNCE_LUO, LUO_ABI_COMPATIBLE));
static_assert(!__builtin_strcmp(HANDOVER_ANNOUNCE_MEMFD,
				MEMFD_LUO_FH_COMPATIBLE));
#endif

/* In struct kimage; 0 is what a kernel has that was never asked. */
enum handover_target {
	TARGET_UNASKED = 0,
	TARGET_READS,
	TARGET_DAMAGED,
	TARGET_SILENT,
	TARGET_FORMAT,
	TARGET_KHO,
	TARGET_LUO,
	TARGET_MEMFD,
	TARGET_KHO_OFF,
	TARGET_LUO_OFF,
};

static enum handover_target ask(const struct kimage *image)
{
	/* The feature bits of an image that this kernel seals */
	const u32 features = 0;
	struct iho_kernel k;
	const char *lacks;

	if (iho_kernel_open(image->kernel_buf, image->kernel_buf_len, &k, NULL))
		return TARGET_DAMAGED;
	switch (iho_kernel_reads(&k, IHO_ANNOUNCE_IMAGE, IHO_FORMAT_MAJOR,
				 features)) {
	case 0:
		break;
	case -IHO_ERR_REF:
		return TARGET_SILENT;
	default:
		return TARGET_FORMAT;
	}
	if (iho_kernel_reads(&k, KHO_FDT_COMPATIBLE, 0, 0))
		return TARGET_KHO;
	if (iho_kernel_reads(&k, LUO_ABI_COMPATIBLE, 0, 0))
		return TARGET_LUO;
	if (iho_kernel_reads(&k, MEMFD_LUO_FH_COMPATIBLE, 0, 0))
		return TARGET_MEMFD;
	/* It ends with a NUL, if it is there: kexec_file_load() saw to that */
	lacks = iho_kernel_lacks(&k, image->cmdline_buf ?: "");
	if (!lacks)
		return TARGET_READS;
	return strcmp(lacks, "kho=on") ? TARGET_LUO_OFF : TARGET_KHO_OFF;
}

void handover_target_ask(struct kimage *image)
{
	image->kho.target = ask(image);
}

int handover_target_settled(const struct kimage *image)
{
	switch ((enum handover_target)image->kho.target) {
	case TARGET_READS:
		return 0;
	case TARGET_DAMAGED:
		return handover_refuse(-EBUSY,
				       "the loaded kernel's file is damaged, it cannot be booted or what it announces cannot be read; load another");
	case TARGET_UNASKED:
	case TARGET_SILENT:
		return handover_refuse(-EBUSY,
				       "the loaded kernel announces no handover image and would lose every preserved iommufd; load one with CONFIG_IOMMU_HANDOVER");
	case TARGET_FORMAT:
		return handover_refuse(-EBUSY,
				       "the loaded kernel does not read handover images of format %u.%u; load one that does",
				       IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR);
	case TARGET_KHO:
		return handover_refuse(-EBUSY,
				       "the loaded kernel does not read the KHO of this one (%s) and would lose all memory; load one that does",
				       KHO_FDT_COMPATIBLE);
	case TARGET_LUO:
		return handover_refuse(-EBUSY,
				       "the loaded kernel does not read the live update sessions of this one (%s); load one that does",
				       LUO_ABI_COMPATIBLE);
	case TARGET_MEMFD:
		return handover_refuse(-EBUSY,
				       "the loaded kernel does not read the memfds of this one (%s); load one that does",
				       MEMFD_LUO_FH_COMPATIBLE);
	case TARGET_KHO_OFF:
		return handover_refuse(-EBUSY,
				       "the loaded kernel is to be started without kho=on and would give back no session; load it again with kho=on");
	case TARGET_LUO_OFF:
		return handover_refuse(-EBUSY,
				       "the loaded kernel is to be started without liveupdate=on and would give back no session; load it again with liveupdate=on");
	}
	return -EINVAL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: which options go together.
 */
#include <stdlib.h>
#include <string.h>

#include "kexec.h"
#include "iommu-handover.h"

static bool continuous;

static bool is_word(const char *word, size_t len, const char *known)
{
	return len == strlen(known) && !strncmp(word, known, len);
}

enum iommu_handover_mode iommu_handover_mode(const char *arg)
{
	enum iommu_handover_mode mode = IOMMU_HANDOVER_SEAL;
	const char *word = arg;
	size_t len;

	for (; word; word = word[len] ? word + len + 1 : NULL) {
		len = strcspn(word, ",");
		if (is_word(word, len, "check") &&
		    mode != IOMMU_HANDOVER_SEAL_ONLY)
			mode = IOMMU_HANDOVER_CHECK;
		else if (is_word(word, len, "seal") &&
			 mode != IOMMU_HANDOVER_CHECK)
			mode = IOMMU_HANDOVER_SEAL_ONLY;
		else if (is_word(word, len, "continuous"))
			continuous = true;
		else
			die("iommu-handover: --iommu-handover=%s: only check or seal, and continuous, are known, with a comma between them; leave them out to seal devices that stop\n",
			    arg);
	}
	return mode;
}

bool iommu_handover_continuous(void)
{
	return continuous;
}

void iommu_handover_check_args(const struct iommu_handover_args *args)
{
	const char *no = NULL;

	if (!args->handover)
		no = "--iommu-handover-save keeps the image that --iommu-handover makes: give both";
	else if (args->save && !*args->save)
		/* Cure: give one. */
		no = "--iommu-handover-save needs the name of a file";
	else if (args->status)
		no = "-S only reports: leave --iommu-handover out (see the state in sysfs)";
	else if (args->crash)
		no = "-p loads the kernel for a crash, where nothing is handed over: leave one of the two out";
	else if (args->jump_back)
		no = "--load-jump-back-helper comes back to this kernel and hands nothing over: leave one of the two out";
	else if (args->preserve_context)
		no = "--load-preserve-context comes back to this kernel and hands nothing over: leave one of the two out";
	else if (args->live_update || args->xen)
		no = "Xen loads kernels by itself and hands nothing over: leave --iommu-handover out";
	else if (args->unload)
		no = "-u unseals by itself: leave --iommu-handover out";
	else if (args->handover == IOMMU_HANDOVER_SEAL_ONLY && args->files)
		no = "seal is for the kernel that is loaded, and loads none: leave the file out";
	else if (args->handover == IOMMU_HANDOVER_SEAL_ONLY && !args->shutdown)
		no = "seal neither loads nor jumps: leave -l, -e and -f out, or the word seal";
	else if (args->load && args->files > 1)
		no = "more than one file is named; load the kernel alone, and write --iommu-handover=check";
	else if (!args->load && args->exec && args->files)
		no = "-e jumps to the kernel that is loaded and loads none: leave the file out, or -e, and jump afterwards";
	else if (args->handover == IOMMU_HANDOVER_CHECK && !args->load)
		no = "check is for a load: add -l, then jump with -e --iommu-handover";
	else if (args->handover == IOMMU_HANDOVER_CHECK && args->exec)
		no = "-f jumps at once, and check leaves nothing sealed to jump with: leave check out";
	else if (!args->load && !args->exec)
		no = "nothing is to be loaded: add -l";
	else if (args->handover == IOMMU_HANDOVER_SEAL_ONLY)
		return;
	else if (args->load && !args->file_syscall)
		no = "-c cannot hand over: kexec_load does not carry KHO (not supported yet); use -s";
	else if (args->shutdown)
		no = "without -l, shutdown(8) is run and ends every process that holds an iommufd: add -l, then jump with -e";

	if (no)
		die("iommu-handover: %s\n", no);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: which options go together.
 */
#include <stdlib.h>

#include "kexec.h"
#include "iommu-handover.h"

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
	else if (!args->load && args->exec)
		no = "-e runs the kernel that was loaded with -l --iommu-handover: give it there and leave it out here";
	else if (!args->load)
		no = "nothing is to be loaded: add -l";
	else if (!args->file_syscall)
		no = "-c cannot hand over: kexec_load does not carry KHO (KHO there comes later); use -s";
	else if (args->shutdown)
		no = "without -l, shutdown(8) is run and ends every process that holds an iommufd: add -l, then jump with -e";

	if (no)
		die("iommu-handover: %s\n", no);
}

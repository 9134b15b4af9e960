// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: is it safe to jump to the kernel that is to be loaded?
 * Its file is asked what it is and what it reads, before anything is sealed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "kexec.h"
#include "iommu-handover.h"
#include "iommu-handover-hint.h"
#include "iommu-handover-kernel.h"
#include "iho/iho_kernel.h"

/* What kexec_file_load() keeps free for "elfcorehdr=", crash kernel or not. */
#define CMDLINE_SPARE	30

int iommu_handover_check_file(const char *name, const char *buf, off_t len)
{
	const char *kind = iho_kernel_kind(buf, len);

	/* An EFI program may be a UKI; what is inside is asked later. */
	if (!strcmp(kind, "a bzImage") || !strcmp(kind, "an EFI program"))
		return 0;
	/* kexec unpacks what it can before. */
	if (!strncmp(kind, "packed ", strlen("packed ")))
		handover_complain("%s is %s and cannot be unpacked: it ends early, is damaged, or this kexec does not know how; unpack it and load the bzImage",
				  name, kind);
	else
		handover_complain("%s is %s: kexec_file_load takes a bzImage, or a UKI of one; load that",
				  name, kind);
	return -1;
}

static int complain_damaged(const char *name, size_t len,
			    const struct iho_kernel *k, int err,
			    const struct iho_where *at, const void *file)
{
	if (err == -IHO_ERR_MAGIC)
		handover_complain("the kernel in %s is %s, not a bzImage; load another",
				  name, iho_kernel_kind(file, len));
	else if (err == -IHO_ERR_TRUNCATED)
		handover_complain("%s ends early: its header says %llu bytes, %zu are there; copy or build it again",
				  name, (unsigned long long)k->need, len);
	else
		handover_complain("%s cannot be booted: %s (%s, byte %llu): %s; copy or build it again",
				  name, at->prop, iho_error_name(err),
				  (unsigned long long)at->offset,
				  iho_strerror(err));
	return -1;
}

static int check_formats(const char *name, const struct iho_kernel *k)
{
	struct iho_announce_entry e;
	uint32_t i;

	for (i = 0; !iho_kernel_entry(k, i, &e); i++)
		dbgprintf("iommu-handover: %s reads %s %u.%u, features 0x%x\n",
			  name, e.name, e.major, e.minor, e.must_understand);
	switch (iho_kernel_reads(k, IHO_ANNOUNCE_IMAGE, IHO_FORMAT_MAJOR, 0)) {
	case 0:
		return 0;
	case -IHO_ERR_REF:
		handover_complain("%s announces no handover image: it would lose every preserved iommufd, and all guest memory with them; load a kernel with CONFIG_IOMMU_HANDOVER",
				  name);
		break;
	default:
		handover_complain("%s does not read handover images of format %u.%u; load a kernel that does",
				  name, IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR);
	}
	return -1;
}

static int check_cmdline(const char *name, const struct iho_kernel *k,
			 const char *cmdline)
{
	const char *lacks = iho_kernel_lacks(k, cmdline);
	size_t len = strlen(cmdline) + 1;

	if (len + CMDLINE_SPARE > k->cmdline_size) {
		handover_complain("the command line of %zu bytes is too long: %s takes %d; shorten it",
				  len, name,
				  k->cmdline_size > CMDLINE_SPARE ?
				  (int)(k->cmdline_size - CMDLINE_SPARE) : 0);
		return -1;
	}
	if (lacks) {
		handover_complain("the command line has no %s: without it %s gives back no session, and all guest memory is lost; add it to --append=, or use --reuse-cmdline",
				  lacks, name);
		return -1;
	}
	return 0;
}

int handover_check_kernel(const char *name, int kernel_fd, const char *cmdline)
{
	struct iho_kernel k;
	struct iho_where at;
	struct stat st;
	void *file;
	int err;

	file = fstat(kernel_fd, &st) ? MAP_FAILED :
	       mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, kernel_fd, 0);
	if (file == MAP_FAILED) {
		/* Cure: copy the file again; free some memory. */
		handover_complain("cannot read %s: %s", name, strerror(errno));
		return -1;
	}
	err = iho_kernel_open(file, st.st_size, &k, &at);
	if (err)
		err = complain_damaged(name, st.st_size, &k, err, &at, file);
	if (!err)
		err = check_formats(name, &k);
	if (!err)
		err = check_cmdline(name, &k, cmdline ? cmdline : "");
	munmap(file, st.st_size);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: what is said, and what to do about an errno.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "iommu-handover-hint.h"

void handover_complain(const char *fmt, ...)
{
	va_list args;

	fputs("iommu-handover: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

const char *handover_misfit(void)
{
	return ": kernel and kexec do not fit each other; use the kexec that was built for this kernel";
}

static const char *nothing_preserved(void)
{
	if (!access("/dev/liveupdate", F_OK) || errno != ENOENT)
		return ": no iommufd is preserved in a live update session; preserve it first, or load without --iommu-handover";
	return ": live update is off, so nothing is preserved; boot with kho=on liveupdate=on. Where both are given, KHO has switched itself off for want of scratch memory: see the kernel log, and give kho_scratch=";
}

const char *handover_hint(int err)
{
	switch (err) {
	case EACCES:
	case EPERM:
		return ": must be root (CAP_SYS_ADMIN), and this kernel not locked down to confidentiality";
	case EAGAIN:
		return ": an iommufd stays busy; wait for its calls to end and load again";
	case EBADMSG:
	case EFBIG:
	case EINVAL:
	case ENOTTY:
	case EOPNOTSUPP:
		/* What cannot be handed over has a sentence of the kernel's */
		return handover_misfit();
	case EBUSY:
		return ": sealed by another kexec; load again";
	case ENOENT:
		return nothing_preserved();
	case ENOMEM:
		return ": free some memory and load again";
	case ESTALE:
		return ": preserved iommufds change all the time; let their owners pause and load again";
	}
	return "";
}

bool handover_absent(int err)
{
	return err == ENOENT || err == ENODEV || err == ENXIO;
}

const char *handover_open_hint(int err)
{
	if (handover_absent(err))
		return ": this kernel cannot hand over; boot one that can, with kho=on liveupdate=on";
	return handover_hint(err);
}

const char *handover_load_hint(int err)
{
	switch (err) {
	case EACCES:
		return ": a security module (IMA, SELinux) does not let this file be loaded; see the kernel log, and sign or label it as its policy says";
	case EADDRNOTAVAIL:
		return ": kernel and initrd do not fit the KHO scratch areas; boot with a larger kho_scratch=";
	case EBUSY:
		return ": another load or a jump is going on; load again";
	case EINVAL:
		return ": an argument is wrong, most often a command line that is too long; the kernel log says which, correct it";
	case EKEYREJECTED:
	case ENODATA:
		return ": this kernel loads signed ones only, and the signature is missing or wrong; sign it, or load one that is signed";
	case ENOKEY:
		return ": the signature is by a key that this kernel does not trust; enrol the key, or load one that is signed by a trusted one";
	case EBADMSG:
	case ELIBBAD:
	case EMSGSIZE:
	case ENOPKG:
		return ": the signature cannot be read; sign the kernel again";
	case EPERM:
		return ": loading is disabled (kernel.kexec_load_disabled), this kernel is locked down and the file not signed for it, or you are not root";
	case ENOEXEC:
	case ENOSYS:
	case ENOTSUP:
		return ": no fall-back to kexec_load, which does not carry KHO (not supported yet)";
	}
	return ": see the kernel log";
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this kernel reads of its predecessor, in the uncompressed part of its
 * bzImage, for whoever is about to load it. A chunk of kernel_info; its layout is
 * struct iho_announce.
 */
#include <linux/iommu-handover-announce.h>
#include <linux/kho/abi/iommu_handover.h>

/* With a command line of its own a kernel may be told more than the loader sees */
#if defined(CONFIG_CMDLINE_BOOL)
#define ANNOUNCE_WANTS	0
#elif defined(CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT)
#define ANNOUNCE_WANTS	IHO_ANNOUNCE_WANTS_LUO
#else
#define ANNOUNCE_WANTS	(IHO_ANNOUNCE_WANTS_LUO | IHO_ANNOUNCE_WANTS_KHO)
#endif

.macro announce name:req, major=0, minor=0, understood=0
1:
	.ascii	"\name"
	.skip	IHO_ANNOUNCE_NAME_LEN - (. - 1b)
	.short	\major, \minor
	.long	\understood
.endm

handover_announce:
	.ascii	IHO_ANNOUNCE_MAGIC
	.long	handover_announce_end - handover_announce
	.short	IHO_ANNOUNCE_VERSION
	.short	ANNOUNCE_WANTS
	.short	IHO_ANNOUNCE_ENTRY_LEN
	.short	(handover_announce_end - handover_announce_entries) / IHO_ANNOUNCE_ENTRY_LEN
handover_announce_entries:
	announce IHO_ANNOUNCE_IMAGE, IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR, IHO_UNDERSTOOD
	announce HANDOVER_ANNOUNCE_KHO
	announce HANDOVER_ANNOUNCE_LUO
	announce HANDOVER_ANNOUNCE_MEMFD
handover_announce_end:

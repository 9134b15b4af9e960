/* SPDX-License-Identifier: GPL-2.0-only */
/* Where in its memory a disk (disk.h) has what, and where the device finds it. */
#ifndef DISK_LAYOUT_H
#define DISK_LAYOUT_H

#include "disk.h"

#define DISK_STATE_LEN	0x20000ULL
#define DISK_QUEUES_OFF	DISK_STATE_LEN
#define DISK_QUEUES_IOVA 0x10000000ULL
#define DISK_SLOTS_OFF	(DISK_QUEUES_OFF + NVME_QUEUES_LEN)
#define DISK_SLOTS_LEN	(DISK_SLOTS * DISK_SLOT_PAGES * GUEST_PAGE)
#define DISK_SLOTS_IOVA	0x7ffd3000ULL
#define DISK_MORE_OFF	(DISK_SLOTS_OFF + DISK_SLOTS_LEN)
#define DISK_LEN	(DISK_MORE_OFF + DISK_MORE_LEN)

/* More commands than entries; a completion queue has room for all of its pair. */
#define DISK_SQ_NR	160U
#define DISK_CQ_NR	512U

_Static_assert(sizeof(struct disk_state) <= DISK_STATE_LEN,
	       "the state has grown");
_Static_assert(DISK_SLOTS / (NVME_PAIRS - 1) > DISK_SQ_NR,
	       "no command waits in a submission queue");
_Static_assert(DISK_SLOTS / (NVME_PAIRS - 1) < 2 * DISK_SQ_NR - 1,
	       "not all slots can be outstanding");
_Static_assert(DISK_SLOTS / (NVME_PAIRS - 1) < DISK_CQ_NR,
	       "a completion queue may be full");

#endif /* DISK_LAYOUT_H */

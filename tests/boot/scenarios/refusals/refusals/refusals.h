/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cases of "refusals", by what they are about, and the context that goes
 * through the kexecs beside them.
 *
 * Each tries one thing after the other and takes it back. They exit with 1
 * when a call fails that is not to be refused.
 */
#ifndef REFUSALS_H
#define REFUSALS_H

#include "side.h"

#define SESSION		"main"
#define PATIENCE_MS	60000

/* Which of its IOASes is the VFIO IOAS. */
#define VFIO_IOAS	1

extern struct carry carry;
extern struct ctx *const ctx;

/*
 * calls.c
 */

/** nothing_preserved() - what is refused before anything is preserved */
void nothing_preserved(void);
/** never_sealed() - a jump before the first seal since this kernel has booted */
void never_sealed(void);
/** bad_arguments() - fields, sizes and pointers of each call */
void bad_arguments(void);
/** bad_buffers() - buffers of SNAPSHOT and SEAL */
void bad_buffers(void);
void stale_generation(struct side *s);
void unprivileged(void);

/*
 * memory.c
 */

/** file_maps() - maps of files; @s has no HWPT */
void file_maps(struct side *s);
/** user_maps() - maps by address; @s has an HWPT */
void user_maps(struct side *s);
void punched_hole(struct side *s);

/*
 * objects.c
 */

void allowed_ranges(struct side *s);
/** orphan_hwpt() - @s has its device attached, before and after */
void orphan_hwpt(struct side *s);
void session_name(void);
void vfio_type1(void);

/*
 * mock.c
 */

void mock_objects(void);
void mock_pasid(void);

/*
 * leaves.c
 */

/** leaves() - page tables of "main" that are not what was mapped */
void leaves(void);

/*
 * changes.c
 */

/** changes_unsealed() - each call does what it says when nothing is sealed */
void changes_unsealed(void);
/** type1_changes() - calls of VFIO's type1 interface, sealed and not */
void type1_changes(void);
/** while_sealed() - and gives EBUSY when "main" and @s, with a device, are */
void while_sealed(struct side *s);

/*
 * undone.c
 */

/** seal_undone() - what cannot be refused; @s has a device and keeps none */
void seal_undone(struct side *s);

/**
 * killed() - kill a process that has a device in a sealed iommufd
 * @s: that iommufd, which stays with us; NULL for one of the process's own, in
 *	a session of its own
 * @why: what the log's reason begins with
 */
void killed(const char *what, struct side *s, const char *why);

#endif /* REFUSALS_H */

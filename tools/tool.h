/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/**
 * DOC: offline tool
 *
 * iommu-handover: what its files share. It reads a file and asks the library, as the
 * kernel does: kernel.c says what a kernel reads, show.c and show_json.c what is in
 * an image, cursor.c goes through its records.
 */
#ifndef TOOL_H
#define TOOL_H

#include "iho.h"

enum {
	EXIT_VALID = 0,
	EXIT_CORRUPT = 1,
	EXIT_UNSUPPORTED = 2,	/* or over a limit */
	EXIT_TROUBLE = 3,	/* usage, or the file could not be read */
};

/* An image that was checked as a whole, streams included. */
struct loaded {
	const char *name;	/* of the file, for messages */
	unsigned char *data;	/* 8-byte aligned */
	size_t len;
	struct iho_image img;
	void *index;		/* of img */
	struct iho_plan *plan;	/* one per context */
	u64 records;		/* of all contexts */
};

#define ULL(x)	((unsigned long long)(x))

/* ---- cursor.c -------------------------------------------------------- */

/* The records of one kind, one after the other. */
struct cursor {
	struct iho_plan plan;
	struct iho_step step;
	u32 kind;
	bool have;
};

struct cursors {
	struct cursor rlimit, ioas, huge, allow, vfio, map, bind, hwpt, attach;
};

/* The first record of each kind of a stream; the next of one kind. */
void cursors_first(struct cursors *c, const struct iho_plan *plan);
void cursor_next(struct cursor *c);

/* Does the record under the cursor belong to this IOAS, or device? */
bool ioas_huge_off(const struct cursors *c, u32 ioas);
bool ioas_allows(const struct cursors *c, u32 ioas);
bool ioas_is_vfio(const struct cursors *c, u32 ioas);
bool ioas_maps(const struct cursors *c, u32 ioas);
bool device_attached(const struct cursors *c, u32 dev_id);

/* ---- show.c, show_json.c --------------------------------------------- */

/* "0000:03:00.0", from the source ID; "0000:00/1c.1/00.0", from the path. */
void print_address(const struct iho_device *d, u32 i);
void print_path(const struct iho_device *d);

/* Write an account of the image to standard output. */
void show_text(const struct loaded *l);
void show_json(const struct loaded *l);

/*
 * Write what a kernel image announces to standard output. Returns the exit
 * status: EXIT_VALID when it reads images of the format that this tool knows.
 */
int show_kernel(const char *name, bool json);

#endif

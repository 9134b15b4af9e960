/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: what the files of the offline tool share.
 */
#ifndef TOOL_H
#define TOOL_H

#include "iho.h"

/* An image that was checked as a whole, streams included. */
struct loaded {
	const char *name;	/* of the file, for messages */
	unsigned char *data;	/* 8-byte aligned */
	size_t len;
	struct iho_image img;
	struct iho_plan *plan;	/* one per context */
	u64 records;		/* of all contexts */
};

/* Write an account of the image to standard output. */
void show_text(const struct loaded *l);
void show_json(const struct loaded *l);

#endif

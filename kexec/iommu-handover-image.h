/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kexec --iommu-handover: from a snapshot to a checked image and its copy on
 * disk.
 */
#ifndef KEXEC_IOMMU_HANDOVER_IMAGE_H
#define KEXEC_IOMMU_HANDOVER_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct handover_buffer {
	void *ptr;
	size_t cap;			/* bytes allocated */
	size_t len;			/* bytes used */
};

/**
 * handover_grow() - make room for @cap bytes
 * @b: what it holds is lost when it grows; the caller frees b->ptr
 * @what: its name in the message
 *
 * Return: 0, or -1 after a message.
 */
int handover_grow(struct handover_buffer *b, size_t cap, const char *what);

/**
 * handover_build() - build the image of a snapshot and check it as a whole
 * @snapshot: what the kernel wrote
 * @generation: what the kernel said it to be of
 * @image: receives the image; grows as needed
 *
 * Return: 0, or -1 after a message.
 */
int handover_build(const struct handover_buffer *snapshot, uint64_t generation,
		   struct handover_buffer *image);

/**
 * handover_save() - write the image to a file, whole or not at all
 * @name: a regular file, replaced; or nothing of that name
 *
 * Mode 0600, whatever the umask: it holds physical addresses. The caller
 * blocks signals, so that no half of it stays under a name of its own.
 *
 * Return: 0, or -1 after a message.
 */
int handover_save(const struct handover_buffer *image, const char *name);

#endif

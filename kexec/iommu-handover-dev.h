/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kexec --iommu-handover: the calls on /dev/iommu-handover.
 */
#ifndef KEXEC_IOMMU_HANDOVER_DEV_H
#define KEXEC_IOMMU_HANDOVER_DEV_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <linux/iommu_handover.h>

#include "iommu-handover-image.h"

#define HANDOVER_DEVICE	"/dev/iommu-handover"

#define HANDOVER_MESSAGE_LEN	(128u << 10)	/* bytes of all refusals' sentences */

/**
 * struct handover_dev - the open device
 * @fd: the caller closes it
 * @deadline: CLOCK_MONOTONIC, until when to wait for busy iommufds, in all
 * @pause_ms: how long the next wait is
 * @message: the kernel's sentence about the last call, "" if none
 */
struct handover_dev {
	int fd;
	struct timespec deadline;
	unsigned int pause_ms;
	char message[HANDOVER_MESSAGE_LEN];
};

/** handover_open() - Return: 0, or an errno without a message */
int handover_open(struct handover_dev *dev);

/** handover_query() - Return: 0, or an errno after a message */
int handover_query(struct handover_dev *dev, struct iommu_handover_query *state);

/**
 * handover_last_refusal() - is the last refusal of this errno?
 *
 * Return: true, with the sentence in dev->message.
 */
bool handover_last_refusal(struct handover_dev *dev, int err);

/**
 * handover_snapshot() - have every preserved iommufd described
 * @snapshot: receives it; grows as needed
 * @generation: of what is described
 * @all: name everything that stands in the way, not only what comes first
 *
 * Waits for busy iommufds.
 *
 * Return: 0, or -1 after a message.
 */
int handover_snapshot(struct handover_dev *dev, struct handover_buffer *snapshot,
		      uint64_t *generation, bool all);

/**
 * handover_seal() - seal an image of the snapshot of that generation
 * @loaded: for the kernel that is loaded, not for one that is to be loaded
 *
 * Return: 0, or an errno without a message: EAGAIN to pause and try again,
 * ESTALE to begin with a new snapshot.
 */
int handover_seal(struct handover_dev *dev, const struct handover_buffer *image,
		  uint64_t generation, bool loaded);

/**
 * handover_unseal() - release the seal that is in place
 * @was_sealed: whether there was one
 *
 * Return: 0 when nothing is sealed any more, or an errno without a message.
 */
int handover_unseal(struct handover_dev *dev, bool *was_sealed);

/**
 * handover_pause() - wait for busy iommufds, longer each time
 *
 * Return: false when the time for that is used up, or a signal waits.
 */
bool handover_pause(struct handover_dev *dev);

/** handover_refused() - say why a call failed, in the kernel's words if it can */
void handover_refused(struct handover_dev *dev, const char *what, int err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device that was handed over with its DMA (stream.h) and goes on, or is stopped,
 * while nobody has it. The functions exit with 1 when it is otherwise.
 */
#ifndef STOPS_H
#define STOPS_H

#include "stream.h"

#define STOPS_LOOK_MS	2000
#define STOPS_ABANDON	"/sys/kernel/iommu_handover/incoming/abandon"

/** pci_masters() - whether a function is bus master, by its address */
bool pci_masters(const char *bdf);

/** pci_config_word() - of configuration space, by sysfs; exits with 1 without it */
uint16_t pci_config_word(const char *bdf, unsigned int at);

/** want_running() - the first controller is bus master, and frames arrive */
void want_running(const struct stream *s, const char *when);

/** want_silence() - it is not, and no byte of its memory changes */
void want_silence(const struct stream *s, const char *when);

/** give_up() - the session cannot be finished; abandon what is waited for */
void give_up(struct stream *s);

/**
 * want_memory_back() - memory of @s, whose session is finished, is free memory
 *
 * It is given back, and while frames for the controller are still being sent nearly
 * all free memory stays as it is.
 */
void want_memory_back(struct stream *s);

/**
 * start_over() - want_memory_back(), then a controller that starts anew
 * @nr: kexecs so far
 */
void start_over(struct stream *s, unsigned int nr);

/**
 * tell_host() - a word for the host part of scenario dma-control; wait for its "ok"
 * @what: "loud" or "quiet"; "blackout" for quiet and one frame when the machine
 *	jumps; "unplug" for the device "nic"
 */
void tell_host(const char *what);

#endif /* STOPS_H */

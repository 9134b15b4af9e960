/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * A virtio-net driver in user space that lives through kexecs. carry.c is what
 * the VMM author's guide says, device.c is PCI by vfio, net.c are the rings.
 *
 * No function returns after a failure unless its comment says so: fail() ends
 * the program, which fails the run.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE		4096ULL
#define MEMORY_LEN	(8ULL << 20)	/* bytes of the memory file */

/* What the device reaches, as offsets in the memory file; state is before it */
#define RINGS_OFF	PAGE
#define RINGS_LEN	(11 * PAGE)
#define BUFFERS_OFF	(1ULL << 20)
#define BUFFERS_LEN	(2ULL << 20 | 64 << 10)
#define LOG_OFF		(4ULL << 20)
#define LOG_LEN		(MEMORY_LEN - LOG_OFF)
#define LOG_ENTRIES	(LOG_LEN / sizeof(uint32_t))
#define IOVA(off)	(0x40000000ULL + (off))

/* How the device was given away */
enum mode {
	BY_BIND,	/* its file is not preserved: open it and bind it */
	BY_FILE,	/* its file is preserved */
	BY_SESSION,	/* it is, and nobody else has device and iommufd */
	MODES
};

/*
 * Nothing but preserved memory comes back, so the driver's notes live there.
 * The jump stops it between any two instructions. What must not be torn is not
 * here: how far it is follows from the available ring alone, see net.c.
 */
struct state {
	uint64_t magic;
	uint32_t ioas, dev, mode;
	uint32_t rate;		/* frames per second, the host says it */
	uint64_t done;		/* of the receive ring since its set-up */
	uint64_t log_base;	/* log position of the ring's first frame */
	uint64_t echo_base;	/* log position of the first frame sent back */
};

extern struct state *state;	/* first page of the memory file */
extern int iommufd, device, session;

void fail(const char *what, int err) __attribute__((noreturn));

/* Write a fact for the harness: "KEY VALUE" */
void report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- carry.c ------------------------------------------------------------ */

void *at(uint64_t off);

/* Memory, iommufd, maps and device out of nothing. */
void carry_build(void);

/* Only the memory, so that one can look at it first. */
void carry_memory(void);

/* The rest of what comes before FINISH: device is open and attached. */
void carry_device(void);

/* Everything is back: let go of the session. Waits for the page tables. */
void carry_finish(void);

/* A new map is made and undone. */
void carry_try_map(void);

/* Give all to a session, in state->mode. */
void carry_give(void);

/* ---- device.c ----------------------------------------------------------- */

/* Parts of virtio's configuration that are mapped; NULL when it is not open */
extern volatile struct virtio_pci_common_cfg *common;

enum { CONFIG_VECTOR, RX_VECTOR, VECTORS };

/* The PCI device belongs to vfio-pci. Return the name of its node. */
const char *device_node(void);

/* Find and map what the capabilities name. The device is not touched. */
void device_open(void);
void device_close(void);
void device_enable(void);

/* Ring the doorbell of a queue. */
void device_notify(unsigned int queue);

/* Whether MSI-X has the vector pending. */
bool device_pending(unsigned int vector);

/* Connect the vectors to event counters. */
void device_connect(void);

/* Wait for a vector, at most so long. Return how often it was signalled. */
unsigned int device_wait(unsigned int vector, int ms);

/* ---- net.c -------------------------------------------------------------- */

/* Reset the device and set up both queues. Frames are logged from position. */
void net_setup(uint64_t position);

/* Find the place in the rings again. Only memory is looked at. */
void net_resume(void);

/* Step back in the receive ring, as if the notes had been older. Control. */
void net_forget(unsigned int frames);

/* How many frames are logged, and how many have landed besides. */
uint64_t net_position(void);
unsigned int net_landed(void);

/* The number of the frame that landed last. */
uint32_t net_newest(void);

/* Log and send back what has landed, give the buffers to the device again. */
void net_service(void);

/* Ring both doorbells: whether the last driver did is not known. */
void net_kick(void);

/* Ask for one interrupt, by the frame that comes after so many others. */
void net_arm(unsigned int ahead);

/* Whether the frame that was asked for has landed. */
bool net_due(void);

/* Frames sent back that the device has not taken yet. */
unsigned int net_unsent(void);

/* Route the receive queue's interrupt to no vector, or as it was. Control. */
void net_mute(bool mute);

#endif /* VIRTIO_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver whose controller receives numbered frames (nic.h) through kexecs
 * without a stop. What it has to remember lies in the memory that crosses, beside
 * the rings; nobody looks at these from stream_hand_over() to stream_resume().
 *
 * The functions exit with 1 when a call fails.
 */
#ifndef STREAM_H
#define STREAM_H

#include "ctx.h"
#include "dma.h"
#include "irqs.h"
#include "nic.h"

#define STREAM_TOKEN_MEMORY	1
#define STREAM_TOKEN_IOMMUFD	2
#define STREAM_TOKEN_DEVICE	3	/* of the first of several */

/* Controllers, and receive buffers of each. */
#define STREAM_NICS		2
#define STREAM_SLOTS_NR		16384
#define STREAM_WAIT_MS		120000
/* For an interrupt that was held back. */
#define STREAM_IRQ_WAIT_MS	20000

/* Where the buffers of the first controller are, those of the others behind. */
#define STREAM_SLOTS_LEN	(STREAM_SLOTS_NR * (uint64_t)DMA_SLOT_STRIDE)
#define STREAM_SLOTS_IOVA	0x7ffd3000ULL

/* A map that the controller does not use, another one for each kexec. */
#define STREAM_MORE_LEN		0x100000ULL
#define STREAM_MORE_IOVA(nr)	(0x100000000ULL + (nr) * 0x10000000ULL)

/**
 * struct stream_state - what the driver remembers
 * @magic: of this program
 * @kexecs: how many it has been through
 * @nics: how many controllers, all attached to one HWPT
 * @first: number of the first, of all of the machine
 * @files: of how many, from the first on, the device files are preserved
 * @nic: each, when it was last used
 * @want: what the iommufd should hold
 */
struct stream_state {
	uint64_t magic;
	uint64_t kexecs;
	uint32_t nics;
	uint32_t first;
	uint32_t files;
	struct nic nic[STREAM_NICS];
	struct want want;
};

/**
 * struct stream - the driver
 * @name: of its session
 * @mem: its memory
 * @state: the start of it
 * @ctx: its iommufd
 * @nic: its controllers
 * @slots: buffers of each
 * @session: the one it came back in, -1 when that is finished
 * @by_file: the caller's: the file of each device is always preserved
 * @msi: the caller's, before stream_start(): interrupts come by MSI, not by MSI-X
 * @irqs: what became of the interrupts of the last stream_go_on()
 */
struct stream {
	const char *name;
	struct memory mem;
	struct stream_state *state;
	struct ctx ctx;
	struct nic nic[STREAM_NICS];
	struct nic_slot *slots[STREAM_NICS];
	int session;
	bool by_file;
	bool msi;
	struct irqs irqs;
};

/**
 * stream_build() - memory, an iommufd and its maps, no device
 * @nics: how many controllers there will be
 */
void stream_build(struct stream *s, const char *name, uint32_t nics);

/**
 * stream_start() - bind, attach and start the controllers, with interrupts
 *
 * The first of the machine, unless @s->state->first says another.
 */
void stream_start(struct stream *s);

/** stream_take_memory() - the memory out of the session, after kexec @nr */
void stream_take_memory(struct stream *s, const char *name, unsigned int nr);

/** stream_take_memory_of() - the same, out of a session that somebody else retrieved */
void stream_take_memory_of(struct stream *s, int session, const char *name,
			   unsigned int nr);

/**
 * stream_take_here() - in the same kernel, from descriptors that outlived the driver
 * @mem, @iommufd, @dev: which become the driver's; @dev: one for each controller
 *
 * After stream_note() by the one before. stream_go_on() is next.
 */
void stream_take_here(struct stream *s, const char *name, int mem, int iommufd,
		      const int *dev);

/** stream_take_iommufd() - the iommufd, whose device is not bound */
void stream_take_iommufd(struct stream *s);

/**
 * stream_watched() - tell the host where the buffers are, after stream_start()
 *
 * It sees frames land from then on: they stay where they are through all kexecs.
 */
void stream_watched(const struct stream *s);

/** stream_landed() - how many frames are there that nobody has looked at, of all */
uint32_t stream_landed(const struct stream *s);

/**
 * stream_arriving() - how many frames arrive in @ms that nobody takes
 *
 * When there are none, no byte of the memory changes either.
 */
uint32_t stream_arriving(const struct stream *s, unsigned int ms);

/**
 * stream_resume() - take or bind the devices and go on with the controllers
 *
 * The files that were preserved come out of the session.
 */
void stream_resume(struct stream *s);

/**
 * stream_go_on() - the second half of it, with devices that are attached
 *
 * No interrupt that was raised meanwhile may be lost, none may come without a cause.
 */
void stream_go_on(struct stream *s);

/** stream_finish() - finish and close the session */
void stream_finish(struct stream *s);

/**
 * stream_stop() - close the devices and the iommufd
 *
 * The memory stays, for stream_again().
 */
void stream_stop(struct stream *s);

/** stream_maps() - a new iommufd with the maps that the controller uses */
void stream_maps(struct stream *s);

/** stream_more() - the map that stream_hand_over() made after @nr kexecs */
void stream_more(struct stream *s, unsigned int nr);

/** stream_again() - new maps, a new start of a controller that was stopped */
void stream_again(struct stream *s);

/** stream_receive() - take @frames more of each; none may be missing */
void stream_receive(struct stream *s, uint64_t frames);

/**
 * stream_hand_over() - other maps, then preserve memory and iommufd
 * @nr: kexecs so far
 *
 * Of several controllers the first one's file is preserved as well, and after an
 * odd number of kexecs, or with @s->by_file, each one's: then nobody but the
 * session has any of it.
 */
void stream_hand_over(struct stream *s, unsigned int nr);

/**
 * stream_preserve() - the same without its frames; the caller goes on
 *
 * Return: the session.
 */
int stream_preserve(struct stream *s, unsigned int nr);

/** stream_note() - before the driver ends without stream_hand_over() */
void stream_note(struct stream *s);

#endif /* STREAM_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbered frames: what the guest's network controller and the host's sender
 * say to each other.
 *
 * Every frame is at least 60 bytes: destination, source and type 0x88b5 as on
 * any Ethernet, then in little-endian order
 *
 *	offset	14	u16	kind, one of enum nic_kind
 *		16	u64	number
 *		24	u64	nonce
 *		32	...	filler, byte i of the frame is (number + i) mod 256
 *
 * The guest announces itself with a READY frame and a nonce of its own; from
 * then on the host numbers a frame some hundred times a second and puts that
 * nonce into it, whether or not anybody takes the frame. So a frame with the
 * guest's nonce was sent after the guest was ready, and what is lost shows as
 * a gap. A PROBE frame comes back as it was: with it the guest sees what the
 * device reads at an IOVA.
 */
#ifndef NIC_H
#define NIC_H

#include "igb.h"

#define NIC_TYPE_HI	0x88
#define NIC_TYPE_LO	0xb5
#define NIC_FRAME_MIN	64U

enum nic_kind {
	NIC_NUMBER = 1,
	NIC_READY = 2,
	NIC_PROBE = 3,
};

struct nic_frame {
	uint8_t dst[6];
	uint8_t src[6];
	uint8_t type[2];
	uint16_t kind;
	uint64_t number;
	uint64_t nonce;
	uint8_t filler[];
} __attribute__((packed));

/**
 * nic_frame_fill() - write a frame
 * @len: whole length in bytes, at least sizeof(struct nic_frame)
 */
void nic_frame_fill(void *frame, uint32_t len, enum nic_kind kind,
		    uint64_t number, uint64_t nonce);

/** nic_frame_sound() - is this one of our frames, down to its last byte? */
bool nic_frame_sound(const void *frame, uint32_t len);

/**
 * struct nic_slot - one receive buffer of CONTROLLER_BUF_LEN bytes
 * @iova: where the device finds it
 * @va: where this program finds it
 */
struct nic_slot {
	uint64_t iova;
	uint8_t *va;
};

#define NIC_TX_NR	8U

/** NIC_RING_LEN() - bytes that nic_start() needs for @nr receive buffers */
#define NIC_RING_LEN(nr) \
	(((nr) + NIC_TX_NR) * sizeof(struct controller_desc) + NIC_FRAME_MIN)

/**
 * struct nic - a running controller
 * @model: of which make it is
 * @hw: the controller
 * @slots: its receive buffers, the caller's
 * @nonce: this start's nonce
 * @last: number of the newest frame
 * @first: number of the first frame with @nonce
 * @frames: frames received with @nonce
 * @gaps: numbers missing between them
 * @stale: frames with the nonce of an earlier start
 * @foreign: frames that are none of ours
 */
struct nic {
	uint32_t model;
	struct controller hw;
	const struct nic_slot *slots;
	uint64_t nonce;
	uint64_t last;
	uint64_t first;
	uint64_t frames;
	uint64_t gaps;
	uint64_t stale;
	uint64_t foreign;
	/* private */
	uint8_t *ready_va;
	uint64_t ready_iova;
	uint8_t probe[NIC_FRAME_MIN];
	bool probe_wait;
};

/**
 * nic_find() - the address of the @nth controller of any model, as of pci_find()
 */
int nic_find(unsigned int nth, char bdf[PCI_BDF_LEN]);

/**
 * nic_start() - reset the controller, bring it up and shake hands
 * @dev: bound and attached vfio device
 * @ring_va: NIC_RING_LEN(@nr) bytes, 128-byte aligned, mapped read-write
 * @ring_iova: where the device finds them
 * @slots: @nr receive buffers, mapped writable; used until nic_stop()
 * @nr: a multiple of 8
 *
 * Returns once a frame with the new nonce has arrived.
 *
 * Return: 0, or -ETIMEDOUT when there is no link or no such frame.
 */
int nic_start(struct nic *nic, int dev, void *ring_va, uint64_t ring_iova,
	      const struct nic_slot *slots, uint32_t nr);

/**
 * nic_adopt() - know a controller again that never stopped
 * @nic: a copy of what it was when nobody used it any more
 * @ring_va: of nic_start(), where the ring is now
 * @slots: of nic_start(), as they are now
 *
 * Only nic_landed() may be used before nic_resume().
 */
void nic_adopt(struct nic *nic, void *ring_va, const struct nic_slot *slots);

/** nic_landed() - how many frames are there that nobody has looked at */
uint32_t nic_landed(const struct nic *nic);

/** nic_resume() - use a controller that nic_adopt() knows, on its new @dev */
int nic_resume(struct nic *nic, int dev);

/** nic_irq_resume() - the same for its interrupt, which it is set up for */
int nic_irq_resume(struct nic *nic);

/** nic_irq_pending() - is it held back? 0, 1 or a negative errno */
int nic_irq_pending(const struct nic *nic);

/** nic_irq_hold() - as of struct controller_ops */
void nic_irq_hold(struct nic *nic, bool hold);

/** nic_rx_enable() - as of struct controller_ops */
void nic_rx_enable(struct nic *nic, bool on);

/** nic_let_go() - forget a controller and leave it as it is */
void nic_let_go(struct nic *nic);

/**
 * nic_receive() - receive until @frames more numbered frames have come
 *
 * Numbers must rise, fillers must be right, and the bytes must be where the
 * device was told to put them.
 *
 * Return: 0, -ETIMEDOUT, or -EBADMSG after a line that says what was wrong.
 */
int nic_receive(struct nic *nic, uint64_t frames, unsigned int timeout_ms);

/**
 * nic_probe() - compare what the device reads with what is expected
 * @iova: NIC_FRAME_MIN bytes, mapped readable, that are a PROBE frame
 * @expect: the frame that should be there
 *
 * Return: 0 when the same bytes came back; -EBADMSG when others did, which are
 * then in @nic->probe; -ETIMEDOUT.
 */
int nic_probe(struct nic *nic, uint64_t iova, const void *expect);

/**
 * nic_interrupts() - receive until the interrupt was signalled @count times
 *
 * Switches it on if it is off.
 *
 * Return: 0, -ETIMEDOUT, or another error of nic_receive().
 */
int nic_interrupts(struct nic *nic, unsigned int count,
		   unsigned int timeout_ms);

/**
 * nic_silence() - show that frames come by DMA and by nothing else
 *
 * Ends bus mastering while the host goes on sending. The rings are of no use
 * afterwards: only nic_stop() may follow.
 *
 * Return: 0 when nothing arrived for @ms, -EBADMSG when something did.
 */
int nic_silence(struct nic *nic, unsigned int ms);

/** nic_stop() - quiesce the device: no queue, no interrupt, no bus master */
int nic_stop(struct nic *nic);

#endif /* NIC_H */

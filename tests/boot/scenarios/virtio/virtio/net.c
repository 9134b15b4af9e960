// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * Two split virtqueues (virtio 1.2, 2.7): frames come in by one, go back by the
 * other.
 *
 * The jump stops the driver between any two instructions, so what it has done
 * is one number that one store changes: the index of the receive queue's
 * available ring. A frame is taken when its buffer is given to the device
 * again. All that is done before that store (log, frame that goes back) is
 * done at a place that follows from the frame's position, so that doing it
 * again changes nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>

#include "virtio.h"

enum { RX, TX };

#define RX_SIZE		1024U
#define TX_SIZE		256U
#define RX_BUFFER	2048U
#define TX_BUFFER	256U

/*
 * No element of a used ring in two pages: QEMU 10.0 does not translate again
 * for the second half, and writes it behind the first in physical memory.
 */
#define USED_SKEW	4

#define RX_DESC		RINGS_OFF
#define RX_AVAIL	(RX_DESC + 4 * PAGE)
#define RX_USED		(RX_AVAIL + PAGE + USED_SKEW)
#define TX_DESC		(RX_AVAIL + 4 * PAGE)
#define TX_AVAIL	(TX_DESC + PAGE)
#define TX_USED		(TX_AVAIL + PAGE + USED_SKEW)
#define RX_BUFFERS	BUFFERS_OFF
#define TX_BUFFERS	(RX_BUFFERS + RX_SIZE * RX_BUFFER)

#define FRAME_MAGIC	0x6f697672U
#define FEATURES	(1ULL << VIRTIO_F_VERSION_1 | \
			 1ULL << VIRTIO_F_ACCESS_PLATFORM | \
			 1ULL << VIRTIO_RING_F_EVENT_IDX)

/* What host and driver send each other behind virtio's own header */
struct frame {
	struct virtio_net_hdr_v1 hdr;
	uint8_t dst[6], src[6];
	uint8_t type[2];
	uint32_t magic;
	uint32_t rate;
	uint32_t number;
	uint8_t fill[32];
} __attribute__((packed));

/* ---- rings, as they are in memory --------------------------------------- */

static volatile struct vring_avail *avail(int queue)
{
	return at(queue == RX ? RX_AVAIL : TX_AVAIL);
}

static volatile struct vring_used *used(int queue)
{
	return at(queue == RX ? RX_USED : TX_USED);
}

/* The driver asks for an interrupt behind the available ring, */
static volatile uint16_t *used_event(int queue)
{
	return &avail(queue)->ring[queue == RX ? RX_SIZE : TX_SIZE];
}

/* and the device for a doorbell behind the used ring. */
static uint16_t avail_event(int queue)
{
	unsigned int size = queue == RX ? RX_SIZE : TX_SIZE;

	return *(volatile __virtio16 *)((char *)used(queue) +
		offsetof(struct vring_used, ring[size]));
}

static struct frame *tx_frame(unsigned int slot)
{
	return at(TX_BUFFERS + (uint64_t)slot * TX_BUFFER);
}

static void barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- set-up ------------------------------------------------------------- */

static void rings_init(void)
{
	struct vring_desc *rx = at(RX_DESC), *tx = at(TX_DESC);
	unsigned int i;

	memset(at(RINGS_OFF), 0, RINGS_LEN);
	for (i = 0; i < RX_SIZE; i++) {
		rx[i].addr = IOVA(RX_BUFFERS + i * RX_BUFFER);
		rx[i].len = RX_BUFFER;
		rx[i].flags = VRING_DESC_F_WRITE;
		avail(RX)->ring[i] = i;
	}
	for (i = 0; i < TX_SIZE; i++) {
		tx[i].addr = IOVA(TX_BUFFERS + i * TX_BUFFER);
		tx[i].len = sizeof(struct frame);
	}
	avail(RX)->idx = RX_SIZE;
}

static void put64(volatile uint32_t *lo, uint64_t value)
{
	lo[0] = value;
	lo[1] = value >> 32;
}

static void queue_init(int queue, uint16_t size, uint16_t vector)
{
	static const uint64_t desc[] = { RX_DESC, TX_DESC };
	static const uint64_t driver[] = { RX_AVAIL, TX_AVAIL };
	static const uint64_t dev[] = { RX_USED, TX_USED };

	common->queue_select = queue;
	if (common->queue_size < size)
		fail("queue too small", ENOSPC);
	common->queue_size = size;
	common->queue_msix_vector = vector;
	if (common->queue_msix_vector != vector)
		fail("no such vector", EIO);
	put64(&common->queue_desc_lo, IOVA(desc[queue]));
	put64(&common->queue_avail_lo, IOVA(driver[queue]));
	put64(&common->queue_used_lo, IOVA(dev[queue]));
	common->queue_enable = 1;
}

static void features(void)
{
	uint64_t offered;

	common->device_feature_select = 0;
	offered = common->device_feature;
	common->device_feature_select = 1;
	offered |= (uint64_t)common->device_feature << 32;
	if ((offered & FEATURES) != FEATURES)
		fail("a feature is not offered", EOPNOTSUPP);
	common->guest_feature_select = 0;
	common->guest_feature = (uint32_t)FEATURES;
	common->guest_feature_select = 1;
	common->guest_feature = FEATURES >> 32;
	common->device_status |= VIRTIO_CONFIG_S_FEATURES_OK;
	if (!(common->device_status & VIRTIO_CONFIG_S_FEATURES_OK))
		fail("features are refused", EOPNOTSUPP);
}

void net_setup(uint64_t position)
{
	common->device_status = 0;
	while (common->device_status)
		usleep(1000);
	rings_init();
	state->done = 0;
	state->log_base = position;
	state->echo_base = position;
	common->device_status = VIRTIO_CONFIG_S_ACKNOWLEDGE;
	common->device_status |= VIRTIO_CONFIG_S_DRIVER;
	features();
	common->msix_config = CONFIG_VECTOR;
	queue_init(RX, RX_SIZE, RX_VECTOR);
	queue_init(TX, TX_SIZE, VIRTIO_MSI_NO_VECTOR);
	common->device_status |= VIRTIO_CONFIG_S_DRIVER_OK;
}

void net_mute(bool mute)
{
	common->queue_select = RX;
	common->queue_msix_vector = mute ? VIRTIO_MSI_NO_VECTOR : RX_VECTOR;
}

/* ---- where the driver is ------------------------------------------------ */

/* The noted count is off by one at most; the ring has its lower 16 bits. */
void net_resume(void)
{
	uint16_t done = avail(RX)->idx - RX_SIZE;

	state->done += (int16_t)(done - (uint16_t)state->done);
}

void net_forget(unsigned int frames)
{
	state->done -= frames;
	state->log_base += frames;
	avail(RX)->idx -= frames;
}

uint64_t net_position(void)
{
	return state->log_base + state->done;
}

unsigned int net_landed(void)
{
	return (uint16_t)(used(RX)->idx - (uint16_t)state->done);
}

unsigned int net_unsent(void)
{
	return (uint16_t)(avail(TX)->idx - used(TX)->idx);
}

/* ---- frames ------------------------------------------------------------- */

static uint32_t frame_read(unsigned int slot)
{
	uint32_t buffer = used(RX)->ring[slot].id;
	uint32_t len = used(RX)->ring[slot].len;
	struct frame *f;

	if (buffer >= RX_SIZE || len < sizeof(*f)) {
		printf("virtio: slot %u has buffer %u of %u bytes\n", slot,
		       buffer, len);
		fail("the device used no buffer of this driver", EPROTO);
	}
	f = at(RX_BUFFERS + (uint64_t)buffer * RX_BUFFER);
	if (f->magic != FRAME_MAGIC)
		fail("a frame that the host has not sent", EPROTO);
	state->rate = f->rate;
	return f->number;
}

uint32_t net_newest(void)
{
	unsigned int slot = (uint16_t)(used(RX)->idx - 1) % RX_SIZE;

	return frame_read(slot);
}

/* Send the number of a position back, once. Return whether there was room. */
static bool echo(uint64_t position, uint32_t number)
{
	uint16_t index = position - state->echo_base;
	struct frame *f = tx_frame(index % TX_SIZE);

	if (avail(TX)->idx == (uint16_t)(index + 1))
		return true;	/* before the jump */
	if (net_unsent() == TX_SIZE)
		return false;
	memset(f, 0, sizeof(*f));
	memset(f->dst, 0xff, sizeof(f->dst));
	f->src[0] = 2;
	f->type[0] = 0x88;	/* for local experiments */
	f->type[1] = 0xb5;
	f->magic = FRAME_MAGIC;
	f->number = number;
	avail(TX)->ring[index % TX_SIZE] = index % TX_SIZE;
	barrier();
	avail(TX)->idx = index + 1;
	return true;
}

/* One frame. All but the last store is the same when it is done again. */
static bool take(void)
{
	uint64_t position = net_position();
	unsigned int slot = state->done % RX_SIZE;
	uint32_t *log = at(LOG_OFF), number;
	uint32_t buffer;

	number = frame_read(slot);
	buffer = used(RX)->ring[slot].id;
	if (position >= LOG_ENTRIES)
		fail("the log is full", ENOSPC);
	log[position] = number;
	if (!echo(position, number))
		return false;
	avail(RX)->ring[slot] = buffer;
	barrier();
	avail(RX)->idx = state->done + 1 + RX_SIZE;
	state->done++;
	return true;
}

static void doorbell(int queue, uint16_t before)
{
	uint16_t now = avail(queue)->idx;

	barrier();
	if (common && now != before &&
	    vring_need_event(avail_event(queue), now, before))
		device_notify(queue);
}

void net_service(void)
{
	uint16_t rx = avail(RX)->idx, tx = avail(TX)->idx;

	while (net_landed()) {
		barrier();	/* the index before what it speaks of */
		if (!take())
			break;
	}
	doorbell(TX, tx);
	doorbell(RX, rx);
}

void net_kick(void)
{
	barrier();
	device_notify(TX);
	device_notify(RX);
}

/* ---- interrupts --------------------------------------------------------- */

void net_arm(unsigned int ahead)
{
	*used_event(RX) = used(RX)->idx + ahead;
	barrier();
}

bool net_due(void)
{
	return (int16_t)(used(RX)->idx - *used_event(RX)) > 0;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "nic.h"

#define LINK_WAIT_MS	60000
#define READY_WAIT_MS	60000
#define READY_EVERY_MS	100
#define PROBE_WAIT_MS	300
#define PROBE_TRIES	20
#define PROBE_WRONG	3
/* What a buffer holds before the device has written to it. */
#define POISON		0xa5

void nic_frame_fill(void *frame, uint32_t len, enum nic_kind kind,
		    uint64_t number, uint64_t nonce)
{
	struct nic_frame *f = frame;
	uint32_t i;

	memset(f->dst, 0xff, sizeof(f->dst));
	memcpy(f->src, "\x02iho\0\1", sizeof(f->src));
	f->type[0] = NIC_TYPE_HI;
	f->type[1] = NIC_TYPE_LO;
	f->kind = htole16(kind);
	f->number = htole64(number);
	f->nonce = htole64(nonce);
	for (i = sizeof(*f); i < len; i++)
		((uint8_t *)frame)[i] = number + i;
}

bool nic_frame_sound(const void *frame, uint32_t len)
{
	const struct nic_frame *f = frame;
	uint64_t number;
	uint32_t i;

	if (len < sizeof(*f) || f->type[0] != NIC_TYPE_HI ||
	    f->type[1] != NIC_TYPE_LO)
		return false;
	number = le64toh(f->number);
	for (i = sizeof(*f); i < len; i++) {
		if (((const uint8_t *)frame)[i] != (uint8_t)(number + i))
			return false;
	}
	return true;
}

/* The last number stays: the host, which looks at it, sees when it is another one. */
static void post(struct nic *nic, uint32_t index)
{
	memset(nic->slots[index].va, POISON, offsetof(struct nic_frame, number));
	igb_rx_post(&nic->igb, index, nic->slots[index].iova);
}

static int take_number(struct nic *nic, const struct nic_frame *frame)
{
	uint64_t number = le64toh(frame->number);

	if (le64toh(frame->nonce) != nic->nonce) {
		nic->stale++;
		return 0;
	}
	if (number <= nic->last && nic->frames) {
		say("frame %llu came after frame %llu",
		    (unsigned long long)number, (unsigned long long)nic->last);
		return -EBADMSG;
	}
	if (nic->frames)
		nic->gaps += number - nic->last - 1;
	else
		nic->first = number;
	nic->last = number;
	nic->frames++;
	return 0;
}

/* All but the descriptor before the next one are the controller's. */
static void submit(struct nic *nic)
{
	const struct igb_queue *rx = &nic->igb.rx;

	igb_rx_submit(&nic->igb, (rx->next + rx->nr - 1) % rx->nr);
}

/* Handles everything that has arrived. Return: how much, or an error. */
static int drain(struct nic *nic)
{
	uint32_t index, len;
	int err = 0, done = 0;

	while (!err && igb_rx_done(&nic->igb, &index, &len)) {
		const struct nic_frame *frame = (void *)nic->slots[index].va;

		if (len < sizeof(*frame) || len > IGB_BUF_LEN) {
			nic->foreign++;
		} else if (frame->type[0] != NIC_TYPE_HI ||
			   frame->type[1] != NIC_TYPE_LO) {
			if (frame->dst[0] == POISON &&
			    frame->type[0] == POISON) {
				say("descriptor %u is done, its buffer at IOVA 0x%llx untouched",
				    index,
				    (unsigned long long)nic->slots[index].iova);
				err = -EBADMSG;
			}
			nic->foreign++;
		} else if (le16toh(frame->kind) == NIC_PROBE) {
			memcpy(nic->probe, frame, sizeof(nic->probe));
			nic->probe_wait = false;
		} else if (!nic_frame_sound(frame, len)) {
			say("frame %llu is damaged",
			    (unsigned long long)le64toh(frame->number));
			err = -EBADMSG;
		} else if (le16toh(frame->kind) == NIC_NUMBER) {
			err = take_number(nic, frame);
		}
		post(nic, index);
		done++;
	}
	if (done)
		submit(nic);
	return err ? err : done;
}

/* The same, and sleeps for a moment when there was nothing. */
static int drain_or_sleep(struct nic *nic)
{
	int ret = drain(nic);

	if (!ret)
		sleep_ms(1);
	return ret < 0 ? ret : 0;
}

int nic_start(struct nic *nic, int dev, void *ring_va, uint64_t ring_iova,
	      const struct nic_slot *slots, uint32_t nr)
{
	size_t rx_len = nr * sizeof(struct igb_desc);
	size_t tx_len = NIC_TX_NR * sizeof(struct igb_desc);
	uint64_t end, next = 0;
	uint32_t i;
	int err;

	memset(nic, 0, sizeof(*nic));
	nic->slots = slots;
	if (getrandom(&nic->nonce, sizeof(nic->nonce), 0) !=
	    sizeof(nic->nonce))
		return -EIO;

	err = igb_open(&nic->igb, dev);
	if (err)
		return err;
	err = igb_link_up(&nic->igb, LINK_WAIT_MS);
	if (err)
		goto err_close;

	memset(ring_va, 0, NIC_RING_LEN(nr));
	nic->igb.rx = (struct igb_queue) {
		.ring = ring_va,
		.iova = ring_iova,
		.nr = nr,
	};
	nic->igb.tx = (struct igb_queue) {
		.ring = (void *)((uint8_t *)ring_va + rx_len),
		.iova = ring_iova + rx_len,
		.nr = NIC_TX_NR,
	};
	nic->ready_va = (uint8_t *)ring_va + rx_len + tx_len;
	nic->ready_iova = ring_iova + rx_len + tx_len;
	nic_frame_fill(nic->ready_va, NIC_FRAME_MIN, NIC_READY, 0, nic->nonce);

	for (i = 0; i < nr; i++)
		post(nic, i);
	err = igb_start(&nic->igb);
	if (err)
		goto err_close;
	igb_rx_submit(&nic->igb, nr - 1);

	end = now_ms() + READY_WAIT_MS;
	while (!err && !nic->frames) {
		if (now_ms() > end) {
			err = -ETIMEDOUT;
		} else if (now_ms() >= next) {
			err = igb_tx(&nic->igb, nic->ready_iova, NIC_FRAME_MIN);
			next = now_ms() + READY_EVERY_MS;
		}
		if (!err)
			err = drain_or_sleep(nic);
	}
	if (!err)
		return 0;
err_close:
	igb_close(&nic->igb);
	return err;
}

void nic_adopt(struct nic *nic, void *ring_va, const struct nic_slot *slots)
{
	size_t rx_len = nic->igb.rx.nr * sizeof(struct igb_desc);
	size_t tx_len = NIC_TX_NR * sizeof(struct igb_desc);

	nic->slots = slots;
	nic->igb.rx.ring = ring_va;
	nic->igb.tx.ring = (void *)((uint8_t *)ring_va + rx_len);
	nic->ready_va = (uint8_t *)ring_va + rx_len + tx_len;
	nic->igb.irq = -1;
}

uint32_t nic_landed(const struct nic *nic)
{
	struct igb look = nic->igb;
	uint32_t index, len, nr = 0;

	while (nr < look.rx.nr && igb_rx_done(&look, &index, &len))
		nr++;
	return nr;
}

int nic_resume(struct nic *nic, int dev)
{
	return igb_resume(&nic->igb, dev);
}

int nic_receive(struct nic *nic, uint64_t frames, unsigned int timeout_ms)
{
	uint64_t until = nic->frames + frames;
	uint64_t end = now_ms() + timeout_ms;
	int err = 0;

	while (!err && nic->frames < until) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		err = drain_or_sleep(nic);
	}
	return err;
}

int nic_probe(struct nic *nic, uint64_t iova, const void *expect)
{
	int tries, wrong = 0, err;

	for (tries = 0; tries < PROBE_TRIES; tries++) {
		uint64_t end = now_ms() + PROBE_WAIT_MS;

		nic->probe_wait = true;
		err = igb_tx(&nic->igb, iova, NIC_FRAME_MIN);
		while (err >= 0 && nic->probe_wait && now_ms() < end)
			err = drain(nic);
		if (err < 0)
			return err;
		if (nic->probe_wait) {
			/*
			 * QEMU 10.0.2 has once stopped to receive under load,
			 * with all descriptors posted; it looks again when the
			 * tail is written.
			 */
			submit(nic);
			continue;
		}
		if (!memcmp(nic->probe, expect, NIC_FRAME_MIN))
			return 0;
		/* The late answer to an earlier probe must not decide. */
		if (++wrong == PROBE_WRONG)
			return -EBADMSG;
	}
	return -ETIMEDOUT;
}

int nic_interrupts(struct nic *nic, unsigned int count,
		   unsigned int timeout_ms)
{
	uint64_t end = now_ms() + timeout_ms;
	uint64_t signalled = 0, sum = 0;
	int err = 0;

	if (nic->igb.irq < 0)
		err = igb_irq_on(&nic->igb);
	while (!err && sum < count) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		err = drain_or_sleep(nic);
		if (read(nic->igb.irq, &signalled, sizeof(signalled)) ==
		    sizeof(signalled))
			sum += signalled;
	}
	return err;
}

int nic_silence(struct nic *nic, unsigned int ms)
{
	uint64_t end = now_ms() + ms;
	uint32_t index, len;
	int err;

	err = vfio_bus_master(nic->igb.dev, false);
	/* What was under way has landed once the register has been read. */
	if (!err)
		err = drain(nic);
	while (err >= 0 && now_ms() < end) {
		if (igb_rx_done(&nic->igb, &index, &len))
			return -EBADMSG;
		sleep_ms(1);
	}
	return err < 0 ? err : 0;
}

int nic_stop(struct nic *nic)
{
	int err = igb_stop(&nic->igb);

	vfio_unmap(&nic->igb.bar);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "e1000e.h"
#include "igb.h"
#include "nic.h"

#define LINK_WAIT_MS	60000
#define READY_WAIT_MS	60000
#define READY_EVERY_MS	100
#define PROBE_WAIT_MS	300
#define PROBE_TRIES	20
#define PROBE_WRONG	3
#define FIND_MAX	8
/* What a buffer holds before the device has written to it. */
#define POISON		0xa5

/* Struct nic crosses a kexec: it has the index, no address. */
static const struct controller_ops *const models[] = {
	&igb_ops,
	&e1000e_ops,
};

static const struct controller_ops *ops(const struct nic *nic)
{
	return models[nic->model];
}

static int know_model(struct nic *nic, int dev)
{
	uint16_t vendor, device;
	int err;

	err = vfio_config_read(dev, PCI_VENDOR_ID, &vendor, sizeof(vendor));
	if (!err)
		err = vfio_config_read(dev, PCI_DEVICE_ID, &device,
				       sizeof(device));
	if (err)
		return err;
	for (nic->model = 0; nic->model < ARRAY_SIZE(models); nic->model++)
		if (ops(nic)->vendor == le16toh(vendor) &&
		    ops(nic)->device == le16toh(device))
			return 0;
	return -ENODEV;
}

static int by_address(const void *a, const void *b)
{
	return strcmp(a, b);
}

int nic_find(unsigned int nth, char bdf[PCI_BDF_LEN])
{
	char found[FIND_MAX][PCI_BDF_LEN];
	unsigned int i, k, nr = 0;

	for (i = 0; i < ARRAY_SIZE(models); i++)
		for (k = 0; nr < FIND_MAX &&
			    !pci_find(models[i]->vendor, models[i]->device, k,
				      found[nr]); k++)
			nr++;
	if (nth >= nr)
		return -ENODEV;
	qsort(found, nr, sizeof(found[0]), by_address);
	memcpy(bdf, found[nth], PCI_BDF_LEN);
	return 0;
}

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
	controller_rx_post(&nic->hw, index, nic->slots[index].iova);
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
	const struct controller_queue *rx = &nic->hw.rx;

	ops(nic)->rx_submit(&nic->hw, (rx->next + rx->nr - 1) % rx->nr);
}

/* Handles everything that has arrived. Return: how much, or an error. */
static int drain(struct nic *nic)
{
	uint32_t index, len;
	int err = 0, done = 0;

	while (!err && ops(nic)->rx_done(&nic->hw, &index, &len)) {
		const struct nic_frame *frame = (void *)nic->slots[index].va;

		if (len < sizeof(*frame) || len > CONTROLLER_BUF_LEN) {
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
	size_t rx_len = nr * sizeof(struct controller_desc);
	size_t tx_len = NIC_TX_NR * sizeof(struct controller_desc);
	uint64_t end, next = 0;
	uint32_t i;
	int err;

	memset(nic, 0, sizeof(*nic));
	nic->slots = slots;
	if (getrandom(&nic->nonce, sizeof(nic->nonce), 0) !=
	    sizeof(nic->nonce))
		return -EIO;

	err = know_model(nic, dev);
	if (!err)
		err = ops(nic)->open(&nic->hw, dev);
	if (err)
		return err;
	err = controller_link_up(&nic->hw, LINK_WAIT_MS);
	if (err)
		goto err_close;

	memset(ring_va, 0, NIC_RING_LEN(nr));
	nic->hw.rx = (struct controller_queue) {
		.ring = ring_va,
		.iova = ring_iova,
		.nr = nr,
	};
	nic->hw.tx = (struct controller_queue) {
		.ring = (void *)((uint8_t *)ring_va + rx_len),
		.iova = ring_iova + rx_len,
		.nr = NIC_TX_NR,
	};
	nic->ready_va = (uint8_t *)ring_va + rx_len + tx_len;
	nic->ready_iova = ring_iova + rx_len + tx_len;
	nic_frame_fill(nic->ready_va, NIC_FRAME_MIN, NIC_READY, 0, nic->nonce);

	for (i = 0; i < nr; i++)
		post(nic, i);
	err = ops(nic)->start(&nic->hw);
	if (err)
		goto err_close;
	ops(nic)->rx_submit(&nic->hw, nr - 1);

	end = now_ms() + READY_WAIT_MS;
	while (!err && !nic->frames) {
		if (now_ms() > end) {
			err = -ETIMEDOUT;
		} else if (now_ms() >= next) {
			err = ops(nic)->tx(&nic->hw, nic->ready_iova,
					   NIC_FRAME_MIN);
			next = now_ms() + READY_EVERY_MS;
		}
		if (!err)
			err = drain_or_sleep(nic);
	}
	if (!err)
		return 0;
err_close:
	nic_stop(nic);
	return err;
}

void nic_adopt(struct nic *nic, void *ring_va, const struct nic_slot *slots)
{
	size_t rx_len = nic->hw.rx.nr * sizeof(struct controller_desc);
	size_t tx_len = NIC_TX_NR * sizeof(struct controller_desc);

	nic->slots = slots;
	nic->hw.rx.ring = ring_va;
	nic->hw.tx.ring = (void *)((uint8_t *)ring_va + rx_len);
	nic->ready_va = (uint8_t *)ring_va + rx_len + tx_len;
	nic->hw.irq = -1;
}

uint32_t nic_landed(const struct nic *nic)
{
	struct controller look = nic->hw;
	uint32_t index, len, nr = 0;

	while (nr < look.rx.nr && ops(nic)->rx_done(&look, &index, &len))
		nr++;
	return nr;
}

int nic_resume(struct nic *nic, int dev)
{
	return controller_resume(&nic->hw, dev);
}

int nic_irq_resume(struct nic *nic)
{
	return controller_irq(&nic->hw);
}

int nic_irq_pending(const struct nic *nic)
{
	return nic->hw.msi ? vfio_msi_pending(nic->hw.dev, 0) :
			     vfio_msix_pending(nic->hw.dev, 0);
}

void nic_irq_hold(struct nic *nic, bool hold)
{
	ops(nic)->irq_hold(&nic->hw, hold);
}

void nic_rx_enable(struct nic *nic, bool on)
{
	ops(nic)->rx_enable(&nic->hw, on);
}

void nic_let_go(struct nic *nic)
{
	vfio_unmap(&nic->hw.bar);
	close(nic->hw.irq);
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
		err = ops(nic)->tx(&nic->hw, iova, NIC_FRAME_MIN);
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

	if (nic->hw.irq < 0) {
		err = controller_irq(&nic->hw);
		if (!err)
			ops(nic)->irq_on(&nic->hw);
	} else if (ops(nic)->irq_next) {
		/* The last signal may have gone to somebody else. */
		ops(nic)->irq_next(&nic->hw);
	}
	while (!err && sum < count) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		err = drain_or_sleep(nic);
		if (read(nic->hw.irq, &signalled, sizeof(signalled)) !=
		    sizeof(signalled))
			continue;
		sum += signalled;
		if (ops(nic)->irq_next)
			ops(nic)->irq_next(&nic->hw);
	}
	return err;
}

int nic_silence(struct nic *nic, unsigned int ms)
{
	uint64_t end = now_ms() + ms;
	uint32_t index, len;
	int err;

	err = vfio_bus_master(nic->hw.dev, false);
	/* What was under way has landed once the register has been read. */
	if (!err)
		err = drain(nic);
	while (err >= 0 && now_ms() < end) {
		if (ops(nic)->rx_done(&nic->hw, &index, &len))
			return -EBADMSG;
		sleep_ms(1);
	}
	return err < 0 ? err : 0;
}

int nic_stop(struct nic *nic)
{
	int err = ops(nic)->stop(&nic->hw);

	vfio_unmap(&nic->hw.bar);
	return err;
}

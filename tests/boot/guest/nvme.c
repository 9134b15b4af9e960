// SPDX-License-Identifier: GPL-2.0-only
/* After the NVM Express Base Specification 1.4; sections are of that. */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "nvme.h"

/* Registers, byte offsets in BAR 0 (3.1). */
#define CAP		0x00
#define  CAP_MQES(c)	((uint32_t)(c) & 0xffff)
#define  CAP_DSTRD(c)	((uint32_t)((c) >> 32) & 0xf)
#define  CAP_MPSMIN(c)	((uint32_t)((c) >> 48) & 0xf)
#define CC		0x14
#define  CC_EN		1U
#define  CC_IOSQES	(6U << 16)	/* entries of 2^6 bytes */
#define  CC_IOCQES	(4U << 20)
#define CSTS		0x1c
#define  CSTS_RDY	1U
#define  CSTS_CFS	2U
#define AQA		0x24
#define ASQ		0x28
#define ACQ		0x30
#define DOORBELLS	0x1000

/* Admin commands (5) */
#define CREATE_SQ	0x01
#define GET_LOG_PAGE	0x02
#define CREATE_CQ	0x05
#define IDENTIFY	0x06
#define SET_FEATURES	0x09
#define ASYNC_EVENT	0x0c

#define FEATURE_TEMPERATURE	0x04
#define FEATURE_QUEUES		0x07
#define FEATURE_EVENTS		0x0b

#define EVENT_TEMPERATURE	0x02U		/* of FEATURE_EVENTS */
#define EVENT_IS_TEMPERATURE	0x020101U	/* SMART, threshold, its log */
#define LOG_SMART		0x02U
#define LOG_SMART_DWORDS	128U
#define KELVIN_ALWAYS		1U		/* no controller is as cold */
#define KELVIN_NEVER		0xffffU		/* nor as hot */

/* Bits of FEATURES' and CREATE_*'s words */
#define CONTIGUOUS	1U
#define INTERRUPTS	2U

/* Identify Namespace (5.15.2.1) */
#define IDENTIFY_BLOCKS	0
#define IDENTIFY_FORMAT	26
#define IDENTIFY_LBAF	128

#define ADMIN_NR	32U
#define CQ_OFF		(NVME_SQ_MOST * sizeof(struct nvme_command))
#define CID_EVENT	0xfffeU
#define ANSWER_WAIT_MS	60000

_Static_assert(sizeof(struct nvme_command) == 64, "not what is fetched");
_Static_assert(sizeof(struct nvme_completion) == 16, "not what is posted");
_Static_assert(CQ_OFF + NVME_CQ_MOST * sizeof(struct nvme_completion) <=
	       NVME_PAIR_LEN, "the queues of a pair have grown");

static volatile uint32_t *reg(const struct nvme *nvme, uint32_t at)
{
	return (volatile uint32_t *)((char *)nvme->bar.va + at);
}

static uint32_t rd(const struct nvme *nvme, uint32_t at)
{
	return le32toh(*reg(nvme, at));
}

static void wr(const struct nvme *nvme, uint32_t at, uint32_t value)
{
	*reg(nvme, at) = htole32(value);
}

static uint64_t rd64(const struct nvme *nvme, uint32_t at)
{
	return rd(nvme, at) | (uint64_t)rd(nvme, at + 4) << 32;
}

static void wr64(const struct nvme *nvme, uint32_t at, uint64_t value)
{
	wr(nvme, at, value);
	wr(nvme, at + 4, value >> 32);
}

static uint64_t sq_iova(const struct nvme *nvme, uint32_t pair)
{
	return nvme->iova + pair * NVME_PAIR_LEN;
}

static uint64_t page_iova(const struct nvme *nvme)
{
	return sq_iova(nvme, NVME_PAIRS);
}

/* A value that is written twice is an error (Invalid Doorbell Write Value). */
static void doorbell(const struct nvme *nvme, uint32_t nr, uint32_t value)
{
	uint32_t stride = 4U << CAP_DSTRD(rd64(nvme, CAP));

	wr(nvme, DOORBELLS + nr * stride, value);
}

void nvme_tell(struct nvme *nvme, uint32_t pair)
{
	struct nvme_pair *p = &nvme->pair[pair];

	__sync_synchronize();
	if (p->sq_told != p->sq_tail)
		doorbell(nvme, 2 * pair, p->sq_tail);
	p->sq_told = p->sq_tail;
	if (p->cq_told != p->cq_head)
		doorbell(nvme, 2 * pair + 1, p->cq_head);
	p->cq_told = p->cq_head;
}

uint32_t nvme_room(const struct nvme *nvme, uint32_t pair)
{
	const struct nvme_pair *p = &nvme->pair[pair];

	/* A queue whose tail reaches its head would be empty. */
	return (p->sq_head + p->sq_nr - p->sq_tail - 1) % p->sq_nr;
}

void nvme_submit(struct nvme *nvme, uint32_t pair,
		 const struct nvme_command *command)
{
	struct nvme_pair *p = &nvme->pair[pair];

	memcpy((void *)&p->sq[p->sq_tail], command, sizeof(*command));
	p->sq_tail = (p->sq_tail + 1) % p->sq_nr;
}

static bool is_new(const struct nvme_pair *p, uint32_t head, uint32_t phase)
{
	return (le16toh(p->cq[head].status) & 1) == phase;
}

uint32_t nvme_landed(const struct nvme *nvme, uint32_t pair)
{
	const struct nvme_pair *p = &nvme->pair[pair];
	uint32_t head = p->cq_head, phase = p->phase, nr = 0;

	while (nr < p->cq_nr && is_new(p, head, phase)) {
		nr++;
		if (++head == p->cq_nr) {
			head = 0;
			phase ^= 1;
		}
	}
	return nr;
}

bool nvme_take(struct nvme *nvme, uint32_t pair, struct nvme_completion *out)
{
	struct nvme_pair *p = &nvme->pair[pair];

	if (!is_new(p, p->cq_head, p->phase))
		return false;
	__sync_synchronize();
	memcpy(out, (const void *)&p->cq[p->cq_head], sizeof(*out));
	p->sq_head = le16toh(out->sq_head) % p->sq_nr;
	if (++p->cq_head == p->cq_nr) {
		p->cq_head = 0;
		p->phase ^= 1;
	}
	return true;
}

static void ask_for_event(struct nvme *nvme)
{
	const struct nvme_command command = {
		.opcode = ASYNC_EVENT,
		.cid = htole16(CID_EVENT),
	};

	nvme_submit(nvme, NVME_ADMIN, &command);
	nvme_tell(nvme, NVME_ADMIN);
}

/* Takes one completion of the admin queue; an event is noted. */
static bool take_admin(struct nvme *nvme, struct nvme_completion *done)
{
	if (!nvme_take(nvme, NVME_ADMIN, done))
		return false;
	if (le16toh(done->cid) == CID_EVENT) {
		nvme->event = le32toh(done->result);
		nvme->events++;
	}
	return true;
}

static int admin(struct nvme *nvme, struct nvme_command *command)
{
	uint64_t end = now_ms() + ANSWER_WAIT_MS;
	struct nvme_completion done;

	nvme->last_cid = (nvme->last_cid + 1) % CID_EVENT;
	command->cid = htole16(nvme->last_cid);
	nvme_submit(nvme, NVME_ADMIN, command);
	do {
		nvme_tell(nvme, NVME_ADMIN);
		while (!take_admin(nvme, &done)) {
			if (now_ms() > end)
				return -ETIMEDOUT;
			sleep_ms(1);
		}
	} while (done.cid != command->cid);
	nvme_tell(nvme, NVME_ADMIN);
	if (!(le16toh(done.status) >> 1))
		return 0;
	say("admin command 0x%02x has failed: status 0x%x", command->opcode,
	    le16toh(done.status) >> 1);
	return -EIO;
}

static int set_feature(struct nvme *nvme, uint32_t feature, uint32_t value)
{
	struct nvme_command command = {
		.opcode = SET_FEATURES,
		.cdw10 = htole32(feature),
		.cdw11 = htole32(value),
	};

	return admin(nvme, &command);
}

/* The completion queue first; the submission queue names it. */
static int create_pair(struct nvme *nvme, uint32_t pair)
{
	const struct nvme_pair *p = &nvme->pair[pair];
	struct nvme_command command = {
		.opcode = CREATE_CQ,
		.prp1 = htole64(sq_iova(nvme, pair) + CQ_OFF),
		.cdw10 = htole32((p->cq_nr - 1) << 16 | pair),
		.cdw11 = htole32(pair << 16 | INTERRUPTS | CONTIGUOUS),
	};
	int err = admin(nvme, &command);

	if (err)
		return err;
	command = (struct nvme_command) {
		.opcode = CREATE_SQ,
		.prp1 = htole64(sq_iova(nvme, pair)),
		.cdw10 = htole32((p->sq_nr - 1) << 16 | pair),
		.cdw11 = htole32(pair << 16 | CONTIGUOUS),
	};
	return admin(nvme, &command);
}

static int identify(struct nvme *nvme)
{
	struct nvme_command command = {
		.opcode = IDENTIFY,
		.nsid = htole32(1),
		.prp1 = htole64(page_iova(nvme)),
	};
	const uint8_t *page = nvme->page;
	uint32_t format;
	uint64_t blocks;
	int err = admin(nvme, &command);

	if (err)
		return err;
	memcpy(&blocks, page + IDENTIFY_BLOCKS, sizeof(blocks));
	memcpy(&format, page + IDENTIFY_LBAF + 4 * (page[IDENTIFY_FORMAT] & 15),
	       sizeof(format));
	nvme->blocks = le64toh(blocks);
	nvme->block_lg2 = le32toh(format) >> 16 & 0xff;
	return 0;
}

static int wait_ready(const struct nvme *nvme, uint32_t ready)
{
	uint64_t end = now_ms() + ANSWER_WAIT_MS;

	while ((rd(nvme, CSTS) & CSTS_RDY) != ready) {
		if (rd(nvme, CSTS) & CSTS_CFS)
			return -EIO;
		if (now_ms() > end)
			return -ETIMEDOUT;
		sleep_ms(1);
	}
	return 0;
}

/* From the admin queue on (7.6.1). */
static int enable(struct nvme *nvme)
{
	uint64_t cap = rd64(nvme, CAP);
	uint32_t i;
	int err;

	if (CAP_MPSMIN(cap) || CAP_MQES(cap) + 1 < nvme->pair[1].cq_nr)
		return -ENXIO;
	wr(nvme, CC, 0);
	err = wait_ready(nvme, 0);
	if (err)
		return err;
	memset((void *)nvme->pair[0].sq, 0, NVME_QUEUES_LEN);
	/* A vector has to be there before a queue is made that uses it. */
	err = nvme_irq_on(nvme);
	if (err)
		return err;
	wr(nvme, AQA, (ADMIN_NR - 1) << 16 | (ADMIN_NR - 1));
	wr64(nvme, ASQ, sq_iova(nvme, NVME_ADMIN));
	wr64(nvme, ACQ, sq_iova(nvme, NVME_ADMIN) + CQ_OFF);
	wr(nvme, CC, CC_IOCQES | CC_IOSQES | CC_EN);
	err = wait_ready(nvme, CSTS_RDY);
	if (!err)
		err = set_feature(nvme, FEATURE_QUEUES,
				  (NVME_PAIRS - 2) << 16 | (NVME_PAIRS - 2));
	for (i = 1; !err && i < NVME_PAIRS; i++)
		err = create_pair(nvme, i);
	if (!err)
		err = identify(nvme);
	if (!err)
		err = set_feature(nvme, FEATURE_EVENTS, EVENT_TEMPERATURE);
	if (!err)
		ask_for_event(nvme);
	return err;
}

int nvme_start(struct nvme *nvme, int dev, void *va, uint64_t iova,
	       uint32_t sq_nr, uint32_t cq_nr)
{
	uint32_t i;
	int err;

	memset(nvme, 0, sizeof(*nvme));
	nvme->dev = dev;
	nvme->iova = iova;
	for (i = 0; i < NVME_PAIRS; i++) {
		nvme->pair[i].sq_nr = i == NVME_ADMIN ? ADMIN_NR : sq_nr;
		nvme->pair[i].cq_nr = i == NVME_ADMIN ? ADMIN_NR : cq_nr;
		nvme->pair[i].phase = 1;
	}
	nvme_adopt(nvme, va);
	err = vfio_bus_master(dev, true);
	if (err)
		return err;
	err = vfio_map(dev, VFIO_PCI_BAR0_REGION_INDEX, &nvme->bar);
	if (err)
		return err;
	err = enable(nvme);
	if (err)
		nvme_let_go(nvme);
	return err;
}

void nvme_adopt(struct nvme *nvme, void *va)
{
	uint32_t i;

	for (i = 0; i < NVME_PAIRS; i++) {
		uint8_t *queues = (uint8_t *)va + i * NVME_PAIR_LEN;

		nvme->pair[i].sq = (void *)queues;
		nvme->pair[i].cq = (void *)(queues + CQ_OFF);
		nvme->irq[i] = -1;
	}
	nvme->page = (uint8_t *)va + NVME_PAIRS * NVME_PAIR_LEN;
	nvme->bar.va = NULL;
}

int nvme_resume(struct nvme *nvme, int dev)
{
	int err = vfio_map(dev, VFIO_PCI_BAR0_REGION_INDEX, &nvme->bar);

	if (err)
		return err;
	nvme->dev = dev;
	if (rd(nvme, CC) == (CC_IOCQES | CC_IOSQES | CC_EN) &&
	    (rd(nvme, CSTS) & (CSTS_RDY | CSTS_CFS)) == CSTS_RDY &&
	    rd64(nvme, ASQ) == sq_iova(nvme, NVME_ADMIN))
		return 0;
	say("the controller is not as it was left: CC 0x%x, CSTS 0x%x",
	    rd(nvme, CC), rd(nvme, CSTS));
	return -EIO;
}

/* Where the bits are that say so is in the capability (PCI 3.0, 6.8.2). */
int nvme_pending(struct nvme *nvme)
{
	uint8_t at = 0, head[2];
	uint32_t pba;
	int err;

	err = vfio_config_read(nvme->dev, PCI_CAPABILITY_LIST, &at, 1);
	while (!err && at) {
		err = vfio_config_read(nvme->dev, at, head, sizeof(head));
		if (err || head[0] == PCI_CAP_ID_MSIX)
			break;
		at = head[1];
	}
	if (!err && !at)
		err = -ENXIO;
	if (!err)
		err = vfio_config_read(nvme->dev, at + PCI_MSIX_PBA, &pba, 4);
	if (err)
		return err;
	if (pba & PCI_MSIX_PBA_BIR)
		return -ENXIO;
	return rd(nvme, pba & PCI_MSIX_PBA_OFFSET) & ((1U << NVME_PAIRS) - 1);
}

int nvme_irq_on(struct nvme *nvme)
{
	int err = vfio_irq_connect(nvme->dev, VFIO_PCI_MSIX_IRQ_INDEX,
				   nvme->irq, NVME_PAIRS);
	uint32_t i;

	for (i = 0; err && i < NVME_PAIRS; i++)
		nvme->irq[i] = -1;
	return err;
}

uint64_t nvme_irq_taken(struct nvme *nvme, uint32_t pair)
{
	uint64_t nr = 0;

	if (read(nvme->irq[pair], &nr, sizeof(nr)) != sizeof(nr))
		return 0;
	return nr;
}

void nvme_let_go(struct nvme *nvme)
{
	uint32_t i;

	if (nvme->bar.va)
		vfio_unmap(&nvme->bar);
	nvme->bar.va = NULL;
	for (i = 0; i < NVME_PAIRS; i++) {
		if (nvme->irq[i] >= 0)
			close(nvme->irq[i]);
		nvme->irq[i] = -1;
	}
}

int nvme_provoke_event(struct nvme *nvme)
{
	struct nvme_command log = {
		.opcode = GET_LOG_PAGE,
		.nsid = htole32(~0U),
		.prp1 = htole64(page_iova(nvme)),
		.cdw10 = htole32((LOG_SMART_DWORDS - 1) << 16 | LOG_SMART),
	};
	uint64_t end = now_ms() + ANSWER_WAIT_MS;
	uint32_t events = nvme->events;
	struct nvme_completion done;
	int err;

	err = set_feature(nvme, FEATURE_TEMPERATURE, KELVIN_ALWAYS);
	while (!err && nvme->events == events) {
		if (!take_admin(nvme, &done))
			sleep_ms(1);
		if (now_ms() > end)
			err = -ETIMEDOUT;
	}
	if (!err)
		err = set_feature(nvme, FEATURE_TEMPERATURE, KELVIN_NEVER);
	/* Reading the log allows the next event of this type. */
	if (!err)
		err = admin(nvme, &log);
	if (err)
		return err;
	ask_for_event(nvme);
	return nvme->events == events + 1 &&
	       nvme->event == EVENT_IS_TEMPERATURE ? 0 : -EBADMSG;
}

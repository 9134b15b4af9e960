// SPDX-License-Identifier: GPL-2.0-only
/*
 * rings NUMBER - NUMBER is 0 before the first kexec
 *
 * A network controller that runs when the machine jumps. That its memory comes
 * back is not the point here, but that nothing is written to it until a driver
 * starts the controller anew: neither while the iommufd waits nor when it was
 * given up, after which the memory is anybody's.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "dma.h"

#define SESSION		"rings"
#define SLOTS_NR	256
#define SLOTS_LEN	(SLOTS_NR * (uint64_t)DMA_SLOT_STRIDE)
#define SLOTS_OFF	CARRY_STATE_LEN
#define SLOTS_IOVA	0x10000000ULL
#define RING_OFF	(SLOTS_OFF + SLOTS_LEN)
#define RING_LEN	0x2000ULL
#define RING_IOVA	0x20000000ULL

/* Five frames a second: see the host part. */
#define LOOK_MS		3000
#define FREE_LEAST	24	/* descriptors, at the first look after a jump */
#define ARRIVE_LEAST	3
#define FRAMES_WAIT_MS	60000

_Static_assert(NIC_RING_LEN(SLOTS_NR) <= RING_LEN, "the ring has grown");
_Static_assert(RING_OFF + RING_LEN <= CARRY_MEMORY_LEN, "too much memory");

static struct carry carry;
static struct ctx *const ctx = carry.ctx;
static struct nic_slot slots[SLOTS_NR];
static struct nic nic;

/* Descriptors that the device has not filled. */
static unsigned int descriptors_free(void)
{
	volatile struct controller_desc *ring =
		(void *)((uint8_t *)carry.mem.va + RING_OFF);
	unsigned int i, nr = 0;

	for (i = 0; i < SLOTS_NR; i++)
		nr += !(ring[i].hi & 1);
	return nr;
}

/* How many frames arrive while nobody takes any; any other byte is an error. */
static unsigned int look(const char *when)
{
	const uint8_t *memory = (uint8_t *)carry.mem.va + SLOTS_OFF;
	size_t len = SLOTS_LEN + RING_LEN;
	unsigned int before = descriptors_free(), arrived;
	uint64_t digest = digest64(memory, len);
	bool same;

	sleep_ms(LOOK_MS);
	arrived = before - descriptors_free();
	same = digest64(memory, len) == digest;
	say("%s: %u of %u descriptors free, %u frames arrive", when, before,
	    SLOTS_NR, arrived);
	check(same == !arrived, "%s: memory has changed with %u frames", when,
	      arrived);
	check(before >= FREE_LEAST, "%s: no room for frames", when);
	return arrived;
}

static bool masters(const char *bdf)
{
	char path[128];
	uint16_t word;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", bdf);
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	check(pread(fd, &word, sizeof(word), 4) == sizeof(word), "%s: %s",
	      path, strerror(errno));
	close(fd);
	return word & 4;
}

/* Takes frames until the machine jumps, so that there is room for more. */
static void *take_frames(void *arg)
{
	(void)arg;
	for (;;)
		must(nic_receive(&nic, 1, FRAMES_WAIT_MS));
	return NULL;
}

static void hand_over_running(void)
{
	uint32_t ioas = ctx_find_hwpt(ctx, ctx->want->dev[0].hwpt)->ioas;
	pthread_t thread;

	dma_slots(ctx, ioas, SLOTS_IOVA, slots, SLOTS_NR);
	must(nic_start(&nic, ctx->dev[0],
		       dma_va(ctx, ioas, RING_IOVA, RING_LEN), RING_IOVA,
		       slots, SLOTS_NR));
	must(nic_receive(&nic, 5, FRAMES_WAIT_MS));
	check(masters(ctx->want->dev[0].bdf), "the device is no bus master");
	check(look("running") >= ARRIVE_LEAST, "nothing arrives: no control");
	check(!pthread_create(&thread, NULL, take_frames, NULL), "no thread");
	carry_hand_over(&carry);
	background_ready();
}

static void build(void)
{
	uint32_t ioas;

	carry_create(&carry, SESSION);
	carry_open(&carry, 0, SESSION);
	ioas = ctx_ioas(ctx);
	ctx_map(ctx, ioas, 0, SLOTS_OFF, SLOTS_LEN, SLOTS_IOVA, IOVA_RW);
	ctx_map(ctx, ioas, 0, RING_OFF, RING_LEN, RING_IOVA, IOVA_RW);
	carry_nic(ctx, 0, ioas);
	ctx_settle(ctx);
}

static void want_silence(const char *when)
{
	check(!masters(ctx->want->dev[0].bdf), "%s: the device is bus master",
	      when);
	check(!look(when), "%s: the device writes to memory", when);
}

/* The VMM does not want its device back. */
static void give_up(void)
{
	static const char path[] =
		"/sys/kernel/iommu_handover/incoming/abandon";

	must_fail(EBUSY, luo_finish(carry.session));
	must(write_text(path, "1"));
	want_silence("abandoned");
	close(ctx->fd);
	carry_finish(&carry);
	want_silence("finished");
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);
	const char *last = getenv("HANDOVER_KEXECS");

	if (!nr) {
		build();
		hand_over_running();
	}
	/* Or nothing would ever be given up. */
	check(last, "HANDOVER_KEXECS is not set");
	carry_retrieve(&carry, SESSION, nr);
	want_silence("retrieved");
	if ((unsigned int)atoi(last) == nr) {
		give_up();
		background_ready();
	}
	carry_rebind(&carry);
	carry_finish(&carry);
	hand_over_running();
}

// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#define MAGIC		0x6d6165727473ULL

#define SLOTS_LEN	(STREAM_SLOTS_NR * (uint64_t)DMA_SLOT_STRIDE)
#define STATE_LEN	0x20000ULL
#define RING_OFF	STATE_LEN
#define RING_LEN	0x80000ULL
#define RING_IOVA	0x10000000ULL
#define SLOTS_OFF	(RING_OFF + RING_LEN)
#define SLOTS_IOVA	0x7ffd3000ULL
#define MORE_OFF	(SLOTS_OFF + SLOTS_LEN)
#define MEMORY_LEN	(MORE_OFF + STREAM_MORE_LEN)

_Static_assert(NIC_RING_LEN(STREAM_SLOTS_NR) <= RING_LEN, "the ring has grown");
_Static_assert(sizeof(struct stream_state) <= STATE_LEN, "the state has grown");

static void *ring_of(const struct stream *s)
{
	return (uint8_t *)s->mem.va + RING_OFF;
}

static void lay_slots(struct stream *s)
{
	uint32_t i;

	s->slots = calloc(STREAM_SLOTS_NR, sizeof(*s->slots));
	check(s->slots, "out of memory");
	for (i = 0; i < STREAM_SLOTS_NR; i++) {
		uint64_t at = i * (uint64_t)DMA_SLOT_STRIDE;

		s->slots[i].iova = SLOTS_IOVA + at;
		s->slots[i].va = (uint8_t *)s->mem.va + SLOTS_OFF + at;
	}
}

static uint32_t ioas_of(struct stream *s)
{
	return s->state->want.ioas[0].id;
}

void stream_maps(struct stream *s)
{
	uint32_t ioas;

	ctx_open(&s->ctx, s->name, &s->state->want);
	ctx_memory(&s->ctx, &s->mem);
	ioas = ctx_ioas(&s->ctx);
	ctx_map(&s->ctx, ioas, 0, RING_OFF, RING_LEN, RING_IOVA, IOVA_RW);
	ctx_map(&s->ctx, ioas, 0, SLOTS_OFF, SLOTS_LEN, SLOTS_IOVA, IOVA_RW);
}

void stream_build(struct stream *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->name = name;
	s->session = -1;
	must(memory_create(&s->mem, name, MEMORY_LEN));
	s->state = s->mem.va;
	s->state->magic = MAGIC;
	lay_slots(s);
	stream_maps(s);
}

void stream_start(struct stream *s)
{
	char bdf[PCI_BDF_LEN];
	uint32_t dev;

	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	dev = ctx_bind(&s->ctx, bdf);
	ctx_attach(&s->ctx, dev, ioas_of(s));
	must(nic_start(&s->nic, s->ctx.dev[dev], ring_of(s), RING_IOVA, s->slots,
		       STREAM_SLOTS_NR));
	must(nic_interrupts(&s->nic, 10, STREAM_WAIT_MS));
}

void stream_again(struct stream *s)
{
	stream_maps(s);
	stream_start(s);
}

void stream_take_memory(struct stream *s, const char *name, unsigned int nr)
{
	memset(s, 0, sizeof(*s));
	s->name = name;
	s->session = must(luo_retrieve(name));
	must(memory_adopt(&s->mem, must(luo_restore(s->session,
						    STREAM_TOKEN_MEMORY))));
	s->state = s->mem.va;
	check(s->state->magic == MAGIC && s->state->kexecs == nr - 1,
	      "this is not the memory of kexec %u", nr - 1);
	s->state->kexecs = nr;
	lay_slots(s);
	s->nic = s->state->nic;
	nic_adopt(&s->nic, ring_of(s), s->slots);
}

void stream_take_iommufd(struct stream *s)
{
	ctx_adopt(&s->ctx, s->name, &s->state->want,
		  must(luo_restore(s->session, STREAM_TOKEN_IOMMUFD)));
	ctx_memory(&s->ctx, &s->mem);
}

uint32_t stream_arriving(const struct stream *s, unsigned int ms)
{
	const uint8_t *memory = (const uint8_t *)s->mem.va + STATE_LEN;
	uint64_t digest = digest64(memory, MEMORY_LEN - STATE_LEN);
	uint32_t before = nic_landed(&s->nic), arrived;

	check(before < STREAM_SLOTS_NR - 1000, "the ring is full");
	sleep_ms(ms);
	arrived = nic_landed(&s->nic) - before;
	check((digest64(memory, MEMORY_LEN - STATE_LEN) == digest) == !arrived,
	      "%u frames, but memory has %schanged", arrived,
	      arrived ? "not " : "");
	return arrived;
}

void stream_resume(struct stream *s)
{
	check(ctx_rebind(&s->ctx, 0), "the device has another ID");
	must(nic_resume(&s->nic, s->ctx.dev[0]));
	stream_receive(s, nic_landed(&s->nic));
	must(igb_irq_resume(&s->nic.igb));
	must(nic_interrupts(&s->nic, 10, STREAM_WAIT_MS));
}

void stream_finish(struct stream *s)
{
	must(luo_finish(s->session));
	close(s->session);
	s->session = -1;
}

void stream_receive(struct stream *s, uint64_t frames)
{
	struct nic *nic = &s->nic;

	must(nic_receive(nic, frames, STREAM_WAIT_MS));
	check(!nic->gaps, "%llu frames are lost", (unsigned long long)nic->gaps);
	check(!nic->foreign, "%llu foreign frames",
	      (unsigned long long)nic->foreign);
}

void stream_more(struct stream *s, unsigned int nr)
{
	ctx_map(&s->ctx, ioas_of(s), 0, MORE_OFF,
		STREAM_MORE_LEN - nr % 16 * GUEST_PAGE, STREAM_MORE_IOVA(nr),
		IOVA_RW);
}

/* No two handovers have the same page table. */
static void remap(struct stream *s, unsigned int nr)
{
	const struct want_ioas *ioas = &s->state->want.ioas[0];
	uint32_t i;

	for (i = 0; i < ioas->map_nr; i++)
		if (ioas->map[i].offset == MORE_OFF)
			break;
	if (i < ioas->map_nr)
		ctx_unmap(&s->ctx, ioas->id, ioas->map[i].iova);
	stream_more(s, nr);
}

void stream_hand_over(struct stream *s, unsigned int nr)
{
	int session;

	remap(s, nr);
	stream_receive(s, 100);
	ctx_settle(&s->ctx);
	s->state->nic = s->nic;
	session = must(luo_create(s->name));
	must(luo_preserve(session, s->mem.fd, STREAM_TOKEN_MEMORY));
	must(luo_preserve(session, s->ctx.fd, STREAM_TOKEN_IOMMUFD));
	background_ready();
}

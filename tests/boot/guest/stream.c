// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stream.h"
#include "tell.h"

#define MAGIC		0x6d6165727473ULL

#define SLOTS_LEN	STREAM_SLOTS_LEN
#define STATE_LEN	0x20000ULL
#define RING_OFF	STATE_LEN
#define RING_LEN	0x80000ULL
#define RING_IOVA	0x10000000ULL
#define SLOTS_IOVA	STREAM_SLOTS_IOVA
#define SLOTS_OFF(s)	(RING_OFF + (s)->state->nics * RING_LEN)
#define MORE_OFF(s)	(SLOTS_OFF(s) + (s)->state->nics * SLOTS_LEN)

_Static_assert(NIC_RING_LEN(STREAM_SLOTS_NR) <= RING_LEN, "the ring has grown");
_Static_assert(sizeof(struct stream_state) <= STATE_LEN, "the state has grown");

static void *ring_of(const struct stream *s, uint32_t nic)
{
	return (uint8_t *)s->mem.va + RING_OFF + nic * RING_LEN;
}

static void lay_slots(struct stream *s)
{
	uint32_t nic, i;

	for (nic = 0; nic < s->state->nics; nic++) {
		s->slots[nic] = calloc(STREAM_SLOTS_NR, sizeof(**s->slots));
		check(s->slots[nic], "out of memory");
		for (i = 0; i < STREAM_SLOTS_NR; i++) {
			uint64_t at = nic * SLOTS_LEN +
				      i * (uint64_t)DMA_SLOT_STRIDE;

			s->slots[nic][i].iova = SLOTS_IOVA + at;
			s->slots[nic][i].va = (uint8_t *)s->mem.va +
					      SLOTS_OFF(s) + at;
		}
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
	ctx_map(&s->ctx, ioas, 0, RING_OFF, s->state->nics * RING_LEN, RING_IOVA,
		IOVA_RW);
	ctx_map(&s->ctx, ioas, 0, SLOTS_OFF(s), s->state->nics * SLOTS_LEN,
		SLOTS_IOVA, IOVA_RW);
}

static void begin(struct stream *s)
{
	bool by_file = s->by_file, msi = s->msi;

	memset(s, 0, sizeof(*s));
	s->by_file = by_file;
	s->msi = msi;
}

void stream_build(struct stream *s, const char *name, uint32_t nics)
{
	uint64_t len = RING_OFF + nics * (RING_LEN + SLOTS_LEN) + STREAM_MORE_LEN;

	begin(s);
	s->name = name;
	s->session = -1;
	must(memory_create(&s->mem, name, len));
	s->state = s->mem.va;
	s->state->magic = MAGIC;
	s->state->nics = nics;
	lay_slots(s);
	stream_maps(s);
}

void stream_start(struct stream *s)
{
	char bdf[PCI_BDF_LEN];
	uint32_t nic, dev;

	for (nic = 0; nic < s->state->nics; nic++) {
		must(nic_find(s->state->first + nic, bdf));
		dev = ctx_bind(&s->ctx, bdf);
		ctx_attach(&s->ctx, dev, ioas_of(s));
		must(nic_start(&s->nic[nic], s->ctx.dev[dev], ring_of(s, nic),
			       RING_IOVA + nic * RING_LEN, s->slots[nic],
			       STREAM_SLOTS_NR));
		s->nic[nic].hw.msi = s->msi;
		must(nic_interrupts(&s->nic[nic], 10, STREAM_WAIT_MS));
	}
}

void stream_again(struct stream *s)
{
	stream_maps(s);
	stream_start(s);
}

/* The controllers as they were when the driver ended. */
static void know(struct stream *s, unsigned int kexecs)
{
	uint32_t i;

	s->state = s->mem.va;
	check(s->state->magic == MAGIC && s->state->kexecs == kexecs,
	      "this is not the memory of kexec %u", kexecs);
	lay_slots(s);
	for (i = 0; i < s->state->nics; i++) {
		s->nic[i] = s->state->nic[i];
		nic_adopt(&s->nic[i], ring_of(s, i), s->slots[i]);
	}
}

void stream_take_memory_of(struct stream *s, int session, const char *name,
			   unsigned int nr)
{
	begin(s);
	s->name = name;
	s->session = session;
	must(memory_adopt(&s->mem, must(luo_restore(s->session,
						    STREAM_TOKEN_MEMORY))));
	know(s, nr - 1);
	s->state->kexecs = nr;
}

void stream_take_memory(struct stream *s, const char *name, unsigned int nr)
{
	stream_take_memory_of(s, must(luo_retrieve(name)), name, nr);
}

void stream_take_here(struct stream *s, const char *name, int mem, int iommufd,
		      const int *dev)
{
	uint32_t i;

	begin(s);
	s->name = name;
	s->session = -1;
	must(memory_adopt(&s->mem, mem));
	s->state = s->mem.va;
	know(s, s->state->kexecs);
	ctx_adopt(&s->ctx, name, &s->state->want, iommufd);
	ctx_memory(&s->ctx, &s->mem);
	for (i = 0; i < s->state->nics; i++)
		s->ctx.dev[i] = dev[i];
}

void stream_take_iommufd(struct stream *s)
{
	ctx_adopt(&s->ctx, s->name, &s->state->want,
		  must(luo_restore(s->session, STREAM_TOKEN_IOMMUFD)));
	ctx_memory(&s->ctx, &s->mem);
}

void stream_watched(const struct stream *s)
{
	uint32_t i;

	for (i = 0; i < s->state->nics; i++)
		tell_buffers(i, s->slots[i], STREAM_SLOTS_NR, DMA_SLOT_STRIDE);
}

uint32_t stream_landed(const struct stream *s)
{
	uint32_t i, nr = 0;

	for (i = 0; i < s->state->nics; i++)
		nr += nic_landed(&s->nic[i]);
	return nr;
}

uint32_t stream_arriving(const struct stream *s, unsigned int ms)
{
	const uint8_t *memory = (const uint8_t *)s->mem.va + STATE_LEN;
	uint64_t digest = digest64(memory, s->mem.len - STATE_LEN);
	uint32_t before = stream_landed(s), arrived, i;

	for (i = 0; i < s->state->nics; i++)
		check(nic_landed(&s->nic[i]) < STREAM_SLOTS_NR - 1000,
		      "the ring of controller %u is full", i);
	sleep_ms(ms);
	arrived = stream_landed(s) - before;
	check((digest64(memory, s->mem.len - STATE_LEN) == digest) == !arrived,
	      "%u frames, but memory has %schanged", arrived,
	      arrived ? "not " : "");
	return arrived;
}

void stream_go_on(struct stream *s)
{
	bool pending[STREAM_NICS];
	uint32_t i;

	tell_phase("device");
	for (i = 0; i < s->state->nics; i++)
		must(nic_resume(&s->nic[i], s->ctx.dev[i]));
	tell_phase("test");
	irqs_hold(s->nic, s->state->nics);
	tell_phase("device");
	for (i = 0; i < s->state->nics; i++)
		pending[i] = irqs_resume(&s->nic[i]);
	tell_phase("usable");
	stream_receive(s, 0);
	memset(&s->irqs, 0, sizeof(s->irqs));
	for (i = 0; i < s->state->nics; i++)
		irqs_count(&s->irqs, &s->nic[i], pending[i], STREAM_IRQ_WAIT_MS);
	check(!s->irqs.lost && !s->irqs.spurious,
	      "interrupts: %u were held back, %u are lost, %u are spurious",
	      s->irqs.raised, s->irqs.lost, s->irqs.spurious);
	for (i = 0; i < s->state->nics; i++)
		must(nic_interrupts(&s->nic[i], 10, STREAM_WAIT_MS));
}

void stream_resume(struct stream *s)
{
	uint32_t i;

	for (i = 0; i < s->state->nics; i++) {
		if (i < s->state->files)
			s->ctx.dev[i] = must(luo_restore(s->session,
							 STREAM_TOKEN_DEVICE + i));
		else
			check(ctx_rebind(&s->ctx, i),
			      "device %u has another ID", i);
	}
	stream_go_on(s);
	check(!ctx_verify(&s->ctx, true), "the iommufd is not what it was");
}

void stream_finish(struct stream *s)
{
	must(luo_finish(s->session));
	close(s->session);
	s->session = -1;
}

void stream_receive(struct stream *s, uint64_t frames)
{
	uint32_t i;

	for (i = 0; i < s->state->nics; i++) {
		struct nic *nic = &s->nic[i];

		must(nic_receive(nic, nic_landed(nic) + frames, STREAM_WAIT_MS));
		check(!nic->gaps, "controller %u: %llu frames are lost", i,
		      (unsigned long long)nic->gaps);
		check(!nic->foreign, "controller %u: %llu foreign frames", i,
		      (unsigned long long)nic->foreign);
	}
}

void stream_more(struct stream *s, unsigned int nr)
{
	ctx_map(&s->ctx, ioas_of(s), 0, MORE_OFF(s),
		STREAM_MORE_LEN - nr % 16 * GUEST_PAGE, STREAM_MORE_IOVA(nr),
		IOVA_RW);
}

/* No two handovers have the same page table. */
static void remap(struct stream *s, unsigned int nr)
{
	const struct want_ioas *ioas = &s->state->want.ioas[0];
	uint32_t i;

	for (i = 0; i < ioas->map_nr; i++)
		if (ioas->map[i].offset == MORE_OFF(s))
			break;
	if (i < ioas->map_nr)
		ctx_unmap(&s->ctx, ioas->id, ioas->map[i].iova);
	stream_more(s, nr);
}

void stream_stop(struct stream *s)
{
	uint32_t i;

	for (i = 0; i < s->state->nics; i++) {
		nic_let_go(&s->nic[i]);
		close(s->ctx.dev[i]);
	}
	close(s->ctx.fd);
}

void stream_note(struct stream *s)
{
	memcpy(s->state->nic, s->nic, sizeof(s->nic));
}

static int preserve(struct stream *s, unsigned int nr)
{
	uint32_t i;
	int session;

	s->state->files = s->by_file || (s->state->nics > 1 && nr % 2) ?
			  s->state->nics : s->state->nics - 1;
	ctx_settle(&s->ctx);
	stream_note(s);
	session = must(luo_create(s->name));
	must(luo_preserve(session, s->mem.fd, STREAM_TOKEN_MEMORY));
	must(luo_preserve(session, s->ctx.fd, STREAM_TOKEN_IOMMUFD));
	for (i = 0; i < s->state->files; i++)
		must(luo_preserve(session, s->ctx.dev[i],
				  STREAM_TOKEN_DEVICE + i));
	return session;
}

int stream_preserve(struct stream *s, unsigned int nr)
{
	remap(s, nr);
	return preserve(s, nr);
}

void stream_hand_over(struct stream *s, unsigned int nr)
{
	remap(s, nr);
	stream_receive(s, 100);
	preserve(s, nr);
	/* As if the program had ended, but for the session */
	if (s->state->files && s->state->files == s->state->nics) {
		stream_stop(s);
		munmap(s->mem.va, s->mem.len);
		close(s->mem.fd);
	}
	background_ready();
}

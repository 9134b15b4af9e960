// SPDX-License-Identifier: GPL-2.0-only
/* What goes through the kexec. */
#include <sys/mman.h>

#include "edu.h"
#include "hostage.h"

#define STATE_SESSION	"hostage-state"
#define STATE_LEN	(PARTS * 0x8000ULL)

_Static_assert(sizeof(struct want[PARTS]) <= STATE_LEN, "the state has grown");

struct part parts[PARTS] = {
	[PART_ANSWERED] = { .name = "hostage-answered", .devs = 1 },
	[PART_KILLED] = { .name = "hostage-killed", .devs = 1 },
	[PART_NEVER] = { .name = "hostage-never" },
	[PART_OTHER] = { .name = "hostage-other" },
	[PART_READER] = { .name = "hostage-reader", .devs = 2 },
	[PART_WAITS] = { .name = "hostage-waits", .devs = 1 },
};

static struct memory state_mem;

static struct want *want_of(const struct part *p)
{
	return (struct want *)state_mem.va + (p - parts);
}

static void build(struct part *p, unsigned int *nth)
{
	struct ctx *ctx = &p->ctx;
	char bdf[PCI_BDF_LEN];
	uint32_t ioas;

	must(memory_create(&p->mem, p->name, MEMORY_LEN));
	ctx_open(ctx, p->name, want_of(p));
	ctx_memory(ctx, &p->mem);
	for (unsigned int i = 0; i <= p->devs; i++) {
		ioas = ctx_ioas(ctx);
		ctx_map(ctx, ioas, 0, 0, MEMORY_LEN, MEMORY_IOVA, IOVA_RW);
		if (!i)
			continue;
		must(pci_find(EDU_VENDOR, EDU_DEVICE, (*nth)++, bdf));
		ctx_attach(ctx, ctx_bind(ctx, bdf), ioas);
	}
	ctx_settle(ctx);
}

void hand_over(void)
{
	unsigned int nth = 0;
	int session;

	if (!state_mem.va)
		must(memory_create(&state_mem, STATE_SESSION, STATE_LEN));
	for (struct part *p = parts; p < parts + PARTS; p++) {
		build(p, &nth);
		p->session = must(luo_create(p->name));
		must(luo_preserve(p->session, p->mem.fd, TOKEN_MEMORY));
		must(luo_preserve(p->session, p->ctx.fd, TOKEN_IOMMUFD));
	}
	session = must(luo_create(STATE_SESSION));
	must(luo_preserve(session, state_mem.fd, TOKEN_MEMORY));
	background_ready();
}

void take_state(void)
{
	int session = must(luo_retrieve(STATE_SESSION));

	must(memory_adopt(&state_mem,
			  must(luo_restore(session, TOKEN_MEMORY))));
	must(luo_finish(session));
	close(session);
	for (struct part *p = parts; p < parts + PARTS; p++)
		p->session = -1;
}

void take(struct part *p)
{
	p->session = must(luo_retrieve(p->name));
	must(memory_adopt(&p->mem,
			  must(luo_restore(p->session, TOKEN_MEMORY))));
	ctx_adopt(&p->ctx, p->name, want_of(p),
		  must(luo_restore(p->session, TOKEN_IOMMUFD)));
	ctx_memory(&p->ctx, &p->mem);
}

void drop(struct part *p)
{
	for (unsigned int i = 0; i < WANT_DEV_MAX; i++) {
		if (p->ctx.dev[i] > 0)
			close(p->ctx.dev[i]);
		p->ctx.dev[i] = -1;
	}
	if (p->ctx.fd > 0)
		close(p->ctx.fd);
	p->ctx.fd = -1;
	if (p->session >= 0)
		close(p->session);
	p->session = -1;
	munmap(p->mem.va, p->mem.len);
	close(p->mem.fd);
}

uint32_t empty_ioas(const struct part *p)
{
	return want_of(p)->ioas[0].id;
}

uint32_t device_ioas(const struct part *p, unsigned int dev)
{
	return want_of(p)->ioas[dev + 1].id;
}

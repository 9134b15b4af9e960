// SPDX-License-Identifier: GPL-2.0-only
#include "carry.h"
#include "igb.h"

#define CARRY_MAGIC	0x7972726163ULL

_Static_assert(sizeof(struct carry_state) <= CARRY_STATE_LEN,
	       "the state has grown");

unsigned int carry_stage(int argc, char **argv)
{
	check(argc == 2, "usage: %s NUMBER", argv[0]);
	background();
	return atoi(argv[1]);
}

void carry_create(struct carry *c, const char *name)
{
	memset(c, 0, sizeof(*c));
	c->name = name;
	c->session = -1;
	must(memory_create(&c->mem, name, CARRY_MEMORY_LEN));
	c->state = c->mem.va;
	c->state->magic = CARRY_MAGIC;
	c->state->size = sizeof(*c->state);
}

struct ctx *carry_open(struct carry *c, unsigned int i, const char *name)
{
	struct carry_state *state = c->state;

	check(i <= state->nr && i < CARRY_MAX, "context %u of %u", i,
	      state->nr);
	check(strlen(name) < CARRY_NAME_LEN, "%s: too long a name", name);
	if (i == state->nr)
		state->nr++;
	strcpy(state->name[i], name);
	ctx_open(&c->ctx[i], state->name[i], &state->want[i]);
	ctx_memory(&c->ctx[i], &c->mem);
	return &c->ctx[i];
}

uint32_t carry_ioas(struct ctx *ctx)
{
	uint32_t ioas = ctx_ioas(ctx);

	ctx_map(ctx, ioas, 0, CARRY_STATE_LEN, CARRY_MAP_LEN, CARRY_IOVA,
		IOVA_RW);
	return ioas;
}

uint32_t carry_nic(struct ctx *ctx, unsigned int nth, uint32_t ioas)
{
	char bdf[PCI_BDF_LEN];
	uint32_t dev;

	must(pci_find(IGB_VENDOR, IGB_DEVICE, nth, bdf));
	dev = ctx_bind(ctx, bdf);
	ctx_attach(ctx, dev, ioas);
	return dev;
}

void carry_build(struct carry *c, const char *name, unsigned int nics)
{
	struct ctx *ctx;
	unsigned int i;
	uint32_t ioas;

	carry_create(c, name);
	ctx = carry_open(c, 0, name);
	ioas = carry_ioas(ctx);
	for (i = 0; i < nics; i++)
		carry_nic(ctx, i, ioas);
	ctx_settle(ctx);
}

void carry_retrieve(struct carry *c, const char *name, unsigned int nr)
{
	struct carry_state *state;
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->name = name;
	c->session = must(luo_retrieve(name));
	must(memory_adopt(&c->mem, must(luo_restore(c->session,
						    CARRY_TOKEN_MEMORY))));
	state = c->state = c->mem.va;
	check(state->magic == CARRY_MAGIC && state->size == sizeof(*state) &&
	      state->kexecs == nr - 1, "this is not the memory of kexec %u",
	      nr - 1);
	state->kexecs = nr;
	check(state->nr && state->nr <= CARRY_MAX, "%u contexts", state->nr);
	for (i = 0; i < state->nr; i++) {
		ctx_adopt(&c->ctx[i], state->name[i], &state->want[i],
			  must(luo_restore(c->session,
					   CARRY_TOKEN_IOMMUFD + i)));
		ctx_memory(&c->ctx[i], &c->mem);
	}
}

void carry_rebind(struct carry *c)
{
	unsigned int i, dev;

	for (i = 0; i < c->state->nr; i++)
		for (dev = 0; dev < c->ctx[i].want->dev_nr; dev++)
			check(ctx_rebind(&c->ctx[i], dev),
			      "device %u of %s has another ID", dev,
			      c->ctx[i].name);
	carry_verify(c);
}

void carry_finish(struct carry *c)
{
	must(luo_finish(c->session));
	close(c->session);
	c->session = -1;
}

void carry_take_back(struct carry *c, const char *name, unsigned int nr)
{
	carry_retrieve(c, name, nr);
	carry_rebind(c);
	carry_finish(c);
}

void carry_verify(struct carry *c)
{
	unsigned int i;

	for (i = 0; i < c->state->nr; i++)
		check(!ctx_verify(&c->ctx[i], true),
		      "context %s is not what it was", c->ctx[i].name);
}

int carry_hand_over(struct carry *c)
{
	int session = must(luo_create(c->name));
	unsigned int i;

	must(luo_preserve(session, c->mem.fd, CARRY_TOKEN_MEMORY));
	for (i = 0; i < c->state->nr; i++)
		must(luo_preserve(session, c->ctx[i].fd,
				  CARRY_TOKEN_IOMMUFD + i));
	return session;
}

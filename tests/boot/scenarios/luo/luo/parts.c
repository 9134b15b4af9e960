// SPDX-License-Identifier: GPL-2.0-only
/* What goes through the kexecs: making it, taking it back, looking at it. */
#include <sys/mman.h>

#include "luo.h"

#define PLAIN_VENDOR	0x1b36
#define PLAIN_DEVICE	0x0005

struct part parts[PARTS];
struct memory state_mem;
struct state *state;

void name_parts(void)
{
	static const char *const names[PARTS] = {
		[PART_ONLY] = "luo-only",
		[PART_CAPS] = "luo-caps",
		[PART_PENDING] = "luo-pending",
		[PART_DIED] = "luo-died",
		[PART_SHARED] = "luo-shared",
		[PART_EFAULT] = "luo-efault",
		[PART_LIMIT] = "luo-limit",
		[PART_NEVER] = "luo-never",
		[PART_WAITS] = "luo-waits",
		[PART_LEFT] = "luo-left",
		[PART_CLOSED] = "luo-closed",
		[PART_KILLED] = "luo-killed",
	};
	unsigned int i;

	for (i = 0; i < PARTS; i++) {
		struct part *p = &parts[i];

		p->session = -1;
		if (i < PART_ORDER + 4)
			snprintf(p->name, sizeof(p->name), "luo-order-%u", i);
		else if (i < PART_FAULT)
			snprintf(p->name, sizeof(p->name), "%s", names[i]);
		else if (i < PART_IMPLIED)
			snprintf(p->name, sizeof(p->name), "luo-fault-%u",
				 i - PART_FAULT);
		else if (i < PART_BIND)
			snprintf(p->name, sizeof(p->name), "luo-implied-%u",
				 i - PART_IMPLIED);
		else
			snprintf(p->name, sizeof(p->name), "luo-bind-%u",
				 i - PART_BIND);
		p->context_first = i & 1;
	}
}

/* Every word of a part's memory tells the part, the kexec and its place. */
static inline uint64_t word_at(unsigned int part, size_t i)
{
	return (uint64_t)state->kexec << 48 | (uint64_t)part << 32 | i;
}

void fill(unsigned int part, const struct memory *mem)
{
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = word_at(part, i);
}

void check_filled(unsigned int part, const void *va,
		  uint64_t offset, uint64_t len)
{
	size_t first = offset / sizeof(uint64_t), i;
	const uint64_t *word = va;

	for (i = 0; i < len / sizeof(*word); i++)
		check(word[i] == word_at(part, first + i),
		      "%s: word %zu is 0x%llx", parts[part].name, first + i,
		      (unsigned long long)word[i]);
}

void find_device(unsigned int nr, char bdf[PCI_BDF_LEN])
{
	if (nr < FIRST_PLAIN)
		must(pci_find(EDU_VENDOR, EDU_DEVICE, nr, bdf));
	else
		must(pci_find(PLAIN_VENDOR, PLAIN_DEVICE, nr - FIRST_PLAIN,
			      bdf));
}

/*
 * A part with @devs devices from number @first on, of which the first two are
 * attached to its second IOAS: both automatically, or with @explicit each to
 * an HWPT of its own.
 */
static inline void build(unsigned int index, unsigned int first,
			 unsigned int devs, bool explicit)
{
	struct part *p = &parts[index];
	struct ctx *ctx = &p->ctx;
	uint32_t one, two, spare, dev;
	char bdf[PCI_BDF_LEN];
	unsigned int i;

	must(memory_create(&p->mem, p->name, MEMORY_LEN));
	fill(index, &p->mem);
	ctx_open(ctx, p->name, &state->want[index]);
	ctx_memory(ctx, &p->mem);
	if (index == PART_CAPS)
		ctx_rlimit_mode(ctx, 1);
	spare = ctx_ioas(ctx);
	one = ctx_ioas(ctx);
	two = ctx_ioas(ctx);
	ctx_map(ctx, one, 0, RO_OFF, RO_LEN, RO_IOVA, IOVA_RO);
	ctx_map(ctx, two, 0, 0, MEMORY_LEN, MEMORY_IOVA, IOVA_RW);
	ctx_copy(ctx, two, COPY_IOVA, two, MEMORY_IOVA, IOVA_RO);
	for (i = 0; i < devs; i++) {
		find_device(first + i, bdf);
		dev = ctx_bind(ctx, bdf);
		ctx_attach(ctx, dev, explicit ? ctx_hwpt(ctx, dev, two) : two);
	}
	ctx_destroy(ctx, spare);
	ctx_settle(ctx);
	check(!ctx_verify(ctx, true), "%s is wrong from the start", p->name);
}

static inline void preserve(struct part *p)
{
	p->session = must(luo_create(p->name));
	if (p->context_first)
		must(luo_preserve(p->session, p->ctx.fd, TOKEN_IOMMUFD));
	must(luo_preserve(p->session, p->mem.fd, TOKEN_MEMORY));
	if (!p->context_first)
		must(luo_preserve(p->session, p->ctx.fd, TOKEN_IOMMUFD));
}

void hand_over(unsigned int nr)
{
	unsigned int i;
	int session;

	state->kexec = nr;
	name_parts();
	for (i = 0; i < 4; i++)
		build(PART_ORDER + i, EDU_ORDER + i / 2, i % 2, i / 2);
	build(PART_ONLY, EDU_ONLY, 1, false);
	build(PART_CAPS, 0, 0, false);
	build(PART_PENDING, EDU_PENDING, 2, true);
	build(PART_DIED, EDU_DIED, 2, true);
	build(PART_SHARED, EDU_SHARED, 2, false);
	build(PART_EFAULT, EDU_EFAULT, 1, false);
	build(PART_LIMIT, EDU_LIMIT, 1, false);
	build(PART_NEVER, EDU_NEVER, 1, true);
	build(PART_WAITS, EDU_WAITS, 1, true);
	build(PART_LEFT, 0, 0, false);
	/* Once finished by a close, an iommufd goes on and on. */
	if (parts[PART_CLOSED].ctx.want)
		fill(PART_CLOSED, &parts[PART_CLOSED].mem);
	else
		build(PART_CLOSED, EDU_CLOSED, 1, true);
	build(PART_KILLED, EDU_KILLED, 1, false);
	for (i = 0; i < FAULTS; i++)
		build(PART_FAULT + i, 0, 0, false);
	for (i = 0; i < IMPLIEDS; i++)
		build(PART_IMPLIED + i, 0, 0, false);
	for (i = 0; i < BINDS; i++)
		build(PART_BIND + i, FIRST_PLAIN + i, 1, i & 1);
	for (i = 0; i < PARTS; i++)
		preserve(&parts[i]);
	session = must(luo_create(STATE_SESSION));
	must(luo_preserve(session, state_mem.fd, TOKEN_MEMORY));
	background_ready();
}

void open_session(unsigned int index)
{
	parts[index].session = must(luo_retrieve(parts[index].name));
}

void close_session(unsigned int index)
{
	close(parts[index].session);
	parts[index].session = -1;
}

void take_memory(unsigned int index)
{
	struct part *p = &parts[index];

	must(memory_adopt(&p->mem, must(luo_restore(p->session,
						    TOKEN_MEMORY))));
	check_filled(index, p->mem.va, 0, p->mem.len);
}

void adopt(unsigned int index, int fd)
{
	struct part *p = &parts[index];

	ctx_adopt(&p->ctx, p->name, &state->want[index], fd);
	if (p->mem.va)
		ctx_memory(&p->ctx, &p->mem);
}

void take_context(unsigned int index)
{
	adopt(index, must(luo_restore(parts[index].session, TOKEN_IOMMUFD)));
}

void take(unsigned int index)
{
	open_session(index);
	take_memory(index);
	take_context(index);
}

void verify(unsigned int index, bool bound)
{
	check(!ctx_verify(&parts[index].ctx, bound),
	      "%s is not what it was%s", parts[index].name,
	      bound ? " with its devices" : "");
}

void run_edu(unsigned int index, uint32_t dev)
{
	struct part *p = &parts[index];
	struct edu edu;
	char *va = p->mem.va;
	uint64_t from = RO_OFF, to = MEMORY_LEN - GUEST_PAGE;

	memset(va + to, 0, GUEST_PAGE);
	must(edu_open(&edu, p->ctx.dev[dev]));
	must(edu_copy(&edu, MEMORY_IOVA + to, COPY_IOVA + from, GUEST_PAGE));
	edu_close(&edu);
	check(!memcmp(va + to, va + from, GUEST_PAGE),
	      "%s: device %u copied something else", p->name, dev);
	memcpy(va + to, va, GUEST_PAGE);
	fill(index, &p->mem);
}

/* Parts that are finished. */
unsigned int finished;

void finish(unsigned int index)
{
	struct part *p = &parts[index];

	must(luo_finish(p->session));
	finished++;
	close_session(index);
	must_fail(ENOENT, luo_retrieve(p->name));
	verify(index, true);
}

void drop(unsigned int index)
{
	struct part *p = &parts[index];
	uint32_t i;

	if (p->session >= 0)
		close_session(index);
	for (i = 0; i < WANT_DEV_MAX; i++) {
		if (p->ctx.dev[i] > 0)
			close(p->ctx.dev[i]);
		p->ctx.dev[i] = -1;
	}
	close(p->ctx.fd);
	if (p->mem.va) {
		munmap(p->mem.va, p->mem.len);
		close(p->mem.fd);
	}
	memset(&p->mem, 0, sizeof(p->mem));
}

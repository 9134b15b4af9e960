// SPDX-License-Identifier: GPL-2.0-only
/* memfd NUMBER - NUMBER is 0 before the first kexec */
#include <stdlib.h>
#include <unistd.h>

#include "guest.h"

#define SESSION	"memfd"
#define TOKEN	0x6d656d6664ull
#define PAGES	1031u		/* not a multiple of anything */
#define WORDS	((unsigned int)GUEST_PAGE / 8)

/* Stage N writes every (N + 1)th page. The last writer of @page, so far. */
static unsigned int writer(unsigned int page, unsigned int stage)
{
	while (page % (stage + 1))
		stage--;
	return stage;
}

/* Each 8 bytes of the memfd differ from each other, and from stage to stage. */
static uint64_t word(unsigned int page, unsigned int i, unsigned int stage)
{
	return (uint64_t)page << 32 | i << 16 | (writer(page, stage) + 1);
}

static void fill(uint64_t *va, unsigned int stage)
{
	for (unsigned int page = 0; page < PAGES; page += stage + 1)
		for (unsigned int i = 0; i < WORDS; i++)
			va[page * WORDS + i] = word(page, i, stage);
}

static void compare(const uint64_t *va, unsigned int stage)
{
	for (unsigned int page = 0; page < PAGES; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			check(va[page * WORDS + i] == word(page, i, stage),
			      "page %u, word %u: %#llx", page, i,
			      (unsigned long long)va[page * WORDS + i]);
}

static void take_back(struct memory *mem, unsigned int stage)
{
	int session = must(luo_retrieve(SESSION));

	must(memory_adopt(mem, must(luo_restore(session, TOKEN))));
	check(mem->len == PAGES * GUEST_PAGE, "%zu bytes", mem->len);
	compare(mem->va, stage - 1);
	must(luo_finish(session));
	close(session);
}

int main(int argc, char **argv)
{
	struct memory mem;
	unsigned int stage;

	check(argc == 2, "usage: memfd NUMBER");
	stage = atoi(argv[1]);
	background();
	if (stage)
		take_back(&mem, stage);
	else
		must(memory_create(&mem, "memfd", PAGES * GUEST_PAGE));
	fill(mem.va, stage);
	must(luo_preserve(must(luo_create(SESSION)), mem.fd, TOKEN));
	background_ready();
}

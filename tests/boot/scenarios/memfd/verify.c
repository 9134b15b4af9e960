// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "memfd.h"

static void compare(const uint64_t *va, unsigned int stage)
{
	for (unsigned int page = 0; page < PAGES; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			check(va[page * WORDS + i] == word(page, i, stage),
			      "page %u, word %u: %#llx", page, i,
			      (unsigned long long)va[page * WORDS + i]);
}

int main(int argc, char **argv)
{
	unsigned int stage = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	struct memory mem;
	int session, fd;

	check(stage, "the kexec's number is the argument");
	background();
	session = must(luo_retrieve(SESSION));
	fd = must(luo_restore(session, TOKEN));
	must(memory_adopt(&mem, fd));
	check(mem.len == PAGES * GUEST_PAGE, "%zu bytes", mem.len);
	compare(mem.va, stage - 1);
	must(luo_finish(session));
	close(session);

	fill(mem.va, stage);
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN));
	background_ready();
}

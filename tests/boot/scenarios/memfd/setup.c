// SPDX-License-Identifier: GPL-2.0-only
#include "memfd.h"

int main(void)
{
	struct memory mem;
	int session;

	background();
	must(memory_create(&mem, "memfd", PAGES * GUEST_PAGE));
	fill(mem.va, 0);
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN));
	background_ready();
}

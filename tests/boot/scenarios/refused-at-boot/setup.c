// SPDX-License-Identifier: GPL-2.0-only
#include "boot.h"

int main(void)
{
	struct memory mem;

	background();
	must(memory_create(&mem, SESSION, MEMORY_LEN));
	memset(mem.va, 0, mem.len);
	hand_over(&mem, 1);
}

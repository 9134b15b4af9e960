// SPDX-License-Identifier: GPL-2.0-only
/* memory-watch - does anything change in memory that is free? Exit 1 when it does. */
#include "canary.h"

#define LOOK_MS		2000
#define MOST		(2ULL << 30)

int main(void)
{
	struct canary canary;

	canary_begin(&canary, MOST);
	sleep_ms(LOOK_MS);
	check(!canary_end(&canary), "memory that is free has changed");
	return 0;
}

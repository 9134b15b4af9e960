// SPDX-License-Identifier: GPL-2.0-only
/* Before the first kexec. */

#include "luo.h"

int main(void)
{
	unsigned int i;

	background();
	must(memory_create(&state_mem, STATE_SESSION, STATE_LEN));
	state = state_mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	for (i = 0; i < SWEEPS; i++)
		state->sweep[i].nth = 1;
	hand_over(1);
}

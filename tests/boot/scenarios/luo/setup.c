// SPDX-License-Identifier: GPL-2.0-only
/* Before the first kexec. */

#include "luo.h"

int main(void)
{
	background();
	must(memory_create(&state_mem, STATE_SESSION, STATE_LEN));
	state = state_mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	state->fault_nth = state->implied_nth = state->bind_nth = 1;
	hand_over(1);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Before the first kexec: nothing has come in yet. */
#include "off.h"

int main(void)
{
	background();
	check_fact("incoming/state", "none");
	check_fact("state", "idle");
	hand_over(1);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page-table walker, the comparison of page tables and their formats: the
 * suites that KUnit has as well.
 */
#include "kunit-shim.h"
#include "tap.h"

int main(void)
{
	shim_run_all();
	return tap_end();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the cases that unit tests have as well need of the kernel.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "incoming.h"
#include "lib/iho.h"

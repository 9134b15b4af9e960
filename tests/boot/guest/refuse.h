/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Both headers that were this one once, for scenarios written then.
 */
#ifndef REFUSE_H
#define REFUSE_H

#include "handover.h"
#include "tally.h"

#endif /* REFUSE_H */

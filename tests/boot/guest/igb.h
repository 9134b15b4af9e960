/* SPDX-License-Identifier: GPL-2.0-only */
/* The 82576, QEMU's igb. */
#ifndef IGB_H
#define IGB_H

#include "controller.h"

#define IGB_VENDOR	0x8086
#define IGB_DEVICE	0x10c9

extern const struct controller_ops igb_ops;

#endif /* IGB_H */

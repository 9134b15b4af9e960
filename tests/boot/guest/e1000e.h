/* SPDX-License-Identifier: GPL-2.0-only */
/* The 82574L, QEMU's e1000e. */
#ifndef E1000E_H
#define E1000E_H

#include "controller.h"

#define E1000E_VENDOR	0x8086
#define E1000E_DEVICE	0x10d3

extern const struct controller_ops e1000e_ops;

#endif /* E1000E_H */

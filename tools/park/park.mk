# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# What the files of iommu-handover-park are compiled with, here and in tests/unit. The
# kernel's name for the attribute is what checkpatch wants to see.
PARK_CFLAGS := '-D__printf(a, b)=__attribute__((format(printf, a, b)))'

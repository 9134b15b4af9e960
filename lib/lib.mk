# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# Sources of the library, relative to this directory. Lists only, so that any
# build can include it; headers are iho.h, iho_internal.h, the builder's own
# handover_glue.h and formats/handover_abi.h.
IHO_LIB_SRCS := error.c facts.c snapshot.c build.c check.c canon.c read.c \
	envelope.c stream.c plan.c walk.c compare.c

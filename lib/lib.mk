# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# Sources of the library, relative to this directory. Lists only, so that any
# build can include it; headers are iho*.h, the builder's own handover_glue.h
# and formats/handover_abi.h.
IHO_LIB_SRCS := error.c where.c describe.c facts.c refs.c snapshot.c build.c \
	check.c canon.c node.c read.c differs.c envelope.c stream.c plan.c \
	model.c formats.c format_units.c format_vtdss.c format_x86_64.c \
	format_amdv1.c walk.c compare.c announce.c

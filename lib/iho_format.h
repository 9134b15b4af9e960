/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: the formats of page tables, and the types of IOMMU, that are
 * known. For lib/ alone; others ask iho_format().
 */
#ifndef IHO_FORMAT_H
#define IHO_FORMAT_H

#include "iho_internal.h"

/* Names of the formats: the FDT's words for them. */
#define IHO_VTDSS_WORD	"vtdss"
#define IHO_X86_64_WORD	"x86_64"
#define IHO_AMDV1_WORD	"amdv1"

extern const struct iho_format iho_format_vtdss;
extern const struct iho_format iho_format_x86_64;
extern const struct iho_format iho_format_amdv1;

#endif /* IHO_FORMAT_H */

// SPDX-License-Identifier: GPL-2.0-only
/* A device writes where nothing is mapped. */
#include "edu.h"

#define IOVA		0x100000ULL
#define NOTHING		0x800000ULL

int main(void)
{
	struct memory mem;
	struct edu edu;

	edu_with_page(&edu, &mem, IOVA);
	must(edu_copy(&edu, NOTHING, IOVA, 64));
	edu_close(&edu);
	return 0;
}

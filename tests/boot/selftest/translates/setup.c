// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device copies from one half of a page to the other, by IOVAs alone. Exits with
 * 3 when it was not translated.
 */
#include <string.h>

#include "edu.h"

#define IOVA		(1ULL << 40)	/* no machine has memory there */
#define HALF		(GUEST_PAGE / 2)
#define LEN		64

int main(void)
{
	struct memory mem;
	struct edu edu;

	edu_with_page(&edu, &mem, IOVA);
	memset(mem.va, 0x5a, LEN);
	must(edu_copy(&edu, IOVA + HALF, IOVA, LEN));
	edu_close(&edu);
	return memcmp((char *)mem.va + HALF, mem.va, LEN) ? 3 : 0;
}

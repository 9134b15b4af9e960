// SPDX-License-Identifier: GPL-2.0-only
/*
 * Error codes: every one that iho.h declares has its name and a sentence.
 */
#include <stdio.h>
#include <stdlib.h>

#include "iho.h"
#include "tap.h"

static enum iho_family family_of(int code)
{
	return code < 100 ? IHO_FAMILY_CORRUPT :
	       code < 200 ? IHO_FAMILY_UNSUPPORTED :
	       code < 300 ? IHO_FAMILY_LIMIT : IHO_FAMILY_CALL;
}

int main(int argc, char **argv)
{
	FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
	char line[256], name[64], seen[400] = { 0 };
	int code, codes = 0;

	if (!f) {
		fprintf(stderr, "usage: t_error iho.h\n");
		return 2;
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, " IHO_ERR_%50[A-Z_] = %d", name, &code) != 2)
			continue;
		codes++;
		if (!ok(code > 0 && code < 400 && !seen[code],
			"%d is in range and used once", code))
			continue;
		seen[code] = 1;
		ok(!strncmp(iho_error_name(-code), "IHO_ERR_", 8) &&
		   !strcmp(iho_error_name(-code) + 8, name),
		   "%d is named IHO_ERR_%s", code, name);
		ok(iho_error_name(code) == iho_error_name(-code),
		   "%d names the same negated or not", code);
		ok(strcmp(iho_strerror(code), "unknown error") &&
		   *iho_strerror(code), "%d has a sentence", code);
		ok(iho_error_family(-code) == family_of(code),
		   "%d is of its family", code);
	}
	fclose(f);
	ok(codes > 30, "iho.h was understood: %d codes", codes);
	ok(!strcmp(iho_error_name(0), "IHO_OK"), "0 is IHO_OK");
	ok(iho_error_family(0) == IHO_FAMILY_OK, "0 is of no family");
	ok(!strcmp(iho_strerror(-99), "unknown error"), "99 is unknown");
	return tap_end();
}

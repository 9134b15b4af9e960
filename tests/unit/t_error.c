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

static const struct {
	struct iho_where where;
	const char *text;
} places[] = {
	{ { 0, "header", IHO_NONE, "magic", IHO_NONE },
	  "header magic at 0x0" },
	{ { 0xabcdef, "", IHO_NONE, "release", IHO_NONE },
	  "release at 0xabcdef" },
	{ { 0x4a8, "device", 1, "path", IHO_NONE }, "device-1 path at 0x4a8" },
	{ { 1000, "memory", 10, "", IHO_NONE }, "memory-10 at 0x3e8" },
	{ { 56, "stream", 0, "stream-digest", IHO_NONE },
	  "stream-0 stream-digest at 0x38" },
	{ { 4416, "stream", 3, "iova", 7 },
	  "context-3 record 7 at 0x1140, iova" },
	{ { ~0ull, "context", 4294967294u, "capability-extended", IHO_NONE },
	  "context-4294967294 capability-extended at 0xffffffffffffffff" },
	{ { ~0ull, "stream", 4294967294u, "a name that is far longer than any "
	    "that there is, so that it has to be cut off", 4294967294u },
	  "context-4294967294 record 4294967294 at 0xffffffffffffffff, "
	  "a name that is far longer than any " },
};

static void test_places(void)
{
	char text[IHO_WHERE_LEN + 1];
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		memset(text, 'x', sizeof(text));
		iho_where_text(&places[i].where, text);
		if (!ok(!strcmp(text, places[i].text) &&
			text[IHO_WHERE_LEN] == 'x', "a place in words: %s",
			places[i].text))
			diag("%s", text);
	}
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
	test_places();
	return tap_end();
}

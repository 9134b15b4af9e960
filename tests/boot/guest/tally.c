// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "tally.h"

struct tally tally;

/* The first that did not behave, for the end of a long log. */
static char misses[8][256];

bool tally_one(bool good, bool quiet, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!good && tally.tried - tally.behaved < 8)
		snprintf(misses[tally.tried - tally.behaved], sizeof(*misses),
			 "%u: %.200s", tally.tried + 1, text);
	tally.tried++;
	tally.behaved += good;
	if (!good || !quiet)
		say("%s %u: %s", good ? "ok" : "NOT REFUSED AS IT SHOULD BE",
		    tally.tried, text);
	return good;
}

void tally_end(struct tally *sum)
{
	unsigned int i;

	for (i = 0; i < 8 && i < tally.tried - tally.behaved; i++)
		say("did not behave: %s", misses[i]);
	sum->tried += tally.tried;
	sum->behaved += tally.behaved;
	report("refusals_tried", "%u", sum->tried);
	report("refusals_behaved", "%u", sum->behaved);
	check(tally.tried, "nothing was tried");
	check(tally.tried == tally.behaved, "%u refusals did not behave",
	      tally.tried - tally.behaved);
}

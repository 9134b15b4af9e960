// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reasons.h"

static const struct reason reasons[] = {
	{ EBADMSG, "shorter than it says it is" },
	{ EBADMSG, "wrong magic: not of this format" },
	{ EBADMSG, "header field wrong or reserved bytes not zero" },
	{ EBADMSG, "CRC of the header does not match" },
	{ EBADMSG, "CRC of the FDT does not match" },
	{ EBADMSG, BAD_SECTION },
	{ EBADMSG, "SHA-256 digest does not match" },
	{ EBADMSG, "FDT cannot be read" },
	{ EBADMSG, "FDT is not in canonical form" },
	{ EBADMSG, "property missing, extra or of the wrong size" },
	{ EBADMSG, "value out of its range" },
	{ EBADMSG, "address or length misaligned" },
	{ EBADMSG, "not in ascending order, or there twice" },
	{ EBADMSG, "names something that is not there or does not fit" },
	{ EBADMSG, "nothing names it" },
	{ EBADMSG, "sections not back to back, or padding not zero" },
	{ EBADMSG, "fewer or more than declared" },
	{ EBADMSG, "object ID used twice in one context" },
	{ EBADMSG, "string empty, not terminated or not printable" },
	{ EOPNOTSUPP, "major version not supported" },
	{ EOPNOTSUPP, "needs a feature that is not supported" },
	{ EOPNOTSUPP, "records are in another byte order" },
	{ EOPNOTSUPP, "value or flag not supported" },
	{ EFBIG, "over a limit of the format" },
};

bool says(const char *sentence, const char *words)
{
	size_t len = strlen(words);

	return !strncmp(sentence, words, len) &&
	       (sentence[len] == '\0' || sentence[len] == ';');
}

const struct reason *reason_of(const char *sentence, char where[128])
{
	const char *at = strstr(sentence, " at ");
	unsigned int i;
	char *end;

	if (strncmp(sentence, "image: ", 7) || !at || at < sentence + 7)
		return NULL;
	snprintf(where, 128, "%.*s", (int)(at - sentence - 7), sentence + 7);
	strtoull(at + 4, &end, 0);
	if (strncmp(end, ": ", 2))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (says(end + 2, reasons[i].text))
			return &reasons[i];
	return NULL;
}

/*
 * What one value breaks elsewhere, without the numbers of the nodes: who else
 * may be named when @prop is altered, and for what.
 */
static const struct {
	const char *prop;
	const char *where;
	const char *text;
} breaks[] = {
	{ "memory session", "memory token", NOT_ORDERED },
	{ "memory token", "memory token", NOT_ORDERED },
	/* the file then has the token of an iommufd */
	{ "memory token", "context token", NOT_ORDERED },
	{ "unit segment", "device unit", NOT_THERE },
	{ "table context", "table hwpt-id", NOT_ORDERED },
	{ "table hwpt-id", "table hwpt-id", NOT_ORDERED },
	{ "device segment", "device unit", NOT_THERE },
	/* the path ends with what the source ID says */
	{ "device source-ids", "device root-bus", "value out of its range" },
	{ "device source-ids", "device path", "value out of its range" },
	{ "table levels", "table width", "value out of its range" },
	/* the unit reads no such table, or the format has no such tables */
	{ "table format", "domain table", NOT_THERE },
	{ "table format", "table attributes", "value or flag not supported" },
	{ "table format", "table levels", "value out of its range" },
	{ "table format", "table width", "value out of its range" },
	{ "device context", "device domain", NOT_THERE },
	{ "device domain", "domain", "nothing names it" },
	{ "context session", "context token", NOT_ORDERED },
	{ "context token", "context token", NOT_ORDERED },
	{ "context stream-digest", "stream stream-digest", BAD_SECTION },
	{ "context stream-len", "stream stream-digest", BAD_SECTION },
	{ "context stream-len", "context records",
	  "fewer or more than declared" },
	{ "context stream-len", "context stream-off", NOT_DENSE },
};

/* "context-1 token" without the number. */
static void strip_number(char *name)
{
	char *dash = strchr(name, '-'), *end;

	if (!dash || dash[1] < '0' || dash[1] > '9')
		return;
	strtoul(dash + 1, &end, 10);
	memmove(dash, end, strlen(end) + 1);
}

bool is_about(const struct prop *p, char where[128], const char *text)
{
	bool root = !strcmp(p->node, "root");
	char own[80];
	unsigned int i;

	snprintf(own, sizeof(own), "%s%s%s", root ? "" : p->node,
		 root ? "" : " ", p->name);
	if (!strcmp(where, own))
		return true;
	strip_number(own);
	strip_number(where);
	for (i = 0; i < ARRAY_SIZE(breaks); i++)
		if (!strcmp(own, breaks[i].prop) &&
		    !strcmp(where, breaks[i].where) &&
		    !strcmp(text, breaks[i].text))
			return true;
	return false;
}

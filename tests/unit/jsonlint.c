// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exit 0 when standard input is one JSON value (RFC 8259) and nothing else, 1
 * otherwise. So that the tests need no interpreter.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static char text[1 << 22];
static const char *p = text;

static bool value(int depth);

static void space(void)
{
	while (*p && strchr(" \t\r\n", *p))
		p++;
}

static bool string(void)
{
	int i;

	if (*p++ != '"')
		return false;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return false;
		if (*p != '\\')
			continue;
		if (*++p == 'u') {
			for (i = 0; i < 4; i++)
				if (!isxdigit((unsigned char)*++p))
					return false;
		} else if (!*p || !strchr("\"\\/bfnrt", *p)) {
			return false;
		}
	}
	p++;
	return true;
}

static bool digits(void)
{
	if (!isdigit((unsigned char)*p))
		return false;
	while (isdigit((unsigned char)*p))
		p++;
	return true;
}

static bool number(void)
{
	if (*p == '-')
		p++;
	if (*p == '0')
		p++;
	else if (!digits())
		return false;
	if (*p == '.' && (p++, !digits()))
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		if (*p == '+' || *p == '-')
			p++;
		return digits();
	}
	return true;
}

/* The inside of an object or an array. */
static bool list(char end, bool names, int depth)
{
	p++;
	space();
	if (*p == end) {
		p++;
		return true;
	}
	for (;;) {
		space();
		if (names) {
			if (!string())
				return false;
			space();
			if (*p++ != ':')
				return false;
		}
		if (!value(depth + 1))
			return false;
		if (*p == end) {
			p++;
			return true;
		}
		if (*p++ != ',')
			return false;
	}
}

static bool literal(const char *word)
{
	size_t len = strlen(word);

	if (strncmp(p, word, len))
		return false;
	p += len;
	return true;
}

static bool value(int depth)
{
	bool good;

	if (depth > 64)
		return false;
	space();
	switch (*p) {
	case '{':
		good = list('}', true, depth);
		break;
	case '[':
		good = list(']', false, depth);
		break;
	case '"':
		good = string();
		break;
	case 't':
		good = literal("true");
		break;
	case 'f':
		good = literal("false");
		break;
	case 'n':
		good = literal("null");
		break;
	default:
		good = number();
		break;
	}
	space();
	return good;
}

int main(void)
{
	size_t len = fread(text, 1, sizeof(text) - 1, stdin);

	return !(len && value(0) && p == text + len);
}

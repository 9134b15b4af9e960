// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "iho.h"
#include "tap.h"

static unsigned int count, failed;

static bool result(bool good, const char *fmt, va_list ap)
{
	count++;
	failed += !good;
	printf("%s %u - ", good ? "ok" : "not ok", count);
	vprintf(fmt, ap);
	printf("\n");
	return good;
}

bool ok(bool good, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	result(good, fmt, ap);
	va_end(ap);
	return good;
}

bool ok_err(int got, int want, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	result(got == -want, fmt, ap);
	va_end(ap);
	if (got != -want)
		diag("got %s (%d), want %s", iho_error_name(got), got,
		     iho_error_name(want));
	return got == -want;
}

void diag(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

int tap_end(void)
{
	printf("1..%u\n", count);
	return failed || !count;
}

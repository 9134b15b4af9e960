// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: will the next kernel have memory for a crash kernel?
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kexec.h"
#include "iommu-handover-hint.h"
#include "iommu-handover-kernel.h"

#define CRASHKERNEL	"crashkernel="
#define KHO_SCRATCH	"kho_scratch="

/* Bytes, with the suffixes that Linux takes; @end is after it. */
static uint64_t parse_size(const char *p, const char **end)
{
	char *after;
	uint64_t size = strtoull(p, &after, 0);

	switch (toupper((unsigned char)*after)) {
	case 'T':
		size <<= 10;
		/* fall through */
	case 'G':
		size <<= 10;
		/* fall through */
	case 'M':
		size <<= 10;
		/* fall through */
	case 'K':
		size <<= 10;
		after++;
	}
	*end = after;
	return size;
}

/*
 * The most that one parameter may reserve: "SIZE[@OFFSET]", "SIZE,high", or
 * "RANGE:SIZE,RANGE:SIZE...". Which range counts depends on the memory that is
 * there; the largest is taken, since this only warns.
 */
static uint64_t parse_crashkernel(const char *p)
{
	size_t len = strcspn(p, " \t\n"), i;
	uint64_t most = 0, size;
	const char *end;

	if (!memchr(p, ':', len))
		return parse_size(p, &end);
	for (i = 0; i < len; i++) {
		if (p[i] != ':')
			continue;
		size = parse_size(p + i + 1, &end);
		if (size > most)
			most = size;
	}
	return most;
}

/* The value of the next parameter of that name from @p on, or NULL. */
static const char *next_value(const char *p, const char *name)
{
	const char *start = p;

	while ((p = strstr(p, name))) {
		if (p == start || isspace((unsigned char)p[-1]))
			return p + strlen(name);
		p += strlen(name);
	}
	return NULL;
}

static uint64_t most_wanted(const char *cmdline)
{
	const char *p = cmdline;
	uint64_t most = 0, size;

	while ((p = next_value(p, CRASHKERNEL))) {
		size = parse_crashkernel(p);
		if (size > most)
			most = size;
	}
	return most;
}

/* One length a line. */
static uint64_t largest_listed(void)
{
	FILE *file = fopen("/sys/kernel/debug/kho/out/scratch_len", "re");
	uint64_t most = 0, size;
	char line[32];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		size = strtoull(line, NULL, 0);
		if (size > most)
			most = size;
	}
	fclose(file);
	return most;
}

/* "LOWMEM,GLOBAL,PERNODE"; a percentage says nothing about the result. */
static uint64_t largest_asked_for(void)
{
	FILE *file = fopen("/proc/cmdline", "re");
	uint64_t most = 0, size;
	const char *p, *value = NULL;
	char line[8192] = "";

	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	for (p = line; (p = next_value(p, KHO_SCRATCH)); )
		value = p;
	for (p = value; p; p = *p == ',' ? p + 1 : NULL) {
		size = parse_size(p, &p);
		if (*p == '%')
			return 0;
		if (size > most)
			most = size;
	}
	return most;
}

void handover_warn_crash(const char *cmdline)
{
	uint64_t wanted = most_wanted(cmdline);
	uint64_t there = wanted ? largest_listed() : 0;

	if (wanted && !there)
		there = largest_asked_for();
	if (wanted <= there)
		return;
	if (there)
		handover_complain("warning: crashkernel= wants %llu MiB, the largest KHO scratch area has %llu MiB: the next kernel will be without a crash kernel; boot with a larger kho_scratch=",
				  (unsigned long long)wanted >> 20,
				  (unsigned long long)there >> 20);
	else
		handover_complain("warning: crashkernel= has to fit a KHO scratch area, and how large they are is not known: mount debugfs, or see /sys/kernel/kexec_crash_size after the jump");
}

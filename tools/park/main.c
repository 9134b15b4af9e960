// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover-park: a QEMU with a passed-through device, across a kexec.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "park.h"

static const char usage_text[] =
"Usage: iommu-handover-park park --session NAME [OPTION...] -- QEMU ARGUMENT...\n"
"       iommu-handover-park resume --session NAME [--status FILE]\n"
"       iommu-handover-park check --pid PID [--json] [--paused]\n"
"               [--reopen PATH]...\n"
"       iommu-handover-park --help\n"
"\n"
"park    what QEMU executes for cpr-exec: gives memory, iommufd and devices to a\n"
"        live update session of that name and waits for the kexec. When that\n"
"        does not come, QEMU goes on where it was: at SIGHUP, after --timeout,\n"
"        or at once when something is refused\n"
"resume  in the next kernel, as root: takes the session, from the service\n"
"        manager's store or by name, arms the device's interrupts and becomes\n"
"        the QEMU that it was\n"
"check   names each thing of a running QEMU that would be refused; the guest\n"
"        goes on meanwhile\n"
"\n"
"  --session NAME   of the live update session; up to 63 characters\n"
"  --status FILE    where one line says how it stands: parked, resumed,\n"
"                   refused and why\n"
"  --reopen PATH    a descriptor of this path is opened again in the next kernel;\n"
"                   any other one that cannot be carried is refused\n"
"  --timeout S      go on here after that many seconds\n"
"  --store          hand the session to the service manager's descriptor store\n"
"                   and end, instead of waiting\n"
"  --json           print what check finds for programs\n"
"  --paused         check for a handover in which the device is reset\n"
"  --no-interrupts  for tests: leave the device's interrupts as they are\n"
"\n"
"QEMU's command ends with -incoming file:PATH, which is the file that it was\n"
"told to migrate to. Exit status: 0 done, 1 refused or failed, 2 wrong usage.\n";

struct options options;

/* A reader sees the old line or the new one. */
void tell(const char *format, ...)
{
	char line[WHY_LEN + 64], path[4096];
	va_list ap;
	int fd;

	va_start(ap, format);
	/* There has to be room for the end of the line. */
	vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	fprintf(stderr, "iommu-handover-park: %s\n", line);
	if (!options.status)
		return;
	snprintf(path, sizeof(path), "%s.new", options.status);
	strcat(line, "\n");
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write_all(fd, line, strlen(line)) ||
	    rename(path, options.status))
		fprintf(stderr, "iommu-handover-park: %s: %s\n", options.status,
			strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* ---- command line ------------------------------------------------------- */

static int wrong(const char *what, const char *which)
{
	tell("refused: %s%s; see iommu-handover-park --help", what, which);
	return 2;
}

static bool read_number(const char *text, unsigned int *value)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*value = (unsigned int)number;
	return *text >= '1' && *text <= '9' && !*end && number <= 1u << 30;
}

enum {
	SESSION = 1,
	STATUS,
	REOPEN,
	TIMEOUT,
	STORE,
	PAUSED,
	PID,
	NO_INTERRUPTS,
	JSON,
};

static const struct option long_options[] = {
	{ "session", required_argument, NULL, SESSION },
	{ "status", required_argument, NULL, STATUS },
	{ "reopen", required_argument, NULL, REOPEN },
	{ "timeout", required_argument, NULL, TIMEOUT },
	{ "store", no_argument, NULL, STORE },
	{ "paused", no_argument, NULL, PAUSED },
	{ "pid", required_argument, NULL, PID },
	{ "no-interrupts", no_argument, NULL, NO_INTERRUPTS },
	{ "json", no_argument, NULL, JSON },
	{ NULL, 0, NULL, 0 },
};

static int read_option(int option, char **argv)
{
	unsigned int number;

	switch (option) {
	case SESSION:
		if (!*optarg || strlen(optarg) >= LUO_NAME_LEN)
			return wrong("--session takes 1 to 63 characters, not ",
				     optarg);
		options.session = optarg;
		return 0;
	case STATUS:
		options.status = optarg;
		return 0;
	case REOPEN:
		if (options.nr_reopen == MOST_REOPEN)
			return wrong("too many --reopen, at ", optarg);
		options.reopen[options.nr_reopen++] = optarg;
		return 0;
	case TIMEOUT:
		if (!read_number(optarg, &options.timeout))
			return wrong("--timeout takes seconds, not ", optarg);
		return 0;
	case PID:
		if (!read_number(optarg, &number))
			return wrong("--pid takes a process ID, not ", optarg);
		options.pid = (pid_t)number;
		return 0;
	case STORE:
		options.store = true;
		return 0;
	case PAUSED:
		options.paused = true;
		return 0;
	case JSON:
		options.json = true;
		return 0;
	case NO_INTERRUPTS:
		options.no_interrupts = true;
		return 0;
	default:
		return wrong("unknown, or without its argument: ", argv[optind - 1]);
	}
}

/*
 * By the time it is known that the command line is wrong, QEMU is this program: it
 * goes on, with the command that is behind "--".
 */
static int wrong_park(char **argv)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, "--") && argv[1])
			return go_on_here(argv + 1);
	return 2;
}

static int obey(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int option, ret;

	if (!strcmp(what, "--help") || !strcmp(what, "-h")) {
		fputs(usage_text, stdout);
		return 0;
	}
	optind = 2;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		ret = read_option(option, argv);
		if (ret)
			return ret;
	}
	if (!strcmp(what, "check"))
		return options.pid ? check() : wrong("check needs --pid", "");
	if (strcmp(what, "park") && strcmp(what, "resume"))
		return wrong("wanted is one of park, resume and check, not ", what);
	if (!options.session)
		return wrong(what, " needs --session");
	if (!strcmp(what, "resume"))
		return resume();
	if (optind == argc)
		return wrong("park needs QEMU's command behind --", "");
	return park(argv + optind);
}

int main(int argc, char **argv)
{
	int ret = obey(argc, argv);

	if (ret == 2 && argc > 1 && !strcmp(argv[1], "park"))
		ret = wrong_park(argv);
	return ret;
}

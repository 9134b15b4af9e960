// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * The record of a process: a first line, then strings that each begin with a letter
 * and end with a NUL, and ".", so that a record that was cut is noticed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "park.h"

#define FIRST_LINE	"iommu-handover-park 2"
#define MOST_GROUPS	256
#define MOST_STRINGS	65536

static void __printf(3, 4) put(FILE *file, char tag, const char *format, ...)
{
	va_list ap;

	fputc(tag, file);
	va_start(ap, format);
	vfprintf(file, format, ap);
	va_end(ap);
	fputc(0, file);
}

static void put_identity(FILE *file)
{
	gid_t groups[MOST_GROUPS];
	int i, nr = getgroups(MOST_GROUPS, groups);
	mode_t mask = umask(0);

	umask(mask);
	put(file, 'u', "%u", (unsigned int)geteuid());
	put(file, 'g', "%u", (unsigned int)getegid());
	for (i = 0; i < nr; i++)
		put(file, 'G', "%u", (unsigned int)groups[i]);
	put(file, 'm', "%o", (unsigned int)mask);
	for (i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit limit;

		if (!getrlimit((__rlimit_resource_t)i, &limit))
			put(file, 'l', "%d %llu %llu", i,
			    (unsigned long long)limit.rlim_cur,
			    (unsigned long long)limit.rlim_max);
	}
}

int record_write(char **argv, const struct held_fds *fds, struct why *why)
{
	char cwd[4096];
	size_t i;
	char **p;
	FILE *file;
	int fd, dup;

	if (!getcwd(cwd, sizeof(cwd)))
		return refuse(why, "working directory: %s", strerror(errno));
	fd = memfd_create("park-record", MFD_CLOEXEC);
	dup = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	file = dup < 0 ? NULL : fdopen(dup, "w");
	if (!file)
		return refuse(why, "memfd: %s", strerror(errno));
	fprintf(file, "%s%c", FIRST_LINE, 0);
	for (p = argv; *p; p++)
		put(file, 'a', "%s", *p);
	for (p = environ; *p; p++)
		put(file, 'e', "%s", *p);
	put(file, 'd', "%s", cwd);
	put_identity(file);
	for (i = 0; i < fds->nr; i++)
		put(file, 'f', "%d %o %d %d %x %s", fds->all[i].fd,
		    fds->all[i].flags, (int)fds->all[i].kind,
		    fds->all[i].irqs, fds->all[i].msi_mask, fds->all[i].name);
	put(file, '.', "%s", "");
	if (fclose(file))
		return refuse(why, "record of the process: %s", strerror(errno));
	return fd;
}

static int read_fd(const char *text, struct held_fds *fds)
{
	struct held_fd *held = &fds->all[fds->nr];
	unsigned int flags;
	int kind, at = 0;

	if (fds->nr == MAX_FDS ||
	    sscanf(text, "%d %o %d %d %x %n", &held->fd, &flags, &kind,
		   &held->irqs, &held->msi_mask, &at) < 5 ||
	    !at || held->fd < 0 || held->fd >= FIRST_FREE || kind < 0 || kind >= FD_UNKNOWN)
		return -1;
	held->flags = (int)flags;
	held->kind = (enum fd_kind)kind;
	snprintf(held->name, sizeof(held->name), "%s", text + at);
	fds->nr++;
	return 0;
}

int record_read(int memfd, struct record *record, struct why *why)
{
	size_t args = 0, envs = 0;
	char *at, *end;

	record->bytes = read_all(memfd, &record->len);
	record->argv = calloc(MOST_STRINGS + 1, sizeof(char *));
	record->envp = calloc(MOST_STRINGS + 1, sizeof(char *));
	record->fds = calloc(1, sizeof(*record->fds));
	record->cwd = NULL;
	if (!record->bytes || !record->argv || !record->envp || !record->fds)
		return refuse(why, "record of the process: %s", strerror(errno));
	end = record->bytes + record->len;
	if (!record->len || end[-1] || strcmp(record->bytes, FIRST_LINE))
		return refuse(why,
			      "the session holds no record of this version of iommu-handover-park");
	for (at = record->bytes; (at += strlen(at) + 1) < end && *at != '.'; ) {
		if (*at == 'a' && args < MOST_STRINGS)
			record->argv[args++] = at + 1;
		else if (*at == 'e' && envs < MOST_STRINGS)
			record->envp[envs++] = at + 1;
		else if (*at == 'd')
			record->cwd = at + 1;
		else if (*at == 'f' && read_fd(at + 1, record->fds))
			break;
	}
	if (at >= end || *at != '.' || !args || !record->cwd)
		return refuse(why, "the record of the process is damaged at byte %zu of %zu",
			      (size_t)(at - record->bytes), record->len);
	return 0;
}

/* The session's owner is root; QEMU need not have been. */
static int be_who_it_was(const struct record *record, struct why *why)
{
	const char *at = record->bytes, *end = at + record->len;
	gid_t groups[MOST_GROUPS];
	unsigned long uid = 0, gid = 0, mask = 022;
	unsigned long long soft, hard;
	size_t nr = 0;
	int which;

	for (; (at += strlen(at) + 1) < end; ) {
		if (*at == 'u') {
			uid = strtoul(at + 1, NULL, 10);
		} else if (*at == 'g') {
			gid = strtoul(at + 1, NULL, 10);
		} else if (*at == 'G' && nr < MOST_GROUPS) {
			groups[nr++] = (gid_t)strtoul(at + 1, NULL, 10);
		} else if (*at == 'm') {
			mask = strtoul(at + 1, NULL, 8);
		} else if (*at == 'l' && sscanf(at + 1, "%d %llu %llu", &which,
						&soft, &hard) == 3) {
			struct rlimit limit = { .rlim_cur = soft,
						.rlim_max = hard };

			if (setrlimit((__rlimit_resource_t)which, &limit))
				return refuse(why, "resource limit %d: %s", which,
					      strerror(errno));
		}
	}
	umask((mode_t)mask);
	if (setgroups(nr, groups) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		return refuse(why, "user %lu, group %lu: %s", uid, gid,
			      strerror(errno));
	return 0;
}

int record_become(const struct record *record, struct why *why)
{
	sigset_t none;

	if (be_who_it_was(record, why))
		return -1;
	if (chdir(record->cwd))
		return refuse(why, "working directory %s: %s", record->cwd,
			      strerror(errno));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	environ = record->envp;
	execvp(record->argv[0], record->argv);
	return refuse(why, "%s: %s", record->argv[0], strerror(errno));
}

// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "park.h"

int refuse(struct why *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why->text, sizeof(why->text), format, ap);
	va_end(ap);
	return -1;
}

void *read_all(int fd, size_t *len)
{
	size_t got = 0, room = 0;
	char *data = NULL, *more;
	ssize_t n;

	do {
		if (got == room) {
			room = room ? 2 * room : 1 << 16;
			more = realloc(data, room);
			if (!more)
				goto fail;
			data = more;
		}
		n = pread(fd, data + got, room - got, (off_t)got);
		if (n < 0 && errno != EINTR)
			goto fail;
		got += n > 0 ? (size_t)n : 0;
	} while (n);
	*len = got;
	return data;
fail:
	free(data);
	return NULL;
}

int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int copy_to_memfd(const char *name, int fd)
{
	size_t len;
	char *data = read_all(fd, &len);
	int copy, ret;

	if (!data)
		return -errno;
	copy = memfd_create(name, MFD_CLOEXEC);
	ret = copy < 0 ? -errno : write_all(copy, data, len);
	free(data);
	if (ret && copy >= 0)
		close(copy);
	return ret ? ret : copy;
}

const char *incoming_file(char **argv, char *path, size_t len)
{
	static const char kind[] = "file:";
	const char *name;

	for (; argv[0] && argv[1]; argv++) {
		if (strcmp(argv[0], "-incoming") && strcmp(argv[0], "--incoming"))
			continue;
		name = argv[1];
		/* Not what comes after it: an offset has no use here. */
		if (strncmp(name, kind, sizeof(kind) - 1) || strchr(name, ','))
			return NULL;
		name += sizeof(kind) - 1;
		if (strlen(name) >= len)
			return NULL;
		return memcpy(path, name, strlen(name) + 1);
	}
	return NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * alter FROM TO WHERE OFFSET BYTE - copy a file with one byte changed
 *
 * OFFSET is counted from the only place where the text WHERE stands; or from the
 * beginning, when WHERE is "".
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static char *find(char *data, size_t len, const char *where)
{
	char *found = memmem(data, len, where, strlen(where));
	char *behind;

	check(found, "%s is not in it", where);
	if (!*where)
		return data;
	behind = found + 1;
	check(!memmem(behind, data + len - behind, where, strlen(where)),
	      "%s is in it twice", where);
	return found;
}

int main(int argc, char **argv)
{
	size_t done, len;
	struct stat st;
	char *data;
	int fd;

	check(argc == 6, "usage: alter FROM TO WHERE OFFSET BYTE");
	fd = must(open(argv[1], O_RDONLY));
	must(fstat(fd, &st));
	len = st.st_size;
	data = malloc(len);
	check(data, "no memory");
	for (done = 0; done < len; )
		done += must(read(fd, data + done, len - done));
	close(fd);
	find(data, len, argv[3])[strtol(argv[4], NULL, 0)] =
		strtol(argv[5], NULL, 0);
	fd = must(open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600));
	for (done = 0; done < len; )
		done += must(write(fd, data + done, len - done));
	close(fd);
	return 0;
}

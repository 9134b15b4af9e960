// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi.h"
#include "park.h"

static bool is_iommufd(int fd)
{
	struct iommufd_option arg = { .size = sizeof(arg), .op = 1 };

	return !ioctl(fd, IOMMUFD_OPTION, &arg);
}

static bool is_device(int fd)
{
	struct vfio_device_info arg = { .argsz = sizeof(arg) };

	return !ioctl(fd, VFIO_DEVICE_GET_INFO, &arg);
}

/* A memfd, or another file in memory without a path. A retrieved one has no name. */
static bool is_memory(const struct held_fd *held, int fd)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(held->name);

	return len >= sizeof(deleted) - 1 &&
	       !strcmp(held->name + len - sizeof(deleted) + 1, deleted) &&
	       fcntl(fd, F_GET_SEALS) >= 0;
}

static enum fd_kind kind_of(const struct held_fd *held, int fd,
			    const char *const *reopen)
{
	const char *name = held->name;

	if (held->fd <= STDERR_FILENO)
		return FD_STANDARD;
	if (is_memory(held, fd))
		return FD_MEMORY;
	if (!strcmp(name, "anon_inode:[eventfd]"))
		return FD_EVENT;
	for (; reopen && *reopen; reopen++)
		if (!strcmp(name, *reopen))
			return FD_PATH;
	/* By what they answer: one that was retrieved has no path any more. */
	if (is_iommufd(fd))
		return FD_IOMMUFD;
	if (is_device(fd))
		return FD_DEVICE;
	return FD_UNKNOWN;
}

/* "flags:" of fdinfo, which has O_CLOEXEC as well. */
static int flags_of(pid_t pid, int fd)
{
	char path[64], line[128];
	int flags = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	file = fopen(path, "re");
	if (!file)
		return -1;
	while (flags < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "flags: %o", (unsigned int *)&flags);
	fclose(file);
	return flags;
}

static int by_number(const void *a, const void *b)
{
	return ((const struct held_fd *)a)->fd - ((const struct held_fd *)b)->fd;
}

/* Of a QEMU that runs, its interrupts' eventfds are not looked at: it makes them last. */
static bool goes_on(const struct held_fd *held, bool other)
{
	bool kept = !(held->flags & O_CLOEXEC);

	if (!other)
		return kept;
	return kept || held->kind == FD_MEMORY || held->kind == FD_IOMMUFD ||
	       held->kind == FD_DEVICE;
}

int fds_look(struct held_fds *fds, pid_t pid, int *copies,
	     const char *const *reopen, struct why *why)
{
	bool other = pid != 0;
	int pidfd = -1, ret = 0;
	char path[64], link[96];
	struct dirent *entry;
	DIR *dir;

	if (!pid)
		pid = getpid();
	fds->nr = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return refuse(why, "%s: %s", path, strerror(errno));
	if (other) {
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (pidfd < 0) {
			ret = refuse(why, "process %d: %s", (int)pid,
				     strerror(errno));
			goto out;
		}
	}
	while ((entry = readdir(dir))) {
		struct held_fd *held = &fds->all[fds->nr];
		int copy = held->fd = atoi(entry->d_name);
		ssize_t len;

		if (held->fd >= FIRST_FREE) {
			ret = refuse(why, "descriptor %d of process %d has a higher number than %d",
				     held->fd, (int)pid, FIRST_FREE - 1);
			goto out;
		}
		if (entry->d_name[0] == '.' || (!other && copy == dirfd(dir)))
			continue;
		if (fds->nr == MAX_FDS) {
			ret = refuse(why, "process %d has more than %d descriptors",
				     (int)pid, MAX_FDS);
			goto out;
		}
		snprintf(link, sizeof(link), "%s/%d", path, held->fd);
		len = readlink(link, held->name, sizeof(held->name) - 1);
		held->flags = flags_of(pid, held->fd);
		if (len < 0 || held->flags < 0)
			continue;
		held->name[len] = 0;
		if (other) {
			copy = (int)syscall(SYS_pidfd_getfd, pidfd, held->fd, 0);
			if (copy < 0 && errno == EBADF)
				continue;	/* closed meanwhile */
			if (copy < 0) {
				ret = refuse(why, "descriptor %d of process %d: %s",
					     held->fd, (int)pid, strerror(errno));
				goto out;
			}
		}
		held->kind = kind_of(held, copy, reopen);
		if (held->kind == FD_DEVICE)
			device_look(held, copy);
		if (!goes_on(held, other)) {
			if (other)
				close(copy);
			continue;
		}
		if (copies)
			copies[fds->nr] = other ? copy : held->fd;
		else if (other)
			close(copy);
		fds->nr++;
	}
out:
	closedir(dir);
	if (pidfd >= 0)
		close(pidfd);
	if (!ret && !copies)
		qsort(fds->all, fds->nr, sizeof(fds->all[0]), by_number);
	return ret;
}

int fds_refuse(const struct held_fds *fds, struct why *why)
{
	const struct held_fd *held;

	for (held = fds->all; held < fds->all + fds->nr; held++)
		if (held->kind == FD_UNKNOWN)
			return refuse(why,
				      "descriptor %d is %s, which does not cross a kexec; start QEMU without it%s",
				      held->fd, held->name,
				      held->name[0] == '/' ?
				      ", or name its path with --reopen" : "");
	return 0;
}

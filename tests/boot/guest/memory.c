// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define MEMORY_SEALS	(F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static int map_memory(struct memory *mem, int fd, size_t len)
{
	void *va = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (va == MAP_FAILED)
		return -errno;
	mem->fd = fd;
	mem->va = va;
	mem->len = len;
	return 0;
}

int memory_create(struct memory *mem, const char *name, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, len) || fallocate(fd, 0, 0, len) ||
	    fcntl(fd, F_ADD_SEALS, MEMORY_SEALS))
		err = -errno;
	else
		err = map_memory(mem, fd, len);
	if (err)
		close(fd);
	return err;
}

int memory_adopt(struct memory *mem, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	int err;

	if (seals < 0 || fstat(fd, &st))
		err = -errno;
	else if ((seals & MEMORY_SEALS) != MEMORY_SEALS)
		err = -EPERM;
	else
		err = map_memory(mem, fd, st.st_size);
	if (err)
		close(fd);
	return err;
}

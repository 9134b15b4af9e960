// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>

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

/* Pages are handed out by the first @nodes of them in turn; 0 for any. */
static int spread(unsigned long nodes)
{
	unsigned long mask = (1UL << nodes) - 1;

	return syscall(SYS_set_mempolicy, nodes ? MPOL_INTERLEAVE : MPOL_DEFAULT,
		       nodes ? &mask : NULL, nodes ? 8 * sizeof(mask) : 0) ?
		-errno : 0;
}

/* Each node has its share of them, or it is not on the nodes that it was on. */
static void check_spread(const struct memory *mem, unsigned int nodes)
{
	unsigned int found[64] = {}, pages = mem->len / GUEST_PAGE;
	volatile char *at;
	void *page;
	int node;

	for (unsigned int i = 0; i < pages; i++) {
		at = page = (char *)mem->va + i * GUEST_PAGE;
		(void)*at;
		check(!syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0) &&
		      node >= 0 && node < 64, "page %u is on node %d", i, node);
		found[node]++;
	}
	for (unsigned int i = 0; i < nodes; i++) {
		check(found[i] >= pages / nodes / 4, "%u of %u pages on node %u",
		      found[i], pages, i);
		report("pages_on_nodes[]", "%u", found[i]);
	}
}

int memory_create(struct memory *mem, const char *name, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	unsigned int nodes = boot_option("guest.nodes=", 0);
	int err;

	if (fd < 0)
		return -errno;
	if (nodes)
		must(spread(nodes));
	if (ftruncate(fd, len) || fallocate(fd, 0, 0, len) ||
	    fcntl(fd, F_ADD_SEALS, MEMORY_SEALS))
		err = -errno;
	else
		err = map_memory(mem, fd, len);
	if (nodes)
		must(spread(0));
	if (err)
		close(fd);
	return err;
}

int memory_adopt(struct memory *mem, int fd)
{
	unsigned int nodes = boot_option("guest.nodes=", 0);
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	int err;

	if (seals < 0 || fstat(fd, &st))
		err = -errno;
	else if ((seals & MEMORY_SEALS) != MEMORY_SEALS)
		err = -EPERM;
	else
		err = map_memory(mem, fd, st.st_size);
	if (!err && nodes)
		check_spread(mem, nodes);
	if (err)
		close(fd);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * off NUMBER - NUMBER is 0 before the first kexec
 *
 * Three sessions. "off" has a memfd and an iommufd with a device attached,
 * "off-memory" a memfd alone, "off-left" one of each that nobody asks for.
 *
 * After a kexec the image is there and ignored. That sessions open at all shows
 * that the file type is registered: LUO gives EIO for every session when a type
 * in one of them is unknown.
 */
#include <fcntl.h>

#include "edu.h"
#include "handover.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define MEMORY_LEN	(1ULL << 20)
#define MAP_IOVA	0x123456000ULL

/* The line that a file of the handover's directory holds must be @want. */
static void check_fact(const char *name, const char *want)
{
	char have[SENTENCE_LEN];

	handover_attr(name, have);
	check(!strcmp(have, want), "%s is \"%s\", not \"%s\"", name, have,
	      want);
}

/* A memory file whose pages tell the kexec before which they were written. */
static void fill(struct memory *mem, uint64_t key)
{
	uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		word[i] = key << 32 | i;
}

static void check_filled(const struct memory *mem, uint64_t key)
{
	const uint64_t *word = mem->va;
	size_t i;

	for (i = 0; i < mem->len / sizeof(*word); i++)
		check(word[i] == (key << 32 | i), "word %zu is 0x%llx", i,
		      (unsigned long long)word[i]);
}

/* Map all of @mem, attach the device and let it copy page 0 to page 1. */
static void use_device(int iommufd, int *dev, struct memory *mem)
{
	uint64_t iova = MAP_IOVA;
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, id, pt;
	struct edu edu;

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	*dev = must(vfio_open(bdf));
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem->fd, 0, mem->len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(vfio_bind(*dev, iommufd, &id));
	pt = ioas;
	must(vfio_attach(*dev, &pt));
	must(edu_open(&edu, *dev));
	memset((char *)mem->va + GUEST_PAGE, 0, GUEST_PAGE);
	must(edu_copy(&edu, iova + GUEST_PAGE, iova, GUEST_PAGE));
	check(!memcmp(mem->va, (char *)mem->va + GUEST_PAGE, GUEST_PAGE),
	      "the device copied something else");
	edu_close(&edu);
}

/* Before kexec @nr: make the three sessions and stay. */
static void hand_over(unsigned int nr) __attribute__((noreturn));

static void hand_over(unsigned int nr)
{
	struct memory mem[3];
	int session, iommufd, dev;
	uint32_t ioas;

	must(memory_create(&mem[0], "off", MEMORY_LEN));
	fill(&mem[0], nr);
	iommufd = must(iommufd_open());
	use_device(iommufd, &dev, &mem[0]);
	fill(&mem[0], nr);
	session = must(luo_create("off"));
	must(luo_preserve(session, mem[0].fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));

	must(memory_create(&mem[1], "off-memory", MEMORY_LEN));
	fill(&mem[1], nr + 100);
	session = must(luo_create("off-memory"));
	must(luo_preserve(session, mem[1].fd, TOKEN_MEMORY));

	must(memory_create(&mem[2], "off-left", MEMORY_LEN));
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	session = must(luo_create("off-left"));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	must(luo_preserve(session, mem[2].fd, TOKEN_MEMORY));
	check_fact("state", "open");
	check_fact("contexts", "2");
	background_ready();
}

static void take_back(unsigned int nr)
{
	int session, iommufd, dev, abandon;
	struct memory mem;

	check_fact("incoming/state", "off");
	check_fact("incoming/contexts", "0");
	check_fact("incoming/unfinished", "0");
	check_fact("incoming/pages_pinned", "0");
	check_fact("state", "idle");
	/* Nothing was accepted, so nothing is given up. */
	abandon = must(open(HANDOVER_SYSFS "incoming/abandon", O_WRONLY | O_CLOEXEC));
	check(write(abandon, "1\n", 2) == 2, "abandon: errno %d", errno);
	close(abandon);

	session = must(luo_retrieve("off"));
	must_fail(EOPNOTSUPP, luo_restore(session, TOKEN_IOMMUFD));
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	check_filled(&mem, nr);
	/* Final: the answer does not change, and FINISH does not wait. */
	must_fail(EOPNOTSUPP, luo_restore(session, TOKEN_IOMMUFD));
	must_fail(ENOENT, luo_restore(session, 3));
	must(luo_finish(session));
	close(session);
	check_filled(&mem, nr);

	/* Device and memory serve a new iommufd as on any other kernel. */
	iommufd = must(iommufd_open());
	use_device(iommufd, &dev, &mem);
	close(dev);
	close(iommufd);
	close(mem.fd);

	session = must(luo_retrieve("off-memory"));
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	check_filled(&mem, nr + 100);
	must(luo_finish(session));
	close(session);
	close(mem.fd);

	/* Nothing retrieved at all: FINISH lets go of it, once of three. */
	if (nr % 3 == 1) {
		session = must(luo_retrieve("off-left"));
		must(luo_finish(session));
		close(session);
		must_fail(ENOENT, luo_retrieve("off-left"));
	} else if (nr % 3 == 2) {
		/* Closing is finishing when nothing is waited for. */
		session = must(luo_retrieve("off-left"));
		close(session);
		must_fail(ENOENT, luo_retrieve("off-left"));
	}
	/* Else it is left where it is, and the next kexec is not refused. */
	report("retrieve_gives", "EOPNOTSUPP");
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: off NUMBER");
	nr = atoi(argv[1]);
	background();
	if (nr) {
		take_back(nr);
	} else {
		/* Nothing has come in yet. */
		check_fact("incoming/state", "none");
		check_fact("state", "idle");
	}
	hand_over(nr + 1);
}

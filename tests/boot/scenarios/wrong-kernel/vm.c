// SPDX-License-Identifier: GPL-2.0-only
/*
 * vm new|again - keep a session with a memfd, an iommufd and a device
 *
 * "new" makes them, "again" takes them from the last kernel and compares them
 * with what the memfd says; both put them into a session for the next. SIGUSR1
 * lets the device copy memory, tries to map one page more, and writes the errno
 * of that, 0 if it is mapped, to /run/vm.did. Writes its process ID to
 * /run/vm.pid.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "edu.h"

#define SESSION		"vm"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define LEN		(8ULL << 20)
#define IOVA_BASE	0x40000000ULL
#define IOVA_MORE	0x80000000ULL
#define SAME		(LEN / 2)	/* bytes that nobody writes again */

/* In the first page of the memfd. */
struct note {
	uint32_t ioas, hwpt, device;
	uint32_t stage;
	uint64_t digest;
};

static struct memory mem;
static int iommufd, device;

static struct note *note(void)
{
	return mem.va;
}

static uint64_t digest(void)
{
	return digest64((char *)mem.va + GUEST_PAGE, SAME - GUEST_PAGE);
}

static void copy_memory(void)
{
	char *to = (char *)mem.va + SAME;
	struct edu edu;
	uint64_t from;

	must(edu_open(&edu, device));
	for (from = GUEST_PAGE; from < SAME; from += SAME / 3) {
		memset(to, 0, GUEST_PAGE);
		must(edu_copy(&edu, IOVA_BASE + SAME, IOVA_BASE + from,
			      GUEST_PAGE));
		check(!memcmp(to, (char *)mem.va + from, GUEST_PAGE),
		      "the device copied something else from %#llx",
		      (unsigned long long)from);
	}
	edu_close(&edu);
	check(note()->digest == digest(), "memory differs");
}

static int map_more(void)
{
	uint64_t iova = IOVA_MORE;
	int err = ioas_map_file(iommufd, note()->ioas, mem.fd, 0, GUEST_PAGE,
				&iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);

	if (!err)
		must(ioas_unmap(iommufd, note()->ioas, iova, GUEST_PAGE,
				NULL));
	return -err;
}

static void put_number(const char *name, int number)
{
	char text[16];
	int fd = must(open("/run/vm.new", O_WRONLY | O_CREAT | O_TRUNC, 0600));

	snprintf(text, sizeof(text), "%d\n", number);
	must(write(fd, text, strlen(text)));
	close(fd);
	must(rename("/run/vm.new", name));
}

static void on_usr1(int sig)
{
	(void)sig;
	copy_memory();
	put_number("/run/vm.did", map_more());
}

static void claim(void)
{
	char bdf[PCI_BDF_LEN];

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	device = must(vfio_open(bdf));
}

static void make_new(void)
{
	uint64_t iova = IOVA_BASE;
	size_t i;

	must(memory_create(&mem, SESSION, LEN));
	for (i = 0; i < LEN / 8; i++)
		((uint64_t *)mem.va)[i] = i * 0x9e3779b97f4a7c15ULL;
	memset(note(), 0, sizeof(*note()));
	note()->digest = digest();
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &note()->ioas));
	must(ioas_map_file(iommufd, note()->ioas, mem.fd, 0, LEN, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	claim();
	must(vfio_bind(device, iommufd, &note()->device));
	note()->hwpt = note()->ioas;
	must(vfio_attach(device, &note()->hwpt));
}

static void take_again(void)
{
	int session = must(luo_retrieve(SESSION));
	uint32_t id;

	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	iommufd = must(luo_restore(session, TOKEN_IOMMUFD));
	claim();
	must(vfio_bind(device, iommufd, &id));
	check(id == note()->device, "the device's ID is %u, was %u", id,
	      note()->device);
	note()->stage++;
	must(luo_finish(session));
	close(session);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_usr1,
				 .sa_flags = SA_RESTART };
	int session;

	check(argc == 2, "usage: vm new|again");
	background();
	if (!strcmp(argv[1], "new"))
		make_new();
	else
		take_again();
	copy_memory();
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	sigaction(SIGUSR1, &act, NULL);
	put_number("/run/vm.pid", getpid());
	background_ready();
}

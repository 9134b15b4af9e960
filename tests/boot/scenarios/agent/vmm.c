// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmm GUEST NUMBER start [UNTIL]	build, give to a session
 * vmm GUEST NUMBER limited [UNTIL]	the same in rlimit mode
 * vmm GUEST NUMBER take [UNTIL]	take back what is there, give to a session
 *
 * A VMM whose sessions come from an agent, with systemd's file-descriptor
 * store or without. NUMBER is that of its edu device. It may die at any point
 * and be started again with "take". UNTIL is "retrieved" or "bound", to wait
 * there, or "leave", to end once everything is in the session.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "edu.h"
#include "protocol.h"
#include "store.h"
#include "wire.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

#define MAGIC		0x6d6d76746e656761ULL
#define MEMORY_LEN	0x40000ULL
#define MEMORY_PAGES	(MEMORY_LEN / GUEST_PAGE)
#define MEMORY_IOVA	0x40000000ULL
#define EXTRA_IOVA	0x80000000ULL

/**
 * struct state - the VMM's own notes, in the first page of guest memory
 * @magic: MAGIC
 * @ioas, @hwpt, @dev: object IDs
 * @limited: pinned memory is charged to a process, not to a user
 * @bound: the device has been bound since the last kexec
 * @round: how often the guest was given to a session
 */
struct state {
	uint64_t magic;
	uint32_t ioas, hwpt, dev;
	uint32_t limited;
	uint32_t bound;
	uint32_t round;
};

static const char *guest, *until;
static char bdf[PCI_BDF_LEN];
static struct memory mem;
static struct state *state;
static int session, iommufd, device;

/* ---- the agent ------------------------------------------------------------- */

/* Return: the descriptor that came with the answer, or -1. */
static int ask(const char *what)
{
	int sock = must(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
	struct sockaddr_un addr;
	struct wire answer;
	socklen_t len;

	len = wire_address(&addr, AGENT_SOCKET);
	check(!connect(sock, (struct sockaddr *)&addr, len), "%s: errno %d",
	      AGENT_SOCKET, errno);
	wire_send(sock, what, -1);
	wire_receive(sock, &answer);
	close(sock);
	must(atoi(answer.text));
	return answer.fds ? answer.fd[0] : -1;
}

/* This far; the agent may want to see what comes of a death here. */
static void reached(const char *where)
{
	char text[WIRE_LEN];

	snprintf(text, sizeof(text), "STATUS=%s", where);
	store_notify(text, -1);
	while (until && !strcmp(until, where))
		pause();
}

/* ---- checks ------------------------------------------------------------------ */

/* Every word tells the guest's round and its place. */
static void fill(void)
{
	uint64_t *word = mem.va;
	size_t i;

	for (i = GUEST_PAGE / sizeof(*word); i < MEMORY_LEN / sizeof(*word); i++)
		word[i] = (uint64_t)state->round << 32 | i;
}

static void check_filled(void)
{
	const uint64_t *word = mem.va;
	size_t i;

	for (i = GUEST_PAGE / sizeof(*word); i < MEMORY_LEN / sizeof(*word); i++)
		check(word[i] == ((uint64_t)state->round << 32 | i),
		      "%s: word %zu is %#llx", guest, i,
		      (unsigned long long)word[i]);
}

/* The device copies each of three pages to the last one, and it is put back. */
static void check_dma(uint64_t iova)
{
	static const uint64_t from[] = { 1, MEMORY_PAGES / 2, MEMORY_PAGES - 2 };
	uint64_t last = MEMORY_LEN - GUEST_PAGE;
	char *va = mem.va;
	struct edu edu;
	unsigned int i;

	must(edu_open(&edu, device));
	for (i = 0; i < ARRAY_SIZE(from); i++) {
		memset(va + last, 0, GUEST_PAGE);
		must(edu_copy(&edu, iova + last, iova + from[i] * GUEST_PAGE,
			      GUEST_PAGE));
		check(!memcmp(va + last, va + from[i] * GUEST_PAGE, GUEST_PAGE),
		      "%s: page %llu was not copied", guest,
		      (unsigned long long)from[i]);
	}
	edu_close(&edu);
	fill();
}

/* Pages that are charged to a process as pinned. */
static unsigned long pinned(pid_t pid)
{
	char path[64], line[256];
	unsigned long kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	check(file, "%s: errno %d", path, errno);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %lu", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024 / GUEST_PAGE;
}

static int map(uint64_t iova)
{
	return ioas_map_file(iommufd, state->ioas, mem.fd, 0, MEMORY_LEN, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

/* ---- the two halves of a live update ------------------------------------------- */

static void build(bool limited)
{
	uint32_t spare;

	must(memory_create(&mem, guest, MEMORY_LEN));
	state = mem.va;
	iommufd = must(iommufd_open());
	state->limited = limited;
	if (limited)
		must(iommufd_option_set(iommufd, IOMMU_OPTION_RLIMIT_MODE, 0,
					1));
	must(ioas_alloc(iommufd, &spare));
	must(ioas_alloc(iommufd, &state->ioas));
	must(map(MEMORY_IOVA));
	device = must(vfio_open(bdf));
	must(vfio_bind(device, iommufd, &state->dev));
	store_put("device", device);
	must(hwpt_alloc(iommufd, state->dev, state->ioas, 0, &state->hwpt));
	must(vfio_attach(device, &state->hwpt));
	/* Leaves an ID free below those in use */
	must(iommufd_destroy(iommufd, spare));
	state->magic = MAGIC;
	fill();
}

/*
 * Pinned memory is charged to who retrieved the iommufd, alive or dead: take
 * that over. Not in rlimit mode from a dead process, which makes Linux warn.
 */
static void take_charge(void)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	must(ioctl(iommufd, IOMMU_IOAS_CHANGE_PROCESS, &cmd) ? -errno : 0);
}

/*
 * What is waited for comes back under its old ID, with its HWPT, attached. What
 * an earlier VMM had bound was closed when that died: it is as any new device.
 */
static void bind_device(void)
{
	uint32_t free_id, id;

	if (!state->bound)
		must_fail(EBUSY, luo_finish(session));
	must(ioas_alloc(iommufd, &free_id));
	must(iommufd_destroy(iommufd, free_id));
	device = must(vfio_open(bdf));
	must(vfio_bind(device, iommufd, &id));
	check(id == (state->bound ? free_id : state->dev),
	      "%s: device ID %u, was %u, next free %u", guest, id, state->dev,
	      free_id);
	state->dev = id;
	state->bound = 1;
	store_put("device", device);
}

/* An earlier VMM may have come any part of this way. */
static void take(void)
{
	uint32_t hwpt;
	bool lent;
	int fd;

	session = store_get("session");
	if (session < 0) {
		session = must(ask("RETRIEVE"));
		store_put("session", session);
	}
	fd = store_get("memory");
	if (fd < 0)
		fd = must(luo_restore(session, TOKEN_MEMORY));
	must(memory_adopt(&mem, fd));
	state = mem.va;
	check(state->magic == MAGIC, "%s: this is not its memory", guest);
	check_filled();
	fd = store_get("iommufd");
	lent = fd >= 0;
	iommufd = must(lent ? fd : luo_restore(session, TOKEN_IOMMUFD));
	reached("retrieved");

	if (!lent && !state->limited)
		take_charge();
	device = store_get("device");
	if (device < 0)
		bind_device();
	if (lent) {
		/* As late as this to see whose it was */
		check(pinned(getppid()) == MEMORY_PAGES && !pinned(getpid()),
		      "%lu pages are charged to the agent, %lu to the VMM",
		      pinned(getppid()), pinned(getpid()));
		take_charge();
		check(!pinned(getppid()), "%lu pages are charged to the agent",
		      pinned(getppid()));
	}
	check(pinned(getpid()) == (state->limited ? 0 : MEMORY_PAGES),
	      "%s: %lu pages are charged", guest, pinned(getpid()));

	/* When it is attached already, this changes nothing. */
	hwpt = state->hwpt;
	must(vfio_attach(device, &hwpt));
	check(hwpt == state->hwpt, "%s: HWPT %u, was %u", guest, hwpt,
	      state->hwpt);
	must_fail(EEXIST, map(MEMORY_IOVA));
	check_dma(MEMORY_IOVA);
	reached("bound");

	must(luo_finish(session));
	close(session);
	store_drop("session");
	store_drop("memory");
	store_drop("iommufd");
	ask("RELEASE");
	must(map(EXTRA_IOVA));
	check_dma(EXTRA_IOVA);
	must(ioas_unmap(iommufd, state->ioas, EXTRA_IOVA, MEMORY_LEN, NULL));
}

static void give(void)
{
	session = must(ask("CREATE"));
	state->bound = 0;
	state->round++;
	fill();
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	store_put("session", session);
	store_notify("READY=1", -1);
	if (until && !strcmp(until, "leave"))
		exit(0);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	check(argc == 4 || argc == 5, "usage: vmm GUEST NUMBER WHAT [UNTIL]");
	guest = argv[1];
	until = argv[4];
	must(pci_find(EDU_VENDOR, EDU_DEVICE, atoi(argv[2]), bdf));
	must(vfio_claim(bdf));
	if (strcmp(argv[3], "take"))
		build(!strcmp(argv[3], "limited"));
	else
		take();
	give();
}

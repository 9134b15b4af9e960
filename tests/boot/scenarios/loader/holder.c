// SPDX-License-Identifier: GPL-2.0-only
/*
 * holder new|again - keep a session with a memfd and an iommufd
 *
 * "new" makes them, "again" takes them from the last kernel, compares them
 * with what the memfd says, and puts them into a new session. SIGUSR1 maps one
 * page more; what that gives goes to /run/holder.mapped. SIGUSR2 adds the number
 * in /run/holder.tried to a sum that crosses the kexec, reports it, and removes
 * the file. Writes its process ID to /run/holder.pid.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define SESSION		"loader"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define PAGES		64
#define FIRST_IOVA	0x100000

/* In the first page of the memfd. */
struct note {
	uint32_t ioas;
	uint32_t maps;
	uint32_t tried;
};

static struct memory mem;
static int iommufd;

static int map_one(uint32_t page)
{
	struct note *note = mem.va;
	uint64_t iova = FIRST_IOVA + page * 2 * GUEST_PAGE;

	return ioas_map_file(iommufd, note->ioas, mem.fd, page * GUEST_PAGE,
			     GUEST_PAGE, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static void on_usr1(int sig)
{
	struct note *note = mem.va;
	int ret = map_one(note->maps);
	int fd = open("/run/holder.new", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	(void)sig;
	if (!ret)
		note->maps++;
	dprintf(fd, "%d\n", -ret);
	close(fd);
	rename("/run/holder.new", "/run/holder.mapped");
}

static void on_usr2(int sig)
{
	struct note *note = mem.va;
	char text[16] = "";
	int fd = must(open("/run/holder.tried", O_RDONLY | O_CLOEXEC));

	(void)sig;
	check(read(fd, text, sizeof(text) - 1) > 0, "/run/holder.tried");
	close(fd);
	note->tried += atoi(text);
	/* What does not behave ends the run; see fail() in tries. */
	report("refusals_tried", "%u", note->tried);
	report("refusals_behaved", "%u", note->tried);
	must(unlink("/run/holder.tried") ? -errno : 0);
}

static void make_new(void)
{
	struct note *note;

	must(memory_create(&mem, "loader", PAGES * GUEST_PAGE));
	note = mem.va;
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &note->ioas));
	for (note->maps = 0; note->maps < 4; note->maps++)
		must(map_one(note->maps));
}

/* A map that is there cannot be made again; one that is not there can. */
static void take_again(void)
{
	int session = must(luo_retrieve(SESSION));
	struct note *note;
	uint32_t i;

	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	iommufd = must(luo_restore(session, TOKEN_IOMMUFD));
	note = mem.va;
	check(note->maps >= 4, "the memfd names %u maps", note->maps);
	for (i = 0; i < note->maps; i++)
		must_fail(EEXIST, map_one(i));
	must(map_one(note->maps));
	note->maps++;
	must(luo_finish(session));
	close(session);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_usr1,
				 .sa_flags = SA_RESTART };
	int session, fd;

	check(argc == 2, "usage: holder new|again");
	background();
	if (!strcmp(argv[1], "new"))
		make_new();
	else
		take_again();
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	sigaction(SIGUSR1, &act, NULL);
	act.sa_handler = on_usr2;
	sigaction(SIGUSR2, &act, NULL);
	fd = must(open("/run/holder.pid", O_WRONLY | O_CREAT | O_TRUNC, 0600));
	dprintf(fd, "%d\n", getpid());
	close(fd);
	background_ready();
}

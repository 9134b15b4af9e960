// SPDX-License-Identifier: GPL-2.0-only
/*
 * Three sessions, two of them with a file that the next kernel has no handler
 * for. "luo-lost 0" preserves them, "luo-lost N" takes them back after kexec N
 * and preserves them again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define UNKNOWN		"/sys/kernel/debug/iommu_handover/unknown"
#define LEN		(4 * GUEST_PAGE)
#define IOVA		0x100000ULL

enum token {
	TOKEN_FIRST = 1,
	TOKEN_UNKNOWN,
	TOKEN_LAST,
	TOKEN_IOMMUFD,
	TOKEN_NONE,
};

/* Where the memory files are, and what each begins with, less the stage. */
static const struct {
	const char *session;
	enum token token;
	uint64_t mark;
} places[] = {
	{ "kept", TOKEN_FIRST, 0x6b65707400000000ULL },
	{ "lost", TOKEN_FIRST, 0x6669727300000000ULL },
	{ "lost", TOKEN_LAST, 0x6c61737400000000ULL },
};

static struct memory mem[ARRAY_SIZE(places)];
static int iommufd;
static uint32_t ioas = 1;

static int open_unknown(void)
{
	int fd = open(UNKNOWN, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void preserve_memory(int session, const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		if (!strcmp(places[i].session, name))
			must(luo_preserve(session, mem[i].fd,
					  places[i].token));
}

static void hand_over(unsigned int stage)
{
	int kept = must(luo_create("kept"));
	int lost = must(luo_create("lost"));
	int alone = must(luo_create("alone"));
	int fd = must(open_unknown());

	/* The control: this kernel has no such handler either */
	must_fail(ENOENT, luo_preserve(alone, fd, TOKEN_UNKNOWN));
	must(write_text(UNKNOWN, "1"));
	must(luo_preserve(alone, fd, TOKEN_UNKNOWN));
	must(luo_preserve(lost, must(open_unknown()), TOKEN_UNKNOWN));
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		*(uint64_t *)mem[i].va = places[i].mark + stage;
	preserve_memory(lost, "lost");
	preserve_memory(kept, "kept");
	must(luo_preserve(kept, iommufd, TOKEN_IOMMUFD));
}

static void take_memory(int session, const char *name, unsigned int stage)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t mark;

		if (strcmp(places[i].session, name))
			continue;
		must(memory_adopt(&mem[i],
				  must(luo_restore(session, places[i].token))));
		mark = *(uint64_t *)mem[i].va;
		check(mark == places[i].mark + stage - 1,
		      "session %s token %u begins with %#llx", name,
		      places[i].token, (unsigned long long)mark);
	}
}

static void no_unknown(int session)
{
	must_fail(ENODEV, luo_restore(session, TOKEN_UNKNOWN));
	must_fail(ENODEV, luo_restore(session, TOKEN_UNKNOWN));
	/* The control: a token that was never there */
	must_fail(ENOENT, luo_restore(session, TOKEN_NONE));
}

/* As often by closing as by FINISH. */
static void end(int session, const char *name, unsigned int stage)
{
	if (stage & 1) {
		must(luo_finish(session));
		must_fail(ENOENT, luo_restore(session, TOKEN_UNKNOWN));
	}
	close(session);
	must_fail(ENOENT, luo_retrieve(name));
}

static void take_back(unsigned int stage)
{
	int alone = must(luo_retrieve("alone"));
	int lost = must(luo_retrieve("lost"));
	int kept = must(luo_retrieve("kept"));
	uint64_t iova = IOVA;

	no_unknown(alone);
	end(alone, "alone", stage);
	take_memory(lost, "lost", stage);
	no_unknown(lost);
	end(lost, "lost", stage);
	take_memory(kept, "kept", stage);
	iommufd = must(luo_restore(kept, TOKEN_IOMMUFD));
	must_fail(EEXIST, ioas_map_file(iommufd, ioas, mem[0].fd, 0,
					GUEST_PAGE, &iova, IOVA_RW |
					IOMMU_IOAS_MAP_FIXED_IOVA));
	end(kept, "kept", stage);
}

static void build(void)
{
	uint64_t iova = IOVA;

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		must(memory_create(&mem[i], places[i].session, LEN));
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem[0].fd, 0, LEN, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
}

int main(int argc, char **argv)
{
	unsigned int stage = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

	background();
	if (stage)
		take_back(stage);
	else
		build();
	hand_over(stage);
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * limits NUMBER - NUMBER is 0 before the first kexec
 *
 * A small context, "main", goes through the kexec. Before that "side" and its
 * session are filled up to each limit of docs/operators-guide.md that a small
 * machine reaches, and by one more; on the debug kernel, where that takes a
 * quarter of an hour, not after it again.
 */
#include <sys/resource.h>

#include "side.h"

#define IOMMUFDS	1024
#define MEMFDS		4096
#define HWPTS		4096
#define PIECES_MAX	4194304
/* A look at the last piece of a copy is not counted. */
#define PIECES		2049
#define COPIES		2049

/* "side" is one of them. */
static void iommufds(void)
{
	static int fd[IOMMUFDS];
	int other = must(luo_create("other"));
	int last = must(luo_create("last"));
	struct side s;
	int i;

	side_open(&s);
	for (i = 0; i < IOMMUFDS; i++) {
		fd[i] = must(iommufd_open());
		must(luo_preserve(i < IOMMUFDS - 1 ? other : last, fd[i], i));
	}
	check(handover_number("contexts") == IOMMUFDS + 1, "%llu contexts",
	      LL(handover_number("contexts")));
	want_refused("one iommufd too many", EFBIG,
		     text_of("more than %llu iommufds", IOMMUFDS), NULL);
	close(last);
	check(handover_number("contexts") == IOMMUFDS, "%llu contexts",
	      LL(handover_number("contexts")));
	want_fine("the last iommufd");
	close(other);
	for (i = 0; i < IOMMUFDS; i++)
		close(fd[i]);
	side_close(&s);
}

/* The memory file of "side" is one of them. */
static void memfds(void)
{
	static int fd[MEMFDS];
	struct memory one;
	struct side s;
	int i;

	side_open(&s);
	for (i = 0; i < MEMFDS; i++) {
		must(memory_create(&one, "one", GUEST_PAGE));
		munmap(one.va, one.len);
		fd[i] = one.fd;
		must(map_fixed(s.fd, s.ioas, one.fd, 0, GUEST_PAGE,
			       CASE_IOVA + 2 * i * GUEST_PAGE));
		must(luo_preserve(s.session, one.fd, 100 + i));
	}
	want_refused("one memfd too many", EFBIG,
		     text_of("more than %llu mapped memfds", MEMFDS), NULL);
	must(ioas_unmap(s.fd, s.ioas, CASE_IOVA, GUEST_PAGE, NULL));
	want_fine("the last memfd");
	for (i = 0; i < MEMFDS; i++)
		close(fd[i]);
	side_close(&s);
}

static void hwpts(void)
{
	uint32_t ioas, hwpt = 0;
	struct side s;
	int i;

	side_open(&s);
	side_bind(&s);
	must(ioas_alloc(s.fd, &ioas));
	for (i = 0; i < HWPTS + 1; i++)
		must(hwpt_alloc(s.fd, s.dev_id, ioas, 0, &hwpt));
	want_refused("one HWPT too many", EFBIG,
		     text_of("more than %llu HWPTs", HWPTS), NULL);
	must(iommufd_destroy(s.fd, hwpt));
	want_fine("the last HWPT");
	side_close(&s);
}

/*
 * A map by address, copied page by page to an IOAS with HWPT, which pins it, and
 * as a whole to one without, again and again: each of these copies is held
 * against all of the pages.
 */
static void pieces(void)
{
	uint32_t pinned, plain, hwpt;
	struct memory much;
	uint64_t i, iova;
	struct side s;

	side_open(&s);
	side_bind(&s);
	must(memory_create(&much, "much", PIECES * GUEST_PAGE));
	must(luo_preserve(s.session, much.fd, TOKEN_OTHER));
	must(ioas_alloc(s.fd, &pinned));
	must(ioas_alloc(s.fd, &plain));
	must(hwpt_alloc(s.fd, s.dev_id, pinned, 0, &hwpt));
	must(map_user(s.fd, s.ioas, much.va, much.len, CASE_IOVA));
	for (i = 0; i < PIECES; i++) {
		iova = CASE_IOVA + 2 * i * GUEST_PAGE;
		must(ioas_copy(s.fd, pinned, &iova, s.ioas,
			       CASE_IOVA + i * GUEST_PAGE, GUEST_PAGE,
			       IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	}
	for (i = 0; i < COPIES; i++) {
		iova = CASE_IOVA + i * much.len;
		must(ioas_copy(s.fd, plain, &iova, s.ioas, CASE_IOVA, much.len,
			       IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	}
	must(ioas_unmap(s.fd, s.ioas, CASE_IOVA, much.len, NULL));
	want_refused("memory pinned in too many pieces", EFBIG, IOAS(plain),
		     text_of("pinned in more than %llu pieces", PIECES_MAX),
		     NULL);
	/* One copy less is taken, by SEAL as well. */
	must(ioas_unmap(s.fd, plain, CASE_IOVA, much.len, NULL));
	want_fine("the last copy");
	seal();
	unload_kernel();
	munmap(much.va, much.len);
	close(much.fd);
	side_close(&s);
}

static bool again;

static void cases(void)
{
	if (again && debug_kernel())
		return;
	iommufds();
	memfds();
	hwpts();
	pieces();
}

int main(int argc, char **argv)
{
	struct rlimit files = { 16384, 16384 };

	must(setrlimit(RLIMIT_NOFILE, &files) ? -errno : 0);
	again = argc == 2 && atoi(argv[1]);
	side_main(argc, argv, 0, cases);
}

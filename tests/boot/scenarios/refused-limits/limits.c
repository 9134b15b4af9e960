// SPDX-License-Identifier: GPL-2.0-only
/*
 * limits NUMBER - NUMBER is 0 before the first kexec
 *
 * A small context, "main", goes through the kexec. Before that "side" and its
 * session are filled up to each limit of docs/operators-guide.md that a small
 * machine reaches, and by one more.
 */
#include <sys/resource.h>

#include "ctx.h"
#include "side.h"

#define SESSION		"main"

#define MEMORY_LEN	(1ULL << 20)
#define STATE_LEN	0x20000ULL
#define STATE_MAGIC	0x696d696cULL

#define IOMMUFDS	1024
#define MEMFDS		4096
#define HWPTS		4096

struct state {
	uint64_t magic;
	uint32_t size;
	uint32_t kexecs;
	struct want want;
};

_Static_assert(sizeof(struct state) + sizeof(struct tally) <= STATE_LEN,
	       "the state has grown");

static struct memory mem;
static struct state *state;
static struct ctx ctx;

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

static void build(void)
{
	uint32_t ioas;

	must(memory_create(&mem, SESSION, MEMORY_LEN));
	state = mem.va;
	state->magic = STATE_MAGIC;
	state->size = sizeof(*state);
	ctx_open(&ctx, SESSION, &state->want);
	ctx_memory(&ctx, &mem);
	ioas = ctx_ioas(&ctx);
	ctx_map(&ctx, ioas, 0, STATE_LEN, 0x30000, 0x40000000, IOVA_RW);
	ctx_settle(&ctx);
}

static void take_back(unsigned int nr)
{
	int session = must(luo_retrieve(SESSION));

	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	state = mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state) &&
	      state->kexecs == nr - 1, "this is not the memory of kexec %u",
	      nr - 1);
	state->kexecs = nr;
	ctx_adopt(&ctx, SESSION, &state->want,
		  must(luo_restore(session, TOKEN_IOMMUFD)));
	ctx_memory(&ctx, &mem);
	must(luo_finish(session));
	close(session);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 16384, 16384 };
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	int session;

	check(argc == 2, "usage: limits NUMBER");
	background();
	must(setrlimit(RLIMIT_NOFILE, &files) ? -errno : 0);
	handover = must(handover_open());
	if (nr)
		take_back(nr);
	else
		build();
	iommufds();
	memfds();
	hwpts();
	check(!ctx_verify(&ctx, true), "the context has changed");
	tally_end((void *)((char *)mem.va + STATE_LEN - sizeof(struct tally)));
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, ctx.fd, TOKEN_IOMMUFD));
	close(handover);
	background_ready();
}

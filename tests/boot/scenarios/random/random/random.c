// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that does as it pleases with iommufd, within the public uAPI.
 *
 * At each stage it makes random calls on several contexts, knows of each
 * beforehand whether it has to succeed, and keeps a model of what is there
 * (model.h). After a kexec it first takes everything back in random order and
 * compares all that user space can see with the model, at two moments: before
 * any device is bound and when all are. The host part compares each image with
 * the model as well. One seed leads all of it; handover.seed= on the kernel's
 * command line names one.
 */
#include "random.h"

void compare_all(bool picks, const char *when)
{
	unsigned int all = 0;
	uint32_t c;

	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used)
			all += compare(c, picks);
	check(!all, "seed %llu: %u differences %s", LL(book->seed), all, when);
}

static void look_all(const char *when)
{
	uint32_t c;

	differs = 0;
	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used)
			look_around(c);
	check(!differs, "seed %llu: devices see %u pages that are not there %s",
	      LL(book->seed), differs, when);
}

static void control_all(void)
{
	uint32_t c;

	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used)
			control(c);
}

static void go_on(void)
{
	play(between(30, 250));
	if (stage == 0 || one_in(3))
		look_all("before the handover");
	hand_over();
}

static void setup(void)
{
	exam_memory();
	build();
	go_on();
}

static void verify(void)
{
	uint64_t pinned, locked;
	uint32_t order[SES_MAX], i;
	bool calls;

	exam_memory();
	book_session = must(luo_retrieve(BOOK_SESSION));
	must(memory_adopt(&book_mem, must(luo_restore(book_session,
						      BOOK_TOKEN))));
	book = book_mem.va;
	check(book->magic == BOOK_MAGIC && book->size == sizeof(*book),
	      "another book");
	check(book->kexecs == stage - 1, "the book is of kexec %u",
	      book->kexecs);
	book->kexecs = stage;
	if (book->charge)
		drop_ipc_lock();

	take_back();
	compare_all(false, "before any device is bound");
	if (one_in(3))
		control_all();
	calls = bind_all();
	compare_all(true, "with all devices bound");
	differs = 0;
	note_charge(&pinned, &locked);
	if (!calls && (pinned != book->pinned || locked != book->locked))
		differ("%llu KiB are pinned and %llu charged, before it was %llu and %llu",
		       LL(pinned), LL(locked), LL(book->pinned),
		       LL(book->locked));
	compare_charge();
	check(!differs, "seed %llu: what is charged is not what it was",
	      LL(book->seed));
	control_all();
	look_all("after the handover");

	for (i = 0; i < SES_MAX; i++)
		order[i] = i;
	shuffle(order, SES_MAX);
	for (i = 0; i < SES_MAX; i++) {
		if (!book->ses[order[i]].name[0])
			continue;
		must(luo_finish(ses_fd[order[i]]));
		close(ses_fd[order[i]]);
	}
	must(luo_finish(book_session));
	close(book_session);
	ask_host();
	report("verified", "%u", stage);
	go_on();
}

int main(int argc, char **argv)
{
	check(argc == 2, "usage: random NUMBER");
	stage = atoi(argv[1]);
	background();
	if (stage)
		verify();
	else
		setup();
	return 1;
}

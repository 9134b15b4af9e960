// SPDX-License-Identifier: GPL-2.0-only
/* Whatever order it comes back in, and failures that pass. */
#include <sys/mman.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include "luo.h"

/* Either may be preserved first, either may be retrieved first. */
static void one_order(unsigned int index)
{
	unsigned int pinned = fact("incoming/pages_pinned");
	struct part *p = &parts[index];
	bool has_device = state->want[index].dev_nr;
	int fd, again;

	open_session(index);
	must_fail(ENOENT, luo_restore(p->session, 77));
	if (index & 2) {
		fd = must(luo_restore(p->session, TOKEN_IOMMUFD));
		/* That has brought the memory back, and pinned it. */
		want_pinned(pinned + MEMORY_LEN / GUEST_PAGE);
		take_memory(index);
		adopt(index, fd);
	} else {
		take_memory(index);
		take_context(index);
	}
	want_pinned(pinned + MEMORY_LEN / GUEST_PAGE);

	again = must(luo_restore(p->session, TOKEN_IOMMUFD));
	check(same_file(again, p->ctx.fd), "another iommufd came the second time");
	close(again);
	again = must(luo_restore(p->session, TOKEN_MEMORY));
	check(same_file(again, p->mem.fd), "another memfd came the second time");
	close(again);

	verify(index, false);
	if (has_device) {
		must_fail(EBUSY, luo_finish(p->session));
		check(ctx_rebind(&p->ctx, 0), "%s: another device ID", p->name);
		verify(index, true);
		run_edu(index, 0);
	}
	finish(index);
	check(fact("incoming/pages_pinned") == pinned, "%u pages are pinned",
	      fact("incoming/pages_pinned"));
	if (has_device)
		run_edu(index, 0);
	check_filled(index, p->mem.va, 0, p->mem.len);
	drop(index);
}

void case_order(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		one_order(PART_ORDER + i);
}

/*
 * Nobody asks for the memory. It lives on in the iommufd, and the device
 * copies it to where it can be seen.
 */
void case_only(void)
{
	struct part *p = &parts[PART_ONLY];
	uint32_t two = state->want[PART_ONLY].ioas[1].id;
	uint64_t iova = 0x200000000ULL, at;
	struct memory seen;
	struct edu edu;

	open_session(PART_ONLY);
	take_context(PART_ONLY);
	check(ctx_rebind(&p->ctx, 0), "another device ID");
	must(luo_finish(p->session));
	finished++;
	close_session(PART_ONLY);

	must(memory_create(&seen, "seen", GUEST_PAGE));
	must(ioas_map_file(p->ctx.fd, two, seen.fd, 0, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(edu_open(&edu, p->ctx.dev[0]));
	for (at = 0; at < MEMORY_LEN; at += MEMORY_LEN / 4) {
		memset(seen.va, 0, GUEST_PAGE);
		must(edu_copy(&edu, iova, MEMORY_IOVA + at, GUEST_PAGE));
		check_filled(PART_ONLY, seen.va, at, GUEST_PAGE);
	}
	edu_close(&edu);
	munmap(seen.va, seen.len);
	close(seen.fd);
	drop(PART_ONLY);
}

/* ---- failures that pass ---------------------------------------------------- */

/* The process may not charge by process, until it may. */
void case_caps(void)
{
	struct part *p = &parts[PART_CAPS];

	open_session(PART_CAPS);
	capability(CAP_SYS_RESOURCE, false);
	must_fail(EPERM, luo_restore(p->session, TOKEN_IOMMUFD));
	refusal_says(TOKEN_IOMMUFD, " cannot be replayed: error -1");
	must_fail(EPERM, luo_restore(p->session, TOKEN_IOMMUFD));
	must_fail(EBUSY, luo_finish(p->session));
	capability(CAP_SYS_RESOURCE, true);
	take_context(PART_CAPS);
	take_memory(PART_CAPS);
	ctx_memory(&p->ctx, &p->mem);
	verify(PART_CAPS, false);
	finish(PART_CAPS);
	drop(PART_CAPS);
}

/*
 * Pages are charged to who retrieved the iommufd, when a device is bound. Not
 * enough of RLIMIT_MEMLOCK fails the bind, and nothing else.
 */
void case_limit(void)
{
	struct part *p = &parts[PART_LIMIT];
	char said[SENTENCE_LEN];

	capability(CAP_IPC_LOCK, false);
	take(PART_LIMIT);
	memlock_limit(GUEST_PAGE);
	must_fail(ENOMEM, -ctx_rebind_refused(&p->ctx, 0));
	must_fail(ENOMEM, -ctx_rebind_refused(&p->ctx, 0));
	handover_attr("last_refusal", said);
	check(strstr(said, p->ctx.want->dev[0].bdf) &&
	      strstr(said, " cannot be ") && strstr(said, ": error -12"),
	      "the sentence is \"%s\"", said);
	say("%s", said);
	must_fail(EBUSY, luo_finish(p->session));
	verify(PART_LIMIT, false);
	memlock_limit(RLIM_INFINITY);
	check(ctx_rebind(&p->ctx, 0), "another device ID");
	capability(CAP_IPC_LOCK, true);
	verify(PART_LIMIT, true);
	run_edu(PART_LIMIT, 0);
	finish(PART_LIMIT);
	drop(PART_LIMIT);
}

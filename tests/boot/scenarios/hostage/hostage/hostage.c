// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostage NUMBER - make the parts, NUMBER 0; after a kexec have binds stuck in
 * page faults, and see that all but them go on
 */
#include <dirent.h>

#include <linux/liveupdate.h>

#include "hostage.h"

#define INCOMING	HANDOVER_SYSFS "incoming"

/* ---- what has to answer in time ------------------------------------------ */

static long do_abandon(void *arg)
{
	return write_text(INCOMING "/abandon", "1\n");
}

/* Return: how many iommufds QUERY calls unfinished. */
static long do_query(void *arg)
{
	struct iommu_handover_query query;
	char sentence[SENTENCE_LEN];
	int dev = must(handover_open());

	must(handover_query(dev, &query, sentence));
	return query.incoming_contexts;
}

/* Return: how many files could be read. */
static long do_sysfs(void *arg)
{
	DIR *dir = opendir(INCOMING);
	char path[512], text[SENTENCE_LEN];
	struct dirent *entry;
	long files = 0;

	check(dir, "%s: %s", INCOMING, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    !strcmp(entry->d_name, "abandon"))
			continue;
		snprintf(path, sizeof(path), INCOMING "/%s", entry->d_name);
		read_line(path, text, sizeof(text));
		files++;
	}
	closedir(dir);
	return files;
}

/* A new VMM is made and preserved. Return: what SNAPSHOT says. */
static long do_snapshot(void *arg)
{
	int session = must(luo_create("hostage-new"));
	int iommufd = must(iommufd_open());
	char sentence[SENTENCE_LEN];
	struct memory mem;
	uint32_t ioas;

	must(memory_create(&mem, "new", GUEST_PAGE));
	must(ioas_alloc(iommufd, &ioas));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	return handover_snapshot(must(handover_open()), sentence, NULL);
}

static long do_jump(void *arg)
{
	return jump();
}

static long do_session(void *arg)
{
	struct liveupdate_session_get_name name = { .size = sizeof(name) };
	const struct part *p = arg;
	struct memory mem;
	int session;

	must(ioctl(p->session, LIVEUPDATE_SESSION_GET_NAME, &name) ? -errno : 0);
	check(!strcmp((char *)name.name, p->name), "the name is %s", name.name);
	must_fail(ENOENT, luo_restore(p->session, TOKEN_IOMMUFD + 1));
	session = must(luo_create("hostage-new"));
	must(memory_create(&mem, "new", GUEST_PAGE));
	return luo_preserve(session, mem.fd, TOKEN_MEMORY);
}

/* A process that has the iommufd as well; its exit is no different. */
static long do_maps(void *arg)
{
	const struct part *p = arg;
	uint64_t iova = FREE_IOVA;
	uint32_t id;

	must(ioas_map_file(p->ctx.fd, empty_ioas(p), p->mem.fd, 0, GUEST_PAGE,
			   &iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(ioas_unmap(p->ctx.fd, empty_ioas(p), iova, GUEST_PAGE, NULL));
	must(ioas_alloc(p->ctx.fd, &id));
	return iommufd_destroy(p->ctx.fd, id);
}

/* The device is closed again by the exit. Return: its ID. */
static long do_bind_second(void *arg)
{
	const struct part *p = arg;
	uint32_t id;
	int dev;

	must(vfio_claim(p->ctx.want->dev[1].bdf));
	dev = must(vfio_open(p->ctx.want->dev[1].bdf));
	must(vfio_bind(dev, p->ctx.fd, &id));
	return id;
}

/* ---- what is stuck ------------------------------------------------------- */

/* Into an IOAS that has no page table yet: nothing is pinned. */
static void map_trap(struct held *h)
{
	const struct part *p = h->part;
	uint64_t iova = FREE_IOVA;

	must(ioas_map(p->ctx.fd, device_ioas(p, 0), h->trap.page, GUEST_PAGE,
		      &iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(vfio_claim(p->ctx.want->dev[0].bdf));
	h->dev = must(vfio_open(p->ctx.want->dev[0].bdf));
}

/* Nobody else has any of it. */
static void take_and_map_trap(struct held *h)
{
	take(h->part);
	map_trap(h);
}

static int call_bind(struct held *h)
{
	uint32_t id;

	return vfio_bind(h->dev, h->part->ctx.fd, &id);
}

/* The IOAS has a page table, so that the page is pinned by the map. */
static int call_map(struct held *h)
{
	uint64_t iova = FREE_IOVA;

	return ioas_map(h->part->ctx.fd, device_ioas(h->part, 0), h->trap.page,
			GUEST_PAGE, &iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

/* ---- cases --------------------------------------------------------------- */

static void want_abandon_refused(const struct part *p, unsigned int unfinished)
{
	char want[SENTENCE_LEN], have[SENTENCE_LEN];

	must_fail(EBUSY, in_time("abandon", do_abandon, NULL));
	snprintf(want, sizeof(want),
		 "session \"%s\" token %u: not abandoned: its iommufd is being retrieved or finished, or given a device; try again, or end the process that does it",
		 p->name, TOKEN_IOMMUFD);
	handover_attr("last_refusal", have);
	check(!strcmp(have, want), "the sentence is \"%s\"", have);
	check(in_time("QUERY", do_query, NULL) == unfinished,
	      "not %u are unfinished", unfinished);
}

static void want_jump_refused(unsigned int unfinished)
{
	char want[SENTENCE_LEN], have[SENTENCE_LEN];

	must_fail(EBUSY, in_time("kexec", do_jump, NULL));
	snprintf(want, sizeof(want),
		 "%u iommufd of the last handover not finished, which a kexec would lose; finish their sessions or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
		 unfinished);
	handover_attr("last_refusal", have);
	check(!strcmp(have, want), "the sentence is \"%s\"", have);
}

static void want_others_go_on(struct part *stuck)
{
	check(in_time("sysfs", do_sysfs, NULL) == 16,
	      "incoming/ has another number of files");
	must(in_time("SNAPSHOT", do_snapshot, NULL));
	must(in_time("session", do_session, &parts[PART_OTHER]));
	must(in_time("maps", do_maps, stuck));
	must(in_time("SNAPSHOT", do_snapshot, NULL));
}

/* A map is stuck, and then a device of the same iommufd is bound. */
static void case_reader(void)
{
	struct part *p = &parts[PART_READER];
	struct held map = { .part = p, .call = call_map };

	take(p);
	check(ctx_rebind(&p->ctx, 0), "another device ID");
	held_start(&map);
	check(in_time("bind", do_bind_second, p) == p->ctx.want->dev[1].id,
	      "another device ID");
	must(in_time("maps", do_maps, p));
	must(held_answer(&map));
	must(ioas_unmap(p->ctx.fd, device_ioas(p, 0), FREE_IOVA, GUEST_PAGE,
			NULL));
	must(luo_finish(p->session));
	check(in_time("QUERY", do_query, NULL) == PARTS - 1,
	      "the first is not finished");
}

/* Given up beside the ones that are stuck. */
static void check_given_up(void)
{
	struct part *never = &parts[PART_NEVER], *waits = &parts[PART_WAITS];

	never->session = must(luo_retrieve(never->name));
	must_fail(ENODATA, luo_restore(never->session, TOKEN_IOMMUFD));
	must(memory_adopt(&never->mem, must(luo_restore(never->session,
							TOKEN_MEMORY))));
	must(luo_finish(never->session));
	must(luo_finish(waits->session));
	must(luo_finish(parts[PART_OTHER].session));
	must(in_time("maps", do_maps, waits));
}

static void case_hostage(void)
{
	struct part *one = &parts[PART_ANSWERED], *two = &parts[PART_KILLED];
	struct held answered = {
		.part = one, .begin = map_trap, .call = call_bind
	};
	struct held killed = {
		.part = two, .begin = take_and_map_trap, .call = call_bind
	};

	take(&parts[PART_OTHER]);
	take(&parts[PART_WAITS]);
	take(one);
	held_start(&answered);
	held_start(&killed);

	want_abandon_refused(two, 2);
	want_jump_refused(2);
	want_others_go_on(one);
	check_given_up();

	held_kill(&killed);
	want_abandon_refused(one, 1);
	want_jump_refused(1);
	want_others_go_on(one);

	/* The page is one map more than the last kernel had */
	must_fail(EBADMSG, held_answer(&answered));
	must(in_time("abandon", do_abandon, NULL));
	check(!in_time("QUERY", do_query, NULL), "something is unfinished");
	must(luo_finish(one->session));
	must(in_time("maps", do_maps, one));
}

int main(int argc, char **argv)
{
	char output[OUTPUT_LEN];

	check(argc == 2, "usage: hostage NUMBER");
	background();
	if (atoi(argv[1])) {
		take_state();
		check(!load_kernel(output, false, NULL), "kexec: %s", output);
		case_reader();
		case_hostage();
		unload_kernel();
		for (struct part *p = parts; p < parts + PARTS; p++)
			drop(p);
	}
	hand_over();
}

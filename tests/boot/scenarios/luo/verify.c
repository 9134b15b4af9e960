// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a kexec: every case, one after the other, then what was never
 * finished is given up and the parts are made anew for the next one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/reboot.h>
#include <linux/vfio.h>

#include "luo.h"

#define HANDOVER	"/sys/kernel/iommu_handover/"

/* ---- the system ---------------------------------------------------------- */

static void read_fact(const char *name, char *text, size_t len)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), HANDOVER "%s", name);
	file = fopen(path, "r");
	check(file && fgets(text, len, file), "%s cannot be read", path);
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
}

static unsigned int fact(const char *name)
{
	char text[32];

	read_fact(name, text, sizeof(text));
	return atoi(text);
}

/* What the kernel refused last, of the iommufd of @token in any session. */
static void refusal_says(uint64_t token, const char *words)
{
	char have[512], begin[64];

	read_fact("last_refusal", have, sizeof(have));
	snprintf(begin, sizeof(begin), " token %llu: ",
		 (unsigned long long)token);
	check(strstr(have, begin) && strstr(have, words),
	      "not \"%s\": the sentence is \"%s\"", words, have);
}

/* Take a capability out of the effective set, or put it back. */
static void capability(unsigned int cap, bool on)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	check(!syscall(SYS_capget, &head, data), "capget: errno %d", errno);
	if (on)
		data[cap / 32].effective |= 1U << cap % 32;
	else
		data[cap / 32].effective &= ~(1U << cap % 32);
	check(!syscall(SYS_capset, &head, data), "capset: errno %d", errno);
}

static void memlock_limit(rlim_t bytes)
{
	struct rlimit limit;

	check(!getrlimit(RLIMIT_MEMLOCK, &limit), "getrlimit: errno %d", errno);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	check(!setrlimit(RLIMIT_MEMLOCK, &limit), "setrlimit: errno %d", errno);
}

/* Both descriptors are of one open file: a status flag of it is seen in both */
static bool same_file(int a, int b)
{
	int flags = must(fcntl(a, F_GETFL));
	bool same;

	must(fcntl(a, F_SETFL, flags ^ O_NONBLOCK));
	same = (must(fcntl(b, F_GETFL)) ^ flags) & O_NONBLOCK;
	must(fcntl(a, F_SETFL, flags));
	return same;
}

/*
 * Run @fn in a process that is then killed with all that it has open, after
 * @beside, unless it is NULL, has looked at the system.
 */
static void in_killed_process(void (*fn)(void), void (*beside)(void))
{
	int pipefd[2], status;
	pid_t pid;
	char byte;

	fflush(NULL);
	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	pid = must(fork());
	if (!pid) {
		close(pipefd[0]);
		fn();
		fflush(NULL);
		must(write(pipefd[1], "r", 1));
		for (;;)
			pause();
	}
	close(pipefd[1]);
	if (read(pipefd[0], &byte, 1) == 1) {
		if (beside)
			beside();
		kill(pid, SIGKILL);
	}
	close(pipefd[0]);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL, "the child ended with 0x%x",
	      status);
}

/* ---- failing one allocation -------------------------------------------------- */

/*
 * kmemleak notes each allocation in an object of its own, and has a pool for
 * when it gets none. To fail that tells nothing of the call and costs a part.
 */
static void spare_kmemleak(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	unsigned int filtered = 0;
	struct dirent *entry;
	char path[512];

	if (access("/sys/kernel/slab/kmemleak_object", F_OK))
		return;
	check(dir, "/sys/kernel/slab: errno %d", errno);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    !strncmp(entry->d_name, "kmemleak_", 9))
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab",
			 entry->d_name);
		filtered += !write_text(path, "1");
	}
	closedir(dir);
	check(filtered, "no cache can be named to failslab");
	must(write_text("/sys/kernel/debug/failslab/cache-filter", "Y"));
}

static void faults_on(void)
{
	static const char *const quiet[] = {
		"failslab", "fail_page_alloc", "fail_iommufd",
	};
	char path[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(quiet); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 quiet[i]);
		must(write_text(path, "0"));
	}
	must(write_text("/sys/kernel/debug/failslab/ignore-gfp-wait", "N"));
	must(write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N"));
	must(write_text("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N"));
	must(write_text("/sys/kernel/debug/fail_page_alloc/min-order", "0"));
	spare_kmemleak();
}

static int fail_fd = -1;

static void fail_nth(unsigned int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", nth);

	if (fail_fd < 0)
		fail_fd = must(open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC));
	check(pwrite(fail_fd, text, n, 0) == n, "fail-nth: errno %d", errno);
}

/* End it. Return: whether that many were made, and so one has failed. */
static bool failed_one(void)
{
	char text[16] = "";

	check(pread(fail_fd, text, sizeof(text) - 1, 0) > 0,
	      "fail-nth: errno %d", errno);
	fail_nth(0);
	return !atoi(text);
}

/* ---- parts ---------------------------------------------------------------- */

static void open_session(unsigned int index)
{
	parts[index].session = must(luo_retrieve(parts[index].name));
}

static void close_session(unsigned int index)
{
	close(parts[index].session);
	parts[index].session = -1;
}

static void take_memory(unsigned int index)
{
	struct part *p = &parts[index];

	must(memory_adopt(&p->mem, must(luo_restore(p->session,
						    TOKEN_MEMORY))));
	check_filled(index, p->mem.va, 0, p->mem.len);
}

static void adopt(unsigned int index, int fd)
{
	struct part *p = &parts[index];

	ctx_adopt(&p->ctx, p->name, &state->want[index], fd);
	if (p->mem.va)
		ctx_memory(&p->ctx, &p->mem);
}

static void take_context(unsigned int index)
{
	adopt(index, must(luo_restore(parts[index].session, TOKEN_IOMMUFD)));
}

static void take(unsigned int index)
{
	open_session(index);
	take_memory(index);
	take_context(index);
}

static void verify(unsigned int index, bool bound)
{
	check(!ctx_verify(&parts[index].ctx, bound),
	      "%s is not what it was%s", parts[index].name,
	      bound ? " with its devices" : "");
}

/* The device reads and writes the part's own memory. */
static void run_edu(unsigned int index, uint32_t dev)
{
	struct part *p = &parts[index];
	struct edu edu;
	char *va = p->mem.va;
	uint64_t from = RO_OFF, to = MEMORY_LEN - GUEST_PAGE;

	memset(va + to, 0, GUEST_PAGE);
	must(edu_open(&edu, p->ctx.dev[dev]));
	must(edu_copy(&edu, MEMORY_IOVA + to, COPY_IOVA + from, GUEST_PAGE));
	edu_close(&edu);
	check(!memcmp(va + to, va + from, GUEST_PAGE),
	      "%s: device %u copied something else", p->name, dev);
	memcpy(va + to, va, GUEST_PAGE);
	fill(index, &p->mem);
}

/* Parts that are finished. */
static unsigned int finished;

/* What is bound has all come back: finish, and see that nothing changes. */
static void finish(unsigned int index)
{
	struct part *p = &parts[index];

	must(luo_finish(p->session));
	finished++;
	close_session(index);
	must_fail(ENOENT, luo_retrieve(p->name));
	verify(index, true);
}

static void drop(unsigned int index)
{
	struct part *p = &parts[index];
	uint32_t i;

	if (p->session >= 0)
		close_session(index);
	for (i = 0; i < WANT_DEV_MAX; i++) {
		if (p->ctx.dev[i] > 0)
			close(p->ctx.dev[i]);
		p->ctx.dev[i] = -1;
	}
	close(p->ctx.fd);
	if (p->mem.va) {
		munmap(p->mem.va, p->mem.len);
		close(p->mem.fd);
	}
	memset(&p->mem, 0, sizeof(p->mem));
}

/* ---- orders ---------------------------------------------------------------- */

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
		check(fact("incoming/pages_pinned") ==
		      pinned + MEMORY_LEN / GUEST_PAGE, "%u pages are pinned",
		      fact("incoming/pages_pinned"));
		take_memory(index);
		adopt(index, fd);
	} else {
		take_memory(index);
		take_context(index);
	}
	check(fact("incoming/pages_pinned") ==
	      pinned + MEMORY_LEN / GUEST_PAGE, "%u pages are pinned",
	      fact("incoming/pages_pinned"));

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

static void case_order(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		one_order(PART_ORDER + i);
}

/*
 * Nobody asks for the memory. It lives on in the iommufd, and the device
 * copies it to where it can be seen.
 */
static void case_only(void)
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
static void case_caps(void)
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
static void case_limit(void)
{
	struct part *p = &parts[PART_LIMIT];
	char said[512];

	capability(CAP_IPC_LOCK, false);
	take(PART_LIMIT);
	memlock_limit(GUEST_PAGE);
	must_fail(ENOMEM, -ctx_rebind_refused(&p->ctx, 0));
	must_fail(ENOMEM, -ctx_rebind_refused(&p->ctx, 0));
	read_fact("last_refusal", said, sizeof(said));
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

/* ---- no memory -------------------------------------------------------------- */

/*
 * What a stage made of one sweep: for each allocation in turn F when the call
 * failed for it, A when the call got round it, and E when there was none, so
 * that all of them have been failed.
 */
struct trace {
	const char *what;
	struct sweep *sweep;
	char text[512];
	unsigned int len;
};

static void trace_begin(struct trace *t, const char *what, unsigned int sweep)
{
	memset(t, 0, sizeof(*t));
	t->what = what;
	t->sweep = &state->sweep[sweep];
}

/* The call has returned @ret while an allocation failed, or did not. */
static void trace_one(struct trace *t, long ret, bool failed)
{
	struct sweep *sweep = t->sweep;

	check(t->len < sizeof(t->text) - 1, "%s: no end of allocations",
	      t->what);
	t->text[t->len++] = !failed ? 'E' : ret < 0 ? 'F' : 'A';
	if (failed) {
		sweep->failed += ret < 0;
		sweep->nth++;
		return;
	}
	must(ret);
	check(sweep->failed, "%s: none of %u allocations made it fail", t->what,
	      sweep->nth - 1);
	sweep->rounds++;
	sweep->failed = 0;
	sweep->nth = 1;
}

/* One kexec need not be enough for all allocations; those of a run are. */
static void trace_end(const struct trace *t)
{
	unsigned int kexecs = atoi(getenv("HANDOVER_KEXECS"));
	const struct sweep *sweep = t->sweep;
	char key[64];

	snprintf(key, sizeof(key), "%s_sweep[]", t->what);
	report(key, "%s", t->text);
	snprintf(key, sizeof(key), "%s_rounds", t->what);
	report(key, "%u", sweep->rounds);
	check(sweep->failed || sweep->rounds,
	      "%s never failed for want of memory", t->what);
	check(kexecs < 2 || state->kexec < kexecs || sweep->rounds,
	      "%s: %u allocations failed and this was not all of them",
	      t->what, sweep->nth - 1);
}

/* Retrieve the iommufd while the sweep's next allocation fails. */
static int restore_failing(unsigned int index, struct trace *t, bool *failed)
{
	int fd;

	fail_nth(t->sweep->nth);
	fd = luo_restore(parts[index].session, TOKEN_IOMMUFD);
	*failed = failed_one();
	trace_one(t, fd, *failed);
	return fd;
}

/* The iommufd alone; its memory is there. */
static void case_fault(void)
{
	struct trace t;
	unsigned int i;
	bool failed;
	int fd;

	trace_begin(&t, "fault", SWEEP_FAULT);
	for (i = 0; i < FAULTS; i++) {
		struct part *p = &parts[PART_FAULT + i];
		unsigned int retrieved = fact("incoming/retrieved");

		open_session(PART_FAULT + i);
		take_memory(PART_FAULT + i);
		while ((fd = restore_failing(PART_FAULT + i, &t, &failed)) < 0) {
			check(fd == -ENOMEM, "%s: errno %d: %s", p->name, -fd,
			      t.text);
			check(fact("incoming/retrieved") == retrieved,
			      "a failure counts as retrieved");
			must_fail(EBUSY, luo_finish(p->session));
		}
		adopt(PART_FAULT + i, fd);
		check(fact("incoming/retrieved") == retrieved + 1,
		      "%u are retrieved", fact("incoming/retrieved"));
		verify(PART_FAULT + i, false);
		finish(PART_FAULT + i);
		check_filled(PART_FAULT + i, p->mem.va, 0, p->mem.len);
		drop(PART_FAULT + i);
	}
	trace_end(&t);
}

/*
 * The iommufd brings its memory with it. A memfd that fails to come back has
 * failed for good: LUO's handler for it gives up the pages that it did not get
 * to. Then the iommufd gives EIO, which is final as well, and its session can
 * be finished. A memfd that has come is there from then on, so each allocation
 * takes a part of its own.
 */
static void case_implied(void)
{
	unsigned int i, losses = 0;
	struct trace t;
	bool failed;
	int fd, err;

	trace_begin(&t, "implied", SWEEP_IMPLIED);
	for (i = 0; i < IMPLIEDS; i++) {
		struct part *p = &parts[PART_IMPLIED + i];

		open_session(PART_IMPLIED + i);
		fd = restore_failing(PART_IMPLIED + i, &t, &failed);
		if (fd < 0) {
			err = luo_restore(p->session, TOKEN_IOMMUFD);
			if (err < 0) {
				check(fd == -EIO && err == fd,
				      "%s: first errno %d, then %d",
				      p->name, -fd, -err);
				err = luo_restore(p->session, TOKEN_MEMORY);
				check(err == -ENOMEM || err == -EINVAL ||
				      err == -ENOSPC, "%s: memory: errno %d",
				      p->name, -err);
				losses++;
				must(luo_finish(p->session));
				finished++;
				close_session(PART_IMPLIED + i);
				continue;
			}
			must_fail(ENOMEM, fd);
			fd = err;
		}
		take_memory(PART_IMPLIED + i);
		adopt(PART_IMPLIED + i, fd);
		verify(PART_IMPLIED + i, false);
		finish(PART_IMPLIED + i);
		drop(PART_IMPLIED + i);
	}
	report("implied_memories_lost[]", "%u", losses);
	trace_end(&t);
}

/*
 * The IOMMU driver forgets a reserved range when it has no memory for it, and
 * tells nobody, handover or not. Return: whether it did.
 */
static bool forgot_range(unsigned int index)
{
	struct want_ioas *two = &state->want[index].ioas[1];
	struct want_ranges have = { .nr = WANT_RANGE_MAX };

	must(ioas_ranges(parts[index].ctx.fd, two->id, have.range, &have.nr,
			 &have.align));
	if (have.nr >= two->bound.nr)
		return false;
	two->bound = have;
	return true;
}

/*
 * Binding, with all that is replayed behind it. A device that was bound in
 * spite of a failure is bound, so the rest is left to the next one.
 */
static void case_bind(void)
{
	unsigned int i, forgotten = 0;
	struct trace t;
	uint32_t id;
	int dev, err;
	bool failed;

	trace_begin(&t, "bind", SWEEP_BIND);
	for (i = 0; i < BINDS; i++) {
		struct part *p = &parts[PART_BIND + i];
		struct want_dev *want = &state->want[PART_BIND + i].dev[0];

		take(PART_BIND + i);
		must(vfio_claim(want->bdf));
		for (;;) {
			dev = must(vfio_open(want->bdf));
			fail_nth(t.sweep->nth);
			err = vfio_bind(dev, p->ctx.fd, &id);
			failed = failed_one();
			trace_one(&t, err, failed);
			if (!err)
				break;
			close(dev);
			/* iommufd's own injection has other answers as well. */
			check(err == -ENOMEM || err == -ENOENT ||
			      err == -EFAULT || err == -EINVAL,
			      "%s: errno %d: %s", p->name, -err, t.text);
			must_fail(EBUSY, luo_finish(p->session));
			if (t.len % 8 == 0)
				verify(PART_BIND + i, false);
		}
		if (failed)
			forgotten += forgot_range(PART_BIND + i);
		check(id == want->id, "%s: device ID %u, was %u", p->name, id,
		      want->id);
		p->ctx.dev[0] = dev;
		verify(PART_BIND + i, true);
		finish(PART_BIND + i);
		drop(PART_BIND + i);
	}
	report("bind_ranges_forgotten[]", "%u", forgotten);
	trace_end(&t);
}

/* ---- pending ----------------------------------------------------------------- */

static void retrieve_and_change(void)
{
	struct part *p = &parts[PART_PENDING];
	uint32_t id;

	open_session(PART_PENDING);
	take_context(PART_PENDING);
	must(ioas_alloc(p->ctx.fd, &id));
	/* The parent looks for this. */
	must(fcntl(p->ctx.fd, F_SETFL, O_RDWR | O_NONBLOCK));
}

/* The device @bdf goes into @iommufd. Return: its ID there */
static int bind_to(int iommufd, const char *bdf, uint32_t *id)
{
	int dev;

	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, id));
	return dev;
}

static void case_pending(void)
{
	struct part *p = &parts[PART_PENDING];
	const struct want *want = &state->want[PART_PENDING];
	uint32_t two = want->ioas[1].id, id, low, added;
	uint64_t iova = RO_IOVA;
	char bdf[PCI_BDF_LEN];
	int dev, fd, other;

	take(PART_PENDING);
	verify(PART_PENDING, false);
	must_fail(EBUSY, luo_finish(p->session));
	must_fail(EBUSY, luo_finish(p->session));
	/* A session is one process's at a time. */
	must_fail(EINVAL, luo_retrieve(p->name));

	/* Closing is not finishing: name, file and reserved IDs are kept. */
	fd = p->ctx.fd;
	close_session(PART_PENDING);
	open_session(PART_PENDING);
	take_context(PART_PENDING);
	check(same_file(fd, p->ctx.fd), "another iommufd came the second time");
	close(fd);
	verify(PART_PENDING, false);
	must_fail(EBUSY, luo_finish(p->session));

	/* Nor is dying, with every file of it closed. */
	close_session(PART_PENDING);
	close(p->ctx.fd);
	in_killed_process(retrieve_and_change, NULL);
	open_session(PART_PENDING);
	take_context(PART_PENDING);
	check(must(fcntl(p->ctx.fd, F_GETFL)) & O_NONBLOCK,
	      "this is not the iommufd that the dead process had");
	must(fcntl(p->ctx.fd, F_SETFL, O_RDWR));
	must(ioas_alloc(p->ctx.fd, &low));
	must(iommufd_destroy(p->ctx.fd, low));
	/* What the dead process made is one below. */
	for (id = low - 1; ctx_find_ioas(&p->ctx, id) ||
	     ctx_find_hwpt(&p->ctx, id) || id == want->dev[0].id ||
	     id == want->dev[1].id; id--)
		;
	must(iommufd_destroy(p->ctx.fd, id));
	verify(PART_PENDING, false);
	must_fail(EBUSY, luo_finish(p->session));

	/* Another device comes and goes under an ID that was not reserved. */
	find_device(EDU_SPARE, bdf);
	must(ioas_alloc(p->ctx.fd, &low));
	must(iommufd_destroy(p->ctx.fd, low));
	dev = bind_to(p->ctx.fd, bdf, &id);
	check(id == low, "the other device has ID %u, not %u", id, low);
	id = two;
	must(vfio_attach(dev, &id));
	must_fail(EBUSY, luo_finish(p->session));
	close(dev);
	verify(PART_PENDING, false);

	/* The device comes and goes elsewhere. */
	other = must(iommufd_open());
	dev = bind_to(other, want->dev[0].bdf, &id);
	must_fail(EBUSY, luo_finish(p->session));
	close(dev);
	close(other);
	verify(PART_PENDING, false);

	/* An IOAS that was changed makes another table than the device had. */
	must(ioas_map_file(p->ctx.fd, two, p->mem.fd, 0, GUEST_PAGE, &iova,
			   IOVA_RO | IOMMU_IOAS_MAP_FIXED_IOVA));
	must_fail(EBADMSG, -ctx_rebind_refused(&p->ctx, 0));
	must_fail(EBUSY, luo_finish(p->session));
	must(ioas_unmap(p->ctx.fd, two, iova, GUEST_PAGE, NULL));
	verify(PART_PENDING, false);

	check(ctx_rebind(&p->ctx, 0), "another device ID");
	must_fail(EBUSY, luo_finish(p->session));
	/* Twice is once too often, through the same file or another. */
	must_fail(EINVAL, vfio_bind(p->ctx.dev[0], p->ctx.fd, &id));
	must_fail(EINVAL, -ctx_rebind_refused(&p->ctx, 0));
	must(ioas_alloc(p->ctx.fd, &added));
	must(iommufd_destroy(p->ctx.fd, added));
	check(added == low, "ID %u is the next free one, not %u", added, low);

	check(ctx_rebind(&p->ctx, 1), "another device ID");
	verify(PART_PENDING, true);
	run_edu(PART_PENDING, 0);
	run_edu(PART_PENDING, 1);
	finish(PART_PENDING);
	drop(PART_PENDING);
}

/*
 * Who has bound one of two devices dies. What was back has gone as it would
 * have without any kexec, the other can still be brought back.
 */
static unsigned int dying;

static void retrieve_and_bind(void)
{
	take(dying);
	check(ctx_rebind(&parts[dying].ctx, 0), "another device ID");
}

static void died(unsigned int index)
{
	struct part *p = &parts[index];
	struct want *want = &state->want[index];
	unsigned int pending = fact("incoming/devices_pending");

	dying = index;
	in_killed_process(retrieve_and_bind, NULL);
	check(fact("incoming/devices_pending") == pending - 1,
	      "%u devices are pending", fact("incoming/devices_pending"));
	take(index);
	must_fail(EBUSY, luo_finish(p->session));
	check(ctx_rebind(&p->ctx, 1), "another device ID");
	run_edu(index, 1);
	/* Forget the first. */
	want->dev[0] = want->dev[1];
	p->ctx.dev[0] = p->ctx.dev[1];
	p->ctx.dev[1] = -1;
	want->dev_nr = 1;
	verify(index, true);
	finish(index);
	drop(index);
}

/* Each device has an HWPT of its own. */
static void case_died(void)
{
	died(PART_DIED);
}

/* Both have the same, which is automatic and went with the first. */
static void case_shared(void)
{
	died(PART_SHARED);
}

/* The bind succeeds and its answer cannot be delivered. */
static void case_efault(void)
{
	struct part *p = &parts[PART_EFAULT];
	const struct want_dev *want = &state->want[PART_EFAULT].dev[0];
	struct vfio_device_bind_iommufd *cmd;
	int dev, ret;

	take(PART_EFAULT);
	cmd = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(cmd != MAP_FAILED, "mmap: errno %d", errno);
	cmd->argsz = sizeof(*cmd);
	cmd->iommufd = p->ctx.fd;
	must(mprotect(cmd, GUEST_PAGE, PROT_READ));
	must(vfio_claim(want->bdf));
	dev = must(vfio_open(want->bdf));
	ret = ioctl(dev, VFIO_DEVICE_BIND_IOMMUFD, cmd);
	must_fail(EFAULT, ret ? -errno : 0);
	close(dev);
	munmap(cmd, GUEST_PAGE);
	must_fail(EBUSY, luo_finish(p->session));
	verify(PART_EFAULT, false);
	check(ctx_rebind(&p->ctx, 0), "another device ID");
	verify(PART_EFAULT, true);
	finish(PART_EFAULT);
	drop(PART_EFAULT);
}

/* ---- not finished, with nothing missing ---------------------------------------- */

#define PART_PAGES	(MEMORY_LEN / GUEST_PAGE)
#define FRESH_IOVA	0x300000000ULL

/* A part that was unfinished, with its memory pinned, is so no more. */
static void check_finished(unsigned int index, unsigned int unfinished,
			   unsigned int pinned)
{
	finished++;
	must_fail(ENOENT, luo_retrieve(parts[index].name));
	check(fact("incoming/unfinished") == unfinished - 1,
	      "%u of %u contexts are unfinished", fact("incoming/unfinished"),
	      unfinished);
	check(fact("incoming/pages_pinned") == pinned,
	      "%u pages are pinned, were %u", fact("incoming/pages_pinned"),
	      pinned);
}

/*
 * Closing the session is as good as FINISH. What came of it lives on, and goes
 * through the next kexec as well.
 */
static void case_closed(void)
{
	unsigned int unfinished = fact("incoming/unfinished");
	unsigned int pinned = fact("incoming/pages_pinned");
	struct part *p = &parts[PART_CLOSED];
	uint32_t two = state->want[PART_CLOSED].ioas[1].id;
	uint64_t iova = FRESH_IOVA;
	struct edu edu;

	take(PART_CLOSED);
	check(ctx_rebind(&p->ctx, 0), "another device ID");
	check(fact("incoming/unfinished") == unfinished,
	      "finished before it was closed");
	check(fact("incoming/pages_pinned") == pinned + PART_PAGES,
	      "%u pages are pinned", fact("incoming/pages_pinned"));
	close_session(PART_CLOSED);
	check_finished(PART_CLOSED, unfinished, pinned);
	verify(PART_CLOSED, true);
	run_edu(PART_CLOSED, 0);

	must(ioas_map_file(p->ctx.fd, two, p->mem.fd, 0, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	memset(p->mem.va, 0, GUEST_PAGE);
	must(edu_open(&edu, p->ctx.dev[0]));
	must(edu_copy(&edu, iova, MEMORY_IOVA + RO_OFF, GUEST_PAGE));
	edu_close(&edu);
	check(!memcmp(p->mem.va, (char *)p->mem.va + RO_OFF, GUEST_PAGE),
	      "a new map does not reach the memory");
	must(ioas_unmap(p->ctx.fd, two, iova, GUEST_PAGE, NULL));
	fill(PART_CLOSED, &p->mem);
	verify(PART_CLOSED, true);
}

/* An iommufd to see with what is charged to this user. */
static struct {
	struct memory mem;
	int fd;
	uint32_t ioas;
} probe;

/* Can one more page be pinned when the limit is @pages? */
static bool page_fits(unsigned int pages)
{
	uint64_t iova = FRESH_IOVA;
	int err;

	memlock_limit(pages * GUEST_PAGE);
	err = ioas_map_file(probe.fd, probe.ioas, probe.mem.fd, 0, GUEST_PAGE,
			    &iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
	memlock_limit(RLIM_INFINITY);
	if (err) {
		must_fail(ENOMEM, err);
		return false;
	}
	must(ioas_unmap(probe.fd, probe.ioas, iova, GUEST_PAGE, NULL));
	return true;
}

static void retrieve_and_bind_all(void)
{
	take(PART_KILLED);
	check(ctx_rebind(&parts[PART_KILLED].ctx, 0), "another device ID");
}

static unsigned int killed_pinned;

static void see_killed_alive(void)
{
	check(fact("incoming/pages_pinned") == killed_pinned + PART_PAGES,
	      "%u pages are pinned", fact("incoming/pages_pinned"));
	check(page_fits(PART_PAGES + 1) && !page_fits(PART_PAGES),
	      "other than %llu pages are charged", PART_PAGES);
	must_fail(EINVAL, luo_retrieve(parts[PART_KILLED].name));
}

/*
 * The process that has it all is killed: the session is finished by that, and
 * nobody else holds the iommufd.
 */
static void case_killed(void)
{
	const struct want_dev *want = &state->want[PART_KILLED].dev[0];
	unsigned int unfinished = fact("incoming/unfinished");
	unsigned int pending = fact("incoming/devices_pending");
	char bdf[PCI_BDF_LEN];
	uint32_t id;
	int dev, other;

	killed_pinned = fact("incoming/pages_pinned");
	capability(CAP_IPC_LOCK, false);
	must(memory_create(&probe.mem, "probe", GUEST_PAGE));
	probe.fd = must(iommufd_open());
	must(ioas_alloc(probe.fd, &probe.ioas));
	find_device(EDU_SPARE, bdf);
	dev = bind_to(probe.fd, bdf, &id);
	id = probe.ioas;
	must(vfio_attach(dev, &id));
	check(page_fits(1) && !page_fits(0), "something is charged already");

	in_killed_process(retrieve_and_bind_all, see_killed_alive);
	check_finished(PART_KILLED, unfinished, killed_pinned);
	check(fact("incoming/devices_pending") == pending - 1,
	      "%u devices are pending", fact("incoming/devices_pending"));
	check(page_fits(1), "pages of a dead process are still charged");
	capability(CAP_IPC_LOCK, true);

	/* Its device is anybody's. */
	other = bind_to(probe.fd, want->bdf, &id);
	id = probe.ioas;
	must(vfio_attach(other, &id));
	close(other);
	close(dev);
	close(probe.fd);
	munmap(probe.mem.va, probe.mem.len);
	close(probe.mem.fd);
}

/* ---- the next kexec, and giving up -------------------------------------------- */

/* What the kernel says to a jump now. */
static void jump_refusal(char *text, size_t len)
{
	snprintf(text, len,
		 "%u iommufd of the last handover not finished, which a kexec would lose; finish their sessions or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
		 fact("incoming/unfinished"));
}

static void load_plainly(void)
{
	check(!system("kexec -s -l \"$HANDOVER_KERNEL\" --initrd=\"$HANDOVER_INITRD\" --command-line=\"$HANDOVER_CMDLINE\""),
	      "a plain load failed");
}

static void unload(void)
{
	check(!system("kexec -s -u"), "the kernel cannot be unloaded");
}

static void kexec_refused(void)
{
	char want[512], have[512];

	load_plainly();
	must_fail(EBUSY, syscall(SYS_reboot, LINUX_REBOOT_MAGIC1,
				 LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC,
				 NULL) ? -errno : 0);
	jump_refusal(want, sizeof(want));
	read_fact("last_refusal", have, sizeof(have));
	check(!strcmp(have, want), "the sentence is \"%s\"", have);
	unload();
}

/* The loader repeats the sentence of the kernel. */
static void case_loader(void)
{
	char want[512], line[1024];
	unsigned int found = 0;
	FILE *out;

	load_plainly();
	jump_refusal(want, sizeof(want));
	out = popen("kexec -e -x -y 2>&1", "r");
	check(out, "popen: errno %d", errno);
	while (fgets(line, sizeof(line), out)) {
		printf("%s", line);
		found += !!strstr(line, want);
	}
	check(WEXITSTATUS(pclose(out)), "kexec -e ended with 0");
	unload();
	check(found, "the loader does not print the sentence");
}

static void case_abandon(void)
{
	struct part *never = &parts[PART_NEVER], *waits = &parts[PART_WAITS];
	struct want *want = &state->want[PART_WAITS];
	uint32_t pt, id;
	int dev;

	take(PART_WAITS);
	must_fail(EBUSY, luo_finish(waits->session));
	verify(PART_WAITS, false);
	open_session(PART_NEVER);
	must_fail(EBUSY, luo_finish(never->session));
	check(fact("incoming/unfinished") == PARTS - finished,
	      "%u contexts are unfinished, %u of %u finished",
	      fact("incoming/unfinished"), finished, PARTS);
	kexec_refused();

	must(write_text(HANDOVER "incoming/abandon", "1\n"));
	check(!fact("incoming/unfinished"), "%u contexts are unfinished",
	      fact("incoming/unfinished"));
	check(!fact("incoming/devices_pending"), "%u devices are pending",
	      fact("incoming/devices_pending"));
	check(!fact("incoming/pages_pinned"), "%u pages are pinned",
	      fact("incoming/pages_pinned"));

	/* Given up before it came: the memory is there, the iommufd is not. */
	must_fail(ENODATA, luo_restore(never->session, TOKEN_IOMMUFD));
	take_memory(PART_NEVER);
	must_fail(ENODATA, luo_restore(never->session, TOKEN_IOMMUFD));
	must(luo_finish(never->session));
	close_session(PART_NEVER);
	check_filled(PART_NEVER, never->mem.va, 0, never->mem.len);

	/* Given up while it waited: all but the device stays, its ID is free. */
	must(vfio_claim(want->dev[0].bdf));
	dev = must(vfio_open(want->dev[0].bdf));
	id = want->dev[0].id;
	want->dev_nr = want->hwpt_nr = 0;
	verify(PART_WAITS, false);
	must(luo_finish(waits->session));
	close_session(PART_WAITS);
	must(vfio_bind(dev, waits->ctx.fd, &pt));
	check(pt <= id, "ID %u is not free", id);
	must_fail(EINVAL, vfio_detach(dev) ?: -EINVAL);
	pt = want->ioas[1].id;
	must(vfio_attach(dev, &pt));
	waits->ctx.dev[0] = dev;
	run_edu(PART_WAITS, 0);
	drop(PART_WAITS);
	munmap(never->mem.va, never->mem.len);
	close(never->mem.fd);
	memset(&never->mem, 0, sizeof(never->mem));

	/* PART_LEFT is not even closed, and the next kexec goes ahead. */
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "order", case_order },
	{ "only", case_only },
	{ "caps", case_caps },
	{ "limit", case_limit },
	{ "fault", case_fault },
	{ "implied", case_implied },
	{ "bind", case_bind },
	{ "pending", case_pending },
	{ "died", case_died },
	{ "shared", case_shared },
	{ "efault", case_efault },
	{ "closed", case_closed },
	{ "killed", case_killed },
	{ "loader", case_loader },
	{ "abandon", case_abandon },
};

/* The file "cases" of the scenario names those to run, one a line. */
static void run_cases(void)
{
	FILE *file = fopen("/scenario/cases", "r");
	char line[32];
	unsigned int i;

	check(file, "the scenario has no file \"cases\"");
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			if (!strcmp(cases[i].name, line))
				break;
		}
		check(i < ARRAY_SIZE(cases), "there is no case \"%s\"", line);
		say("case %s", line);
		cases[i].run();
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	int session;

	check(nr, "usage: verify NUMBER");
	background();
	name_parts();
	session = must(luo_retrieve(STATE_SESSION));
	must(memory_adopt(&state_mem, must(luo_restore(session,
						       TOKEN_MEMORY))));
	must(luo_finish(session));
	close(session);
	state = state_mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state) &&
	      state->kexec == nr, "this is not the state of kexec %u", nr);
	check(fact("incoming/unfinished") == PARTS, "%u contexts came",
	      fact("incoming/unfinished"));

	faults_on();
	run_cases();
	hand_over(nr + 1);
}

// SPDX-License-Identifier: GPL-2.0-only
/* Each allocation of a call fails once. */

#include "luo.h"

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
void case_fault(void)
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
 * The iommufd brings its memory with it. Where there was no memory for the memfd
 * either may be retrieved again. A memfd that has come is there from then on, so each
 * allocation takes a part of its own.
 */
void case_implied(void)
{
	struct trace t;
	unsigned int i;
	bool failed;
	int fd;

	trace_begin(&t, "implied", SWEEP_IMPLIED);
	for (i = 0; i < IMPLIEDS; i++) {
		struct part *p = &parts[PART_IMPLIED + i];

		open_session(PART_IMPLIED + i);
		fd = restore_failing(PART_IMPLIED + i, &t, &failed);
		if (fd < 0) {
			check(fd == -ENOMEM || fd == -ENOSPC, "%s: errno %d",
			      p->name, -fd);
			must_fail(EBUSY, luo_finish(p->session));
			fd = must(luo_restore(p->session, TOKEN_IOMMUFD));
		}
		take_memory(PART_IMPLIED + i);
		adopt(PART_IMPLIED + i, fd);
		verify(PART_IMPLIED + i, false);
		finish(PART_IMPLIED + i);
		drop(PART_IMPLIED + i);
	}
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
 * Binding, with all that is replayed after it. A device that was bound in
 * spite of a failure is bound, so the rest is left to the next one.
 */
void case_bind(void)
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

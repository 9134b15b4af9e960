// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program that does as it pleases with iommufd, within the public uAPI.
 *
 * "setup" and each "verify N" make random calls on several contexts, know of
 * each beforehand whether it has to succeed, and keep a model of what is there
 * (model.h). "verify" first takes everything back in random order and compares
 * all that user space can see with the model, at two moments: before any
 * device is bound and when all are. The host part compares each image with the
 * model as well. One seed leads all of it; handover.seed= on the kernel's
 * command line names one.
 */
#include "binds.h"
#include "look.h"
#include "refuse.h"

/* ---- sessions --------------------------------------------------------- */

/* The same facts as the image should hold, for the host part. */
static void write_want(void)
{
	char path[64], cmd[128];
	uint32_t c, i, n;
	FILE *f;

	snprintf(path, sizeof(path), "/run/want-%u.json", stage + 1);
	f = fopen(path, "we");
	check(f, "%s: %s", path, strerror(errno));
	fprintf(f, "{\"seed\": %llu, \"contexts\": [", LL(book->seed));
	for (c = 0, n = 0; c < CTX_MAX; c++) {
		struct m_ctx *x = &book->ctx[c];
		uint32_t areas = sort_areas(c), k;
		const char *sep = "";

		if (!x->used)
			continue;
		fprintf(f, "%s\n{\"session\": [", n++ ? "," : "");
		for (i = 0; book->ses[x->ses].name[i]; i++)
			fprintf(f, "%s%u", i ? ", " : "",
				(unsigned char)book->ses[x->ses].name[i]);
		fprintf(f, "], \"token\": %llu, \"rlimit_mode\": %u, \"vfio\": %u, \"ioas\": {",
			LL(x->token), x->rlimit, x->vfio);
		for (i = 0; i < IOAS_MAX; i++) {
			const struct m_ioas *s = &x->ioas[i];

			if (!s->id)
				continue;
			fprintf(f, "%s\n\"%u\": {\"huge_pages\": %u, \"allowed\": [",
				sep, s->id, s->huge);
			sep = ",";
			for (k = 0; k < s->allow_nr; k++)
				fprintf(f, "%s[%llu, %llu]", k ? ", " : "",
					LL(s->allow[k].start),
					LL(s->allow[k].last));
			fprintf(f, "]}");
		}
		fprintf(f, "}, \"maps\": [");
		for (k = 0; k < areas; k++) {
			const struct m_area *a = &sorted[k];

			fprintf(f, "%s\n[%u, %llu, %llu, %llu, %llu, %u, %u, %u]",
				k ? "," : "", a->ioas, LL(a->iova), LL(a->len),
				LL(book->mem[a->mem].token), LL(a->off),
				a->prot, a->writable, a->group);
		}
		fprintf(f, "], \"hwpts\": [");
		for (i = 0, sep = ""; i < HWPT_MAX; i++) {
			const struct m_hwpt *h = &x->hwpt[i];

			if (!h->id)
				continue;
			fprintf(f, "%s[%u, %u, %u, %u, %u]", sep, h->id,
				h->ioas, h->automatic, h->flags,
				maker_of(c, h)->id);
			sep = ", ";
		}
		fprintf(f, "], \"devices\": [");
		for (i = 0, sep = ""; i < DEV_MAX; i++) {
			const struct m_dev *d = &book->dev[i];

			if (!d->id || d->ctx != c)
				continue;
			fprintf(f, "%s[%u, \"%s\", %u]", sep, d->id, d->bdf,
				d->hwpt);
			sep = ", ";
		}
		fprintf(f, "]}");
	}
	fprintf(f, "]}\n");
	check(!fclose(f), "%s: %s", path, strerror(errno));
	snprintf(cmd, sizeof(cmd), "handover-send %s", path);
	check(!system(cmd), "%s failed", cmd);
}

#define HOST_WAIT_MS	60000

/* Ask the host part what it found in the image that brought us here. */
static void ask_host(void)
{
	uint64_t end = now_ms() + HOST_WAIT_MS;
	char line[512];
	size_t used = 0;
	int fd, n;

	fd = must(open("/dev/virtio-ports/handover.host", O_RDWR | O_CLOEXEC |
		       O_NONBLOCK));
	n = snprintf(line, sizeof(line), "image %u\n", stage);
	check(write(fd, line, n) == n, "the host part cannot be asked");
	while (used < sizeof(line) - 1) {
		check(now_ms() < end, "the host part does not answer");
		n = read(fd, line + used, 1);
		if (n <= 0)
			sleep_ms(20);
		else if (line[used] == '\n')
			break;
		else
			used++;
	}
	close(fd);
	line[used] = '\0';
	check(!strncmp(line, "equal ", 6), "image %u: %s", stage, line);
	book->controls++;
	report("image_facts[]", "%s", line + 6);
}

static void preserve_all(void)
{
	uint32_t order[SES_MAX], s, i, j, n;

	for (s = 0; s < SES_MAX; s++)
		order[s] = s;
	shuffle(order, SES_MAX);
	for (i = 0; i < SES_MAX; i++) {
		uint32_t what[MEM_MAX + CTX_MAX];

		s = order[i];
		if (!book->ses[s].name[0])
			continue;
		ses_fd[s] = must(luo_create(book->ses[s].name));
		for (j = 0; j < ARRAY_SIZE(what); j++)
			what[j] = j;
		n = ARRAY_SIZE(what);
		shuffle(what, n);
		for (j = 0; j < n; j++) {
			uint32_t w = what[j];

			if (w < MEM_MAX && book->mem[w].used &&
			    book->mem[w].ses == s)
				must(luo_preserve(ses_fd[s], mem[w].fd,
						  book->mem[w].token));
			w -= MEM_MAX;
			if (w < CTX_MAX && book->ctx[w].used &&
			    book->ctx[w].ses == s)
				must(luo_preserve(ses_fd[s], ctx_fd[w],
						  book->ctx[w].token));
		}
	}
	book_session = must(luo_create(BOOK_SESSION));
}

/* One iommufd more, in no session: it dies with the jump. */
static void bystander(void)
{
	uint64_t iova = 0;
	uint32_t id;

	bystander_fd = must(iommufd_open());
	must(ioas_alloc(bystander_fd, &id));
	must(ioas_map_file(bystander_fd, id, mem[0].fd, 0, PAGE, &iova,
			   IOVA_RW));
}

static void compare_all(bool picks, const char *when)
{
	unsigned int all = 0;
	uint32_t c;

	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used)
			all += compare(c, picks);
	check(!all, "seed %llu: %u differences %s", LL(book->seed), all, when);
}

/* A load seals: then every change is refused. Without the load none is. */
static void load_and_unload(void)
{
	uint32_t c, id;

	check(!system("kexec -s -l \"$HANDOVER_KERNEL\" --initrd=\"$HANDOVER_INITRD\" --command-line=\"$HANDOVER_CMDLINE\" --iommu-handover"),
	      "seed %llu: the load failed", LL(book->seed));
	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used)
			must_fail(EBUSY, ioas_alloc(ctx_fd[c], &id));
	check(!system("kexec -u"), "the unload failed");
	play(between(1, 60));
	settle_refused();
}

static void hand_over(void) __attribute__((noreturn));

static void hand_over(void)
{
	uint32_t c, i;

	if (one_in(3))
		bystander();
	preserve_all();
	if (one_in(4)) {
		/* Not yet: all sessions end, and some calls more */
		for (i = 0; i < SES_MAX; i++)
			if (book->ses[i].name[0])
				close(ses_fd[i]);
		close(book_session);
		play(between(1, 60));
		preserve_all();
	}
	settle_refused();
	if (one_in(4))
		load_and_unload();
	for (c = 0; c < CTX_MAX; c++) {
		if (!book->ctx[c].used)
			continue;
		if (one_in(2))
			refuse_map(c);
		if (one_in(3))
			refuse_fault(c);
	}
	for (c = 0; c < CTX_MAX; c++)
		for (i = 0; book->ctx[c].used && i < IOAS_MAX; i++)
			if (book->ctx[c].ioas[i].id)
				book->ctx[c].ioas[i].pick = where_next(c,
						book->ctx[c].ioas[i].id);
	compare_all(true, "before the handover");
	compare_charge();
	check(!differs, "the charge is wrong before the handover");
	note_charge(&book->pinned, &book->locked);
	accepted("all of it");
	write_want();
	for (c = 0; c < DEV_MAX; c++)
		book->dev[c].live = 0;
	for (c = 0; c < CTX_MAX; c++) {
		struct m_ctx *x = &book->ctx[c];

		for (i = 0; x->used && i < x->area_nr; i++)
			x->area[i].user = 0;
		for (i = 0; x->used && i < HWPT_MAX; i++) {
			struct m_hwpt *h = &x->hwpt[i];
			uint32_t d;

			if (!h->id)
				continue;
			h->live = 0;
			h->maker = maker_of(c, h)->serial;
			h->wait = 1U << index_of(maker_of(c, h));
			for (d = 0; d < DEV_MAX; d++)
				if (book->dev[d].id && book->dev[d].ctx == c &&
				    book->dev[d].hwpt == h->id)
					h->wait |= 1U << d;
		}
	}
	must(luo_preserve(book_session, book_mem.fd, BOOK_TOKEN));
	report("calls", "%llu", LL(book->calls));
	report("refused", "%llu", LL(book->refused));
	report("controls", "%llu", LL(book->controls));
	report("compared", "%llu", LL(book->compared));
	report("dma", "%llu", LL(book->dma));
	background_ready();
}

/* ---- building --------------------------------------------------------- */

/* What this machine's IOMMU takes, seen in a context that is closed again. */
static void learn(void)
{
	struct iommu_iova_range range[8];
	uint32_t nr = ARRAY_SIZE(range), ioas, id, pt, hwpt, i;
	int fd = must(iommufd_open()), dev;
	uint64_t align;

	must(vfio_claim(book->dev[0].bdf));
	dev = must(vfio_open(book->dev[0].bdf));
	must(ioas_alloc(fd, &ioas));
	must(vfio_bind(dev, fd, &id));
	pt = ioas;
	must(vfio_attach(dev, &pt));
	must(ioas_ranges(fd, ioas, range, &nr, &align));
	check(nr == 2 && !range[0].start, "%u ranges: not this machine", nr);
	book->msi.start = range[0].last + 1;
	book->msi.last = range[1].start - 1;
	book->aperture = range[1].last;
	for (i = 0; i < 4; i++)
		if (i != 2 && !hwpt_alloc(fd, id, ioas, 1U << i, &hwpt))
			book->flags_ok |= 1U << i;
	close(dev);
	close(fd);
	report("aperture", "%llu", LL(book->aperture));
	report("hwpt_flags", "%u", book->flags_ok);
}

/* All huge pages of shared memory in this guest, in KiB */
static uint64_t huge_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];
	bool there = false;

	check(f, "/proc/meminfo: %s", strerror(errno));
	while (!there && fgets(line, sizeof(line), f))
		there = sscanf(line, "ShmemHugePages: %llu kB", &kib) == 1;
	fclose(f);
	check(there, "this kernel has no huge pages of shared memory");
	return kib;
}

static void create_memory(uint32_t m, uint32_t s)
{
	struct m_mem *x = &book->mem[m];
	uint64_t len = between(50, 900) * PAGE;
	uint64_t huge = huge_memory();
	char name[16];
	int fd;

	if (m == 0)
		len = 4 << 20;
	else if (one_in(3))
		len -= between(1, PAGE - 1);
	snprintf(name, sizeof(name), "random-%u", m);
	fd = must(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
	must(ftruncate(fd, len) ? -errno : 0);
	/* Some files get their pages only when they are mapped */
	if (one_in(2))
		must(fallocate(fd, 0, 0, len) ? -errno : 0);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) <
	     0 ? -errno : 0);
	must(memory_adopt(&mem[m], fd));
	*x = (struct m_mem) {
		.len = len,
		.token = one_in(5) ? pick(2) - 1 : rng_u64(&book->rng),
		.ses = s,
		.used = 1,
	};
	stamp_memory(m);
	if (m)
		return;
	huge = huge_memory() - huge;
	check(huge << 10 == len, "%llu KiB of the first file's %llu are huge",
	      LL(huge), LL(len >> 10));
}

static bool token_taken(uint32_t s, uint64_t token)
{
	uint32_t i;

	for (i = 0; i < MEM_MAX; i++)
		if (book->mem[i].used && book->mem[i].ses == s &&
		    book->mem[i].token == token)
			return true;
	for (i = 0; i < CTX_MAX; i++)
		if (book->ctx[i].used && book->ctx[i].ses == s &&
		    book->ctx[i].token == token)
			return true;
	return false;
}

static void name_session(uint32_t s)
{
	uint32_t len = one_in(3) ? 63 : between(1, 62), i;
	char *name = book->ses[s].name;

	name[0] = 'A' + s;
	for (i = 1; i < len; i++)
		name[i] = between(' ', '~');
	name[len] = '\0';
}

static void open_context(uint32_t c, uint32_t s)
{
	struct m_ctx *x = &book->ctx[c];

	memset(x, 0, sizeof(*x));
	ctx_fd[c] = must(iommufd_open());
	do {
		x->token = one_in(5) ? pick(2) - 1 : rng_u64(&book->rng);
	} while (token_taken(s, x->token));
	x->ses = s;
	x->used = 1;
	/* Later it is possible only when all has been destroyed */
	x->rlimit = one_in(3);
	must(iommufd_option_set(ctx_fd[c], IOMMU_OPTION_RLIMIT_MODE, 0,
				x->rlimit));
}

static void build(void)
{
	uint32_t sessions, contexts, i, s;
	uint64_t seed = boot_seed("handover.seed=");

	must(memory_create(&book_mem, "random-book", BOOK_LEN));
	book = book_mem.va;
	book->magic = BOOK_MAGIC;
	book->size = sizeof(*book);
	book->seed = seed;
	book->rng.state = seed;
	book->key = rng_u64(&book->rng);
	book->charge = one_in(2);
	if (book->charge)
		drop_ipc_lock();
	report("seed", "%llu", LL(seed));
	for (i = 0; i < DEV_MAX; i++) {
		struct m_dev *d = &book->dev[i];

		d->igb = i < 2;
		must(pci_find(d->igb ? IGB_VENDOR : EDU_VENDOR,
			      d->igb ? IGB_DEVICE : EDU_DEVICE,
			      d->igb ? i : i - 2, d->bdf));
	}
	learn();
	sessions = between(1, SES_MAX);
	contexts = between(sessions, CTX_MAX);
	for (s = 0; s < sessions; s++)
		name_session(s);
	for (i = 0; i < MEM_MAX; i++) {
		struct m_mem *x = &book->mem[i];

		if (i >= sessions && one_in(3))
			continue;
		s = i < sessions ? i : pick(sessions);
		create_memory(i, s);
		x->used = 0;
		while (token_taken(s, x->token))
			x->token = rng_u64(&book->rng);
		x->used = 1;
	}
	for (i = 0; i < contexts; i++)
		open_context(i, i < sessions ? i : pick(sessions));
	report("sessions", "%u", sessions);
	report("contexts_made", "%u", contexts);
}

static void exam_memory(void)
{
	must(write_text("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			"always"));
	must(memory_create(&exam_mem, "exam", EXAM_LEN));
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

/* ---- the two commands ------------------------------------------------- */

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

static void take_back(void)
{
	uint32_t order[SES_MAX], i, j, s;
	uint64_t huge = huge_memory();

	for (i = 0; i < SES_MAX; i++)
		order[i] = i;
	shuffle(order, SES_MAX);
	for (i = 0; i < SES_MAX; i++) {
		uint32_t what[MEM_MAX + CTX_MAX];

		s = order[i];
		if (!book->ses[s].name[0])
			continue;
		ses_fd[s] = must(luo_retrieve(book->ses[s].name));
		for (j = 0; j < ARRAY_SIZE(what); j++)
			what[j] = j;
		shuffle(what, ARRAY_SIZE(what));
		for (j = 0; j < ARRAY_SIZE(what); j++) {
			uint32_t w = what[j];

			if (w < MEM_MAX && book->mem[w].used &&
			    book->mem[w].ses == s) {
				must(memory_adopt(&mem[w],
					must(luo_restore(ses_fd[s],
						book->mem[w].token))));
				if (mem[w].len != book->mem[w].len)
					differ("memory file %u has %zu bytes, not %llu",
					       w, mem[w].len,
					       LL(book->mem[w].len));
				check_memory(w);
			}
			w -= MEM_MAX;
			if (w < CTX_MAX && book->ctx[w].used &&
			    book->ctx[w].ses == s)
				ctx_fd[w] = must(luo_restore(ses_fd[s],
						book->ctx[w].token));
		}
	}
	check(!differs, "seed %llu: the memory is not what it was",
	      LL(book->seed));
	huge = huge_memory() - huge;
	check(huge, "no file came back with its huge pages");
	report("huge_kib_taken_back", "%llu", LL(huge));
}

static bool session_waits(uint32_t s)
{
	uint32_t c;

	for (c = 0; c < CTX_MAX; c++)
		if (book->ctx[c].used && book->ctx[c].ses == s && waits(c))
			return true;
	return false;
}

static void bind_again(struct m_dev *d)
{
	uint32_t c = d->ctx, id, i, bit = 1U << index_of(d);
	uint32_t before = d->serial;
	int fd;

	must(vfio_claim(d->bdf));
	fd = must(vfio_open(d->bdf));
	outcome(vfio_bind(fd, ctx_fd[c], &id), 0, "context %u: bind %s again",
		c, d->bdf);
	if (id != d->id)
		differ("context %u: %s has ID %u, not %u", c, d->bdf, id,
		       d->id);
	dev_fd[index_of(d)] = fd;
	d->live = 1;
	d->serial = ++book->serial;
	for (i = 0; i < HWPT_MAX; i++) {
		struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (h->id && h->maker == before)
			h->maker = d->serial;
		if (h->id && h->wait & bit)
			h->live = 1;
	}
}

/* A device that is waited for may be used elsewhere for a while. */
static void stray(struct m_dev *d)
{
	int fd = must(iommufd_open()), dev;
	uint32_t id, ioas;

	must(vfio_claim(d->bdf));
	dev = must(vfio_open(d->bdf));
	must(vfio_bind(dev, fd, &id));
	must(ioas_alloc(fd, &ioas));
	check(id == 1 && ioas == 2, "a new iommufd has IDs %u and %u", id,
	      ioas);
	if (one_in(2))
		must(vfio_attach(dev, &ioas));
	close(dev);
	close(fd);
}

static bool bind_all(void)
{
	uint32_t order[DEV_MAX], i, s;
	bool calls = one_in(2), closely = one_in(2);

	for (i = 0; i < DEV_MAX; i++)
		order[i] = i;
	shuffle(order, DEV_MAX);
	for (i = 0; i < DEV_MAX; i++) {
		struct m_dev *d = &book->dev[order[i]];

		/* Not of this context, or bound anew by a call in between */
		if (!d->id || d->live)
			continue;
		for (s = 0; s < SES_MAX; s++)
			if (book->ses[s].name[0] && session_waits(s))
				must_fail(EBUSY, luo_finish(ses_fd[s]));
		if (calls)
			play(20);
		if (one_in(4))
			stray(d);
		bind_again(d);
		if (closely)
			check(!compare(d->ctx, false),
			      "seed %llu: not as it was after %s was bound",
			      LL(book->seed), d->bdf);
	}
	/* Calls in between may have moved where the next map goes */
	for (i = 0; calls && i < CTX_MAX * IOAS_MAX; i++)
		book->ctx[i / IOAS_MAX].ioas[i % IOAS_MAX].pick = TOP;
	return calls;
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

// SPDX-License-Identifier: GPL-2.0-only
/* Sessions, memory files and contexts to begin with. */
#include <sys/random.h>

#include "random.h"

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
	check(nr > 1 && nr <= RESV_MAX + 1 && !range[0].start,
	      "%u ranges from %#llx on: not this machine", nr,
	      LL(range[0].start));
	book->resv_nr = nr - 1;
	for (i = 0; i < book->resv_nr; i++) {
		book->resv[i].start = range[i].last + 1;
		book->resv[i].last = range[i + 1].start - 1;
	}
	book->aperture = range[i].last;
	for (i = 0; i < 4; i++)
		if (i != 2 && !hwpt_alloc(fd, id, ioas, 1U << i, &hwpt))
			book->flags_ok |= 1U << i;
	close(dev);
	close(fd);
	report("aperture", "%llu", LL(book->aperture));
	report("reserved_ranges", "%u", book->resv_nr);
	report("hwpt_flags", "%u", book->flags_ok);
}

uint64_t huge_memory(void)
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

void build(void)
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

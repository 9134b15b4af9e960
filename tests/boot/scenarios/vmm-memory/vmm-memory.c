// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory as VMMs make it, through two kexecs.
 *
 * "vmm-memory 0" makes every kind of file, maps each into one IOAS by file and
 * by address, and preserves them; "vmm-memory N" takes them back after kexec N,
 * looks at seals, mode, contents and at what a device reads, and preserves them
 * again. Both try on every file what the preservation has to forbid.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <linux/memfd.h>

#include "edu.h"
#include "refuse.h"

#define SESSION		"vmm-memory"
#define TOKEN_IOMMUFD	1
#define TOKEN_MEMORY	16

#define PAGES		16
#define MAPPED		8		/* pages of each file that are mapped */
#define SPARE		12		/* the calls are tried on pages from here */
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC	0x0020
#endif

#define LEN		(PAGES * GUEST_PAGE)
#define MAPPED_LEN	(MAPPED * GUEST_PAGE)
#define WORDS		(GUEST_PAGE / sizeof(uint64_t))

#define FILE_IOVA(i)	(0x10000000ULL + (i) * 0x100000ULL)
#define USER_IOVA(i)	(0x20000000ULL + (i) * 0x100000ULL)

#define THREE		(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)
#define ALL		(THREE | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_EXEC)

enum how {
	MEMFD,
	UNLINKED,
	NAMELESS,
	LINKED,		/* until the load was refused for it */
};

/**
 * struct kind - a way to make guest memory
 * @name: whose it is
 * @how: what the file is
 * @flags: of memfd_create(); MFD_CLOEXEC is in all
 * @add: seals that are added once it is filled
 * @seals: those that it has then, and has to come back with
 */
static const struct kind {
	const char *name;
	enum how how;
	unsigned int flags;
	int add;
	int seals;
} kinds[] = {
	/* The first one has the state, and takes what the device writes */
	{ "Cloud Hypervisor", MEMFD, 0, 0, F_SEAL_SEAL },
	{ "OpenVMM", MEMFD, MFD_EXEC, 0, F_SEAL_SEAL },
	{ "crosvm", MEMFD, MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL, THREE,
	  THREE | F_SEAL_EXEC },
	{ "a memfd with the exec seal alone", MEMFD, MFD_NOEXEC_SEAL, 0,
	  F_SEAL_EXEC },
	{ "QEMU's ROM", MEMFD, MFD_ALLOW_SEALING, 0, 0 },
	{ "QEMU's memory-backend-memfd", MEMFD, MFD_ALLOW_SEALING, THREE,
	  THREE },
	{ "all seals, executable", MEMFD, MFD_ALLOW_SEALING | MFD_EXEC, ALL,
	  ALL },
	{ "all seals, not executable", MEMFD,
	  MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL, ALL, ALL },
	{ "QEMU's memory-backend-file in a directory", UNLINKED, 0, 0,
	  F_SEAL_SEAL },
	{ "a file that never had a name", NAMELESS, 0, 0, F_SEAL_SEAL },
	{ "QEMU's memory-backend-file", LINKED, 0, 0, F_SEAL_SEAL },
};

#define KINDS	ARRAY_SIZE(kinds)
#define LAST	(KINDS - 1)		/* the linked one */
#define NAMED	"/dev/shm/guest-memory"

/* On page MAPPED of the first file: only preserved memory comes back. */
struct state {
	uint32_t ioas, dev, hwpt;
	uint32_t stage;
	struct tally sum;
};

/**
 * struct guest - one file
 * @fd: its descriptor
 * @va: shared mapping of all of it, for reading only when it is write-sealed
 */
static struct guest {
	int fd;
	uint64_t *va;
} guest[KINDS];

static struct state *state;
static int iommufd, device;

static int result(long ret)
{
	return ret < 0 ? -errno : 0;
}

static bool write_sealed(unsigned int i)
{
	return kinds[i].seals & F_SEAL_WRITE;
}

static uint64_t word(unsigned int i, unsigned int page, unsigned int nr)
{
	return (uint64_t)(i + 1) << 48 | (uint64_t)page << 32 | (nr + 1);
}

/* ---- files ---------------------------------------------------------------- */

static int make_file(const struct kind *k)
{
	int fd;

	switch (k->how) {
	case MEMFD:
		return memfd_create(k->name, MFD_CLOEXEC | k->flags);
	case NAMELESS:
		return open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	default:
		fd = open(NAMED, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0 && k->how == UNLINKED)
			must(result(unlink(NAMED)));
		return fd;
	}
}

static void map_file(unsigned int i)
{
	int prot = write_sealed(i) ? PROT_READ : PROT_READ | PROT_WRITE;
	void *va = mmap(NULL, LEN, prot, MAP_SHARED, guest[i].fd, 0);

	check(va != MAP_FAILED, "%s: mmap: %s", kinds[i].name, strerror(errno));
	guest[i].va = va;
}

static void fill_page(unsigned int i, unsigned int page)
{
	uint64_t text[WORDS];

	for (unsigned int nr = 0; nr < WORDS; nr++)
		text[nr] = word(i, page, nr);
	check(pwrite(guest[i].fd, text, sizeof(text), page * GUEST_PAGE) ==
	      sizeof(text), "%s: write: %s", kinds[i].name, strerror(errno));
}

static void make(unsigned int i)
{
	const struct kind *k = &kinds[i];

	guest[i].fd = make_file(k);
	check(guest[i].fd >= 0, "%s: %s", k->name, strerror(errno));
	must(result(ftruncate(guest[i].fd, LEN)));
	for (unsigned int page = 0; page < PAGES; page++)
		fill_page(i, page);
	if (k->add)
		must(result(fcntl(guest[i].fd, F_ADD_SEALS, k->add)));
	map_file(i);
}

/* Is a file what it was made as? */
static void look_at(unsigned int i)
{
	const struct kind *k = &kinds[i];
	bool exec = k->how == MEMFD && !(k->flags & MFD_NOEXEC_SEAL);
	int seals = fcntl(guest[i].fd, F_GET_SEALS);
	struct stat st;

	must(result(fstat(guest[i].fd, &st)));
	check(seals == k->seals, "%s: seals %#x, not %#x", k->name, seals,
	      k->seals);
	check(st.st_size == LEN, "%s: %lld bytes", k->name,
	      (long long)st.st_size);
	/* Without the exec seal LUO does not keep the mode */
	if (k->seals & F_SEAL_EXEC)
		check(!!(st.st_mode & 0111) == exec, "%s: mode %o", k->name,
		      st.st_mode);
	for (unsigned int page = i ? 0 : MAPPED + 1; page < PAGES; page++)
		for (unsigned int nr = 0; nr < WORDS; nr++)
			check(guest[i].va[page * WORDS + nr] ==
			      word(i, page, nr), "%s: page %u word %u: %#llx",
			      k->name, page, nr, (unsigned long long)
			      guest[i].va[page * WORDS + nr]);
}

/* ---- what a preserved file must not suffer -------------------------------- */

enum act {
	SHRINK,
	GROW,
	ALLOCATE,
	RESERVE,
	PUNCH,
	REMOVE,
	WRITE,
	CUT,
	COLLAPSE,
	ZERO,
	INSERT,
	SAME,
};

/**
 * struct attempt - a call on a file
 * @what: the call, in words
 * @seals: any of these forbids it as well
 * @always: errno that it always gives; 0 for none
 * @harmless: nothing forbids it
 */
static const struct attempt {
	const char *what;
	int seals;
	int always;
	bool harmless;
} attempts[] = {
	[SHRINK] = { "ftruncate to less", F_SEAL_SHRINK },
	[GROW] = { "ftruncate to more", F_SEAL_GROW },
	[ALLOCATE] = { "fallocate past the end", F_SEAL_GROW },
	/* The size stays, but F_SEAL_GROW forbids it nevertheless */
	[RESERVE] = { "fallocate past the end, size kept", F_SEAL_GROW },
	[PUNCH] = { "punching a hole", F_SEAL_WRITE },
	[REMOVE] = { "MADV_REMOVE", F_SEAL_WRITE },
	[WRITE] = { "write past the end", F_SEAL_GROW | F_SEAL_WRITE },
	[CUT] = { "open with O_TRUNC", F_SEAL_SHRINK },
	[COLLAPSE] = { "collapsing a range", 0, EOPNOTSUPP },
	[ZERO] = { "zeroing a range", 0, EOPNOTSUPP },
	[INSERT] = { "inserting a range", 0, EOPNOTSUPP },
	[SAME] = { "ftruncate to what it has", 0, 0, true },
};

static int reopen_cut(int fd)
{
	char path[64];
	int cut;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	cut = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
	if (cut < 0)
		return -errno;
	close(cut);
	return 0;
}

static int attempt(unsigned int i, enum act act)
{
	const off_t at = SPARE * GUEST_PAGE;
	int fd = guest[i].fd;

	switch (act) {
	case SHRINK:
		return result(ftruncate(fd, at));
	case GROW:
		return result(ftruncate(fd, LEN + GUEST_PAGE));
	case ALLOCATE:
		return result(fallocate(fd, 0, LEN, GUEST_PAGE));
	case RESERVE:
		return result(fallocate(fd, FALLOC_FL_KEEP_SIZE, LEN,
					GUEST_PAGE));
	case PUNCH:
		return result(fallocate(fd, FALLOC_FL_PUNCH_HOLE |
					FALLOC_FL_KEEP_SIZE, at, GUEST_PAGE));
	case REMOVE:
		return result(madvise((char *)guest[i].va + at, GUEST_PAGE,
				      MADV_REMOVE));
	case WRITE:
		return result(pwrite(fd, "x", 1, LEN));
	case CUT:
		return reopen_cut(fd);
	case COLLAPSE:
		return result(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, at,
					GUEST_PAGE));
	case ZERO:
		return result(fallocate(fd, FALLOC_FL_ZERO_RANGE, at,
					GUEST_PAGE));
	case INSERT:
		return result(fallocate(fd, FALLOC_FL_INSERT_RANGE, at,
					GUEST_PAGE));
	case SAME:
		return result(ftruncate(fd, LEN));
	}
	return -EINVAL;
}

/* Give a file back what a call that was allowed has taken. */
static void restore(unsigned int i, enum act act)
{
	unsigned int page = act == CUT ? 0 : SPARE;

	must(result(ftruncate(guest[i].fd, LEN)));
	for (; page < PAGES; page++)
		fill_page(i, page);
}

/*
 * Try every call on a file. @frozen: it has to give EPERM whatever the seals
 * are; without, only what the seals forbid may. O_TRUNC is left alone then when
 * the file is @mapped, whose pages must stay.
 */
static void try_calls(unsigned int i, bool frozen, bool mapped)
{
	for (unsigned int act = 0; act < ARRAY_SIZE(attempts); act++) {
		const struct attempt *a = &attempts[act];
		int err, want = a->always;

		if (!want && !a->harmless &&
		    (frozen || kinds[i].seals & a->seals))
			want = EPERM;
		/* The mapping can never be made writable */
		if (act == REMOVE && write_sealed(i))
			want = EACCES;
		if (!want && act == CUT && mapped)
			continue;
		err = attempt(i, act);
		tally_one(err == -want, true, "%s, %s: %s gives %d, not %d",
			  kinds[i].name, frozen ? "frozen" : "not frozen",
			  a->what, -err, want);
		if (!err && !a->harmless)
			restore(i, act);
	}
}

static void try_all(bool frozen, bool mapped)
{
	for (unsigned int i = 0; i < KINDS; i++)
		try_calls(i, frozen, mapped);
}

/* ---- iommufd and device ---------------------------------------------------- */

static void map_user(unsigned int i, uint32_t flags)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = state->ioas,
		.user_va = (uintptr_t)guest[i].va,
		.length = MAPPED_LEN,
		.iova = USER_IOVA(i),
	};

	must(result(ioctl(iommufd, IOMMU_IOAS_MAP, &cmd)));
}

static void map_guest(unsigned int i)
{
	uint32_t flags = (write_sealed(i) ? IOVA_RO : IOVA_RW) |
			 IOMMU_IOAS_MAP_FIXED_IOVA;
	uint64_t iova = FILE_IOVA(i);

	must(ioas_map_file(iommufd, state->ioas, guest[i].fd, 0, MAPPED_LEN,
			   &iova, flags));
	map_user(i, flags);
}

static void bind(uint32_t *id)
{
	char bdf[PCI_BDF_LEN];

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	device = must(vfio_open(bdf));
	must(vfio_bind(device, iommufd, id));
}

/* Let the device copy a page of each map to the first file. */
static void device_reads(void)
{
	struct edu edu;

	must(edu_open(&edu, device));
	for (unsigned int i = 1; i < KINDS; i++) {
		unsigned int page = i % MAPPED;

		for (unsigned int by = 0; by < 2; by++) {
			uint64_t from = by ? USER_IOVA(i) : FILE_IOVA(i);

			memset(guest[0].va, 0, GUEST_PAGE);
			must(edu_copy(&edu, FILE_IOVA(0),
				      from + page * GUEST_PAGE, GUEST_PAGE));
			check(!memcmp(guest[0].va, guest[i].va + page * WORDS,
				      GUEST_PAGE) && guest[0].va[0],
			      "%s: the device reads %#llx at IOVA %#llx",
			      kinds[i].name, (unsigned long long)guest[0].va[0],
			      (unsigned long long)from);
		}
	}
	edu_close(&edu);
}

/* ---- the two halves -------------------------------------------------------- */

static int preserve_all(bool linked)
{
	int session = must(luo_create(SESSION));

	for (unsigned int i = 0; i < KINDS; i++)
		if (kinds[i].how == LINKED && linked)
			must_fail(ENOENT, luo_preserve(session, guest[i].fd,
						       TOKEN_MEMORY + i));
		else
			must(luo_preserve(session, guest[i].fd,
					  TOKEN_MEMORY + i));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	return session;
}

/* A file with a name stops the load; the sentence says how to go on. */
static void refused_linked(void)
{
	const unsigned int i = LAST;
	char output[OUTPUT_LEN], iova[32];
	int session = preserve_all(true);

	snprintf(iova, sizeof(iova), "IOVA %#llx",
		 (unsigned long long)FILE_IOVA(i));
	tally_one(load_kernel(output, true, NULL) && strstr(output, iova) &&
		  strstr(output, "has a name in a file system") &&
		  strstr(output, "unlink it, then preserve it"), false,
		  "a linked file: %s", output);
	must(result(unlink(NAMED)));
	must(luo_preserve(session, guest[i].fd, TOKEN_MEMORY + i));
	check(!load_kernel(output, true, NULL), "unlinked: %s", output);
	unload_kernel();
	try_all(true, true);
	close(session);
}

static void build(void)
{
	for (unsigned int i = 0; i < KINDS; i++)
		make(i);
	try_all(false, false);
	state = (struct state *)(guest[0].va + MAPPED * WORDS);
	memset(state, 0, GUEST_PAGE);

	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &state->ioas));
	bind(&state->dev);
	state->hwpt = state->ioas;
	must(vfio_attach(device, &state->hwpt));
	for (unsigned int i = 0; i < KINDS; i++)
		map_guest(i);
	refused_linked();
	try_all(false, true);
}

static void take_back(unsigned int stage)
{
	int session = must(luo_retrieve(SESSION));
	uint64_t iova;
	uint32_t id;

	for (unsigned int i = 0; i < KINDS; i++) {
		guest[i].fd = must(luo_restore(session, TOKEN_MEMORY + i));
		map_file(i);
		if (!i)
			state = (struct state *)(guest[0].va + MAPPED * WORDS);
		look_at(i);
		try_calls(i, true, true);
	}
	check(state->stage + 1 == stage, "state of stage %u", state->stage);
	iommufd = must(luo_restore(session, TOKEN_IOMMUFD));
	try_all(true, true);
	bind(&id);
	check(id == state->dev, "device %u, not %u", id, state->dev);
	for (unsigned int i = 0; i < KINDS; i++) {
		iova = FILE_IOVA(i);
		must_fail(EEXIST, ioas_map_file(iommufd, state->ioas,
						guest[i].fd, 0, GUEST_PAGE,
						&iova, IOVA_RO |
						IOMMU_IOAS_MAP_FIXED_IOVA));
	}
	check(handover_number("incoming/trees_compared") == 1 &&
	      handover_number("incoming/trees_equal") == 1,
	      "the page table was not compared");
	try_all(true, true);
	must(luo_finish(session));
	close(session);
	try_all(false, true);
	for (unsigned int i = 0; i < KINDS; i++)
		look_at(i);
	state->stage = stage;
}

int main(int argc, char **argv)
{
	unsigned int stage = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

	background();
	if (stage)
		take_back(stage);
	else
		build();
	device_reads();
	preserve_all(false);
	try_all(true, true);
	tally_end(&state->sum);
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * refusals NUMBER - NUMBER is 0 before the first kexec
 *
 * A context with one device, "main", goes through the kexecs. Beside it, at
 * every stage, others are made that cannot be handed over, one reason at a
 * time. Each has to give its errno and a sentence that names object, IOVA and
 * reason: from SNAPSHOT or SEAL, in sysfs, from QUERY and from kexec(8). Then
 * the reason is taken away and a snapshot has to succeed.
 */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/kexec.h>
#include <linux/memfd.h>
#include <linux/vfio.h>

#include "mock.h"
#include "side.h"

#define SESSION		"main"
#define IMAGE		"/run/refusals.iho"
#define ALLOWED_MOST	4000	/* ranges in one IOAS; docs/operators-guide.md */
#define PATIENCE_MS	60000

/* Which of its IOASes is the VFIO IOAS. */
#define VFIO_IOAS	1

static struct carry carry;
static struct ctx *const ctx = carry.ctx;

/* ---- nothing preserved --------------------------------------------------- */

static void nothing_preserved(void)
{
	char sentence[SENTENCE_LEN], output[OUTPUT_LEN];
	static char page[4096] __attribute__((aligned(4096)));
	int err;

	want_refused("no iommufd preserved", ENOENT, "no iommufd is preserved",
		     NULL);
	err = handover_seal(handover, handover_number("generation"), page,
			    sizeof(page), sentence);
	tally_one(err == -ENOENT && noted(ENOENT, sentence), false,
		  "SEAL with no iommufd preserved: %s", sentence);
	want_errno("UNSEAL with nothing sealed", ENOENT,
		   handover_unseal(handover));
	/* An iommufd that is not preserved is nobody's business. */
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	unload_kernel();
}

/* No seal was undone yet since this kernel has booted. */
static void never_sealed(void)
{
	char output[OUTPUT_LEN];

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("without a seal", EBUSY,
		     "1 iommufd preserved, nothing sealed, which a kexec would lose; load with kexec -s -l --iommu-handover");
	unload_kernel();
}

/* ---- the calls themselves ------------------------------------------------ */

static const struct {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	uint32_t reserved;	/* offset of __reserved, 0 for none */
} calls[] = {
	{ "QUERY", IOMMU_HANDOVER_QUERY, sizeof(struct iommu_handover_query),
	  offsetof(struct iommu_handover_query, __reserved) },
	{ "SNAPSHOT", IOMMU_HANDOVER_SNAPSHOT,
	  sizeof(struct iommu_handover_snapshot),
	  offsetof(struct iommu_handover_snapshot, __reserved) },
	{ "SEAL", IOMMU_HANDOVER_SEAL, sizeof(struct iommu_handover_seal),
	  offsetof(struct iommu_handover_seal, __reserved) },
	{ "UNSEAL", IOMMU_HANDOVER_UNSEAL,
	  sizeof(struct iommu_handover_unseal), 0 },
};

static void want_call(unsigned int i, const char *what, int err, int got)
{
	tally_one(got == -err, false, "%s with %s: %s", calls[i].name, what,
		  got < 0 ? strerror(-got) : "success");
}

static void bad_arguments(void)
{
	union {
		uint32_t word[64];
		uint8_t byte[256];
	} arg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		memset(&arg, 0, sizeof(arg));
		arg.word[0] = calls[i].size;
		arg.word[1] = 1;
		want_call(i, "an unknown flag", EOPNOTSUPP,
			  call(handover, calls[i].cmd, &arg));
		arg.word[1] = 0;
		if (calls[i].reserved) {
			arg.word[calls[i].reserved / 4] = 1;
			want_call(i, "a reserved field", EOPNOTSUPP,
				  call(handover, calls[i].cmd, &arg));
			arg.word[calls[i].reserved / 4] = 0;
		}
		arg.word[0] = calls[i].size + 8;
		arg.byte[calls[i].size + 7] = 1;
		want_call(i, "something behind the end", E2BIG,
			  call(handover, calls[i].cmd, &arg));
		arg.byte[calls[i].size + 7] = 0;
		arg.word[0] = calls[i].size - 4;
		want_call(i, "too small a structure", EINVAL,
			  call(handover, calls[i].cmd, &arg));
		arg.word[0] = 0;
		want_call(i, "size 0", EINVAL,
			  call(handover, calls[i].cmd, &arg));
		want_call(i, "no argument", EFAULT,
			  call(handover, calls[i].cmd, NULL));
	}
	want_errno("an unknown call", ENOTTY,
		   call(handover, _IO(IOMMU_HANDOVER_TYPE, 4), &arg));
	/* Zeroes behind the end are those of a newer program. */
	memset(&arg, 0, sizeof(arg));
	arg.word[0] = sizeof(struct iommu_handover_query) + 64;
	must(call(handover, IOMMU_HANDOVER_QUERY, &arg));
}

static void bad_buffers(void)
{
	struct iommu_handover_snapshot cmd = { .size = sizeof(cmd) };
	static uint64_t room[8192];
	char sentence[SENTENCE_LEN];
	uint64_t len, gen;
	int err;

	err = call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd);
	len = cmd.data_len;
	tally_one(err == -EMSGSIZE && len > 0 && len <= sizeof(room), false,
		  "SNAPSHOT without a buffer: %s, wants %llu bytes",
		  strerror(-err), LL(len));
	cmd.data_uptr = (uintptr_t)room;
	cmd.data_len = len - 1;
	err = call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd);
	tally_one(err == -EMSGSIZE && cmd.data_len == len && !room[0], false,
		  "SNAPSHOT with a byte too few: %s", strerror(-err));
	cmd.data_uptr = 8;
	want_errno("SNAPSHOT to nowhere", EFAULT,
		   call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd));
	cmd.data_uptr = (uintptr_t)room;
	cmd.data_len = len;
	must(call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd));

	gen = cmd.generation;
	want_errno("SEAL of no bytes", EBADMSG,
		   handover_seal(handover, gen, room, 0, sentence));
	want_errno("SEAL of half a page", EBADMSG,
		   handover_seal(handover, gen, room, 2048, sentence));
	want_errno("SEAL of more than an image can have", EFBIG,
		   handover_seal(handover, gen, room, (1ULL << 30) + 4096,
				 sentence));
	want_errno("SEAL from nowhere", EFAULT,
		   handover_seal(handover, gen, (void *)4096, 4096, sentence));
	want_errno("SEAL of zeroes", EBADMSG,
		   handover_seal(handover, gen, room + 512, 4096, sentence));
	err = handover_seal(handover, gen - 1, room, 4096, sentence);
	tally_one(err == -ESTALE && strstr(sentence, "take a new one"), false,
		  "SEAL of a generation that never was: %s", sentence);
}

static void stale_generation(struct side *s)
{
	static uint64_t room[512];
	char sentence[SENTENCE_LEN];
	uint64_t gen, now;
	uint32_t id;
	int err;

	must(handover_snapshot(handover, sentence, &gen));
	must(ioas_alloc(s->fd, &id));
	err = handover_seal(handover, gen, room, sizeof(room), sentence);
	tally_one(err == -ESTALE && noted(ESTALE, sentence) &&
		  strstr(sentence, text_of("generation %llu has moved", gen)),
		  false, "SEAL with a stale generation: %s: %s", strerror(-err),
		  sentence);
	must(iommufd_destroy(s->fd, id));
	must(handover_snapshot(handover, sentence, &now));
	check(now > gen, "the generation does not move");
}

/* In a child: without CAP_SYS_ADMIN, and without a right to the device. */
static void unprivileged(void)
{
	uint32_t arg[64];
	unsigned int i;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		int bad = 0, fd;

		if (setgid(65534) || setuid(65534))
			_exit(100);
		for (i = 0; i < ARRAY_SIZE(calls); i++) {
			memset(arg, 0, sizeof(arg));
			arg[0] = calls[i].size;
			bad += call(handover, calls[i].cmd, arg) != -EPERM;
		}
		fd = open(HANDOVER_DEVICE, O_RDWR);
		bad += fd >= 0 || errno != EACCES;
		_exit(bad);
	}
	must(waitpid(pid, &status, 0));
	tally_one(!status, false,
		  "every call without CAP_SYS_ADMIN: EPERM, open: EACCES");
	tally.tried += ARRAY_SIZE(calls);
	tally.behaved += status ? 0 : ARRAY_SIZE(calls);
}

/* ---- memory -------------------------------------------------------------- */

#define HUGE_LEN	(2ULL << 20)
#define HUGE_IOVA	0x8000000ULL

static void huge_pages(unsigned int nr)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nr);
	int fd = must(open("/proc/sys/vm/nr_hugepages", O_WRONLY | O_CLOEXEC));

	check(write(fd, text, len) == len, "%u huge pages: %s", nr,
	      strerror(errno));
	close(fd);
}

static int huge_memfd(void)
{
	int fd;

	huge_pages(1);
	fd = plain_memfd(MFD_HUGETLB | MFD_ALLOW_SEALING, HUGE_LEN);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
	return fd;
}

/* A page in KHO's scratch memory cannot be pinned, so more than one is tried. */
static void map_huge(struct side *s, void *va)
{
	unsigned int nr = 1;
	int err;

	while ((err = map_user(s->fd, s->ioas, va, HUGE_LEN, HUGE_IOVA)) ==
	       -EFAULT && nr < 64)
		huge_pages(++nr);
	must(err);
}

static void file_maps(struct side *s)
{
	struct memory other;
	int session, fd, err;
	uint32_t bare;
	char *page;

	must(ioas_alloc(s->fd, &bare));

	must(map_user(s->fd, s->ioas, s->mem.va, GUEST_PAGE, CASE_IOVA));
	want_refused("user memory in an IOAS without HWPT", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA), "without HWPT",
		     "IOAS_MAP_FILE", NULL);
	side_unmap(s, "user memory");

	page = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(map_user(s->fd, bare, page, GUEST_PAGE, CASE_IOVA));
	want_refused("anonymous memory in an IOAS without HWPT", EOPNOTSUPP,
		     IOAS(bare), IOVA(CASE_IOVA), "without HWPT", NULL);
	must(iommufd_destroy(s->fd, bare));
	want_fine("anonymous memory");

	must(memory_create(&other, "other", 8 * GUEST_PAGE));
	must(map_fixed(s->fd, s->ioas, other.fd, GUEST_PAGE, GUEST_PAGE,
		       CASE_IOVA));
	want_refused("a memfd that is not preserved", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA),
		     "not preserved in this session", "preserve it", NULL);
	session = must(luo_create("other"));
	must(luo_preserve(session, other.fd, TOKEN_OTHER));
	want_refused("a memfd in another session", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(CASE_IOVA), "not preserved in this session", NULL);
	close(session);
	must(luo_preserve(s->session, other.fd, TOKEN_OTHER));
	want_fine("a memfd in another session");
	side_unmap(s, "another memfd");
	munmap(other.va, other.len);
	close(other.fd);

	fd = plain_memfd(MFD_ALLOW_SEALING, 4 * GUEST_PAGE);
	must(map_fixed(s->fd, s->ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	must(luo_preserve(s->session, fd, 10));
	want_refused("a memfd without seals", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(CASE_IOVA), TOKEN(10), "lacks", "seals", NULL);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
	want_refused("a memfd sealed after it was preserved", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA), TOKEN(10), "lacks", NULL);
	side_unmap(s, "a memfd without seals");
	close(fd);

	fd = plain_memfd(MFD_ALLOW_SEALING, 4 * GUEST_PAGE);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	must(map_fixed(s->fd, s->ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	must(luo_preserve(s->session, fd, 11));
	want_refused("a memfd whose seals can be added to", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA), TOKEN(11), "lacks", NULL);
	side_unmap(s, "a memfd with two seals");
	close(fd);

	fd = plain_memfd(MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL, 4 * GUEST_PAGE);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
	must(map_fixed(s->fd, s->ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	must(luo_preserve(s->session, fd, 13));
	want_refused("a memfd with the exec seal", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(CASE_IOVA), TOKEN(13), "has the exec seal",
		     "make it with MFD_EXEC", NULL);
	side_unmap(s, "a memfd with the exec seal");
	close(fd);

	/* Preserved, and still no memory. */
	must(map_fixed(s->fd, s->ioas, s->fd, 0, GUEST_PAGE, CASE_IOVA));
	want_refused("the iommufd mapped into itself", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA), "not a memfd", NULL);
	side_unmap(s, "a file that is no memfd");

	/* Nothing is pinned here, so the file may be shorter than the map. */
	must(map_fixed(s->fd, s->ioas, s->mem.fd, (SIDE_PAGES - 1) * GUEST_PAGE,
		       2 * GUEST_PAGE, CASE_IOVA));
	want_refused("a map past the end of its memfd", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA), "maps more than",
		     TOKEN(TOKEN_MEMORY), "unmap it", NULL);
	side_unmap(s, "a map past the end");
	must(map_fixed(s->fd, s->ioas, s->mem.fd, -GUEST_PAGE, GUEST_PAGE,
		       CASE_IOVA));
	want_refused("a map to the end of all offsets", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA), "maps more than",
		     TOKEN(TOKEN_MEMORY), "unmap it", NULL);
	side_unmap(s, "a map to the end of all offsets");

	/* Memory of huge pages is not preserved by LUO at all. */
	fd = huge_memfd();
	must(map_fixed(s->fd, s->ioas, fd, 0, HUGE_LEN, HUGE_IOVA));
	err = luo_preserve(s->session, fd, 12);
	tally_one(err < 0, false, "LUO with a hugetlb memfd: %s",
		  strerror(-err));
	want_refused("a hugetlb memfd", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(HUGE_IOVA), "not a memfd of ordinary pages", NULL);
	must(ioas_unmap(s->fd, s->ioas, HUGE_IOVA, HUGE_LEN, NULL));
	want_fine("a hugetlb memfd");
	close(fd);
}

/* A page at a time of @s's memory, from two places. */
static void *two_pieces(struct side *s)
{
	char *va = map_shared(s->mem.fd, 0, 2 * GUEST_PAGE);

	check(mmap(va + GUEST_PAGE, GUEST_PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, s->mem.fd, 5 * GUEST_PAGE) !=
	      MAP_FAILED, "mmap: %s", strerror(errno));
	return va;
}

/* What a sentence of SEAL says has been done. */
static void want_cured(const char *what)
{
	char output[OUTPUT_LEN];

	check(!load_kernel(output, true, NULL) && handover_state_is("sealed"),
	      "%s, mapped again: %s", what, output);
	unload_kernel();
}

/* By user address, in an IOAS with an HWPT: it depends on what is there. */
static void user_maps(struct side *s)
{
	char output[OUTPUT_LEN];
	int status, fd;
	char *va;
	pid_t pid;

	va = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(map_user(s->fd, s->ioas, va, GUEST_PAGE, CASE_IOVA));
	want_refused("anonymous memory", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(CASE_IOVA), "not a shared mapping of a memfd",
		     text_of("%#llx", (uintptr_t)va), NULL);
	side_unmap(s, "anonymous memory");
	munmap(va, GUEST_PAGE);

	va = mmap(NULL, GUEST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		  s->mem.fd, 0);
	must(map_user(s->fd, s->ioas, va, GUEST_PAGE, CASE_IOVA));
	want_refused("a private mapping of a preserved memfd", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA),
		     "not a shared mapping of a memfd", NULL);
	side_unmap(s, "a private mapping");
	munmap(va, GUEST_PAGE);

	fd = huge_memfd();
	va = map_shared(fd, 0, HUGE_LEN);
	map_huge(s, va);
	want_refused("hugetlb memory by address", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(HUGE_IOVA), "not a shared mapping of a memfd",
		     text_of("%#llx", (uintptr_t)va), NULL);
	must(ioas_unmap(s->fd, s->ioas, HUGE_IOVA, HUGE_LEN, NULL));
	want_fine("hugetlb memory by address");
	munmap(va, HUGE_LEN);
	close(fd);
	huge_pages(0);

	va = two_pieces(s);
	must(map_user(s->fd, s->ioas, va, 2 * GUEST_PAGE, CASE_IOVA));
	want_refused("a memfd mapped in two pieces", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(CASE_IOVA), "not mapped in one piece",
		     text_of("%#llx", (uintptr_t)va + GUEST_PAGE), NULL);
	side_unmap(s, "two pieces");
	munmap(va, 2 * GUEST_PAGE);

	va = map_shared(s->mem.fd, 4 * GUEST_PAGE, GUEST_PAGE);
	must(map_user(s->fd, s->ioas, va, GUEST_PAGE, CASE_IOVA));
	munmap(va, GUEST_PAGE);
	want_refused("an address that is no longer mapped", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA),
		     "not a shared mapping of a memfd", NULL);
	side_unmap(s, "an unmapped address");

	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		va = map_shared(s->mem.fd, 4 * GUEST_PAGE, GUEST_PAGE);
		_exit(map_user(s->fd, s->ioas, va, GUEST_PAGE, CASE_IOVA) != 0);
	}
	must(waitpid(pid, &status, 0));
	check(!status, "the child could not map");
	want_refused("memory of a process that is gone", EOPNOTSUPP,
		     IOAS(s->ioas), IOVA(CASE_IOVA),
		     "the process that mapped its memory is gone", NULL);
	side_unmap(s, "a process that is gone");

	va = map_shared(s->mem.fd, 4 * GUEST_PAGE, 2 * GUEST_PAGE);
	must(map_user(s->fd, s->ioas, va, 2 * GUEST_PAGE, CASE_IOVA));
	check(mmap(va, 2 * GUEST_PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, s->mem.fd, 8 * GUEST_PAGE) == va,
	      "mmap: %s", strerror(errno));
	want_seal_refused("an address where other pages are by now", EINVAL,
			  IOVA(CASE_IOVA), TOKEN(TOKEN_MEMORY),
			  "not the preserved page", "Unmap and map it again",
			  NULL);
	side_unmap(s, "other pages");
	must(map_user(s->fd, s->ioas, va, 2 * GUEST_PAGE, CASE_IOVA));
	want_cured("other pages");
	side_unmap(s, "those pages");
	munmap(va, 2 * GUEST_PAGE);

	/* The control: all is as it should be, and it is a map of the file. */
	va = map_shared(s->mem.fd, 4 * GUEST_PAGE, 2 * GUEST_PAGE);
	must(map_user(s->fd, s->ioas, va, 2 * GUEST_PAGE, CASE_IOVA));
	check(!load_kernel(output, true, IMAGE),
	      "a shared mapping of a preserved memfd: %s", output);
	status = run_program(output, (char *[]) { "iommu-handover", "show",
						  IMAGE, NULL });
	check(!status && strstr(output, "0x7654000"),
	      "no map of the file in the image: %s", output);
	unload_kernel();
	side_unmap(s, "a shared mapping");
	munmap(va, 2 * GUEST_PAGE);
}

static void punched_hole(struct side *s)
{
	struct memory other;

	must(memory_create(&other, "punched", 4 * GUEST_PAGE));
	memset(other.va, 1, other.len);
	must(map_fixed(s->fd, s->ioas, other.fd, 0, 4 * GUEST_PAGE,
		       CASE_IOVA));
	must(fallocate(other.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		       2 * GUEST_PAGE, GUEST_PAGE) ? -errno : 0);
	must(luo_preserve(s->session, other.fd, 20));
	want_seal_refused("a hole punched after mapping", EINVAL,
			  IOVA(CASE_IOVA + 2 * GUEST_PAGE), TOKEN(20),
			  "hole punched? Unmap and map it again", NULL);
	side_unmap(s, "a punched hole");
	must(map_fixed(s->fd, s->ioas, other.fd, 0, 4 * GUEST_PAGE,
		       CASE_IOVA));
	want_cured("a punched hole");
	/* Preserved, it can have no more. */
	must_fail(EPERM, fallocate(other.fd, FALLOC_FL_PUNCH_HOLE |
				   FALLOC_FL_KEEP_SIZE, 2 * GUEST_PAGE,
				   GUEST_PAGE) ? -errno : 0);
	side_unmap(s, "a hole filled");
	munmap(other.va, other.len);
	close(other.fd);
}

/* ---- objects ------------------------------------------------------------- */

/* More allowed ranges than a record has room for. */
static void allowed_ranges(struct side *s)
{
	static struct iommu_iova_range range[ALLOWED_MOST + 1];
	uint32_t ioas, i;

	for (i = 0; i < ARRAY_SIZE(range); i++) {
		range[i].start = i * 2 * GUEST_PAGE;
		range[i].last = range[i].start + GUEST_PAGE - 1;
	}
	must(ioas_alloc(s->fd, &ioas));
	must(ioas_allow(s->fd, ioas, range, ALLOWED_MOST + 1));
	want_refused("too many allowed ranges", EFBIG, IOAS(ioas),
		     text_of("%llu allowed ranges", ALLOWED_MOST + 1),
		     text_of("more than %llu; allow fewer", ALLOWED_MOST),
		     NULL);
	must(ioas_allow(s->fd, ioas, range, ALLOWED_MOST));
	want_fine("the last of the allowed ranges");
	must(iommufd_destroy(s->fd, ioas));
}

static void orphan_hwpt(struct side *s)
{
	uint32_t hwpt;

	must(hwpt_alloc(s->fd, s->dev_id, s->ioas, 0, &hwpt));
	want_fine("an HWPT");
	close(s->dev);
	want_refused("an HWPT whose device is gone", EOPNOTSUPP, HWPT(hwpt),
		     "is gone", "destroy it", NULL);
	must(iommufd_destroy(s->fd, hwpt));
	want_fine("an HWPT whose device is gone");
	side_bind(s);
	side_attach(s);
}

/* LUO takes any name, an image does not. */
static void session_name(void)
{
	static const char name[] = "caf\xc3\xa9";
	struct side s;
	int session;

	side_open(&s);
	close(s.session);
	session = must(luo_create(name));
	must(luo_preserve(session, s.mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, s.fd, TOKEN_IOMMUFD));
	want_refused("a session with a name that is not ASCII", EOPNOTSUPP,
		     name, TOKEN(TOKEN_IOMMUFD), "not printable ASCII",
		     "choose another", NULL);
	close(session);
	s.session = must(luo_create("cafe"));
	must(luo_preserve(s.session, s.mem.fd, TOKEN_MEMORY));
	must(luo_preserve(s.session, s.fd, TOKEN_IOMMUFD));
	want_fine("the name");
	side_close(&s);
}

static void vfio_type1(void)
{
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map) };
	struct side s;

	side_open(&s);
	ioctl(s.fd, VFIO_IOMMU_MAP_DMA, &map);
	want_refused("VFIO's type1 interface", EOPNOTSUPP,
		     "session \"side\"", TOKEN(TOKEN_IOMMUFD), "type1", NULL);
	side_close(&s);
	side_open(&s);
	ioctl(s.fd, VFIO_SET_IOMMU, (unsigned long)VFIO_TYPE1v2_IOMMU);
	want_refused("VFIO_SET_IOMMU", EOPNOTSUPP, "session \"side\"", "type1",
		     NULL);
	side_close(&s);
}

/*
 * Objects are looked at by ID, and the mock's own would come first. So IDs
 * below them are taken beforehand and given free for what is tried.
 */
struct low_id {
	int fd;
	uint32_t id;
};

static void low_free(struct low_id *low)
{
	must(iommufd_destroy(low->fd, low->id));
}

static void low_take(struct low_id *low)
{
	uint32_t id;

	must(ioas_alloc(low->fd, &id));
	check(id == low->id, "ID %u was free, not %u", id, low->id);
}

static void want_kind(struct low_id *low, uint32_t id, const char *kind)
{
	check(id == low->id, "ID %u was given, not %u", id, low->id);
	want_refused(kind, EOPNOTSUPP, OBJECT(id), kind,
		     "cannot be handed over", "destroy it", NULL);
}

static void mock_objects(void)
{
	struct mock_nested nested = { 0 };
	struct mock_cmd mock = { .size = sizeof(mock), .op = MOCK_ACCESS };
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc) };
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu) };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice) };
	struct iommu_veventq_alloc veventq = { .size = sizeof(veventq) };
	struct iommu_hw_queue_alloc queue = { .size = sizeof(queue) };
	struct iommu_hwpt_set_dirty_tracking dirty = { .size = sizeof(dirty) };
	uint32_t idev, parent, fault;
	struct low_id low;
	struct side s;
	int fd;

	side_open(&s);
	low.fd = s.fd;
	must(ioas_alloc(s.fd, &low.id));

	low_free(&low);
	must(fault_queue(s.fd, &fault, &fd));
	want_kind(&low, fault, "fault queue");
	close(fd);
	must(iommufd_destroy(s.fd, fault));
	want_fine("a fault queue");
	low_take(&low);

	mock.id = s.ioas;
	must(call(s.fd, MOCK_CMD, &mock));
	want_refused("an access object", EOPNOTSUPP, "access object",
		     "cannot be handed over", NULL);
	close(mock.arg.word[0]);
	want_fine("an access object");

	/* It does not tell its descriptor, which is the lowest that is free. */
	fd = must(fcntl(handover, F_DUPFD, 0));
	close(fd);
	must(call(s.fd, MOCK_CMD, &(struct mock_cmd) {
			.size = sizeof(mock), .op = MOCK_DMABUF,
			.arg.word = { 4096, O_RDWR } }));
	must(map_fixed(s.fd, s.ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	want_refused("a dma-buf", EOPNOTSUPP, IOAS(s.ioas), IOVA(CASE_IOVA),
		     "dma-buf", "unmap it", NULL);
	side_unmap(&s, "a dma-buf");
	close(fd);

	/* The mock's aperture begins above SIDE_IOVA. */
	mock.op = MOCK_DEVICE;
	must(ioas_alloc(s.fd, &mock.id));
	parent = mock.id;
	must(call(s.fd, MOCK_CMD, &mock));
	idev = mock.arg.word[2];
	want_refused("a device of the mock", EOPNOTSUPP, DEVICE(idev),
		     "(iommufd_mock",
		     "not a PCI device behind an IOMMU; unbind it", NULL);

	low_free(&low);
	alloc.dev_id = idev;
	alloc.pt_id = parent;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == low.id, "ID %u", alloc.out_hwpt_id);
	want_refused("a page table of another driver", EOPNOTSUPP,
		     HWPT(low.id), "its IOMMU driver cannot hand over",
		     "destroy it", NULL);
	must(iommufd_destroy(s.fd, low.id));

	alloc.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	dirty.hwpt_id = alloc.out_hwpt_id;
	dirty.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE;
	must(call(s.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	want_refused("dirty tracking", EOPNOTSUPP, HWPT(low.id),
		     "has dirty tracking enabled", "disable it", NULL);
	dirty.flags = 0;
	must(call(s.fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	want_refused("dirty tracking that was ended", EOPNOTSUPP, HWPT(low.id),
		     "its IOMMU driver cannot hand over", NULL);
	must(iommufd_destroy(s.fd, low.id));
	low_take(&low);

	must(fault_queue(s.fd, &fault, &fd));
	low_free(&low);
	alloc.flags = IOMMU_HWPT_FAULT_ID_VALID;
	alloc.fault_id = fault;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == low.id, "ID %u", alloc.out_hwpt_id);
	want_refused("an HWPT with a fault queue", EOPNOTSUPP, HWPT(low.id),
		     "has a fault queue, which cannot be handed over; destroy it",
		     NULL);
	must(iommufd_destroy(s.fd, low.id));
	low_take(&low);
	close(fd);
	must(iommufd_destroy(s.fd, fault));

	alloc.flags = IOMMU_HWPT_ALLOC_NEST_PARENT;
	alloc.fault_id = 0;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	parent = alloc.out_hwpt_id;

	low_free(&low);
	alloc.flags = 0;
	alloc.pt_id = parent;
	alloc.data_type = MOCK_TYPE_NESTED;
	alloc.data_len = sizeof(nested);
	alloc.data_uptr = (uintptr_t)&nested;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	want_kind(&low, alloc.out_hwpt_id, "nested HWPT");
	must(iommufd_destroy(s.fd, low.id));

	viommu.type = MOCK_TYPE_VIOMMU;
	viommu.dev_id = idev;
	viommu.hwpt_id = parent;
	must(call(s.fd, IOMMU_VIOMMU_ALLOC, &viommu));
	want_kind(&low, viommu.out_viommu_id, "vIOMMU");
	must(iommufd_destroy(s.fd, low.id));
	low_take(&low);
	must(call(s.fd, IOMMU_VIOMMU_ALLOC, &viommu));

	low_free(&low);
	vdevice.viommu_id = viommu.out_viommu_id;
	vdevice.dev_id = idev;
	vdevice.virt_id = 0x99;
	must(call(s.fd, IOMMU_VDEVICE_ALLOC, &vdevice));
	want_kind(&low, vdevice.out_vdevice_id, "vDEVICE");
	must(iommufd_destroy(s.fd, low.id));

	veventq.viommu_id = viommu.out_viommu_id;
	veventq.type = MOCK_TYPE_VEVENTQ;
	veventq.veventq_depth = 8;
	must(call(s.fd, IOMMU_VEVENTQ_ALLOC, &veventq));
	want_kind(&low, veventq.out_veventq_id, "virtual event queue");
	close(veventq.out_veventq_fd);
	must(iommufd_destroy(s.fd, low.id));

	must(ioas_unmap(s.fd, s.ioas, 0, UINT64_MAX, NULL));
	must(map_fixed(s.fd, mock.id, s.mem.fd, 0, 8 * GUEST_PAGE, 0x2000000));
	queue.viommu_id = viommu.out_viommu_id;
	queue.type = MOCK_TYPE_HW_QUEUE;
	queue.nesting_parent_iova = 0x2000000;
	queue.length = GUEST_PAGE;
	must(call(s.fd, IOMMU_HW_QUEUE_ALLOC, &queue));
	want_kind(&low, queue.out_hw_queue_id, "hardware queue");
	must(iommufd_destroy(s.fd, low.id));

	must(iommufd_destroy(s.fd, viommu.out_viommu_id));
	must(iommufd_destroy(s.fd, parent));
	must(iommufd_destroy(s.fd, mock.arg.word[0]));
	want_fine("every object of the mock");
	side_close(&s);
}

/* What a device is comes after what its user did with it. */
static void mock_pasid(void)
{
	struct mock_cmd dev = {
		.size = sizeof(dev),
		.op = MOCK_DEVICE_OF,
		.arg.word = { [3] = MOCK_HAS_PASID },
	};
	struct mock_cmd cmd = { .size = sizeof(cmd) };
	struct side s;
	uint32_t hwpt;

	side_open(&s);
	/* Its aperture begins above SIDE_IOVA. */
	must(ioas_alloc(s.fd, &dev.id));
	must(call(s.fd, MOCK_CMD, &dev));
	must(hwpt_alloc(s.fd, dev.arg.word[2], dev.id, IOMMU_HWPT_ALLOC_PASID,
			&hwpt));
	cmd.id = dev.arg.word[0];
	cmd.op = MOCK_MOVE;
	cmd.arg.word[0] = hwpt;
	must(call(s.fd, MOCK_CMD, &cmd));
	cmd.op = MOCK_PASID;
	cmd.arg.word[0] = 100;
	cmd.arg.word[1] = hwpt;
	must(call(s.fd, MOCK_CMD, &cmd));
	want_refused("a PASID", EOPNOTSUPP, DEVICE(dev.arg.word[2]),
		     "(iommufd_mock",
		     "has PASID 100 attached, which cannot be handed over; detach it",
		     NULL);
	cmd.op = MOCK_PASID_OFF;
	must(call(s.fd, MOCK_CMD, &cmd));
	want_refused("the mock without its PASID", EOPNOTSUPP,
		     DEVICE(dev.arg.word[2]), "not a PCI device", NULL);
	must(iommufd_destroy(s.fd, dev.arg.word[0]));
	must(iommufd_destroy(s.fd, hwpt));
	want_fine("the mock");
	side_close(&s);
}

/* ---- page tables --------------------------------------------------------- */

#define ALTER_LIVE	"/sys/kernel/debug/iommu_handover/alter_live"

/* VT-d, second stage. */
#define LEAF_READ	1
#define LEAF_WRITE	2

/* Alter the entry of @iova in a table of "main". Return: what it was. */
static uint64_t alter_live(uint32_t hwpt, uint64_t iova, uint64_t mask)
{
	char text[96];

	snprintf(text, sizeof(text), "%d %u %#llx %#llx", CARRY_TOKEN_IOMMUFD,
		 hwpt, LL(iova), LL(mask));
	must(write_text(ALTER_LIVE, text));
	read_line(ALTER_LIVE, text, sizeof(text));
	return strtoull(text, NULL, 16);
}

/*
 * SEAL compares the tables with the maps: with one entry altered it says which,
 * and once that is as it was it speaks of the next, or of none.
 */
static void want_leaf(const char *what, uint32_t hwpt, uint64_t iova,
		      uint64_t mask, const char *words)
{
	uint64_t was = alter_live(hwpt, iova, mask);
	char sentence[SENTENCE_LEN];

	check(mask, "%s: nothing to alter", what);
	snprintf(sentence, sizeof(sentence),
		 "session \"" SESSION "\" token %d: HWPT %u IOVA %#llx %s",
		 CARRY_TOKEN_IOMMUFD, hwpt, LL(iova), words);
	want_seal_refused(what, EINVAL, sentence, NULL);
	check(alter_live(hwpt, iova, mask) == (was ^ mask),
	      "%s: the entry has changed meanwhile", what);
	check(alter_live(hwpt, iova, 0) == was, "%s: not put back", what);
}

/* Nothing does DMA, so nobody but SEAL notices. */
static void leaves(void)
{
	static const char gone[] = "is mapped but not in the page table; unmap and map it again, and report it";
	static const char more[] = "is in the page table but not mapped; destroy the HWPT and report it";
	static const char perm[] = "has other permissions in the page table than its map; unmap and map it again, and report it";
	const struct want_map *rw = &ctx->want->ioas[0].map[0], *ro = rw + 1;
	uint32_t hwpt = ctx->want->dev[0].hwpt;
	uint32_t other = ctx->want->hwpt[1].id;
	uint64_t middle = rw->iova + 3 * GUEST_PAGE;
	uint64_t last = ro->iova + ro->length - GUEST_PAGE;
	uint64_t leaf = alter_live(hwpt, middle, 0);
	char words[SENTENCE_LEN];

	check(ctx->want->ioas[0].map_nr == 2 && rw->flags == IOVA_RW &&
	      ro->flags == IOVA_RO && other != hwpt,
	      "another context was built");
	want_leaf("a leaf cleared", hwpt, middle, leaf, gone);
	want_leaf("the first leaf cleared", hwpt, rw->iova,
		  alter_live(hwpt, rw->iova, 0), gone);
	want_leaf("the last leaf cleared", hwpt, last,
		  alter_live(hwpt, last, 0), gone);
	want_leaf("a leaf cleared in an HWPT without device", other, middle,
		  alter_live(other, middle, 0), gone);
	want_leaf("a leaf more between two maps", hwpt, rw->iova + rw->length,
		  leaf, more);
	want_leaf("a leaf more behind all maps", hwpt, last + GUEST_PAGE, leaf,
		  more);
	snprintf(words, sizeof(words),
		 "is not the preserved page of memfd token %d at %#llx; was a hole punched? Unmap and map it again",
		 CARRY_TOKEN_MEMORY, LL(rw->offset + 3 * GUEST_PAGE));
	want_leaf("a leaf of another page", hwpt, middle, GUEST_PAGE, words);
	want_leaf("a leaf that may not be written", hwpt, middle, LEAF_WRITE,
		  perm);
	want_leaf("a leaf that may not be read", hwpt, middle, LEAF_READ, perm);
	want_leaf("a leaf that may be written", hwpt, last, LEAF_WRITE, perm);
	seal();
	unload_kernel();
	check(!ctx_verify(ctx, true), "altered leaves have had an effect");
}

/* ---- sealed -------------------------------------------------------------- */

/* A device of "side" that is closed, by whomever. */
static const char *closed(const struct side *s)
{
	static char why[SENTENCE_LEN];

	snprintf(why, sizeof(why),
		 "session \"side\" token %d: device %u (%s) was detached or closed",
		 TOKEN_IOMMUFD, s->dev_id, s->bdf);
	return why;
}

/**
 * struct target - a context that is not to change while it is sealed
 * @fd: the iommufd
 * @empty: another one, without any object
 * @mem: memory file
 * @ioas: IOAS with an HWPT, @iova and @len are a map of it
 * @spare: IOAS without
 * @mocks: IOAS for what the mock makes
 * @elsewhere: IOAS to move a device to
 * @dev: attached device
 * @dev_id: its ID
 * @hwpt: its HWPT
 * @other_hwpt: one that it can move to
 * @loose: device to attach to @loose_pt once @dev is detached
 */
struct target {
	int fd;
	int empty;
	const struct memory *mem;
	uint32_t ioas, spare, mocks, elsewhere;
	uint64_t iova, len;
	int dev;
	uint32_t dev_id, hwpt, other_hwpt;
	int loose;
	uint32_t loose_pt;
};

/*
 * Sealed, a call that would change a context gives EBUSY. That it is for the
 * seal shows the same call without one, which gives @unsealed.
 */
static void change(const char *what, bool sealed, int unsealed, int got)
{
	if (!sealed)
		check(got == -unsealed, "%s, not sealed: %s, not %s", what,
		      strerror(-got), strerror(unsealed));
	else
		tally_one(got == -EBUSY, false, "%s while sealed: %s", what,
			  got < 0 ? strerror(-got) : "success");
}

static int bind_third(int iommufd)
{
	char bdf[PCI_BDF_LEN];
	uint32_t id;
	int dev, err;

	nic_bdf(2, bdf);
	dev = must(vfio_open(bdf));
	err = vfio_bind(dev, iommufd, &id);
	close(dev);
	return err;
}

static int pasid_attach(int dev, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_ATTACH_PASID,
		.pt_id = pt,
		.pasid = 100,
	};

	return call(dev, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);
}

static int pasid_detach(int dev)
{
	struct vfio_device_detach_iommufd_pt cmd = {
		.argsz = sizeof(cmd),
		.flags = VFIO_DEVICE_DETACH_PASID,
		.pasid = 100,
	};

	return call(dev, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);
}

static int vfio_attach_to(int dev, uint32_t pt)
{
	return vfio_attach(dev, &pt);
}

/*
 * Every call of iommufd and vfio that would change a context, in an order in
 * which each has something to change when none is refused. The type1 calls are
 * in type1_changes(), what changes nothing in questions().
 */
static void changes(const struct target *t, bool sealed)
{
	struct iommu_viommu_alloc viommu = { .size = sizeof(viommu) };
	struct iommu_vdevice_alloc vdevice = { .size = sizeof(vdevice) };
	struct iommu_veventq_alloc veventq = { .size = sizeof(veventq) };
	struct iommu_hw_queue_alloc hw_queue = { .size = sizeof(hw_queue) };
	struct iommu_hwpt_set_dirty_tracking dirty = {
		.size = sizeof(dirty),
		.hwpt_id = t->hwpt,
	};
	struct mock_cmd device = {
		.size = sizeof(device),
		.op = MOCK_DEVICE,
		.id = t->mocks,
	};
	struct mock_cmd access = {
		.size = sizeof(access),
		.op = MOCK_ACCESS,
		.id = t->mocks,
	};
	struct iommu_iova_range range = { 0, 0xffffffff };
	uint32_t id, vfio = t->spare;
	uint64_t at = 0;
	int fd = -1;

	change("OPTION set RLIMIT_MODE", sealed, 0,
	       iommufd_option_set(t->empty, IOMMU_OPTION_RLIMIT_MODE, 0, 0));
	change("IOAS_ALLOC", sealed, 0, ioas_alloc(t->fd, &id));
	change("IOAS_ALLOW_IOVAS", sealed, 0,
	       ioas_allow(t->fd, t->spare, &range, 1));
	change("OPTION set HUGE_PAGES", sealed, 0,
	       iommufd_option_set(t->fd, IOMMU_OPTION_HUGE_PAGES, t->spare, 0));
	change("IOAS_MAP", sealed, 0,
	       map_user(t->fd, t->spare, t->mem->va, GUEST_PAGE, CASE_IOVA));
	change("IOAS_MAP_FILE", sealed, 0,
	       map_fixed(t->fd, t->spare, t->mem->fd, 0, GUEST_PAGE,
			 CASE_IOVA + GUEST_PAGE));
	change("IOAS_COPY", sealed, 0,
	       ioas_copy(t->fd, t->spare, &at, t->ioas, t->iova, t->len,
			 IOVA_RO));
	change("VFIO_IOAS set", sealed, 0,
	       vfio_ioas(t->fd, IOMMU_VFIO_IOAS_SET, &vfio));
	change("VFIO_IOAS clear", sealed, 0,
	       vfio_ioas(t->fd, IOMMU_VFIO_IOAS_CLEAR, &vfio));
	change("DESTROY", sealed, 0, iommufd_destroy(t->fd, t->spare));
	change("HWPT_ALLOC", sealed, 0,
	       hwpt_alloc(t->fd, t->dev_id, t->ioas, 0, &id));
	change("HWPT_SET_DIRTY_TRACKING", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &dirty));
	change("FAULT_QUEUE_ALLOC", sealed, 0, fault_queue(t->fd, &id, &fd));
	if (!sealed)
		close(fd);
	change("VIOMMU_ALLOC", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_VIOMMU_ALLOC, &viommu));
	change("VDEVICE_ALLOC", sealed, ENOENT,
	       call(t->fd, IOMMU_VDEVICE_ALLOC, &vdevice));
	change("VEVENTQ_ALLOC", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_VEVENTQ_ALLOC, &veventq));
	change("HW_QUEUE_ALLOC", sealed, EOPNOTSUPP,
	       call(t->fd, IOMMU_HW_QUEUE_ALLOC, &hw_queue));
	change("a device of the mock", sealed, 0,
	       call(t->fd, MOCK_CMD, &device));
	change("an access object", sealed, 0, call(t->fd, MOCK_CMD, &access));
	if (!sealed)
		close(access.arg.word[0]);

	change("a bind", sealed, 0, bind_third(t->fd));
	change("a move to an IOAS", sealed, 0,
	       vfio_attach_to(t->dev, t->elsewhere));
	change("a move to an HWPT", sealed, 0,
	       vfio_attach_to(t->dev, t->other_hwpt));
	change("an attach of a PASID", sealed, EINVAL,
	       pasid_attach(t->dev, t->ioas));
	change("a detach of a PASID", sealed, 0, pasid_detach(t->dev));
	change("a detach", sealed, 0, vfio_detach(t->dev));
	change("an attach", sealed, 0, vfio_attach_to(t->loose, t->loose_pt));
	change("IOAS_UNMAP", sealed, 0,
	       ioas_unmap(t->fd, t->ioas, t->iova, t->len, NULL));
	change("IOAS_UNMAP of all", sealed, 0,
	       ioas_unmap(t->fd, t->ioas, 0, UINT64_MAX, NULL));
}

/* On a context that is preserved, and of which nothing is left. */
static void changes_unsealed(void)
{
	struct target t;
	struct side s;

	side_open(&s);
	side_bind(&s);
	side_attach(&s);
	t = (struct target) {
		.fd = s.fd, .mem = &s.mem, .ioas = s.ioas,
		.iova = SIDE_IOVA, .len = 4 * GUEST_PAGE,
		.dev = s.dev, .dev_id = s.dev_id,
		.loose = s.dev, .loose_pt = s.ioas,
	};
	must(map_fixed(s.fd, s.ioas, s.mem.fd, 0, GUEST_PAGE, CASE_IOVA));
	must(ioas_alloc(s.fd, &t.spare));
	must(ioas_alloc(s.fd, &t.mocks));
	must(ioas_alloc(s.fd, &t.elsewhere));
	must(hwpt_alloc(s.fd, s.dev_id, s.ioas, 0, &t.hwpt));
	t.other_hwpt = t.hwpt;
	t.empty = must(iommufd_open());
	must(luo_preserve(s.session, t.empty, TOKEN_OTHER));
	want_fine("nothing");
	changes(&t, false);
	close(t.empty);
	side_close(&s);
}

/* The third controller's group, for VFIO's own container. */
static int group_open(char bdf[PCI_BDF_LEN])
{
	char path[128], group[128];
	ssize_t len;

	nic_bdf(2, bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group",
		 bdf);
	len = readlink(path, group, sizeof(group) - 1);
	check(len > 0, "%s: %s", path, strerror(errno));
	group[len] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(group, '/') + 1);
	return must(open(path, O_RDWR | O_CLOEXEC));
}

static void type1_calls(const struct side *s, bool sealed)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = SIDE_IOVA,
		.size = 4 * GUEST_PAGE,
	};
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ,
		.vaddr = (uintptr_t)s->mem.va,
		.iova = CASE_IOVA,
		.size = GUEST_PAGE,
	};
	char bdf[PCI_BDF_LEN];
	int group = group_open(bdf), fd = s->fd;

	change("VFIO_IOMMU_MAP_DMA", sealed, 0,
	       call(s->fd, VFIO_IOMMU_MAP_DMA, &map));
	change("VFIO_IOMMU_UNMAP_DMA", sealed, 0,
	       call(s->fd, VFIO_IOMMU_UNMAP_DMA, &unmap));
	change("VFIO_SET_IOMMU", sealed, 0,
	       call(s->fd, VFIO_SET_IOMMU, (void *)VFIO_TYPE1_IOMMU));
	change("VFIO_GROUP_SET_CONTAINER", sealed, 0,
	       call(group, VFIO_GROUP_SET_CONTAINER, &fd));
	close(group);
}

/* Refused calls through VFIO's type1 interface leave no trace either. */
static void type1_changes(void)
{
	char sentence[SENTENCE_LEN];
	struct side s;

	side_open(&s);
	must(vfio_ioas(s.fd, IOMMU_VFIO_IOAS_SET, &s.ioas));
	seal();
	type1_calls(&s, true);
	unload_kernel();
	tally_one(!handover_snapshot(handover, sentence, NULL), false,
		  "SNAPSHOT after refused type1 calls: %s", sentence);
	type1_calls(&s, false);
	side_close(&s);
}

/* Calls that change nothing go on working. */
static void questions(void)
{
	uint32_t ioas = ctx->want->ioas[0].id, id = 0, nr = 16;
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = ctx->want->dev[0].id,
	};
	struct vfio_device_info device = { .argsz = sizeof(device) };
	struct iommu_ioas_change_process process = { .size = sizeof(process) };
	uint64_t bits = 0;
	struct iommu_hwpt_get_dirty_bitmap bitmap = {
		.size = sizeof(bitmap),
		.hwpt_id = ctx->want->dev[0].hwpt,
		.iova = ctx->want->ioas[0].map[0].iova,
		.length = GUEST_PAGE,
		.page_size = GUEST_PAGE,
		.data = (uintptr_t)&bits,
	};
	struct iommu_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate),
		.hwpt_id = ctx->want->dev[0].hwpt,
	};
	struct iommu_iova_range ranges[16];
	uint64_t value;
	uint16_t vendor;

	/* Whom pinned memory is charged to is not handed over. */
	must(call(ctx->fd, IOMMU_IOAS_CHANGE_PROCESS, &process));
	/* No seal keeps these from what they say at any time. */
	must_fail(EOPNOTSUPP, call(ctx->fd, IOMMU_HWPT_GET_DIRTY_BITMAP,
				   &bitmap));
	must_fail(EINVAL, call(ctx->fd, IOMMU_HWPT_INVALIDATE, &invalidate));
	must(ioas_ranges(ctx->fd, ioas, ranges, &nr, &value));
	must(call(ctx->fd, IOMMU_GET_HW_INFO, &info));
	must(iommufd_option_get(ctx->fd, IOMMU_OPTION_RLIMIT_MODE, 0, &value));
	must(iommufd_option_get(ctx->fd, IOMMU_OPTION_HUGE_PAGES, ioas,
				&value));
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_GET, &id));
	check(id == ctx->want->ioas[VFIO_IOAS].id, "the VFIO IOAS is %u", id);
	must(call(ctx->dev[0], VFIO_DEVICE_GET_INFO, &device));
	must(vfio_config_read(ctx->dev[0], 0, &vendor, sizeof(vendor)));
	check(vendor == IGB_VENDOR, "config space has %#x", vendor);
}

static void while_sealed(struct side *s)
{
	static uint64_t room[512];
	char sentence[SENTENCE_LEN];
	struct target t = {
		.fd = ctx->fd, .mem = &carry.mem,
		.ioas = ctx->want->ioas[0].id,
		.iova = ctx->want->ioas[0].map[0].iova,
		.len = ctx->want->ioas[0].map[0].length,
		.spare = ctx->want->ioas[1].id,
		.mocks = ctx->want->ioas[1].id,
		.elsewhere = ctx->want->ioas[1].id,
		.dev = ctx->dev[0], .dev_id = ctx->want->dev[0].id,
		.hwpt = ctx->want->dev[0].hwpt,
		.other_hwpt = ctx->want->hwpt[1].id,
		.loose = s->dev, .loose_pt = s->ioas,
	};
	struct iommu_handover_query cmd;
	uint64_t gen;
	int empty, err;

	questions();
	/* This one because an iommufd with an object gives EBUSY by itself. */
	t.empty = must(iommufd_open());
	empty = must(luo_create("empty"));
	must(luo_preserve(empty, t.empty, TOKEN_IOMMUFD));
	gen = handover_number("generation");
	seal();
	changes(&t, true);
	questions();
	err = handover_snapshot(handover, sentence, NULL);
	tally_one(err == -EBUSY && noted(EBUSY, sentence), false,
		  "SNAPSHOT while sealed: %s", sentence);
	err = handover_seal(handover, gen, room, sizeof(room), sentence);
	tally_one(err == -EBUSY && noted(EBUSY, sentence), false,
		  "SEAL while sealed: %s", sentence);
	must(handover_query(handover, &cmd, sentence));
	check(cmd.state == IOMMU_HANDOVER_SEALED && cmd.loaded &&
	      cmd.sealed_generation == cmd.generation && cmd.generation == gen,
	      "a refused change has moved the seal");
	must(handover_unseal(handover));
	want_undone("UNSEAL", "released for another load or by kexec -u");
	check(!ctx_verify(ctx, true), "a refused change has had an effect");
	close(empty);
	close(t.empty);
}

/*
 * Two loaders at once: which is through is a race, or both one after the other.
 * What is left is one kernel loaded under one seal. For one that waits in the
 * middle see the scenario "loader".
 */
static void two_loaders(void)
{
	char output[OUTPUT_LEN];
	int status, other;
	pid_t pid;

	fflush(NULL);
	pid = must(fork());
	if (!pid)
		_exit(load_kernel(output, true, NULL) ? 1 : 0);
	status = load_kernel(output, true, NULL);
	must(waitpid(pid, &other, 0));
	say("  two loaders: %d and %d", status, WEXITSTATUS(other));
	tally_one((!status || !other) && handover_state_is("sealed") &&
		  handover_number("loaded") == 1, false,
		  "two loaders: one kernel under one seal");
	unload_kernel();
	want_fine("two loaders");
}

/*
 * Take a device from its driver, or from the bus, while a process has it open:
 * that waits for the process, which gives it up.
 */
static void device_taken(struct side *s, const char *file, const char *text)
{
	char path[128], now[SENTENCE_LEN], words[SENTENCE_LEN];
	struct pollfd asked = { .events = POLLIN };
	int status, fd;
	pid_t pid;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", s->bdf,
		 file);
	must(vfio_irq_connect(s->dev, VFIO_PCI_REQ_IRQ_INDEX, &asked.fd, 1));
	seal();
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		/* Only the parent holds the device. */
		close(s->dev);
		fd = must(open(path, O_WRONLY));
		text = text ? text : s->bdf;
		_exit(write(fd, text, strlen(text)) < 0);
	}
	check(poll(&asked, 1, PATIENCE_MS) == 1, "vfio does not ask for it");
	close(asked.fd);
	check(!waitpid(pid, &status, WNOHANG), "%s does not wait", file);
	/* Nothing is lost yet; whether the seal stands is the kernel's. */
	handover_attr("state", now);
	say("  %s waits, state %s", file, now);
	snprintf(words, sizeof(words),
		 "session \"side\" token %d: device %u (%s) is being unbound or reset; close it or try again",
		 TOKEN_IOMMUFD, s->dev_id, s->bdf);
	want_no_jump(file, EBUSY, words);
	close(s->dev);
	must(waitpid(pid, &status, 0));
	check(!status, "%s failed", path);
	snprintf(path, sizeof(path), "a device taken by %s", file);
	want_undone(path, closed(s));
	want_fine(path);
	fd = must(open("/sys/bus/pci/rescan", O_WRONLY | O_CLOEXEC));
	check(write(fd, "1", 1) == 1, "rescan: %s", strerror(errno));
	close(fd);
	side_bind(s);
}

/*
 * Kill a process that has a device in a sealed iommufd: in that of @s, which
 * stays with us, or in one of its own in a session of its own.
 */
static void killed(const char *what, struct side *s, const char *why)
{
	const char *said;
	int pipefd[2];
	char byte;
	pid_t pid;

	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		struct side own = { .dev = -1 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!s) {
			s = &own;
			must(memory_create(&s->mem, "own", GUEST_PAGE));
			s->fd = must(iommufd_open());
			must(ioas_alloc(s->fd, &s->ioas));
			must(map_fixed(s->fd, s->ioas, s->mem.fd, 0, GUEST_PAGE,
				       SIDE_IOVA));
			s->session = must(luo_create("own"));
			must(luo_preserve(s->session, s->mem.fd, TOKEN_MEMORY));
			must(luo_preserve(s->session, s->fd, TOKEN_IOMMUFD));
		}
		side_bind(s);
		side_attach(s);
		must(write(pipefd[1], "r", 1));
		for (;;)
			pause();
	}
	close(pipefd[1]);
	check(read(pipefd[0], &byte, 1) == 1, "the child has failed");
	close(pipefd[0]);
	seal();
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0));
	if (handover_number("contexts")) {
		want_undone(what, why);
		want_fine(what);
		return;
	}
	/* There is nothing left to hand over, and that was not asked for. */
	said = undone_by();
	tally_one(!strncmp(said, why, strlen(why)), false, "%s: undone by: %.*s",
		  what, (int)strcspn(said, "\n"), said);
	want_no_jump(what, EBUSY,
		     "the loaded kernel was loaded under a seal that was undone since; load again");
	unload_kernel();
	want_not_loaded(what);
}

/* The same before anything is sealed. */
static void unbind_waits(struct side *s)
{
	struct pollfd asked = { .events = POLLIN };
	char path[128];
	int status, fd;
	pid_t pid;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind",
		 s->bdf);
	must(vfio_irq_connect(s->dev, VFIO_PCI_REQ_IRQ_INDEX, &asked.fd, 1));
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		close(s->dev);
		fd = must(open(path, O_WRONLY));
		_exit(write(fd, s->bdf, strlen(s->bdf)) < 0);
	}
	check(poll(&asked, 1, PATIENCE_MS) == 1, "vfio does not ask for it");
	close(asked.fd);
	want_refused("an unbind that waits", EAGAIN, DEVICE(s->dev_id), s->bdf,
		     "is being unbound or reset", "try again", NULL);
	close(s->dev);
	must(waitpid(pid, &status, 0));
	check(!status, "%s failed", path);
	side_bind(s);
	want_fine("an unbind");
}

/* What cannot be refused undoes the seal. */
static void seal_undone(struct side *s)
{
	char output[OUTPUT_LEN];
	struct side extra;

	seal();
	unload_kernel();
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "kexec -u unseals");
	want_not_loaded("kexec -u");

	seal();
	must(syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL,
		     (unsigned long)KEXEC_FILE_UNLOAD) < 0 ? -errno : 0);
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "a bare unload unseals");
	want_not_loaded("a bare unload");
	two_loaders();

	/* The gate speaks of the seal before, which want_undone() looks at. */
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_undone("a kernel loaded without a seal",
		    "the kernel loaded under it was unloaded");

	seal();
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_undone("another kernel loaded without the option",
		    "the kernel loaded under it was unloaded");

	seal();
	must(close(s->dev));
	want_undone("a device closed", closed(s));
	side_bind(s);
	want_fine("a device closed");

	unbind_waits(s);
	device_taken(s, "driver/unbind", NULL);
	device_taken(s, "remove", "1");

	seal();
	close(s->session);
	want_undone("a session closed",
		    "session \"side\" token 2: the iommufd is no longer preserved");
	s->session = must(luo_create("side"));
	must(luo_preserve(s->session, s->mem.fd, TOKEN_MEMORY));
	must(luo_preserve(s->session, s->fd, TOKEN_IOMMUFD));
	want_fine("a session closed");

	seal();
	extra.fd = must(iommufd_open());
	must(luo_preserve(s->session, extra.fd, TOKEN_OTHER));
	want_undone("another iommufd preserved",
		    "session \"side\" token 3: another iommufd was preserved");
	want_fine("another iommufd preserved");

	/* A memfd alone is none of the image's business. */
	seal();
	must(memory_create(&extra.mem, "late", GUEST_PAGE));
	must(luo_preserve(s->session, extra.mem.fd, 30));
	check(handover_state_is("sealed"), "a memfd undoes the seal");
	unload_kernel();
	close(extra.fd);

	close(s->dev);
	s->dev = -1;
	/* It has bound the device itself, so only it knows the ID. */
	killed("a process with a device killed", s,
	       "session \"side\" token 2: device ");
	/* Its session goes too, and either may be first. */
	killed("a process with a device and its session killed", NULL,
	       "session \"own\" token 2: ");
}

/* ---- the context that goes through --------------------------------------- */

static void build(void)
{
	uint32_t ioas, other, dev;

	carry_create(&carry, SESSION);
	carry_open(&carry, 0, SESSION);
	ioas = carry_ioas(ctx);
	other = ctx_ioas(ctx);
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_SET, &other));
	ctx_map(ctx, ioas, 0, 0x80000, 0x11000, 0x100007000, IOVA_RO);
	dev = carry_nic(ctx, 0, ioas);
	ctx_hwpt(ctx, dev, ioas);
	ctx_settle(ctx);
}

static void take_back(unsigned int nr)
{
	char output[OUTPUT_LEN];
	uint32_t id = 0;
	int early;

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("before anything is retrieved", EBUSY, "not finished");
	carry_retrieve(&carry, SESSION, nr);
	want_errno("FINISH before the device is back", EBUSY,
		   luo_finish(carry.session));
	want_no_jump("before the device is back", EBUSY, "not finished");
	early = must(luo_create("early"));
	want_errno("preserving it before FINISH", EBUSY,
		   luo_preserve(early, ctx->fd, TOKEN_IOMMUFD));
	close(early);

	carry_rebind(&carry);
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_GET, &id));
	check(id == ctx->want->ioas[VFIO_IOAS].id, "the VFIO IOAS is %u", id);
	want_no_jump("before FINISH", EBUSY, "not finished");
	carry_finish(&carry);
	unload_kernel();
}

static void cases(void)
{
	struct side s;
	int session;

	nothing_preserved();
	bad_arguments();
	unprivileged();

	side_open(&s);
	never_sealed();
	bad_buffers();
	stale_generation(&s);
	file_maps(&s);
	allowed_ranges(&s);
	side_bind(&s);
	side_attach(&s);
	want_fine("a device");
	user_maps(&s);
	punched_hole(&s);
	orphan_hwpt(&s);
	side_close(&s);

	session_name();
	vfio_type1();
	mock_objects();
	mock_pasid();
	type1_changes();
	killed("the only process with anything to hand over killed", NULL,
	       "session \"own\" token 2: ");

	session = carry_hand_over(&carry);
	leaves();

	/* Two contexts together, and the seal on both. */
	changes_unsealed();
	side_open(&s);
	side_bind(&s);
	while_sealed(&s);
	seal_undone(&s);
	side_close(&s);
	close(session);
	check(handover_state_is("idle"), "something is still preserved");
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);

	handover = must(handover_open());
	if (nr)
		take_back(nr);
	else
		build();
	cases();
	side_end(&carry);
}

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
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/kexec.h>
#include <linux/vfio.h>

#include "mock.h"
#include "side.h"

#define SESSION		"main"
#define IMAGE		"/run/refusals.iho"
#define ALLOWED_MOST	4000	/* ranges in one IOAS; docs/operators-guide.md */

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
			  "not the preserved page", NULL);
	side_unmap(s, "other pages");
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
			  "hole punched", NULL);
	side_unmap(s, "a punched hole");
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
		     text_of("more than %llu", ALLOWED_MOST), NULL);
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
		     "(iommufd_mock", "not a PCI device behind an IOMMU", NULL);

	low_free(&low);
	alloc.dev_id = idev;
	alloc.pt_id = parent;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == low.id, "ID %u", alloc.out_hwpt_id);
	want_refused("a page table of another format", EOPNOTSUPP,
		     HWPT(low.id), "not VT-d second stage", NULL);
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
		     "not VT-d second stage", NULL);
	must(iommufd_destroy(s.fd, low.id));
	low_take(&low);

	must(fault_queue(s.fd, &fault, &fd));
	low_free(&low);
	alloc.flags = IOMMU_HWPT_FAULT_ID_VALID;
	alloc.fault_id = fault;
	must(call(s.fd, IOMMU_HWPT_ALLOC, &alloc));
	check(alloc.out_hwpt_id == low.id, "ID %u", alloc.out_hwpt_id);
	want_refused("an HWPT with a fault queue", EOPNOTSUPP, HWPT(low.id),
		     "has a fault queue", NULL);
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
		     "(iommufd_mock", "has PASID 100 attached, which cannot",
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

/* ---- sealed -------------------------------------------------------------- */

#define CLOSED	"a sealed iommufd or a device of it was closed"

static void want_busy(const char *what, int got)
{
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

/* Every call that would change a context. */
static void changes(struct side *s)
{
	uint32_t ioas = ctx->want->ioas[0].id, spare = ctx->want->ioas[1].id;
	uint64_t iova = ctx->want->ioas[0].map[0].iova;
	uint64_t len = ctx->want->ioas[0].map[0].length;
	struct iommu_iova_range range = { 0, 0xffffffff };
	struct mock_cmd mock = { .size = sizeof(mock), .id = spare };
	uint32_t id, pt;
	uint64_t at = 0;
	int fd;

	want_busy("IOAS_ALLOC", ioas_alloc(ctx->fd, &id));
	want_busy("IOAS_ALLOW_IOVAS", ioas_allow(ctx->fd, spare, &range, 1));
	want_busy("IOAS_MAP", map_user(ctx->fd, spare, carry.mem.va, GUEST_PAGE,
				       CASE_IOVA));
	want_busy("IOAS_MAP_FILE", map_fixed(ctx->fd, spare, carry.mem.fd, 0,
					     GUEST_PAGE, CASE_IOVA));
	want_busy("IOAS_COPY", ioas_copy(ctx->fd, spare, &at, ioas, iova, len,
					 IOVA_RO));
	want_busy("IOAS_UNMAP", ioas_unmap(ctx->fd, ioas, iova, len, NULL));
	want_busy("IOAS_UNMAP of all", ioas_unmap(ctx->fd, ioas, 0, UINT64_MAX,
						  NULL));
	want_busy("OPTION set RLIMIT_MODE", iommufd_option_set(ctx->fd,
				IOMMU_OPTION_RLIMIT_MODE, 0, 1));
	want_busy("OPTION set HUGE_PAGES", iommufd_option_set(ctx->fd,
				IOMMU_OPTION_HUGE_PAGES, spare, 0));
	want_busy("DESTROY", iommufd_destroy(ctx->fd, spare));
	want_busy("HWPT_ALLOC", hwpt_alloc(ctx->fd, ctx->want->dev[0].id, ioas,
					   0, &id));
	want_busy("HWPT_SET_DIRTY_TRACKING", call(ctx->fd,
			IOMMU_HWPT_SET_DIRTY_TRACKING,
			&(struct iommu_hwpt_set_dirty_tracking) {
				.size = sizeof(struct
					iommu_hwpt_set_dirty_tracking),
				.hwpt_id = ctx->want->dev[0].hwpt }));
	id = spare;
	want_busy("VFIO_IOAS set", vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_SET,
					     &id));
	want_busy("VFIO_IOAS clear", vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_CLEAR,
					       &id));
	want_busy("FAULT_QUEUE_ALLOC", fault_queue(ctx->fd, &id, &fd));
	want_busy("VIOMMU_ALLOC", call(ctx->fd, IOMMU_VIOMMU_ALLOC,
			&(struct iommu_viommu_alloc) {
				.size = sizeof(struct iommu_viommu_alloc) }));
	want_busy("VDEVICE_ALLOC", call(ctx->fd, IOMMU_VDEVICE_ALLOC,
			&(struct iommu_vdevice_alloc) {
				.size = sizeof(struct iommu_vdevice_alloc) }));
	want_busy("VEVENTQ_ALLOC", call(ctx->fd, IOMMU_VEVENTQ_ALLOC,
			&(struct iommu_veventq_alloc) {
				.size = sizeof(struct iommu_veventq_alloc) }));
	want_busy("HW_QUEUE_ALLOC", call(ctx->fd, IOMMU_HW_QUEUE_ALLOC,
			&(struct iommu_hw_queue_alloc) {
				.size = sizeof(struct iommu_hw_queue_alloc) }));
	mock.op = MOCK_DEVICE;
	want_busy("a device of the mock", call(ctx->fd, MOCK_CMD, &mock));
	mock.op = MOCK_ACCESS;
	want_busy("an access object", call(ctx->fd, MOCK_CMD, &mock));

	want_busy("a bind", bind_third(ctx->fd));
	pt = s->ioas;
	want_busy("an attach", vfio_attach(s->dev, &pt));
	pt = spare;
	want_busy("a move to an IOAS", vfio_attach(ctx->dev[0], &pt));
	pt = ctx->want->hwpt[1].id;
	want_busy("a move to an HWPT", vfio_attach(ctx->dev[0], &pt));
	want_busy("a detach", vfio_detach(ctx->dev[0]));
}

/* Refused calls through VFIO's type1 interface leave no trace either. */
static void type1_changes(void)
{
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map) };
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap) };
	char sentence[SENTENCE_LEN];
	struct side s;

	side_open(&s);
	must(vfio_ioas(s.fd, IOMMU_VFIO_IOAS_SET, &s.ioas));
	seal();
	want_busy("VFIO_IOMMU_MAP_DMA", call(s.fd, VFIO_IOMMU_MAP_DMA, &map));
	want_busy("VFIO_IOMMU_UNMAP_DMA", call(s.fd, VFIO_IOMMU_UNMAP_DMA,
					       &unmap));
	unload_kernel();
	tally_one(!handover_snapshot(handover, sentence, NULL), false,
		  "SNAPSHOT after refused type1 calls: %s", sentence);
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
	struct iommu_iova_range ranges[16];
	uint64_t value;
	uint16_t vendor;

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
	uint64_t gen = handover_number("generation");
	struct iommu_handover_query cmd;
	int err;

	seal();
	changes(s);
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
	want_undone("UNSEAL", "released for another load");
	check(!ctx_verify(ctx, true), "a refused change has had an effect");
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
	char path[128], bdf[PCI_BDF_LEN], now[SENTENCE_LEN];
	int status, fd;
	pid_t pid;

	nic_bdf(1, bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, file);
	seal();
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		/* Only the parent holds the device. */
		close(s->dev);
		fd = must(open(path, O_WRONLY));
		text = text ? text : bdf;
		_exit(write(fd, text, strlen(text)) < 0);
	}
	sleep_ms(300);
	check(!waitpid(pid, &status, WNOHANG), "%s does not wait", file);
	/* Nothing is lost yet; whether the seal stands is the kernel's. */
	handover_attr("state", now);
	say("  %s waits, state %s", file, now);
	want_no_jump(file, EBUSY, "is being unbound or reset; close it");
	close(s->dev);
	must(waitpid(pid, &status, 0));
	check(!status, "%s failed", path);
	snprintf(path, sizeof(path), "a device taken by %s", file);
	want_undone(path, CLOSED);
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
	want_no_jump(what, EBUSY, "under a seal that was undone since");
	unload_kernel();
	want_errno("kexec -e after that", EINVAL, jump());
}

/* The same before anything is sealed. */
static void unbind_waits(struct side *s)
{
	char path[128], bdf[PCI_BDF_LEN];
	int status, fd;
	pid_t pid;

	nic_bdf(1, bdf);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind",
		 bdf);
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		close(s->dev);
		fd = must(open(path, O_WRONLY));
		_exit(write(fd, bdf, strlen(bdf)) < 0);
	}
	sleep_ms(300);
	want_refused("an unbind that waits", EAGAIN, DEVICE(s->dev_id), bdf,
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
	char output[OUTPUT_LEN], sentence[SENTENCE_LEN];
	struct side extra;

	seal();
	unload_kernel();
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "kexec -u unseals");
	want_errno("kexec -e after kexec -u", EINVAL, jump());

	seal();
	must(syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL,
		     (unsigned long)KEXEC_FILE_UNLOAD) < 0 ? -errno : 0);
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "a bare unload unseals");
	want_errno("kexec -e after a bare unload", EINVAL, jump());
	two_loaders();

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("without a seal", EBUSY, "nothing sealed");
	unload_kernel();

	seal();
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_undone("another kernel loaded without the option",
		    "the kernel loaded under it was unloaded");

	seal();
	must(close(s->dev));
	handover_attr("last_refusal", sentence);
	tally_one(strstr(sentence, "was closed"), false, "%s", sentence);
	want_undone("a device closed", CLOSED);
	side_bind(s);
	want_fine("a device closed");

	unbind_waits(s);
	device_taken(s, "driver/unbind", NULL);
	device_taken(s, "remove", "1");

	seal();
	close(s->session);
	want_undone("a session closed", "an iommufd is no longer preserved");
	s->session = must(luo_create("side"));
	must(luo_preserve(s->session, s->mem.fd, TOKEN_MEMORY));
	must(luo_preserve(s->session, s->fd, TOKEN_IOMMUFD));
	want_fine("a session closed");

	seal();
	extra.fd = must(iommufd_open());
	must(luo_preserve(s->session, extra.fd, TOKEN_OTHER));
	want_undone("another iommufd preserved",
		    "another iommufd was preserved");
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
	killed("a process with a device killed", s, CLOSED);
	/* Its session goes too, and either may be first. */
	killed("a process with a device and its session killed", NULL, "");
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
	killed("the only process with anything to hand over killed", NULL, "");

	/* Two contexts together, and the seal on both. */
	side_open(&s);
	side_bind(&s);
	session = carry_hand_over(&carry);
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

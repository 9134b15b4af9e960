// SPDX-License-Identifier: GPL-2.0-only
/* Memory that is mapped and does not cross a kexec. */
#include <linux/kvm.h>
#include <linux/memfd.h>

#include "refusals.h"

#define IMAGE		"/run/refusals.iho"

#define NAMED_FILE	"/dev/shm/guest-memory"
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

/* Memory that belongs to a virtual machine, with which it goes. */
static void guest_memfd(struct side *s)
{
	struct kvm_create_guest_memfd arg = { .size = 4 * GUEST_PAGE };
	int kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC)), vm, fd;

	vm = must(call(kvm, KVM_CREATE_VM, NULL));
	fd = must(call(vm, KVM_CREATE_GUEST_MEMFD, &arg));
	must(map_fixed(s->fd, s->ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	want_errno("PRESERVE_FD of a guest_memfd", ENOENT,
		   luo_preserve(s->session, fd, 11));
	want_refused("a guest_memfd", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(CASE_IOVA),
		     "the mapped file is not a memfd of ordinary pages; map one that is",
		     NULL);
	side_unmap(s, "a guest_memfd");
	close(fd);
	close(vm);
	close(kvm);
}

void file_maps(struct side *s)
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

	fd = must(open(NAMED_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		       0600));
	must(ftruncate(fd, 4 * GUEST_PAGE) ? -errno : 0);
	must(map_fixed(s->fd, s->ioas, fd, 0, GUEST_PAGE, CASE_IOVA));
	want_errno("PRESERVE_FD of a file with a name", ENOENT,
		   luo_preserve(s->session, fd, 10));
	want_refused("a file with a name", EOPNOTSUPP, IOAS(s->ioas),
		     IOVA(CASE_IOVA), "has a name in a file system",
		     "unlink it, then preserve it", NULL);
	must(unlink(NAMED_FILE) ? -errno : 0);
	must(luo_preserve(s->session, fd, 10));
	want_fine("a file with a name");
	side_unmap(s, "a file that had a name");
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

	guest_memfd(s);
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

/* SEAL of the last snapshot, with an image that is none. */
static int seal_nothing(uint64_t generation, char sentence[SENTENCE_LEN])
{
	static const char nothing[GUEST_PAGE]
		__attribute__((aligned(4096)));

	return handover_seal(handover, generation, nothing, sizeof(nothing),
			     sentence);
}

/*
 * No call to the iommufd moves this memory, so no generation tells. The image
 * is looked at afterwards only, so that any will do.
 */
static void moved_memory(struct side *s)
{
	char *va = map_shared(s->mem.fd, 4 * GUEST_PAGE, GUEST_PAGE);
	char *other = map_shared(s->mem.fd, 8 * GUEST_PAGE, GUEST_PAGE);
	char sentence[SENTENCE_LEN];
	uint64_t before, after;
	int err;

	must(map_user(s->fd, s->ioas, va, GUEST_PAGE, CASE_IOVA));
	must(handover_snapshot(handover, sentence, &before));
	must(handover_snapshot(handover, sentence, &after));
	err = seal_nothing(before, sentence);
	tally_one(after == before && err == -EBADMSG, false,
		  "SEAL of no image, memory not moved: %s: %s", strerror(-err),
		  sentence);
	check(mremap(other, GUEST_PAGE, GUEST_PAGE, MREMAP_MAYMOVE |
		     MREMAP_FIXED, va) == va, "mremap: %s", strerror(errno));
	err = seal_nothing(before, sentence);
	tally_one(err == -ESTALE && noted(ESTALE, sentence) &&
		  strstr(sentence, "mapped elsewhere") &&
		  strstr(sentence, "take a new one"), false,
		  "SEAL, memory moved by mremap: %s: %s", strerror(-err),
		  sentence);
	/* A snapshot sees it as well */
	must(handover_snapshot(handover, sentence, &before));
	check(mmap(va, GUEST_PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, s->mem.fd, 4 * GUEST_PAGE) == va,
	      "mmap: %s", strerror(errno));
	must(handover_snapshot(handover, sentence, &after));
	tally_one(after > before, false,
		  "SNAPSHOT, memory moved by mmap: generation %llu after %llu",
		  LL(after), LL(before));
	want_cured("moved memory");
	side_unmap(s, "moved memory");
	munmap(va, GUEST_PAGE);
}

void user_maps(struct side *s)
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

	moved_memory(s);

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

void punched_hole(struct side *s)
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

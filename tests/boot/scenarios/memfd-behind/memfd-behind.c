// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfd-behind NUMBER - NUMBER is 0 before the first kexec
 *
 * One case for each kexec.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/userfaultfd.h>

#include "call.h"
#include "guest.h"
#include "starve.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define SESSION		"memfd-behind"
#define TOKEN		7
#define HUGE		(2ULL << 20)
#define PAGES		1031u		/* two huge pages and some */
#define LEN		(PAGES * GUEST_PAGE)
#define WORDS		((unsigned int)GUEST_PAGE / 8)
#define LOOK_MS		300
#define MOST_FAULTS	1000

/* See kernel/interface/memfd.c */
#define HOLD		"/sys/kernel/debug/memfd_luo/hold"
#define NOBODY		"0"
#define WORKER		"1"
#define ALL		"2"
#define LOSE		"/sys/kernel/debug/memfd_luo/lose"
#define LOST		300u

static int session, fd;
static uint64_t *va;
static unsigned int number;	/* of the kexec */

static uint64_t word(unsigned int page, unsigned int i, unsigned int nr)
{
	return (uint64_t)page << 32 | i << 16 | (nr + 1);
}

/* How many pages are in the file. */
static unsigned int present(void)
{
	struct stat st;

	must(fstat(fd, &st) ? -errno : 0);
	return st.st_blocks * 512 / GUEST_PAGE;
}

static void compare(const uint64_t *words, unsigned int page, const char *how)
{
	for (unsigned int i = 0; i < WORDS; i++)
		check(words[i] == word(page, i, number - 1),
		      "page %u by %s, word %u: %#llx", page, how, i,
		      (unsigned long long)words[i]);
}

static void compare_all(void)
{
	for (unsigned int page = 0; page < PAGES; page++)
		compare(va + page * WORDS, page, "the end");
	check(present() == PAGES, "%u pages are in the file", present());
}

/* Where a huge page can be mapped. */
static uint64_t *map(int file)
{
	uint64_t space = (uint64_t)mmap(NULL, LEN + HUGE, PROT_NONE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *at = (void *)((space + HUGE - 1) & ~(HUGE - 1));

	check(mmap(at, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   file, 0) == at, "mmap: %s", strerror(errno));
	return at;
}

static int new_memfd(void)
{
	int file = memfd_create(SESSION, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	check(file >= 0 && !ftruncate(file, LEN), "memfd: %s", strerror(errno));
	return file;
}

static void take(void)
{
	session = must(luo_retrieve(SESSION));
	fd = must(luo_restore(session, TOKEN));
	check(!present(), "%u pages are in the file", present());
	va = map(fd);
}

static void finish(void)
{
	must(luo_finish(session));
	compare_all();
	close(session);
}

/* ---- each page ------------------------------------------------------------ */

/* 8 bytes are written that are there already. */
static void touch(unsigned int page, unsigned int how)
{
	static const char *const hows[] = {
		"read fault", "write fault", "read", "write", "sendfile",
	};
	uint64_t *at = va + page * WORDS, buffer[WORDS];
	off_t offset = page * GUEST_PAGE;
	int pipefd[2];

	switch (how) {
	case 0:
		break;
	case 1:
		*(volatile uint64_t *)(at + 5) = word(page, 5, number - 1);
		break;
	case 2:
		check(pread(fd, buffer, GUEST_PAGE, offset) == (ssize_t)GUEST_PAGE,
		      "read: %s", strerror(errno));
		compare(buffer, page, hows[how]);
		break;
	case 3:
		buffer[0] = word(page, 9, number - 1);
		check(pwrite(fd, buffer, 8, offset + 9 * 8) == 8, "write: %s",
		      strerror(errno));
		break;
	default:
		must(pipe(pipefd) ? -errno : 0);
		check(sendfile(pipefd[1], fd, &offset, GUEST_PAGE) ==
		      (ssize_t)GUEST_PAGE, "sendfile: %s", strerror(errno));
		check(read(pipefd[0], buffer, GUEST_PAGE) == (ssize_t)GUEST_PAGE,
		      "pipe: %s", strerror(errno));
		compare(buffer, page, hows[how]);
		close(pipefd[0]);
		close(pipefd[1]);
	}
	compare(at, page, hows[how]);
}

/* Nobody takes pages out of it, makes it shorter, or hands it over once more. */
static void kept_as_it_is(void)
{
	int other = must(luo_create("other")), status;
	pid_t pid;

	must_fail(EBUSY, luo_preserve(other, fd, TOKEN));
	close(other);
	must_fail(EPERM, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, LEN) ? -errno : 0);
	must_fail(EPERM, ftruncate(fd, LEN - GUEST_PAGE) ? -errno : 0);
	must(ftruncate(fd, LEN) ? -errno : 0);
	check(!present(), "%u pages are in the file", present());
	/* A child has the same pages, whoever accesses one first */
	pid = fork();
	check(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		compare(va, 0, "read fault of a child");
		_exit(0);
	}
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	      !WEXITSTATUS(status), "the child has failed");
	check(present() == 1, "%u pages are in the file", present());
	must(madvise(va, LEN, MADV_PAGEOUT) ? -errno : 0);
	check(present() == 1, "%u pages are in the file", present());
}

static void touched(void)
{
	struct rng rng = { boot_seed("memfd.seed=") };
	unsigned int order[PAGES], i, other, page;

	take();
	kept_as_it_is();
	for (i = 0; i < PAGES; i++)
		order[i] = i;
	/* The first is there */
	for (i = PAGES - 1; i > 1; i--) {
		other = 1 + rng_below(&rng, i);
		page = order[i];
		order[i] = order[other];
		order[other] = page;
	}
	for (i = 0; i < PAGES; i++) {
		touch(order[i], rng_below(&rng, 5));
		check(present() == i + 1, "%u pages are in the file after %u",
		      present(), i + 1);
	}
	finish();
}

/* ---- no hole -------------------------------------------------------------- */

static int collapse(uint64_t *at)
{
	return madvise(at, HUGE, MADV_COLLAPSE) ? -errno : 0;
}

static int uffd_open(uint64_t mode)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MINOR_SHMEM |
			    UFFD_FEATURE_MISSING_SHMEM,
	};
	struct uffdio_register reg = {
		.range = { .start = (uint64_t)va, .len = LEN },
		.mode = mode,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	check(uffd >= 0, "userfaultfd: %s", strerror(errno));
	must(ioctl(uffd, UFFDIO_API, &api) ? -errno : 0);
	must(ioctl(uffd, UFFDIO_REGISTER, &reg) ? -errno : 0);
	return uffd;
}

/* A page of zeroes, or of what comes from @from, in the place of @page. */
static int uffd_put(int uffd, unsigned int page, const void *from)
{
	struct uffdio_copy copy = {
		.dst = (uint64_t)(va + page * WORDS),
		.src = (uint64_t)from,
		.len = GUEST_PAGE,
	};
	struct uffdio_zeropage zero = {
		.range = { .start = copy.dst, .len = GUEST_PAGE },
	};

	if (from)
		return ioctl(uffd, UFFDIO_COPY, &copy) ? -errno : 0;
	return ioctl(uffd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

static int uffd_copy_over(unsigned int page)
{
	static uint64_t other[WORDS];
	int u = uffd_open(UFFDIO_REGISTER_MODE_MISSING), rc;

	rc = uffd_put(u, page, other);
	close(u);
	return rc;
}

static void uffd(void)
{
	struct uffdio_continue go_on = {
		.range = { .start = (uint64_t)(va + 530 * WORDS),
			   .len = GUEST_PAGE },
	};
	static uint64_t other[WORDS];
	struct uffd_msg msg;
	int u;

	memset(other, 0x55, sizeof(other));
	u = uffd_open(UFFDIO_REGISTER_MODE_MISSING);
	must_fail(EEXIST, uffd_put(u, 520, other));
	must_fail(EEXIST, uffd_put(u, 521, NULL));
	/* An event that nobody answers would stop this here */
	compare(va + 522 * WORDS, 522, "missing mode");
	check(read(u, &msg, sizeof(msg)) < 0 && errno == EAGAIN,
	      "a page was missing");
	close(u);
	u = uffd_open(UFFDIO_REGISTER_MODE_MINOR);
	must(ioctl(u, UFFDIO_CONTINUE, &go_on) ? -errno : 0);
	compare(va + 530 * WORDS, 530, "UFFDIO_CONTINUE");
	close(u);
	check(present() == 4 + 2, "%u pages are in the file", present());
}

static void no_hole(void)
{
	int file = new_memfd();
	uint64_t *plain = map(file);

	/* The control: the call is right */
	plain[0] = 1;
	must(collapse(plain));
	munmap(plain, LEN);
	close(file);

	take();
	must_fail(EAGAIN, collapse(va));
	compare(va + 3 * WORDS, 3, "read fault");
	compare(va + 100 * WORDS, 100, "read fault");
	must_fail(EAGAIN, collapse(va));
	uffd();
	must_fail(EAGAIN, collapse(va + HUGE / 8));
	finish();
	must(collapse(va));
	must(collapse(va + HUGE / 8));
	compare_all();
}

/* ---- what waits ------------------------------------------------------------ */

static int do_finish(void)
{
	return luo_finish(session);
}

static int do_seek_hole(void)
{
	return lseek(fd, 0, SEEK_HOLE) == LEN ? 0 : -EDOM;
}

static int do_seek_data(void)
{
	return lseek(fd, 1000 * GUEST_PAGE, SEEK_DATA) == 1000 * GUEST_PAGE ?
	       0 : -EDOM;
}

static int do_seal(void)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) ? -errno : 0;
}

static void kill_it(pid_t pid, const char *what)
{
	int status;

	kill(pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
	      "%s: not killed", what);
}

static void waits(void)
{
	pid_t hole, data, seal, end, killed;

	must(write_text(HOLD, ALL));
	take();
	compare(va + 77 * WORDS, 77, "read fault");
	munmap(va, LEN);
	hole = call_begin(do_seek_hole);
	data = call_begin(do_seek_data);
	killed = call_begin(do_finish);
	sleep_ms(LOOK_MS);
	kill_it(killed, "FINISH");
	end = call_begin(do_finish);
	seal = call_begin(do_seal);
	sleep_ms(LOOK_MS);
	check(!call_has_ended(hole) && !call_has_ended(data) &&
	      !call_has_ended(seal) && !call_has_ended(end),
	      "a call did not wait");
	/* The huge page that the case before has made */
	check(present() == HUGE / GUEST_PAGE, "%u pages are in the file", present());
	must(write_text(HOLD, NOBODY));
	call_end(hole, "SEEK_HOLE", 0);
	call_end(data, "SEEK_DATA", 0);
	call_end(seal, "F_SEAL_WRITE", 0);
	call_end(end, "FINISH", 0);
	close(session);
	va = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);
	check(va != MAP_FAILED, "mmap: %s", strerror(errno));
	compare_all();
	/* Nobody can write to it any more: another one goes on */
	munmap(va, LEN);
	close(fd);
	fd = new_memfd();
	va = map(fd);
}

/* ---- who has it is killed ---------------------------------------------------- */

static void killed(void)
{
	int ready[2];
	pid_t pid;
	char c;

	must(pipe2(ready, O_CLOEXEC) ? -errno : 0);
	pid = fork();
	check(pid >= 0, "fork: %s", strerror(errno));
	if (!pid) {
		take();
		for (unsigned int page = 0; page < PAGES; page += 2)
			touch(page, page % 5);
		check(write(ready[1], "", 1) == 1, "the pipe is closed");
		pause();
		_exit(1);
	}
	close(ready[1]);
	check(read(ready[0], &c, 1) == 1, "the process has failed");
	kill_it(pid, "the process");
	session = must(luo_retrieve(SESSION));
	fd = must(luo_restore(session, TOKEN));
	check(present() == (PAGES + 1) / 2, "%u pages are in the file", present());
	va = map(fd);
	for (unsigned int page = 0; page < PAGES; page++)
		touch(page, page % 5);
	finish();
}

/* ---- no memory ----------------------------------------------------------------- */

static void starved(void)
{
	unsigned int nth, retrieves = 0, reads = 0;
	uint64_t buffer[WORDS];
	struct starve starve;
	ssize_t got;
	int err;

	session = must(luo_retrieve(SESSION));
	starve_open(&starve);
	fd = -1;
	for (nth = 1; fd < 0; nth++) {
		check(nth < MOST_FAULTS, "it never succeeds");
		starve_begin(&starve, nth, true);
		fd = luo_restore(session, TOKEN);
		starve_end(&starve);
		/* A new inode for which there is no memory is ENOSPC */
		check(fd >= 0 || fd == -ENOMEM || fd == -ENOSPC, "retrieve: %s",
		      strerror(-fd));
		retrieves += fd < 0;
	}
	check(!present(), "%u pages are in the file", present());
	/* The page cache needs a node for each 64 pages */
	for (unsigned int page = 0; page < PAGES; page += 64) {
		starve_begin(&starve, 1, true);
		got = pread(fd, buffer, GUEST_PAGE, page * GUEST_PAGE);
		err = errno;
		starve_end(&starve);
		check(got == (ssize_t)GUEST_PAGE || (got < 0 && err == ENOMEM),
		      "read: %zd, %s", got, strerror(err));
		reads += got < 0;
		check(pread(fd, buffer, GUEST_PAGE, page * GUEST_PAGE) ==
		      (ssize_t)GUEST_PAGE, "read: %s", strerror(errno));
		compare(buffer, page, "another read");
		/* Half of the nodes are left to FINISH */
		page += 64;
	}
	starve_begin(&starve, 1, true);
	err = luo_finish(session);
	starve_end(&starve);
	must_fail(EBUSY, err);
	check(present() < PAGES, "all pages are in the file");
	/* The kernel tries a fault again, so that nobody sees it */
	va = map(fd);
	compare(va, 0, "a fault that makes page tables");
	starve_begin(&starve, 1, false);
	*(volatile uint64_t *)(va + 64 * WORDS);
	check(!starve_end(&starve), "no allocation of a fault has failed");
	compare(va + 64 * WORDS, 64, "a fault without memory");
	starve_close(&starve);
	say("without memory: %u retrieves, %u reads and a FINISH", retrieves, reads);
	report("faults_of_retrieve", "%u", retrieves);
	report("faults_of_read", "%u", reads);
	check(retrieves && reads, "no allocation has failed");
	finish();
}

/* ---- a page is lost --------------------------------------------------------- */

static int do_load(void)
{
	/* Ends by SIGBUS */
	return *(volatile uint64_t *)(va + LOST * WORDS) ? -EDOM : 0;
}

static int read_page(unsigned int page, uint64_t *words)
{
	return pread(fd, words, GUEST_PAGE, page * GUEST_PAGE) ==
	       (ssize_t)GUEST_PAGE ? 0 : -errno;
}

static void want_lost(void)
{
	uint64_t words[WORDS];
	int status;
	pid_t pid;

	must_fail(EIO, read_page(LOST, words));
	pid = call_begin(do_load);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGBUS, "a load: %#x, not SIGBUS", status);
	must_fail(EAGAIN, collapse(va));
	must_fail(EIO, uffd_copy_over(LOST));
	must(read_page(LOST - 1, words));
	compare(words, LOST - 1, "read");
	must(read_page(LOST + 1, words));
	compare(words, LOST + 1, "read");
}

/* It does not become a hole, neither before FINISH nor after it. */
static void lost(void)
{
	char text[16];
	int other;

	snprintf(text, sizeof(text), "%u", LOST);
	must(write_text(LOSE, text));
	take();
	want_lost();
	must(luo_finish(session));
	check(present() == PAGES - 1, "%u pages are in the file", present());
	want_lost();
	for (unsigned int page = 0; page < PAGES; page++)
		if (page != LOST)
			compare(va + page * WORDS, page, "the end");
	must_fail(EAGAIN, collapse(va));
	other = must(luo_create("other"));
	must_fail(EIO, luo_preserve(other, fd, TOKEN));
	close(other);
	close(session);
	must(write_text(LOSE, "0"));
	/* Another one goes on */
	munmap(va, LEN);
	close(fd);
	fd = new_memfd();
	va = map(fd);
}

/* ---- the session is closed ------------------------------------------------------ */

static void closed(void)
{
	take();
	touch(500, 1);
	close(session);
	must_fail(ENOENT, luo_retrieve(SESSION));
	compare_all();
}

int main(int argc, char **argv)
{
	check(argc == 2, "usage: %s NUMBER", argv[0]);
	number = atoi(argv[1]);
	background();
	if (!number) {
		fd = new_memfd();
		va = map(fd);
	} else {
		must(write_text(HOLD, WORKER));
	}
	switch (number) {
	case 0:
		break;
	case 1:
		touched();
		break;
	case 2:
		no_hole();
		break;
	case 3:
		waits();
		break;
	case 4:
		killed();
		break;
	case 5:
		starved();
		break;
	case 6:
		closed();
		break;
	case 7:
		lost();
		break;
	default:
		check(false, "there are 7 cases");
	}
	must(write_text(HOLD, NOBODY));
	for (unsigned int page = 0; page < PAGES; page++)
		for (unsigned int i = 0; i < WORDS; i++)
			va[page * WORDS + i] = word(page, i, number);
	must(luo_preserve(must(luo_create(SESSION)), fd, TOKEN));
	background_ready();
}

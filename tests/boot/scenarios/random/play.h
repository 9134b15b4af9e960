/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the program share: its state, its random numbers, and the
 * questions that the model answers.
 */
#ifndef PLAY_H
#define PLAY_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/iommu_handover.h>

#include "edu.h"
#include "igb.h"
#include "model.h"

#define LL(x)		((unsigned long long)(x))
#define PAGE		GUEST_PAGE
#define TOP		(~0ULL)

#define BOOK_SESSION	"random: the book"
#define BOOK_TOKEN	1

/* A stamp at the start of each page; what devices write goes to the middle. */
#define STAMP_LEN	64U
#define STAMP_TYPE	0xb588U
#define DROP		2048U

static struct book *book;
static struct memory book_mem, mem[MEM_MAX], exam_mem;
static int ses_fd[SES_MAX], ctx_fd[CTX_MAX], dev_fd[DEV_MAX];
static int book_session, bystander_fd = -1;
static unsigned int stage;
static unsigned int differs;
static bool quiet;

/* A number below @n; 0 stands for 2 to the power of 64. */
static uint64_t pick(uint64_t n)
{
	return n ? rng_below(&book->rng, n) : rng_u64(&book->rng);
}

static bool one_in(unsigned int n)
{
	return !pick(n);
}

static uint64_t between(uint64_t from, uint64_t to)
{
	return from + pick(to - from + 1);
}

static void shuffle(uint32_t *at, uint32_t nr)
{
	while (nr > 1) {
		uint32_t i = pick(nr--), t = at[i];

		at[i] = at[nr];
		at[nr] = t;
	}
}

/* One more difference between kernel and model. */
static void differ(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static void differ(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	differs++;
	if (quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	say("DIFFERENCE: seed %llu stage %u: %s", LL(book->seed), stage, text);
}

/*
 * A call whose outcome the model knows: 0 or more when it may be, the errno
 * that has to come, or ANY_ERROR.
 */
#define ANY_ERROR	4096

static bool outcome(long ret, int expect, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool outcome(long ret, int expect, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	book->calls++;
	if (expect == ANY_ERROR ? ret < 0 : expect ? ret == -expect : ret >= 0)
		return ret >= 0;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check(false, "seed %llu stage %u: %s gave %ld, the model says %d",
	      LL(book->seed), stage, text, ret, -expect);
}

static long call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static uint64_t file_value(const char *path, const char *key)
{
	char text[8192], *at;
	ssize_t n;
	int fd = must(open(path, O_RDONLY | O_CLOEXEC));

	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	check(n > 0, "%s cannot be read", path);
	text[n] = '\0';
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* ---- what the model knows ------------------------------------------------- */

static struct m_ioas *ioas_of(uint32_t c, uint32_t id)
{
	uint32_t i;

	for (i = 0; id && i < IOAS_MAX; i++)
		if (book->ctx[c].ioas[i].id == id)
			return &book->ctx[c].ioas[i];
	return NULL;
}

static struct m_hwpt *hwpt_of(uint32_t c, uint32_t id)
{
	uint32_t i;

	for (i = 0; id && i < HWPT_MAX; i++)
		if (book->ctx[c].hwpt[i].id == id)
			return &book->ctx[c].hwpt[i];
	return NULL;
}

static struct m_dev *dev_of(uint32_t c, uint32_t id)
{
	uint32_t i;

	for (i = 0; id && i < DEV_MAX; i++)
		if (book->dev[i].ctx == c && book->dev[i].id == id)
			return &book->dev[i];
	return NULL;
}

static bool id_taken(uint32_t c, uint32_t id)
{
	return ioas_of(c, id) || hwpt_of(c, id) || dev_of(c, id);
}

/* IDs are given lowest first, whether they wait for a device or not. */
static uint32_t next_id(uint32_t c)
{
	uint32_t id = 1;

	while (id_taken(c, id))
		id++;
	return id;
}

static struct m_ioas *free_ioas(uint32_t c)
{
	uint32_t i;

	for (i = 0; i < IOAS_MAX; i++)
		if (!book->ctx[c].ioas[i].id)
			return &book->ctx[c].ioas[i];
	return NULL;
}

static struct m_hwpt *free_hwpt(uint32_t c)
{
	uint32_t i;

	for (i = 0; i < HWPT_MAX; i++)
		if (!book->ctx[c].hwpt[i].id)
			return &book->ctx[c].hwpt[i];
	return NULL;
}

static struct m_ioas *any_ioas(uint32_t c)
{
	struct m_ioas *have[IOAS_MAX];
	uint32_t i, n = 0;

	for (i = 0; i < IOAS_MAX; i++)
		if (book->ctx[c].ioas[i].id)
			have[n++] = &book->ctx[c].ioas[i];
	return n ? have[pick(n)] : NULL;
}

static struct m_hwpt *any_hwpt(uint32_t c)
{
	struct m_hwpt *have[HWPT_MAX];
	uint32_t i, n = 0;

	for (i = 0; i < HWPT_MAX; i++)
		if (book->ctx[c].hwpt[i].id)
			have[n++] = &book->ctx[c].hwpt[i];
	return n ? have[pick(n)] : NULL;
}

static struct m_dev *any_dev(uint32_t c)
{
	struct m_dev *have[DEV_MAX];
	uint32_t i, n = 0;

	for (i = 0; i < DEV_MAX; i++)
		if (book->dev[i].id && book->dev[i].ctx == c)
			have[n++] = &book->dev[i];
	return n ? have[pick(n)] : NULL;
}

/* Whether the IOAS has an HWPT now. */
static bool has_hwpt(uint32_t c, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < HWPT_MAX; i++) {
		const struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (h->id && h->ioas == ioas && h->live)
			return true;
	}
	return false;
}

/* Devices attached to an HWPT: bound now, or (not @live) waited for. */
static uint32_t users(uint32_t c, uint32_t hwpt, bool live)
{
	uint32_t i, n = 0;

	for (i = 0; i < DEV_MAX; i++)
		n += book->dev[i].id && book->dev[i].ctx == c &&
		     book->dev[i].hwpt == hwpt && !!book->dev[i].live == live;
	return n;
}

/* Whether a device that is waited for brings the HWPT back, or is to use it. */
static bool waited_for(uint32_t c, const struct m_hwpt *h)
{
	uint32_t i;

	for (i = 0; i < DEV_MAX; i++)
		if (h->wait & 1U << i && book->dev[i].id &&
		    book->dev[i].ctx == c && !book->dev[i].live)
			return true;
	return false;
}

/* Whether an IOAS may be changed: no page table of it is to be compared. */
static bool settled(uint32_t c, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < HWPT_MAX; i++) {
		const struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (h->id && h->ioas == ioas && waited_for(c, h))
			return false;
	}
	return true;
}

/* Whether a device that is bound now is attached to the IOAS. */
static bool is_attached(uint32_t c, uint32_t ioas)
{
	uint32_t i;

	for (i = 0; i < DEV_MAX; i++) {
		const struct m_dev *d = &book->dev[i];
		const struct m_hwpt *h;

		if (!d->id || d->ctx != c || !d->live)
			continue;
		h = hwpt_of(c, d->hwpt);
		if (h && h->ioas == ioas)
			return true;
	}
	return false;
}

static uint64_t align_of(uint32_t c, const struct m_ioas *ioas)
{
	return has_hwpt(c, ioas->id) || !ioas->huge ? PAGE : 1;
}

static bool overlap(uint64_t a, uint64_t a_last, uint64_t b, uint64_t b_last)
{
	return a <= b_last && b <= a_last;
}

static bool reserved(uint32_t c, uint32_t ioas, uint64_t iova, uint64_t last)
{
	if (has_hwpt(c, ioas) && last > book->aperture)
		return true;
	return is_attached(c, ioas) &&
	       overlap(iova, last, book->msi.start, book->msi.last);
}

static struct m_area *area_at(uint32_t c, uint32_t ioas, uint64_t iova,
			      uint64_t last)
{
	struct m_ctx *x = &book->ctx[c];
	struct m_area *found = NULL;
	uint32_t i;

	for (i = 0; i < x->area_nr; i++) {
		struct m_area *a = &x->area[i];

		if (a->ioas == ioas && overlap(a->iova, a->iova + a->len - 1,
					       iova, last) &&
		    (!found || a->iova < found->iova))
			found = a;
	}
	return found;
}

static struct m_area *any_area(uint32_t c)
{
	struct m_ctx *x = &book->ctx[c];

	return x->area_nr ? &x->area[pick(x->area_nr)] : NULL;
}

static void drop_area(uint32_t c, struct m_area *a)
{
	struct m_ctx *x = &book->ctx[c];

	*a = x->area[--x->area_nr];
}

/* What an HWPT demands of an IOAS, and what an attach demands beside. */
static bool can_fill(uint32_t c, uint32_t ioas, bool attach)
{
	const struct m_ioas *io = ioas_of(c, ioas);
	uint32_t i;

	for (i = 0; i < book->ctx[c].area_nr; i++) {
		const struct m_area *a = &book->ctx[c].area[i];

		if (a->ioas != ioas)
			continue;
		if ((a->iova | a->len | a->off) & (PAGE - 1))
			return false;
		if (a->iova + a->len - 1 > book->aperture)
			return false;
		if (attach && overlap(a->iova, a->iova + a->len - 1,
				      book->msi.start, book->msi.last))
			return false;
	}
	for (i = 0; i < io->allow_nr; i++) {
		if (io->allow[i].last > book->aperture)
			return false;
		if (attach && overlap(io->allow[i].start, io->allow[i].last,
				      book->msi.start, book->msi.last))
			return false;
	}
	return true;
}

#endif /* PLAY_H */

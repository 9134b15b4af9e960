// SPDX-License-Identifier: GPL-2.0-only
/* What all parts share, and random numbers. */
#include <stdarg.h>

#include "random.h"

struct book *book;
struct memory book_mem, mem[MEM_MAX], exam_mem;
int ses_fd[SES_MAX], ctx_fd[CTX_MAX], dev_fd[DEV_MAX];
int book_session, bystander_fd = -1;
unsigned int stage;
unsigned int differs;
bool quiet;

uint64_t pick(uint64_t n)
{
	return n ? rng_below(&book->rng, n) : rng_u64(&book->rng);
}

bool one_in(unsigned int n)
{
	return !pick(n);
}

uint64_t between(uint64_t from, uint64_t to)
{
	return from + pick(to - from + 1);
}

void shuffle(uint32_t *at, uint32_t nr)
{
	while (nr > 1) {
		uint32_t i = pick(nr--), t = at[i];

		at[i] = at[nr];
		at[nr] = t;
	}
}

void differ(const char *fmt, ...)
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

bool outcome(long ret, int expect, const char *fmt, ...)
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

long call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

uint64_t file_value(const char *path, const char *key)
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

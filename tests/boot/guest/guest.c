// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static int ready_fd = -1;

long must_at(const char *file, int line, const char *call, long ret)
{
	if (ret >= 0)
		return ret;

	fflush(stdout);
	fprintf(stderr, "%s:%d: %s: %s (errno %ld)\n", file, line, call,
		strerror(-ret), -ret);
	exit(1);
}

void must_fail_at(const char *file, int line, const char *call, int err,
		  long ret)
{
	if (ret == -err)
		return;

	fflush(stdout);
	fprintf(stderr, "%s:%d: %s: expected %s (errno %d), got %s (%ld)\n",
		file, line, call, strerror(err), err,
		ret < 0 ? strerror(-ret) : "success", ret);
	exit(1);
}

void check_failed(const char *file, int line, const char *cond,
		  const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s:%d: not true: %s: ", file, line, cond);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void report(const char *key, const char *fmt, ...)
{
	const char *path = getenv("REPORT");
	char line[1024];
	va_list ap;
	int fd, used, n;

	used = snprintf(line, sizeof(line), "%s ", key);
	va_start(ap, fmt);
	n = vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
	va_end(ap);
	check(n >= 0 && used + n < (int)sizeof(line) - 1,
	      "the value of %s is too long", key);

	say("report: %s", line);
	if (!path || !*path)
		return;

	used += n;
	line[used++] = '\n';
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	check(fd >= 0, "%s: %s", path, strerror(errno));
	check(write(fd, line, used) == used, "%s: %s", path, strerror(errno));
	close(fd);
}

bool debug_kernel(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

uint64_t now_ms(void)
{
	return now_us() / 1000;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (ms % 1000) * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

uint64_t rng_u64(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_u64(rng) % n;
}

uint64_t digest64(const void *data, size_t len)
{
	const uint64_t *word = data;
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (len /= sizeof(*word); len; len--)
		hash = (hash ^ *word++) * 0x100000001b3ULL;
	return hash;
}

void background(void)
{
	int pipefd[2], status;
	pid_t pid;
	char byte;

	fflush(NULL);
	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	pid = fork();
	must(pid < 0 ? -errno : 0);
	if (!pid) {
		close(pipefd[0]);
		ready_fd = pipefd[1];
		/* A scenario that gives up must not leave half a VMM behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return;
	}

	close(pipefd[1]);
	if (read(pipefd[0], &byte, 1) == 1)
		_exit(0);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status))
		_exit(WEXITSTATUS(status));
	fprintf(stderr, "the background process ended before it was ready\n");
	_exit(1);
}

void background_ready(void)
{
	int null = must(open("/dev/null", O_RDWR | O_CLOEXEC));

	check(ready_fd >= 0, "background() was not called");
	fflush(NULL);
	prctl(PR_SET_PDEATHSIG, 0);
	setsid();
	/* Whoever reads this program's output must see it end. */
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (write(ready_fd, "r", 1) != 1)
		_exit(1);
	close(ready_fd);
	for (;;)
		pause();
}

uint64_t boot_option(const char *key, uint64_t without)
{
	char text[4096], *at;
	ssize_t n;
	int fd = must(open("/proc/cmdline", O_RDONLY | O_CLOEXEC));

	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	check(n >= 0, "/proc/cmdline cannot be read");
	text[n] = '\0';
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 0) : without;
}

uint64_t boot_seed(const char *key)
{
	uint64_t seed;

	check(getrandom(&seed, sizeof(seed), 0) == sizeof(seed),
	      "no random numbers");
	return boot_option(key, seed >> 16);
}

int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int64_t file_sum(const char *path, const char *format)
{
	FILE *file = fopen(path, "re");
	long long sum = 0, number;
	bool found = false;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, format, &number) == 1) {
			sum += number;
			found = true;
		}
	}
	check(found, "%s has no '%s'", path, format);
	fclose(file);
	return sum;
}

int64_t free_kib(void)
{
	sleep_ms(300);
	must(write_text("/proc/sys/vm/drop_caches", "3"));
	sleep_ms(300);
	return file_sum("/proc/meminfo", "MemFree: %lld kB") +
	       file_sum("/proc/zoneinfo", " count: %lld") *
	       (int64_t)(GUEST_PAGE >> 10);
}

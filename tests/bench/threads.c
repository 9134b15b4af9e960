// SPDX-License-Identifier: GPL-2.0-only
/*
 * How map and unmap scale: N threads, each on an IOAS of its own, all in one
 * iommufd.
 *
 * Every round makes the same number of calls in each thread, which all begin
 * together. Rounds are short and the cases take turns, since the host may have
 * other work: the best round of each is what counts. Standard output, one line
 * for each:
 *	round CASE THREADS CALLS TOTAL TOOK...
 * CALLS is pairs of a map and an unmap in each thread. TOTAL is from the begin
 * of the first thread to the end of the last one, TOOK that of each thread, all
 * in nanoseconds of the guest's clock. CASE is one of
 *	bare		IOASes without HWPT
 *	hwpt		with a device attached to each
 *	preserved	without HWPT, and the iommufd is preserved in a session;
 *			only where the kernel can do that
 *	one-ioas	control: all threads in one IOAS, whose lock they share
 *	own-line	control, no iommufd: each thread adds to its own cache line
 *	one-line	control: all of them to one
 * The controls tell what a lock, or a cache line, that threads share is worth
 * on this host.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define HANDOVER	"/sys/kernel/iommu_handover"
#define THREADS_MAX	4
#define ROUNDS		40
#define CALLS		200
#define WARM_UP		20
/* A call of the controls without iommufd adds so often. */
#define ADDS		100
#define IOVA		0x10000000ULL
#define IOVA_STEP	0x1000000ULL

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

/**
 * struct iommufd - an iommufd and what threads use of it
 * @fd: the iommufd
 * @ioas: an IOAS for each thread
 * @mem: a memfd for each
 * @dev: a device for each, attached to its IOAS; only of the case "hwpt"
 */
struct iommufd {
	int fd;
	uint32_t ioas[THREADS_MAX];
	struct memory mem[THREADS_MAX];
	int dev[THREADS_MAX];
};

/* Cache lines for the controls, two each: CPUs may fetch the neighbour too. */
static struct {
	uint64_t value;
} __attribute__((aligned(128))) lines[THREADS_MAX];

/**
 * struct worker - a thread of a round
 * @thread: of pthread
 * @fd: the iommufd, or -1: add to @line
 * @ioas: the IOAS to map in
 * @iova: where; no other thread's
 * @memfd: what to map
 * @line: what to add to
 * @start: when it began, nanoseconds
 * @end: when it was through
 */
struct worker {
	pthread_t thread;
	int fd;
	uint32_t ioas;
	uint64_t iova;
	int memfd;
	uint64_t *line;
	uint64_t start;
	uint64_t end;
};

static pthread_barrier_t barrier;

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void work_once(const struct worker *w)
{
	uint64_t iova = w->iova;
	int i;

	if (w->fd < 0) {
		for (i = 0; i < ADDS; i++)
			__atomic_fetch_add(w->line, 1, __ATOMIC_SEQ_CST);
		return;
	}
	must(ioas_map_file(w->fd, w->ioas, w->memfd, 0, GUEST_PAGE, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(ioas_unmap(w->fd, w->ioas, iova, GUEST_PAGE, NULL));
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int i;

	for (i = 0; i < WARM_UP; i++)
		work_once(w);
	pthread_barrier_wait(&barrier);
	w->start = now_ns();
	for (i = 0; i < CALLS; i++)
		work_once(w);
	w->end = now_ns();
	return NULL;
}

static void run_round(const char *name, struct worker *workers, unsigned int nr)
{
	uint64_t start = UINT64_MAX, end = 0;
	unsigned int i;

	check(!pthread_barrier_init(&barrier, NULL, nr), "no barrier");
	for (i = 0; i < nr; i++)
		check(!pthread_create(&workers[i].thread, NULL, work,
				      &workers[i]), "no thread");
	for (i = 0; i < nr; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].start < start)
			start = workers[i].start;
		if (workers[i].end > end)
			end = workers[i].end;
	}
	pthread_barrier_destroy(&barrier);
	printf("round %s %u %u %llu", name, nr, CALLS,
	       (unsigned long long)(end - start));
	for (i = 0; i < nr; i++)
		printf(" %llu", (unsigned long long)(workers[i].end -
						     workers[i].start));
	printf("\n");
	fflush(stdout);
}

/**
 * struct bench_case - a case
 * @name: for the output
 * @ctx: an iommufd, NULL for the controls without one
 * @one: all threads share one IOAS or line
 */
struct bench_case {
	const char *name;
	const struct iommufd *ctx;
	bool one;
};

static void run_case(const struct bench_case *c)
{
	static const unsigned int threads[] = { 1, 2, THREADS_MAX };
	struct worker workers[THREADS_MAX];
	unsigned int i;

	for (i = 0; i < THREADS_MAX; i++)
		workers[i] = (struct worker) {
			.fd = c->ctx ? c->ctx->fd : -1,
			.ioas = c->ctx ? c->ctx->ioas[c->one ? 0 : i] : 0,
			.iova = IOVA + i * IOVA_STEP,
			.memfd = c->ctx ? c->ctx->mem[i].fd : -1,
			.line = &lines[c->one ? 0 : i].value,
		};
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		run_round(c->name, workers, threads[i]);
}

static void open_iommufd(struct iommufd *ctx)
{
	unsigned int i;

	ctx->fd = must(iommufd_open());
	for (i = 0; i < THREADS_MAX; i++) {
		must(ioas_alloc(ctx->fd, &ctx->ioas[i]));
		must(memory_create(&ctx->mem[i], "bench", GUEST_PAGE));
		memset(ctx->mem[i].va, 1, GUEST_PAGE);
	}
}

static void attach_devices(struct iommufd *ctx)
{
	char bdf[PCI_BDF_LEN];
	uint32_t dev_id, pt_id;
	unsigned int i;

	for (i = 0; i < THREADS_MAX; i++) {
		must(pci_find(EDU_VENDOR, EDU_DEVICE, i, bdf));
		must(vfio_claim(bdf));
		ctx->dev[i] = must(vfio_open(bdf));
		must(vfio_bind(ctx->dev[i], ctx->fd, &dev_id));
		pt_id = ctx->ioas[i];
		must(vfio_attach(ctx->dev[i], &pt_id));
	}
}

int main(void)
{
	static struct iommufd bare, hwpt, preserved;
	static const struct bench_case cases[] = {
		{ "own-line", NULL, false },
		{ "one-line", NULL, true },
		{ "bare", &bare, false },
		{ "one-ioas", &bare, true },
		{ "hwpt", &hwpt, false },
		{ "preserved", &preserved, false },
	};
	unsigned int nr = ARRAY_SIZE(cases), round, i;

	open_iommufd(&bare);
	open_iommufd(&hwpt);
	attach_devices(&hwpt);
	if (access(HANDOVER, F_OK)) {
		nr--;
	} else {
		open_iommufd(&preserved);
		must(luo_preserve(must(luo_create("bench")), preserved.fd, 1));
	}
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < nr; i++)
			run_case(&cases[i]);
	printf("all measured on %ld CPUs\n", sysconf(_SC_NPROCESSORS_ONLN));
	return 0;
}

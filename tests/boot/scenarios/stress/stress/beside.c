// SPDX-License-Identifier: GPL-2.0-only
/* A map that is stuck, and processes that are killed. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <linux/userfaultfd.h>

#include "beside.h"

#define STUCK_IOVA	0x10000000ULL

void stuck_open(struct stuck *s, const char *bdf)
{
	uint32_t pt;

	memset(s, 0, sizeof(*s));
	s->session = -1;
	s->iommufd = must(iommufd_open());
	must(ioas_alloc(s->iommufd, &s->ioas));
	s->dev = must(vfio_open(bdf));
	must(vfio_bind(s->dev, s->iommufd, &s->dev_id));
	pt = s->ioas;
	must(vfio_attach(s->dev, &pt));
	s->uffd = must(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
}

static void *stuck_map(void *arg)
{
	struct stuck *s = arg;
	uint64_t iova = STUCK_IOVA;

	s->result = ioas_map(s->iommufd, s->ioas, s->va, STUCK_LEN, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
	return NULL;
}

void stuck_begin(struct stuck *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct pollfd poller = { .fd = s->uffd, .events = POLLIN };
	struct uffd_msg msg;

	s->memfd = must(memfd_create("stuck", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	must(ftruncate(s->memfd, STUCK_LEN) ? -errno : 0);
	must(fcntl(s->memfd, F_ADD_SEALS,
		   F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL));
	s->va = mmap(NULL, STUCK_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		     s->memfd, 0);
	check(s->va != MAP_FAILED, "mmap: errno %d", errno);
	area.range.start = (uintptr_t)s->va;
	area.range.len = STUCK_LEN;
	must(ioctl(s->uffd, UFFDIO_API, &api) ? -errno : 0);
	must(ioctl(s->uffd, UFFDIO_REGISTER, &area) ? -errno : 0);
	must(-pthread_create(&s->mapper, NULL, stuck_map, s));
	check(poll(&poller, 1, 60000) == 1, "the map asks for no page");
	check(read(s->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	      msg.event == UFFD_EVENT_PAGEFAULT, "no page fault");
	count(N_stuck);
}

void stuck_serve(struct stuck *s)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)s->va, STUCK_LEN },
	};

	must(ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0);
	must(-pthread_join(s->mapper, NULL));
	if (s->result)
		wrong("the map that was stuck: %s", strerror(-s->result));
}

void stuck_close(struct stuck *s)
{
	if (s->session >= 0)
		close(s->session);
	close(s->dev);
	close(s->iommufd);
	close(s->uffd);
	munmap(s->va, STUCK_LEN);
	close(s->memfd);
}

void stuck_loop(const char *bdf)
{
	struct rng rng = rng_for(300);
	unsigned int round;
	struct stuck s;

	for (round = 0; !atomic_load(&live->stop); round++) {
		stuck_open(&s, bdf);
		if (round % 8 == 7 && !atomic_load(&live->lull)) {
			s.session = must(luo_create(STUCK_SESSION));
			must(luo_preserve(s.session, s.iommufd, TOKEN_IOMMUFD));
			/* It may be sealed already, with nothing in it. */
			close(s.session);
			s.session = -1;
		}
		stuck_begin(&s);
		if (round % 8 == 3 && !atomic_load(&live->lull)) {
			s.session = must(luo_create(STUCK_SESSION));
			must(luo_preserve(s.session, s.iommufd, TOKEN_IOMMUFD));
		}
		sleep_ms(rng_below(&rng, 30));
		if (s.session >= 0) {
			close(s.session);
			s.session = -1;
		}
		stuck_serve(&s);
		stuck_close(&s);
		sleep_ms(rng_below(&rng, 60));
	}
	exit(0);
}

/* ---- killed with all they have ------------------------------------------ */

/* One short life. Its calls may meet a seal; anything else is a defect. */
static void churn_once(unsigned int nr)
{
	struct rng rng = rng_for(400 + nr);
	char name[NAME_LEN];
	int iommufd = must(iommufd_open()), session, err, i;
	struct memory mem;
	uint32_t ioas, other;
	uint64_t iova;

	snprintf(name, sizeof(name), "churn-%u", nr);
	must(memory_create(&mem, "churn", 16 * GUEST_PAGE));
	must(ioas_alloc(iommufd, &ioas));
	iova = 0x1000;
	must(ioas_map_file(iommufd, ioas, mem.fd, 0, mem.len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	session = must(luo_create(name));
	if (rng_below(&rng, 2)) {
		must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
		must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	} else {
		must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
		must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	}
	for (i = rng_below(&rng, 40); i; i--) {
		switch (rng_below(&rng, 3)) {
		case 0:
			err = ioas_alloc(iommufd, &other);
			break;
		case 1:
			iova = 0;
			err = ioas_map_file(iommufd, ioas, mem.fd, 0,
					    GUEST_PAGE, &iova, IOVA_RO);
			break;
		default:
			err = ioas_unmap(iommufd, ioas, 0, UINT64_MAX, NULL);
			if (err == -ENOENT)
				err = 0;
		}
		if (err && err != -EBUSY)
			wrong("%s: %s", name, strerror(-err));
		if (atomic_load(&live->lull))
			sleep_ms(2);
	}
	if (rng_below(&rng, 2))
		close(session);
	exit(0);
}

void churn_loop(void)
{
	struct rng rng = rng_for(301);
	unsigned int nr;
	int status;
	pid_t pid;

	for (nr = 0; !atomic_load(&live->stop); nr++) {
		while (atomic_load(&live->lull) && rng_below(&rng, live->rarely) &&
		       !atomic_load(&live->stop))
			sleep_ms(2);
		pid = must(fork());
		if (!pid)
			churn_once(nr);
		sleep_ms(rng_below(&rng, 60));
		if (rng_below(&rng, 2))
			kill(pid, SIGKILL);
		must(waitpid(pid, &status, 0));
		if (WIFEXITED(status) ? WEXITSTATUS(status) :
					WTERMSIG(status) != SIGKILL)
			wrong("churn %u ended with 0x%x", nr, status);
		count(N_churned);
		sleep_ms(rng_below(&rng, 40));
	}
	exit(0);
}

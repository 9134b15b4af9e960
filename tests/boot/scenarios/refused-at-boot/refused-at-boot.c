// SPDX-License-Identifier: GPL-2.0-only
/*
 * refused-at-boot NUMBER - NUMBER is 0 before the first kexec
 *
 * A session with a memfd and an iommufd with a device attached, handed over
 * again and again; its memory tells which kexec it was for. After each kexec:
 * was the image refused, with the reason of its case?
 */
#include <sys/klog.h>

#include "edu.h"
#include "handover.h"
#include "tally.h"

#define SESSION		"boot"
/* Another iommufd, whose records come first in the image. */
#define ASIDE		"aside"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define MEMORY_LEN	(1ULL << 20)
#define MAP_IOVA	0x123456000ULL
#define CASES		"/scenario/cases"

/* The first page is copied to the second by the device. */
struct note {
	uint32_t kexec;
	uint32_t aside_ioas;
	struct tally sum;
};

struct kase {
	char what[32];
	char begins[96];
	char ends[96];
};

static void copy_page(int dev, struct memory *mem)
{
	struct edu edu;

	memset((char *)mem->va + GUEST_PAGE, 0, GUEST_PAGE);
	must(edu_open(&edu, dev));
	must(edu_copy(&edu, MAP_IOVA + GUEST_PAGE, MAP_IOVA, GUEST_PAGE));
	check(!memcmp(mem->va, (char *)mem->va + GUEST_PAGE, GUEST_PAGE),
	      "the device copied something else");
	edu_close(&edu);
}

static int open_device(void)
{
	char bdf[PCI_BDF_LEN];

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	return must(vfio_open(bdf));
}

/* A new iommufd with a map and no device, in a session of its own. */
static void put_aside(struct note *note)
{
	uint64_t iova = MAP_IOVA;
	struct memory mem;
	int session, iommufd;

	must(memory_create(&mem, ASIDE, 16 * GUEST_PAGE));
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &note->aside_ioas));
	must(ioas_map_file(iommufd, note->aside_ioas, mem.fd, 0, mem.len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	session = must(luo_create(ASIDE));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
}

/* It comes back with its map, or with @err. */
static void take_aside(const struct note *note, int err)
{
	int session = must(luo_retrieve(ASIDE));
	int memfd = must(luo_restore(session, TOKEN_MEMORY));
	int iommufd = luo_restore(session, TOKEN_IOMMUFD);
	uint64_t iova = MAP_IOVA;

	if (err) {
		tally_one(iommufd == -err, true, "the other iommufd: %s",
			  strerror(-iommufd));
	} else {
		must(iommufd);
		tally_one(ioas_map_file(iommufd, note->aside_ioas, memfd, 0,
					GUEST_PAGE, &iova,
					IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA) ==
			  -EEXIST, true, "the other iommufd has lost its map");
		iova += 16 * GUEST_PAGE;
		must(ioas_map_file(iommufd, note->aside_ioas, memfd, 0,
				   GUEST_PAGE, &iova,
				   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
		close(iommufd);
	}
	close(memfd);
	must(luo_finish(session));
	close(session);
}

/* Before kexec @nr: a new iommufd for @mem, the device in it, and a session. */
static void hand_over(struct memory *mem, unsigned int nr)
	__attribute__((noreturn));

static void hand_over(struct memory *mem, unsigned int nr)
{
	struct note *note = mem->va;
	uint64_t iova = MAP_IOVA;
	int session, iommufd, dev;
	uint32_t ioas, id, pt;

	note->kexec = nr;
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem->fd, 0, mem->len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	dev = open_device();
	must(vfio_bind(dev, iommufd, &id));
	pt = ioas;
	must(vfio_attach(dev, &pt));
	copy_page(dev, mem);
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem->fd, TOKEN_MEMORY));
	must(luo_preserve(session, iommufd, TOKEN_IOMMUFD));
	put_aside(note);
	background_ready();
}

static void read_case(unsigned int nr, struct kase *k)
{
	FILE *file = fopen(CASES, "r");
	char line[256];

	check(file, CASES ": %s", strerror(errno));
	while (nr && fgets(line, sizeof(line), file))
		nr -= line[0] != '#';
	check(!nr && sscanf(line, "%31[^\t]\t%95[^\t]\t%95[^\n]", k->what,
			    k->begins, k->ends) == 3,
	      CASES " has no case for this kexec");
	fclose(file);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

static bool in_log(const char *reason)
{
	static char log[1 << 18];
	char line[SENTENCE_LEN + 64];
	int n = klogctl(3, log, sizeof(log) - 1);

	check(n > 0, "klogctl: %s", strerror(errno));
	log[n] = '\0';
	snprintf(line, sizeof(line), "iommu-handover: image refused: %s\n",
		 reason);
	return strstr(log, line);
}

static void want_fact(const char *name, uint64_t want)
{
	tally_one(handover_number(name) == want, true, "%s is %llu", name,
		  (unsigned long long)handover_number(name));
}

static void refused(const struct kase *k, int session)
{
	char state[SENTENCE_LEN], reason[SENTENCE_LEN];
	int err, again;

	handover_attr("incoming/state", state);
	handover_attr("incoming/reason", reason);
	tally_one(!strcmp(state, "refused") &&
		  !strncmp(reason, k->begins, strlen(k->begins)) &&
		  ends_with(reason, k->ends), false, "%s spoiled: %s: %s",
		  k->what, state, reason);
	tally_one(in_log(reason), true, "the log does not say it");
	want_fact("incoming/contexts", 0);
	want_fact("incoming/unfinished", 0);
	want_fact("incoming/devices_pending", 0);
	want_fact("incoming/pages_pinned", 0);
	err = luo_restore(session, TOKEN_IOMMUFD);
	again = luo_restore(session, TOKEN_IOMMUFD);
	tally_one(err == -EBADMSG && again == -EBADMSG, false,
		  "retrieve of the iommufd: %s", strerror(-err));
}

static void want_accepted(void)
{
	char state[SENTENCE_LEN], reason[SENTENCE_LEN];

	handover_attr("incoming/state", state);
	handover_attr("incoming/reason", reason);
	check(!strcmp(state, "accepted") && !reason[0], "%s: %s", state,
	      reason);
}

/* Only the records of the iommufd were spoiled. */
static void refused_by_name(const struct kase *k, int session)
{
	char reason[SENTENCE_LEN];
	int err, again;

	want_accepted();
	want_fact("incoming/contexts", 2);
	want_fact("incoming/unfinished", 2);
	err = luo_restore(session, TOKEN_IOMMUFD);
	handover_attr("last_refusal", reason);
	again = luo_restore(session, TOKEN_IOMMUFD);
	tally_one(err == -EBADMSG && again == -EBADMSG &&
		  !strncmp(reason, k->begins, strlen(k->begins)) &&
		  ends_with(reason, k->ends), false, "%s spoiled: %s: %s",
		  k->what, strerror(-err), reason);
}

/* The control: an image that nobody has touched. */
static void accepted(int session, struct memory *mem)
{
	uint32_t id;
	int dev;

	want_accepted();
	must(luo_restore(session, TOKEN_IOMMUFD));
	dev = open_device();
	must(vfio_bind(dev, luo_restore(session, TOKEN_IOMMUFD), &id));
	copy_page(dev, mem);
	must(luo_finish(session));
	close(session);
	close(dev);
}

static void take_back(struct memory *mem, unsigned int nr)
{
	struct note *note;
	struct kase k;
	bool by_name;
	int session;

	read_case(nr, &k);
	by_name = !strncmp(k.begins, "session ", 8);
	session = must(luo_retrieve(SESSION));
	if (by_name)
		refused_by_name(&k, session);
	else if (strcmp(k.what, "nothing"))
		refused(&k, session);
	must(memory_adopt(mem, must(luo_restore(session, TOKEN_MEMORY))));
	note = mem->va;
	check(note->kexec == nr, "the memory is of kexec %u", note->kexec);
	take_aside(note, by_name || !strcmp(k.what, "nothing") ? 0 : EBADMSG);
	if (strcmp(k.what, "nothing")) {
		must(luo_finish(session));
		close(session);
		want_fact("incoming/unfinished", 0);
		tally_end(&note->sum);
	} else {
		accepted(session, mem);
	}
}

int main(int argc, char **argv)
{
	struct memory mem;
	unsigned int nr;

	check(argc == 2, "usage: refused-at-boot NUMBER");
	nr = atoi(argv[1]);
	background();
	if (nr) {
		take_back(&mem, nr);
	} else {
		must(memory_create(&mem, SESSION, MEMORY_LEN));
		memset(mem.va, 0, mem.len);
	}
	hand_over(&mem, nr + 1);
}

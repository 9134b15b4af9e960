// SPDX-License-Identifier: GPL-2.0-only
/*
 * modes NUMBER - HWPTs of a VT-d unit whose options change with every kexec.
 *
 * The file kernel-args-next has the options of each kernel. One context comes back in all
 * of them. Two more are made where the next kernel's page tables cannot say what
 * theirs do.
 */
#include <sys/mman.h>

#include "edu.h"
#include "handover.h"
#include "tally.h"

#define HUGE		(2ULL << 20)
#define LEN		(4 * HUGE)
#define MAIN_OFF	HUGE
#define MAIN_LEN	(2 * HUGE)
#define MAIN_IOVA	0x40000000ULL
#define MORE_IOVA	(MAIN_IOVA + MAIN_LEN)
#define RO_OFF		0x10000ULL
#define RO_LEN		(3 * GUEST_PAGE)
#define RO_IOVA		0x48000000ULL
#define HIGH_OFF	0x20000ULL
#define HIGH_LEN	(2 * GUEST_PAGE)
#define HIGH_IOVA	((1ULL << 47) - HIGH_LEN)
#define FAR_IOVA	(1ULL << 47)

#define STAMP_LEN	64U
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2

/* What a kernel of kernel-args-next, or the first one, makes of it. */
static const struct kernel {
	bool second_stage;
	bool small_pages;
} kernels[] = {
	{ false, false },
	{ true, false },
	{ false, false },
	{ false, true },
	{ false, false },
	{ true, true },
};

/* One iommufd with a device, at the beginning of its memory. */
struct note {
	uint64_t key;
	struct tally sum;
	uint32_t ioas;
	uint32_t id;
	uint32_t hwpt;
	char bdf[PCI_BDF_LEN];
};

struct box {
	const char *name;
	struct memory mem;
	struct note *note;
	int session;
	int fd;
	int dev;
};

static struct box stay = { .name = "modes" };
static struct box write_only = { .name = "modes: write-only" };
static struct box far = { .name = "modes: far" };

static const struct kernel *kernel_of(unsigned int stage)
{
	return &kernels[stage % ARRAY_SIZE(kernels)];
}

static long map(struct box *b, uint64_t off, uint64_t len, uint64_t iova,
		uint32_t flags)
{
	return ioas_map_file(b->fd, b->note->ioas, b->mem.fd, off, len, &iova,
			     flags | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static void make_box(struct box *b, unsigned int nth)
{
	must(memory_create(&b->mem, b->name, LEN));
	b->note = b->mem.va;
	memset(b->note, 0, sizeof(*b->note));
	b->note->key = now_ms() << 8 | nth;
	b->session = must(luo_create(b->name));
	b->fd = must(iommufd_open());
	must(ioas_alloc(b->fd, &b->note->ioas));
	must(pci_find(EDU_VENDOR, EDU_DEVICE, nth, b->note->bdf));
	must(vfio_claim(b->note->bdf));
	b->dev = must(vfio_open(b->note->bdf));
	must(vfio_bind(b->dev, b->fd, &b->note->id));
}

static void attach(struct box *b)
{
	b->note->hwpt = b->note->ioas;
	must(vfio_attach(b->dev, &b->note->hwpt));
}

static void preserve(struct box *b)
{
	must(luo_preserve(b->session, b->mem.fd, TOKEN_MEMORY));
	must(luo_preserve(b->session, b->fd, TOKEN_IOMMUFD));
}

static void take_back(struct box *b)
{
	b->session = must(luo_retrieve(b->name));
	must(memory_adopt(&b->mem,
			  must(luo_restore(b->session, TOKEN_MEMORY))));
	b->note = b->mem.va;
	b->fd = must(luo_restore(b->session, TOKEN_IOMMUFD));
	must(vfio_claim(b->note->bdf));
	b->dev = must(vfio_open(b->note->bdf));
}

static void finish(struct box *b)
{
	must(luo_finish(b->session));
	close(b->session);
}

static void put_away(struct box *b)
{
	close(b->dev);
	close(b->fd);
	munmap(b->mem.va, b->mem.len);
	close(b->mem.fd);
}

/* Of the file that a device reads and writes: stamps of its pages. */
static void stamp(const struct box *b, uint64_t off, uint64_t *words)
{
	unsigned int i;

	for (i = 0; i < STAMP_LEN / sizeof(*words); i++)
		words[i] = (b->note->key + off) * (2 * i + 3);
}

/* The device copies the stamp of one page into another and no other page's. */
static void copy(struct box *b, uint64_t to_off, uint64_t to,
		 uint64_t from_off, uint64_t from)
{
	char *va = b->mem.va;
	uint64_t want[STAMP_LEN / 8], other[STAMP_LEN / 8];
	struct edu edu;

	stamp(b, from_off, want);
	stamp(b, from_off + GUEST_PAGE, other);
	memcpy(va + from_off, want, STAMP_LEN);
	memset(va + to_off, 0, STAMP_LEN);
	must(edu_open(&edu, b->dev));
	must(edu_copy(&edu, to, from, STAMP_LEN));
	edu_close(&edu);
	check(!memcmp(va + to_off, want, STAMP_LEN),
	      "%s: %#llx did not come from %#llx", b->name,
	      (unsigned long long)to, (unsigned long long)from);
	check(memcmp(va + to_off, other, STAMP_LEN), "a wrong page goes unseen");
}

static void copy_all(struct box *b)
{
	copy(b, HIGH_OFF + GUEST_PAGE, HIGH_IOVA + GUEST_PAGE,
	     MAIN_OFF + MAIN_LEN - GUEST_PAGE,
	     MAIN_IOVA + MAIN_LEN - GUEST_PAGE);
	copy(b, MAIN_OFF + HUGE + 7 * GUEST_PAGE,
	     MAIN_IOVA + HUGE + 7 * GUEST_PAGE, RO_OFF + 2 * GUEST_PAGE,
	     RO_IOVA + 2 * GUEST_PAGE);
}

static uint64_t table_pages(void)
{
	char line[128];
	unsigned long long pages = 0;
	bool there = false;
	FILE *f;

	/* Each CPU keeps some of the count to itself. */
	must(write_text("/proc/sys/vm/stat_refresh", "1"));
	f = fopen("/proc/vmstat", "re");
	check(f, "/proc/vmstat: %s", strerror(errno));
	while (!there && fgets(line, sizeof(line), f))
		there = sscanf(line, "nr_iommu_pages %llu", &pages) == 1;
	fclose(f);
	check(there, "this kernel does not count pages of IOMMUs");
	return pages;
}

/* That the kernel does what its options want, by what user space can see of it. */
static void expect_kernel(unsigned int stage)
{
	const struct kernel *k = kernel_of(stage);
	uint64_t last = (k->second_stage ? 1ULL << 48 : 1ULL << 47) - 1;
	struct iommu_iova_range range[4];
	uint32_t nr = ARRAY_SIZE(range);
	uint64_t align, before, pages;

	must(ioas_ranges(stay.fd, stay.note->ioas, range, &nr, &align));
	check(nr && range[nr - 1].last == last,
	      "stage %u: IOVAs end with %#llx: not the %s stage", stage,
	      (unsigned long long)range[nr - 1].last,
	      k->second_stage ? "second" : "first");
	before = table_pages();
	must(map(&stay, MAIN_OFF, HUGE, MORE_IOVA, IOVA_RW));
	pages = table_pages() - before;
	check(pages == k->small_pages,
	      "stage %u: 2 MiB took %llu pages of tables more", stage,
	      (unsigned long long)pages);
	must(ioas_unmap(stay.fd, stay.note->ioas, MORE_IOVA, HUGE, NULL));
}

static bool next_cannot(unsigned int stage)
{
	return kernel_of(stage)->second_stage &&
	       !kernel_of(stage + 1)->second_stage;
}

static void make_what_is_lost(void)
{
	make_box(&write_only, 1);
	must(map(&write_only, MAIN_OFF, MAIN_LEN, MAIN_IOVA, IOVA_RW));
	must(map(&write_only, HIGH_OFF, HIGH_LEN, HIGH_IOVA,
		 IOMMU_IOAS_MAP_WRITEABLE));
	attach(&write_only);
	preserve(&write_only);

	make_box(&far, 2);
	must(map(&far, MAIN_OFF, MAIN_LEN, MAIN_IOVA, IOVA_RW));
	must(map(&far, HIGH_OFF, HIGH_LEN, FAR_IOVA, IOVA_RW));
	attach(&far);
	preserve(&far);
}

static void want_no_bind(struct box *b, int err, const char *words)
{
	char sentence[SENTENCE_LEN], name[48];
	uint32_t id;
	int got = vfio_bind(b->dev, b->fd, &id);

	handover_attr("last_refusal", sentence);
	snprintf(name, sizeof(name), "HWPT %u", b->note->hwpt);
	tally_one(got == -err && strstr(sentence, b->note->bdf) &&
		  strstr(sentence, name) && strstr(sentence, words), false,
		  "%s: bind: %s: %s", b->name, strerror(-got), sentence);
}

static void lost(void)
{
	char iova[32];

	take_back(&write_only);
	snprintf(iova, sizeof(iova), "IOVA 0x%llx has permissions",
		 (unsigned long long)HIGH_IOVA);
	want_no_bind(&write_only, EBADMSG, iova);
	want_no_bind(&write_only, EBADMSG, "which is of another format");
	take_back(&far);
	want_no_bind(&far, EADDRINUSE, "whose IOMMU was in another mode");

	/* The cure */
	must(write_text(HANDOVER_SYSFS "incoming/abandon", "1"));
	must(vfio_bind(write_only.dev, write_only.fd, &write_only.note->id));
	attach(&write_only);
	copy(&write_only, HIGH_OFF, HIGH_IOVA, MAIN_OFF, MAIN_IOVA);
	must(vfio_bind(far.dev, far.fd, &far.note->id));
	far.note->hwpt = far.note->ioas;
	must_fail(EADDRINUSE, vfio_attach(far.dev, &far.note->hwpt));
	must(ioas_unmap(far.fd, far.note->ioas, FAR_IOVA, HIGH_LEN, NULL));
	must(map(&far, HIGH_OFF, HIGH_LEN, HIGH_IOVA, IOVA_RW));
	attach(&far);
	copy(&far, HIGH_OFF, HIGH_IOVA, MAIN_OFF, MAIN_IOVA);
	finish(&write_only);
	finish(&far);
	put_away(&write_only);
	put_away(&far);
}

static void build(void)
{
	make_box(&stay, 0);
	must(map(&stay, MAIN_OFF, MAIN_LEN, MAIN_IOVA, IOVA_RW));
	must(map(&stay, RO_OFF, RO_LEN, RO_IOVA, IOVA_RO));
	must(map(&stay, HIGH_OFF, HIGH_LEN, HIGH_IOVA, IOVA_RW));
	attach(&stay);
}

static void come_back(void)
{
	uint64_t compared = handover_number("incoming/trees_compared");
	uint32_t id, hwpt;

	take_back(&stay);
	must(vfio_bind(stay.dev, stay.fd, &id));
	check(id == stay.note->id, "device %u was %u", id, stay.note->id);
	hwpt = stay.note->hwpt;
	must(vfio_attach(stay.dev, &hwpt));
	check(hwpt == stay.note->hwpt, "HWPT %u was %u", hwpt,
	      stay.note->hwpt);
	check(handover_number("incoming/trees_compared") == compared + 1 &&
	      handover_number("incoming/trees_equal") == compared + 1,
	      "its page table was not compared");
	finish(&stay);
}

int main(int argc, char **argv)
{
	unsigned int stage = argc > 1 ? atoi(argv[1]) : 0;

	background();
	must(write_text("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			"always"));
	if (stage)
		come_back();
	else
		build();
	expect_kernel(stage);
	copy_all(&stay);
	if (stage && next_cannot(stage - 1)) {
		lost();
		tally_end(&stay.note->sum);
	}
	if (stage)
		stay.session = must(luo_create(stay.name));
	preserve(&stay);
	if (next_cannot(stage))
		make_what_is_lost();
	background_ready();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * late-seal NUMBER - one iommufd with a device that changes until the jump.
 */
#include "edu.h"
#include "handover.h"
#include "side.h"
#include "tally.h"

#define LEN		(64 * GUEST_PAGE)
#define MAIN_IOVA	0x40000000ULL
#define MAIN_LEN	(8 * GUEST_PAGE)
#define LATE_IOVA	0x50000000ULL
#define LATE_STEP	0x1000000ULL
#define TRIED_IOVA	0x60000000ULL
#define LOOSE_IOVA	0x70000000ULL
#define STAMP_LEN	64U

#define SESSION		"late-seal"

/* At the beginning of the memory that crosses. */
struct note {
	struct tally sum;
	uint32_t ioas;
	uint32_t id;
	uint32_t hwpt;
	uint32_t late;		/* maps that were made after a load */
	char bdf[PCI_BDF_LEN];
};

static struct memory mem;
static struct note *note;
static int session, fd, dev;

static long map(int iommufd, uint32_t ioas, const struct memory *m, uint64_t off,
		uint64_t len, uint64_t iova)
{
	return ioas_map_file(iommufd, ioas, m->fd, off, len, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

static uint64_t late_off(uint32_t n)
{
	return (16 + n) * GUEST_PAGE;
}

static uint64_t late_iova(uint32_t n)
{
	return LATE_IOVA + n * LATE_STEP;
}

static void build(void)
{
	must(memory_create(&mem, SESSION, LEN));
	note = mem.va;
	fd = must(iommufd_open());
	must(ioas_alloc(fd, &note->ioas));
	must(map(fd, note->ioas, &mem, GUEST_PAGE, MAIN_LEN, MAIN_IOVA));
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, note->bdf));
	must(vfio_claim(note->bdf));
	dev = must(vfio_open(note->bdf));
	must(vfio_bind(dev, fd, &note->id));
	note->hwpt = note->ioas;
	must(vfio_attach(dev, &note->hwpt));
}

/* The device copies from each late map into the first one. */
static void look(void)
{
	char *va = mem.va;
	struct edu edu;
	uint32_t n;

	must(edu_open(&edu, dev));
	for (n = 0; n < note->late; n++) {
		memset(va + GUEST_PAGE, 0, STAMP_LEN);
		memset(va + late_off(n), 0x30 + n, STAMP_LEN);
		must(edu_copy(&edu, MAIN_IOVA, late_iova(n), STAMP_LEN));
		check(!memcmp(va + GUEST_PAGE, va + late_off(n), STAMP_LEN),
		      "late map %u does not lead to its page", n);
		must_fail(EEXIST, map(fd, note->ioas, &mem, 0, GUEST_PAGE,
				      late_iova(n)));
	}
	edu_close(&edu);
}

static void come_back(unsigned int stage)
{
	uint32_t id, hwpt;

	session = must(luo_retrieve(SESSION));
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	note = mem.va;
	fd = must(luo_restore(session, TOKEN_IOMMUFD));
	must(vfio_claim(note->bdf));
	dev = must(vfio_open(note->bdf));
	must(vfio_bind(dev, fd, &id));
	hwpt = note->hwpt;
	must(vfio_attach(dev, &hwpt));
	check(id == note->id && hwpt == note->hwpt, "other IDs than before");
	check(note->late == stage, "%u maps after %u loads", note->late, stage);
	must(luo_finish(session));
	close(session);
}

/* kexec(8) with one word or two behind what every load or jump has. */
static int kexec_saving(char output[OUTPUT_LEN], bool load, const char *more,
			const char *save)
{
	char initrd[256], line[2048];
	char *const words[] = {
		"/sbin/kexec", "-s", "-l", getenv("HANDOVER_KERNEL"), initrd,
		line, (char *)more, (char *)save, NULL
	};
	char *const jump_words[] = {
		"/sbin/kexec", "-e", "-x", "-y", (char *)more, NULL
	};

	snprintf(initrd, sizeof(initrd), "--initrd=%s",
		 getenv("HANDOVER_INITRD"));
	snprintf(line, sizeof(line), "--command-line=%s",
		 getenv("HANDOVER_CMDLINE"));
	return run_program(output, load ? words : jump_words);
}

static int kexec(char output[OUTPUT_LEN], bool load, const char *more)
{
	return kexec_saving(output, load, more, NULL);
}

static bool loaded(void)
{
	char line[16];

	read_line("/sys/kernel/kexec_loaded", line, sizeof(line));
	return line[0] == '1';
}

static unsigned int lines_of(const char *output, const char *words)
{
	unsigned int n = 0;

	while ((output = strstr(output, words))) {
		n++;
		output++;
	}
	return n;
}

/* Nothing is frozen. */
static bool changes(void)
{
	return !map(fd, note->ioas, &mem, 0, GUEST_PAGE, TRIED_IOVA) &&
	       !ioas_unmap(fd, note->ioas, TRIED_IOVA, GUEST_PAGE, NULL);
}

/* ---- what stands in the way ----------------------------------------------- */

#define OTHER_MAPS	20
#define NAMED_MAPS	8	/* of one IOAS, at most */

#define ORPHANS		2

/* HWPTs that a device made which is gone. */
static void make_orphans(uint32_t orphan[ORPHANS])
{
	char bdf[PCI_BDF_LEN];
	uint32_t id;
	int maker, i;

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 1, bdf));
	must(vfio_claim(bdf));
	maker = must(vfio_open(bdf));
	must(vfio_bind(maker, fd, &id));
	for (i = 0; i < ORPHANS; i++)
		must(hwpt_alloc(fd, id, note->ioas, 0, &orphan[i]));
	close(maker);
}

static void check_names_all(void)
{
	int other = must(iommufd_open()), other_session, fault, rc, i;
	char output[OUTPUT_LEN], words[64];
	uint32_t ioas, id, orphan[ORPHANS];
	struct memory loose;

	make_orphans(orphan);
	must(memory_create(&loose, "loose", 4 * GUEST_PAGE));
	must(ioas_alloc(other, &ioas));
	for (i = 0; i < OTHER_MAPS; i++)
		must(map(other, ioas, &loose, 0, GUEST_PAGE,
			 LOOSE_IOVA + i * GUEST_PAGE));
	must(fault_queue(other, &id, &fault));
	for (i = 1; i <= 2; i++)
		must(map(fd, note->ioas, &loose, 0, GUEST_PAGE,
			 LOOSE_IOVA + i * 0x100000));
	other_session = must(luo_create("late-seal: other"));
	must(luo_preserve(other_session, other, TOKEN_IOMMUFD));

	rc = kexec(output, true, "--iommu-handover=check");
	tally_one(rc && !loaded() &&
		  lines_of(output, "iommu-handover: refused: ") ==
		  2 + NAMED_MAPS + 2 + ORPHANS, false,
		  "check of two iommufds: %d: %s", rc, output);
	for (i = 0; i < 2 + NAMED_MAPS; i++) {
		snprintf(words, sizeof(words), "IOVA 0x%llx: ",
			 i < 2 ? LOOSE_IOVA + (i + 1) * 0x100000 :
				 LOOSE_IOVA + (i - 2) * GUEST_PAGE);
		tally_one(lines_of(output, words) == 1, true, "%s: %s", words,
			  output);
	}
	tally_one(lines_of(output, "more of its maps may stand in the way") == 1,
		  false, "that there is more: %s", output);
	for (i = 0; i < ORPHANS; i++) {
		snprintf(words, sizeof(words),
			 "HWPT %u: the device it was allocated with is gone", orphan[i]);
		tally_one(lines_of(output, words) == 1, true, "%s: %s", words,
			  output);
	}
	snprintf(words, sizeof(words), "object %u is ", id);
	tally_one(lines_of(output, words) == 1 &&
		  lines_of(output, " a fault queue,") == 1, false,
		  "the fault queue: %s", output);
	rc = kexec(output, true, "--iommu-handover");
	tally_one(rc && lines_of(output, "iommu-handover: refused: ") == 1, true,
		  "a load that seals names more than one: %s", output);
	close(other_session);
	close(other);
	close(fault);
	for (i = 0; i < ORPHANS; i++)
		must(iommufd_destroy(fd, orphan[i]));
	for (i = 1; i <= 2; i++)
		must(ioas_unmap(fd, note->ioas, LOOSE_IOVA + i * 0x100000,
				GUEST_PAGE, NULL));
}

static void check_freezes_nothing(void)
{
	char output[OUTPUT_LEN], words[64];
	struct memory loose;
	int rc;

	must(memory_create(&loose, "loose", GUEST_PAGE));
	rc = kexec(output, true, "--iommu-handover=check");
	tally_one(!rc && loaded() && handover_state_is("open") && changes(),
		  false, "check that passes: %d: %s", rc, output);
	rc = kexec(output, false, NULL);
	tally_one(rc && strstr(output, "nothing is sealed") && changes(), false,
		  "jump without a seal: %d: %s", rc, output);
	must(map(fd, note->ioas, &loose, 0, GUEST_PAGE, LOOSE_IOVA));
	rc = kexec(output, false, "--iommu-handover");
	snprintf(words, sizeof(words), "IOVA 0x%llx: ", LOOSE_IOVA);
	tally_one(rc && strstr(output, words) && handover_state_is("open") &&
		  loaded() && changes(), false,
		  "jump with a map too many: %d: %s", rc, output);
	must(ioas_unmap(fd, note->ioas, LOOSE_IOVA, GUEST_PAGE, NULL));
	rc = kexec(output, true, "--iommu-handover=chekc");
	tally_one(rc && strstr(output, "only check or seal, and continuous, are known"), true,
		  "another word: %d: %s", rc, output);
	unload_kernel();
}

/* ---- the seal of a loaded kernel ------------------------------------------- */

#define SAVED		"/run/late-seal.iho"
#define SAVED_LEN	65536

/* After a check, what it saved is what SEAL takes. */
static int seal_now(char sentence[SENTENCE_LEN])
{
	static char image[SAVED_LEN];
	int device = must(handover_open()), file, rc;
	ssize_t len;

	file = must(open(SAVED, O_RDONLY | O_CLOEXEC));
	len = read(file, image, sizeof(image));
	check(len > 0 && len < SAVED_LEN, "%s: %zd bytes", SAVED, len);
	close(file);
	rc = handover_seal_loaded(device, handover_number("generation"), image,
				  len, sentence);
	close(device);
	return rc;
}

static void load_checked(void)
{
	char output[OUTPUT_LEN];

	check(!kexec_saving(output, true, "--iommu-handover=check",
			    "--iommu-handover-save=" SAVED),
	      "check: %s", output);
}

static bool is_sealed(void)
{
	struct iommu_handover_query state;
	char sentence[SENTENCE_LEN];
	int device = must(handover_open());

	must(handover_query(device, &state, sentence));
	close(device);
	return state.state == IOMMU_HANDOVER_SEALED && state.loaded &&
	       !changes();
}

static void adopted(void)
{
	char output[OUTPUT_LEN], sentence[SENTENCE_LEN];
	int device = must(handover_open()), rc;

	load_checked();
	unload_kernel();
	rc = seal_now(sentence);
	tally_one(rc == -ENOEXEC && strstr(sentence, "no kernel is loaded") &&
		  changes(), false, "SEAL for no kernel: %s: %s", strerror(-rc),
		  sentence);

	load_checked();
	rc = seal_now(sentence);
	tally_one(!rc && is_sealed(), true, "SEAL for the loaded kernel: %s: %s",
		  strerror(-rc), sentence);
	unload_kernel();
	tally_one(!loaded() && changes(), true, "-u leaves something frozen");

	load_checked();
	check(!seal_now(sentence) && is_sealed(), "SEAL: %s", sentence);
	must(handover_unseal(device));
	rc = kexec(output, false, NULL);
	tally_one(rc && strstr(output, "nothing is sealed") && loaded() &&
		  changes(), false, "a jump after UNSEAL: %d: %s", rc, output);
	load_checked();
	rc = seal_now(sentence);
	tally_one(!rc && is_sealed(), true, "SEAL once more: %s: %s",
		  strerror(-rc), sentence);
	/* As it is with every kernel that is loaded under a seal */
	rc = kexec(output, true, NULL);
	tally_one(!rc && is_sealed(), true, "another kernel for it: %d: %s", rc,
		  output);
	unload_kernel();
	close(device);
}

/* Another process of the VMM, which goes on while kexec loads. */
static void map_more(void)
{
	while (access("/run/map-more", F_OK))
		sleep_ms(20);
	must(map(fd, note->ioas, &mem, late_off(note->late), GUEST_PAGE,
		 late_iova(note->late)));
	note->late++;
	check(!close(must(open("/run/mapped", O_CREAT | O_WRONLY, 0600))),
	      "/run/mapped: %s", strerror(errno));
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	unsigned int stage = argc > 1 ? atoi(argv[1]) : 0;

	background();
	if (stage)
		come_back(stage);
	else
		build();
	look();
	session = must(luo_create(SESSION));
	must(luo_preserve(session, mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, fd, TOKEN_IOMMUFD));
	if (!stage) {
		check_names_all();
		check_freezes_nothing();
		adopted();
		tally_end(&note->sum);
	}
	if (!must(fork()))
		map_more();
	background_ready();
}

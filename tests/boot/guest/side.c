// SPDX-License-Identifier: GPL-2.0-only
#include <sys/klog.h>

#include "side.h"

int handover;

/* ---- thin calls ---------------------------------------------------------- */

int call(int fd, unsigned long request, void *cmd)
{
	int ret = ioctl(fd, request, cmd);

	return ret < 0 ? -errno : ret;
}

int map_user(int fd, uint32_t ioas, void *va, uint64_t len, uint64_t iova)
{
	return ioas_map(fd, ioas, va, len, &iova,
			IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

int map_fixed(int fd, uint32_t ioas, int memfd, uint64_t offset, uint64_t len,
	      uint64_t iova)
{
	return ioas_map_file(fd, ioas, memfd, offset, len, &iova,
			     IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA);
}

int fault_queue(int fd, uint32_t *id, int *queue)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	int err = call(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	*id = cmd.out_fault_id;
	*queue = cmd.out_fault_fd;
	return err;
}

void *map_shared(int memfd, uint64_t offset, uint64_t len)
{
	void *va = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, memfd,
			offset);

	check(va != MAP_FAILED, "mmap: %s", strerror(errno));
	return va;
}

int plain_memfd(unsigned int flags, uint64_t len)
{
	int fd = memfd_create("refusals", MFD_CLOEXEC | flags);

	check(fd >= 0 && !ftruncate(fd, len), "memfd: %s", strerror(errno));
	return fd;
}

/* ---- what a refusal has to be -------------------------------------------- */

const char *missing(const char *text, va_list words)
{
	const char *word;

	while ((word = va_arg(words, const char *)))
		if (!strstr(text, word))
			return word;
	return NULL;
}

const char *text_of(const char *fmt, uint64_t value)
{
	static char text[8][64];
	static unsigned int next;
	char *p = text[next++ % 8];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(p, sizeof(text[0]), fmt, LL(value));
#pragma GCC diagnostic pop
	return p;
}

bool notes_are(struct notes *notes, int err, const char *sentence)
{
	struct iommu_handover_query cmd;

	handover_attr("last_refusal", notes->sysfs);
	must(handover_query(handover, &cmd, notes->query));
	notes->err = cmd.refusal_errno;
	notes->state = cmd.state;
	return !strcmp(notes->sysfs, sentence) &&
	       !strcmp(notes->query, sentence) && notes->err == (uint32_t)err;
}

bool noted(int err, const char *sentence)
{
	struct notes notes;

	if (notes_are(&notes, err, sentence))
		return true;
	say("  sysfs: %s", notes.sysfs);
	say("  QUERY: %u, %s", notes.err, notes.query);
	return false;
}

/* Does kexec(8) fail, say why, and leave nothing behind? */
static bool loader_refuses(const char *sentence)
{
	char output[OUTPUT_LEN], loaded[16];
	int status = load_kernel(output, true, NULL);

	read_line("/sys/kernel/kexec_loaded", loaded, sizeof(loaded));
	if (status && strstr(output, sentence) && loaded[0] == '0' &&
	    !handover_state_is("sealed"))
		return true;
	say("  kexec -l: %d: %s", status, output);
	if (!status)
		unload_kernel();
	return false;
}

void want_refused(const char *what, int err, ...)
{
	char sentence[SENTENCE_LEN];
	const char *word;
	va_list words;
	int got;

	got = handover_snapshot(handover, sentence, NULL);
	va_start(words, err);
	word = missing(sentence, words);
	va_end(words);
	if (word)
		say("  \"%s\" is not said", word);
	tally_one(got == -err && !word && noted(err, sentence) &&
		  loader_refuses(sentence), false, "%s: %s: %s", what,
		  got ? strerror(-got) : "success", sentence);
}

void want_seal_refused(const char *what, int err, ...)
{
	char sentence[SENTENCE_LEN], output[OUTPUT_LEN];
	struct iommu_handover_query cmd;
	int status, snapshot;
	const char *word;
	va_list words;

	snapshot = handover_snapshot(handover, sentence, NULL);
	status = load_kernel(output, true, NULL);
	must(handover_query(handover, &cmd, sentence));
	va_start(words, err);
	word = missing(sentence, words);
	va_end(words);
	if (word)
		say("  \"%s\" is not said", word);
	if (!tally_one(!snapshot && status && !word &&
		       cmd.refusal_errno == (uint32_t)err &&
		       noted(err, sentence) && strstr(output, sentence) &&
		       cmd.state == IOMMU_HANDOVER_OPEN, false, "%s: %s: %s",
		       what, strerror(cmd.refusal_errno), sentence))
		say("  snapshot %d, kexec -l %d: %s", snapshot, status, output);
	if (!status)
		unload_kernel();
}

void want_fine(const char *what)
{
	char sentence[SENTENCE_LEN];
	int err = handover_snapshot(handover, sentence, NULL);

	check(!err, "%s undone, still no snapshot: %s: %s", what,
	      strerror(-err), sentence);
}

void want_errno(const char *what, int err, int got)
{
	tally_one(got == -err, false, "%s: %s", what,
		  got < 0 ? strerror(-got) : "success");
}

void forget_refusal(void)
{
	char sentence[SENTENCE_LEN];

	must_fail(EBADMSG, handover_seal(handover, 0, NULL, 1, sentence));
}

void want_no_jump(const char *what, int err, const char *words)
{
	char sentence[SENTENCE_LEN], output[OUTPUT_LEN];
	int got, status;

	forget_refusal();
	got = jump();
	handover_attr("last_refusal", sentence);
	tally_one(got == -err && strstr(sentence, words) &&
		  noted(err, sentence), false, "a jump %s: %s: %s", what,
		  strerror(-got), sentence);
	forget_refusal();
	status = exec_kernel(output);
	if (!tally_one(status == EXEC_REFUSED && strstr(output, sentence) &&
		       noted(err, sentence), false,
		       "kexec -e %s: exits with %d and says so", what, status))
		say("  kexec -e: %s", output);
}

void want_not_loaded(const char *what)
{
	char output[OUTPUT_LEN];
	int got = jump(), status = exec_kernel(output);

	output[strcspn(output, "\n")] = '\0';
	tally_one(got == -EINVAL && status == EXEC_NOTHING_LOADED &&
		  strstr(output, "Nothing has been loaded"), false,
		  "kexec -e after %s: %s, exits with %d: %s", what,
		  strerror(-got), status, output);
}

/* ---- side ---------------------------------------------------------------- */

void side_open(struct side *s)
{
	memset(s, 0, sizeof(*s));
	s->dev = -1;
	must(memory_create(&s->mem, "side", SIDE_PAGES * GUEST_PAGE));
	memset(s->mem.va, 0x5a, s->mem.len);
	s->fd = must(iommufd_open());
	must(ioas_alloc(s->fd, &s->ioas));
	must(map_fixed(s->fd, s->ioas, s->mem.fd, 0, 4 * GUEST_PAGE,
		       SIDE_IOVA));
	s->session = must(luo_create("side"));
	must(luo_preserve(s->session, s->mem.fd, TOKEN_MEMORY));
	must(luo_preserve(s->session, s->fd, TOKEN_IOMMUFD));
	want_fine("nothing");
}

void nic_bdf(unsigned int nth, char bdf[PCI_BDF_LEN])
{
	must(pci_find(IGB_VENDOR, IGB_DEVICE, nth, bdf));
	must(vfio_claim(bdf));
}

void side_bind(struct side *s)
{
	nic_bdf(1, s->bdf);
	s->dev = must(vfio_open(s->bdf));
	must(vfio_bind(s->dev, s->fd, &s->dev_id));
}

void side_attach(struct side *s)
{
	uint32_t pt = s->ioas;

	must(vfio_attach(s->dev, &pt));
}

void side_close(struct side *s)
{
	if (s->session >= 0)
		close(s->session);
	if (s->dev >= 0)
		close(s->dev);
	close(s->fd);
	munmap(s->mem.va, s->mem.len);
	close(s->mem.fd);
}

void side_unmap(struct side *s, const char *what)
{
	must(ioas_unmap(s->fd, s->ioas, CASE_IOVA, s->mem.len, NULL));
	want_fine(what);
}

/* ---- sealed -------------------------------------------------------------- */

void seal(void)
{
	char output[OUTPUT_LEN];

	check(!load_kernel(output, true, NULL), "kexec -l: %s", output);
	check(handover_state_is("sealed") && handover_number("loaded") == 1,
	      "kexec -l went well and nothing is sealed");
}

const char *log_tail(void)
{
	static char log[1 << 16];
	int n = klogctl(3 /* read the end of it */, log, sizeof(log) - 1);

	check(n >= 0, "klogctl: %s", strerror(errno));
	log[n] = '\0';
	return log;
}

const char *undone_by(void)
{
	const char *last = "nothing", *p = log_tail();

	for (; (p = strstr(p, "iommu-handover: seal")); p++) {
		if (!strncmp(p, "iommu-handover: sealed", 22))
			last = "nothing";
		else
			last = p + strlen("iommu-handover: seal undone: ");
	}
	return last;
}

/* A close is nobody's wish to undo the seal, so it is noted. */
static bool close_noted(const char *reason)
{
	size_t len = strlen(reason), closed = strlen("closed");
	const char *rest = strstr(reason, ": ");
	char sentence[2 * SENTENCE_LEN];

	if (!rest || len < closed || strcmp(reason + len - closed, "closed"))
		return true;
	snprintf(sentence, sizeof(sentence),
		 "%.*s: the seal was undone: %s; load again",
		 (int)(rest - reason), reason, rest + 2);
	return noted(EBUSY, sentence);
}

void want_undone(const char *what, const char *why)
{
	char now[SENTENCE_LEN], reason[SENTENCE_LEN], words[2 * SENTENCE_LEN];

	snprintf(reason, sizeof(reason), "%s", undone_by());
	reason[strcspn(reason, "\n")] = '\0';
	handover_attr("state", now);
	tally_one(!strcmp(now, "open") &&
		  !strncmp(reason, why, strlen(why)) && close_noted(reason),
		  false, "%s: %s, undone by: %s", what, now, reason);
	snprintf(words, sizeof(words),
		 " preserved iommufd: nothing is sealed; the last seal was undone (%s); load with kexec -s -l --iommu-handover, or jump with kexec -e --iommu-handover",
		 reason);
	want_no_jump(what, EBUSY, words);
	unload_kernel();
}

/* ---- beside what goes through -------------------------------------------- */

/* What crosses was refused itself, with a map that went again. */
static void repaired(struct ctx *ctx)
{
	uint32_t ioas = ctx->want->ioas[0].id;
	struct memory other;

	want_fine("nothing");
	must(memory_create(&other, "foreign", GUEST_PAGE));
	must(map_fixed(ctx->fd, ioas, other.fd, 0, GUEST_PAGE, CASE_IOVA));
	want_refused("what crosses, with a map of a foreign memfd", EOPNOTSUPP,
		     TOKEN(CARRY_TOKEN_IOMMUFD), IOAS(ioas), IOVA(CASE_IOVA),
		     "not preserved in this session", NULL);
	must(ioas_unmap(ctx->fd, ioas, CASE_IOVA, GUEST_PAGE, NULL));
	want_fine("a foreign memfd");
	munmap(other.va, other.len);
	close(other.fd);
}

void side_end(struct carry *carry)
{
	carry_verify(carry);
	carry_hand_over(carry);
	repaired(&carry->ctx[0]);
	carry_verify(carry);
	if (carry->state->kexecs) {
		seal();
		unload_kernel();
	}
	tally_end(&carry->state->sum);
	close(handover);
	background_ready();
}

void side_main(int argc, char **argv, unsigned int nics, void (*cases)(void))
{
	unsigned int nr = carry_stage(argc, argv);
	struct carry carry;

	handover = must(handover_open());
	if (nr)
		carry_take_back(&carry, "main", nr);
	else
		carry_build(&carry, "main", nics);
	cases();
	side_end(&carry);
}

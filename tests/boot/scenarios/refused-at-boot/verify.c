// SPDX-License-Identifier: GPL-2.0-only
/* After each kexec: was the image refused, with the reason of its case? */
#include <sys/klog.h>

#include "boot.h"

#define CASES		"/scenario/cases"

struct kase {
	char what[32];
	char begins[96];
	char ends[96];
};

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

/* The control: an image that nobody has touched. */
static void accepted(int session, struct memory *mem)
{
	char state[SENTENCE_LEN], reason[SENTENCE_LEN];
	uint32_t id;
	int dev;

	handover_attr("incoming/state", state);
	handover_attr("incoming/reason", reason);
	check(!strcmp(state, "accepted") && !reason[0], "%s: %s", state,
	      reason);
	must(luo_restore(session, TOKEN_IOMMUFD));
	dev = open_device();
	must(vfio_bind(dev, luo_restore(session, TOKEN_IOMMUFD), &id));
	copy_page(dev, mem);
	must(luo_finish(session));
	close(session);
	close(dev);
}

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	struct memory mem;
	struct note *note;
	struct kase k;
	int session;

	check(nr, "usage: verify NUMBER");
	background();
	read_case(nr, &k);
	session = must(luo_retrieve(SESSION));
	if (strcmp(k.what, "nothing"))
		refused(&k, session);
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	note = mem.va;
	check(note->kexec == nr, "the memory is of kexec %u", note->kexec);
	if (strcmp(k.what, "nothing")) {
		must(luo_finish(session));
		close(session);
		tally_end(&note->sum);
	} else {
		accepted(session, &mem);
	}
	hand_over(&mem, nr + 1);
}

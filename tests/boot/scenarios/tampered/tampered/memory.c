// SPDX-License-Identifier: GPL-2.0-only
/* Memory that runs out at each allocation of SNAPSHOT and of SEAL. */
#include <sys/resource.h>

#include "starve.h"
#include "tampered.h"

#define KHO_SUBTREE	"/sys/kernel/debug/kho/out/sub_fdts/iommu-handover"

/* What is taken away at a time, in pipes of this size, and what is left. */
#define PIPE_LEN	(1u << 20)
#define PIPES		32
#define PIPES_MAX	1024
#define LEAVE_KIB	(128ULL << 10)

/* What one node of KHO's tree covers, of pages of one size. */
#define KHO_NODE_SHIFT	27

/* Passes over the allocations of a call until each step has failed. */
#define PASSES		50

/* Times that each allocation fails where a table lies as the first. */
#define REPEATS		8

enum call { SNAPSHOT, SEAL };

static const char *const call_names[] = { "SNAPSHOT", "SEAL" };

enum mode { ONE, ALL, ALL_PAGES };

static const char *const mode_names[] = {
	[ONE] = "one", [ALL] = "one and all after it",
	[ALL_PAGES] = "a page and all after it",
};

/*
 * Every step of SNAPSHOT and of SEAL that can be out of memory. SEAL takes a
 * snapshot of its own, so its list is all of this.
 *
 * One is not here: "KHO does not take the envelope". The entry is written into
 * a page that KHO has from the start and no memory is asked for; the entry in
 * debugfs, for which some is, may be missing.
 */
static struct {
	const char *words;
	const char *then;	/* after a number */
	bool seal_only;
	bool seen[2];
} steps[] = {
	{ .words = "out of memory for a seal", .seal_only = true },
	{ .words = " cannot be copied to preserved memory: error -12",
	  .seal_only = true },
	{ .words = "out of memory for iommufds" },
	{ .words = "out of memory for mapped memfds" },
	{ .words = "out of memory for HWPTs" },
	{ .words = "out of memory for IOMMU units" },
	{ .words = "out of memory for devices" },
	{ .words = "out of memory for domain IDs" },
	{ .words = "out of memory to order the facts" },
	{ .words = ": out of memory" },		/* allowed ranges of an IOAS */
	{ .words = "out of memory for share groups" },
	{ .words = "out of memory for a snapshot of " },
	{ .words = "out of memory to check the page tables",
	  .seal_only = true },
	{ .words = "out of memory for ", .then = " page tables",
	  .seal_only = true },
	{ .words = "page tables cannot be preserved: error -12",
	  .seal_only = true },
	{ .words = "the envelope cannot be preserved", .seal_only = true },
};

/* That page tables cannot be preserved: for starve_tables(). */
#define STEP_TABLES	14

/* Nothing is mapped there. */
#define NOTHING_IOVA	0x7000000000ULL

static uint8_t snapshot[1 << 18], reference[1 << 18];
static bool held;	/* the last snapshot holds, as nothing has changed */
static struct starve starve;

/* Return: the length of a snapshot in @data, or a negative errno. */
static int64_t take_snapshot(uint8_t *data, size_t len,
			     char sentence[SENTENCE_LEN])
{
	struct iommu_handover_snapshot cmd = {
		.size = sizeof(cmd),
		.data_uptr = (uintptr_t)data,
		.data_len = len,
		.message_uptr = (uintptr_t)sentence,
		.message_len = SENTENCE_LEN,
	};

	sentence[0] = '\0';
	if (ioctl(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd) < 0)
		return -errno;
	return cmd.data_len;
}

static int do_call(enum call call, char sentence[SENTENCE_LEN])
{
	int64_t len;

	if (call == SEAL)
		return handover_seal(handover, generation, good.b, good.len,
				     sentence);
	len = take_snapshot(snapshot, sizeof(snapshot), sentence);
	return len < 0 ? len : 0;
}

/* Whether exactly one step of @call says this, which is noted. */
static bool is_step(enum call call, const char *sentence)
{
	unsigned int i, found = 0;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		const char *at = strstr(sentence, steps[i].words);

		if (!at || (steps[i].then && !strstr(at, steps[i].then)))
			continue;
		steps[i].seen[call] = true;
		found += call == SEAL || !steps[i].seal_only;
	}
	return found == 1;
}

/* Have all steps of @call said it that need no new place for a table? */
static bool all_seen(enum call call)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (i != STEP_TABLES && !steps[i].seen[call] &&
		    (call == SEAL || !steps[i].seal_only))
			return false;
	return true;
}

/* A snapshot is what it was, but for its generation, and KHO has nothing of ours. */
static bool nothing_left(int64_t len)
{
	const size_t skip = offsetof(struct iho_snap_header, release);
	char sentence[SENTENCE_LEN];

	return take_snapshot(snapshot, sizeof(snapshot), sentence) == len &&
	       !memcmp(snapshot + skip, reference + skip, len - skip) &&
	       access(KHO_SUBTREE, F_OK) < 0;
}

/* What the last snapshot has found does no longer do for the next call. */
static void move_generation(void)
{
	must_fail(ENOENT, ioas_unmap(ctx[0].fd, ctx[0].want->ioas[0].id,
				     NOTHING_IOVA, GUEST_PAGE, NULL));
	stamp_generation();
}

/* SEAL takes the image again, with the generation that follows. */
static void seal_again(void)
{
	char sentence[SENTENCE_LEN];
	int err = handover_seal(handover, generation, good.b, good.len,
				sentence);

	check(!err, "SEAL with memory again: %s: %s", strerror(-err), sentence);
	check(!access(KHO_SUBTREE, F_OK), "KHO has nothing of the seal");
	must(handover_unseal(handover));
	stamp_generation();
}

/* What came of calls that were starved. */
struct starved {
	unsigned int failed;
	unsigned int without;	/* did without what they did not get */
};

/*
 * Let the @nth allocation of a call fail. Return: whether there is one.
 * @seal_after: demand that SEAL succeeds after a failure
 */
static bool starve_one(enum call call, enum mode mode, unsigned int nth,
		       bool seal_after, struct starved *count)
{
	char sentence[SENTENCE_LEN];
	bool reached;
	int64_t len;
	int err;

	len = take_snapshot(reference, sizeof(reference), sentence);
	check(len > 0, "SNAPSHOT with memory: %s: %s", strerror(-len),
	      sentence);
	if (!held)
		move_generation();
	starve_begin(&starve, nth, mode != ONE);
	err = -do_call(call, sentence);
	reached = !starve_end(&starve);
	check(reached || !err, "%s with memory: %s: %s", call_names[call],
	      strerror(err), sentence);
	if (!err) {
		count->without += reached;
		if (call == SEAL) {
			must(handover_unseal(handover));
			stamp_generation();
		}
		return reached;
	}
	count->failed++;
	tally_one(err == ENOMEM && is_step(call, sentence) &&
		  noted_unsealed(err, sentence) && nothing_left(len), true,
		  "%s without %s, number %u: %s: %s", call_names[call],
		  mode_names[mode], nth, strerror(err), sentence);
	if (seal_after)
		seal_again();
	return true;
}

/*
 * Let each allocation of a call fail, from the first to the last. How many
 * small ones take a page changes from call to call, so a step may be missed.
 * @repeats: how often each; with more than one, a step that fails but the first
 *	time it is done, because what it gets it keeps, is hardly ever missed
 * @seal_after: demand that SEAL succeeds after each failure
 */
static void starve_call(enum call call, enum mode mode, unsigned int repeats,
			bool seal_after)
{
	struct starved count = { 0 };
	bool reached = true;
	unsigned int nth, i;

	starve_set("failslab/ignore-gfp-wait", mode == ALL_PAGES ? "Y" : "N");
	for (nth = 1; reached; nth++)
		for (i = 0, reached = false; i < repeats; i++)
			reached |= starve_one(call, mode, nth, seal_after,
					      &count);
	say("%s without %s: %u allocations, %u failed, %u not needed",
	    call_names[call], mode_names[mode], nth - 2, count.failed,
	    count.without);
	/* One that fails alone may always have another to take its place. */
	check(count.failed || mode == ONE, "%s does not mind what fails",
	      call_names[call]);
}

/* An explicit HWPT, which no device is attached to. */
static uint32_t spare_hwpt(uint32_t *ioas)
{
	const struct want *want = ctx[0].want;
	uint32_t i;

	for (i = 0; i < want->hwpt_nr; i++) {
		if (want->hwpt[i].automatic)
			continue;
		*ioas = want->hwpt[i].ioas;
		return want->hwpt[i].id;
	}
	check(false, "no explicit HWPT");
}

/* Root address of @hwpt's table, and its number among the tables. */
static uint64_t live_root(uint32_t hwpt, uint32_t *index)
{
	char sentence[SENTENCE_LEN];
	struct iho_snap_header hdr;
	struct iho_table table;
	const uint8_t *p;
	uint32_t i;

	check(take_snapshot(snapshot, sizeof(snapshot), sentence) > 0,
	      "SNAPSHOT: %s", sentence);
	memcpy(&hdr, snapshot, sizeof(hdr));
	p = snapshot + sizeof(hdr) + hdr.memories * hdr.memory_len +
	    hdr.units * hdr.unit_len;
	for (i = 0; i < hdr.tables; i++, p += hdr.table_len) {
		memcpy(&table, p, sizeof(table));
		if (!table.context && table.hwpt_id == hwpt) {
			*index = i;
			return table.root_pa;
		}
	}
	check(false, "HWPT %u has no table", hwpt);
}

/*
 * Take memory away that the kernel does not move, as page tables are of. A pipe
 * is a ring of such pages.
 */
static void eat(int pipes[PIPES_MAX][2], uint32_t *nr)
{
	static uint8_t full[PIPE_LEN];
	uint32_t end = *nr + PIPES;

	for (; *nr < end; ++*nr) {
		int *fds = pipes[*nr];

		must(pipe2(fds, O_CLOEXEC) ? -errno : 0);
		must(fcntl(fds[1], F_SETPIPE_SZ, PIPE_LEN) < 0 ? -errno : 0);
		check(write(fds[1], full, PIPE_LEN) == PIPE_LEN, "a pipe: %s",
		      strerror(errno));
	}
}

/*
 * Make the spare HWPT again, elsewhere in memory, and note that in the image.
 * The pages that it had are the first that are eaten.
 */
static uint64_t move_table(int pipes[PIPES_MAX][2], uint32_t *nr)
{
	uint32_t hwpt, ioas, index;
	char node[32];
	uint64_t pa;

	hwpt = spare_hwpt(&ioas);
	ctx_destroy(&ctx[0], hwpt);
	eat(pipes, nr);
	check(ctx_hwpt(&ctx[0], 0, ioas) == hwpt, "the HWPT has another ID");
	pa = live_root(hwpt, &index);
	snprintf(node, sizeof(node), "table-%u", index);
	put64(good.b + image_prop(props, nr_props, node, "root-pa")->off, pa);
	stamp_generation();
	return pa;
}

/* What is free for pages that the kernel does not move. */
static uint64_t unmovable_kib(void)
{
	unsigned long long all = 0, cma = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	check(f, "/proc/meminfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "MemFree: %llu kB", &all);
		sscanf(line, "CmaFree: %llu kB", &cma);
	}
	fclose(f);
	return all - cma;
}

/*
 * KHO notes pages in nodes of its tree, each of them for 128 MiB, and keeps
 * those: where a table page was preserved once it needs no memory for another.
 * So take memory away until a table comes to lie where none was.
 */
static void starve_tables(void)
{
	const struct rlimit files = { 4 * PIPES_MAX, 4 * PIPES_MAX };
	static int pipes[PIPES_MAX][2];
	uint64_t been = 0, node;
	uint32_t nr = 0;

	must(setrlimit(RLIMIT_NOFILE, &files) ? -errno : 0);
	while (!steps[STEP_TABLES].seen[SEAL] && nr + PIPES <= PIPES_MAX &&
	       unmovable_kib() > LEAVE_KIB) {
		node = move_table(pipes, &nr) >> KHO_NODE_SHIFT;
		if (been & 1ULL << node % 64)
			continue;
		been |= 1ULL << node % 64;
		/* A SEAL with memory would be the first there. */
		starve_call(SEAL, ALL_PAGES, REPEATS, false);
		seal_again();
	}
	say("%u MiB were eaten to move a table to %d places, %llu MiB are left",
	    nr, __builtin_popcountll(been),
	    (unsigned long long)unmovable_kib() >> 10);
	while (nr--) {
		close(pipes[nr][0]);
		close(pipes[nr][1]);
	}
}

void try_memory(void)
{
	unsigned int i, call, pass;

	check(!strcmp(steps[STEP_TABLES].words,
		      "page tables cannot be preserved: error -12"), "a step");
	starve_open(&starve);
	for (call = SNAPSHOT; call <= SEAL; call++) {
		starve_call(call, ONE, 1, true);
		for (pass = 0; !pass || (pass < PASSES && !all_seen(call));
		     pass++)
			starve_call(call, ALL, 1, true);
	}
	/* Less can fail then */
	held = true;
	for (call = SNAPSHOT; call <= SEAL; call++)
		starve_call(call, ALL, 1, true);
	held = false;
	starve_tables();
	starve_close(&starve);
	for (call = SNAPSHOT; call <= SEAL; call++)
		for (i = 0; i < ARRAY_SIZE(steps); i++)
			if (call == SEAL || !steps[i].seal_only)
				tally_one(steps[i].seen[call], true,
					  "%s was never \"%s%s\"",
					  call_names[call], steps[i].words,
					  steps[i].then ? steps[i].then : "");
}

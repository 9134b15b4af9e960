// SPDX-License-Identifier: GPL-2.0-only
/* Memory that runs out at each allocation of SNAPSHOT and of SEAL. */
#include "starve.h"
#include "tampered.h"

#define KHO_SUBTREE	"/sys/kernel/debug/kho/out/sub_fdts/iommu-handover"

/* HANDOVER_DISTURB_TABLES of kernel/drivers/drivers.h */
#define DISTURB		"/sys/kernel/debug/iommu_handover/disturb"
#define TABLES		"0x2000"

/* Passes over the allocations of a call until each step has failed. */
#define PASSES		50

enum call { SNAPSHOT, SEAL };

static const char *const call_names[] = { "SNAPSHOT", "SEAL" };

enum mode { ONE, ALL };

static const char *const mode_names[] = {
	[ONE] = "one", [ALL] = "one and all after it",
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

/* That page tables cannot be preserved: see refuse_tables(). */
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

/* Have all steps of @call said it but the one of refuse_tables()? */
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
 * @seal_after: demand that SEAL succeeds after each failure
 */
static void starve_call(enum call call, enum mode mode, bool seal_after)
{
	struct starved count = { 0 };
	unsigned int nth;

	for (nth = 1; starve_one(call, mode, nth, seal_after, &count); nth++)
		;
	say("%s without %s: %u allocations, %u failed, %u not needed",
	    call_names[call], mode_names[mode], nth - 1, count.failed,
	    count.without);
	/* One that fails alone may always have another to take its place. */
	check(count.failed || mode == ONE, "%s does not mind what fails",
	      call_names[call]);
}

/*
 * KHO notes pages in nodes of its tree, each of them for 128 MiB, and keeps those:
 * whether it needs memory for a table page depends on where others have lain. So it
 * is the kernel that fails, once a page of a table is preserved.
 */
static void refuse_tables(void)
{
	char sentence[SENTENCE_LEN];
	int64_t len;
	int err;

	len = take_snapshot(reference, sizeof(reference), sentence);
	check(len > 0, "SNAPSHOT with memory: %s: %s", strerror(-len),
	      sentence);
	must(write_text(DISTURB, TABLES));
	err = -do_call(SEAL, sentence);
	must(write_text(DISTURB, "0"));
	tally_one(err == ENOMEM && is_step(SEAL, sentence) &&
		  steps[STEP_TABLES].seen[SEAL] &&
		  noted_unsealed(err, sentence) && nothing_left(len), true,
		  "SEAL without memory for a page table: %s: %s", strerror(err),
		  sentence);
	seal_again();
}

void try_memory(void)
{
	unsigned int i, call, pass;

	check(!strcmp(steps[STEP_TABLES].words,
		      "page tables cannot be preserved: error -12"), "a step");
	starve_open(&starve);
	for (call = SNAPSHOT; call <= SEAL; call++) {
		starve_call(call, ONE, true);
		for (pass = 0; !pass || (pass < PASSES && !all_seen(call)); pass++)
			starve_call(call, ALL, true);
	}
	/* Less can fail then */
	held = true;
	for (call = SNAPSHOT; call <= SEAL; call++)
		starve_call(call, ALL, true);
	held = false;
	refuse_tables();
	starve_close(&starve);
	for (call = SNAPSHOT; call <= SEAL; call++)
		for (i = 0; i < ARRAY_SIZE(steps); i++)
			if (call == SEAL || !steps[i].seal_only)
				tally_one(steps[i].seen[call], true,
					  "%s was never \"%s%s\"",
					  call_names[call], steps[i].words,
					  steps[i].then ? steps[i].then : "");
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handover that KUnit tests of the replay begin with.
 *
 * Each test puts an image of its own where the last kernel's would be and has
 * it replayed with memfds of its own. replay_init() and replay_exit() are the
 * init and exit of a suite; between them test->priv is the struct replay of the
 * test. It, and what it leads to, lives as long as the test.
 *
 * Functions that are given @test end it when an assertion fails.
 */
#ifndef __IOMMU_HANDOVER_KUNIT_REPLAY_H
#define __IOMMU_HANDOVER_KUNIT_REPLAY_H

#include <linux/liveupdate.h>
#include <linux/mm.h>

#include "../../../kernel/liveupdate/luo_internal.h"
#include "../iommufd/iommufd_private.h"
#include "fixture.h"
#include "incoming.h"

struct cred;
struct kunit;

#define MEMFDS		2
#define MEMFD_PAGES	((WORLD_MEMORY0_LEN + WORLD_MEMORY1_LEN) / PAGE_SIZE)

/**
 * struct usage - what replays take and must give back
 * @files: references to the memfds
 * @folios: references to their folios, pins among them
 * @user: pages charged to the user
 * @locked: pages charged to the mm
 * @pinned: pages pinned in the mm's name
 */
struct usage {
	long files, folios, user, locked, pinned;
};

/**
 * struct replay - a test's handover
 * @w: what is handed over; altered before replay_hand_over()
 * @memfd: its memory
 * @session: has no more than a name
 * @args: of the retrieve
 * @ictx: retrieved, or NULL
 * @extent: where the image lies, in two pieces as in preserved memory
 * @extent_len: bytes
 * @before: usage when the test began
 * @asked: how often LUO was asked for a memfd
 * @fail_ask: which of these fails, from 1; 0 for none
 * @fail_record: record that fails, or IHO_NONE
 * @fail_applied: after it was replayed, not instead
 * @fail_err: with this errno
 * @given_back: inherited page tables that were given back
 */
struct replay {
	struct world *w;
	struct file *memfd[MEMFDS];
	struct luo_session session;
	struct liveupdate_file_op_args args;
	struct iommufd_ctx *ictx;
	void *extent[2];
	size_t extent_len[2];
	struct usage before;
	u32 asked, fail_ask;
	u32 fail_record;
	bool fail_applied;
	int fail_err;
	u32 given_back;
};

/**
 * replay_init() - give a test its struct replay
 * @test: its priv is NULL
 *
 * The memfds are as long as the world says; LUO is replaced by a stub that
 * gives them. The test runs with an mm.
 *
 * Return: 0. The test is skipped, and its priv stays NULL, when the last kernel
 * left an image.
 */
int replay_init(struct kunit *test);

/* Close the iommufd, which an assertion that failed may have left open. */
void replay_exit(struct kunit *test);

/**
 * replay_put_image() - make the world, as it is now, what the last kernel left
 * @test: until it ends
 * @r: its handover
 *
 * The image is accepted. No memfd is pinned yet and no usage measured.
 */
void replay_put_image(struct kunit *test, struct replay *r);

/* LUO gives memfd @i, below MEMFDS, back; it is pinned from then on. */
void replay_luo_gives(struct kunit *test, struct replay *r, int i);

/**
 * replay_hand_over() - do all that comes before the iommufd is retrieved
 * @test: until it ends
 * @r: its image is put and its memfds are pinned; @before is the usage then
 */
void replay_hand_over(struct kunit *test, struct replay *r);

/**
 * replay_retrieve() - retrieve the iommufd
 * @r: handed over; @ictx and @args.file are set on success, until
 *     replay_close(), and NULL else. @asked begins at 0
 *
 * Return: 0, or the errno of handover_retrieve().
 */
int replay_retrieve(struct replay *r);

/* The same, and wait for what a failure puts away in the background. */
int replay_retrieve_flush(struct replay *r);

/* The same as replay_retrieve(), with the credentials @cred. */
int replay_retrieve_as(struct replay *r, const struct cred *cred);

/* Hand over and retrieve; a failure ends the test. */
void replay_must_retrieve(struct kunit *test, struct replay *r);

/* Close the retrieved iommufd and wait for it; nothing when there is none. */
void replay_close(struct replay *r);

/* For KUNIT_CASE_PARAM(): each record of the world, and which one it is. */
const void *replay_record_params(struct kunit *test, const void *prev,
				 char *desc);
u32 replay_param_record(const struct kunit *test);

/**
 * replay_fail_at() - let the replay of a record fail
 * @test: until it ends
 * @r: its handover; while @fail_record is @record
 * @record: its number
 * @err: the errno
 *
 * The record is not replayed, unless @fail_applied says so.
 */
void replay_fail_at(struct kunit *test, struct replay *r, u32 record, int err);

/**
 * replay_give_back() - stub for handover_in_free_tree()
 * @table: stays as it is, since the tables of a test are not preserved memory
 *
 * Counts in @given_back of the current test.
 */
void replay_give_back(const struct iho_table *table);

/**
 * replay_memfd_folio() - the folio of a page of a memfd
 * @test: fails when the page is not there or is part of a large folio
 * @r: its handover
 * @memfd: below MEMFDS
 * @index: of the page
 *
 * Return: the folio, without a reference: the memfd keeps it.
 */
struct folio *replay_memfd_folio(struct kunit *test, const struct replay *r,
				 u32 memfd, pgoff_t index);

/* Write what is in use at this moment to @now. */
void replay_measure(struct kunit *test, const struct replay *r,
		    struct usage *now);

/* Expect that all that was taken since replay_hand_over() was given back. */
void replay_expect_nothing_left(struct kunit *test, const struct replay *r);

/**
 * enum charge - who pays for pinned pages
 * @CHARGE_NOBODY: the task has CAP_IPC_LOCK
 * @CHARGE_USER: the user
 * @CHARGE_MM: the mm, in rlimit mode 1
 */
enum charge {
	CHARGE_NOBODY,
	CHARGE_USER,
	CHARGE_MM,
};

/**
 * struct charge_case - a value of replay_charge_params()
 * @desc: name of the case
 * @charge: who pays
 */
struct charge_case {
	const char *desc;
	enum charge charge;
};

/* For KUNIT_CASE_PARAM(): a struct charge_case for each enum charge. */
const void *replay_charge_params(struct kunit *test, const void *prev,
				 char *desc);

/**
 * replay_credentials() - credentials with which pages are charged so
 * @test: owns them
 * @charge: without CAP_IPC_LOCK unless it is CHARGE_NOBODY
 * @drop: a further capability that they lack, or -1
 *
 * Return: the credentials.
 */
const struct cred *replay_credentials(struct kunit *test, enum charge charge,
				      int drop);

/* Hand over, and retrieve so that pages are charged to @charge: 0 or errno. */
int replay_retrieve_charged(struct kunit *test, struct replay *r,
			    enum charge charge);

/* Expect that @pages more than @r->before are pinned and charged to @charge. */
void replay_expect_pinned(struct kunit *test, const struct replay *r,
			  enum charge charge, long pages);

#endif

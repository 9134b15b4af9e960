// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the KUnit tests of the replay begin with, see replay-fixture.h.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/user.h>
#include <linux/swap.h>

#include "replay-fixture.h"

static int get_memfd(struct luo_session *session, u64 token, struct file **file)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;

	KUNIT_EXPECT_PTR_EQ(test, session, &r->session);
	if (++r->asked == r->fail_ask)
		return r->fail_err;
	for (int i = 0; i < MEMFDS; i++) {
		if (r->w->memory[i].token != token)
			continue;
		*file = get_file(r->memfd[i]);
		return 0;
	}
	return -ENOENT;
}

const void *replay_record_params(struct kunit *test, const void *prev,
				 char *desc)
{
	uintptr_t next = (uintptr_t)prev + 1;

	if (next > WORLD_ALL)
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "record %lu", next - 1);
	return (const void *)next;
}

u32 replay_param_record(const struct kunit *test)
{
	return (uintptr_t)test->param_value - 1;
}

static int apply_or_fail(struct apply *a, const struct iho_step *step)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;
	int rc = 0;

	if (step->record != r->fail_record || r->fail_applied) {
		kunit_deactivate_static_stub(test, handover_apply_step);
		rc = handover_apply_step(a, step);
		kunit_activate_static_stub(test, handover_apply_step, apply_or_fail);
	}
	return rc ?: step->record == r->fail_record ? r->fail_err : 0;
}

void replay_fail_at(struct kunit *test, struct replay *r, u32 record, int err)
{
	kunit_activate_static_stub(test, handover_apply_step, apply_or_fail);
	r->fail_record = record;
	r->fail_err = err;
}

void replay_give_back(const struct iho_table *table)
{
	struct kunit *test = kunit_get_current_test();
	struct replay *r = test->priv;

	r->given_back++;
}

struct folio *replay_memfd_folio(struct kunit *test, const struct replay *r,
				 u32 memfd, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(r->memfd[memfd]->f_mapping,
						index);

	KUNIT_ASSERT_FALSE(test, IS_ERR(folio));
	KUNIT_ASSERT_FALSE(test, folio_test_large(folio));
	/* Both the page cache and the test keep it */
	folio_put(folio);
	return folio;
}

void replay_measure(struct kunit *test, const struct replay *r,
		    struct usage *now)
{
	memset(now, 0, sizeof(*now));
	/* A new folio has a reference more until its CPU puts it on a list */
	lru_add_drain_all();
	for (u32 i = 0; i < MEMFDS; i++) {
		now->files += file_count(r->memfd[i]);
		for (u64 off = 0; off < r->w->memory[i].size; off += PAGE_SIZE) {
			struct folio *folio;

			folio = replay_memfd_folio(test, r, i,
						   off >> PAGE_SHIFT);
			now->folios += folio_ref_count(folio);
		}
	}
	now->user = atomic_long_read(&current_user()->locked_vm);
	now->locked = current->mm->locked_vm;
	now->pinned = atomic64_read(&current->mm->pinned_vm);
}

void replay_expect_nothing_left(struct kunit *test, const struct replay *r)
{
	struct usage now;

	replay_measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.files, r->before.files);
	KUNIT_EXPECT_EQ(test, now.folios, r->before.folios);
	KUNIT_EXPECT_EQ(test, now.user, r->before.user);
	KUNIT_EXPECT_EQ(test, now.locked, r->before.locked);
	KUNIT_EXPECT_EQ(test, now.pinned, r->before.pinned);
}

static void put_memfd(void *file)
{
	__fput_sync(file);
}

static struct file *new_memfd(struct kunit *test, u64 len)
{
	struct file *file = memfd_alloc_file("kunit", 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_memfd,
							   file));
	KUNIT_ASSERT_EQ(test, 0, vfs_fallocate(file, 0, 0, len));
	return file;
}

static void take_image_away(void *priv)
{
	struct replay *r = priv;

	handover_in_forget();
	memset(&handover_in, 0, sizeof(handover_in));
	for (int i = 0; i < 2; i++)
		if (r->extent[i])
			free_pages_exact(r->extent[i], r->extent_len[i]);
}

static void put_extent(struct kunit *test, struct replay *r, int i,
		       const void *from, size_t len)
{
	r->extent_len[i] = len;
	r->extent[i] = alloc_pages_exact(len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r->extent[i]);
	memcpy(r->extent[i], from, len);
	handover_in.pa[i] = virt_to_phys(r->extent[i]);
	handover_in.len[i] = len;
}

void replay_put_image(struct kunit *test, struct replay *r)
{
	struct iho_where where = {};
	struct iho_context c;
	struct iho_image img;
	struct iho_seg seg[2];

	world_build(test, r->w);
	seg[0] = (struct iho_seg){ r->w->image, r->w->image_len };
	KUNIT_ASSERT_EQ_MSG(test, 0, iho_image_open(seg, 1, &img, &where),
			    "%s %s", where.node, where.prop);
	KUNIT_ASSERT_EQ(test, 0, iho_get_context(&img, 0, &c));

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   take_image_away, r));
	put_extent(test, r, 0, r->w->image, c.stream_off);
	put_extent(test, r, 1, r->w->image + c.stream_off,
		   r->w->image_len - c.stream_off);
	handover_in.extents = 2;
	for (int i = 0; i < 2; i++)
		seg[i] = (struct iho_seg){ r->extent[i], r->extent_len[i] };
	KUNIT_ASSERT_EQ(test, 0, iho_image_open(seg, 2, &handover_in.image, &where));
	handover_in.state = HANDOVER_IN_ACCEPTED;
	atomic_set(&handover_in.unfinished, handover_in.image.contexts);
}

void replay_luo_gives(struct kunit *test, struct replay *r, int i)
{
	KUNIT_ASSERT_EQ(test, 0, handover_in_pin(WORLD_SESSION,
						 r->w->memory[i].token,
						 r->memfd[i]));
}

void replay_hand_over(struct kunit *test, struct replay *r)
{
	replay_put_image(test, r);
	for (int i = 0; i < MEMFDS; i++)
		replay_luo_gives(test, r, i);
	replay_measure(test, r, &r->before);
}

int replay_retrieve(struct replay *r)
{
	int rc;

	r->args = (struct liveupdate_file_op_args){
		.session = &r->session,
		.token = WORLD_TOKEN,
	};
	r->ictx = NULL;
	r->asked = 0;
	rc = handover_retrieve(&r->args);
	if (!rc)
		r->ictx = r->args.file->private_data;
	return rc;
}

int replay_retrieve_flush(struct replay *r)
{
	int rc = replay_retrieve(r);

	flush_delayed_fput();
	return rc;
}

void replay_close(struct replay *r)
{
	if (!r->args.file)
		return;
	__fput_sync(r->args.file);
	r->args.file = NULL;
	r->ictx = NULL;
}

void replay_must_retrieve(struct kunit *test, struct replay *r)
{
	replay_hand_over(test, r);
	KUNIT_ASSERT_EQ(test, 0, replay_retrieve(r));
}

static const struct charge_case charge_cases[] = {
	{ "charged to nobody", CHARGE_NOBODY },
	{ "charged to the user", CHARGE_USER },
	{ "charged to the mm", CHARGE_MM },
};

KUNIT_ARRAY_PARAM_DESC(charge, charge_cases, desc);

const void *replay_charge_params(struct kunit *test, const void *prev,
				 char *desc)
{
	return charge_gen_params(test, prev, desc);
}

static void put_credentials(void *cred)
{
	put_cred(cred);
}

const struct cred *replay_credentials(struct kunit *test, enum charge charge,
				      int drop)
{
	struct cred *cred = prepare_creds();

	KUNIT_ASSERT_NOT_NULL(test, cred);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   put_credentials,
							   cred));
	if (charge != CHARGE_NOBODY)
		cap_lower(cred->cap_effective, CAP_IPC_LOCK);
	if (drop >= 0)
		cap_lower(cred->cap_effective, drop);
	return cred;
}

int replay_retrieve_as(struct replay *r, const struct cred *cred)
{
	const struct cred *old = override_creds(cred);
	int rc = replay_retrieve(r);

	revert_creds(old);
	return rc;
}

int replay_retrieve_charged(struct kunit *test, struct replay *r,
			    enum charge charge)
{
	if (charge != CHARGE_MM)
		world_drop(r->w, WORLD_OPTION);
	replay_hand_over(test, r);
	return replay_retrieve_as(r, replay_credentials(test, charge, -1));
}

void replay_expect_pinned(struct kunit *test, const struct replay *r,
			  enum charge charge, long pages)
{
	const struct usage *b = &r->before;
	struct usage now;

	replay_measure(test, r, &now);
	KUNIT_EXPECT_EQ(test, now.folios - b->folios,
			pages * GUP_PIN_COUNTING_BIAS);
	KUNIT_EXPECT_EQ(test, now.pinned - b->pinned, pages);
	KUNIT_EXPECT_EQ(test, now.user - b->user,
			charge == CHARGE_USER ? pages : 0);
	KUNIT_EXPECT_EQ(test, now.locked - b->locked,
			charge == CHARGE_MM ? pages : 0);
}

int replay_init(struct kunit *test)
{
	struct replay *r;

	if (handover_in.state != HANDOVER_IN_NONE) {
		kunit_skip(test, "the last kernel left an image");
		return 0;
	}
	r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, r);
	test->priv = r;
	/* Pages are pinned in the name of an mm */
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	strscpy(r->session.name, WORLD_SESSION);
	r->fail_record = IHO_NONE;
	r->w = world_new(test);
	for (int i = 0; i < MEMFDS; i++)
		r->memfd[i] = new_memfd(test, r->w->memory[i].size);
	kunit_activate_static_stub(test, handover_get_incoming, get_memfd);
	return 0;
}

void replay_exit(struct kunit *test)
{
	if (test->priv)
		replay_close(test->priv);
}

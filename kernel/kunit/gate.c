// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the gate of a kexec, and of what undoes a seal, in states that no
 * program of the boot tests can bring about, or hold.
 */
#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/iommu-handover.h>
#include <linux/kexec.h>
#include <linux/slab.h>

#include "interface.h"
#include "outgoing.h"
#include "replay-fixture.h"

#define COOKIE	0x7777ULL

/**
 * struct at_gate - what the gate is asked about
 * @desc: its name
 * @nr: preserved iommufds
 * @sealed: with COOKIE
 * @copies: images that are being copied
 * @cookie: of the loaded kernel
 * @comes_back: it was loaded with KEXEC_PRESERVE_CONTEXT
 * @undone: why the last seal was undone
 * @sentence: of the refusal; NULL: it may pass
 */
struct at_gate {
	const char *desc;
	u32 nr;
	bool sealed;
	u32 copies;
	u64 cookie;
	bool comes_back;
	const char *undone;
	const char *sentence;
};

static const struct at_gate at_gate[] = {
	{ .desc = "nothing is preserved" },
	{ .desc = "nothing is preserved, and it comes back",
	  .comes_back = true },
	{ .desc = "nothing is preserved any more", .cookie = COOKIE,
	  .sentence = "under a seal that was undone since" },
	{ .desc = "it comes back", .nr = 1, .comes_back = true,
	  .sentence = "the loaded kernel is to come back (KEXEC_PRESERVE_CONTEXT)" },
	{ .desc = "it comes back and is sealed for", .nr = 1, .sealed = true,
	  .cookie = COOKIE, .comes_back = true,
	  .sentence = "the loaded kernel is to come back (KEXEC_PRESERVE_CONTEXT)" },
	{ .desc = "SEAL copies", .nr = 1, .copies = 1,
	  .sentence = "an image is being copied for SEAL" },
	{ .desc = "SEAL copies, and one is sealed", .nr = 1, .sealed = true,
	  .cookie = COOKIE, .copies = 2,
	  .sentence = "an image is being copied for SEAL" },
	{ .desc = "nothing is sealed", .nr = 3,
	  .sentence = "would lose 3 preserved iommufd: nothing is sealed; load" },
	{ .desc = "nothing is sealed any more", .nr = 1, .cookie = COOKIE,
	  .undone = "for a reason",
	  .sentence = "the last seal was undone (for a reason)" },
	{ .desc = "loaded without the seal", .nr = 1, .sealed = true,
	  .sentence = "was not loaded under the seal" },
	{ .desc = "loaded under another seal", .nr = 1, .sealed = true,
	  .cookie = COOKIE + 1, .sentence = "was not loaded under the seal" },
	/* As far as the question whether it reads the image, which has no answer */
	{ .desc = "loaded under the seal", .nr = 1, .sealed = true,
	  .cookie = COOKIE, .sentence = "announces no handover image" },
};

KUNIT_ARRAY_PARAM_DESC(at_gate, at_gate, desc);

static bool in_use(void)
{
	guard(mutex)(&handover_out.lock);
	return handover_out.nr || handover_out.seal || handover_out.copies;
}

static void gate_refuses(struct kunit *test)
{
	const struct at_gate *c = test->param_value;
	struct handover_seal *seal;
	struct kimage *image;
	char said[512] = "";
	int rc;

	if (in_use() || handover_in_unfinished()) {
		kunit_skip(test, "something is handed over");
		return;
	}
	image = kunit_kzalloc(test, sizeof(*image), GFP_KERNEL);
	seal = kunit_kzalloc(test, sizeof(*seal), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, image && seal);
	seal->cookie = COOKIE;
	image->kho.cookie = c->cookie;
	image->preserve_context = c->comes_back;
	scoped_guard(mutex, &handover_out.lock) {
		handover_out.nr = c->nr;
		handover_out.seal = c->sealed ? seal : NULL;
		handover_out.copies = c->copies;
		strscpy(handover_out.undone, c->undone ?: "");
	}
	rc = handover_gate(image);
	handover_last_refusal(said, sizeof(said));
	scoped_guard(mutex, &handover_out.lock) {
		handover_out.nr = 0;
		handover_out.seal = NULL;
		handover_out.copies = 0;
		handover_out.passed = 0;
		*handover_out.undone = '\0';
	}
	KUNIT_EXPECT_EQ(test, rc, c->sentence ? -EBUSY : 0);
	if (c->sentence)
		KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(said, c->sentence), "%s",
					  said);
}

static void drop_device(void *dev)
{
	root_device_unregister(dev);
}

/* The device is bound, and may be sealed, before its token is known. */
static void token_undoes_a_seal(struct kunit *test)
{
	struct handover_ctx ctx = { .token = 7 };
	struct replay *r = test->priv;
	struct iommufd_device *idev;
	struct handover_seal *seal;
	static const char why[] =
		"token 7: device 5 (iommu-handover-kunit) was detached or closed";
	char undone[sizeof(handover_out.undone)];
	struct device *dev;
	bool sealed;

	if (in_use()) {
		kunit_skip(test, "something is handed over");
		return;
	}
	dev = root_device_register("iommu-handover-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(dev));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, drop_device, dev));
	kunit_activate_static_stub(test, handover_in_free_tree,
				   replay_give_back);
	replay_must_retrieve(test, r);
	handover_replay_abandon(r->ictx->handover.replay);
	ctx.ictx = r->ictx;
	ctx.session = &r->session;
	idev = kunit_kzalloc(test, sizeof(*idev), GFP_KERNEL);
	seal = kzalloc_obj(*seal);
	KUNIT_ASSERT_TRUE(test, idev && seal);
	idev->ictx = r->ictx;
	idev->dev = dev;
	idev->obj.id = 5;
	seal->cookie = COOKIE;
	scoped_guard(mutex, &handover_out.lock) {
		list_add(&ctx.list, &handover_out.contexts);
		handover_out.nr = 1;
		handover_out.seal = seal;
		WRITE_ONCE(r->ictx->handover.sealed, true);
	}
	iommufd_handover_device_token(idev);
	scoped_guard(mutex, &handover_out.lock) {
		list_del(&ctx.list);
		handover_out.nr = 0;
		strscpy(undone, handover_out.undone);
		*handover_out.undone = '\0';
		sealed = handover_out.seal;
		if (sealed)
			handover_seal_free(seal);
		handover_out.seal = NULL;
	}
	KUNIT_EXPECT_FALSE(test, sealed);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(r->ictx->handover.sealed));
	WRITE_ONCE(r->ictx->handover.sealed, false);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(idev->handover.token));
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(undone, why), "%s", undone);
}

static struct kunit_case gate_cases[] = {
	KUNIT_CASE_PARAM(gate_refuses, at_gate_gen_params),
	KUNIT_CASE(token_undoes_a_seal),
	{}
};

static struct kunit_suite gate_suite = {
	.name = "iommu_handover_gate",
	.init = replay_init,
	.exit = replay_exit,
	.test_cases = gate_cases,
};

kunit_test_suite(gate_suite);

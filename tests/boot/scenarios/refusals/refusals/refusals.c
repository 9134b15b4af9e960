// SPDX-License-Identifier: GPL-2.0-only
/*
 * refusals NUMBER - NUMBER is 0 before the first kexec
 *
 * A context with one device, "main", goes through the kexecs. Beside it, at
 * every stage, others are made that cannot be handed over, one reason at a
 * time. Each has to give its errno and a sentence that names object, IOVA and
 * reason: from SNAPSHOT or SEAL, in sysfs, from QUERY and from kexec(8). Then
 * the reason is taken away and a snapshot has to succeed.
 */
#include "refusals.h"

struct carry carry;
struct ctx *const ctx = carry.ctx;

static void build(void)
{
	uint32_t ioas, other, dev;

	carry_create(&carry, SESSION);
	carry_open(&carry, 0, SESSION);
	ioas = carry_ioas(ctx);
	other = ctx_ioas(ctx);
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_SET, &other));
	ctx_map(ctx, ioas, 0, 0x80000, 0x11000, 0x100007000, IOVA_RO);
	dev = carry_nic(ctx, 0, ioas);
	ctx_hwpt(ctx, dev, ioas);
	ctx_settle(ctx);
}

static void take_back(unsigned int nr)
{
	char output[OUTPUT_LEN];
	uint32_t id = 0;
	int early;

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("before anything is retrieved", EBUSY, "not finished");
	carry_retrieve(&carry, SESSION, nr);
	want_errno("FINISH before the device is back", EBUSY,
		   luo_finish(carry.session));
	want_no_jump("before the device is back", EBUSY, "not finished");
	early = must(luo_create("early"));
	want_errno("preserving it before FINISH", EBUSY,
		   luo_preserve(early, ctx->fd, TOKEN_IOMMUFD));
	close(early);

	carry_rebind(&carry);
	must(vfio_ioas(ctx->fd, IOMMU_VFIO_IOAS_GET, &id));
	check(id == ctx->want->ioas[VFIO_IOAS].id, "the VFIO IOAS is %u", id);
	want_no_jump("before FINISH", EBUSY, "not finished");
	carry_finish(&carry);
	unload_kernel();
}

static void cases(void)
{
	struct side s;
	int session;

	nothing_preserved();
	bad_arguments();
	unprivileged();

	side_open(&s);
	never_sealed();
	bad_buffers();
	stale_generation(&s);
	file_maps(&s);
	allowed_ranges(&s);
	side_bind(&s);
	side_attach(&s);
	want_fine("a device");
	user_maps(&s);
	punched_hole(&s);
	orphan_hwpt(&s);
	side_close(&s);

	session_name();
	vfio_type1();
	mock_objects();
	mock_pasid();
	type1_changes();
	killed("the only process with anything to hand over killed", NULL,
	       "session \"own\" token 2: ");

	session = carry_hand_over(&carry);
	leaves();

	/* Two contexts together, and the seal on both. */
	changes_unsealed();
	side_open(&s);
	side_bind(&s);
	while_sealed(&s);
	seal_undone(&s);
	side_close(&s);
	close(session);
	check(handover_state_is("idle"), "something is still preserved");
}

int main(int argc, char **argv)
{
	unsigned int nr = carry_stage(argc, argv);

	handover = must(handover_open());
	if (nr)
		take_back(nr);
	else
		build();
	cases();
	side_end(&carry);
}

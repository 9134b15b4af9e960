// SPDX-License-Identifier: GPL-2.0-only
/* The next kexec, which is refused, and giving up. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/reboot.h>

#include "luo.h"

/* What the kernel says to a jump now. */
static void jump_refusal(char *text, size_t len)
{
	snprintf(text, len,
		 "%u iommufd of the last handover not finished, which a kexec would lose; finish their sessions or write 1 to /sys/kernel/iommu_handover/incoming/abandon",
		 fact("incoming/unfinished"));
}

static void load_plainly(void)
{
	check(!system("kexec -s -l \"$HANDOVER_KERNEL\" --initrd=\"$HANDOVER_INITRD\" --command-line=\"$HANDOVER_CMDLINE\""),
	      "a plain load failed");
}

static void unload(void)
{
	check(!system("kexec -s -u"), "the kernel cannot be unloaded");
}

static void kexec_refused(void)
{
	char want[512], have[SENTENCE_LEN];

	load_plainly();
	must_fail(EBUSY, syscall(SYS_reboot, LINUX_REBOOT_MAGIC1,
				 LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC,
				 NULL) ? -errno : 0);
	jump_refusal(want, sizeof(want));
	handover_attr("last_refusal", have);
	check(!strcmp(have, want), "the sentence is \"%s\"", have);
	unload();
}

/* The loader repeats the sentence of the kernel. */
void case_loader(void)
{
	char want[512], line[1024];
	unsigned int found = 0;
	FILE *out;

	load_plainly();
	jump_refusal(want, sizeof(want));
	out = popen("kexec -e -x -y 2>&1", "r");
	check(out, "popen: errno %d", errno);
	while (fgets(line, sizeof(line), out)) {
		printf("%s", line);
		found += !!strstr(line, want);
	}
	check(WEXITSTATUS(pclose(out)), "kexec -e ended with 0");
	unload();
	check(found, "the loader does not print the sentence");
}

void case_abandon(void)
{
	struct part *never = &parts[PART_NEVER], *waits = &parts[PART_WAITS];
	struct want *want = &state->want[PART_WAITS];
	uint32_t pt, id;
	int dev;

	take(PART_WAITS);
	must_fail(EBUSY, luo_finish(waits->session));
	verify(PART_WAITS, false);
	open_session(PART_NEVER);
	must_fail(EBUSY, luo_finish(never->session));
	check(fact("incoming/unfinished") == PARTS - finished,
	      "%u contexts are unfinished, %u of %u finished",
	      fact("incoming/unfinished"), finished, PARTS);
	kexec_refused();

	must(write_text(HANDOVER_SYSFS "incoming/abandon", "1\n"));
	check(!fact("incoming/unfinished"), "%u contexts are unfinished",
	      fact("incoming/unfinished"));
	check(!fact("incoming/devices_pending"), "%u devices are pending",
	      fact("incoming/devices_pending"));
	check(!fact("incoming/pages_pinned"), "%u pages are pinned",
	      fact("incoming/pages_pinned"));

	/* Given up before it came: the memory is there, the iommufd is not. */
	must_fail(ENODATA, luo_restore(never->session, TOKEN_IOMMUFD));
	take_memory(PART_NEVER);
	must_fail(ENODATA, luo_restore(never->session, TOKEN_IOMMUFD));
	must(luo_finish(never->session));
	close_session(PART_NEVER);
	check_filled(PART_NEVER, never->mem.va, 0, never->mem.len);

	/* Given up while it waited: all but the device stays, its ID is free. */
	must(vfio_claim(want->dev[0].bdf));
	dev = must(vfio_open(want->dev[0].bdf));
	id = want->dev[0].id;
	want->dev_nr = want->hwpt_nr = 0;
	verify(PART_WAITS, false);
	must(luo_finish(waits->session));
	close_session(PART_WAITS);
	must(vfio_bind(dev, waits->ctx.fd, &pt));
	check(pt <= id, "ID %u is not free", id);
	must_fail(EINVAL, vfio_detach(dev) ?: -EINVAL);
	pt = want->ioas[1].id;
	must(vfio_attach(dev, &pt));
	waits->ctx.dev[0] = dev;
	run_edu(PART_WAITS, 0);
	drop(PART_WAITS);
	munmap(never->mem.va, never->mem.len);
	close(never->mem.fd);
	memset(&never->mem, 0, sizeof(never->mem));

	/* PART_LEFT is not even closed, and the next kexec goes ahead. */
}

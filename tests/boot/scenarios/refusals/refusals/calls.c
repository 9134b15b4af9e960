// SPDX-License-Identifier: GPL-2.0-only
/* Nothing to hand over yet, and calls with wrong arguments. */
#include "refusals.h"

void nothing_preserved(void)
{
	char sentence[SENTENCE_LEN], output[OUTPUT_LEN];
	static char page[4096] __attribute__((aligned(4096)));
	int err;

	want_refused("no iommufd preserved", ENOENT, "no iommufd is preserved",
		     NULL);
	err = handover_seal(handover, handover_number("generation"), page,
			    sizeof(page), sentence);
	tally_one(err == -ENOENT && noted(ENOENT, sentence), false,
		  "SEAL with no iommufd preserved: %s", sentence);
	want_errno("UNSEAL with nothing sealed", ENOENT,
		   handover_unseal(handover));
	/* An iommufd that is not preserved is nobody's business. */
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	unload_kernel();
}

void never_sealed(void)
{
	char output[OUTPUT_LEN];

	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_no_jump("without a seal", EBUSY,
		     "a kexec would lose 1 preserved iommufd: nothing is sealed; load with kexec -s -l --iommu-handover, or jump with kexec -e --iommu-handover");
	unload_kernel();
}

static const struct {
	const char *name;
	unsigned long cmd;
	uint32_t size;
	uint32_t reserved;	/* offset of __reserved, 0 for none */
	uint32_t flags;		/* that are known */
} calls[] = {
	{ "QUERY", IOMMU_HANDOVER_QUERY, sizeof(struct iommu_handover_query),
	  offsetof(struct iommu_handover_query, __reserved), 0 },
	{ "SNAPSHOT", IOMMU_HANDOVER_SNAPSHOT,
	  sizeof(struct iommu_handover_snapshot),
	  offsetof(struct iommu_handover_snapshot, __reserved),
	  IOMMU_HANDOVER_SNAPSHOT_ALL | IOMMU_HANDOVER_SNAPSHOT_CONTINUOUS },
	{ "SEAL", IOMMU_HANDOVER_SEAL, sizeof(struct iommu_handover_seal),
	  offsetof(struct iommu_handover_seal, __reserved),
	  IOMMU_HANDOVER_SEAL_LOADED },
	{ "UNSEAL", IOMMU_HANDOVER_UNSEAL,
	  sizeof(struct iommu_handover_unseal), 0, 0 },
};

static void want_call(unsigned int i, const char *what, int err, int got)
{
	tally_one(got == -err, false, "%s with %s: %s", calls[i].name, what,
		  got < 0 ? strerror(-got) : "success");
}

void bad_arguments(void)
{
	union {
		uint32_t word[64];
		uint8_t byte[256];
	} arg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		memset(&arg, 0, sizeof(arg));
		arg.word[0] = calls[i].size;
		/* The next one that there will be */
		arg.word[1] = calls[i].flags + 1;
		want_call(i, "an unknown flag", EOPNOTSUPP,
			  call(handover, calls[i].cmd, &arg));
		arg.word[1] = 0;
		if (calls[i].reserved) {
			arg.word[calls[i].reserved / 4] = 1;
			want_call(i, "a reserved field", EOPNOTSUPP,
				  call(handover, calls[i].cmd, &arg));
			arg.word[calls[i].reserved / 4] = 0;
		}
		arg.word[0] = calls[i].size + 8;
		arg.byte[calls[i].size + 7] = 1;
		want_call(i, "something behind the end", E2BIG,
			  call(handover, calls[i].cmd, &arg));
		arg.byte[calls[i].size + 7] = 0;
		arg.word[0] = calls[i].size - 4;
		want_call(i, "too small a structure", EINVAL,
			  call(handover, calls[i].cmd, &arg));
		arg.word[0] = 0;
		want_call(i, "size 0", EINVAL,
			  call(handover, calls[i].cmd, &arg));
		want_call(i, "no argument", EFAULT,
			  call(handover, calls[i].cmd, NULL));
	}
	want_errno("an unknown call", ENOTTY,
		   call(handover, _IO(IOMMU_HANDOVER_TYPE, 4), &arg));
	/* Zeroes after the end are those of a newer program. */
	memset(&arg, 0, sizeof(arg));
	arg.word[0] = sizeof(struct iommu_handover_query) + 64;
	must(call(handover, IOMMU_HANDOVER_QUERY, &arg));
}

void bad_buffers(void)
{
	struct iommu_handover_snapshot cmd = { .size = sizeof(cmd) };
	static uint64_t room[8192];
	char sentence[SENTENCE_LEN];
	uint64_t len, gen;
	int err;

	err = call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd);
	len = cmd.data_len;
	tally_one(err == -EMSGSIZE && len > 0 && len <= sizeof(room), false,
		  "SNAPSHOT without a buffer: %s, wants %llu bytes",
		  strerror(-err), LL(len));
	cmd.data_uptr = (uintptr_t)room;
	cmd.data_len = len - 1;
	err = call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd);
	tally_one(err == -EMSGSIZE && cmd.data_len == len && !room[0], false,
		  "SNAPSHOT with a byte too few: %s", strerror(-err));
	cmd.data_uptr = 8;
	want_errno("SNAPSHOT to nowhere", EFAULT,
		   call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd));
	cmd.data_uptr = (uintptr_t)room;
	cmd.data_len = len;
	must(call(handover, IOMMU_HANDOVER_SNAPSHOT, &cmd));

	gen = cmd.generation;
	want_errno("SEAL of no bytes", EBADMSG,
		   handover_seal(handover, gen, room, 0, sentence));
	want_errno("SEAL of half a page", EBADMSG,
		   handover_seal(handover, gen, room, 2048, sentence));
	want_errno("SEAL of more than an image can have", EFBIG,
		   handover_seal(handover, gen, room, (1ULL << 30) + 4096,
				 sentence));
	want_errno("SEAL from nowhere", EFAULT,
		   handover_seal(handover, gen, (void *)4096, 4096, sentence));
	want_errno("SEAL of zeroes", EBADMSG,
		   handover_seal(handover, gen, room + 512, 4096, sentence));
	err = handover_seal(handover, gen - 1, room, 4096, sentence);
	tally_one(err == -ESTALE && strstr(sentence, "take a new one"), false,
		  "SEAL of a generation that never was: %s", sentence);
}

void stale_generation(struct side *s)
{
	static uint64_t room[512];
	char sentence[SENTENCE_LEN];
	uint64_t gen, now;
	uint32_t id;
	int err;

	must(handover_snapshot(handover, sentence, &gen));
	must(ioas_alloc(s->fd, &id));
	err = handover_seal(handover, gen, room, sizeof(room), sentence);
	tally_one(err == -ESTALE && noted(ESTALE, sentence) &&
		  strstr(sentence, text_of("generation %llu has moved", gen)),
		  false, "SEAL with a stale generation: %s: %s", strerror(-err),
		  sentence);
	must(iommufd_destroy(s->fd, id));
	must(handover_snapshot(handover, sentence, &now));
	check(now > gen, "the generation does not move");
}

/* In a child: without CAP_SYS_ADMIN, and without a right to the device. */
void unprivileged(void)
{
	uint32_t arg[64];
	unsigned int i;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		int bad = 0, fd;

		if (setgid(65534) || setuid(65534))
			_exit(100);
		for (i = 0; i < ARRAY_SIZE(calls); i++) {
			memset(arg, 0, sizeof(arg));
			arg[0] = calls[i].size;
			bad += call(handover, calls[i].cmd, arg) != -EPERM;
		}
		fd = open(HANDOVER_DEVICE, O_RDWR);
		bad += fd >= 0 || errno != EACCES;
		_exit(bad);
	}
	must(waitpid(pid, &status, 0));
	tally_one(!status, false,
		  "every call without CAP_SYS_ADMIN: EPERM, open: EACCES");
	tally.tried += ARRAY_SIZE(calls);
	tally.behaved += status ? 0 : ARRAY_SIZE(calls);
}

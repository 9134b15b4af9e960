// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel and kexec(8) may say. */
#include "operator.h"

#define A_CONTEXT	"session \"*\" token *: "

static const char *const again_sentences[] = {
	"a live update session is in the middle of a call; try again",
	A_CONTEXT "the iommufd is in the middle of a call; try again",
	A_CONTEXT "IOAS * IOVA 0x*: its process is changing its memory; try again",
	A_CONTEXT "device * (*) is being unbound or reset; close it or try again",
	NULL
};

static const char *const busy_sentences[] = {
	"already sealed; unseal it first",
	NULL
};

static const char *const stale_sentences[] = {
	"generation * has moved to *: an iommufd was changed after the snapshot; take a new one",
	"generation *: what an iommufd maps by user address was mapped elsewhere after the snapshot; take a new one",
	NULL
};

/* What the threads make that cannot cross; they take it away again. */
static const char *const cannot_sentences[] = {
	A_CONTEXT "IOAS * IOVA 0x*: the mapped memfd is not preserved in this session; preserve it",
	A_CONTEXT "IOAS * IOVA 0x*: user memory is mapped in an IOAS without HWPT, where nothing is pinned; *",
	A_CONTEXT "HWPT *: the device it was allocated with is gone and no other is attached; *",
	NULL
};

static const char *const damaged_sentences[] = {
	"image: *",
	NULL
};

static const char *const gate_sentences[] = {
	"a kexec would lose * preserved iommufd: nothing is sealed; *",
	"the loaded kernel was not loaded under the seal; *",
	"the loaded kernel was loaded under a seal that was undone since; *",
	"* iommufd of the last handover not finished, which a kexec would lose; *",
	NULL
};

void check_refusal(const char *what, int err, const char *sentence,
		   bool image)
{
	const char *const *may = NULL;

	switch (-err) {
	case EAGAIN:
		count(N_again);
		may = again_sentences;
		break;
	case EBUSY:
		may = busy_sentences;
		break;
	case ESTALE:
		count(N_stale);
		may = stale_sentences;
		break;
	case EOPNOTSUPP:
		may = cannot_sentences;
		break;
	case EBADMSG:
		may = image ? damaged_sentences : NULL;
		break;
	}
	if (!may || !matches(sentence, may))
		wrong("%s: %s, \"%s\"", what, strerror(-err), sentence);
}

bool refusal_line(const char *line)
{
	static const char *const *const families[] = {
		again_sentences, busy_sentences, stale_sentences,
		cannot_sentences,
	};
	static const char head[] = "iommu-handover: refused: ";
	unsigned int i;

	if (strncmp(line, head, sizeof(head) - 1))
		return false;
	line += sizeof(head) - 1;
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		if (!matches(line, families[i]))
			continue;
		if (families[i] == stale_sentences)
			count(N_stale);
		if (families[i] == again_sentences)
			count(N_again);
		return true;
	}
	return false;
}

bool gate_says(const char *sentence)
{
	return matches(sentence, gate_sentences);
}

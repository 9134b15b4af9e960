/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A context to spoil beside the one that goes through the kexecs, and what a
 * refusal has to be: an errno and a sentence that is the same from the call,
 * in sysfs, from QUERY and in the output of kexec(8).
 *
 * The want_ functions count in the tally of tally.h whether something was
 * refused as it should be. Their @what says what was tried, @err is an errno,
 * positive.
 */
#ifndef SIDE_H
#define SIDE_H

#include <sys/mman.h>

#include "carry.h"
#include "igb.h"

#define LL(x)		((unsigned long long)(x))
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define TOKEN_OTHER	3

/* Where "side" has its map and where the cases put theirs. */
#define SIDE_PAGES	32
#define SIDE_IOVA	0x100000ULL
#define CASE_IOVA	0x7654000ULL

/**
 * struct side - a context alone in a session that its memory file is in too
 * @mem: SIDE_PAGES pages of it, the first 4 mapped at SIDE_IOVA
 * @fd: the iommufd
 * @session: session "side", -1 once the case has closed it
 * @ioas: ID of the IOAS
 * @dev: vfio device, -1 when it has none
 * @dev_id: its object ID, when there is one
 * @bdf: its PCI address, likewise
 */
struct side {
	struct memory mem;
	int fd;
	int session;
	uint32_t ioas;
	int dev;
	uint32_t dev_id;
	char bdf[PCI_BDF_LEN];
};

/* /dev/iommu-handover, for as long as refusals are tried; main() opens it. */
extern int handover;

/*
 * Thin calls, which return 0 or the call's result, and a negative errno
 */
int call(int fd, unsigned long request, void *cmd);
/** map_user() - IOAS_MAP of @len bytes at @va, to be read and written */
int map_user(int fd, uint32_t ioas, void *va, uint64_t len, uint64_t iova);
/** map_fixed() - IOAS_MAP_FILE at @iova, to be read and written */
int map_fixed(int fd, uint32_t ioas, int memfd, uint64_t offset, uint64_t len,
	      uint64_t iova);
/** fault_queue() - @id: out, object ID; @queue: out, its file */
int fault_queue(int fd, uint32_t *id, int *queue);

/** map_shared() - mmap part of a file. Exits with 1 when that fails */
void *map_shared(int memfd, uint64_t offset, uint64_t len);

/**
 * plain_memfd() - a memfd of @len bytes without the seals of memory_create()
 * @flags: of memfd_create()
 *
 * Return: the descriptor. Exits with 1 when that fails.
 */
int plain_memfd(unsigned int flags, uint64_t len);

/*
 * What a refusal has to be
 */

/**
 * text_of() - a word to look for, in one of 8 buffers that take turns
 * @fmt: printf-style, with one conversion for an unsigned long long
 */
const char *text_of(const char *fmt, uint64_t value);

#define IOVA(x)		text_of("IOVA %#llx", x)
#define IOAS(x)		text_of("IOAS %llu", x)
#define HWPT(x)		text_of("HWPT %llu", x)
#define DEVICE(x)	text_of("device %llu", x)
#define OBJECT(x)	text_of("object %llu", x)
#define TOKEN(x)	text_of("token %llu", x)

/**
 * missing() - are all of these in the text?
 * @words: const char *, the last one NULL
 *
 * Return: the first that is not, or NULL.
 */
const char *missing(const char *text, va_list words);

/**
 * struct notes - what is told of the last refusal
 * @sysfs: its sentence there
 * @query: its sentence from QUERY
 * @err: its errno from QUERY, positive
 * @state: from QUERY, enum iommu_handover_state
 */
struct notes {
	char sysfs[SENTENCE_LEN];
	char query[SENTENCE_LEN];
	uint32_t err;
	uint32_t state;
};

/**
 * notes_are() - do sysfs and QUERY say the same as the call did?
 * @notes: out, what they say
 */
bool notes_are(struct notes *notes, int err, const char *sentence);

/** noted() - notes_are(); prints what they say when it is something else */
bool noted(int err, const char *sentence);

/**
 * want_refused() - SNAPSHOT refuses, and so does kexec(8)
 * @...: words that have to be in the sentence, then NULL
 */
void want_refused(const char *what, int err, ...)
	__attribute__((sentinel));

/**
 * want_seal_refused() - SNAPSHOT is content, SEAL is not
 * @...: words that have to be in the sentence, then NULL
 *
 * SEAL is that of kexec(8), which alone makes an image to seal.
 */
void want_seal_refused(const char *what, int err, ...)
	__attribute__((sentinel));

/**
 * want_fine() - a snapshot succeeds, once @what was undone
 *
 * Counts nothing; exits with 1 when it is refused.
 */
void want_fine(const char *what);

/** want_errno() - a call that returned @got has failed with @err */
void want_errno(const char *what, int err, int got);

/** forget_refusal() - so that a sentence found later is of what comes now */
void forget_refusal(void);

/**
 * want_no_jump() - the jump is refused, with @words in the sentence
 *
 * To reboot(2) and to kexec -e, which prints the sentence.
 */
void want_no_jump(const char *what, int err, const char *words);

/** want_not_loaded() - after @what there is no kernel to jump to */
void want_not_loaded(const char *what);

/*
 * The context to spoil. These exit with 1 when a call fails.
 */

/** side_open() - make it, preserve it in session "side", without a device */
void side_open(struct side *s);
/** side_bind() - give it the second 82576 */
void side_bind(struct side *s);
/** side_attach() - attach the device to the IOAS */
void side_attach(struct side *s);
/** side_unmap() - unmap @mem's length at CASE_IOVA, then want_fine(@what) */
void side_unmap(struct side *s, const char *what);
/** side_close() - close what is open of it */
void side_close(struct side *s);

/** nic_bdf() - find and claim the @nth 82576. Exits with 1 without one */
void nic_bdf(unsigned int nth, char bdf[PCI_BDF_LEN]);

/*
 * Sealed
 */

/** seal() - seal and load as kexec(8) does. Exits with 1 when it does not */
void seal(void);

/** log_tail() - the end of the kernel's log, in a buffer that is reused */
const char *log_tail(void);

/**
 * undone_by() - why the log says that the last seal was undone
 *
 * Return: what stands behind "seal undone: ", to the end of the log; or
 * "nothing" when it was not.
 */
const char *undone_by(void);

/**
 * want_undone() - @what has undone the seal, and the machine does not jump
 * @why: what the log's reason begins with; the gate repeats all of it, and a
 *	close is noted as a refusal as well
 *
 * No other refusal may have come in between. Unloads the kernel.
 */
void want_undone(const char *what, const char *why);

/**
 * side_end() - the end of main(), once all cases were tried
 * @carry: what goes through the kexecs, every device bound; it has to be what
 *	it was
 *
 * Hands @carry over, has that refused once and repairs it, so that a context
 * crosses that was refused itself; after a kexec it is sealed here as well,
 * since the last stage has no jump. Reports the tally over all stages.
 */
void side_end(struct carry *carry) __attribute__((noreturn));

/**
 * side_main() - main() of a scenario that is all cases
 * @nics: 82576s of the context that goes through the kexecs, session "main"
 * @cases: spoils contexts beside it
 *
 * Ends with side_end().
 */
void side_main(int argc, char **argv, unsigned int nics, void (*cases)(void))
	__attribute__((noreturn));

#endif /* SIDE_H */

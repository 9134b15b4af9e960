/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/**
 * DOC: park
 *
 * iommu-handover-park: what its files share.
 *
 * A QEMU that updates itself by cpr-exec executes this program in its place. All
 * that the new QEMU needs is in descriptors then; this program gives those that
 * count to a live update session, and becomes QEMU again: in the next kernel, or
 * here when nothing comes of it.
 */
#ifndef PARK_H
#define PARK_H

/* __printf() is of park.mk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_FDS		1024		/* descriptors of one QEMU */
#define FIRST_FREE	2048		/* a number that none of them has */
#define MAX_VECTORS	2048		/* of one device, PCI's own limit */
#define WHY_LEN		512		/* bytes of a sentence */

/* Tokens in the session; a descriptor has TOKEN_FD and its number. */
#define TOKEN_RECORD	1
#define TOKEN_STREAM	2
#define TOKEN_FD	0x1000

/* The same in the service manager's store, behind the session's name. */
#define STORED_RECORD	".record"
#define STORED_STREAM	".stream"
#define STORED_FD	".fd"

#define STATE_VARIABLE	"QEMU_CPR_EXEC_STATE"	/* a descriptor's number */
#define MOST_REOPEN	64

/* ---- main.c: the command line ------------------------------------------- */

struct options {
	const char *session, *status;
	const char *reopen[MOST_REOPEN + 1];
	int nr_reopen;
	pid_t pid;
	unsigned int timeout;
	bool store, paused, no_interrupts, json;
};

extern struct options options;

/* A line to standard error and into the status file: a reader sees all of it. */
void tell(const char *format, ...) __printf(1, 2);

/* Each is a command. They return the exit status, when they return. */
int park(char **argv);		/* @argv is QEMU's own command */
int resume(void);
int check(void);

/* Execute QEMU's command here, as if this program had not been there. */
int go_on_here(char **argv);

/* Why something was refused: one sentence, with its object and what to do. */
struct why {
	char text[WHY_LEN];
};

/* Write the sentence and return -1. */
int refuse(struct why *why, const char *format, ...)
	__printf(2, 3);

/* ---- cpr.c: the state that QEMU leaves for its successor --------------- */

/* One descriptor that QEMU has given a name. */
struct cpr_fd {
	const char *name;	/* into the state's own bytes */
	int id, fd;
};

/* A device of vfio that QEMU hands on. */
struct cpr_device {
	const char *name;
	uint32_t ioas, hwpt;
};

struct cpr_state {
	struct cpr_fd *fds;
	size_t nr_fds;
	struct cpr_device *devices;
	size_t nr_devices;
};

/*
 * cpr_parse - read @len bytes of a state of QEMU's cpr-exec.
 *
 * The layout is version 1 of QEMU's vmstate "CprState": big-endian numbers, a list
 * of descriptors, and a subsection with devices, which may not be there. @data has
 * to outlive @state. Returns 0, or -1 with @why. cpr_free() frees what @state got.
 */
int cpr_parse(const unsigned char *data, size_t len, struct cpr_state *state,
	      struct why *why);
void cpr_free(struct cpr_state *state);

/* The state that the environment names, as cpr_parse(). Its bytes are never freed. */
int read_state(struct cpr_state *state, struct why *why);

/* ---- fds.c: the descriptors of a process ------------------------------- */

enum fd_kind {
	FD_STANDARD,	/* 0 to 2: not carried; the resumed QEMU has the resumer's */
	FD_MEMORY,
	FD_IOMMUFD,
	FD_DEVICE,	/* of vfio */
	FD_EVENT,	/* made again */
	FD_PATH,	/* opened again, for --reopen named it */
	FD_UNKNOWN,
};

struct held_fd {
	int fd, flags;		/* number; O_* as fcntl() gives them */
	int irqs;		/* of a device: vfio's index of INTx, MSI or MSI-X, or -1 */
	uint32_t msi_mask;	/* of MSI: what the guest has masked */
	enum fd_kind kind;
	char name[256];		/* what /proc says that it is */
};

struct held_fds {
	struct held_fd all[MAX_FDS];
	size_t nr;
};

/*
 * fds_look - list what process @pid has open; 0 is this one, by number.
 *
 * Of this process all that would outlive an exec; of another one all that its
 * QEMU would hand on, with copies in @copies, which has a place for each of them. NULL
 * asks for none. @reopen are paths, ended by NULL. Returns 0, or -1 with @why.
 */
int fds_look(struct held_fds *fds, pid_t pid, int *copies,
	     const char *const *reopen, struct why *why);

/* -1 with @why for the first descriptor that nobody can carry, else 0. */
int fds_refuse(const struct held_fds *fds, struct why *why);

/*
 * preserve_fds - give memory, iommufds and devices to a session, under their tokens.
 *
 * @copies: as from fds_look(), or NULL when they are this process's own. Returns 0, or
 * -1 with @why, the kernel's sentence in it.
 */
int preserve_fds(int session, const struct held_fds *fds, const int *copies,
		 struct why *why);

/* ---- session.c: live update --------------------------------------------- */

/* Each returns a descriptor or 0, or -errno. They wait for /dev/liveupdate. */
int session_create(const char *name);
int session_retrieve(const char *name);
int session_preserve(int session, int fd, uint64_t token);
int session_take(int session, uint64_t token);
int session_finish(int session);

/* The kernel's last refusal, or an empty string. */
void last_refusal(char *text, size_t len);

/*
 * session_dry_run - what would a load refuse?
 *
 * Returns a line for each refusal, an empty string without any, to be freed by the
 * caller; or NULL with @why.
 */
char *session_dry_run(bool continuous, struct why *why);

/* ---- store.c: the service manager's descriptor store --------------------- */

/* Take what the service manager passed on out of the way of QEMU's numbers. */
void store_open(void);

/* What was stored as @session with @what behind it: a descriptor that stays, or -1. */
int store_find(const char *session, const char *what);

/* Store a descriptor under that name. 0 or -errno: ENOENT without a manager. */
int store_put(const char *session, const char *what, int fd);

/* Have all that was passed on, or put there by this process, taken out of the store. */
void store_empty(void);

/* Tell the service manager, if there is one: "READY=1". */
void notify(const char *state);

/* ---- device.c: interrupts of a device ------------------------------------ */

/*
 * device_look - note in @held how the guest has its @device interrupt.
 *
 * After a kexec a device says nothing of it, and its configuration space does not tell
 * of MSI.
 */
void device_look(struct held_fd *held, int device);
bool device_uses_intx(int device);

/*
 * device_arm - give a device that was retrieved the eventfds of its QEMU.
 *
 * Those that @state names for it are armed, kvm_interrupt before interrupt, as
 * QEMU takes for granted that they are; each interrupt gets one trigger, since what
 * came between the last look of the old QEMU and the jump is lost otherwise.
 * Returns how many vectors, or -1 with @why.
 */
int device_arm(const struct held_fd *held, const char *name,
	       const struct cpr_state *state, struct why *why);

/* ---- record.c: the process --------------------------------------------- */

/* What QEMU was, in a memfd, and what makes it so again. */
struct record {
	char *bytes;		/* owns what follows */
	size_t len;
	char **argv, **envp;
	const char *cwd;
	struct held_fds *fds;
};

/*
 * record_write - describe this process and @fds. Returns a memfd, or -1 with @why.
 *
 * @argv is QEMU's command line.
 */
int record_write(char **argv, const struct held_fds *fds, struct why *why);

/* record_read - the record in @memfd. Returns 0, or -1 with @why. */
int record_read(int memfd, struct record *record, struct why *why);

/*
 * record_become - be the process of the record and execute its command.
 *
 * Descriptors are in place already. Returns, with @why, only when it cannot.
 */
int record_become(const struct record *record, struct why *why);

/* ---- files.c ---------------------------------------------------------------- */

/* A new memfd with what @fd holds from its beginning, or -errno. */
int copy_to_memfd(const char *name, int fd);
/* All of @fd from its beginning; freed by the caller. NULL with errno. */
void *read_all(int fd, size_t *len);
/* 0 or -errno. */
int write_all(int fd, const void *data, size_t len);

/* The file of "-incoming file:PATH" in a command line, or NULL. */
const char *incoming_file(char **argv, char *path, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handover device, its sysfs files, the loader and the jump.
 *
 * The functions on sysfs files and programs exit with 1 when these cannot be
 * read or run.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/iommu_handover.h>

#include "guest.h"

#define HANDOVER_DEVICE	"/dev/iommu-handover"
#define HANDOVER_SYSFS	"/sys/kernel/iommu_handover/"
#define SENTENCE_LEN	512
#define OUTPUT_LEN	8192

#ifndef RB_KEXEC
#define RB_KEXEC	0x45584543
#endif

/*
 * sysfs
 */

/** read_line() - first line of a file, without its end, cut to @len - 1 */
void read_line(const char *path, char *text, size_t len);

/** handover_attr() - first line of a file, @name is below HANDOVER_SYSFS */
void handover_attr(const char *name, char text[SENTENCE_LEN]);
uint64_t handover_number(const char *name);
bool handover_state_is(const char *state);

/*
 * The device
 *
 * @fd is what handover_open() returned, and @sentence gets what the kernel
 * says, "" when that is nothing. The calls return 0 or a negative errno.
 */
int handover_open(void);

/**
 * handover_snapshot() - a snapshot that is thrown away
 * @generation: out, unless NULL; only on success
 */
int handover_snapshot(int fd, char sentence[SENTENCE_LEN],
		      uint64_t *generation);

/** handover_check() - the same with IOMMU_HANDOVER_SNAPSHOT_ALL */
int handover_check(int fd, char sentence[SENTENCE_LEN]);

/** handover_seal() - @len is that of @image, in bytes */
int handover_seal(int fd, uint64_t generation, const void *image, uint64_t len,
		  char sentence[SENTENCE_LEN]);
/** handover_seal_loaded() - the same for the kernel that is loaded */
int handover_seal_loaded(int fd, uint64_t generation, const void *image,
			 uint64_t len, char sentence[SENTENCE_LEN]);
int handover_unseal(int fd);
/** handover_query() - @cmd need not be filled in */
int handover_query(int fd, struct iommu_handover_query *cmd,
		   char sentence[SENTENCE_LEN]);

/*
 * Programs
 */

/**
 * run_program() - run a program to its end
 * @output: out, what it prints, cut to OUTPUT_LEN - 1
 * @argv: its name, found in PATH, its arguments and NULL
 *
 * Return: its exit status, 127 when it cannot be run, 128 and the signal when
 * it was killed.
 */
int run_program(char output[OUTPUT_LEN], char *const argv[]);

/**
 * load_kernel() - load the next kernel, without an initramfs
 * @output: out, what kexec(8) prints
 * @handover: under a seal
 * @save: keep the image here, or NULL
 *
 * It cannot be jumped to in earnest. Return: as run_program().
 */
int load_kernel(char output[OUTPUT_LEN], bool handover, const char *save);
/** unload_kernel() - exits with 1 when kexec(8) fails */
void unload_kernel(void);

/**
 * jump() - jump to the loaded kernel
 *
 * Return: the errno, negative; only when the jump was refused.
 */
int jump(void);

/* Exit status of kexec -e: the kernel has refused; nothing is loaded. */
#define EXEC_REFUSED		255
#define EXEC_NOTHING_LOADED	1

/**
 * exec_kernel() - jump to the loaded kernel with kexec -e
 * @output: out, what kexec(8) prints
 *
 * It neither syncs nor shuts anything down. Return: as run_program(); only when
 * there was no jump.
 */
int exec_kernel(char output[OUTPUT_LEN]);

#endif /* HANDOVER_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operator, several at once: SNAPSHOT, SEAL, UNSEAL, QUERY, sysfs, loads
 * with the handover and without, loaders killed, jumps that must be refused.
 *
 * What must not happen is that a jump succeeds. It could only with a kernel
 * loaded under a seal; so whoever loads one, or jumps, holds @jump_lock and
 * leaves nothing loaded under a seal when it lets go.
 */
#ifndef OPERATOR_H
#define OPERATOR_H

#include "handover.h"
#include "stress.h"

/*
 * Sentences (sentences.c)
 */

/**
 * check_refusal() - does the sentence belong to the errno? Counts it
 * @image: the image may be what is wrong
 */
void check_refusal(const char *what, int err, const char *sentence,
		   bool image);

/** refusal_line() - is it a line of kexec(8) with a refusal? Counts it */
bool refusal_line(const char *line);

/** gate_says() - is it a sentence of the gate? */
bool gate_says(const char *sentence);

/*
 * The loader (loader.c)
 */

/* Not a time: let it end; kill it as soon as something is sealed. */
#define KILL_NEVER	(-1)
#define KILL_SEALED	(-2)

/**
 * run_kexec() - run kexec, and kill it after @kill_ms, or as above
 *
 * Return: as run_program().
 */
int run_kexec(char output[OUTPUT_LEN], char *const argv[], int kill_ms);

/**
 * load_handover() - a load with the handover
 * @sound: one that can succeed, else the kernel is refused while the seal is
 *	in place
 * @kill_ms: as run_kexec()
 *
 * Return: whether a seal was made for certain.
 */
bool load_handover(bool sound, int kill_ms);

/** load_plain() - load a kernel without the handover, or unload what is loaded */
int load_plain(bool load);

/** unseal() - nothing is sealed when this returns, for a moment at least */
void unseal(int dev);

/*
 * Threads (operator.c)
 */

/** seal_thread() - seal for as long as it takes to refuse the kernel */
void *seal_thread(void *arg);
/** load_thread() - whole loads, undone in one of the ways there are */
void *load_thread(void *arg);
/** gate_thread() - jumps that the gate must refuse */
void *gate_thread(void *arg);
/** probe_thread() - SNAPSHOT, SEAL, UNSEAL, QUERY and sysfs */
void *probe_thread(void *arg);

#endif /* OPERATOR_H */

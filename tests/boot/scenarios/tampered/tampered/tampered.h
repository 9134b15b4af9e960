/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image that is altered, one try of SEAL with it, and the groups of tries.
 */
#ifndef TAMPERED_H
#define TAMPERED_H

#include "image.h"
#include "reasons.h"
#include "side.h"

#define SESSION		"tampered"

extern struct carry carry;
extern struct ctx *const ctx;

/*
 * One try (try.c)
 *
 * @good is the loader's image with the generation of now, @bad is made of it,
 * and @props lists the properties of both.
 */
extern struct image good, bad;
extern struct prop props[PROPS_MAX];
extern uint32_t nr_props;
extern uint64_t generation;

/* How many were refused by comparison with live state, and for which property. */
extern unsigned int by_live;
extern bool differs_said[PROPS_MAX];

/* Every step-th of the small things is tried, from one that @phase decides. */
extern uint32_t step, phase;

/** left_out() - is number @i of the small things one that is not tried? */
bool left_out(uint32_t i);

/** make_bad() - make @bad what @good is */
void make_bad(void);

/** stamp_generation() - give @good the generation of now, and sign it */
void stamp_generation(void);

/** noted_unsealed() - noted(), and is nothing sealed? */
bool noted_unsealed(int err, const char *sentence);

/**
 * try_seal() - SEAL of "bad", which must not succeed
 *
 * Return: the errno, positive.
 */
int try_seal(uint32_t len, char sentence[SENTENCE_LEN]);

/** count_try() - count a refusal that has to be noted, and fits or does not */
void count_try(bool fits, int err, const char *sentence, const char *what);

/** want_words() - SEAL of "bad" gives @err and says @words, but for a cure */
void want_words(uint32_t len, int err, const char *words, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * want_reason() - SEAL of "bad" gives a reason, and the errno that follows
 * @where: what it names, NULL for anything
 * @text: the reason, NULL for any
 */
void want_reason(uint32_t len, const char *where, const char *text,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/**
 * want_fact() - SEAL of "bad", in which property @i is altered
 *
 * It has to say that this one differs from live state, or what is wrong with
 * it in itself.
 */
void want_fact(uint32_t i, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** try_sentences() - were all sentences given? Only when all was tried */
void try_sentences(void);

/** console_level() - which messages the kernel prints on the console */
void console_level(const char *level);

/*
 * Groups of tries
 */

/** try_facts() - each property of the FDT (facts.c) */
void try_facts(void);

/** try_stream() - each byte of the records of "context-0" or another (facts.c) */
void try_stream(const char *context);

/* Header, lengths, and bytes that are not signed (header.c). */
void try_header(void);
void try_lenient(void);
void try_lengths(void);
void try_unsigned(void);

/** try_memory() - allocations of SNAPSHOT and SEAL that fail (memory.c) */
void try_memory(void);

/** try_leaks() - memory that a SEAL does not give back (leaks.c) */
void try_leaks(void);

#endif /* TAMPERED_H */

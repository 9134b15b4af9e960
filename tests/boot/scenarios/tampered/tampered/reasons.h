/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking refusals of a handover image apart. Written from the operator's guide
 * and formats/handover.rst, so that neither library nor kernel is tested with
 * itself.
 */
#ifndef REASONS_H
#define REASONS_H

#include "image.h"

/**
 * struct reason - what can be wrong with an image
 * @err: the errno that follows from it
 * @text: in these words
 */
struct reason {
	int err;
	const char *text;
};

#define TOO_SHORT	"shorter than it says it is"
#define NOT_DENSE	"sections not back to back, or padding not zero"
#define BAD_HEADER_CRC	"CRC of the header does not match"
#define BAD_SECTION	"SHA-256 digest of a record section does not match"
#define NOT_ORDERED	"not in ascending order, or there twice"
#define NOT_THERE	"names something that is not there or does not fit"
#define BAD_DIGEST	"SHA-256 digest does not match"

/** says() - is the sentence just these words? A cure may follow */
bool says(const char *sentence, const char *words);

/**
 * reason_of() - take "image: WHERE at OFFSET: REASON" apart
 * @where: out, what it names
 *
 * Return: NULL when the sentence is none of these.
 */
const struct reason *reason_of(const char *sentence, char where[128]);

/**
 * is_about() - does a refusal speak of what was altered, or of what it broke?
 * @where: what it names, spoilt
 * @text: its reason
 */
bool is_about(const struct prop *p, char where[128], const char *text);

#endif /* REASONS_H */

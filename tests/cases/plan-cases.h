/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Record streams and what is said of them: plan-cases.c.
 */
#ifndef PLAN_CASES_H
#define PLAN_CASES_H

#include "handover-world.h"

/**
 * struct plan_case - one stream
 * @alter: makes it, of a valid world
 * @name: of the case
 * @err: enum iho_error, not negated
 * @record: that is refused; IHO_NONE when the stream as a whole is
 * @prop: what of it
 * @node: "stream", or the kind of node that is in the way
 */
struct plan_case {
	void (*alter)(struct world *w);
	const char *name;
	int err;
	u32 record;
	const char *prop;
	const char *node;
};

extern const struct plan_case plan_cases[];
extern const u32 plan_cases_nr;

/* The world of a case. Its facts are in order, whatever the stream is. */
void plan_case_world(const struct plan_case *c, struct world *w);

#endif

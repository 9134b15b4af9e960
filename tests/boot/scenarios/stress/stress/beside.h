/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes beside the workers: one whose maps get stuck in page faults, and
 * short-lived ones that are killed with whatever they have in their sessions.
 */
#ifndef BESIDE_H
#define BESIDE_H

#include "stress.h"

#define STUCK_SESSION	"stress-stuck"
#define STUCK_LEN	(16 * GUEST_PAGE)

/**
 * struct stuck - an iommufd with a map that waits for a page
 * @uffd: tells of the fault and serves it
 * @memfd: has no pages yet
 * @result: of the map
 */
struct stuck {
	int iommufd, dev, uffd, memfd, session;
	uint32_t ioas, dev_id;
	void *va;
	pthread_t mapper;
	int result;
};

/** stuck_open() - everything but the map, with device @bdf, which pins it */
void stuck_open(struct stuck *s, const char *bdf);

/** stuck_begin() - return when the map has asked for its first page, and waits */
void stuck_begin(struct stuck *s);

/** stuck_serve() - serve all of it; the map must come to its end */
void stuck_serve(struct stuck *s);
void stuck_close(struct stuck *s);

/** stuck_loop() - again and again while the others run; seldom in a session */
void stuck_loop(const char *bdf) __attribute__((noreturn));

/** churn_loop() - one short-lived process after the other */
void churn_loop(void) __attribute__((noreturn));

#endif /* BESIDE_H */

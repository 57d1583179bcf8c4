/* SPDX-License-Identifier: ISC */
#ifndef QMGR_WINDOW_H
#define QMGR_WINDOW_H

/*
 * How many deliveries to one destination may run at a time. The window opens
 * with each delivery in which the destination was reached and closes with
 * each in which it was not, as Postfix's SCHEDULER_README describes it;
 * after failures worth a whole window in a row the destination is dead.
 *
 * Pure: the caller counts what is in flight and brings the outcome.
 */

#include <stdbool.h>
#include <stddef.h>

enum feedback_kind {
	FEEDBACK_CONSTANT,
	FEEDBACK_PER_WINDOW, /* divided by the window */
	FEEDBACK_PER_ROOT, /* divided by its square root */
};

struct feedback {
	double amount; /* 0 to 1 */
	enum feedback_kind kind;
};

struct window_limits {
	unsigned int initial; /* at least 1 */
	unsigned int most; /* 0: no limit */
	struct feedback positive;
	struct feedback negative;
	double failed_cohorts; /* dead after so many; 0: never */
};

struct window {
	unsigned int size; /* at least 1 */
	double success; /* part of a step up */
	double failure; /* part of a step down */
	double failed; /* cohorts in a row */
};

/* "0.5", "1/concurrency", "1/sqrt_concurrency". False if it is none. */
bool feedback_parse(const char *text, struct feedback *out);

void window_init(struct window *w, const struct window_limits *lim);
/* The destination was reached; this many other deliveries are in flight. */
void window_success(struct window *w, const struct window_limits *lim,
    unsigned int in_flight);
/* It was not. True: dead. */
bool window_failure(struct window *w, const struct window_limits *lim);

#endif

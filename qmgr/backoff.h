/* SPDX-License-Identifier: ISC */
#ifndef QMGR_BACKOFF_H
#define QMGR_BACKOFF_H

/*
 * When to try a deferred message again.
 *
 * The delay doubles with every failure, between a floor and a ceiling, plus
 * up to one eighth of itself, so that the end of one outage does not release
 * the whole queue in the same second.
 *
 * Pure: no state, no clock, no random source. The caller brings all three,
 * so that a test can ask about next week today.
 */

#include <stdint.h>

struct backoff_limits {
	uint32_t floor_s; /* first delay, never zero */
	uint32_t ceiling_s; /* longest delay, not below the floor */
};

/*
 * Seconds to wait after this many failures in a row (zero counts as one).
 * "noise" is any random number. Never above the ceiling.
 */
uint32_t backoff_delay(const struct backoff_limits *lim, unsigned int failures,
    uint32_t noise);

/*
 * How often a message of this age has failed, had it been tried as
 * backoff_delay says: the queue keeps no counter that a crash could lose.
 * At least one.
 */
unsigned int backoff_failures(const struct backoff_limits *lim, int64_t age_s);

#endif

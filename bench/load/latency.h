/* SPDX-License-Identifier: ISC */
#ifndef BENCH_LOAD_LATENCY_H
#define BENCH_LOAD_LATENCY_H

/*
 * How long each of many things took, and what the load programs print of it:
 * lines of a name and a number, which bench/frame/measure.py reads.
 */

#include <stddef.h>
#include <stdint.h>

/* Keeps every value; zeroed is ready for use. */
struct latency {
	uint32_t *us;
	size_t count;
	size_t room;
};

/* Microseconds of the monotonic clock. */
int64_t latency_now(void);
void latency_add(struct latency *l, int64_t us);
/* Puts the values of another one behind our own. */
void latency_join(struct latency *l, const struct latency *more);
/*
 * Prints p50, p90 (of ten values at least), p99 (of a hundred) and max in
 * milliseconds, each name behind the prefix; nothing when there is no value.
 * Sorts.
 */
void latency_print(struct latency *l, const char *prefix);
void latency_free(struct latency *l);

#endif

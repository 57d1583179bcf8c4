/* SPDX-License-Identifier: ISC */
#ifndef BENCH_LOAD_CREW_H
#define BENCH_LOAD_CREW_H

/*
 * The sessions of a load client: a thread each, which connect and prepare, wait
 * for one another, and then work; only the work is measured.
 *
 * Prints when all have done lines "seconds S", "count N", "bytes B" and those
 * of latency_print().
 */

#include <pthread.h>

#include "bench/load/latency.h"
#include "bench/load/wire.h"

struct session {
	pthread_t thread;
	int number; /* from 0 */
	unsigned int tag; /* of the last command, where there are tags */
	int share; /* how many of the total are this session's */
	uint64_t done; /* counted by the work */
	int64_t began, ended; /* the work */
	struct latency took;
	struct wire wire;
};

/* The calls' total is shared out among the sessions. "prepare" may be NULL. */
void crew_run(int sessions, int total, void (*prepare)(struct session *s),
    void (*work)(struct session *s));

/* A copy of a text in which the first "%d", if any, is a number. Ends the
 * program where it has no room. */
void crew_fill(char *to, size_t room, const char *pattern, int number);

/* The number that an argument is; ends the program if it is none. */
int crew_number(const char *argument);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef TESTS_CRASH_CALLS_H
#define TESTS_CRASH_CALLS_H

/*
 * System calls that change something, as a tracer sees them.
 *
 * A filter in the traced process stops it at these calls alone, so that all
 * others run at full speed. Its own filters go on to hold: what they refuse is
 * refused, since a refusal outranks a stop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CALLS_PROGRAM = 16 }; /* bytes of a program's name, with its end */

struct call {
	pid_t pid;
	long number;
	const char *name;
	uint64_t a[6];
};

/*
 * For the process that is to be traced: stops at each of these calls, in it
 * and all that come after it. Without a tracer such a call fails (ENOSYS).
 * False: errno says why.
 */
bool calls_filter(void);

/*
 * A process that has stopped at one: does the call change something that
 * others see? Files and directories, and what is sent to other programs; not
 * what is written to the log, to events, or to files without a name.
 */
bool calls_entered(pid_t pid, struct call *call);

/* What a call that has ended has given, below zero -errno. */
long calls_result(pid_t pid);

/*
 * In how many ways the process may end at this call: before it, and, where
 * bytes are written, in the middle of them.
 */
unsigned int calls_points(const struct call *call);

/* Makes the call write only the first half of its bytes. */
void calls_halve(const struct call *call);

/* Memory of a process. False: it cannot be read. */
bool calls_memory(pid_t pid, uint64_t address, void *out, size_t n);

/* Text there, as far as it can be read and "out" has room; the end may be of
 * no page. */
void calls_text(pid_t pid, uint64_t address, char *out, size_t n);

/* The name of a process's program; of one that is gone, none. */
void calls_program(pid_t pid, char name[CALLS_PROGRAM]);

/* A line about where it happens: the descriptor's file, or the first path. */
void calls_where(const struct call *call, char *out, size_t n);

#endif

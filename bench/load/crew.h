/* SPDX-License-Identifier: ISC */
#ifndef BENCH_LOAD_CREW_H
#define BENCH_LOAD_CREW_H

/*
 * The sessions of a load client: a task each, which prepare, wait for one
 * another, and then work; only the work is measured. And what the command lines
 * of these clients have in common:
 *
 *	PROGRAM [-w PASSWORD] [-u FIRST] [-d SECONDS]
 *		PORT MODE NAMES SESSIONS COUNT [MORE...]
 *
 * In NAMES "%d" stands for the number of a session, counted from FIRST (0).
 * COUNT is shared out among the sessions; with -d they end after so many
 * seconds, if that is earlier. Prints when all have done lines
 * "seconds S", "count N" and those of latency_print(). What fails ends the
 * program with status 1.
 */

#include <stdbool.h>

#include "bench/load/dial.h"
#include "bench/load/latency.h"

enum { CREW_NAME = 256 };

struct session {
	int number; /* from FIRST */
	int share; /* how many of COUNT are this session's */
	struct stream *io; /* made and freed by the mode; or left to the crew */
	unsigned int tag; /* of IMAP's last command */
	bool push; /* IMAP's literals without being asked for */
};

struct mode {
	const char *name;
	void (*prepare)(struct session *s); /* not measured; may be NULL */
	void (*work)(struct session *s);
	/* instead of "work": number 0, 1, ... of crew_more(), each measured */
	void (*each)(struct session *s, int number);
};

struct crew_options {
	uint16_t port;
	const char *mode, *names, *password;
	int first, sessions, total;
	double seconds; /* 0: no limit */
	char **more;
	int more_count;
};

/* Ends the program where the command line is another. */
struct crew_options crew_options(int argc, char **argv);

/* Runs the mode of that name, of those up to one without a name. */
void crew_run(const struct crew_options *o, const struct mode *modes);

/* Of the work: is there more to do, behind so many? */
bool crew_more(const struct session *s, int done);
/* One was done, and took from "start" until now. */
void crew_took(int64_t start);
/* So many were done, and nobody asks what each took. */
void crew_done(int number);

/* A connection for this session; ends the program where there is none. */
void crew_dial(struct session *s, const struct crew_options *o);

/* A copy of a text in which the first "%d", if any, is a number. Ends the
 * program where it has no room. */
void crew_fill(char *to, size_t room, const char *pattern, int number);

/* The number that an argument is; ends the program if it is none. */
int crew_number(const char *argument);

#endif

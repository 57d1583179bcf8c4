/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_SERVER_SET_H
#define LIB_TABLE_SERVER_SET_H

/*
 * The servers of one table, in which one to ask next, and when to ask one
 * again that was dead: what a dead one costs is at most a tenth of the time,
 * so that a refused connection is tried anew a moment later, and one that
 * took seconds to fail is left alone for tens of them.
 *
 * Pure: the clock is the caller's, and so are the connections.
 *
 * Where another process leaves dead servers alone on behalf of many like this
 * one, server_set_insist makes each question ask one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/span.h"

struct server {
	char *name; /* as in the setting */
	bool local; /* a UNIX socket: preferred */
	void *connection; /* the caller's; NULL: none */
	int64_t used; /* when the connection was */
	int64_t down_until; /* 0: not known to be down */
	unsigned int tried; /* which round of server_set_next */
};

struct server_set {
	struct server *servers;
	size_t count;
	unsigned int round;
};

enum { SERVER_DOWN_MIN_MS = 200 };

/* Names separated by blanks and commas; without any, one named "fallback". */
void
server_set_init(struct server_set *s, struct span names, const char *fallback);
/* The connections are closed before. */
void server_set_fini(struct server_set *s);
/* For the whole process: where all are down, one is asked all the same. */
void server_set_insist(void);
/* A new question: each server can be had once again. */
void server_set_begin(struct server_set *s);
/*
 * A server that was not tried for this question and is not down: connected
 * ones first, of those local ones, of equal ones by "noise". NULL: no more.
 */
struct server *
server_set_next(struct server_set *s, int64_t now, uint32_t noise);
/* How many of those are left for this question. */
size_t server_set_untried(const struct server_set *s, int64_t now);
/* It failed after so many milliseconds. */
void server_failed(struct server *server, int64_t now, int64_t cost_ms,
    int64_t longest_ms);

#endif

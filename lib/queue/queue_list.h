/* SPDX-License-Identifier: ISC */
#ifndef LIB_QUEUE_QUEUE_LIST_H
#define LIB_QUEUE_QUEUE_LIST_H

/*
 * The queue as people see it: each message with the recipients that still
 * wait, and why. Reads one file after the other and holds one at a time.
 */

#include "lib/base/mem.h"

struct queue_entry_recipient {
	const char *address;
	const char *reason; /* "" if not known */
};

struct queue_entry {
	const char *queue; /* incoming, deferred or hold */
	const char *id;
	int64_t arrival; /* microseconds since 1970 */
	int64_t retry; /* deferred: next attempt, seconds since 1970; else 0 */
	int64_t size; /* bytes of the content */
	const char *sender;
	struct queue_entry_recipient *recipients;
	size_t count;
};

/*
 * Calls for each message (only that of this id, unless it is NULL), until
 * visit says false; for what cannot be an id, not at all. Texts live until
 * visit returns. 0, or -1 with errno when a queue cannot be read. Messages that
 * vanish meanwhile are left out.
 */
int queue_list(const char *only,
    bool (*visit)(void *with, const struct queue_entry *e), void *with);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_PARKING_PLACES_H
#define LIB_LOGIN_PARKING_PLACES_H

/*
 * Directories and files whose change wakes parked connections, each watched
 * once however many connections want it. Processes hand them over ahead of the
 * connection.
 */

#include "lib/login/session_internal.h"

struct parked; /* session_parking.c's */
struct holder;
struct spot;

/* A connection's interest in a spot. */
struct place {
	struct spot *spot; /* NULL: none */
	struct place *next, **link;
	struct parked *parked; /* NULL: it has not come yet, */
	struct parking_ahead *ahead; /* and this is what came */
};

/* What a process wants watched for a connection that comes behind it. */
struct parking_ahead {
	struct holder *holder; /* whose account's process it is */
	size_t count;
	bool early; /* something has happened already */
	int error; /* what could not be watched, or 0 */
	struct place places[SESSION_POINTS_MAX];
};

/* False with errno. "wake": something has happened at a place of p. */
bool parking_places_setup(bool rights_differ, void (*wake)(struct parked *p));
/*
 * How many places one account may have: a sixteenth of what the file, the
 * kernel's limit for all that root watches, says, and "bound" at most.
 */
size_t parking_places_most(size_t bound, const char *file);
/*
 * There is room for one. What cannot be watched is in a->error. The
 * descriptor stays the caller's, and is not needed any more.
 */
void parking_places_watch(const struct session_owner *owner,
    struct parking_ahead *a, const struct msg_watch *m);
/* The first n of them are not wanted any more. */
void parking_places_drop(struct parking_ahead *a, size_t n);
/* All of them become the connection's; "to" has room for a->count. */
void parking_places_give(struct parking_ahead *a, struct place *to,
    struct parked *p);
void parking_places_leave(struct place *places, size_t n);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef QMGR_SCHEDULE_H
#define QMGR_SCHEDULE_H

/*
 * Who is served next.
 *
 * A transport (delivery service) has destinations; a destination has groups
 * of recipients that wait, and a window of deliveries that may run at a time.
 * Destinations with something waiting and room in their window stand in their
 * transport's ring and are served in turn, one request each. Within a
 * destination there are three lanes: new mail, mail that is being tried
 * again, and messages with so many recipients that they need many requests.
 * New mail gets every other turn; within a lane groups take turns too. So
 * neither a backlog nor a mailing list makes a single new message wait for
 * more than a few requests.
 *
 * A destination or a transport that cannot be reached is dead for a while;
 * the caller then takes the waiting groups out and defers them.
 *
 * Pure: no disk, no clock, no tasks. One step costs O(1).
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/hash_table.h"
#include "qmgr/entry.h"
#include "qmgr/window.h"

enum lane { LANE_NEW, LANE_AGAIN, LANE_BULK, LANES };

/* Groups that need more requests than this are bulk. */
enum { SCHEDULE_BULK_REQUESTS = 4 };

struct transport_limits {
	struct window_limits window;
	uint32_t recipients; /* of one request; 1 to 1000 */
	uint32_t processes; /* requests at a time; at least 1 */
	bool takes; /* its agent may move a message's only file away */
	int64_t destination_delay_ms; /* between two requests to one */
	int64_t transport_delay_ms; /* between any two */
};

struct destination {
	struct transport *transport;
	const char *key; /* nexthop, or the recipient where limit is 1 */
	const char *nexthop;
	struct window window;
	struct group *lanes[LANES];
	uint32_t waiting; /* groups in the lanes */
	uint32_t in_flight; /* requests */
	uint32_t turn;
	bool in_ring;
	struct destination *prev, *next; /* in the ring */
	int64_t dead_until; /* 0: alive */
	struct reason *dead_reason;
	UT_hash_handle by_key;
};

struct transport {
	const char *name;
	struct transport_limits limits;
	struct destination *by_key;
	struct destination *ring;
	uint32_t workers; /* the dispatcher's count of tasks */
	uint32_t starting; /* of these, not yet with a request */
	uint32_t failures; /* times in a row that its service was not there */
	int64_t dead_until;
	struct reason *dead_reason;
	UT_hash_handle by_name;
};

/* One request: recipients [first, first + count) of the group's entry. */
struct pick {
	struct group *group;
	struct destination *destination;
	uint32_t first;
	uint32_t count;
};

enum reached { REACHED, NOT_REACHED, NO_OPINION };

struct transport *transport_find(const char *name);
struct transport *
transport_new(const char *name, const struct transport_limits *limits);
void transport_each(void (*visit)(void *with, struct transport *t), void *with);

/* Finds or makes. */
struct destination *
destination_get(struct transport *t, const char *key, const char *nexthop);
/* Why it is dead now, its transport's death included; NULL: alive. */
struct reason *destination_dead(struct destination *d, int64_t now);
/* Takes a user of the reason. */
void destination_kill(struct destination *d, struct reason *r, int64_t until);
void destination_revive(struct destination *d);
void transport_kill(struct transport *t, struct reason *r, int64_t until);
void transport_revive(struct transport *t);
/*
 * Its service was not there for the first time: it is dead for seconds, and
 * what it cannot take now is tried again then.
 */
bool transport_back_soon(const struct transport *t);

/* The group waits; its entry is busy with it. */
void schedule_wait(struct group *g, struct destination *d, bool again);
/* Is there anything to hand out? */
bool schedule_ready(const struct transport *t);
/* The next request; counted as in flight until schedule_finish. */
bool schedule_next(struct transport *t, struct pick *out);
/*
 * The request is over. True: the destination died of it (the caller says
 * for how long with destination_kill). The destination may be gone after
 * this unless true was returned, or its transport has a destination_delay_ms:
 * then its place in the window stays taken until schedule_cooled.
 */
bool schedule_finish(const struct pick *p, enum reached reached);
/* The delay after a request has passed. The destination may be gone. */
void schedule_cooled(struct destination *d);
/*
 * Takes the next waiting group out: *out is what will not be handed out, and
 * counts as nothing in flight. False when none waits. The destination stays;
 * call destination_forget.
 */
bool schedule_drain(struct destination *d, struct pick *out);
/*
 * Frees it if nothing keeps it. One that was not reached lately is kept for
 * the sum of its failures, which would else begin anew with each message.
 */
void destination_forget(struct destination *d);
/* Frees those that are idle, and the dead whose time is over. */
void schedule_sweep(int64_t now);
size_t schedule_dead_count(void);
/* Has the group neither waiting recipients nor requests in flight? */
bool group_idle(const struct group *g);

#endif

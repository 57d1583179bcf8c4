/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_ASKERS_H
#define LIB_SERVICE_ASKERS_H

/*
 * Who asks a program with SERVICE_TASKS that may have to leave because a table
 * has changed which only root can read: the next process has the new one.
 *
 * What was sent until then can still be read, and is declined (ipc_decline);
 * whoever sends more learns at once that nobody reads it. Both ask another
 * process. So the old table is in force no longer than until it is looked at,
 * however many ask.
 */

/* Owned by the session, which adds and drops it. */
struct asker {
	struct asker *next, **link;
	int fd;
};

/* The connection's descriptor stays the session's. */
void asker_add(struct asker *a, int fd);
/* Before the descriptor is closed. */
void asker_drop(struct asker *a);
/* service_leave(), and nothing more is heard. */
void askers_leave(void);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef QMGR_ROUTE_H
#define QMGR_ROUTE_H

/*
 * Puts the recipients of an entry into the queues of their destinations.
 */

#include <stdbool.h>
#include "qmgr/entry.h"

/* Where one recipient goes, or why it goes nowhere. Texts are the caller's. */
struct route {
	enum verdict verdict;
	const char *dsn; /* not OK */
	const char *text; /* not OK */
	const char *transport; /* OK */
	const char *nexthop; /* OK */
};

/*
 * One route for each of the e->waiting recipients. Recipients without a
 * route, and those whose destination is known to be dead, get their reason at
 * once; if no other is left, e->busy stays 0. "again": not the first attempt.
 */
void route_entry(struct entry *e, const struct route *routes, bool again);

/* Not delivered without a try: reason and log line. */
void
route_fail(struct entry *e, uint32_t first, uint32_t count, struct reason *r);

/*
 * The name of a queue for one recipient: the address without its extension,
 * in lower case. For transports that take one recipient at a time. Freed by
 * the caller.
 */
char *route_recipient_key(const char *address, const char *delimiters);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_PARK_H
#define IMAPD_PARK_H

/*
 * A connection on which nothing happens costs no process: its session is
 * written down in a few hundred bytes (parked_state.h) and goes to the session
 * stage's parent, until the client says something or, in IDLE, the mailbox
 * changes.
 */

#include "imapd/session.h"

/* When to try it, should nothing happen until then; INT64_MAX: never. */
int64_t imap_park_at(const struct imap_session *s);

enum imap_parked {
	PARKED, /* the session is over here, without a word */
	PARK_NEWS, /* there is something to be told first */
	PARK_LATER, /* not now: it goes on waiting */
};

/* Nothing is left to be sent or read. */
enum imap_parked imap_park(struct imap_session *s);
/*
 * A session that was parked goes on as it was. False: it cannot, and its
 * client has been told BYE. *idle_tag is empty unless it was in IDLE, and
 * lives as long as the connection.
 */
bool imap_unpark(struct imap_session *s, struct span *idle_tag);

#endif

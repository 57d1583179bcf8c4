/* SPDX-License-Identifier: ISC */
#ifndef QMGR_DISPATCH_H
#define QMGR_DISPATCH_H

/*
 * The agents: one task for each busy connection to a delivery service. It
 * takes request after request from the schedule, hands the agent the open
 * queue file and the recipients, marks in the file what was delivered, and
 * ends when nothing is left to hand out.
 *
 * An agent that dies costs a second attempt, in seconds, for the recipients it
 * had not answered for; one that had served before and dies before its first
 * answer costs nothing: another gets the request at once. A service that is
 * not there costs its mail a deferral.
 */

#include <stddef.h>
#include "qmgr/entry.h"
#include "qmgr/schedule.h"

/* All of the entry's groups that wait may be served. */
void dispatch_entry(struct entry *e);
/* Something of this transport may be ready. */
void dispatch_kick(struct transport *t);
/*
 * Takes back all that was not handed out; what is known of these messages is
 * settled. Requests in flight go on.
 */
void dispatch_withdraw(void);
/* Tasks at work. */
size_t dispatch_busy(void);

#endif

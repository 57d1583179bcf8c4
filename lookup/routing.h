/* SPDX-License-Identifier: ISC */
#ifndef LOOKUP_ROUTING_H
#define LOOKUP_ROUTING_H

/* Which delivery service takes an address, and to where. */

#include "lookup/classify.h"

struct routing {
	const char *transport;
	const char *nexthop;
	const char *from; /* the setting that said so last; NULL: none */
};

/*
 * smtpd asks before the sender gets its canonical form, qmgr afterwards: both
 * must hear the same. Of one that is still to be mapped, this is the form in
 * which routing_find wants it; where no route depends on senders, it stays.
 */
enum verdict routing_sender(struct maps *m, const char **sender,
    struct arena *a, struct why *why);
/*
 * By class, sender and transport_maps. A recipient that has moved, or whose
 * class has no mailboxes, goes to the service "error" with the reason as
 * nexthop ("5.1.1 User unknown...").
 */
enum verdict
routing_find(struct maps *m, const char *sender, const struct classified *to,
    struct arena *a, struct routing *out, struct why *why);
/* "User unknown in virtual alias table", as show_user_unknown_table_name
 * has it. */
const char *routing_unknown(struct maps *m, const char *table, struct arena *a);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_ROOM_H
#define SMTPD_ROOM_H

/* Is a recipient's mailbox full? Asked of the service "quota". */

#include "smtpd/restriction.h"

/*
 * The last question about a recipient that all else permits. Only for
 * mailboxes that "local" or "virtual" deliver into, and for addresses that no
 * alias changes; DUNNO for all others, and where the service cannot tell:
 * delivery then decides.
 */
enum decision check_room(struct evaluation *e);

#endif

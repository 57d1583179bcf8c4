/* SPDX-License-Identifier: ISC */
#ifndef QMGR_OUTCOME_H
#define QMGR_OUTCOME_H

/*
 * The end of a message's round: its failures are reported, what is left is
 * deferred, and when nothing is left the message is removed. Afterwards the
 * entry is gone from memory.
 */

#include <stddef.h>
#include "qmgr/entry.h"

/* When e->busy is 0. Takes the entry over; may be called from anywhere. */
void outcome_settle(struct entry *e);
/* Messages whose reports are being made. */
size_t outcome_busy(void);

#endif

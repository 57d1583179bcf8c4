/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REPORT_H
#define QMGR_REPORT_H

/*
 * Reports to senders, each exactly once across any crash.
 *
 * 1. bounce has the report written, durable but inactive, to the report
 *    queue; its envelope's "client" says what it is about: "failure:ID",
 *    "success:ID" or "delay:ID".
 * 2. Older reports of this kind on the same message are removed, and in the
 *    message it is recorded, synced, that the report is being made: 'R' for
 *    'P', 'T' for 'S', the flag WARNING.
 * 3. The report is renamed to incoming. This is the commit.
 * 4. In the message 'R' becomes 'B', 'T' becomes 'D', WARNING becomes WARNED.
 *
 * After a crash a report in the report queue was not committed: step 2 is
 * undone in the message, if it got that far, and the report is removed. A
 * message that is in step 2 with no such report gets step 4. See
 * report_recover.h.
 *
 * Runs in a task; it waits for bounce.
 */

#include <stdbool.h>
#include <stddef.h>
#include "qmgr/entry.h"

enum report_kind { /* as in lib/ipc/bounce.def */
	REPORT_FAILURE,
	REPORT_DELAY,
	REPORT_SUCCESS,
	REPORT_VERIFY,
};

/*
 * Reports on these recipients of the entry (each has its reason). True:
 * done, the recipients need no more of that kind; the new message is in
 * incoming, if there is one. False: nothing was changed, ask again later.
 */
bool report_make(struct entry *e, enum report_kind kind,
    struct entry_recipient *const *recipients, size_t count);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REPORT_H
#define QMGR_REPORT_H

/*
 * Reports to senders, each exactly once across any crash.
 *
 * bounce makes the report, durable but inactive, in the report queue; its
 * envelope's "client" says what it is about: "failure:ID", "delay:ID",
 * "success:ID" or "verify:ID". qmgr then records in the original that the
 *report exists, syncs that, and activates the report by renaming it to
 *incoming.
 *
 * failure: the recipients become 'R' (synced), the rename is the commit,
 *	then they become 'B'. Found after a crash: with the report still in
 *	the report queue, 'R' goes back to pending and the report is removed;
 *	without it, 'R' becomes 'B'.
 * delay: the flag WARNED is set (synced), then the rename. A report without
 *	the flag is removed, with it activated.
 * success: 'S' becomes 'D' (synced), then the rename. A report whose
 *	original still has an 'S' is removed, else activated.
 * verify: as success, with 'P' for 'S'.
 *
 * What happens after a crash is in report_recover.h. Runs in a task; it waits
 * for bounce.
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

/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REPORT_RECOVER_H
#define QMGR_REPORT_RECOVER_H

/*
 * Reports that a crash interrupted: completed or undone, by the rules of
 * qmgr/report.h, so that none is sent twice and none is lost.
 */

#include <stdbool.h>
#include "lib/queue/queue_file.h"
#include "qmgr/report_state.h"

/* The commit: from the report queue to incoming, durable on return. */
bool report_activate(const char *id);
/*
 * Removes reports of this kind on this message, but for "keep" (NULL: none).
 * How many there were.
 */
size_t
report_discard(const char *original, enum report_about about, const char *keep);
/* All of the report queue; reports on active messages are left alone. */
void report_recover(void);
/*
 * A message was read, and no report on it is being made by this process:
 * what its file says about reports is brought to an end, on disk and in *e.
 * fd is open for marking. False, with a log line, when that failed.
 */
bool report_recover_message(int fd, const char *id, struct queue_envelope *e);

#endif

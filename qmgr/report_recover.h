/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REPORT_RECOVER_H
#define QMGR_REPORT_RECOVER_H

/*
 * Reports that a crash interrupted: completed or undone, by the rules of
 * qmgr/report.h, so that none is sent twice and none is lost.
 */

#include <stdbool.h>
#include "lib/queue/queue_file.h"

/* The commit: from the report queue to incoming, durable on return. */
bool report_activate(const char *id);
/* All of the report queue; reports of active messages are left alone. */
void report_recover(void);
/*
 * A message was read with 'R' recipients in it, and no report about it is
 * being made: makes them pending or 'B', on disk and in *e. fd is open for
 * marking. False, with a log line, when that failed.
 */
bool report_recover_message(int fd, const char *id, struct queue_envelope *e);

#endif

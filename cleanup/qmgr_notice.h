/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_QMGR_NOTICE_H
#define CLEANUP_QMGR_NOTICE_H

#include "cleanup/recipient_set.h"
#include "lib/queue/queue_file.h"

/*
 * Tells qmgr of a durable message, with all it needs, so that it need not
 * read the file. There is no answer; where qmgr cannot be told, it looks
 * through incoming as soon as it can be reached. "recipients" are those of the
 * envelope, in its order.
 */
void qmgr_notice(struct arena *a, const char *id,
    const struct queue_envelope *e, const struct recipient *recipients);

/*
 * Tells qmgr to look, where it could not be told of a message. When that is to
 * be tried again, in clock_ms(); INT64_MAX: nothing is owed.
 */
int64_t qmgr_notice_owed(void);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_QMGR_NOTICE_H
#define CLEANUP_QMGR_NOTICE_H

#include "cleanup/recipient_set.h"
#include "lib/queue/queue_file.h"

/*
 * Tells qmgr of a durable message, with all it needs, so that it need not
 * read the file. There is no answer; where the notice is lost, qmgr finds the
 * file when it looks through incoming. "recipients" are those of the envelope,
 * in its order.
 */
void qmgr_notice(struct arena *a, const char *id,
    const struct queue_envelope *e, const struct recipient *recipients);

#endif

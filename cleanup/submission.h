/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_SUBMISSION_H
#define CLEANUP_SUBMISSION_H

/*
 * One message on its way from a submitter into the queue: recipients, header,
 * body, envelope, one file, one fsync. Memory does not grow with the message,
 * only with its recipients.
 *
 * A message that is refused half way leaves no file from that moment on; the
 * rest of its content is taken and dropped, since the submitter listens only
 * at the end.
 */

#include "cleanup/settings.h"
#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/ipc/proto_cleanup.h"

struct submission;

/* What "m" says is copied. The arena lives until submission_free. */
struct submission *submission_new(const struct settings *set, struct arena *a,
    const struct msg_submit *m);
void submission_add(struct submission *s, struct span chunk);
/* Bytes that came in so far. */
uint64_t submission_received(const struct submission *s);
/*
 * Makes it durable and tells qmgr. The answer, with texts that live as long
 * as the arena.
 */
void submission_commit(struct submission *s, struct msg_submit_result *out);
void submission_free(struct submission **s);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SUBMISSION_H
#define SMTPD_SUBMISSION_H

/*
 * A message on its way to cleanup. The first 64 KiB are kept here, so that a
 * slow sender holds no cleanup process, and a small message goes over in one
 * piece; what is more streams on.
 */

#include "lib/base/why.h"
#include "smtpd/session.h"

/* Never NULL. */
struct submission *submission_new(struct session *s);
/* Content, CRLF and without dot stuffing. May wait. */
void submission_add(struct submission *m, struct span content);
/*
 * The end: commits. OK, and the message is durable; or LATER, NEVER with
 * *why. Must be called at most once.
 */
enum verdict submission_commit(struct submission *m, struct why *why);
uint64_t submission_size(const struct submission *m);
/* Does a process of cleanup wait for the rest of it? */
bool submission_streams(const struct submission *m);
/* Has it failed already? submission_commit says why. */
bool submission_refused(const struct submission *m);
/* Without a commit before, nothing of it remains. */
void submission_free(struct submission **m);

#endif

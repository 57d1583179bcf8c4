/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_SUBMISSION_H
#define SMTPD_SUBMISSION_H

/*
 * A message on its way to cleanup, which hears of it only when all of it is
 * here, however slowly it came: so a sender holds no process of cleanup. Up to
 * 64 KiB wait in memory; what is more, in a scratch file. A small message goes
 * over in one piece, a large one as that file and what comes behind.
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
/* The reply code that cleanup has for this verdict, or 0. */
int submission_code(const struct submission *m, enum verdict verdict);
uint64_t submission_size(const struct submission *m);
/* Nothing comes for a while: keeps little in memory. May wait. */
void submission_rest(struct submission *m);
/* Has it failed already? submission_commit says why. */
bool submission_refused(const struct submission *m);
/* Without a commit before, nothing of it remains. */
void submission_free(struct submission **m);

#endif

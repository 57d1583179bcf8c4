/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_RECEPTION_H
#define SMTPD_RECEPTION_H

/*
 * A message's content on its way from the client to cleanup: what DATA and
 * BDAT have in common.
 */

#include "smtpd/session.h"
#include "smtpd/submission.h"

struct reception {
	struct smtp_content scan;
	struct submission *submission;
	int64_t begun; /* clock_ms */
};

struct reception *reception_new(struct session *s, bool counted);
void reception_free(struct reception **r);

/* smtpd_data_restrictions; false: refused, answered. */
bool reception_allowed(struct session *s);
/*
 * What has come of it, as stream_peek, waiting for smtpd_timeout at most; with
 * smtpd_per_request_deadline, for as long as its bytes have earned.
 */
enum io
reception_peek(struct session *s, struct reception *r, struct span *bytes);
/*
 * Takes content from the front of *in, all of it or up to the end of data:
 * then true.
 */
bool reception_take(struct reception *r, struct span *in);
/* The whole message is here: last checks, commit, answer. */
void reception_finish(struct session *s, struct reception *r);
/* The message has failed already: answers why. */
void reception_fail(struct session *s, struct reception *r);
/* The connection ended in the middle. */
void reception_lost(struct session *s, const struct reception *r, enum io how);

#endif

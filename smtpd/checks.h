/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECKS_H
#define SMTPD_CHECKS_H

/* What the files of checks share. */

#include "lib/ipc/proto_lookup.h"
#include "smtpd/session.h"

/*
 * What lookup says about the recipient. NULL: it cannot be asked, or there is
 * no recipient yet.
 */
const struct msg_resolved_item *evaluated_recipient(struct evaluation *e);
/* "<subject>: words" for the stage a restriction speaks about. */
enum decision refuse_stage(struct evaluation *e, enum stage about, int code,
    const char *dsn, const char *words);
/* "NOQUEUE: WHAT: RCPT from name[addr]: text; from=<..> to=<..> ..." */
void log_action(const struct evaluation *e, const char *what, struct span text);

#endif

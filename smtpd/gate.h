/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_GATE_H
#define SMTPD_GATE_H

/*
 * What every command passes before its own rules: bytes, forbidden words,
 * pipelining, denied clients, required encryption.
 */

#include "smtpd/session.h"

/* False: it was answered. "verb" is NULL for an unknown command. */
bool gate_command(struct session *s, const struct verb *verb, struct span name,
    struct span line);
/* Data behind what was answered last, from a client that had to wait? */
bool gate_synchronised(struct session *s);
/* The same before the greeting: has the client said something already? */
bool gate_silent(struct session *s);
/* smtpd_forbid_bare_newline = reject: answer, log and end. */
void gate_bare_newline(struct session *s);

/*
 * smtpd_command_filter: the line that is taken in the stead of *line, in
 * *value, or the same. False: that cannot be known; the session ends, answered.
 */
bool gate_filter(struct session *s, struct span *line, struct buf *value);

#endif

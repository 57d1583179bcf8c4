/* SPDX-License-Identifier: ISC */
#ifndef SMTP_COMMANDS_H
#define SMTP_COMMANDS_H

/*
 * MAIL and RCPT with the parameters that this server has announced; those
 * it does not know are left out. The addresses are given apart, as they
 * shall be said. "utf8": SMTPUTF8 is said (RFC 6531).
 */

#include "lib/ipc/proto_deliver.h"
#include "smtp/peer.h"

void command_mail(struct peer *p, const struct msg_deliver *m,
    const char *sender, bool utf8);
void command_rcpt(struct peer *p, const struct msg_deliver_recipient *to,
    const char *address, bool utf8);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_REMOTE_KEY_H
#define LIB_SERVICE_REMOTE_KEY_H

/*
 * Private keys in keyd, for the "sign" field of TLS settings. Waits for the
 * answer: within a task others run meanwhile.
 */

#include "lib/tls/tls.h"

bool remote_key_sign(const char *key, enum tls_key_operation operation,
    unsigned int padding, struct span data, struct buf *signature);

/*
 * For the "chain_of" field. Once keyd has said that there are no tables of
 * names, it is not asked any more by this process.
 */
enum tls_chain remote_key_chain(const char *name, struct buf *chain);
/*
 * For the "chain_end" field: a stranger who asks for a certificate, and has it
 * sign nothing, keeps no connection to keyd from others.
 */
void remote_key_chain_end(void);

/* For the "tickets" field: those of this process's service. */
bool remote_key_tickets(struct span context, struct tls_ticket_secrets *out);

#endif

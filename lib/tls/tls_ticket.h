/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_TICKET_H
#define LIB_TLS_TLS_TICKET_H

/*
 * Keys for session tickets: made in this process, never stored, changed every
 * hour. A ticket is good for one more hour under the former key; after that,
 * or at another process of the service, there is a full handshake.
 */

#include <openssl/ssl.h>

struct tls_ticket_keys;

struct tls_ticket_keys *tls_ticket_keys_new(void);
/* Wipes them. NULL is fine. */
void tls_ticket_keys_free(struct tls_ticket_keys **k);
/* From now on the context seals its tickets with them. 0 or -1. */
int tls_ticket_keys_use(struct tls_ticket_keys *k, SSL_CTX *context);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_TICKET_H
#define LIB_TLS_TLS_TICKET_H

/*
 * Keys for session tickets (RFC 5077, RFC 8446 4.6.1): never stored, changed
 * every hour, and wiped when they have had their time, in a program with the
 * loop of lib/task. A ticket is good for one more hour under the former key.
 * With a source (keyd) all processes of a service have the same keys, those of
 * a reload as well, and one context's tickets are taken by another that has the
 * same certificates, ciphers, versions and options. Without, or while the
 * source fails, the keys are made here; elsewhere there is a full handshake
 * then.
 */

#include <openssl/ssl.h>
#include "lib/tls/tls.h"

struct tls_ticket_keys;

/* "source" may be NULL. */
struct tls_ticket_keys *tls_ticket_keys_new(tls_ticket_function *source);
/* Wipes them. NULL is fine. */
void tls_ticket_keys_free(struct tls_ticket_keys **k);
/*
 * From now on the context seals its tickets with them. The context has its
 * certificates when its first handshake comes. 0 or -1.
 */
int tls_ticket_keys_use(struct tls_ticket_keys *k, SSL_CTX *context);

#endif

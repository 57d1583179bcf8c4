/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_INTERNAL_H
#define LIB_TLS_TLS_INTERNAL_H

/*
 * The seam between lib/tls, which knows what may be spoken and with which
 * keys, and lib/net/stream, which moves the bytes. Nobody else includes it.
 *
 * The stream empties OpenSSL's error queue before each operation and asks
 * SSL_get_error directly after it: the queue belongs to the thread, not to
 * the task. A handshake may wait inside SSL_do_handshake (for keyd), so other
 * tasks run in between; what they left in the queue is cleared here.
 */

#include <stdbool.h>
#include <openssl/ssl.h>
#include "lib/tls/tls.h"

SSL_CTX *tls_context_ssl(struct tls_context *context);

/*
 * A session without a descriptor (the stream sets one or a BIO), in accept
 * or connect state. "host": the name for SNI and verification, or NULL. Keeps
 * its own reference to the context. NULL when OpenSSL refuses.
 */
struct tls_session *
tls_session_new(struct tls_context *context, bool server, const char *host);
/* A client's, for that target. */
struct tls_session *tls_session_new_to(struct tls_context *context,
    const struct tls_target *target);
SSL *tls_session_ssl(struct tls_session *session);
/* Frees the SSL object as well, without sending close_notify. NULL is fine. */
void tls_session_free(struct tls_session **session);

/*
 * Why the last operation failed, in words for a log line ("certificate
 * verify failed: ..."); empties the error queue. Valid until the next call.
 */
const char *tls_failure(const struct tls_session *session);

#endif

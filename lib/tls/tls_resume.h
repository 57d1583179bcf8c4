/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_RESUME_H
#define LIB_TLS_TLS_RESUME_H

/*
 * Sessions that servers gave a client, to be resumed: no certificates, no
 * signatures, a round trip less. In this process's memory alone.
 *
 * One is good for a time from the full handshake that proved the server,
 * however often it was used or renewed since.
 */

#include <openssl/ssl.h>
#include <stdint.h>

struct tls_resume;

enum { TLS_RESUME_MAX = 1000 }; /* sessions kept: the newest */

struct tls_resume *tls_resume_new(int64_t seconds);
void tls_resume_free(struct tls_resume **r); /* NULL is fine */
/*
 * Keeps the session, of which the caller's reference becomes ours, in place
 * of an older one with that key. "proven": clock_ms() of the full handshake.
 */
void tls_resume_put(struct tls_resume *r, const char *key, SSL_SESSION *session,
    int64_t proven);
/* A session, now the caller's, and *proven; NULL when there is none. */
SSL_SESSION *
tls_resume_take(struct tls_resume *r, const char *key, int64_t *proven);

#endif

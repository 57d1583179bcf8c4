/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_CONTEXT_H
#define LIB_TLS_TLS_CONTEXT_H

/* What a context is, for the files of lib/tls. */

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/tls/tls.h"
#include "lib/tls/tls_resume.h"
#include "lib/tls/tls_ticket.h"

struct tls_context {
	unsigned int references; /* the owner's, and one of each session */
	SSL_CTX *ssl;
	struct tls_ticket_keys *tickets; /* servers */
	unsigned char alpn[16]; /* length and name, as on the wire; or empty */
	tls_sign_function *sign; /* servers, with chain_of */
	tls_chain_function *chain_of;
	tls_chain_end_function *chain_end;
	enum tls_level level; /* clients */
	unsigned int host_flags; /* X509_CHECK_FLAG bits for names */
	struct tls_resume *resume; /* clients; NULL: none */
	int64_t expires;
};

void tls_context_unref(struct tls_context *c);
/* From now on its sessions are kept for so long, and resumed. */
void tls_session_resumable(struct tls_context *c, int64_t seconds);

/* NULL or empty: ours. False with *error: none is left that may be used. */
bool tls_ciphers_apply(SSL_CTX *ssl, const char *ciphers, struct buf *error);
/* Certificates and keys of settings.files or a PEM text into the context. */
bool tls_context_load_files(struct tls_context *c,
    const struct tls_files *files, tls_sign_function *sign, struct buf *error);
bool tls_context_load_text(struct tls_context *c, struct span pem,
    tls_sign_function *sign, struct buf *error);
/*
 * The same into one session, in the place of what its context has. False with
 * *error, and nothing to be offered.
 */
bool tls_session_load_text(SSL *ssl, struct span pem, tls_sign_function *sign,
    struct buf *error);
/*
 * Authorities, all read now; both NULL or system_too: the system's. A
 * directory that cannot be read is a warning in the log: what it held is then
 * not trusted. False for a file.
 */
bool tls_context_trust(struct tls_context *c, const char *ca_file,
    const char *ca_directory, bool system_too, struct buf *error);
/* Files of certificates that are trusted as they are; nothing else is. */
bool tls_trust_anchors(X509_STORE *store, const char *files, struct buf *error);
bool tls_trust_file(X509_STORE *store, const char *path, struct buf *error);
bool
tls_trust_directory(X509_STORE *store, const char *path, struct buf *error);

#endif

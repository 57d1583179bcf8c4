/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_H
#define LIB_TLS_TLS_H

/*
 * TLS contexts over OpenSSL. A server context holds certificate chains only;
 * the private key stays in keyd, which is asked for each signature (from
 * within a task, so a handshake waits like any other read). lib/net/stream
 * does the I/O; this header is what programs need to set it up and to report.
 */

#include <stdbool.h>
#include <stddef.h>
#include "lib/base/span.h"

struct tls_context;
struct tls_session;

struct tls_server_settings {
	const char *chain; /* PEM text of certificate and chain, read before
			      confinement */
	size_t chain_length;
	const char *key_name; /* how keyd knows the key; NULL: key is in chain */
	const char *protocols; /* Postfix's syntax: ">=TLSv1.2", "!SSLv3" */
	const char *ciphers; /* OpenSSL cipher list, NULL for the default */
	bool ask_client_certificate;
	const char *session_id_context; /* one per service: tickets of one
					   service are worth nothing at another */
};

enum tls_level {
	TLS_NONE,
	TLS_MAY, /* opportunistic: no verification */
	TLS_ENCRYPT, /* required, not verified */
	TLS_VERIFY, /* required, certificate matches the name */
};

struct tls_client_settings {
	enum tls_level level;
	const char *ca_file; /* PEM path, or NULL for the system's */
	const char *ca_directory;
	const char *protocols;
	const char *ciphers;
};

/* NULL and a line in *error (valid until the next call) when refused. */
struct tls_context *tls_server_new(const struct tls_server_settings *settings,
    const char **error);
struct tls_context *tls_client_new(const struct tls_client_settings *settings,
    const char **error);
void tls_context_free(struct tls_context **context);

/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)". */
const char *tls_session_text(const struct tls_session *s);
const char *tls_protocol(const struct tls_session *s);
const char *tls_cipher(const struct tls_session *s);
int tls_cipher_bits(const struct tls_session *s);
/* Did the peer's certificate chain up and match the name? */
bool tls_verified(const struct tls_session *s);
/* Of the peer's certificate, "" if none. */
const char *tls_peer_name(const struct tls_session *s);
/* tls-exporter or tls-unique channel binding data (RFC 9266, RFC 5929). */
bool tls_channel_binding(const struct tls_session *s, char out[64], size_t *n);

#endif

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
#include <stdint.h>

#include "lib/base/span.h"

struct buf;
struct tls_context;
struct tls_session;

enum {
	TLS_KEY_ID_MAX = 80, /* "sha256:" and 64 hexadecimal digits */
	TLS_SIGNATURE_MAX = 2048, /* an RSA key of 16384 bits */
};

/* What is asked of a private key that lives elsewhere; as in keyd.def. */
enum tls_key_operation {
	TLS_KEY_RSA_SIGN, /* the private operation after or with padding */
	TLS_KEY_ECDSA_SIGN, /* of a digest; DER */
};

/*
 * Has something signed by whoever holds the private key; remote_key_sign in
 * lib/service/remote_key.h asks keyd. "key" is the digest of the public key
 * (tls_key_id), so that no name needs to agree. May wait. False: refused or
 * not to be had, already logged.
 */
typedef bool
tls_sign_function(const char *key, enum tls_key_operation operation,
    unsigned int padding, struct span data, struct buf *signature);

/*
 * Finds the certificates for the name that a client asks for (SNI), in lower
 * case: PEM text, to which "sign" has the keys. remote_key_chain asks keyd.
 * May wait. TLS_CHAIN_FAILED is logged already: the client is turned away.
 */
enum tls_chain {
	TLS_CHAIN_DEFAULT, /* none is for this name */
	TLS_CHAIN_FOUND,
	TLS_CHAIN_FAILED,
};
enum { TLS_CHAIN_MAX = 262144 };
typedef enum tls_chain tls_chain_function(const char *name, struct buf *chain);
/*
 * What chain_of kept for the signature, in this task, is needed no more: it has
 * been made, or will not be. Does not wait. remote_key_chain_end.
 */
typedef void tls_chain_end_function(void);

/* Names and keys of session tickets; "former" only opens. */
enum { TLS_TICKET_SECRET = 80 };
struct tls_ticket_secrets {
	unsigned char now[TLS_TICKET_SECRET];
	unsigned char former[TLS_TICKET_SECRET];
	bool has_former;
	int64_t left_ms; /* until others come */
};
/*
 * Gets those of our service, for contexts with this digest. remote_key_tickets
 * asks keyd. May wait. False: not to be had now.
 */
typedef bool
tls_ticket_function(struct span context, struct tls_ticket_secrets *out);

/*
 * PEM files, as Postfix names them. A list separated by commas; chain_files
 * win over the others. NULL and "" are the same: not set.
 */
struct tls_files {
	const char *chain_files; /* key, certificate, issuers; repeated */
	const char *cert_file;
	const char *key_file; /* read only when nobody signs for us */
	const char *eccert_file;
	const char *eckey_file;
};

/* What a site may choose of OpenSSL; NULL and all zero: its own choice. */
struct tls_choice {
	const char *options; /* names as of tls_ssl_options */
	const char *groups[2]; /* elliptic curves, and finite fields */
	bool depth_set;
	int depth; /* of certificate chains: most issuers below the root */
	bool system_authorities; /* besides those that are named */
	bool wildcard_many; /* *.a.test matches x.y.a.test as well */
};

struct tls_server_settings {
	const char *chain; /* PEM text of certificate and chain, read before
			      confinement; NULL: see files */
	size_t chain_length;
	struct tls_files files; /* read by tls_server_new, before confinement */
	/*
	 * Who signs; private keys met in the files are then wiped unread.
	 * NULL: the keys are in the chain or in the files.
	 */
	tls_sign_function *sign;
	tls_chain_function *chain_of; /* with "sign"; NULL: one for all */
	tls_chain_end_function *chain_end; /* with chain_of; may be NULL */
	/*
	 * NULL: this process has keys of its own for session tickets; so it has
	 * where clients are asked for certificates, since a resumed session
	 * would carry what another generation's authorities have said of them.
	 */
	tls_ticket_function *tickets;
	const char *protocols; /* Postfix's syntax: ">=TLSv1.2", "!SSLv3" */
	const char *ciphers; /* OpenSSL cipher list, NULL for the default */
	/* "smtp", "pop3", "imap": a client that negotiates another protocol
	   (RFC 7301) is turned away; NULL: no check */
	const char *alpn;
	bool ask_client_certificate;
	const char *ca_file; /* for client certificates; may be NULL */
	const char *ca_directory; /* the same */
	struct tls_choice choice;
	const char
	    *session_id_context; /* one per service: tickets of one
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
	/*
	 * Files of certificates that alone are trusted, even if they are no
	 * authorities; then nothing is taken from elsewhere. NULL, "": none.
	 */
	const char *anchors;
	const char *protocols;
	const char *ciphers;
	struct tls_files files; /* our certificate, if we have one */
	tls_sign_function *sign;
	struct tls_choice choice;
	int64_t resume_s; /* how long sessions can be resumed; 0: never */
};

/* Whom a client means to talk to. */
struct tls_target {
	const char *sni; /* name to ask for; NULL: none */
	/*
	 * At TLS_VERIFY one of these must be in the certificate: a name, an
	 * address if it is the only one, or ".domain" for all names below.
	 * Without any, TLS_VERIFY fails.
	 */
	const char *const *names;
	size_t name_count;
	/*
	 * What sessions of this target are kept under, to be resumed: must
	 * tell apart servers, and names to prove. NULL: none is.
	 */
	const char *resume;
};

/*
 * Both read files (certificates of authorities too), so they belong before
 * confinement. TLS 1.2 and up; no compression, no renegotiation, no
 * RSA key exchange; tickets under keys that change every hour and never leave
 * the process. At TLS_VERIFY a handshake with an unproven peer fails; below,
 * tls_verified() still tells.
 */
/* NULL and a line in *error (valid until the next call) when refused. */
struct tls_context *
tls_server_new(const struct tls_server_settings *settings, const char **error);
struct tls_context *
tls_client_new(const struct tls_client_settings *settings, const char **error);
void tls_context_free(struct tls_context **context);

/* The certificates' earliest end, seconds since 1970; 0 if there is none. */
int64_t tls_context_expires(const struct tls_context *context);

/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)". */
const char *tls_session_text(const struct tls_session *s);
const char *tls_protocol(const struct tls_session *s);
const char *tls_cipher(const struct tls_session *s);
/* Did the peer's certificate chain up and match the name? */
bool tls_verified(const struct tls_session *s);
/* Did the chain lead to an authority, whatever the name? */
bool tls_trusted(const struct tls_session *s);
/* Was it resumed, without a full handshake? */
bool tls_resumed(const struct tls_session *s);
/*
 * Digest ("sha256") of the peer's certificate, or of its public key, as
 * upper case pairs separated by colons. False: no certificate.
 */
enum { TLS_FINGERPRINT_MAX = 3 * 64 };
bool tls_fingerprint(const struct tls_session *s, const char *digest,
    bool of_key, char out[TLS_FINGERPRINT_MAX]);
bool tls_digest_known(const char *digest);
/* Of the peer's certificate, "" if none. */
const char *tls_peer_name(const struct tls_session *s);
/* tls-exporter or tls-unique channel binding data (RFC 9266, RFC 5929). */
bool tls_channel_binding(const struct tls_session *s, char out[64], size_t *n);

#endif

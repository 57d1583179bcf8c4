/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_KEY_H
#define LIB_TLS_TLS_KEY_H

/*
 * Certificates and keys in PEM files, and private keys that live in another
 * process. Shared by lib/tls and keyd.
 */

#include <stdbool.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "lib/base/buf.h"
#include "lib/tls/tls.h"

enum { TLS_PEM_MAX = 4 << 20 /* more than all authorities there are */ };

/* One certificate with its issuers and, where there was one, its key. */
struct tls_pem_group {
	X509 *leaf; /* NULL in a file of keys only */
	STACK_OF(X509) * issuers;
	EVP_PKEY *key;
};

typedef bool
tls_pem_visit(void *with, const struct tls_pem_group *group, struct buf *error);

/*
 * Visits each certificate (and, with keys, each private key) in PEM text: a
 * private key begins a new group, other certificates follow their leaf.
 * Without keys, private keys are skipped undecoded, and what was copied of
 * them is wiped. False, with a line in *error, when something cannot be
 * read or visit says false. Objects live until visit returns.
 */
bool tls_pem_each(struct span text, bool keys, tls_pem_visit *visit, void *with,
    struct buf *error);
/*
 * The same for a file, or for what is kept of it (tls_kept.h); "path: " in
 * front of errors; its text is wiped.
 */
bool tls_pem_file(const char *path, bool keys, tls_pem_visit *visit, void *with,
    struct buf *error);

/*
 * Text of the file, or what is kept of it, which the caller wipes and frees;
 * NULL with "path: " and why in *error, and *n as it was.
 */
char *tls_pem_read(const char *path, size_t *n, struct buf *error);

/*
 * Authorities in PEM text: certificates, trusted ones of OpenSSL's own kind,
 * and lists of those that are revoked. False when something cannot be read, or
 * there are none.
 */
bool tls_pem_authorities(struct span text, X509_STORE *store);

/*
 * What is public in the text, in its order, for who reads it without keys.
 * What is broken in it is broken there as well. False: no memory.
 */
bool tls_pem_write_public(BIO *out, struct span text);
/*
 * The group's certificates as text for who reads it without keys: there a new
 * leaf is known by the key before it alone, so they stand behind a block that
 * says nothing. False: no memory.
 */
bool tls_pem_write(BIO *out, const struct tls_pem_group *g);

/* How keyd knows the key: digest of its public part. */
bool tls_key_id(EVP_PKEY *key, char out[TLS_KEY_ID_MAX]);

/*
 * A private key made from a certificate's public key, whose operations go to
 * "sign". RSA and EC keys only: Ed25519 and Ed448 sign whole messages within
 * OpenSSL, where no other process can be asked. NULL and a line in *error.
 */
EVP_PKEY *
tls_remote_key(X509 *certificate, tls_sign_function *sign, struct buf *error);

#endif

/* SPDX-License-Identifier: ISC */
#ifndef KEYD_KEYRING_H
#define KEYD_KEYRING_H

/*
 * Private keys in memory, and what they may be used for: TLS signatures.
 * Nothing is ever decrypted, and nothing is signed that does not have the
 * form of a TLS signature's input, so that who can ask for signatures cannot
 * use them to read other people's recorded traffic. Each key is for some
 * programs alone: a client that was taken over cannot be the server of this
 * site.
 *
 * The form is all that can be told: OpenSSL asks for the private operation of a
 * foreign key with a digest, or what PKCS#1 and PSS make of it, and of what it
 * is a digest only who made it knows. JWS, CMS and X.509 are signed in the same
 * form, so that who was taken over can have them signed: a request to revoke
 * the certificate above all (RFC 8555 section 7.6), and whatever others believe
 * because of this key.
 */

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/buf.h"
#include "lib/tls/tls.h"
#include "lib/tls/tls_kept.h"

struct keyring;

enum { KEYRING_MAX = 8192 };

struct keyring *keyring_new(void);
void keyring_free(struct keyring **k);
size_t keyring_count(const struct keyring *k);
/*
 * All private keys of a PEM file, for these programs; those already there are
 * not added again.
 * False and a line in *error when the file cannot be read or is damaged, or
 * when there are too many keys. A file without a key is fine.
 */
bool keyring_load(struct keyring *k, const char *path, unsigned int users,
    struct buf *error);
/*
 * One more who needs this key for these programs, which keyring_drop with the
 * same takes back; the last one takes it out. *id is how
 * it is asked for. False and a line in *error when there are too many.
 */
bool keyring_hold(struct keyring *k, EVP_PKEY *key, unsigned int users,
    char id[TLS_KEY_ID_MAX], struct buf *error);
void keyring_drop(struct keyring *k, const char *id, unsigned int users);
bool keyring_has(const struct keyring *k, const char *id);
/*
 * Signs for one of these programs; operation, padding and data as in
 * lib/ipc/keyd.def. False with a line in *error: no such key, a key for others,
 * or not an input of a TLS signature.
 */
bool keyring_sign(const struct keyring *k, const char *id, unsigned int users,
    uint64_t operation, uint64_t padding, struct span data,
    struct buf *signature, struct buf *error);

#endif

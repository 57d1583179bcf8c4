/* SPDX-License-Identifier: ISC */
#ifndef LIB_SASL_PASSWORD_H
#define LIB_SASL_PASSWORD_H

/*
 * Stored passwords: "{SCHEME}hash" as Dovecot and LDAP servers write them,
 * and what crypt(3) knows. No scheme means CRYPT. SCHEME may end in .B64 or
 * .HEX where the hash is bytes.
 *
 * PLAIN, CLEAR, CLEARTEXT; CRYPT, DES-CRYPT, MD5-CRYPT, MD5, SHA256-CRYPT,
 * SHA512-CRYPT, BLF-CRYPT, YESCRYPT; ARGON2, ARGON2I, ARGON2ID; SHA, SHA1,
 * SSHA, SHA256, SSHA256, SHA384, SHA512, SSHA512, PLAIN-MD5, LDAP-MD5, SMD5;
 * PBKDF2; SCRAM-SHA-1, SCRAM-SHA-256.
 *
 * All comparisons take the same time wherever the difference is.
 */

#include <stdbool.h>
#include "lib/base/span.h"

struct buf;

enum { PASSWORD_MAX = 512 }; /* longer ones are wrong, before any hashing */

enum password_result {
	PASSWORD_RIGHT,
	PASSWORD_WRONG,
	PASSWORD_BROKEN, /* the stored text makes no sense, or no library */
};

/*
 * Loads what verification needs (libargon2, if the machine has it); to be
 * called before confinement.
 */
void password_init(void);
/* Never puts the password or the hash into *error. */
enum password_result
password_verify(const char *stored, struct span password, struct buf *error);
/* The password itself, where the scheme keeps it; for SCRAM and CRAM-MD5. */
bool password_plain(const char *stored, struct span *plain);
/* Constant time for a given length of b. */
bool password_equal(struct span a, struct span b);

#endif
